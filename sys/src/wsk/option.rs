//! Options and control codes of sockets, and the numbers of transports.
//!
//! Values: `ws2def.h`, `ws2ipdef.h` and `wsk.h` of the Windows SDK. The interface identifier is a symbol of a library of
//! the WDK; its value comes from public sources that agree.

use crate::wdm::{GUID, ULONG, USHORT};

/// The interface whose events [`SO_WSK_EVENT_CALLBACK`] enables (`NPI_WSK_INTERFACE_ID`).
pub const NPI_WSK_INTERFACE_ID: GUID = GUID {
    Data1: 0x2227_E803,
    Data2: 0x8D8B,
    Data3: 0x11D4,
    Data4: [0xAB, 0xAD, 0x00, 0x90, 0x27, 0x71, 0x9E, 0x09],
};

constants! { USHORT:
    /// A stream.
    SOCK_STREAM = 1;
    /// Datagrams.
    SOCK_DGRAM = 2;
}

constants! { ULONG:
    /// The TCP protocol, and the level of its options.
    IPPROTO_TCP = 6;
    /// The UDP protocol, and the level of its options.
    IPPROTO_UDP = 17;
    /// The level of options that belong to sockets in general.
    SOL_SOCKET = 0xFFFF;
}

constants! { ULONG:
    /// Option, before the bind: the local address may be shared. A ULONG; takes a request.
    SO_REUSEADDR = 0x0004;
    /// Option: keepalive probes. A ULONG; takes a request.
    SO_KEEPALIVE = 0x0008;
    /// Option, before the bind: the local address is for this socket alone. A ULONG; takes a request.
    SO_EXCLUSIVEADDRUSE = 0xFFFF_FFFB;
    /// Option of a listening socket, before the bind: connections are inspected first. A ULONG; takes a request.
    SO_CONDITIONAL_ACCEPT = 0x3002;
    /// Option: the security descriptor.
    SO_WSK_SECURITY = 0x4001;
    /// Option: enables and disables events. Takes no request to enable them.
    SO_WSK_EVENT_CALLBACK = 0x4002;
}

constants! { ULONG:
    /// Option of [`IPPROTO_TCP`]: small segments are not held back. A ULONG.
    TCP_NODELAY = 0x1;
    /// Option of [`IPPROTO_TCP`]: the idle time before the first keepalive probe, in seconds.
    TCP_KEEPIDLE = 3;
    /// Option of [`IPPROTO_TCP`]: the number of keepalive probes without an answer that end a connection.
    TCP_KEEPCNT = 16;
    /// Option of [`IPPROTO_TCP`]: the time between keepalive probes, in seconds.
    TCP_KEEPINTVL = 17;
}

constants! { ULONG:
    /// Control: asks how much a sender should have outstanding, a SIZE_T, of a connected socket. Takes a request.
    SIO_WSK_QUERY_IDEAL_SEND_BACKLOG = 0x4F00_0003;
    /// Control: asks how much is received and not fetched, a SIZE_T.
    SIO_WSK_QUERY_RECEIVE_BACKLOG = 0x4F00_0004;
}
