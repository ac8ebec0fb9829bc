//! The cases of Microsoft's tests for the user-mode interface (microsoft/NetworkDirect, `src/unittests` and
//! `src/examples`) that have a meaning in the kernel-mode one, and the scenarios that play them.

use protocol::Scenario::{
    self, Arming, BadAddress, ConnectOutstanding, DisconnectEvent, Flush, Limits, ListenerWithOffers,
    OnlyOnce, PrivateDataLimits, RaceAccept, RaceListener, ReceiverNotReady, RemoteAccess, SendShapes,
    Windows,
};

/// Names, what is expected, and by which scenarios it is shown.
pub(crate) const CASES: &[(&str, &str, &[Scenario])] = &[
    (
        "ndconnectlistenerclosing",
        "A connect to a listener that is being closed is refused.",
        &[ListenerWithOffers, RaceListener],
    ),
    (
        "ndconnrejectclose",
        "Where the connecting side goes, the accept is refused.",
        &[ConnectOutstanding, RaceAccept],
    ),
    ("nddualconnection, ndduallisten", "A second connect, and a second listen, are refused.", &[OnlyOnce]),
    ("ndinvalidip", "An address that is not there has its status.", &[BadAddress]),
    (
        "ndreceiveconnectorclosed",
        "When the peer closes, a posted receive is cancelled: here by the disconnect of this side, as WR-7 has it.",
        &[DisconnectEvent],
    ),
    ("ndreceiveflushqp", "A flush of a queue pair without a connection cancels its receives.", &[Flush]),
    ("ndsendnoreceive", "A send for which there is no receive times out.", &[ReceiverNotReady]),
    (
        "ndinvalidreadwrite, ndoverreadwrite, ndwriteviolation",
        "The initiator has an access violation, and the target's receive is cancelled.",
        &[RemoteAccess],
    ),
    (
        "ndlargeprivatedata",
        "One byte more than the most private data is refused, the most is carried.",
        &[PrivateDataLimits],
    ),
    ("ndlargeqpdepth, ndqpmaxall", "Queues are as deep as they are said to be, and no deeper.", &[Limits]),
    ("ndmrderegister", "A region to which a window is bound is busy.", &[Windows]),
    ("ndcq", "Notifications and results come in their order.", &[Arming]),
    (
        "ndmval",
        "A message too long for its receive: the sender succeeds, as over iWARP, the receiver has an overrun.",
        &[SendShapes],
    ),
    ("ndmw, ndmpic", "Windows; inline data.", &[Windows, SendShapes]),
];
