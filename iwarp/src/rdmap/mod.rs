//! Headers of the Remote Direct Memory Access protocol (RDMAP, RFC 5040 section 4), which stand in those of DDP.

mod read;
mod terminate;

pub use read::{READ_REQUEST, ReadRequest};
pub use terminate::{Code, Copied, TERMINATE, Terminate};

use crate::ddp::{self, Header, Msn, Queue, Stag, Tagged, Untagged};

const VERSION_BITS: u8 = 0xC0;
const VERSION: u8 = 0x40;
const OPCODE_BITS: u8 = 0x0F;

/// The operation of a message: any number of four bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opcode(pub u8);

impl Opcode {
    /// RDMA Write.
    pub const WRITE: Self = Self(0);
    /// RDMA Read Request.
    pub const READ_REQUEST: Self = Self(1);
    /// RDMA Read Response.
    pub const READ_RESPONSE: Self = Self(2);
    /// Send.
    pub const SEND: Self = Self(3);
    /// Send with Invalidate.
    pub const SEND_INVALIDATE: Self = Self(4);
    /// Send with Solicited Event.
    pub const SEND_SOLICITED: Self = Self(5);
    /// Send with Solicited Event and Invalidate.
    pub const SEND_SOLICITED_INVALIDATE: Self = Self(6);
    /// Terminate.
    pub const TERMINATE: Self = Self(7);
}

/// The four kinds of Send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SendKind {
    /// Asks for a solicited event at the receiver.
    pub solicited: bool,
    /// The receiver's token that ends with this message.
    pub invalidate: Option<Stag>,
}

impl SendKind {
    /// A plain Send.
    pub const PLAIN: Self = Self { solicited: false, invalidate: None };

    const fn opcode(self) -> Opcode {
        match (self.solicited, self.invalidate) {
            (false, None) => Opcode::SEND,
            (false, Some(_)) => Opcode::SEND_INVALIDATE,
            (true, None) => Opcode::SEND_SOLICITED,
            (true, Some(_)) => Opcode::SEND_SOLICITED_INVALIDATE,
        }
    }
}

/// A header of version 1 whose operation suits its buffer model and queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// A segment of an RDMA Write.
    Write(Placed),
    /// A segment of a Read Response.
    ReadResponse(Placed),
    /// A segment of a Send.
    Send(SendKind, Sequenced),
    /// A Read Request, whose body follows.
    ReadRequest(Sequenced),
    /// A Terminate, whose body follows.
    Terminate(Sequenced),
}

/// The place of a tagged segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The memory.
    pub stag: Stag,
    /// The place in it.
    pub offset: u64,
    /// Ends its message.
    pub last: bool,
}

/// The place of an untagged segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sequenced {
    /// The message.
    pub msn: Msn,
    /// The place in it.
    pub offset: u32,
    /// Ends its message.
    pub last: bool,
}

/// The ways in which a header of DDP is none of RDMAP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderError {
    /// There is no such queue.
    Queue,
    /// The version is not that of RFC 5040.
    Version,
    /// No such operation, or none for this buffer model and queue.
    Opcode,
}

impl Message {
    /// The meaning of a header. Reserved bits are ignored.
    pub fn parse(header: Header) -> Result<Self, HeaderError> {
        match header {
            Header::Tagged(Tagged { last, control, stag, offset }) => {
                let placed = Placed { stag, offset, last };
                match opcode(control)? {
                    Opcode::WRITE => Ok(Self::Write(placed)),
                    Opcode::READ_RESPONSE => Ok(Self::ReadResponse(placed)),
                    _ => Err(HeaderError::Opcode),
                }
            }
            Header::Untagged(Untagged { last, control, invalidate, queue, msn, offset }) => {
                let sequenced = Sequenced { msn, offset, last };
                if !matches!(queue, Queue::SEND | Queue::READ_REQUEST | Queue::TERMINATE) {
                    return Err(HeaderError::Queue);
                }
                let invalidate = Some(invalidate);
                let (kind, of) = match opcode(control)? {
                    Opcode::READ_REQUEST => (Self::ReadRequest(sequenced), Queue::READ_REQUEST),
                    Opcode::TERMINATE => (Self::Terminate(sequenced), Queue::TERMINATE),
                    Opcode::SEND => (Self::Send(SendKind::PLAIN, sequenced), Queue::SEND),
                    Opcode::SEND_INVALIDATE => {
                        (Self::Send(SendKind { solicited: false, invalidate }, sequenced), Queue::SEND)
                    }
                    Opcode::SEND_SOLICITED => {
                        (Self::Send(SendKind { solicited: true, invalidate: None }, sequenced), Queue::SEND)
                    }
                    Opcode::SEND_SOLICITED_INVALIDATE => {
                        (Self::Send(SendKind { solicited: true, invalidate }, sequenced), Queue::SEND)
                    }
                    _ => return Err(HeaderError::Opcode),
                };
                if queue == of { Ok(kind) } else { Err(HeaderError::Opcode) }
            }
        }
    }

    /// The header of DDP that this one stands in.
    pub fn emit(self) -> Header {
        let tagged = |opcode, Placed { stag, offset, last }| {
            Header::Tagged(Tagged { last, control: control(opcode), stag, offset })
        };
        let untagged = |opcode, invalidate: Option<Stag>, queue, Sequenced { msn, offset, last }| {
            let invalidate = invalidate.unwrap_or(Stag(0));
            Header::Untagged(Untagged { last, control: control(opcode), invalidate, queue, msn, offset })
        };
        match self {
            Self::Write(placed) => tagged(Opcode::WRITE, placed),
            Self::ReadResponse(placed) => tagged(Opcode::READ_RESPONSE, placed),
            Self::Send(kind, sequenced) => untagged(kind.opcode(), kind.invalidate, Queue::SEND, sequenced),
            Self::ReadRequest(sequenced) => {
                untagged(Opcode::READ_REQUEST, None, Queue::READ_REQUEST, sequenced)
            }
            Self::Terminate(sequenced) => untagged(Opcode::TERMINATE, None, Queue::TERMINATE, sequenced),
        }
    }

    /// The length of the header of such a message, with the body that belongs to it.
    pub const fn header_length(self) -> usize {
        match self {
            Self::Write(_) | Self::ReadResponse(_) => ddp::TAGGED,
            Self::Send(..) | Self::ReadRequest(_) | Self::Terminate(_) => ddp::UNTAGGED,
        }
    }
}

fn opcode(control: u8) -> Result<Opcode, HeaderError> {
    if control & VERSION_BITS == VERSION {
        Ok(Opcode(control & OPCODE_BITS))
    } else {
        Err(HeaderError::Version)
    }
}

const fn control(Opcode(opcode): Opcode) -> u8 {
    VERSION | opcode
}

#[cfg(test)]
mod tests;
