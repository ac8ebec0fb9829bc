//! Stacks of devices.

use core::ptr;

use ntsim_core::exports;
use ntsim_core::verifier::{self, Finding};
use sys::status::{NTSTATUS, STATUS_NO_SUCH_DEVICE, STATUS_SUCCESS};
use sys::wdm::{DEVICE_OBJECT, signature};

use super::device::{is_device, set_below, top};
use crate::ob;

exports! {
    "ntoskrnl.exe", signature;

    /// Puts a device on top of the stack of another one; returns the device below it, or null.
    #[irql(PASSIVE..=PASSIVE)]
    fn IoAttachDeviceToDeviceStack(
        source: *mut DEVICE_OBJECT,
        target: *mut DEVICE_OBJECT,
    ) -> *mut DEVICE_OBJECT {
        attach(source, target).unwrap_or(ptr::null_mut())
    }

    /// The same, with the device below stored in place.
    #[irql(PASSIVE..=DISPATCH)]
    fn IoAttachDeviceToDeviceStackSafe(
        source: *mut DEVICE_OBJECT,
        target: *mut DEVICE_OBJECT,
        below: *mut *mut DEVICE_OBJECT,
    ) -> NTSTATUS {
        let attached = attach(source, target);
        // SAFETY: the driver passes room for the pointer.
        unsafe { below.write(attached.unwrap_or(ptr::null_mut())) };
        attached.map_or(STATUS_NO_SUCH_DEVICE, |_| STATUS_SUCCESS)
    }

    /// Takes the device on top of this one off.
    #[irql(PASSIVE..=PASSIVE)]
    fn IoDetachDevice(target: *mut DEVICE_OBJECT) {
        detach(target);
    }

    /// The top device of a stack, with a reference.
    #[irql(PASSIVE..=DISPATCH)]
    fn IoGetAttachedDeviceReference(device: *mut DEVICE_OBJECT) -> *mut DEVICE_OBJECT {
        // SAFETY: the driver passes a device that it keeps.
        let top = unsafe { top(device) };
        ob::reference(top.cast());
        top
    }
}

/// Puts a device on top of a stack; returns the one below it, `None` if one of them is no device.
#[expect(clippy::not_unsafe_ptr_arg_deref, reason = "an address is followed once the table has it")]
pub fn attach(source: *mut DEVICE_OBJECT, target: *mut DEVICE_OBJECT) -> Option<*mut DEVICE_OBJECT> {
    if !is_device(source) || !is_device(target) {
        report(format!("{source:p} is attached to {target:p}, and one of them is no device"));
        return None;
    }
    // SAFETY: the device exists.
    let below = unsafe { top(target) };
    // SAFETY: as above; each member is changed by its driver or the I/O manager alone.
    let (size, alignment) = lower(unsafe { &*below });
    // SAFETY: as above.
    unsafe { (*source).StackSize = size + 1 };
    // SAFETY: as above.
    unsafe { (*source).AlignmentRequirement = alignment };
    set_below(source, below);
    // SAFETY: as above.
    unsafe { (*below).AttachedDevice = source };
    Some(below)
}

/// Takes the device on top of another one off.
#[expect(clippy::not_unsafe_ptr_arg_deref, reason = "an address is followed once the table has it")]
pub fn detach(target: *mut DEVICE_OBJECT) {
    if !is_device(target) {
        report(format!("IoDetachDevice got {target:p}, which is no device"));
        return;
    }
    // SAFETY: the device exists.
    let above = unsafe { core::mem::replace(&mut (*target).AttachedDevice, ptr::null_mut()) };
    if above.is_null() {
        report(format!("IoDetachDevice got {target:p}, to which no device is attached"));
        return;
    }
    set_below(above, ptr::null_mut());
}

/// Returns what a device takes from the one below it.
fn lower(device: &DEVICE_OBJECT) -> (i8, u32) {
    (device.StackSize, device.AlignmentRequirement)
}

#[cold]
fn report(text: String) {
    verifier::report(Finding::new("DeviceStack").text(text));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::{Made, create_device, delete_device};
    use crate::se::Descriptor;
    use sys::wdm::DRIVER_OBJECT;

    fn device(driver: &mut DRIVER_OBJECT) -> *mut DEVICE_OBJECT {
        let made = Made {
            driver,
            extension: 0,
            name: String::new(),
            kind: 0x22,
            characteristics: 0,
            exclusive: false,
            security: Descriptor::default(),
        };
        unsafe { create_device(made) }.unwrap()
    }

    #[test]
    fn device_is_attached_to_the_top_and_detached_once() {
        let machine = crate::testing::builder().boot();
        let mut driver: Box<DRIVER_OBJECT> = Box::new(unsafe { core::mem::zeroed() });
        let [bottom, middle, upper] = core::array::from_fn(|_| device(&mut driver));
        unsafe {
            assert_eq!(IoAttachDeviceToDeviceStack(middle, bottom), bottom);
            assert_eq!(IoAttachDeviceToDeviceStack(upper, bottom), middle);
            assert_eq!((*upper).StackSize, 3);
            assert_eq!(IoAttachDeviceToDeviceStack(ptr::null_mut(), bottom), ptr::null_mut());
            IoDetachDevice(middle);
            IoDetachDevice(middle);
        }
        delete_device(upper);
        delete_device(middle);
        delete_device(bottom);
        let rules: Vec<_> = machine.shutdown().findings.iter().map(|finding| finding.rule).collect();
        assert_eq!(rules, ["DeviceStack", "DeviceStack", "DeleteDevice"]);
    }
}
