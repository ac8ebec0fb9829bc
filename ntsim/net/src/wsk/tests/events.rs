//! The events of a driver that tests play.

use core::ffi::c_void;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use std::collections::VecDeque;
use std::sync::Arc;

use nt::ke::KeDelayExecutionThread;
use ntsim_core::number::ToUsize;
use ntsim_core::sched::{self, Thread};
use parking_lot::Mutex;
use sys::sockaddr::SOCKADDR;
use sys::status::*;
use sys::wdm::*;
use sys::wsk::*;

use crate::wsk::address::read;

/// The behaviour of a test's events, and a record of their calls.
pub(super) struct Owner {
    /// The bytes that came.
    pub(super) bytes: Mutex<Vec<u8>>,
    /// Calls of the disconnect event, by their flags without the level.
    pub(super) ends: Mutex<Vec<u32>>,
    /// Receive events without data.
    pub(super) dead: AtomicBool,
    pub(super) receive: Mutex<VecDeque<Take>>,
    /// The answer to inspections.
    pub(super) inspect: Mutex<WSK_INSPECT_ACTION>,
    pub(super) inspected: Mutex<Vec<(usize, u32)>>,
    pub(super) aborted: Mutex<Vec<u32>>,
    pub(super) accept: Mutex<NTSTATUS>,
    /// The last accepted socket.
    pub(super) accepted: AtomicPtr<WSK_SOCKET>,
    pub(super) retained: Mutex<Vec<usize>>,
    pub(super) indications: Mutex<usize>,
    pub(super) backlogs: Mutex<usize>,
    waiter: &'static Thread,
}

/// The answer to data.
#[derive(Clone, Copy)]
pub(super) enum Take {
    /// Only so many bytes.
    Part(usize),
    /// STATUS_DATA_NOT_ACCEPTED.
    Refuse,
    /// STATUS_PENDING.
    Retain,
    /// More than there is.
    TooMuch,
    /// All, after a sleep.
    Sleep,
}

impl Owner {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            bytes: Mutex::default(),
            ends: Mutex::default(),
            dead: AtomicBool::new(false),
            receive: Mutex::default(),
            inspect: Mutex::new(WSK_INSPECT_ACTION::WskInspectAccept),
            inspected: Mutex::default(),
            aborted: Mutex::default(),
            accept: Mutex::new(STATUS_SUCCESS),
            accepted: AtomicPtr::new(ptr::null_mut()),
            retained: Mutex::default(),
            indications: Mutex::default(),
            backlogs: Mutex::default(),
            waiter: sched::current().unwrap(),
        })
    }

    /// Waits until `is` says so.
    pub(super) fn until(&self, is: impl Fn(&Self) -> bool) {
        while !is(self) {
            sched::block(Some(core::time::Duration::from_millis(1)));
        }
    }

    pub(super) fn accepted(&self) -> *mut WSK_SOCKET {
        self.until(|owner| !owner.accepted.load(Ordering::Acquire).is_null());
        self.accepted.swap(ptr::null_mut(), Ordering::AcqRel)
    }
}

unsafe fn owner<'a>(context: *mut c_void) -> &'a Owner {
    unsafe { &*context.cast::<Owner>() }
}

pub(super) static CONNECTION_EVENTS: WSK_CLIENT_CONNECTION_DISPATCH = WSK_CLIENT_CONNECTION_DISPATCH {
    WskReceiveEvent: Some(receive_event),
    WskDisconnectEvent: Some(disconnect_event),
    WskSendBacklogEvent: Some(backlog_event),
};

pub(super) static LISTEN_EVENTS: WSK_CLIENT_LISTEN_DISPATCH = WSK_CLIENT_LISTEN_DISPATCH {
    WskAcceptEvent: Some(accept_event),
    WskInspectEvent: Some(inspect_event),
    WskAbortEvent: Some(abort_event),
};

