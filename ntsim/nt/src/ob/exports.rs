//! References and handles as drivers use them.

use core::ffi::c_void;
use core::ptr;

use ntsim_core::address::Va;
use ntsim_core::bugcheck::Bugcheck;
use ntsim_core::exports;
use ntsim_core::verifier::{self, Finding};
use sys::status::{
    NTSTATUS, STATUS_INVALID_HANDLE, STATUS_INVALID_PARAMETER, STATUS_OBJECT_TYPE_MISMATCH, STATUS_SUCCESS,
};
use sys::wdm::{
    ACCESS_MASK, HANDLE, KPROCESSOR_MODE, KernelMode, OBJ_KERNEL_HANDLE, POBJECT_TYPE, signature,
};

use crate::ob;

exports! {
    "ntoskrnl.exe", signature;

    /// The object behind a handle, with a reference that the caller drops. A type is that of the object:
    /// <https://learn.microsoft.com/windows-hardware/drivers/ddi/wdm/nf-wdm-obreferenceobjectbyhandle>. A handle of a
    /// program's is taken with a type:
    /// <https://learn.microsoft.com/windows-hardware/drivers/kernel/failure-to-validate-object-handles>.
    #[irql(PASSIVE..=PASSIVE)]
    fn ObReferenceObjectByHandle(
        handle: HANDLE,
        _access: ACCESS_MASK,
        kind: POBJECT_TYPE,
        mode: KPROCESSOR_MODE,
        object: *mut *mut c_void,
        _information: *mut c_void,
    ) -> NTSTATUS {
        if kind.is_null() && mode != KernelMode {
            verifier::report(Finding::new("ObjectHandleType").text(format!(
                "ObReferenceObjectByHandle got the handle {handle:p} of a program, and no type to verify it against"
            )));
        }
        let Some(found) = ob::by_handle(handle.addr()) else {
            // A program may pass anything as a handle; a driver that vouches for one must not.
            if mode != KernelMode {
                return STATUS_INVALID_HANDLE;
            }
            wrong("ObReferenceObjectByHandle", [0x3C, Va::of(handle).bits(), 0, 0], "got a handle that is not open");
            return STATUS_INVALID_HANDLE;
        };
        let found_kind = ob::kind(found).map_or(ptr::null(), ptr::from_ref);
        if !kind.is_null() && kind.cast_const().cast() != found_kind {
            return STATUS_OBJECT_TYPE_MISMATCH;
        }
        ob::reference(found);
        // SAFETY: the driver passes room for the pointer.
        unsafe { object.write(found) };
        STATUS_SUCCESS
    }

    /// A handle to an object, whose type is not looked at: drivers may leave it out in kernel mode.
    #[irql(PASSIVE..=PASSIVE)]
    fn ObOpenObjectByPointer(
        object: *mut c_void,
        attributes: u32,
        _state: *mut c_void,
        _access: ACCESS_MASK,
        _kind: POBJECT_TYPE,
        _mode: KPROCESSOR_MODE,
        out: *mut HANDLE,
    ) -> NTSTATUS {
        if attributes & OBJ_KERNEL_HANDLE == 0 {
            // A program in whose context the driver runs could use or close it meanwhile.
            let parameters = [0x3C, Va::of(object).bits(), 0, 0];
            wrong("ObOpenObjectByPointer", parameters, "makes a handle that programs can use");
        }
        let Some(handle) = ob::open(object) else {
            let parameters = [0x3F, Va::of(object).bits(), 1, 0];
            wrong("ObOpenObjectByPointer", parameters, "got an object without references");
            return STATUS_INVALID_PARAMETER;
        };
        // SAFETY: the driver passes room for the handle.
        unsafe { out.write(handle as HANDLE) };
        STATUS_SUCCESS
    }

    /// Adds a reference; returns how many there are.
    #[irql(PASSIVE..=DISPATCH)]
    fn ObfReferenceObject(object: *mut c_void) -> isize {
        ob::reference(object).unwrap_or_else(|| {
            wrong("ObfReferenceObject", [0x3F, Va::of(object).bits(), 1, 0], "got an object without references");
            0
        })
    }

    /// Drops a reference; returns how many are left.
    #[irql(PASSIVE..=DISPATCH)]
    fn ObfDereferenceObject(object: *mut c_void) -> isize {
        ob::dereference(object).unwrap_or_else(|| {
            wrong(
                "ObfDereferenceObject",
                [0x3F, Va::of(object).bits(), u64::MAX, 0],
                "got an object without references",
            );
            0
        })
    }

    /// Closes a handle.
    #[irql(PASSIVE..=PASSIVE)]
    fn ZwClose(handle: HANDLE) -> NTSTATUS {
        if ob::close(handle.addr()) {
            return STATUS_SUCCESS;
        }
        wrong("ZwClose", [0x3C, Va::of(handle).bits(), 0, 0], "got a handle that is not open");
        STATUS_INVALID_HANDLE
    }
}

