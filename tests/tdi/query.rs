//! Queries, and requests that the transport does not serve.

use core::mem::offset_of;

use ntsim::io::File;
use sys::status::*;
use sys::tdi::*;
use tdi_client::datagram::{receive_datagram, send_datagram};
use tdi_client::request::{self, receive, send, send_request};

use super::{FAR, NEAR, end_clean, fixture, pair};

fn query(file: &File, kind: u32, room: usize) -> (NTSTATUS, usize) {
    let parameters = TDI_REQUEST_KERNEL_QUERY_INFORMATION {
        QueryType: i32::try_from(kind).expect("small"),
        RequestConnectionInformation: core::ptr::null_mut(),
    };
    let completed = send_request(file, TDI_QUERY_INFORMATION, parameters, vec![0; room]).wait();
    (completed.status, completed.information)
}

fn bare(file: &File, minor: u8) -> NTSTATUS {
    send_request(file, minor, [0_u8; 32], Vec::new()).status()
}

#[test]
fn control_channel_answers_queries_and_leaves_connections_alone() {
    let fixture = fixture();
    let pair = pair(&fixture);
    let control = fixture.open(&[]).expect("a control channel opens");
    let whole = size_of::<TDI_PROVIDER_INFO>();
    assert_eq!(query(&control, TDI_QUERY_PROVIDER_INFO, whole), (STATUS_SUCCESS, whole));
    assert_eq!(query(&control, TDI_QUERY_PROVIDER_INFO, 7), (STATUS_BUFFER_OVERFLOW, 7));
    assert_eq!(query(&pair.near, TDI_QUERY_CONNECTION_INFO, 0x100).1, size_of::<TDI_CONNECTION_INFO>());
    assert_eq!(query(&control, TDI_QUERY_CONNECTION_INFO, 0x100).0, STATUS_INVALID_DEVICE_REQUEST);
    assert_eq!(query(&control, 1, 0x100).0, STATUS_NOT_IMPLEMENTED);
    drop(control);
    let received = receive(&pair.far, 4);
    assert_eq!(send(&pair.near, b"ping".to_vec()).wait().information, 4);
    assert_eq!(received.wait().data, b"ping");
    drop(pair);
    end_clean(fixture);
}

/// Sets what a query of a kind gives.
fn set(file: &File, kind: u32, data: Vec<u8>) -> (NTSTATUS, usize) {
    let parameters = TDI_REQUEST_KERNEL_SET_INFORMATION {
        SetType: i32::try_from(kind).expect("small"),
        RequestConnectionInformation: core::ptr::null_mut(),
    };
    let completed = send_request(file, TDI_SET_INFORMATION, parameters, data).wait();
    (completed.status, completed.information)
}

#[test]
fn statistics_of_datagrams_begin_anew_when_they_are_set() {
    let fixture = fixture();
    let control = fixture.open(&[]).expect("a control channel opens");
    let (near, far) = (fixture.address(NEAR), fixture.address(FAR));
    let (near, far) = (near.expect("the near address opens"), far.expect("the far address opens"));
    let received = receive_datagram(&far, None, 9);
    assert_eq!(send_datagram(&near, FAR, vec![0; 9]).status(), STATUS_SUCCESS);
    assert_eq!(received.status(), STATUS_SUCCESS);
    let counters = || {
        let parameters = TDI_REQUEST_KERNEL_QUERY_INFORMATION {
            QueryType: i32::try_from(TDI_QUERY_PROVIDER_STATISTICS).expect("small"),
            RequestConnectionInformation: core::ptr::null_mut(),
        };
        let whole = vec![0; size_of::<TDI_PROVIDER_STATISTICS>()];
        let answer = send_request(&control, TDI_QUERY_INFORMATION, parameters, whole).wait().data;
        [
            offset_of!(TDI_PROVIDER_STATISTICS, DatagramsSent),
            offset_of!(TDI_PROVIDER_STATISTICS, DatagramBytesSent),
            offset_of!(TDI_PROVIDER_STATISTICS, DatagramsReceived),
            offset_of!(TDI_PROVIDER_STATISTICS, DatagramBytesReceived),
        ]
        .map(|at| answer[at])
    };
    assert_eq!(counters(), [1, 9, 1, 9]);
    let zeros = vec![0; size_of::<TDI_PROVIDER_STATISTICS>()];
    let whole = (STATUS_SUCCESS, zeros.len());
    assert_eq!(set(&near, TDI_QUERY_PROVIDER_STATISTICS, zeros.clone()).0, STATUS_INVALID_DEVICE_REQUEST);
    assert_eq!(set(&control, TDI_QUERY_PROVIDER_STATISTICS, zeros[1..].to_vec()).0, STATUS_INVALID_PARAMETER);
    assert_eq!(set(&near, TDI_QUERY_ADDRESS_INFO, zeros.clone()).0, STATUS_NOT_IMPLEMENTED);
    assert_eq!(counters(), [1, 9, 1, 9]);
    assert_eq!(set(&control, TDI_QUERY_PROVIDER_STATISTICS, zeros), whole);
    assert_eq!(counters(), [0; 4]);
    drop((control, near, far));
    end_clean(fixture);
}

#[test]
fn each_request_is_refused_on_the_wrong_kind_of_file() {
    let fixture = fixture();
    let control = fixture.open(&[]).expect("a control channel opens");
    let address = fixture.address(FAR).expect("the address opens");
    let endpoint = fixture.endpoint(1).expect("an endpoint opens");
    for file in [&control, &address] {
        for minor in [TDI_CONNECT, TDI_LISTEN, TDI_ACCEPT, TDI_DISCONNECT, TDI_SEND, TDI_RECEIVE] {
            assert_eq!(bare(file, minor), STATUS_INVALID_DEVICE_REQUEST, "minor {minor}");
        }
        assert_eq!(request::associate(file, &address), STATUS_INVALID_DEVICE_REQUEST);
        assert_eq!(request::disassociate(file), STATUS_INVALID_DEVICE_REQUEST);
    }
    for file in [&control, &endpoint] {
        let set = request::set_event(file, TDI_EVENT_RECEIVE, core::ptr::null(), core::ptr::null_mut());
        assert_eq!(set, STATUS_INVALID_PARAMETER);
        assert_eq!(request::associate(&endpoint, file), STATUS_INVALID_HANDLE);
    }
    for file in [&control, &address, &endpoint] {
        for minor in [TDI_SET_INFORMATION, TDI_ACTION] {
            // Parameters of zeros name nothing that can be set.
            assert_eq!(bare(file, minor), STATUS_NOT_IMPLEMENTED, "minor {minor}");
        }
        for minor in [0, 0x77, 0xFF] {
            assert_eq!(bare(file, minor), STATUS_INVALID_DEVICE_REQUEST, "minor {minor}");
        }
    }
    drop((control, address, endpoint));
    end_clean(fixture);
}
