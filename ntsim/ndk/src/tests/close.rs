//! Closing: what a close may return, when it may complete, and what may come after.

use core::ptr;

use sys::ndk::*;
use sys::status::{NTSTATUS, STATUS_PENDING, STATUS_SUCCESS, STATUS_UNSUCCESSFUL};
use sys::wdm::PVOID;

use super::fixture::{Fixture, Got, call, context, created, on_close, on_create, on_request};
use super::provider::{self, At, fake};
use crate::rules;

#[test]
fn objects_that_are_closed_successors_first_close_inline_and_nothing_is_found() {
    let fixture = Fixture::new();
    let (cq, pd) = (fixture.cq(), fixture.pd());
    let (mr, qp) = (fixture.mr(pd), fixture.qp(pd, cq));
    assert_eq!(call!(qp, NdkCloseQp, Some(on_close), context(1)), STATUS_SUCCESS);
    assert_eq!(call!(mr, NdkCloseMr, Some(on_close), context(2)), STATUS_SUCCESS);
    assert_eq!(call!(pd, NdkClosePd, Some(on_close), context(3)), STATUS_SUCCESS);
    assert_eq!(call!(cq, NdkCloseCq, Some(on_close), context(4)), STATUS_SUCCESS);
    assert!(fixture.log().is_empty());
    assert!(fixture.finish().is_empty());
}

#[test]
fn asynchronous_creates_requests_and_closes_are_forwarded_and_nothing_is_found() {
    let fixture = Fixture::with(|provider| {
        provider.asynchronous = true.into();
        provider.pd.NdkClosePd = Some(provider::close_later);
    });
    let mut unwritten = ptr::null_mut::<NDK_PD>();
    let status = call!(fixture.adapter, NdkCreatePd, Some(on_create), context(5), &raw mut unwritten);
    assert_eq!(status, STATUS_PENDING);
    fixture.provider.run();
    assert!(unwritten.is_null());
    let pd = fixture.created::<NDK_PD>();
    assert_eq!(call!(pd, NdkClosePd, Some(on_close), context(6)), STATUS_PENDING);
    fixture.provider.run();
    assert_eq!(fixture.log(), [Got("create", 5, STATUS_SUCCESS), Got("close", 6, STATUS_SUCCESS)]);
    assert!(fixture.finish().is_empty());
}

#[test]
fn object_closed_inside_its_own_callback_closes_after_it_has_returned() {
    let fixture = Fixture::with(|provider| provider.asynchronous = true.into());
    fixture.provider.asynchronous.store(false, core::sync::atomic::Ordering::Relaxed);
    let cq = fixture.cq();
    fixture.provider.asynchronous.store(true, core::sync::atomic::Ordering::Relaxed);
    assert_eq!(call!(cq, NdkResizeCq, 32, Some(on_request), context(1)), STATUS_PENDING);
    let at = At::of(cq);
    fixture.during_next_callback(move || {
        let cq = at.pointer::<NDK_CQ>();
        assert_eq!(call!(cq, NdkCloseCq, Some(on_close), context(2)), STATUS_PENDING);
    });
    fixture.provider.run();
    assert_eq!(fixture.log(), [Got("request", 1, STATUS_SUCCESS), Got("close", 2, STATUS_SUCCESS)]);
    assert!(fixture.finish().is_empty());
}

#[test]
fn close_that_fails_is_found() {
    extern "efiapi" fn fails(
        _object: *mut NDK_OBJECT_HEADER,
        _completion: Option<NDK_FN_CLOSE_COMPLETION>,
        _context: PVOID,
    ) -> NTSTATUS {
        STATUS_UNSUCCESSFUL
    }
    let fixture = Fixture::with(|provider| provider.cq.NdkCloseCq = Some(fails));
    call!(fixture.cq(), NdkCloseCq, Some(on_close), context(1));
    assert_eq!(fixture.finish(), [rules::CLOSE_STATUS]);
}

