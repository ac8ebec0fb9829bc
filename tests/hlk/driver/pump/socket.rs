//! Sockets of Winsock Kernel whose calls a thread waits for.

use alloc::boxed::Box;
use core::ptr::{NonNull, null, null_mut};

use protocol::Endpoint;
use sys::sockaddr::SOCKADDR;
use sys::status::{NTSTATUS, STATUS_NOT_SUPPORTED, STATUS_SUCCESS, STATUS_UNSUCCESSFUL};
use sys::wdm::{PVOID, ULONG};
use sys::wsk::{
    IPPROTO_TCP, NPI_WSK_INTERFACE_ID, SO_WSK_EVENT_CALLBACK, SOCK_STREAM, SOL_SOCKET,
    WSK_CLIENT_CONNECTION_DISPATCH, WSK_CONTROL_SOCKET_TYPE, WSK_EVENT_CALLBACK_CONTROL, WSK_EVENT_RECEIVE,
    WSK_FLAG_CONNECTION_SOCKET, WSK_FLAG_LISTEN_SOCKET, WSK_PROVIDER_BASIC_DISPATCH,
    WSK_PROVIDER_CONNECTION_DISPATCH, WSK_PROVIDER_LISTEN_DISPATCH, WSK_SOCKET,
};

use super::request::Request;
use crate::wsk::Provider;

/// An address as Winsock Kernel reads it.
#[repr(C, align(8))]
pub(super) struct Address([u8; 28]);

impl Address {
    pub(super) const fn of(endpoint: &Endpoint) -> Self {
        Self(endpoint.address)
    }

    const fn family(&self) -> u16 {
        let [low, high, ..] = self.0;
        u16::from_le_bytes([low, high])
    }

    const fn as_ptr(&self) -> *mut SOCKADDR {
        (&raw const self.0).cast_mut().cast()
    }
}

/// A socket, which is closed when it is dropped: then nothing of it is called any more.
pub(super) struct Socket {
    place: NonNull<WSK_SOCKET>,
    /// The request of its close, and of calls before.
    control: Box<Request>,
}

impl Socket {
    /// A socket that listens at `at`.
    ///
    /// # Errors
    /// Those of Winsock Kernel.
    pub(super) fn listening(provider: &Provider, at: &Address) -> Result<Self, NTSTATUS> {
        let this = Self::new(provider, at.family(), WSK_FLAG_LISTEN_SOCKET)?;
        // SAFETY: the socket was created as one that listens.
        let bind = unsafe { &*this.table().cast::<WSK_PROVIDER_LISTEN_DISPATCH>() }.WskBind;
        let bind = bind.ok_or(STATUS_NOT_SUPPORTED)?;
        // SAFETY: the socket is open, and the address stays until the request is waited for.
        this.control.make(|irp| unsafe { bind(this.place.as_ptr(), at.as_ptr(), 0, irp) })?;
        Ok(this)
    }

    /// A socket at `from` that connects to `to`.
    ///
    /// # Errors
    /// Those of Winsock Kernel.
    pub(super) fn connected(provider: &Provider, from: &Address, to: &Address) -> Result<Self, NTSTATUS> {
        let this = Self::new(provider, from.family(), WSK_FLAG_CONNECTION_SOCKET)?;
        let bind = this.connection().WskBind.ok_or(STATUS_NOT_SUPPORTED)?;
        // SAFETY: the socket is open, and the address stays until the request is waited for.
        this.control.make(|irp| unsafe { bind(this.place.as_ptr(), from.as_ptr(), 0, irp) })?;
        let connect = this.connection().WskConnect.ok_or(STATUS_NOT_SUPPORTED)?;
        // SAFETY: as above.
        this.control.make(|irp| unsafe { connect(this.place.as_ptr(), to.as_ptr(), 0, irp) })?;
        Ok(this)
    }

