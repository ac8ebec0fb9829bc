//! A thread's own state: its level, processor, locks, and the way it came into the kernel.
//!
//! Everything here is touched by its own thread only, so it is plain cells in thread-local storage, and
//! reaching it costs no atomic operation. The same block is what the `gs` register points to while the
//! thread runs driver code, as it points to the processor control region on Windows.

use core::cell::Cell;
use core::mem::offset_of;
use core::ptr;

use crate::address::Va;
use crate::number::narrow;

use super::{Depth, Irql, Thread, Turns, hooks};

/// Eight-byte words at `gs:0` that Windows defines and a driver might read; most read as zero.
const CONTROL_REGION: usize = 0x80;

/// The index of the current thread among them (the inline KeGetCurrentThread in the x64 part of `wdm.h`).
const CURRENT_THREAD: usize = 0x188 / 8;

/// Offset from `gs` at which an entry point stores the driver's stack pointer.
pub const CALLER_SP: usize = offset_of!(Local, caller_sp);

/// Offset from `gs` at which an entry point stores the driver's frame pointer.
pub const CALLER_BP: usize = offset_of!(Local, caller_bp);

/// Offset from `gs` at which an entry point stores the first argument.
pub const CALLER_ARGUMENT: usize = offset_of!(Local, caller_argument);

/// Offset from `gs` of the flag that the kernel's function, which returns now, has an exception to raise.
pub const RAISES: usize = offset_of!(Local, raises);

/// Offset from `gs` at which a call into an image finds what it left there.
pub(crate) const CROSSING: usize = offset_of!(Local, crossing);

/// The calling thread's own state.
#[repr(C, align(64))]
pub struct Local {
    control_region: [Cell<u64>; CONTROL_REGION],
    caller_sp: Cell<u64>,
    caller_bp: Cell<u64>,
    caller_argument: Cell<u64>,
    /// Of the innermost call of an entry point or an unload routine.
    pub(crate) crossing: Cell<*mut Crossing>,
    /// Set if the kernel's function that the driver has called raises [`raised`](Self::raised) when it returns.
    pub(crate) raises: Cell<u8>,
    /// The status and parameters of that exception.
    pub(crate) raised: Cell<(u32, Option<[usize; 2]>)>,
    /// The stack pointer to which the simulator's access to memory of a driver's goes back if it faults; 0 outside.
    pub(crate) guard: Cell<u64>,
    /// The access that faulted so: an address, and whether it was to be written.
    pub(crate) guarded_fault: Cell<Option<[usize; 2]>>,
    /// Present level.
    pub irql: Cell<Irql>,
    /// Critical regions that it is in.
    pub critical_regions: Cell<u32>,
    /// Guarded regions that it is in.
    pub guarded_regions: Cell<u32>,
    /// Set while the thread drains a DPC queue.
    pub in_dpc: Cell<bool>,
    /// The processor it runs on; meaningful while it is attached.
    pub(crate) processor: Cell<u32>,
    /// The thread object; `None` while the thread is no part of a machine.
    pub(crate) thread: Cell<Option<&'static Thread>>,
    /// The turns it takes part in; `None` where the machine has no schedule.
    pub turns: Cell<Option<&'static Turns>>,
    /// The innermost call into the kernel, with the point where it left driver code; null outside.
    entry: Cell<*const Entry>,
    /// The depth of its drivers in its stack.
    pub(crate) depth: Depth,
    /// The bounds of the thread's stack.
    stack: Cell<(Va, Va)>,
}

/// The state that a call into an image saves and restores, whatever became of the registers.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(crate) struct Crossing {
    pub(crate) stack_pointer: u64,
    /// Bits in which the registers differ from what they were.
    pub(crate) difference: u64,
    /// The processor's flags behind the call.
    pub(crate) flags: u64,
}

/// A call of a driver into the kernel that has not returned yet.
#[derive(Clone, Copy)]
pub struct Entry {
    /// The name of the function that was called.
    pub(crate) function: &'static str,
    /// Address of the return address.
    pub(crate) sp: u64,
    /// The driver's frame pointer.
    pub(crate) bp: u64,
    outer: *const Entry,
}

impl Entry {
    /// The driver's stack pointer: where the return address is.
    pub const fn stack_pointer(&self) -> u64 {
        self.sp
    }

    /// The driver's frame pointer.
    pub const fn frame_pointer(&self) -> u64 {
        self.bp
    }

    /// The driver's return address.
    pub fn return_address(&self) -> Va {
        // SAFETY: the entry point stored its own stack pointer, at which the call had just put the return
        // address; the call has not returned, so the slot is still that.
        Va::from_bits(unsafe { Va::from_bits(self.sp).ptr::<u64>().read_volatile() })
    }
}

thread_local! {
    static LOCAL: Local = const {
        Local {
            control_region: [const { Cell::new(0) }; CONTROL_REGION],
            caller_sp: Cell::new(0),
            caller_bp: Cell::new(0),
            caller_argument: Cell::new(0),
            crossing: Cell::new(ptr::null_mut()),
            raises: Cell::new(0),
            raised: Cell::new((0, None)),
            guard: Cell::new(0),
            guarded_fault: Cell::new(None),
            irql: Cell::new(Irql::PASSIVE),
            critical_regions: Cell::new(0),
            guarded_regions: Cell::new(0),
            in_dpc: Cell::new(false),
            processor: Cell::new(0),
            thread: Cell::new(None),
            turns: Cell::new(None),
            entry: Cell::new(ptr::null()),
            depth: Depth::new(),
            stack: Cell::new((Va::NULL, Va::NULL)),
        }
    };
}

