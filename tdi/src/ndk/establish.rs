//! Establishment of a link: its queues, and its connector on either side.

use core::cell::UnsafeCell;
use core::net::SocketAddr;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};

use provider::{NoMemory, Shared};
use sys::status::{NTSTATUS, STATUS_INSUFFICIENT_RESOURCES};

use super::call::{call, create, ulong};
use super::callback::{completed, connected, disconnected};
use super::link::{NdkLink, State, buffers, posted, started};
use super::message::{BUFFERS, SENDS};
use super::passive::ConnectRequest;
use super::port::Port;
use super::rnic::Use;
use super::sockaddr::{HELLO, Raw, hello};
use crate::network::LinkBroken;
use crate::slab::Id;
use crate::system::System;

impl<S: System> NdkLink<S> {
    /// A link with a queue pair, and no connector yet.
    fn new(
        client: S::Client,
        endpoint: Id,
        rnic: Shared<Use<S>>,
        port: Option<Shared<Port<S>>>,
        (local, peer): (SocketAddr, SocketAddr),
    ) -> Result<Self, NTSTATUS> {
        let no_memory = |NoMemory| STATUS_INSUFFICIENT_RESOURCES;
        let state = State {
            client,
            endpoint,
            rnic,
            local,
            peer,
            port,
            connector: AtomicPtr::new(null_mut()),
            qp: AtomicPtr::new(null_mut()),
            cq: AtomicPtr::new(null_mut()),
            objects: AtomicU32::new(0),
            silent: AtomicBool::new(false),
            buffers: UnsafeCell::new(buffers().map_err(no_memory)?),
        };
        let link = Self(Shared::new(state).map_err(no_memory)?);
        link.make_queues().inspect_err(|_| link.discard())?;
        Ok(link)
    }

    fn make_queues(&self) -> Result<(), NTSTATUS> {
        let (adapter, pd) = (self.0.rnic.adapter.as_ptr(), self.0.rnic.pd.as_ptr());
        let context = self.borrowed();
        let (receives, sends) = (ulong(BUFFERS), ulong(SENDS));
        // All of both queues, so that it can't overflow.
        let depth = receives.saturating_add(sends);
        let cq = create(|out| {
            // SAFETY: the adapter is open; the context lives until the queue's close has completed.
            unsafe {
                call!(
                    adapter,
                    NdkCreateCq,
                    depth,
                    Some(completed::<S>),
                    context,
                    null_mut(),
                    None,
                    null_mut(),
                    out
                )
            }
        })?;
        self.own(&self.0.cq, cq);
        let qp = create(|out| {
            let cq = cq.as_ptr();
            // SAFETY: domain and queue are not closed.
            unsafe {
                call!(pd, NdkCreateQp, cq, cq, null_mut(), receives, sends, 1, 2, 0, None, null_mut(), out)
            }
        })?;
        self.own(&self.0.qp, qp);
        Ok(())
    }

    /// Connects; `CONNECTED` or `LOST` follows.
    ///
    /// # Errors
    ///
    /// The provider's, and nothing is left.
    pub(super) fn connect(
        client: S::Client,
        endpoint: Id,
        rnic: Shared<Use<S>>,
        from: SocketAddr,
        to: SocketAddr,
    ) -> Result<Self, NTSTATUS> {
        let link = Self::new(client, endpoint, rnic, None, (from, to))?;
        link.start_connect(from, to).inspect_err(|_| link.discard())?;
        Ok(link)
    }

    fn start_connect(&self, from: SocketAddr, to: SocketAddr) -> Result<(), NTSTATUS> {
        let adapter = self.0.rnic.adapter.as_ptr();
        // SAFETY: the adapter is open.
        let connector = create(|out| unsafe { call!(adapter, NdkCreateConnector, None, null_mut(), out) })?;
        self.own(&self.0.connector, connector);
        // The address object's listener has the RNIC itself; see the head of `ndk`.
        let (source, destination) = (Raw::new(SocketAddr::new(from.ip(), 0)), Raw::new(to));
        let ((source, source_length), (destination, destination_length)) =
            (source.parts(), destination.parts());
        let hello = hello(from.port());
        // SAFETY: connector and queue pair are not closed; addresses and data are locals of their lengths;
        // the context lives until the connector's close has completed.
        let status = unsafe {
            call!(
                connector.as_ptr(),
                NdkConnect,
                self.0.qp.load(Ordering::Acquire),
                source,
                source_length,
                destination,
                destination_length,
                0,
                0,
                hello.as_ptr().cast(),
                ulong(HELLO),
                Some(connected::<S>),
                self.borrowed()
            )
        };
        started(status)
    }

    /// Accepts a connect request; `CONNECTED` or `LOST` follows.
    ///
    /// # Errors
    ///
    /// The provider's; the connect request is refused.
    pub(super) fn accept(
        client: S::Client,
        endpoint: Id,
        connect_request: ConnectRequest<S>,
    ) -> Result<Self, NTSTATUS> {
        let (port, ends) =
            (connect_request.port().clone(), (connect_request.local(), connect_request.peer()));
        let link = Self::new(client, endpoint, port.rnic.clone(), Some(port), ends)?;
        let connector = connect_request.into_connector();
        link.own(&link.0.connector, connector);
        // SAFETY: connector and queue pair are not closed; the contexts live until the connector's close
        // has completed.
        let status = unsafe {
            call!(
                connector.as_ptr(),
                NdkAccept,
                link.0.qp.load(Ordering::Acquire),
                0,
                0,
                core::ptr::null(),
                0,
                Some(disconnected::<S>),
                link.borrowed(),
                Some(connected::<S>),
                link.borrowed()
            )
        };
        started(status).inspect_err(|_| link.discard())?;
        Ok(link)
    }

    pub(super) fn complete_connect(&self) -> Result<(), LinkBroken> {
        let connector = self.0.connector.load(Ordering::Acquire);
        // SAFETY: the connector is not closed; the context lives until its close has completed.
        let status = unsafe {
            call!(connector, NdkCompleteConnect, Some(disconnected::<S>), self.borrowed(), None, null_mut())
        };
        posted(status)
    }
}
