//! Completions of creates and requests, as the provider calls them.

#![forbid(unsafe_code)]

use std::sync::Arc;

use ntsim_core::sched;
use sys::ndk::NDK_OBJECT_HEADER;
use sys::status::{NT_SUCCESS, NTSTATUS, STATUS_PENDING};

use crate::context::{Consumer, Context, Out};
use crate::layer::layer;
use crate::object::TrackedObject;
use crate::rules::{self, found};

/// Checks that a create which made nothing left its out-parameter alone.
pub(crate) fn check_out_untouched(request: &Context, slot: &Out) {
    if let Some(value) = slot.written() {
        let subject = request.subject().map_or_else(String::new, ToString::to_string);
        found(
            rules::OUT_PARAMETER,
            format!(
                "{} of {subject} wrote {value:p} to its out-parameter and did not return success",
                request.function
            ),
        );
    }
}

/// Takes over the object of a create that completed; returns it.
pub(crate) fn create_completed(
    request: &Context,
    status: NTSTATUS,
    object: *mut NDK_OBJECT_HEADER,
) -> Option<Arc<TrackedObject>> {
    let Consumer::Create { track, prospect, out, .. } = &request.consumer else { return None };
    check_out_untouched(request, out);
    let prospect = prospect.lock().take()?;
    match request.subject() {
        Some(parent) if NT_SUCCESS(status) => track(object.cast(), *prospect, parent),
        _ => {
            prospect.abandon(&layer().contexts);
            None
        }
    }
}

/// Checks the status that a completion carries.
pub(crate) fn final_status(callback: &'static str, request: &Context, status: NTSTATUS) -> NTSTATUS {
    sched::answered(callback, &status);
    if status == STATUS_PENDING {
        found(
            rules::COMPLETION_STATUS,
            format!("{callback} for {} carries STATUS_PENDING", request.function),
        );
    }
    status
}
