//! Objects: their headers and tables, and handles that consumers pass.

use core::ptr;

use ntsim_core::number::narrow;
use sys::ndk::*;
use sys::status::{NTSTATUS, STATUS_INVALID_HANDLE, STATUS_NOT_SUPPORTED, STATUS_PENDING, STATUS_SUCCESS};
use sys::wdm::{GUID, PVOID};

use super::fixture::{Fixture, call, context, on_close, on_create, on_request};
use super::provider::{self, At, fake};
use crate::rules;

/// Lets `change` loose on the header of a PD before the provider hands it out.
fn pd_with_header(change: extern "efiapi" fn(*mut NDK_ADAPTER, *mut *mut NDK_PD)) -> Vec<&'static str> {
    static CHANGE: parking_lot::Mutex<Option<extern "efiapi" fn(*mut NDK_ADAPTER, *mut *mut NDK_PD)>> =
        parking_lot::Mutex::new(None);
    extern "efiapi" fn create(
        adapter: *mut NDK_ADAPTER,
        completion: Option<NDK_FN_CREATE_COMPLETION>,
        context: PVOID,
        out: *mut *mut NDK_PD,
    ) -> NTSTATUS {
        let status = provider::create_pd(adapter, completion, context, out);
        let change = *CHANGE.lock();
        change.unwrap()(adapter, out);
        status
    }
    let fixture = Fixture::with(|provider| provider.adapter.NdkCreatePd = Some(create));
    *CHANGE.lock() = Some(change);
    let mut pd = ptr::null_mut();
    call!(fixture.adapter, NdkCreatePd, Some(on_create), context(1), &raw mut pd);
    if !pd.is_null() {
        call!(pd, NdkClosePd, Some(on_close), context(2));
    }
    fixture.finish()
}

fn header(out: *mut *mut NDK_PD) -> *mut NDK_OBJECT_HEADER {
    // SAFETY: the create has just written it.
    fake(unsafe { out.read() }).header()
}

#[test]
fn object_of_another_type_is_found() {
    extern "efiapi" fn change(_: *mut NDK_ADAPTER, out: *mut *mut NDK_PD) {
        // SAFETY: the object is the provider's own.
        unsafe { (*header(out)).ObjectType = NDK_OBJECT_TYPE::NdkObjectTypeUndefined };
    }
    assert_eq!(pd_with_header(change), [rules::OBJECT_HEADER]);
}

#[test]
fn object_of_another_version_than_its_adapter_is_found() {
    extern "efiapi" fn change(_: *mut NDK_ADAPTER, out: *mut *mut NDK_PD) {
        // SAFETY: the object is the provider's own.
        unsafe { (*header(out)).Version = NDK_VERSION_1_2 };
    }
    assert_eq!(pd_with_header(change), [rules::OBJECT_HEADER]);
}

#[test]
fn reserved_words_that_are_not_zero_are_found() {
    extern "efiapi" fn change(_: *mut NDK_ADAPTER, out: *mut *mut NDK_PD) {
        // SAFETY: the object is the provider's own.
        unsafe { (*header(out)).NdkReserved.rf[3] = context(1) };
    }
    assert_eq!(pd_with_header(change), [rules::RESERVED_NOT_ZERO]);
}

#[test]
fn handle_of_an_open_object_handed_out_again_is_found() {
    extern "efiapi" fn change(adapter: *mut NDK_ADAPTER, out: *mut *mut NDK_PD) {
        // SAFETY: the out-parameter is the layer's.
        unsafe { out.write(adapter.cast()) };
    }
    let found = pd_with_header(change);
    assert_eq!(found[0], rules::OBJECT_HEADER, "{found:?}");
}

#[test]
fn header_that_the_provider_changes_is_found() {
    extern "efiapi" fn register(
        mr: *mut NDK_MR,
        _mdl: *mut sys::wdm::MDL,
        _length: usize,
        _flags: u32,
        _completion: Option<NDK_FN_REQUEST_COMPLETION>,
        _context: PVOID,
    ) -> NTSTATUS {
        // SAFETY: the object is the provider's own.
        unsafe { (*fake(mr).header()).NdkReserved.rf[0] = context(1) };
        STATUS_NOT_SUPPORTED
    }
    let fixture = Fixture::with(|provider| provider.mr.NdkRegisterMr = Some(register));
    let pd = fixture.pd();
    let mr = fixture.mr(pd);
    call!(mr, NdkRegisterMr, ptr::null_mut(), 0, 0, Some(on_request), context(1));
    call!(mr, NdkCloseMr, Some(on_close), context(1));
    call!(pd, NdkClosePd, Some(on_close), context(1));
    assert_eq!(fixture.finish(), [rules::HEADER_CHANGED]);
}

