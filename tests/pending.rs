//! Pending closes of a stopped machine, of every kind of object, by six accounts: the simulator's, the provider's, and over a
//! dump of the same moment those of the debugger's extension, of lldb, and of the crate `minidump` and the dump's comment.
//!
//! | kind | its close waits for |
//! |---|---|
//! | adapter | a PD of its opening |
//! | PD | the objects upon it, open and closing |
//! | CQ | a QP; the notification in which it was closed |
//! | SRQ | a QP |
//! | QP | the connector that connected with it |
//! | MR | the window that is bound to it, and a bind in a send queue: a successor without a handle |
//! | MW | a bind in a send queue, behind a send that the peer has no receive for: a request |
//! | connector | the disconnect event in which it was closed |
//! | listener | a connector that it indicated |
//! | shared endpoint | a connector that connected from it |

#![cfg(not(windows))]
#![expect(unsafe_code, reason = "the test calls the provider as a consumer does")]
#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, reason = "as below")]
#![allow(clippy::expect_used, clippy::panic, reason = "a test ends when what it needs is not there")]
#![allow(clippy::std_instead_of_alloc, reason = "the rest comes from std too")]

#[macro_use]
#[path = "pending/consumer.rs"]
mod consumer;
#[path = "pending/compare.rs"]
mod compare;
#[path = "pending/debuggers.rs"]
mod debuggers;
#[path = "windbg/extension.rs"]
mod windbg;
#[path = "pending/wire.rs"]
mod wire;

use core::net::{IpAddr, Ipv4Addr};
use core::ptr::{null, null_mut};
use core::sync::atomic::Ordering;
use core::time::Duration;
use std::path::Path;
use std::thread::JoinHandle;

use compare::{compare, compare_connections};
use consumer::{BYTES, Consumer, Memory, address, consume, disconnected, done, notified, requested};
use ntsim::ndis::AdapterConfig;
use ntsim::{Machine, ndk};
use runner::Images;
use sys::ndk::{
    NDK_ADAPTER, NDK_CONNECTOR, NDK_CQ, NDK_CQ_NOTIFY_ANY, NDK_LISTENER, NDK_MR,
    NDK_MR_FLAG_ALLOW_LOCAL_WRITE, NDK_MW, NDK_OP_FLAG_ALLOW_REMOTE_READ, NDK_OP_FLAG_SILENT_SUCCESS, NDK_PD,
    NDK_QP, NDK_SHARED_ENDPOINT, NDK_VERSION_2_1,
};
use sys::status::{STATUS_PENDING, STATUS_SUCCESS};
use windbg::node;

const INDEX: u32 = 12;

/// The address of the adapter, and the port of its listener.
const IP: [u8; 4] = [10, 0, 0, 12];
const PORT: u16 = 5000;

/// The time between the first closes and the last ones.
const WAIT: Duration = Duration::from_millis(300);

/// Constructs that ECMAScript 6 does not have, by the edition that added them: syntax first, then library.
const LATER: &[&str] = &[
    "2 ** 3",
    "Math.max(1, 2,)",
    "async () => 1",
    "({ ...{ a: 1 } })",
    "try { } catch { }",
    "null?.a",
    "null ?? 1",
    "0n",
    "[1].includes(1)",
    "Object.entries({})",
    "Object.values({})",
    "'1'.padStart(2)",
    "[[1]].flatMap(inner => inner)",
    "Object.fromEntries([])",
    "BigInt(1)",
    "globalThis",
    "[1].at(0)",
];

#[test]
fn script_of_later_edition_than_the_debugger_engine_is_refused() {
    let folder = tempfile::tempdir().expect("the host has a folder");
    let script = folder.path().join("script.js");
    let run = |text: &str| {
        std::fs::write(&script, format!("\"use strict\";\n{text};\n")).expect("the script is written");
        node("engine.js", &script, &[])
    };
    for text in LATER {
        let output = run(text);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        let refused = ["SyntaxError", "TypeError", "ReferenceError"].iter().any(|kind| error.contains(kind));
        assert!(!output.status.success() && refused, "{text}: {error}");
    }
    let own = run("const [first, ...rest] = Array.from([1, 2]); `${first}${rest.map(one => one + 1)}`");
    assert!(own.status.success(), "{}", String::from_utf8_lossy(&own.stderr));
}

/// One end of a connection.
#[derive(Clone, Copy)]
struct End {
    qp: *mut NDK_QP,
    connector: *mut NDK_CONNECTOR,
}

