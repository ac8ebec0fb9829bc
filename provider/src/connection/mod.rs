//! Connections: endpoints, listeners, connectors, and the session between two queue pairs.
//!
//! A connection is a [`Session`] with two sides. The active side connected; the passive side's connector
//! was made here and indicated by a listener. Both sides live in this machine, so what would be messages
//! are transitions of one state machine, made under one lock.

mod connector;
mod endpoint;
mod listener;
mod private_data;
mod session;
mod shared_endpoint;
mod state;

pub(crate) use connector::{ConnectError, Connector, Source, Way};
pub(crate) use endpoint::{BindError, Endpoint, SegmentState};
pub(crate) use listener::{ListenError, Listener};
pub(crate) use private_data::{MAX_PRIVATE_DATA, PrivateData};
pub(crate) use session::{Disconnected, Session, Transfers};
pub(crate) use shared_endpoint::SharedEndpoint;
pub(crate) use state::{DisconnectEvent, Limits, Side};
