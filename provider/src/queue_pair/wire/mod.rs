//! A QP whose connection goes over a network: transfers as messages of iWARP.

use core::marker::PhantomData;

use crate::connection::{Joined, Wire};
use crate::heap::NoMemory;
use crate::kernel::Kernel;
use crate::object::Object;
use crate::queue_pair::Qp;
use crate::queue_pair::initiator::{PendingInvalidate, Step};
use crate::queue_pair::remote::{RemoteMemory, Send};
use crate::queue_pair::sgl::Sgl;
use crate::rundown::{Pin, Shard};

/// The transfers of one connection, as far as they have state of their own.
pub(crate) struct WireTransfers<K: Kernel>(PhantomData<fn() -> K>);

impl<K: Kernel> WireTransfers<K> {
    /// None yet.
    ///
    /// # Errors
    ///
    /// [`NoMemory`].
    #[expect(dead_code, reason = "no route leads to a wire yet")]
    pub(crate) fn new() -> Result<Self, NoMemory> {
        Ok(Self(PhantomData))
    }
}

/// The peer of a QP, over a wire.
pub(super) struct WireRemote<'c, K: Kernel> {
    wire: &'c Wire<K>,
    _joined: Pin<'c, Joined<K>>,
}

impl<'c, K: Kernel> WireRemote<'c, K> {
    /// The peer, if the connection is established.
    pub(super) fn pin(wire: &'c Wire<K>) -> Option<Self> {
        Some(Self { wire, _joined: wire.joined(Shard::Initiator)? })
    }

    /// As [`Remote::resume`](super::remote::Remote::resume).
    pub(super) fn resume(&self) {
        self.wire.resume();
    }

    /// As [`Remote::send`](super::remote::Remote::send).
    pub(super) fn send(
        &self,
        _: &Object<K, Qp<K>>,
        _: Send<'_>,
        _: &mut Option<PendingInvalidate<K>>,
    ) -> Result<Step, Step> {
        Err(Step::NoConnection)
    }

    /// As [`Remote::write`](super::remote::Remote::write).
    pub(super) fn write(&self, _: &Object<K, Qp<K>>, _: &Sgl, _: RemoteMemory) -> Result<Step, Step> {
        Err(Step::NoConnection)
    }

    /// As [`Remote::read`](super::remote::Remote::read).
    pub(super) fn read(&self, _: &Object<K, Qp<K>>, _: &Sgl, _: RemoteMemory) -> Result<Step, Step> {
        Err(Step::NoConnection)
    }
}
