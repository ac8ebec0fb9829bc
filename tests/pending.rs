//! Pending closes of a stopped machine, by three accounts: the simulator's, the provider's, and that of the debugger's
//! extension over a dump of the same moment.

#![cfg(not(windows))]
#![expect(unsafe_code, reason = "the test calls the provider as a consumer does")]
#![allow(clippy::expect_used, clippy::panic, reason = "a test ends when what it needs is not there")]
#![allow(clippy::std_instead_of_alloc, reason = "the rest comes from std too")]

use core::ffi::c_void;
use core::iter;
use core::net::{IpAddr, Ipv4Addr};
use core::ptr::{null, null_mut};
use core::sync::atomic::{AtomicPtr, Ordering};
use core::time::Duration;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;
use std::time::Instant;

use ntsim::ndis::AdapterConfig;
use ntsim::{Machine, boundary, dump, ndk, sched};
use runner::Images;
use sys::ndk::{NDK_CQ, NDK_CQ_NOTIFY_ANY, NDK_MR, NDK_MW, NDK_OBJECT_HEADER, NDK_QP, NDK_VERSION_2_1};
use sys::status::{NTSTATUS, STATUS_PENDING, STATUS_SUCCESS};

const INDEX: u32 = 12;

const EXTENSION: &str = "windbg/softndk.js";

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

/// The number of dumps until one is of a moment in which no close ended.
const TRIES: u32 = 20;

/// The longest time until a notification and a dump on a host that is busy.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A consumer that is called in the middle of its closes.
struct Consumer {
    /// The CQ whose notification closes it.
    cq: AtomicPtr<NDK_CQ>,
    dump: PathBuf,
    /// The simulator's account when the dump was written.
    pending: Mutex<Vec<ndk::PendingClose>>,
}

unsafe extern "efiapi" fn created(_: *mut c_void, _: NTSTATUS, _: *mut NDK_OBJECT_HEADER) {}

unsafe extern "efiapi" fn closed(_: *mut c_void) {}

/// Calls the function in a slot of an object's table.
macro_rules! call {
    ($object:expr, $slot:ident $(, $argument:expr)*) => {{
        let object = $object;
        // SAFETY: the object is open.
        let table = unsafe { (*object).Dispatch };
        // SAFETY: the table of an open object is a static.
        let function = unsafe { (*table).$slot }.expect("no slot is empty");
        // SAFETY: the arguments are those of the function, and live during the call.
        unsafe { function(object.cast(), $($argument),*) }
    }};
}

/// Creates an object by the function in a slot of another one's table.
macro_rules! create {
    ($object:expr, $slot:ident $(, $argument:expr)*) => {{
        let mut made = null_mut();
        let status = call!($object, $slot $(, $argument)*, Some(created), null_mut(), &raw mut made);
        assert_eq!(status, STATUS_SUCCESS, "{}", stringify!($slot));
        made
    }};
}

/// Closes an object, and returns the status of the close.
macro_rules! close {
    ($object:expr, $slot:ident) => {
        call!($object, $slot, Some(closed), null_mut())
    };
}

/// The notification of the consumer's CQ: it closes the CQ inside, and stops to look.
unsafe extern "efiapi" fn notified(context: *mut c_void, _: NTSTATUS) {
    // SAFETY: the context is the consumer of the test, which outlives its machine.
    let consumer = unsafe { &*context.cast::<Consumer>() };
    let cq = consumer.cq.swap(null_mut(), Ordering::AcqRel);
    if cq.is_null() {
        return;
    }
    assert_eq!(close!(cq, NdkCloseCq), STATUS_PENDING, "a close waits for the callback that it is called in");
    // Other threads go on with their closes: the account before a dump and behind it has to be the same.
    for _ in 0..TRIES {
        let before = ndk::summary().pending;
        dump::write(&consumer.dump).expect("the dump is written");
        let after = ndk::summary().pending;
        if before.iter().map(line).eq(after.iter().map(line)) {
            *consumer.pending.lock().expect("no test has failed here") = after;
            return;
        }
    }
    panic!("the pending closes do not stay as they are");
}

/// Runs a consumer's code.
fn consume<R: 'static>(code: impl FnOnce() -> R) -> R {
    let _attached = sched::current().is_none().then(|| sched::attach("consumer"));
    boundary::call_driver("consumer", code)
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The output of a program of `tests/windbg`, run by Node with its own parser at hand.
fn node(program: &str, script: &Path, arguments: &[&OsStr]) -> Output {
    Command::new("node")
        .arg("--expose-internals")
        .arg(root().join("tests/windbg").join(program))
        .arg(script)
        .args(arguments)
        .output()
        .expect("node runs; it is in Debian's package nodejs")
}

