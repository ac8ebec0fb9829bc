//! Counted strings from one width to the other, and numbers as text.

use core::ffi::c_void;

use ntsim_core::exports;
use sys::status::{
    NTSTATUS, STATUS_BUFFER_OVERFLOW, STATUS_BUFFER_TOO_SMALL, STATUS_INVALID_PARAMETER, STATUS_NO_MEMORY,
    STATUS_SUCCESS,
};
use sys::wdm::{ANSI_STRING, UNICODE_STRING, signature};

use crate::counted::counted;
use crate::ex::pool::{self, Kind, Request, Tag};

/// The tag of strings that a conversion allocates, as Windows has it for the W functions.
const TAG: Tag = Tag(u32::from_le_bytes(*b"Strg"));

exports! {
    "ntoskrnl.exe", signature;

    /// Converts to UTF-16, into new memory if asked.
    #[irql(PASSIVE..=PASSIVE)]
    fn RtlAnsiStringToUnicodeString(
        to: *mut UNICODE_STRING,
        from: *const ANSI_STRING,
        allocate: u8,
    ) -> NTSTATUS {
        // SAFETY: the driver passes a valid string.
        let from = unsafe { &*from };
        // SAFETY: a valid string has so many bytes at its buffer.
        let bytes =
            unsafe { core::slice::from_raw_parts(from.Buffer.cast::<u8>(), usize::from(from.Length)) };
        let units: Vec<u16> = String::from_utf8_lossy(bytes).encode_utf16().collect();
        // SAFETY: the driver passes a string that it may write.
        let to = unsafe { &mut *to };
        let text = units.iter().flat_map(|unit| unit.to_ne_bytes()).collect();
        let target = Target { buffer: to.Buffer.cast(), room: to.MaximumLength, unit: 2 };
        store(text, target, allocate != 0, |buffer, length, room| {
            (to.Buffer, to.Length, to.MaximumLength) = (buffer.cast(), length, room);
        })
    }

    /// Converts from UTF-16, into new memory if asked.
    #[irql(PASSIVE..=PASSIVE)]
    fn RtlUnicodeStringToAnsiString(
        to: *mut ANSI_STRING,
        from: *const UNICODE_STRING,
        allocate: u8,
    ) -> NTSTATUS {
        // SAFETY: the driver passes a valid string.
        let text = String::from_utf16_lossy(unsafe { counted(from) }).into_bytes();
        // SAFETY: the driver passes a string that it may write.
        let to = unsafe { &mut *to };
        let target = Target { buffer: to.Buffer.cast(), room: to.MaximumLength, unit: 1 };
        store(text, target, allocate != 0, |buffer, length, room| {
            (to.Buffer, to.Length, to.MaximumLength) = (buffer.cast(), length, room);
        })
    }

    /// Frees what a conversion allocated.
    #[irql(PASSIVE..=PASSIVE)]
    fn RtlFreeUnicodeString(string: *mut UNICODE_STRING) {
        // SAFETY: the driver passes a string that a conversion made, or an empty one.
        let string = unsafe { &mut *string };
        release(string.Buffer.cast());
        *string = UNICODE_STRING { Length: 0, MaximumLength: 0, Buffer: core::ptr::null_mut() };
    }

    /// Frees what a conversion allocated.
    #[irql(PASSIVE..=PASSIVE)]
    fn RtlFreeAnsiString(string: *mut ANSI_STRING) {
        // SAFETY: the driver passes a string that a conversion made, or an empty one.
        let string = unsafe { &mut *string };
        release(string.Buffer.cast());
        *string = ANSI_STRING { Length: 0, MaximumLength: 0, Buffer: core::ptr::null_mut() };
    }

    /// Writes a number in base 2, 8, 10 or 16; base 0 means 10.
    #[irql(PASSIVE..=PASSIVE)]
    fn RtlIntegerToUnicodeString(value: u32, base: u32, to: *mut UNICODE_STRING) -> NTSTATUS {
        let text = match base {
            0 | 10 => format!("{value}"),
            2 => format!("{value:b}"),
            8 => format!("{value:o}"),
            16 => format!("{value:X}"),
            _ => return STATUS_INVALID_PARAMETER,
        };
        // SAFETY: the driver passes a string that it may write.
        let to = unsafe { &mut *to };
        let bytes = text.encode_utf16().flat_map(u16::to_ne_bytes).collect();
        let target = Target { buffer: to.Buffer.cast(), room: to.MaximumLength, unit: 2 };
        store(bytes, target, false, |_, length, _| to.Length = length)
    }

    /// Reads a number; base 0 means what a prefix says (0x, 0o, 0b), or 10.
    #[irql(PASSIVE..=PASSIVE)]
    fn RtlUnicodeStringToInteger(from: *const UNICODE_STRING, base: u32, value: *mut u32) -> NTSTATUS {
        // SAFETY: the driver passes a valid string.
        let text = String::from_utf16_lossy(unsafe { counted(from) });
        let Some(number) = integer(&text, base) else { return STATUS_INVALID_PARAMETER };
        // SAFETY: the driver passes room for the number.
        unsafe { value.write(number) };
        STATUS_SUCCESS
    }
}

