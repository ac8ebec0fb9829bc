//! Each rule of the I/O manager, broken once.

use ntsim_core::boot::ShutdownReport;
use ntsim_core::sched::{self, Irql};
use sys::status::{STATUS_CANCELLED, STATUS_PENDING, STATUS_SUCCESS};
use sys::wdm::{IRP_MJ_CLOSE, METHOD_BUFFERED, METHOD_IN_DIRECT, METHOD_OUT_DIRECT};

use super::driver::{CONTROL, Way, code};
use super::fixture::{Fixture, with_name};
use super::relay::relay;
use crate::io::Sending;
use crate::io::device::IoDeleteDevice;
use crate::io::dispatch::IofCallDriver;
use crate::io::file::as_thread;
use crate::io::irp::{IoAllocateIrp, IoFreeIrp, IoInitializeIrp, IoReuseIrp};
use crate::io::namespace::IoDeleteSymbolicLink;
use crate::ke::{KeInitializeTimer, KeSetTimer};

/// Rule and first parameter of each finding.
pub(super) fn found(report: &ShutdownReport) -> Vec<(&'static str, u64)> {
    let parameter = |bugcheck: ntsim_core::bugcheck::Bugcheck| bugcheck.parameters[0];
    report.findings.iter().map(|finding| (finding.rule, finding.bugcheck.map_or(0, parameter))).collect()
}

/// Returns the findings when the driver goes a way and completes the request at once.
fn completed_at_once(way: Way) -> Vec<(&'static str, u64)> {
    let fixture = Fixture::boot();
    let file = fixture.open();
    file.ioctl(code(way, METHOD_BUFFERED), b"", &mut [0; 4]);
    drop(file);
    found(&fixture.finish())
}

/// Returns the findings when the driver goes a way and the request is completed later.
fn completed_later(way: Way) -> Vec<(&'static str, u64)> {
    let fixture = Fixture::boot();
    let file = fixture.open();
    let request = file.start_ioctl(code(way, METHOD_BUFFERED), vec![], vec![]).unwrap();
    CONTROL.complete_pending(STATUS_SUCCESS);
    drop(request);
    drop(file);
    found(&fixture.finish())
}

#[test]
fn pending_without_a_mark_is_found() {
    assert_eq!(completed_later(Way::PendUnmarked), [("MarkIrpPending", 0x23D)]);
}

#[test]
fn mark_without_pending_is_found() {
    assert_eq!(completed_at_once(Way::MarkOnly), [("MarkIrpPending", 0x23E)]);
}

#[test]
fn status_other_than_the_requests_is_found() {
    assert_eq!(completed_at_once(Way::Mismatch), [("CompleteRequest", 0x224)]);
}

#[test]
fn returning_without_completing_is_found() {
    assert_eq!(completed_later(Way::Forget), [("CompleteRequest", 0x226)]);
}

#[test]
fn completing_twice_is_found() {
    let found = completed_at_once(Way::Twice);
    assert_eq!(found.iter().map(|(rule, _)| *rule).collect::<Vec<_>>(), ["DoubleCompletion"]);
}

#[test]
fn output_beyond_its_room_is_found() {
    assert_eq!(completed_at_once(Way::Overclaim), [("SuspiciousInformation", 0x312)]);
}

#[test]
fn completing_with_a_cancel_routine_is_found() {
    assert_eq!(completed_at_once(Way::CancelSet), [("IrpCancelField", 0x7)]);
}

#[test]
fn completing_as_pending_is_found() {
    assert_eq!(completed_at_once(Way::AsPending), [("CompleteRequest", 0x6)]);
}

#[test]
fn returning_minus_one_is_found() {
    assert_eq!(completed_at_once(Way::MinusOne), [("CompleteRequest", 0x225)]);
}

#[test]
fn completing_under_a_spin_lock_is_found() {
    assert_eq!(completed_at_once(Way::UnderLock), [("SpinLock", 0)]);
}

#[test]
fn returning_at_another_level_is_found() {
    assert_eq!(completed_at_once(Way::Raised), [("IrqlReturn", 0x5)]);
}

#[test]
fn deleting_a_device_with_a_timer_set_in_its_extension_is_found() {
    let fixture = Fixture::boot();
    unsafe {
        let timer = (*fixture.device()).DeviceExtension.cast();
        KeInitializeTimer(timer);
        KeSetTimer(timer, -6_000_000_000, core::ptr::null_mut());
    }
    let report = fixture.finish();
    assert_eq!(found(&report), [("DeviceLiveObject", 0)]);
    assert_eq!(report.findings[0].bugcheck.unwrap().code, 0xC7);
}

