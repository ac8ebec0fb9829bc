//! Listeners: each has the port of the address objects that share it.

use core::ffi::c_void;
use core::net::SocketAddr;
use core::ptr::{NonNull, null_mut};

use provider::Shared;
use sys::irql::PassiveLevel;
use sys::ndk::NDK_LISTENER;
use sys::status::{
    NTSTATUS, STATUS_CANCELLED, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_ADDRESS, STATUS_NOT_SUPPORTED,
    STATUS_PENDING, STATUS_SHARING_VIOLATION, STATUS_TOO_MANY_ADDRESSES,
};

use super::Ndk;
use super::call::{call, close, create, slot};
use super::passive::connect_event;
use super::port::Port;
use super::rnic::Use;
use super::sockaddr::Raw;
use crate::network::{BindError, RnicId};
use crate::system::System;

/// A share of a listener, which is closed when its last share is given up.
pub struct Listener<S: System> {
    object: NonNull<NDK_LISTENER>,
    port: Shared<Port<S>>,
    /// The share was given up.
    closed: bool,
}

// SAFETY: NDK objects may be used on any thread.
unsafe impl<S: System> Send for Listener<S> {}
// SAFETY: as above.
unsafe impl<S: System> Sync for Listener<S> {}

impl<S: System> Clone for Listener<S> {
    /// One more share of a listener of which this one was not given up.
    fn clone(&self) -> Self {
        self.port.share();
        Self { object: self.object, port: self.port.clone(), closed: false }
    }
}

/// The error of binding an address, from the status of NdkListen.
const fn bind_error(status: NTSTATUS) -> BindError {
    match status {
        // Cancelled means that the RNIC goes.
        STATUS_INVALID_ADDRESS | STATUS_CANCELLED => BindError::NotLocal,
        STATUS_SHARING_VIOLATION => BindError::InUse,
        STATUS_TOO_MANY_ADDRESSES => BindError::NoPort,
        STATUS_INSUFFICIENT_RESOURCES => BindError::NoMemory,
        _ => BindError::Failed,
    }
}

impl<S: System<Network = Ndk<S>>> Listener<S> {
    /// Listens at an address of the RNIC, and waits until the network has the port. An RNIC that is removed meanwhile
    /// ends the wait.
    ///
    /// # Errors
    ///
    /// See [`BindError`]; nothing is left.
    pub(super) fn open(
        network: &Ndk<S>,
        client: S::Client,
        rnic: Shared<Use<S>>,
        at: SocketAddr,
        level: PassiveLevel,
    ) -> Result<(Self, SocketAddr), BindError> {
        let adapter = rnic.adapter.as_ptr();
        let port = Port::new(client, rnic)?;
        let context = port.clone().into_raw();
        let made = create(|out| {
            let event: sys::ndk::NDK_FN_CONNECT_EVENT_CALLBACK = connect_event::<S>;
            let none = null_mut();
            // SAFETY: the adapter is open; the context lives until the listener's close has completed.
            unsafe { call!(adapter, NdkCreateListener, Some(event), context.as_ptr(), None, none, out) }
        });
        let object = made.map_err(|status| {
            // SAFETY: no listener owns it.
            drop(unsafe { Shared::<Port<S>>::from_raw(context) });
            bind_error(status)
        })?;
        let mut listener = Self { object, port, closed: false };
        let opened = network.enter_opening(&listener.port).and_then(|()| {
            listener.listen(at);
            let answer = listener.port.wait_for_answer(level);
            network.leave_opening(&listener.port);
            answer.map_err(bind_error)
        });
        match opened {
            Ok(()) => {
                let local = listener.local().unwrap_or(at);
                Ok((listener, local))
            }
            Err(error) => {
                listener.close();
                listener.wait_until_free(level);
                Err(error)
            }
        }
    }

    /// Begins NdkListen: the port is told the answer, perhaps before this returns.
    fn listen(&self, at: SocketAddr) {
        let raw = Raw::new(at);
        let (address, length) = raw.parts();
        let request = self.port.clone().into_raw();
        // SAFETY: the listener is not closed, the address a local of that length, and the context the request's own.
        let status = unsafe {
            call!(self.object.as_ptr(), NdkListen, address, length, Some(listened::<S>), request.as_ptr())
        };
        let status = status.unwrap_or(STATUS_NOT_SUPPORTED);
        if status != STATUS_PENDING {
            // SAFETY: the request was answered inline, so the provider does not call back.
            unsafe { listened::<S>(request.as_ptr(), status) };
        }
    }

    fn local(&self) -> Option<SocketAddr> {
        // SAFETY: the listener is not closed; address and length are places for them.
        Raw::asked(|address, length| unsafe {
            call!(self.object.as_ptr(), NdkGetLocalAddress, address, length)
        })
    }
}

impl<S: System> Listener<S> {
    /// The RNIC that it listens on.
    pub(super) fn rnic(&self) -> RnicId {
        self.port.rnic.id
    }

    /// Gives the share up, once; with the last one the listener is closed. Does not wait.
    pub(super) fn close(&mut self) {
        if core::mem::replace(&mut self.closed, true) || !self.port.leave() {
            return;
        }
        // SAFETY: the listener is closed with its last share, and this is that.
        let function = unsafe { slot!(self.object.as_ptr(), NdkCloseListener) };
        // SAFETY: as above; `closed` takes over what the listener owned of the port.
        unsafe { close(self.object.as_ptr(), function, closed::<S>, self.context()) };
    }

    /// The context of the listener's callbacks, which owns it.
    fn context(&self) -> *mut c_void {
        let raw = self.port.clone().into_raw();
        // SAFETY: it was made just now.
        drop(unsafe { Shared::<Port<S>>::from_raw(raw) });
        raw.as_ptr()
    }

    /// Waits until the port is free, see [`Port::wait_until_free`].
    pub(super) fn wait_until_free(&self, level: PassiveLevel) {
        self.port.wait_until_free(level);
    }
}

impl<S: System> Drop for Listener<S> {
    fn drop(&mut self) {
        self.close();
    }
}

/// NdkListen is answered.
unsafe extern "efiapi" fn listened<S: System>(context: *mut c_void, status: NTSTATUS) {
    if let Some(raw) = NonNull::new(context) {
        // SAFETY: the context was the request's own, which is answered once.
        unsafe { Shared::<Port<S>>::from_raw(raw) }.answered(status);
    }
}

/// The close of a listener has completed: what it owned goes.
unsafe extern "efiapi" fn closed<S: System>(context: *mut c_void) {
    if let Some(raw) = NonNull::new(context) {
        // SAFETY: the context was the listener's own, which hands it back once.
        unsafe { Shared::<Port<S>>::from_raw(raw) }.closed();
    }
}
