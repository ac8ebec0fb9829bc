//! Registration of a client, and capture of the provider.

use super::WSK_CLIENT_CONNECTION_DISPATCH;
use crate::sockaddr::{ADDRESS_FAMILY, SOCKADDR};
use crate::status::NTSTATUS;
use crate::wdm::{GUID, IRP, KSPIN_LOCK, PUNICODE_STRING, PVOID, SIZE_T, ULONG, ULONGLONG, USHORT, VOID};

/// A client as the provider knows it; the provider's business.
pub type WSK_CLIENT = VOID;

/// Builds a version of the interface.
#[must_use]
pub const fn MAKE_WSK_VERSION(major: u8, minor: u8) -> USHORT {
    USHORT::from_be_bytes([major, minor])
}

layout! {
    /// A registration; its members are the provider's business.
    struct WSK_REGISTRATION: 0x18 {
        /// State.
        0x00 => ReservedRegistrationState: ULONGLONG,
        /// Context.
        0x08 => ReservedRegistrationContext: PVOID,
        /// Lock.
        0x10 => ReservedRegistrationLock: KSPIN_LOCK,
    }

    /// A client.
    struct WSK_CLIENT_NPI: 0x10 {
        /// Handed to the client's event function.
        0x0 => ClientContext: PVOID,
        /// The client's functions.
        0x8 => Dispatch: *const WSK_CLIENT_DISPATCH,
    }

    /// A client's functions.
    struct WSK_CLIENT_DISPATCH: 0x10 {
        /// The version that it asks for.
        0x0 => Version: USHORT,
        /// Zero.
        0x2 => Reserved: USHORT,
        /// Told of events that concern the client as a whole; may be null.
        0x8 => WskClientEvent: Option<PFN_WSK_CLIENT_EVENT>,
    }

    /// The provider, as a client has captured it.
    struct WSK_PROVIDER_NPI: 0x10 {
        /// The context of the client in calls of the provider.
        0x0 => Client: *mut WSK_CLIENT,
        /// The provider's functions.
        0x8 => Dispatch: *const WSK_PROVIDER_DISPATCH,
    }

    /// The versions that the provider supports.
    struct WSK_PROVIDER_CHARACTERISTICS: 0x4 {
        /// The highest.
        0x0 => HighestVersion: USHORT,
        /// The lowest.
        0x2 => LowestVersion: USHORT,
    }

    /// The provider's functions.
    struct WSK_PROVIDER_DISPATCH: 0x38 {
        /// The version that the client got.
        0x00 => Version: USHORT,
        /// Zero.
        0x02 => Reserved: USHORT,
        /// Creates a socket.
        0x08 => WskSocket: Option<PFN_WSK_SOCKET>,
        /// Creates, binds and connects a socket.
        0x10 => WskSocketConnect: Option<PFN_WSK_SOCKET_CONNECT>,
        /// Sets or asks something of the client as a whole.
        0x18 => WskControlClient: Option<PFN_WSK_CONTROL_CLIENT>,
        /// Resolves a name.
        0x20 => WskGetAddressInfo: Option<PFN_WSK_GET_ADDRESS_INFO>,
        /// Frees a resolved name.
        0x28 => WskFreeAddressInfo: Option<PFN_WSK_FREE_ADDRESS_INFO>,
        /// Resolves an address.
        0x30 => WskGetNameInfo: Option<PFN_WSK_GET_NAME_INFO>,
    }
}

constants! { ULONG:
    /// Do not wait for the provider.
    WSK_NO_WAIT = 0;
    /// Wait for the provider without limit.
    WSK_INFINITE_WAIT = 0xFFFF_FFFF;
}

constants! { ULONG:
    /// Asks which transports there are.
    WSK_TRANSPORT_LIST_QUERY = 0x2;
    /// Completes when the list of transports changes.
    WSK_TRANSPORT_LIST_CHANGE = 0x3;
    /// Keeps a security descriptor for sockets.
    WSK_CACHE_SD = 0x4;
    /// Releases a kept security descriptor.
    WSK_RELEASE_SD = 0x5;
    /// Maps sockets to TDI devices.
    WSK_TDI_DEVICENAME_MAPPING = 0x6;
    /// Enables events for all sockets of the client.
    WSK_SET_STATIC_EVENT_CALLBACKS = 0x7;
    /// Says how to treat TDI filters.
    WSK_TDI_BEHAVIOR = 0x8;
}

