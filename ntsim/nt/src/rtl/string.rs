//! Counted strings: making, copying, comparing.

use ntsim_core::exports;
use ntsim_core::number::narrow;
use sys::status::{NTSTATUS, STATUS_BUFFER_TOO_SMALL, STATUS_SUCCESS};
use sys::wdm::{ANSI_STRING, UNICODE_STRING, signature};

use crate::counted::counted;

exports! {
    "ntoskrnl.exe", signature;

    /// Makes a counted string over a NUL-terminated one.
    #[irql(PASSIVE..=HIGH)]
    fn RtlInitUnicodeString(to: *mut UNICODE_STRING, from: *const u16) {
        // SAFETY: the driver passes a NUL-terminated string or null.
        let length = unsafe { terminated(from, |unit| unit == 0) };
        let bytes = u16::try_from(length * 2).unwrap_or(u16::MAX - 3);
        let maximum = if from.is_null() { 0 } else { bytes + 2 };
        let string = UNICODE_STRING { Length: bytes, MaximumLength: maximum, Buffer: from.cast_mut() };
        // SAFETY: the driver passes room for the string.
        unsafe { to.write(string) };
    }

    /// Makes a counted string over a NUL-terminated one.
    #[irql(PASSIVE..=HIGH)]
    fn RtlInitAnsiString(to: *mut ANSI_STRING, from: *const i8) {
        // SAFETY: the driver passes a NUL-terminated string or null, and room for the result.
        unsafe { initialise(to, from) };
    }

    /// The same under another name.
    #[irql(PASSIVE..=HIGH)]
    fn RtlInitString(to: *mut ANSI_STRING, from: *const i8) {
        // SAFETY: the driver passes a NUL-terminated string or null, and room for the result.
        unsafe { initialise(to, from) };
    }

    /// Copies as much of a string as fits; without a source, empties the target.
    #[irql(PASSIVE..=HIGH)]
    fn RtlCopyUnicodeString(to: *mut UNICODE_STRING, from: *const UNICODE_STRING) {
        // SAFETY: the driver passes a string that it may write.
        let to = unsafe { &mut *to };
        // SAFETY: the driver passes a valid string or null.
        let units = unsafe { counted(from) };
        to.Length = 0;
        append(to, &units[..units.len().min(usize::from(to.MaximumLength) / 2)]);
    }

    /// Appends a string, if all of it fits.
    #[irql(PASSIVE..=HIGH)]
    fn RtlAppendUnicodeStringToString(to: *mut UNICODE_STRING, from: *const UNICODE_STRING) -> NTSTATUS {
        // SAFETY: the driver passes a string that it may write.
        let to = unsafe { &mut *to };
        // SAFETY: the driver passes a valid string.
        append(to, unsafe { counted(from) })
    }

    /// Appends a NUL-terminated string, if all of it fits.
    #[irql(PASSIVE..=HIGH)]
    fn RtlAppendUnicodeToString(to: *mut UNICODE_STRING, from: *const u16) -> NTSTATUS {
        // SAFETY: the driver passes a NUL-terminated string or null.
        let length = unsafe { terminated(from, |unit| unit == 0) };
        // SAFETY: the driver passes a string that it may write.
        let to = unsafe { &mut *to };
        if length == 0 {
            return STATUS_SUCCESS;
        }
        // SAFETY: so many units come before the NUL.
        append(to, unsafe { core::slice::from_raw_parts(from, length) })
    }

    /// Compares; below, at or above zero as the first differing unit is.
    #[irql(PASSIVE..=PASSIVE)]
    fn RtlCompareUnicodeString(a: *const UNICODE_STRING, b: *const UNICODE_STRING, fold: u8) -> i32 {
        // SAFETY: the driver passes valid strings.
        unsafe { compare(a, b, fold != 0) }
    }

    /// Returns whether two strings are equal.
    #[irql(PASSIVE..=PASSIVE)]
    fn RtlEqualUnicodeString(a: *const UNICODE_STRING, b: *const UNICODE_STRING, fold: u8) -> u8 {
        // SAFETY: the driver passes valid strings.
        u8::from(unsafe { compare(a, b, fold != 0) } == 0)
    }
}

/// # Safety
/// `from` is null or NUL-terminated; `to` may be written.
unsafe fn initialise(to: *mut ANSI_STRING, from: *const i8) {
    // SAFETY: the caller's contract.
    let length = unsafe { terminated(from, |unit| unit == 0) };
    let bytes = u16::try_from(length).unwrap_or(u16::MAX - 1);
    let maximum = if from.is_null() { 0 } else { bytes + 1 };
    let string = ANSI_STRING { Length: bytes, MaximumLength: maximum, Buffer: from.cast_mut() };
    // SAFETY: the caller's contract.
    unsafe { to.write(string) };
}

