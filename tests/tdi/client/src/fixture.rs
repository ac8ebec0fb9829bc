//! A machine with the driver and two adapters, and the files that clients open there.

use core::time::Duration;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ntsim::Driver;
use ntsim::io::{File, StatusError};
use ntsim::machine::Builder;
use ntsim::ndis::{Adapter, AdapterConfig};
use ntsim::sched;
use ntsim::{Machine, Report};
use runner::{Error, Images};
use sys::ndis::OID_NDK_SET_STATE;
use sys::status::{NTSTATUS, STATUS_SUCCESS};
use sys::tdi::{TDI_DISCONNECT_RELEASE, TdiConnectionContext, TdiTransportAddress};
use tdi::address::TransportAddress;

use crate::request;

/// The device that clients open.
pub const DEVICE: &str = "\\Device\\Softndk";

/// The interface indices of the two adapters.
const ADAPTERS: [u32; 2] = [12, 13];

/// A machine with the driver and two adapters.
#[derive(Debug)]
pub struct Fixture {
    driver: Driver,
    /// The machine.
    pub machine: Machine,
}

impl Fixture {
    /// Boots a machine, loads the driver and starts two adapters with these addresses.
    ///
    /// # Errors
    ///
    /// If the image can't be loaded or an adapter can't be started.
    pub fn boot(builder: Builder, images: &Images, addresses: [IpAddr; 2]) -> Result<Self, Error> {
        Self::on(builder.boot(), images, addresses, &[])
    }

    /// Does the same on a machine that runs, with keywords of the adapters set to values.
    ///
    /// # Errors
    ///
    /// As [`boot`](Self::boot).
    pub fn on(
        machine: Machine,
        images: &Images,
        addresses: [IpAddr; 2],
        keywords: &[(&str, &str)],
    ) -> Result<Self, Error> {
        let adapters = ADAPTERS.into_iter().zip(addresses);
        machine.add_adapters(adapters.map(|(index, address)| {
            let mut config = AdapterConfig::new(index, [address]);
            let set = keywords.iter().map(|(keyword, value)| ((*keyword).to_owned(), (*value).to_owned()));
            config.keywords.extend(set);
            config
        }));
        let mut driver = machine.load(&images.softndk)?;
        let started = machine.start_adapters(&mut driver);
        started.map_err(|status| failed("start the adapters", status.0))?;
        Ok(Self { driver, machine })
    }

    /// Halts the first (0) or the second (1) adapter, if it was not halted before. One that can't be halted
    /// is a finding of the simulator.
    pub fn halt(&self, which: usize) {
        if let Some(adapter) = self.machine.adapter(ADAPTERS[which]) {
            let _ = adapter.halt();
        }
    }

    /// Enables RDMA on the first (0) or the second (1) adapter, or disables it, by OID_NDK_SET_STATE, and waits until
    /// that is done.
    ///
    /// # Errors
    ///
    /// The driver's status.
    pub fn set_rdma(&self, which: usize, enabled: bool) -> Result<(), StatusError> {
        self.adapter(which).map_or(Ok(()), |adapter| set_rdma(&adapter, enabled))
    }

    /// The first (0) or the second (1) adapter, unless it was halted.
    pub fn adapter(&self, which: usize) -> Option<Arc<Adapter>> {
        self.machine.adapter(ADAPTERS[which])
    }

    /// Takes an IP address from the interface of the first (0) or the second (1) adapter, or gives it back. The driver
    /// follows a little later.
    pub fn set_address(&self, which: usize, address: IpAddr, present: bool) {
        if let Some(adapter) = self.machine.adapter(ADAPTERS[which]) {
            if present { adapter.add_address(address) } else { adapter.remove_address(address) }
        }
    }

    /// Stops everything, and says what was found.
    pub fn end(self) -> Report {
        self.halt(0);
        self.halt(1);
        self.driver.unload();
        self.machine.shutdown()
    }

    /// Opens a file by the extended attributes of its create.
    ///
    /// # Errors
    ///
    /// The driver's status.
    pub fn open(&self, attributes: &[u8]) -> Result<File, StatusError> {
        self.machine.open(DEVICE, attributes)
    }

