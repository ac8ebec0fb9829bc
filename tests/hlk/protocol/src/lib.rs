//! The protocol between a runner in user mode and the harness driver `ndkhlk.sys`.
//!
//! The driver makes one device, [`DEVICE_NAME`], reachable as [`LINK_NAME`]. Each handle to it may hold
//! one transfer session ([`control::OPEN_SESSION`], or [`control::CONNECT_PEER`], or [`control::LISTEN_PEER`] and
//! [`control::ACCEPT_PEER`] … [`control::CLOSE_SESSION`]), one stress run
//! ([`control::OPEN_STRESS`] … [`control::CLOSE_STRESS`]), one measuring
//! ([`control::OPEN_MEASURING`] … [`control::CLOSE_MEASURING`]), or one end that does step by step what the runner says
//! ([`control::OPEN_MANUAL`] … [`control::CLOSE_MANUAL`]), and may run scenarios
//! ([`control::RUN_SCENARIO`]). All requests block until they are done; a runner that wants a transmit
//! and a collect at the same time uses two threads.
//!
//! A control request that reaches NDK succeeds as a request whatever NDK says: the report carries the
//! status, because the I/O manager would not copy a report back beside an error.
//!
//! # Layers, each using only those below it
//!
//! | module | contents |
//! |---|---|
//! | `link` | the way of a scenario's connections, and what is seen otherwise over TCP |
//! | `flow`, `measure`, `scenario`, `stress` | requests and reports of a flow, a measuring, a scenario, a stress run |
//! | `manual` | requests and reports of an end of which every step is a request |
//! | `peer` | requests and reports of a session whose other side is in another machine, and what the two sides say first |
//! | `session` | requests and reports of a transfer, and the ends that all requests name |
//! | `finding` | what a scenario found |
//! | [`control`], `text` | control codes; text of bounded length |

#![forbid(unsafe_code)]
#![no_std]

pub mod control;
mod finding;
mod flow;
mod link;
mod manual;
mod measure;
mod peer;
mod scenario;
mod session;
mod stress;
mod text;

pub use finding::{Finding, Kind, Outcome, Violation};
pub use flow::{Flow, FlowReport, FlowRequest, PUMP_LENGTH, PUMP_OUTSTANDING, PumpRequest};
pub use link::{Difference, Link};
pub use manual::{
    INVALIDATES, MANUAL_DEPTH, ManualRequest, PEER_INVALIDATES, PEER_READS, PEER_WRITES, PRIVATE_DATA,
    PartRequest, SOLICITS, Step, StepReport, StepRequest,
};
pub use measure::{MEASURE_DEPTH, MEASURE_LENGTH, Measure, MeasureRequest, MeasuringRequest, samples};
pub use peer::{
    AcceptPeerRequest, ConnectPeerRequest, Greeting, LANES, ListenPeerReport, ListenPeerRequest,
    PEER_VERSION, PeerReport, Refusal,
};
pub use scenario::{Level, Scenario, ScenarioReport, ScenarioRequest};
pub use session::{
    AdapterLimits, ChunkRequest, CloseRequest, Endpoint, Operation, SessionCounters, SessionReport,
    SessionRequest, TransferCounters,
};
pub use stress::{
    GroupReport, GroupRequest, OpenReport, Side, SideReport, SideRequest, StressCounters, StressRequest,
};
pub use text::Text;

/// The version both sides must agree on; changed whenever a structure or a code changes.
pub const VERSION: u32 = 7;

/// The device, as the kernel names it.
pub const DEVICE_NAME: &str = r"\Device\NdkHlk";

/// The symbolic link by which user mode reaches [`DEVICE_NAME`], as `\\.\NdkHlk`.
pub const LINK_NAME: &str = r"\DosDevices\NdkHlk";