/// Bug check 0xC4, codes 0x3C (bad handle) and 0x3F (bad reference).
#[cold]
fn wrong(function: &'static str, parameters: [u64; 4], what: &str) {
    verifier::report(
        Finding::new("ObjectReference")
            .bugcheck(Bugcheck { code: 0xC4, parameters })
            .text(format!("{function} {what}: {:#x}", parameters[1])),
    );
}

#[cfg(test)]
mod tests {
    use core::sync::atomic::{AtomicUsize, Ordering};

    use sys::wdm::UserMode;

    use super::*;
    use crate::ob::Kind;

    static CLEANED: AtomicUsize = AtomicUsize::new(0);
    static CLOSED: AtomicUsize = AtomicUsize::new(0);
    static KIND: Kind = Kind {
        name: "test object",
        stays: false,
        last_handle: |_| {
            CLEANED.fetch_add(1, Ordering::Relaxed);
        },
        last_reference: |_| {
            CLOSED.fetch_add(1, Ordering::Relaxed);
        },
    };

    fn counts() -> (usize, usize) {
        (CLEANED.load(Ordering::Relaxed), CLOSED.load(Ordering::Relaxed))
    }

    #[test]
    fn last_handle_comes_before_the_last_reference() {
        let machine = crate::testing::builder().boot();
        let object = 0x1000 as *mut c_void;
        ob::create(object, &KIND);
        let handles = [ob::open(object).unwrap(), ob::open(object).unwrap()];
        let before = counts();
        let mut found = ptr::null_mut();
        unsafe {
            assert_eq!(ObfDereferenceObject(object), 2);
            let handle = handles[0] as HANDLE;
            let (kind, none) = (ptr::null_mut(), ptr::null_mut());
            assert_eq!(ObReferenceObjectByHandle(handle, 0, kind, 0, &mut found, none), STATUS_SUCCESS);
            assert_eq!(found, object);
            assert_eq!(ZwClose(handle), STATUS_SUCCESS);
            assert_eq!(counts(), before);
            assert_eq!(ZwClose(handles[1] as HANDLE), STATUS_SUCCESS);
            assert_eq!(counts(), (before.0 + 1, before.1));
            assert_eq!(ObfDereferenceObject(object), 0);
            assert_eq!(counts(), (before.0 + 1, before.1 + 1));
        }
        assert!(machine.shutdown().is_clean());
    }

    #[test]
    fn references_to_what_is_gone_are_found() {
        let machine = crate::testing::builder().boot();
        unsafe {
            ObfReferenceObject(0x2000 as *mut c_void);
            ObfDereferenceObject(0x2000 as *mut c_void);
            assert_eq!(ZwClose(0x44 as HANDLE), STATUS_INVALID_HANDLE);
        }
        let codes = machine.shutdown().codes();
        assert_eq!(codes, [0x3F, 0x3F, 0x3C]);
    }

