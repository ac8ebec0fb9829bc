//! Faults: the side that is to blame, and the answer on the wire, which follows from the fault alone.
//!
//! The numbers of a Terminate are layer, type and code, as in RFC 5040 section 4.8, RFC 5041 section 7.2, RFC 5044
//! section 8 and RFC 6581 section 8. They stand here and nowhere else.

use crate::mpa::StartupError;
use crate::rdmap::Code;

/// The reason for which a stream ends before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The peer broke the protocol.
    Peer(PeerFault),
    /// The peer asked for memory that it may not have, as the provider found out.
    Access(AccessError, Model),
    /// The consumer here is to blame, or what it lacks.
    Local(LocalFault),
    /// The peer took too long.
    Timeout(Overdue),
    /// TCP's stream ended where it may not: inside an FPDU, at the start of the connection, with reads outstanding.
    Lost,
}

/// The ways in which a peer breaks the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerFault {
    /// The first frame is none that this side goes on with.
    Startup(StartupError),
    /// The initiator demands markers.
    MarkersDemanded,
    /// The initiator sent more before the reply.
    EarlyBytes,
    /// The sum of an FPDU is wrong.
    Crc,
    /// The length of an FPDU is not that of any segment.
    Framing,
    /// The version of DDP in a tagged segment.
    TaggedVersion,
    /// The version of DDP in an untagged segment.
    UntaggedVersion,
    /// No such queue.
    Queue,
    /// Not the next message of its queue.
    MessageNumber,
    /// Not the next byte of its message.
    MessageOffset,
    /// A message of more than 4 GiB.
    MessageTooLong,
    /// More reads than are answered at a time.
    TooManyReads,
    /// The version of RDMAP.
    RdmapVersion,
    /// The operation, or its shape.
    Opcode,
    /// A Terminate without a reason.
    TerminateCutShort,
    /// The place of a tagged segment passes the end of all places.
    OffsetWrap,
    /// A response to no read, or to another one than the oldest.
    ResponseStag,
    /// A response that is not at its place, or has another length than was asked for.
    ResponseBounds,
}

/// The ways in which memory refuses a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessError {
    /// There is no such token.
    UnknownStag,
    /// Outside of the memory.
    Bounds,
    /// Of another protection domain.
    Domain,
    /// Without the right.
    Rights,
    /// The end of the access passes the end of all places.
    Wrap,
}

/// The operation that memory refuses: its model decides the layer that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Model {
    /// A segment that is to be placed.
    Placement,
    /// A Read Request that is to be answered.
    Read,
}

/// The ways in which this side cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalFault {
    /// No receive was posted in time.
    NoReceive,
    /// The receive is shorter than the message.
    ReceiveTooShort,
    /// The token that a message ends is none that it may end.
    NotInvalidatable,
    /// Memory that is being sent has become invalid.
    SourceInvalid,
}

/// The things that a peer is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overdue {
    /// The request of an initiator.
    Request,
    /// The reply of a responder.
    Reply,
    /// The first FPDU of an initiator.
    FirstFpdu,
    /// The rest of an FPDU.
    RestOfFpdu,
    /// The end of its stream.
    Finish,
}

/// The answer to a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conclusion {
    /// A Terminate, where this side may send one; then the end of the stream.
    Terminate(Code),
    /// A reply that rejects.
    Reject,
    /// The end of the connection, without a word.
    Abort,
}

const LOCAL_CATASTROPHIC: Code = Code::new(0, 0, 0);

impl Fault {
    /// The answer on the wire.
    pub const fn conclusion(self) -> Conclusion {
        match self {
            Self::Peer(fault) => fault.conclusion(),
            Self::Access(error, model) => Conclusion::Terminate(access(error, model)),
            Self::Local(fault) => Conclusion::Terminate(match fault {
                LocalFault::NoReceive => Code::new(1, 2, 2),
                LocalFault::ReceiveTooShort => Code::new(1, 2, 5),
                LocalFault::NotInvalidatable => Code::new(0, 1, 9),
                LocalFault::SourceInvalid => LOCAL_CATASTROPHIC,
            }),
            Self::Timeout(Overdue::RestOfFpdu) => Conclusion::Terminate(Code::new(2, 0, 5)),
            Self::Timeout(Overdue::Request | Overdue::Reply | Overdue::FirstFpdu | Overdue::Finish)
            | Self::Lost => Conclusion::Abort,
        }
    }
}

