//! The scenarios that the driver knows.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Endpoint, Outcome};

/// Declares the scenarios once: number, name, the rules that each one puts to the test, and the functions.
macro_rules! scenarios {
    ($($(#[$doc:meta])* $variant:ident = $number:literal, $rules:literal, $functions:literal;)+) => {
        /// A scenario: what the consumer does to the provider.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u32)]
        pub enum Scenario {
            $($(#[$doc])* $variant = $number,)+
            /// A region stays open whose protection domain is closed: no test, but an example of a close that never
            /// completes.
            LeakOnPurpose = 1000,
        }

        impl Scenario {
            /// All that a provider can pass.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The numbers of the rules that this scenario puts to the test.
            #[must_use]
            pub const fn rules(self) -> &'static str {
                match self {
                    $(Self::$variant => $rules,)+
                    Self::LeakOnPurpose => "",
                }
            }

            /// The functions that this scenario puts to the test, each with the kind of object whose table
            /// it is in: `CQ.NdkArmCq`.
            #[must_use]
            pub const fn functions(self) -> &'static str {
                match self {
                    $(Self::$variant => $functions,)+
                    Self::LeakOnPurpose => "",
                }
            }
        }
    };
}

scenarios! {
    /// CQ, PD, listener and QP are closed before what was made from them.
    AntecedentsFirst = 1, "CL-1 CL-2 CL-5 CL-6 OBJ-2 OBJ-4",
        "CQ.NdkCloseCq PD.NdkClosePd QP.NdkCloseQp MR.NdkCloseMr listener.NdkCloseListener \
         connector.NdkCloseConnector";
    /// Objects are closed from inside the callback that hands them over.
    CloseInCreate = 2, "CL-8 RQ-3 RQ-1 OBJ-1 OBJ-3 OBJ-7",
        "adapter.NdkCreateCq adapter.NdkCreatePd adapter.NdkCreateConnector adapter.NdkCreateListener \
         PD.NdkCreateMr PD.NdkCreateQp";
    /// Objects are closed from inside the completion of a request on them.
    CloseInRequest = 3, "CL-3 CL-8",
        "MR.NdkRegisterMr MR.NdkDeregisterMr listener.NdkListen";
    /// A connector is closed from inside the completion of its connect, which succeeded or was refused.
    CloseInConnect = 4, "CL-8 RQ-2",
        "connector.NdkConnect connector.NdkCloseConnector";
    /// An offered connector is closed from inside the connect event: the peer is refused.
    CloseInConnectEvent = 5, "CL-8 CL-7",
        "connector.NdkConnect";
    /// Connectors are closed from inside the disconnect completion and the disconnect event.
    CloseInDisconnect = 6, "CL-8 CM-2",
        "connector.NdkDisconnect";
    /// A CQ and its QP are closed from inside the CQ's notification callback.
    CloseInNotification = 7, "CL-3 CQ-2",
        "CQ.NdkArmCq";
    /// A QP is closed with receives posted: each is cancelled.
    ReceivesOutstanding = 8, "CL-4 WR-2",
        "QP.NdkReceive QP.NdkCloseQp";
    /// A connection is closed with sends that no receive awaits.
    SendsOutstanding = 9, "CL-4 WR-2",
        "QP.NdkSend QP.NdkCloseQp";
    /// A connector is closed while its connect awaits an answer.
    ConnectOutstanding = 10, "CL-4",
        "connector.NdkConnect connector.NdkAccept";
    /// A connector is closed while its accept awaits the peer.
    AcceptOutstanding = 11, "CL-4",
        "connector.NdkAccept connector.NdkCompleteConnect";
    /// A listener is closed while it has offered a connector that is not yet answered.
    ListenerWithOffers = 12, "CL-5 CL-7 CL-11",
        "listener.NdkCloseListener";
    /// A listener is closed while an accepted connection lives: it refuses, the connection works on.
    ListenerBeforeConnection = 13, "CL-7 CL-5",
        "listener.NdkCloseListener";
    /// Connect and accept without private data.
    NoPrivateData = 14, "CM-7 CM-6 NDIS-9",
        "connector.NdkGetConnectionData connector.NdkAccept connector.NdkCompleteConnect \
         connector.NdkGetLocalAddress connector.NdkGetPeerAddress";
    /// The most private data is carried, one byte more is refused.
    PrivateDataLimits = 15, "CM-7",
        "connector.NdkGetConnectionData";
    /// A peer is rejected, with private data.
    Reject = 16, "CM-4",
        "connector.NdkReject";
    /// Both sides disconnect at once.
    DisconnectBoth = 17, "CM-1 CM-2",
        "connector.NdkDisconnect";
    /// A disconnect event arrives, and work already posted is not flushed by it.
    DisconnectEvent = 18, "CM-2 WR-7",
        "connector.NdkDisconnect";
    /// An address and port may be used again when its last holder is closed, and not before.
    AddressReuse = 19, "CL-12 CM-4",
        "listener.NdkListen listener.NdkCloseListener";
    /// Flush cancels what is posted, also on a QP that is not connected.
    Flush = 20, "WR-2 WR-7",
        "QP.NdkFlush";
    /// A read or write with a token or range that grants no access.
    RemoteAccess = 21, "WR-7 WR-8",
        "QP.NdkRead QP.NdkWrite MR.NdkGetRemoteTokenFromMr MR.NdkDeregisterMr";
    /// A send, receive, read or write whose local token or range grants no access.
    LocalAccess = 22, "WR-7 WR-4",
        "QP.NdkWrite MR.NdkRegisterMr MR.NdkGetLocalTokenFromMr";
    /// More is posted than the queues hold.
    OverPosting = 23, "WR-2",
        "QP.NdkReceive";
    /// Posting to a QP that is not connected.
    Unconnected = 24, "WR-7",
        "QP.NdkSend QP.NdkRead QP.NdkWrite";
    /// Listening on and connecting to addresses that are not there.
    BadAddress = 25, "CM-4",
        "listener.NdkListen listener.NdkGetLocalAddress connector.NdkConnect";
    /// A feature that the adapter's information claims is there, one that it denies is refused, and so is an
    /// unknown extension.
    NotSupported = 26, "OBJ-5 OBJ-6 CQ-7 NDIS-7",
        "adapter.NdkQueryExtension adapter.NdkQueryAdapterInfo CQ.NdkQueryExtension \
         CQ.NdkControlCqInterruptModeration PD.NdkQueryExtension QP.NdkQueryExtension \
         MR.NdkQueryExtension MW.NdkQueryExtension SRQ.NdkQueryExtension connector.NdkQueryExtension \
         listener.NdkQueryExtension shared-endpoint.NdkQueryExtension";
    /// Arming: one notification per arm, none unarmed, a late arm fires.
    Arming = 27, "CQ-1 CQ-2 CQ-3 CQ-4",
        "CQ.NdkArmCq CQ.NdkGetCqResults";
    /// A listener whose connect events are paused refuses connects like an address without a listener.
    PausedListener = 28, "CM-5",
        "listener.NdkControlConnectEvents";
    /// Sends of no, one and inline bytes; silent success; a receive that is too small.
    SendShapes = 29, "WR-2 WR-3 WR-5",
        "QP.NdkSend";
    /// Queue depths, CQ depths and request limits at and over the adapter's maxima.
    Limits = 30, "CQ-7 RQ-1 NDIS-8",
        "adapter.NdkQueryAdapterInfo adapter.NdkCreateCq PD.NdkCreateQp";
    /// Two QPs take their receives from one SRQ, which notifies when few are left.
    SharedReceives = 31, "WR-9 CL-5 OBJ-1 OBJ-2",
        "PD.NdkCreateSrq PD.NdkCreateQpWithSrq SRQ.NdkSrqReceive SRQ.NdkCloseSrq";
    /// Two connections from one shared endpoint, whose address is free when the last holder is closed.
    SharedAddress = 32, "CL-12 CL-5 OBJ-1 OBJ-2",
        "adapter.NdkCreateSharedEndpoint connector.NdkConnectWithSharedEndpoint \
         shared-endpoint.NdkGetLocalAddress shared-endpoint.NdkCloseSharedEndpoint";
    /// Data in memory that is named by logical addresses and the privileged token, which no peer may use.
    PrivilegedMemory = 33, "WR-8",
        "PD.NdkGetPrivilegedMemoryRegionToken adapter.NdkBuildLAM adapter.NdkReleaseLAM";
    /// Antecedents and their successors are closed by two threads at once.
    RaceAntecedents = 34, "CL-5 CL-6",
        "CQ.NdkCloseCq PD.NdkClosePd";
    /// Both ends of a connection with work on them are closed at once.
    RaceEnds = 35, "CL-4 WR-2",
        "connector.NdkCloseConnector";
    /// A connector is closed while its QP is being posted to.
    RacePosts = 36, "CL-9 WR-2",
        "QP.NdkSend connector.NdkCloseConnector";
    /// One side is closed while the other sends to it.
    RaceTraffic = 37, "CL-4 WR-2",
        "QP.NdkSend";
    /// A listener is closed while a peer connects.
    RaceListener = 38, "CL-7 CL-5",
        "listener.NdkCloseListener";
    /// A connector is closed while the peer accepts it.
    RaceAccept = 39, "CL-4 CM-1",
        "connector.NdkCloseConnector";
    /// One side disconnects while the other is closed.
    RaceDisconnect = 40, "CL-8 CM-1 CM-2",
        "connector.NdkDisconnect";
    /// A CQ is closed while sends that it is armed for arrive.
    RaceNotification = 41, "CL-3 CQ-2",
        "CQ.NdkArmCq CQ.NdkCloseCq";
    /// A memory window is bound, bound anew and invalidated; its region is busy as long as it is bound.
    Windows = 42, "OBJ-1 OBJ-2 WR-4 WR-7",
        "PD.NdkCreateMw QP.NdkBind QP.NdkInvalidate MW.NdkGetRemoteTokenFromMw MW.NdkCloseMw";
    /// Fast registration over logical addresses, its limit, and invalidation.
    FastRegistration = 43, "WR-8 WR-7",
        "MR.NdkInitializeFastRegisterMr QP.NdkFastRegister QP.NdkInvalidate adapter.NdkBuildLAM";
    /// A send invalidates the receiver's token.
    SendAndInvalidate = 44, "CQ-5 WR-7",
        "QP.NdkSendAndInvalidate CQ.NdkGetCqResultsEx";
    /// A read invalidates its own sink; what is fenced comes after it.
    ReadAndInvalidate = 45, "WR-3 NDIS-7",
        "QP.NdkRead QP.NdkFastRegister";
    /// An adapter is opened in every version, and in versions that there are not.
    Versions = 46, "VER-1 VER-2",
        "adapter.NdkQueryAdapterInfo";
    /// Accept, complete connect, disconnect event and poll in their extended forms.
    Extended = 47, "CM-8 CM-2",
        "connector.NdkAcceptEx connector.NdkCompleteConnectEx CQ.NdkGetCqResultsEx";
    /// Chains of deferred posts, ended and refused.
    DeferredChains = 48, "WR-6 WR-2",
        "QP.NdkWrite";
    /// A CQ is resized with results in it, and over its limit.
    ResizedCq = 49, "CQ-7",
        "CQ.NdkResizeCq";
    /// An SRQ's depth and threshold are changed, up to the limit and over it.
    ModifiedSrq = 50, "WR-9",
        "SRQ.NdkModifySrq";
    /// A QP and a connector connect once, a listener listens once.
    OnlyOnce = 51, "CM-3 CM-4",
        "connector.NdkConnect listener.NdkListen";
    /// The longest transfer and the most reads that an adapter claims, and one more.
    Largest = 52, "CM-6 WR-2 NDIS-8",
        "QP.NdkWrite connector.NdkGetConnectionData";
    /// A CQ gets more results than it holds.
    Overflow = 53, "CQ-6",
        "CQ.NdkArmCq QP.NdkFlush";
    /// Notifications are held back by a count and by an interval, and do not hold up a close.
    Moderation = 54, "CQ-7 CL-4 NDIS-7",
        "CQ.NdkControlCqInterruptModeration CQ.NdkArmCq CQ.NdkCloseCq";
    /// A CQ is closed when a notification that was held back is due.
    RaceAlarm = 55, "CL-3 CQ-2",
        "CQ.NdkControlCqInterruptModeration CQ.NdkCloseCq";
    /// Receiver not ready (RNR): a send for which the peer has a receive late, and one for which it never has.
    ReceiverNotReady = 56, "WR-2 WR-7",
        "QP.NdkSend";
    /// Requests with as many entries and as much inline data as an adapter claims, and one more.
    LargestRequests = 57, "NDIS-8 WR-2",
        "QP.NdkReceive QP.NdkSend QP.NdkRead";
    /// As many requests as the deepest queues hold, and one more.
    DeepestQueues = 58, "NDIS-8 WR-2",
        "QP.NdkReceive QP.NdkSend";
    /// The largest region and the widest window that an adapter claims, and a byte more.
    LargestMemory = 59, "NDIS-8 WR-8",
        "MR.NdkRegisterMr QP.NdkBind";
    /// CQs of both sides are armed when a send is posted, which is over before either notifies its own thread.
    NotifiedAfterPost = 60, "CQ-8 CQ-2",
        "adapter.NdkCreateCq CQ.NdkArmCq QP.NdkSend";
    /// The lists of a region are freed, reused or unmapped as soon as it is registered.
    ListsOfRegions = 70, "WR-8",
        "MR.NdkRegisterMr MR.NdkDeregisterMr";
    /// The lists of a logical address mapping are freed, reused or unmapped as soon as it is built.
    ListsOfMappings = 71, "WR-8 OBJ-2",
        "adapter.NdkBuildLAM adapter.NdkReleaseLAM QP.NdkFastRegister";
    /// A remote token is read once, and the region registered and invalidated again and again.
    KeptToken = 72, "WR-7 WR-8",
        "MR.NdkGetRemoteTokenFromMr QP.NdkFastRegister QP.NdkInvalidate QP.NdkSendAndInvalidate";
    /// An unaligned mebibyte in one fast registration.
    Mebibyte = 73, "NDIS-8 WR-8",
        "QP.NdkFastRegister MR.NdkInitializeFastRegisterMr";
    /// A connector accepts a second time, with another QP: that fails and changes nothing.
    AcceptAgain = 61, "CM-3 OBJ-2 CM-1",
        "connector.NdkAccept connector.NdkDisconnect QP.NdkCloseQp";
    /// Two threads disconnect one connector.
    DisconnectTwice = 62, "RQ-2 CM-1",
        "connector.NdkDisconnect";
    /// A connector connects again while its first peer leaves.
    ConnectAgain = 63, "CM-4 CL-12",
        "connector.NdkConnect connector.NdkCompleteConnect";
    /// A connector whose connect was rejected, and the one that was offered, are disconnected.
    DisconnectUnconnected = 64, "CM-1 WR-7",
        "connector.NdkDisconnect connector.NdkReject";
    /// A connector is closed after its peer's disconnect: its QP is flushed.
    CloseAfterDisconnect = 65, "CL-4 WR-7 CM-1",
        "connector.NdkCloseConnector";
    /// A listener pauses while a connect waits to be shown: it is refused.
    PauseWithOffers = 66, "CM-5",
        "listener.NdkControlConnectEvents";
    /// Connectors connect and accept with QPs of another opening of the same adapter.
    Openings = 67, "OBJ-2 CL-5 VER-2",
        "connector.NdkConnect connector.NdkAccept QP.NdkCloseQp";
    /// An address is listened on, connected from and shared as soon as TCP/IP tells of it, and a listener is closed
    /// while its listen waits for that.
    ArrivedAddress = 68, "CM-4 CL-3 CL-4 RQ-1",
        "listener.NdkListen listener.NdkCloseListener connector.NdkConnect adapter.NdkCreateSharedEndpoint";
    /// A QP is closed while its connect is completed.
    RaceComplete = 80, "CL-4 CM-2",
        "connector.NdkCompleteConnect QP.NdkCloseQp";
    /// A request is posted to a full queue as soon as there is a result.
    RaceRoom = 81, "CL-9 WR-2",
        "QP.NdkSend CQ.NdkGetCqResults";
    /// A CQ is armed for errors while its first one comes.
    RaceArm = 82, "CL-3 CQ-3",
        "CQ.NdkArmCq QP.NdkFlush";
    /// Sends to several QPs wait for receives of one shared queue, and one of the QPs is closed.
    SharedWaiters = 83, "WR-9 WR-2",
        "SRQ.NdkSrqReceive PD.NdkCreateQpWithSrq QP.NdkCloseQp";
    /// A send carries the token of another PD for invalidation.
    ForeignToken = 84, "CQ-5 WR-7",
        "QP.NdkSendAndInvalidate";
}

impl TryFrom<u32> for Scenario {
    type Error = u32;

    fn try_from(value: u32) -> Result<Self, u32> {
        let mut known = Self::ALL.iter().copied().chain([Self::LeakOnPurpose]);
        known.find(|scenario| *scenario as u32 == value).ok_or(value)
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

impl Level {
    /// Returns the number that stands for it in a structure.
    #[must_use]
    pub const fn code(self) -> u32 {
        self as u32
    }
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
    /// A [`Link`](crate::Link).
    pub link: u32,
    /// The end that connects.
    pub near: Endpoint,
    /// The end that listens.
    pub far: Endpoint,
}

/// The outcome of a scenario.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ScenarioReport {
    /// `STATUS_SUCCESS` when the scenario came to its end, else the NTSTATUS that stopped it.
    pub status: i32,
    /// The counters and findings.
    pub outcome: Outcome,
}
