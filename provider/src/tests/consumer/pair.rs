//! Two sides, and the way from nothing to a connection.

use std::net::SocketAddr;
use std::ptr::{null, null_mut};
use std::rc::Rc;

use sys::ndk::*;
use sys::sockaddr::SOCKADDR;
use sys::status::*;
use test_kernel::Manual;
use test_kernel::network::InABox;

use super::{Lent, Log, Seen, Side, call, close, completed, disconnected, virtual_address};
use crate::number::usize_from;
use crate::rnic::{Fabric, Rnic, WireSettings};

/// An address as the interface takes it, with its length.
pub(crate) fn sockaddr(address: SocketAddr) -> (Lent<u8>, u32) {
    let (mut buffer, mut length) = ([0; 64], 64);
    // SAFETY: the buffer has 64 bytes.
    let status = unsafe { crate::ndkpi::write_address(address, buffer.as_mut_ptr().cast(), &mut length) };
    assert_eq!(status, STATUS_SUCCESS);
    (Lent::new(&buffer[..usize_from(length)]), length)
}

/// Two RNICs, each opened once.
pub(crate) struct Pair {
    pub(crate) log: Log,
    pub(crate) fabric: Fabric<Manual>,
    pub(crate) near: Side,
    pub(crate) far: Side,
    pub(crate) listener: *mut NDK_LISTENER,
}

impl Pair {
    pub(crate) fn new() -> Self {
        Self::between("10.0.0.1:0", "10.0.0.2:445")
    }

    pub(crate) fn between(near: &str, far: &str) -> Self {
        let log = Log(Rc::default());
        let fabric = Fabric::new().unwrap();
        let (near, far) = (Side::new(&fabric, near, &log), Side::new(&fabric, far, &log));
        let listener = far.create_listener(&log);
        Self { log, fabric, near, far, listener }
    }

    /// Two RNICs whose connections go over the network in a box.
    pub(crate) fn over_network(settings: WireSettings) -> Self {
        let log = Log(Rc::default());
        let fabric = Fabric::new().unwrap();
        let rnic = || Rnic::with_network(&fabric, InABox, settings).unwrap();
        let near = Side::of(rnic(), "10.0.0.1:0", &log);
        let far = Side::of(rnic(), "10.0.0.2:5445", &log);
        let listener = far.create_listener(&log);
        Self { log, fabric, near, far, listener }
    }

    pub(crate) fn listen(&self) -> NTSTATUS {
        let (address, length) = sockaddr(self.far.address);
        call!(self.listener, NdkListen, address.as_ptr().cast::<SOCKADDR>(), length, None, null_mut())
    }

    /// Listens with a completion, which is recorded as `listen`.
    pub(crate) fn listen_pending(&self) -> NTSTATUS {
        let ((address, length), context) = (sockaddr(self.far.address), self.log.context("listen"));
        let address = address.as_ptr().cast::<SOCKADDR>();
        call!(self.listener, NdkListen, address, length, Some(completed), context)
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
        let data = Lent::new(data);
        let pointer = if data.is_empty() { null() } else { data.pointer().cast_const().cast() };
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
    pub(crate) fn take_connect_request(&mut self) {
        let seen = self.log.pump();
        let [Seen::Requested(_, connector)] = seen[..] else { panic!("no single connect request: {seen:?}") };
        self.far.connector = virtual_address(connector).cast();
    }

    pub(crate) fn accept(&self, data: &[u8]) -> NTSTATUS {
        let (event, context) = (self.log.context("far"), self.log.context("accept"));
        let data = Lent::new(data);
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

    /// Two RNICs with an established connection.
    pub(crate) fn connected() -> Self {
        let mut pair = Self::new();
        pair.establish();
        pair
    }

    pub(crate) fn establish(&mut self) {
        assert_eq!(self.listen(), STATUS_SUCCESS);
        assert_eq!(self.connect(b"hello"), STATUS_PENDING);
        self.take_connect_request();
        assert_eq!(self.accept(b"welcome"), STATUS_PENDING);
        assert_eq!(self.log.pump(), [Seen::RequestCompleted("connect", STATUS_SUCCESS)]);
        assert_eq!(self.complete_connect(), STATUS_SUCCESS);
        assert_eq!(self.log.pump(), [Seen::RequestCompleted("accept", STATUS_SUCCESS)]);
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
