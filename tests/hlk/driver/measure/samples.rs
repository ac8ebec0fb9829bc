//! The target of samples: the runner's buffer.

#![expect(unsafe_code, reason = "functions of the provider are called with addresses")]

use sys::status::{NTSTATUS, STATUS_BUFFER_TOO_SMALL};

use super::clock::cycles;

/// Room for samples in memory that the runner can write to, too, so it is only ever written. The first
/// number is left for the clock's rate.
pub(crate) struct Samples {
    first: *mut u64,
    room: usize,
    taken: usize,
}

impl Samples {
    /// Room in `bytes` bytes at `memory`.
    ///
    /// # Safety
    /// They stay mapped as long as this lives.
    ///
    /// # Errors
    /// `STATUS_BUFFER_TOO_SMALL` if there is room for no sample.
    pub(crate) unsafe fn new(memory: *mut u8, bytes: usize) -> Result<Self, NTSTATUS> {
        match bytes.checked_div(size_of::<u64>()).and_then(|numbers| numbers.checked_sub(1)) {
            None | Some(0) => Err(STATUS_BUFFER_TOO_SMALL),
            Some(room) => Ok(Self { first: memory.cast(), room, taken: 0 }),
        }
    }

    /// The number of samples that are still wanted.
    pub(super) const fn wanted(&self) -> usize {
        self.room.saturating_sub(self.taken)
    }

    /// Times `operation`.
    pub(super) fn time<R>(&mut self, operation: impl FnOnce() -> R) -> R {
        let began = cycles();
        let result = operation();
        self.put(cycles().saturating_sub(began));
        result
    }

    /// Takes samples of `operation` until no more are wanted.
    ///
    /// # Errors
    /// The first failure.
    pub(super) fn repeat(
        &mut self,
        mut operation: impl FnMut() -> Result<(), NTSTATUS>,
    ) -> Result<(), NTSTATUS> {
        while self.wanted() != 0 {
            self.time(&mut operation)?;
        }
        Ok(())
    }

    fn put(&mut self, cycles: u64) {
        if self.taken < self.room {
            self.taken = self.taken.saturating_add(1);
            self.write(self.taken, cycles);
        }
    }

    /// Ends with the clock's rate; says how many bytes there are.
    pub(super) fn finish(self, cycles_per_second: u64) -> usize {
        self.write(0, cycles_per_second);
        self.taken.saturating_add(1).saturating_mul(size_of::<u64>())
    }

    fn write(&self, index: usize, value: u64) {
        // SAFETY: the index is at most `room`, and the memory has one number more; a direct buffer begins
        // where the runner's does, which may not be aligned.
        unsafe { self.first.wrapping_add(index).write_unaligned(value) };
    }
}
