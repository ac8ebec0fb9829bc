//! The functions, called as a driver does.

use core::ffi::c_void;
use core::ptr;

use ntsim_core::address::Va;
use ntsim_core::boot::ShutdownReport;
use sys::status::*;
use sys::wdm::*;

use crate::ex::{self, ExFreePool, Faults};
use crate::se::exports::{SeAccessCheck, SeAssignSecurity, SeDeassignSecurity};
use crate::se::{Access, Descriptor, FILES, Subject};

/// The subject context of a create.
fn context(access: &Access) -> *mut SECURITY_SUBJECT_CONTEXT {
    unsafe { &raw mut (*(*access.context()).AccessState).SubjectSecurityContext }
}

fn opens(subject: &Subject) -> Access {
    Access::new(subject, GENERIC_READ, &[]).unwrap()
}

fn assign(explicit: *mut c_void, context: *mut SECURITY_SUBJECT_CONTEXT) -> Result<*mut c_void, NTSTATUS> {
    let mut made = ptr::null_mut();
    let mapping = ptr::from_ref(&FILES).cast_mut();
    let status = unsafe {
        SeAssignSecurity(ptr::null_mut(), explicit, &mut made, 0, context, mapping, POOL_TYPE::PagedPool)
    };
    if NT_SUCCESS(status) { Ok(made) } else { Err(status) }
}

fn deassign(mut descriptor: *mut c_void) {
    assert_eq!(unsafe { SeDeassignSecurity(&mut descriptor) }, STATUS_SUCCESS);
    assert!(descriptor.is_null());
}

/// Returns the answer to a driver that asks about a user's access.
fn checks(
    descriptor: *mut c_void,
    context: *mut SECURITY_SUBJECT_CONTEXT,
    desired: u32,
    mode: KPROCESSOR_MODE,
) -> (u8, u32, NTSTATUS) {
    let (mut privileges, mut granted, mut status) = (ptr::dangling_mut(), 0xAAAA, 0xBBBB);
    let mapping = ptr::from_ref(&FILES).cast_mut();
    let allowed = unsafe {
        SeAccessCheck(
            descriptor,
            context,
            0,
            desired,
            0,
            &mut privileges,
            mapping,
            mode,
            &mut granted,
            &mut status,
        )
    };
    assert!(privileges.is_null());
    (allowed, granted, status)
}

fn found(f: impl FnOnce()) -> ShutdownReport {
    let machine = crate::testing::builder().boot();
    f();
    machine.shutdown()
}

const DENIED: (u8, u32, NTSTATUS) = (0, 0, STATUS_ACCESS_DENIED);

#[test]
fn descriptor_of_one_opener_decides_the_access_of_others() {
    let report = found(|| {
        let (one, other) = (opens(&Subject::user(1001)), opens(&Subject::user(1002)));
        let made = assign(ptr::null_mut(), context(&one)).unwrap();
        let read = (1, FILE_GENERIC_READ, STATUS_SUCCESS);
        assert_eq!(checks(made, context(&one), FILE_GENERIC_READ, UserMode), read);
        assert_eq!(checks(made, context(&opens(&Subject::user(1001))), GENERIC_READ, UserMode), read);
        assert_eq!(checks(made, context(&opens(&Subject::system())), FILE_GENERIC_READ, UserMode), read);
        assert_eq!(checks(made, context(&other), FILE_GENERIC_READ, UserMode), DENIED);
        assert_eq!(checks(made, context(&other), FILE_GENERIC_READ, KernelMode), read);
        let all = (1, FILE_ALL_ACCESS, STATUS_SUCCESS);
        assert_eq!(checks(made, ptr::null_mut(), MAXIMUM_ALLOWED, KernelMode), all);
        assert_eq!(checks(ptr::null_mut(), context(&one), FILE_GENERIC_READ, UserMode), DENIED);
        deassign(made);
        deassign(ptr::null_mut());
    });
    assert!(report.is_clean(), "{report}");
}

#[test]
fn explicit_descriptor_precedes_the_subjects_default() {
    let report = found(|| {
        let subject = Subject::user(1001).default_list_of(&"D:(A;;GR;;;BU)(A;OIIO;GA;;;WD)".parse().unwrap());
        let opens = |text: &str| {
            let asked = text.parse::<Descriptor>().unwrap().to_bytes();
            Access::new(&subject, GENERIC_READ, &asked).unwrap()
        };
        let user = "S-1-5-21-1-2-3-1001";
        let group = "S-1-5-21-1-2-3-513";
        for (asked, made) in [
            ("", format!("O:{user}G:{group}D:(A;;FR;;;BU)(A;OIIO;GA;;;WD)")),
            ("G:BUD:P(A;;GX;;;WD)", format!("O:{user}G:BUD:P(A;;FX;;;WD)")),
            ("D:", format!("O:{user}G:{group}D:")),
            ("D:NO_ACCESS_CONTROL", format!("O:{user}G:{group}D:NO_ACCESS_CONTROL")),
        ] {
            let access = opens(asked);
            let asked = unsafe { (*(*access.context()).AccessState).SecurityDescriptor };
            let block = assign(asked, context(&access)).unwrap();
            let expected = made.parse::<Descriptor>().unwrap().to_bytes();
            let bytes = unsafe { core::slice::from_raw_parts(block.cast::<u8>(), expected.len()) };
            assert_eq!(bytes, expected, "{made}");
            deassign(block);
        }
    });
    assert!(report.is_clean(), "{report}");
}

