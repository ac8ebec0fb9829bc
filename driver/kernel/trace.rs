//! Lines for the kernel debugger.
//!
//! (`wdk::println!` formats into a buffer of its own that it indexes, and so can panic.)

#![expect(unsafe_code, reason = "the kernel is called")]

use core::ffi::c_int;
use core::fmt::{self, Write};

use crate::nt;

/// A line under construction; what does not fit is left out.
struct Line {
    bytes: [u8; 256],
    length: usize,
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.bytes.iter_mut().skip(self.length);
        let written = room.zip(text.bytes()).map(|(place, byte)| *place = byte).count();
        self.length = self.length.saturating_add(written);
        Ok(())
    }
}

/// Prints a line under the driver's name. Any level.
pub(super) fn print(text: fmt::Arguments<'_>) {
    let mut line = Line { bytes: [0; 256], length: 0 };
    // A value that can't be printed leaves the line as it is up to there.
    let _whole = line.write_fmt(text);
    let length = c_int::try_from(line.length).unwrap_or(0);
    // SAFETY: the format takes a length, and so many bytes.
    unsafe { nt::DbgPrint(c"softndk: %.*s\n".as_ptr(), length, line.bytes.as_ptr()) };
}