    #[test]
    fn handle_that_is_none_is_found_in_a_drivers_hand_and_refused_in_a_programs() {
        let machine = crate::testing::builder().boot();
        let (kind, none, mut found) = (type_of(&KIND), ptr::null_mut(), ptr::null_mut());
        for (mode, findings) in [(UserMode, 0), (KernelMode, 1)] {
            let refused =
                unsafe { ObReferenceObjectByHandle(0x44 as HANDLE, 0, kind, mode, &mut found, none) };
            assert_eq!(refused, STATUS_INVALID_HANDLE);
            assert_eq!(ntsim_core::verifier::findings().len(), findings);
        }
        drop(machine);
    }

    fn type_of(kind: &'static Kind) -> POBJECT_TYPE {
        ptr::from_ref(kind).cast_mut().cast()
    }

    #[test]
    fn handle_of_another_type_is_refused_and_keeps_its_count() {
        static OTHER: Kind =
            Kind { name: "other", stays: false, last_handle: |_| (), last_reference: |_| () };
        let machine = crate::testing::builder().boot();
        let object = 0x5000 as *mut c_void;
        ob::create(object, &OTHER);
        let handle = ob::open(object).unwrap() as HANDLE;
        let (none, mut found) = (ptr::null_mut(), ptr::null_mut());
        for (kind, expected) in [(&KIND, STATUS_OBJECT_TYPE_MISMATCH), (&OTHER, STATUS_SUCCESS)]
            .map(|(kind, e)| (type_of(kind), e))
        {
            let status = unsafe { ObReferenceObjectByHandle(handle, 0, kind, UserMode, &mut found, none) };
            assert_eq!(status, expected);
        }
        assert_eq!(found, object);
        unsafe {
            assert_eq!(ObfDereferenceObject(object), 2);
            assert_eq!(ZwClose(handle), STATUS_SUCCESS);
            assert_eq!(ObfDereferenceObject(object), 0);
        }
        assert!(machine.shutdown().is_clean());
    }

    #[test]
    fn handle_of_a_program_without_a_type_is_found() {
        let machine = crate::testing::builder().boot();
        let object = 0x6000 as *mut c_void;
        ob::create(object, &KIND);
        let handle = ob::open(object).unwrap() as HANDLE;
        let (none, mut found) = (ptr::null_mut(), ptr::null_mut());
        for mode in [KernelMode, UserMode] {
            let status =
                unsafe { ObReferenceObjectByHandle(handle, 0, ptr::null_mut(), mode, &mut found, none) };
            assert_eq!(status, STATUS_SUCCESS);
            unsafe { ObfDereferenceObject(found) };
        }
        unsafe { ZwClose(handle) };
        unsafe { ObfDereferenceObject(object) };
        assert_eq!(machine.shutdown().rules(), ["ObjectHandleType"]);
    }

    #[test]
    fn handles_of_drivers_are_the_kernels() {
        let machine = crate::testing::builder().boot();
        let object = 0x4000 as *mut c_void;
        ob::create(object, &KIND);
        let none = ptr::null_mut();
        unsafe {
            for attributes in [OBJ_KERNEL_HANDLE, 0] {
                let mut handle = none;
                assert_eq!(
                    ObOpenObjectByPointer(
                        object,
                        attributes,
                        none,
                        0,
                        ptr::null_mut(),
                        KernelMode,
                        &mut handle
                    ),
                    STATUS_SUCCESS
                );
                assert_eq!(ZwClose(handle), STATUS_SUCCESS);
            }
            ObfDereferenceObject(object);
        }
        assert_eq!(machine.shutdown().rules(), ["ObjectReference"]);
    }

    #[test]
    fn object_that_keeps_a_reference_is_a_leak() {
        let machine = crate::testing::builder().boot();
        ob::create(0x3000 as *mut c_void, &KIND);
        assert_eq!(machine.shutdown().findings[0].rule, "ObjectLeak");
    }
}
