//! Allocations that fail: each of every request's path in turn.

use core::time::Duration;

use ntsim::ex::{Faults, inject, injected, settle};
use ntsim::io::{File, StatusError};
use sys::status::*;
use sys::tdi::{TDI_DISCONNECT_RELEASE, TDI_EVENT_RECEIVE, TDI_QUERY_ACCEPT};
use tdi_client::datagram::{receive_datagram, send_datagram};
use tdi_client::request::{self, accept, associate, connect, disconnect, listen, receive, send};
use tdi_client::{Fixture, Request};

use super::{FAR, NEAR, await_free, end_clean, fixture, is_one_of, pair, succeeds};

/// The outcome of a create.
type Opened = Result<File, StatusError>;

/// More allocations than any request makes.
const MANY: u64 = 200;

/// Does something again and again, each time with another of the driver's allocations failing, until none is
/// left to fail; it is told whether one did.
#[track_caller]
fn with_each_failing(mut attempt: impl FnMut(&mut dyn FnMut() -> bool)) {
    for nth in 0..MANY {
        // A notification of addresses may still be on its way, and allocates on a thread of its own.
        settle();
        inject(Faults::Nth(nth), Some("softndk.sys"));
        let mut struck = false;
        attempt(&mut || {
            struck = injected().1 > 0;
            inject(Faults::None, None);
            struck
        });
        inject(Faults::None, None);
        if !struck {
            assert!(nth > 0, "nothing was allocated");
            return;
        }
    }
    panic!("there is no end of allocations");
}

#[test]
fn create_without_memory_fails_and_leaves_nothing() {
    let fixture = fixture();
    let open: [fn(&Fixture) -> Opened; 4] = [
        |fixture| fixture.open(&[]),
        |fixture| fixture.endpoint(1),
        |fixture| fixture.exclusive(FAR),
        |fixture| fixture.exclusive("0.0.0.0:445".parse().expect("an address")),
    ];
    for open in open {
        with_each_failing(|struck| {
            let opened = open(&fixture);
            if struck() {
                assert_eq!(opened.expect_err("there was no memory").0, STATUS_INSUFFICIENT_RESOURCES);
            } else {
                drop(opened.expect("there was memory"));
            }
        });
        await_free(&fixture);
    }
    // A second one that shares an address allocates, too.
    let first = fixture.address(FAR).expect("the address is free");
    with_each_failing(|struck| {
        let second = fixture.address(FAR);
        if struck() {
            assert_eq!(second.expect_err("there was no memory").0, STATUS_INSUFFICIENT_RESOURCES);
        }
    });
    drop(first);
    end_clean(fixture);
}

#[test]
fn associate_without_memory_fails_and_leaves_the_endpoint_as_it_was() {
    let fixture = fixture();
    with_each_failing(|struck| {
        let address = fixture.address(FAR);
        let endpoint = fixture.endpoint(1);
        let (Ok(address), Ok(endpoint)) = (address, endpoint) else {
            assert!(struck(), "both open if there is memory");
            return;
        };
        let associated = associate(&endpoint, &address);
        if struck() {
            is_one_of(associated, &[STATUS_INSUFFICIENT_RESOURCES, STATUS_SUCCESS]);
        } else {
            succeeds(associated);
        }
    });
    end_clean(fixture);
}

/// The statuses that either end may get of a connection that did not come about.
const UNMADE: [NTSTATUS; 5] = [
    STATUS_INSUFFICIENT_RESOURCES,
    STATUS_REMOTE_NOT_LISTENING,
    STATUS_CONNECTION_ABORTED,
    STATUS_CONNECTION_RESET,
    STATUS_CANCELLED,
];

/// The outcome of a request, which is cancelled if nothing will ever complete it.
fn settled(request: Request, hopeless: bool) -> NTSTATUS {
    if hopeless && request.wait_for(Duration::from_millis(100)).is_none() {
        request.cancel();
    }
    request.status()
}

#[test]
fn connection_without_memory_does_not_come_about_and_the_next_one_does() {
    for flags in [0, TDI_QUERY_ACCEPT] {
        let fixture = fixture();
        let near_address = fixture.address(NEAR).expect("the near address opens");
        let far_address = fixture.address(FAR).expect("the far address opens");
        let near = fixture.associated(&near_address, 0xA).expect("an endpoint opens");
        let far = fixture.associated(&far_address, 0xB).expect("an endpoint opens");
        let mut failures = 0;
        with_each_failing(|struck| {
            let listened = listen(&far, flags);
            let connected = connect(&near, FAR);
            let accepted = (flags != 0).then(|| {
                let _offered = listened.wait_for(Duration::from_millis(100));
                accept(&far)
            });
            // Until the far end has heard, the connect waits.
            let hopeless = connected.wait_for(Duration::from_millis(100)).is_none();
            let failed = struck();
            let near_status = settled(connected, hopeless);
            let ends = [Some(listened), accepted].map(|end| end.map(|end| settled(end, failed)));
            if !failed {
                succeeds(near_status);
                ends.into_iter().flatten().for_each(succeeds);
            } else if near_status != STATUS_SUCCESS {
                failures += 1;
                is_one_of(near_status, &UNMADE);
                for end in ends.into_iter().flatten().filter(|end| *end != STATUS_SUCCESS) {
                    let late = [STATUS_INVALID_CONNECTION, STATUS_IO_TIMEOUT];
                    is_one_of(end, &[&UNMADE[..], &late].concat());
                }
            }
            for end in [&near, &far] {
                is_one_of(disconnect(end, 0).status(), &[STATUS_SUCCESS, STATUS_INVALID_CONNECTION]);
            }
        });
        assert!(failures > 0, "no connect failed for want of memory");
        drop((near, far, near_address, far_address));
        end_clean(fixture);
    }
}

