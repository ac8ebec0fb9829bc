//! Requests of programs, by `IRP_MJ_DEVICE_CONTROL`: what `TdiMapUserRequest` makes of them.
//!
//! That function (MSDN ff565053) turns a control code and its input buffer into the request that a driver
//! would send, refuses `IOCTL_TDI_SET_EVENT_HANDLER` and connection information that does not fit into the
//! client's buffer with `STATUS_INVALID_PARAMETER`, and codes that it does not know with
//! `STATUS_NOT_IMPLEMENTED`.
//!
//! A program's pointers are never followed. Connection information lies behind the request in the same
//! buffer, and its pointers are read as places in that buffer:
//!
//! ```text
//! 0                     56                                104
//! TDI_REQUEST_CONNECT   TDI_CONNECTION_INFORMATION        address, anywhere behind
//!   information ────────▶ RemoteAddress ──────────────────▶
//! ```
//!
//! A program that receives a datagram is not told its source: there is no way back to its buffer.

#![forbid(unsafe_code)]

use core::mem::offset_of;
use core::net::SocketAddr;

use provider::number::u64_from;
use sys::status::{NTSTATUS, STATUS_INVALID_PARAMETER, STATUS_NOT_IMPLEMENTED};
use sys::tdi::{
    IOCTL_TDI_ACCEPT, IOCTL_TDI_ACTION, IOCTL_TDI_ASSOCIATE_ADDRESS, IOCTL_TDI_CONNECT,
    IOCTL_TDI_DISASSOCIATE_ADDRESS, IOCTL_TDI_DISCONNECT, IOCTL_TDI_LISTEN, IOCTL_TDI_QUERY_INFORMATION,
    IOCTL_TDI_RECEIVE, IOCTL_TDI_RECEIVE_DATAGRAM, IOCTL_TDI_SEND, IOCTL_TDI_SEND_DATAGRAM,
    IOCTL_TDI_SET_EVENT_HANDLER, IOCTL_TDI_SET_INFORMATION, TDI_CONNECTION_INFORMATION, TDI_QUERY_ACCEPT,
    TDI_REQUEST_ASSOCIATE_ADDRESS, TDI_REQUEST_CONNECT, TDI_REQUEST_DISCONNECT, TDI_REQUEST_LISTEN,
    TDI_REQUEST_QUERY_INFORMATION, TDI_REQUEST_RECEIVE, TDI_REQUEST_RECEIVE_DATAGRAM, TDI_REQUEST_SEND,
    TDI_REQUEST_SEND_DATAGRAM, TDI_REQUEST_SET_INFORMATION,
};

use crate::address::TransportAddresses;
use crate::request::Command;
use crate::request::Source;

/// A program's request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserRequest {
    /// Something that may wait.
    Submit(Command),
    /// To associate an endpoint with the address object behind a handle of the program's.
    Associate(usize),
    /// To take that back.
    Disassociate,
    /// A query, `TDI_QUERY_…`.
    Query(i32),
    /// To set what the query of this number gives.
    Set(i32),
}

