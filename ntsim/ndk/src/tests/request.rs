//! Creates and requests: one completion for each that pends, none for the others.

use core::ptr;
use core::sync::atomic::Ordering;

use ntsim_core::address::Va;
use ntsim_core::sched::{self, Irql};
use sys::ndk::*;
use sys::status::{NTSTATUS, STATUS_INSUFFICIENT_RESOURCES, STATUS_PENDING, STATUS_SUCCESS};
use sys::wdm::{PVOID, ULONG};

use super::fixture::{Fixture, Got, call, context, on_close, on_create, on_request};
use super::provider::{self, At, fake};
use crate::rules;

/// The address of a spin lock.
const LOCK: Va = Va::new(0x1000);

fn acquire() {
    assert!(sched::current().unwrap().held.add(LOCK, None));
}

fn release() {
    assert!(sched::current().unwrap().held.remove(LOCK).is_some());
}

type Resize = NDK_FN_RESIZE_CQ;

/// Resizes a CQ of a provider that resizes as `resize` does, and runs what that deferred.
fn resized(resize: Resize) -> (Vec<Got>, Vec<&'static str>) {
    let fixture = Fixture::with(|provider| provider.cq.NdkResizeCq = Some(resize));
    let cq = fixture.cq();
    call!(cq, NdkResizeCq, 32, Some(on_request), context(1));
    fixture.provider.run();
    call!(cq, NdkCloseCq, Some(on_close), context(2));
    (fixture.log(), fixture.finish())
}

/// A resize that does this with the CQ, the completion and its context.
macro_rules! resizing {
    (|$cq:pat_param, $completion:pat_param, $context:pat_param| $body:block) => {{
        extern "efiapi" fn resize(
            $cq: *mut NDK_CQ,
            _: ULONG,
            $completion: Option<NDK_FN_REQUEST_COMPLETION>,
            $context: PVOID,
        ) -> NTSTATUS $body
        resize as Resize
    }};
}

fn complete(completion: Option<NDK_FN_REQUEST_COMPLETION>, context: PVOID, status: NTSTATUS) {
    // SAFETY: the completion takes this context.
    unsafe { completion.unwrap()(context, status) };
}

#[test]
fn completion_inside_the_request_that_then_pends_is_right() {
    let resize = resizing!(|_, completion, context| {
        complete(completion, context, STATUS_SUCCESS);
        STATUS_PENDING
    });
    assert_eq!(resized(resize), (vec![Got("request", 1, STATUS_SUCCESS)], vec![]));
}

#[test]
fn completion_of_a_request_that_succeeded_inline_is_found_and_kept_from_the_consumer() {
    let resize = resizing!(|cq, completion, context| {
        let context = At::of(context);
        fake(cq).provider().defer(move || complete(completion, context.pointer(), STATUS_SUCCESS));
        STATUS_SUCCESS
    });
    assert_eq!(resized(resize), (vec![], vec![rules::COMPLETION_AFTER_INLINE]));
}

#[test]
fn completion_inside_a_request_that_then_fails_is_found() {
    let resize = resizing!(|_, completion, context| {
        complete(completion, context, STATUS_INSUFFICIENT_RESOURCES);
        STATUS_INSUFFICIENT_RESOURCES
    });
    assert_eq!(resized(resize).1, [rules::COMPLETION_AFTER_INLINE]);
}

#[test]
fn request_that_completes_twice_is_found_and_the_consumer_sees_one() {
    let resize = resizing!(|cq, completion, context| {
        let context = At::of(context);
        for _ in 0..2 {
            fake(cq).provider().defer(move || complete(completion, context.pointer(), STATUS_SUCCESS));
        }
        STATUS_PENDING
    });
    assert_eq!(resized(resize), (vec![Got("request", 1, STATUS_SUCCESS)], vec![rules::COMPLETION_TWICE]));
}

#[test]
fn request_that_completes_with_pending_is_found() {
    let resize = resizing!(|cq, completion, context| {
        let context = At::of(context);
        fake(cq).provider().defer(move || complete(completion, context.pointer(), STATUS_PENDING));
        STATUS_PENDING
    });
    assert_eq!(resized(resize).1, [rules::COMPLETION_STATUS]);
}

#[test]
fn completion_with_another_context_is_found() {
    let resize = resizing!(|_, completion, context| {
        complete(completion, context.wrapping_byte_add(1 << 20), STATUS_SUCCESS);
        complete(completion, context, STATUS_SUCCESS);
        STATUS_PENDING
    });
    assert_eq!(resized(resize).1, [rules::CALLBACK_CONTEXT]);
}

#[test]
fn completion_with_a_spin_lock_held_is_found() {
    let resize = resizing!(|_, completion, context| {
        acquire();
        complete(completion, context, STATUS_SUCCESS);
        release();
        STATUS_PENDING
    });
    assert_eq!(resized(resize).1, [rules::CALLBACK_UNDER_LOCK]);
}

#[test]
fn consumer_that_calls_with_a_lock_of_its_own_held_may_be_called_back() {
    let resize = resizing!(|_, completion, context| {
        complete(completion, context, STATUS_SUCCESS);
        STATUS_PENDING
    });
    let fixture = Fixture::with(|provider| provider.cq.NdkResizeCq = Some(resize));
    let cq = fixture.cq();
    acquire();
    call!(cq, NdkResizeCq, 32, Some(on_request), context(1));
    release();
    call!(cq, NdkCloseCq, Some(on_close), context(2));
    assert!(fixture.finish().is_empty());
}

