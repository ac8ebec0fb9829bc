//! Scenarios of closing files.

use core::time::Duration;

use ntsim::ex::{Faults, inject};
use ntsim::io::File;
use ntsim::sched;
use sys::status::{
    STATUS_CANCELLED, STATUS_CONNECTION_ABORTED, STATUS_CONNECTION_RESET, STATUS_INVALID_CONNECTION,
    STATUS_SUCCESS,
};
use sys::wdm::IRP_MJ_CLOSE;

use super::{FAR, ScenarioContext, at, await_free};
use crate::any::any;
use crate::request::{listen, receive, send};
use crate::together::{Body, together};
use crate::violation::{Violation, ensure, one_of, over, succeeds};
use crate::{Pair, Request};

/// More than the peer's buffers hold, so that a send of it waits for receives.
const LONG: usize = 300_000;

/// See [`super::Scenario::CleanupInOrder`].
pub(super) fn in_order(context: &ScenarioContext<'_>) -> Result<(), Violation> {
    let Pair { near, far, near_address, far_address } = context.pair()?;
    let mut all: Vec<_> = (0..3).map(|_| context.send(|| send(&near, vec![1; LONG]))).collect();
    all.extend((0..3).map(|_| context.send(|| receive(&near, 100))));
    // What has arrived does not end with the connection.
    succeeds("a receive of what was sent", receive(&far, 1))?;
    let listening = context.fixture.associated(&far_address, 0xC)?;
    all.push(context.send(|| listen(&listening, 0)));
    drop((near, listening));
    over(&all)?;
    let order: Vec<_> = all.iter().map(Request::sequence).collect();
    ensure(order.is_sorted(), || format!("they completed in the order {order:?}"))?;
    for request in all {
        one_of("a request that waited", request.status(), &[STATUS_CANCELLED])?;
    }
    drop((far, near_address, far_address));
    Ok(())
}

/// See [`super::Scenario::CleanupOfTheLast`].
pub(super) fn the_last(context: &ScenarioContext<'_>) -> Result<(), Violation> {
    let pair = context.pair()?;
    let second = pair.near.duplicate();
    drop(pair.near);
    let received = receive(&pair.far, 2);
    succeeds("a send by the second handle", context.send(|| send(&second, b"ok".to_vec())))?;
    ensure(received.wait().data == b"ok", || "something else was received than was sent".into())?;
    let waits = context.send(|| receive(&second, 1));
    let reference = second.reference();
    let closed = || context.fixture.machine.requests().completed(IRP_MJ_CLOSE);
    let before = closed();
    drop(second);
    over([&waits])?;
    one_of("the receive", waits.status(), &[STATUS_CANCELLED])?;
    ensure(closed() == before, || "a file was closed that is still referenced".into())?;
    drop(reference);
    ensure(closed() == before + 1, || "the last reference is gone, and the file is not closed".into())?;
    drop((pair.far, pair.near_address, pair.far_address));
    Ok(())
}

/// See [`super::Scenario::CleanupOfAddresses`].
pub(super) fn addresses(context: &ScenarioContext<'_>) -> Result<(), Violation> {
    let mut random = context.random();
    let Pair { near, far, near_address, far_address } = context.pair()?;
    let listening = context.fixture.associated(&far_address, 0xC)?;
    let listens = listen(&listening, 0);
    let waits = context.send(|| receive(&far, 8));
    let mut addresses = vec![near_address, far_address];
    random.shuffle(&mut addresses);
    let close: Body<Vec<Request>> = Box::new(move || {
        drop(addresses);
        Vec::new()
    });
    let level = context.level;
    let work: Body<Vec<Request>> = Box::new(move || {
        let mut requests = vec![waits, at(level, || send(&near, vec![2; 8]))];
        if random.bool() {
            requests.push(at(level, || any(&near, FAR, 1000, &mut random)));
        }
        drop((near, far));
        requests
    });
    let mut bodies = vec![close, work];
    // Before the other one, after it, or meanwhile.
    match context.random().u8(..3) {
        0 => bodies.reverse(),
        1 => drop(together("client", bodies.split_off(1))),
        _ => {}
    }
    let requests = together("client", bodies);
    drop(listening);
    over(requests.iter().flatten().chain([&listens]))
}

/// See [`super::Scenario::ExitingProcess`].
pub(super) fn exit(context: &ScenarioContext<'_>) -> Result<(), Violation> {
    let Pair { near, far, near_address, far_address } = context.pair()?;
    let three = || [receive(&near, 8), send(&near, vec![1; LONG]), receive(&far, 8)];
    let requests: Vec<_> = (0..3).flat_map(|_| context.send(three)).collect();
    // Its peer is in another process, which goes on for a while.
    let peer: Body<Vec<Request>> = {
        let (mut random, level, far) = (context.random(), context.level, far.duplicate());
        Box::new(move || {
            let send = |_| at(level, || any(&far, FAR, 1000, &mut random));
            let requests = (0..4).map(send).collect();
            if random.bool() {
                sched::block(Some(Duration::from_millis(1)));
            }
            requests
        })
    };
    // First every request of its threads is cancelled, then its handles are closed in turn.
    let reaper: Body<Vec<Request>> = Box::new(move || {
        requests.iter().for_each(Request::cancel);
        for handle in [far_address, near, near_address, far] {
            drop(handle);
        }
        requests
    });
    let probability = [0.0, 0.3, 1.0][usize::from(context.random().u8(..3))];
    inject(Faults::Random { probability, seed: context.seed }, Some("softndk.sys"));
    let requests = together("process", vec![peer, reaper]);
    inject(Faults::None, None);
    over(requests.iter().flatten())
}

/// See [`super::Scenario::CloseWhileLinkGoes`].
pub(super) fn link_goes(context: &ScenarioContext<'_>) -> Result<(), Violation> {
    let mut random = context.random();
    for _ in 0..2 {
        let Pair { near, far, near_address, far_address } = context.pair()?;
        let sent = context.send(|| send(&near, vec![3; LONG]));
        let received = context.send(|| receive(&far, 100));
        // Cleanup and close, at once; the far end hears of it when the link is gone.
        drop((near, near_address));
        over([&sent])?;
        let late = context.send(|| send(&far, vec![0]));
        let heard = [STATUS_SUCCESS, STATUS_INVALID_CONNECTION, STATUS_CONNECTION_RESET];
        one_of("a receive of what had arrived", received.status(), &heard)?;
        if random.bool() {
            one_of("a send without a peer", late.status(), &heard)?;
            drop((far, far_address));
        } else {
            drop((far, far_address));
            over([&late])?;
        }
        await_free(context.fixture)?;
    }
    Ok(())
}

/// See [`super::Scenario::AdapterGoes`].
pub(super) fn adapter_goes(context: &ScenarioContext<'_>) -> Result<(), Violation> {
    let Pair { near, far, near_address, far_address } = context.pair()?;
    let waits = context.send(|| [receive(&near, 9), receive(&far, 9), receive(&far, 9)]);
    let first = usize::from(context.random().bool());
    context.fixture.halt(first);
    context.fixture.halt(1 - first);
    for request in waits {
        let ended = [STATUS_CONNECTION_ABORTED, STATUS_CONNECTION_RESET];
        one_of("a receive on an adapter that is gone", request.status(), &ended)?;
    }
    let late = context.send(|| send(&near, vec![0])).status();
    one_of("a send on an adapter that is gone", late, &[STATUS_INVALID_CONNECTION])?;
    let files: Vec<File> = vec![near, far, near_address, far_address];
    drop(files);
    Ok(())
}
