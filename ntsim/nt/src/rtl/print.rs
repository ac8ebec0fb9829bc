//! Formatted output into a driver's buffer, copies of texts with a limit, and failed assertions.

use core::ffi::c_char;
use core::ptr;

use ntsim_core::Export;
use ntsim_core::exports;
use ntsim_core::number::narrow;
use ntsim_core::sched::Irql;
use ntsim_core::verifier::{self, Finding};
use sys::wdm::signature;

use crate::ke::debug::{Arguments, format};

/// `STRUNCATE`, `_TRUNCATE`: what does not fit is left out. `EINVAL`, `ERANGE`.
const TRUNCATE: usize = usize::MAX;
const STRUNCATE: i32 = 80;
const EINVAL: i32 = 22;
const ERANGE: i32 = 34;

/// The build of Windows, and that it is no checked one (bits 28 to 31).
static BUILD: u32 = 0xF000_0000 | super::version::BUILD;

/// The variables of this file.
pub(crate) const DATA: &[Export] = &[Export {
    module: "ntoskrnl.exe",
    name: "NtBuildNumber",
    address: (&raw const BUILD).cast(),
    lowest: Irql::PASSIVE,
    highest: Irql::HIGH,
}];

exports! {
    "ntoskrnl.exe", signature;

    /// Writes at most so many bytes, with a terminator if there is room; returns how many, or -1 if that is too few.
    #[irql(PASSIVE..=HIGH)]
    fn _vsnprintf(buffer: *mut c_char, count: usize, text: *const c_char, arguments: *const u64) -> i32 {
        // SAFETY: the driver passes the arguments that the format asks for.
        let arguments = unsafe { Arguments::new(arguments) };
        // SAFETY: the driver passes a terminated format.
        let output = unsafe { format(text, arguments) };
        // SAFETY: the driver passes so much room.
        unsafe { put(buffer.cast::<u8>(), count, output.as_bytes()) }
    }

    /// The same with units of UTF-16; `%s` and `%c` are wide.
    #[irql(PASSIVE..=PASSIVE)]
    fn _vsnwprintf(buffer: *mut u16, count: usize, text: *const u16, arguments: *const u64) -> i32 {
        // SAFETY: the driver passes a terminated format.
        let narrow = unsafe { narrowed(text) };
        // SAFETY: the driver passes the arguments that the format asks for.
        let arguments = unsafe { Arguments::new(arguments) };
        // SAFETY: the format is terminated.
        let output = unsafe { format(narrow.as_ptr().cast(), arguments) };
        let units: Vec<u16> = output.encode_utf16().collect();
        // SAFETY: the driver passes so much room.
        unsafe { put(buffer, count, &units) }
    }

    /// Copies at most `count` bytes of a text and a terminator; returns an error number.
    #[irql(PASSIVE..=HIGH)]
    fn strncpy_s(to: *mut c_char, size: usize, from: *const c_char, count: usize) -> i32 {
        if to.is_null() || size == 0 {
            return if count == 0 && to.is_null() && size == 0 { 0 } else { EINVAL };
        }
        // SAFETY: the driver passes room for `size` bytes.
        let end = |at: usize| unsafe { to.wrapping_add(at).write(0) };
        if from.is_null() {
            end(0);
            return EINVAL;
        }
        let mut length = 0;
        // SAFETY: no byte up to this one was the terminator.
        while length < count && unsafe { from.wrapping_add(length).read() } != 0 {
            length += 1;
        }
        let fits = length < size;
        if !fits && count != TRUNCATE {
            end(0);
            return ERANGE;
        }
        let copied = length.min(size - 1);
        // SAFETY: so many bytes are at both.
        unsafe { ptr::copy_nonoverlapping(from, to, copied) };
        end(copied);
        if fits { 0 } else { STRUNCATE }
    }

    /// A failed assertion of a driver: without a debugger, a breakpoint that nothing takes.
    #[irql(PASSIVE..=HIGH)]
    fn RtlAssert(failed: *const c_char, file: *const c_char, line: u32, message: *const c_char) {
        let message = if message.is_null() { c"".as_ptr() } else { message };
        let arguments = [message, failed, file].map(|text| ntsim_core::address::Va::of(text).bits());
        let all = [arguments[0], arguments[1], arguments[2], u64::from(line)];
        // SAFETY: the format asks for so many.
        let arguments = unsafe { Arguments::new(all.as_ptr()) };
        // SAFETY: the driver passes terminated texts.
        let text = unsafe { format(c"%sthe assertion %s failed (%s:%u)".as_ptr(), arguments) };
        verifier::report(Finding::new("RtlAssert").text(text));
    }
}