#[test]
fn driver_that_waits_lives_with_requests_that_are_forced_to_pend() {
    let fixture = Fixture::on(crate::testing::builder().force_pending(1).boot());
    let (pending, at_once): (Vec<_>, Vec<_>) =
        (0..32).map(|_| relay(fixture.device())).partition(|status| *status == STATUS_PENDING);
    assert!(pending.len() > 4 && at_once.len() > 4, "{} pended", pending.len());
    assert!(at_once.iter().all(|status| *status == STATUS_SUCCESS));
    assert_eq!(found(&fixture.finish()), []);
}

#[test]
fn driver_that_does_not_expect_its_request_to_pend_is_found_where_that_is_forced() {
    let pends = (0..).find(|seed| fastrand::Rng::with_seed(*seed).bool()).unwrap();
    let fixture = Fixture::on(crate::testing::builder().force_pending(pends).boot());
    let file = fixture.open();
    file.ioctl(code(Way::Relays, METHOD_BUFFERED), b"", &mut []);
    drop(file);
    assert_eq!(found(&fixture.finish())[0], ("CompleteRequest", 0x6));
}

#[test]
fn clients_request_that_is_forced_to_pend_comes_late_and_is_over_when_the_call_has_returned() {
    let fixture = Fixture::on(crate::testing::builder().force_pending(1).boot());
    let file = fixture.open();
    CONTROL.take_majors();
    CONTROL.take_passive();
    let ask = || Sending { minor: 0, parameters: [0; 32], data: Vec::new() };
    let requests: Vec<_> = as_thread(|| {
        let before = sched::raise(Irql::DISPATCH);
        let requests = (0..32).map(|_| file.start_internal(ask()).unwrap()).collect();
        sched::lower(before);
        requests
    });
    drop(file);
    assert!(requests.into_iter().all(|request| request.wait().0.status == STATUS_SUCCESS));
    let majors = CONTROL.take_majors();
    let count = |major| majors.iter().filter(|other| **other == major).count();
    assert_eq!([0x0F, 0x12, 0x02].map(count), [32, 1, 1]);
    // Those that pend are the work of another thread.
    let late = CONTROL.take_passive();
    assert!((4..28).contains(&late), "{late} came late");
    assert_eq!(found(&fixture.finish()), []);
}

#[test]
fn request_that_outlives_the_cleanup_is_found() {
    let fixture = Fixture::boot();
    let file = fixture.open();
    let request = file.start_ioctl(code(Way::Pend, METHOD_BUFFERED), vec![], vec![]).unwrap();
    // The program's last handle goes while its request is with the driver.
    crate::ob::close(file.raw());
    CONTROL.complete_pending(STATUS_SUCCESS);
    drop(request);
    core::mem::forget(file);
    let mut counted = None;
    let report = fixture.finish_after(|| counted = Some(crate::io::snapshot()));
    assert_eq!(found(&report)[0].0, "CleanupPostcondition");
    assert_eq!(counted.unwrap().in_flight_at_cleanup, [((0x0E, 0), 1)].into());
}

#[test]
fn request_that_is_never_freed_and_one_that_is_freed_twice_are_found() {
    let fixture = Fixture::boot();
    unsafe {
        IoAllocateIrp(1, 0);
        let irp = IoAllocateIrp(1, 0);
        IoFreeIrp(irp);
        IoFreeIrp(irp);
    }
    assert_eq!(found(&fixture.finish()), [("IoFreeIrp", 0x1), ("IrpLeak", 0)]);
}

#[test]
fn device_that_is_deleted_twice_is_found() {
    let fixture = Fixture::boot();
    let device = fixture.device();
    let report = fixture.finish_after(|| unsafe { IoDeleteDevice(device) });
    assert_eq!(found(&report), [("DeleteDevice", 0x240)]);
}

#[test]
fn device_that_is_left_at_unload_is_found() {
    let fixture = Fixture::boot();
    with_name("\\DosDevices\\Test", |link| unsafe {
        IoDeleteSymbolicLink(link);
    });
    let rules: Vec<_> = found(&fixture.abandon()).iter().map(|(rule, _)| *rule).collect();
    assert_eq!(rules, ["DeleteDevice", "ObjectLeak"]);
}

#[test]
fn cancelled_request_that_is_not_completed_is_found() {
    let fixture = Fixture::boot();
    let file = fixture.open();
    let request = file.start_ioctl(code(Way::PendDeaf, METHOD_BUFFERED), vec![], vec![]).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let _attached = ntsim_core::sched::attach("completer");
            while ntsim_core::verifier::findings().is_empty() {
                std::thread::yield_now();
            }
            CONTROL.complete_pending(STATUS_SUCCESS);
        });
        drop(request);
    });
    drop(file);
    assert_eq!(found(&fixture.finish()), [("IrpCancelTimeout", 0x135)]);
}

