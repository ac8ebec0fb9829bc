//! Datagrams between addresses that go.

use core::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use ntsim::io::File;

use super::{FAR, NEAR, ScenarioContext, at};
use crate::Request;
use crate::datagram::{receive_datagram, send_datagram};
use crate::event::{Taken, on_datagram};
use crate::together::{Body, together};
use crate::violation::{Violation, ensure, over};

/// Datagrams that one thread sends.
const EACH: usize = 6;

/// See [`super::Scenario::DatagramsRaceCleanup`].
pub(super) fn cleanup(context: &ScenarioContext<'_>) -> Result<(), Violation> {
    let (near, far) = (context.fixture.address(NEAR)?, context.fixture.address(FAR)?);
    let [gone, late] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
    watch(&far, &gone, &late)?;
    let waits: Vec<_> = context.send(|| (0..3).map(|_| receive_datagram(&far, None, 100)).collect());
    let level = context.level;
    let sender = |file: &File, random: &mut fastrand::Rng| -> Body<Vec<Request>> {
        let (from, lengths) = (file.reference(), [(); EACH].map(|()| random.usize(..300)));
        Box::new(move || {
            at(level, || lengths.map(|length| send_datagram(&from, FAR, vec![8; length])).into())
        })
    };
    let mut random = context.random();
    let mut bodies = vec![sender(&near, &mut random), sender(&far, &mut random)];
    bodies.push(Box::new(move || {
        waits.iter().skip(1).for_each(|request| at(level, || request.cancel()));
        waits
    }));
    bodies.push(Box::new(move || {
        drop(far);
        gone.store(true, Ordering::SeqCst);
        drop(near);
        Vec::new()
    }));
    together("client", bodies).iter().try_for_each(over)?;
    ensure(!late.load(Ordering::SeqCst), || "a handler ran after its address's cleanup".into())
}

/// Takes whatever datagram is shown, and notes one that is shown when the address has gone.
fn watch(address: &File, gone: &Arc<AtomicBool>, late: &Arc<AtomicBool>) -> Result<(), Violation> {
    let (gone, late) = (Arc::clone(gone), Arc::clone(late));
    let handler = Box::leak(Box::new(move |_, data: &[u8]| {
        late.fetch_or(gone.load(Ordering::SeqCst), Ordering::SeqCst);
        Taken::bytes(data.len())
    }));
    Ok(on_datagram(address, handler)?)
}
