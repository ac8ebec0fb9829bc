//! printf formatting, as drivers use it.
//!
//! The conversions are those of Microsoft's page "Format specification syntax: printf and wprintf
//! functions", without floating point, which drivers do not print; `%wZ` and `%Z` are the kernel's own.

use core::ffi::{CStr, c_char};
use core::slice;

use ntsim_core::address::Va;
use ntsim_core::number::{Low, ToUsize, narrow};
use ntsim_core::sched::{self, Irql};
use ntsim_core::verifier::{self, Finding};
use sys::wdm::{ANSI_STRING, UNICODE_STRING};

/// The arguments behind a format, eight bytes each.
pub(crate) struct Arguments {
    next: *const u64,
}

impl Arguments {
    /// # Safety
    /// As many arguments lie from `first` on as the format that they are used with takes.
    pub(crate) unsafe fn new(first: *const u64) -> Self {
        Self { next: first }
    }

    fn next(&mut self) -> u64 {
        // SAFETY: the format takes one more, so there is one, as promised to `new`.
        let value = unsafe { *self.next };
        self.next = self.next.wrapping_add(1);
        value
    }
}

/// One conversion of a format.
#[derive(Default)]
struct Conversion {
    left: bool,
    zeros: bool,
    plus: bool,
    space: bool,
    prefix: bool,
    width: usize,
    precision: Option<usize>,
    /// Bytes of an integer argument.
    size: usize,
    wide: bool,
    narrow: bool,
}

/// Formats `arguments` by `format`.
///
/// # Safety
/// `format` is a terminated string, and the arguments are what it says.
pub(crate) unsafe fn format(format: *const c_char, mut arguments: Arguments) -> String {
    // SAFETY: the caller's promise.
    let format = unsafe { CStr::from_ptr(format) }.to_bytes();
    let mut output = String::new();
    let mut rest = format.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            output.push(char::from(byte));
            continue;
        }
        let conversion = Conversion::parse(&mut rest, &mut arguments);
        let Some(kind) = rest.next() else { break };
        check_level(kind, conversion.wide);
        // SAFETY: the caller's promise.
        unsafe { conversion.apply(kind, &mut arguments, &mut output) };
    }
    output
}

/// Checks the level for a conversion of Unicode: "the Unicode format codes (%C, %S, %lc, %ls, %wc, %ws, and %wZ) can only
/// be used with IRQL = PASSIVE_LEVEL" (<https://learn.microsoft.com/windows-hardware/drivers/ddi/wdm/nf-wdm-dbgprint>).
fn check_level(kind: u8, wide: bool) {
    let unicode = b"CS".contains(&kind) || wide && b"csZ".contains(&kind);
    let irql = sched::irql();
    if unicode && irql != Irql::PASSIVE {
        let text = format!("a Unicode string is printed at {irql}");
        verifier::report(Finding::new("IrqlDbgPrint").text(text));
    }
}

impl Conversion {
    fn parse(
        rest: &mut core::iter::Peekable<impl Iterator<Item = u8> + Clone>,
        arguments: &mut Arguments,
    ) -> Self {
        let mut new = Self { size: 4, ..Self::default() };
        while let Some(flag) = rest.next_if(|byte| b"-0+ #".contains(byte)) {
            match flag {
                b'-' => new.left = true,
                b'0' => new.zeros = true,
                b'+' => new.plus = true,
                b' ' => new.space = true,
                _ => new.prefix = true,
            }
        }
        let mut number = |rest: &mut core::iter::Peekable<_>| {
            if rest.next_if_eq(&b'*').is_some() {
                return arguments.next().low_u32().to_usize();
            }
            let mut value = 0_usize;
            while let Some(digit) = rest.next_if(u8::is_ascii_digit) {
                value = value.saturating_mul(10).saturating_add(usize::from(digit - b'0'));
            }
            value
        };
        new.width = number(rest);
        if rest.next_if_eq(&b'.').is_some() {
            new.precision = Some(number(rest));
        }
        while let Some(size) = rest.next_if(|byte| b"hlwIjzt".contains(byte)) {
            match size {
                b'h' => (new.size, new.narrow) = (new.size / 2, true),
                b'l' if new.wide => new.size = 8,
                b'l' | b'w' => new.wide = true,
                b'I' => {
                    let bits: String =
                        core::iter::from_fn(|| rest.next_if(u8::is_ascii_digit)).map(char::from).collect();
                    new.size = if bits == "32" { 4 } else { 8 };
                }
                _ => new.size = 8,
            }
        }
        new
    }

