//! Access to the device, and to shared addresses.

use core::net::SocketAddr;

use ntsim::io::{File, Opener, StatusError};
use ntsim::se::{Sid, Subject};
use sys::status::*;
use sys::tdi::{TdiConnectionContext, TdiTransportAddress};
use sys::wdm::{FILE_READ_DATA, FILE_WRITE_DATA, GENERIC_ALL, MAXIMUM_ALLOWED};
use tdi::address::TransportAddress;
use tdi_client::{DEVICE, Fixture, attribute};

use super::{FAR, end_clean, fixture};

/// Another administrator than the first.
fn second() -> Subject {
    Subject::user(1001).member_of(Sid::ADMINISTRATORS)
}

fn address(fixture: &Fixture, at: SocketAddr, opener: &Opener) -> Result<File, StatusError> {
    let attributes = attribute(TdiTransportAddress, TransportAddress::new(at).bytes());
    fixture.machine.open_as(DEVICE, &attributes, opener)
}

#[track_caller]
fn refused(fixture: &Fixture, opener: &Opener, status: NTSTATUS) {
    assert_eq!(address(fixture, FAR, opener).expect_err("it is refused").0, status);
}

/// An opener that shares the address with the users that `list` admits.
fn sharing(subject: Subject, list: &str) -> Opener {
    Opener::new(subject).descriptor(&list.parse().expect("a descriptor"))
}

#[test]
fn device_is_opened_by_system_and_administrators_alone() {
    let fixture = fixture();
    for subject in [Subject::system(), Subject::administrator(), second()] {
        drop(address(&fixture, FAR, &Opener::new(subject)).expect("it is admitted"));
    }
    refused(&fixture, &Opener::new(Subject::user(1000)), STATUS_ACCESS_DENIED);
    refused(&fixture, &Opener::new(Subject::user(1000)).forced(), STATUS_ACCESS_DENIED);
    drop(
        address(&fixture, FAR, &Opener::new(Subject::user(1000)).kernel()).expect("a driver is not checked"),
    );
    end_clean(fixture);
}

#[test]
fn name_below_the_device_is_refused() {
    let fixture = fixture();
    for subject in [Subject::user(1000), Subject::system()] {
        for name in ["\\", "\\x", "\\x\\y"] {
            let opened =
                fixture.machine.open_as(&format!("{DEVICE}{name}"), &[], &Opener::new(subject.clone()));
            assert_eq!(opened.expect_err("there are no such names").0, STATUS_OBJECT_NAME_NOT_FOUND);
        }
    }
    end_clean(fixture);
}

#[test]
fn first_openers_descriptor_controls_sharing() {
    let fixture = fixture();
    let host = sharing(Subject::administrator(), "D:(A;;GA;;;SY)(A;;GR;;;S-1-5-21-1-2-3-1001)");
    let first = address(&fixture, FAR, &host).expect("the address is free");
    // Its maker has no right that the list does not give, and what the device has granted does not count.
    refused(&fixture, &host, STATUS_ACCESS_DENIED);
    refused(&fixture, &Opener::new(second()), STATUS_ACCESS_DENIED);
    refused(&fixture, &Opener::new(second()).access(GENERIC_ALL), STATUS_ACCESS_DENIED);
    let reads = Opener::new(second()).access(FILE_READ_DATA);
    let more = [
        address(&fixture, FAR, &reads).expect("the list lets it read"),
        address(&fixture, FAR, &reads.clone().access(MAXIMUM_ALLOWED)).expect("it gets what there is"),
        address(&fixture, FAR, &Opener::new(Subject::system())).expect("the list admits the system"),
    ];
    // The list is the address's, not the first opener's.
    drop(first);
    refused(&fixture, &reads.clone().access(FILE_WRITE_DATA), STATUS_ACCESS_DENIED);
    drop(more);
    drop(address(&fixture, FAR, &reads.access(FILE_WRITE_DATA)).expect("the address is free"));
    end_clean(fixture);
}

#[test]
fn shared_address_without_descriptor_takes_the_tokens_default() {
    let fixture = fixture();
    let first = address(&fixture, FAR, &Opener::new(Subject::administrator())).expect("the address is free");
    refused(&fixture, &Opener::new(second()), STATUS_ACCESS_DENIED);
    for subject in [Subject::administrator(), Subject::system()] {
        drop(
            address(&fixture, FAR, &Opener::new(subject))
                .expect("such a list admits its user and the system"),
        );
    }
    drop(first);
    end_clean(fixture);
}

#[test]
fn kernel_opener_is_checked_only_when_forced() {
    let fixture = fixture();
    let first = address(&fixture, FAR, &sharing(Subject::system(), "D:(A;;GA;;;SY)")).expect("it is free");
    drop(address(&fixture, FAR, &Opener::new(second()).kernel()).expect("a driver is not checked"));
    refused(&fixture, &Opener::new(second()).forced(), STATUS_ACCESS_DENIED);
    drop(first);
    end_clean(fixture);
}

#[test]
fn exclusive_address_refuses_every_opener() {
    let fixture = fixture();
    let alone = Opener::new(second()).share(0);
    let first = address(&fixture, FAR, &alone).expect("the address is free");
    for opener in [alone, Opener::new(Subject::system()), Opener::new(second())] {
        refused(&fixture, &opener, STATUS_SHARING_VIOLATION);
    }
    drop(first);
    end_clean(fixture);
}

#[test]
fn shared_open_without_access_state_is_refused() {
    let fixture = fixture();
    let unknown = Opener::new(Subject::system());
    for opener in [unknown.clone().without_access_state(), unknown.without_security_context()] {
        refused(&fixture, &opener, STATUS_INVALID_DEVICE_REQUEST);
        // All others may.
        drop(address(&fixture, FAR, &opener.clone().share(0)).expect("no list, and no check"));
        let endpoint = attribute(TdiConnectionContext, &[7; 8]);
        for attributes in [&endpoint[..], &[]] {
            drop(fixture.machine.open_as(DEVICE, attributes, &opener).expect("it is no address"));
        }
    }
    end_clean(fixture);
}
