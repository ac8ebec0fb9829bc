//! The threads of a machine, stopped while their memory is copied, and where the driver is in each.

use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, Ordering};
use core::time::Duration;
use core::{array, ptr};
use std::sync::Arc;
use std::time::Instant;

use libc::c_int;
use ntsim_core::address::Va;
use ntsim_core::loader::Image;
use ntsim_core::sched::{self, Thread, for_each_thread, local};

use super::memory::Memory;

/// The signal that stops a thread.
pub(crate) const SIGNAL: c_int = libc::SIGUSR2;

/// The time that threads have to stop. One that is not let run by the host is dumped without registers.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);

/// 1 while the threads stand still. Of the process, as its signals are.
static STILL: AtomicU32 = AtomicU32::new(0);

/// The threads that are told to stand still: a list that is never freed, for a thread may get its signal late.
/// Of the process, as its signals are.
static TOLD: AtomicPtr<Threads> = AtomicPtr::new(ptr::null_mut());

/// The registers of a thread: the general ones in the order in which instructions number them, and the place.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Registers {
    pub(crate) general: [u64; 16],
    pub(crate) ip: u64,
}

/// The number of the stack pointer and of the frame pointer among the general registers.
const SP: usize = 4;
const BP: usize = 5;

/// Bytes of an AMD64 `CONTEXT`.
pub(super) const CONTEXT: usize = 1232;

impl Registers {
    /// The `CONTEXT` with these values: its control and integer parts.
    pub(super) fn context(&self) -> [u8; CONTEXT] {
        // CONTEXT_AMD64 | CONTEXT_CONTROL | CONTEXT_INTEGER.
        const FLAGS: u32 = 0x10_0003;
        // Code, data, stack: the kernel's selectors, and those of the others on x64 Windows.
        const SELECTORS: [u16; 6] = [0x10, 0x2B, 0x2B, 0x53, 0x2B, 0x18];
        let mut context = [0; CONTEXT];
        context[0x30..0x34].copy_from_slice(&FLAGS.to_le_bytes());
        for (place, selector) in context[0x38..].chunks_exact_mut(2).zip(SELECTORS) {
            place.copy_from_slice(&selector.to_le_bytes());
        }
        let values = self.general.iter().chain([&self.ip]);
        for (place, value) in context[0x78..].chunks_exact_mut(8).zip(values) {
            place.copy_from_slice(&value.to_le_bytes());
        }
        context
    }
}

/// One thread of the machine.
struct Slot {
    thread: &'static Thread,
    /// Set if the thread is to wait: it is not the one that dumps.
    waits: bool,
    stopped: AtomicBool,
    /// The general registers, and the place.
    registers: [AtomicU64; 17],
    /// The stack pointer and the frame pointer of the driver that called the kernel; zero if none did.
    caller: [AtomicU64; 2],
}

/// The threads that a dump has.
pub(super) struct Threads(Vec<Slot>);

impl Threads {
    /// Those of the running machine that have not ended.
    pub(super) fn of_machine() -> &'static Self {
        let own = sched::current().map(|thread| thread.id);
        let mut slots = Vec::new();
        for_each_thread(|&thread| {
            slots.push(Slot {
                thread,
                waits: own != Some(thread.id),
                stopped: AtomicBool::new(false),
                registers: array::from_fn(|_| AtomicU64::new(0)),
                caller: array::from_fn(|_| AtomicU64::new(0)),
            });
        });
        slots.retain(|slot| !slot.thread.ended());
        Box::leak(Box::new(Self(slots)))
    }

    /// The threads, by what a dump says of them.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &'static Thread> {
        self.0.iter().map(|slot| slot.thread)
    }

    /// Stops the threads; the calling thread's registers may be known already. They go on when the result is dropped.
    pub(super) fn stop(&'static self, own: Option<Registers>) -> Still {
        TOLD.store(ptr::from_ref(self).cast_mut(), Ordering::Release);
        STILL.store(1, Ordering::Release);
        let told = |slot: &&Slot| match own.filter(|_| !slot.waits) {
            Some(own) => {
                slot.hold(&own);
                slot.stopped.store(true, Ordering::Release);
                true
            }
            None => slot.thread.signal(SIGNAL),
        };
        let begin = Instant::now();
        // Those that can't be told have ended meanwhile.
        for slot in self.0.iter().filter(told) {
            while !slot.stopped.load(Ordering::Acquire) && begin.elapsed() < STOP_TIMEOUT {
                std::thread::yield_now();
            }
        }
        Still
    }

    /// The registers of each thread that has stopped: those of its driver, where that has called the simulator.
    pub(super) fn registers<'a>(
        &'a self,
        images: &'a [Arc<Image>],
        memory: &'a Memory,
    ) -> impl Iterator<Item = Option<Registers>> + 'a {
        self.0.iter().map(|slot| slot.stopped.load(Ordering::Acquire).then(|| slot.of_driver(images, memory)))
    }
}

