//! A client's handlers.

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use ntsim::io::File;
use ntsim::sched::{self, Irql};
use sys::status::{STATUS_INVALID_CONNECTION, STATUS_SUCCESS};
use sys::tdi::{TDI_DISCONNECT_ABORT, TDI_DISCONNECT_RELEASE};

use super::{FAR, ScenarioContext, at};
use crate::event::{Taken, on_disconnect, on_receive};
use crate::request::{disconnect, receive, send};
use crate::together::{Body, together};
use crate::violation::{Violation, ensure, one_of, over, succeeds};
use crate::{Pair, Request};

/// The record of a handler's calls.
#[derive(Default)]
struct Seen {
    runs: AtomicBool,
    calls: AtomicUsize,
}

impl Seen {
    /// A call that takes a while, so that others may do something meanwhile.
    fn call(&self, length: usize) -> Taken {
        self.runs.store(true, Ordering::SeqCst);
        for _ in 0..8 {
            sched::schedule_point();
            std::thread::yield_now();
        }
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.runs.store(false, Ordering::SeqCst);
        Taken::bytes(length)
    }
}

/// See [`super::Scenario::HandlerRacesCleanup`].
pub(super) fn cleanup(context: &ScenarioContext<'_>) -> Result<(), Violation> {
    let Pair { near, far, near_address, far_address } = context.pair()?;
    let seen: &'static Seen = Box::leak(Box::default());
    on_receive(&far_address, Box::leak(Box::new(|data: &[u8], _| seen.call(data.len()))))?;
    succeeds("a send", send(&near, vec![3; 100]))?;
    let level = context.level;
    let sender: Body<Result<Vec<Request>, Violation>> = Box::new(move || {
        let requests = (0..5).map(|_| at(level, || send(&near, vec![3; 100]))).collect();
        drop(near);
        Ok(requests)
    });
    let closer: Body<Result<Vec<Request>, Violation>> = Box::new(move || {
        drop(far_address);
        let calls = seen.calls.load(Ordering::SeqCst);
        ensure(!seen.runs.load(Ordering::SeqCst), || "a handler runs after its address's cleanup".into())?;
        for _ in 0..8 {
            sched::schedule_point();
        }
        // What arrives now is kept for receives.
        let late = at(level, || receive(&far, 1));
        drop(far);
        over([&late])?;
        ensure(seen.calls.load(Ordering::SeqCst) == calls, || {
            "a handler was called after its address's cleanup".into()
        })?;
        Ok(vec![late])
    });
    let requests = together("client", vec![sender, closer]).into_iter().collect::<Result<Vec<_>, _>>()?;
    drop(near_address);
    over(requests.iter().flatten())?;
    ensure(seen.calls.load(Ordering::SeqCst) > 0, || "the handler was never called".into())
}

/// The record of a handler that was told of a disconnect: the peer's kind of disconnect, the handler's file, and
/// its own disconnect.
type Told = Mutex<Option<(u32, File, Request)>>;

/// See [`super::Scenario::HandlerDisconnects`].
pub(super) fn disconnect_inside(context: &ScenarioContext<'_>) -> Result<(), Violation> {
    let pair = context.pair()?;
    // For the first disconnect; the handler lives longer than the file.
    let far = Mutex::new(Some(pair.far.clone()));
    let told: &'static Told = Box::leak(Box::default());
    let waiter = sched::current();
    on_disconnect(
        &pair.far_address,
        Box::leak(Box::new(move |_context, how| {
            let Some(far) = far.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
            let own = at(Irql::DISPATCH, || disconnect(&far, TDI_DISCONNECT_RELEASE));
            *told.lock().unwrap_or_else(PoisonError::into_inner) = Some((how, far, own));
            if let Some(waiter) = waiter {
                sched::wake(waiter);
            }
        })),
    )?;
    let flags = if context.random().bool() { 0 } else { TDI_DISCONNECT_RELEASE };
    let near = context.send(|| disconnect(&pair.near, flags));
    let (how, far, own) = loop {
        if let Some(told) = told.lock().unwrap_or_else(PoisonError::into_inner).take() {
            break told;
        }
        sched::block(None);
    };
    drop(far);
    let (expected, status) = match flags {
        0 => (TDI_DISCONNECT_ABORT, STATUS_INVALID_CONNECTION),
        _ => (TDI_DISCONNECT_RELEASE, STATUS_SUCCESS),
    };
    ensure(how == expected, || format!("the handler was told {how}, not {expected}"))?;
    succeeds("the disconnect", near)?;
    one_of("the handler's own disconnect", own.status(), &[status])?;
    // The endpoint is valid and can be used again.
    pair.establish(FAR)?;
    Ok(())
}
