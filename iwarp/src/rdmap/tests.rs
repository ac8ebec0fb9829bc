use super::*;
use proptest::prelude::*;

const TAGGED: Tagged = Tagged { last: true, control: 0x40, stag: Stag(3), offset: 9 };
const UNTAGGED: Untagged = Untagged {
    last: true,
    control: 0x43,
    invalidate: Stag(8),
    queue: Queue::SEND,
    msn: Msn::FIRST,
    offset: 0,
};

fn untagged(opcode: u8, queue: Queue) -> Result<Message, HeaderError> {
    Message::parse(Header::Untagged(Untagged { control: 0x40 | opcode, queue, ..UNTAGGED }))
}

fn tagged(opcode: u8) -> Result<Message, HeaderError> {
    Message::parse(Header::Tagged(Tagged { control: 0x40 | opcode, ..TAGGED }))
}

/// RD-1 (RFC 5040 section 4.1): eight operations, each in one buffer model and queue; every other one is refused.
#[test]
fn operation_is_legal_in_one_model_and_queue() {
    for opcode in 0..16 {
        assert_eq!(tagged(opcode).is_ok(), [0, 2].contains(&opcode), "tagged, {opcode}");
        for (queue, legal) in
            [(Queue::SEND, &[3, 4, 5, 6][..]), (Queue::READ_REQUEST, &[1]), (Queue::TERMINATE, &[7])]
        {
            let expected = legal.contains(&opcode);
            assert_eq!(untagged(opcode, queue).is_ok(), expected, "untagged, {queue:?}, {opcode}");
            assert!(expected || untagged(opcode, queue) == Err(HeaderError::Opcode));
        }
    }
}

/// RD-1 (RFC 5040 section 4.1): a version but 1 is refused whatever the operation is.
#[test]
fn version_but_one_is_refused() {
    for version in [0x00, 0x80, 0xC0] {
        let header = Header::Tagged(Tagged { control: version, ..TAGGED });
        assert_eq!(Message::parse(header), Err(HeaderError::Version));
        let header = Header::Untagged(Untagged { control: version | 3, ..UNTAGGED });
        assert_eq!(Message::parse(header), Err(HeaderError::Version));
    }
}

/// DDP-3 (RFC 5041 section 4.3, RFC 5040 section 3.1): three queues; a fourth one is refused, whatever else is wrong.
#[test]
fn queue_but_the_three_is_refused() {
    for queue in [3, 4, u32::MAX] {
        assert_eq!(untagged(3, Queue(queue)), Err(HeaderError::Queue));
        let header = Header::Untagged(Untagged { control: 0, queue: Queue(queue), ..UNTAGGED });
        assert_eq!(Message::parse(header), Err(HeaderError::Queue));
    }
}

/// RD-2 (RFC 5040 sections 4.6 and 4.7): four kinds of Send, of which two name a token that ends.
#[test]
fn send_kind_says_event_and_token() {
    let kind = |opcode| match untagged(opcode, Queue::SEND) {
        Ok(Message::Send(SendKind { solicited, invalidate }, _)) => (solicited, invalidate),
        other => panic!("{other:?}"),
    };
    assert_eq!(kind(3), (false, None));
    assert_eq!(kind(4), (false, Some(Stag(8))));
    assert_eq!(kind(5), (true, None));
    assert_eq!(kind(6), (true, Some(Stag(8))));
}

proptest! {
    #[test]
    fn message_that_is_emitted_parses_to_itself(
        which in 0..5, solicited: bool, stag: u32, invalidates: bool, to: u64, msn: u32, offset: u32, last: bool,
    ) {
        let placed = Placed { stag: Stag(stag), offset: to, last };
        let sequenced = Sequenced { msn: Msn(msn), offset, last };
        let message = match which {
            0 => Message::Write(placed),
            1 => Message::ReadResponse(placed),
            2 => Message::ReadRequest(sequenced),
            3 => Message::Terminate(sequenced),
            _ => Message::Send(SendKind { solicited, invalidate: invalidates.then_some(Stag(stag)) }, sequenced),
        };
        prop_assert_eq!(message.emit().emit().len(), message.header_length());
        prop_assert_eq!(Message::parse(message.emit()), Ok(message));
    }

    #[test]
    fn request_that_is_emitted_parses_to_itself(bytes in proptest::array::uniform28(any::<u8>())) {
        prop_assert_eq!(ReadRequest::parse(&bytes).emit(), bytes);
    }

    #[test]
    fn terminate_that_is_emitted_parses_to_itself(
        layer in 0_u8..16, kind in 0_u8..16, code: u8, which in 0..3, length: u16,
        header in proptest::array::uniform18(any::<u8>()), request in proptest::array::uniform28(any::<u8>()),
    ) {
        let copied = match which {
            0 => None,
            1 => Some(Copied::of(length, &header, None)),
            _ => {
                let mut header = header;
                header[0] &= 0x7F;
                Some(Copied::of(length, &header, Some(ReadRequest::parse(&request))))
            }
        };
        let terminate = Terminate { code: Code::new(layer, kind, code), copied };
        prop_assert_eq!(Terminate::parse(&terminate.emit()), Some(terminate));
    }

    #[test]
    fn terminate_of_any_bytes_is_read_within_them(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        let parsed = Terminate::parse(&bytes);
        prop_assert_eq!(parsed.is_some(), bytes.len() >= 4);
    }
}

/// RD-7 (RFC 5040 section 4.8): the copied header names the request that failed.
#[test]
fn terminate_copies_the_header_that_it_is_about() {
    let header = Message::ReadRequest(Sequenced { msn: Msn(5), offset: 0, last: true }).emit().emit();
    let request = ReadRequest { sink: Stag(1), sink_offset: 2, length: 3, source: Stag(4), source_offset: 5 };
    let copied = Copied::of(46, &header, Some(request));
    let terminate = Terminate { code: Code::new(0, 1, 0), copied: Some(copied) };
    let bytes = terminate.emit();
    assert_eq!(bytes[..6], [0x01, 0x00, 0xE0, 0x00, 0x00, 46]);
    assert_eq!(bytes.len(), TERMINATE);
    assert_eq!(
        copied.message(),
        Some(Message::ReadRequest(Sequenced { msn: Msn(5), offset: 0, last: true }))
    );
    let plain = Terminate { code: Code::new(2, 0, 2), copied: None };
    assert_eq!(*plain.emit(), [0x20, 0x02, 0, 0]);
}
