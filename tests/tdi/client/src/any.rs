//! Any request.

use core::time::Duration;
use std::net::SocketAddr;

use sys::tdi::{
    TDI_ACTION, TDI_ASSOCIATE_ADDRESS, TDI_DISASSOCIATE_ADDRESS, TDI_DISCONNECT_RELEASE, TDI_QUERY_ACCEPT,
    TDI_QUERY_INFORMATION, TDI_RECEIVE_EXPEDITED, TDI_RECEIVE_NORMAL, TDI_RECEIVE_PEEK,
    TDI_REQUEST_KERNEL_QUERY_INFORMATION, TDI_SEND_AND_DISCONNECT, TDI_SEND_EXPEDITED, TDI_SEND_NON_BLOCKING,
    TDI_SET_EVENT_HANDLER,
};

use crate::datagram::{receive_datagram_with, send_datagram};
use crate::request::{self, Request, Target};

/// Flags of a send.
const SENDS: [u32; 3] = [TDI_SEND_NON_BLOCKING, TDI_SEND_EXPEDITED, TDI_SEND_AND_DISCONNECT];
/// Flags of a receive.
const RECEIVES: [u32; 3] = [TDI_RECEIVE_PEEK, TDI_RECEIVE_NORMAL, TDI_RECEIVE_EXPEDITED];

/// Each of the flags or not.
fn some_of(flags: &[u32], random: &mut fastrand::Rng) -> u32 {
    flags.iter().filter(|_| random.bool()).sum()
}

/// Sends a request of any type but those that name a handle or a handler, with data of less than `longest`
/// bytes. Up to DISPATCH_LEVEL.
pub(crate) fn any(file: &impl Target, to: SocketAddr, longest: usize, random: &mut fastrand::Rng) -> Request {
    let limit = Duration::from_millis(random.u64(1..20));
    match random.u8(..29) {
        0..8 => request::send(file, vec![7; random.usize(..longest)]),
        8 => request::send_with(file, vec![7; random.usize(1..longest)], some_of(&SENDS, random)),
        9..15 => request::receive_with(file, vec![0; random.usize(..longest)], 0),
        15..17 => request::receive_with(file, vec![0; random.usize(..longest)], some_of(&RECEIVES, random)),
        17 => request::listen(file, 0),
        18 => request::listen(file, TDI_QUERY_ACCEPT),
        19 => request::connect(file, to),
        20 => request::connect_within(file, to, limit),
        21 => request::accept(file),
        22 => request::disconnect(file, random.u32(..8)),
        23 => request::disconnect_within(file, TDI_DISCONNECT_RELEASE, limit),
        24 => request::send_request(file, TDI_DISASSOCIATE_ADDRESS, [0_u8; 32], Vec::new()),
        25 => request::send_request(file, other(random), [0_u8; 32], vec![0; 64]),
        26 => send_datagram(file, to, vec![7; random.usize(..longest)]),
        27 => receive_datagram_with(file, None, random.u32(..2000), some_of(&RECEIVES, random)),
        _ => {
            let parameters = TDI_REQUEST_KERNEL_QUERY_INFORMATION {
                QueryType: random.i32(..12),
                RequestConnectionInformation: core::ptr::null_mut(),
            };
            request::send_request(file, TDI_QUERY_INFORMATION, parameters, vec![0; 64])
        }
    }
}

/// The minor function of some other request, with which parameters of zeros ask for nothing.
fn other(random: &mut fastrand::Rng) -> u8 {
    match random.u8(..=TDI_ACTION + 1) {
        TDI_ASSOCIATE_ADDRESS | TDI_SET_EVENT_HANDLER => TDI_ACTION,
        minor => minor,
    }
}
