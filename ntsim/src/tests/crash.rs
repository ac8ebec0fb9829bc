//! Crashes: each in a process of its own, whose report and exit code are looked at.

use core::ffi::c_void;
use core::mem::MaybeUninit;
use core::ptr;
use core::time::Duration;
use std::path::Path;
use std::process::Command;

use nt::ke::{
    KeAcquireSpinLockAtDpcLevel, KeAcquireSpinLockRaiseToDpc, KeGetCurrentIrql, KeInitializeDpc,
    KeInitializeTimer, KeReleaseSpinLock, KeReleaseSpinLockFromDpcLevel, KeSetTimerEx,
};
use ntsim_core::address::Va;
use ntsim_core::sched::{self, Atomics, Irql, Schedule, Strategy};
use sys::wdm::{KDPC, KTIMER};

use super::program::{DATA, Function, Imports, RAX_TO_RCX, STRIDE, write};
use super::{SECTION_HEADERS, SUCCEED};
use crate::Machine;

/// Set in the process that is to crash, to a folder for the image.
const CHILD: &str = "NTSIM_TEST_CRASH";

/// `mov rbx, rax`, which the kernel's functions keep.
const RAX_TO_RBX: &[u8] = &[0x48, 0x89, 0xC3];
/// `mov rcx, rbx`.
const RBX_TO_RCX: &[u8] = &[0x48, 0x89, 0xD9];
/// `mov byte [rbx], 1`.
const WRITE_RBX: &[u8] = &[0xC6, 0x03, 0x01];
/// `mov byte [rax], 1`.
const WRITE_RAX: &[u8] = &[0xC6, 0x00, 0x01];

/// Runs a driver of these functions in a process of its own, at the level, and returns what it reports.
pub(super) fn crash(
    test: &str,
    irql: Irql,
    imports: Imports<'_>,
    functions: &[&dyn Fn(&mut Function)],
) -> String {
    crash_within(test, Duration::from_secs(2), irql, imports, functions)
}

/// Does so on a machine with that hang timeout.
pub(super) fn crash_within(
    test: &str,
    hang_timeout: Duration,
    irql: Irql,
    imports: Imports<'_>,
    functions: &[&dyn Fn(&mut Function)],
) -> String {
    in_child(test, |folder| {
        let path = write(folder, &format!("{}.sys", name(test)), imports, functions);
        let machine =
            Machine::builder().hang_timeout(hang_timeout).dpc_limit(Duration::from_millis(100)).boot();
        let old = sched::raise(irql);
        let driver = machine.load(path);
        sched::lower(old);
        drop(driver);
        machine.shutdown();
    })
}

/// The module of the tests that a test is in.
fn name(test: &str) -> &str {
    test.split_once("::").map_or("crash", |(module, _)| module)
}

/// Runs `body` with a folder in a process of its own, which is to stop, and returns what it reports.
pub(super) fn in_child(test: &str, body: impl FnOnce(&Path)) -> String {
    let mut report = String::new();
    in_child_then(test, body, |said, _| report = said.to_owned());
    report
}

/// Does so, and lets `look` have what it reports, and the folder.
pub(super) fn in_child_then(test: &str, body: impl FnOnce(&Path), look: impl FnOnce(&str, &Path)) {
    if let Some(folder) = std::env::var_os(CHILD) {
        body(folder.as_ref());
        std::process::exit(0);
    }
    let folder = tempfile::tempdir().unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "--nocapture",
            &format!("tests::{}::{}", name(test), test.rsplit("::").next().unwrap_or(test)),
        ])
        .env(CHILD, folder.path())
        .output()
        .unwrap();
    let report = String::from_utf8_lossy(&child.stderr).into_owned();
    assert_eq!(child.status.code(), Some(3), "{report}");
    look(&report, folder.path());
}

#[test]
fn access_to_freed_pool_names_its_allocation_and_its_free() {
    let imports = [("ntoskrnl.exe", "ExAllocatePool2"), ("ntoskrnl.exe", "ExFreePool")];
    let entry = |f: &mut Function| {
        // The block's address survives the call in rbx.
        f.raw(&[0x53])
            .ecx(0x40)
            .edx(100)
            .r8d(u32::from_le_bytes(*b"Gone"))
            .raw(&[0x48, 0x83, 0xEC, 8])
            .call(0);
        f.raw(RAX_TO_RCX).raw(&[0x48, 0x89, 0xC3]).call_function(1).raw(&[0x48, 0x89, 0xD8]).raw(WRITE_RAX);
    };
    let report = crash(
        "access_to_freed_pool_names_its_allocation_and_its_free",
        Irql::PASSIVE,
        &imports,
        &[&entry, &|f| _ = f.call(1)],
    );
    assert!(report.contains("STOP: 0xD5 DRIVER_PAGE_FAULT_IN_FREED_SPECIAL_POOL"), "{report}");
    assert!(report.contains("use after free, offset 0x0 of a block tagged 'Gone' of 100 bytes"), "{report}");
    assert!(report.contains("allocated at crash+0x10") && report.contains("freed at crash+0x11"), "{report}");
}

