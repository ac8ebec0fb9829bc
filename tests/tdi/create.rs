//! Creates: whatever a client writes into the attributes, a file is opened as tabled or nothing is left.

use core::net::{Ipv6Addr, SocketAddr};
use std::path::Path;
use std::thread;

use ntsim::Machine;
use runner::Images;
use sys::status::*;
use sys::tdi::{TdiConnectionContext, TdiTransportAddress};
use tdi::address::TransportAddress;
use tdi_client::{DEVICE, Fixture, attribute, request};

use super::{FAR, NEAR, end_clean, fixture};

/// Attributes one behind the other, as a list.
fn list(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut list = Vec::new();
    for (place, entry) in entries.iter().enumerate() {
        let mut entry = entry.clone();
        if place + 1 < entries.len() {
            entry.resize(entry.len().next_multiple_of(4), 0);
            let next = u32::try_from(entry.len()).expect("short").to_le_bytes();
            entry[..4].copy_from_slice(&next);
        }
        list.extend(entry);
    }
    list
}

#[track_caller]
fn refused(fixture: &Fixture, attributes: &[u8], status: NTSTATUS) {
    let refused = fixture.open(attributes).expect_err("the list is refused").0;
    assert_eq!(refused, status, "{refused:#010X} for {attributes:?}");
}

/// Transport addresses in one list.
fn addresses(list: &[SocketAddr]) -> Vec<u8> {
    let mut bytes = i32::try_from(list.len()).expect("few").to_le_bytes().to_vec();
    list.iter().for_each(|address| bytes.extend(&TransportAddress::new(*address).bytes()[4..]));
    bytes
}

#[test]
fn each_name_opens_its_kind_of_file_and_no_list_a_control_channel() {
    let fixture = fixture();
    let files = [
        fixture.open(&[]).expect("a control channel"),
        fixture.address(FAR).expect("an address"),
        fixture.endpoint(usize::MAX).expect("an endpoint"),
    ];
    drop(files);
    end_clean(fixture);
}

#[test]
fn list_of_both_names_or_an_unknown_one_is_refused() {
    let fixture = fixture();
    let (address, context) =
        (attribute(TdiTransportAddress, &addresses(&[FAR])), attribute(TdiConnectionContext, &[7; 8]));
    for both in [[address.clone(), context.clone()], [context.clone(), address.clone()]] {
        refused(&fixture, &list(&both), STATUS_INVALID_PARAMETER);
    }
    for name in [&b"Unknown"[..], b"", b"ConnectionContex", &[b'T'; 255]] {
        refused(&fixture, &attribute(name, &[0; 8]), STATUS_NONEXISTENT_EA_ENTRY);
        let second = list(&[context.clone(), attribute(name, &[0; 8])]);
        refused(&fixture, &second, STATUS_NONEXISTENT_EA_ENTRY);
    }
    end_clean(fixture);
}

#[test]
fn list_truncated_at_any_byte_is_refused() {
    let fixture = fixture();
    for whole in
        [attribute(TdiTransportAddress, &addresses(&[FAR])), attribute(TdiConnectionContext, &[7; 8])]
    {
        for length in 1..whole.len() {
            let refused = fixture.open(&whole[..length]).expect_err("a truncated list is refused");
            assert!(
                [STATUS_INVALID_PARAMETER, STATUS_NONEXISTENT_EA_ENTRY].contains(&refused.0),
                "{length} bytes: {refused}"
            );
        }
    }
    end_clean(fixture);
}

#[test]
fn false_lengths_and_offsets_are_refused() {
    let fixture = fixture();
    let whole = attribute(TdiConnectionContext, &[7; 8]);
    let mut unterminated = whole.clone();
    unterminated[8 + TdiConnectionContext.len()] = b'!';
    refused(&fixture, &unterminated, STATUS_INVALID_PARAMETER);
    for name in [0_u8, 1, 16, 18, 255] {
        let mut lies = whole.clone();
        lies[5] = name;
        fixture.open(&lies).expect_err("a name of another length is refused");
    }
    for value in [0_u16, 7, 9, 0x7FFF, u16::MAX] {
        let mut lies = whole.clone();
        lies[6..8].copy_from_slice(&value.to_le_bytes());
        refused(&fixture, &lies, STATUS_NONEXISTENT_EA_ENTRY);
    }
    for next in [1_u32, 4, 8, 33, 34, 36, 0x7FFF_FFFC, u32::MAX] {
        let mut lies = whole.clone();
        lies[..4].copy_from_slice(&next.to_le_bytes());
        refused(&fixture, &lies, STATUS_INVALID_PARAMETER);
    }
    end_clean(fixture);
}

