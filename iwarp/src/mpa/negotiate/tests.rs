use super::*;
use alloc::vec::Vec;

const CONFIG: Config = Config { crc: true, ird: 16, ord: 8, sink: Stag(2) };

fn words(bytes: [u8; 4]) -> Enhanced {
    Enhanced::parse(bytes)
}

/// A request, or a reply, of a peer with these words.
fn frame(kind: Kind, crc: bool, bytes: [u8; 4]) -> Frame<'static> {
    Frame { kind, markers: false, crc, form: Form::Enhanced(words(bytes)), private: &[] }
}

fn offer(bytes: [u8; 4]) -> Offer {
    CONFIG.judge_request(&frame(Kind::Request, true, bytes))
}

/// The words of the reply that accepts a request with these.
fn answered(bytes: [u8; 4]) -> Enhanced {
    let (reply, _) = offer(bytes).accept(u16::MAX, u16::MAX, &[]).unwrap();
    let (frame, _) = Frame::parse_reply(&reply).unwrap();
    let Form::Enhanced(words) = frame.form else { panic!("enhanced") };
    words
}

fn judged(bytes: [u8; 4]) -> Result<Answer, StartupError> {
    CONFIG.judge_reply(&frame(Kind::Reply { rejected: false }, true, bytes))
}

fn agreed(bytes: [u8; 4]) -> Agreed {
    match judged(bytes) {
        Ok(Answer::Accepted(agreed)) => agreed,
        other => panic!("{other:?}"),
    }
}

/// MPA-1 (RFC 6581 sections 6 and 9): a request has revision 2, no markers, peer-to-peer with Write and Read, and the limits.
#[test]
fn request_offers_everything_but_markers() {
    let bytes = request(&CONFIG, b"hello").unwrap();
    assert_eq!(bytes[..16], *b"MPA ID Req Frame");
    assert_eq!(bytes[16..], [&[0x50, 2, 0, 9, 0x80, 16, 0xC0, 8][..], b"hello"].concat());
}

/// MPA-10 (RFC 6581 section 6): 508 bytes of private data go both ways, and one more is refused before anything is sent.
#[test]
fn private_data_over_the_most_is_the_consumers_fault() {
    let most = [3; PRIVATE_DATA];
    let more = [3; PRIVATE_DATA + 1];
    assert!(request(&CONFIG, &most).is_ok() && offer([0; 4]).accept(1, 1, &most).is_ok());
    assert!(offer([0; 4]).reject(&most).is_ok());
    assert_eq!(request(&CONFIG, &more), Err(PrivateDataTooLong));
    assert_eq!(offer([0; 4]).accept(1, 1, &more), Err(PrivateDataTooLong));
    assert_eq!(offer([0; 4]).reject(&more), Err(PrivateDataTooLong));
}

/// MPA-4 (RFC 5044 section 7.1.1): CRCs are used if one side asks for them, and then in both directions.
#[test]
fn crc_is_used_if_one_side_asks() {
    for (own, peer) in [(false, false), (false, true), (true, false), (true, true)] {
        let config = Config { crc: own, ..CONFIG };
        let (reply, agreed) =
            config.judge_request(&frame(Kind::Request, peer, [0; 4])).accept(1, 1, &[]).unwrap();
        assert_eq!(agreed.crc, own || peer);
        assert_eq!(Frame::parse_reply(&reply).unwrap().0.crc, own || peer);
        let answer = config.judge_reply(&frame(Kind::Reply { rejected: false }, peer, [0; 4]));
        assert!(matches!(answer, Ok(Answer::Accepted(agreed)) if agreed.crc == (own || peer)));
    }
}

/// MPA-6 (RFC 6581 section 9.2): the responder echoes A and picks one RTR of those offered, Write before Read.
#[test]
fn responder_picks_one_rtr_of_those_offered() {
    for (request, expected) in [
        ([0x00, 1, 0x00, 1], (false, false, false)),
        ([0x00, 1, 0xC0, 1], (false, false, false)),
        ([0x80, 1, 0x80, 1], (true, true, false)),
        ([0x80, 1, 0x40, 1], (true, false, true)),
        ([0x80, 1, 0xC0, 1], (true, true, false)),
        ([0x80, 1, 0x00, 1], (true, true, false)),
        ([0xC0, 1, 0x00, 1], (true, true, false)),
    ] {
        let words = answered(request);
        assert_eq!((words.peer_to_peer, words.rtr_write, words.rtr_read), expected, "{request:02x?}");
        assert!(!words.rtr_empty);
    }
}

/// MPA-7 (RFC 6581 section 9.2): the initiator takes the RTR of the reply; a reply without one that it knows is refused.
#[test]
fn initiator_takes_the_rtr_of_the_reply() {
    assert_eq!(agreed([0x00, 1, 0xC0, 1]).rtr, None);
    assert_eq!(agreed([0x80, 1, 0x80, 1]).rtr, Some(Rtr::Write));
    assert_eq!(agreed([0x80, 1, 0x40, 1]).rtr, Some(Rtr::Read));
    assert_eq!(agreed([0x80, 1, 0xC0, 1]).rtr, Some(Rtr::Write));
    assert_eq!(judged([0x80, 1, 0x00, 1]), Err(StartupError::NoRtr));
    assert_eq!(judged([0xC0, 1, 0x00, 1]), Err(StartupError::NoRtr));
}

