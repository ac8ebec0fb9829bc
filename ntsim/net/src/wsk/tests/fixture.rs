//! A driver with sockets, played by tests.

use core::ffi::c_void;
use core::net::SocketAddr;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use std::collections::VecDeque;
use std::sync::Arc;

use nt::io::{IoAllocateIrp, IoAllocateMdl, IoFreeIrp, IoFreeMdl};
use nt::ke::KeDelayExecutionThread;
use nt::mm;
use ntsim_core::address::Va;
use ntsim_core::boot::{Builder, Machine};
use ntsim_core::number::{ToUsize, narrow};
use ntsim_core::sched::{self, Thread};
use parking_lot::Mutex;
use sys::sockaddr::{SOCKADDR, SOCKADDR_INET};
use sys::status::*;
use sys::wdm::*;
use sys::wsk::*;

use crate::wsk::address::{native, read};
use crate::wsk::client::*;

/// A machine with a registered client that holds the provider.
pub(super) struct Fixture {
    pub(super) machine: Option<Machine>,
    registration: Box<WSK_REGISTRATION>,
    _dispatch: Box<WSK_CLIENT_DISPATCH>,
    pub(super) npi: WSK_PROVIDER_NPI,
}

impl Fixture {
    pub(super) fn new() -> Self {
        Self::with(crate::testing::builder())
    }

    pub(super) fn with(builder: Builder<Machine>) -> Self {
        let machine = builder.boot();
        let dispatch = Box::new(WSK_CLIENT_DISPATCH { Version: VERSION, Reserved: 0, WskClientEvent: None });
        let mut registration: Box<WSK_REGISTRATION> = Box::new(unsafe { core::mem::zeroed() });
        let npi = WSK_CLIENT_NPI { ClientContext: ptr::null_mut(), Dispatch: &*dispatch };
        assert_eq!(unsafe { WskRegister(&npi, &mut *registration) }, STATUS_SUCCESS);
        let mut npi = WSK_PROVIDER_NPI { Client: ptr::null_mut(), Dispatch: ptr::null() };
        assert_eq!(
            unsafe { WskCaptureProviderNPI(&mut *registration, WSK_INFINITE_WAIT, &mut npi) },
            STATUS_SUCCESS
        );
        Self { machine: Some(machine), registration, _dispatch: dispatch, npi }
    }

    /// Lets go of the provider and shuts the machine down; the rules that were broken.
    pub(super) fn rules(mut self) -> Vec<&'static str> {
        unsafe {
            WskReleaseProviderNPI(&mut *self.registration);
            WskDeregister(&mut *self.registration);
        }
        let report = self.machine.take().unwrap().shutdown();
        print!("{report}");
        report.rules()
    }

    pub(super) fn release(&mut self) {
        unsafe { WskReleaseProviderNPI(&mut *self.registration) };
    }

    pub(super) fn registration(&mut self) -> Va {
        Va::of(&raw const *self.registration)
    }

    /// A socket that listens at an address, not bound yet.
    pub(super) fn listener(&self, owner: &Arc<Owner>, at: SocketAddr) -> Listener {
        let socket = self.socket(WSK_FLAG_LISTEN_SOCKET, at, owner, (&raw const LISTEN_EVENTS).cast());
        Listener { socket: socket.cast(), owner: Arc::clone(owner) }
    }

    /// A listener with its events enabled; with the address at which it is.
    pub(super) fn listening(&self, owner: &Arc<Owner>, at: SocketAddr) -> (Listener, SocketAddr) {
        let listener = self.listener(owner, at);
        assert_eq!(bind(listener.socket, at), STATUS_SUCCESS);
        let all = WSK_EVENT_ACCEPT | WSK_EVENT_RECEIVE | WSK_EVENT_DISCONNECT | WSK_EVENT_SEND_BACKLOG;
        assert_eq!(enable(listener.socket, all), STATUS_SUCCESS);
        let at = local(listener.socket);
        (listener, at)
    }

    /// A connection, bound and connected, without events.
    pub(super) fn connect(
        &self,
        owner: &Arc<Owner>,
        from: SocketAddr,
        to: SocketAddr,
    ) -> Result<*mut WSK_SOCKET, NTSTATUS> {
        let socket = self.connection(owner, from);
        assert_eq!(bind(socket, from), STATUS_SUCCESS);
        match connect(socket, to) {
            STATUS_SUCCESS => Ok(socket),
            status => {
                assert_eq!(close(socket), STATUS_SUCCESS);
                Err(status)
            }
        }
    }

    /// A socket that can connect.
    pub(super) fn connection(&self, owner: &Arc<Owner>, from: SocketAddr) -> *mut WSK_SOCKET {
        self.socket(WSK_FLAG_CONNECTION_SOCKET, from, owner, (&raw const CONNECTION_EVENTS).cast())
    }

    fn socket(
        &self,
        flags: u32,
        at: SocketAddr,
        owner: &Arc<Owner>,
        events: *const c_void,
    ) -> *mut WSK_SOCKET {
        let family = if at.is_ipv4() { 2 } else { 23 };
        let none = ptr::null_mut();
        let context = Arc::as_ptr(owner).cast_mut().cast();
        let make = unsafe { (*self.npi.Dispatch).WskSocket }.unwrap();
        let client = self.npi.Client;
        let (status, socket) = request(|irp| unsafe {
            make(client, family, SOCK_STREAM, IPPROTO_TCP, flags, context, events, none, none, none, irp)
        });
        assert_eq!(status, STATUS_SUCCESS);
        socket as *mut WSK_SOCKET
    }
}

