//! Leftovers of drivers that are unloaded, which are findings.

use core::mem::MaybeUninit;
use core::ptr;
use core::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use nt::io::{
    IoAllocateIrp, IoCreateDevice, IoDeleteDevice, IoFreeIrp, IoSetCompletionRoutineEx, give_back, lend,
};
use nt::ke::dispatcher;
use nt::ke::object_exports::KeInitializeEvent;
use nt::ob::exports::ZwClose;
use nt::ps::PsCreateSystemThread;
use ntsim_core::address::Va;
use ntsim_core::number::ToUsize;
use ntsim_core::sched;
use sys::status::STATUS_SUCCESS;
use sys::wdm::{EVENT_TYPE, IRP, KEVENT, PIO_COMPLETION_ROUTINE, PKSTART_ROUTINE};

use super::SUCCEED;
use super::program::{DATA, Function, Imports, RAX_TO_RCX, STRIDE, TEXT, write};
use crate::Driver;
use crate::Machine;

/// A place in the image's data that nothing else uses.
const TIMER: u32 = DATA + 0x40;

/// `mov rdx, -0x7000_0000`: an hour, in units of 100 ns, is longer than any test.
const FAR_TO_RDX: &[u8] = &[0x48, 0xC7, 0xC2, 0x00, 0x00, 0x00, 0x90];

/// Loads a driver of these functions, calls `before`, unloads it and shuts down; what was found.
fn found(
    imports: Imports<'_>,
    functions: &[&dyn Fn(&mut Function)],
    before: impl FnOnce(&Driver),
) -> Vec<(&'static str, u32)> {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "leaves.sys", imports, functions);
    let machine = Machine::builder().boot();
    let driver = machine.load(&path).unwrap();
    before(&driver);
    driver.unload();
    let findings = machine.shutdown().findings;
    findings.iter().map(|f| (f.rule, f.bugcheck.map_or(0, |bugcheck| bugcheck.code))).collect()
}

#[test]
fn driver_that_can_not_be_unloaded_is_found() {
    assert_eq!(found(&[], &[&|f| _ = f.raw(SUCCEED)], |_| ()), [("DriverUnload", 0)]);
}

#[test]
fn timer_that_is_set_in_an_image_that_goes_is_found() {
    let imports = [("ntoskrnl.exe", "KeInitializeTimer"), ("ntoskrnl.exe", "KeSetTimer")];
    let entry = |f: &mut Function| {
        f.set_unload(1).address(TIMER).raw(RAX_TO_RCX).call(0);
        f.address(TIMER).raw(RAX_TO_RCX).raw(FAR_TO_RDX).r8d(0).call(1).raw(SUCCEED);
    };
    assert_eq!(found(&imports, &[&entry, &|_| {}], |_| ()), [("ObjectAtUnload", 0xCE)]);
}

#[test]
fn thread_that_outlives_its_driver_and_its_machine_is_found() {
    // Waits for its argument, without a time limit (the fifth argument, on the stack).
    let wait = |f: &mut Function| {
        f.raw(&[0x48, 0xC7, 0x44, 0x24, 0x20, 0, 0, 0, 0]).edx(0).r8d(0).call(0);
    };
    let functions: [&dyn Fn(&mut Function); 3] = [&|f| _ = f.set_unload(1).raw(SUCCEED), &|_| {}, &wait];
    // No thread ever signals the event, so the thread never runs in the image again.
    let event: &'static mut KEVENT = Box::leak(Box::new(unsafe { MaybeUninit::zeroed().assume_init() }));
    let event = ptr::from_mut(event);
    let start = |driver: &Driver| unsafe {
        KeInitializeEvent(event, EVENT_TYPE::NotificationEvent, 0);
        let routine = (driver.image().base + (TEXT + 2 * STRIDE).to_usize()).ptr::<()>();
        let routine = core::mem::transmute::<*const (), PKSTART_ROUTINE>(routine);
        let (mut handle, none) = (ptr::null_mut(), ptr::null_mut());
        let made = ptr::null_mut();
        PsCreateSystemThread(&mut handle, 0, ptr::null_mut(), none, made, Some(routine), event.cast());
        ZwClose(handle);
        while !dispatcher::lock().awaited().any(|object| object == Va::of(event)) {
            std::thread::yield_now();
        }
    };
    let found = found(&[("ntoskrnl.exe", "KeWaitForSingleObject")], &functions, start);
    assert_eq!(found[..], [("ThreadAtUnload", 0xCE), ("ObjectLeak", 0), ("ThreadAtShutdown", 0)]);
}

#[test]
fn pool_left_by_an_unloaded_driver_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let imports = [("ntoskrnl.exe", "ExAllocatePool2")];
    let entry = |f: &mut Function| {
        f.set_unload(1).ecx(0x40).edx(100).r8d(u32::from_le_bytes(*b"Lost")).call(0).raw(SUCCEED);
    };
    let path = write(folder.path(), "leak.sys", &imports, &[&entry, &|_| {}]);
    let machine = Machine::builder().boot();
    machine.load(&path).unwrap().unload();
    let report = machine.shutdown();
    let finding = &report.findings[0];
    assert_eq!((finding.rule, finding.bugcheck.unwrap().parameters), ("PoolLeak", [0x62, 0, 0, 1]));
    assert!(
        finding.text.contains("tagged 'Lost' of 100 bytes") && finding.text.contains("leak+0x10"),
        "{finding}"
    );
}

