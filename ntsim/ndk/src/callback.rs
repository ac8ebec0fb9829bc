//! The callbacks that the provider gets in place of the consumer's.
//!
//! Each finds its [`Context`], checks that it may come now, counts as in progress while the consumer's
//! own runs, and is entered like a function of the kernel, so that the finding has the provider's stack.

use core::sync::atomic::Ordering;
use std::sync::Arc;

use ntsim_core::exports;
use ntsim_core::sched;
use sys::ndk::*;
use sys::status::NTSTATUS;
use sys::wdm::{PVOID, ULONG};

use crate::completion::{create_completed, final_status};
use crate::context::{Consumer, Context};
use crate::layer::layer;
use crate::object::{TrackedObject, TypeState};
use crate::rules::{self, found};
use crate::{boundary, close, connection};

/// Runs a callback of the consumer's for `subject`, counting it as in progress meanwhile.
fn deliver(subject: &Arc<TrackedObject>, name: &'static str, call: impl FnOnce()) {
    layer().statistics.callback(name);
    let TypeState::Adapter(adapter) = &subject.adapter().type_state else { return };
    adapter.callbacks.fetch_add(1, Ordering::AcqRel);
    boundary::into_consumer(name, call);
    adapter.callbacks.fetch_sub(1, Ordering::AcqRel);
}

/// As [`deliver`], for the callbacks that an object's close has to wait for.
fn deliver_before_close(subject: &Arc<TrackedObject>, name: &'static str, call: impl FnOnce()) {
    subject.callbacks.fetch_add(1, Ordering::AcqRel);
    deliver(subject, name, call);
    subject.callbacks.fetch_sub(1, Ordering::AcqRel);
}

/// An event's context and the object that it is for.
fn event(context: PVOID, name: &'static str) -> Option<(Arc<Context>, Arc<TrackedObject>)> {
    let context = layer().contexts.find(context, name)?;
    let Some(subject) = context.subject().cloned() else {
        found(rules::CALLBACK_CONTEXT, format!("{name} came before the object that it is for"));
        return None;
    };
    Some((context, subject))
}

fn wrong_callback(name: &'static str, context: &Context) {
    found(
        rules::CALLBACK_CONTEXT,
        format!("{name} was called with the context of {}'s callback", context.function),
    );
}

