//! The framework against a fake driver.

mod device;

use core::ffi::c_void;
use core::mem::{MaybeUninit, size_of};
use core::ptr;
use std::sync::mpsc::{Receiver, Sender, channel};

use ntsim_core::address::Va;
use ntsim_core::boot::{Machine, ShutdownReport};
use ntsim_core::number::narrow;
use ntsim_core::sched::{self, Irql};
use parking_lot::Mutex;
use sys::status::*;
use sys::wdf::*;
use sys::wdm::*;

use super::bind::{WdfVersionBind, WdfVersionUnbind};
use super::device::WdfDeviceMiniportCreate;
use super::dpc::{WdfDpcCreate, WdfDpcEnqueue};
use super::driver::{WdfDriverCreate, WdfDriverMiniportUnload};
use super::lock::*;
use super::memory::{WdfMemoryCreate, WdfMemoryGetBuffer};
use super::object_exports::*;
use super::timer::{WdfTimerCreate, WdfTimerStart, WdfTimerStop};
use super::work_item::{WdfWorkItemCreate, WdfWorkItemEnqueue, WdfWorkItemFlush};
use crate::io::{IoCreateDevice, IoDeleteDevice, StatusError};

/// The callbacks that were called, by handle.
static CALLED: Mutex<Option<Sender<(&'static str, Va)>>> = Mutex::new(None);

unsafe extern "efiapi" fn unloads(driver: WDFDRIVER) {
    called("unload", driver);
}

fn called(what: &'static str, object: WDFOBJECT) {
    CALLED.lock().as_ref().unwrap().send((what, Va::of(object))).unwrap();
}

unsafe extern "efiapi" fn cleanup(object: WDFOBJECT) {
    called("cleanup", object);
}

unsafe extern "efiapi" fn destroy(object: WDFOBJECT) {
    called("destroy", object);
}

unsafe extern "efiapi" fn ran(object: WDFOBJECT) {
    called(if sched::irql() == Irql::DISPATCH { "at dispatch" } else { "at passive" }, object);
}

fn zeroed<T>() -> T {
    unsafe { MaybeUninit::zeroed().assume_init() }
}

/// The type of a context of 24 bytes.
fn context_type() -> WDF_OBJECT_CONTEXT_TYPE_INFO {
    WDF_OBJECT_CONTEXT_TYPE_INFO { Size: 0x28, ContextSize: 24, ..zeroed() }
}

struct Fixture {
    machine: Machine,
    driver_object: Box<DRIVER_OBJECT>,
    globals: *mut WDF_DRIVER_GLOBALS,
    table: *const WDFFUNC,
    calls: Receiver<(&'static str, Va)>,
}

impl Fixture {
    fn boot() -> Self {
        let machine = crate::testing::builder().boot();
        let (send, calls) = channel();
        *CALLED.lock() = Some(send);
        let (driver_object, globals, table) = (Box::new(zeroed()), ptr::null_mut(), ptr::null());
        let mut fixture = Self { machine, driver_object, globals, table, calls };
        assert_eq!(fixture.bind("KmdfLibrary\0", WDF_FUNCTION_COUNT_1_33), STATUS_SUCCESS);
        fixture
    }

    fn bind(&mut self, component: &str, count: u32) -> NTSTATUS {
        let component: Vec<u16> = component.encode_utf16().collect();
        let mut info = WDF_BIND_INFO {
            Size: narrow(size_of::<WDF_BIND_INFO>()),
            Component: component.as_ptr(),
            Version: WDF_VERSION { Major: 1, Minor: 33, Build: 0 },
            FuncCount: count,
            FuncTable: &raw mut self.table,
            Module: ptr::null_mut(),
        };
        unsafe { WdfVersionBind(&mut *self.driver_object, ptr::null_mut(), &mut info, &mut self.globals) }
    }

    fn create_driver(&mut self) -> WDFDRIVER {
        let config =
            WDF_DRIVER_CONFIG { Size: 0x20, DriverInitFlags: WdfDriverInitNoDispatchOverride, ..zeroed() };
        let mut driver = ptr::null_mut();
        assert_eq!(self.create_with(&config, &mut driver), STATUS_SUCCESS);
        driver
    }

    fn create_with(&mut self, config: &WDF_DRIVER_CONFIG, driver: &mut WDFDRIVER) -> NTSTATUS {
        let object: *mut DRIVER_OBJECT = &mut *self.driver_object;
        let path = UNICODE_STRING { Length: 0, MaximumLength: 0, Buffer: ptr::null_mut() };
        unsafe { WdfDriverCreate(self.globals, object, &path, ptr::null_mut(), config, driver) }
    }

    /// A general object with both callbacks.
    fn object(&self, parent: WDFOBJECT) -> WDFOBJECT {
        let mut attributes = WDF_OBJECT_ATTRIBUTES {
            Size: 0x38,
            EvtCleanupCallback: Some(cleanup),
            EvtDestroyCallback: Some(destroy),
            ParentObject: parent,
            ..zeroed()
        };
        let mut object = ptr::null_mut();
        assert_eq!(unsafe { WdfObjectCreate(self.globals, &mut attributes, &mut object) }, STATUS_SUCCESS);
        object
    }

    fn calls(&self) -> Vec<(&'static str, Va)> {
        self.calls.try_iter().collect()
    }

    fn finish(self) -> ShutdownReport {
        unsafe { WdfVersionUnbind(ptr::null_mut(), ptr::null_mut(), self.globals) };
        self.machine.shutdown()
    }
}

#[test]
fn driver_of_an_old_version_gets_a_copy_of_the_table() {
    for count in [383, 386, 387, 396, 432, 438] {
        let mut fixture = Fixture::boot();
        unsafe { WdfVersionUnbind(ptr::null_mut(), ptr::null_mut(), fixture.globals) };
        let mut table = vec![None; count + 1];
        let component: Vec<u16> = "KmdfLibrary\0".encode_utf16().collect();
        let mut info = WDF_BIND_INFO {
            Size: narrow(size_of::<WDF_BIND_INFO>()),
            Component: component.as_ptr(),
            Version: WDF_VERSION { Major: 1, Minor: 9, Build: 0 },
            FuncCount: narrow(count),
            FuncTable: table.as_mut_ptr().cast(),
            Module: ptr::null_mut(),
        };
        let driver: *mut DRIVER_OBJECT = &mut *fixture.driver_object;
        let status = unsafe { WdfVersionBind(driver, ptr::null_mut(), &mut info, &mut fixture.globals) };
        assert_eq!(status, STATUS_SUCCESS);
        let create = table[index::WdfDriverCreate]
            .map(|function: unsafe extern "efiapi" fn()| Va::of(function as *const ()));
        assert_eq!(create, Some(Va::of(WdfDriverCreate as *const ())));
        assert!(table[..count].iter().all(Option::is_some) && table[count].is_none());
        assert!(fixture.finish().is_clean());
    }
}

#[test]
fn driver_binds_to_a_version_that_there_is() {
    let mut fixture = Fixture::boot();
    assert!(unsafe { fixture.table.add(457).read() }.is_some());
    let mut other = Fixture { globals: ptr::null_mut(), table: ptr::null(), ..fixture };
    assert_eq!(other.bind("UmdfLibrary\0", 458), STATUS_REVISION_MISMATCH);
    assert_eq!(other.bind("KmdfLibrary\0", 457), STATUS_INVALID_PARAMETER);
    fixture = other;
    let rules: Vec<_> = fixture.machine.shutdown().rules();
    assert_eq!(rules, ["WdfVersionBind", "WdfVersionBind", "WdfUnbind"]);
}

#[test]
fn children_are_cleaned_up_before_their_parent_and_destroyed_with_the_last_reference() {
    let mut fixture = Fixture::boot();
    fixture.create_driver();
    let parent = fixture.object(ptr::null_mut());
    let child = fixture.object(parent);
    unsafe {
        WdfObjectReferenceActual(fixture.globals, child, ptr::null_mut(), 0, ptr::null());
        WdfObjectDelete(fixture.globals, parent);
        let (parent, child) = (Va::of(parent), Va::of(child));
        assert_eq!(fixture.calls(), [("cleanup", child), ("cleanup", parent), ("destroy", parent)]);
        WdfObjectDereferenceActual(fixture.globals, child.ptr(), ptr::null_mut(), 0, ptr::null());
        assert_eq!(fixture.calls(), [("destroy", child)]);
    }
    assert!(fixture.finish().is_clean());
}

#[test]
fn contexts_are_found_by_their_type() {
    let mut fixture = Fixture::boot();
    let driver = fixture.create_driver();
    let (first, second) = (context_type(), context_type());
    let object = fixture.object(ptr::null_mut());
    unsafe {
        assert!(WdfObjectGetTypedContextWorker(fixture.globals, object, &first).is_null());
        let mut attributes = WDF_OBJECT_ATTRIBUTES { Size: 0x38, ContextTypeInfo: &first, ..zeroed() };
        let mut context = ptr::null_mut();
        let status = WdfObjectAllocateContext(fixture.globals, object, &mut attributes, &mut context);
        assert_eq!(status, STATUS_SUCCESS);
        assert_eq!(core::slice::from_raw_parts(context.cast::<u8>(), 24), [0; 24]);
        assert_eq!(WdfObjectGetTypedContextWorker(fixture.globals, object, &first), context);
        assert!(WdfObjectGetTypedContextWorker(fixture.globals, object, &second).is_null());
        assert_eq!(WdfObjectContextGetObject(fixture.globals, context), object);
        let again = WdfObjectAllocateContext(fixture.globals, object, &mut attributes, &mut context);
        assert_eq!(again, STATUS_OBJECTID_EXISTS);
        WdfDriverMiniportUnload(fixture.globals, driver);
    }
    assert!(fixture.finish().is_clean());
}

#[test]
fn object_that_keeps_a_reference_at_unbind_is_a_leak() {
    let mut fixture = Fixture::boot();
    fixture.create_driver();
    let object = fixture.object(ptr::null_mut());
    unsafe { WdfObjectReferenceActual(fixture.globals, object, ptr::null_mut(), 0, ptr::null()) };
    assert_eq!(fixture.finish().findings[0].rule, "WdfObjectLeak");
}

#[test]
fn deleting_twice_and_dropping_the_frameworks_reference_are_found() {
    let mut fixture = Fixture::boot();
    fixture.create_driver();
    let object = fixture.object(ptr::null_mut());
    unsafe {
        WdfObjectDereferenceActual(fixture.globals, object, ptr::null_mut(), 0, ptr::null());
        WdfObjectDelete(fixture.globals, object);
        WdfObjectDelete(fixture.globals, object);
    }
    let rules = fixture.finish().rules();
    assert_eq!(rules, ["WdfReference", "WdfHandle"]);
}

#[test]
fn object_that_a_reference_keeps_is_deleted_once_all_the_same() {
    let mut fixture = Fixture::boot();
    fixture.create_driver();
    let object = fixture.object(ptr::null_mut());
    unsafe {
        WdfObjectReferenceActual(fixture.globals, object, ptr::null_mut(), 0, ptr::null());
        WdfObjectDelete(fixture.globals, object);
        WdfObjectDelete(fixture.globals, object);
        WdfObjectDereferenceActual(fixture.globals, object, ptr::null_mut(), 0, ptr::null());
    }
    let rules = fixture.finish().rules();
    assert_eq!(rules, ["WdfObjectDelete"]);
}

#[test]
fn locks_exclude_and_spin_locks_raise() {
    let mut fixture = Fixture::boot();
    fixture.create_driver();
    let (mut spin, mut wait) = (ptr::null_mut(), ptr::null_mut());
    let globals = fixture.globals;
    unsafe {
        assert_eq!(WdfSpinLockCreate(globals, ptr::null_mut(), &mut spin), STATUS_SUCCESS);
        WdfSpinLockAcquire(globals, spin);
        assert_eq!(sched::irql(), Irql::DISPATCH);
        WdfSpinLockRelease(globals, spin);
        assert_eq!(sched::irql(), Irql::PASSIVE);

        assert_eq!(WdfWaitLockCreate(globals, ptr::null_mut(), &mut wait), STATUS_SUCCESS);
        assert_eq!(WdfWaitLockAcquire(globals, wait, ptr::null()), STATUS_SUCCESS);
        let (at, lock) = (Va::of(globals), Va::of(wait));
        let try_lock = move |limit: i64| {
            let status = WdfWaitLockAcquire(at.ptr(), lock.ptr(), &limit);
            if status == STATUS_SUCCESS {
                WdfWaitLockRelease(at.ptr(), lock.ptr());
            }
            status
        };
        let (send, statuses) = channel();
        sched::spawn("other", move || {
            send.send(try_lock(0)).unwrap();
            send.send(try_lock(-10_000)).unwrap();
            send.send(try_lock(-600_000_000)).unwrap();
        })
        .unwrap();
        assert_eq!((statuses.recv(), statuses.recv()), (Ok(STATUS_TIMEOUT), Ok(STATUS_TIMEOUT)));
        WdfWaitLockRelease(globals, wait);
        assert_eq!(statuses.recv(), Ok(STATUS_SUCCESS));
    }
    assert!(fixture.finish().is_clean());
}

#[test]
fn locks_that_are_not_held_and_waits_at_dispatch_are_found() {
    let mut fixture = Fixture::boot();
    fixture.create_driver();
    let mut wait = ptr::null_mut();
    unsafe {
        WdfWaitLockCreate(fixture.globals, ptr::null_mut(), &mut wait);
        WdfWaitLockRelease(fixture.globals, wait);
        let old = sched::raise(Irql::DISPATCH);
        WdfWaitLockAcquire(fixture.globals, wait, ptr::null());
        WdfWaitLockRelease(fixture.globals, wait);
        sched::lower(old);
        WdfSpinLockRelease(fixture.globals, wait);
    }
    let rules = fixture.finish().rules();
    assert_eq!(rules, ["WdfWaitLock", "WdfWaitLock", "Irql", "WdfHandle"]);
}

#[test]
fn work_items_run_at_passive_level_and_deferred_calls_at_dispatch_level() {
    let mut fixture = Fixture::boot();
    let driver = fixture.create_driver();
    let mut attributes = WDF_OBJECT_ATTRIBUTES { Size: 0x38, ParentObject: driver, ..zeroed() };
    let (mut work, mut dpc, mut timer) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
    let globals = fixture.globals;
    unsafe {
        let config = WDF_WORKITEM_CONFIG { Size: 0x18, EvtWorkItemFunc: Some(ran), ..zeroed() };
        assert_eq!(WdfWorkItemCreate(globals, &config, &mut attributes, &mut work), STATUS_SUCCESS);
        WdfWorkItemEnqueue(globals, work);
        WdfWorkItemFlush(globals, work);
        assert_eq!(fixture.calls(), [("at passive", Va::of(work))]);

        let config = WDF_DPC_CONFIG { Size: 0x18, EvtDpcFunc: Some(ran), ..zeroed() };
        assert_eq!(WdfDpcCreate(globals, &config, &mut attributes, &mut dpc), STATUS_SUCCESS);
        assert_eq!(WdfDpcEnqueue(globals, dpc), 1);
        assert_eq!(fixture.calls.recv().unwrap(), ("at dispatch", Va::of(dpc)));

        let config = WDF_TIMER_CONFIG { Size: 0x28, EvtTimerFunc: Some(ran), ..zeroed() };
        assert_eq!(WdfTimerCreate(globals, &config, &mut attributes, &mut timer), STATUS_SUCCESS);
        assert_eq!(WdfTimerStart(globals, timer, -10_000), 0);
        assert_eq!(fixture.calls.recv().unwrap(), ("at dispatch", Va::of(timer)));
        assert_eq!(WdfTimerStart(globals, timer, -600_000_000), 0);
        assert_eq!(WdfTimerStop(globals, timer, 1), 1);
    }
    assert!(fixture.finish().is_clean());
}

#[test]
fn buffer_has_its_size_and_goes_with_its_object() {
    let mut fixture = Fixture::boot();
    fixture.create_driver();
    let (mut memory, mut buffer, mut size) = (ptr::null_mut(), ptr::null_mut::<c_void>(), 0);
    unsafe {
        let pool = POOL_TYPE::NonPagedPoolNx;
        let none = ptr::null_mut();
        let status = WdfMemoryCreate(fixture.globals, none, pool, 0, 100, &mut memory, &mut buffer);
        assert_eq!(status, STATUS_SUCCESS);
        assert_eq!(WdfMemoryGetBuffer(fixture.globals, memory, &mut size), buffer);
        assert_eq!(size, 100);
        WdfObjectDelete(fixture.globals, memory);
        assert!(WdfMemoryGetBuffer(fixture.globals, memory, &mut size).is_null());
    }
    assert_eq!(fixture.finish().findings[0].rule, "WdfHandle");
}

#[test]
fn driver_uses_what_is_its_own() {
    let mut fixture = Fixture::boot();
    let driver = fixture.create_driver();
    let object = fixture.object(ptr::null_mut());
    let none: *mut c_void = ptr::null_mut();
    let (mut out, mut attributes) = (ptr::null_mut(), WDF_OBJECT_ATTRIBUTES { Size: 0x38, ..zeroed() });
    unsafe {
        let config = WDF_DRIVER_CONFIG { Size: 0x20, DriverInitFlags: 2, ..zeroed() };
        assert_eq!(fixture.create_with(&config, &mut out), STATUS_DRIVER_INTERNAL_ERROR);
        WdfDriverMiniportUnload(fixture.globals, object);
        let status = WdfDeviceMiniportCreate(
            fixture.globals,
            driver,
            none.cast(),
            none.cast(),
            none.cast(),
            none.cast(),
            &mut out,
        );
        assert_eq!(status, STATUS_INVALID_PARAMETER);
        let config = WDF_TIMER_CONFIG { Size: 0x28, EvtTimerFunc: Some(ran), ..zeroed() };
        WdfTimerCreate(fixture.globals, &config, &mut attributes, &mut out);
        assert_eq!(WdfObjectCreate(0x1000 as *mut _, &mut attributes, &mut out), STATUS_INVALID_PARAMETER);
    }
    let rules = fixture.finish().rules();
    assert_eq!(
        rules,
        [
            "WdfDriverCreate",
            "WdfDriverMiniportUnload",
            "WdfDeviceMiniportCreate",
            "WdfTimerCreate",
            "WdfDriverGlobals"
        ]
    );
}

/// Creates a driver with these flags and an `EvtDriverUnload`, and calls what is in `DriverUnload` then; what
/// was called.
fn unloaded(flags: u32) -> Vec<&'static str> {
    let mut fixture = Fixture::boot();
    let config =
        WDF_DRIVER_CONFIG { Size: 0x20, EvtDriverUnload: Some(unloads), DriverInitFlags: flags, ..zeroed() };
    let mut driver = ptr::null_mut();
    assert_eq!(fixture.create_with(&config, &mut driver), STATUS_SUCCESS);
    assert_eq!(unsafe { (*fixture.globals).DisplaceDriverUnload }, 1);
    if let Some(unload) = fixture.driver_object.DriverUnload {
        unsafe { unload(&mut *fixture.driver_object) };
        assert!(unsafe { (*fixture.globals).Driver }.is_null());
    }
    let calls = fixture.calls().into_iter().map(|(what, _)| what).collect();
    assert!(fixture.finish().is_clean());
    calls
}

#[test]
fn evt_driver_unload_without_dispatch_override_is_never_called() {
    assert_eq!(unloaded(WdfDriverInitNonPnpDriver), ["unload"]);
    assert_eq!(unloaded(WdfDriverInitNonPnpDriver | WdfDriverInitNoDispatchOverride), [""; 0]);
}

unsafe extern "efiapi" fn adds(_driver: WDFDRIVER, _init: *mut WDFDEVICE_INIT) -> NTSTATUS {
    STATUS_SUCCESS
}

#[test]
fn driver_configurations_are_refused_with_the_frameworks_statuses() {
    let mut fixture = Fixture::boot();
    let right = || WDF_DRIVER_CONFIG { Size: 0x20, DriverInitFlags: WdfDriverInitNonPnpDriver, ..zeroed() };
    let refused = [
        (WDF_DRIVER_CONFIG { Size: 0x18, ..right() }, STATUS_INFO_LENGTH_MISMATCH),
        (WDF_DRIVER_CONFIG { DriverInitFlags: 8, ..right() }, STATUS_INVALID_PARAMETER),
        (WDF_DRIVER_CONFIG { EvtDriverDeviceAdd: Some(adds), ..right() }, STATUS_INVALID_PARAMETER),
    ];
    let mut driver = ptr::null_mut();
    for (config, status) in &refused {
        assert_eq!(fixture.create_with(config, &mut driver), *status);
    }
    assert_eq!(fixture.finish().rules(), ["WdfDriverCreate"; 3]);
}

#[test]
fn overridden_dispatch_is_for_devices_of_the_framework() {
    let mut fixture = Fixture::boot();
    let config = WDF_DRIVER_CONFIG { Size: 0x20, DriverInitFlags: WdfDriverInitNonPnpDriver, ..zeroed() };
    let mut driver = ptr::null_mut();
    assert_eq!(fixture.create_with(&config, &mut driver), STATUS_SUCCESS);
    let table = &fixture.driver_object.MajorFunction;
    assert!(table.iter().all(Option::is_some));
    assert!(fixture.driver_object.DriverUnload.is_none());
    let mut name: Vec<u16> = "\\Device\\Own".encode_utf16().collect();
    let bytes = narrow(name.len() * 2);
    let name = UNICODE_STRING { Length: bytes, MaximumLength: bytes, Buffer: name.as_mut_ptr() };
    let mut device = ptr::null_mut();
    unsafe {
        assert_eq!(
            IoCreateDevice(&mut *fixture.driver_object, 0, &name, 0x22, 0, 0, &mut device),
            STATUS_SUCCESS
        );
        (*device).Flags &= !DO_DEVICE_INITIALIZING;
    }
    let opened = crate::io::open("\\Device\\Own", &[]).map(|_| ());
    assert_eq!(opened, Err(StatusError(STATUS_INVALID_DEVICE_REQUEST)));
    unsafe { IoDeleteDevice(device) };
    assert_eq!(fixture.finish().rules(), ["WdfDispatch"]);
}