    /// Accepts a connection by `request`, whose information the socket is: see [`Socket::accepted`].
    ///
    /// # Errors
    /// `STATUS_NOT_SUPPORTED`.
    ///
    /// # Safety
    /// Context and table stay until the connection is closed.
    pub(super) unsafe fn accept(
        &self,
        request: &Request,
        context: PVOID,
        table: &'static WSK_CLIENT_CONNECTION_DISPATCH,
    ) -> Result<(), NTSTATUS> {
        // SAFETY: the socket was created as one that listens.
        let accept = unsafe { &*self.table().cast::<WSK_PROVIDER_LISTEN_DISPATCH>() }.WskAccept;
        let accept = accept.ok_or(STATUS_NOT_SUPPORTED)?;
        // SAFETY: the socket is open, no address is asked for, and the caller promises the rest.
        request.start(|irp| unsafe {
            accept(self.place.as_ptr(), 0, context, &raw const *table, null_mut(), null_mut(), irp)
        });
        Ok(())
    }

    /// The connection that a request has accepted.
    ///
    /// # Errors
    /// The status of the request.
    pub(super) fn accepted(request: &Request) -> Result<Self, NTSTATUS> {
        // Made before the socket is there, which is closed by it.
        let control = Request::new()?;
        let place = NonNull::new(core::ptr::with_exposed_provenance_mut(request.wait()?));
        place.map(|place| Self { place, control }).ok_or(STATUS_UNSUCCESSFUL)
    }

    fn new(provider: &Provider, family: u16, category: ULONG) -> Result<Self, NTSTATUS> {
        let create = provider.dispatch().WskSocket.ok_or(STATUS_NOT_SUPPORTED)?;
        let control = Request::new()?;
        let none = null_mut;
        // SAFETY: the provider is captured; the socket has no context, functions, process or thread.
        let made = control.make(|irp| unsafe {
            create(
                provider.client(),
                family,
                SOCK_STREAM,
                IPPROTO_TCP,
                category,
                null_mut(),
                null(),
                none(),
                none(),
                null_mut(),
                irp,
            )
        })?;
        let place = NonNull::new(core::ptr::with_exposed_provenance_mut(made));
        place.map(|place| Self { place, control }).ok_or(STATUS_UNSUCCESSFUL)
    }

    /// Has what arrives indicated by the receive event.
    ///
    /// # Errors
    /// Those of Winsock Kernel.
    pub(super) fn enable(&self) -> Result<(), NTSTATUS> {
        let interface = NPI_WSK_INTERFACE_ID;
        let mut control =
            WSK_EVENT_CALLBACK_CONTROL { NpiId: &raw const interface, EventMask: WSK_EVENT_RECEIVE };
        // SAFETY: the table of every category begins with these functions.
        let basic = unsafe { &*self.table().cast::<WSK_PROVIDER_BASIC_DISPATCH>() };
        let function = basic.WskControlSocket.ok_or(STATUS_NOT_SUPPORTED)?;
        // SAFETY: the socket is open; without a request the call has read its input when it returns.
        let status = unsafe {
            function(
                self.place.as_ptr(),
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
        };
        if status == STATUS_SUCCESS { Ok(()) } else { Err(status) }
    }

    /// The socket's address, for calls of its functions.
    pub(super) const fn as_ptr(&self) -> *mut WSK_SOCKET {
        self.place.as_ptr()
    }

    /// The functions of a socket that is connected.
    pub(super) fn connection(&self) -> &WSK_PROVIDER_CONNECTION_DISPATCH {
        // SAFETY: this is the table of that category.
        unsafe { &*self.table().cast() }
    }

    const fn table(&self) -> *const core::ffi::c_void {
        // SAFETY: the socket is open.
        unsafe { self.place.as_ref() }.Dispatch.cast()
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // SAFETY: the table of every category begins with these functions.
        let basic = unsafe { &*self.table().cast::<WSK_PROVIDER_BASIC_DISPATCH>() };
        let Some(close) = basic.WskCloseSocket else { return };
        // SAFETY: no call of the socket's functions is in progress, and none follows.
        let _closed = self.control.make(|irp| unsafe { close(self.place.as_ptr(), irp) });
    }
}
