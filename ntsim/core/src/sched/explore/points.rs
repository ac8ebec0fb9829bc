//! Scheduling points in the code of images.

#![forbid(unsafe_code)]

/// Scheduling points of an image, by kind.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Points {
    /// The image's file name.
    pub image: String,
    /// Locked and exchanging instructions.
    pub atomics: u32,
    /// Other accesses to memory, where these are points.
    pub accesses: u32,
    /// PAUSE instructions, at which a thread that spins lets others run.
    pub pauses: u32,
    /// Those of all these that are reached by a breakpoint, which takes longer than a jump.
    pub breakpoints: u32,
}
