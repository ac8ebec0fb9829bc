//! The life of the adapters of a miniport driver: started, used, paused, restarted, and halted or taken away.

use core::net::{IpAddr, Ipv4Addr};

use ntsim::io::StatusError;
use ntsim::ndis::{Adapter, AdapterConfig};
use ntsim::{Driver, Machine};
use serde::{Deserialize, Serialize};

/// The life of the adapters of a miniport driver.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Adapters {
    /// The status of initialising and starting them.
    pub(super) start: u32,
    /// Their use, where they are to be used.
    pub(super) used: Option<Use>,
    /// The status of pausing them, starting them again, pausing and halting them, or of taking the last one away.
    pub(super) halt: u32,
}

/// The use of the adapters.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(super) struct Use {
    /// The object identifiers that were queried, and those of them that were answered with success.
    pub(super) queries: (usize, usize),
    /// The chains of frames that were sent, and those of them that were sent with success.
    pub(super) sends: (usize, usize),
    /// The frames that came up.
    pub(super) received: usize,
}

/// Adds adapters to the machine and lets the driver start them; with `used`, queries each object identifier that one says it
/// supports, and sends frames from each: to all, and to each other one.
pub(super) fn start(machine: &Machine, driver: &mut Driver, count: u8, used: bool) -> Option<Adapters> {
    machine.add_adapters((1..=count).map(config));
    (count > 0).then(|| {
        let start = code(machine.start_adapters(driver));
        let used = used.then(|| exercise(machine));
        Adapters { start, used, halt: 0 }
    })
}

impl Adapters {
    /// Pauses the adapters, starts them again, and halts them; the last one is taken away if they were used.
    pub(super) fn end(&mut self, machine: &Machine) {
        let all = running(machine);
        for (number, adapter) in all.iter().enumerate() {
            let life = adapter.pause().and_then(|()| adapter.restart());
            let end = if self.used.is_some() && number + 1 == all.len() {
                life.and_then(|()| adapter.surprise_remove())
            } else {
                life.and_then(|()| adapter.pause()).and_then(|()| adapter.halt())
            };
            self.halt = if self.halt == 0 { code(end) } else { self.halt };
        }
    }
}

/// The adapters that a driver runs.
fn running(machine: &Machine) -> Vec<std::sync::Arc<Adapter>> {
    (1..=u8::MAX).filter_map(|number| machine.adapter(index(number))).collect()
}

fn exercise(machine: &Machine) -> Use {
    let adapters = running(machine);
    let mut done = Use::default();
    for adapter in &adapters {
        let supported = adapter.supported_oids();
        let answered = supported.iter().filter(|oid| adapter.query(**oid, 1024).is_ok()).count();
        done.queries = (done.queries.0 + supported.len(), done.queries.1 + answered);
        let others = adapters.iter().filter(|other| other.index() != adapter.index());
        let targets = others.map(|other| other.mac_address()).chain([[0xFF; 6]]);
        for target in targets {
            let short = frame(target, adapter.mac_address(), 46);
            let long = frame(target, adapter.mac_address(), 1500);
            let chains: [&[&[&[u8]]]; 2] = [&[&[&short]], &[&[&short, &long], &[&long]]];
            for chain in chains {
                let sent = adapter.send_all(chain).is_ok();
                done.sends = (done.sends.0 + 1, done.sends.1 + usize::from(sent));
            }
        }
    }
    machine.settle();
    done.received = adapters.iter().map(|adapter| adapter.take_received().len()).sum();
    done
}

/// A frame of a type for experiments (IEEE 802a, 0x88B5) with `length` bytes of payload.
fn frame(to: [u8; 6], from: [u8; 6], length: usize) -> Vec<u8> {
    [&to[..], &from[..], &[0x88, 0xB5], &vec![0x5A; length]].concat()
}

/// An adapter with an address of its own.
fn config(number: u8) -> AdapterConfig {
    AdapterConfig::new(index(number), [IpAddr::V4(Ipv4Addr::new(10, 0, 0, number))])
}

/// The interface index of an adapter.
fn index(number: u8) -> u32 {
    10 + u32::from(number)
}

/// The status of an operation, as a number.
pub(super) fn code(result: Result<(), StatusError>) -> u32 {
    result.err().map_or(0, |StatusError(status)| status.cast_unsigned())
}
