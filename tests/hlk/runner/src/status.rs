//! The NTSTATUS values that a runner tells apart.

/// `STATUS_SUCCESS`
pub(crate) const SUCCESS: i32 = 0;
/// `STATUS_CANCELLED`
pub(crate) const CANCELLED: i32 = 0xC000_0120_u32.cast_signed();
/// `STATUS_REVISION_MISMATCH`
pub(crate) const REVISION_MISMATCH: i32 = 0xC000_0059_u32.cast_signed();
/// `STATUS_IO_TIMEOUT`
pub(crate) const IO_TIMEOUT: i32 = 0xC000_00B5_u32.cast_signed();

#[cfg(test)]
mod tests {
    use sys::status::{STATUS_CANCELLED, STATUS_IO_TIMEOUT, STATUS_REVISION_MISMATCH, STATUS_SUCCESS};

    #[test]
    fn values_are_those_of_the_kernel() {
        assert_eq!((super::SUCCESS, super::CANCELLED), (STATUS_SUCCESS, STATUS_CANCELLED));
        assert_eq!(super::REVISION_MISMATCH, STATUS_REVISION_MISMATCH);
        assert_eq!(super::IO_TIMEOUT, STATUS_IO_TIMEOUT);
    }
}