/// The lines that a command of the extension answers with.
fn extension(dump: &Path, arguments: &[&str]) -> Vec<String> {
    let arguments: Vec<&OsStr> =
        iter::once(dump.as_os_str()).chain(arguments.iter().map(OsStr::new)).collect();
    let output = node("host.js", &root().join(EXTENSION), &arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

/// The line of the extension for a close, as the provider accounts for it.
fn line(close: &ndk::PendingClose) -> String {
    let reasons = close.provider_report.as_ref().expect("the provider has the extension");
    let reasons: Vec<String> = reasons.iter().map(ToString::to_string).collect();
    format!("{} {:#x}: close pending, held by {}", close.kind, close.handle, reasons.join(", "))
}

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

#[test]
fn pending_closes_are_explained_alike_by_simulator_provider_and_extension() {
    let image = Images::built(Path::new(env!("CARGO_MANIFEST_DIR"))).expect("the images are built").softndk;
    let folder = tempfile::tempdir().expect("the host has a folder");
    let consumer = Consumer {
        cq: AtomicPtr::new(null_mut()),
        dump: folder.path().join("pending.dmp"),
        pending: Mutex::new(Vec::new()),
    };
    let machine = Machine::builder().boot();
    machine.add_adapters([AdapterConfig::new(INDEX, [IpAddr::V4(Ipv4Addr::new(10, 0, 0, 12))])]);
    let mut driver = machine.load(image).expect("the driver loads");
    machine.start_adapters(&mut driver).expect("its adapter starts");
    let adapter = machine.adapter(INDEX).expect("it runs");
    let opened = adapter.open_ndk(NDK_VERSION_2_1).expect("it opens");

    let context: *mut c_void = (&raw const consumer).cast_mut().cast();
    let (successors, region, window): (*mut NDK_QP, *mut NDK_MR, *mut NDK_MW) = consume(|| {
        let cq = create!(opened, NdkCreateCq, 8, Some(notified), context, null_mut());
        let pd = create!(opened, NdkCreatePd);
        let region = create!(pd, NdkCreateMr, 0);
        let window = create!(pd, NdkCreateMw);
        let srq = create!(pd, NdkCreateSrq, 8, 1, 0, None, null_mut(), null_mut());
        let qp = create!(pd, NdkCreateQpWithSrq, cq, cq, srq, null_mut(), 4, 1, 0);
        let other = create!(opened, NdkCreateCq, 8, Some(notified), context, null_mut());
        let flushed = create!(pd, NdkCreateQp, other, other, null_mut(), 4, 4, 1, 1, 0);
        consumer.cq.store(other, Ordering::Release);
        assert_eq!(call!(flushed, NdkReceive, null_mut(), null(), 0), STATUS_SUCCESS);
        call!(other, NdkArmCq, NDK_CQ_NOTIFY_ANY);
        for status in [close!(cq, NdkCloseCq), close!(srq, NdkCloseSrq), close!(pd, NdkClosePd)] {
            assert_eq!(status, STATUS_PENDING, "an antecedent outlives its successors");
        }
        // Its receive is cancelled, of which the other CQ's notification tells.
        close!(flushed, NdkCloseQp);
        (qp, region, window)
    });
    // The notification comes from a processor that the consumer prefers, like an interrupt.
    let looked = || consumer.pending.lock().expect("no callback has failed").clone();
    let begin = Instant::now();
    while looked().is_empty() && begin.elapsed() < TIMEOUT {
        std::thread::sleep(Duration::from_millis(10));
    }
    machine.settle();
    let pending = looked();

    let mut expected: Vec<String> = pending.iter().map(line).collect();
    expected.sort_unstable();
    assert!(
        expected.len() >= 4,
        "CQ, SRQ and PD, and the CQ that was closed inside its callback: {expected:#?}"
    );
    assert!(expected.iter().any(|line| line.contains("callbacks in progress")), "{expected:#?}");
    let mut said = extension(&consumer.dump, &["pending"]);
    said.sort_unstable();
    assert_eq!(said, expected);
    for close in &pending {
        assert_eq!(extension(&consumer.dump, &["why", &format!("{:#x}", close.handle)]), [line(close)]);
        // The simulator's own account names the same successors.
        let named = close.provider_report.iter().flatten();
        let named: Vec<_> = named.filter(|reason| matches!(reason, ndk::Reason::Successor { .. })).collect();
        assert!(
            close
                .successors
                .iter()
                .all(|own| named.iter().any(|reason| reason.to_string() == own.to_string())),
            "{close}"
        );
    }
    assert!(extension(&consumer.dump, &["objects"]).len() > pending.len());
    let unknown = extension(&consumer.dump, &["why", "0x1234560"]);
    assert_eq!(unknown, ["0x1234560 is no object of softndk, or no longer"]);

    consume(move || {
        close!(successors, NdkCloseQp);
        close!(region, NdkCloseMr);
        close!(window, NdkCloseMw);
    });
    machine.settle();
    consume(move || ndk::close_adapter(opened));
    // One that cannot be halted is a finding.
    let _ = adapter.halt();
    driver.unload();
    let report = machine.shutdown();
    assert!(report.is_clean(), "{report}");
}
