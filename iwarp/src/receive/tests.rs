use super::*;

struct Receiver {
    sequencer: Sequencer,
    reads: Reads<4>,
}

fn receiver() -> Receiver {
    let mut reads = Reads::new(Stag(2));
    reads.agree(2, 2);
    Receiver { sequencer: Sequencer::new(), reads }
}

impl Receiver {
    fn judge(&self, message: Message, payload: u16) -> Result<(Segment, Effect), PeerFault> {
        let request =
            ReadRequest { sink: Stag(1), sink_offset: 0, length: 9, source: Stag(3), source_offset: 0 };
        let request = matches!(message, Message::ReadRequest(_)).then_some(request);
        self.sequencer.judge(&self.reads, message, payload, request)
    }

    fn take(&mut self, message: Message, payload: u16) -> Result<SegmentEnd, PeerFault> {
        let (_, effect) = self.judge(message, payload)?;
        self.sequencer.commit(&mut self.reads, effect)
    }
}

fn send(msn: u32, offset: u32, last: bool) -> Message {
    Message::Send(SendKind::PLAIN, Sequenced { msn: Msn(msn), offset, last })
}

fn request(msn: u32, offset: u32, last: bool) -> Message {
    Message::ReadRequest(Sequenced { msn: Msn(msn), offset, last })
}

fn write(offset: u64, last: bool) -> Message {
    Message::Write(Placed { stag: Stag(9), offset, last })
}

/// DDP-3 (RFC 5041 sections 4.3 and 5.2): messages of a queue count from 1; a skipped or repeated one is refused.
#[test]
fn send_has_to_be_the_next_message() {
    let mut receiver = receiver();
    for msn in [0, 2, u32::MAX] {
        assert_eq!(receiver.judge(send(msn, 0, true), 1), Err(PeerFault::MessageNumber));
    }
    let received = SegmentEnd::Received { kind: SendKind::PLAIN, length: 1 };
    assert_eq!(receiver.take(send(1, 0, true), 1), Ok(received));
    assert_eq!(receiver.judge(send(1, 0, true), 1), Err(PeerFault::MessageNumber));
    assert_eq!(receiver.take(send(2, 0, true), 1), Ok(received));
}

/// DDP-3 (RFC 5041 section 4.3): the number of a message wraps.
#[test]
fn message_number_wraps_to_zero() {
    let mut receiver = receiver();
    receiver.sequencer.sends = Msn(u32::MAX);
    receiver.sequencer.requests = Msn(u32::MAX);
    assert!(receiver.take(send(u32::MAX, 0, true), 1).is_ok());
    assert!(receiver.take(send(0, 0, true), 1).is_ok());
    assert!(receiver.take(request(u32::MAX, 0, true), 0).is_ok());
    assert!(receiver.take(request(0, 0, true), 0).is_ok());
}

/// DDP-3 (RFC 5041 section 5.2): segments of a message follow each other without gap and overlap.
#[test]
fn segment_has_to_be_the_next_of_its_message() {
    let mut receiver = receiver();
    assert_eq!(receiver.judge(send(1, 1, true), 1), Err(PeerFault::MessageOffset));
    assert_eq!(receiver.take(send(1, 0, false), 100), Ok(SegmentEnd::Quiet));
    for offset in [0, 99, 101] {
        assert_eq!(receiver.judge(send(1, offset, true), 1), Err(PeerFault::MessageOffset));
    }
    let received = SegmentEnd::Received { kind: SendKind::PLAIN, length: 101 };
    assert_eq!(receiver.take(send(1, 100, true), 1), Ok(received));
}

/// DDP-3 (RFC 5041 section 7.2): a message that passes 4 GiB is longer than any buffer.
#[test]
fn message_over_all_offsets_is_too_long() {
    let mut receiver = receiver();
    receiver.sequencer.sending = Some((SendKind::PLAIN, u32::MAX - 1));
    assert!(receiver.judge(send(1, u32::MAX - 1, true), 1).is_ok());
    assert_eq!(receiver.judge(send(1, u32::MAX - 1, true), 2), Err(PeerFault::MessageTooLong));
}

