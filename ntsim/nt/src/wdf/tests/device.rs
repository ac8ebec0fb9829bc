//! Devices, queues and requests against a fake driver.

use core::ffi::c_void;
use core::ptr;

use ntsim_core::address::Va;
use ntsim_core::boot::{Machine, ShutdownReport};
use parking_lot::Mutex;
use sys::status::*;
use sys::wdf::*;
use sys::wdm::*;

use super::super::bind::{WdfVersionBind, WdfVersionUnbind};
use super::super::create::{WdfControlFinishInitializing, WdfDeviceCreate};
use super::super::driver::WdfDriverCreate;
use super::super::init::*;
use super::super::names_of_device::*;
use super::super::object_exports::WdfObjectDelete;
use super::super::queue_exports::*;
use super::super::request_buffers::*;
use super::super::request_exports::*;
use super::zeroed;
use crate::io::{self, File, PnpDevice};

/// Buffered control codes: answer at once with the input reversed, keep, keep and mark cancelable, complete twice,
/// forward to the manual queue, complete while marked cancelable, unmark what is not marked.
const ECHO: u32 = 0x22_2000;
const KEEP: u32 = 0x22_2004;
const CANCELABLE: u32 = 0x22_2008;
const TWICE: u32 = 0x22_200C;
const FORWARD: u32 = 0x22_2010;
const TOO_EARLY: u32 = 0x22_2014;
const UNMARK: u32 = 0x22_2018;

/// The state of the fake driver.
struct Driver {
    globals: *mut WDF_DRIVER_GLOBALS,
    said: Vec<String>,
    kept: Vec<Va>,
    manual: Va,
}

unsafe impl Send for Driver {}

static DRIVER: Mutex<Option<Driver>> = Mutex::new(None);

fn driver<R>(f: impl FnOnce(&mut Driver) -> R) -> R {
    f(DRIVER.lock().as_mut().unwrap())
}

fn globals() -> *mut WDF_DRIVER_GLOBALS {
    driver(|driver| driver.globals)
}

fn say(what: &str) {
    driver(|driver| driver.said.push(what.into()));
}

fn said() -> Vec<String> {
    driver(|driver| core::mem::take(&mut driver.said))
}

/// The last request that the driver has kept.
fn kept() -> WDFREQUEST {
    driver(|driver| driver.kept.pop()).unwrap().ptr()
}

unsafe extern "efiapi" fn control(_: WDFQUEUE, request: WDFREQUEST, output: usize, input: usize, code: u32) {
    let globals = globals();
    unsafe {
        match code {
            ECHO => {
                let (mut from, mut to) = (ptr::null_mut(), ptr::null_mut());
                let status = WdfRequestRetrieveInputBuffer(globals, request, 1, &mut from, ptr::null_mut());
                if status < 0 {
                    return WdfRequestComplete(globals, request, status);
                }
                let status =
                    WdfRequestRetrieveOutputBuffer(globals, request, input, &mut to, ptr::null_mut());
                if status < 0 {
                    return WdfRequestComplete(globals, request, status);
                }
                core::slice::from_raw_parts_mut(to.cast::<u8>(), input.min(output)).reverse();
                WdfRequestCompleteWithInformation(globals, request, STATUS_SUCCESS, input);
            }
            CANCELABLE | TOO_EARLY => {
                WdfRequestMarkCancelable(globals, request, Some(cancelled));
                if code == TOO_EARLY {
                    WdfRequestComplete(globals, request, STATUS_SUCCESS);
                } else {
                    driver(|driver| driver.kept.push(Va::of(request)));
                }
            }
            TWICE => {
                WdfRequestComplete(globals, request, STATUS_SUCCESS);
                WdfRequestComplete(globals, request, STATUS_SUCCESS);
            }
            UNMARK => {
                let status = WdfRequestUnmarkCancelable(globals, request);
                WdfRequestComplete(globals, request, status);
            }
            FORWARD => {
                let manual = driver(|driver| driver.manual);
                assert_eq!(WdfRequestForwardToIoQueue(globals, request, manual.ptr()), STATUS_SUCCESS);
            }
            _ => driver(|driver| driver.kept.push(Va::of(request))),
        }
    }
    say("control");
}

