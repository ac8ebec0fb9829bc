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
//!                     object    └── layer's callback ─▶ consumer
//! ```
//!
//! # Layers
//!
//! A module uses those below it only.
//!
//! | module | contents |
//! |---|---|
//! | `adapter` | opening and closing an adapter |
//! | `tables` | the dispatch tables that objects point to in place of the provider's |
//! | `exports` | the functions that consumers call, a file for each kind of object |
//! | `request`, `post`, `result` | functions that take a completion; posts of work requests; their results |
//! | `callback` | the callbacks that the provider gets in place of the consumer's |
//! | `completion`, `connection`, `explain` | completions of creates and requests; events of connectors; what holds a close |
//! | `close`, `notification`, `provider_report` | the end of a close; notifications that do not come; the provider's own report |
//! | `call`, `track`, `memory` | a call into the provider; a new object; the effects of work requests on memory |
//! | `layer` | the state of the layer, one per machine |
//! | `context` | the contexts that the provider gets in place of the consumer's |
//! | `endpoints`, `tokens`, `registry` | models of local addresses and of memory tokens; every open object |
//! | `object` | an object as the layer tracks it: its stage, its dependencies, the state of its kind |
//! | `arm_model`, `header`, `serialization`, `work` | models of notifications and of work requests; the header of an object; calls that must not overlap |
//! | `boundary`, `checks`, `request_id`, `statistics` | the side that a thread is on; the extent of the checks; request contexts; counts |
//! | `kind`, [`rules`] | the kinds of objects; what is watched |
//!
//! For the author of a driver that is a provider or a consumer: the layer needs no other part of the simulator. Open an
//! adapter with [`open_adapter`] by the provider's handlers; use what it returns as a consumer of Windows does.
//!
//! ```
//! use ntsim_core::boot::{Builder, Machine};
//! use softndk_ntsim_ndk::{Checks, Opened, SUBSYSTEMS, open_adapter, rules, set_checks};
//! use sys::ndk::NDK_VERSION;
//!
//! let machine: Machine = Builder::new(&[SUBSYSTEMS]).boot();
//! set_checks(Checks::Full);
//! // In place of these: what the provider's handlers returned, and a call of the one that closes.
//! let opened = Opened { adapter: core::ptr::null_mut(), close: Box::new(|_adapter| {}) };
//! let consumers = open_adapter(NDK_VERSION { Major: 2, Minor: 0 }, opened);
//! // A null pointer is no adapter: the layer says so, and the consumer gets none.
//! assert!(consumers.is_none());
//! assert_eq!(machine.shutdown().rules(), [rules::OBJECT_HEADER]);
//! ```
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
mod arm_model;
mod boundary;
mod call;
#[expect(unsafe_code, reason = "calls between consumers and providers pass addresses")]
mod callback;
mod checks;
mod close;
mod completion;
mod connection;
#[expect(unsafe_code, reason = "calls between consumers and providers pass addresses")]
mod context;
#[expect(unsafe_code, reason = "calls between consumers and providers pass addresses")]
mod endpoints;
mod explain;
#[expect(unsafe_code, reason = "calls between consumers and providers pass addresses")]
mod exports;
#[expect(unsafe_code, reason = "calls between consumers and providers pass addresses")]
mod header;
#[expect(unsafe_code, reason = "calls between consumers and providers pass addresses")]
mod kind;
mod layer;
mod memory;
mod notification;
#[expect(unsafe_code, reason = "calls between consumers and providers pass addresses")]
mod object;
#[expect(unsafe_code, reason = "calls between consumers and providers pass addresses")]
mod post;
#[expect(unsafe_code, reason = "calls between consumers and providers pass addresses")]
mod provider_report;
mod registry;
#[expect(unsafe_code, reason = "calls between consumers and providers pass addresses")]
mod request;
mod request_id;
mod result;
pub mod rules;
mod serialization;
mod statistics;
mod tables;
mod tokens;
#[expect(unsafe_code, reason = "calls between consumers and providers pass addresses")]
mod track;
mod work;

#[cfg(test)]
mod testing;
#[cfg(test)]
#[allow(unsafe_code, reason = "tests call the interface as consumers do")]
mod tests;

use core::time::Duration;

use ntsim_core::Export;
use ntsim_core::subsystem::Subsystem;

pub use adapter::{Opened, UncheckedPd, close_adapter, open_adapter};
pub use checks::Checks;
use explain::pending_closes;
pub use explain::{PendingClose, Successor, Summary, summary};
pub use kind::Kind;
use layer::layer;
pub use provider_report::Reason;
pub use statistics::{Closes, Statistics};

/// The functions of this crate; consumers and providers reach them through tables.
const EXPORTS: &[&[Export]] = &[
    callback::EXPORTS,
    exports::adapter::EXPORTS,
    exports::close::EXPORTS,
    exports::connector::EXPORTS,
    exports::cq::EXPORTS,
    exports::extension::EXPORTS,
    exports::listener::EXPORTS,
    exports::memory::EXPORTS,
    exports::pd::EXPORTS,
    exports::qp::EXPORTS,
    exports::srq::EXPORTS,
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
        let layer = layer();
        layer.objects.all().iter().for_each(close::abandoned);
        for adapter in layer.unchecked.lock().drain() {
            rules::found(rules::OBJECT_LEAKED, format!("the adapter at {:#x} was not closed", adapter.0));
        }
        layer.contexts.clear();
        layer.tokens.clear();
        layer.endpoints.clear();
    }

    fn describe_hang(&self, report: &mut String) {
        for close in pending_closes() {
            report.push_str(&format!("\n  {close}"));
        }
    }
}

/// Sets how long a CQ notification may be owed before that is a finding; 10 seconds unless it is set.
pub fn set_notification_limit(limit: Duration) {
    layer().limit_notifications(limit);
}

/// Sets how much is checked on adapters that are opened from now on.
pub fn set_checks(checks: Checks) {
    layer().set_checks(checks);
}

/// Returns the counts of calls, callbacks and closes since the machine was booted.
pub fn statistics() -> Statistics {
    layer().statistics.snapshot()
}
