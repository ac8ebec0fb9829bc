//! The buffers of requests.

#![expect(unsafe_code, reason = "the buffers of requests are addresses")]

use core::ffi::c_void;

use provider::number::usize_from;
use sys::status::{
    NDIS_STATUS, NDIS_STATUS_BUFFER_TOO_SHORT, NDIS_STATUS_INVALID_DATA, NDIS_STATUS_INVALID_LENGTH,
    NDIS_STATUS_MULTICAST_FULL, NDIS_STATUS_NOT_SUPPORTED,
};

/// The error of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum OidError {
    /// The identifier is not known, or what it asks for is not supported.
    NotSupported,
    /// The buffer cannot hold the answer.
    TooShort,
    /// The buffer's length does not fit the identifier.
    Length,
    /// The buffer's contents make no sense.
    Data,
    /// The multicast addresses are too many.
    MulticastFull,
    /// Something else that NDIS has a status for.
    Status(NDIS_STATUS),
}

impl OidError {
    /// The status for NDIS.
    pub(super) const fn into_status(self) -> NDIS_STATUS {
        match self {
            Self::NotSupported => NDIS_STATUS_NOT_SUPPORTED,
            Self::TooShort => NDIS_STATUS_BUFFER_TOO_SHORT,
            Self::Length => NDIS_STATUS_INVALID_LENGTH,
            Self::Data => NDIS_STATUS_INVALID_DATA,
            Self::MulticastFull => NDIS_STATUS_MULTICAST_FULL,
            Self::Status(status) => status,
        }
    }
}

/// The buffer for the answer to a query.
///
/// # Invariants
///
/// `length` bytes from `buffer` on may be written.
pub(super) struct Answer {
    buffer: *mut u8,
    length: u32,
    written: u32,
    needed: u32,
}

impl Answer {
    /// An answer into a buffer.
    ///
    /// # Safety
    ///
    /// The caller owns as many bytes from `buffer` on as `length` says, as long as the answer lives.
    pub(super) const unsafe fn new(buffer: *mut c_void, length: u32) -> Self {
        let length = if buffer.is_null() { 0 } else { length };
        Self { buffer: buffer.cast(), length, written: 0, needed: 0 }
    }

    /// The length of what was written, in bytes.
    pub(super) const fn written(&self) -> u32 {
        self.written
    }

    /// The length that would have been needed, in bytes; zero if there was enough.
    pub(super) const fn needed(&self) -> u32 {
        self.needed
    }

    /// Answers with one value.
    pub(super) fn put<T: Copy>(&mut self, value: &T) -> Result<(), OidError> {
        self.put_all(core::slice::from_ref(value))
    }

    /// Answers with several values.
    pub(super) fn put_all<T: Copy>(&mut self, values: &[T]) -> Result<(), OidError> {
        let size = size_of_val(values);
        let wanted = u32::try_from(size).map_err(|_| OidError::TooShort)?;
        if wanted > self.length {
            self.needed = wanted;
            return Err(OidError::TooShort);
        }
        // SAFETY: the buffer is long enough, as just compared. Bytes are copied one by one, so neither
        // alignment nor padding matters.
        unsafe {
            values
                .as_ptr()
                .cast::<core::mem::MaybeUninit<u8>>()
                .copy_to_nonoverlapping(self.buffer.cast(), size);
        }
        self.written = wanted;
        Ok(())
    }

    /// Puts a part of an answer in its place, if there is room; [`Answer::end`] says whether there was.
    pub(super) fn place(&mut self, offset: usize, part: &[u8]) {
        let room = usize_from(self.length).checked_sub(offset);
        if room.is_some_and(|room| part.len() <= room) {
            // SAFETY: the buffer has so many bytes from the offset on, as just compared.
            unsafe { self.buffer.wrapping_add(offset).copy_from_nonoverlapping(part.as_ptr(), part.len()) };
        }
    }

    /// Ends an answer of `size` bytes, whose parts were put in their places.
    pub(super) fn end(&mut self, size: usize) -> Result<(), OidError> {
        let size = u32::try_from(size).map_err(|_| OidError::TooShort)?;
        if size > self.length {
            self.needed = size;
            return Err(OidError::TooShort);
        }
        self.written = size;
        Ok(())
    }

    /// Answers with a counter: 64 bits, or 32 if there is room for no more.
    /// (<https://learn.microsoft.com/windows-hardware/drivers/network/oid-gen-xmit-ok>)
    pub(super) fn put_counter(&mut self, value: u64) -> Result<(), OidError> {
        let whole = self.put(&value);
        if whole.is_ok() {
            return whole;
        }
        let [a, b, c, d, ..] = value.to_le_bytes();
        self.put(&u32::from_le_bytes([a, b, c, d]))
    }
}

/// The value of a set.
///
/// # Invariants
///
/// `length` bytes from `buffer` on may be read.
pub(super) struct Value {
    buffer: *const u8,
    length: u32,
    read: u32,
    needed: u32,
}

impl Value {
    /// A value in a buffer.
    ///
    /// # Safety
    ///
    /// As many bytes from `buffer` on as `length` says may be read as long as the value lives.
    pub(super) const unsafe fn new(buffer: *const c_void, length: u32) -> Self {
        let length = if buffer.is_null() { 0 } else { length };
        Self { buffer: buffer.cast(), length, read: 0, needed: 0 }
    }

    /// The length of what was read, in bytes.
    pub(super) const fn read(&self) -> u32 {
        self.read
    }

    /// The length that would have been needed, in bytes; zero if there was enough.
    pub(super) const fn needed(&self) -> u32 {
        self.needed
    }

    /// The first bytes.
    pub(super) fn take<const N: usize>(&mut self) -> Result<[u8; N], OidError> {
        let wanted = u32::try_from(N).map_err(|_| OidError::Length)?;
        if self.length < wanted {
            self.needed = wanted;
            return Err(OidError::Length);
        }
        self.read = wanted;
        // SAFETY: the buffer is long enough, as just compared; an array of bytes needs no alignment.
        Ok(unsafe { self.buffer.cast::<[u8; N]>().read() })
    }

    /// All bytes.
    pub(super) fn bytes(&mut self) -> &[u8] {
        self.read = self.length;
        if self.length == 0 {
            return &[];
        }
        // SAFETY: the buffer is not null, and may be read as far as its length says.
        unsafe { core::slice::from_raw_parts(self.buffer, usize_from(self.length)) }
    }
}
