//! Access to a device, and the information that its driver gets about openers.

use core::mem::MaybeUninit;

use ntsim_core::address::Va;
use ntsim_core::boot::{Machine, ShutdownReport};
use parking_lot::Mutex;
use sys::status::*;
use sys::wdm::*;

use crate::io::generic_mapping::IoGetFileObjectGenericMapping;
use crate::io::{
    IofCompleteRequest, Made, Opener, StatusError, create_device, delete_device, driver_is_ready,
};
use crate::rtl::RtlMapGenericMask;
use crate::se::{Descriptor, Subject};

/// The parameters of a create, as the driver saw them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Seen {
    mode: KPROCESSOR_MODE,
    flags: u8,
    share: u16,
    desired: u32,
    original: u32,
    remaining: u32,
    granted: u32,
    has_context: bool,
    has_state: bool,
    descriptor: Va,
}

static SEEN: Mutex<Option<Seen>> = Mutex::new(None);

unsafe extern "efiapi" fn dispatch(_device: *mut DEVICE_OBJECT, irp: *mut IRP) -> NTSTATUS {
    unsafe {
        let location = &*(*irp).Tail.Overlay.CurrentStackLocation;
        if location.MajorFunction == IRP_MJ_CREATE {
            *SEEN.lock() = Some(seen(&*irp, location));
        }
        (*irp).IoStatus = IO_STATUS_BLOCK { Status: STATUS_SUCCESS, Information: 0 };
        IofCompleteRequest(irp, 0);
    }
    STATUS_SUCCESS
}

unsafe fn seen(irp: &IRP, location: &IO_STACK_LOCATION) -> Seen {
    let create = unsafe { location.Parameters.Create };
    let mut seen =
        Seen { mode: irp.RequestorMode, flags: location.Flags, share: create.ShareAccess, ..Seen::default() };
    if let Some(context) = unsafe { create.SecurityContext.as_ref() } {
        seen.has_context = true;
        seen.desired = context.DesiredAccess;
        if let Some(state) = unsafe { context.AccessState.as_ref() } {
            seen.has_state = true;
            seen.original = state.OriginalDesiredAccess;
            seen.remaining = state.RemainingDesiredAccess;
            seen.granted = state.PreviouslyGrantedAccess;
            seen.descriptor = Va::of(state.SecurityDescriptor);
            assert!(state.SubjectSecurityContext.ClientToken.is_null());
            assert!(!state.SubjectSecurityContext.PrimaryToken.is_null());
        }
    }
    seen
}

/// Opens a device that has this security: what its driver sees, or why it does not.
fn opens(security: &str, opener: &Opener) -> Result<Seen, StatusError> {
    let (outcome, report) = on_machine(security, |_machine, _| {
        SEEN.lock().take();
        let outcome = crate::io::open_as("\\Device\\Test", &[], opener);
        let seen = SEEN.lock().take();
        assert_eq!(outcome.is_ok(), seen.is_some(), "a driver sees only what is admitted");
        outcome.map(|_| seen.unwrap())
    });
    assert!(report.is_clean(), "{report}");
    outcome
}

fn on_machine<R>(security: &str, f: impl FnOnce(&Machine, &mut DEVICE_OBJECT) -> R) -> (R, ShutdownReport) {
    let machine = crate::testing::builder().boot();
    let mut driver: Box<DRIVER_OBJECT> = unsafe { Box::new(MaybeUninit::zeroed().assume_init()) };
    driver.MajorFunction = [Some(dispatch as PDRIVER_DISPATCH); 28];
    let made = Made {
        driver: &mut *driver,
        extension: 0,
        name: "\\Device\\Test".into(),
        kind: FILE_DEVICE_UNKNOWN,
        characteristics: 0,
        exclusive: false,
        security: security.parse().unwrap(),
    };
    let device = unsafe { create_device(made) }.unwrap();
    unsafe { driver_is_ready(&mut *driver) };
    let result = f(&machine, unsafe { &mut *device });
    delete_device(device);
    (result, machine.shutdown())
}

const READ_WRITE: u32 = 0x0010_0003;
const DENIED: StatusError = StatusError(STATUS_ACCESS_DENIED);

