//! What an RDMA provider must do: one line each, with the numbers that code and tests cite.
//!
//! They say in our words what Microsoft's pages on NDKPI, NDIS and WSK ask for, and what its most important
//! consumer, SMB Direct, complains about when it is not so.

/// At which levels a rule is to be shown.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Levels {
    /// PASSIVE_LEVEL and DISPATCH_LEVEL.
    Both,
    /// What it is about happens at PASSIVE_LEVEL only.
    Passive,
}

use Levels::{Both, Passive};

/// Number, statement, levels.
pub(crate) const RULES: &[(&str, &str, Levels)] = &[
    ("OBJ-1", "An object's header names its type, one of ten.", Both),
    ("OBJ-2", "What is made from an object, or uses it, is its successor.", Both),
    ("OBJ-3", "A header's reserved words are zero at create, and the layer's from then on.", Both),
    ("OBJ-4", "The layer above may swap the dispatch pointer; the provider does not read it back.", Both),
    ("OBJ-5", "No slot of any dispatch table is empty.", Both),
    ("OBJ-6", "Every table but the adapter's begins with close; every one has the extension query.", Both),
    (
        "OBJ-7",
        "Functions may be called up to DISPATCH_LEVEL, but for opening, closing and asking the adapter.",
        Both,
    ),
    ("CL-1", "A close returns success or pending; it never fails.", Both),
    ("CL-2", "A pending close completes once, with its context; one that succeeded never.", Both),
    ("CL-3", "The close completion is an object's last callback, after all others have returned.", Both),
    ("CL-4", "A close ends the requests that are pending; the consumer need not.", Both),
    ("CL-5", "The close of an antecedent pends while a successor lives.", Both),
    ("CL-6", "It completes after the successors' close completions have returned.", Both),
    ("CL-7", "A listener refuses from the moment that its close is called.", Both),
    ("CL-8", "An object may be closed inside any of its callbacks.", Both),
    ("CL-9", "Flush and a connector's close may race with posts.", Both),
    ("CL-10", "The adapter's close blocks until no callback of any descendant is left.", Passive),
    ("CL-11", "A listener's close pends while connectors that it offered live; it is not refused.", Both),
    ("CL-12", "An address and port are free again when their last holder is closed.", Both),
    ("RQ-1", "A create that pends completes once, with the object; any other status is final.", Both),
    ("RQ-2", "A request that pends completes once; any other status is final.", Both),
    ("RQ-3", "A new object may be used before its create completion has returned.", Both),
    ("CQ-1", "The notifications of a CQ come one after the other.", Both),
    ("CQ-2", "A CQ notifies once for an arm that is satisfied, and never unarmed.", Both),
    ("CQ-3", "An arm is satisfied at once by a result that came since the last notification.", Both),
    ("CQ-4", "Arms merge: any wins, errors and solicited make solicited.", Both),
    (
        "CQ-5",
        "A receive that invalidated a token is had by the plain poll too, and the token is invalid.",
        Both,
    ),
    ("CQ-6", "A CQ that overflows says so, and is of no more use.", Both),
    (
        "CQ-7",
        "Depths at the limit are possible and one more is invalid; moderation holds notifications back.",
        Both,
    ),
    ("WR-1", "The two queues of a QP may be posted to at the same time.", Both),
    ("WR-2", "A request that was accepted has one result, one that was refused has none.", Both),
    (
        "WR-3",
        "Silent success, fence, solicitation, inline data, local invalidation and deferral do what they say.",
        Both,
    ),
    ("WR-4", "Memory may be used as it was registered to be, and not otherwise.", Both),
    ("WR-5", "Inline data is taken at the post, without a token.", Both),
    ("WR-6", "Deferred requests are started by the end of their chain, also if that is refused.", Both),
    (
        "WR-7",
        "Not connected, no access, no receive and flushed each have their status; a peer's disconnect flushes nothing.",
        Both,
    ),
    (
        "WR-8",
        "The privileged token is local; fast registration needs initialising, of 16 pages at least.",
        Both,
    ),
    ("WR-9", "An SRQ notifies below its threshold; modifying it with zero keeps what is.", Both),
    ("CM-1", "A disconnect completes when all transfers are over, and in finite time.", Both),
    ("CM-2", "The disconnect event comes once, and says nothing of work requests.", Both),
    ("CM-3", "A QP and a connector connect once.", Both),
    (
        "CM-4",
        "Addresses in use, foreign, unreachable and refusing have their statuses; port 0 is a dynamic one.",
        Both,
    ),
    ("CM-5", "A listener that is paused looks as though nobody listened.", Both),
    ("CM-6", "Read limits are the least of both requests and the adapter's.", Both),
    ("CM-7", "Connection data is had in all its buffer cases.", Both),
    ("CM-8", "The extended forms of 2.1 do what the plain ones do.", Both),
    ("VER-1", "1.1, 1.2, 2.0 and 2.1 are spoken.", Passive),
    ("VER-2", "Other versions are refused, and every version while RDMA is disabled.", Passive),
    ("NDIS-1", "The RDMA attributes are reported also while it is disabled.", Passive),
    (
        "NDIS-2",
        "OID_NDK_SET_STATE is obeyed outside of the request, and waits for consumers to close.",
        Passive,
    ),
    ("NDIS-3", "OID_NDK_STATISTICS is answered on the direct path too.", Passive),
    ("NDIS-4", "Connections, octets and frames are counted.", Passive),
    ("NDIS-5", "The INF offers *NetworkDirect and *NetworkDirectTechnology.", Passive),
    ("NDIS-6", "IPv4 and IPv6 are both served.", Both),
    ("NDIS-7", "The adapter's flags are true.", Both),
    ("NDIS-8", "The adapter's limits are true.", Both),
    ("NDIS-9", "A consumer comes by way of WSK, with the system's layer between.", Both),
];