unsafe extern "efiapi" fn accept_event(
    context: *mut c_void,
    _flags: u32,
    _local: *const SOCKADDR,
    remote: *const SOCKADDR,
    socket: *mut WSK_SOCKET,
    own: *mut *mut c_void,
    dispatch: *mut *const WSK_CLIENT_CONNECTION_DISPATCH,
) -> NTSTATUS {
    let owner = unsafe { owner(context) };
    assert!(unsafe { read(remote) }.is_some());
    let status = *owner.accept.lock();
    if status == STATUS_SUCCESS {
        unsafe {
            own.write(context);
            dispatch.write(&CONNECTION_EVENTS);
        }
        owner.accepted.store(socket, Ordering::Release);
    }
    sched::wake(owner.waiter);
    status
}

unsafe extern "efiapi" fn inspect_event(
    context: *mut c_void,
    _local: *const SOCKADDR,
    _remote: *const SOCKADDR,
    id: *mut WSK_INSPECT_ID,
) -> WSK_INSPECT_ACTION {
    let owner = unsafe { owner(context) };
    let id = unsafe { &*id };
    owner.inspected.lock().push((id.Key, id.SerialNumber));
    sched::wake(owner.waiter);
    *owner.inspect.lock()
}

unsafe extern "efiapi" fn abort_event(context: *mut c_void, id: *mut WSK_INSPECT_ID) -> NTSTATUS {
    let owner = unsafe { owner(context) };
    owner.aborted.lock().push(unsafe { (*id).SerialNumber });
    sched::wake(owner.waiter);
    STATUS_SUCCESS
}

/// The bytes of a list of indications.
unsafe fn bytes_of(mut indication: *const WSK_DATA_INDICATION) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(part) = unsafe { indication.as_ref() } {
        let (mut mdl, mut skipped, mut left) =
            (part.Buffer.Mdl, part.Buffer.Offset.to_usize(), part.Buffer.Length);
        while left > 0 {
            let list = unsafe { &*mdl };
            let length = (list.ByteCount.to_usize() - skipped).min(left);
            let start = list.MappedSystemVa.cast::<u8>().wrapping_add(skipped);
            all.extend_from_slice(unsafe { core::slice::from_raw_parts(start, length) });
            (mdl, skipped, left) = (list.Next, 0, left - length);
        }
        indication = part.Next;
    }
    all
}

unsafe extern "efiapi" fn receive_event(
    context: *mut c_void,
    _flags: u32,
    data: *mut WSK_DATA_INDICATION,
    length: usize,
    accepted: *mut usize,
) -> NTSTATUS {
    let owner = unsafe { owner(context) };
    if data.is_null() {
        owner.dead.store(true, Ordering::Release);
        sched::wake(owner.waiter);
        return STATUS_SUCCESS;
    }
    let bytes = unsafe { bytes_of(data) };
    assert_eq!(bytes.len(), length);
    let take = owner.receive.lock().pop_front();
    let (status, taken) = match take {
        None => (STATUS_SUCCESS, length),
        Some(Take::Part(part)) => (STATUS_SUCCESS, part.min(length)),
        Some(Take::Refuse) => (STATUS_DATA_NOT_ACCEPTED, 0),
        Some(Take::TooMuch) => (STATUS_SUCCESS, length + 1),
        Some(Take::Sleep) => {
            unsafe { KeDelayExecutionThread(KernelMode, 0, &-10) };
            (STATUS_SUCCESS, length)
        }
        Some(Take::Retain) => {
            owner.retained.lock().push(data.addr());
            (STATUS_PENDING, length)
        }
    };
    if status == STATUS_SUCCESS && taken != length {
        unsafe { accepted.write(taken) };
    }
    owner.bytes.lock().extend_from_slice(&bytes[..taken.min(length)]);
    *owner.indications.lock() += 1;
    sched::wake(owner.waiter);
    status
}

unsafe extern "efiapi" fn disconnect_event(context: *mut c_void, flags: u32) -> NTSTATUS {
    let owner = unsafe { owner(context) };
    owner.ends.lock().push(flags & WSK_FLAG_ABORTIVE);
    sched::wake(owner.waiter);
    STATUS_SUCCESS
}

unsafe extern "efiapi" fn backlog_event(context: *mut c_void, ideal: usize) -> NTSTATUS {
    assert!(ideal > 0);
    *unsafe { owner(context) }.backlogs.lock() += 1;
    STATUS_SUCCESS
}
