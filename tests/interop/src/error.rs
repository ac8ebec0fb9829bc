//! Errors.

use std::io;

use iwarp::fault::Fault;
use thiserror::Error;

use crate::event::Event;

/// An error of an endpoint.
#[derive(Debug, Error)]
pub enum Error {
    /// The socket.
    #[error("the socket: {0}")]
    Socket(#[from] io::Error),
    /// The private data does not fit into a frame.
    #[error("the private data is too long")]
    PrivateData,
    /// The responder rejected the connection.
    #[error("the peer rejected the connection")]
    Rejected,
    /// The connection came to nothing.
    #[error("the start failed: {0:?}")]
    Start(Fault),
    /// The engine refused a message.
    #[error("the engine refused a message: {0:?}")]
    Refused(iwarp::PostError),
    /// Nothing came in time.
    #[error("nothing came in time; the stream is {0:?}")]
    Late(iwarp::State),
    /// Another event than the one that was expected.
    #[error("not what was expected: {0:?}")]
    Unexpected(Event),
}