#[test]
fn completion_of_a_close_that_succeeded_is_found_and_kept_from_the_consumer() {
    extern "efiapi" fn both(
        object: *mut NDK_OBJECT_HEADER,
        completion: Option<NDK_FN_CLOSE_COMPLETION>,
        context: PVOID,
    ) -> NTSTATUS {
        let context = At::of(context);
        // SAFETY: the completion takes this context.
        fake(object).provider().defer(move || unsafe { completion.unwrap()(context.pointer()) });
        provider::close(object, completion, context.pointer())
    }
    let fixture = Fixture::with(|provider| provider.cq.NdkCloseCq = Some(both));
    call!(fixture.cq(), NdkCloseCq, Some(on_close), context(1));
    fixture.provider.run();
    assert!(fixture.log().is_empty());
    assert_eq!(fixture.finish(), [rules::CLOSE_COMPLETION_AFTER_SUCCESS]);
}

#[test]
fn completion_inside_a_close_that_then_succeeds_is_found() {
    extern "efiapi" fn inside(
        object: *mut NDK_OBJECT_HEADER,
        completion: Option<NDK_FN_CLOSE_COMPLETION>,
        context: PVOID,
    ) -> NTSTATUS {
        // SAFETY: the completion takes this context.
        unsafe { completion.unwrap()(context) };
        provider::close(object, completion, context)
    }
    let fixture = Fixture::with(|provider| provider.cq.NdkCloseCq = Some(inside));
    call!(fixture.cq(), NdkCloseCq, Some(on_close), context(1));
    assert_eq!(fixture.finish(), [rules::CLOSE_COMPLETION_AFTER_SUCCESS]);
}

#[test]
fn close_that_completes_twice_is_found_and_the_consumer_sees_one() {
    extern "efiapi" fn twice(
        object: *mut NDK_OBJECT_HEADER,
        completion: Option<NDK_FN_CLOSE_COMPLETION>,
        context: PVOID,
    ) -> NTSTATUS {
        let context = At::of(context);
        for _ in 0..2 {
            // SAFETY: the completion takes this context.
            fake(object).provider().defer(move || unsafe { completion.unwrap()(context.pointer()) });
        }
        fake(object).release_parents();
        STATUS_PENDING
    }
    let fixture = Fixture::with(|provider| provider.cq.NdkCloseCq = Some(twice));
    call!(fixture.cq(), NdkCloseCq, Some(on_close), context(1));
    fixture.provider.run();
    assert_eq!(fixture.log().len(), 1);
    assert_eq!(fixture.finish(), [rules::CLOSE_COMPLETED_TWICE]);
}

#[test]
fn close_that_never_completes_is_found() {
    extern "efiapi" fn never(
        _object: *mut NDK_OBJECT_HEADER,
        _completion: Option<NDK_FN_CLOSE_COMPLETION>,
        _context: PVOID,
    ) -> NTSTATUS {
        STATUS_PENDING
    }
    let fixture = Fixture::with(|provider| provider.cq.NdkCloseCq = Some(never));
    call!(fixture.cq(), NdkCloseCq, Some(on_close), context(1));
    assert_eq!(fixture.finish(), [rules::CLOSE_NOT_COMPLETED]);
}

#[test]
fn close_that_completes_before_a_request_has_is_found_and_the_request_is_kept_from_the_consumer() {
    let fixture = Fixture::with(|provider| provider.cq.NdkCloseCq = Some(provider::close_carelessly));
    let cq = fixture.cq();
    fixture.provider.asynchronous.store(true, core::sync::atomic::Ordering::Relaxed);
    call!(cq, NdkResizeCq, 32, Some(on_request), context(1));
    call!(cq, NdkCloseCq, Some(on_close), context(2));
    fixture.provider.run();
    assert!(fixture.log().is_empty());
    assert_eq!(fixture.finish(), [rules::CLOSE_BEFORE_REQUEST, rules::CALLBACK_AFTER_CLOSE]);
}

#[test]
fn close_that_completes_inside_the_object_s_callback_is_found() {
    let fixture =
        Fixture::with(|provider| provider.listener.NdkCloseListener = Some(provider::close_carelessly));
    let listener = fixture.listener();
    let at = At::of(listener);
    fixture.during_next_callback(move || {
        call!(at.pointer::<NDK_LISTENER>(), NdkCloseListener, Some(on_close), context(1));
    });
    provider::offer(listener);
    call!(fixture.created::<NDK_CONNECTOR>(), NdkCloseConnector, Some(on_close), context(2));
    let found = fixture.finish();
    assert!(found.contains(&rules::CLOSE_BEFORE_CALLBACK), "{found:?}");
}

