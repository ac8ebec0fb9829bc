//! The frame that is awaited at the start of a connection, until it is whole (LIM-2).

#![forbid(unsafe_code)]

use arrayvec::ArrayVec;
use iwarp::Step;
use iwarp::mpa::{Agreed, Depth, LONGEST_FRAME};

use super::Wire;
use crate::connection::private_data::PrivateData;
use crate::heap::{NoMemory, Shared};
use crate::kernel::network::Runs;
use crate::kernel::{Kernel, Lock};

/// The bytes of the frame that are there.
pub(super) struct Startup<K: Kernel> {
    frame: Lock<K, ArrayVec<u8, LONGEST_FRAME>>,
}

/// The meaning of a frame.
pub(super) enum Said {
    /// More is to come.
    Nothing,
    /// A request, whose private data this is.
    Request(PrivateData, Option<(Depth, Depth)>),
    /// A reply, and what it agrees on; `None` if it rejects.
    Reply(PrivateData, Option<Agreed>),
    /// None that the engine goes on with: its state says what follows.
    Fault,
}

impl<K: Kernel> Startup<K> {
    /// None.
    ///
    /// # Errors
    ///
    /// [`NoMemory`].
    #[inline(never)]
    pub(super) fn shared() -> Result<Shared<Self>, NoMemory> {
        Shared::new(Self { frame: Lock::<K, _>::new(ArrayVec::new()) })
    }
}

impl<K: Kernel> Wire<K> {
    /// Takes bytes of the frame that is awaited, from `taken` on, and as soon as it is whole says what it is. One call at
    /// a time.
    pub(super) fn take_frame(&self, runs: &dyn Runs, taken: &mut usize) -> Said {
        let mut frame = core::mem::take(&mut *self.startup.frame.lock());
        loop {
            let whole = match self.step_frame(&frame) {
                Ok(said) => return said,
                Err(whole) => whole,
            };
            let missing = whole.saturating_sub(frame.len());
            let piece = runs.at(*taken);
            let piece = piece.get(..missing.min(piece.len())).unwrap_or_default();
            if piece.is_empty() || frame.try_extend_from_slice(piece).is_err() {
                *self.startup.frame.lock() = frame;
                return Said::Nothing;
            }
            *taken = taken.saturating_add(piece.len());
        }
    }

    /// The meaning of these bytes, or the number that there have to be.
    fn step_frame(&self, frame: &[u8]) -> Result<Said, usize> {
        let (_, step) = self.with_stream(|stream| stream.step(frame));
        let copy = |private| PrivateData::copy_of(private).unwrap_or_else(PrivateData::empty);
        match step {
            Step::Need(whole) => Err(whole),
            Step::Offer { private, depths } => Ok(Said::Request(copy(private), depths)),
            Step::Answer { accepted, private } => Ok(Said::Reply(copy(private), accepted)),
            Step::Fault(_) => Ok(Said::Fault),
            Step::Hold
            | Step::Check(_)
            | Step::Segment(_)
            | Step::Payload(_)
            | Step::End(_)
            | Step::Terminated(_)
            | Step::Over => Ok(Said::Nothing),
        }
    }
}
