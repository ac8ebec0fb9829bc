//! Two threads at work on the same files, of which one closes them.

use ntsim::io::File;
use sys::status::{STATUS_CANCELLED, STATUS_CONNECTION_ABORTED, STATUS_INVALID_CONNECTION, STATUS_SUCCESS};

use super::{FAR, ScenarioContext, at};
use crate::any::any;
use crate::request::{receive, send};
use crate::together::{Body, together};
use crate::violation::{Violation, ensure, one_of, over};
use crate::{Pair, Request};

/// More than the peer's buffers hold, so that a send of it waits for receives.
const LONG: usize = 200_000;
/// The most bytes of any request.
const LONGEST: usize = 40_000;

/// Requests that wait at both ends.
fn waiting(near: &File, far: &File) -> Vec<Request> {
    vec![receive(near, 9), receive(far, 9), send(near, vec![5; LONG]), receive(near, 9)]
}

/// See [`super::Scenario::CleanupRacesRequests`].
pub(super) fn requests(context: &ScenarioContext<'_>) -> Result<(), Violation> {
    let Pair { near, far, near_address, far_address } = context.pair()?;
    let control = context.fixture.open(&[])?;
    let mut files = vec![near, far, near_address, far_address, control];
    let references: Vec<_> = files.iter().map(File::reference).collect();
    let (level, mut random) = (context.level, context.random());
    random.shuffle(&mut files);
    let sender: Body<Vec<Request>> = Box::new(move || {
        let send = |_| {
            // The endpoints, which most requests are for, more often than the others.
            let file = &references[random.usize(..8).min(random.usize(..references.len()))];
            at(level, || any(file, FAR, LONGEST, &mut random))
        };
        (0..16).map(send).collect()
    });
    let closer: Body<Vec<Request>> = Box::new(move || {
        drop(files);
        Vec::new()
    });
    together("client", vec![sender, closer]).iter().try_for_each(over)
}

/// See [`super::Scenario::CleanupRacesCancels`].
pub(super) fn cancels(context: &ScenarioContext<'_>) -> Result<(), Violation> {
    let Pair { near, far, near_address, far_address } = context.pair()?;
    let two = || [receive(&near, 100), send(&near, vec![4; LONGEST])];
    let requests: Vec<_> = (0..4).flat_map(|_| context.send(two)).collect();
    let level = context.level;
    let canceller: Body<Vec<Request>> = Box::new(move || {
        requests.iter().for_each(|request| at(level, || request.cancel()));
        requests
    });
    let closer: Body<Vec<Request>> = Box::new(move || {
        drop(near);
        Vec::new()
    });
    let requests = together("client", vec![canceller, closer]);
    for request in requests.iter().flatten() {
        let outcome =
            request.outcome().ok_or_else(|| Violation(format!("{request:?} outlived its cleanup")))?;
        // The cancel of a send under way ends the connection; a request that the transport looks at behind it has none.
        let expected =
            [STATUS_SUCCESS, STATUS_CANCELLED, STATUS_CONNECTION_ABORTED, STATUS_INVALID_CONNECTION];
        one_of("a request that was cancelled", outcome.status, &expected)?;
    }
    drop((far, near_address, far_address));
    Ok(())
}

/// See [`super::Scenario::CleanupOfBothEnds`].
pub(super) fn both_ends(context: &ScenarioContext<'_>) -> Result<(), Violation> {
    let Pair { near, far, near_address, far_address } = context.pair()?;
    let requests = context.send(|| waiting(&near, &far));
    let ends: Vec<Body<()>> =
        vec![Box::new(move || drop((near, near_address))), Box::new(move || drop((far, far_address)))];
    together("end", ends);
    over(&requests)
}

/// See [`super::Scenario::CleanupRacesHandles`].
pub(super) fn handles(context: &ScenarioContext<'_>) -> Result<(), Violation> {
    let Pair { near, far, near_address, far_address } = context.pair()?;
    let (second, level) = (near.duplicate(), context.level);
    let waits = context.send(|| waiting(&near, &far));
    let holder = move |file: File| -> Body<Vec<Request>> {
        Box::new(move || {
            let requests = at(level, || vec![receive(&file, 1), send(&file, vec![6; 100])]);
            drop(file);
            requests
        })
    };
    let late = together("handle", vec![holder(near), holder(second)]);
    ensure(late.iter().flatten().chain([&waits[0]]).all(|request| request.outcome().is_some()), || {
        "a request outlived the last handle".into()
    })?;
    drop((far, near_address, far_address));
    late.iter().try_for_each(over)?;
    over(&waits)
}
