//! A group: a listener, and many connections to it.

use alloc::vec::Vec;

use protocol::{GroupReport, Side};
use sys::ndk::{NDK_ADAPTER, NDK_CQ, NDK_LISTENER};
use sys::status::{NTSTATUS, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_PARAMETER, STATUS_SUCCESS};

use super::endpoint::{DEPTHS, REQUESTS, StressEndpoint};
use crate::call_log::Object;
use crate::ndk::{CqDepth, Handle};
use crate::number::usize_from;
use crate::pair::{self, Connection, QpSet};
use crate::test_context::TestContext;

/// A group.
pub(super) struct Group {
    pub(super) number: u32,
    near: GroupSide,
    far: GroupSide,
}

/// One side of a group.
pub(super) struct GroupSide {
    pub(super) cq: Handle<'static, NDK_CQ>,
    /// The side's objects that belong to none of its endpoints.
    pub(super) listener: Option<Handle<'static, NDK_LISTENER>>,
    pub(super) endpoints: Vec<StressEndpoint>,
}

impl GroupSide {
    fn new(
        adapter: Handle<'static, NDK_ADAPTER>,
        listener: Option<Handle<'static, NDK_LISTENER>>,
        connections: u32,
    ) -> Result<Self, NTSTATUS> {
        let mut endpoints = Vec::new();
        endpoints.try_reserve_exact(usize_from(connections)).map_err(|_| STATUS_INSUFFICIENT_RESOURCES)?;
        let cq = adapter.create_cq(CqDepth(connections.saturating_mul(REQUESTS).max(1)))?;
        Ok(Self { cq, listener, endpoints })
    }

    /// Creates the objects that a connection needs on this side.
    fn qp_set(&self, adapter: Handle<'static, NDK_ADAPTER>) -> Result<QpSet<'static>, NTSTATUS> {
        let pd = adapter.create_pd()?;
        Ok(QpSet { cq: self.cq, pd, qp: pd.create_qp(self.cq, DEPTHS)?, mr: pd.create_mr()? })
    }

    /// The side's own objects: CQ and listener.
    pub(super) fn objects(&self) -> impl Iterator<Item = &'static Object> {
        [Some(self.cq.object()), self.listener.map(Handle::object)].into_iter().flatten()
    }
}

impl Group {
    /// Makes a group with as many connections as can be made. Objects of attempts that fail stay open.
    ///
    /// # Errors
    /// If there can't be a group at all.
    pub(super) fn connect(
        test: &TestContext<'static>,
        number: u32,
        connections: u32,
    ) -> Result<(Self, GroupReport), NTSTATUS> {
        let port = u16::try_from(number)
            .ok()
            .and_then(|number| test.far_end.port().checked_add(number))
            .ok_or(STATUS_INVALID_PARAMETER)?;
        let mut test = *test;
        test.far_end = test.far_end.with_port(port);
        let listener = pair::listen(&test)?;
        let near = GroupSide::new(test.near, None, connections)?;
        let far = GroupSide::new(test.far, Some(listener), connections)?;
        let mut group = Self { number, near, far };
        let mut report = GroupReport { status: STATUS_SUCCESS, connected: 0 };
        for _ in 0..connections {
            match group.add(&test, listener) {
                Ok(()) => report.connected = report.connected.saturating_add(1),
                Err(status) if report.status == STATUS_SUCCESS => report.status = status,
                Err(_) => {}
            }
        }
        Ok((group, report))
    }

    /// Adds a connection.
    fn add(
        &mut self,
        test: &TestContext<'static>,
        listener: Handle<'static, NDK_LISTENER>,
    ) -> Result<(), NTSTATUS> {
        let (near, far) = (self.near.qp_set(test.near)?, self.far.qp_set(test.far)?);
        let (near_memory, far_memory) =
            (StressEndpoint::memory(test, near)?, StressEndpoint::memory(test, far)?);
        let Connection { near: near_connector, far: far_connector } =
            pair::connect_to(test, listener, (near.qp, b"near"), (far.qp, b"far"))?;
        let (near_remote, far_remote) = (near_memory.remote(), far_memory.remote());
        self.near.endpoints.push(StressEndpoint::new(near, near_connector, near_memory, far_remote));
        self.far.endpoints.push(StressEndpoint::new(far, far_connector, far_memory, near_remote));
        Ok(())
    }

    pub(super) const fn group_side(&self, side: Side) -> &GroupSide {
        match side {
            Side::Near => &self.near,
            Side::Far => &self.far,
        }
    }
}
