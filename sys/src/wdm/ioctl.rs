//! Device control codes.

use super::{DEVICE_TYPE, ULONG};

/// Builds a device control code of its four parts.
#[must_use]
pub const fn CTL_CODE(device: DEVICE_TYPE, function: ULONG, method: ULONG, access: ULONG) -> ULONG {
    (device << 16) | (access << 14) | (function << 2) | method
}

/// The transfer types of device control codes, `METHOD_…`.
#[must_use]
pub const fn METHOD_FROM_CTL_CODE(code: ULONG) -> ULONG {
    code & 3
}

constants! { ULONG:
    /// One system buffer serves for input and output.
    METHOD_BUFFERED = 0;
    /// Input in the system buffer; the output buffer by an MDL, to be read.
    METHOD_IN_DIRECT = 1;
    /// Input in the system buffer; the output buffer by an MDL, to be written.
    METHOD_OUT_DIRECT = 2;
    /// Both buffers by the caller's addresses.
    METHOD_NEITHER = 3;
}

constants! { ULONG:
    /// Any handle may send it.
    FILE_ANY_ACCESS = 0;
    /// A handle with read access may send it.
    FILE_READ_DATA = 1;
    /// A handle with write access may send it.
    FILE_WRITE_DATA = 2;
}

constants! { DEVICE_TYPE:
    /// A network transport.
    FILE_DEVICE_NETWORK = 0x12;
    /// A physical network adapter.
    FILE_DEVICE_PHYSICAL_NETCARD = 0x17;
    /// A transport of the TDI kind.
    FILE_DEVICE_TRANSPORT = 0x21;
    /// No particular kind.
    FILE_DEVICE_UNKNOWN = 0x22;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_code_is_the_published_number() {
        // IOCTL_TDI_ACCEPT, as tdi.h prints it.
        assert_eq!(CTL_CODE(FILE_DEVICE_TRANSPORT, 0, METHOD_BUFFERED, FILE_ANY_ACCESS), 0x0021_0000);
        assert_eq!(METHOD_FROM_CTL_CODE(CTL_CODE(FILE_DEVICE_UNKNOWN, 0x801, METHOD_OUT_DIRECT, 3)), 2);
    }
}