#[test]
fn close_that_completes_inside_the_create_completion_is_found() {
    let fixture = Fixture::with(|provider| provider.asynchronous = true.into());
    let mut unwritten = ptr::null_mut::<NDK_PD>();
    call!(fixture.adapter, NdkCreatePd, Some(on_create), context(1), &raw mut unwritten);
    fixture.during_next_callback(|| {
        call!(created::<NDK_PD>(), NdkClosePd, Some(on_close), context(2));
    });
    fixture.provider.run();
    assert_eq!(fixture.finish(), [rules::CLOSE_BEFORE_CALLBACK]);
}

#[test]
fn callback_after_the_close_is_found_and_kept_from_the_consumer() {
    let fixture = Fixture::new();
    let listener = fixture.listener();
    call!(listener, NdkCloseListener, Some(on_close), context(1));
    fake(listener).hold();
    provider::offer(listener);
    assert!(fixture.log().is_empty());
    assert_eq!(fixture.finish(), [rules::CALLBACK_AFTER_CLOSE]);
}

#[test]
fn callback_after_the_adapter_s_close_is_found_and_kept_from_the_consumer() {
    let mut fixture = Fixture::new();
    let listener = fixture.listener();
    call!(listener, NdkCloseListener, Some(on_close), context(1));
    crate::close_adapter(fixture.adapter);
    fixture.adapter = ptr::null_mut();
    fake(listener).hold();
    provider::offer(listener);
    assert!(fixture.log().is_empty());
    assert_eq!(fixture.finish(), [rules::CALLBACK_AFTER_ADAPTER_CLOSE]);
}

#[test]
fn adapter_close_that_returns_before_an_object_is_closed_is_found_with_the_leak() {
    let fixture = Fixture::new();
    fixture.pd();
    assert_eq!(fixture.finish(), [rules::ADAPTER_CLOSE_BEFORE_OBJECT, rules::OBJECT_LEAKED]);
}

#[test]
fn adapter_close_that_returns_during_a_callback_is_found() {
    let mut fixture = Fixture::with(|provider| provider.cq.NdkCloseCq = Some(provider::close_later));
    call!(fixture.cq(), NdkCloseCq, Some(on_close), context(1));
    let (entered, wait_for_entry) = std::sync::mpsc::channel();
    let (leave, wait_to_leave) = std::sync::mpsc::channel();
    fixture.during_next_callback(move || {
        entered.send(()).unwrap();
        wait_to_leave.recv().unwrap();
    });
    let provider = fixture.provider;
    let thread = std::thread::spawn(|| {
        let _attached = ntsim_core::sched::attach("completions");
        provider.run();
    });
    wait_for_entry.recv().unwrap();
    crate::close_adapter(fixture.adapter);
    fixture.adapter = ptr::null_mut();
    leave.send(()).unwrap();
    thread.join().unwrap();
    assert_eq!(fixture.finish(), [rules::ADAPTER_CLOSE_BEFORE_CALLBACK]);
}

#[test]
fn adapter_close_may_return_inside_the_inline_close_of_its_last_object() {
    /// Closes, and sees that the adapter's close on another thread has returned before this has.
    extern "efiapi" fn close(
        object: *mut NDK_OBJECT_HEADER,
        completion: Option<NDK_FN_CLOSE_COMPLETION>,
        context: PVOID,
    ) -> NTSTATUS {
        let adapter = fake(object).parent();
        let status = provider::close(object, completion, context);
        let thread = std::thread::spawn(move || {
            let _attached = ntsim_core::sched::attach("closer");
            crate::close_adapter(adapter.pointer());
        });
        thread.join().unwrap();
        status
    }
    let mut fixture = Fixture::with(|provider| provider.cq.NdkCloseCq = Some(close));
    assert_eq!(call!(fixture.cq(), NdkCloseCq, Some(on_close), context(1)), STATUS_SUCCESS);
    fixture.adapter = ptr::null_mut();
    assert!(fixture.finish().is_empty());
}
