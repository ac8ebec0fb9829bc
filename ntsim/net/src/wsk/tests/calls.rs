//! Calls of the functions of sockets.

use core::ffi::c_void;
use core::net::SocketAddr;
use core::ptr;
use core::sync::atomic::{AtomicBool, Ordering};

use nt::io::{IoAllocateIrp, IoAllocateMdl, IoFreeIrp, IoFreeMdl};
use nt::mm;
use ntsim_core::number::narrow;
use ntsim_core::sched::{self, Thread};
use parking_lot::Mutex;
use sys::sockaddr::{SOCKADDR, SOCKADDR_INET};
use sys::status::*;
use sys::wdm::*;
use sys::wsk::*;

use crate::wsk::address::{native, read};

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
    let listens =
        ptr::eq(unsafe { (*socket).Dispatch }, (&raw const crate::wsk::listen_functions::LISTEN).cast());
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
