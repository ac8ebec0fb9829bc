//! The simulated machine behind the traits of the runner.

use std::sync::Arc;

use ntsim::ex::{Faults, inject, injected};
use ntsim::io::{File, StatusError};
use ntsim::{ndis, sched};
use sys::ndis::OID_NDK_SET_STATE;

use super::Fixture;
use crate::{Adapter, Completion, Control, Device, Error, Host, Shortage, TRANSPORT};

/// The image whose allocations fail.
const UNDER_TEST: &str = "softndk.sys";

impl Device for File {
    fn control(&self, code: u32, input: &[u8], output: &mut [u8]) -> Completion {
        let outcome = self.ioctl(code, input, output);
        Completion { status: outcome.status, information: outcome.information }
    }

    fn raw(&self) -> usize {
        Self::raw(self)
    }
}

impl Host for Fixture {
    fn open(&self) -> Result<Arc<dyn Device>, Error> {
        let file =
            self.machine().open(protocol::LINK_NAME, &[]).map_err(failed("open the harness driver"))?;
        Ok(Arc::new(file))
    }

    fn open_transport(&self, attributes: &[u8]) -> Result<Arc<dyn Device>, Error> {
        let file = self.machine().open(TRANSPORT, attributes).map_err(failed("open the transport"))?;
        Ok(Arc::new(file))
    }

    fn adapters(&self) -> Result<Vec<Adapter>, Error> {
        let running = self.places().iter().filter_map(|place| {
            let adapter = self.machine().adapter(place.if_index())?;
            Some(Adapter {
                if_index: place.if_index(),
                name: format!("Ethernet {}", place.if_index()),
                description: "softndk RDMA adapter".to_owned(),
                addresses: vec![place.address()],
                rdma: adapter.is_ndk_enabled(),
            })
        });
        Ok(running.collect())
    }

    fn control(&self, if_index: u32) -> Result<Arc<dyn Control>, Error> {
        let adapter = self.machine().adapter(if_index).ok_or_else(|| Error::Host {
            what: "find the adapter",
            why: format!("no adapter with interface index {if_index} runs"),
        })?;
        Ok(Arc::new(Running(adapter)))
    }

    fn enable(&mut self, _if_index: u32) -> Result<(), Error> {
        self.start_adapters()
    }

    fn shorten(&self, shortage: Option<Shortage>) -> Result<u64, Error> {
        let (_, failures) = injected();
        match shortage {
            Some(Shortage { fraction, seed }) => {
                let faults = Faults::Random { probability: fraction, seed: seed.into() };
                inject(faults, Some(UNDER_TEST));
            }
            None => inject(Faults::None, None),
        }
        Ok(failures)
    }
}

/// An adapter that a driver runs, or ran.
struct Running(Arc<ndis::Adapter>);

impl Control for Running {
    fn has_rdma(&self) -> Result<bool, Error> {
        Ok(self.0.is_ndk_enabled())
    }

    fn set_rdma(&self, enabled: bool) -> Result<(), Error> {
        let what = if enabled { "enable RDMA" } else { "disable RDMA" };
        self.0.set(OID_NDK_SET_STATE, &[u8::from(enabled)]).map_err(failed(what))
    }

    fn disable(&self) -> Result<(), Error> {
        let _attached = attached();
        self.0.halt().map_err(failed("disable the adapter"))
    }

    fn remove(&self) -> Result<(), Error> {
        let _attached = attached();
        self.0.surprise_remove().map_err(failed("remove the adapter"))
    }
}

/// The calling thread as one of the machine's, for the time that a plug-and-play request takes.
fn attached() -> Option<impl Sized> {
    sched::current().is_none().then(|| sched::attach("plug and play"))
}

fn failed(what: &'static str) -> impl Fn(StatusError) -> Error {
    move |status| Error::Status { what, status: status.0, outcome: None }
}
