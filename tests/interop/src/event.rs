//! Events of a connection.

use iwarp::fault::Fault;
use iwarp::rdmap::{SendKind, Terminate};

/// An event of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A Send has arrived.
    Received {
        /// Its kind.
        kind: SendKind,
        /// The message.
        bytes: Vec<u8>,
    },
    /// A read has ended: the bytes.
    ReadDone(Vec<u8>),
    /// The peer has ended the stream with a reason.
    Terminated(Terminate),
    /// The stream has ended before its time.
    Fault(Fault),
    /// The peer has ended its stream in order.
    Finished,
    /// The connection is gone.
    Gone,
}