impl PeerFault {
    const fn conclusion(self) -> Conclusion {
        Conclusion::Terminate(match self {
            Self::Startup(StartupError::InsufficientIrd) => Code::new(2, 0, 6),
            Self::Startup(StartupError::NoRtr) => Code::new(2, 0, 7),
            // RFC 5044 section 8: after a frame that is none, the connection is closed at once.
            Self::Startup(StartupError::Frame(_) | StartupError::Markers) | Self::EarlyBytes => {
                return Conclusion::Abort;
            }
            Self::MarkersDemanded => return Conclusion::Reject,
            // A Terminate is never answered (RFC 5040 section 5.4).
            Self::TerminateCutShort => return Conclusion::Abort,
            Self::Crc => Code::new(2, 0, 2),
            Self::Framing => Code::new(2, 0, 3),
            Self::TaggedVersion => Code::new(1, 1, 4),
            Self::UntaggedVersion => Code::new(1, 2, 6),
            Self::Queue => Code::new(1, 2, 1),
            Self::TooManyReads => Code::new(1, 2, 2),
            Self::MessageNumber => Code::new(1, 2, 3),
            Self::MessageOffset => Code::new(1, 2, 4),
            Self::MessageTooLong => Code::new(1, 2, 5),
            Self::RdmapVersion => Code::new(0, 2, 5),
            Self::Opcode => Code::new(0, 2, 6),
            Self::OffsetWrap => Code::new(1, 1, 3),
            Self::ResponseStag => Code::new(1, 1, 0),
            Self::ResponseBounds => Code::new(1, 1, 1),
        })
    }
}

/// DDP places, and has no code for a missing right; RDMAP reads, and has one for each error.
const fn access(error: AccessError, model: Model) -> Code {
    match (model, error) {
        (Model::Placement, AccessError::UnknownStag) => Code::new(1, 1, 0),
        (Model::Placement, AccessError::Bounds) => Code::new(1, 1, 1),
        (Model::Placement, AccessError::Domain) => Code::new(1, 1, 2),
        (Model::Placement, AccessError::Wrap) => Code::new(1, 1, 3),
        (Model::Placement | Model::Read, AccessError::Rights) => Code::new(0, 1, 2),
        (Model::Read, AccessError::UnknownStag) => Code::new(0, 1, 0),
        (Model::Read, AccessError::Bounds) => Code::new(0, 1, 1),
        (Model::Read, AccessError::Domain) => Code::new(0, 1, 3),
        (Model::Read, AccessError::Wrap) => Code::new(0, 1, 4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(fault: Fault) -> (u8, u8, u8) {
        match fault.conclusion() {
            Conclusion::Terminate(code) => (code.layer, code.kind, code.code),
            Conclusion::Reject | Conclusion::Abort => panic!("{fault:?} has no Terminate"),
        }
    }

    /// DDP-2 (RFC 5041 section 7.2, RFC 5040 section 7.2): a Write that memory refuses is told so by DDP, but for the right, which RDMAP knows.
    #[test]
    fn refused_write_has_a_code_for_each_reason() {
        let write = |error| code(Fault::Access(error, Model::Placement));
        assert_eq!(write(AccessError::UnknownStag), (1, 1, 0));
        assert_eq!(write(AccessError::Bounds), (1, 1, 1));
        assert_eq!(write(AccessError::Domain), (1, 1, 2));
        assert_eq!(write(AccessError::Wrap), (1, 1, 3));
        assert_eq!(write(AccessError::Rights), (0, 1, 2));
    }

    /// RD-3 (RFC 5040 section 7.2): a read that memory refuses is told so by RDMAP.
    #[test]
    fn refused_read_has_a_code_for_each_reason() {
        let read = |error| code(Fault::Access(error, Model::Read));
        assert_eq!(read(AccessError::UnknownStag), (0, 1, 0));
        assert_eq!(read(AccessError::Bounds), (0, 1, 1));
        assert_eq!(read(AccessError::Rights), (0, 1, 2));
        assert_eq!(read(AccessError::Domain), (0, 1, 3));
        assert_eq!(read(AccessError::Wrap), (0, 1, 4));
    }

    /// MPA-2 (RFC 5044 section 8): a frame that is none, and bytes before the reply, close the connection without a word.
    #[test]
    fn startup_fault_closes_without_a_word_but_for_the_two_that_are_told() {
        use crate::mpa::FrameError::{Key, Length, NotEnhanced, Revision};
        for error in [Key, Length, NotEnhanced, Revision(3)] {
            let fault = PeerFault::Startup(StartupError::Frame(error));
            assert_eq!(Fault::Peer(fault).conclusion(), Conclusion::Abort);
        }
        assert_eq!(Fault::Peer(PeerFault::Startup(StartupError::Markers)).conclusion(), Conclusion::Abort);
        assert_eq!(Fault::Peer(PeerFault::MarkersDemanded).conclusion(), Conclusion::Reject);
        assert_eq!(Fault::Peer(PeerFault::EarlyBytes).conclusion(), Conclusion::Abort);
        assert_eq!(code(Fault::Peer(PeerFault::Startup(StartupError::InsufficientIrd))), (2, 0, 6));
        assert_eq!(code(Fault::Peer(PeerFault::Startup(StartupError::NoRtr))), (2, 0, 7));
    }

    /// TM-7 (RFC 5041 section 7.2): a Send without a receive in time finds no buffer; the wait is the provider's.
    #[test]
    fn missing_receive_is_no_buffer() {
        assert_eq!(code(Fault::Local(LocalFault::NoReceive)), (1, 2, 2));
        assert_eq!(code(Fault::Local(LocalFault::ReceiveTooShort)), (1, 2, 5));
        assert_eq!(code(Fault::Local(LocalFault::SourceInvalid)), (0, 0, 0));
    }
}
