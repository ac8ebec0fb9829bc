//! Stream sockets: what listens or connects is decided after the bind (Windows 10, version 1703, and later).

use super::{
    PFN_WSK_ACCEPT, PFN_WSK_BIND, PFN_WSK_CONNECT, PFN_WSK_CONNECT_EX, PFN_WSK_DISCONNECT,
    PFN_WSK_GET_LOCAL_ADDRESS, PFN_WSK_GET_REMOTE_ADDRESS, PFN_WSK_LISTEN, PFN_WSK_RECEIVE,
    PFN_WSK_RELEASE_DATA_INDICATION_LIST, PFN_WSK_SEND, WSK_CLIENT_CONNECTION_DISPATCH,
    WSK_CLIENT_LISTEN_DISPATCH, WSK_PROVIDER_BASIC_DISPATCH,
};
use crate::wdm::PVOID;

layout! {
    /// A client's functions for a stream socket.
    struct WSK_CLIENT_STREAM_DISPATCH: 0x10 {
        /// Those of a socket that listens.
        0x0 => Listen: *const WSK_CLIENT_LISTEN_DISPATCH,
        /// Those of a socket that connects.
        0x8 => Connect: *const WSK_CLIENT_CONNECTION_DISPATCH,
    }

    /// Functions of a stream socket.
    struct WSK_PROVIDER_STREAM_DISPATCH: 0x78 {
        /// Functions of every socket.
        0x00 => Basic: WSK_PROVIDER_BASIC_DISPATCH,
        /// Binds it to a local address.
        0x10 => WskBind: Option<PFN_WSK_BIND>,
        /// Waits for a connection.
        0x18 => WskAccept: Option<PFN_WSK_ACCEPT>,
        /// Connects it.
        0x20 => WskConnect: Option<PFN_WSK_CONNECT>,
        /// Begins to listen.
        0x28 => WskListen: Option<PFN_WSK_LISTEN>,
        /// Sends.
        0x30 => WskSend: Option<PFN_WSK_SEND>,
        /// Receives.
        0x38 => WskReceive: Option<PFN_WSK_RECEIVE>,
        /// Disconnects.
        0x40 => WskDisconnect: Option<PFN_WSK_DISCONNECT>,
        /// Gives indicated data back.
        0x48 => WskRelease: Option<PFN_WSK_RELEASE_DATA_INDICATION_LIST>,
        /// Reads the local address.
        0x50 => WskGetLocalAddress: Option<PFN_WSK_GET_LOCAL_ADDRESS>,
        /// Reads the peer's address.
        0x58 => WskGetRemoteAddress: Option<PFN_WSK_GET_REMOTE_ADDRESS>,
        /// Connects it and sends the first data.
        0x60 => WskConnectEx: Option<PFN_WSK_CONNECT_EX>,
        /// Undocumented parameters.
        0x68 => WskSendEx: PVOID,
        /// Undocumented parameters.
        0x70 => WskReceiveEx: PVOID,
    }
}
