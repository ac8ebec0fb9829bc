//! Random sequences of requests, cancels and closes, against what must hold of any of them.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;
use sys::status::{STATUS_CANCELLED, STATUS_SUCCESS};
use sys::tdi::{TDI_RECEIVE_EXPEDITED, TDI_RECEIVE_NORMAL, TDI_SEND_EXPEDITED};
use test_kernel::{pump, pump_once};

use super::client::{Client, FAR, NEAR};
use super::host::{Pending, pass};
use crate::{Command, Id};

#[derive(Clone, Debug)]
enum Step {
    Listen { query: bool },
    Connect,
    Accept,
    Disconnect { flags: u32 },
    Send { length: usize, expedited: bool },
    Receive { length: usize, expedited: bool },
    Associate,
    Disassociate,
    Cancel { back: usize },
    Replace,
    Dpc { calls: usize },
    Tick,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => any::<bool>().prop_map(|query| Step::Listen { query }),
        4 => Just(Step::Connect),
        2 => Just(Step::Accept),
        2 => prop::sample::select(vec![0, 1, 2, 4, 4, 6]).prop_map(|flags| Step::Disconnect { flags }),
        6 => data().prop_map(|(length, expedited)| Step::Send { length, expedited }),
        8 => data().prop_map(|(length, expedited)| Step::Receive { length, expedited }),
        1 => Just(Step::Associate),
        1 => Just(Step::Disassociate),
        4 => (0_usize..20).prop_map(|back| Step::Cancel { back }),
        1 => Just(Step::Replace),
        12 => (1_usize..8).prop_map(|calls| Step::Dpc { calls }),
        1 => Just(Step::Tick),
    ]
}

/// A length, and whether the data is expedited.
fn data() -> impl Strategy<Value = (usize, bool)> {
    (0_usize..60_000, prop::bool::weighted(0.25))
}

/// One request, and what is known of it.
struct Sent {
    file: Id,
    command: Command,
    pending: Pending,
}

struct Run {
    client: Client,
    addresses: [Id; 2],
    /// The first half on the near side.
    files: Vec<Id>,
    sent: Vec<Sent>,
    /// Words that each file has asked to send so far, normal and expedited ones, which number its words.
    position: HashMap<(u64, bool), u32>,
}

impl Run {
    fn new() -> Self {
        let client = Client::new();
        let addresses = [client.address(NEAR).unwrap(), client.address(FAR).unwrap()];
        let files = (0..6).map(|index| client.associated(addresses[index / 3])).collect();
        Self { client, addresses, files, sent: Vec::new(), position: HashMap::new() }
    }

    fn submit(&mut self, file: Id, command: Command, data: Vec<u8>) {
        let pending = self.client.submit(file, command, data);
        self.sent.push(Sent { file, command, pending });
    }

    fn step(&mut self, who: usize, step: &Step) {
        let file = self.files[who];
        match *step {
            Step::Listen { query } => self.submit(file, Command::Listen { query }, Vec::new()),
            Step::Connect => {
                let to = Some(FAR.parse().unwrap());
                self.submit(file, Command::Connect { to, limit: Some(1000) }, Vec::new());
            }
            Step::Accept => self.submit(file, Command::Accept, Vec::new()),
            Step::Disconnect { flags } => {
                self.submit(file, Command::Disconnect { flags, limit: Some(1000) }, Vec::new());
            }
            Step::Send { length, expedited } => {
                let length = length / 8 * 8;
                let data = self.words(file, expedited, length);
                let flags = if expedited { TDI_SEND_EXPEDITED } else { 0 };
                self.submit(file, Command::Send { length, flags }, data);
            }
            Step::Receive { length, expedited } => {
                let flags = if expedited { TDI_RECEIVE_EXPEDITED } else { TDI_RECEIVE_NORMAL };
                self.submit(file, Command::Receive { length, flags }, vec![0; length]);
            }
            Step::Associate => drop(self.client.transport.associate(file, self.addresses[who / 3])),
            Step::Disassociate => {
                if self.client.transport.disassociate(file).is_ok() {
                    assert_eq!(self.client.transport.associate(file, self.addresses[who / 3]), Ok(()));
                }
            }
            Step::Cancel { back } => {
                if let Some(sent) = self.sent.iter().rev().nth(back) {
                    sent.pending.cancel(&self.client.transport);
                }
            }
            Step::Replace => {
                self.close(file);
                self.files[who] = self.client.associated(self.addresses[who / 3]);
            }
            Step::Dpc { calls } => {
                for _ in 0..calls {
                    pump_once();
                }
            }
            Step::Tick => {
                pass(700);
                self.client.transport.tick();
            }
        }
    }

