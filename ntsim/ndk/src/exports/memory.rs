//! Memory regions and memory windows.

use core::sync::atomic::Ordering;
use std::sync::Arc;

use ntsim_core::exports;
use sys::ndk::*;
use sys::status::{NT_SUCCESS, NTSTATUS};
use sys::wdm::{BOOLEAN, FALSE, MDL, PVOID, SIZE_T, UINT32, ULONG};

use crate::boundary;
use crate::call::{Call, enter};
use crate::context::Then;
use crate::kind::Object;
use crate::memory::{expire, set_usable, token_of};
use crate::object::Stage;
use crate::request;

/// Makes a region usable, and learns its tokens: one of them may have been another's before.
fn usable(call: &Call<NDK_MR>, region: *mut NDK_MR, remote: bool) -> Option<Then> {
    let tracked = Arc::clone(&call.tracked);
    let table = At(call.dispatch().expose_provenance());
    let region = At(region.expose_provenance());
    Some(Box::new(move |status| {
        let Some(memory) = tracked.memory() else { return };
        if !NT_SUCCESS(status) {
            return;
        }
        memory.usable.store(true, Ordering::Relaxed);
        if tracked.stage() != Stage::Open {
            return;
        }
        let region = region.pointer::<NDK_MR>();
        let table = table.pointer::<NDK_MR_DISPATCH>();
        // SAFETY: the provider's table; only the slot is read.
        let local = unsafe { (*table).NdkGetLocalTokenFromMr };
        // SAFETY: as above.
        let other = unsafe { (*table).NdkGetRemoteTokenFromMr };
        let other = other.filter(|_| remote);
        for (name, function) in [("NdkGetLocalTokenFromMr", local), ("NdkGetRemoteTokenFromMr", other)] {
            let Some(function) = function else { continue };
            // SAFETY: the region is open, and its request is not over for the consumer yet.
            let token = boundary::into_provider(name, || unsafe { function(region) });
            token_of(&tracked, token);
        }
    }))
}

/// An address that a closure carries to another thread.
#[derive(Clone, Copy)]
struct At(usize);

impl At {
    fn pointer<T>(self) -> *mut T {
        core::ptr::with_exposed_provenance_mut(self.0)
    }
}

/// Calls a function that returns a token, and notes the token.
fn token<T: Object>(call: &Call<T>, provider: impl FnOnce() -> UINT32) -> UINT32 {
    let token = call.run(provider);
    token_of(&call.tracked, token);
    token
}

exports! {
    "(ndk)";

    /// Registers memory.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkRegisterMr(
        mr: *mut NDK_MR,
        mdl: *mut MDL,
        length: SIZE_T,
        flags: ULONG,
        completion: Option<NDK_FN_REQUEST_COMPLETION>,
        context: PVOID,
    ) -> NTSTATUS {
        let (call, register) = enter!(mr, NdkRegisterMr);
        let remote = flags & (NDK_MR_FLAG_ALLOW_REMOTE_READ | NDK_MR_FLAG_ALLOW_REMOTE_WRITE) > 1;
        let then = usable(&call, mr, remote);
        // SAFETY: the consumer's arguments, and the layer's completion.
        request::run(&call, completion, context, |completion, context| unsafe {
            register(mr, mdl, length, flags, completion, context)
        }, then)
    }

    /// Ends a registration.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkDeregisterMr(
        mr: *mut NDK_MR,
        completion: Option<NDK_FN_REQUEST_COMPLETION>,
        context: PVOID,
    ) -> NTSTATUS {
        let (call, deregister) = enter!(mr, NdkDeregisterMr);
        set_usable(&call.tracked, false);
        let tracked = Arc::clone(&call.tracked);
        let then = Box::new(move |status| {
            if NT_SUCCESS(status) { expire(&tracked) } else { set_usable(&tracked, true) }
        });
        // SAFETY: the consumer's arguments, and the layer's completion.
        request::run(&call, completion, context, |completion, context| unsafe {
            deregister(mr, completion, context)
        }, Some(then))
    }

    /// Prepares a region for fast registration.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkInitializeFastRegisterMr(
        mr: *mut NDK_MR,
        pages: ULONG,
        remote: BOOLEAN,
        completion: Option<NDK_FN_REQUEST_COMPLETION>,
        context: PVOID,
    ) -> NTSTATUS {
        let (call, initialize) = enter!(mr, NdkInitializeFastRegisterMr);
        let then = usable(&call, mr, remote != FALSE);
        // SAFETY: the consumer's arguments, and the layer's completion.
        request::run(&call, completion, context, |completion, context| unsafe {
            initialize(mr, pages, remote, completion, context)
        }, then)
    }

    /// The token by which peers reach a region.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkGetRemoteTokenFromMr(mr: *mut NDK_MR) -> UINT32 {
        let (call, remote_token) = enter!(mr, NdkGetRemoteTokenFromMr, else return 0);
        // SAFETY: the consumer's argument.
        token(&call, || unsafe { remote_token(mr) })
    }

    /// The token by which local requests reach a region.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkGetLocalTokenFromMr(mr: *mut NDK_MR) -> UINT32 {
        let (call, local_token) = enter!(mr, NdkGetLocalTokenFromMr, else return 0);
        // SAFETY: the consumer's argument.
        token(&call, || unsafe { local_token(mr) })
    }

    /// The token by which peers reach a window.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkGetRemoteTokenFromMw(mw: *mut NDK_MW) -> UINT32 {
        let (call, remote_token) = enter!(mw, NdkGetRemoteTokenFromMw, else return 0);
        // SAFETY: the consumer's argument.
        token(&call, || unsafe { remote_token(mw) })
    }
}
