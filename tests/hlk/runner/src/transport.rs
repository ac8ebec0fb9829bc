//! The legacy transport as a program uses it: files with extended attributes, and `IOCTL_TDI_…`.
//!
//! The layouts are those of tdi.h (ndis/tdi.h of the DDK) on 64 bits, as `sys::tdi` has them, which a program on Windows
//! can't link: it declares what kernel modules export.

use core::net::SocketAddrV4;

use crate::status::SUCCESS;
use crate::{Completion, Device, Error};

/// The device, as the kernel names it.
pub const TRANSPORT: &str = r"\Device\Softndk";

pub(crate) const CONNECT: u32 = 0x0021_0004;
pub(crate) const DISCONNECT: u32 = 0x0021_0008;
pub(crate) const LISTEN: u32 = 0x0021_000C;
pub(crate) const RECEIVE: u32 = 0x0021_0016;
pub(crate) const SEND: u32 = 0x0021_001D;
pub(crate) const ASSOCIATE_ADDRESS: u32 = 0x0021_002C;

/// The length of a request without parameters: a `TDI_REQUEST` and eight bytes.
const REQUEST: usize = 0x28;
/// `TDI_REQUEST_CONNECT`, and `TDI_REQUEST_LISTEN`.
const CONNECTING: usize = 0x38;
/// `TDI_CONNECTION_INFORMATION`
const INFORMATION: usize = 0x30;
/// The places of pointers and numbers in these.
const PARAMETER: usize = 0x20;
const TIME_LIMIT: usize = 0x30;
const ADDRESS_LENGTH: usize = 0x20;
const ADDRESS: usize = 0x28;

/// A list of one `FILE_FULL_EA_INFORMATION`.
fn attribute(name: &str, value: &[u8]) -> Vec<u8> {
    let mut entry = vec![0, 0, 0, 0, 0, name.len() as u8];
    entry.extend((value.len() as u16).to_le_bytes());
    entry.extend(name.as_bytes());
    entry.push(0);
    entry.extend(value);
    entry
}

/// A `TRANSPORT_ADDRESS` with one `TDI_ADDRESS_IP`.
fn transport_address(at: SocketAddrV4) -> Vec<u8> {
    let mut address = vec![1, 0, 0, 0, 14, 0, 2, 0];
    address.extend(at.port().to_be_bytes());
    address.extend(at.ip().octets());
    address.extend([0; 8]);
    address
}

/// The attributes that open an address object.
pub(crate) fn address_attributes(at: SocketAddrV4) -> Vec<u8> {
    attribute("TransportAddress", &transport_address(at))
}

/// The attributes that open a connection endpoint.
pub(crate) fn endpoint_attributes(context: u64) -> Vec<u8> {
    attribute("ConnectionContext", &context.to_le_bytes())
}

fn with(length: usize, at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut input = vec![0; length];
    input[at..at + bytes.len()].copy_from_slice(bytes);
    input
}

/// Associates an endpoint with an address object.
pub(crate) fn associate(endpoint: &dyn Device, address: &dyn Device) -> Result<(), Error> {
    let input = with(REQUEST, PARAMETER, &address.raw().to_le_bytes());
    ended("associate an endpoint", endpoint.control(ASSOCIATE_ADDRESS, &input, &mut [])).map(drop)
}

/// Waits for a connection.
pub(crate) fn listen(endpoint: &dyn Device) -> Result<(), Error> {
    ended("listen", endpoint.control(LISTEN, &[0; CONNECTING], &mut [])).map(drop)
}

/// The input of a connect without a time limit: the request, the information that it points to, the address that this
/// points to, in one buffer.
fn connecting(to: SocketAddrV4) -> Vec<u8> {
    let address = transport_address(to);
    let mut input = with(CONNECTING + INFORMATION, TIME_LIMIT, &(-1_i64).to_le_bytes());
    input.extend(&address);
    let base = input.as_ptr().addr();
    let mut put = |at: usize, bytes: &[u8]| input[at..at + bytes.len()].copy_from_slice(bytes);
    put(PARAMETER, &(base + CONNECTING).to_le_bytes());
    put(CONNECTING + ADDRESS_LENGTH, &(address.len() as u32).to_le_bytes());
    put(CONNECTING + ADDRESS, &(base + CONNECTING + INFORMATION).to_le_bytes());
    input
}

/// Connects.
pub(crate) fn connect(endpoint: &dyn Device, to: SocketAddrV4) -> Result<(), Error> {
    ended("connect", endpoint.control(CONNECT, &connecting(to), &mut [])).map(drop)
}

/// Sends all of `data`.
pub(crate) fn send(endpoint: &dyn Device, data: &mut [u8]) -> Result<(), Error> {
    let sent = ended("send", endpoint.control(SEND, &[0; REQUEST], data))?;
    if sent == data.len() {
        Ok(())
    } else {
        Err(Error::Short { what: "send", arrived: sent, sent: data.len() })
    }
}

/// Receives into `data`; the number of bytes.
pub(crate) fn receive(endpoint: &dyn Device, data: &mut [u8]) -> Result<usize, Error> {
    ended("receive", endpoint.control(RECEIVE, &[0; REQUEST], data))
}

/// Disconnects.
pub(crate) fn disconnect(endpoint: &dyn Device) -> Result<(), Error> {
    ended("disconnect", endpoint.control(DISCONNECT, &[0; REQUEST], &mut [])).map(drop)
}

fn ended(what: &'static str, Completion { status, information }: Completion) -> Result<usize, Error> {
    if status == SUCCESS { Ok(information) } else { Err(Error::Status { what, status, outcome: None }) }
}

#[cfg(test)]
mod tests {
    use core::mem::offset_of;

    use sys::tdi::*;

    use super::*;

    #[test]
    fn codes_and_layouts_are_those_of_the_kernel() {
        let codes = [CONNECT, DISCONNECT, LISTEN, RECEIVE, SEND, ASSOCIATE_ADDRESS];
        let kernels = [
            IOCTL_TDI_CONNECT,
            IOCTL_TDI_DISCONNECT,
            IOCTL_TDI_LISTEN,
            IOCTL_TDI_RECEIVE,
            IOCTL_TDI_SEND,
            IOCTL_TDI_ASSOCIATE_ADDRESS,
        ];
        assert_eq!(codes, kernels);
        for length in [
            size_of::<TDI_REQUEST_SEND>(),
            size_of::<TDI_REQUEST_RECEIVE>(),
            size_of::<TDI_REQUEST_DISCONNECT>(),
            size_of::<TDI_REQUEST_ASSOCIATE_ADDRESS>(),
        ] {
            assert_eq!(length, REQUEST);
        }
        assert_eq!([size_of::<TDI_REQUEST_CONNECT>(), size_of::<TDI_REQUEST_LISTEN>()], [CONNECTING; 2]);
        assert_eq!(size_of::<TDI_CONNECTION_INFORMATION>(), INFORMATION);
        assert_eq!(offset_of!(TDI_REQUEST_ASSOCIATE_ADDRESS, AddressHandle), PARAMETER);
        assert_eq!(offset_of!(TDI_REQUEST_CONNECT, RequestConnectionInformation), PARAMETER);
        assert_eq!(offset_of!(TDI_REQUEST_CONNECT, Timeout), TIME_LIMIT);
        assert_eq!(offset_of!(TDI_CONNECTION_INFORMATION, RemoteAddressLength), ADDRESS_LENGTH);
        assert_eq!(offset_of!(TDI_CONNECTION_INFORMATION, RemoteAddress), ADDRESS);
    }
}
