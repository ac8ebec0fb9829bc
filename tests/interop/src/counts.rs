//! FPDUs by their operation.

use core::fmt;

/// The operations of RDMAP, by their opcodes (RFC 5040 section 4.1).
pub const OPERATIONS: [&str; 8] = [
    "Write",
    "Read Request",
    "Read Response",
    "Send",
    "Send with Invalidate",
    "Send with SE",
    "Send with SE and Invalidate",
    "Terminate",
];

/// The number of FPDUs of each operation, in one direction or both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts(pub [u64; OPERATIONS.len()]);

impl Counts {
    /// Counts an FPDU; an opcode that is none is not counted.
    pub fn add(&mut self, opcode: u8) {
        if let Some(count) = self.0.get_mut(usize::from(opcode)) {
            *count += 1;
        }
    }

    /// The sums of both.
    #[must_use]
    pub fn plus(mut self, other: Self) -> Self {
        for (count, more) in self.0.iter_mut().zip(other.0) {
            *count += more;
        }
        self
    }

    /// Returns whether there are as many of each as in the other, or more.
    pub fn has_all(&self, other: &Self) -> bool {
        self.0.iter().zip(other.0).all(|(count, least)| *count >= least)
    }

    /// The number of all FPDUs.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = OPERATIONS.iter().zip(self.0).filter(|(_, count)| *count > 0);
        for (index, (name, count)) in named.enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{name} {count}")?;
        }
        Ok(())
    }
}
