//! Options of sockets.

use core::ptr::{NonNull, null_mut};

use lifecycle::SocketCall;
use sys::status::{NTSTATUS, STATUS_NOT_SUPPORTED};
use sys::wdm::{IRP, ULONG};
use sys::wsk::{
    IPPROTO_TCP, NPI_WSK_INTERFACE_ID, SO_CONDITIONAL_ACCEPT, SO_EXCLUSIVEADDRUSE, SO_KEEPALIVE,
    SO_REUSEADDR, SO_WSK_EVENT_CALLBACK, SOL_SOCKET, TCP_KEEPCNT, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_NODELAY,
    WSK_CONTROL_SOCKET_TYPE, WSK_EVENT_CALLBACK_CONTROL, WSK_PROVIDER_BASIC_DISPATCH,
    WSK_PROVIDER_CONNECTION_DISPATCH, WSK_SOCKET,
};

/// An option of a socket: its level, code and value.
pub(super) struct SocketOption {
    level: ULONG,
    code: ULONG,
    /// Static, as Winsock Kernel may read it until the request is completed.
    value: &'static ULONG,
}

static ON: ULONG = 1;
/// The idle time before the first keepalive probe, in seconds (TM-8).
static KEEPALIVE_IDLE: ULONG = 60;
/// The number of keepalive probes without an answer that end a connection.
static KEEPALIVE_PROBES: ULONG = 8;
/// The time between keepalive probes, in seconds.
static KEEPALIVE_INTERVAL: ULONG = 5;

impl SocketOption {
    /// The option that a call sets; `None` if it sets none.
    pub(super) const fn of(call: SocketCall) -> Option<Self> {
        let (level, code, value) = match call {
            SocketCall::Exclusive => (SOL_SOCKET, SO_EXCLUSIVEADDRUSE, &ON),
            SocketCall::Share => (SOL_SOCKET, SO_REUSEADDR, &ON),
            SocketCall::Inspect => (SOL_SOCKET, SO_CONDITIONAL_ACCEPT, &ON),
            SocketCall::NoDelay => (IPPROTO_TCP, TCP_NODELAY, &ON),
            SocketCall::KeepAlive => (SOL_SOCKET, SO_KEEPALIVE, &ON),
            SocketCall::KeepAliveIdle => (IPPROTO_TCP, TCP_KEEPIDLE, &KEEPALIVE_IDLE),
            SocketCall::KeepAliveCount => (IPPROTO_TCP, TCP_KEEPCNT, &KEEPALIVE_PROBES),
            SocketCall::KeepAliveInterval => (IPPROTO_TCP, TCP_KEEPINTVL, &KEEPALIVE_INTERVAL),
            SocketCall::Discard
            | SocketCall::Create
            | SocketCall::Bind
            | SocketCall::LocalAddress
            | SocketCall::Connect
            | SocketCall::Announce
            | SocketCall::Enable => return None,
        };
        Some(Self { level, code, value })
    }

    /// Sets the option; the request is completed by its routine. Returns false if the socket has no such function, and
    /// the request is not used.
    ///
    /// # Safety
    ///
    /// The socket is pinned, and the request ready.
    pub(super) unsafe fn set(&self, socket: NonNull<WSK_SOCKET>, irp: *mut IRP) -> bool {
        // SAFETY: as the caller promises.
        let Some(control) = (unsafe { basic(socket) }).WskControlSocket else { return false };
        let value: *const ULONG = self.value;
        // SAFETY: as the caller promises; the value is static, and only read.
        let _completed_by_its_routine = unsafe {
            control(
                socket.as_ptr(),
                WSK_CONTROL_SOCKET_TYPE::WskSetOption,
                self.code,
                self.level,
                size_of::<ULONG>(),
                value.cast_mut().cast(),
                0,
                null_mut(),
                null_mut(),
                irp,
            )
        };
        true
    }
}

/// Enables events of a socket, which takes no request (WSK-5).
///
/// # Safety
///
/// The socket is pinned.
pub(super) unsafe fn enable(socket: NonNull<WSK_SOCKET>, events: ULONG) -> NTSTATUS {
    let interface = NPI_WSK_INTERFACE_ID;
    let mut control = WSK_EVENT_CALLBACK_CONTROL { NpiId: &raw const interface, EventMask: events };
    // SAFETY: as the caller promises.
    let Some(function) = (unsafe { basic(socket) }).WskControlSocket else { return STATUS_NOT_SUPPORTED };
    // SAFETY: as the caller promises; without a request the call has read its input when it returns.
    unsafe {
        function(
            socket.as_ptr(),
            WSK_CONTROL_SOCKET_TYPE::WskSetOption,
            SO_WSK_EVENT_CALLBACK,
            SOL_SOCKET,
            size_of::<WSK_EVENT_CALLBACK_CONTROL>(),
            (&raw mut control).cast(),
            0,
            null_mut(),
            null_mut(),
            null_mut(),
        )
    }
}

/// The functions that every socket has.
///
/// # Safety
///
/// The socket is pinned while the result is in use.
pub(super) unsafe fn basic<'a>(socket: NonNull<WSK_SOCKET>) -> &'a WSK_PROVIDER_BASIC_DISPATCH {
    // SAFETY: as the caller promises.
    let table = unsafe { socket.as_ref() }.Dispatch;
    // SAFETY: the table of every category begins with these functions.
    unsafe { &*table.cast::<WSK_PROVIDER_BASIC_DISPATCH>() }
}

/// The functions of a connection.
///
/// # Safety
///
/// The socket is pinned while the result is in use, and one that connects or was accepted.
pub(super) unsafe fn connection<'a>(socket: NonNull<WSK_SOCKET>) -> &'a WSK_PROVIDER_CONNECTION_DISPATCH {
    // SAFETY: as the caller promises.
    let table = unsafe { socket.as_ref() }.Dispatch;
    // SAFETY: this is the table of that category.
    unsafe { &*table.cast::<WSK_PROVIDER_CONNECTION_DISPATCH>() }
}