/// Runs `f` with the calling thread's state.
#[inline]
pub fn with<R>(f: impl FnOnce(&Local) -> R) -> R {
    LOCAL.with(f)
}

/// Runs the body of `function`, noting meanwhile where the driver is. `deeper` is called if the driver's stack is
/// deeper than the thread's ever was.
#[inline]
pub(crate) fn entered<R>(function: &'static str, deeper: fn(u64), body: impl FnOnce() -> R) -> R {
    let (entry, outer) = with(|local| {
        let outer = local.entry.get();
        if let Some(depth) = local.depth.entered(local.caller_sp.get()) {
            deeper(depth);
        }
        match local.thread.get() {
            Some(thread) => thread.move_on(),
            // `gs` is inherited, so such a thread has stored its stack pointer into its parent's state.
            None => hooks::not_attached(),
        }
        (Entry { function, sp: local.caller_sp.get(), bp: local.caller_bp.get(), outer }, outer)
    });
    with(|local| local.entry.set(&raw const entry));
    let result = body();
    with(|local| local.entry.set(outer));
    result
}

/// The first argument of the call into the kernel that has just begun.
#[inline]
pub(crate) fn argument() -> Va {
    with(|local| Va::from_bits(local.caller_argument.get()))
}

/// The innermost call into the kernel that the calling thread is inside of.
#[inline]
pub fn innermost() -> Option<Entry> {
    // SAFETY: an entry lives on this thread's stack until the call that made it returns, and that call
    // takes it off the list first.
    unsafe { with(|local| local.entry.get()).as_ref() }.copied()
}

/// Forgets the calls into the kernel that the calling thread was inside of, after it left them all.
pub fn leave_all() {
    with(|local| local.entry.set(ptr::null()));
}

/// The calls into the kernel that the calling thread is inside of, innermost first.
pub(crate) fn entries() -> Vec<Entry> {
    core::iter::successors(innermost(), |entry| {
        // SAFETY: as above; an outer entry lives longer than an inner one.
        unsafe { entry.outer.as_ref() }.copied()
    })
    .collect()
}

/// The eight bytes at `address`, if they lie on the calling thread's stack.
pub fn read_stack(address: Va) -> Option<u64> {
    let stack = with(|local| local.stack.get());
    if !address.is_multiple_of(8) || address < stack.0 || address.checked_add(8)? > stack.1 {
        return None;
    }
    // SAFETY: the address is aligned and lies on this thread's own stack, which is mapped and readable.
    Some(unsafe { address.ptr::<u64>().read_volatile() })
}

/// Returns whether `length` bytes below `address` lie on the calling thread's stack.
pub(crate) fn has_stack_below(address: Va, length: usize) -> bool {
    let (low, high) = with(|local| local.stack.get());
    address <= high && address.checked_offset_from(low).is_some_and(|room| room > length)
}

/// The bounds of the calling thread's stack.
fn stack_bounds() -> (Va, Va) {
    let mut attributes = core::mem::MaybeUninit::<libc::pthread_attr_t>::uninit();
    // SAFETY: the call has no preconditions.
    let thread = unsafe { libc::pthread_self() };
    // SAFETY: the call initialises the attributes of a thread that exists, namely this one.
    if unsafe { libc::pthread_getattr_np(thread, attributes.as_mut_ptr()) } != 0 {
        return (Va::NULL, Va::NULL);
    }
    let (mut low, mut size) = (ptr::null_mut(), 0);
    // SAFETY: the attributes were initialised above.
    unsafe { libc::pthread_attr_getstack(attributes.as_ptr(), &raw mut low, &raw mut size) };
    // SAFETY: the attributes were initialised above and are not used after this.
    unsafe { libc::pthread_attr_destroy(attributes.as_mut_ptr()) };
    (Va::of(low), Va::of(low) + size)
}

/// Makes the calling thread ready to enter driver code: `gs` points to its state from now on.
pub(super) fn prepare(thread: &'static Thread) {
    const ARCH_SET_GS: libc::c_int = 0x1001;
    let stack = stack_bounds();
    with(|local| {
        local.stack.set(stack);
        thread.stack.set(stack).unwrap_or_default();
        local.control_region[CURRENT_THREAD].set(Va::of(ptr::from_ref(thread)).bits());
        // SAFETY: the call changes only the base of `gs`, which nothing else in a Linux process uses,
        // and the block stays where it is for as long as the thread lives.
        let done = unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_SET_GS, ptr::from_ref(local)) };
        assert_eq!(done, 0, "arch_prctl(ARCH_SET_GS) failed");
    });
}

impl Local {
    /// Returns the number of spin locks that the thread holds.
    pub fn held(&self) -> usize {
        self.thread.get().map_or(0, |thread| thread.held.count())
    }

    /// Returns the number of times that normal kernel APCs are held off: one for each critical region that
    /// the thread is in, and one for each mutex that it holds.
    pub(crate) fn apcs_disabled(&self) -> u32 {
        self.critical_regions.get() + self.thread.get().map_or(0, |thread| narrow(thread.mutexes.count()))
    }

    /// The spin lock that it took last.
    pub fn last_held(&self) -> Option<Va> {
        self.thread.get()?.held.last()
    }
}