    /// # Safety
    /// The arguments are what the conversion says.
    unsafe fn apply(&self, kind: u8, arguments: &mut Arguments, output: &mut String) {
        let text = match kind {
            b'%' => "%".into(),
            b'd' | b'i' => self.signed(arguments.next()),
            b'u' => self.unsigned(self.truncated(arguments.next()).to_string(), ""),
            b'x' => self.unsigned(format!("{:x}", self.truncated(arguments.next())), "0x"),
            b'X' => self.unsigned(format!("{:X}", self.truncated(arguments.next())), "0X"),
            b'o' => self.unsigned(format!("{:o}", self.truncated(arguments.next())), "0"),
            b'p' => format!("{:016X}", arguments.next()),
            b'c' | b'C' => char::from_u32(arguments.next().low_u16().into()).unwrap_or('?').into(),
            b's' | b'S' => {
                let wide = if kind == b's' { self.wide } else { !self.narrow };
                // SAFETY: the caller's promise.
                unsafe { self.string(Va::from_bits(arguments.next()), wide) }
            }
            // SAFETY: the caller's promise.
            b'Z' => unsafe { counted(Va::from_bits(arguments.next()), self.wide) },
            other => format!("%{}", char::from(other)),
        };
        let missing = self.width.saturating_sub(text.chars().count());
        match (self.left, self.zeros && b"diuxXo".contains(&kind) && self.precision.is_none()) {
            (true, _) => output.extend(text.chars().chain(core::iter::repeat_n(' ', missing))),
            (false, true) => {
                let signs = text.len() - text.trim_start_matches(['-', '+', ' ']).len();
                output.push_str(&text[..signs]);
                output.extend(core::iter::repeat_n('0', missing).chain(text[signs..].chars()));
            }
            (false, false) => output.extend(core::iter::repeat_n(' ', missing).chain(text.chars())),
        }
    }

    fn truncated(&self, value: u64) -> u64 {
        value & (u64::MAX >> (64 - 8 * self.size.clamp(1, 8)))
    }

    fn signed(&self, value: u64) -> String {
        let unused = 64 - 8 * narrow::<u32, _>(self.size.clamp(1, 8));
        let value = value.cast_signed() << unused >> unused;
        let sign = match value {
            ..0 => "-",
            _ if self.plus => "+",
            _ if self.space => " ",
            _ => "",
        };
        format!("{sign}{}", self.digits(value.unsigned_abs().to_string()))
    }

    fn unsigned(&self, digits: String, prefix: &str) -> String {
        let prefix = if self.prefix && digits != "0" { prefix } else { "" };
        format!("{prefix}{}", self.digits(digits))
    }

    fn digits(&self, digits: String) -> String {
        let missing = self.precision.unwrap_or(1).saturating_sub(digits.len());
        "0".repeat(missing) + &digits
    }