exports! {
    "(ndk)";

    /// Completes a create.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkCreateCompletion(context: PVOID, status: NTSTATUS, object: *mut NDK_OBJECT_HEADER) {
        const NAME: &str = "NdkCreateCompletion";
        let Some((request, subject)) = event(context, NAME) else { return };
        let Consumer::Create { callback, context, .. } = &request.consumer else {
            return wrong_callback(NAME, &request);
        };
        if !layer().contexts.called(&request, NAME) {
            return;
        }
        let status = final_status(NAME, &request, status);
        let made = create_completed(&request, status, object);
        if let Some(callback) = *callback {
            // The consumer may close the object in here, and that close waits for this, too.
            if let Some(made) = &made {
                made.callbacks.fetch_add(1, Ordering::AcqRel);
            }
            // SAFETY: the consumer passed the callback for this, with this context.
            deliver_before_close(&subject, NAME, || unsafe { callback(context.pointer(), status, object) });
            if let Some(made) = &made {
                made.callbacks.fetch_sub(1, Ordering::AcqRel);
            }
        }
        subject.requests.fetch_sub(1, Ordering::AcqRel);
    }

    /// Completes a request.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkRequestCompletion(context: PVOID, status: NTSTATUS) {
        const NAME: &str = "NdkRequestCompletion";
        let Some((request, subject)) = event(context, NAME) else { return };
        let Consumer::Request { callback, context, then } = &request.consumer else {
            return wrong_callback(NAME, &request);
        };
        if !layer().contexts.called(&request, NAME) {
            return;
        }
        let status = final_status(NAME, &request, status);
        let then = then.lock().take();
        if let Some(then) = then {
            then(status);
        }
        if let Some(callback) = *callback {
            // SAFETY: the consumer passed the callback for this, with this context.
            deliver_before_close(&subject, NAME, || unsafe { callback(context.pointer(), status) });
        }
        subject.requests.fetch_sub(1, Ordering::AcqRel);
    }

    /// Completes a close.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkCloseCompletion(context: PVOID) {
        const NAME: &str = "NdkCloseCompletion";
        let Some((request, subject)) = event(context, NAME) else { return };
        let Consumer::Close { callback, context } = &request.consumer else {
            return wrong_callback(NAME, &request);
        };
        if !layer().contexts.called(&request, NAME) {
            return;
        }
        close::completing(&subject);
        if let Some(callback) = *callback {
            // SAFETY: the consumer passed the callback for this, with this context.
            deliver(&subject, NAME, || unsafe { callback(context.pointer()) });
        }
        close::completed(&subject);
    }

    /// A CQ has results, or has failed.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkCqNotificationCallback(context: PVOID, status: NTSTATUS) {
        const NAME: &str = "NdkCqNotificationCallback";
        let Some((event, subject)) = event(context, NAME) else { return };
        let Consumer::CqNotification { callback, context } = &event.consumer else {
            return wrong_callback(NAME, &event);
        };
        let TypeState::Cq(cq) = &subject.type_state else { return };
        sched::answered(NAME, &status);
        for rule in cq.arm.notified(status) {
            found(rule, format!("{NAME} of {subject} with status {status:#010x}"));
        }
        if let Some(callback) = *callback {
            // SAFETY: the consumer passed the callback for this, with this context.
            deliver_before_close(&subject, NAME, || unsafe { callback(context.pointer(), status) });
        }
        cq.arm.returned();
    }

    /// An SRQ has run low, or has failed.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkSrqNotificationCallback(context: PVOID, status: NTSTATUS) {
        const NAME: &str = "NdkSrqNotificationCallback";
        let Some((event, subject)) = event(context, NAME) else { return };
        let Consumer::SrqNotification { callback, context } = &event.consumer else {
            return wrong_callback(NAME, &event);
        };
        if let Some(callback) = *callback {
            // SAFETY: the consumer passed the callback for this, with this context.
            deliver_before_close(&subject, NAME, || unsafe { callback(context.pointer(), status) });
        }
    }

    /// A listener has a connection to offer.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkConnectEventCallback(context: PVOID, connector: *mut NDK_CONNECTOR) {
        const NAME: &str = "NdkConnectEventCallback";
        let Some((event, listener)) = event(context, NAME) else { return };
        let Consumer::ConnectEvent { callback, context } = &event.consumer else {
            return wrong_callback(NAME, &event);
        };
        connection::offered(&listener, connector);
        if let Some(callback) = *callback {
            // SAFETY: the consumer passed the callback for this, with this context.
            deliver_before_close(&listener, NAME, || unsafe { callback(context.pointer(), connector) });
        }
    }

    /// The peer has ended the connection.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkDisconnectEventCallback(context: PVOID) {
        const NAME: &str = "NdkDisconnectEventCallback";
        let Some((event, connector)) = event(context, NAME) else { return };
        let Consumer::DisconnectEvent { callback, context } = &event.consumer else {
            return wrong_callback(NAME, &event);
        };
        connection::disconnected(&connector);
        if let Some(callback) = *callback {
            // SAFETY: the consumer passed the callback for this, with this context.
            deliver_before_close(&connector, NAME, || unsafe { callback(context.pointer()) });
        }
    }

    /// The connection has ended, for a reason.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkDisconnectEventCallbackEx(context: PVOID, reason: ULONG) {
        const NAME: &str = "NdkDisconnectEventCallbackEx";
        let Some((event, connector)) = event(context, NAME) else { return };
        let Consumer::DisconnectEventEx { callback, context } = &event.consumer else {
            return wrong_callback(NAME, &event);
        };
        connection::disconnected(&connector);
        if let Some(callback) = *callback {
            // SAFETY: the consumer passed the callback for this, with this context.
            deliver_before_close(&connector, NAME, || unsafe { callback(context.pointer(), reason) });
        }
    }
}