#[test]
fn device_admits_subjects_that_its_descriptor_admits() {
    let own = "D:P(A;;GA;;;SY)(A;;GR;;;S-1-5-21-1-2-3-1001)";
    let (system, one, other) = (Subject::system(), Subject::user(1001), Subject::user(1002));
    assert!(opens(own, &Opener::new(system)).is_ok());
    assert_eq!(opens(own, &Opener::new(one.clone())), Err(DENIED));
    assert!(opens(own, &Opener::new(one).access(GENERIC_READ)).is_ok());
    assert_eq!(opens(own, &Opener::new(other.clone()).access(GENERIC_READ)), Err(DENIED));
    assert!(opens("", &Opener::new(other)).is_ok());
}

#[test]
fn device_access_is_granted_before_the_driver_gets_the_create() {
    let opener = Opener::new(Subject::user(1001)).share(5).access(GENERIC_READ | 2);
    let asked = FILE_GENERIC_READ | 2;
    let expected = Seen {
        mode: UserMode,
        share: 5,
        desired: asked,
        original: asked,
        granted: asked,
        has_context: true,
        has_state: true,
        ..Seen::default()
    };
    assert_eq!(opens("", &opener), Ok(expected));
    let all = opens("D:(A;;FR;;;WD)(A;;0x2;;;BU)", &opener.access(MAXIMUM_ALLOWED)).unwrap();
    assert_eq!((all.original, all.remaining, all.granted), (MAXIMUM_ALLOWED, 0, asked));
}

#[test]
fn kernel_opener_is_checked_only_when_forced() {
    let nobody = "D:";
    let kernel = opens(nobody, &Opener::new(Subject::user(1001)).kernel()).unwrap();
    assert_eq!((kernel.mode, kernel.flags), (KernelMode, 0));
    assert_eq!((kernel.remaining, kernel.granted), (READ_WRITE, 0));
    let forced = Opener::new(Subject::user(1001)).forced();
    assert_eq!(opens(nobody, &forced), Err(DENIED));
    let admitted = opens("", &forced).unwrap();
    assert_eq!((admitted.mode, admitted.flags), (KernelMode, SL_FORCE_ACCESS_CHECK));
    assert_eq!((admitted.remaining, admitted.granted), (0, READ_WRITE));
}

#[test]
fn names_below_a_device_are_checked_only_where_it_says_so() {
    let below = |characteristics| {
        let (seen, report) = on_machine("D:", |_machine, device| {
            SEEN.lock().take();
            device.Characteristics = characteristics;
            let opener = Opener::new(Subject::user(1001));
            let outcome = crate::io::open_as("\\Device\\Test\\below", &[], &opener);
            outcome.map(|_| SEEN.lock().take().unwrap())
        });
        assert!(report.is_clean(), "{report}");
        seen.map(|seen| (seen.remaining, seen.granted))
    };
    assert_eq!(below(0), Ok((READ_WRITE, 0)));
    assert_eq!(below(FILE_DEVICE_SECURE_OPEN), Err(DENIED));
}

#[test]
fn create_of_another_driver_may_say_less() {
    let nobody = "D:";
    let opener = Opener::new(Subject::user(1001)).kernel();
    let stateless = opens(nobody, &opener.clone().without_access_state()).unwrap();
    assert!(stateless.has_context && !stateless.has_state);
    assert_eq!((stateless.mode, stateless.desired), (KernelMode, READ_WRITE));
    let bare = opens(nobody, &opener.without_security_context()).unwrap();
    assert!(!bare.has_context && !bare.has_state);
}

#[test]
fn descriptor_that_is_asked_for_is_in_the_access_state_until_the_create_is_over() {
    let asked: Descriptor = "D:(A;;GA;;;BU)".parse().unwrap();
    let ((), report) = on_machine("", |_machine, _| {
        let opener = Opener::new(Subject::user(1001)).descriptor(&asked);
        let file = crate::io::open_as("\\Device\\Test", &[], &opener).unwrap();
        let seen = SEEN.lock().take().unwrap();
        let start = crate::mm::Range { start: seen.descriptor, length: 1 };
        assert!(seen.descriptor != Va::NULL && !start.is_readable());
        drop(file);
    });
    assert!(report.is_clean(), "{report}");
}

#[test]
fn mapping_of_files_is_what_generic_rights_are_mapped_by() {
    let ((), report) = on_machine("", |_, _| unsafe {
        let mapping = IoGetFileObjectGenericMapping();
        for (mut mask, meaning) in
            [(GENERIC_WRITE | 1, FILE_GENERIC_WRITE | 1), (MAXIMUM_ALLOWED, MAXIMUM_ALLOWED)]
        {
            RtlMapGenericMask(&mut mask, mapping);
            assert_eq!(mask, meaning);
        }
    });
    assert!(report.is_clean(), "{report}");
}
