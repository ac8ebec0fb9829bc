//! An adapter, or its address, goes and returns.

use core::time::Duration;
use std::sync::{Arc, OnceLock};

use ntsim::io::File;
use ntsim::sched;
use sys::status::{
    STATUS_ADDRESS_CLOSED, STATUS_INVALID_ADDRESS, STATUS_INVALID_CONNECTION, STATUS_SHARING_VIOLATION,
    STATUS_SUCCESS,
};
use sys::tdi::{TDI_DISCONNECT_ABORT, TDI_QUERY_ACCEPT};

use super::{FAR, NEAR, ScenarioContext, at};
use crate::Request;
use crate::any::any;
use crate::datagram::receive_datagram;
use crate::fixture::set_rdma;
use crate::request::{accept, associate, connect, disassociate, disconnect, listen};
use crate::together::{Body, together};
use crate::violation::{Violation, ensure, one_of, over};

/// Milliseconds that an abort may be pending.
const ABORT_TIMEOUT: u32 = 10_000;

/// Opens the far address when it is there again, and those that had it have let it go. A create reads the addresses,
/// so one that TCP/IP has again is usable then, whether the driver had noticed or not that it was away.
fn reopened(context: &ScenarioContext<'_>) -> Result<File, Violation> {
    loop {
        match context.fixture.address(FAR) {
            Ok(file) => return Ok(file),
            Err(status) => {
                one_of("a create", status.0, &[STATUS_INVALID_ADDRESS, STATUS_SHARING_VIOLATION])?;
                sched::block(Some(Duration::from_millis(1)));
            }
        }
    }
}

/// Aborts what an endpoint has, and associates it with another address. An abort is refused where there is nothing, and
/// where another one is pending; the latter ends soon. An endpoint that was aborted can be parted from its address,
/// unless a request of the client's has done that already.
fn associate_anew(endpoint: &File, address: &File) -> Result<(), Violation> {
    for _ in 0..ABORT_TIMEOUT {
        let aborted = disconnect(endpoint, TDI_DISCONNECT_ABORT).status();
        one_of("an abort", aborted, &[STATUS_SUCCESS, STATUS_INVALID_CONNECTION])?;
        let parted = disassociate(endpoint);
        if aborted == STATUS_SUCCESS {
            one_of("a disassociate after an abort", parted, &[STATUS_SUCCESS])?;
        }
        if associate(endpoint, address) == STATUS_SUCCESS {
            return Ok(());
        }
        sched::block(Some(Duration::from_millis(1)));
    }
    Err(Violation("an endpoint can't be associated anew".into()))
}

/// See [`super::Scenario::AdapterReturns`].
pub(super) fn adapter(context: &ScenarioContext<'_>) -> Result<(), Violation> {
    let (fixture, level, mut random) = (context.fixture, context.level, context.random());
    let (near_address, far_address) = (fixture.address(NEAR)?, fixture.address(FAR)?);
    let (near, far) = (fixture.associated(&near_address, 0xA)?, fixture.associated(&far_address, 0xB)?);
    let whole = random.bool();
    let waits = [listen(&far, 0), receive_datagram(&far_address, None, 9)];
    let mut active_random = random.fork();
    let active: Body<Vec<Request>> = {
        let near = near.duplicate();
        Box::new(move || {
            let mut requests = Vec::new();
            // A connect that fails, or is cancelled, or is aborted, and then another one.
            for _ in 0..active_random.u8(1..4) {
                let connects = at(level, || connect(&near, FAR));
                match active_random.u8(..3) {
                    0 => connects.cancel(),
                    1 => requests.push(at(level, || disconnect(&near, TDI_DISCONNECT_ABORT))),
                    _ => requests.push(at(level, || any(&near, FAR, 1000, &mut active_random))),
                }
                requests.push(connects);
            }
            requests
        })
    };
    let mut passive_random = random.fork();
    let passive: Body<Vec<Request>> = {
        let far = far.duplicate();
        Box::new(move || {
            let mut requests = Vec::new();
            for _ in 0..passive_random.u8(1..4) {
                let flags = if passive_random.bool() { TDI_QUERY_ACCEPT } else { 0 };
                // Mostly there is nothing to accept, so that this is refused.
                requests.push(at(level, || accept(&far)));
                requests.push(at(level, || listen(&far, flags)));
            }
            requests
        })
    };
    let adapter = fixture.adapter(1).ok_or_else(|| Violation("the adapter has gone".into()))?;
    let refused = Arc::new(OnceLock::new());
    let refusal = refused.clone();
    let manager: Body<Vec<Request>> = Box::new(move || {
        for present in [false, true] {
            if !whole && present {
                adapter.add_address(FAR.ip());
            } else if !whole {
                adapter.remove_address(FAR.ip());
            } else if let Err(status) = set_rdma(&adapter, present) {
                refusal.get_or_init(|| status.to_string());
            }
        }
        Vec::new()
    });
    let clients = together("client", vec![active, passive, manager]);
    ensure(refused.get().is_none(), || format!("RDMA can't be switched: {refused:?}"))?;
    if whole {
        for wait in &waits {
            ensure(wait.wait_for(Duration::from_secs(60)).is_some(), || format!("{wait:?} waits for ever"))?;
        }
        let received = waits[1].outcome().map(|outcome| outcome.status);
        ensure(received == Some(STATUS_ADDRESS_CLOSED), || format!("the receive ended with {received:X?}"))?;
    }
    let new = reopened(context)?;
    associate_anew(&near, &near_address)?;
    associate_anew(&far, &new)?;
    let listened = context.send(|| listen(&far, 0));
    let connected = context.send(|| connect(&near, FAR));
    for request in [connected, listened] {
        one_of("a connection over the address that returned", request.status(), &[STATUS_SUCCESS])?;
    }
    drop((near, far, new, near_address, far_address));
    over(clients.iter().flatten().chain(&waits))
}
