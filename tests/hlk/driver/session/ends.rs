//! The queues and memory of both sides of a session, before and after they are connected.

use alloc::boxed::Box;

use sys::ndk::{NDK_ADAPTER_INFO, NDK_CONNECTOR};
use sys::status::NTSTATUS;

use super::SessionLanes;
use super::direct::{self, Client, Server};
use super::end::End;
use crate::heap::try_box;
use crate::ndk::{Handle, QpDepths};
use crate::pair::QpSet;
use crate::test_context::TestContext;
use crate::work::Poll;

/// Two connectors of a session: one for chunks by Send, Write and Read, and one for those that move as SMB Direct moves
/// them.
#[derive(Clone, Copy)]
pub(super) struct Lanes<'l> {
    pub(super) chunks: Handle<'l, NDK_CONNECTOR>,
    pub(super) direct: Handle<'l, NDK_CONNECTOR>,
}

/// The ends of both sides.
pub(super) struct Ends<'l> {
    /// The side that transmits.
    pub(super) near: End<'l>,
    pub(super) client: Client<'l>,
    /// The side that collects.
    pub(super) far: End<'l>,
    pub(super) server: Server<'l>,
}

impl<'l> Ends<'l> {
    /// Makes them, on the near and on the far adapter; the near side expects the first control message.
    ///
    /// Not inlined: the stack on which the provider connects later has no room for them.
    #[inline(never)]
    pub(super) fn open(test: &TestContext<'l>, near_info: &NDK_ADAPTER_INFO) -> Result<Box<Self>, NTSTATUS> {
        let near = End::open(test, QpSet::on(test.near, QpDepths::SMALL)?, Poll::Plain)?;
        let far = End::open(test, QpSet::on(test.far, QpDepths::SMALL)?, Poll::Plain)?;
        near.expect_control()?;
        try_box(Self { near, client: Client::open(test, near_info)?, far, server: Server::open(test)? })
    }
}

impl Ends<'static> {
    /// From now on the end of a peer in another machine ends all waits.
    pub(super) fn watch(&self, lanes: &SessionLanes) {
        self.near.watch(lanes.near.chunks);
        self.client.end.watch(lanes.near.direct);
        self.far.watch(lanes.far.chunks);
        self.server.end.watch(lanes.far.direct);
    }
}

/// The longest chunk, in bytes, that adapters with these limits move at once, but not more than is wished.
pub(super) fn chunk_length(wished: u32, infos: &[NDK_ADAPTER_INFO]) -> u32 {
    infos.iter().fold(wished, |length, info| {
        let registered = u32::try_from(info.MaxRegistrationSize).unwrap_or(u32::MAX);
        length.min(info.MaxTransferLength).min(registered).min(direct::longest(info))
    })
}
