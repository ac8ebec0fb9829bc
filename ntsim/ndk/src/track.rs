//! Tracking: the layer between the consumer and an object that the provider has just made.

use core::ptr;
use core::sync::atomic::Ordering;
use std::sync::Arc;

use ntsim_core::address::Va;
use sys::ndk::{NDK_EXTENSION_INTERFACE, NDK_OBJECT_HEADER};
use sys::status::NT_SUCCESS;
use sys::wdm::GUID;

use crate::boundary;
use crate::checks::Checks;
use crate::context::Prospect;
use crate::header::{check_new, dispatch_of};
use crate::kind::Object;
use crate::layer::layer;
use crate::object::{Dependencies, Facts, TrackedObject, TypeState};
use crate::rules::{self, found};

/// Puts the layer between the consumer and an object that the provider has just made.
///
/// `None` if what the provider handed out can't be used as an object.
pub(crate) fn track<T: Object>(
    object: *mut T,
    prospect: Prospect,
    adapter: Option<&Arc<TrackedObject>>,
    checks: Checks,
) -> Option<Arc<TrackedObject>> {
    let header = object.cast::<NDK_OBJECT_HEADER>();
    if object.is_null() || !header.is_aligned() {
        found(rules::OBJECT_HEADER, format!("a new {} has the handle {object:p}", T::KIND));
        return None;
    }
    if layer().objects.is_open(Va::of(object)) {
        found(rules::OBJECT_HEADER, format!("a new {} has the handle {object:p} of one still open", T::KIND));
        return None;
    }
    // SAFETY: the provider says that this is an object of the type, whose first member is its header.
    let head = unsafe { header.read() };
    let dispatch = dispatch_of(object);
    check_new::<T>(&head, Va::of(object), adapter.map(|adapter| adapter.version), dispatch)?;

    let TypeState::Adapter(state) = adapter.map_or(&prospect.type_state, |adapter| &adapter.type_state)
    else {
        return None;
    };
    let table = Va::of((state.tables)(T::KIND, checks));
    let tracked = Arc::new(TrackedObject::new(Facts {
        kind: T::KIND,
        serial: prospect.serial,
        handle: Va::of(object),
        version: head.Version,
        checks,
        dispatch,
        table,
        adapter: adapter.cloned(),
        type_state: prospect.type_state,
    }));
    for antecedent in &prospect.antecedents {
        Dependencies::add(antecedent, &tracked);
    }
    if let Some(event) = prospect.event {
        event.belongs_to(&tracked);
    }
    layer().objects.insert(&tracked);
    // SAFETY: it is the object, and the consumer does not have it yet.
    unsafe { tracked.mark(object) };
    if let TypeState::Qp(qp) = &tracked.type_state {
        qp.enter_queues(&tracked);
    }
    if let Some(address) = prospect.takes {
        layer().endpoints.taken(&tracked, address);
    }
    probe(&tracked);
    Some(tracked)
}

/// An identifier that stands for nothing.
static UNKNOWN: GUID = GUID {
    Data1: 0x6E9C_5A31,
    Data2: 0x8D04,
    Data3: 0x4F7B,
    Data4: [0xB2, 0x1E, 0x93, 0x5C, 0x0A, 0xD7, 0x48, 0x66],
};

/// Asks an object for an extension that there is not, once per adapter and kind of object.
fn probe(tracked: &Arc<TrackedObject>) {
    let TypeState::Adapter(adapter) = &tracked.adapter().type_state else { return };
    let bit = 1 << tracked.kind as u32;
    let (Some(query), true) = (tracked.extension_query(), tracked.checks == Checks::Full) else { return };
    if adapter.queried.fetch_or(bit, Ordering::Relaxed) & bit != 0 {
        return;
    }
    let object = tracked.handle.ptr();
    let mut interface = NDK_EXTENSION_INTERFACE { Dispatch: ptr::null() };
    let interface = &raw mut interface;
    // SAFETY: the object is open; the identifier and the interface live during the call.
    let status = boundary::into_provider("NdkQueryExtension", || unsafe {
        query(object, &raw const UNKNOWN, tracked.version, interface)
    });
    if NT_SUCCESS(status) {
        found(
            rules::EXTENSION_UNKNOWN,
            format!("the extension query of {tracked} for an unknown identifier returned {status:#010x}"),
        );
    }
}