    /// Words that name their sender, their stream and their number.
    fn words(&mut self, file: Id, expedited: bool, length: usize) -> Vec<u8> {
        let position = self.position.entry((file.to_raw(), expedited)).or_default();
        let mark = if expedited { 0x5A } else { 0xA5 };
        (0..length / 8)
            .flat_map(|_| {
                *position += 1;
                let [a, b, ..] = file.to_raw().to_le_bytes();
                let [_, _, _, _, c, ..] = file.to_raw().to_le_bytes();
                let [p, q, r, s] = position.to_le_bytes();
                [a, b, c, mark, p, q, r, s]
            })
            .collect()
    }

    /// Asserts that a cleanup has returned rightly: every request of the file is complete, and those of
    /// one kind that were not cancelled completed in their order (the log is in the order of completion).
    fn close(&mut self, file: Id) {
        self.client.close(file);
        for sent in self.sent.iter().filter(|sent| sent.file == file) {
            assert!(sent.pending.outcome().is_some(), "{:?} is outstanding after cleanup", sent.command);
        }
    }

    fn finish(mut self) {
        for file in core::mem::take(&mut self.files) {
            self.close(file);
        }
        for address in self.addresses {
            self.close(address);
        }
        self.check_order();
        self.check_bytes();
        self.client.tear_down();
    }

    /// Of one file's sends of one kind, and of its receives, those that were not cancelled completed in their
    /// order.
    fn check_order(&self) {
        let log = self.client.log.take();
        let place: HashMap<_, _> = log.iter().enumerate().map(|(place, serial)| (*serial, place)).collect();
        assert_eq!(place.len(), self.sent.len(), "each request completes once");
        let mut last: HashMap<(u64, bool, u32), usize> = HashMap::new();
        for sent in &self.sent {
            let outcome = sent.pending.outcome().unwrap();
            let (sends, flags) = match sent.command {
                Command::Send { flags, .. } => (true, flags),
                Command::Receive { flags, .. } => (false, flags),
                _ => continue,
            };
            if outcome.status == STATUS_CANCELLED || outcome.status < 0 || outcome.information == 0 {
                continue;
            }
            let place = place[&sent.pending.serial];
            let before = last.insert((sent.file.to_raw(), sends, flags), place);
            assert!(before.is_none_or(|before| before < place), "requests of one kind are in order");
        }
    }

    /// The words of sends that were cancelled. One that had begun ends its connection.
    fn cancelled_words(&self) -> impl Iterator<Item = Word> {
        let sends = self.sent.iter().filter(|sent| {
            let outcome = sent.pending.outcome().unwrap();
            matches!(sent.command, Command::Send { .. }) && outcome.status == STATUS_CANCELLED
        });
        sends.flat_map(|sent| words(&sent.pending.data()).collect::<Vec<_>>())
    }

    /// Asserts that each stream received what was sent: words of one sender in a row, until the next
    /// connection, without a hole but where sends were cancelled before they had begun.
    fn check_bytes(&self) {
        let cancelled: HashSet<Word> = self.cancelled_words().collect();
        let check = |stream: &mut Vec<u8>| check(stream, &cancelled);
        let mut streams: HashMap<u64, [Vec<u8>; 2]> = HashMap::new();
        for sent in &self.sent {
            let outcome = sent.pending.outcome().unwrap();
            if outcome.status != STATUS_SUCCESS {
                continue;
            }
            let both = streams.entry(sent.file.to_raw()).or_default();
            match sent.command {
                Command::Receive { flags, .. } => {
                    let stream = &mut both[usize::from(flags == TDI_RECEIVE_EXPEDITED)];
                    stream.extend(&sent.pending.data()[..outcome.information]);
                }
                // A new connection begins a new stream; a request is submitted before what it makes
                // possible.
                Command::Connect { .. } | Command::Listen { .. } | Command::Accept => {
                    both.iter_mut().for_each(check);
                }
                _ => {}
            }
        }
        streams.values_mut().flatten().for_each(check);
    }
}

/// The sender and the stream of eight bytes, and their number.
type Word = ([u8; 4], u32);

fn words(bytes: &[u8]) -> impl Iterator<Item = Word> {
    bytes.chunks_exact(8).map(|word| {
        let (sender, number) = word.split_at(4);
        (sender.try_into().unwrap(), u32::from_le_bytes(number.try_into().unwrap()))
    })
}

fn check(stream: &mut Vec<u8>, cancelled: &HashSet<Word>) {
    let words: Vec<_> = words(stream).collect();
    for pair in words.windows(2) {
        let ((sender, number), (same, next)) = (pair[0], pair[1]);
        assert_eq!(sender, same, "all words of a stream have one sender");
        assert!(number < next, "no word comes before another one");
        let mut missing = number + 1..next;
        assert!(missing.all(|missing| cancelled.contains(&(sender, missing))), "no word is missing");
    }
    stream.clear();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, max_shrink_iters: 4000, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_completes_each_request_once_and_leaves_nothing(
        steps in prop::collection::vec((0_usize..6, step()), 1..120)
    ) {
        let mut run = Run::new();
        for (who, step) in &steps {
            run.step(*who, step);
        }
        run.finish();
        pump();
    }
}
