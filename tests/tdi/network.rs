//! Clients on adapters whose connections go over TCP, and on a machine whose Winsock Kernel does not register the driver.

use ntsim::Machine;
use ntsim::io::StatusError;
use sys::status::{STATUS_BAD_NETWORK_PATH, STATUS_NOT_SUPPORTED, STATUS_SHARING_VIOLATION, STATUS_SUCCESS};
use sys::tdi::TDI_DISCONNECT_ABORT;
use tdi_client::Fixture;
use tdi_client::request::{connect, disconnect, listen, receive, send};
use tdi_client::transfer::{self, Way};

use super::{FAR, NEAR, end_clean, images, pair};

/// A machine on which connections between the two adapters go over TCP, too.
fn over_tcp() -> Fixture {
    let (machine, forced) = (Machine::builder().boot(), [("ForceWire", "1")]);
    Fixture::on(machine, &images(), [NEAR.ip(), FAR.ip()], &forced).expect("the driver starts")
}

#[test]
fn stream_over_tcp_arrives_as_it_was_sent() {
    let fixture = over_tcp();
    let pair = pair(&fixture);
    let data: Vec<u8> = (0..300_007_u32).map(|index| index.to_le_bytes()[index as usize % 4]).collect();
    for way in [Way::Requests, Way::Events] {
        let moved = transfer::run(&pair, way, &data[..], data.len() as u64, |_| ()).expect("it arrives");
        assert_eq!(moved.sent, moved.arrived, "by {way:?}");
    }
    assert_eq!(disconnect(&pair.near, TDI_DISCONNECT_ABORT).status(), STATUS_SUCCESS);
    drop(pair);
    end_clean(fixture);
}

#[test]
fn files_closed_with_requests_in_flight_over_tcp_leave_nothing_and_free_their_address() {
    let fixture = over_tcp();
    for round in 0..10 {
        let pair = pair(&fixture);
        let requests = [
            receive(&pair.near, 100),
            receive(&pair.far, 100),
            send(&pair.near, vec![7; 200_000]),
            send(&pair.far, vec![7; 200_000]),
        ];
        if round % 3 == 0 {
            assert_eq!(disconnect(&pair.far, TDI_DISCONNECT_ABORT).status(), STATUS_SUCCESS);
        }
        assert_eq!(fixture.exclusive(FAR).expect_err("it is open").0, STATUS_SHARING_VIOLATION);
        drop(pair);
        for request in requests {
            let _ = request.status();
        }
        let again = fixture.exclusive(FAR).expect("the last file of the address was closed");
        drop(again);
    }
    end_clean(fixture);
}

#[test]
fn adapters_that_halt_end_connections_over_tcp() {
    let fixture = over_tcp();
    let pair = pair(&fixture);
    let waiting = receive(&pair.far, 100);
    fixture.halt(0);
    assert_ne!(waiting.status(), STATUS_SUCCESS);
    let listening = listen(&pair.far, 0);
    fixture.halt(1);
    assert_ne!(listening.status(), STATUS_SUCCESS);
    drop(pair);
    end_clean(fixture);
}

/// Connections go by loopback alone then.
#[test]
fn driver_that_winsock_kernel_does_not_register_connects_its_own_adapters() {
    let machine = Machine::builder().boot();
    machine.refuse_winsock_clients(Some(StatusError(STATUS_NOT_SUPPORTED)));
    let fixture = Fixture::on(machine, &images(), [NEAR.ip(), FAR.ip()], &[("ForceWire", "1")]);
    let fixture = fixture.expect("the driver starts");
    let printed = fixture.machine.log().concat();
    assert!(printed.contains("softndk: DriverEntry, WskRegister failed, 0xc00000bb"), "{printed}");
    let pair = pair(&fixture);
    let moved = transfer::run(&pair, Way::Requests, &[7; 1000][..], 1000, |_| ()).expect("it arrives");
    assert_eq!(moved.sent, moved.arrived);
    let other = fixture.associated(&pair.near_address, 0xC).expect("it is associated");
    let foreign = "192.0.2.1:139".parse().expect("an address");
    assert_eq!(connect(&other, foreign).status(), STATUS_BAD_NETWORK_PATH);
    drop((other, pair));
    end_clean(fixture);
}
