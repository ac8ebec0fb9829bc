//! Calls that consumers have to serialize.

use core::ptr;

use ntsim_core::sched;
use sys::ndk::*;
use sys::status::{NTSTATUS, STATUS_CANCELLED};
use sys::wdm::{PVOID, ULONG};

use super::fixture::call;
use super::pair::Pair;
use super::provider::{self, complete};
use crate::rules;

/// Lets another thread post, or poll, while `function` of the provider is running.
fn from_another_thread(call: impl FnOnce() + Send + 'static) {
    let thread = std::thread::spawn(move || {
        let _attached = sched::attach("other");
        call();
    });
    thread.join().unwrap();
}

#[test]
fn two_posts_to_one_queue_at_once_are_found() {
    extern "efiapi" fn send(
        qp: *mut NDK_QP,
        context: PVOID,
        _: *const NDK_SGE,
        _: ULONG,
        flags: ULONG,
    ) -> NTSTATUS {
        let at = provider::At::of(qp);
        if flags == 0 {
            from_another_thread(move || {
                let context = super::fixture::context(2);
                call!(at.pointer::<NDK_QP>(), NdkSend, context, ptr::null(), 0, NDK_OP_FLAG_INLINE);
            });
        }
        complete(qp, context, STATUS_CANCELLED, NDK_OPERATION_TYPE::NdkOperationTypeSend)
    }
    let pair = Pair::with(|provider| provider.qp.NdkSend = Some(send));
    pair.send(1, 0);
    let found = pair.finish();
    assert_eq!(found[0], rules::POST_NOT_SERIALIZED);
}

#[test]
fn two_polls_of_one_cq_at_once_are_found() {
    extern "efiapi" fn arm(cq: *mut NDK_CQ, _: ULONG) {
        let at = provider::At::of(cq);
        from_another_thread(move || {
            call!(at.pointer::<NDK_CQ>(), NdkGetCqResults, ptr::null_mut(), 0);
        });
    }
    let pair = Pair::with(|provider| provider.cq.NdkArmCq = Some(arm));
    pair.arm();
    assert_eq!(pair.finish(), [rules::CQ_NOT_SERIALIZED]);
}
