//! Status values: `NTSTATUS` and `NDIS_STATUS`.
//!
//! Values from `ntstatus.h` and `ndis.h` as mingw-w64 publishes them, the NDKPI ones compared with
//! Microsoft's pages. The two types share one number space; several names stand for the same number.

/// The outcome of a kernel operation: negative is an error or warning, anything else a success.
pub type NTSTATUS = i32;

/// The outcome of an NDIS operation; see [`NTSTATUS`].
pub type NDIS_STATUS = i32;

/// Returns whether `status` is a success or an informational value (`STATUS_PENDING` is one).
#[must_use]
pub const fn NT_SUCCESS(status: NTSTATUS) -> bool {
    status >= 0
}

/// Returns whether `status` is an error, as opposed to a success, an information or a warning.
#[must_use]
pub const fn NT_ERROR(status: NTSTATUS) -> bool {
    status.cast_unsigned() >> 30 == 3
}

/// Declares status values by the unsigned numbers that the headers print.
macro_rules! statuses {
    ($type:ty: $( $(#[$note:meta])* $name:ident = $value:literal; )*) => {
        constants! { $type: $( $(#[$note])* $name = u32::cast_signed($value); )* }
    };
}

statuses! { NTSTATUS:
    /// The operation completed.
    STATUS_SUCCESS = 0x0000_0000;
    /// The first (or only) object that was waited for is signalled.
    STATUS_WAIT_0 = 0x0000_0000;
    /// The wait was ended by a user-mode asynchronous procedure call.
    STATUS_USER_APC = 0x0000_00C0;
    /// The wait was ended because the thread was alerted.
    STATUS_ALERTED = 0x0000_0101;
    /// The given time passed before the operation completed; a success value.
    STATUS_TIMEOUT = 0x0000_0102;
    /// The operation goes on and will complete by its completion routine; a success value.
    STATUS_PENDING = 0x0000_0103;
    /// The event was received and its handling goes on.
    STATUS_EVENT_PENDING = 0x4000_0013;
    /// A pointer does not have its type's alignment.
    STATUS_DATATYPE_MISALIGNMENT = 0x8000_0002;
    /// The buffer holds as much of the data as fits in it; a warning.
    STATUS_BUFFER_OVERFLOW = 0x8000_0005;
    /// The device or object is in use.
    STATUS_DEVICE_BUSY = 0x8000_0011;
    /// There is nothing left to enumerate.
    STATUS_NO_MORE_ENTRIES = 0x8000_001A;
    /// The operation failed for no particular reason.
    STATUS_UNSUCCESSFUL = 0xC000_0001;
    /// The operation is not implemented.
    STATUS_NOT_IMPLEMENTED = 0xC000_0002;
    /// The length does not fit the kind of information.
    STATUS_INFO_LENGTH_MISMATCH = 0xC000_0004;
    /// The memory may not be accessed in this way.
    STATUS_ACCESS_VIOLATION = 0xC000_0005;
    /// The handle names no object.
    STATUS_INVALID_HANDLE = 0xC000_0008;
    /// A parameter has no legal value.
    STATUS_INVALID_PARAMETER = 0xC000_000D;
    /// There is no such device.
    STATUS_NO_SUCH_DEVICE = 0xC000_000E;
    /// The device does not know this request.
    STATUS_INVALID_DEVICE_REQUEST = 0xC000_0010;
    /// The end of the file was reached.
    STATUS_END_OF_FILE = 0xC000_0011;
    /// The completion routine has taken the request back; completion stops here.
    STATUS_MORE_PROCESSING_REQUIRED = 0xC000_0016;
    /// There is not enough memory.
    STATUS_NO_MEMORY = 0xC000_0017;
    /// The caller lacks the right to do this.
    STATUS_ACCESS_DENIED = 0xC000_0022;
    /// The buffer cannot hold the data, and none was written unless the call says otherwise.
    STATUS_BUFFER_TOO_SMALL = 0xC000_0023;
    /// The object is not of the type that is asked for.
    STATUS_OBJECT_TYPE_MISMATCH = 0xC000_0024;
    /// The parameters contradict each other.
    STATUS_INVALID_PARAMETER_MIX = 0xC000_0030;
    /// The name is malformed.
    STATUS_OBJECT_NAME_INVALID = 0xC000_0033;
    /// No object has this name.
    STATUS_OBJECT_NAME_NOT_FOUND = 0xC000_0034;
    /// Another object has this name.
    STATUS_OBJECT_NAME_COLLISION = 0xC000_0035;
    /// A directory of the name does not exist.
    STATUS_OBJECT_PATH_NOT_FOUND = 0xC000_003A;
    /// The address is in use by another endpoint.
    STATUS_SHARING_VIOLATION = 0xC000_0043;
    /// The extended attributes are longer than the record allows.
    STATUS_EA_TOO_LARGE = 0xC000_0050;
    /// There is no such extended attribute.
    STATUS_NONEXISTENT_EA_ENTRY = 0xC000_0051;
    /// The object is about to be deleted.
    STATUS_DELETE_PENDING = 0xC000_0056;
    /// The revision is not known.
    STATUS_UNKNOWN_REVISION = 0xC000_0058;
    /// The two revisions cannot work together.
    STATUS_REVISION_MISMATCH = 0xC000_0059;
    /// The subject may not make this one the owner.
    STATUS_INVALID_OWNER = 0xC000_005A;
    /// The subject lacks the privilege that this needs.
    STATUS_PRIVILEGE_NOT_HELD = 0xC000_0061;
    /// The bytes are no security descriptor.
    STATUS_INVALID_SECURITY_DESCR = 0xC000_0079;
    /// The image does not export this procedure.
    STATUS_PROCEDURE_NOT_FOUND = 0xC000_007A;
    /// The file is no valid image.
    STATUS_INVALID_IMAGE_FORMAT = 0xC000_007B;
    /// The sum or product does not fit its type.
    STATUS_INTEGER_OVERFLOW = 0xC000_0095;
    /// There is not enough memory or another resource to do this now.
    STATUS_INSUFFICIENT_RESOURCES = 0xC000_009A;
    /// The device is not ready.
    STATUS_DEVICE_NOT_READY = 0xC000_00A3;
    /// The other end has been disconnected.
    STATUS_PIPE_DISCONNECTED = 0xC000_00B0;
    /// The peer did not answer in time.
    STATUS_IO_TIMEOUT = 0xC000_00B5;
    /// The file was closed by the system.
    STATUS_FILE_FORCED_CLOSED = 0xC000_00B6;
    /// The request is not supported.
    STATUS_NOT_SUPPORTED = 0xC000_00BB;
    /// There is no listener at the other side.
    STATUS_REMOTE_NOT_LISTENING = 0xC000_00BC;
    /// The name is taken on the network.
    STATUS_DUPLICATE_NAME = 0xC000_00BD;
    /// There is no way to the address.
    STATUS_BAD_NETWORK_PATH = 0xC000_00BE;
    /// The request was not accepted by the other side.
    STATUS_REQUEST_NOT_ACCEPTED = 0xC000_00D0;
    /// The objects do not belong to the same device.
    STATUS_NOT_SAME_DEVICE = 0xC000_00D4;
    /// The component has failed in itself.
    STATUS_INTERNAL_ERROR = 0xC000_00E5;
    /// The operation was cancelled or flushed.
    STATUS_CANCELLED = 0xC000_0120;
    /// The file was closed.
    STATUS_FILE_CLOSED = 0xC000_0128;
    /// The image lacks an entry point that it should export.
    STATUS_ENTRYPOINT_NOT_FOUND = 0xC000_0139;
    /// This side ended the connection.
    STATUS_LOCAL_DISCONNECT = 0xC000_013B;
    /// The other side ended the connection.
    STATUS_REMOTE_DISCONNECT = 0xC000_013C;
    /// The other side lacks the resources for the request.
    STATUS_REMOTE_RESOURCES = 0xC000_013D;
    /// The connection is not in a state for this.
    STATUS_INVALID_CONNECTION = 0xC000_0140;
    /// The address cannot be used here.
    STATUS_INVALID_ADDRESS = 0xC000_0141;
    /// A driver has broken a rule of the framework.
    STATUS_DRIVER_INTERNAL_ERROR = 0xC000_0183;
    /// The device is in a state in which it cannot do this.
    STATUS_INVALID_DEVICE_STATE = 0xC000_0184;
    /// The buffer's size does not fit the request.
    STATUS_INVALID_BUFFER_SIZE = 0xC000_0206;
    /// A part of the address is not valid.
    STATUS_INVALID_ADDRESS_COMPONENT = 0xC000_0207;
    /// No more addresses or ports are available.
    STATUS_TOO_MANY_ADDRESSES = 0xC000_0209;
    /// The local address is in use.
    STATUS_ADDRESS_ALREADY_EXISTS = 0xC000_020A;
    /// The address object has been closed.
    STATUS_ADDRESS_CLOSED = 0xC000_020B;
    /// The connection has been ended.
    STATUS_CONNECTION_DISCONNECTED = 0xC000_020C;
    /// The connection was reset by the peer.
    STATUS_CONNECTION_RESET = 0xC000_020D;
    /// The transaction was aborted.
    STATUS_TRANSACTION_ABORTED = 0xC000_020F;
    /// The event handler did not take the data.
    STATUS_DATA_NOT_ACCEPTED = 0xC000_021B;
    /// The object was not found.
    STATUS_NOT_FOUND = 0xC000_0225;
    /// The object identifier is taken.
    STATUS_OBJECTID_EXISTS = 0xC000_022B;
    /// The peer refused the connection.
    STATUS_CONNECTION_REFUSED = 0xC000_0236;
    /// The connection was ended in order.
    STATUS_GRACEFUL_DISCONNECT = 0xC000_0237;
    /// The endpoint already has an address.
    STATUS_ADDRESS_ALREADY_ASSOCIATED = 0xC000_0238;
    /// The endpoint has no address.
    STATUS_ADDRESS_NOT_ASSOCIATED = 0xC000_0239;
    /// There is no such connection, or it is not connected.
    STATUS_CONNECTION_INVALID = 0xC000_023A;
    /// The connection is already established.
    STATUS_CONNECTION_ACTIVE = 0xC000_023B;
    /// There is no route to the network.
    STATUS_NETWORK_UNREACHABLE = 0xC000_023C;
    /// There is no route to the host.
    STATUS_HOST_UNREACHABLE = 0xC000_023D;
    /// The host does not know the transport protocol.
    STATUS_PROTOCOL_UNREACHABLE = 0xC000_023E;
    /// Nothing listens on the port.
    STATUS_PORT_UNREACHABLE = 0xC000_023F;
    /// The request was aborted.
    STATUS_REQUEST_ABORTED = 0xC000_0240;
    /// The connection was aborted from this side.
    STATUS_CONNECTION_ABORTED = 0xC000_0241;
    /// The driver image could not be loaded.
    STATUS_DRIVER_UNABLE_TO_LOAD = 0xC000_026C;
    /// No match was found.
    STATUS_NO_MATCH = 0xC000_0272;
    /// The device has been removed.
    STATUS_DEVICE_REMOVED = 0xC000_02B6;
    /// The object does not have this interface.
    STATUS_NOINTERFACE = 0xC000_02B9;
    /// The driver's entry point failed.
    STATUS_FAILED_DRIVER_ENTRY = 0xC000_0365;
    /// The request is beyond what the implementation can do.
    STATUS_IMPLEMENTATION_LIMIT = 0xC000_042B;
    /// This has already been registered.
    STATUS_ALREADY_REGISTERED = 0xC000_0718;
}

statuses! { NDIS_STATUS:
    /// The operation completed.
    NDIS_STATUS_SUCCESS = 0x0000_0000;
    /// The operation will be completed by the matching completion function.
    NDIS_STATUS_PENDING = 0x0000_0103;
    /// The event or packet was not accepted.
    NDIS_STATUS_NOT_ACCEPTED = 0x0001_0003;
    /// Status indication: something that only the medium knows.
    NDIS_STATUS_MEDIA_SPECIFIC_INDICATION = 0x4001_0012;
    /// Status indication: the link state changed; carries `NDIS_LINK_STATE`.
    NDIS_STATUS_LINK_STATE = 0x4001_0017;
    /// Status indication: a port's state changed.
    NDIS_STATUS_PORT_STATE = 0x4001_0022;
    /// Status indication: the operational status changed.
    NDIS_STATUS_OPER_STATUS = 0x4001_0023;
    /// Status indication: the packet filter changed.
    NDIS_STATUS_PACKET_FILTER = 0x4001_0024;
    /// The buffer holds as much as fits.
    NDIS_STATUS_BUFFER_OVERFLOW = 0x8000_0005;
    /// The adapter cannot be reset.
    NDIS_STATUS_NOT_RESETTABLE = 0x8001_0001;
    /// The operation failed for no particular reason.
    NDIS_STATUS_FAILURE = 0xC000_0001;
    /// A parameter has no legal value.
    NDIS_STATUS_INVALID_PARAMETER = 0xC000_000D;
    /// The device does not know this request.
    NDIS_STATUS_INVALID_DEVICE_REQUEST = 0xC000_0010;
    /// There is not enough memory or another resource.
    NDIS_STATUS_RESOURCES = 0xC000_009A;
    /// The request or object identifier is not supported.
    NDIS_STATUS_NOT_SUPPORTED = 0xC000_00BB;
    /// The adapter is in a state that forbids this.
    NDIS_STATUS_INVALID_STATE = 0xC000_0184;
    /// The binding or adapter is closing.
    NDIS_STATUS_CLOSING = 0xC001_0002;
    /// The version is not supported.
    NDIS_STATUS_BAD_VERSION = 0xC001_0004;
    /// The characteristics structure is not valid.
    NDIS_STATUS_BAD_CHARACTERISTICS = 0xC001_0005;
    /// There is no such adapter.
    NDIS_STATUS_ADAPTER_NOT_FOUND = 0xC001_0006;
    /// Opening failed.
    NDIS_STATUS_OPEN_FAILED = 0xC001_0007;
    /// The device failed.
    NDIS_STATUS_DEVICE_FAILED = 0xC001_0008;
    /// The multicast address list is full.
    NDIS_STATUS_MULTICAST_FULL = 0xC001_0009;
    /// The request was aborted.
    NDIS_STATUS_REQUEST_ABORTED = 0xC001_000C;
    /// A reset is in progress.
    NDIS_STATUS_RESET_IN_PROGRESS = 0xC001_000D;
    /// The packet is not valid.
    NDIS_STATUS_INVALID_PACKET = 0xC001_000F;
    /// The adapter is not ready, or the facility is disabled on it.
    NDIS_STATUS_ADAPTER_NOT_READY = 0xC001_0011;
    /// The information buffer's length does not fit the object identifier.
    NDIS_STATUS_INVALID_LENGTH = 0xC001_0014;
    /// The information buffer's contents are not valid.
    NDIS_STATUS_INVALID_DATA = 0xC001_0015;
    /// The information buffer cannot hold the answer.
    NDIS_STATUS_BUFFER_TOO_SHORT = 0xC001_0016;
    /// The object identifier is not known.
    NDIS_STATUS_INVALID_OID = 0xC001_0017;
    /// The adapter has been removed.
    NDIS_STATUS_ADAPTER_REMOVED = 0xC001_0018;
    /// The medium is not supported.
    NDIS_STATUS_UNSUPPORTED_MEDIA = 0xC001_0019;
    /// The file was not found.
    NDIS_STATUS_FILE_NOT_FOUND = 0xC001_001B;
    /// A resource is in use by another device.
    NDIS_STATUS_RESOURCE_CONFLICT = 0xC001_001E;
    /// The address is not valid.
    NDIS_STATUS_INVALID_ADDRESS = 0xC001_0022;
    /// The send was cancelled.
    NDIS_STATUS_SEND_ABORTED = 0xC023_000C;
    /// The medium is disconnected.
    NDIS_STATUS_MEDIA_DISCONNECTED = 0xC023_001F;
    /// The adapter is paused and takes no data.
    NDIS_STATUS_PAUSED = 0xC023_002A;
    /// There is no such interface.
    NDIS_STATUS_INTERFACE_NOT_FOUND = 0xC023_002B;
    /// The structure's revision is not supported.
    NDIS_STATUS_UNSUPPORTED_REVISION = 0xC023_002C;
    /// There is no such port.
    NDIS_STATUS_INVALID_PORT = 0xC023_002D;
    /// The port is in a state that forbids this.
    NDIS_STATUS_INVALID_PORT_STATE = 0xC023_002E;
    /// The adapter is in a low-power state.
    NDIS_STATUS_LOW_POWER_STATE = 0xC023_002F;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pending_is_a_success_and_a_warning_is_neither_success_nor_error() {
        assert!(NT_SUCCESS(STATUS_PENDING) && !NT_ERROR(STATUS_PENDING));
        assert!(!NT_SUCCESS(STATUS_BUFFER_OVERFLOW) && !NT_ERROR(STATUS_BUFFER_OVERFLOW));
        assert!(!NT_SUCCESS(STATUS_CANCELLED) && NT_ERROR(STATUS_CANCELLED));
    }
}
