//! Pending closes over a network that stands still, and their account by the provider and by the debugger's extension.
//!
//! | object | its close waits for |
//! |---|---|
//! | connector that connected | TCP, which has a send of it |
//! | QP of it | the connector; TCP, too |
//! | CQ, PD | the QPs upon them |
//! | listener | a connector that it indicated; TCP, which has its port |
//! | shared endpoint | a connector that connected from it; TCP, which has its port |

use core::ffi::c_void;
use core::net::{IpAddr, Ipv4Addr};
use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, Ordering};
use std::path::Path;

use ntsim::ndis::AdapterConfig;
use ntsim::{Machine, ndk};
use runner::Images;
use sys::ndk::{
    NDK_ADAPTER, NDK_CQ, NDK_LISTENER, NDK_OBJECT_HEADER, NDK_PD, NDK_SHARED_ENDPOINT, NDK_VERSION_2_1,
};
use sys::sockaddr::SOCKADDR_IN;
use sys::status::{NTSTATUS, STATUS_PENDING, STATUS_SUCCESS};

use crate::compare::line;
use crate::consumer::{Consumer, address, consume, done, notified, requested, wait};
use crate::debuggers::without_time;
use crate::windbg::extension;
use crate::{End, INDEX, IP, PORT, connect};

/// The completion of a creation: its context is the place of the object.
unsafe extern "efiapi" fn made(place: *mut c_void, status: NTSTATUS, object: *mut NDK_OBJECT_HEADER) {
    assert_eq!(status, STATUS_SUCCESS, "the port is free");
    // SAFETY: the context is a place that outlives the creation.
    unsafe { &*place.cast::<AtomicPtr<NDK_OBJECT_HEADER>>() }.store(object, Ordering::Release);
}

/// The size of an address.
fn size() -> u32 {
    u32::try_from(size_of::<SOCKADDR_IN>()).expect("it is small")
}

/// Listens, until TCP has opened the port; returns how many requests have completed by a call.
pub(crate) fn listen(consumer: &Consumer, listener: *mut NDK_LISTENER) -> u32 {
    let own = address(IP, PORT);
    let (at, context) = ((&raw const own).cast(), consumer.context());
    let status = call!(listener, NdkListen, at, size(), Some(done), context);
    let completions = u32::from(status == STATUS_PENDING);
    assert!(status == STATUS_SUCCESS || completions == 1, "{status:#x}");
    consumer.await_completed(completions);
    completions
}

/// Creates a shared endpoint, whose port TCP opens.
pub(crate) fn share(adapter: *mut NDK_ADAPTER) -> *mut NDK_SHARED_ENDPOINT {
    let (from, place) = (address(IP, 0), AtomicPtr::<NDK_OBJECT_HEADER>::new(null_mut()));
    let (context, mut at_once) = ((&raw const place).cast_mut().cast(), null_mut());
    let from = (&raw const from).cast();
    let status = call!(adapter, NdkCreateSharedEndpoint, from, size(), Some(made), context, &raw mut at_once);
    if status == STATUS_SUCCESS {
        return at_once;
    }
    assert_eq!(status, STATUS_PENDING, "the port is free");
    wait(|| !place.load(Ordering::Acquire).is_null());
    place.into_inner().cast()
}

/// Objects of a connection of the machine to itself, over TCP.
struct Objects {
    ends: [End; 2],
    listener: *mut NDK_LISTENER,
    shared: *mut NDK_SHARED_ENDPOINT,
    cq: *mut NDK_CQ,
    pd: *mut NDK_PD,
}

fn connected(consumer: &Consumer, adapter: *mut NDK_ADAPTER) -> Objects {
    let context = consumer.context();
    let listener: *mut NDK_LISTENER = create!(adapter, NdkCreateListener, Some(requested), context);
    let completions = listen(consumer, listener);
    let shared = share(adapter);
    let pd: *mut NDK_PD = create!(adapter, NdkCreatePd);
    let cq: *mut NDK_CQ = create!(adapter, NdkCreateCq, 64, Some(notified), context, null_mut());
    let ends = connect(consumer, (adapter, pd, cq), Some(shared), completions);
    Objects { ends, listener, shared, cq, pd }
}

