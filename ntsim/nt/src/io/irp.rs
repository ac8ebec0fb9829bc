//! Request packets: their memory, and what is known of each while it exists.

use core::mem::size_of;
use core::ptr;
use core::sync::atomic::{AtomicBool, Ordering};
use std::collections::HashMap;
use std::sync::Arc;

use ntsim_core::address::Va;
use ntsim_core::bugcheck::Bugcheck;
use ntsim_core::exports;
use ntsim_core::number::narrow;
use ntsim_core::per_machine::PerMachine;
use ntsim_core::verifier::{self, Finding};
use parking_lot::Mutex;
use sys::status::NTSTATUS;
use sys::wdm::{IO_STACK_LOCATION, IRP, signature};

use super::request::Job;
use super::statistics::Function;
use super::unload_safe::{self, Registration};
use crate::fault;
use crate::mm::Block;

/// `Type` of a request packet.
pub(super) const TYPE: i16 = 6;

/// The packets of one machine, by address.
#[derive(Default)]
pub(super) struct Packets {
    live: Mutex<HashMap<Va, Arc<Packet>>>,
}

static PACKETS: PerMachine<Packets> = PerMachine::new();

/// Reports what drivers left behind.
pub(super) fn inspect() {
    PACKETS.get().inspect();
}

impl Packets {
    fn inspect(&self) {
        for (address, packet) in &*self.live.lock() {
            let whose = match packet.owner {
                Owner::Driver => "a driver allocated",
                Owner::Caller => "a driver keeps in its own memory",
                Owner::Manager(_) => "was never completed and that the I/O manager sent",
            };
            if !matches!(packet.owner, Owner::Caller) {
                verifier::report(
                    Finding::new("IrpLeak")
                        .text(format!("the request at {address:#x} is left, which {whose}")),
                );
            }
        }
    }
}

/// The I/O manager's record of a packet, apart from the packet's memory.
pub(super) struct Packet {
    pub(super) owner: Owner,
    pub(super) progress: Mutex<Progress>,
}

/// The place that a packet goes back to.
pub(super) enum Owner {
    /// A driver got it from `IoAllocateIrp`.
    Driver,
    /// It lies in memory of the driver, which initialised it itself.
    Caller,
    /// The I/O manager, which sent it on behalf of a job.
    Manager(Arc<dyn Job>),
}

/// The state of a packet on its way.
#[derive(Default)]
pub(super) struct Progress {
    /// Its memory, until it is freed.
    pub(super) block: Option<Block>,
    /// The calls of dispatch routines that were made with it and are not all over.
    pub(super) sent: Vec<Arc<Sent>>,
    /// Set if the driver lent it to a function and has not initialised it again since.
    pub(super) spent: bool,
    /// The completion routines with a device that wait for it, each at an address that a stack location has.
    #[expect(clippy::vec_box, reason = "stack locations have the addresses")]
    pub(super) registered: Vec<Box<Registration>>,
}

/// One call of a dispatch routine.
pub(super) struct Sent {
    /// The stack location that the routine was given.
    pub(super) location: i8,
    /// Set when the request was completed at that location.
    pub(super) completed: Mutex<Option<Completed>>,
    /// Set when the routine sent the request on.
    pub(super) forwarded: AtomicBool,
    /// Set when the routine has returned.
    pub(super) returned: AtomicBool,
}

/// The completion of a request at one location.
#[derive(Clone, Copy)]
pub(super) struct Completed {
    pub(super) marked_pending: bool,
    pub(super) status: NTSTATUS,
}

/// Makes a packet with `stack` locations; `None` if there is no memory.
pub(super) fn allocate(stack: i8, owner: Owner) -> Option<*mut IRP> {
    let size = packet_size(stack);
    let block = Block::new(size)?;
    let irp = block.as_ptr::<IRP>();
    // SAFETY: the block has the packet's size.
    unsafe { initialise(irp, narrow(size), stack) };
    register(irp, owner, Some(block));
    Some(irp)
}

fn register(irp: *mut IRP, owner: Owner, block: Option<Block>) {
    let progress = Mutex::new(Progress { block, ..Progress::default() });
    let packets = PACKETS.get();
    packets.live.lock().insert(Va::of(irp), Arc::new(Packet { owner, progress }));
}

/// Bytes of a packet with `stack` locations.
fn packet_size(stack: i8) -> usize {
    size_of::<IRP>() + usize::try_from(stack).unwrap_or(0) * size_of::<IO_STACK_LOCATION>()
}