unsafe extern "efiapi" fn cancelled(request: WDFREQUEST) {
    say("cancelled");
    unsafe { WdfRequestComplete(globals(), request, STATUS_CANCELLED) };
}

unsafe extern "efiapi" fn cancelled_in_queue(_: WDFQUEUE, request: WDFREQUEST) {
    say("cancelled in the queue");
    unsafe { WdfRequestComplete(globals(), request, STATUS_CANCELLED) };
}

unsafe extern "efiapi" fn add(_: WDFDRIVER, mut init: *mut WDFDEVICE_INIT) -> NTSTATUS {
    let mut life = WDF_PNPPOWER_EVENT_CALLBACKS { Size: 0x90, ..zeroed() };
    unsafe extern "efiapi" fn prepare(_: WDFDEVICE, _: WDFOBJECT, _: WDFOBJECT) -> NTSTATUS {
        say("prepare");
        STATUS_SUCCESS
    }
    unsafe extern "efiapi" fn release(_: WDFDEVICE, _: WDFOBJECT) -> NTSTATUS {
        say("release");
        STATUS_SUCCESS
    }
    unsafe extern "efiapi" fn entry(_: WDFDEVICE, _: WDF_POWER_DEVICE_STATE) -> NTSTATUS {
        say("entry");
        STATUS_SUCCESS
    }
    unsafe extern "efiapi" fn exit(_: WDFDEVICE, _: WDF_POWER_DEVICE_STATE) -> NTSTATUS {
        say("exit");
        STATUS_SUCCESS
    }
    unsafe extern "efiapi" fn surprise(_: WDFDEVICE) {
        say("surprise");
    }
    life.EvtDevicePrepareHardware = Some(prepare);
    life.EvtDeviceReleaseHardware = Some(release);
    life.EvtDeviceD0Entry = Some(entry);
    life.EvtDeviceD0Exit = Some(exit);
    life.EvtDeviceSurpriseRemoval = Some(surprise);
    let mut device = ptr::null_mut();
    unsafe {
        WdfDeviceInitSetPnpPowerEventCallbacks(globals(), init, &mut life);
        assert_eq!(WdfDeviceCreate(globals(), &mut init, ptr::null_mut(), &mut device), STATUS_SUCCESS);
        assert!(init.is_null());
        let status = WdfDeviceCreateDeviceInterface(globals(), device, &CLASS, ptr::null());
        assert_eq!(status, STATUS_SUCCESS);
        queue(device, WDF_IO_QUEUE_DISPATCH_TYPE::WdfIoQueueDispatchParallel, true);
    }
    say("add");
    STATUS_SUCCESS
}

const CLASS: GUID = GUID { Data1: 9, Data2: 1, Data3: 2, Data4: [3; 8] };

fn queue(device: WDFDEVICE, order: WDF_IO_QUEUE_DISPATCH_TYPE, default: bool) -> WDFQUEUE {
    let mut config = WDF_IO_QUEUE_CONFIG {
        Size: 0x60,
        DispatchType: order,
        PowerManaged: WDF_TRI_STATE::WdfUseDefault,
        DefaultQueue: u8::from(default),
        EvtIoCanceledOnQueue: Some(cancelled_in_queue),
        ..zeroed()
    };
    if order != WDF_IO_QUEUE_DISPATCH_TYPE::WdfIoQueueDispatchManual {
        config.EvtIoDeviceControl = Some(control);
    }
    let mut queue = ptr::null_mut();
    let status = unsafe { WdfIoQueueCreate(globals(), device, &mut config, ptr::null_mut(), &mut queue) };
    assert_eq!(status, STATUS_SUCCESS);
    queue
}