#[test]
fn touch_beyond_a_block_names_it() {
    let imports = [("ntoskrnl.exe", "ExAllocatePool2")];
    let entry = |f: &mut Function| {
        f.ecx(0x40).edx(64).r8d(u32::from_le_bytes(*b"Over")).call(0);
        f.raw(&[0xC6, 0x40, 0x40, 0x01]);
    };
    let report = crash("touch_beyond_a_block_names_it", Irql::PASSIVE, &imports, &[&entry]);
    assert!(report.contains("STOP: 0xD6 DRIVER_PAGE_FAULT_BEYOND_END_OF_ALLOCATION"), "{report}");
    assert!(report.contains("out of bounds, offset 0x40 of a block tagged 'Over' of 64 bytes"), "{report}");
}

#[test]
fn missing_import_that_is_allowed_stops_by_name_where_it_is_called() {
    let test = "missing_import_that_is_allowed_stops_by_name_where_it_is_called";
    let report = in_child(test, |folder| {
        let imports = [("ntoskrnl.exe", "NtFly"), ("ntoskrnl.exe", "DbgPrint"), ("fantasy.sys", "Dream")];
        let entry = |f: &mut Function| _ = f.call_function(1).raw(SUCCEED);
        let path = write(folder, "far.sys", &imports, &[&entry, &|f| _ = f.call(2)]);
        let machine = Machine::builder().allow_missing_imports().boot();
        drop(machine.load(path));
    });
    let text = "the driver called fantasy.sys!Dream, which the simulator does not have";
    assert!(report.contains("STOP: 0x7E") && report.contains(text), "{report}");
    assert!(report.contains("\n    far+0x11") && report.contains("\n    far+0x10"), "{report}");
}

#[test]
fn missing_variable_that_is_allowed_stops_by_name_where_it_is_read() {
    let test = "missing_variable_that_is_allowed_stops_by_name_where_it_is_read";
    let report = in_child(test, |folder| {
        let imports = [("ntoskrnl.exe", "NtFlights")];
        // `mov rax, [rip + import]`, `mov ecx, [rax + 4]`.
        let entry = |f: &mut Function| _ = f.import(0).raw(&[0x8B, 0x48, 0x04]);
        let path = write(folder, "reads.sys", &imports, &[&entry]);
        let machine = Machine::builder().allow_missing_imports().boot();
        drop(machine.load(path));
    });
    let text = "the driver used ntoskrnl.exe!NtFlights, which the simulator does not have";
    assert!(report.contains(text) && report.contains("\n    reads+0x10"), "{report}");
}

/// Lets the section of functions be pageable.
fn make_pageable(path: &Path) {
    let mut image = std::fs::read(path).unwrap();
    let name = &mut image[SECTION_HEADERS.0..][..8];
    assert_eq!(name, b".text\0\0\0");
    name.copy_from_slice(b"PAGE\0\0\0\0");
    std::fs::write(path, image).unwrap();
}

#[test]
fn pageable_code_at_dispatch_level_stops_where_that_is_forced() {
    let report = in_child("pageable_code_at_dispatch_level_stops_where_that_is_forced", |folder| {
        let imports = [("ntoskrnl.exe", "KeRaiseIrqlToDpcLevel")];
        let path = write(folder, "paged.sys", &imports, &[&|f| _ = f.call(0)]);
        make_pageable(&path);
        let machine = Machine::builder().force_irql().boot();
        drop(machine.load(path));
    });
    assert!(report.contains("STOP: 0xD1 DRIVER_IRQL_NOT_LESS_OR_EQUAL (0x"), "{report}");
    assert!(report.contains("execution of ") && report.contains("which is pageable"), "{report}");
    assert!(report.contains("paged+0x1"), "{report}");
}