/// Connects two new QPs of a PD by a listener, from a shared endpoint: the end that connects, and the other one.
fn connect(
    consumer: &Consumer,
    (adapter, pd, cq): (*mut NDK_ADAPTER, *mut NDK_PD, *mut NDK_CQ),
    shared: Option<*mut NDK_SHARED_ENDPOINT>,
    completed: u32,
) -> [End; 2] {
    let context = consumer.context();
    let [near, far] = [(); 2].map(|()| create!(pd, NdkCreateQp, cq, cq, null_mut(), 4, 4, 1, 1, 0));
    let connector: *mut NDK_CONNECTOR = create!(adapter, NdkCreateConnector);
    let (to, length) = (address(IP, PORT), 16);
    let to = (&raw const to).cast();
    let status = match shared {
        Some(shared) => {
            call!(
                connector,
                NdkConnectWithSharedEndpoint,
                near,
                shared,
                to,
                length,
                0,
                0,
                null(),
                0,
                Some(done),
                context
            )
        }
        None => {
            let from = address(IP, 0);
            let from = (&raw const from).cast();
            call!(connector, NdkConnect, near, from, length, to, length, 0, 0, null(), 0, Some(done), context)
        }
    };
    assert_eq!(status, STATUS_PENDING, "a connect waits for its peer");
    let passive = consumer.next_offered();
    let accepted =
        call!(passive, NdkAccept, far, 0, 0, null(), 0, Some(disconnected), context, Some(done), context);
    assert_eq!(accepted, STATUS_PENDING, "an accept waits for its peer");
    consumer.await_completed(completed + 1);
    let status = call!(connector, NdkCompleteConnect, Some(disconnected), context, Some(done), context);
    assert_eq!(status, STATUS_SUCCESS, "it completes inline");
    consumer.await_completed(completed + 2);
    [End { qp: near, connector }, End { qp: far, connector: passive }]
}

/// Objects that outlive the stop.
struct Left {
    ends: [[End; 2]; 2],
    cq: *mut NDK_CQ,
    pds: [*mut NDK_PD; 2],
    windows: [*mut NDK_MW; 2],
    region: *mut NDK_MR,
    qp: *mut NDK_QP,
    /// The thread in which the other opening is closed.
    closer: JoinHandle<()>,
}

