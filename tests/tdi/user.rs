//! Requests of programs, by device controls.

use core::mem::offset_of;
use core::net::SocketAddr;

use ntsim::io::{File, Outcome};
use sys::status::*;
use sys::tdi::*;
use tdi::address::TransportAddress;
use tdi_client::request;

use super::{FAR, NEAR, end_clean, fixture, succeeds};

/// An input buffer of so many bytes, with these at an offset.
fn input(length: usize, at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut input = vec![0; length];
    input[at..at + bytes.len()].copy_from_slice(bytes);
    input
}

/// The input of a request that names an address: the request of so many bytes, which has a pointer at an offset,
/// the information, the address.
fn naming(to: SocketAddr, information: usize, pointer: usize) -> Vec<u8> {
    let address = TransportAddress::new(to);
    let place = information + size_of::<TDI_CONNECTION_INFORMATION>();
    let mut input = vec![0; place];
    input.extend(address.bytes());
    // Where the buffer lies is the program's affair.
    let base = input.as_ptr().addr();
    let mut put = |at: usize, bytes: &[u8]| input[at..at + bytes.len()].copy_from_slice(bytes);
    put(pointer, &(base + information).to_le_bytes());
    put(
        information + offset_of!(TDI_CONNECTION_INFORMATION, RemoteAddressLength),
        &i32::try_from(address.bytes().len()).expect("short").to_le_bytes(),
    );
    put(information + offset_of!(TDI_CONNECTION_INFORMATION, RemoteAddress), &(base + place).to_le_bytes());
    input
}

/// The input of a connect.
fn connecting(to: SocketAddr) -> Vec<u8> {
    let pointer = offset_of!(TDI_REQUEST_CONNECT, RequestConnectionInformation);
    let mut input = naming(to, size_of::<TDI_REQUEST_CONNECT>(), pointer);
    let limit = offset_of!(TDI_REQUEST_CONNECT, Timeout);
    input[limit..limit + 8].copy_from_slice(&(-1_i64).to_le_bytes());
    input
}

fn ask(file: &File, code: u32, input: &[u8]) -> NTSTATUS {
    file.ioctl(code, input, &mut []).status
}

fn associate(endpoint: &File, handle: usize) -> NTSTATUS {
    let place = offset_of!(TDI_REQUEST_ASSOCIATE_ADDRESS, AddressHandle);
    let input = input(size_of::<TDI_REQUEST_ASSOCIATE_ADDRESS>(), place, &handle.to_le_bytes());
    ask(endpoint, IOCTL_TDI_ASSOCIATE_ADDRESS, &input)
}

#[test]
fn program_connects_sends_receives_and_disconnects() {
    let fixture = fixture();
    let near_address = fixture.address(NEAR).expect("the near address opens");
    let far_address = fixture.address(FAR).expect("the far address opens");
    let [near, far] = [0xA, 0xB].map(|context| fixture.endpoint(context).expect("an endpoint opens"));
    succeeds(associate(&near, near_address.raw()));
    succeeds(associate(&far, far_address.raw()));
    let listen = far.start_ioctl(IOCTL_TDI_LISTEN, vec![0; 56], Vec::new()).expect("there is memory");
    succeeds(ask(&near, IOCTL_TDI_CONNECT, &connecting(FAR)));
    succeeds(listen.wait().0.status);
    let receive = far.start_ioctl(IOCTL_TDI_RECEIVE, vec![0; 40], vec![0; 16]).expect("there is memory");
    let sent = near.ioctl(IOCTL_TDI_SEND, &[0; 40], &mut b"program".to_vec());
    assert_eq!(sent, Outcome { status: STATUS_SUCCESS, information: 7 });
    let (received, _, data) = receive.wait();
    assert_eq!((received.information, &data[..7]), (7, &b"program"[..]));
    let place = offset_of!(TDI_REQUEST_QUERY_INFORMATION, QueryType);
    let query = input(size_of::<TDI_REQUEST_QUERY_INFORMATION>(), place, &[4]);
    let mut answer = [0; size_of::<TDI_CONNECTION_INFO>()];
    succeeds(near.ioctl(IOCTL_TDI_QUERY_INFORMATION, &query, &mut answer).status);
    assert_eq!(answer[0], 1, "it is connected");
    succeeds(ask(&near, IOCTL_TDI_DISCONNECT, &[0; 40]));
    succeeds(ask(&near, IOCTL_TDI_DISASSOCIATE_ADDRESS, &[]));
    drop((near, far, near_address, far_address));
    end_clean(fixture);
}