#[test]
fn paged_pool_at_dispatch_level_stops_where_that_is_forced() {
    let report = in_child("paged_pool_at_dispatch_level_stops_where_that_is_forced", |folder| {
        let imports = [("ntoskrnl.exe", "ExAllocatePool2"), ("ntoskrnl.exe", "KeRaiseIrqlToDpcLevel")];
        let entry = |f: &mut Function| {
            f.ecx(0x100).edx(64).r8d(u32::from_le_bytes(*b"Page")).call(0).raw(RAX_TO_RBX).call(1);
            f.raw(WRITE_RBX);
        };
        let path = write(folder, "paged.sys", &imports, &[&entry]);
        let machine = Machine::builder().force_irql().boot();
        drop(machine.load(path));
    });
    assert!(report.contains("STOP: 0xD1") && report.contains("write of "), "{report}");
}

#[test]
fn pageable_memory_comes_back_below_dispatch_level() {
    let folder = tempfile::tempdir().unwrap();
    let imports = [
        ("ntoskrnl.exe", "ExAllocatePool2"),
        ("ntoskrnl.exe", "KfRaiseIrql"),
        ("ntoskrnl.exe", "KeLowerIrql"),
        ("ntoskrnl.exe", "ExFreePool"),
    ];
    let entry = |f: &mut Function| {
        f.save_rbx().set_unload(1);
        f.ecx(0x100).edx(64).r8d(u32::from_le_bytes(*b"Page")).call(0).raw(RAX_TO_RBX);
        f.ecx(2).call(1).ecx(0).call(2).raw(WRITE_RBX).raw(RBX_TO_RCX).call(3).restore_rbx().raw(SUCCEED);
    };
    let path = write(folder.path(), "paged.sys", &imports, &[&entry, &|_| {}]);
    let machine = Machine::builder().force_irql().boot();
    machine.load(&path).unwrap().unload();
    let imports = imports.map(|_| ("ntoskrnl.exe", "KeGetCurrentIrql"));
    let functions: [&dyn Fn(&mut Function); 2] =
        [&|f| _ = f.set_unload(1).call(0).raw(SUCCEED), &|f| _ = f.call(0)];
    let path = write(folder.path(), "code.sys", &imports, &functions);
    make_pageable(&path);
    let driver = machine.load(&path).unwrap();
    sched::lower(sched::raise(Irql::DISPATCH));
    driver.unload();
    let report = machine.shutdown();
    assert!(report.is_clean(), "{report}");
}

#[test]
fn null_pointer_stops_as_on_windows() {
    let functions: [&dyn Fn(&mut Function); 2] =
        [&|f| _ = f.call_function(1), &|f| _ = f.raw(&[0x31, 0xC0]).raw(WRITE_RAX)];
    let report = crash("null_pointer_stops_as_on_windows", Irql::PASSIVE, &[], &functions);
    assert!(report.contains("STOP: 0x7E SYSTEM_THREAD_EXCEPTION_NOT_HANDLED (0xc0000005"), "{report}");
    let frames: Vec<_> = report.lines().filter_map(|line| line.trim().strip_prefix("crash+")).collect();
    assert_eq!(frames.iter().map(|frame| &frame[..4]).collect::<Vec<_>>(), ["0x11", "0x10"], "{report}");
}

#[test]
fn wild_pointer_at_dispatch_level_stops_with_its_level() {
    let wild = |f: &mut Function| _ = f.raw(&[0xB8, 0, 0, 0x0D, 0]).raw(WRITE_RAX);
    let report = crash("wild_pointer_at_dispatch_level_stops_with_its_level", Irql::DISPATCH, &[], &[&wild]);
    assert!(report.contains("STOP: 0xD1 DRIVER_IRQL_NOT_LESS_OR_EQUAL (0xd0000, 0x2, 0x1,"), "{report}");
    assert!(report.contains("at DISPATCH_LEVEL"), "{report}");
}

#[test]
fn writing_to_a_read_only_section_stops() {
    let write_code = |f: &mut Function| _ = f.address(0x1000).raw(WRITE_RAX);
    let report = crash("writing_to_a_read_only_section_stops", Irql::PASSIVE, &[], &[&write_code]);
    assert!(report.contains("STOP: 0xBE ATTEMPTED_WRITE_TO_READONLY_MEMORY"), "{report}");
}

#[test]
fn running_data_stops() {
    let jump = |f: &mut Function| _ = f.address(DATA).raw(&[0xFF, 0xD0]);
    let report = crash("running_data_stops", Irql::PASSIVE, &[], &[&jump]);
    assert!(report.contains("STOP: 0xFC ATTEMPTED_EXECUTE_OF_NOEXECUTE_MEMORY"), "{report}");
}

