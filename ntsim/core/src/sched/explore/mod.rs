//! Schedules that are chosen from a seed, and can be played again.
//!
//! A machine with a [`Schedule`] runs one thread at a time: who has the turn runs until it passes it on,
//! at a point where the chooser says so or because it has to wait. Whatever may switch threads leads here,
//! so that nothing of a run is left to the host:
//!
//! | seam | where | who goes on |
//! |---|---|---|
//! | a point | entry into the kernel and return from it, call into a driver | as the strategy says |
//! | a point in code | an instruction of an image that accesses memory | as the strategy says |
//! | a wait | `block`, a spin lock or processor that another thread has, a thread's end | another one |
//! | a beginning, an end | `spawn`, the end of a thread's routine | the new thread when it is chosen; another one |
//!
//! A thread that waits for a lock is not chosen until the lock is given back, so no thread spins, and a
//! circular wait is found at once: if no thread can run and none waits for a time, the run is over, with a
//! report of each thread's wait.
//!
//! A driver's own atomics, and its other accesses to memory, are points where the schedule says so
//! ([`Schedule::atomics`]); else the order of accesses between two calls is the same for every seed.

mod chooser;
mod digest;
mod points;
mod schedule;
mod trace;
mod turns;

pub use chooser::Place;
pub use digest::Digest;
pub(crate) use digest::status;
pub use points::Points;
pub use schedule::{Atomics, Schedule, Strategy};
pub use trace::What;
pub use trace::{Event, Played, Trace};
pub(crate) use turns::Turn;
pub use turns::{Turns, Wait};
