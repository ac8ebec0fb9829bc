//! The provider of events: its registration with Event Tracing for Windows, and the writing of events.
//!
//! The form is TraceLogging's: an event brings its own description. The `tracelogging` crate is not used: its
//! registration can panic, and it writes the level that all processors read without an atomic.

#![expect(unsafe_code, reason = "the kernel is called")]

use core::ptr::{null, null_mut};
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use provider::kernel::event::{Description, Event, PROVIDER, PROVIDER_TRAITS};
use sys::irql::PassiveLevel;
use sys::status::{NTSTATUS, STATUS_SUCCESS};
use sys::wdm::{
    self, EVENT_CONTROL_CODE_CAPTURE_STATE, EVENT_CONTROL_CODE_DISABLE_PROVIDER,
    EVENT_CONTROL_CODE_ENABLE_PROVIDER, EVENT_DATA_DESCRIPTOR, EVENT_DATA_DESCRIPTOR_TYPE_EVENT_METADATA,
    EVENT_DATA_DESCRIPTOR_TYPE_NONE, EVENT_DATA_DESCRIPTOR_TYPE_PROVIDER_METADATA, EVENT_DESCRIPTOR,
    EVENT_PROVIDER_SET_TRAITS, GUID, PVOID, UCHAR, ULONG,
};

/// One above the level up to which a session listens; 0 if none does.
static LEVEL: AtomicU32 = AtomicU32::new(0);
/// Keywords of which an event has to have one.
static ANY: AtomicU64 = AtomicU64::new(0);
/// Keywords that an event has to have.
static ALL: AtomicU64 = AtomicU64::new(0);
/// The registration; 0 is none.
static HANDLE: AtomicU64 = AtomicU64::new(0);

/// The channel of events that bring their own description
/// (<https://learn.microsoft.com/windows/win32/tracelogging/trace-logging-about>).
const CHANNEL: UCHAR = 11;

/// The level of a session that takes all events whatever their level.
const ALL_LEVELS: u32 = 0x100;

/// Reports the state of the driver by events, for a session that asks for it. Called at PASSIVE_LEVEL, perhaps while
/// the driver is loaded or unloaded.
pub(crate) trait CaptureState {
    /// Writes the events.
    fn write();
}

/// Registers the provider. A driver that can't be traced works all the same, so a failure is not reported.
#[inline(never)]
pub(crate) fn register<S: CaptureState>(_: PassiveLevel) {
    let (provider, mut handle) = (PROVIDER, 0);
    // SAFETY: identifier and place are locals. The callback stays until `unregister`, as the
    // driver calls that before it is unloaded.
    let status =
        unsafe { wdm::EtwRegister(&raw const provider, Some(enabled::<S>), null_mut(), &raw mut handle) };
    if status != STATUS_SUCCESS {
        return;
    }
    let length = ULONG::try_from(PROVIDER_TRAITS.len()).unwrap_or(0);
    // SAFETY: the traits are a constant of this length.
    let _without_them_a_session_has_no_name: NTSTATUS = unsafe {
        wdm::EtwSetInformation(handle, EVENT_PROVIDER_SET_TRAITS, PROVIDER_TRAITS.as_ptr().cast(), length)
    };
    HANDLE.store(handle, Ordering::Release);
}

/// Ends the registration; no event is written any more. Driver Verifier recognises the driver by the return address of
/// this call to the kernel, so it is not the last thing that is done here (bug check 0xC4, 0xDD).
pub(crate) fn unregister(_: PassiveLevel) {
    LEVEL.store(0, Ordering::Release);
    let handle = HANDLE.swap(0, Ordering::AcqRel);
    if handle != 0 {
        // SAFETY: the handle is that of the registration, which ends here.
        let _the_registration_is_over: NTSTATUS = unsafe { wdm::EtwUnregister(handle) };
        // A callback that came meanwhile may have set it.
        LEVEL.store(0, Ordering::Release);
    }
}

/// Returns true if a session listens.
#[inline(always)]
pub(super) fn is_traced() -> bool {
    LEVEL.load(Ordering::Relaxed) != 0
}

/// Returns whether a session takes such an event
/// (<https://learn.microsoft.com/windows/win32/api/evntprov/nf-evntprov-eventproviderenabled>).
fn is_taken(description: &Description) -> bool {
    let keyword = description.keyword;
    u32::from(description.level) < LEVEL.load(Ordering::Relaxed)
        && keyword & ANY.load(Ordering::Relaxed) != 0
        && ALL.load(Ordering::Relaxed) & !keyword == 0
}

/// Writes an event. Up to DISPATCH_LEVEL: all of it lies on the stack and in sections that are not paged.
pub(super) fn write(event: &Event) {
    let description = event.description();
    let handle = HANDLE.load(Ordering::Acquire);
    if handle == 0 || !is_taken(description) {
        return;
    }
    let payload = event.payload();
    let parts = [
        part(PROVIDER_TRAITS, EVENT_DATA_DESCRIPTOR_TYPE_PROVIDER_METADATA),
        part(description.metadata, EVENT_DATA_DESCRIPTOR_TYPE_EVENT_METADATA),
        part(payload.bytes(), EVENT_DATA_DESCRIPTOR_TYPE_NONE),
    ];
    let descriptor = EVENT_DESCRIPTOR {
        Id: 0,
        Version: 0,
        Channel: CHANNEL,
        Level: description.level,
        Opcode: 0,
        Task: 0,
        Keyword: description.keyword,
    };
    let count = ULONG::try_from(parts.len()).unwrap_or(0);
    // SAFETY: the handle is that of a registration, or of one that has just ended, which the kernel notices; the parts
    // and what they name live until the call returns.
    let _lost_if_no_buffer_is_free: NTSTATUS = unsafe {
        wdm::EtwWriteTransfer(handle, &raw const descriptor, null(), null(), count, parts.as_ptr())
    };
}

fn part(bytes: &[u8], kind: ULONG) -> EVENT_DATA_DESCRIPTOR {
    EVENT_DATA_DESCRIPTOR {
        Ptr: provider::number::u64_from(bytes.as_ptr().addr()),
        Size: ULONG::try_from(bytes.len()).unwrap_or(0),
        Type: kind,
    }
}

/// The enable callback: PASSIVE_LEVEL.
unsafe extern "efiapi" fn enabled<S: CaptureState>(
    _source: *const GUID,
    control: ULONG,
    level: UCHAR,
    any: u64,
    all: u64,
    _filter: PVOID,
    _context: PVOID,
) {
    match control {
        EVENT_CONTROL_CODE_DISABLE_PROVIDER => LEVEL.store(0, Ordering::Release),
        EVENT_CONTROL_CODE_ENABLE_PROVIDER => {
            ANY.store(any, Ordering::Relaxed);
            ALL.store(all, Ordering::Relaxed);
            let above = if level == 0 { ALL_LEVELS } else { u32::from(level).saturating_add(1) };
            LEVEL.store(above, Ordering::Release);
        }
        EVENT_CONTROL_CODE_CAPTURE_STATE => S::write(),
        _ => {}
    }
}