/// # Safety
/// There are `size` bytes at `irp`, and `size` has room for `stack` locations.
unsafe fn initialise(irp: *mut IRP, size: u16, stack: i8) {
    // SAFETY: the caller's contract.
    unsafe { irp.cast::<u8>().write_bytes(0, usize::from(size)) };
    // SAFETY: all zero is a valid packet.
    let packet = unsafe { &mut *irp };
    packet.Type = TYPE;
    packet.Size = size;
    packet.StackCount = stack;
    packet.CurrentLocation = stack + 1;
    let locations = irp.wrapping_add(1).cast::<IO_STACK_LOCATION>();
    packet.Tail.Overlay.CurrentStackLocation = locations.wrapping_offset(isize::from(stack));
    let list = &raw mut packet.ThreadListEntry;
    packet.ThreadListEntry.Flink = list;
    packet.ThreadListEntry.Blink = list;
}

/// The stack location that a packet's owner fills in before it sends the packet.
///
/// # Safety
/// The packet is there as long as the result, no other code has it, and it has a location left.
pub(super) unsafe fn next_location<'a>(irp: &IRP) -> &'a mut IO_STACK_LOCATION {
    // SAFETY: while the packet has an owner, this member of the union is in use.
    let current = unsafe { irp.Tail.Overlay.CurrentStackLocation };
    // SAFETY: the caller's contract.
    unsafe { &mut *current.wrapping_sub(1) }
}

/// The current stack location of a packet.
///
/// # Safety
/// The packet is there as long as the result, a driver has it, and no other code has its location.
pub(crate) unsafe fn current_location<'a>(irp: *mut IRP) -> &'a mut IO_STACK_LOCATION {
    // SAFETY: the caller's contract.
    let overlay = unsafe { &(*irp).Tail };
    // SAFETY: while a driver owns the packet, this member of the union is in use.
    let current = unsafe { overlay.Overlay.CurrentStackLocation };
    // SAFETY: the location is one of the packet's own.
    unsafe { &mut *current }
}

/// Returns the record of the packet at an address, if there is one.
pub(super) fn find(irp: *mut IRP) -> Option<Arc<Packet>> {
    PACKETS.get().live.lock().get(&Va::of(irp)).cloned()
}

/// Returns the functions of the packets that the I/O manager sent for jobs for which `wanted` holds.
pub(super) fn functions(wanted: impl Fn(&dyn Job) -> bool) -> Vec<Function> {
    let live = PACKETS.get().live.lock();
    let wanted =
        live.iter().filter(|(_, packet)| matches!(&packet.owner, Owner::Manager(job) if wanted(&**job)));
    // SAFETY: a packet is taken out of the table, which is locked, before its memory goes.
    wanted.map(|(&address, _)| function(unsafe { &*address.ptr::<IRP>() })).collect()
}

/// A request that the I/O manager has sent and that was not completed.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct PendingRequest {
    /// The file object that it is for.
    pub file: Va,
    /// The packet.
    pub packet: Va,
    /// The function, as the first stack location has it.
    pub function: Function,
    /// Set if its driver has set a cancel routine.
    pub cancellable: bool,
}

/// Returns the requests that drivers have, in no order of their own. The machine's other threads may go on meanwhile.
#[must_use]
pub fn pending_requests() -> Vec<PendingRequest> {
    let live = PACKETS.get().live.lock();
    let jobs = live.iter().filter_map(|(&packet, record)| match &record.owner {
        Owner::Manager(job) if in_use(record) || record.progress.lock().sent.is_empty() => {
            Some((packet, job))
        }
        Owner::Manager(_) | Owner::Driver | Owner::Caller => None,
    });
    let mut all: Vec<_> = jobs
        .map(|(packet, job)| {
            // SAFETY: a packet is taken out of the table, which is locked, before its memory goes.
            let irp = unsafe { &*packet.ptr::<IRP>() };
            let (function, cancellable) = (function(irp), irp.CancelRoutine.is_some());
            PendingRequest { file: Va::of(job.file()), packet, function, cancellable }
        })
        .collect();
    all.sort_unstable();
    all
}

/// Returns the number of packets, among those of [`functions`], that a driver keeps after its dispatch
/// routine has returned.
pub(super) fn count_kept(wanted: impl Fn(&dyn Job) -> bool) -> usize {
    let live = PACKETS.get().live.lock();
    let wanted =
        live.values().filter(|packet| matches!(&packet.owner, Owner::Manager(job) if wanted(&**job)));
    let kept = |sent: &Arc<Sent>| sent.returned.load(Ordering::Acquire) && sent.completed.lock().is_none();
    wanted.filter(|packet| packet.progress.lock().sent.iter().any(kept)).count()
}

