//! One network adapter.

#![expect(unsafe_code, reason = "NDIS is called")]

mod attributes;
mod configuration;

use alloc::boxed::Box;
use core::ffi::c_void;
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{AtomicBool, Ordering};

use lifecycle::Watching;
use lock_api::RawMutex as _;
use provider::kernel::event::{self, AdapterState, Count, Event};
use sys::irql::PassiveLevel;
use sys::ndis::{self, NDIS_HANDLE, NDIS_MINIPORT_INIT_PARAMETERS};
use sys::netioapi::NET_LUID;
use sys::status::{NDIS_STATUS, NDIS_STATUS_NOT_SUPPORTED, NTSTATUS, STATUS_UNSUCCESSFUL};
use vswitch::Address;

use crate::addresses::{self, Watch, Watched};
use crate::ethernet::{self, VirtualPort};
use crate::framework::{Device, Stack};
use crate::heap::boxed;
use crate::kernel::{Lock, Mutex, SpinLock, Windows, flush_dpcs};
use crate::rdma::Rdma;
use crate::step::{Step, StepError};
use crate::work_item::WorkItem;
use crate::{registration, tdi, wsk};
use configuration::Configuration;

/// A network adapter: what lives from its initialisation to its halt.
pub(crate) struct Adapter {
    handle: NDIS_HANDLE,
    interface: NET_LUID,
    /// The Ethernet address that it was made with; the port has the one in use.
    permanent: Address,
    ethernet: VirtualPort,
    rdma: Rdma,
    /// Enables or disables RDMA as NDIS wants it, and reads the addresses then.
    apply_state: WorkItem<Self>,
    /// Tells the RNIC which IP addresses the interface has now.
    address_refresh: WorkItem<Self>,
    /// Held from the look at the interface's addresses until the RNIC has them, so that no older look
    /// replaces a newer one: an address that were missing for a moment would be lost to the clients of the
    /// legacy transport.
    reading: Mutex<()>,
    /// The watch of the machine's addresses, which TCP/IP may not let yet.
    watch: Lock<Watching<Watch>>,
    /// As NDIS knows it.
    capabilities: Box<attributes::Capabilities>,
    /// Set once NDIS has told that the device is gone.
    removed: AtomicBool,
    /// The framework's view of the adapter, kept until the adapter goes.
    _device: Device,
}

impl Adapter {
    /// Initialises an adapter, which NDIS then knows by its address.
    ///
    /// # Errors
    ///
    /// The step that failed, with NDIS's status, the framework's or `NDIS_STATUS_RESOURCES`; everything is undone
    /// then.
    ///
    /// # Safety
    ///
    /// NDIS is initialising the adapter with this handle.
    pub(crate) unsafe fn initialize(
        handle: NDIS_HANDLE,
        parameters: &NDIS_MINIPORT_INIT_PARAMETERS,
        level: PassiveLevel,
    ) -> Result<(), StepError> {
        // SAFETY: as the caller promises.
        let adapter = unsafe { Self::new(handle, parameters, level) }?;
        let place = NonNull::from(Box::leak(boxed(adapter).ok_or(Step::Adapter.out_of_memory())?));
        // SAFETY: the adapter is in its place, and it is not known outside yet.
        let started = unsafe { Self::start(place, level) };
        if started.is_ok() {
            // SAFETY: the adapter lives: NDIS does not halt it before this returns.
            unsafe { place.as_ref() }.report(AdapterState::Initialized);
        } else {
            // SAFETY: the adapter is in a box, and NDIS does not use one whose initialisation fails.
            unsafe { Self::halt(place, level) };
        }
        started
    }

    /// Gives an adapter up.
    ///
    /// # Safety
    ///
    /// The adapter came from [`Adapter::initialize`], and NDIS does not use it any more.
    pub(crate) unsafe fn halt(place: NonNull<Self>, level: PassiveLevel) {
        // SAFETY: the adapter lives; what `stop` stops may still use it.
        let adapter = unsafe { place.as_ref() };
        adapter.stop(level);
        adapter.report(AdapterState::Halted);
        // SAFETY: the address is that of a box, and it is in use no more.
        drop(unsafe { Box::from_raw(place.as_ptr()) });
    }

