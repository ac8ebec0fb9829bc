//! Opening and closing an adapter.

use core::sync::atomic::{AtomicU32, Ordering};
use std::collections::HashSet;
use std::sync::Arc;

use ntsim_core::address::Va;
use parking_lot::Mutex;
use sys::ndk::*;

use super::call::{self};
use super::tracked::{Prospect, Stage, TrackedObject};
use super::type_state::TypeState;
use super::{Checks, boundary, close, found, layer, rules};

/// The interface's name of the function that closes an adapter.
const CLOSE: &str = "CloseNDKAdapterHandler";

/// Calls a provider's close handler.
pub(super) type CloseHandler = Box<dyn FnOnce(*mut NDK_ADAPTER) + Send>;

/// An adapter that a provider has opened.
pub struct Opened {
    /// The provider's object.
    pub adapter: *mut NDK_ADAPTER,
    /// Calls the provider's close handler; it blocks until the adapter is closed. PASSIVE_LEVEL.
    pub close: CloseHandler,
}

/// The state that the layer keeps of an adapter.
pub(super) struct Adapter {
    /// Callbacks of every descendant that have not returned.
    pub(super) callbacks: AtomicU32,
    /// Kinds of descendants whose extension query has been tried, one bit each.
    pub(super) queried: AtomicU32,
    /// Logical address mappings that are not released, by address.
    pub(super) mappings: Mutex<HashSet<Va>>,
    close: Mutex<Option<CloseHandler>>,
}

/// Hands a consumer the adapter that a provider opened for it, as the version that it asked for.
///
/// `None`, with a finding, if it can't be used.
pub fn open_adapter(requested: NDK_VERSION, opened: Opened) -> Option<*mut NDK_ADAPTER> {
    let Opened { adapter, close } = opened;
    let checks = layer().checks_for(requested);
    if checks == Checks::None {
        layer().unchecked.lock().insert(Va::of(adapter), close);
        return Some(adapter);
    }
    let part = TypeState::Adapter(Adapter {
        callbacks: AtomicU32::new(0),
        queried: AtomicU32::new(0),
        mappings: Mutex::default(),
        close: Mutex::new(None),
    });
    let prospect = Prospect::new(part, Vec::new());
    let Some(tracked) = TrackedObject::adopt(adapter, prospect, None, checks) else {
        boundary::into_provider(CLOSE, || close(adapter));
        return None;
    };
    if let TypeState::Adapter(part) = &tracked.type_state {
        *part.close.lock() = Some(close);
    }
    let NDK_VERSION { Major, Minor } = tracked.version;
    if Major != requested.Major || Minor < requested.Minor {
        found(
            rules::OBJECT_HEADER,
            format!(
                "{tracked} was opened as version {}.{} and says {Major}.{Minor}",
                requested.Major, requested.Minor
            ),
        );
    }
    Some(adapter)
}

/// Closes an adapter for its consumer; returns when the provider's handler has. PASSIVE_LEVEL.
pub fn close_adapter(adapter: *mut NDK_ADAPTER) {
    let unchecked = layer().unchecked.lock().remove(&Va::of(adapter));
    if let Some(close) = unchecked {
        close(adapter);
        return;
    }
    let Some(tracked) = call::open(adapter, CLOSE) else { return };
    if boundary::in_callback() {
        found(rules::ADAPTER_CLOSE_IN_CALLBACK, format!("{tracked} was closed from inside a callback"));
        return;
    }
    tracked.check_header();
    let TypeState::Adapter(part) = &tracked.type_state else { return };
    let close = part.close.lock().take();
    let (Some(close), true) = (close, tracked.begin_close()) else { return };
    boundary::into_provider(CLOSE, || close(adapter));
    layer().statistics.closed(tracked.kind, false);
    check_closed(&tracked, part);
    close::completed(&tracked);
    layer().contexts.end_events(&tracked);
    layer().objects.remove(&tracked);
}

/// Checks that nothing is left of an adapter whose close has returned.
fn check_closed(tracked: &Arc<TrackedObject>, part: &Adapter) {
    let callbacks = part.callbacks.load(Ordering::Acquire);
    if callbacks != 0 {
        found(
            rules::ADAPTER_CLOSE_BEFORE_CALLBACK,
            format!("the close of {tracked} returned with {callbacks} callbacks in progress"),
        );
    }
    let requests = tracked.requests.load(Ordering::Acquire);
    if requests != 0 {
        found(
            rules::CLOSE_BEFORE_REQUEST,
            format!("the close of {tracked} returned with {requests} requests outstanding"),
        );
    }
    for mapping in part.mappings.lock().drain() {
        found(rules::OBJECT_LEAKED, format!("logical address mapping {mapping:#x} was not released"));
    }
    let descendants = layer().objects.all();
    let descendants =
        descendants.iter().filter(|one| one.kind != tracked.kind && Arc::ptr_eq(one.adapter(), tracked));
    for descendant in descendants {
        let stage = descendant.stage();
        if stage == Stage::Open {
            found(
                rules::ADAPTER_CLOSE_BEFORE_OBJECT,
                format!("the close of {tracked} returned while {descendant} is open"),
            );
        }
        // One whose close function is still to return on another thread may be over when it does.
        if stage != Stage::CloseCalled {
            close::abandoned(descendant);
        }
    }
}