imports! {
    "netio.sys", "netio";

    /// Registers a client. PASSIVE_LEVEL.
    fn WskRegister(WskClientNpi: *const WSK_CLIENT_NPI, WskRegistration: *mut WSK_REGISTRATION) -> NTSTATUS;
    /// Deregisters a client; waits until it has released the provider and all its calls are done.
    /// PASSIVE_LEVEL.
    fn WskDeregister(WskRegistration: *mut WSK_REGISTRATION);
    /// Obtains the provider, waiting for it for up to so many milliseconds. PASSIVE_LEVEL; ≤
    /// DISPATCH_LEVEL without a wait.
    fn WskCaptureProviderNPI(
        WskRegistration: *mut WSK_REGISTRATION,
        WaitTimeout: ULONG,
        WskProviderNpi: *mut WSK_PROVIDER_NPI,
    ) -> NTSTATUS;
    /// Releases the provider. ≤ DISPATCH_LEVEL.
    fn WskReleaseProviderNPI(WskRegistration: *mut WSK_REGISTRATION);
    /// Asks which versions the provider supports. ≤ DISPATCH_LEVEL.
    fn WskQueryProviderCharacteristics(
        WskRegistration: *mut WSK_REGISTRATION,
        WskProviderCharacteristics: *mut WSK_PROVIDER_CHARACTERISTICS,
    ) -> NTSTATUS;
}

/// The client's: something concerns it as a whole.
pub type PFN_WSK_CLIENT_EVENT = unsafe extern "efiapi" fn(
    ClientContext: PVOID,
    EventType: ULONG,
    Information: PVOID,
    InformationLength: SIZE_T,
) -> NTSTATUS;

/// Creates a socket; the request's information is the socket.
pub type PFN_WSK_SOCKET = unsafe extern "efiapi" fn(
    Client: *mut WSK_CLIENT,
    AddressFamily: ADDRESS_FAMILY,
    SocketType: USHORT,
    Protocol: ULONG,
    Flags: ULONG,
    SocketContext: PVOID,
    Dispatch: *const VOID,
    OwningProcess: PVOID,
    OwningThread: PVOID,
    SecurityDescriptor: PVOID,
    Irp: *mut IRP,
) -> NTSTATUS;

/// Creates, binds and connects a socket; the request's information is the socket.
pub type PFN_WSK_SOCKET_CONNECT = unsafe extern "efiapi" fn(
    Client: *mut WSK_CLIENT,
    SocketType: USHORT,
    Protocol: ULONG,
    LocalAddress: *const SOCKADDR,
    RemoteAddress: *const SOCKADDR,
    Flags: ULONG,
    SocketContext: PVOID,
    Dispatch: *const WSK_CLIENT_CONNECTION_DISPATCH,
    OwningProcess: PVOID,
    OwningThread: PVOID,
    SecurityDescriptor: PVOID,
    Irp: *mut IRP,
) -> NTSTATUS;

/// Sets or asks something of the client as a whole; some codes take no request.
pub type PFN_WSK_CONTROL_CLIENT = unsafe extern "efiapi" fn(
    Client: *mut WSK_CLIENT,
    ControlCode: ULONG,
    InputSize: SIZE_T,
    InputBuffer: PVOID,
    OutputSize: SIZE_T,
    OutputBuffer: PVOID,
    OutputSizeReturned: *mut SIZE_T,
    Irp: *mut IRP,
) -> NTSTATUS;

/// Resolves a name. PASSIVE_LEVEL.
pub type PFN_WSK_GET_ADDRESS_INFO = unsafe extern "efiapi" fn(
    Client: *mut WSK_CLIENT,
    NodeName: PUNICODE_STRING,
    ServiceName: PUNICODE_STRING,
    NameSpace: ULONG,
    Provider: *const GUID,
    Hints: PVOID,
    Result: *mut PVOID,
    OwningProcess: PVOID,
    OwningThread: PVOID,
    Irp: *mut IRP,
) -> NTSTATUS;

/// Frees a resolved name. PASSIVE_LEVEL.
pub type PFN_WSK_FREE_ADDRESS_INFO = unsafe extern "efiapi" fn(Client: *mut WSK_CLIENT, AddrInfo: PVOID);

/// Resolves an address. PASSIVE_LEVEL.
pub type PFN_WSK_GET_NAME_INFO = unsafe extern "efiapi" fn(
    Client: *mut WSK_CLIENT,
    SockAddr: *const SOCKADDR,
    SockAddrLength: ULONG,
    NodeName: PUNICODE_STRING,
    ServiceName: PUNICODE_STRING,
    Flags: ULONG,
    OwningProcess: PVOID,
    OwningThread: PVOID,
    Irp: *mut IRP,
) -> NTSTATUS;