    /// Makes the parts of an adapter.
    ///
    /// # Safety
    ///
    /// As [`Adapter::initialize`].
    unsafe fn new(
        handle: NDIS_HANDLE,
        parameters: &NDIS_MINIPORT_INIT_PARAMETERS,
        level: PassiveLevel,
    ) -> Result<Self, StepError> {
        // SAFETY: as the caller promises.
        let stack = unsafe { stack(handle, level) };
        // SAFETY: as the caller promises.
        let device =
            unsafe { registration::device(&stack, level) }.map_err(|status| Step::Device.failed(status))?;
        // SAFETY: as the caller promises.
        let configuration = unsafe { Configuration::read(handle, level) };
        let configuration = configuration.map_err(|status| Step::Configuration.failed(status))?;
        let permanent = Address::local(index(parameters.NetLuid));
        let current = configuration.address.unwrap_or(permanent);
        let Configuration { network_direct, wire, .. } = configuration;
        let functional = NonNull::new(stack.functional).ok_or(Step::Rdma.failed(STATUS_UNSUCCESSFUL))?;
        // SAFETY: `stop` waits for the sockets.
        let functional = unsafe { wsk::Device::new(functional) };
        let rdma = Rdma::new(handle, functional, parameters.IfIndex, network_direct, wire);
        let rdma = rdma.map_err(|status| Step::Rdma.failed(status))?;
        rdma.rnic().set_immediate_notifications(configuration.immediate_notification);
        let apply_state = |adapter: &Self, level| {
            match adapter.rdma.apply_state(adapter.refresh(), level) {
                Some(true) => adapter.report(AdapterState::Enabled),
                Some(false) => adapter.report(AdapterState::Disabled),
                None => {}
            }
            adapter.refresh_and_retry(level);
        };
        let apply_state = WorkItem::new(handle, apply_state, level).ok_or(Step::WorkItem.out_of_memory())?;
        let address_refresh =
            WorkItem::new(handle, Self::refresh_and_retry, level).ok_or(Step::WorkItem.out_of_memory())?;
        let capabilities = attributes::Capabilities::new();
        Ok(Self {
            handle,
            interface: parameters.NetLuid,
            permanent,
            ethernet: VirtualPort::new(handle, current, level).ok_or(Step::VirtualPort.out_of_memory())?,
            rdma,
            apply_state,
            address_refresh,
            reading: Mutex::new(()),
            watch: Lock::const_new(SpinLock::INIT, Watching::No),
            capabilities: capabilities.map_err(|status| Step::Capabilities.failed(status))?,
            removed: AtomicBool::new(false),
            _device: device,
        })
    }

    /// Sets the adapter going, as far as it goes; [`Adapter::stop`] undoes it from any point on.
    ///
    /// # Safety
    ///
    /// The adapter is in the place where it stays until it is stopped.
    unsafe fn start(place: NonNull<Self>, level: PassiveLevel) -> Result<(), StepError> {
        // SAFETY: the adapter lives.
        let adapter = unsafe { place.as_ref() };
        // SAFETY: the adapter stays in its place, and nothing else uses it yet.
        unsafe { adapter.reading.initialise() };
        adapter.address_refresh.initialise(place);
        // SAFETY: the adapter stays in its place, and `stop` ends this; what is called may be.
        unsafe { adapter.rdma.rnic().on_unknown_address(Some((look_up, place.as_ptr().cast()))) };
        adapter.apply_state.initialise(place);
        adapter.rdma.start(adapter.refresh(), level);
        adapter.ethernet.initialise();
        // SAFETY: NDIS is initialising the adapter.
        unsafe { attributes::set(adapter, level) }.map_err(|status| Step::Attributes.failed(status))?;
        ethernet::connect(&adapter.ethernet).map_err(|status| Step::Connect.failed(status))?;
        // SAFETY: the adapter stays in its place.
        unsafe { adapter.watch(level) }.map_err(|status| Step::AddressWatch.failed(status))?;
        adapter.read_addresses(level).map_err(|status| Step::Addresses.failed(status))
    }