#[test]
fn request_that_there_is_no_room_for_is_refused_and_the_others_go_on() {
    let fixture = fixture();
    let mut refused = 0;
    for nth in 0..MANY {
        let pair = pair(&fixture);
        inject(Faults::Nth(nth), Some("softndk.sys"));
        let receives: Vec<_> = (0..12).map(|_| receive(&pair.far, 100)).collect();
        let sends: Vec<_> = (0..12).map(|_| send(&pair.near, vec![1; 100])).collect();
        let struck = injected().1 > 0;
        inject(Faults::None, None);
        for request in receives.into_iter().chain(sends) {
            // A receive of which the send was refused has nothing to wait for.
            match settled(request, struck) {
                STATUS_INSUFFICIENT_RESOURCES => refused += 1,
                status if struck => is_one_of(status, &[STATUS_SUCCESS, STATUS_CANCELLED]),
                status => succeeds(status),
            }
        }
        drop(pair);
        await_free(&fixture);
        if !struck {
            break;
        }
    }
    assert!(refused > 0, "nothing was allocated");
    end_clean(fixture);
}

#[test]
fn datagram_that_there_is_no_room_for_is_refused_and_delivering_needs_none() {
    let fixture = fixture();
    let near = fixture.address(NEAR).expect("the near address opens");
    let mut refused = 0;
    with_each_failing(|struck| {
        // A file that was not used before has no room for requests that wait.
        let Ok(far) = fixture.address(FAR) else {
            assert!(struck(), "it opens if there is memory");
            return;
        };
        let received = receive_datagram(&far, None, 300);
        let sent = send_datagram(&near, FAR, vec![1; 300]);
        let failed = struck();
        match sent.status() {
            STATUS_INSUFFICIENT_RESOURCES if failed => refused += 1,
            status => succeeds(status),
        }
        match settled(received, failed) {
            STATUS_INSUFFICIENT_RESOURCES if failed => refused += 1,
            status if failed => is_one_of(status, &[STATUS_SUCCESS, STATUS_CANCELLED]),
            status => succeeds(status),
        }
    });
    assert!(refused > 1, "both need memory");
    let far = fixture.address(FAR).expect("the far address opens");
    let [received, cancelled, waits] = [(); 3].map(|()| receive_datagram(&far, None, 9));
    let sent = send_datagram(&near, FAR, b"datagram".to_vec());
    inject(Faults::Random { probability: 1.0, seed: 0 }, Some("softndk.sys"));
    succeeds(received.status());
    cancelled.cancel();
    drop(far);
    inject(Faults::None, None);
    succeeds(sent.status());
    assert_eq!([cancelled, waits].map(Request::status), [STATUS_CANCELLED; 2]);
    drop(near);
    end_clean(fixture);
}

#[test]
fn requests_without_data_need_no_memory_and_data_is_refused_without_any() {
    let fixture = fixture();
    let pair = pair(&fixture);
    let control = fixture.open(&[]).expect("a control channel opens");
    let parameters = sys::tdi::TDI_REQUEST_KERNEL_QUERY_INFORMATION {
        QueryType: 2,
        RequestConnectionInformation: core::ptr::null_mut(),
    };
    inject(Faults::Random { probability: 1.0, seed: 0 }, Some("softndk.sys"));
    let query =
        request::send_request(&control, sys::tdi::TDI_QUERY_INFORMATION, parameters, vec![0; 64]).status();
    let set =
        request::set_event(&pair.far_address, TDI_EVENT_RECEIVE, core::ptr::null(), core::ptr::null_mut());
    let data = [receive(&pair.far, 4), send(&pair.near, b"data".to_vec())].map(Request::status);
    let released = [&pair.near, &pair.far].map(|end| disconnect(end, TDI_DISCONNECT_RELEASE));
    let released = released.map(Request::status);
    let parted = request::disassociate(&pair.near);
    inject(Faults::None, None);
    [set, released[0], released[1], parted].into_iter().for_each(succeeds);
    // A buffer of a client's has to be mapped.
    assert_eq!([query, data[0], data[1]], [STATUS_INSUFFICIENT_RESOURCES; 3]);
    drop((pair, control));
    end_clean(fixture);
}
