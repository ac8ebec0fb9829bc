//! What an RDMA provider must do: one line each, with the numbers that code and tests cite.
//!
//! They say in our words what Microsoft's pages on NDKPI, NDIS and WSK ask for, and what its most important
//! consumer, SMB Direct, complains about when it is not so.

/// Number and statement.
pub(crate) const RULES: &[(&str, &str)] = &[
    ("OBJ-1", "An object's header names its type, one of ten."),
    ("OBJ-2", "What is made from an object, or uses it, is its successor."),
    ("OBJ-3", "A header's reserved words are zero at create, and the layer's from then on."),
    ("OBJ-4", "The layer above may swap the dispatch pointer; the provider does not read it back."),
    ("OBJ-5", "No slot of any dispatch table is empty."),
    ("OBJ-6", "Every table but the adapter's begins with close; every one has the extension query."),
    (
        "OBJ-7",
        "Functions may be called up to DISPATCH_LEVEL, but for opening, closing and asking the adapter.",
    ),
    ("CL-1", "A close returns success or pending; it never fails."),
    ("CL-2", "A pending close completes once, with its context; one that succeeded never."),
    ("CL-3", "The close completion is an object's last callback, after all others have returned."),
    ("CL-4", "A close ends the requests that are pending; the consumer need not."),
    ("CL-5", "The close of an antecedent pends while a successor lives."),
    ("CL-6", "It completes after the successors' close completions have returned."),
    ("CL-7", "A listener refuses from the moment that its close is called."),
    ("CL-8", "An object may be closed inside any of its callbacks."),
    ("CL-9", "Flush and a connector's close may race with posts."),
    ("CL-10", "The adapter's close blocks until no callback of any descendant is left."),
    ("CL-11", "A listener's close pends while connectors that it offered live; it is not refused."),
    ("CL-12", "An address and port are free again when their last holder is closed."),
    ("RQ-1", "A create that pends completes once, with the object; any other status is final."),
    ("RQ-2", "A request that pends completes once; any other status is final."),
    ("RQ-3", "A new object may be used before its create completion has returned."),
    ("CQ-1", "The notifications of a CQ come one after the other."),
    ("CQ-2", "A CQ notifies once for an arm that is satisfied, and never unarmed."),
    ("CQ-3", "An arm is satisfied at once by a result that came since the last notification."),
    ("CQ-4", "Arms merge: any wins, errors and solicited make solicited."),
    ("CQ-5", "A receive that invalidated a token is had by the plain poll too, and the token is invalid."),
    ("CQ-6", "A CQ that overflows says so, and is of no more use."),
    (
        "CQ-7",
        "Depths at the limit are possible and one more is invalid; moderation holds notifications back.",
    ),
    ("CQ-8", "A notification does not come by way of the post that causes it."),
    ("WR-1", "The two queues of a QP may be posted to at the same time."),
    ("WR-2", "A request that was accepted has one result, one that was refused has none."),
    (
        "WR-3",
        "Silent success, fence, solicitation, inline data, local invalidation and deferral do what they say.",
    ),
    ("WR-4", "Memory may be used as it was registered to be, and not otherwise."),
    ("WR-5", "Inline data is taken at the post, without a token."),
    ("WR-6", "Deferred requests are started by the end of their chain, also if that is refused."),
    (
        "WR-7",
        "Not connected, no access, no receive and flushed each have their status; a peer's disconnect flushes nothing.",
    ),
    ("WR-8", "The privileged token is local; fast registration needs initialising, of 16 pages at least."),
    ("WR-9", "An SRQ notifies below its threshold; modifying it with zero keeps what is."),
    ("CM-1", "A disconnect completes when all transfers are over, and in finite time."),
    ("CM-2", "The disconnect event comes once, and says nothing of work requests."),
    ("CM-3", "A QP and a connector connect once."),
    (
        "CM-4",
        "Addresses in use, foreign, unreachable and refusing have their statuses; port 0 is a dynamic one.",
    ),
    ("CM-5", "A listener that is paused looks as though nobody listened."),
    ("CM-6", "Read limits are the least of both requests and the adapter's."),
    ("CM-7", "Connection data is had in all its buffer cases."),
    ("CM-8", "The extended forms of 2.1 do what the plain ones do."),
    ("VER-1", "1.1, 1.2, 2.0 and 2.1 are spoken."),
    ("VER-2", "Other versions are refused, and every version while RDMA is disabled."),
    ("NDIS-1", "The RDMA attributes are reported also while it is disabled."),
    ("NDIS-2", "OID_NDK_SET_STATE is obeyed outside of the request, and waits for consumers to close."),
    ("NDIS-3", "OID_NDK_STATISTICS is answered on the direct path too."),
    ("NDIS-4", "Connections, octets and frames are counted."),
    ("NDIS-5", "The INF offers *NetworkDirect and *NetworkDirectTechnology."),
    ("NDIS-6", "IPv4 and IPv6 are both served."),
    ("NDIS-7", "The adapter's flags are true."),
    ("NDIS-8", "The adapter's limits are true."),
    ("NDIS-9", "A consumer comes by way of WSK, with the system's layer between."),
];

/// The rules about what happens at PASSIVE_LEVEL only. The others are to be shown at DISPATCH_LEVEL too.
pub(crate) const PASSIVE_ONLY: &[&str] =
    &["CL-10", "VER-1", "VER-2", "NDIS-1", "NDIS-2", "NDIS-3", "NDIS-4", "NDIS-5"];
