//! The scenarios that the driver knows.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Endpoint, Outcome};

/// Declares the scenarios once: number, name, and the rules that each one puts to the test.
macro_rules! scenarios {
    ($($(#[$doc:meta])* $variant:ident = $number:literal, $rules:literal;)+) => {
        /// A scenario: what the consumer does to the provider.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u32)]
        pub enum Scenario {
            $($(#[$doc])* $variant = $number,)+
        }

        impl Scenario {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The numbers of the rules that this scenario puts to the test.
            #[must_use]
            pub const fn rules(self) -> &'static str {
                match self {
                    $(Self::$variant => $rules,)+
                }
            }
        }
    };
}

scenarios! {
    /// CQ, PD, listener and QP are closed before what was made from them.
    AntecedentsFirst = 1, "CL-5 CL-6";
    /// Objects are closed from inside the callback that hands them over.
    CloseInCreate = 2, "CL-8 RQ-3";
    /// Objects are closed from inside the completion of a request on them.
    CloseInRequest = 3, "CL-3 CL-8";
    /// A connector is closed from inside the completion of its connect, which succeeded or was refused.
    CloseInConnect = 4, "CL-8";
    /// An offered connector is closed from inside the connect event: the peer is refused.
    CloseInConnectEvent = 5, "CL-8 CL-7";
    /// Connectors are closed from inside the disconnect completion and the disconnect event.
    CloseInDisconnect = 6, "CL-8 CM-2";
    /// A CQ and its QP are closed from inside the CQ's notification callback.
    CloseInNotification = 7, "CL-3 CQ-2";
    /// A QP is closed with receives posted: each is cancelled.
    ReceivesOutstanding = 8, "CL-4 WR-2";
    /// A connection is closed with sends that no receive awaits.
    SendsOutstanding = 9, "CL-4 WR-2";
    /// A connector is closed while its connect awaits an answer.
    ConnectOutstanding = 10, "CL-4";
    /// A connector is closed while its accept awaits the peer.
    AcceptOutstanding = 11, "CL-4";
    /// A listener is closed while it has offered a connector that is not yet answered.
    ListenerWithOffers = 12, "CL-5 CL-7";
    /// A listener is closed while an accepted connection lives: it refuses, the connection works on.
    ListenerBeforeConnection = 13, "CL-7 CL-5";
    /// Connect and accept without private data.
    NoPrivateData = 14, "CM-7";
    /// The most private data is carried, one byte more is refused.
    PrivateDataLimits = 15, "CM-7";
    /// A peer is rejected, with private data.
    Reject = 16, "CM-4";
    /// Both sides disconnect at once.
    DisconnectBoth = 17, "CM-1 CM-2";
    /// A disconnect event arrives, and work already posted is not flushed by it.
    DisconnectEvent = 18, "CM-2 WR-7";
    /// An address and port may be used again when its last holder is closed, and not before.
    AddressReuse = 19, "CL-12 CM-4";
    /// Flush cancels what is posted, also on a QP that is not connected.
    Flush = 20, "WR-2 WR-7";
    /// A read or write with a token or range that grants no access.
    RemoteAccess = 21, "WR-7 WR-8";
    /// A send, receive, read or write whose local token or range grants no access.
    LocalAccess = 22, "WR-7 WR-4";
    /// More is posted than the queues hold.
    OverPosting = 23, "WR-2";
    /// Posting to a QP that is not connected.
    Unconnected = 24, "WR-7";
    /// Listening on and connecting to addresses that are not there.
    BadAddress = 25, "CM-4";
    /// What the adapter's information claims is there, what it denies is refused, and so is an unknown
    /// extension.
    NotSupported = 26, "OBJ-5 OBJ-6 CQ-7";
    /// Arming: one notification per arm, none unarmed, a late arm fires.
    Arming = 27, "CQ-2 CQ-3 CQ-4";
    /// A listener whose connect events are paused looks as though nobody listens.
    PausedListener = 28, "CM-5";
    /// Sends of no, one and inline bytes; silent success; a receive that is too small.
    SendShapes = 29, "WR-2 WR-3 WR-5";
    /// Queue depths, CQ depths and request limits at and over the adapter's maxima.
    Limits = 30, "CQ-7 RQ-1";
    /// Two QPs take their receives from one SRQ, which notifies when few are left.
    SharedReceives = 31, "WR-9 CL-5";
    /// Two connections from one shared endpoint, whose address is free when the last holder is closed.
    SharedAddress = 32, "CL-12 CL-5";
    /// Data in memory that is named by logical addresses and the privileged token, which no peer may use.
    PrivilegedMemory = 33, "WR-8";
    /// Antecedents and their successors are closed by two threads at once.
    RaceAntecedents = 34, "CL-5 CL-6";
    /// Both ends of a connection with work on them are closed at once.
    RaceEnds = 35, "CL-4 WR-2";
    /// A connector is closed while its QP is being posted to.
    RacePosts = 36, "CL-9 WR-2";
    /// One side is closed while the other sends to it.
    RaceTraffic = 37, "CL-4 WR-2";
    /// A listener is closed while a peer connects.
    RaceListener = 38, "CL-7 CL-5";
    /// A connector is closed while the peer accepts it.
    RaceAccept = 39, "CL-4 CM-1";
    /// One side disconnects while the other is closed.
    RaceDisconnect = 40, "CL-8 CM-1 CM-2";
    /// A CQ is closed while sends that it is armed for arrive.
    RaceNotification = 41, "CL-3 CQ-2";
}

impl TryFrom<u32> for Scenario {
    type Error = u32;

    fn try_from(value: u32) -> Result<Self, u32> {
        Self::ALL.iter().copied().find(|scenario| *scenario as u32 == value).ok_or(value)
    }
}

/// The IRQL from which the consumer calls NDK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Level {
    /// PASSIVE_LEVEL
    Passive = 0,
    /// DISPATCH_LEVEL, wherever the interface allows it.
    Dispatch = 2,
}

impl TryFrom<u32> for Level {
    type Error = u32;

    fn try_from(value: u32) -> Result<Self, u32> {
        match value {
            0 => Ok(Self::Passive),
            2 => Ok(Self::Dispatch),
            other => Err(other),
        }
    }
}

/// Runs one scenario.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ScenarioRequest {
    /// [`VERSION`](crate::VERSION).
    pub version: u32,
    /// A [`Scenario`].
    pub scenario: u32,
    /// A [`Level`].
    pub level: u32,
    /// The end that connects.
    pub near: Endpoint,
    /// The end that listens.
    pub far: Endpoint,
}

/// How a scenario went.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ScenarioReport {
    /// `STATUS_SUCCESS` when the scenario came to its end, else the NTSTATUS that stopped it.
    pub status: i32,
    /// What was counted and found.
    pub outcome: Outcome,
}
