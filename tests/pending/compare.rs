//! Holds the readers of a dump to the account of the simulator and the provider.

use core::mem::offset_of;
use std::collections::BTreeSet;
use std::path::Path;

use ntsim::ndk;
use provider::debugger::Layout;

use crate::debuggers::{Counts, Foreign, lldb, without_time};
use crate::windbg::extension;
use crate::{End, WAIT};

/// The line of the extension for a close, as the provider accounts for it.
pub(crate) fn line(close: &ndk::PendingClose) -> String {
    let reasons = close.provider_report.as_ref().expect("the provider has the extension");
    let reasons: Vec<String> = reasons.iter().map(ToString::to_string).collect();
    format!("{} {:#x}: close pending, held by {}", close.kind, close.handle, reasons.join(", "))
}

/// The counts of an object, as the provider accounts for them.
fn counts(close: &ndk::PendingClose) -> Counts {
    let mut counts = Counts { closing: true, close_call: false, successors: 0, requests: 0, callbacks: 0 };
    for reason in close.provider_report.iter().flatten() {
        match reason {
            ndk::Reason::CloseCall => counts.close_call = true,
            // The QPs of the test complete into one CQ both ways, and hold it twice.
            ndk::Reason::Successor { .. } => {
                counts.successors += if close.kind == ndk::Kind::Cq { 2 } else { 1 }
            }
            ndk::Reason::Nameless(count) => counts.successors += u64::from(*count),
            ndk::Reason::Requests(count) => counts.requests += u64::from(*count),
            ndk::Reason::Callbacks(count) => counts.callbacks += u64::from(*count),
            // It is no count of the word's.
            ndk::Reason::Network { .. } => {}
        }
    }
    counts
}

/// Holds the readers of a dump to the account of the simulator and the provider.
pub(crate) fn compare(dump: &Path, images: &Path, pending: &[ndk::PendingClose]) {
    let kinds: BTreeSet<_> = pending.iter().map(|close| close.kind.to_string()).collect();
    let all: BTreeSet<_> = ndk::Kind::ALL.iter().map(ToString::to_string).collect();
    assert_eq!(kinds, all, "{pending:#?}");
    let mut expected: Vec<String> = pending.iter().map(line).collect();
    for holder in
        ["successors without a handle", "requests in progress", "callbacks in progress", "connector 0x"]
    {
        assert!(expected.iter().any(|line| line.contains(holder)), "{holder}: {expected:#?}");
    }
    let (objects, foreign) = (lldb(dump, images), Foreign::open(dump));
    let comment = foreign.comment();
    for close in pending {
        let why = extension(dump, &["why", &format!("{:#x}", close.handle)]);
        let [why] = &why[..] else { panic!("{why:?}") };
        let (text, time) = without_time(why);
        assert_eq!(text, line(close));
        let time = time.expect("the time is known");
        let since = close.since.as_secs_f64();
        assert!((time - since).abs() < 1.0, "{why}: the simulator says {since}");
        let first = close.kind == ndk::Kind::Adapter;
        assert!(!first || time >= WAIT.as_secs_f64(), "{why}: a time has passed");
        assert_eq!(objects.get(&close.handle.get()).map(|(_, counts)| *counts), Some(counts(close)), "{why}");
        assert_eq!(foreign.counts(close.handle.get()), counts(close), "{why}");
        let named = format!("the close of {} {:#x} is pending for", close.kind, close.handle);
        assert!(comment.contains(&named), "{named}: {comment}");
        // The simulator's own account names the same successors; of a bind that has no result it does not know.
        let successors = |reason: &&ndk::Reason| matches!(reason, ndk::Reason::Successor { .. });
        let named = close.provider_report.iter().flatten().filter(successors).map(ToString::to_string);
        let named: BTreeSet<_> =
            named.filter(|name| close.kind != ndk::Kind::Mr || !name.starts_with("MW ")).collect();
        let own = close.successors.iter().map(ToString::to_string);
        assert_eq!(named, own.collect(), "{close}");
    }
    let mut said: Vec<String> =
        extension(dump, &["pending"]).iter().map(|line| without_time(line).0).collect();
    said.sort_unstable();
    expected.sort_unstable();
    assert_eq!(said, expected);
    let closing = objects.values().filter(|(_, counts)| counts.closing).count();
    assert_eq!(closing, pending.len(), "lldb finds no other close");
    assert_eq!(extension(dump, &["objects"]).len(), objects.len());
    let unknown = extension(dump, &["why", "0x1234560"]);
    assert_eq!(unknown, ["0x1234560 is no object of softndk, or no longer"]);
}

/// Holds the connections that the extension shows to those that the consumer has made: of the first one the QP was closed.
pub(crate) fn compare_connections(dump: &Path, [first, second]: [[End; 2]; 2]) {
    let lines = extension(dump, &["connections"]);
    assert_eq!(lines.len(), 2, "{lines:#?}");
    let line = |[near, far]: [End; 2]| {
        let handles = [near.connector.addr(), near.qp.addr(), far.connector.addr(), far.qp.addr()];
        let places = |line: &String| handles.map(|handle| line.find(&format!(" {handle:#x} (")));
        let line =
            lines.iter().find(|line| places(line).is_sorted() && places(line).iter().all(Option::is_some));
        line.unwrap_or_else(|| panic!("{handles:x?}: {lines:#?}"))
    };
    let (first, second) = (line(first), line(second));
    assert!(second.contains(":5000: established, 0 transfers in progress; from connector"), "{second}");
    assert!(second.starts_with("10.0.0.12:") && second.contains(" -> 10.0.0.12:5000: "), "{second}");
    assert!(first.contains(":5000: disconnected; from connector") && first.contains("(closing"), "{first}");
    // A driver of a later version has links that this extension does not know.
    let table = offset_of!(Layout, connection.loopback) + 16;
    let mut bytes = std::fs::read(dump).expect("the dump can be read");
    let at = bytes.windows(16).position(|words| words == [*b"softndk\0", 3_u64.to_le_bytes()].concat());
    bytes[at.expect("the dump has the table") + table] = 99;
    let changed = dump.with_extension("changed");
    std::fs::write(&changed, bytes).expect("the host has room");
    let lines = extension(&changed, &["connections"]);
    assert_eq!(lines.len(), 4, "{lines:#?}");
    assert!(lines.iter().all(|line| line.ends_with(": a connection of unknown kind 1")), "{lines:#?}");
    assert_eq!(extension(&changed, &["pending"]).len(), extension(dump, &["pending"]).len());
}