#[test]
fn first_usable_address_of_a_list_is_opened() {
    let fixture = fixture();
    let elsewhere = "192.168.7.7:1".parse().expect("an address");
    let open = |list: &[SocketAddr]| fixture.open(&attribute(TdiTransportAddress, &addresses(list)));
    assert_eq!(open(&[]).expect_err("no address").0, STATUS_INVALID_PARAMETER);
    assert_eq!(open(&[elsewhere]).expect_err("not local").0, STATUS_INVALID_ADDRESS);
    let second = open(&[elsewhere, FAR]).expect("the second is local");
    assert_eq!(fixture.exclusive(FAR).expect_err("it is open").0, STATUS_SHARING_VIOLATION);
    drop(second);
    // A family that is none of this transport's.
    refused(
        &fixture,
        &attribute(TdiTransportAddress, &[1, 0, 0, 0, 2, 0, 17, 0, 9, 9]),
        STATUS_INVALID_PARAMETER,
    );
    end_clean(fixture);
}

#[test]
fn address_is_shared_only_if_each_opener_shares_it() {
    let fixture = fixture();
    let first = fixture.address(FAR).expect("the address is free");
    let second = fixture.address(FAR).expect("both share it");
    assert_eq!(fixture.exclusive(FAR).expect_err("others have it").0, STATUS_SHARING_VIOLATION);
    drop(first);
    assert_eq!(fixture.exclusive(FAR).expect_err("another has it").0, STATUS_SHARING_VIOLATION);
    drop(second);
    let alone = fixture.exclusive(FAR).expect("it is free");
    assert_eq!(fixture.address(FAR).expect_err("it is not shared").0, STATUS_SHARING_VIOLATION);
    drop(alone);
    let picked = [fixture.exclusive(NEAR), fixture.exclusive(NEAR)];
    assert!(picked.iter().all(Result::is_ok), "port 0 picks another each time");
    drop(picked);
    end_clean(fixture);
}

#[test]
fn creates_that_share_an_address_may_race() {
    let fixture = fixture();
    let (machine, attributes) = (&fixture.machine, attribute(TdiTransportAddress, &addresses(&[FAR])));
    for _ in 0..50 {
        let opened = thread::scope(|scope| {
            let threads = [(); 3].map(|()| scope.spawn(|| machine.open(DEVICE, &attributes)));
            threads.map(|thread| thread.join().expect("the thread ends"))
        });
        drop(opened.map(|opened| opened.expect("all share it")));
        super::await_free(&fixture);
    }
    end_clean(fixture);
}

#[test]
fn wildcard_takes_connections_at_either_adapter() {
    let fixture = fixture();
    let any = fixture.address("0.0.0.0:139".parse().expect("an address")).expect("the port is free");
    assert_eq!(fixture.exclusive(FAR).expect_err("it is taken").0, STATUS_SHARING_VIOLATION);
    let near_address = fixture.address(NEAR).expect("the near address opens");
    for at in [FAR, SocketAddr::new(NEAR.ip(), 139)] {
        let near = fixture.associated(&near_address, 0xA).expect("an endpoint opens");
        let far = fixture.associated(&any, 0xB).expect("an endpoint opens");
        let listen = request::listen(&far, 0);
        assert_eq!(request::connect(&near, at).status(), STATUS_SUCCESS);
        assert_eq!(listen.status(), STATUS_SUCCESS);
    }
    drop((any, near_address));
    end_clean(fixture);
}

#[test]
fn addresses_may_be_those_of_ipv6() {
    let images = Images::built(Path::new(env!("CARGO_MANIFEST_DIR"))).expect("the images are built");
    let ips = [1, 2].map(|last| Ipv6Addr::new(0xFD00, 0, 0, 0, 0, 0, 0, last).into());
    let fixture = Fixture::boot(Machine::builder(), &images, ips).expect("the driver starts");
    let [near, far] = [SocketAddr::new(ips[0], 0), SocketAddr::new(ips[1], 139)];
    let pair = fixture.pair(near, far).expect("a connection comes about");
    let received = request::receive(&pair.far, 2);
    assert_eq!(request::send(&pair.near, b"ok".to_vec()).status(), STATUS_SUCCESS);
    assert_eq!(received.wait().data, b"ok");
    drop(pair);
    end_clean(fixture);
}

#[test]
fn address_is_free_again_when_its_file_is_closed() {
    let fixture = fixture();
    for _ in 0..3 {
        drop(fixture.exclusive(FAR).expect("the address is free"));
    }
    end_clean(fixture);
}
