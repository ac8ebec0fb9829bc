//! Failures whose mending is under way. Empty, unless a fault was found and is not mended yet.

/// How the failures begin.
pub(super) const EXPECTED: &[&str] = &[
    "ConnectIndicated answers 0x00000103",
    "Connector of end 0 is closed before its Connect has completed",
    "Connector of end 0 is closed before its Disconnect has completed",
    "Connector of end 1 is closed before its Disconnect has completed",
    "NdkDisconnect of a connection that never came about is accepted",
    "Qp of end 1 is closed before its successor Connector",
    "Spare of end 1 is closed before its successor Connector",
    "a connect event while connect events are paused",
    "connector closed: a post to Qp of end",
];

/// Whether a failure is expected.
pub(super) fn is_expected(failure: &str) -> bool {
    EXPECTED.iter().any(|beginning| failure.starts_with(beginning))
}
