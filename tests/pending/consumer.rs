//! A consumer in the test itself: it calls the provider by its tables.

use core::ffi::c_void;
use core::ptr::{null_mut, with_exposed_provenance_mut};
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use core::time::Duration;
use std::path::PathBuf;
use std::sync::Mutex;
use std::thread::JoinHandle;
use std::time::Instant;

use ntsim::{boundary, dump, ndk, sched};
use sys::ndk::{NDK_ADAPTER, NDK_CONNECTOR, NDK_CQ, NDK_OBJECT_HEADER};
use sys::sockaddr::{AF_INET, IN_ADDR, SOCKADDR_IN};
use sys::status::{NTSTATUS, STATUS_PENDING, STATUS_SUCCESS};
use sys::wdm::{MDL, MDL_SOURCE_IS_NONPAGED_POOL, PVOID};

/// The number of dumps until one is of a moment in which no close ended.
const TRIES: u32 = 20;

/// The longest time until a callback on a host that is busy.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(60);

/// Bytes of the registered memory.
pub(crate) const BYTES: usize = 4096;

/// Calls the function in a slot of an object's table.
macro_rules! call {
    ($object:expr, $slot:ident $(, $argument:expr)*) => {{
        let object = $object;
        // SAFETY: the object is open.
        let table = unsafe { (*object).Dispatch };
        // SAFETY: the table of an open object is a static.
        let function = unsafe { (*table).$slot }.expect("no slot is empty");
        // SAFETY: the arguments are those of the function, and live during the call.
        unsafe { function(object.cast(), $($argument),*) }
    }};
}

/// Creates an object by the function in a slot of another one's table.
macro_rules! create {
    ($object:expr, $slot:ident $(, $argument:expr)*) => {{
        let mut made = core::ptr::null_mut();
        let created = $crate::consumer::created;
        let status = call!($object, $slot $(, $argument)*, Some(created), core::ptr::null_mut(), &raw mut made);
        assert_eq!(status, sys::status::STATUS_SUCCESS, "{}", stringify!($slot));
        made
    }};
}

/// Closes an object, and returns the status of the close.
macro_rules! close {
    ($object:expr, $slot:ident) => {
        call!($object, $slot, Some($crate::consumer::closed), core::ptr::null_mut())
    };
}

pub(crate) unsafe extern "efiapi" fn created(_: *mut c_void, _: NTSTATUS, _: *mut NDK_OBJECT_HEADER) {}

pub(crate) unsafe extern "efiapi" fn closed(_: *mut c_void) {}

/// A consumer that is called in the middle of its closes.
pub(crate) struct Consumer {
    /// The CQ whose notification closes it.
    pub(crate) cq: AtomicPtr<NDK_CQ>,
    /// The connector whose disconnect event closes it.
    pub(crate) connector: AtomicPtr<NDK_CONNECTOR>,
    /// The connector of the last connect event, until it is accepted.
    offered: AtomicPtr<NDK_CONNECTOR>,
    /// Requests that have completed.
    completed: AtomicU32,
    /// Callbacks that are inside their own object's close.
    inside: AtomicU32,
    dump: PathBuf,
    /// The simulator's account when the dump was written.
    pending: Mutex<Vec<ndk::PendingClose>>,
}

impl Consumer {
    pub(crate) fn new(dump: PathBuf) -> Self {
        Self {
            cq: AtomicPtr::new(null_mut()),
            connector: AtomicPtr::new(null_mut()),
            offered: AtomicPtr::new(null_mut()),
            completed: AtomicU32::new(0),
            inside: AtomicU32::new(0),
            dump,
            pending: Mutex::new(Vec::new()),
        }
    }

    /// The context of the consumer's callbacks.
    pub(crate) fn context(&self) -> PVOID {
        (&raw const *self).cast_mut().cast()
    }

    /// # Safety
    ///
    /// `context` is that of a consumer that outlives its machine.
    unsafe fn of<'a>(context: PVOID) -> &'a Self {
        // SAFETY: as the caller promises.
        unsafe { &*context.cast::<Self>() }
    }

    /// The account of the stopped machine; empty before the stop.
    pub(crate) fn pending(&self) -> Vec<ndk::PendingClose> {
        self.pending.lock().expect("no callback has failed").clone()
    }

    /// The connector of the next connect event.
    pub(crate) fn next_offered(&self) -> *mut NDK_CONNECTOR {
        wait(|| !self.offered.load(Ordering::Acquire).is_null());
        self.offered.swap(null_mut(), Ordering::AcqRel)
    }

    /// Waits until so many requests have completed.
    pub(crate) fn await_completed(&self, count: u32) {
        wait(|| self.completed.load(Ordering::Acquire) == count);
    }

    /// Waits until the CQ's notification is inside the close of the CQ.
    pub(crate) fn await_notified(&self) {
        wait(|| self.inside.load(Ordering::Acquire) == 1);
    }