#[test]
fn dispatch_pointer_that_the_provider_sets_back_is_found() {
    let fixture = Fixture::new();
    let pd = fixture.pd();
    let table = &raw const fixture.provider.pd;
    // SAFETY: the object is the test provider's.
    let swapped = unsafe { core::mem::replace(&mut (*pd).Dispatch, table) };
    // SAFETY: the layer's table.
    unsafe { (*swapped).NdkClosePd.unwrap()(pd.cast(), Some(on_close), context(1)) };
    assert_eq!(fixture.finish(), [rules::HEADER_CHANGED]);
}

#[test]
fn empty_slot_is_found_and_its_function_refused() {
    let fixture = Fixture::with(|provider| provider.pd.NdkCreateMw = None);
    let pd = fixture.pd();
    let mut mw = ptr::null_mut();
    let status = call!(pd, NdkCreateMw, Some(on_create), context(1), &raw mut mw);
    assert_eq!(status, STATUS_NOT_SUPPORTED);
    call!(pd, NdkClosePd, Some(on_close), context(1));
    assert_eq!(fixture.finish(), [rules::DISPATCH_INCOMPLETE]);
}

#[test]
fn provider_that_calls_through_its_object_s_dispatch_pointer_is_found() {
    extern "efiapi" fn close(
        object: *mut NDK_OBJECT_HEADER,
        completion: Option<NDK_FN_CLOSE_COMPLETION>,
        context: PVOID,
    ) -> NTSTATUS {
        call!(object.cast::<NDK_QP>(), NdkFlush);
        provider::close(object, completion, context)
    }
    let fixture = Fixture::with(|provider| provider.qp.NdkCloseQp = Some(close));
    let (cq, pd) = (fixture.cq(), fixture.pd());
    let qp = fixture.qp(pd, cq);
    call!(qp, NdkCloseQp, Some(on_close), context(1));
    call!(pd, NdkClosePd, Some(on_close), context(1));
    call!(cq, NdkCloseCq, Some(on_close), context(1));
    assert!(fixture.finish().contains(&rules::DISPATCH_READ_BACK));
}

#[test]
fn extension_for_an_unknown_identifier_is_found() {
    extern "efiapi" fn any(
        _object: *mut NDK_OBJECT_HEADER,
        _identifier: *const GUID,
        _version: NDK_VERSION,
        _interface: *mut NDK_EXTENSION_INTERFACE,
    ) -> NTSTATUS {
        STATUS_SUCCESS
    }
    let fixture = Fixture::with(|provider| provider.pd.NdkQueryExtension = Some(any));
    call!(fixture.pd(), NdkClosePd, Some(on_close), context(1));
    assert_eq!(fixture.finish(), [rules::EXTENSION_UNKNOWN]);
}

#[test]
fn extension_queries_reach_the_provider() {
    let fixture = Fixture::new();
    let mut interface = NDK_EXTENSION_INTERFACE { Dispatch: ptr::null() };
    let identifier = GUID { Data1: 1, Data2: 2, Data3: 3, Data4: [4; 8] };
    let adapter = fixture.adapter;
    let status =
        call!(adapter, NdkQueryExtension, &raw const identifier, NDK_VERSION_2_1, &raw mut interface);
    assert_eq!(status, STATUS_NOT_SUPPORTED);
    assert!(fixture.finish().is_empty());
}

#[test]
fn handle_that_is_no_object_or_another_kind_of_object_is_found_and_does_not_reach_the_provider() {
    let fixture = Fixture::new();
    let (cq, pd) = (fixture.cq(), fixture.pd());
    let mut qp = ptr::null_mut();
    let wrong = pd.cast::<NDK_CQ>();
    let status = call!(
        pd,
        NdkCreateQp,
        wrong,
        wrong,
        context(1),
        1,
        1,
        1,
        1,
        0,
        Some(on_create),
        context(1),
        &raw mut qp
    );
    assert_eq!(status, STATUS_INVALID_HANDLE);
    call!(pd, NdkClosePd, Some(on_close), context(1));
    call!(cq, NdkCloseCq, Some(on_close), context(1));
    assert_eq!(fixture.finish(), [rules::HANDLE_INVALID]);
}

#[test]
fn call_on_an_object_whose_close_is_pending_is_found_and_does_not_reach_the_provider() {
    let fixture = Fixture::new();
    let pd = fixture.pd();
    let mr = fixture.mr(pd);
    assert_eq!(call!(pd, NdkClosePd, Some(on_close), context(1)), STATUS_PENDING);
    let mut mw = ptr::null_mut();
    let status = call!(pd, NdkCreateMw, Some(on_create), context(1), &raw mut mw);
    assert_eq!(status, STATUS_INVALID_HANDLE);
    assert_eq!(call!(pd, NdkClosePd, Some(on_close), context(2)), STATUS_INVALID_HANDLE);
    call!(mr, NdkCloseMr, Some(on_close), context(3));
    assert_eq!(fixture.log().len(), 1);
    assert_eq!(fixture.finish(), [rules::USE_AFTER_CLOSE]);
}

