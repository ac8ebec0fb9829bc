//! Memory regions and memory windows.

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::Arc;

use ntsim_core::exports;
use parking_lot::Mutex;
use sys::ndk::*;
use sys::status::{NT_SUCCESS, NTSTATUS};
use sys::wdm::{BOOLEAN, FALSE, MDL, PVOID, SIZE_T, UINT32, ULONG};

use super::call::{Call, enter};
use super::dependencies::Dependencies;
use super::kind::Object;
use super::request;
use super::tracked::{Stage, TrackedObject};
use super::type_state::TypeState;
use super::{boundary, found, layer, rules};

/// The state that the layer keeps of a region or window.
#[derive(Default)]
pub(super) struct Memory {
    /// Set if its tokens mean anything.
    usable: AtomicBool,
    tokens: Mutex<Vec<u32>>,
    /// Counts what makes it valid again: posts of fast registrations and binds.
    generation: AtomicU32,
    /// The region that a window is bound to.
    bound_to: Mutex<Option<Arc<TrackedObject>>>,
}

/// The effect that the success of a work request has on memory.
pub(super) enum Effect {
    /// A window is bound to a region.
    Bound { region: Arc<TrackedObject>, window: Arc<TrackedObject>, generation: u32 },
    /// A region or window is invalidated, unless it was made valid again later.
    Invalidated { memory: Arc<TrackedObject>, generation: u32 },
}

impl Effect {
    /// The effect of binding `window` to `region` by a request that is being posted.
    pub(super) fn bind(
        region: Option<Arc<TrackedObject>>,
        window: Option<Arc<TrackedObject>>,
    ) -> Option<Self> {
        let (region, window) = (region?, window?);
        unbind(&window);
        let memory = part(&window)?;
        layer().tokens.forgotten(window.serial, &core::mem::take(&mut *memory.tokens.lock()));
        memory.usable.store(true, Ordering::Relaxed);
        let generation = memory.generation.fetch_add(1, Ordering::Relaxed) + 1;
        Some(Self::Bound { region, window, generation })
    }

    /// The effect of invalidating `memory` by a request that is being posted.
    pub(super) fn invalidate(memory: &Arc<TrackedObject>) -> Option<Self> {
        unbind(memory);
        let generation = part(memory)?.generation.load(Ordering::Relaxed);
        Some(Self::Invalidated { memory: Arc::clone(memory), generation })
    }

    /// The request has succeeded.
    pub(super) fn apply(self) {
        match self {
            Self::Bound { region, window, generation } => {
                let Some(memory) = part(&window) else { return };
                let mut bound_to = memory.bound_to.lock();
                let current = memory.generation.load(Ordering::Relaxed) == generation;
                let open = region.stage() == Stage::Open && window.stage() == Stage::Open;
                if current && open && bound_to.is_none() {
                    Dependencies::add(&region, &window);
                    *bound_to = Some(region);
                }
            }
            Self::Invalidated { memory, generation } => {
                let Some(part) = part(&memory) else { return };
                if part.generation.load(Ordering::Relaxed) == generation {
                    layer().tokens.expired(memory.serial, &part.tokens.lock());
                }
            }
        }
    }
}

fn part(tracked: &TrackedObject) -> Option<&Memory> {
    match &tracked.type_state {
        TypeState::Memory(memory) => Some(memory),
        _ => None,
    }
}

/// Ends the dependency of a window that may no longer be bound: the provider ends it when it gets to the request.
pub(super) fn unbind(window: &Arc<TrackedObject>) {
    let Some(memory) = part(window) else { return };
    memory.generation.fetch_add(1, Ordering::Relaxed);
    let region = memory.bound_to.lock().take();
    if let Some(region) = region {
        Dependencies::remove(&region, window);
    }
}

/// A fast registration of `region` is being posted: its tokens become good.
pub(super) fn fast_registering(region: &TrackedObject) {
    let Some(memory) = part(region) else { return };
    memory.generation.fetch_add(1, Ordering::Relaxed);
    layer().tokens.revived(region.serial, &memory.tokens.lock());
}

/// A region or window is closed. Its dependency on a region is not ended here but when its completion returns.
pub(super) fn closed(tracked: &TrackedObject) {
    expire(tracked);
    if let Some(memory) = part(tracked) {
        memory.bound_to.lock().take();
    }
}

/// Returns whether a region's or window's tokens are its own: it is open, and not being deregistered.
pub(super) fn is_usable(tracked: &TrackedObject) -> bool {
    tracked.stage() == Stage::Open
        && part(tracked).is_some_and(|memory| memory.usable.load(Ordering::Relaxed))
}

fn set_usable(tracked: &TrackedObject, usable: bool) {
    if let Some(memory) = part(tracked) {
        memory.usable.store(usable, Ordering::Relaxed);
    }
}

/// Nothing of a region or window is good any more.
fn expire(tracked: &TrackedObject) {
    let Some(memory) = part(tracked) else { return };
    memory.usable.store(false, Ordering::Relaxed);
    layer().tokens.expired(tracked.serial, &core::mem::take(&mut *memory.tokens.lock()));
}

/// Notes a token that the provider gave for an object.
fn token_of(tracked: &Arc<TrackedObject>, token: UINT32) {
    let Some(memory) = part(tracked) else { return };
    let mut tokens = memory.tokens.lock();
    if !memory.usable.load(Ordering::Relaxed) || tokens.contains(&token) {
        return;
    }
    tokens.push(token);
    if let Some(other) = layer().tokens.issued(tracked, token) {
        found(rules::TOKEN_SHARED, format!("{tracked} and {other} both have the token {token:#x}"));
    }
}

/// Makes a region usable, and learns its tokens: one of them may have been another's before.
fn usable(call: &Call<NDK_MR>, region: *mut NDK_MR, remote: bool) -> Option<super::callback::Then> {
    let tracked = Arc::clone(&call.tracked);
    let table = At(call.dispatch().expose_provenance());
    let region = At(region.expose_provenance());
    Some(Box::new(move |status| {
        let Some(memory) = part(&tracked) else { return };
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
