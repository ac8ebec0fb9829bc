//! Requests about datagrams, on address objects.

use core::ptr::null_mut;
use std::net::SocketAddr;

use ntsim::io::{File, Sending};
use sys::tdi::{
    TDI_RECEIVE_DATAGRAM, TDI_REQUEST_KERNEL_RECEIVEDG, TDI_REQUEST_KERNEL_SENDDG, TDI_SEND_DATAGRAM,
};

use crate::request::{Attached, PARAMETERS, Prepared, Request, Target, attach, bytes, ends, send_attached};

/// `TDI_SEND_DATAGRAM` of all of `data`.
pub fn send_datagram(address: &impl Target, to: SocketAddr, data: Vec<u8>) -> Request {
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    send_attached(address, TDI_SEND_DATAGRAM, data, attach(Some(to), None), |place| {
        bytes(TDI_REQUEST_KERNEL_SENDDG { SendLength: length, SendDatagramInformation: ends(place).0 })
    })
}

/// `TDI_RECEIVE_DATAGRAM` of at most `length` bytes, from one sender or from any.
pub fn receive_datagram(address: &impl Target, from: Option<SocketAddr>, length: u32) -> Request {
    receive_datagram_with(address, from, length, 0)
}

/// `TDI_RECEIVE_DATAGRAM`; `flags` are `TDI_RECEIVE_…`.
pub fn receive_datagram_with(
    address: &impl Target,
    from: Option<SocketAddr>,
    length: u32,
    flags: u32,
) -> Request {
    send_attached(address, TDI_RECEIVE_DATAGRAM, vec![0; length as usize], attach(from, None), |place| {
        receiving(place, from, length, flags)
    })
}

/// `TDI_RECEIVE_DATAGRAM`, for a handler to give.
///
/// # Panics
///
/// If the host is out of memory.
pub fn prepared_receive_datagram(address: &File, length: u32) -> Prepared {
    let attached = attach(None, None);
    let parameters = receiving(attached.get(), None, length, 0);
    let sending = Sending { minor: TDI_RECEIVE_DATAGRAM, parameters, data: vec![0; length as usize] };
    let io = address.prepare_internal(sending).expect("there is memory for a request");
    Prepared { minor: TDI_RECEIVE_DATAGRAM, io, attached }
}

/// The parameters of a receive.
fn receiving(place: *mut Attached, from: Option<SocketAddr>, length: u32, flags: u32) -> [u8; PARAMETERS] {
    let (named, told) = ends(place);
    bytes(TDI_REQUEST_KERNEL_RECEIVEDG {
        ReceiveLength: length,
        ReceiveDatagramInformation: if from.is_some() { named } else { null_mut() },
        ReturnDatagramInformation: told,
        ReceiveFlags: flags,
    })
}
