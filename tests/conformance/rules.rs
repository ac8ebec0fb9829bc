//! Requirements for an RDMA provider: one line each, with the numbers that code and tests cite.
//!
//! They paraphrase Microsoft's pages on NDKPI, NDIS and WSK, and the complaints of the most important consumer, SMB
//! Direct, when a provider breaks them. The third column is the page, below [`PAGES`].

/// The folder of all pages.
pub(crate) const PAGES: &str = "https://learn.microsoft.com/windows-hardware/drivers/";

const CALLBACKS: &str = "network/implementing-ndkpi-callback-functions";
const COMPLETIONS: &str = "network/ndkpi-completion-handling-requirements";
const DISCONNECT: &str = "network/networkdirect-disconnect-scheme";
const INF: &str = "network/inf-requirements-for-ndkpi";
const LIFETIME: &str = "network/ndkpi-object-lifetime-requirements";
const LISTENERS: &str = "network/ndkpi-listeners--connectors--and-endpoints";
const OVERVIEW: &str = "network/overview-of-network-direct-kernel-provider-interface--ndkpi-";
const POSTING: &str = "network/ndkpi-work-request-posting-requirements";
const ACCEPT_EX: &str = "ddi/ndkpi/nc-ndkpi-ndk_fn_accept_ex";
const ADAPTER_INFO: &str = "ddi/ndkpi/nc-ndkpi-ndk_fn_query_adapter_info";
const CLOSE: &str = "ddi/ndkpi/nc-ndkpi-ndk_fn_close_object";
const CLOSED: &str = "ddi/ndkpi/nc-ndkpi-ndk_fn_close_completion";
const CONNECT: &str = "ddi/ndkpi/nc-ndkpi-ndk_fn_connect";
const HEADER: &str = "ddi/ndkpi/ns-ndkpi-_ndk_object_header";
const OPEN_ADAPTER: &str = "ddi/ndisndk/nc-ndisndk-open_ndk_adapter_handler";
const SEND: &str = "ddi/ndkpi/nc-ndkpi-ndk_fn_send";

