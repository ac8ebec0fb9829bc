//! Posting a work request: what all posts have in common.

use ntsim_core::number::ToUsize;
use sys::ndk::*;
use sys::status::{NT_SUCCESS, NTSTATUS, STATUS_PENDING};
use sys::wdm::{PVOID, ULONG};

use crate::call::Call;
use crate::kind::Object;
use crate::layer::layer;
use crate::object::{Effect, TrackedObject};
use crate::request_id::{RequestId, Side};
use crate::rules::{self, found};
use crate::serialization::{Caller, Serialization};
use crate::work::{Queue, Request};

/// A request whose success changes nothing.
pub(crate) fn request(context: PVOID, operation: NDK_OPERATION_TYPE, flags: ULONG) -> Request<Effect> {
    Request {
        context: context.expose_provenance(),
        operation,
        silent: flags & NDK_OP_FLAG_SILENT_SUCCESS != 0,
        effect: None,
        hopeless: None,
    }
}

/// The rule that success breaks of a request with these buffers.
///
/// # Safety
/// `sgl` points to `count` entries.
pub(crate) unsafe fn hopeless(
    tracked: &TrackedObject,
    sgl: *const NDK_SGE,
    count: ULONG,
    flags: ULONG,
) -> Option<&'static str> {
    if sgl.is_null() || count == 0 || flags & NDK_OP_FLAG_INLINE != 0 {
        return None;
    }
    // SAFETY: the caller vouches for it.
    let sgl = unsafe { core::slice::from_raw_parts(sgl, count.to_usize()) };
    let adapter = tracked.adapter_serial();
    sgl.iter()
        .any(|entry| entry.Length != 0 && layer().tokens.is_stale(adapter, entry.MemoryRegionToken))
        .then_some(rules::TOKEN_STALE)
}

/// Posts a request; `provider` gets the context to pass in place of the consumer's.
pub(crate) fn post<T: Object>(
    call: &Call<T>,
    (queue, serialization, side): (&Queue<Effect>, &Serialization, Side),
    request: Request<Effect>,
    provider: impl FnOnce(PVOID) -> NTSTATUS,
) -> NTSTATUS {
    let tracked = &call.tracked;
    let inside = serialization.enter(Caller::Context);
    if inside.is_none() {
        found(
            rules::POST_NOT_SERIALIZED,
            format!("{} of {tracked}, while another post to the queue runs", call.name),
        );
    }
    let number = queue.post(request);
    let id = RequestId { object: tracked.serial, side, number };
    let status = call.run(|| provider(id.pointer()));
    if status == STATUS_PENDING {
        found(rules::POST_STATUS, format!("{} of {tracked} returned STATUS_PENDING", call.name));
    }
    if let Some(rule) = queue.answered(number, NT_SUCCESS(status)) {
        found(
            rule,
            format!("{} of {tracked} returned {status:#010x}, and the request had a result", call.name),
        );
    }
    drop(inside);
    status
}