#[test]
fn function_that_returns_at_another_level_is_found() {
    let resize = resizing!(|_, _, _| {
        sched::raise(Irql::DISPATCH);
        STATUS_SUCCESS
    });
    assert_eq!(resized(resize).1, ["IrqlReturn"]);
}

#[test]
fn callback_above_dispatch_level_is_found() {
    let resize = resizing!(|_, completion, context| {
        let old = sched::raise(Irql::HIGH);
        complete(completion, context, STATUS_SUCCESS);
        sched::lower(old);
        STATUS_PENDING
    });
    assert_eq!(resized(resize).1, ["Irql"]);
}

#[test]
fn everything_may_be_called_at_dispatch_level_but_the_adapter_s_properties() {
    let fixture = Fixture::new();
    let old = sched::raise(Irql::DISPATCH);
    let cq = fixture.cq();
    call!(cq, NdkCloseCq, Some(on_close), context(1));
    sched::lower(old);
    let (mut size, info) = (0x68, &mut [0_u8; 0x68]);
    let adapter = fixture.adapter;
    let old = sched::raise(Irql::DISPATCH);
    call!(adapter, NdkQueryAdapterInfo, info.as_mut_ptr().cast(), &raw mut size);
    sched::lower(old);
    assert_eq!(fixture.finish(), ["Irql"]);
}

/// Creates a PD with a provider that creates as `create` does.
fn created(create: NDK_FN_CREATE_PD) -> Vec<&'static str> {
    let fixture = Fixture::with(|provider| provider.adapter.NdkCreatePd = Some(create));
    let mut pd = ptr::null_mut();
    let status = call!(fixture.adapter, NdkCreatePd, Some(on_create), context(1), &raw mut pd);
    assert_eq!(status == STATUS_SUCCESS, !pd.is_null());
    fixture.provider.run();
    if status == STATUS_PENDING {
        pd = fixture.created();
    }
    if !pd.is_null() {
        call!(pd, NdkClosePd, Some(on_close), context(2));
    }
    fixture.finish()
}

#[test]
fn out_parameter_written_by_a_create_that_pends_is_found_and_kept_from_the_consumer() {
    extern "efiapi" fn create(
        adapter: *mut NDK_ADAPTER,
        completion: Option<NDK_FN_CREATE_COMPLETION>,
        context: PVOID,
        out: *mut *mut NDK_PD,
    ) -> NTSTATUS {
        // SAFETY: the out-parameter is the layer's.
        unsafe { out.write(adapter.cast()) };
        fake(adapter).provider().asynchronous.store(true, Ordering::Relaxed);
        provider::create_pd(adapter, completion, context, out)
    }
    assert_eq!(created(create), [rules::OUT_PARAMETER]);
}

#[test]
fn out_parameter_written_by_a_create_that_fails_is_found() {
    extern "efiapi" fn create(
        adapter: *mut NDK_ADAPTER,
        _: Option<NDK_FN_CREATE_COMPLETION>,
        _: PVOID,
        out: *mut *mut NDK_PD,
    ) -> NTSTATUS {
        let _ = adapter;
        // SAFETY: the out-parameter is the layer's.
        unsafe { out.write(ptr::null_mut()) };
        STATUS_INSUFFICIENT_RESOURCES
    }
    assert_eq!(created(create), [rules::OUT_PARAMETER]);
}

#[test]
fn out_parameter_not_written_by_a_create_that_succeeds_is_found() {
    extern "efiapi" fn create(
        _: *mut NDK_ADAPTER,
        _: Option<NDK_FN_CREATE_COMPLETION>,
        _: PVOID,
        _: *mut *mut NDK_PD,
    ) -> NTSTATUS {
        STATUS_SUCCESS
    }
    let fixture = Fixture::with(|provider| provider.adapter.NdkCreatePd = Some(create));
    let mut pd = ptr::null_mut();
    call!(fixture.adapter, NdkCreatePd, Some(on_create), context(1), &raw mut pd);
    assert!(pd.is_null());
    assert_eq!(fixture.finish(), [rules::OUT_PARAMETER]);
}

#[test]
fn create_that_fails_leaves_nothing_behind() {
    extern "efiapi" fn create(
        _: *mut NDK_ADAPTER,
        _: ULONG,
        _: Option<NDK_FN_CQ_NOTIFICATION_CALLBACK>,
        _: PVOID,
        _: *mut sys::wdm::GROUP_AFFINITY,
        _: Option<NDK_FN_CREATE_COMPLETION>,
        _: PVOID,
        _: *mut *mut NDK_CQ,
    ) -> NTSTATUS {
        STATUS_INSUFFICIENT_RESOURCES
    }
    let fixture = Fixture::with(|provider| provider.adapter.NdkCreateCq = Some(create));
    let mut cq = ptr::null_mut();
    let none = ptr::null_mut();
    let status = call!(
        fixture.adapter,
        NdkCreateCq,
        1,
        Some(super::fixture::on_notification),
        none,
        ptr::null_mut(),
        Some(on_create),
        none,
        &raw mut cq
    );
    assert_eq!(status, STATUS_INSUFFICIENT_RESOURCES);
    assert!(cq.is_null());
    assert!(fixture.finish().is_empty());
}
