//! A driver with sockets, played by tests.

use core::ffi::c_void;
use core::net::SocketAddr;
use core::ptr;
use std::sync::Arc;

use ntsim_core::address::Va;
use ntsim_core::boot::{Builder, Machine};
use sys::status::*;
use sys::wsk::*;

pub(super) use super::calls::*;
use super::events::{CONNECTION_EVENTS, LISTEN_EVENTS};
pub(super) use super::events::{Owner, Take};
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
