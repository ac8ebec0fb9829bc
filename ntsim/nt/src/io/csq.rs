//! Cancel-safe queues: the I/O manager's part of a queue whose list and lock are the driver's
//! (<https://learn.microsoft.com/windows-hardware/drivers/kernel/cancel-safe-irp-queues>).

use core::ffi::c_void;
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU8, Ordering};

use ntsim_core::boundary;
use ntsim_core::exports;
use sys::status::{NTSTATUS, STATUS_SUCCESS};
use sys::wdm::{
    DEVICE_OBJECT, IO_CSQ, IO_CSQ_IRP_CONTEXT, IRP, KIRQL, PDRIVER_CANCEL, PIO_CSQ_INSERT_IRP,
    PIO_CSQ_INSERT_IRP_EX, PIO_CSQ_IRP, PIO_CSQ_LOCK, PIO_CSQ_PEEK_NEXT_IRP, PIO_CSQ_UNLOCK,
    SL_PENDING_RETURNED, signature,
};

use super::cancel::IoReleaseCancelSpinLock;
use super::irp::{current_location, violation};

/// `Type` of a queue: with IoCsqInitialize, with IoCsqInitializeEx; of a request's context.
const QUEUE: u32 = 1;
const CONTEXT: u32 = 2;
const QUEUE_EX: u32 = 3;

exports! {
    "ntoskrnl.exe", signature;

    /// Initialises a queue with the driver's routines.
    #[irql(PASSIVE..=DISPATCH)]
    fn IoCsqInitialize(
        queue: *mut IO_CSQ,
        insert: Option<PIO_CSQ_INSERT_IRP>,
        remove: Option<PIO_CSQ_IRP>,
        peek: Option<PIO_CSQ_PEEK_NEXT_IRP>,
        acquire: Option<PIO_CSQ_LOCK>,
        release: Option<PIO_CSQ_UNLOCK>,
        complete: Option<PIO_CSQ_IRP>,
    ) -> NTSTATUS {
        let insert = insert.map_or(ptr::null_mut(), |insert| insert as *mut c_void);
        // SAFETY: the driver passes room for the queue.
        unsafe { queue.write(IO_CSQ { Type: QUEUE, CsqInsertIrp: insert, CsqRemoveIrp: remove, CsqPeekNextIrp: peek,
            CsqAcquireLock: acquire, CsqReleaseLock: release, CsqCompleteCanceledIrp: complete, ReservePointer: ptr::null_mut() }) };
        STATUS_SUCCESS
    }

    /// The same, with a routine that may refuse a request.
    #[irql(PASSIVE..=DISPATCH)]
    fn IoCsqInitializeEx(
        queue: *mut IO_CSQ,
        insert: Option<PIO_CSQ_INSERT_IRP_EX>,
        remove: Option<PIO_CSQ_IRP>,
        peek: Option<PIO_CSQ_PEEK_NEXT_IRP>,
        acquire: Option<PIO_CSQ_LOCK>,
        release: Option<PIO_CSQ_UNLOCK>,
        complete: Option<PIO_CSQ_IRP>,
    ) -> NTSTATUS {
        let insert = insert.map_or(ptr::null_mut(), |insert| insert as *mut c_void);
        // SAFETY: the driver passes room for the queue.
        unsafe { queue.write(IO_CSQ { Type: QUEUE_EX, CsqInsertIrp: insert, CsqRemoveIrp: remove, CsqPeekNextIrp: peek,
            CsqAcquireLock: acquire, CsqReleaseLock: release, CsqCompleteCanceledIrp: complete, ReservePointer: ptr::null_mut() }) };
        STATUS_SUCCESS
    }

    /// Marks a request pending and puts it into a queue.
    #[irql(PASSIVE..=DISPATCH)]
    fn IoCsqInsertIrp(queue: *mut IO_CSQ, irp: *mut IRP, context: *mut IO_CSQ_IRP_CONTEXT) {
        // SAFETY: the driver passes its queue, a request that it owns, and a context or null.
        unsafe { insert(queue, irp, context, ptr::null_mut()) };
    }

    /// The same; returns what the driver's routine returned.
    #[irql(PASSIVE..=DISPATCH)]
    fn IoCsqInsertIrpEx(
        queue: *mut IO_CSQ,
        irp: *mut IRP,
        context: *mut IO_CSQ_IRP_CONTEXT,
        insert_context: *mut c_void,
    ) -> NTSTATUS {
        // SAFETY: as above.
        unsafe { insert(queue, irp, context, insert_context) }
    }

    /// Takes a request out of its queue by its context; null if it was cancelled.
    #[irql(PASSIVE..=DISPATCH)]
    fn IoCsqRemoveIrp(queue: *mut IO_CSQ, context: *mut IO_CSQ_IRP_CONTEXT) -> *mut IRP {
        let Some(lock) = Lock::acquire(queue) else { return ptr::null_mut() };
        // SAFETY: the driver passes a context that it has initialised by inserting a request.
        let irp = unsafe { (*context).Irp };
        if irp.is_null() || exchange(irp, None).is_null() {
            return ptr::null_mut();
        }
        lock.remove(irp);
        // SAFETY: as above.
        unsafe { (*context).Irp = ptr::null_mut() };
        irp
    }

    /// Takes the next request out of a queue; null if there is none.
    #[irql(PASSIVE..=DISPATCH)]
    fn IoCsqRemoveNextIrp(queue: *mut IO_CSQ, wanted: *mut c_void) -> *mut IRP {
        let Some(lock) = Lock::acquire(queue) else { return ptr::null_mut() };
        let mut irp = lock.peek(ptr::null_mut(), wanted);
        while !irp.is_null() && exchange(irp, None).is_null() {
            // It is being cancelled, and waits for the lock.
            irp = lock.peek(irp, wanted);
        }
        if !irp.is_null() {
            forget_context(irp);
            lock.remove(irp);
        }
        irp
    }
}

