//! The recorder of WPP traces, `wpprecorder.sys`: drivers register with it and trace; nothing is kept
//! (<https://learn.microsoft.com/windows-hardware/drivers/devtest/inflight-trace-recorder>).

use core::ffi::c_void;
use std::collections::HashSet;

use ntsim_core::address::Va;
use ntsim_core::exports;
use ntsim_core::per_machine::PerMachine;
use ntsim_core::verifier::{self, Finding};
use parking_lot::Mutex;
use sys::status::{NTSTATUS, STATUS_SUCCESS};

/// The control blocks of drivers that record.
#[derive(Default)]
struct Recording(Mutex<HashSet<Va>>);

static RECORDING: PerMachine<Recording> = PerMachine::new();

exports! {
    "wpprecorder.sys";

    /// Begins to record.
    #[irql(PASSIVE..=PASSIVE)]
    fn WppAutoLogStart(block: *mut c_void, _driver: *mut c_void, _path: *const c_void) {
        RECORDING.get().0.lock().insert(Va::of(block));
    }

    /// Ends recording.
    #[irql(PASSIVE..=PASSIVE)]
    fn WppAutoLogStop(block: *mut c_void, _driver: *mut c_void) {
        if !RECORDING.get().0.lock().remove(&Va::of(block)) {
            let text = format!("WppAutoLogStop got {block:p}, which was not started or was stopped before");
            verifier::report(Finding::new("WppRecorder").text(text));
        }
    }

    /// Records a trace: variable arguments follow, which are not looked at.
    #[irql(PASSIVE..=HIGH)]
    fn WppAutoLogTrace(_block: *mut c_void, _level: u8, _flags: u32, _provider: *const c_void) -> NTSTATUS {
        STATUS_SUCCESS
    }

    /// Replays what was recorded to a session that begins; none does.
    #[irql(PASSIVE..=PASSIVE)]
    fn imp_WppRecorderReplay(_block: *mut c_void, _session: u64, _routine: *const c_void, _level: u8) {}
}

/// Reports what drivers left behind.
pub(super) fn inspect() {
    for block in &*RECORDING.get().0.lock() {
        let text = format!("the recorder of {block:#x} was never stopped");
        verifier::report(Finding::new("WppRecorder").text(text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recorder_that_is_not_stopped_or_stopped_twice_is_found() {
        let machine = crate::testing::builder().boot();
        let at = |number: usize| core::ptr::without_provenance_mut::<c_void>(number);
        let none = core::ptr::null_mut();
        unsafe {
            WppAutoLogStart(at(0x1000), none, none);
            WppAutoLogStart(at(0x2000), none, none);
            assert_eq!(WppAutoLogTrace(at(0x1000), 1, 1, none), STATUS_SUCCESS);
            WppAutoLogStop(at(0x1000), none);
            WppAutoLogStop(at(0x1000), none);
        }
        let rules: Vec<_> = machine.shutdown().findings.iter().map(|finding| finding.rule).collect();
        assert_eq!(rules, ["WppRecorder", "WppRecorder"]);
    }
}
