//! Connects that come to nothing, or nearly.

use ntsim::io::File;
use sys::tdi::TDI_QUERY_ACCEPT;

use super::{FAR, NEAR, ScenarioContext, at};
use crate::Request;
use crate::request::{accept, connect, listen};
use crate::together::{Body, together};
use crate::violation::{Violation, over};

/// See [`super::Scenario::ConnectRaces`].
pub(super) fn races(context: &ScenarioContext<'_>) -> Result<(), Violation> {
    let (fixture, level, mut random) = (context.fixture, context.level, context.random());
    let (near_address, far_address) = (fixture.address(NEAR)?, fixture.address(FAR)?);
    let (near, far) = (fixture.associated(&near_address, 0xA)?, fixture.associated(&far_address, 0xB)?);
    let flags = if random.bool() { TDI_QUERY_ACCEPT } else { 0 };
    let (near_does, far_does, address_stays) = (random.u8(..3), random.u8(..4), random.bool());
    let first = context.send(|| listen(&far, flags));
    let active: Body<(Vec<Request>, Vec<File>)> = Box::new(move || {
        let connects = at(level, || connect(&near, FAR));
        match near_does {
            0 => at(level, || connects.cancel()),
            1 => drop(near),
            _ => return (vec![connects], vec![near]),
        }
        (vec![connects], Vec::new())
    });
    let passive: Body<(Vec<Request>, Vec<File>)> = Box::new(move || {
        let mut requests = Vec::new();
        match far_does {
            0 => at(level, || first.cancel()),
            1 => requests.push(at(level, || accept(&far))),
            2 => return (vec![first], Vec::new()),
            _ => {}
        }
        requests.extend([first, at(level, || listen(&far, flags))]);
        (requests, vec![far])
    });
    let address: Body<(Vec<Request>, Vec<File>)> =
        Box::new(
            move || {
                if address_stays { (Vec::new(), vec![far_address]) } else { (Vec::new(), Vec::new()) }
            },
        );
    let ends = together("client", vec![active, passive, address]);
    drop(near_address);
    let (requests, files): (Vec<_>, Vec<_>) = ends.into_iter().unzip();
    drop(files);
    over(requests.iter().flatten())
}
