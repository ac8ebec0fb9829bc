//! Types of fields, and the names that stand for their values.

use sys::ndk::{NDK_OBJECT_TYPE, NDK_OPERATION_TYPE};
use sys::status::NTSTATUS;

use super::encode::{Encode, FieldType, Payload, bytes, name};

/// Declares types that hold a number, and the types of their fields.
macro_rules! numbers {
    ($( $(#[$doc:meta])* $name:ident($inner:ty): $kind:ident; )*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name(pub $inner);

        impl Encode for $name {
            const TYPE: FieldType = FieldType::$kind;

            fn encode(self, payload: &mut Payload) {
                bytes(payload, &self.0.to_le_bytes());
            }
        }
    )*};
}

numbers! {
    /// The address of an object, which its consumer and a debugger know it by.
    Handle(usize): Hex64;
    /// A status.
    Status(NTSTATUS): Status;
    /// A duration; -1 if its beginning is not known.
    Microseconds(i64): I64;
    /// A number of things.
    Count(u32): U32;
    /// The number of an OID.
    Oid(u32): Hex32;
}

/// Declares enumerations whose values are written as names.
macro_rules! names {
    ($( $(#[$doc:meta])* enum $name:ident { $( $(#[$note:meta])* $variant:ident = $text:literal, )* } )*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $( $(#[$note])* $variant, )*
        }

        impl Encode for $name {
            const TYPE: FieldType = FieldType::Name;

            fn encode(self, payload: &mut Payload) {
                name(payload, match self { $( Self::$variant => $text, )* });
            }
        }
    )*};
}

names! {
    /// The kind of a thing that holds an object whose close is pending.
    enum HolderKind {
        /// The close call itself.
        CloseCall = "close call",
        /// An object.
        Successor = "successor",
        /// Successors without a handle.
        Nameless = "successors without a handle",
        /// Requests in progress.
        Requests = "requests",
        /// Callbacks in progress.
        Callbacks = "callbacks",
        /// TCP, whose sends are counted.
        Network = "sends that TCP has",
    }

    /// A request of a connector or listener that pends.
    enum RequestCall {
        /// NdkListen.
        Listen = "listen",
        /// NdkConnect or NdkConnectWithSharedEndpoint.
        Connect = "connect",
        /// NdkAccept or NdkAcceptEx.
        Accept = "accept",
        /// NdkDisconnect.
        Disconnect = "disconnect",
    }

    /// A call that registers memory or ends a registration.
    enum RegistrationCall {
        /// NdkRegisterMr.
        Register = "register",
        /// NdkDeregisterMr.
        Deregister = "deregister",
        /// NdkInitializeFastRegisterMr.
        Prepare = "initialize fast register",
        /// NdkFastRegister.
        FastRegister = "fast register",
        /// NdkBind.
        Bind = "bind",
        /// NdkInvalidate.
        Invalidate = "invalidate",
    }

    /// A change of an adapter's state.
    enum AdapterState {
        /// The adapter has been initialised.
        Initialized = "initialized",
        /// The adapter has been halted.
        Halted = "halted",
        /// The Ethernet side has been paused.
        Paused = "paused",
        /// The Ethernet side has been restarted.
        Restarted = "restarted",
        /// RDMA has been enabled.
        Enabled = "RDMA enabled",
        /// RDMA has been disabled.
        Disabled = "RDMA disabled",
        /// The device is gone.
        SurpriseRemoved = "surprise removed",
    }

    /// A request of the legacy transport.
    enum TransportRequest {
        /// IRP_MJ_CREATE.
        Create = "create",
        /// IRP_MJ_CLEANUP.
        Cleanup = "cleanup",
        /// IRP_MJ_CLOSE.
        Close = "close",
        /// TDI_ASSOCIATE_ADDRESS.
        Associate = "TDI_ASSOCIATE_ADDRESS",
        /// TDI_DISASSOCIATE_ADDRESS.
        Disassociate = "TDI_DISASSOCIATE_ADDRESS",
        /// TDI_CONNECT.
        Connect = "TDI_CONNECT",
        /// TDI_LISTEN.
        Listen = "TDI_LISTEN",
        /// TDI_ACCEPT.
        Accept = "TDI_ACCEPT",
        /// TDI_DISCONNECT.
        Disconnect = "TDI_DISCONNECT",
        /// TDI_SEND.
        Send = "TDI_SEND",
        /// TDI_RECEIVE.
        Receive = "TDI_RECEIVE",
        /// TDI_SEND_DATAGRAM.
        SendDatagram = "TDI_SEND_DATAGRAM",
        /// TDI_RECEIVE_DATAGRAM.
        ReceiveDatagram = "TDI_RECEIVE_DATAGRAM",
        /// TDI_SET_EVENT_HANDLER.
        SetEventHandler = "TDI_SET_EVENT_HANDLER",
        /// TDI_QUERY_INFORMATION.
        QueryInformation = "TDI_QUERY_INFORMATION",
        /// TDI_SET_INFORMATION.
        SetInformation = "TDI_SET_INFORMATION",
        /// TDI_ACTION.
        Action = "TDI_ACTION",
        /// Something else.
        Unknown = "unknown",
    }
}

/// The field's name for a type of object.
#[must_use]
pub const fn object_type_name(kind: NDK_OBJECT_TYPE) -> &'static str {
    match kind {
        NDK_OBJECT_TYPE::NdkObjectTypeAdapter => "adapter",
        NDK_OBJECT_TYPE::NdkObjectTypeQp => "QP",
        NDK_OBJECT_TYPE::NdkObjectTypeCq => "CQ",
        NDK_OBJECT_TYPE::NdkObjectTypeMr => "MR",
        NDK_OBJECT_TYPE::NdkObjectTypeMw => "MW",
        NDK_OBJECT_TYPE::NdkObjectTypePd => "PD",
        NDK_OBJECT_TYPE::NdkObjectTypeSharedEndpoint => "shared endpoint",
        NDK_OBJECT_TYPE::NdkObjectTypeConnector => "connector",
        NDK_OBJECT_TYPE::NdkObjectTypeListener => "listener",
        NDK_OBJECT_TYPE::NdkObjectTypeSrq => "SRQ",
        _ => "object",
    }
}

impl Encode for NDK_OBJECT_TYPE {
    const TYPE: FieldType = FieldType::Name;

    fn encode(self, payload: &mut Payload) {
        name(payload, object_type_name(self));
    }
}

impl Encode for NDK_OPERATION_TYPE {
    const TYPE: FieldType = FieldType::Name;

    fn encode(self, payload: &mut Payload) {
        let text = match self {
            Self::NdkOperationTypeReceive => "receive",
            Self::NdkOperationTypeReceiveAndInvalidate => "receive and invalidate",
            Self::NdkOperationTypeSend => "send",
            Self::NdkOperationTypeFastRegister => "fast register",
            Self::NdkOperationTypeBind => "bind",
            Self::NdkOperationTypeInvalidate => "invalidate",
            Self::NdkOperationTypeRead => "read",
            Self::NdkOperationTypeWrite => "write",
            _ => "unknown",
        };
        name(payload, text);
    }
}
