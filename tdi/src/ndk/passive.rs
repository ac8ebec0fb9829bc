//! The passive side: the connectors that listeners offer.

use core::ffi::c_void;
use core::mem::ManuallyDrop;
use core::net::SocketAddr;
use core::ptr::{NonNull, null_mut};

use provider::Shared;
use provider::number::usize_from;
use sys::ndk::NDK_CONNECTOR;
use sys::status::NT_SUCCESS;

use super::Ndk;
use super::call::{call, close, slot, ulong};
use super::port::Port;
use super::rnic::Use;
use super::sockaddr::{HELLO, Raw, read_hello};
use crate::system::{Client as _, System};

/// A close has completed: what its object owned goes.
unsafe extern "efiapi" fn forget<T>(context: *mut c_void) {
    if let Some(raw) = NonNull::new(context) {
        // SAFETY: the context was the object's own, which hands it back once.
        drop(unsafe { Shared::<T>::from_raw(raw) });
    }
}

/// A connector that a listener offers; dropping it refuses the connection.
pub struct ConnectRequest<S: System> {
    connector: NonNull<NDK_CONNECTOR>,
    /// The port by which it came in, of which it is a connection.
    port: Shared<Port<S>>,
    local: SocketAddr,
    peer: SocketAddr,
}

// SAFETY: NDK objects may be used on any thread.
unsafe impl<S: System> Send for ConnectRequest<S> {}

impl<S: System> ConnectRequest<S> {
    pub(super) fn peer(&self) -> SocketAddr {
        self.peer
    }

    pub(super) fn local(&self) -> SocketAddr {
        self.local
    }

    /// The port by which it came in.
    pub(super) const fn port(&self) -> &Shared<Port<S>> {
        &self.port
    }

    /// The connector, which the caller owns from now on, and which is a connection of the port until it is closed.
    pub(super) fn into_connector(self) -> NonNull<NDK_CONNECTOR> {
        let mut connect_request = ManuallyDrop::new(self);
        let connector = connect_request.connector;
        // SAFETY: the connect request is not dropped, so this is the one drop of its port.
        unsafe { core::ptr::drop_in_place(&raw mut connect_request.port) };
        connector
    }
}

impl<S: System> Drop for ConnectRequest<S> {
    fn drop(&mut self) {
        self.port.connection_ends();
        // SAFETY: a connect request's connector is not closed before this.
        unsafe { refuse(self.connector, self.port.rnic.clone()) };
    }
}

/// Closes a connector, by which the peer's connect is refused. The RNIC stays in use until that is done.
///
/// # Safety
///
/// The connector is not closed, and no other thread uses it.
unsafe fn refuse<S: System>(connector: NonNull<NDK_CONNECTOR>, rnic: Shared<Use<S>>) {
    // SAFETY: as the caller promises.
    let function = unsafe { slot!(connector.as_ptr(), NdkCloseConnector) };
    let context = rnic.into_raw().as_ptr();
    // SAFETY: as the caller promises; `forget` takes the context over.
    unsafe { close(connector.as_ptr(), function, forget::<Use<S>>, context) };
}

/// Takes a connect request of a peer.
pub(super) unsafe extern "efiapi" fn connect_event<S: System<Network = Ndk<S>>>(
    context: *mut c_void,
    connector: *mut NDK_CONNECTOR,
) {
    let (Some(raw), Some(connector)) = (NonNull::new(context), NonNull::new(connector)) else { return };
    // SAFETY: the listener that owns the context has not completed its close.
    let port = unsafe { Shared::<Port<S>>::from_borrowed(raw) };
    // SAFETY: the connector is ours from now on.
    match unsafe { describe(connector) } {
        Some((local, peer)) => {
            port.connection_begins();
            let connect_request = ConnectRequest { connector, port: Shared::clone(&port), local, peer };
            port.client.connect_event(local, connect_request);
        }
        // SAFETY: as above.
        None => unsafe { refuse(connector, port.rnic.clone()) },
    }
}

/// The two ends of an incoming connection; `None` if the peer is no client.
///
/// # Safety
///
/// The connector is not closed.
unsafe fn describe(connector: NonNull<NDK_CONNECTOR>) -> Option<(SocketAddr, SocketAddr)> {
    let connector = connector.as_ptr();
    // SAFETY: as the caller promises; address and length are places for them.
    let local =
        Raw::asked(|address, length| unsafe { call!(connector, NdkGetLocalAddress, address, length) })?;
    // SAFETY: as above.
    let peer = Raw::asked(|address, length| unsafe { call!(connector, NdkGetPeerAddress, address, length) })?;
    let (mut hello, mut length) = ([0_u8; HELLO], ulong(HELLO));
    // SAFETY: as above; the data's room is a local of that length.
    let status = unsafe {
        call!(
            connector,
            NdkGetConnectionData,
            null_mut(),
            null_mut(),
            hello.as_mut_ptr().cast(),
            &raw mut length
        )
    };
    // A longer greeting does not fit, which is a status that is no success.
    let whole = status.is_some_and(NT_SUCCESS) && usize_from(length) == HELLO;
    let port = read_hello(hello.get(..).filter(|_| whole)?)?;
    Some((local, SocketAddr::new(peer.ip(), port)))
}