#[test]
fn subject_makes_only_itself_or_its_administrators_the_owner() {
    let report = found(|| {
        let owned = |subject: &Subject, owner: &str| {
            let asked = format!("O:{owner}").parse::<Descriptor>().unwrap().to_bytes();
            let access = Access::new(subject, GENERIC_READ, &asked).unwrap();
            let asked = unsafe { (*(*access.context()).AccessState).SecurityDescriptor };
            assign(asked, context(&access)).map(deassign)
        };
        assert_eq!(owned(&Subject::user(1001), "S-1-5-21-1-2-3-1001"), Ok(()));
        assert_eq!(owned(&Subject::user(1001), "SY"), Err(STATUS_INVALID_OWNER));
        assert_eq!(owned(&Subject::user(1001), "BU"), Err(STATUS_INVALID_OWNER));
        assert_eq!(owned(&Subject::user(1001), "BA"), Err(STATUS_INVALID_OWNER));
        assert_eq!(owned(&Subject::administrator(), "BA"), Ok(()));
    });
    assert!(report.is_clean(), "{report}");
}

#[test]
fn descriptor_is_paged_pool_of_the_drivers() {
    let report = found(|| {
        let access = opens(&Subject::system());
        ex::inject(Faults::Nth(1), None);
        let made = assign(ptr::null_mut(), context(&access)).unwrap();
        assert_eq!(assign(ptr::null_mut(), context(&access)), Err(STATUS_INSUFFICIENT_RESOURCES));
        assert!(ntsim_core::pageable::contains(Va::of(made)));
    });
    assert!(report.findings.is_empty(), "{report}");
    assert_eq!((report.pool.len(), report.pool[0].tag.to_string()), (1, "SeSd".to_owned()));
}

#[test]
fn second_deassign_of_a_descriptor_is_found() {
    let report = found(|| {
        let access = opens(&Subject::system());
        let made = assign(ptr::null_mut(), context(&access)).unwrap();
        deassign(made);
        deassign(made);
        let tag = u32::from_le_bytes(*b"Test");
        deassign(unsafe { ex::ExAllocatePool2(POOL_FLAG_PAGED, 64, tag) });
    });
    assert_eq!(report.rules(), ["PoolDoubleFree", "PoolTag"]);
}

#[test]
fn invalid_descriptor_is_found() {
    let report = found(|| {
        let access = opens(&Subject::user(1001));
        let context = context(&access);
        let freed = assign(ptr::null_mut(), context).unwrap();
        deassign(freed);
        assert_eq!(checks(freed, context, 1, UserMode), DENIED);
        let none = unsafe { ex::ExAllocatePool2(POOL_FLAG_PAGED, 64, u32::from_le_bytes(*b"Test")) };
        assert_eq!(checks(none, context, 1, UserMode), DENIED);
        assert_eq!(assign(none, context), Err(STATUS_INVALID_SECURITY_DESCR));
        unsafe { ExFreePool(none) };
    });
    assert_eq!(report.rules(), ["SecurityDescriptor"; 3]);
    let text = &report.findings[1].text;
    assert!(text.ends_with("which is no security descriptor: its revision is not 1"), "{text}");
}

#[test]
fn subject_context_is_over_with_its_create() {
    let report = found(|| {
        let first = opens(&Subject::user(1001));
        let (stale, made) = (context(&first), assign(ptr::null_mut(), context(&first)).unwrap());
        drop(first);
        assert_eq!(checks(made, stale, 1, UserMode), DENIED);
        assert_eq!(assign(ptr::null_mut(), stale), Err(STATUS_INVALID_PARAMETER));
        deassign(made);
    });
    assert_eq!(report.rules(), ["SubjectContext"; 2]);
}

#[test]
fn driver_changes_of_an_access_state_only_what_it_grants() {
    let report = found(|| {
        let access = opens(&Subject::user(1001));
        let state = unsafe { &mut *(*access.context()).AccessState };
        state.PreviouslyGrantedAccess |= core::mem::take(&mut state.RemainingDesiredAccess);
    });
    assert!(report.is_clean(), "{report}");
    let report = found(|| {
        let access = opens(&Subject::user(1001));
        unsafe { (*(*access.context()).AccessState).OriginalDesiredAccess = GENERIC_ALL };
    });
    assert_eq!(report.rules(), ["AccessState"]);
}