    /// Watches the machine's addresses, if TCP/IP lets it and that is not done yet.
    ///
    /// # Errors
    ///
    /// `STATUS_NO_MEMORY`, `STATUS_INSUFFICIENT_RESOURCES`.
    ///
    /// # Safety
    ///
    /// The adapter is in the place where it stays until it is stopped.
    unsafe fn watch(&self, level: PassiveLevel) -> Result<(), NTSTATUS> {
        if !self.watch.lock().is_due() {
            return Ok(());
        }
        // SAFETY: the adapter stays where it is until `stop` has cancelled the watch.
        let made = unsafe { Watch::new(NonNull::from(self), level) }?;
        let Some(watch) = made else { return Ok(()) };
        let surplus = self.watch.lock().keep(watch);
        if let Some(surplus) = surplus {
            surplus.cancel(level);
        }
        Ok(())
    }

    /// Stops the adapter, at its halt or after a failed [`Adapter::start`]: ends what uses it beside NDIS. The halt after
    /// a surprise removal comes here too; it is where the RDMA half is removed, by [`Rdma::end_events`] and
    /// [`Rdma::remove_from_transport`]. NDK consumers have closed before, as NDIS has them do on a removal.
    fn stop(&self, level: PassiveLevel) {
        self.rdma.end_events();
        let watch = self.watch.lock().end();
        if let Some(watch) = watch {
            watch.cancel(level);
        }
        // SAFETY: nothing is called any more.
        unsafe { self.rdma.rnic().on_unknown_address(None) };
        ethernet::disconnect(&self.ethernet);
        // The DPC of the port may be queued, though there is nothing left for it to do.
        flush_dpcs(level);
        self.address_refresh.finish(level);
        // What NDIS wanted last is of no use any more. An event that has begun returns, as NDIS halts an adapter after
        // its consumers have closed.
        self.apply_state.finish(level);
        self.rdma.remove_from_transport(level);
        // Last: what ran over the RNIC has ended, and closed its sockets.
        self.rdma.wait_for_sockets(level);
    }

    /// Surprise removal (NdisDevicePnPEventSurpriseRemoved): sends and OID requests are not accepted any more. The
    /// RDMA half goes with the halt that follows, see [`Adapter::stop`]. Up to DISPATCH_LEVEL.
    pub(crate) fn surprise_remove(&self) {
        self.removed.store(true, Ordering::Release);
        self.report(AdapterState::SurpriseRemoved);
        self.ethernet.surprise_remove();
    }

    /// Returns whether the device is gone.
    pub(crate) fn is_removed(&self) -> bool {
        self.removed.load(Ordering::Acquire)
    }

    /// Brings the RNIC's addresses up to date, and tries the requests again that wait for them. If that fails, the RNIC
    /// keeps the addresses that it had; the next change or opening tries again.
    pub(crate) fn refresh_and_retry(&self, level: PassiveLevel) {
        self.rdma.rnic().look_up(level, |level| self.refresh_addresses(level));
    }

    /// Brings the RNIC's addresses up to date for a consumer that is about to use them: it may have heard of
    /// a change before this driver has.
    ///
    /// # Errors
    ///
    /// `STATUS_NO_MEMORY`, `STATUS_INSUFFICIENT_RESOURCES`.
    pub(crate) fn refresh_addresses(&self, level: PassiveLevel) -> Result<(), NTSTATUS> {
        // SAFETY: an adapter that consumers reach is in the place where it stays.
        unsafe { self.watch(level) }?;
        self.read_addresses(level)
    }

    /// Tells the RNIC which IP addresses the interface has now.
    fn read_addresses(&self, level: PassiveLevel) -> Result<(), NTSTATUS> {
        let taken = self.reading.with(level, |()| {
            let addresses = addresses::of(self.interface, level)?;
            self.rdma.set_addresses(&addresses)
        })?;
        if let Some(taken) = taken {
            taken.end(level);
        }
        Ok(())
    }

