//! The legacy transport's device: what the kernel hands to `tdi`, and back.
//!
//! | module | is |
//! |---|---|
//! | [`access`] | who opens an address for sharing, and the list of who may |
//! | [`device`] | the device, which lives as long as an adapter or a file needs it |
//! | [`dispatch`] | the entry points that the I/O manager calls; create, cleanup, close |
//! | [`requests`] | the requests for open files |
//! | [`irp`] | a request: an IRP |
//! | [`pending`] | the requests that the device has, in lists |
//! | [`roots`] | what a debugger finds by an exported symbol |
//! | [`parameters`] | what a client's stack location asks |
//! | [`tick_timer`] | the clock of time limits |
//! | [`user`] | what a program's device control asks |
//!
//! The transport itself lives from loading to unloading: clients may hold files when the last adapter goes,
//! and their requests are completed and their closes honoured all the same.

#![expect(unsafe_code, reason = "clients give away IRPs by their addresses")]

mod access;
mod device;
mod dispatch;
mod irp;
mod parameters;
mod pending;
mod requests;
mod roots;
mod tick_timer;
mod user;

use core::net::IpAddr;
use core::ptr::NonNull;

use lock_api::RawMutex as _;
use provider::NoMemory;
use provider::rnic::{OpenError, Rnic};
use sys::irql::PassiveLevel;
use sys::ndis::NDIS_HANDLE;
use sys::wdm;
pub(crate) use tdi::ndk::Refresh;
use tdi::ndk::{Ndk, RnicId};
use tdi::{HandlerIrp, System, Transport};

use crate::kernel::{Lock, SpinLock, Windows, interrupt_time};
use irp::Irp;

/// The transport, while the driver is loaded. Entry points of the I/O manager get no other context.
static TRANSPORT: Lock<Option<Transport<TdiSystem>>> = Lock::const_new(SpinLock::INIT, None);

/// The system that the transport runs on: the kernel.
pub(crate) struct TdiSystem;

impl System for TdiSystem {
    type Kernel = Windows;
    type Request = Irp;
    type Network = Ndk<Self>;
    type Opener = access::Opener;
    type Client = Transport<Self>;

    fn now() -> u64 {
        interrupt_time()
    }

    unsafe fn accept_irp(irp: NonNull<wdm::IRP>) -> Option<HandlerIrp<Irp>> {
        // SAFETY: as the caller promises.
        unsafe { requests::accept_irp(irp) }
    }
}

/// Makes the transport of the driver with this handle.
///
/// # Errors
///
/// [`NoMemory`].
pub(crate) fn load(driver: NDIS_HANDLE, level: PassiveLevel) -> Result<(), NoMemory> {
    let transport = Transport::new(Ndk::default())?;
    device::load(driver, level)?;
    roots::show(&transport);
    *TRANSPORT.lock() = Some(transport);
    Ok(())
}

/// Forgets the transport: no file of it is left, as a device with open files keeps its driver.
/// Before the driver deregisters.
pub(crate) fn unload(level: PassiveLevel) {
    device::unload(level);
    roots::forget();
    let transport = TRANSPORT.lock().take();
    drop(transport);
}

/// The transport; `None` if the driver is not loaded.
fn transport() -> Option<Transport<TdiSystem>> {
    TRANSPORT.lock().clone()
}

/// An adapter as an RNIC of the transport, until [`TransportRnic::remove`].
#[must_use = "the transport runs over it until it is removed"]
pub(crate) struct TransportRnic {
    id: RnicId,
    device: device::DeviceRef,
}

impl TransportRnic {
    /// Lets the transport run over an adapter's RNIC, whose addresses `refresh` reads.
    ///
    /// # Errors
    ///
    /// Those of opening the RNIC, and [`OpenError::NoMemory`] if there is no device to be had.
    pub(crate) fn new(
        rnic: &Rnic<Windows>,
        refresh: Refresh,
        level: PassiveLevel,
    ) -> Result<Self, OpenError> {
        let transport = transport().ok_or(OpenError::NotReady)?;
        let device = device::DeviceRef::new(level).map_err(|_| OpenError::NoMemory)?;
        match transport.network().add(rnic, refresh, level) {
            Ok(id) => Ok(Self { id, device }),
            Err(error) => {
                device.release(level);
                Err(error)
            }
        }
    }

    /// Adapter removal: ends what runs over the adapter, and then the device if nothing else needs it.
    pub(crate) fn remove(self, level: PassiveLevel) {
        if let Some(transport) = transport() {
            transport.network().remove(&transport, self.id, level);
        }
        self.device.release(level);
    }

    /// The RNIC's identifier in the transport, for [`set_addresses`].
    pub(crate) const fn id(&self) -> RnicId {
        self.id
    }
}

/// The loss of addresses of an RNIC of the transport, if any.
#[must_use = "what runs over lost addresses is to end"]
pub(crate) struct LostAddresses {
    transport: Transport<TdiSystem>,
    addresses: tdi::ndk::LostAddresses<TdiSystem>,
}

impl LostAddresses {
    /// Ends what runs over these. Clients are called. With no lock held.
    pub(crate) fn end(self, level: PassiveLevel) {
        self.addresses.end(&self.transport, level);
    }
}

/// Replaces the addresses of an RNIC. If it loses any, what is returned ends what runs over these.
///
/// # Errors
///
/// [`NoMemory`], and they are as before.
pub(crate) fn set_addresses(rnic: RnicId, addresses: &[IpAddr]) -> Result<Option<LostAddresses>, NoMemory> {
    let Some(transport) = transport() else { return Ok(None) };
    let addresses = transport.network().set_addresses(rnic, addresses)?;
    Ok(Some(LostAddresses { transport, addresses }))
}
