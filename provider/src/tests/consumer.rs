//! A consumer: the interface with the least ceremony, and a record of every callback.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::ptr::{null, null_mut};
use std::rc::Rc;

use sys::ndk::*;
use sys::sockaddr::SOCKADDR;
use sys::status::*;
use sys::wdm::{MDL, PVOID};

use super::host::{Host, pump};
use crate::port::{Port, Segment};

/// What callbacks were made, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Completed(&'static str, NTSTATUS),
    Closed(&'static str),
    Offered(&'static str, usize),
    Disconnected(&'static str),
    Notified(&'static str, NTSTATUS),
}

type Action = Box<dyn FnMut(&Seen)>;

/// One context of the consumer's: where a callback is recorded, and under which name.
struct Context {
    name: &'static str,
    log: Log,
}

#[derive(Default)]
struct Record {
    seen: RefCell<Vec<Seen>>,
    action: RefCell<Option<Action>>,
}

/// The record, and what to do inside each callback.
#[derive(Clone)]
pub(crate) struct Log(Rc<Record>);

impl Log {
    fn record(&self, seen: Seen) {
        self.0.seen.borrow_mut().push(seen.clone());
        let action = self.0.action.borrow_mut().take();
        if let Some(mut action) = action {
            action(&seen);
            self.0.action.borrow_mut().get_or_insert(action);
        }
    }

    /// A context for callbacks of the object called `name`; it stays for the rest of the process.
    pub(crate) fn context(&self, name: &'static str) -> PVOID {
        Box::into_raw(Box::new(Context { name, log: self.clone() })).cast()
    }

    /// Makes the deferred calls, and returns the callbacks since the last time.
    pub(crate) fn pump(&self) -> Vec<Seen> {
        pump();
        self.0.seen.take()
    }

    /// How many callbacks there were since the last pump.
    pub(crate) fn count(&self) -> usize {
        self.0.seen.borrow().len()
    }

    /// Has `action` run inside every callback from now on.
    pub(crate) fn inside(&self, action: impl FnMut(&Seen) + 'static) {
        *self.0.action.borrow_mut() = Some(Box::new(action));
    }
}

fn seen(context: PVOID, make: impl FnOnce(&'static str) -> Seen) {
    // SAFETY: every context is one of `Log::context`, which stays.
    let context = unsafe { &*context.cast::<Context>() };
    context.log.record(make(context.name));
}

pub(crate) unsafe extern "win64" fn completed(context: PVOID, status: NTSTATUS) {
    seen(context, |name| Seen::Completed(name, status));
}

pub(crate) unsafe extern "win64" fn closed(context: PVOID) {
    seen(context, Seen::Closed);
}

pub(crate) unsafe extern "win64" fn offered(context: PVOID, connector: *mut NDK_CONNECTOR) {
    seen(context, |name| Seen::Offered(name, connector as usize));
}

pub(crate) unsafe extern "win64" fn disconnected(context: PVOID) {
    seen(context, Seen::Disconnected);
}

pub(crate) unsafe extern "win64" fn notified(context: PVOID, status: NTSTATUS) {
    seen(context, |name| Seen::Notified(name, status));
}

unsafe extern "win64" fn never_created(_: PVOID, _: NTSTATUS, _: *mut NDK_OBJECT_HEADER) {
    panic!("no create of this provider pends");
}

/// Calls a slot of an object's table.
macro_rules! call {
    ($object:expr, $slot:ident $(, $argument:expr)*) => {{
        let object = $object;
        // SAFETY: the test passes an object that it has not closed, and valid arguments.
        unsafe { ((*(*object).Dispatch).$slot.expect("no slot is empty"))(object $(, $argument)*) }
    }};
}
pub(crate) use call;

/// Closes an object, to be recorded as `name`.
macro_rules! close {
    ($log:expr, $object:expr, $slot:ident, $name:literal) => {{
        let object = $object;
        let context = $log.context($name);
        // SAFETY: the test hands the object over.
        unsafe {
            ((*(*object).Dispatch).$slot.expect("no slot is empty"))(
                object.cast(),
                Some(crate::tests::consumer::closed),
                context,
            )
        }
    }};
}
pub(crate) use close;

fn create<T>(create: impl FnOnce(*mut *mut T) -> NTSTATUS) -> *mut T {
    let mut object = null_mut();
    assert_eq!(create(&mut object), STATUS_SUCCESS);
    object
}

/// One side of a pair.
pub(crate) struct Side {
    pub(crate) port: Port<Host>,
    pub(crate) address: SocketAddr,
    pub(crate) adapter: *mut NDK_ADAPTER,
    pub(crate) cq: *mut NDK_CQ,
    pub(crate) pd: *mut NDK_PD,
    pub(crate) qp: *mut NDK_QP,
    pub(crate) connector: *mut NDK_CONNECTOR,
}

pub(crate) const DEPTH: u32 = 4;
/// The most inline data of a request, in bytes.
pub(crate) const INLINE: u32 = 16;

impl Side {
    fn new(segment: &Segment<Host>, address: &str, log: &Log) -> Self {
        let address: SocketAddr = address.parse().unwrap();
        let port = Port::new(segment).unwrap();
        port.set_addresses(&[address.ip()]).unwrap();
        port.set_enabled(true);
        let adapter = port.open(NDK_VERSION_2_1).unwrap().as_ptr();
        let cq = Self::create_cq(adapter, log);
        let pd = create(|out| call!(adapter, NdkCreatePd, Some(never_created), null_mut(), out));
        let mut side = Self { port, address, adapter, cq, pd, qp: null_mut(), connector: null_mut() };
        side.qp = side.create_qp();
        side
    }

    pub(crate) fn create_cq(adapter: *mut NDK_ADAPTER, log: &Log) -> *mut NDK_CQ {
        let (context, none) = (log.context("cq"), null_mut());
        create(|out| {
            call!(
                adapter,
                NdkCreateCq,
                64,
                Some(notified),
                context,
                none,
                Some(never_created),
                null_mut(),
                out
            )
        })
    }

    pub(crate) fn create_qp(&self) -> *mut NDK_QP {
        let (cq, context) = (self.cq, 0x51 as PVOID);
        create(|out| {
            call!(
                self.pd,
                NdkCreateQp,
                cq,
                cq,
                context,
                DEPTH,
                DEPTH,
                2,
                2,
                INLINE,
                Some(never_created),
                null_mut(),
                out
            )
        })
    }

    pub(crate) fn create_connector(&self) -> *mut NDK_CONNECTOR {
        create(|out| call!(self.adapter, NdkCreateConnector, Some(never_created), null_mut(), out))
    }

    pub(crate) fn create_mr(&self) -> *mut NDK_MR {
        create(|out| call!(self.pd, NdkCreateMr, 0, Some(never_created), null_mut(), out))
    }

    pub(crate) fn create_listener(&self, log: &Log) -> *mut NDK_LISTENER {
        let context = log.context("listener");
        create(|out| {
            call!(
                self.adapter,
                NdkCreateListener,
                Some(offered),
                context,
                Some(never_created),
                null_mut(),
                out
            )
        })
    }

    /// All results that wait, as (status, bytes, context).
    pub(crate) fn results(&self) -> Vec<(NTSTATUS, u32, usize)> {
        let none =
            NDK_RESULT { Status: 0, BytesTransferred: 0, QPContext: null_mut(), RequestContext: null_mut() };
        let mut results = [none; 8];
        let mut all = Vec::new();
        loop {
            let count = call!(self.cq, NdkGetCqResults, results.as_mut_ptr(), 8) as usize;
            all.extend(results[..count].iter().map(|result| {
                assert_eq!(result.QPContext as usize, 0x51);
                (result.Status, result.BytesTransferred, result.RequestContext as usize)
            }));
            if count < 8 {
                return all;
            }
        }
    }

    pub(crate) fn close_adapter(&self) {
        // SAFETY: the test is done with the adapter.
        unsafe { Port::<Host>::close(std::ptr::NonNull::new(self.adapter).unwrap()) };
    }
}

/// Memory with a list that describes it, as a consumer would have locked it.
pub(crate) struct Buffer {
    pub(crate) bytes: Box<[u8]>,
    pub(crate) mdl: Box<MDL>,
}

impl Buffer {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        let mut bytes = bytes.into_boxed_slice();
        let address = bytes.as_mut_ptr() as usize;
        let mdl = Box::new(MDL {
            Next: null_mut(),
            Size: 0x38,
            MdlFlags: sys::wdm::MDL_SOURCE_IS_NONPAGED_POOL,
            AllocationProcessorNumber: 0,
            Reserved: 0,
            Process: null_mut(),
            MappedSystemVa: address as PVOID,
            StartVa: (address & !0xFFF) as PVOID,
            ByteCount: u32::try_from(bytes.len()).unwrap(),
            ByteOffset: (address & 0xFFF) as u32,
        });
        Self { bytes, mdl }
    }

    pub(crate) fn address(&self) -> usize {
        self.bytes.as_ptr() as usize
    }

    /// Registers the whole buffer; returns the region and its token.
    pub(crate) fn register(&mut self, side: &Side, flags: u32) -> (*mut NDK_MR, u32) {
        let mr = side.create_mr();
        let (mdl, length) = (std::ptr::from_mut(&mut *self.mdl), self.bytes.len());
        assert_eq!(call!(mr, NdkRegisterMr, mdl, length, flags, None, null_mut()), STATUS_SUCCESS);
        (mr, call!(mr, NdkGetLocalTokenFromMr))
    }

    pub(crate) fn sge(&self, token: u32) -> NDK_SGE {
        let length = u32::try_from(self.bytes.len()).unwrap();
        let address = NDK_SGE_ADDRESS { VirtualAddress: self.address() as PVOID };
        NDK_SGE { Address: address, Length: length, MemoryRegionToken: token }
    }
}

/// Two ports, each opened once.
pub(crate) struct Pair {
    pub(crate) log: Log,
    pub(crate) near: Side,
    pub(crate) far: Side,
    pub(crate) listener: *mut NDK_LISTENER,
}

/// An address as the interface takes it, with its length.
pub(crate) fn sockaddr(address: SocketAddr) -> (Box<[u8; 64]>, u32) {
    let mut buffer = Box::new([0; 64]);
    let mut length = 64;
    // SAFETY: the buffer has 64 bytes.
    let status = unsafe { crate::ndkpi::write_address(address, buffer.as_mut_ptr().cast(), &mut length) };
    assert_eq!(status, STATUS_SUCCESS);
    (buffer, length)
}

impl Pair {
    pub(crate) fn new() -> Self {
        Self::between("10.0.0.1:0", "10.0.0.2:445")
    }

    pub(crate) fn between(near: &str, far: &str) -> Self {
        let log = Log(Rc::default());
        let segment = Segment::new().unwrap();
        let (near, far) = (Side::new(&segment, near, &log), Side::new(&segment, far, &log));
        let listener = far.create_listener(&log);
        Self { log, near, far, listener }
    }

    pub(crate) fn listen(&self) -> NTSTATUS {
        let (address, length) = sockaddr(self.far.address);
        call!(self.listener, NdkListen, address.as_ptr().cast::<SOCKADDR>(), length, None, null_mut())
    }

    /// Begins to connect the near side's queue pair with a new connector.
    pub(crate) fn connect(&mut self, data: &[u8]) -> NTSTATUS {
        self.near.connector = self.near.create_connector();
        self.connect_again(data)
    }

    pub(crate) fn connect_again(&self, data: &[u8]) -> NTSTATUS {
        let (local, local_length) = sockaddr(self.near.address);
        let (remote, remote_length) = sockaddr(self.far.address);
        let context = self.log.context("connect");
        let pointer = if data.is_empty() { null() } else { data.as_ptr().cast() };
        call!(
            self.near.connector,
            NdkConnect,
            self.near.qp,
            local.as_ptr().cast::<SOCKADDR>(),
            local_length,
            remote.as_ptr().cast::<SOCKADDR>(),
            remote_length,
            8,
            16,
            pointer,
            u32::try_from(data.len()).unwrap(),
            Some(completed),
            context
        )
    }

    /// Takes the connector that the listener indicates.
    pub(crate) fn take_offer(&mut self) {
        let seen = self.log.pump();
        let [Seen::Offered(_, connector)] = seen[..] else { panic!("no single offer: {seen:?}") };
        self.far.connector = connector as *mut NDK_CONNECTOR;
    }

    pub(crate) fn accept(&self, data: &[u8]) -> NTSTATUS {
        let (event, context) = (self.log.context("far"), self.log.context("accept"));
        call!(
            self.far.connector,
            NdkAccept,
            self.far.qp,
            32,
            4,
            data.as_ptr().cast(),
            u32::try_from(data.len()).unwrap(),
            Some(disconnected),
            event,
            Some(completed),
            context
        )
    }

    pub(crate) fn complete_connect(&self) -> NTSTATUS {
        let (event, context) = (self.log.context("near"), self.log.context("complete"));
        call!(self.near.connector, NdkCompleteConnect, Some(disconnected), event, Some(completed), context)
    }

    /// Two ports with an established connection.
    pub(crate) fn connected() -> Self {
        let mut pair = Self::new();
        pair.establish();
        pair
    }

    pub(crate) fn establish(&mut self) {
        assert_eq!(self.listen(), STATUS_SUCCESS);
        assert_eq!(self.connect(b"hello"), STATUS_PENDING);
        self.take_offer();
        assert_eq!(self.accept(b"welcome"), STATUS_PENDING);
        assert_eq!(self.log.pump(), [Seen::Completed("connect", STATUS_SUCCESS)]);
        assert_eq!(self.complete_connect(), STATUS_SUCCESS);
        assert_eq!(self.log.pump(), [Seen::Completed("accept", STATUS_SUCCESS)]);
    }

    pub(crate) fn disconnect(&self, connector: *mut NDK_CONNECTOR, name: &'static str) -> NTSTATUS {
        call!(connector, NdkDisconnect, Some(completed), self.log.context(name))
    }

    /// Closes all that is left, successors first, each inline; then both adapters.
    pub(crate) fn tear_down(self) {
        self.log.pump();
        let log = &self.log;
        for side in [&self.near, &self.far] {
            if !side.connector.is_null() {
                close!(log, side.connector, NdkCloseConnector, "connector");
                log.pump();
            }
        }
        assert_eq!(close!(log, self.listener, NdkCloseListener, "listener"), STATUS_SUCCESS);
        for side in [&self.near, &self.far] {
            assert_eq!(close!(log, side.qp, NdkCloseQp, "qp"), STATUS_SUCCESS);
            assert_eq!(close!(log, side.pd, NdkClosePd, "pd"), STATUS_SUCCESS);
            assert_eq!(close!(log, side.cq, NdkCloseCq, "cq"), STATUS_SUCCESS);
            side.close_adapter();
        }
    }
}