/// The driver's lock of a queue.
struct Lock {
    queue: *mut IO_CSQ,
    irql: KIRQL,
}

impl Lock {
    fn acquire(queue: *mut IO_CSQ) -> Option<Self> {
        // SAFETY: the driver passes its queue.
        let known = unsafe { &*queue };
        let Some(routine) = known.CsqAcquireLock.filter(|_| matches!(known.Type, QUEUE | QUEUE_EX)) else {
            violation("IoCsq", 0, ptr::null(), format!("{queue:p} is no queue that was initialised"));
            return None;
        };
        let mut irql = 0;
        // SAFETY: the routine is the driver's own, for this queue.
        call("CsqAcquireLock", || unsafe { routine(queue, &raw mut irql) });
        Some(Self { queue, irql })
    }

    fn remove(&self, irp: *mut IRP) {
        // SAFETY: the queue is the driver's.
        if let Some(routine) = unsafe { (*self.queue).CsqRemoveIrp } {
            // SAFETY: the routine is the driver's own, for this queue.
            call("CsqRemoveIrp", || unsafe { routine(self.queue, irp) });
        }
    }

    fn peek(&self, irp: *mut IRP, wanted: *mut c_void) -> *mut IRP {
        // SAFETY: the queue is the driver's.
        let Some(routine) = (unsafe { (*self.queue).CsqPeekNextIrp }) else { return ptr::null_mut() };
        // SAFETY: the routine is the driver's own, for this queue.
        call("CsqPeekNextIrp", || unsafe { routine(self.queue, irp, wanted) })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // SAFETY: the queue is the driver's.
        if let Some(routine) = unsafe { (*self.queue).CsqReleaseLock } {
            // SAFETY: the routine is the driver's own, for this queue.
            call("CsqReleaseLock", || unsafe { routine(self.queue, self.irql) });
        }
    }
}

/// Calls a routine of the driver's, in which it may take or release its lock: so nothing of that is checked here.
fn call<R: 'static>(_name: &'static str, routine: impl FnOnce() -> R) -> R {
    ntsim_core::sched::schedule_point();
    routine()
}

/// The slot of the driver's in a request, in which the queue or the context is noted: `DriverContext[3]`.
fn slot(irp: *mut IRP) -> *mut *mut c_void {
    // SAFETY: the request is the caller's.
    let tail = unsafe { &mut (*irp).Tail };
    // SAFETY: while it has an owner, this member of the union is in use.
    let context = unsafe { &mut tail.Overlay.DriverContext };
    // SAFETY: every value of the union's is one of this member's.
    unsafe { &raw mut context.DriverContext[3] }
}

/// Exchanges the cancel routine of a request, as the inline IoSetCancelRoutine does; returns the one before.
fn exchange(irp: *mut IRP, routine: Option<PDRIVER_CANCEL>) -> *mut () {
    let routine = routine.map_or(ptr::null_mut(), |routine| routine as *mut ());
    // SAFETY: the request is the caller's.
    let at = unsafe { &raw mut (*irp).CancelRoutine };
    // SAFETY: drivers access the member in just this way.
    unsafe { AtomicPtr::from_ptr(at.cast::<*mut ()>()) }.swap(routine, Ordering::SeqCst)
}

