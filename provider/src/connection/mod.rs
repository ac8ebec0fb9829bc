//! Connections: endpoints, listeners, connectors, and the connection between two QPs.
//!
//! A connector and a QP have one side of a connection, as a [`Link`]. The active side connected; the passive
//! side's connector was made here and indicated by a listener. Where both sides live in this driver, the link
//! leads to a [`Connection`](loopback::Connection): the messages of a wire are transitions of one state machine there
//! (`state`), made under one lock.
//!
//! | module | knows |
//! |---|---|
//! | `connector`, `listener`, `shared_endpoint` | the objects |
//! | `link`, `route` | the closed enums of the kinds of remotes: all that the objects and QPs use of an attempt |
//! | `call`, `end` | calls and obligations, of any kind of remote |
//! | `loopback`, `state`, `established` | a remote in this driver |
//! | `wire` | a remote in another machine |
//! | `claim`, `departure`, `endpoint` | the resources of an attempt |
//! | [`layout`] | the places of what a debugger reads |
//! | [`lookup`] | requests that wait for an address of the RNIC |

mod call;
mod claim;
mod connect_request;
mod connector;
mod departure;
mod end;
mod endpoint;
mod established;
pub(crate) mod layout;
mod link;
mod listener;
pub(crate) mod lookup;
mod loopback;
mod private_data;
mod route;
mod shared_endpoint;
mod state;
mod wire;

pub(crate) use call::{ConnectCompleted, Disconnected, Side};
pub(crate) use connector::{AddressPair, ConnectError, Connector, Origin, Source, Turn};
pub(crate) use end::DisconnectEvent;
pub(crate) use endpoint::{BindError, Endpoint, FabricState};
pub(crate) use established::{Direction, Established};
pub(crate) use link::Link;
pub(crate) use listener::{ListenError, Listener};
#[cfg(all(test, not(loom)))]
pub(crate) use loopback::Connection;
pub(crate) use private_data::{MAX_PRIVATE_DATA, PrivateData};
pub(crate) use shared_endpoint::SharedEndpoint;
pub(crate) use wire::{BATCH, BATCHES, Batch, Stream, Wire, WirePort};