#[test]
fn fast_fail_stops_with_its_code() {
    let fail = |f: &mut Function| _ = f.ecx(5).raw(&[0xCD, 0x29]);
    let report = crash("fast_fail_stops_with_its_code", Irql::PASSIVE, &[], &[&fail]);
    assert!(report.contains("STOP: 0x139 KERNEL_SECURITY_CHECK_FAILURE (0x5,"), "{report}");
}

#[test]
fn illegal_instruction_stops() {
    let abort = |f: &mut Function| _ = f.raw(&[0x0F, 0x0B]);
    let report = crash("illegal_instruction_stops", Irql::PASSIVE, &[], &[&abort]);
    assert!(report.contains("STOP: 0x7E SYSTEM_THREAD_EXCEPTION_NOT_HANDLED (0xc000001d"), "{report}");
}

#[test]
fn driver_may_stop_the_machine_itself() {
    let imports = [("ntoskrnl.exe", "KeBugCheckEx")];
    let stop = |f: &mut Function| _ = f.ecx(0xE2).edx(7).call(0);
    let report = crash("driver_may_stop_the_machine_itself", Irql::PASSIVE, &imports, &[&stop]);
    assert!(report.contains("STOP: 0xE2") && report.contains("(0x7,"), "{report}");
    assert!(report.contains("nt!KeBugCheckEx") && report.contains("crash+0x10"), "{report}");
}

#[test]
fn bad_memory_given_to_the_kernel_is_the_drivers_crash() {
    let imports = [("ntoskrnl.exe", "KeSetEvent")];
    let call = |f: &mut Function| _ = f.ecx(0x10).call(0);
    let report =
        crash("bad_memory_given_to_the_kernel_is_the_drivers_crash", Irql::PASSIVE, &imports, &[&call]);
    assert!(report.contains("STOP: 0x7E") && report.contains("nt!KeSetEvent"), "{report}");
}

#[test]
fn call_into_an_unloaded_driver_names_it() {
    let imports = [("ntoskrnl.exe", "PsCreateSystemThread"), ("ntoskrnl.exe", "KeDelayExecutionThread")];
    // The entry point starts function 2 as a thread, which sleeps for 3 s while the driver is unloaded.
    let entry = |f: &mut Function| {
        f.set_unload(1).raw(&[0x48, 0x83, 0xEC, 0x20]);
        f.address(DATA + 0x100).raw(RAX_TO_RCX).edx(0).r8d(0).raw(&[0x45, 0x31, 0xC9]);
        f.raw(&[0x48, 0x31, 0xC0, 0x48, 0x89, 0x44, 0x24, 0x20]);
        f.address(0x1000 + 2 * STRIDE).raw(&[0x48, 0x89, 0x44, 0x24, 0x28]).call(0);
        f.raw(&[0x48, 0x83, 0xC4, 0x20]).raw(SUCCEED);
    };
    let sleep = |f: &mut Function| {
        // An interval of -30,000,000 in data: stored, then passed in r8.
        f.address(DATA + 0x180).raw(&[0x48, 0xC7, 0x00, 0x80, 0x3C, 0x36, 0xFE]);
        f.raw(&[0x49, 0x89, 0xC0]).ecx(0).edx(0).call(1);
    };
    let report =
        crash("call_into_an_unloaded_driver_names_it", Irql::PASSIVE, &imports, &[&entry, &|_| {}, &sleep]);
    assert!(report.contains("STOP: 0xCE"), "{report}");
    assert!(
        report.contains("execution of") && report.contains("crash.sys, which has been unloaded"),
        "{report}"
    );
    assert!(report.contains("was unloaded while 1 of its threads ran"), "{report}");
}

#[test]
fn hang_report_names_each_waiting_thread() {
    let imports = [("ntoskrnl.exe", "KeInitializeEvent"), ("ntoskrnl.exe", "KeWaitForSingleObject")];
    let entry = |f: &mut Function| {
        f.address(DATA + 0x100).raw(RAX_TO_RCX).edx(0).r8d(0).call(0);
        // The fifth argument, a null time-out, is on the stack.
        f.address(DATA + 0x100).raw(RAX_TO_RCX).edx(0).r8d(0).raw(&[0x45, 0x31, 0xC9]);
        f.raw(&[0x48, 0xC7, 0x44, 0x24, 0x20, 0, 0, 0, 0]).call(1);
    };
    let report = crash("hang_report_names_each_waiting_thread", Irql::PASSIVE, &imports, &[&entry]);
    assert!(report.contains("STOP: 0xE2 MANUALLY_INITIATED_CRASH"), "{report}");
    assert!(report.contains("nothing has moved for 2 s") && report.contains("(boot)"), "{report}");
    assert!(report.contains("nt!KeWaitForSingleObject\n    crash+0x10"), "{report}");
}