struct Fixture {
    machine: Machine,
    object: Box<DRIVER_OBJECT>,
    _extension: Box<DRIVER_EXTENSION>,
}

impl Fixture {
    /// A driver of plug and play, or one without.
    fn boot(is_pnp: bool) -> Self {
        let machine = crate::testing::builder().boot();
        let (mut object, mut extension) = (Box::new(zeroed::<DRIVER_OBJECT>()), Box::new(zeroed()));
        object.DriverExtension = &mut *extension;
        let component: Vec<u16> = "KmdfLibrary\0".encode_utf16().collect();
        let mut table: *const WDFFUNC = ptr::null();
        let mut info = WDF_BIND_INFO {
            Size: 0x30,
            Component: component.as_ptr(),
            Version: WDF_VERSION { Major: 1, Minor: 33, Build: 0 },
            FuncCount: WDF_FUNCTION_COUNT_1_33,
            FuncTable: &raw mut table,
            Module: ptr::null_mut(),
        };
        let mut globals = ptr::null_mut();
        let path = UNICODE_STRING { Length: 0, MaximumLength: 0, Buffer: ptr::null_mut() };
        let config = WDF_DRIVER_CONFIG {
            Size: 0x20,
            DriverInitFlags: if is_pnp { 0 } else { WdfDriverInitNonPnpDriver },
            EvtDriverDeviceAdd: is_pnp.then_some(add as PFN_WDF_DRIVER_DEVICE_ADD),
            ..zeroed()
        };
        let mut driver = ptr::null_mut();
        unsafe {
            let status = WdfVersionBind(&mut *object, ptr::null_mut(), &mut info, &mut globals);
            assert_eq!(status, STATUS_SUCCESS);
            *DRIVER.lock() = Some(Driver { globals, said: Vec::new(), kept: Vec::new(), manual: Va::NULL });
            let status = WdfDriverCreate(globals, &mut *object, &path, ptr::null_mut(), &config, &mut driver);
            assert_eq!(status, STATUS_SUCCESS);
        }
        Self { machine, object, _extension: extension }
    }

    /// A control device with a queue of this order; opened.
    fn control(&self, order: WDF_IO_QUEUE_DISPATCH_TYPE) -> (WDFDEVICE, File) {
        let globals = globals();
        let mut device = ptr::null_mut();
        let mut text: Vec<u16> = r"\Device\Wdf".encode_utf16().collect();
        let mut sddl: Vec<u16> = "D:P(A;;GA;;;SY)(A;;GA;;;BA)".encode_utf16().collect();
        unsafe {
            let handle = (*globals).Driver;
            let mut init = WdfControlDeviceInitAllocate(globals, handle, &string(&mut sddl));
            assert_eq!(WdfDeviceInitAssignName(globals, init, &string(&mut text)), STATUS_SUCCESS);
            assert_eq!(WdfDeviceCreate(globals, &mut init, ptr::null_mut(), &mut device), STATUS_SUCCESS);
            queue(device, order, true);
            let manual = queue(device, WDF_IO_QUEUE_DISPATCH_TYPE::WdfIoQueueDispatchManual, false);
            driver(|driver| driver.manual = Va::of(manual));
            assert!(io::open(r"\Device\Wdf", &[]).is_err());
            WdfControlFinishInitializing(globals, device);
        }
        (device, io::open(r"\Device\Wdf", &[]).unwrap())
    }

    fn finish(self) -> ShutdownReport {
        unsafe { WdfVersionUnbind(ptr::null_mut(), ptr::null_mut(), globals()) };
        let Self { machine, object, .. } = self;
        let report = machine.shutdown();
        drop(object);
        report
    }
}

fn string(units: &mut [u16]) -> UNICODE_STRING {
    let size = u16::try_from(units.len() * 2).unwrap();
    UNICODE_STRING { Length: size, MaximumLength: size, Buffer: units.as_mut_ptr() }
}

