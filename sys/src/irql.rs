//! The interrupt request level (IRQL) as a value: what Microsoft's headers annotate as `_IRQL_requires_(level)`.
//! (<https://learn.microsoft.com/windows-hardware/drivers/devtest/irql-annotations-for-drivers>)
//!
//! A function that may be called at one level only takes that level's token. A token has no size, so it costs nothing
//! in the image. It is made where the level is known: in a routine that the kernel calls at that level, or by
//! raising to it. Code that runs up to DISPATCH_LEVEL has none, and so cannot call what waits.
//!
//! A token does not see a spin lock that is taken while it exists: that no call is made with one held is checked at
//! run time, by Driver Verifier and by the simulator.

#![expect(unsafe_code, reason = "the caller knows the level")]

use core::marker::PhantomData;

/// PASSIVE_LEVEL: the thread may wait.
///
/// Safe code cannot make one:
///
/// ```compile_fail
/// use softndk_sys::irql::PassiveLevel;
/// let level = PassiveLevel(core::marker::PhantomData);
/// ```
///
/// ```
/// use softndk_sys::irql::PassiveLevel;
/// // SAFETY: a thread in user mode runs at PASSIVE_LEVEL.
/// let level = unsafe { PassiveLevel::assume() };
/// assert_eq!(size_of_val(&level), 0);
/// ```
///
/// The level is that of a thread, so a token stays in its own:
///
/// ```compile_fail
/// use softndk_sys::irql::PassiveLevel;
/// // SAFETY: a thread in user mode runs at PASSIVE_LEVEL.
/// let level = unsafe { PassiveLevel::assume() };
/// std::thread::spawn(move || drop(level));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct PassiveLevel(PhantomData<*const ()>);

impl PassiveLevel {
    /// The level of the caller.
    ///
    /// # Safety
    ///
    /// The thread is at PASSIVE_LEVEL, and stays there while the token is in use.
    #[must_use]
    pub const unsafe fn assume() -> Self {
        Self(PhantomData)
    }
}

/// DISPATCH_LEVEL: the code stays on its processor for the lifetime `'a`, and must not wait.
///
/// A function that waits does not take it:
///
/// ```compile_fail
/// use softndk_sys::irql::{DispatchLevel, PassiveLevel};
/// fn wait(_: PassiveLevel) {}
/// fn dpc(level: DispatchLevel<'_>) { wait(level) }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct DispatchLevel<'a>(PhantomData<(&'a (), *const ())>);

impl DispatchLevel<'_> {
    /// The level of the caller.
    ///
    /// # Safety
    ///
    /// The processor is at DISPATCH_LEVEL for the token's lifetime.
    #[must_use]
    pub const unsafe fn assume() -> Self {
        Self(PhantomData)
    }
}