/// Number, statement and page.
pub(crate) const RULES: &[(&str, &str, &str)] = &[
    ("OBJ-1", "An object's header names its type, one of ten.", "ddi/ndkpi/ne-ndkpi-_ndk_object_type"),
    ("OBJ-2", "An object that is created from another, or uses it, is its successor.", LIFETIME),
    ("OBJ-3", "A header's reserved words are zero at create, and the NDK layer's from then on.", HEADER),
    ("OBJ-4", "The NDK layer may swap the dispatch pointer; the provider does not read it back.", HEADER),
    ("OBJ-5", "No slot of any dispatch table is empty.", CALLBACKS),
    (
        "OBJ-6",
        "Every table but the adapter's begins with close; every one has the extension query.",
        "ddi/ndkpi/ns-ndkpi-_ndk_adapter_dispatch",
    ),
    (
        "OBJ-7",
        "Functions are callable up to DISPATCH_LEVEL, but for opening, closing and querying the adapter.",
        CALLBACKS,
    ),
    ("CL-1", "A close returns STATUS_SUCCESS or STATUS_PENDING; it never fails.", CLOSE),
    ("CL-2", "A pending close completes once, with its context; one that succeeded never.", CLOSED),
    ("CL-3", "The close completion is an object's last callback, after all others have returned.", CLOSED),
    ("CL-4", "A close ends the pending requests; the consumer need not cancel them.", LIFETIME),
    ("CL-5", "The close of an antecedent pends while a successor lives.", LIFETIME),
    ("CL-6", "It completes after the successors' close completions have returned.", LIFETIME),
    ("CL-7", "A listener refuses connects from the moment that its close is called.", LISTENERS),
    ("CL-8", "An object may be closed inside any of its callbacks.", LIFETIME),
    ("CL-9", "Flush and a connector's close may race with posts.", POSTING),
    (
        "CL-10",
        "The adapter's close blocks until no callback of any descendant is left.",
        "ddi/ndisndk/nc-ndisndk-close_ndk_adapter_handler",
    ),
    (
        "CL-11",
        "A listener's close pends while connectors that it indicated live; it is not refused.",
        LISTENERS,
    ),
    ("CL-12", "An address and port are free again when their last holder is closed.", LISTENERS),
    (
        "RQ-1",
        "A create that pends completes once, with the object; any other status is final.",
        "ddi/ndkpi/nc-ndkpi-ndk_fn_create_completion",
    ),
    (
        "RQ-2",
        "A request that pends completes once; any other status is final.",
        "ddi/ndkpi/nc-ndkpi-ndk_fn_request_completion",
    ),
    ("RQ-3", "A new object may be used before its create completion has returned.", LIFETIME),
    ("CQ-1", "The notifications of a CQ are serialised.", COMPLETIONS),
    ("CQ-2", "A CQ notifies once for an arm that is satisfied, and never unarmed.", COMPLETIONS),
    (
        "CQ-3",
        "An arm is satisfied at once by a completion that arrived since the last notification.",
        COMPLETIONS,
    ),
    ("CQ-4", "Arms merge: any wins, errors and solicited make solicited.", COMPLETIONS),
    (
        "CQ-5",
        "NdkGetCqResults returns Receive-and-Invalidate completions too, and the token is invalid.",
        COMPLETIONS,
    ),
    (
        "CQ-6",
        "A CQ that overflows notifies its failure, and is of no more use.",
        "ddi/ndkpi/nc-ndkpi-ndk_fn_cq_notification_callback",
    ),
    (
        "CQ-7",
        "Depths at the limit are possible and one more is invalid; interrupt moderation coalesces notifications.",
        "ddi/ndkpi/nc-ndkpi-ndk_fn_control_cq_interrupt_moderation",
    ),
    ("CQ-8", "A notification is not delivered by the post that causes it.", COMPLETIONS),
    ("WR-1", "The two queues of a QP may be posted to at the same time.", POSTING),
    ("WR-2", "A request that was accepted has one completion, one that was refused has none.", POSTING),
    (
        "WR-3",
        "Silent success, fence, solicitation, inline data, local invalidation and deferral work as flagged.",
        SEND,
    ),
    (
        "WR-4",
        "Memory admits the accesses of its registration, and no others.",
        "ddi/ndkpi/nc-ndkpi-ndk_fn_register_mr",
    ),
    ("WR-5", "Inline data is copied at the post, without a token.", SEND),
    (
        "WR-6",
        "Deferred requests are started by the end of their chain, also if that is refused.",
        "network/ndkpi-deferred-processing-scheme",
    ),
    (
        "WR-7",
        "Not connected, no access, no receive and flushed each have their status; a peer's disconnect flushes nothing.",
        DISCONNECT,
    ),
    (
        "WR-8",
        "The privileged token is local; fast registration needs initialising, of 16 pages at least.",
        "ddi/ndkpi/nc-ndkpi-ndk_fn_initialize_fast_register_mr",
    ),
    (
        "WR-9",
        "An SRQ notifies below its threshold; modifying it with zero keeps the value.",
        "ddi/ndkpi/nc-ndkpi-ndk_fn_modify_srq",
    ),
    ("CM-1", "A disconnect completes when all transfers are over, and in finite time.", DISCONNECT),
    ("CM-2", "The disconnect event comes once, and promises nothing about work requests.", DISCONNECT),
    ("CM-3", "A QP and a connector connect once.", DISCONNECT),
    (
        "CM-4",
        "Addresses in use, foreign, unreachable and refusing have their statuses; port 0 is a dynamic one.",
        CONNECT,
    ),
    (
        "CM-5",
        "A paused listener refuses connects like an address without a listener.",
        "ddi/ndkpi/nc-ndkpi-ndk_fn_control_connect_events",
    ),
    ("CM-6", "Read limits are the least of both requests and the adapter's.", CONNECT),
    (
        "CM-7",
        "Connection data is returned in all its buffer cases.",
        "ddi/ndkpi/nc-ndkpi-ndk_fn_get_connection_data",
    ),
    ("CM-8", "The extended forms of 2.1 do what the plain ones do.", ACCEPT_EX),
    ("VER-1", "Versions 1.1, 1.2, 2.0 and 2.1 are supported.", OPEN_ADAPTER),
    ("VER-2", "Other versions are refused, and every version while RDMA is disabled.", OPEN_ADAPTER),
    (
        "NDIS-1",
        "The NDK attributes are reported also while RDMA is disabled.",
        "ddi/ndis/ns-ndis-_ndis_miniport_adapter_ndk_attributes",
    ),
    (
        "NDIS-2",
        "OID_NDK_SET_STATE is applied outside of the request, and waits for consumers to close.",
        "network/oid-ndk-set-state",
    ),
    ("NDIS-3", "OID_NDK_STATISTICS is answered on the direct path too.", "network/oid-ndk-statistics"),
    (
        "NDIS-4",
        "Connections, octets and frames are counted.",
        "ddi/ntddndis/ns-ntddndis-_ndis_ndk_performance_counters",
    ),
    ("NDIS-5", "The INF offers *NetworkDirect and *NetworkDirectTechnology.", INF),
    ("NDIS-6", "IPv4 and IPv6 are both served.", OVERVIEW),
    ("NDIS-7", "The adapter's flags are true.", ADAPTER_INFO),
    ("NDIS-8", "The adapter's limits are true.", ADAPTER_INFO),
    (
        "NDIS-9",
        "A consumer opens the adapter through WSK, with the system's layer between.",
        "ddi/wsk/nc-wsk-pfn_wsk_control_client",
    ),
];

/// The rules of PASSIVE_LEVEL alone. The others are to be shown at DISPATCH_LEVEL too.
pub(crate) const PASSIVE_ONLY: &[&str] =
    &["CL-10", "VER-1", "VER-2", "NDIS-1", "NDIS-2", "NDIS-3", "NDIS-4", "NDIS-5"];
