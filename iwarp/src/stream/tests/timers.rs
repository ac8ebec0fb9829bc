use core::time::Duration;

use crate::fault::{Fault, Overdue};
use crate::harness::{CONFIG, Event, Pair, REGION};
use crate::rdmap::{Code, SendKind};
use crate::stream::State;
use crate::timer::{Deadline, KEEPALIVE, Timer};

fn timer(deadline: Option<Deadline>) -> Option<Timer> {
    deadline.map(|deadline| deadline.timer)
}

/// TM-2, TM-3: a peer that does not finish its frame is given up, and nothing is sent to it.
#[test]
fn frame_that_does_not_come_is_given_up() {
    let mut pair = Pair::new(CONFIG, CONFIG, 1460);
    for (side, expected, overdue) in [
        (&mut pair.initiator, Timer::Reply, Overdue::Reply),
        (&mut pair.responder, Timer::Request, Overdue::Request),
    ] {
        let deadline = side.stream.deadline().unwrap();
        assert_eq!(deadline.timer, expected);
        // Bytes that come do not start it anew.
        side.inbox.push(b'M');
        side.input();
        assert_eq!(side.stream.expired(deadline), Some(Fault::Timeout(overdue)));
        assert!(side.stream.state() == State::Over && side.stream.next_cut(usize::MAX).is_none());
    }
    assert_eq!(Timer::Reply.duration(), Duration::from_secs(30));
    assert_eq!(Timer::Request.duration(), Duration::from_secs(10));
}

/// TM-5 (RFC 5044 section 7.1.2): an initiator that sends no FPDU after the reply is given up; a part of one does not help it.
#[test]
fn first_fpdu_that_does_not_come_is_given_up() {
    let mut pair = Pair::new(CONFIG, CONFIG, 1460);
    pair.responder.inbox = core::mem::take(&mut pair.initiator.outbox);
    pair.responder.input();
    let deadline = pair.responder.stream.deadline();
    assert_eq!(timer(deadline), Some(Timer::FirstFpdu));
    assert_eq!(Timer::FirstFpdu.duration(), Duration::from_secs(30));
    pair.responder.inbox = alloc::vec![0];
    pair.responder.input();
    assert_eq!(pair.responder.stream.deadline(), deadline);
    let fault = pair.responder.stream.expired(deadline.unwrap());
    assert_eq!(fault, Some(Fault::Timeout(Overdue::FirstFpdu)));
    assert_eq!(pair.responder.stream.state(), State::Over);
}

/// TM-4, LIM-4 (RFC 6581 section 8): a peer that sends byte by byte has 60 seconds for an FPDU, however many bytes come meanwhile.
#[test]
fn rest_of_an_fpdu_has_one_time_from_its_first_byte() {
    for crc in [false, true] {
        let mut pair = Pair::established(crc);
        pair.initiator.send(SendKind::PLAIN, &[7; 100]);
        pair.initiator.output();
        assert_eq!(pair.responder.stream.deadline(), None);
        let bytes = core::mem::take(&mut pair.initiator.outbox);
        let mut first = None;
        for byte in &bytes[..bytes.len() - 1] {
            pair.responder.inbox.push(*byte);
            pair.responder.input();
            let deadline = pair.responder.stream.deadline();
            assert_eq!(timer(deadline), Some(Timer::RestOfFpdu));
            assert_eq!(*first.get_or_insert(deadline), deadline);
        }
        assert_eq!(Timer::RestOfFpdu.duration(), Duration::from_secs(60));
        let fault = pair.responder.stream.expired(first.flatten().unwrap());
        assert_eq!(fault, Some(Fault::Timeout(Overdue::RestOfFpdu)));
        let before = pair.responder.region().to_vec();
        pair.settle();
        let Some(Event::Terminated(terminate)) = pair.initiator.events.last() else { panic!("a Terminate") };
        assert_eq!((terminate.code, terminate.copied), (Code::new(2, 0, 5), None));
        assert_eq!(pair.responder.region(), before);
    }
}

/// TM-4: a second FPDU starts its time anew, and a timer that does not run any more changes nothing.
#[test]
fn timer_that_does_not_run_any_more_changes_nothing() {
    let mut pair = Pair::established(false);
    pair.responder.inbox = alloc::vec![0];
    pair.responder.input();
    let first = pair.responder.stream.deadline().unwrap();
    pair.responder.inbox.extend([&[14, 0xC1, 0x40][..], &REGION.0.to_be_bytes(), &[0; 12], &[0]].concat());
    pair.responder.input();
    let second = pair.responder.stream.deadline().unwrap();
    assert!(first.timer == second.timer && first != second);
    assert_eq!(pair.responder.stream.expired(first), None);
    assert_eq!(pair.responder.stream.state(), State::Operating);
}

/// TM-6 (RFC 5044 section 7.2, RFC 5040 section 6.2): a peer that does not end its stream in 4 seconds is cut off.
#[test]
fn end_that_does_not_come_is_cut_off() {
    assert_eq!(Timer::Finish.duration(), Duration::from_secs(4));
    let mut finishing = Pair::established(false);
    finishing.initiator.stream.finish().unwrap();
    let mut terminating = Pair::established(true);
    terminating.initiator.inbox = alloc::vec![0, 0];
    terminating.initiator.input();
    terminating.initiator.output();
    assert_eq!(terminating.initiator.stream.state(), State::Closing);
    for mut pair in [finishing, terminating] {
        let deadline = pair.initiator.stream.deadline().unwrap();
        assert_eq!(deadline.timer, Timer::Finish);
        // FPDUs that still come do not prolong it.
        for _ in 0..3 {
            let fpdu = [&[0, 14, 0xC1, 0x40][..], &REGION.0.to_be_bytes(), &[0; 12], &[0]].concat();
            pair.initiator.inbox = fpdu;
            pair.initiator.input();
            assert_eq!(pair.initiator.stream.deadline(), Some(deadline));
            pair.initiator.inbox.clear();
        }
        assert_eq!(pair.initiator.stream.expired(deadline), Some(Fault::Timeout(Overdue::Finish)));
        assert_eq!((pair.initiator.stream.state(), pair.initiator.stream.deadline()), (State::Over, None));
    }
}

/// MPA-14: an initiator whose first FPDU brings nothing for 200 ms sends one Write of no length more, once.
#[test]
fn first_fpdu_without_an_echo_is_followed_by_one_more() {
    let mut pair = Pair::established(true);
    let deadline = pair.initiator.stream.deadline().unwrap();
    assert_eq!((deadline.timer, deadline.timer.duration()), (Timer::Nudge, Duration::from_millis(200)));
    assert_eq!(pair.initiator.stream.expired(deadline), None);
    let cut = pair.initiator.stream.next_cut(usize::MAX).unwrap();
    assert!(cut.payload.is_empty() && cut.header[2..4] == [0xC1, 0x40]);
    assert!(pair.initiator.stream.next_cut(usize::MAX).is_none());
    assert_eq!(pair.initiator.stream.deadline(), None);
    // The responder has no such timer, and an initiator that has heard of its peer has none any more.
    assert_eq!(pair.responder.stream.deadline(), None);
    let mut pair = Pair::established(true);
    pair.responder.send(SendKind::PLAIN, b"here");
    pair.settle();
    assert_eq!(pair.initiator.stream.deadline(), None);
}

/// TM-8: a peer that is gone without a word is found out by TCP: after 60 s, 8 probes of 5 s.
#[test]
fn keepalive_finds_a_peer_that_is_gone() {
    let (idle, interval, probes) = KEEPALIVE;
    assert_eq!(idle + interval * probes, Duration::from_secs(100));
}
