//! The calls of connectors on a connection: what they pass, and what comes of them.

#![forbid(unsafe_code)]

use core::net::SocketAddr;

use super::claim::Claim;
use super::connector::Connector;
use super::departure::Departure;
use super::end::{AntecedentRefs, DisconnectEvent};
use super::private_data::PrivateData;
use crate::consumer::Request;
use crate::kernel::Kernel;
use crate::limits::ReadLimits;
use crate::object::ObjectRef;
use crate::queue_pair::Qp;
use crate::rundown::Shard;

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Side {
    /// The one that connected.
    Active = 0,
    /// The one that was indicated by a listener.
    Passive = 1,
}

impl Side {
    /// The other end.
    pub(crate) fn peer(self) -> Self {
        match self {
            Self::Active => Self::Passive,
            Self::Passive => Self::Active,
        }
    }

    /// The shard in which the transfers that this side initiates are counted.
    pub(crate) fn shard(self) -> Shard {
        match self {
            Self::Active => Shard::Initiator,
            Self::Passive => Shard::Target,
        }
    }
}

/// Parameters of NdkConnect.
pub(crate) struct Connect<K: Kernel> {
    /// The connector, which the connection wakes.
    pub(super) connector: ObjectRef<K, Connector<K>>,
    pub(super) ties: AntecedentRefs<K>,
    pub(super) claim: Claim<K>,
    pub(super) departure: Departure<K>,
    pub(super) remote: SocketAddr,
    pub(super) limits: ReadLimits,
    pub(super) data: PrivateData,
    pub(super) request: Request<K, Connector<K>>,
}

/// Parameters of NdkAccept. None is used before the connection has admitted the accept.
pub(crate) struct Accept<K: Kernel> {
    pub(super) claim: Claim<K>,
    pub(super) tie: ObjectRef<K, Qp<K>>,
    pub(super) limits: ReadLimits,
    pub(super) data: PrivateData,
    pub(super) event: Option<DisconnectEvent>,
    pub(super) request: Request<K, Connector<K>>,
}

/// Outcome of NdkCompleteConnect.
pub(crate) enum ConnectCompleted {
    /// Transfers run.
    Done,
    /// The attempt has ended. The request is kept and completes, with STATUS_CONNECTION_ABORTED, when the QP is free and
    /// the connector may connect again.
    Pending,
}

/// Outcome of NdkDisconnect.
pub(crate) enum Disconnected {
    /// The request is kept and completes when transfers have drained.
    Pending,
    /// Transfers have drained.
    Done,
}

/// The call does not fit the state of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StateError;