/// The number of units before the terminator; 0 for null.
///
/// # Safety
/// `from` is null or points to a string that a unit ends for which `ends` holds.
pub(super) unsafe fn terminated<C: Copy>(from: *const C, ends: impl Fn(C) -> bool) -> usize {
    let mut length = 0;
    // SAFETY: no unit up to this one was the terminator.
    while !from.is_null() && !ends(unsafe { from.wrapping_add(length).read_unaligned() }) {
        length += 1;
    }
    length
}

/// Appends `units` if all of them fit, with a NUL if that fits too.
fn append(to: &mut UNICODE_STRING, units: &[u16]) -> NTSTATUS {
    let (used, room) = (usize::from(to.Length) / 2, usize::from(to.MaximumLength) / 2);
    if units.len() > room - used {
        return STATUS_BUFFER_TOO_SMALL;
    }
    for (unit, at) in units.iter().zip(used..) {
        // SAFETY: `at` is below the room that the string says it has.
        unsafe { to.Buffer.wrapping_add(at).write_unaligned(*unit) };
    }
    let length = used + units.len();
    to.Length = narrow(length * 2);
    if length < room {
        // SAFETY: the buffer has room for one unit more.
        unsafe { to.Buffer.wrapping_add(length).write_unaligned(0) };
    }
    STATUS_SUCCESS
}

/// # Safety
/// Both are valid strings.
unsafe fn compare(a: *const UNICODE_STRING, b: *const UNICODE_STRING, fold: bool) -> i32 {
    // SAFETY: the caller's contract.
    let a = folded(unsafe { counted(a) }, fold);
    // SAFETY: the caller's contract.
    let b = folded(unsafe { counted(b) }, fold);
    let differing = a.iter().zip(&b).find(|(a, b)| a != b);
    differing
        .map_or(narrow::<i32, _>(a.len()) - narrow::<i32, _>(b.len()), |(a, b)| i32::from(*a) - i32::from(*b))
}

fn folded(units: &[u16], fold: bool) -> Vec<u16> {
    units.iter().map(|unit| if fold { upper(*unit) } else { *unit }).collect()
}

/// The simple upper-case form of a unit; one that has none of a single unit stays.
fn upper(unit: u16) -> u16 {
    let Some(character) = char::from_u32(u32::from(unit)) else { return unit };
    let mut upper = character.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(single), None) => u16::try_from(u32::from(single)).unwrap_or(unit),
        _ => unit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtl::from_counted;

    fn string(units: &mut [u16], length: usize) -> UNICODE_STRING {
        UNICODE_STRING {
            Length: narrow(length * 2),
            MaximumLength: narrow(units.len() * 2),
            Buffer: units.as_mut_ptr(),
        }
    }

    fn utf16(text: &str) -> Vec<u16> {
        text.encode_utf16().collect()
    }

    #[test]
    fn counted_string_spans_the_terminated_one() {
        let machine = crate::testing::builder().boot();
        let text = utf16("ndk\0");
        let mut made = string(&mut [], 0);
        // SAFETY: the text is NUL-terminated and the string has room.
        unsafe { RtlInitUnicodeString(&mut made, text.as_ptr()) };
        assert_eq!((made.Length, made.MaximumLength), (6, 8));
        // SAFETY: null means an empty string.
        unsafe { RtlInitUnicodeString(&mut made, core::ptr::null()) };
        assert_eq!((made.Length, made.MaximumLength), (0, 0));
        assert!(machine.shutdown().is_clean());
    }

    #[test]
    fn copy_is_cut_at_the_room_and_an_append_refused() {
        let machine = crate::testing::builder().boot();
        let (mut from, mut room) = (utf16("abcdef"), [0xFFFF; 4]);
        let from = string(&mut from, 6);
        let mut to = string(&mut room, 0);
        // SAFETY: both strings are valid.
        unsafe { RtlCopyUnicodeString(&mut to, &from) };
        // SAFETY: the string is valid.
        assert_eq!(unsafe { from_counted(&to) }, "abcd");
        // SAFETY: both strings are valid.
        let status = unsafe { RtlAppendUnicodeStringToString(&mut to, &from) };
        assert_eq!(status, STATUS_BUFFER_TOO_SMALL);
        assert!(machine.shutdown().is_clean());
    }

    #[test]
    fn comparing_folds_case_only_when_asked() {
        let machine = crate::testing::builder().boot();
        let (mut a, mut b) = (utf16(r"\Device\ndk"), utf16(r"\DEVICE\NDK"));
        let (a, b) = (string(&mut a, 11), string(&mut b, 11));
        // SAFETY: both strings are valid.
        assert_eq!(unsafe { RtlEqualUnicodeString(&a, &b, 1) }, 1);
        // SAFETY: both strings are valid.
        assert!(unsafe { RtlCompareUnicodeString(&a, &b, 0) } > 0);
        assert!(machine.shutdown().is_clean());
    }
}