/// Makes closes of every kind pending, and stops the machine in the middle of two of them.
fn stop(consumer: &Consumer, memory: &mut Memory, [adapter, other]: [*mut NDK_ADAPTER; 2]) -> Left {
    let context = consumer.context();
    // The other opening, whose close waits for its PD.
    let outer: *mut NDK_PD = create!(other, NdkCreatePd);
    let closer = consumer::close_in_thread(other);
    // A tree of which nothing is connected.
    let cq = create!(adapter, NdkCreateCq, 8, Some(notified), context, null_mut());
    let pd: *mut NDK_PD = create!(adapter, NdkCreatePd);
    let region: *mut NDK_MR = create!(pd, NdkCreateMr, 0);
    let window: *mut NDK_MW = create!(pd, NdkCreateMw);
    let srq = create!(pd, NdkCreateSrq, 8, 1, 0, None, null_mut(), null_mut());
    let qp = create!(pd, NdkCreateQpWithSrq, cq, cq, srq, null_mut(), 4, 1, 0);
    let flushed_cq: *mut NDK_CQ = create!(adapter, NdkCreateCq, 8, Some(notified), context, null_mut());
    let flushed: *mut NDK_QP = create!(pd, NdkCreateQp, flushed_cq, flushed_cq, null_mut(), 4, 4, 1, 1, 0);
    consumer.cq.store(flushed_cq, Ordering::Release);
    assert_eq!(call!(flushed, NdkReceive, null_mut(), null(), 0), STATUS_SUCCESS);
    call!(flushed_cq, NdkArmCq, NDK_CQ_NOTIFY_ANY);
    // Two connections.
    let listener: *mut NDK_LISTENER = create!(adapter, NdkCreateListener, Some(requested), context);
    let listened = wire::listen(consumer, listener);
    let shared = wire::share(adapter);
    let used: *mut NDK_PD = create!(adapter, NdkCreatePd);
    let used_cq: *mut NDK_CQ = create!(adapter, NdkCreateCq, 64, Some(notified), context, null_mut());
    let first = connect(consumer, (adapter, used, used_cq), Some(shared), listened);
    let second = connect(consumer, (adapter, used, used_cq), None, listened + 2);
    // A region with a window that is bound to it, and one that is to be.
    let bound_to: *mut NDK_MR = create!(used, NdkCreateMr, 0);
    let flags = NDK_MR_FLAG_ALLOW_LOCAL_WRITE;
    let status = call!(bound_to, NdkRegisterMr, memory.list(), BYTES, flags, Some(done), context);
    assert_eq!(status, STATUS_SUCCESS);
    let [bound, late]: [*mut NDK_MW; 2] = [(); 2].map(|()| create!(used, NdkCreateMw));
    let mut bind = |window| {
        let flags = NDK_OP_FLAG_ALLOW_REMOTE_READ | NDK_OP_FLAG_SILENT_SUCCESS;
        let at = memory.start();
        assert_eq!(
            call!(second[0].qp, NdkBind, null_mut(), bound_to, window, at, BYTES, flags),
            STATUS_SUCCESS
        );
    };
    bind(bound);
    // The closes.
    let pending = |status| assert_eq!(status, STATUS_PENDING, "an antecedent outlives its successors");
    pending(close!(cq, NdkCloseCq));
    pending(close!(srq, NdkCloseSrq));
    pending(close!(pd, NdkClosePd));
    pending(close!(listener, NdkCloseListener));
    pending(close!(shared, NdkCloseSharedEndpoint));
    std::thread::sleep(WAIT);
    // Its receive is cancelled, of which the CQ's notification tells.
    close!(flushed, NdkCloseQp);
    consumer.await_notified();
    // The send waits for a receive of the peer, and the bind behind it.
    assert_eq!(call!(second[0].qp, NdkSend, null_mut(), null(), 0, 0), STATUS_SUCCESS);
    bind(late);
    pending(close!(bound_to, NdkCloseMr));
    pending(close!(late, NdkCloseMw));
    // The connection breaks, of which the other end's disconnect event tells.
    consumer.connector.store(first[1].connector, Ordering::Release);
    pending(close!(first[0].qp, NdkCloseQp));
    let (pds, windows) = ([used, outer], [window, bound]);
    Left { ends: [first, second], cq: used_cq, pds, windows, region, qp, closer }
}
/// Closes what is left, from the connections to what they were made upon.
fn close_rest(left: Left) -> JoinHandle<()> {
    let Left { ends: [first, second], cq, pds, windows, region, qp, closer } = left;
    for connector in [first[0].connector, second[0].connector, second[1].connector] {
        close!(connector, NdkCloseConnector);
    }
    for qp in [first[1].qp, second[0].qp, second[1].qp, qp] {
        close!(qp, NdkCloseQp);
    }
    close!(region, NdkCloseMr);
    for window in windows {
        close!(window, NdkCloseMw);
    }
    close!(cq, NdkCloseCq);
    for pd in pds {
        close!(pd, NdkClosePd);
    }
    closer
}

#[test]
fn pending_closes_of_each_kind_are_explained_alike_by_all_readers() {
    let images = Images::built(Path::new(env!("CARGO_MANIFEST_DIR"))).expect("the images are built");
    let folder = tempfile::tempdir().expect("the host has a folder");
    let dump = folder.path().join("pending.dmp");
    let (consumer, mut memory) = (Consumer::new(dump.clone()), Memory::new());
    let machine = Machine::builder().boot();
    machine.add_adapters([AdapterConfig::new(INDEX, [IpAddr::V4(Ipv4Addr::from(IP))])]);
    let mut driver = machine.load(&images.softndk).expect("the driver loads");
    machine.start_adapters(&mut driver).expect("its adapter starts");
    let adapter = machine.adapter(INDEX).expect("it runs");
    let [opened, other] = [(); 2].map(|()| adapter.open_ndk(NDK_VERSION_2_1).expect("it opens"));

    let left: Left = consume(|| stop(&consumer, &mut memory, [opened, other]));
    // The events come from processors, like interrupts.
    consumer.await_stop();
    machine.settle();
    let (pending, ends) = (consumer.pending(), left.ends);
    consume(move || close_rest(left)).join().expect("the adapter is closed");
    machine.settle();
    consume(move || ndk::close_adapter(opened));
    // One that cannot be halted is a finding.
    let _ = adapter.halt();
    driver.unload();
    let report = machine.shutdown();
    assert!(report.is_clean(), "{report}");

    let built = images.softndk.parent().expect("the images are in a folder");
    compare(&dump, built, &pending);
    compare_connections(&dump, ends);
}
