//! Registration with the providers of management instrumentation, and the recorder of WPP traces.
//!
//! Nothing asks a device for its data: what is checked is that a driver takes back what it registers
//! (<https://learn.microsoft.com/windows-hardware/drivers/ddi/wdm/nf-wdm-iowmiregistrationcontrol>).

use core::ffi::c_void;
use std::collections::HashSet;

use ntsim_core::address::Va;
use ntsim_core::exports;
use ntsim_core::per_machine::PerMachine;
use ntsim_core::verifier::{self, Finding};
use parking_lot::Mutex;
use sys::status::{NTSTATUS, STATUS_INVALID_PARAMETER, STATUS_SUCCESS};
use sys::wdm::{DEVICE_OBJECT, signature};

/// `WMIREG_ACTION_…`.
const REGISTER: u32 = 1;
const DEREGISTER: u32 = 2;
const REREGISTER: u32 = 3;
const UPDATE_GUIDS: u32 = 4;
const BLOCK_IRPS: u32 = 5;

/// `WMIREG_FLAG_CALLBACK`: not a device, but a routine is registered.
const CALLBACK: u32 = 0x8000_0000;

/// The registered devices of one machine.
#[derive(Default)]
struct Registered(Mutex<HashSet<Va>>);

static REGISTERED: PerMachine<Registered> = PerMachine::new();

exports! {
    "ntoskrnl.exe", signature;

    /// Registers a device, or takes that back.
    #[irql(PASSIVE..=PASSIVE)]
    fn IoWMIRegistrationControl(device: *mut DEVICE_OBJECT, action: u32) -> NTSTATUS {
        let mut all = REGISTERED.get().0.lock();
        let known = all.contains(&Va::of(device));
        match action & !CALLBACK {
            REGISTER if !known => {
                all.insert(Va::of(device));
                STATUS_SUCCESS
            }
            DEREGISTER if known => {
                all.remove(&Va::of(device));
                STATUS_SUCCESS
            }
            REREGISTER | UPDATE_GUIDS | BLOCK_IRPS if known => STATUS_SUCCESS,
            _ => STATUS_INVALID_PARAMETER,
        }
    }
}

/// Takes back the registration of a device that goes; a finding if it has one.
pub(super) fn forget(device: Va) {
    if REGISTERED.get().0.lock().remove(&device) {
        let text = format!("the device at {device:#x} was deleted, and is still registered with WMI");
        verifier::report(Finding::new("WmiRegistration").text(text));
    }
}

/// The recorder of WPP traces, `wpprecorder.sys`: drivers register with it and trace; nothing is kept.
pub(super) mod recorder {
    use super::*;

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
    pub(in super::super) fn inspect() {
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::{Made, create_device};

    #[test]
    fn device_is_registered_once_and_not_left() {
        let machine = crate::testing::builder().boot();
        // SAFETY: all-zero is a valid value: integers, null pointers and no routines.
        let mut driver: Box<sys::wdm::DRIVER_OBJECT> = Box::new(unsafe { core::mem::zeroed() });
        let made = Made {
            driver: &mut *driver,
            extension: 0,
            name: String::new(),
            kind: 0x22,
            characteristics: 0,
            exclusive: false,
            security: crate::se::Descriptor::default(),
        };
        // SAFETY: the driver object lives longer than the device.
        let first = unsafe { create_device(made) }.unwrap();
        unsafe {
            assert_eq!(IoWMIRegistrationControl(first, DEREGISTER), STATUS_INVALID_PARAMETER);
            assert_eq!(IoWMIRegistrationControl(first, REGISTER), STATUS_SUCCESS);
            assert_eq!(IoWMIRegistrationControl(first, REGISTER), STATUS_INVALID_PARAMETER);
        }
        crate::io::delete_device(first);
        assert_eq!(machine.shutdown().findings[0].rule, "WmiRegistration");
    }
}
