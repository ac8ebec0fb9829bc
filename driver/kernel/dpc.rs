//! DPCs, embedded in the objects that they are for.

#![expect(unsafe_code, reason = "the kernel is called")]

use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::mem::MaybeUninit;
use core::ptr::{NonNull, null_mut, without_provenance_mut};

use provider::kernel::Routine;
use provider::processor::{Route, Topology, route};
use sys::irql::DispatchLevel;
use sys::wdm::{self, GROUP_AFFINITY, KAFFINITY, KDPC, PROCESSOR_NUMBER};

use super::irql::RaisedIrql;
use crate::nt;

/// A DPC that runs one routine with one argument.
#[repr(C)]
pub(crate) struct Dpc {
    dpc: UnsafeCell<MaybeUninit<nt::KDPC>>,
    routine: UnsafeCell<Option<Routine>>,
}

// SAFETY: the provider's contract has one caller at a time of `queue`; the kernel synchronises the rest.
unsafe impl Sync for Dpc {}
// SAFETY: before it is initialised the object is plain memory; afterwards it does not move.
unsafe impl Send for Dpc {}

// SAFETY: the kernel runs a queued call once and unlinks it before its routine begins, and `call` reads
// the object only before it runs the routine.
unsafe impl provider::kernel::Dpc for Dpc {
    fn new() -> Self {
        Self { dpc: UnsafeCell::new(MaybeUninit::uninit()), routine: UnsafeCell::new(None) }
    }

    unsafe fn initialise(this: NonNull<Self>, routine: Routine, context: *mut c_void) {
        // SAFETY: the object is not in use before it is initialised.
        let this = unsafe { this.as_ref() };
        // SAFETY: as above.
        unsafe { this.routine.get().write(Some(routine)) };
        // SAFETY: the object has its place, as the caller promises.
        unsafe { nt::KeInitializeDpc(this.dpc.get().cast(), Some(call), context) };
    }

    unsafe fn queue(this: NonNull<Self>) {
        // SAFETY: the kernel's object is the first member; it is initialised and not queued, as the caller
        // promises. No reference is made: it would outlive an object that its routine frees at once.
        unsafe { nt::KeInsertQueueDpc(this.as_ptr().cast(), null_mut(), null_mut()) };
    }

    /// At DISPATCH_LEVEL from the choice of the processor on, or the thread could be moved to that one before it
    /// queues the call.
    unsafe fn queue_apart(this: NonNull<Self>, affinity: Option<GROUP_AFFINITY>) -> bool {
        // SAFETY: the level is at most DISPATCH_LEVEL, as the caller promises.
        let raised = unsafe { RaisedIrql::raise() };
        let within_call = raised.previous() < wdm::DISPATCH_LEVEL;
        let processors = Processors(raised.level());
        let (processor, relay) = match route(&processors, affinity, within_call) {
            Route::To(processor) => (Some(processor), null_mut()),
            Route::Through(processor) => (Some(processor), relay_to(processors.here())),
            Route::AtTick => (None, null_mut()),
        };
        if let Some(processor) = processor {
            // SAFETY: the kernel's object is the first member; it is initialised and not queued, as the caller
            // promises. No reference is made, as above.
            unsafe { insert(this.as_ptr().cast(), processor, relay) };
        }
        processor.is_some()
    }
}

/// The active processors, as seen by code that stays on one of them.
struct Processors<'a>(DispatchLevel<'a>);

impl Topology for Processors<'_> {
    fn here(&self) -> PROCESSOR_NUMBER {
        let mut here = PROCESSOR_NUMBER { Group: 0, Number: 0, Reserved: 0 };
        // SAFETY: the place for the number is a local.
        unsafe { wdm::KeGetCurrentProcessorNumberEx(&raw mut here) };
        here
    }

    fn groups(&self) -> u16 {
        // SAFETY: callable at any level.
        unsafe { wdm::KeQueryActiveGroupCount() }
    }

    fn active(&self, group: u16) -> KAFFINITY {
        // SAFETY: callable at any level; a group that does not exist has no processors.
        unsafe { wdm::KeQueryGroupAffinity(group) }
    }
}

/// Queues a call to a processor, where it is processed at once: with MediumImportance it could wait for a tick on
/// another processor than the caller's.
///
/// # Safety
///
/// The call is initialised and not queued, and outlives the beginning of its routine.
unsafe fn insert(dpc: *mut KDPC, processor: PROCESSOR_NUMBER, relay: *mut c_void) {
    // SAFETY: the call is initialised, as the caller promises.
    unsafe { wdm::KeSetImportanceDpc(dpc, wdm::KDPC_IMPORTANCE::MediumHighImportance) };
    // SAFETY: as above. The processor is active; if it were not, the call would run on the last one that was.
    let _ = unsafe { wdm::KeSetTargetProcessorDpcEx(dpc, &raw const processor) };
    // SAFETY: as the caller promises.
    unsafe { wdm::KeInsertQueueDpc(dpc, relay, null_mut()) };
}

/// Above the number of a processor, in the argument of a call: the call is to go on to that processor.
const RELAY: usize = 1 << 24;

/// The argument of a call that is to go on to a processor.
fn relay_to(PROCESSOR_NUMBER { Group, Number, .. }: PROCESSOR_NUMBER) -> *mut c_void {
    without_provenance_mut(RELAY | usize::from(Group) << 8 | usize::from(Number))
}

/// The processor that a call with this argument is to go on to.
fn relayed(argument: *mut c_void) -> Option<PROCESSOR_NUMBER> {
    let [number, group @ .., flag] = u32::try_from(argument.addr()).ok()?.to_le_bytes();
    let processor = PROCESSOR_NUMBER { Group: u16::from_le_bytes(group), Number: number, Reserved: 0 };
    (flag != 0).then_some(processor)
}

/// The DPC routine.
unsafe extern "C" fn call(dpc: *mut nt::KDPC, context: *mut c_void, relay: *mut c_void, _: *mut c_void) {
    if let Some(processor) = relayed(relay) {
        // SAFETY: the kernel has unlinked the call, whose own routine has not begun.
        return unsafe { insert(dpc.cast(), processor, null_mut()) };
    }
    // SAFETY: the call is the first member of a `Dpc`, which outlives the beginning of its routine.
    let this = unsafe { &*dpc.cast::<Dpc>() };
    // SAFETY: the routine was stored before the call could be queued, and it is not stored again.
    let routine = unsafe { this.routine.get().read() };
    if let Some(routine) = routine {
        // SAFETY: this is the one call that follows a `queue`, with what `initialise` was given.
        unsafe { routine(context) };
    }
}
