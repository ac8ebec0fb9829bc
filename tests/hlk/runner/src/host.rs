//! The machine that the harness driver runs on: its adapters, and what may be done to them.

use core::net::IpAddr;
use core::time::Duration;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use crate::{Device, Error};

/// The time limit of a change of the RDMA state.
const ADAPTER_TIMEOUT: Duration = Duration::from_secs(60);

/// An adapter of the provider under test.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Adapter {
    /// The interface index.
    pub if_index: u32,
    /// The name of the connection: of the person's who runs the machine.
    pub name: String,
    /// The description, which the INF gives.
    pub description: String,
    /// The addresses that a connection may come from or go to.
    pub addresses: Vec<IpAddr>,
    /// Set if RDMA is enabled and operational.
    pub rdma: bool,
}

/// Memory that is made short.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shortage {
    /// The fraction of the provider's allocations that fail, from 0 to 1.
    pub fraction: f64,
    /// Determines which.
    pub seed: u32,
}

/// A machine with the harness driver and adapters of the provider.
pub trait Host {
    /// Opens the harness driver's device.
    ///
    /// # Errors
    /// The status of the open.
    fn open(&self) -> Result<Arc<dyn Device>, Error>;

    /// Opens a file of the legacy transport ([`TRANSPORT`](crate::TRANSPORT)), with a list of
    /// `FILE_FULL_EA_INFORMATION`.
    ///
    /// # Errors
    /// The status of the open.
    fn open_transport(&self, attributes: &[u8]) -> Result<Arc<dyn Device>, Error>;

    /// The provider's adapters that run, by interface index.
    ///
    /// # Errors
    /// If the machine does not tell.
    fn adapters(&self) -> Result<Vec<Adapter>, Error>;

    /// The control over an adapter that runs.
    ///
    /// # Errors
    /// If there is no such adapter.
    fn control(&self, if_index: u32) -> Result<Arc<dyn Control>, Error>;

    /// Brings back an adapter that was disabled or removed. After a removal its interface index may be another one.
    ///
    /// # Errors
    /// If the adapter can't be started.
    fn enable(&mut self, if_index: u32) -> Result<(), Error>;

    /// Lets allocations of the provider fail from now on, or no longer; returns the number of those that did before.
    ///
    /// # Errors
    /// If the machine can't do that.
    fn shorten(&self, shortage: Option<Shortage>) -> Result<u64, Error>;

    /// Halts an adapter and starts it again.
    ///
    /// # Errors
    /// As [`Control::disable`] and [`enable`](Self::enable).
    fn restart(&mut self, if_index: u32) -> Result<(), Error> {
        self.control(if_index)?.disable()?;
        self.enable(if_index)
    }
}

/// The control over one adapter.
pub trait Control: Send + Sync {
    /// Returns whether RDMA is enabled and operational: what a consumer is told. On an adapter that is gone it is not.
    ///
    /// # Errors
    /// If the machine does not tell.
    fn has_rdma(&self) -> Result<bool, Error>;

    /// Enables RDMA, or disables it, while the adapter goes on: OID_NDK_SET_STATE. The state may follow later.
    ///
    /// # Errors
    /// The status with which that failed.
    fn set_rdma(&self, enabled: bool) -> Result<(), Error>;

    /// Disables the adapter: it is halted. Returns when that is done, for which the consumers have to close what they
    /// opened.
    ///
    /// # Errors
    /// The status with which that failed.
    fn disable(&self) -> Result<(), Error>;

    /// Takes the adapter away: in the simulator without warning, on Windows, where nothing can surprise a device that is
    /// enumerated at the root, by removing it. Returns as [`disable`](Self::disable) does.
    ///
    /// # Errors
    /// The status with which that failed.
    fn remove(&self) -> Result<(), Error>;
}

/// Waits until RDMA is, or is not, enabled on an adapter.
///
/// # Errors
/// If that does not come about in a minute, or the machine does not tell.
pub(crate) fn await_rdma(adapter: &dyn Control, enabled: bool) -> Result<(), Error> {
    let began = Instant::now();
    while adapter.has_rdma()? != enabled {
        if began.elapsed() > ADAPTER_TIMEOUT {
            return Err(Error::Late("the change of the RDMA state"));
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}
