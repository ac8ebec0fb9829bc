//! The control codes, built as `CTL_CODE` builds them.
//!
//! Page: "Defining I/O Control Codes" (windows-driver-docs, kernel/defining-i-o-control-codes.md).

/// A device type of our own; values from 0x8000 are free for vendors.
const DEVICE_TYPE: u32 = 0x8000;
/// The first function number that is free for vendors.
const FIRST_FUNCTION: u32 = 0x800;
const READ_AND_WRITE_ACCESS: u32 = 0x3;

#[derive(Clone, Copy)]
#[repr(u32)]
enum Method {
    Buffered = 0,
    InDirect = 1,
    OutDirect = 2,
}

const fn code(function: u32, method: Method) -> u32 {
    (DEVICE_TYPE << 16) | (READ_AND_WRITE_ACCESS << 14) | ((FIRST_FUNCTION | function) << 2) | method as u32
}

/// [`SessionRequest`](crate::SessionRequest) in, [`SessionReport`](crate::SessionReport) out: opens both
/// adapters and connects them.
pub const OPEN_SESSION: u32 = code(0, Method::Buffered);

/// [`ChunkRequest`](crate::ChunkRequest) in, the bytes to move in the buffer that is described by an MDL:
/// gives one chunk to the near adapter. `Information` is the number of bytes that the far side has.
pub const TRANSMIT: u32 = code(1, Method::InDirect);

/// [`ChunkRequest`](crate::ChunkRequest) in, room for the bytes in the buffer that is described by an MDL:
/// takes one chunk from the far adapter. `Information` is the number of bytes that arrived.
pub const COLLECT: u32 = code(2, Method::OutDirect);

/// Nothing in, [`SessionCounters`](crate::SessionCounters) out.
pub const QUERY_SESSION: u32 = code(3, Method::Buffered);

/// [`CloseRequest`](crate::CloseRequest) in, [`Outcome`](crate::Outcome) out: closes every object of the
/// session in the hardest order, then both adapters.
pub const CLOSE_SESSION: u32 = code(4, Method::Buffered);

/// [`ScenarioRequest`](crate::ScenarioRequest) in, [`ScenarioReport`](crate::ScenarioReport) out.
pub const RUN_SCENARIO: u32 = code(5, Method::Buffered);

/// [`MeasuringRequest`](crate::MeasuringRequest) in: opens both adapters and connects them.
pub const OPEN_MEASURING: u32 = code(6, Method::Buffered);

/// [`MeasureRequest`](crate::MeasureRequest) in, numbers of 64 bits out, as [`samples`](crate::samples)
/// reads them.
pub const MEASURE: u32 = code(7, Method::OutDirect);

/// Nothing in, [`Outcome`](crate::Outcome) out: closes what was opened to measure on.
pub const CLOSE_MEASURING: u32 = code(8, Method::Buffered);

/// [`StressRequest`](crate::StressRequest) in, [`OpenReport`](crate::OpenReport) out: opens both adapters for a
/// stress run.
pub const OPEN_STRESS: u32 = code(9, Method::Buffered);

/// [`GroupRequest`](crate::GroupRequest) in, [`GroupReport`](crate::GroupReport) out: connects a group. Once for
/// each group, before it is driven.
pub const CONNECT_GROUP: u32 = code(10, Method::Buffered);

/// [`GroupRequest`](crate::GroupRequest) in, [`SideReport`](crate::SideReport) out: keeps one side of a group
/// busy until that side is stopped, then closes the side's objects. Once for each side of each group,
/// all of them at the same time.
pub const DRIVE_GROUP: u32 = code(11, Method::Buffered);

/// Nothing in, [`StressCounters`](crate::StressCounters) out.
pub const QUERY_STRESS: u32 = code(12, Method::Buffered);

/// [`SideRequest`](crate::SideRequest) in, nothing out: the threads that drive this side are to close it.
pub const STOP_SIDE: u32 = code(13, Method::Buffered);

/// [`SideRequest`](crate::SideRequest) in, nothing out: closes what is left on this side, and its adapter.
pub const CLOSE_ADAPTER: u32 = code(14, Method::Buffered);

/// Nothing in, [`Outcome`](crate::Outcome) out: closes whatever is open, and audits the stress run.
pub const CLOSE_STRESS: u32 = code(15, Method::Buffered);

/// [`ConnectPeerRequest`](crate::ConnectPeerRequest) in, [`PeerReport`](crate::PeerReport) out: opens an adapter and
/// connects it to a peer in another machine. The session transmits and collects.
pub const CONNECT_PEER: u32 = code(16, Method::Buffered);

/// [`ListenPeerRequest`](crate::ListenPeerRequest) in, [`ListenPeerReport`](crate::ListenPeerReport) out: opens an adapter
/// and listens for a peer in another machine.
pub const LISTEN_PEER: u32 = code(17, Method::Buffered);

/// [`AcceptPeerRequest`](crate::AcceptPeerRequest) in, [`PeerReport`](crate::PeerReport) out: accepts the peer that was
/// listened for, which makes a session as [`CONNECT_PEER`] does.
pub const ACCEPT_PEER: u32 = code(18, Method::Buffered);

/// Nothing in, [`Outcome`](crate::Outcome) out: listens no more.
pub const STOP_LISTENING: u32 = code(19, Method::Buffered);

/// [`FlowRequest`](crate::FlowRequest) in, [`FlowReport`](crate::FlowReport) out: lets bytes flow between the ends of what
/// was opened to measure on.
pub const FLOW: u32 = code(20, Method::Buffered);

/// [`PumpRequest`](crate::PumpRequest) in, [`FlowReport`](crate::FlowReport) out: connects two sockets, lets bytes flow
/// between them, and closes them.
pub const PUMP: u32 = code(21, Method::Buffered);

/// [`ManualRequest`](crate::ManualRequest) in, [`OpenReport`](crate::OpenReport) out: opens an adapter for an end of which
/// every step is a request.
pub const OPEN_MANUAL: u32 = code(22, Method::Buffered);

/// [`StepRequest`](crate::StepRequest) in, [`StepReport`](crate::StepReport) out. One at a time.
pub const STEP: u32 = code(23, Method::Buffered);

/// [`PartRequest`](crate::PartRequest) in, the bytes in the buffer that is described by an MDL: puts them into the memory.
pub const PUT: u32 = code(24, Method::InDirect);

/// [`PartRequest`](crate::PartRequest) in, room for the bytes in the buffer that is described by an MDL: has them from the
/// memory. `Information` is their number.
pub const GET: u32 = code(25, Method::OutDirect);

/// Nothing in, [`Outcome`](crate::Outcome) out: closes the manual end, and its adapter.
pub const CLOSE_MANUAL: u32 = code(26, Method::Buffered);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transfer_method_stands_in_the_low_two_bits() {
        let methods = [OPEN_SESSION, TRANSMIT, COLLECT, RUN_SCENARIO].map(|code| code & 3);
        assert_eq!(methods, [0, 1, 2, 0]);
    }

    #[test]
    fn code_carries_device_type_access_and_function_where_ctl_code_puts_them() {
        assert_eq!(COLLECT, 0x8000_E00A);
    }
}