/// A listening socket of the test's.
pub(super) struct Listener {
    pub(super) socket: *mut WSK_SOCKET,
    pub(super) owner: Arc<Owner>,
}

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

static CONNECTION_EVENTS: WSK_CLIENT_CONNECTION_DISPATCH = WSK_CLIENT_CONNECTION_DISPATCH {
    WskReceiveEvent: Some(receive_event),
    WskDisconnectEvent: Some(disconnect_event),
    WskSendBacklogEvent: Some(backlog_event),
};

static LISTEN_EVENTS: WSK_CLIENT_LISTEN_DISPATCH = WSK_CLIENT_LISTEN_DISPATCH {
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

/// A request of the test's that is under way.
pub(super) struct Pending {
    pub(super) irp: *mut IRP,
    outcome: Box<Completed>,
}

struct Completed {
    done: AtomicBool,
    outcome: Mutex<(NTSTATUS, usize)>,
    waiter: &'static Thread,
}

unsafe extern "efiapi" fn completed(_: *mut DEVICE_OBJECT, irp: *mut IRP, context: *mut c_void) -> NTSTATUS {
    let completed = unsafe { &*context.cast::<Completed>() };
    let status = unsafe { (*irp).IoStatus };
    let waiter = completed.waiter;
    *completed.outcome.lock() = (status.Status, status.Information);
    completed.done.store(true, Ordering::Release);
    sched::wake(waiter);
    STATUS_MORE_PROCESSING_REQUIRED
}

/// Gives a request its completion routine.
pub(super) fn prepare(irp: *mut IRP, context: *mut c_void) {
    unsafe {
        let next = (*irp).Tail.Overlay.CurrentStackLocation.sub(1);
        (*next).CompletionRoutine = Some(completed);
        (*next).Context = context;
        (*next).Control = SL_INVOKE_ON_SUCCESS | SL_INVOKE_ON_ERROR | SL_INVOKE_ON_CANCEL;
    }
}

impl Pending {
    /// Starts what `call` does with a request.
    pub(super) fn start(call: impl FnOnce(*mut IRP) -> NTSTATUS) -> Self {
        let outcome = Box::new(Completed {
            done: AtomicBool::new(false),
            outcome: Mutex::new((0, 0)),
            waiter: sched::current().unwrap(),
        });
        let irp = unsafe { IoAllocateIrp(1, 0) };
        prepare(irp, ptr::from_ref(&*outcome).cast_mut().cast());
        call(irp);
        Self { irp, outcome }
    }

    pub(super) fn is_done(&self) -> bool {
        self.outcome.done.load(Ordering::Acquire)
    }

    pub(super) fn wait(self) -> (NTSTATUS, usize) {
        while !self.is_done() {
            sched::block(Some(core::time::Duration::from_millis(1)));
        }
        unsafe { IoFreeIrp(self.irp) };
        *self.outcome.outcome.lock()
    }
}

/// Performs a request to its end.
pub(super) fn request(call: impl FnOnce(*mut IRP) -> NTSTATUS) -> (NTSTATUS, usize) {
    Pending::start(call).wait()
}

/// The functions of a connection.
pub(super) fn functions<'a>(socket: *mut WSK_SOCKET) -> &'a WSK_PROVIDER_CONNECTION_DISPATCH {
    unsafe { &*(*socket).Dispatch.cast() }
}

/// The functions of any socket.
pub(super) fn basic<'a>(socket: *mut WSK_SOCKET) -> &'a WSK_PROVIDER_BASIC_DISPATCH {
    unsafe { &*(*socket).Dispatch.cast() }
}

fn pointer(address: &SOCKADDR_INET) -> *const SOCKADDR {
    ptr::from_ref(address).cast()
}

pub(super) fn bind(socket: *mut WSK_SOCKET, at: SocketAddr) -> NTSTATUS {
    // Both tables have it in the same place.
    let at = native(at);
    request(|irp| unsafe { functions(socket).WskBind.unwrap()(socket, pointer(&at), 0, irp) }).0
}

pub(super) fn connect(socket: *mut WSK_SOCKET, to: SocketAddr) -> NTSTATUS {
    let to = native(to);
    request(|irp| unsafe { functions(socket).WskConnect.unwrap()(socket, pointer(&to), 0, irp) }).0
}

pub(super) fn close(socket: *mut WSK_SOCKET) -> NTSTATUS {
    request(|irp| unsafe { basic(socket).WskCloseSocket.unwrap()(socket, irp) }).0
}

/// The local address, of either category.
pub(super) fn local(socket: *mut WSK_SOCKET) -> SocketAddr {
    let listens = ptr::eq(unsafe { (*socket).Dispatch }, (&raw const crate::wsk::functions::LISTEN).cast());
    let get = if listens {
        unsafe { (*(*socket).Dispatch.cast::<WSK_PROVIDER_LISTEN_DISPATCH>()).WskGetLocalAddress }
    } else {
        functions(socket).WskGetLocalAddress
    };
    let mut out: SOCKADDR_INET = unsafe { core::mem::zeroed() };
    let room = (&raw mut out).cast();
    assert_eq!(request(|irp| unsafe { get.unwrap()(socket, room, irp) }).0, STATUS_SUCCESS);
    unsafe { read(pointer(&out)) }.unwrap()
}

/// Sets an option of four bytes.
pub(super) fn set(socket: *mut WSK_SOCKET, level: u32, option: u32, value: u32) -> NTSTATUS {
    let mut value = value;
    let input = (&raw mut value).cast();
    let set = WSK_CONTROL_SOCKET_TYPE::WskSetOption;
    let control = basic(socket).WskControlSocket.unwrap();
    let none = ptr::null_mut();
    request(|irp| unsafe { control(socket, set, option, level, 4, input, 0, none, ptr::null_mut(), irp) }).0
}

/// Enables or disables events, without a request.
pub(super) fn enable(socket: *mut WSK_SOCKET, mask: u32) -> NTSTATUS {
    let id = NPI_WSK_INTERFACE_ID;
    let mut events = WSK_EVENT_CALLBACK_CONTROL { NpiId: &id, EventMask: mask };
    let input = (&raw mut events).cast();
    let (set, none) = (WSK_CONTROL_SOCKET_TYPE::WskSetOption, ptr::null_mut());
    let control = basic(socket).WskControlSocket.unwrap();
    let irp = ptr::null_mut();
    unsafe {
        control(socket, set, SO_WSK_EVENT_CALLBACK, SOL_SOCKET, 16, input, 0, none, ptr::null_mut(), irp)
    }
}

/// Bytes in memory that is locked, with a list over them.
pub(super) struct Buffer {
    pub(super) bytes: Vec<u8>,
    pub(super) mdl: *mut MDL,
}

impl Buffer {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        let start = bytes.as_ptr().cast_mut().cast();
        let mdl = unsafe { IoAllocateMdl(start, narrow(bytes.len()), 0, 0, ptr::null_mut()) };
        unsafe { mm::build_for_nonpaged(mdl) };
        Self { bytes, mdl }
    }

    pub(super) fn all(&self) -> WSK_BUF {
        WSK_BUF { Mdl: self.mdl, Offset: 0, Length: self.bytes.len() }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        unsafe { IoFreeMdl(self.mdl) };
    }
}

