//! The passive side: listeners, and the connectors that they offer.

use core::ffi::c_void;
use core::mem::ManuallyDrop;
use core::net::SocketAddr;
use core::ptr::{NonNull, null_mut};

use provider::Shared;
use provider::number::usize_from;
use sys::ndk::{NDK_CONNECTOR, NDK_LISTENER};
use sys::status::{
    NT_SUCCESS, STATUS_INVALID_ADDRESS, STATUS_NOT_SUPPORTED, STATUS_SHARING_VIOLATION,
    STATUS_TOO_MANY_ADDRESSES,
};

use super::Ndk;
use super::call::{call, close, create, slot, ulong};
use super::rnic::Use;
use super::sockaddr::{HELLO, Raw, read_hello};
use crate::network::{BindError, RnicId};
use crate::system::{Client as _, System};

/// The context of a listener's callbacks; the NDK listener owns it until its close has completed.
struct State<S: System> {
    client: S::Client,
    rnic: Shared<Use<S>>,
}

/// A listener; dropping it ends it.
pub struct Listener<S: System> {
    object: NonNull<NDK_LISTENER>,
    rnic: RnicId,
    context: NonNull<c_void>,
    system: core::marker::PhantomData<S>,
}

// SAFETY: NDK objects may be used on any thread.
unsafe impl<S: System> Send for Listener<S> {}
// SAFETY: as above.
unsafe impl<S: System> Sync for Listener<S> {}

impl<S: System<Network = Ndk<S>>> Listener<S> {
    /// Listens at an address of the RNIC.
    pub(super) fn new(
        client: S::Client,
        rnic: Shared<Use<S>>,
        at: SocketAddr,
    ) -> Result<(Self, SocketAddr), BindError> {
        let (adapter, id) = (rnic.adapter.as_ptr(), rnic.id);
        let context = Shared::new(State { client, rnic })?.into_raw();
        let made = create(|out| {
            let event: sys::ndk::NDK_FN_CONNECT_EVENT_CALLBACK = connect_event::<S>;
            let none = null_mut();
            // SAFETY: the adapter is open; the context lives until the listener's close has completed.
            unsafe { call!(adapter, NdkCreateListener, Some(event), context.as_ptr(), None, none, out) }
        });
        let object = made.map_err(|_| {
            // SAFETY: no listener owns it.
            drop(unsafe { Shared::<State<S>>::from_raw(context) });
            BindError::NoMemory
        })?;
        // Closed when it is dropped, from here on.
        let listener = Self { object, rnic: id, context, system: core::marker::PhantomData };
        let raw = Raw::new(at);
        let (address, length) = raw.parts();
        // SAFETY: the listener is not closed, and the address a local of that length.
        let status = unsafe { call!(object.as_ptr(), NdkListen, address, length, None, null_mut()) };
        match status.unwrap_or(STATUS_NOT_SUPPORTED) {
            status if NT_SUCCESS(status) => {
                let local = listener.local().unwrap_or(at);
                Ok((listener, local))
            }
            STATUS_INVALID_ADDRESS => Err(BindError::NotLocal),
            STATUS_SHARING_VIOLATION => Err(BindError::InUse),
            STATUS_TOO_MANY_ADDRESSES => Err(BindError::NoPort),
            _ => Err(BindError::NoMemory),
        }
    }

    pub(super) const fn rnic(&self) -> RnicId {
        self.rnic
    }

    fn local(&self) -> Option<SocketAddr> {
        // SAFETY: the listener is not closed; address and length are places for them.
        Raw::asked(|address, length| unsafe {
            call!(self.object.as_ptr(), NdkGetLocalAddress, address, length)
        })
    }
}

impl<S: System> Drop for Listener<S> {
    fn drop(&mut self) {
        // SAFETY: the listener is not closed before it is dropped.
        let function = unsafe { slot!(self.object.as_ptr(), NdkCloseListener) };
        // SAFETY: as above; `forget` takes the context over.
        unsafe { close(self.object.as_ptr(), function, forget::<State<S>>, self.context.as_ptr()) };
    }
}

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
    rnic: Shared<Use<S>>,
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

    pub(super) fn rnic(&self) -> Shared<Use<S>> {
        self.rnic.clone()
    }

    /// The connector, which the caller owns from now on.
    pub(super) fn into_connector(self) -> NonNull<NDK_CONNECTOR> {
        let mut connect_request = ManuallyDrop::new(self);
        let connector = connect_request.connector;
        // SAFETY: the connect request is not dropped, so this is the one drop of its RNIC's use.
        unsafe { core::ptr::drop_in_place(&raw mut connect_request.rnic) };
        connector
    }
}

impl<S: System> Drop for ConnectRequest<S> {
    fn drop(&mut self) {
        // SAFETY: a connect request's connector is not closed before this.
        unsafe { refuse(self.connector, self.rnic.clone()) };
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
unsafe extern "efiapi" fn connect_event<S: System<Network = Ndk<S>>>(
    context: *mut c_void,
    connector: *mut NDK_CONNECTOR,
) {
    let (Some(raw), Some(connector)) = (NonNull::new(context), NonNull::new(connector)) else { return };
    // SAFETY: the listener that owns the context has not completed its close.
    let state = unsafe { Shared::<State<S>>::from_borrowed(raw) };
    let rnic = state.rnic.clone();
    // SAFETY: the connector is ours from now on.
    match unsafe { describe(connector) } {
        Some((local, peer)) => {
            let connect_request = ConnectRequest { connector, rnic, local, peer };
            state.client.connect_event(local, connect_request);
        }
        // SAFETY: as above.
        None => unsafe { refuse(connector, rnic) },
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