impl UserRequest {
    /// Reads a request from its control code and its input buffer; `data` is the length of the buffer that
    /// is sent or received.
    ///
    /// # Errors
    ///
    /// See the module's head; `STATUS_INVALID_PARAMETER` for an input buffer that is too short, too.
    pub fn parse(code: u32, input: &[u8], data: usize) -> Result<Self, NTSTATUS> {
        let short = STATUS_INVALID_PARAMETER;
        Ok(match code {
            IOCTL_TDI_ACCEPT => Self::Submit(Command::Accept),
            IOCTL_TDI_CONNECT => {
                let limit = number(input, offset_of!(TDI_REQUEST_CONNECT, Timeout)).ok_or(short)?;
                let place = offset_of!(TDI_REQUEST_CONNECT, RequestConnectionInformation);
                let to = Some(remote(input, place, size_of::<TDI_REQUEST_CONNECT>()).ok_or(short)?);
                Self::Submit(Command::Connect { to, limit: time_limit(i64::from_le_bytes(limit)) })
            }
            IOCTL_TDI_DISCONNECT => {
                let limit = number(input, offset_of!(TDI_REQUEST_DISCONNECT, Timeout)).ok_or(short)?;
                let limit = time_limit(i64::from_le_bytes(limit));
                // There is no place for flags, and none is an abort.
                Self::Submit(Command::Disconnect { flags: 0, limit })
            }
            IOCTL_TDI_LISTEN => {
                let flags = flags(input, offset_of!(TDI_REQUEST_LISTEN, ListenFlags)).ok_or(short)?;
                Self::Submit(Command::Listen { query: flags & TDI_QUERY_ACCEPT != 0 })
            }
            IOCTL_TDI_SEND => {
                let flags = flags(input, offset_of!(TDI_REQUEST_SEND, SendFlags)).ok_or(short)?;
                Self::Submit(Command::Send { length: data, flags })
            }
            IOCTL_TDI_RECEIVE => {
                let flags = flags(input, offset_of!(TDI_REQUEST_RECEIVE, ReceiveFlags)).ok_or(short)?;
                Self::Submit(Command::Receive { length: data, flags })
            }
            IOCTL_TDI_ASSOCIATE_ADDRESS => {
                let place = offset_of!(TDI_REQUEST_ASSOCIATE_ADDRESS, AddressHandle);
                Self::Associate(usize::from_le_bytes(number(input, place).ok_or(short)?))
            }
            IOCTL_TDI_DISASSOCIATE_ADDRESS => Self::Disassociate,
            IOCTL_TDI_QUERY_INFORMATION => {
                let place = offset_of!(TDI_REQUEST_QUERY_INFORMATION, QueryType);
                Self::Query(i32::from_le_bytes(number(input, place).ok_or(short)?))
            }
            IOCTL_TDI_SET_INFORMATION => {
                let place = offset_of!(TDI_REQUEST_SET_INFORMATION, SetType);
                Self::Set(i32::from_le_bytes(number(input, place).ok_or(short)?))
            }
            IOCTL_TDI_SET_EVENT_HANDLER => return Err(STATUS_INVALID_PARAMETER),
            IOCTL_TDI_SEND_DATAGRAM => {
                let place = offset_of!(TDI_REQUEST_SEND_DATAGRAM, SendDatagramInformation);
                let to = remote(input, place, size_of::<TDI_REQUEST_SEND_DATAGRAM>()).ok_or(short)?;
                Self::Submit(Command::SendDatagram { to: Some(to), length: data })
            }
            IOCTL_TDI_RECEIVE_DATAGRAM => {
                let place = offset_of!(TDI_REQUEST_RECEIVE_DATAGRAM, ReceiveDatagramInformation);
                let from = source(input, place, size_of::<TDI_REQUEST_RECEIVE_DATAGRAM>()).ok_or(short)?;
                let flags =
                    flags(input, offset_of!(TDI_REQUEST_RECEIVE_DATAGRAM, ReceiveFlags)).ok_or(short)?;
                Self::Submit(Command::ReceiveDatagram { from, length: data, flags })
            }
            IOCTL_TDI_ACTION => return Err(STATUS_NOT_IMPLEMENTED),
            _ => return Err(STATUS_NOT_IMPLEMENTED),
        })
    }
}

/// The bytes of a number at an offset.
fn number<const N: usize>(input: &[u8], offset: usize) -> Option<[u8; N]> {
    input.get(offset..)?.first_chunk().copied()
}

fn flags(input: &[u8], offset: usize) -> Option<u32> {
    number(input, offset).map(|flags| u16::from_le_bytes(flags).into())
}

/// A time limit in units of 100 ns. Times are relative and so negative; the one that is -1 is for ever.
#[must_use]
pub fn time_limit(time: i64) -> Option<u64> {
    (time < -1).then_some(time.unsigned_abs())
}

/// The source from which a program wants a datagram: any, if there is no connection information at `place`.
fn source(input: &[u8], place: usize, behind: usize) -> Option<Source> {
    match u64::from_le_bytes(number(input, place)?) {
        0 => Some(Source::Any),
        _ => remote(input, place, behind).map(Source::Address),
    }
}

/// The other side's address: in the connection information to which the pointer at `place` leads, and which
/// lies behind a request of a length.
fn remote(input: &[u8], place: usize, behind: usize) -> Option<SocketAddr> {
    let information = u64::from_le_bytes(number(input, place)?);
    // The buffer's own address, as the program sees it.
    let own = information.checked_sub(u64_from(behind))?;
    let field = |offset: usize| behind.checked_add(offset);
    let length = number(input, field(offset_of!(TDI_CONNECTION_INFORMATION, RemoteAddressLength))?)?;
    let address = number(input, field(offset_of!(TDI_CONNECTION_INFORMATION, RemoteAddress))?)?;
    let start = usize::try_from(u64::from_le_bytes(address).checked_sub(own)?).ok()?;
    let length = usize::try_from(i32::from_le_bytes(length)).ok()?;
    let list = input.get(start..start.checked_add(length)?)?;
    TransportAddresses::parse(list)?.next()
}