    /// Opens an address object for exclusive use: no other file can open the address meanwhile.
    ///
    /// # Errors
    ///
    /// The driver's status.
    pub fn exclusive(&self, at: SocketAddr) -> Result<File, StatusError> {
        let attributes = attribute(TdiTransportAddress, TransportAddress::new(at).bytes());
        self.machine.open_with(DEVICE, &attributes, 0)
    }

    /// Opens an address object that others may open too.
    ///
    /// # Errors
    ///
    /// The driver's status.
    pub fn address(&self, at: SocketAddr) -> Result<File, StatusError> {
        self.open(&attribute(TdiTransportAddress, TransportAddress::new(at).bytes()))
    }

    /// Opens a connection endpoint that the client calls `context`.
    ///
    /// # Errors
    ///
    /// The driver's status.
    pub fn endpoint(&self, context: usize) -> Result<File, StatusError> {
        self.open(&attribute(TdiConnectionContext, &context.to_le_bytes()))
    }

    /// Opens a connection endpoint and associates it.
    ///
    /// # Errors
    ///
    /// The driver's status.
    pub fn associated(&self, address: &File, context: usize) -> Result<File, StatusError> {
        let endpoint = self.endpoint(context)?;
        match request::associate(&endpoint, address) {
            STATUS_SUCCESS => Ok(endpoint),
            status => Err(StatusError(status)),
        }
    }

    /// Opens two endpoints, one on an address object of its own on either adapter, and connects them.
    ///
    /// # Errors
    ///
    /// The driver's status.
    pub fn pair(&self, near: SocketAddr, far: SocketAddr) -> Result<Pair, StatusError> {
        let (near_address, far_address) = (self.address(near)?, self.address(far)?);
        let (near, far_end) = (self.associated(&near_address, 0xA)?, self.associated(&far_address, 0xB)?);
        let pair = Pair { near, far: far_end, near_address, far_address };
        pair.establish(far)?;
        Ok(pair)
    }
}

/// See [`Fixture::set_rdma`].
pub(crate) fn set_rdma(adapter: &Adapter, enabled: bool) -> Result<(), StatusError> {
    adapter.set(OID_NDK_SET_STATE, &[enabled.into()])?;
    while adapter.is_ndk_enabled() != enabled {
        sched::block(Some(Duration::from_millis(1)));
    }
    Ok(())
}

/// Two endpoints with a connection, and their address objects.
#[derive(Debug)]
pub struct Pair {
    /// Connects.
    pub near: File,
    /// Listens.
    pub far: File,
    /// The address of `near`.
    pub near_address: File,
    /// The address of `far`.
    pub far_address: File,
}

impl Pair {
    /// Connects the near end to `far`, where the far end listens.
    ///
    /// # Errors
    ///
    /// The status of the connect or the listen.
    pub fn establish(&self, far: SocketAddr) -> Result<(), StatusError> {
        let listen = request::listen(&self.far, 0);
        let connect = request::connect(&self.near, far);
        for request in [connect, listen] {
            match request.status() {
                STATUS_SUCCESS => {}
                status => return Err(StatusError(status)),
            }
        }
        Ok(())
    }

    /// Ends both streams in order.
    ///
    /// # Errors
    ///
    /// The status of either disconnect.
    pub fn release(&self) -> Result<(), StatusError> {
        let ends = [&self.near, &self.far].map(|file| request::disconnect(file, TDI_DISCONNECT_RELEASE));
        match ends.map(request::Request::status) {
            [STATUS_SUCCESS, STATUS_SUCCESS] => Ok(()),
            [STATUS_SUCCESS, status] | [status, _] => Err(StatusError(status)),
        }
    }
}

/// One entry of `FILE_FULL_EA_INFORMATION`.
///
/// # Panics
///
/// If the name or the value is too long for one.
pub fn attribute(name: &[u8], value: &[u8]) -> Vec<u8> {
    let mut entry = vec![0, 0, 0, 0, 0, u8::try_from(name.len()).expect("a short name")];
    entry.extend(u16::try_from(value.len()).expect("a short value").to_le_bytes());
    entry.extend(name);
    entry.push(0);
    entry.extend(value);
    entry
}

pub(crate) fn failed(what: &'static str, status: NTSTATUS) -> Error {
    Error::Status { what, status, outcome: None }
}