#[test]
fn wait_for_ever_beside_periodic_timer_is_hang_under_a_schedule() {
    unsafe extern "efiapi" fn nothing(_: *mut KDPC, _: *mut c_void, _: *mut c_void, _: *mut c_void) {}
    let name = "wait_for_ever_beside_periodic_timer_is_hang_under_a_schedule";
    let report = in_child(name, |_| {
        let schedule = Schedule::seeded(1, Strategy::Bounded);
        let _machine = Machine::builder().schedule(schedule).boot();
        let timer: *mut KTIMER = Box::leak(Box::new(unsafe { MaybeUninit::zeroed().assume_init() }));
        let dpc: *mut KDPC = Box::leak(Box::new(unsafe { MaybeUninit::zeroed().assume_init() }));
        unsafe {
            KeInitializeTimer(timer);
            KeInitializeDpc(dpc, Some(nothing), ptr::null_mut());
            KeSetTimerEx(timer, -2_500_000, 250, dpc);
        }
        sched::block(None);
    });
    assert!(report.contains("STOP: 0xE2 MANUALLY_INITIATED_CRASH"), "{report}");
    assert!(report.contains("(boot) has been in one wait for 600 s"), "{report}");
}

#[test]
fn call_from_a_thread_that_is_not_attached_says_so() {
    let report = in_child("call_from_a_thread_that_is_not_attached_says_so", |_| {
        let _machine = Machine::builder().boot();
        let _ = std::thread::spawn(|| unsafe { KeGetCurrentIrql() }).join();
    });
    assert!(report.contains("see ntsim::sched::attach"), "{report}");
}

#[test]
fn threads_that_wait_for_each_other_are_found_at_once_under_a_schedule() {
    let report = in_child("threads_that_wait_for_each_other_are_found_at_once_under_a_schedule", |_| {
        for seed in 0.. {
            let schedule = Schedule::seeded(seed, Strategy::Random).traced(100);
            let machine = Machine::builder().schedule(schedule).boot();
            let locks = [0_usize; 2].map(|free| Va::of(Box::leak(Box::new(free))));
            let take = |first: Va, second: Va| {
                move || unsafe {
                    let old = KeAcquireSpinLockRaiseToDpc(first.ptr());
                    KeAcquireSpinLockAtDpcLevel(second.ptr());
                    KeReleaseSpinLockFromDpcLevel(second.ptr());
                    KeReleaseSpinLock(first.ptr(), old);
                }
            };
            sched::spawn("backwards", take(locks[1], locks[0])).unwrap();
            take(locks[0], locks[1])();
            machine.shutdown();
        }
    });
    assert!(report.contains("STOP: 0xE2 MANUALLY_INITIATED_CRASH"), "{report}");
    assert!(report.contains("(boot) waits for a spin lock that thread 5 (backwards) holds"), "{report}");
    assert!(report.contains("(backwards) waits for a spin lock"), "{report}");
    assert!(report.contains("nt!KeAcquireSpinLockAtDpcLevel"), "{report}");
    assert!(report.contains("  5 backwards "), "{report}");
}

#[test]
fn crash_at_an_atomic_that_is_a_point_is_told_at_its_own_address() {
    let report = in_child("crash_at_an_atomic_that_is_a_point_is_told_at_its_own_address", |folder| {
        // xor eax, eax; lock inc dword [rax]
        let path = write(folder, "crash.sys", &[], &[&|f| _ = f.raw(&[0x31, 0xC0, 0xF0, 0xFF, 0x00])]);
        let schedule = Schedule::seeded(0, Strategy::Random).atomics(Atomics::All);
        let machine = Machine::builder().schedule(schedule).boot();
        let driver = machine.load(path);
        drop(driver);
        machine.shutdown();
    });
    assert!(report.contains("STOP: 0x7E"), "{report}");
    // Behind a frame of four bytes and two of the first instruction; a frame's address is told one further.
    assert!(report.contains("\n    crash+0x1007\n"), "{report}");
}