#[test]
fn control_device_is_opened_when_it_is_finished_and_answers() {
    let fixture = Fixture::boot(false);
    let (device, file) = fixture.control(WDF_IO_QUEUE_DISPATCH_TYPE::WdfIoQueueDispatchSequential);
    let mut output = [0; 3];
    let outcome = file.ioctl(ECHO, b"abc", &mut output);
    assert_eq!((outcome.status, outcome.information, &output), (STATUS_SUCCESS, 3, b"cba"));
    assert_eq!(file.ioctl(ECHO, b"abc", &mut [0; 2]).status, STATUS_BUFFER_TOO_SMALL);
    assert_eq!(file.ioctl(ECHO, &[], &mut []).status, STATUS_BUFFER_TOO_SMALL);
    assert_eq!(file.read(0, &mut [0; 4]).status, STATUS_INVALID_DEVICE_REQUEST);
    drop(file);
    unsafe { WdfObjectDelete(globals(), device) };
    let report = fixture.finish();
    assert!(report.is_clean(), "{report}");
}

#[test]
fn sequential_queue_hands_over_one_request_and_a_parallel_one_all() {
    for (order, count) in [
        (WDF_IO_QUEUE_DISPATCH_TYPE::WdfIoQueueDispatchSequential, 1),
        (WDF_IO_QUEUE_DISPATCH_TYPE::WdfIoQueueDispatchParallel, 3),
    ] {
        let fixture = Fixture::boot(false);
        let (_, file) = fixture.control(order);
        let requests: Vec<_> = (0..3).map(|_| file.start_ioctl(KEEP, vec![1], Vec::new()).unwrap()).collect();
        assert_eq!(said().len(), count);
        (0..3).for_each(|_| unsafe { WdfRequestComplete(globals(), kept(), STATUS_SUCCESS) });
        requests.into_iter().for_each(|request| assert_eq!(request.wait().0.status, STATUS_SUCCESS));
        drop(file);
        let report = fixture.finish();
        assert!(report.is_clean(), "{report}");
    }
}

#[test]
fn manual_queue_keeps_requests_until_they_are_retrieved_or_cancelled() {
    let fixture = Fixture::boot(false);
    let (_, file) = fixture.control(WDF_IO_QUEUE_DISPATCH_TYPE::WdfIoQueueDispatchParallel);
    let first = file.start_ioctl(FORWARD, vec![1], Vec::new()).unwrap();
    let second = file.start_ioctl(FORWARD, vec![1], Vec::new()).unwrap();
    said();
    first.cancel();
    assert_eq!(first.wait().0.status, STATUS_CANCELLED);
    assert_eq!(said(), ["cancelled in the queue"]);
    let manual = driver(|driver| driver.manual).ptr();
    let mut next = ptr::null_mut();
    unsafe {
        assert_eq!(WdfIoQueueRetrieveNextRequest(globals(), manual, &mut next), STATUS_SUCCESS);
        WdfRequestComplete(globals(), next, STATUS_SUCCESS);
        assert_eq!(WdfIoQueueRetrieveNextRequest(globals(), manual, &mut next), STATUS_NO_MORE_ENTRIES);
    }
    assert_eq!(second.wait().0.status, STATUS_SUCCESS);
    drop(file);
    let report = fixture.finish();
    assert!(report.is_clean(), "{report}");
}

#[test]
fn request_that_is_marked_cancelable_is_cancelled_by_its_sender_and_with_its_file() {
    let fixture = Fixture::boot(false);
    let (_, file) = fixture.control(WDF_IO_QUEUE_DISPATCH_TYPE::WdfIoQueueDispatchParallel);
    let request = file.start_ioctl(CANCELABLE, vec![1], Vec::new()).unwrap();
    request.cancel();
    assert_eq!(
        (request.wait().0.status, &*said()),
        (STATUS_CANCELLED, &["control".into(), "cancelled".into()][..])
    );
    drop(file);
    let report = fixture.finish();
    assert!(report.is_clean(), "{report}");
}

