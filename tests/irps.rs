//! The legacy device's files and requests of a stopped machine, by the simulator's account and by that of the debugger's
//! extension over a dump of the same moment.

#![cfg(not(windows))]
#![allow(clippy::expect_used, clippy::panic, reason = "a test ends when what it needs is not there")]
#![allow(clippy::std_instead_of_alloc, reason = "the rest comes from std too")]

#[path = "windbg/extension.rs"]
mod windbg;

use core::net::{IpAddr, Ipv6Addr, SocketAddr};
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Instant;

use ntsim::io::{self, PendingRequest};
use ntsim::{Machine, dump};
use runner::Images;
use sys::wdm::{IRP_MJ_CLEANUP, IRP_MJ_INTERNAL_DEVICE_CONTROL};
use tdi_client::event::{self, Taken};
use tdi_client::{Fixture, Pair, datagram, request};
use windbg::extension;

const NEAR: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0x12));
const FAR: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0x13));

/// The longest time until a handler on a host that is busy.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The number of dumps until one is of a moment in which no request came or went.
const TRIES: u32 = 20;

#[track_caller]
fn wait(condition: impl Fn() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < TIMEOUT, "the condition has not come about");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A receive handler that stays inside until it is let go.
struct Handler {
    entered: AtomicBool,
    left: AtomicBool,
}

static HANDLER: Handler = Handler { entered: AtomicBool::new(false), left: AtomicBool::new(false) };

fn receive(data: &[u8], _: usize) -> Taken {
    HANDLER.entered.store(true, Ordering::Release);
    wait(|| HANDLER.left.load(Ordering::Acquire));
    Taken::bytes(data.len())
}

/// The name of a request in the extension.
fn name(request: &PendingRequest) -> &'static str {
    match request.function {
        (IRP_MJ_CLEANUP, _) => "IRP_MJ_CLEANUP",
        (IRP_MJ_INTERNAL_DEVICE_CONTROL, 4) => "TDI_LISTEN",
        (IRP_MJ_INTERNAL_DEVICE_CONTROL, 7) => "TDI_SEND",
        (IRP_MJ_INTERNAL_DEVICE_CONTROL, 8) => "TDI_RECEIVE",
        (IRP_MJ_INTERNAL_DEVICE_CONTROL, 10) => "TDI_RECEIVE_DATAGRAM",
        other => panic!("no such request was sent: {other:?}"),
    }
}

/// The line of the extension for a request, with the file object above it.
fn line(request: &PendingRequest) -> (String, String) {
    let state = if request.cancellable { "can be cancelled" } else { "cannot be cancelled now" };
    let line = format!("  IRP {:#x}: {}, {state}", request.packet, name(request));
    (format!("{:#x}", request.file), line)
}

/// Writes a dump of a moment of which the simulator has an account: the requests, and the file objects.
fn stop(path: &Path) -> (Vec<PendingRequest>, BTreeSet<String>) {
    for _ in 0..TRIES {
        let before = (io::pending_requests(), io::open_files());
        dump::write(path).expect("the dump is written");
        let (requests, files) = (io::pending_requests(), io::open_files());
        if before == (requests.clone(), files.clone()) {
            return (requests, files.iter().map(|file| format!("{file:#x}")).collect());
        }
    }
    panic!("the requests do not stay as they are");
}

#[test]
fn legacy_files_and_requests_are_shown_as_simulator_has_them() {
    let images = Images::built(Path::new(env!("CARGO_MANIFEST_DIR"))).expect("the images are built");
    let folder = tempfile::tempdir().expect("the host has a folder");
    let path = folder.path().join("irps.dmp");
    let fixture = Fixture::boot(Machine::builder(), &images, [NEAR, FAR]).expect("it boots");
    let (near, far) = (SocketAddr::new(NEAR, 7000), SocketAddr::new(FAR, 7001));
    let pair = fixture.pair(near, far).expect("they connect");
    let control = fixture.open(&[]).expect("a control channel opens");
    let listening = fixture.associated(&pair.far_address, 0xC).expect("it is associated");
    let listen = request::listen(&listening, 0);
    let receive_here = request::receive(&pair.near, 64);
    let datagram = datagram::receive_datagram(&pair.near_address, None, 64);
    // A cleanup waits for a handler.
    event::on_receive(&pair.far_address, &receive).expect("the handler is registered");
    let send = request::send(&pair.near, vec![7; 5]);
    wait(|| HANDLER.entered.load(Ordering::Acquire));
    let Pair { near, far: far_end, near_address, far_address } = pair;
    let cleanup = std::thread::spawn(move || drop(far_end));
    wait(|| io::pending_requests().iter().any(|request| request.function.0 == IRP_MJ_CLEANUP));

    let (requests, files) = stop(&path);
    let lines = extension(&path, &["irps"]);
    HANDLER.left.store(true, Ordering::Release);
    cleanup.join().expect("the cleanup ends");

    let mut above = String::new();
    let (mut shown, mut shown_files) = (BTreeSet::new(), BTreeSet::new());
    for line in &lines {
        if line.starts_with("  IRP") {
            shown.insert((above.clone(), line.clone()));
        } else {
            above = line.split([' ', ':']).find(|word| word.starts_with("0x")).expect("a file").to_owned();
            shown_files.insert(above.clone());
        }
    }
    // A send whose bytes have arrived may be complete or not.
    let expected: BTreeSet<_> = requests.iter().map(line).collect();
    assert_eq!(shown, expected, "{lines:#?}");
    assert_eq!(shown_files, files, "{lines:#?}");
    for text in [
        "address object",
        "[fd00::12]:7000, live, open",
        "[fd00::13]:7001, live, open",
        "connected, associated with [fd00::12]:7000, open",
        "listening, associated with [fd00::13]:7001, open",
        "cleaned up, and its cleanup waits for 1 requests and handlers",
        "control channel",
        ": TDI_LISTEN, can be cancelled",
        ": TDI_RECEIVE, can be cancelled",
        ": TDI_RECEIVE_DATAGRAM, can be cancelled",
        ": IRP_MJ_CLEANUP, cannot be cancelled now",
    ] {
        assert!(lines.iter().any(|line| line.contains(text)), "{text}: {lines:#?}");
    }

    for request in [listen, receive_here, datagram, send] {
        request.cancel();
        request.wait();
    }
    drop((near, near_address, far_address, control, listening));
    let report = fixture.end();
    assert!(report.is_clean(), "{report}");
}
