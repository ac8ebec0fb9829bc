use crate::ddp::Stag;
use crate::harness::{CONFIG, Event, Pair, REGION, REGION_LENGTH, Side};
use crate::mpa::Config;
use crate::rdmap::SendKind;
use crate::stream::{Message, State, StateError};
use alloc::vec;
use alloc::vec::Vec;

/// The four kinds of Send.
const KINDS: [SendKind; 4] = [
    SendKind::PLAIN,
    SendKind { solicited: true, invalidate: None },
    SendKind { solicited: false, invalidate: Some(Stag(0x77)) },
    SendKind { solicited: true, invalidate: Some(Stag(0x78)) },
];

/// Numbers that look like chance, from a seed.
struct Chance(u64);

impl Chance {
    /// A number below `end`.
    fn below(&mut self, end: usize) -> usize {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) >> 8).unwrap() % end.max(1)
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| u8::try_from(self.below(256)).unwrap()).collect()
    }
}

/// Posts messages of every kind at a side, and returns the events of the peer and of the side itself.
fn post(side: &mut Side, peer: &mut [u8], chance: &mut Chance) -> (Vec<Event>, Vec<Event>, Vec<u8>) {
    let (mut at_peer, mut at_side) = (vec![], vec![]);
    // Writes go to the lower half of the peer's memory, reads to the upper one.
    let mut written = peer[..REGION_LENGTH / 2].to_vec();
    for (index, kind) in KINDS.iter().cycle().take(12).enumerate() {
        let length = [0, 1, 2, 3, 1442, 5000, chance.below(9000)][index % 7];
        let payload = chance.bytes(length);
        side.send(*kind, &payload);
        at_peer.push(Event::Received(*kind, payload));
        let (place, length) = (chance.below(10_000), [0, 1, 1446, chance.below(9000)][index % 4]);
        let payload = chance.bytes(length);
        side.write(REGION, u64::try_from(place).unwrap(), &payload);
        written[place..place + length].copy_from_slice(&payload);
        let (place, length) = (chance.below(10_000), [0, 1, 7000, chance.below(9000)][index % 4]);
        let place = REGION_LENGTH / 2 + place;
        side.read(REGION, u64::try_from(place).unwrap(), u32::try_from(length).unwrap());
        at_side.push(Event::ReadDone(peer[place..place + length].to_vec()));
    }
    (at_peer, at_side, written)
}

/// Splits the events of a side into those of reads and the others, each in its order.
fn split(events: Vec<Event>) -> (Vec<Event>, Vec<Event>) {
    events.into_iter().partition(|event| matches!(event, Event::ReadDone(_)))
}

/// RD-1, RD-2, RD-5, DDP-4, FP-1 (RFC 5040 section 5): messages of every operation arrive whole, once and in order, whatever cuts TCP makes, both ways at once.
#[test]
fn messages_of_every_operation_arrive_over_any_cuts() {
    for seed in 0..40 {
        let crc = seed % 2 == 0;
        let mut chance = Chance(seed);
        let config = Config { crc, ..CONFIG };
        let mut pair = Pair::new(config, config, [536, 1460, 9000, 65_483][chance.below(4)]);
        let memory = chance.bytes(REGION_LENGTH);
        pair.initiator.region().copy_from_slice(&memory);
        pair.responder.region().copy_from_slice(&memory);
        let (at_responder, reads_of_initiator, written) =
            post(&mut pair.initiator, &mut memory.clone(), &mut chance);
        let (at_initiator, reads_of_responder, _) =
            post(&mut pair.responder, &mut memory.clone(), &mut chance);
        let longest = [1, 7, 100, 3000, usize::MAX][chance.below(5)];
        pair.settle_by(&mut |waiting| 1 + chance.below(waiting.min(longest)));
        assert_eq!(pair.states(), (State::Operating, State::Operating), "seed {seed}");
        assert!(pair.initiator.is_intact() && pair.responder.is_intact());
        assert_eq!(&pair.responder.region()[..REGION_LENGTH / 2], written, "seed {seed}");
        let initiator = split(core::mem::take(&mut pair.initiator.events).split_off(1));
        let responder = split(core::mem::take(&mut pair.responder.events).split_off(1));
        assert_eq!(initiator, (reads_of_initiator, at_initiator), "seed {seed}");
        assert_eq!(responder, (reads_of_responder, at_responder), "seed {seed}");
        assert_eq!((pair.initiator.stream.reads_awaited(), pair.responder.stream.bytes_awaited()), (0, 0));
    }
}

/// RD-9 (RFC 5040 section 5.5): reads are outstanding side by side up to the limit, and their number tells a fence when they are done.
#[test]
fn reads_are_outstanding_side_by_side_up_to_the_limit() {
    let mut pair = Pair::established(false);
    for _ in 0..6 {
        pair.initiator.read(REGION, 0, 3000);
    }
    pair.initiator.output();
    assert_eq!((pair.initiator.stream.reads_awaited(), pair.initiator.stream.bytes_awaited()), (4, 12_000));
    pair.settle();
    assert_eq!((pair.initiator.stream.reads_awaited(), pair.initiator.events.len()), (0, 6));
}

/// TD-5 (RFC 5044 section 7.2): an orderly end is one between messages; both sides come to it.
#[test]
fn stream_that_ends_between_messages_ends_in_order() {
    let mut pair = Pair::established(true);
    pair.initiator.send(SendKind::PLAIN, b"last");
    pair.settle();
    pair.initiator.stream.finish().unwrap();
    pair.responder.stream.peer_finished().unwrap();
    assert_eq!(pair.states(), (State::FinSent, State::FinReceived));
    pair.responder.stream.finish().unwrap();
    pair.initiator.stream.peer_finished().unwrap();
    assert_eq!(pair.states(), (State::Over, State::Over));
}

/// TD-5 (RFC 5041 section 6.2.1): a peer that has ended its stream still receives, so the message that has begun goes on.
#[test]
fn end_of_the_peer_within_a_message_waits_for_its_rest() {
    let mut pair = Pair::established(true);
    let stream = &mut pair.responder.stream;
    stream.post(Message::Send { kind: SendKind::PLAIN, length: 5000 }).unwrap();
    assert!(!stream.next_cut(2000).unwrap().last);
    stream.peer_finished().unwrap();
    assert_eq!(stream.finish(), Err(StateError::State));
    while !stream.next_cut(2000).unwrap().last {}
    stream.finish().unwrap();
    assert_eq!(stream.state(), State::Over);
}

/// TD-5 (RFC 5044 section 7.2): an end inside an FPDU, inside a message, or with reads outstanding is a fault.
#[test]
fn stream_that_ends_inside_something_is_lost() {
    use crate::fault::Fault;
    let mut pair = Pair::established(false);
    pair.initiator.send(SendKind::PLAIN, &[1; 5000]);
    pair.initiator.output();
    let sent = core::mem::take(&mut pair.initiator.outbox);
    for end in 1..sent.len() {
        let mut pair = Pair::established(false);
        pair.responder.inbox = sent[..end].to_vec();
        pair.responder.input();
        assert_eq!(pair.responder.stream.peer_finished(), Err(Fault::Lost), "{end}");
        assert_eq!(pair.responder.stream.state(), State::Over);
    }
    let mut pair = Pair::established(false);
    pair.initiator.read(REGION, 0, 8);
    pair.initiator.output();
    assert_eq!(pair.initiator.stream.peer_finished(), Err(Fault::Lost));
}
