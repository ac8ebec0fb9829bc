//! The list of events.

use core::net::SocketAddr;

use sys::ndk::{NDK_OBJECT_TYPE, NDK_OPERATION_TYPE};

use super::describe::{Description, length, metadata};
use super::encode::{Encode, FieldType, Payload};
use super::names::{
    AdapterState, Count, Handle, HolderKind, Microseconds, Oid, RegistrationCall, RequestCall, Status,
    TransportRequest,
};
use super::{keyword, level};

/// Makes the type, the descriptions and the encoding of events. Each has its keyword and level, and fields with the
/// names that a session shows.
macro_rules! events {
    ($(
        $(#[$doc:meta])*
        $name:ident($keyword:ident, $level:ident) { $( $field:ident $text:literal: $kind:ty, )* }
    )*) => {
        /// An event.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Event {
            $(
                $(#[$doc])*
                #[expect(missing_docs, reason = "the fields have names and types that say all")]
                $name { $( $field: $kind, )* },
            )*
        }

        /// The descriptions of all events.
        pub const EVENTS: &[Description] = &[$( descriptions::$name ),*];

        #[expect(non_upper_case_globals, reason = "each is named after its event")]
        mod descriptions {
            use super::*;

            $(
                pub(super) const $name: Description = {
                    const FIELDS: &[(&str, FieldType)] = &[$( ($text, <$kind as Encode>::TYPE) ),*];
                    const LENGTH: usize = length(stringify!($name), FIELDS);
                    const METADATA: [u8; LENGTH] = metadata(stringify!($name), FIELDS);
                    Description {
                        name: stringify!($name),
                        keyword: keyword::$keyword,
                        level: level::$level,
                        fields: FIELDS,
                        metadata: &METADATA,
                    }
                };
            )*
        }

        impl Event {
            /// The event's description.
            #[must_use]
            pub const fn description(&self) -> &'static Description {
                match self {
                    $( Self::$name { .. } => &descriptions::$name, )*
                }
            }

            /// The values of the event's fields.
            #[must_use]
            pub fn payload(&self) -> Payload {
                let mut payload = Payload::new();
                match *self {
                    $( Self::$name { $( $field ),* } => { $( $field.encode(&mut payload); )* } )*
                }
                payload
            }
        }
    };
}

events! {
    /// An NDK object was created.
    ObjectCreated(OBJECT, VERBOSE) { kind "Type": NDK_OBJECT_TYPE, object "Object": Handle, }
    /// A consumer has called the close of an object.
    CloseCalled(OBJECT, VERBOSE) { kind "Type": NDK_OBJECT_TYPE, object "Object": Handle, }
    /// The close of an object is pending: something holds it.
    ClosePending(OBJECT, VERBOSE) { kind "Type": NDK_OBJECT_TYPE, object "Object": Handle, }
    /// The close of an object is complete; `Microseconds` have passed since it was called.
    CloseCompleted(OBJECT, VERBOSE) {
        kind "Type": NDK_OBJECT_TYPE,
        object "Object": Handle,
        microseconds "Microseconds": Microseconds,
    }
    /// The close of an adapter has waited for five seconds, and again, for an object whose own close is pending. A
    /// `CloseHeld` follows for each thing that holds that.
    CloseBlocked(OBJECT, WARNING) { object "Object": Handle, holders "Holders": Count, }
    /// A thing that holds an object whose close is pending.
    CloseHeld(OBJECT, WARNING) {
        object "Object": Handle,
        holder "Holder": HolderKind,
        kind "HolderType": NDK_OBJECT_TYPE,
        handle "HolderObject": Handle,
        count "Count": Count,
    }
    /// An object that exists, as a session asks for the state.
    ObjectState(OBJECT, INFORMATION) {
        kind "Type": NDK_OBJECT_TYPE,
        object "Object": Handle,
        closing "Closing": Count,
        successors "Successors": Count,
        requests "Requests": Count,
        callbacks "Callbacks": Count,
    }
    /// A consumer has called listen.
    Listen(CONNECTION, INFORMATION) {
        object "Listener": Handle,
        local "Local": Option<SocketAddr>,
        status "Status": Status,
    }
    /// A consumer has called connect.
    Connect(CONNECTION, INFORMATION) {
        object "Connector": Handle,
        qp "Qp": Handle,
        local "Local": Option<SocketAddr>,
        remote "Remote": Option<SocketAddr>,
        status "Status": Status,
    }
    /// A consumer has called accept.
    Accept(CONNECTION, INFORMATION) {
        object "Connector": Handle,
        qp "Qp": Handle,
        local "Local": Option<SocketAddr>,
        remote "Remote": Option<SocketAddr>,
        status "Status": Status,
    }
    /// A consumer has called reject.
    Reject(CONNECTION, INFORMATION) {
        object "Connector": Handle,
        local "Local": Option<SocketAddr>,
        remote "Remote": Option<SocketAddr>,
        status "Status": Status,
    }
    /// A consumer has called disconnect.
    Disconnect(CONNECTION, INFORMATION) {
        object "Connector": Handle,
        local "Local": Option<SocketAddr>,
        remote "Remote": Option<SocketAddr>,
        status "Status": Status,
    }
    /// A request of a connector or listener that was pending is complete.
    RequestCompleted(CONNECTION, INFORMATION) {
        object "Object": Handle,
        request "Request": RequestCall,
        local "Local": Option<SocketAddr>,
        remote "Remote": Option<SocketAddr>,
        status "Status": Status,
    }
    /// The consumer is told that its peer has disconnected.
    PeerDisconnected(CONNECTION, INFORMATION) {
        local "Local": Option<SocketAddr>,
        remote "Remote": Option<SocketAddr>,
    }
    /// An error has ended a connection; `Local` is the side that connected.
    ConnectionTerminated(CONNECTION, WARNING) {
        local "Local": Option<SocketAddr>,
        remote "Remote": Option<SocketAddr>,
    }
    /// A work request has failed. Those that a flush cancels are not reported.
    WorkRequestFailed(WORK_REQUEST, WARNING) {
        qp "Qp": Handle,
        operation "Operation": NDK_OPERATION_TYPE,
        status "Status": Status,
    }
    /// A result found no room in a CQ, which is the end of the QPs that complete into it.
    CqOverflow(COMPLETION_QUEUE, ERROR) { cq "Cq": Handle, depth "Depth": Count, }
    /// A registration or an invalidation was refused.
    RegistrationRefused(MEMORY, WARNING) {
        call "Call": RegistrationCall,
        object "Object": Handle,
        status "Status": Status,
    }
    /// The state of an adapter has changed.
    AdapterChanged(ADAPTER, INFORMATION) { interface "Interface": Count, state "State": AdapterState, }
    /// An OID request was answered.
    OidRequest(ADAPTER, VERBOSE) {
        interface "Interface": Count,
        oid "Oid": Oid,
        kind "RequestType": Count,
        status "Status": Status,
    }
    /// A request of the legacy transport has ended.
    LegacyRequest(LEGACY, VERBOSE) {
        request "Request": TransportRequest,
        file "File": Handle,
        status "Status": Status,
        bytes "Information": Handle,
    }
}
