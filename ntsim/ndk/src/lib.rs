//! The NDK layer: what Windows has between an NDK consumer and an NDK provider, and the place from which
//! the rules of the interface are watched for any consumer and any provider.
//!
//! A consumer opens an adapter through Winsock Kernel, as it does on Windows, which hands it over with
//! [`open_adapter`]. The objects it gets are the provider's own, but their dispatch pointers lead to the layer's
//! tables: each function checks what the consumer passes, calls the provider's with the layer's own completion and events in
//! place of the consumer's, and checks what comes back, then and whenever it comes.
//!
//! ```text
//! consumer ─▶ layer's table ─▶ call ─▶ provider
//!                               │          │
//!                    tracked ◀──┤          ▼
//!                               └── layer's callback ─▶ consumer
//! ```
//!
//! - `tracked`: an object as the layer tracks it; `dependencies`: which must outlive which;
//! - `context`, `callback`, `request`, `close`: what goes to the provider in place of the
//!   consumer's callbacks, and what may come back;
//! - `explain`: what still holds a close;
//! - `boundary`: which side a thread is on;
//! - `work`, `arm_model`, `token`, `address`: models of what the provider may do on the data path, with
//!   memory, and with local addresses;
//! - the rest: one file per object;
//! - [`rules`]: what is watched.
//!
//! For the author of a driver that is a provider or a consumer: the layer needs no other part of the simulator. Open an
//! adapter with [`open_adapter`] by the provider's handlers; use what it returns as a consumer of Windows does.
//!
//! A mistake of the provider's is a finding, and a completion or an event that must not have come does not
//! reach the consumer. A mistake of the consumer's is a finding too, and a call that must not have been made
//! does not reach the provider.

#![cfg(not(windows))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_lossless,
    clippy::std_instead_of_alloc,
    reason = "a tool that runs in user mode: a broken invariant of its own stops it loudly"
)]
#![cfg_attr(
    test,
    allow(
        clippy::multiple_unsafe_ops_per_block,
        clippy::undocumented_unsafe_blocks,
        reason = "a test plays a driver: its calls belong together, and break rules on purpose"
    )
)]

mod adapter;
mod adapter_exports;
mod address;
mod arm_model;
mod boundary;
mod call;
mod callback;
mod close;
mod connection;
mod connector_exports;
mod context;
mod cq;
mod dependencies;
mod direct;
mod explain;
mod extension;
mod header;
mod kind;
mod listener;
mod memory;
mod objects;
mod pd;
mod post;
mod provider_report;
mod qp;
mod request;
mod request_id;
mod result;
pub mod rules;
mod serialization;
mod srq;
mod statistics;
mod tables;
mod token;
mod tracked;
mod type_state;
mod work;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use core::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use core::time::Duration;
use std::collections::HashMap;

pub use adapter::{Opened, close_adapter, open_adapter};
use explain::pending_closes;
pub use explain::{PendingClose, Successor, Summary, summary};
pub use kind::Kind;
pub use provider_report::Reason;
pub use statistics::{Closes, Statistics};

use ntsim_core::Export;
use ntsim_core::address::Va;
use ntsim_core::per_machine::PerMachine;
use ntsim_core::subsystem::Subsystem;
use ntsim_core::verifier::{self, Finding};
use parking_lot::Mutex;
use sys::ndk::NDK_VERSION;

/// The functions of this folder; consumers and providers reach them through tables.
const EXPORTS: &[&[Export]] = &[
    adapter_exports::EXPORTS,
    callback::EXPORTS,
    close::EXPORTS,
    connector_exports::EXPORTS,
    cq::EXPORTS,
    extension::EXPORTS,
    listener::EXPORTS,
    memory::EXPORTS,
    pd::EXPORTS,
    qp::EXPORTS,
    srq::EXPORTS,
];

/// The layer, as the one part that a machine needs to have it.
pub const SUBSYSTEMS: &[&dyn Subsystem] = &[&Ndk];

/// The layer between the consumers and providers of RDMA.
struct Ndk;

impl Subsystem for Ndk {
    fn exports(&self) -> &'static [&'static [Export]] {
        EXPORTS
    }

    fn inspect(&self) {
        LAYER.get().inspect();
    }

    fn describe_hang(&self, report: &mut String) {
        for close in pending_closes() {
            report.push_str(&format!("\n  {close}"));
        }
    }
}

/// The extent of the layer's checks.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Checks {
    /// Everything.
    #[default]
    Full,
    /// Everything but the data path: posts and polls go straight to the provider, so that a run can
    /// measure the provider.
    Lifetimes,
    /// Nothing: the consumer gets the provider's own objects, with the provider's own tables, so that a run
    /// can measure creates and closes too.
    None,
}

/// [`Checks`] as a number, for a cell that is read on every open.
const CHECKS: [Checks; 3] = [Checks::Full, Checks::Lifetimes, Checks::None];

/// The state of the layer.
#[derive(Default)]
struct Layer {
    objects: objects::Objects,
    contexts: context::Contexts,
    statistics: statistics::Counters,
    serial: AtomicU32,
    /// An index into [`CHECKS`].
    checks: AtomicUsize,
    /// Adapters that were handed over unchecked.
    unchecked: Mutex<HashMap<Va, adapter::CloseHandler>>,
    tokens: token::Tokens,
    endpoints: address::Endpoints,
    notification_limit: NotificationLimit,
}

/// The longest time for which a CQ notification may be owed, in units of 100 ns.
struct NotificationLimit(AtomicU64);

impl Default for NotificationLimit {
    fn default() -> Self {
        Self(AtomicU64::new(10 * 10_000_000))
    }
}

static LAYER: PerMachine<Layer> = PerMachine::new();

impl Layer {
    fn inspect(&self) {
        self.objects.all().iter().for_each(close::abandoned);
        for adapter in self.unchecked.lock().drain() {
            found(rules::OBJECT_LEAKED, format!("the adapter at {:#x} was not closed", adapter.0));
        }
        self.contexts.clear();
        self.tokens.clear();
        self.endpoints.clear();
    }
}

impl Layer {
    fn notification_limit(&self) -> u64 {
        self.notification_limit.0.load(Ordering::Relaxed)
    }

    fn next_serial(&self) -> u32 {
        self.serial.fetch_add(1, Ordering::Relaxed) + 1
    }
}

impl Layer {
    /// Returns the checks for an adapter that is opened now. Tables older than 1.2 lack functions of the data
    /// path that the direct tables have, so such adapters get the others.
    fn checks_for(&self, version: NDK_VERSION) -> Checks {
        let has_all = (version.Major, version.Minor) >= (1, 2);
        match CHECKS[self.checks.load(Ordering::Relaxed)] {
            Checks::Lifetimes if !has_all => Checks::Full,
            checks => checks,
        }
    }
}

/// Sets how long a CQ notification may be owed before that is a finding; 10 seconds unless it is set.
pub fn set_notification_limit(limit: Duration) {
    let units = u64::try_from(limit.as_nanos() / 100).unwrap_or(u64::MAX);
    layer().notification_limit.0.store(units, Ordering::Relaxed);
}

/// Sets how much is checked on adapters that are opened from now on.
pub fn set_checks(checks: Checks) {
    layer().checks.store(checks as usize, Ordering::Relaxed);
}

/// The running machine's layer.
#[inline]
fn layer() -> &'static Layer {
    LAYER.get()
}

/// Returns the counts of calls, callbacks and closes since the machine was booted.
pub fn statistics() -> Statistics {
    layer().statistics.snapshot()
}

#[cold]
fn found(rule: &'static str, text: String) {
    verifier::report(Finding::new(rule).text(text));
}