    /// # Safety
    /// `address` is null or that of a string: terminated, or as long as the precision.
    unsafe fn string(&self, address: Va, wide: bool) -> String {
        if address.is_null() {
            return "(null)".into();
        }
        let limit = self.precision.unwrap_or(usize::MAX);
        if wide {
            let first = address.ptr::<u16>();
            // SAFETY: the caller's promise; reading stops at the terminator or the limit.
            let units =
                (0..limit).map(|at| unsafe { first.wrapping_add(at).read() }).take_while(|unit| *unit != 0);
            return String::from_utf16_lossy(&units.collect::<Vec<_>>());
        }
        let first = address.ptr::<u8>();
        // SAFETY: the caller's promise; reading stops at the terminator or the limit.
        let bytes =
            (0..limit).map(|at| unsafe { first.wrapping_add(at).read() }).take_while(|byte| *byte != 0);
        String::from_utf8_lossy(&bytes.collect::<Vec<_>>()).into_owned()
    }
}

/// # Safety
/// `address` is null or that of a counted string.
unsafe fn counted(address: Va, wide: bool) -> String {
    if address.is_null() {
        return "(null)".into();
    }
    if wide {
        // SAFETY: the caller's promise.
        let string = unsafe { &*address.ptr::<UNICODE_STRING>() };
        // SAFETY: as above; the length is in bytes.
        let units = unsafe { slice::from_raw_parts(string.Buffer, usize::from(string.Length / 2)) };
        return String::from_utf16_lossy(units);
    }
    // SAFETY: the caller's promise.
    let string = unsafe { &*address.ptr::<ANSI_STRING>() };
    // SAFETY: as above.
    let bytes = unsafe { slice::from_raw_parts(string.Buffer.cast::<u8>(), usize::from(string.Length)) };
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(format: &CStr, arguments: &[u64], expected: &str) {
        let text = unsafe { super::format(format.as_ptr(), Arguments::new(arguments.as_ptr())) };
        assert_eq!(text, expected, "{format:?}");
    }

    #[test]
    fn integers_have_the_size_sign_and_padding_asked_for() {
        check(
            c"%d|%5d|%-5d|%05d|%+d",
            &[(-1_i64).cast_unsigned(), 42, 42, 42, 42],
            "-1|   42|42   |00042|+42",
        );
        check(c"%x %08X %#x %hx %hhx", &[0xAB, 0xAB, 0xAB, 0x1_2345, 0x1_2345], "ab 000000AB 0xab 2345 45");
        check(
            c"%lu %llu %I64u %zu",
            &[u64::MAX; 4],
            "4294967295 18446744073709551615 18446744073709551615 18446744073709551615",
        );
        check(c"%05d %.3u %*d", &[(-42_i64).cast_unsigned(), 7, 4, 7], "-0042 007    7");
        check(c"%p %%", &[0xDEAD], "000000000000DEAD %");
    }

    #[test]
    fn unicode_printed_at_dispatch_level_is_found() {
        let machine = crate::testing::builder().boot();
        let wide: Vec<u16> = "wide\0".encode_utf16().collect();
        let address = Va::of(wide.as_ptr()).bits();
        check(c"%ws", &[address], "wide");
        let old = sched::raise(Irql::DISPATCH);
        check(c"%ws %s", &[address, Va::of(c"narrow".as_ptr()).bits()], "wide narrow");
        check(c"%S", &[address], "wide");
        sched::lower(old);
        let rules = machine.shutdown().rules();
        assert!(!rules.is_empty() && rules.iter().all(|rule| *rule == "IrqlDbgPrint"), "{rules:?}");
    }

    #[test]
    fn strings_are_narrow_wide_or_counted() {
        let mut wide: Vec<u16> = "wide\0".encode_utf16().collect();
        let counted = UNICODE_STRING { Length: 8, MaximumLength: 8, Buffer: wide.as_mut_ptr() };
        let narrow = Va::of(c"narrow".as_ptr()).bits();
        let (wide, counted) = (Va::of(wide.as_ptr()).bits(), Va::of(&raw const counted).bits());
        check(c"%s %ws %ls %S %wZ", &[narrow, wide, wide, wide, counted], "narrow wide wide wide wide");
        check(c"%.3s|%8s|%-8s|%s|%c", &[narrow, narrow, narrow, 0, 65], "nar|  narrow|narrow  |(null)|A");
    }
}