#[test]
fn misuse_of_requests_is_found() {
    let fixture = Fixture::boot(false);
    let (_, file) = fixture.control(WDF_IO_QUEUE_DISPATCH_TYPE::WdfIoQueueDispatchParallel);
    assert_eq!(file.ioctl(TWICE, &[1], &mut []).status, STATUS_SUCCESS);
    assert_eq!(file.ioctl(TOO_EARLY, &[1], &mut []).status, STATUS_SUCCESS);
    assert_eq!(file.ioctl(UNMARK, &[1], &mut []).status, STATUS_INVALID_DEVICE_REQUEST);
    drop(file);
    let report = fixture.finish();
    let rules: Vec<_> = report.findings.iter().map(|finding| finding.rule).collect();
    assert_eq!(rules, ["WdfHandle", "WdfRequestComplete", "WdfRequest"], "{report}");
}

#[test]
fn misuse_of_devices_and_queues_is_found() {
    let fixture = Fixture::boot(false);
    let (device, file) = fixture.control(WDF_IO_QUEUE_DISPATCH_TYPE::WdfIoQueueDispatchParallel);
    let mut config = WDF_IO_QUEUE_CONFIG {
        Size: 0x60,
        DispatchType: WDF_IO_QUEUE_DISPATCH_TYPE::WdfIoQueueDispatchParallel,
        ..zeroed()
    };
    let create = |config: &mut WDF_IO_QUEUE_CONFIG| unsafe {
        WdfIoQueueCreate(globals(), device, config, ptr::null_mut(), ptr::null_mut())
    };
    assert_eq!(create(&mut config), STATUS_WDF_NO_CALLBACK);
    config.EvtIoDeviceControl = Some(control);
    config.DefaultQueue = 1;
    assert_eq!(create(&mut config), STATUS_UNSUCCESSFUL);
    config.Size = 8;
    assert_eq!(create(&mut config), STATUS_INFO_LENGTH_MISMATCH);
    unsafe {
        let status = WdfDeviceCreateDeviceInterface(globals(), device, &CLASS, ptr::null());
        assert_eq!(status, STATUS_INVALID_DEVICE_REQUEST);
        WdfDeviceInitFree(globals(), 0x1234 as *mut c_void);
    }
    drop(file);
    let report = fixture.finish();
    let rules: Vec<_> = report.findings.iter().map(|finding| finding.rule).collect();
    let expected = ["WdfIoQueue", "WdfIoQueue", "WdfIoQueue", "WdfDevice", "WdfDeviceInit"];
    assert_eq!(rules, expected, "{report}");
}

#[test]
fn plug_and_play_device_lives_through_its_callbacks_in_order() {
    let mut fixture = Fixture::boot(true);
    let object: *mut DRIVER_OBJECT = &mut *fixture.object;
    let mut device = unsafe { PnpDevice::add(object) }.unwrap();
    assert_eq!(said(), ["add"]);
    device.start().unwrap();
    assert_eq!(said(), ["prepare", "entry"]);
    let names = io::device_interfaces(&CLASS);
    let file = io::open(&names[0], &[]).unwrap();
    assert_eq!(file.ioctl(ECHO, b"ab", &mut [0; 2]).status, STATUS_SUCCESS);
    drop(file);
    said();
    device.remove().unwrap();
    assert_eq!(said(), ["exit", "release"]);
    assert!(io::device_interfaces(&CLASS).is_empty());
    let mut device = unsafe { PnpDevice::add(object) }.unwrap();
    device.start().unwrap();
    said();
    device.surprise_remove();
    assert_eq!(said(), ["surprise", "exit", "release"]);
    let report = fixture.finish();
    assert!(report.is_clean(), "{report}");
}
