//! Faults of the pipe, one by one.

use core::net::SocketAddr;

use ntsim_core::sched::{Schedule, SocketFaults, Strategy};
use sys::status::*;
use sys::wsk::*;

use super::connection::{PLACES, Pair};
use super::fixture::*;

/// A machine on which `change` makes operations meet a fault.
fn with(change: impl FnOnce(&mut SocketFaults)) -> Fixture {
    let mut faults = SocketFaults::default();
    change(&mut faults);
    Fixture::with(crate::testing::builder().socket_faults(faults))
}

#[test]
fn reset_ends_the_send_and_both_sides() {
    let fixture = with(|faults| faults.reset = 1000);
    let pair = Pair::new(&fixture, PLACES[0]);
    assert_eq!(send(pair.here.0, b"lost").0, STATUS_CONNECTION_RESET);
    pair.there.1.until(|owner| *owner.ends.lock() == [WSK_FLAG_ABORTIVE]);
    pair.close();
    assert!(fixture.rules().is_empty());
}

#[test]
fn early_end_cuts_the_bytes_off() {
    let fixture = with(|faults| (faults.partial, faults.early_end) = (1000, 1000));
    let pair = Pair::new(&fixture, PLACES[0]);
    let buffer = Buffer::new(vec![1; 600_000]);
    assert_eq!(start_send(pair.here.0, buffer.all()).wait().0, STATUS_CONNECTION_ABORTED);
    pair.there.1.until(|owner| *owner.ends.lock() == [0]);
    assert!((1..600_000).contains(&pair.there.1.bytes.lock().len()));
    drop(buffer);
    pair.close();
    assert!(fixture.rules().is_empty());
}

#[test]
fn parts_and_closed_windows_delay_bytes_and_lose_none() {
    let fixture = with(|faults| (faults.partial, faults.closed_window) = (900, 500));
    let pair = Pair::new(&fixture, PLACES[0]);
    let bytes: Vec<u8> = (0..=250).cycle().take(50_000).collect();
    assert_eq!(send(pair.here.0, &bytes), (STATUS_SUCCESS, bytes.len()));
    pair.there.1.until(|owner| owner.bytes.lock().len() == bytes.len());
    assert!(*pair.there.1.bytes.lock() == bytes && *pair.there.1.indications.lock() > 1);
    pair.close();
    assert!(fixture.rules().is_empty());
}

#[test]
fn address_in_use_is_one_of_two_statuses() {
    let fixture = with(|faults| faults.address_in_use = 1000);
    let owner = Owner::new();
    let at: SocketAddr = PLACES[0].parse().unwrap();
    let socket = fixture.connection(&owner, at);
    for _ in 0..8 {
        let status = bind(socket, at);
        assert!([STATUS_ADDRESS_ALREADY_EXISTS, STATUS_SHARING_VIOLATION].contains(&status), "{status:#x}");
    }
    assert_eq!(close(socket), STATUS_SUCCESS);
    assert!(fixture.rules().is_empty());
}

#[test]
fn dead_socket_says_so_by_an_event_without_data() {
    let fixture = with(|faults| faults.dead = 1000);
    let pair = Pair::new(&fixture, PLACES[0]);
    pair.there.1.until(|owner| owner.dead.load(core::sync::atomic::Ordering::Acquire));
    pair.there.1.until(|_| send(pair.there.0, b"late").0 == STATUS_FILE_FORCED_CLOSED);
    pair.close();
    assert!(fixture.rules().is_empty());
}

/// A run under a schedule in which each fault strikes at times; whether one did.
fn faulty(seed: u64) -> bool {
    let faults = SocketFaults {
        reset: 20,
        early_end: 20,
        partial: 200,
        closed_window: 100,
        dead: 20,
        ..Default::default()
    };
    let builder = crate::testing::builder().socket_faults(faults).shred(seed);
    let mut fixture = Fixture::with(builder.schedule(Schedule::seeded(seed, Strategy::of_seed(seed))));
    let pair = Pair::new(&fixture, PLACES[0]);
    let _ = enable(pair.here.0, WSK_EVENT_RECEIVE | WSK_EVENT_DISCONNECT);
    let (here, there) = (Buffer::new(vec![1; 5000]), Buffer::new(vec![2; 3000]));
    let mut struck = false;
    for _ in 0..4 {
        let pending = [start_send(pair.here.0, here.all()), start_send(pair.there.0, there.all())];
        let outcomes = pending.map(Pending::wait);
        struck |= outcomes.iter().any(|(status, _)| *status != STATUS_SUCCESS);
        assert!(outcomes.iter().all(|(status, length)| (*status == STATUS_SUCCESS) == (*length > 0)));
    }
    // Both sides at a time, one of them gracefully before.
    let end = start_disconnect(pair.here.0, None, 0);
    let closes = [pair.here.0, pair.there.0]
        .map(|socket| Pending::start(|irp| unsafe { basic(socket).WskCloseSocket.unwrap()(socket, irp) }));
    closes.into_iter().for_each(|close| assert_eq!(close.wait().0, STATUS_SUCCESS));
    assert!(end.is_done(), "the close is the last");
    end.wait();
    assert_eq!(close(pair.listener.socket), STATUS_SUCCESS);
    drop((here, there));
    fixture.release();
    let registration = fixture.registration();
    unsafe { crate::wsk::client::WskDeregister(registration.ptr()) };
    let report = fixture.machine.take().unwrap().shutdown();
    assert!(report.is_clean(), "seed {seed}: {report}");
    struck
}

#[test]
fn connections_with_faults_end_under_every_seed() {
    let struck = (0..60).filter(|&seed| faulty(seed)).count();
    assert!((10..60).contains(&struck), "{struck} of 60");
}