/// Starts to send.
pub(super) fn start_send(socket: *mut WSK_SOCKET, mut buffer: WSK_BUF) -> Pending {
    Pending::start(|irp| unsafe { functions(socket).WskSend.unwrap()(socket, &mut buffer, 0, irp) })
}

pub(super) fn send(socket: *mut WSK_SOCKET, bytes: &[u8]) -> (NTSTATUS, usize) {
    let buffer = Buffer::new(bytes.to_vec());
    start_send(socket, buffer.all()).wait()
}

/// Starts to receive.
pub(super) fn start_receive(socket: *mut WSK_SOCKET, mut buffer: WSK_BUF, flags: u32) -> Pending {
    Pending::start(|irp| unsafe { functions(socket).WskReceive.unwrap()(socket, &mut buffer, flags, irp) })
}

/// Receives nothing, which lets indications go on.
pub(super) fn resume(socket: *mut WSK_SOCKET) {
    let none = WSK_BUF { Mdl: ptr::null_mut(), Offset: 0, Length: 0 };
    assert_eq!(start_receive(socket, none, 0).wait(), (STATUS_SUCCESS, 0));
}

/// Starts to disconnect.
pub(super) fn start_disconnect(socket: *mut WSK_SOCKET, buffer: Option<WSK_BUF>, flags: u32) -> Pending {
    let mut buffer = buffer;
    let last = buffer.as_mut().map_or(ptr::null_mut(), ptr::from_mut);
    Pending::start(|irp| unsafe { functions(socket).WskDisconnect.unwrap()(socket, last, flags, irp) })
}

pub(super) fn release(socket: *mut WSK_SOCKET, first: usize) -> NTSTATUS {
    unsafe { functions(socket).WskRelease.unwrap()(socket, first as *mut _) }
}

/// Decides over a connection that is inspected.
pub(super) fn decide(
    socket: *mut WSK_SOCKET,
    (key, serial): (usize, u32),
    action: WSK_INSPECT_ACTION,
) -> NTSTATUS {
    let mut id = WSK_INSPECT_ID { Key: key, SerialNumber: serial };
    let table = unsafe { &*(*socket).Dispatch.cast::<WSK_PROVIDER_LISTEN_DISPATCH>() };
    request(|irp| unsafe { table.WskInspectComplete.unwrap()(socket, &mut id, action, irp) }).0
}