/// A work item of the driver object: initialised and queued by the entry point, which then returns `status`; its
/// routine sleeps for 50 ms and goes on in the image.
fn with_work(status: [u8; 5]) -> (bool, Vec<&'static str>) {
    let item = DATA + 0x100;
    let imports = [
        ("ntoskrnl.exe", "IoInitializeWorkItem"),
        ("ntoskrnl.exe", "IoQueueWorkItemEx"),
        ("ntoskrnl.exe", "KeDelayExecutionThread"),
        ("ntoskrnl.exe", "IoUninitializeWorkItem"),
    ];
    let entry = |f: &mut Function| {
        f.set_unload(1).address(item).raw(&[0x48, 0x89, 0xC2]).call(0);
        f.address(TEXT + 2 * STRIDE).raw(&[0x48, 0x89, 0xC2]).address(item).raw(RAX_TO_RCX);
        f.r8d(1).raw(&[0x45, 0x31, 0xC9]).call(1).raw(&status);
    };
    let work = |f: &mut Function| {
        // The item, the third argument, is kept in the home of the second.
        f.raw(&[0x4C, 0x89, 0x44, 0x24, 0x38]);
        f.address(DATA + 0x180).raw(&[0x48, 0xC7, 0x00, 0xE0, 0x5E, 0xF8, 0xFF]);
        f.raw(&[0x49, 0x89, 0xC0]).ecx(0).edx(0).call(2).raw(&[0x48, 0x8B, 0x4C, 0x24, 0x38]).call(3);
    };
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "work.sys", &imports, &[&entry, &|_| {}, &work]);
    let machine = Machine::builder().boot();
    let loaded = machine.load(&path).map(Driver::unload).is_ok();
    (loaded, machine.shutdown().rules())
}

#[test]
fn image_stays_while_a_work_item_of_its_driver_object_runs() {
    // STATUS_UNSUCCESSFUL, and STATUS_SUCCESS.
    assert_eq!(with_work([0xB8, 0x01, 0x00, 0x00, 0xC0]), (false, vec![]));
    assert_eq!(with_work([0xB8, 0, 0, 0, 0]), (true, vec![]));
}

/// A request's completion routine, set with the driver's device, sleeps for 50 ms and goes on in the image.
#[test]
fn image_stays_while_a_completion_routine_with_its_device_runs() {
    let imports = [("ntoskrnl.exe", "KeDelayExecutionThread")];
    let sleep = |f: &mut Function| {
        f.address(DATA + 0x180).raw(&[0x48, 0xC7, 0x00, 0xE0, 0x5E, 0xF8, 0xFF]);
        f.raw(&[0x49, 0x89, 0xC0]).ecx(0).edx(0).call(0);
        // STATUS_MORE_PROCESSING_REQUIRED.
        f.raw(&[0xB8, 0x16, 0x00, 0x00, 0xC0]);
    };
    let functions: [&dyn Fn(&mut Function); 3] = [&|f| _ = f.set_unload(1).raw(SUCCEED), &|_| {}, &sleep];
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "ends.sys", &imports, &functions);
    let machine = Machine::builder().boot();
    let mut driver = machine.load(&path).unwrap();
    let routine = (driver.image().base + (TEXT + 2 * STRIDE).to_usize()).ptr::<()>();
    let mut device = ptr::null_mut();
    // SAFETY: the image's third function is a completion routine.
    let irp = Va::of(unsafe {
        let status = IoCreateDevice(driver.object(), 0, ptr::null(), 0x22, 0, 0, &mut device);
        assert_eq!(status, STATUS_SUCCESS);
        let irp = IoAllocateIrp(1, 0);
        let routine = core::mem::transmute::<*const (), PIO_COMPLETION_ROUTINE>(routine);
        let status = IoSetCompletionRoutineEx(device, irp, Some(routine), ptr::null_mut(), 1, 1, 1);
        assert_eq!(status, STATUS_SUCCESS);
        lend(irp).unwrap();
        irp
    });
    let begun = Arc::new(AtomicBool::new(false));
    let begins = Arc::clone(&begun);
    sched::spawn("completes", move || unsafe {
        begins.store(true, Ordering::Release);
        give_back(irp.ptr::<IRP>(), STATUS_SUCCESS, 0);
        IoFreeIrp(irp.ptr::<IRP>());
    })
    .unwrap();
    while !begun.load(Ordering::Acquire) {
        std::thread::yield_now();
    }
    // The routine has begun to sleep.
    std::thread::sleep(core::time::Duration::from_millis(10));
    // SAFETY: the device is the one above.
    unsafe { IoDeleteDevice(device) };
    driver.unload();
    std::thread::sleep(core::time::Duration::from_millis(100));
    assert_eq!(machine.shutdown().rules(), [""; 0]);
}

#[test]
fn leaked_list_of_memory_names_its_allocation() {
    let folder = tempfile::tempdir().unwrap();
    let entry = |f: &mut Function| {
        f.set_unload(1).address(DATA).raw(RAX_TO_RCX).edx(16).r8d(0).raw(&[0x45, 0x31, 0xC9]);
        f.raw(&[0x48, 0xC7, 0x44, 0x24, 0x20, 0, 0, 0, 0]).call(0).raw(SUCCEED);
    };
    let path = write(folder.path(), "list.sys", &[("ntoskrnl.exe", "IoAllocateMdl")], &[&entry, &|_| {}]);
    let machine = Machine::builder().boot();
    machine.load(&path).unwrap().unload();
    let finding = machine.shutdown().findings.remove(0);
    assert_eq!(finding.rule, "MdlLeak");
    assert!(finding.text.contains("allocated at list+0x10"), "{finding}");
}