#[test]
fn program_sends_and_receives_datagrams() {
    let fixture = fixture();
    let near = fixture.address(NEAR).expect("the near address opens");
    let far = fixture.address(FAR).expect("the far address opens");
    let receive =
        || far.start_ioctl(IOCTL_TDI_RECEIVE_DATAGRAM, vec![0; 56], vec![0; 9]).expect("there is memory");
    let (received, cancelled) = (receive(), receive());
    let pointer = offset_of!(TDI_REQUEST_SEND_DATAGRAM, SendDatagramInformation);
    let input = naming(FAR, size_of::<TDI_REQUEST_SEND_DATAGRAM>(), pointer);
    let sent = near.ioctl(IOCTL_TDI_SEND_DATAGRAM, &input, &mut b"program".to_vec());
    assert_eq!(sent, Outcome { status: STATUS_SUCCESS, information: 7 });
    let (received, _, data) = received.wait();
    assert_eq!((received.information, &data[..7]), (7, &b"program"[..]));
    cancelled.cancel();
    assert_eq!(cancelled.wait().0.status, STATUS_CANCELLED);
    drop((near, far));
    end_clean(fixture);
}

#[test]
fn refused_program_request_has_its_documented_status() {
    let fixture = fixture();
    let endpoint = fixture.endpoint(0xA).expect("an endpoint opens");
    assert_eq!(associate(&endpoint, 0x7777), STATUS_INVALID_HANDLE);
    for (code, status) in [
        (IOCTL_TDI_SET_EVENT_HANDLER, STATUS_INVALID_PARAMETER),
        // Of nothing.
        (IOCTL_TDI_SET_INFORMATION, STATUS_NOT_IMPLEMENTED),
        (IOCTL_TDI_ACTION, STATUS_NOT_IMPLEMENTED),
        (IOCTL_TDI_SEND_DATAGRAM, STATUS_INVALID_PARAMETER),
        (IOCTL_TDI_RECEIVE_DATAGRAM, STATUS_INVALID_DEVICE_REQUEST),
        (0x0021_0203, STATUS_NOT_IMPLEMENTED),
        (0x0022_0000, STATUS_NOT_IMPLEMENTED),
    ] {
        assert_eq!(ask(&endpoint, code, &[0; 64]), status, "{code:#x}");
    }
    // Input that is too short, at every length, and none.
    let whole = connecting(FAR);
    for length in 0..whole.len() {
        assert_eq!(ask(&endpoint, IOCTL_TDI_CONNECT, &whole[..length]), STATUS_INVALID_PARAMETER);
    }
    assert_eq!(ask(&endpoint, IOCTL_TDI_CONNECT, &whole), STATUS_INVALID_CONNECTION);
    let reference = endpoint.reference();
    drop(endpoint);
    assert_eq!(request::receive(&reference, 1).status(), STATUS_FILE_CLOSED);
    drop(reference);
    end_clean(fixture);
}

#[test]
fn programs_requests_end_when_it_cancels_them_and_with_its_handle() {
    let fixture = fixture();
    let pair = super::pair(&fixture);
    let start =
        || pair.near.start_ioctl(IOCTL_TDI_RECEIVE, vec![0; 40], vec![0; 9]).expect("there is memory");
    let cancelled = start();
    cancelled.cancel();
    assert_eq!(cancelled.wait().0.status, STATUS_CANCELLED);
    drop(start());
    drop(pair);
    end_clean(fixture);
}