/// RD-2 (RFC 5040 section 5.3): the segments of one Send are of one kind, and name one token.
#[test]
fn send_does_not_change_its_kind() {
    let mut receiver = receiver();
    let other = |invalidate| {
        let kind = SendKind { solicited: false, invalidate: Some(Stag(invalidate)) };
        move |offset, last| Message::Send(kind, Sequenced { msn: Msn::FIRST, offset, last })
    };
    assert!(receiver.take(other(8)(0, false), 4).is_ok());
    assert_eq!(receiver.judge(send(1, 4, true), 4), Err(PeerFault::Opcode));
    assert_eq!(receiver.judge(other(9)(4, true), 4), Err(PeerFault::Opcode));
    assert!(matches!(receiver.take(other(8)(4, true), 4), Ok(SegmentEnd::Received { length: 8, .. })));
}

/// DDP-2 (RFC 5041 section 7.2): a place whose sum passes the end is refused; without payload there is no place.
#[test]
fn place_that_wraps_is_refused_unless_it_is_empty() {
    let receiver = receiver();
    assert!(receiver.judge(write(0, true), 2).is_ok());
    assert!(receiver.judge(write(u64::MAX, true), 0).is_ok());
    assert!(receiver.judge(write(u64::MAX, true), 1).is_ok());
    assert_eq!(receiver.judge(write(u64::MAX, true), 2), Err(PeerFault::OffsetWrap));
    assert_eq!(receiver.judge(write(u64::MAX - 1, true), 3), Err(PeerFault::OffsetWrap));
}

/// DDP-2 (RFC 5041 section 5.1.1): every segment of a Write says memory and place, so each can be checked.
#[test]
fn each_segment_of_a_write_says_its_place() {
    let mut receiver = receiver();
    for (offset, last) in [(64, false), (1000, true)] {
        let expected = Segment::Write { stag: Stag(9), offset, length: 10, last };
        assert_eq!(receiver.judge(write(offset, last), 10), Ok((expected, Effect::None)));
        assert_eq!(receiver.take(write(offset, last), 10), Ok(SegmentEnd::Quiet));
    }
}

/// RD-3 (RFC 5040 section 4.4): a Read Request is one segment: at offset 0, and the last.
#[test]
fn read_request_is_one_segment() {
    let mut receiver = receiver();
    assert_eq!(receiver.judge(request(1, 0, false), 0), Err(PeerFault::Opcode));
    assert_eq!(receiver.judge(request(1, 4, true), 0), Err(PeerFault::MessageOffset));
    assert_eq!(receiver.judge(request(2, 0, true), 0), Err(PeerFault::MessageNumber));
    assert_eq!(receiver.take(request(1, 0, true), 0), Ok(SegmentEnd::ReadRequested));
    assert_eq!(receiver.take(request(2, 0, true), 0), Ok(SegmentEnd::ReadRequested));
    assert_eq!(receiver.judge(request(3, 0, true), 0), Err(PeerFault::TooManyReads));
    receiver.reads.answered();
    assert!(receiver.judge(request(3, 0, true), 0).is_ok());
}

/// DDP-4 (RFC 5041 section 5.3): responses may stand between the messages of a peer, and do not disturb them.
#[test]
fn response_between_messages_leaves_their_order() {
    let mut receiver = receiver();
    let _place = receiver.reads.begin(8);
    assert!(receiver.take(send(1, 0, true), 5).is_ok());
    let response = |offset, last| Message::ReadResponse(Placed { stag: Stag(2), offset, last });
    let (segment, _) = receiver.judge(response(0, false), 4).unwrap();
    assert_eq!(segment, Segment::ReadResponse { offset: 0, length: 4, last: false });
    assert_eq!(receiver.take(response(0, false), 4), Ok(SegmentEnd::Quiet));
    assert!(receiver.take(send(2, 0, true), 5).is_ok());
    assert_eq!(receiver.take(response(4, true), 4), Ok(SegmentEnd::ReadDone));
}

#[test]
fn judging_changes_nothing() {
    let receiver = receiver();
    let before = std::format!("{:?} {:?}", receiver.sequencer, receiver.reads);
    for _ in 0..3 {
        assert!(
            receiver.judge(send(1, 0, true), 5).is_ok() && receiver.judge(request(1, 0, true), 0).is_ok()
        );
    }
    assert_eq!(std::format!("{:?} {:?}", receiver.sequencer, receiver.reads), before);
}