    /// Takes note of whether NDIS wants RDMA enabled. It is done in a work item: NDIS may wait in the event that belongs
    /// to it until this very request has been answered (NDIS-2). Whether it may be enabled, the configuration
    /// says at this moment
    /// (<https://learn.microsoft.com/windows-hardware/drivers/network/oid-ndk-set-state>).
    ///
    /// # Errors
    ///
    /// `NDIS_STATUS_NOT_SUPPORTED` if it is to be enabled and the configuration forbids it; NDIS's own if the
    /// configuration can't be opened.
    pub(crate) fn set_rdma_state(&self, enabled: bool, level: PassiveLevel) -> Result<(), NDIS_STATUS> {
        // SAFETY: the handle is the adapter's, which is not halted while NDIS makes requests.
        if enabled && !unsafe { configuration::may_be_enabled(self.handle, level) }? {
            return Err(NDIS_STATUS_NOT_SUPPORTED);
        }
        self.rdma.want(enabled);
        self.apply_state.request();
        Ok(())
    }

    /// The function by which the legacy transport has the addresses read.
    fn refresh(&self) -> tdi::Refresh {
        // SAFETY: the adapter stays in its place until it has been halted, which removes the RNIC.
        unsafe { tdi::Refresh::new(refresh_addresses, (&raw const *self).cast_mut().cast()) }
    }

    /// The Ethernet address that it was made with.
    pub(crate) const fn permanent_address(&self) -> Address {
        self.permanent
    }

    /// The number of its interface, for events.
    pub(crate) const fn number(&self) -> Count {
        Count(index(self.interface))
    }

    /// Writes the event of a change of its state. Up to DISPATCH_LEVEL.
    pub(crate) fn report(&self, state: AdapterState) {
        event::write::<Windows>(|| Event::AdapterChanged { interface: self.number(), state });
    }

    /// Its port of the Ethernet switch.
    pub(crate) const fn ethernet(&self) -> &VirtualPort {
        &self.ethernet
    }

    /// Its RDMA side.
    pub(crate) const fn rdma(&self) -> &Rdma {
        &self.rdma
    }
}

impl Watched for Adapter {
    fn interface(&self) -> NET_LUID {
        self.interface
    }

    fn addresses_changed(&self) {
        self.address_refresh.request();
    }
}

/// Reads the addresses of an adapter for a client of the legacy transport.
unsafe extern "efiapi" fn refresh_addresses(context: *mut c_void) -> bool {
    // SAFETY: the legacy transport calls this at PASSIVE_LEVEL.
    let level = unsafe { PassiveLevel::assume() };
    // SAFETY: the context is the adapter whose RNIC the legacy transport runs over, which waits for this
    // call.
    unsafe { &*context.cast::<Adapter>() }.refresh_addresses(level).is_ok()
}

/// A consumer has named an address that the RNIC does not have.
unsafe extern "efiapi" fn look_up(context: *mut c_void) {
    // SAFETY: the context is the adapter that the function was set for, which has consumers.
    unsafe { &*context.cast::<Adapter>() }.addresses_changed();
}

/// The devices that make an adapter.
///
/// # Safety
///
/// NDIS is initialising the adapter with this handle.
unsafe fn stack(handle: NDIS_HANDLE, _: PassiveLevel) -> Stack {
    let (mut physical, mut functional, mut next) = (null_mut(), null_mut(), null_mut());
    // SAFETY: the handle is an adapter's, as the caller promises; the places are locals.
    unsafe {
        ndis::NdisMGetDeviceProperty(
            handle,
            &raw mut physical,
            &raw mut functional,
            &raw mut next,
            null_mut(),
            null_mut(),
        );
    }
    Stack { functional, next, physical }
}

/// The number of an interface among those of its type (the `NetLuidIndex` of `NET_LUID`: bits 24 to 47).
const fn index(interface: NET_LUID) -> u32 {
    let [_, _, _, a, b, c, _, _] = interface.Value.to_le_bytes();
    u32::from_le_bytes([a, b, c, 0])
}
