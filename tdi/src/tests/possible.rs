//! A client whose send was refused, as it may not wait, is told when sends are possible again.

use std::ffi::c_void;

use provider::number::usize_from;
use sys::status::*;
use sys::tdi::{TDI_EVENT_SEND_POSSIBLE, TDI_RECEIVE_NORMAL, TDI_SEND_EXPEDITED, TDI_SEND_NON_BLOCKING};

use super::client::{Pair, done, failed};
use super::host::Pending;
use crate::Command;
use crate::ndk::message::{PIECE, WINDOW};
use test_kernel::pump;

/// More than the peer has room for.
const STUCK: usize = PIECE * (WINDOW + 1);

/// A handler's calls: for how many bytes there is room.
type Told = Vec<u32>;

unsafe extern "efiapi" fn possible(context: *mut c_void, connection: *mut c_void, room: u32) -> NTSTATUS {
    assert_eq!(connection.addr(), 0xC0);
    // SAFETY: the tests register it with this context.
    unsafe { &mut *context.cast::<Told>() }.push(room);
    STATUS_SUCCESS
}

fn watch(pair: &Pair) -> Box<Told> {
    let mut told = Box::new(Told::new());
    let handler = code_address!(possible).cast_mut().cast();
    let context = (&raw mut *told).cast();
    let set = pair.client.transport.set_event(pair.near_address, TDI_EVENT_SEND_POSSIBLE, handler, context);
    assert_eq!(set, Ok(()));
    told
}

fn hasty(pair: &Pair, flags: u32) -> Pending {
    let flags = flags | TDI_SEND_NON_BLOCKING;
    let pending = pair.client.submit(pair.near, Command::Send { length: 1, flags }, vec![0]);
    pump();
    pending
}

/// The far end takes what was sent.
fn read_all(pair: &Pair) {
    let mut left = STUCK;
    while left > 0 {
        let receive = pair.client.submit(
            pair.far,
            Command::Receive { length: STUCK, flags: TDI_RECEIVE_NORMAL },
            vec![0; STUCK],
        );
        pump();
        left -= receive.outcome().unwrap().information;
    }
}

/// More is sent than the peer has room for, and what may not wait is refused.
fn refuse(pair: &Pair) {
    pair.client.send(pair.near, &vec![0; STUCK]);
    assert_eq!(hasty(pair, 0).outcome(), failed(STATUS_DEVICE_NOT_READY));
}

#[test]
fn refused_send_gets_one_send_possible_event_when_credits_return() {
    let pair = Pair::connected();
    let told = watch(&pair);
    refuse(&pair);
    assert_eq!(hasty(&pair, 0).outcome(), failed(STATUS_DEVICE_NOT_READY));
    assert_eq!(*told, [], "nothing has moved");
    read_all(&pair);
    assert_eq!(told.len(), 1, "once for both");
    assert!((PIECE..=PIECE * WINDOW).contains(&usize_from(told[0])), "{told:?}");
    assert_eq!(hasty(&pair, 0).outcome(), done(1));
    pair.tear_down();
}

#[test]
fn client_without_a_refused_send_gets_no_send_possible_event() {
    let pair = Pair::connected();
    let told = watch(&pair);
    pair.client.send(pair.near, &vec![0; STUCK]);
    // Expedited sends have room of their own.
    assert_eq!(hasty(&pair, TDI_SEND_EXPEDITED).outcome(), done(1));
    read_all(&pair);
    assert_eq!(*told, []);
    pair.tear_down();
}

#[test]
fn ended_connection_drops_its_send_possible_event() {
    let pair = Pair::connected();
    let told = watch(&pair);
    refuse(&pair);
    pair.client.disconnect(pair.near, 0);
    pump();
    pair.establish();
    assert_eq!(hasty(&pair, 0).outcome(), done(1));
    assert_eq!(*told, []);
    pair.tear_down();
}
