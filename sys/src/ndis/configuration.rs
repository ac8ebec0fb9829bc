//! Configuration: an adapter's keywords in the registry, and devices of the driver's own.

use super::{NDIS_HANDLE, NDIS_OBJECT_HEADER, NDIS_STRING};
use crate::wdm::{GUID, PCUNICODE_STRING, PDRIVER_DISPATCH, PVOID, UCHAR, ULONG, USHORT};

layout! {
    /// The handle whose configuration is opened.
    struct NDIS_CONFIGURATION_OBJECT: 0x18 {
        /// The head.
        0x00 => Header: NDIS_OBJECT_HEADER,
        /// The adapter or driver.
        0x08 => NdisHandle: NDIS_HANDLE,
        /// Zero.
        0x10 => Flags: ULONG,
    }

    /// The value of a keyword.
    struct NDIS_CONFIGURATION_PARAMETER: 0x18 {
        /// Its type.
        0x00 => ParameterType: NDIS_PARAMETER_TYPE,
        /// The value.
        0x08 => ParameterData: NDIS_CONFIGURATION_PARAMETER_DATA,
    }

    /// `NDIS_CONFIGURATION_PARAMETER::ParameterData`, an unnamed union in C.
    union NDIS_CONFIGURATION_PARAMETER_DATA: 0x10 {
        /// Of an integer.
        0x0 => IntegerData: ULONG,
        /// Of a string.
        0x0 => StringData: NDIS_STRING,
        /// Of bytes.
        0x0 => BinaryData: BINARY_DATA,
    }

    /// Bytes of a configuration.
    struct BINARY_DATA: 0x10 {
        /// The number of entries.
        0x0 => Length: USHORT,
        /// The configuration to open.
        0x8 => Buffer: PVOID,
    }

    /// A device of the driver's own.
    struct NDIS_DEVICE_OBJECT_ATTRIBUTES: 0x38 {
        /// The head.
        0x00 => Header: NDIS_OBJECT_HEADER,
        /// Its name.
        0x08 => DeviceName: *const NDIS_STRING,
        /// Its second name.
        0x10 => SymbolicName: *const NDIS_STRING,
        /// The handlers, one for each `IRP_MJ_…`.
        0x18 => MajorFunctions: *const Option<PDRIVER_DISPATCH>,
        /// Size of the driver's own room, in bytes.
        0x20 => ExtensionSize: ULONG,
        /// The security descriptor of its openers.
        0x28 => DefaultSDDLString: PCUNICODE_STRING,
        /// The class that its security may be set for.
        0x30 => DeviceClassGuid: *const GUID,
    }
}

constants! { UCHAR:
    /// NDIS 6.0.
    NDIS_CONFIGURATION_OBJECT_REVISION_1 = 1;
    /// NDIS 6.0.
    NDIS_DEVICE_OBJECT_ATTRIBUTES_REVISION_1 = 1;
}

constants! { USHORT:
    /// Size of revision 1, in bytes: through `Flags`.
    NDIS_SIZEOF_CONFIGURATION_OBJECT_REVISION_1 = 0x14;
    /// Size of revision 1, in bytes.
    NDIS_SIZEOF_DEVICE_OBJECT_ATTRIBUTES_REVISION_1 = 0x38;
}

open_enum! {
    /// The type of a keyword's value.
    enum NDIS_PARAMETER_TYPE: i32 {
        /// An integer, decimal in the registry.
        NdisParameterInteger = 0,
        /// An integer, hexadecimal in the registry.
        NdisParameterHexInteger = 1,
        /// A string.
        NdisParameterString = 2,
        /// Strings.
        NdisParameterMultiString = 3,
        /// Bytes.
        NdisParameterBinary = 4,
    }
}
