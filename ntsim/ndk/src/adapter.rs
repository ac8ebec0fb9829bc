//! Opening and closing an adapter.

use core::sync::atomic::Ordering;
use std::sync::Arc;

use ntsim_core::address::Va;
use sys::ndk::*;
use sys::status::STATUS_SUCCESS;

use crate::checks::Checks;
use crate::layer::layer;
use crate::object::{Adapter, Stage, TrackedObject, TypeState};
use crate::rules::{self, found};
use crate::track::track;
use crate::{boundary, call, close, tables};

/// The interface's name of the function that closes an adapter.
const CLOSE: &str = "CloseNDKAdapterHandler";

/// An adapter that a provider has opened.
pub struct Opened {
    /// The provider's object.
    pub adapter: *mut NDK_ADAPTER,
    /// Calls the provider's close handler; it blocks until the adapter is closed. PASSIVE_LEVEL.
    pub close: Box<dyn FnOnce(*mut NDK_ADAPTER) + Send>,
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
    let prospect = layer().prospect(TypeState::Adapter(Adapter::new(tables::of)), Vec::new());
    let Some(tracked) = track(adapter, prospect, None, checks) else {
        boundary::into_provider(CLOSE, || close(adapter));
        return None;
    };
    if let TypeState::Adapter(state) = &tracked.type_state {
        *state.close.lock() = Some(close);
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

/// A PD of an adapter that a test has opened with [`Checks::None`]: what is done with it is not checked.
#[derive(Debug)]
pub struct UncheckedPd(Va);

impl UncheckedPd {
    /// Creates one. `None` if the adapter is not open and unchecked, or the provider makes none inline.
    #[expect(unsafe_code, reason = "the provider's tables are called")]
    pub fn create(adapter: *mut NDK_ADAPTER) -> Option<Self> {
        let address = Va::of(adapter);
        if !layer().unchecked.lock().contains_key(&address) {
            return None;
        }
        let (adapter, mut pd) = (address.ptr::<NDK_ADAPTER>(), core::ptr::null_mut());
        // SAFETY: the adapter is open, and begins with its header and its table.
        let dispatch = unsafe { (*adapter).Dispatch };
        // SAFETY: the table is a constant of the provider's.
        let create = unsafe { (*dispatch).NdkCreatePd }?;
        let place = &raw mut pd;
        // SAFETY: the adapter is open, and the place a local.
        let create = || unsafe { create(adapter, None, core::ptr::null_mut(), place) };
        let status = boundary::into_provider("NdkCreatePd", create);
        (status == STATUS_SUCCESS).then(|| Self(Va::of(pd)))
    }

    /// Closes it; the completion of a close that pends is not waited for.
    #[expect(unsafe_code, reason = "the provider's tables are called")]
    pub fn close(self) {
        let pd = self.0.ptr::<NDK_PD>();
        // SAFETY: the PD is open, and begins with its header and its table.
        let dispatch = unsafe { (*pd).Dispatch };
        // SAFETY: the table is a constant of the provider's.
        let Some(close) = (unsafe { (*dispatch).NdkClosePd }) else { return };
        // SAFETY: the PD is open, and is not used again.
        let close = || unsafe { close(pd.cast(), None, core::ptr::null_mut()) };
        boundary::into_provider("NdkClosePd", close);
    }
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
    let TypeState::Adapter(state) = &tracked.type_state else { return };
    let close = state.close.lock().take();
    let (Some(close), true) = (close, tracked.begin_close()) else { return };
    boundary::into_provider(CLOSE, || close(adapter));
    layer().statistics.closed(tracked.kind, false);
    check_closed(&tracked, state);
    close::completed(&tracked);
    layer().contexts.end_events(&tracked);
    layer().objects.remove(&tracked);
}

/// Checks that nothing is left of an adapter whose close has returned.
fn check_closed(tracked: &Arc<TrackedObject>, state: &Adapter) {
    let callbacks = state.callbacks.load(Ordering::Acquire);
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
    for mapping in state.mappings.lock().drain() {
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