    /// Waits until the machine was stopped and looked at.
    pub(crate) fn await_stop(&self) {
        wait(|| !self.pending().is_empty());
    }

    /// Writes the dump of a moment of which the simulator has an account.
    pub(crate) fn stop(&self) {
        // Other threads go on with their closes: the account before a dump and behind it has to be the same.
        for _ in 0..TRIES {
            let before = ndk::summary().pending;
            dump::write(&self.dump).expect("the dump is written");
            let after = ndk::summary().pending;
            if before.iter().map(crate::compare::line).eq(after.iter().map(crate::compare::line)) {
                *self.pending.lock().expect("no test has failed here") = after;
                return;
            }
        }
        panic!("the pending closes do not stay as they are");
    }
}

/// Waits for a condition.
#[track_caller]
pub(crate) fn wait(condition: impl Fn() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < TIMEOUT, "the condition has not come about");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The notification of the consumer's CQ: it closes the CQ inside, and stays until the machine was looked at.
pub(crate) unsafe extern "efiapi" fn notified(context: PVOID, _: NTSTATUS) {
    // SAFETY: the context is the consumer of the test.
    let consumer = unsafe { Consumer::of(context) };
    let cq = consumer.cq.swap(null_mut(), Ordering::AcqRel);
    if cq.is_null() {
        return;
    }
    assert_eq!(close!(cq, NdkCloseCq), STATUS_PENDING, "a close waits for the callback that it is called in");
    consumer.inside.fetch_add(1, Ordering::Release);
    consumer.await_stop();
}

/// A connect event.
pub(crate) unsafe extern "efiapi" fn requested(context: PVOID, connector: *mut NDK_CONNECTOR) {
    // SAFETY: the context is the consumer of the test.
    let consumer = unsafe { Consumer::of(context) };
    consumer.offered.store(connector, Ordering::Release);
}

/// The completion of a request.
pub(crate) unsafe extern "efiapi" fn done(context: PVOID, status: NTSTATUS) {
    assert_eq!(status, STATUS_SUCCESS, "a request of the test succeeds");
    // SAFETY: the context is the consumer of the test.
    unsafe { Consumer::of(context) }.completed.fetch_add(1, Ordering::Release);
}

/// A disconnect event: that of the consumer's connector closes it inside, and stops to look.
pub(crate) unsafe extern "efiapi" fn disconnected(context: PVOID) {
    // SAFETY: the context is the consumer of the test.
    let consumer = unsafe { Consumer::of(context) };
    let connector = consumer.connector.swap(null_mut(), Ordering::AcqRel);
    if connector.is_null() {
        return;
    }
    assert_eq!(close!(connector, NdkCloseConnector), STATUS_PENDING, "as in a notification");
    consumer.stop();
}

/// Runs a consumer's code.
pub(crate) fn consume<R: 'static>(code: impl FnOnce() -> R) -> R {
    let _attached = sched::current().is_none().then(|| sched::attach("consumer"));
    boundary::call_driver("consumer", code)
}

/// Closes an adapter in a thread, which waits in it; returns when the close is pending.
pub(crate) fn close_in_thread(adapter: *mut NDK_ADAPTER) -> JoinHandle<()> {
    let address = adapter.expose_provenance();
    let thread = std::thread::spawn(move || {
        consume(move || ndk::close_adapter(with_exposed_provenance_mut(address)));
    });
    wait(|| ndk::summary().pending.iter().any(|close| close.kind == ndk::Kind::Adapter));
    thread
}

/// An IPv4 address and a port.
pub(crate) fn address(ip: [u8; 4], port: u16) -> SOCKADDR_IN {
    SOCKADDR_IN {
        sin_family: AF_INET,
        sin_port: port.to_be(),
        sin_addr: IN_ADDR { S_addr: u32::from_ne_bytes(ip) },
        sin_zero: [0; 8],
    }
}

/// Memory with the list that describes it.
pub(crate) struct Memory {
    bytes: Box<[u8]>,
    list: Box<MDL>,
}

impl Memory {
    pub(crate) fn new() -> Self {
        let mut bytes = vec![0; BYTES].into_boxed_slice();
        let address = bytes.as_mut_ptr();
        let list = MDL {
            Next: null_mut(),
            Size: 0x38,
            MdlFlags: MDL_SOURCE_IS_NONPAGED_POOL,
            AllocationProcessorNumber: 0,
            Reserved: 0,
            Process: null_mut(),
            MappedSystemVa: address.cast(),
            StartVa: address.map_addr(|address| address & !0xFFF).cast(),
            ByteCount: u32::try_from(BYTES).expect("it is a page"),
            ByteOffset: u32::try_from(address.addr() & 0xFFF).expect("it is below a page"),
        };
        Self { bytes, list: Box::new(list) }
    }

    /// The list.
    pub(crate) fn list(&mut self) -> *mut MDL {
        &raw mut *self.list
    }

    /// The first byte.
    pub(crate) fn start(&mut self) -> PVOID {
        self.bytes.as_mut_ptr().cast()
    }
}
