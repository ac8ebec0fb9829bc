//! The effects of work requests on memory regions and windows, and the tokens that they have.

#![forbid(unsafe_code)]

use core::sync::atomic::Ordering;
use std::sync::Arc;

use sys::wdm::UINT32;

use crate::layer::layer;
use crate::object::{Dependencies, Effect, Stage, TrackedObject};
use crate::rules::{self, found};

impl Effect {
    /// The effect of binding `window` to `region` by a request that is being posted.
    pub(crate) fn bind(
        region: Option<Arc<TrackedObject>>,
        window: Option<Arc<TrackedObject>>,
    ) -> Option<Self> {
        let (region, window) = (region?, window?);
        unbind(&window);
        let memory = window.memory()?;
        layer().tokens.forgotten(window.serial, &core::mem::take(&mut *memory.tokens.lock()));
        memory.usable.store(true, Ordering::Relaxed);
        let generation = memory.generation.fetch_add(1, Ordering::Relaxed) + 1;
        Some(Self::Bound { region, window, generation })
    }

    /// The effect of invalidating `memory` by a request that is being posted.
    pub(crate) fn invalidate(memory: &Arc<TrackedObject>) -> Option<Self> {
        unbind(memory);
        let generation = memory.memory()?.generation.load(Ordering::Relaxed);
        Some(Self::Invalidated { memory: Arc::clone(memory), generation })
    }

    /// The request has succeeded.
    pub(crate) fn apply(self) {
        match self {
            Self::Bound { region, window, generation } => {
                let Some(memory) = window.memory() else { return };
                let mut bound_to = memory.bound_to.lock();
                let current = memory.generation.load(Ordering::Relaxed) == generation;
                let open = region.stage() == Stage::Open && window.stage() == Stage::Open;
                if current && open && bound_to.is_none() {
                    Dependencies::add(&region, &window);
                    *bound_to = Some(region);
                }
            }
            Self::Invalidated { memory, generation } => {
                let Some(state) = memory.memory() else { return };
                if state.generation.load(Ordering::Relaxed) == generation {
                    layer().tokens.expired(memory.serial, &state.tokens.lock());
                }
            }
        }
    }
}

/// Ends the dependency of a window that may no longer be bound: the provider ends it when it gets to the request.
pub(crate) fn unbind(window: &Arc<TrackedObject>) {
    let Some(memory) = window.memory() else { return };
    memory.generation.fetch_add(1, Ordering::Relaxed);
    let region = memory.bound_to.lock().take();
    if let Some(region) = region {
        Dependencies::remove(&region, window);
    }
}

/// A fast registration of `region` is being posted: its tokens become good.
pub(crate) fn fast_registering(region: &TrackedObject) {
    let Some(memory) = region.memory() else { return };
    memory.generation.fetch_add(1, Ordering::Relaxed);
    layer().tokens.revived(region.serial, &memory.tokens.lock());
}

/// A region or window is closed. Its dependency on a region is not ended here but when its completion returns.
pub(crate) fn closed(tracked: &TrackedObject) {
    expire(tracked);
    if let Some(memory) = tracked.memory() {
        memory.bound_to.lock().take();
    }
}

/// Notes whether a region's or window's tokens mean anything.
pub(crate) fn set_usable(tracked: &TrackedObject, usable: bool) {
    if let Some(memory) = tracked.memory() {
        memory.usable.store(usable, Ordering::Relaxed);
    }
}

/// Nothing of a region or window is good any more.
pub(crate) fn expire(tracked: &TrackedObject) {
    let Some(memory) = tracked.memory() else { return };
    memory.usable.store(false, Ordering::Relaxed);
    layer().tokens.expired(tracked.serial, &core::mem::take(&mut *memory.tokens.lock()));
}

/// Notes a token that the provider gave for an object.
pub(crate) fn token_of(tracked: &Arc<TrackedObject>, token: UINT32) {
    let Some(memory) = tracked.memory() else { return };
    let mut tokens = memory.tokens.lock();
    if !memory.usable.load(Ordering::Relaxed) || tokens.contains(&token) {
        return;
    }
    tokens.push(token);
    if let Some(other) = layer().tokens.issued(tracked, token) {
        found(rules::TOKEN_SHARED, format!("{tracked} and {other} both have the token {token:#x}"));
    }
}