/// # Safety
/// The queue, the request and the context, unless it is null, are the driver's.
unsafe fn insert(
    queue: *mut IO_CSQ,
    irp: *mut IRP,
    context: *mut IO_CSQ_IRP_CONTEXT,
    insert_context: *mut c_void,
) -> NTSTATUS {
    let Some(lock) = Lock::acquire(queue) else { return sys::status::STATUS_INVALID_PARAMETER };
    let noted = if context.is_null() {
        queue.cast::<c_void>()
    } else {
        // SAFETY: the caller's contract.
        unsafe { context.write(IO_CSQ_IRP_CONTEXT { Type: CONTEXT, Irp: irp, Csq: queue }) };
        context.cast()
    };
    // SAFETY: the request is the driver's.
    unsafe { slot(irp).write(noted) };
    // SAFETY: the request is the driver's.
    unsafe { current_location(irp) }.Control |= SL_PENDING_RETURNED;
    // SAFETY: the queue is the driver's.
    let known = unsafe { &*queue };
    let routine = known.CsqInsertIrp.cast_const().cast::<()>();
    let mut status = STATUS_SUCCESS;
    if known.Type == QUEUE_EX {
        // SAFETY: a queue of this type has a routine of this type.
        let routine = unsafe { core::mem::transmute::<*const (), PIO_CSQ_INSERT_IRP_EX>(routine) };
        // SAFETY: the routine is the driver's own, for this queue.
        status = call("CsqInsertIrpEx", || unsafe { routine(queue, irp, insert_context) });
        if status < 0 {
            return status;
        }
    } else {
        // SAFETY: a queue of this type has a routine of this type.
        let routine = unsafe { core::mem::transmute::<*const (), PIO_CSQ_INSERT_IRP>(routine) };
        // SAFETY: the routine is the driver's own, for this queue.
        call("CsqInsertIrp", || unsafe { routine(queue, irp) });
    }
    exchange(irp, Some(cancelled));
    // SAFETY: the request is the driver's.
    let cancel = unsafe { &raw mut (*irp).Cancel };
    // SAFETY: the byte is there.
    let is_cancelled = unsafe { AtomicU8::from_ptr(cancel) }.load(Ordering::SeqCst) != 0;
    if is_cancelled && !exchange(irp, None).is_null() {
        forget_context(irp);
        lock.remove(irp);
        drop(lock);
        complete(queue, irp);
    }
    status
}

/// A request leaves its queue: its context does not name it any more.
fn forget_context(irp: *mut IRP) {
    // SAFETY: the request was inserted, and the slot written then.
    let noted = unsafe { slot(irp).read() };
    // SAFETY: what is noted begins with its type.
    if unsafe { noted.cast::<u32>().read() } == CONTEXT {
        // SAFETY: the context is there while its request is in the queue.
        unsafe { (*noted.cast::<IO_CSQ_IRP_CONTEXT>()).Irp = ptr::null_mut() };
    }
}

fn complete(queue: *mut IO_CSQ, irp: *mut IRP) {
    // SAFETY: the queue is the driver's.
    if let Some(routine) = unsafe { (*queue).CsqCompleteCanceledIrp } {
        // SAFETY: the routine is the driver's own, for this queue.
        boundary::call_driver("CsqCompleteCanceledIrp", || unsafe { routine(queue, irp) });
    }
}

/// The cancel routine of requests in queues.
unsafe extern "efiapi" fn cancelled(_device: *mut DEVICE_OBJECT, irp: *mut IRP) {
    // SAFETY: the request is the routine's.
    let irql = unsafe { (*irp).CancelIrql };
    // SAFETY: a cancel routine is entered with the lock.
    unsafe { IoReleaseCancelSpinLock(irql) };
    // SAFETY: the request was inserted, and the slot written then.
    let noted = unsafe { slot(irp).read() };
    // SAFETY: what is noted begins with its type.
    let queue = match unsafe { noted.cast::<u32>().read() } {
        // SAFETY: the context is there while its request is in the queue.
        CONTEXT => unsafe { (*noted.cast::<IO_CSQ_IRP_CONTEXT>()).Csq },
        _ => noted.cast::<IO_CSQ>(),
    };
    let Some(lock) = Lock::acquire(queue) else { return };
    forget_context(irp);
    lock.remove(irp);
    drop(lock);
    complete(queue, irp);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queue_that_was_not_initialised_is_found() {
        let machine = crate::testing::builder().boot();
        // SAFETY: all-zero is a valid value: integers, null pointers and no routines.
        let mut queue: IO_CSQ = unsafe { core::mem::zeroed() };
        assert!(unsafe { IoCsqRemoveNextIrp(&mut queue, ptr::null_mut()) }.is_null());
        assert_eq!(machine.shutdown().findings[0].rule, "IoCsq");
    }
}