/// Makes closes pending, while TCP stands still.
fn close_some(objects: &Objects) {
    let Objects { ends: [near, _], listener, shared, cq, pd } = *objects;
    assert_eq!(call!(near.qp, NdkSend, null_mut(), core::ptr::null(), 0, 0), STATUS_SUCCESS);
    let pending = |status| assert_eq!(status, STATUS_PENDING, "TCP stands still");
    pending(close!(pd, NdkClosePd));
    pending(close!(cq, NdkCloseCq));
    pending(close!(listener, NdkCloseListener));
    pending(close!(shared, NdkCloseSharedEndpoint));
    pending(close!(near.qp, NdkCloseQp));
    pending(close!(near.connector, NdkCloseConnector));
}

#[test]
fn pending_closes_over_tcp_that_stands_still_are_explained_alike_by_all_readers() {
    let images = Images::built(Path::new(env!("CARGO_MANIFEST_DIR"))).expect("the images are built");
    let folder = tempfile::tempdir().expect("the host has a folder");
    let dump = folder.path().join("wire.dmp");
    let consumer = Consumer::new(dump.clone());
    let machine = Machine::builder().boot();
    let mut config = AdapterConfig::new(INDEX, [IpAddr::V4(Ipv4Addr::from(IP))]);
    config.keywords.push(("ForceWire".to_owned(), "1".to_owned()));
    machine.add_adapters([config]);
    let mut driver = machine.load(&images.softndk).expect("the driver loads");
    machine.start_adapters(&mut driver).expect("its adapter starts");
    machine.settle();
    let adapter = machine.adapter(INDEX).expect("it runs");
    let opened = adapter.open_ndk(NDK_VERSION_2_1).expect("it opens");

    let objects = consume(|| connected(&consumer, opened));
    machine.settle();
    machine.hold_tcp(true);
    consume(|| close_some(&objects));
    consume(|| consumer.stop());
    let (pending, far) = (consumer.pending(), objects.ends[1]);
    machine.hold_tcp(false);
    consume(move || {
        close!(far.connector, NdkCloseConnector);
        close!(far.qp, NdkCloseQp);
    });
    machine.settle();
    wait(|| ndk::summary().pending.is_empty());
    consume(move || ndk::close_adapter(opened));
    // One that cannot be halted is a finding.
    let _ = adapter.halt();
    driver.unload();
    let report = machine.shutdown();
    assert!(report.is_clean(), "{report}");
    compare(&dump, &pending, &objects);
}

/// Holds the extension to the account of the provider, and the connections that it shows to those that were made.
fn compare(dump: &Path, pending: &[ndk::PendingClose], objects: &Objects) {
    let mut expected: Vec<String> = pending.iter().map(line).collect();
    let mut said: Vec<String> =
        extension(dump, &["pending"]).iter().map(|line| without_time(line).0).collect();
    expected.sort_unstable();
    said.sort_unstable();
    assert_eq!(said, expected);
    let [near, far] = objects.ends;
    let issued = ["its close issued"; 4];
    let closed = [near.qp.addr(), near.connector.addr(), objects.listener.addr(), objects.shared.addr()];
    for (handle, issued) in closed.into_iter().zip(issued) {
        let line = said.iter().find(|line| line.contains(&format!(" {handle:#x}: "))).expect("it pends");
        assert!(line.contains("TCP, which has ") && line.ends_with(issued), "{line}");
        assert!(!line.contains("without a handle"), "{line}");
    }
    let sends =
        |count| move |line: &&String| line.contains(&format!("TCP, which has {count} sends, its close"));
    assert_eq!(
        (said.iter().filter(sends(1)).count(), said.iter().filter(sends(0)).count()),
        (2, 2),
        "{said:#?}"
    );
    let open = extension(dump, &["why", &format!("{:#x}", far.connector.addr())]);
    assert!(
        open[0].contains(": open, in use by ") && open[0].ends_with("TCP, which has 0 sends"),
        "{open:?}"
    );
    let lines = extension(dump, &["connections"]);
    assert_eq!(lines.len(), 2, "{lines:#?}");
    for (end, way) in [(near, "from"), (far, "to")] {
        let shown = format!("; {way} connector {:#x} (", end.connector.addr());
        let line = lines.iter().find(|line| line.contains(&shown)).expect("each end is a connection");
        assert!(line.starts_with("10.0.0.12:") && line.contains(" -> 10.0.0.12:5000: "), "{line}");
        assert!(line.contains(&format!("QP {:#x} (", end.qp.addr())), "{line}");
    }
    let [from, to] =
        ["; from ", "; to "].map(|way| lines.iter().find(|line| line.contains(way)).expect("as above"));
    assert!(from.contains(": ending, by TCP, which has 1 sends, its close issued; from"), "{from}");
    assert!(to.contains(": established, by TCP, which has 0 sends; to"), "{to}");
}
