//! A simulated machine with both drivers and two adapters.

use std::env;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use ntsim::Driver;
use ntsim::io::StatusError;
use ntsim::ndis::AdapterConfig;
use ntsim::{Machine, Report};

use crate::Error;

/// The paths of the images.
#[derive(Clone, Debug)]
pub struct Images {
    /// The provider, the driver under test.
    pub softndk: PathBuf,
    /// The consumer.
    pub ndkhlk: PathBuf,
}

impl Images {
    /// The images that `cargo xtask build` leaves under `target/softndk` in the repository at `root`, or
    /// those in the folder that the environment names in `SOFTNDK_IMAGES`.
    ///
    /// # Errors
    /// If there are none.
    pub fn built(root: &Path) -> Result<Self, Error> {
        let folder = env::var_os("SOFTNDK_IMAGES").map_or_else(|| root.join("target/softndk"), PathBuf::from);
        let image = |name| {
            let path = folder.join(name);
            if path.is_file() { Ok(path) } else { Err(Error::NotBuilt(path)) }
        };
        Ok(Self { softndk: image("softndk.sys")?, ndkhlk: image("ndkhlk.sys")? })
    }
}

/// An adapter: its interface index and its address.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    if_index: u32,
    address: IpAddr,
    immediate: bool,
    wire: bool,
    crc: Option<bool>,
}

impl Place {
    /// An adapter with this interface index and this address.
    pub const fn new(if_index: u32, address: IpAddr) -> Self {
        Self { if_index, address, immediate: false, wire: false, crc: None }
    }

    /// The same adapter with `ImmediateNotification` set.
    #[must_use]
    pub const fn immediate(self) -> Self {
        Self { immediate: true, ..self }
    }

    /// The same adapter with `ForceWire` set: connections go over TCP, those between adapters of the driver too.
    #[must_use]
    pub const fn wire(self) -> Self {
        Self { wire: true, ..self }
    }

    /// The same adapter with `MpaCrc` set: whether it wants sums of what crosses TCP.
    #[must_use]
    pub const fn crc(self, wanted: bool) -> Self {
        Self { crc: Some(wanted), ..self }
    }

    pub(super) const fn if_index(&self) -> u32 {
        self.if_index
    }

    pub(super) const fn address(&self) -> IpAddr {
        self.address
    }

    fn config(&self) -> AdapterConfig {
        let mut config = AdapterConfig::new(self.if_index, [self.address]);
        if self.immediate {
            config.keywords.push(("ImmediateNotification".to_owned(), "1".to_owned()));
        }
        if self.wire {
            config.keywords.push(("ForceWire".to_owned(), "1".to_owned()));
        }
        if let Some(wanted) = self.crc {
            config.keywords.push(("MpaCrc".to_owned(), u8::from(wanted).to_string()));
        }
        config
    }
}

/// A machine with both drivers loaded and the adapters running.
#[derive(Debug)]
pub struct Fixture {
    softndk: Driver,
    ndkhlk: Driver,
    places: Vec<Place>,
    // Last: what is above must be gone when the machine is shut down.
    machine: Machine,
}

impl Fixture {
    /// Boots a machine with two processors, loads both drivers and starts the adapters.
    ///
    /// # Errors
    /// If an image can't be loaded or an adapter can't be started.
    pub fn boot(images: &Images, places: &[Place]) -> Result<Self, Error> {
        Self::on(Machine::builder().boot(), images, places).map_err(|(error, _)| error)
    }

    /// Loads both drivers on `machine` and starts the adapters.
    ///
    /// # Errors
    /// As [`boot`](Self::boot); then whatever was loaded is unloaded, and the machine comes back.
    pub fn on(machine: Machine, images: &Images, places: &[Place]) -> Result<Self, (Error, Machine)> {
        let mut softndk = match machine.load(&images.softndk) {
            Ok(driver) => driver,
            Err(error) => return Err((error.into(), machine)),
        };
        machine.add_adapters(places.iter().map(Place::config));
        let started = machine.start_adapters(&mut softndk).map_err(|status| cannot_start(&machine, status));
        match started.and_then(|()| machine.load(&images.ndkhlk).map_err(Error::from)) {
            Ok(ndkhlk) => Ok(Self { softndk, ndkhlk, places: places.to_vec(), machine }),
            Err(error) => {
                halt(&machine, places);
                softndk.unload();
                Err((error, machine))
            }
        }
    }

    /// Halts the adapters and starts them again, the drivers staying loaded.
    ///
    /// # Errors
    /// If an adapter can't be started.
    pub fn restart_adapters(&mut self) -> Result<(), Error> {
        halt(&self.machine, &self.places);
        self.start_adapters()
    }

    /// Starts those adapters that do not run.
    ///
    /// # Errors
    /// If an adapter can't be started.
    pub fn start_adapters(&mut self) -> Result<(), Error> {
        let started = self.machine.start_adapters(&mut self.softndk);
        started.map_err(|status| cannot_start(&self.machine, status))
    }

    /// The machine.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    pub(super) fn places(&self) -> &[Place] {
        &self.places
    }

    /// Unloads the consumer, halts the adapters, unloads the provider, and says what was found from boot
    /// to here. All clients must be gone.
    pub fn shut_down(self) -> Report {
        let Self { softndk, ndkhlk, places, machine } = self;
        ndkhlk.unload();
        halt(&machine, &places);
        softndk.unload();
        machine.shutdown()
    }
}

fn halt(machine: &Machine, places: &[Place]) {
    for adapter in places.iter().filter_map(|place| machine.adapter(place.if_index)) {
        // An adapter that can't be halted is a finding of the simulator.
        let _ = adapter.halt();
    }
}

/// The error of adapters that do not start: with what the driver wrote to the event log, if it did.
fn cannot_start(machine: &Machine, status: StatusError) -> Error {
    match machine.event_log().last() {
        Some(entry) => Error::Host { what: "start the adapters", why: format!("{:#x}, {entry}", status.0) },
        None => Error::Status { what: "start the adapters", status: status.0, outcome: None },
    }
}
