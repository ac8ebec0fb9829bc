//! The mode from which the kernel was entered.

use core::cell::Cell;

use ntsim_core::exports;
use sys::wdm::{KPROCESSOR_MODE, KernelMode, signature};

thread_local! {
    /// The mode of the innermost request that the I/O manager sends in this thread. Of the process, as threads are.
    static MODE: Cell<KPROCESSOR_MODE> = const { Cell::new(KernelMode) };
}

/// Runs `f` as what a caller of this mode has asked for.
pub(super) fn within<R>(mode: KPROCESSOR_MODE, f: impl FnOnce() -> R) -> R {
    let before = MODE.replace(mode);
    let result = f();
    MODE.set(before);
    result
}

exports! {
    "ntoskrnl.exe", signature;

    /// The mode of what entered the kernel: that of the request that the I/O manager sends in this thread, or the
    /// kernel's own.
    #[irql(PASSIVE..=HIGH)]
    fn ExGetPreviousMode() -> KPROCESSOR_MODE {
        MODE.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sys::wdm::UserMode;

    #[test]
    fn mode_is_the_kernels_but_while_a_request_of_a_user_is_sent() {
        let machine = crate::testing::builder().boot();
        let mode = || unsafe { ExGetPreviousMode() };
        assert_eq!((mode(), within(UserMode, mode), mode()), (KernelMode, UserMode, KernelMode));
        assert!(machine.shutdown().is_clean());
    }
}