impl Slot {
    fn hold(&self, registers: &Registers) {
        for (place, value) in self.registers.iter().zip(registers.general.iter().chain([&registers.ip])) {
            place.store(*value, Ordering::Relaxed);
        }
    }

    fn of_driver(&self, images: &[Arc<Image>], memory: &Memory) -> Registers {
        let values = self.registers.each_ref().map(|value| value.load(Ordering::Relaxed));
        let [.., ip] = values;
        let image = images.iter().find(|image| image.contains(Va::from_bits(ip)));
        if let Some(image) = image {
            let ip = image.origin(Va::from_bits(ip)).bits();
            return Registers { general: array::from_fn(|number| values[number]), ip };
        }
        let [sp, bp] = self.caller.each_ref().map(|value| value.load(Ordering::Relaxed));
        if sp == 0 {
            return Registers { general: array::from_fn(|number| values[number]), ip };
        }
        // As the driver will have them when the call returns; the others are not known, and a stack needs none.
        let mut general = [0; 16];
        general[SP] = sp.wrapping_add(8);
        general[BP] = bp;
        Registers { general, ip: memory.word(sp).unwrap_or_default() }
    }
}

/// The threads stand still.
pub(super) struct Still;

impl Drop for Still {
    fn drop(&mut self) {
        STILL.store(0, Ordering::Release);
        futex(libc::FUTEX_WAKE, u32::MAX >> 1);
    }
}

/// Handles the signal: notes the registers, and lets the thread wait until it may go on.
pub(crate) fn stand_still(registers: &Registers) {
    // SAFETY: the pointer is null or that of a list that is never freed.
    let Some(told) = (unsafe { TOLD.load(Ordering::Acquire).as_ref() }) else { return };
    let Some(own) = sched::current() else { return };
    let Some(slot) = told.0.iter().find(|slot| slot.thread.id == own.id) else { return };
    if slot.stopped.load(Ordering::Acquire) {
        return;
    }
    slot.hold(registers);
    if let Some(entry) = local::innermost() {
        slot.caller[0].store(entry.stack_pointer(), Ordering::Relaxed);
        slot.caller[1].store(entry.frame_pointer(), Ordering::Relaxed);
    }
    slot.stopped.store(true, Ordering::Release);
    // What was interrupted may be about to look at its own error.
    // SAFETY: the call has no preconditions.
    let error = unsafe { libc::__errno_location() };
    // SAFETY: the place is the calling thread's own.
    let before = unsafe { *error };
    while slot.waits && STILL.load(Ordering::Acquire) == 1 {
        futex(libc::FUTEX_WAIT, 1);
    }
    // SAFETY: as above.
    unsafe { *error = before };
}

/// Waits while [`STILL`] has a value, or wakes that many threads that do.
fn futex(operation: c_int, value: u32) {
    let operation = operation | libc::FUTEX_PRIVATE_FLAG;
    let never = ptr::null::<libc::timespec>();
    // SAFETY: the word lives as long as the process; the call changes no memory.
    unsafe { libc::syscall(libc::SYS_futex, STILL.as_ptr(), operation, value, never) };
}
