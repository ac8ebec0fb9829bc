//! Text in the two character widths of the kernel.

/// A code unit of a text: a byte or a UTF-16 unit.
pub(super) trait Character: Copy {
    /// The unit as ASCII; anything else becomes a byte that no notation uses.
    fn to_ascii(self) -> u8;
    /// The unit of an ASCII character.
    fn from_ascii(byte: u8) -> Self;
}

impl Character for i8 {
    fn to_ascii(self) -> u8 {
        self.cast_unsigned()
    }
    fn from_ascii(byte: u8) -> Self {
        byte.cast_signed()
    }
}

impl Character for u16 {
    fn to_ascii(self) -> u8 {
        u8::try_from(self).unwrap_or(u8::MAX)
    }
    fn from_ascii(byte: u8) -> Self {
        Self::from(byte)
    }
}

/// Copies a text up to its NUL.
///
/// # Safety
/// `text` points to a NUL-terminated text.
pub(super) unsafe fn read_text<C: Character>(text: *const C) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        // SAFETY: everything up to the NUL may be read, and no NUL was met yet.
        let byte = unsafe { text.wrapping_add(bytes.len()).read_unaligned() }.to_ascii();
        if byte == 0 {
            return bytes;
        }
        bytes.push(byte);
    }
}

/// Writes an ASCII text and its NUL.
///
/// # Safety
/// There is room for `text` and one character at `to`.
pub(super) unsafe fn write_text<C: Character>(text: &[u8], to: *mut C) {
    for (at, byte) in text.iter().chain([&0]).enumerate() {
        // SAFETY: the caller's contract covers every unit of the text and the NUL.
        unsafe { to.wrapping_add(at).write_unaligned(C::from_ascii(*byte)) };
    }
}