/// MPA-8 (RFC 6581 section 9.1): the responder answers with the smaller of what is asked and what it has.
#[test]
fn responder_lowers_the_depths_to_its_own() {
    let depths = |request| {
        let words = answered(request);
        (words.ird.number(), words.ord.number())
    };
    assert_eq!(depths([0, 4, 0, 5]), (Some(5), Some(4)));
    assert_eq!(depths([0, 32, 0, 32]), (Some(16), Some(8)));
    assert_eq!(depths([0, 32, 0, 0]), (Some(0), Some(8)));
    // A depth that is not negotiated is answered with one that is not, and leaves the own one.
    assert_eq!(depths([0x3F, 0xFF, 0x3F, 0xFF]), (None, None));
    assert_eq!(depths([0, 4, 0x3F, 0xFF]), (None, Some(4)));
    let (_, agreed) = offer([0x3F, 0xFF, 0x3F, 0xFF]).accept(u16::MAX, u16::MAX, &[]).unwrap();
    assert_eq!((agreed.ird, agreed.ord), (16, 8));
    let (_, agreed) = offer([0, 32, 0, 32]).accept(3, 2, &[]).unwrap();
    assert_eq!((agreed.ird, agreed.ord), (3, 2));
}

/// MPA-8 (RFC 6581 section 9.1): too many reads of the responder are refused; too few answers lower the initiator's own.
#[test]
fn initiator_refuses_more_reads_than_it_answers() {
    assert_eq!(judged([0, 16, 0, 17]), Err(StartupError::InsufficientIrd));
    assert_eq!((agreed([0, 3, 0, 16]).ird, agreed([0, 3, 0, 16]).ord), (16, 3));
    assert_eq!(agreed([0, 200, 0, 0]).ord, 8);
    assert_eq!((agreed([0x3F, 0xFF, 0x3F, 0xFF]).ird, agreed([0x3F, 0xFF, 0x3F, 0xFF]).ord), (16, 8));
}

/// MPA-9 (RFC 5044 section 7.1.1): a peer of revision 1 says no limits, and its private data is not looked into for any.
#[test]
fn peer_of_revision_one_leaves_the_limits() {
    let plain = |kind| Frame {
        kind,
        markers: false,
        crc: true,
        form: Form::Plain(Revision::One),
        private: &[0, 1, 0, 1],
    };
    let offer = CONFIG.judge_request(&plain(Kind::Request));
    assert_eq!(offer.depths(), None);
    let (reply, agreed) = offer.accept(u16::MAX, u16::MAX, b"x").unwrap();
    assert_eq!((agreed.ird, agreed.ord, agreed.rtr), (16, 8, None));
    // The reply is plain, too: its head says revision 1 and one byte of data.
    assert_eq!(reply[16..], [0x40, 1, 0, 1, b'x']);
    // MPA-13: an enhanced request that is answered in revision 1 goes on as such a connection.
    let Ok(Answer::Accepted(agreed)) = CONFIG.judge_reply(&plain(Kind::Reply { rejected: false })) else {
        panic!("accepted")
    };
    assert_eq!((agreed.ird, agreed.ord, agreed.rtr), (16, 8, None));
}

/// MPA-13 (RFC 6581 section 10): a reply of revision 1 is carried on with; one of revision 2 without its words is none.
#[test]
fn reply_of_revision_two_without_words_is_none() {
    let reply: Vec<u8> = [&b"MPA ID Rep Frame"[..], &[0x40, 2, 0, 0]].concat();
    let (frame, _) = Frame::parse_reply(&reply).unwrap();
    assert_eq!(CONFIG.judge_reply(&frame), Err(StartupError::Frame(FrameError::NotEnhanced)));
    let reply: Vec<u8> = [&b"MPA ID Rep Frame"[..], &[0x40, 1, 0, 0]].concat();
    assert!(Frame::parse_reply(&reply).is_ok_and(|(frame, _)| CONFIG.judge_reply(&frame).is_ok()));
}

/// MPA-2, MPA-13 (RFC 6581 sections 6 and 10): a request of revision 2 without its words is answered without them.
#[test]
fn request_of_revision_two_without_words_has_a_reply_without_them() {
    let request: Vec<u8> = [&b"MPA ID Req Frame"[..], &[0x40, 2, 0, 1, 9]].concat();
    let (frame, _) = Frame::parse_request(&request).unwrap();
    assert_eq!(frame.private, [9]);
    let (reply, agreed) = CONFIG.judge_request(&frame).accept(u16::MAX, u16::MAX, b"x").unwrap();
    assert_eq!((agreed.ird, agreed.ord, agreed.rtr), (CONFIG.ird, CONFIG.ord, None));
    assert_eq!(reply[16..], [0x40, 2, 0, 1, b'x']);
}

/// MPA-3 (RFC 5044 section 7.1.1): markers are never inserted: a request for them is rejected, a reply with them refused.
#[test]
fn markers_are_refused_both_ways() {
    let request = Frame { markers: true, ..frame(Kind::Request, false, [0; 4]) };
    let reply = CONFIG.judge_request(&request).reject(&[]).unwrap();
    let (reply, _) = Frame::parse_reply(&reply).unwrap();
    assert_eq!((reply.kind, reply.markers), (Kind::Reply { rejected: true }, false));
    let reply = Frame { markers: true, ..frame(Kind::Reply { rejected: false }, false, [0; 4]) };
    assert_eq!(CONFIG.judge_reply(&reply), Err(StartupError::Markers));
}

/// MPA-3 (RFC 5044 section 7.1.1): a rejection is one whatever else the reply asks for.
#[test]
fn rejection_is_one_whatever_else_it_says() {
    let reply = Frame { markers: true, ..frame(Kind::Reply { rejected: true }, true, [0x80, 0, 0, 99]) };
    assert_eq!(CONFIG.judge_reply(&reply), Ok(Answer::Rejected));
}