#[test]
fn missing_callback_is_found() {
    let fixture = Fixture::new();
    let mut cq = ptr::null_mut();
    let none = ptr::null_mut();
    call!(fixture.adapter, NdkCreateCq, 1, None, none, ptr::null_mut(), Some(on_create), none, &raw mut cq);
    call!(cq, NdkCloseCq, None, context(1));
    assert_eq!(fixture.finish(), [rules::CALLBACK_MISSING]);
}

#[test]
fn null_close_completion_is_found_and_does_no_harm() {
    let fixture = Fixture::with(|provider| provider.cq.NdkCloseCq = Some(provider::close_later));
    call!(fixture.cq(), NdkCloseCq, None, context(1));
    fixture.provider.run();
    assert_eq!(fixture.finish(), [rules::CALLBACK_MISSING]);
}

#[test]
fn function_that_the_version_lacks_is_found_and_does_not_reach_the_provider() {
    let fixture = Fixture::with(|provider| provider.version = NDK_VERSION_1_1);
    let cq = fixture.cq();
    let taken = call!(cq, NdkGetCqResultsEx, ptr::null_mut(), 0);
    assert_eq!(taken, 0);
    call!(cq, NdkCloseCq, Some(on_close), context(1));
    assert_eq!(fixture.finish(), [rules::FUNCTION_NOT_IN_VERSION]);
}

#[test]
fn mapping_that_is_not_released_is_found() {
    let fixture = Fixture::new();
    let adapter = fixture.adapter;
    let (mut size, mut offset) = (0, 0);
    for number in [0x1000, 0x2000] {
        let mapping = ptr::without_provenance_mut(number);
        let status = call!(
            adapter,
            NdkBuildLAM,
            ptr::null_mut(),
            0,
            Some(on_request),
            context(1),
            mapping,
            &raw mut size,
            &raw mut offset
        );
        assert_eq!(status, STATUS_SUCCESS);
    }
    call!(adapter, NdkReleaseLAM, ptr::without_provenance_mut(0x1000));
    assert_eq!(fixture.finish(), [rules::OBJECT_LEAKED]);
}

#[test]
fn mapping_built_inline_needs_no_completion() {
    let fixture = Fixture::new();
    let (mut size, mut offset) = (0, 0);
    let mapping = ptr::without_provenance_mut(0x1000);
    let status = call!(
        fixture.adapter,
        NdkBuildLAM,
        ptr::null_mut(),
        0,
        None,
        ptr::null_mut(),
        mapping,
        &raw mut size,
        &raw mut offset
    );
    assert_eq!(status, STATUS_SUCCESS);
    call!(fixture.adapter, NdkReleaseLAM, mapping);
    assert!(fixture.finish().is_empty());
}

#[test]
fn adapter_closed_inside_a_callback_is_found_and_stays_open() {
    let fixture = Fixture::new();
    let listener = fixture.listener();
    let adapter = At::of(fixture.adapter);
    fixture.during_next_callback(move || crate::close_adapter(adapter.pointer()));
    provider::offer(listener);
    call!(fixture.created::<NDK_CONNECTOR>(), NdkCloseConnector, Some(on_close), context(1));
    call!(listener, NdkCloseListener, Some(on_close), context(1));
    assert_eq!(fixture.finish(), [rules::ADAPTER_CLOSE_IN_CALLBACK]);
}

#[test]
fn adapter_opened_as_an_older_version_than_asked_for_is_found() {
    let fixture = Fixture::opened_as(NDK_VERSION { Major: 2, Minor: 2 });
    assert_eq!(fixture.finish(), [rules::OBJECT_HEADER]);
}

#[test]
fn adapter_without_a_table_is_found_and_closed_again() {
    let machine = crate::testing::builder().boot();
    let provider: &'static provider::Provider = Box::leak(Box::new(provider::Provider::new()));
    let adapter = provider.open();
    // SAFETY: the object is the test provider's.
    unsafe { (*adapter).Dispatch = ptr::null() };
    let (closed, was_closed) = std::sync::mpsc::channel();
    let close = Box::new(move |_| closed.send(()).unwrap());
    assert!(crate::open_adapter(NDK_VERSION_2_1, crate::Opened { adapter, close }).is_none());
    was_closed.recv().unwrap();
    let findings = machine.shutdown().findings;
    assert_eq!(findings.iter().map(|finding| finding.rule).collect::<Vec<_>>(), [rules::DISPATCH_INCOMPLETE]);
}

#[test]
fn adapter_s_properties_reach_the_consumer() {
    let fixture = Fixture::new();
    // SAFETY: zero is a valid value of every member.
    let mut info: NDK_ADAPTER_INFO = unsafe { core::mem::zeroed() };
    let mut size = narrow(size_of::<NDK_ADAPTER_INFO>());
    assert_eq!(call!(fixture.adapter, NdkQueryAdapterInfo, &raw mut info, &raw mut size), STATUS_SUCCESS);
    assert_eq!(info.Version, NDK_VERSION_2_1);
    assert!(fixture.finish().is_empty());
}