/// The target of a conversion.
struct Target {
    buffer: *mut u8,
    /// Bytes that there is room for.
    room: u16,
    /// Bytes of a character, and so of the terminator.
    unit: u16,
}

/// Writes `text` and, if there is room, its terminator; `set` gets the buffer, the length and the room.
fn store(mut text: Vec<u8>, target: Target, allocate: bool, set: impl FnOnce(*mut u8, u16, u16)) -> NTSTATUS {
    let Ok(length) = u16::try_from(text.len()) else { return STATUS_INVALID_PARAMETER };
    let mut buffer = target.buffer;
    let mut room = target.room;
    if allocate {
        room = length + target.unit;
        buffer =
            pool::allocate(Request { size: room.into(), tag: TAG, kind: Kind::Paged, zeroed: true }).cast();
        if buffer.is_null() {
            return STATUS_NO_MEMORY;
        }
    } else if room < length {
        return if target.unit == 1 { STATUS_BUFFER_TOO_SMALL } else { STATUS_BUFFER_OVERFLOW };
    }
    if room >= length + target.unit {
        text.extend((0..target.unit).map(|_| 0));
    }
    // SAFETY: the text and its terminator were just found to fit.
    unsafe { core::ptr::copy_nonoverlapping(text.as_ptr(), buffer, text.len()) };
    set(buffer, length, room);
    STATUS_SUCCESS
}

fn release(buffer: *mut c_void) {
    if !buffer.is_null() {
        // SAFETY: the driver gives up what a conversion allocated for it.
        unsafe { pool::free(buffer, None) };
    }
}

/// The number that a text starts with after blanks and a sign; 0 if it starts with none.
fn integer(text: &str, base: u32) -> Option<u32> {
    let text = text.trim_start_matches(|c: char| c <= ' ');
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let (radix, digits) = match (base, digits.get(..2)) {
        (0, Some("0x")) => (16, &digits[2..]),
        (0, Some("0o")) => (8, &digits[2..]),
        (0, Some("0b")) => (2, &digits[2..]),
        (0, _) => (10, digits),
        (2 | 8 | 10 | 16, _) => (base, digits),
        _ => return None,
    };
    let value = digits
        .chars()
        .map_while(|c| c.to_digit(radix))
        .fold(0u32, |value, digit| value.wrapping_mul(radix).wrapping_add(digit));
    Some(if negative { value.wrapping_neg() } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ntsim_core::number::narrow;

    fn unicode(units: &mut [u16]) -> UNICODE_STRING {
        let bytes = narrow(size_of_val(units));
        UNICODE_STRING { Length: bytes, MaximumLength: bytes, Buffer: units.as_mut_ptr() }
    }

    #[test]
    fn string_converted_there_and_back_is_the_same_and_must_be_freed() {
        let machine = crate::testing::builder().boot();
        let mut units: Vec<u16> = "softndk".encode_utf16().collect();
        let from = unicode(&mut units);
        let mut ansi = ANSI_STRING { Length: 0, MaximumLength: 0, Buffer: core::ptr::null_mut() };
        let mut back = unicode(&mut []);
        unsafe {
            assert_eq!(RtlUnicodeStringToAnsiString(&mut ansi, &from, 1), STATUS_SUCCESS);
            assert_eq!((ansi.Length, ansi.MaximumLength), (7, 8));
            assert_eq!(RtlAnsiStringToUnicodeString(&mut back, &ansi, 1), STATUS_SUCCESS);
            assert_eq!(counted(&back), units);
            RtlFreeAnsiString(&mut ansi);
            RtlFreeUnicodeString(&mut back);
        }
        assert!(back.Buffer.is_null());
        let report = machine.shutdown();
        assert!(report.is_clean() && report.pool.is_empty());
    }

    #[test]
    fn numbers_are_written_and_read_in_their_base() {
        let machine = crate::testing::builder().boot();
        let mut room = [0u16; 9];
        for (value, base) in [(445, 10), (0xBEEF, 16), (5, 2), (0o17, 8)] {
            let (mut text, mut read) = (unicode(&mut room), 0);
            unsafe {
                assert_eq!(RtlIntegerToUnicodeString(value, base, &mut text), STATUS_SUCCESS);
                assert_eq!(RtlUnicodeStringToInteger(&text, base, &mut read), STATUS_SUCCESS);
            }
            assert_eq!(read, value);
        }
        assert_eq!(
            (integer(" -0x10", 0), integer("12ab", 10), integer("1", 3)),
            (Some(u32::MAX - 15), Some(12), None)
        );
        assert!(machine.shutdown().is_clean());
    }

    #[test]
    fn target_without_room_is_left_as_it_is() {
        let machine = crate::testing::builder().boot();
        let mut room = [7u16; 2];
        let mut text = unicode(&mut room);
        unsafe { assert_eq!(RtlIntegerToUnicodeString(445, 10, &mut text), STATUS_BUFFER_OVERFLOW) };
        assert_eq!(room, [7; 2]);
        assert!(machine.shutdown().is_clean());
    }
}