#[test]
fn cancel_routine_must_free_the_lock_to_the_level_before() {
    let cancelled = |way| {
        let fixture = Fixture::boot();
        let file = fixture.open();
        drop(file.start_ioctl(code(way, METHOD_BUFFERED), vec![], vec![]).unwrap());
        drop(file);
        found(&fixture.finish())
    };
    assert_eq!(cancelled(Way::KeepsLock), [("SpinLock", 0), ("CancelSpinLock", 0)]);
    let wrong_level = cancelled(Way::FreesToDispatch);
    assert!(wrong_level.contains(&("CancelSpinLockRelease", 0)), "{wrong_level:?}");
}

#[test]
fn send_of_what_is_no_request_or_to_no_device_is_found() {
    let fixture = Fixture::boot();
    unsafe {
        let irp = IoAllocateIrp(1, 0);
        IofCallDriver(0x1000 as *mut _, irp);
        IoFreeIrp(irp);
        IofCallDriver(fixture.device(), irp);
    }
    assert_eq!(found(&fixture.finish()), [("IofCallDriver", 0x4), ("IofCallDriver", 0x3)]);
}

#[test]
fn own_irp_must_be_taken_back_and_not_carry_a_cancel_routine() {
    let fixture = Fixture::boot();
    fixture.forward(None, true);
    let found = found(&fixture.finish());
    assert_eq!(found, [("IrpCancelField", 0x203), ("IrpCancelField", 0x7), ("CompleteRequest", 0x2)]);
}

#[test]
fn close_must_succeed() {
    let fixture = Fixture::boot();
    let file = fixture.open();
    CONTROL.fail_closes(STATUS_CANCELLED);
    drop(file);
    assert_eq!(found(&fixture.finish()), [("CloseStatus", 0)]);
}

#[test]
fn irp_is_initialised_or_reused_only_by_its_owner_within_its_size() {
    let fixture = Fixture::boot();
    unsafe {
        let irp = IoAllocateIrp(1, 0);
        IoReuseIrp(irp, STATUS_SUCCESS);
        IoInitializeIrp(irp, 1000, 1);
        IoFreeIrp(irp);
        IoReuseIrp(irp, STATUS_SUCCESS);
        let mut own = [0u64; 64];
        IoInitializeIrp(own.as_mut_ptr().cast(), 512, 4);
        IoInitializeIrp(own.as_mut_ptr().cast(), 512, 5);
    }
    assert_eq!(
        found(&fixture.finish()),
        [("IoInitializeIrp", 0x20D), ("IoReuseIrp", 0x20B), ("IoInitializeIrp", 0x208)]
    );
}

#[test]
fn failed_create_must_leave_no_context() {
    let fixture = Fixture::boot();
    CONTROL.fail_creates(STATUS_CANCELLED);
    CONTROL.leave_context();
    assert!(crate::io::open("\\\\.\\Test", &[]).is_err());
    assert_eq!(found(&fixture.finish()), [("FailedCreate", 0)]);
}

#[test]
fn request_must_come_back_with_its_list() {
    let fixture = Fixture::boot();
    let file = fixture.open();
    file.ioctl(code(Way::LosesList, METHOD_OUT_DIRECT), b"", &mut [0; 8]);
    drop(file);
    assert_eq!(found(&fixture.finish()), [("IrpMdlAddress", 0)]);
}

#[test]
fn buffer_to_be_read_must_not_be_written() {
    let written = |method| {
        let fixture = Fixture::boot();
        let file = fixture.open();
        file.ioctl(code(Way::Writes, method), b"", &mut [0; 8]);
        drop(file);
        found(&fixture.finish())
    };
    assert_eq!(written(METHOD_IN_DIRECT), [("ReadOnlyMdl", 0)]);
    assert_eq!(written(METHOD_OUT_DIRECT), []);
}

#[test]
fn last_reference_to_a_file_is_dropped_at_passive_level() {
    let fixture = Fixture::boot();
    let file = fixture.open();
    let object = file.object().cast();
    crate::ob::reference(object);
    drop(file);
    let old = ntsim_core::sched::raise(ntsim_core::sched::Irql::DISPATCH);
    crate::ob::dereference(object);
    ntsim_core::sched::lower(old);
    while CONTROL.majors().last() != Some(&IRP_MJ_CLOSE) {
        std::thread::yield_now();
    }
    assert_eq!(found(&fixture.finish()), [("ObDereferenceObject", 0)]);
}