/// # Safety
/// There is room for `count` units at `to`.
unsafe fn put<T: Copy + Default>(to: *mut T, count: usize, output: &[T]) -> i32 {
    let written = output.len().min(count);
    // SAFETY: the caller's contract.
    unsafe { ptr::copy_nonoverlapping(output.as_ptr(), to, written) };
    if output.len() < count {
        // SAFETY: as above.
        unsafe { to.wrapping_add(output.len()).write(T::default()) };
    }
    if output.len() > count { -1 } else { narrow(output.len()) }
}

/// A wide format as a narrow one that means the same.
///
/// # Safety
/// The text is terminated.
unsafe fn narrowed(text: *const u16) -> Vec<u8> {
    let mut units = Vec::new();
    // SAFETY: no unit up to this one was the terminator.
    while let unit @ 1.. = unsafe { text.wrapping_add(units.len()).read() } {
        units.push(unit);
    }
    let mut output = String::new();
    let mut letters = String::from_utf16_lossy(&units).chars().collect::<Vec<_>>().into_iter().peekable();
    while let Some(letter) = letters.next() {
        output.push(letter);
        if letter != '%' {
            continue;
        }
        while let Some(flag) = letters.next_if(|letter| "0123456789-+ #.*hlwIjzt".contains(*letter)) {
            output.push(flag);
        }
        match letters.next() {
            Some(kind @ ('s' | 'c')) if !output.ends_with('h') => output.extend(['w', kind]),
            Some(kind @ ('S' | 'C')) => output.extend(['h', kind]),
            Some(kind) => output.push(kind),
            None => {}
        }
    }
    output.push('\0');
    output.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ntsim_core::address::Va;

    #[test]
    fn output_is_cut_at_the_room() {
        let machine = crate::testing::builder().boot();
        let mut buffer = [9_i8; 4];
        let mut print = |count: usize, value: u64| unsafe {
            let length = _vsnprintf(buffer.as_mut_ptr(), count, c"%u".as_ptr(), &value);
            (length, buffer)
        };
        assert_eq!(print(4, 12), (2, [49, 50, 0, 9]));
        assert_eq!(print(2, 34), (2, [51, 52, 0, 9]));
        assert_eq!(print(2, 567), (-1, [53, 54, 0, 9]));
        let (mut wide, text): ([u16; 8], Vec<u16>) = ([9; 8], "%s-%S\0".encode_utf16().collect());
        let name: Vec<u16> = "ab\0".encode_utf16().collect();
        let arguments = [Va::of(name.as_ptr()).bits(), Va::of(c"cd".as_ptr()).bits()];
        let length = unsafe { _vsnwprintf(wide.as_mut_ptr(), 8, text.as_ptr(), arguments.as_ptr()) };
        assert_eq!((length, String::from_utf16_lossy(&wide[..5])), (5, "ab-cd".into()));
        assert!(machine.shutdown().is_clean());
    }

    #[test]
    fn copy_with_a_limit_ends_or_is_refused() {
        let machine = crate::testing::builder().boot();
        let mut to = [9_i8; 4];
        let mut copy = |size: usize, count: usize| unsafe {
            (strncpy_s(to.as_mut_ptr(), size, c"abcd".as_ptr(), count), to)
        };
        assert_eq!(copy(4, 2), (0, [97, 98, 0, 9]));
        assert_eq!(copy(4, 4), (ERANGE, [0, 98, 0, 9]));
        assert_eq!(copy(4, TRUNCATE), (STRUNCATE, [97, 98, 99, 0]));
        assert_eq!(copy(0, 1).0, EINVAL);
        assert!(machine.shutdown().is_clean());
    }

    #[test]
    fn failed_assertion_is_found() {
        let machine = crate::testing::builder().boot();
        unsafe { RtlAssert(c"a == b".as_ptr(), c"file.c".as_ptr(), 7, ptr::null()) };
        let report = machine.shutdown();
        assert_eq!(report.findings[0].rule, "RtlAssert");
        assert!(report.findings[0].text.contains("a == b failed (file.c:7)"), "{report}");
    }
}
