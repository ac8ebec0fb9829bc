//! The ways in which a connection ends.

use core::time::Duration;

use ntsim::io::File;
use ntsim::sched;
use sys::status::{
    STATUS_CONNECTION_ABORTED, STATUS_CONNECTION_RESET, STATUS_INVALID_CONNECTION, STATUS_SUCCESS,
};
use sys::tdi::{TDI_DISCONNECT_ABORT, TDI_DISCONNECT_RELEASE, TDI_DISCONNECT_WAIT};

use super::{FAR, ScenarioContext, at};
use crate::request::{disconnect, disconnect_within, receive, send};
use crate::together::{Body, together};
use crate::violation::{Violation, one_of, over};
use crate::{Pair, Request};

/// More than the peer's buffers hold, so that a send of it waits for receives.
const LONG: usize = 300_000;

/// See [`super::Scenario::DisconnectRaces`].
pub(super) fn races(context: &ScenarioContext<'_>) -> Result<(), Violation> {
    let Pair { near, far, near_address, far_address } = context.pair()?;
    let mut random = context.random();
    let level = context.level;
    let mut end = |file: File| -> Body<(Vec<Request>, File)> {
        let mut random = random.fork();
        Box::new(move || {
            let requests = at(level, || {
                let mut requests = vec![receive(&file, 1000)];
                requests.push(send(&file, vec![1; [100, LONG][usize::from(random.bool())]]));
                for _ in 0..random.u8(1..3) {
                    let limit = Duration::from_millis(random.u64(1..20));
                    requests.push(match random.u8(..4) {
                        0 => disconnect(&file, TDI_DISCONNECT_ABORT),
                        1 => disconnect(&file, TDI_DISCONNECT_RELEASE),
                        2 => disconnect_within(&file, TDI_DISCONNECT_RELEASE, limit),
                        _ => disconnect(&file, TDI_DISCONNECT_WAIT),
                    });
                }
                requests
            });
            (requests, file)
        })
    };
    let (requests, files): (Vec<_>, Vec<_>) = together("end", vec![end(near), end(far)]).into_iter().unzip();
    if context.random().bool() {
        // All that has a time limit is over by then.
        sched::block(Some(Duration::from_secs(1)));
    }
    drop(files);
    drop((near_address, far_address));
    over(requests.iter().flatten())
}

/// See [`super::Scenario::DisconnectOvertakes`].
pub(super) fn overtakes(context: &ScenarioContext<'_>) -> Result<(), Violation> {
    let pair = context.pair()?;
    // The peer has no room for all of it, so the release waits behind it.
    let sent = send(&pair.near, vec![1; LONG]);
    let release = context.send(|| disconnect(&pair.near, TDI_DISCONNECT_RELEASE));
    let abort = context.send(|| disconnect(&pair.near, TDI_DISCONNECT_ABORT));
    one_of("the send", sent.status(), &[STATUS_CONNECTION_ABORTED])?;
    one_of("the release", release.status(), &[STATUS_CONNECTION_ABORTED])?;
    one_of("the abort", abort.status(), &[STATUS_SUCCESS])?;
    // The peer hears of it, and either end can be used again.
    loop {
        let heard = receive(&pair.far, 400_000).status();
        one_of("a receive", heard, &[STATUS_SUCCESS, STATUS_CONNECTION_RESET, STATUS_INVALID_CONNECTION])?;
        if heard != STATUS_SUCCESS {
            break;
        }
    }
    pair.establish(FAR)?;
    Ok(())
}