/// Returns the function of a packet, as its first stack location has it.
pub(super) fn function(irp: &IRP) -> Function {
    let locations = ptr::from_ref(irp).wrapping_add(1).cast::<IO_STACK_LOCATION>();
    let first = locations.wrapping_offset(isize::from(irp.StackCount) - 1);
    // SAFETY: the location is one of the packet's own.
    let first = unsafe { &*first };
    (first.MajorFunction, first.MinorFunction)
}

/// Frees a packet: any access to it crashes from now on.
pub(super) fn free(irp: *mut IRP) {
    let packet = PACKETS.get().live.lock().remove(&Va::of(irp));
    if let Some(packet) = packet {
        unload_safe::check_none_left(irp, &packet);
        packet.progress.lock().block = None;
    }
}

/// Reports a broken rule of the I/O manager, bug check 0xC9.
#[cold]
pub(super) fn violation(rule: &'static str, code: u64, irp: *const IRP, text: String) {
    verifier::report(
        Finding::new(rule)
            .bugcheck(Bugcheck { code: 0xC9, parameters: [code, Va::of(irp).bits(), 0, 0] })
            .text(text),
    );
}

exports! {
    "ntoskrnl.exe", signature;

    /// Makes a packet with that many stack locations.
    #[irql(PASSIVE..=DISPATCH)]
    fn IoAllocateIrp(stack: i8, _quota: u8) -> *mut IRP {
        if fault::strikes() {
            return ptr::null_mut();
        }
        allocate(stack, Owner::Driver).unwrap_or(ptr::null_mut())
    }

    /// Frees a packet that the driver made.
    #[irql(PASSIVE..=DISPATCH)]
    fn IoFreeIrp(irp: *mut IRP) {
        match find(irp) {
            None => {
                violation("IoFreeIrp", 0x1, irp, format!("IoFreeIrp got {irp:p}, which is no request"));
                return;
            }
            Some(packet) if in_use(&packet) => {
                violation(
                    "IoFreeIrp",
                    0x20B,
                    irp,
                    format!("IoFreeIrp got {irp:p}, which a driver still has"),
                );
            }
            Some(packet) if matches!(packet.owner, Owner::Manager(_)) => {
                violation("IoFreeIrp", 0x2, irp, format!("IoFreeIrp got {irp:p}, which belongs to a thread"));
                return;
            }
            Some(_) => {}
        }
        free(irp);
    }

    /// Makes a packet in the caller's own memory.
    #[irql(PASSIVE..=DISPATCH)]
    fn IoInitializeIrp(irp: *mut IRP, size: u16, stack: i8) {
        if find(irp).is_some_and(|packet| matches!(packet.owner, Owner::Driver)) {
            violation("IoInitializeIrp", 0x20D, irp, format!("{irp:p} came from IoAllocateIrp"));
            return;
        }
        if usize::from(size) < packet_size(stack) {
            violation(
                "IoInitializeIrp",
                0x208,
                irp,
                format!("{size} bytes have no room for {stack} locations"),
            );
            return;
        }
        // SAFETY: the driver vouches for the memory, and the size was just checked.
        unsafe { initialise(irp, size, stack) };
        register(irp, Owner::Caller, None);
    }

    /// Makes a packet usable again for its owner.
    #[irql(PASSIVE..=DISPATCH)]
    fn IoReuseIrp(irp: *mut IRP, status: NTSTATUS) {
        let Some(packet) = find(irp).filter(|packet| !in_use(packet)) else {
            violation("IoReuseIrp", 0x20B, irp, format!("IoReuseIrp got {irp:p}, which a driver still has"));
            return;
        };
        unload_safe::check_none_left(irp, &packet);
        packet.progress.lock().spent = false;
        // SAFETY: the packet is the driver's.
        let &IRP { Size: size, StackCount: stack, .. } = unsafe { &*irp };
        // SAFETY: the packet has that size, as it was made with it.
        unsafe { initialise(irp, size, stack) };
        // SAFETY: as above.
        unsafe { (*irp).IoStatus.Status = status };
    }
}

/// Returns whether a dispatch routine was called with the packet that has not completed it.
fn in_use(packet: &Packet) -> bool {
    packet.progress.lock().sent.iter().any(|sent| sent.completed.lock().is_none())
}