/// The body of the fuzz target: whatever a program sends is read or refused. The first four bytes are the
/// control code's, of which the known ones are near.
pub fn fuzz(bytes: &[u8]) {
    let Some((code, input)) = bytes.split_first_chunk() else { return };
    let code = u32::from_le_bytes(*code);
    for code in [code, IOCTL_TDI_ACCEPT | (code & 0x3F)] {
        if let Ok(UserRequest::Submit(Command::Connect { to, .. })) = UserRequest::parse(code, input, 0) {
            assert!(to.is_some(), "a program that connects names an address");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::TransportAddress;
    use proptest::prelude::*;

    /// The address of a program's buffer, for the program.
    const BASE: u64 = 0x7FF6_0000_1000;

    fn connect(address: SocketAddr) -> Vec<u8> {
        let mut input = vec![0; size_of::<TDI_REQUEST_CONNECT>() + size_of::<TDI_CONNECTION_INFORMATION>()];
        let address = TransportAddress::new(address);
        let mut put = |at: usize, bytes: &[u8]| input[at..at + bytes.len()].copy_from_slice(bytes);
        put(32, &(BASE + 56).to_le_bytes());
        put(48, &(-70_i64).to_le_bytes());
        put(56 + 32, &u32::try_from(address.bytes().len()).unwrap().to_le_bytes());
        put(56 + 40, &(BASE + 104).to_le_bytes());
        input.extend(address.bytes());
        input
    }

    #[test]
    fn connect_names_an_address_in_its_own_buffer() {
        let to = "10.0.0.2:139".parse().unwrap();
        let expected = Command::Connect { to: Some(to), limit: Some(70) };
        let input = connect(to);
        assert_eq!(UserRequest::parse(IOCTL_TDI_CONNECT, &input, 0), Ok(UserRequest::Submit(expected)));
        for length in 0..input.len() {
            let refused = UserRequest::parse(IOCTL_TDI_CONNECT, &input[..length], 0);
            assert_eq!(refused, Err(STATUS_INVALID_PARAMETER), "{length} bytes");
        }
        // Pointers to elsewhere, and lengths that lead there.
        for (at, value) in [(32, 0), (32, BASE), (96, 0), (96, BASE - 1), (96, u64::MAX), (88, 1 << 31)] {
            let mut lies = input.clone();
            lies[at..at + 8].copy_from_slice(&u64::to_le_bytes(value));
            assert_eq!(UserRequest::parse(IOCTL_TDI_CONNECT, &lies, 0), Err(STATUS_INVALID_PARAMETER));
        }
    }

    #[test]
    fn datagram_names_an_address_in_its_own_buffer_or_none() {
        let to = "10.0.0.2:139".parse().unwrap();
        // What a connect has, with a head of 40 bytes in place of 56.
        let mut input = connect(to);
        input.drain(40..56);
        input[32..40].copy_from_slice(&(BASE + 40).to_le_bytes());
        input[80..88].copy_from_slice(&(BASE + 88).to_le_bytes());
        let expected = Command::SendDatagram { to: Some(to), length: 9 };
        assert_eq!(UserRequest::parse(IOCTL_TDI_SEND_DATAGRAM, &input, 9), Ok(UserRequest::Submit(expected)));
        for length in 0..input.len() {
            let refused = UserRequest::parse(IOCTL_TDI_SEND_DATAGRAM, &input[..length], 9);
            assert_eq!(refused, Err(STATUS_INVALID_PARAMETER), "{length} bytes");
        }
        let mut input = connect(to);
        // The flags lie where a connect has its time limit.
        input[48..50].copy_from_slice(&[0x80, 0]);
        for (information, from) in [(BASE + 56, Source::Address(to)), (0, Source::Any)] {
            input[32..40].copy_from_slice(&information.to_le_bytes());
            let expected = Command::ReceiveDatagram { from, length: 9, flags: 0x80 };
            let parsed = UserRequest::parse(IOCTL_TDI_RECEIVE_DATAGRAM, &input, 9);
            assert_eq!(parsed, Ok(UserRequest::Submit(expected)));
        }
    }

    #[test]
    fn user_request_flags_follow_the_header() {
        let mut input = vec![0; 56];
        input[32] = 7;
        let parse = |code| UserRequest::parse(code, &input, 99).unwrap();
        let submit = UserRequest::Submit;
        assert_eq!(parse(IOCTL_TDI_SEND), submit(Command::Send { length: 99, flags: 7 }));
        assert_eq!(parse(IOCTL_TDI_RECEIVE), submit(Command::Receive { length: 99, flags: 7 }));
        assert_eq!(parse(IOCTL_TDI_QUERY_INFORMATION), UserRequest::Query(7));
        assert_eq!(parse(IOCTL_TDI_SET_INFORMATION), UserRequest::Set(7));
        assert_eq!(parse(IOCTL_TDI_ASSOCIATE_ADDRESS), UserRequest::Associate(7));
        assert_eq!(parse(IOCTL_TDI_LISTEN), submit(Command::Listen { query: false }));
        assert_eq!(parse(IOCTL_TDI_DISCONNECT), submit(Command::Disconnect { flags: 0, limit: None }));
    }

    #[test]
    fn device_control_that_is_no_request_has_the_documented_status() {
        let parse = |code| UserRequest::parse(code, &[0; 64], 0).unwrap_err();
        assert_eq!(parse(IOCTL_TDI_SET_EVENT_HANDLER), STATUS_INVALID_PARAMETER);
        assert_eq!(parse(IOCTL_TDI_ACTION), STATUS_NOT_IMPLEMENTED);
        assert_eq!(parse(0x0021_0203), STATUS_NOT_IMPLEMENTED);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..180)) {
            fuzz(&bytes);
        }

        #[test]
        fn damaged_connect_is_read_or_refused(at in 32_usize..126, byte: u8) {
            let mut damaged = connect("[fd00::1]:7".parse().unwrap());
            damaged[at] = byte;
            damaged.splice(0..0, IOCTL_TDI_CONNECT.to_le_bytes());
            fuzz(&damaged);
        }
    }
}
