//! The calls that make and end a connection.

use std::ptr::null_mut;

use sys::ndk::*;
use sys::sockaddr::SOCKADDR;
use sys::status::*;

use super::op::{End, FAR, NEAR};
use super::perform::{lend_address, lend_near};
use super::thing::{ADAPTER, Connection, Role, What};
use super::world::{Context, World, on_completion, on_create, on_disconnect};
use crate::tests::consumer::{Lent, call};

impl World {
    pub(super) fn connect(&self, role: Role) -> NTSTATUS {
        let (connector, qp) = (self.find(NEAR, Role::Connector), self.find(NEAR, role));
        let (connector, qp) = (connector.expect("it is open"), qp.expect("it is open"));
        let request = self.begin_connect(connector, vec![qp]);
        let ((from, from_length), (to, to_length)) = (lend_address(NEAR), lend_address(FAR));
        let data = Lent::new(b"hello");
        let status = call!(
            self.pointer::<NDK_CONNECTOR>(NEAR, Role::Connector),
            NdkConnect,
            self.pointer(NEAR, role),
            from.pointer().cast::<SOCKADDR>(),
            from_length,
            to.pointer().cast::<SOCKADDR>(),
            to_length,
            1,
            1,
            data.pointer().cast(),
            5,
            Some(on_completion),
            Context::Request(request).pointer()
        );
        self.end(request, status)
    }

    pub(super) fn connect_shared(&self) -> NTSTATUS {
        let find = |role| self.find(NEAR, role).expect("it is open");
        let (connector, qp, shared) = (find(Role::Connector), find(Role::Qp), find(Role::Shared));
        let request = self.begin_connect(connector, vec![qp, shared]);
        let (to, to_length) = lend_address(FAR);
        let data = Lent::new(b"hello");
        let status = call!(
            self.pointer::<NDK_CONNECTOR>(NEAR, Role::Connector),
            NdkConnectWithSharedEndpoint,
            self.pointer(NEAR, Role::Qp),
            self.pointer(NEAR, Role::Shared),
            to.pointer().cast::<SOCKADDR>(),
            to_length,
            1,
            1,
            data.pointer().cast(),
            5,
            Some(on_completion),
            Context::Request(request).pointer()
        );
        self.end(request, status)
    }

    /// A shared endpoint, which is there when this returns, or when the request is completed.
    pub(super) fn create_shared(&self, port: u16) -> NTSTATUS {
        let request = self.begin(What::CreateShared, ADAPTER, Vec::new());
        let (at, length) = lend_near(port);
        let out = Lent::new(&[null_mut::<NDK_SHARED_ENDPOINT>()]);
        let status = call!(
            self.adapters[NEAR],
            NdkCreateSharedEndpoint,
            at.pointer().cast::<SOCKADDR>(),
            length,
            Some(on_create),
            Context::Request(request).pointer(),
            out.pointer()
        );
        if status == STATUS_SUCCESS {
            self.add(NEAR, self.created_role(), out.get(0).cast(), Vec::new());
        }
        self.end(request, status)
    }

    /// A connect of the near connector: a connection begins, if the request is accepted.
    fn begin_connect(&self, connector: usize, ties: Vec<usize>) -> usize {
        let request = self.begin(What::Connect, connector, ties);
        let mut connections = self.connections.borrow_mut();
        connections.push(Connection::default());
        self.requests.borrow_mut()[request].connection = Some(connections.len() - 1);
        request
    }

    pub(super) fn connect_indicated(&self) -> NTSTATUS {
        let connector = self.find(FAR, Role::Connector).expect("it is open");
        let request = self.begin(What::Connect, connector, Vec::new());
        let ((from, from_length), (to, to_length)) = (lend_address(FAR), lend_address(FAR));
        // Another port of the same address: its own is taken.
        let zero = Lent::new(&[0_u8; 2]);
        // SAFETY: the address has more than four bytes.
        unsafe { from.pointer().add(2).copy_from_nonoverlapping(zero.pointer(), 2) };
        let status = call!(
            self.pointer::<NDK_CONNECTOR>(FAR, Role::Connector),
            NdkConnect,
            self.pointer(FAR, Role::Spare),
            from.pointer().cast::<SOCKADDR>(),
            from_length,
            to.pointer().cast::<SOCKADDR>(),
            to_length,
            1,
            1,
            std::ptr::null(),
            0,
            Some(on_completion),
            Context::Request(request).pointer()
        );
        self.end(request, status)
    }

    pub(super) fn accept(&self, role: Role) -> NTSTATUS {
        let (connector, qp) = (self.find(FAR, Role::Connector), self.find(FAR, role));
        let (connector, qp) = (connector.expect("it is open"), qp.expect("it is open"));
        let request = self.begin(What::Accept, connector, vec![qp]);
        let data = Lent::new(b"welcome");
        let status = call!(
            self.pointer::<NDK_CONNECTOR>(FAR, Role::Connector),
            NdkAccept,
            self.pointer(FAR, role),
            1,
            1,
            data.pointer().cast(),
            7,
            Some(on_disconnect),
            Context::Thing(connector).pointer(),
            Some(on_completion),
            Context::Request(request).pointer()
        );
        self.end(request, status)
    }

    pub(super) fn complete_connect(&self) -> NTSTATUS {
        let connector = self.find(NEAR, Role::Connector).expect("it is open");
        let number = self.things.borrow()[connector].connection;
        if let Some(number) = number {
            self.connections.borrow_mut()[number].completing += 1;
        }
        let status = call!(
            self.pointer::<NDK_CONNECTOR>(NEAR, Role::Connector),
            NdkCompleteConnect,
            Some(on_disconnect),
            Context::Thing(connector).pointer(),
            None,
            null_mut()
        );
        if let Some(number) = number {
            let connection = &mut self.connections.borrow_mut()[number];
            connection.completing -= 1;
            connection.established |= status == STATUS_SUCCESS;
        }
        status
    }

    pub(super) fn disconnect(&self, end: End) -> NTSTATUS {
        let connector = self.find(end, Role::Connector).expect("it is open");
        let request = self.begin(What::Disconnect, connector, Vec::new());
        let status = call!(
            self.pointer::<NDK_CONNECTOR>(end, Role::Connector),
            NdkDisconnect,
            Some(on_completion),
            Context::Request(request).pointer()
        );
        if status != STATUS_CONNECTION_INVALID {
            self.disturb(end);
        }
        self.judge_disconnect(connector, status);
        self.end(request, status)
    }

    /// Something is done that ends or may break the connection of this end.
    pub(super) fn disturb(&self, end: End) {
        let connector = self.find(end, Role::Connector);
        let number = connector.and_then(|id| self.things.borrow()[id].connection);
        if let Some(number) = number {
            self.connections.borrow_mut()[number].disturbed = true;
        }
    }
}
