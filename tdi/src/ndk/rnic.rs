//! The RNICs over which the transport runs: each opened as NDK consumers open them.

use alloc::vec::Vec;
use core::ffi::c_void;
use core::net::IpAddr;
use core::ptr::{NonNull, null_mut};
use core::time::Duration;

use provider::kernel::{Event as _, Kernel};
use provider::rnic::{OpenError, Rnic};
use provider::{NoMemory, Shared, Within as _};
use sys::irql::PassiveLevel;
use sys::ndk::{NDK_ADAPTER, NDK_PD, NDK_VERSION_2_1};

use super::call::{call, close, create, slot};
use super::port::Port;
use super::refresh::Refresh;
use crate::network::{BindError, RnicId};
use crate::system::{Client as _, EventOf, System};

/// The time after which the removal of an RNIC traces what it waits for, and then each time again.
const TRACE_INTERVAL: Duration = Duration::from_secs(5);

/// An RNIC that links, listeners and connect requests use.
pub(super) struct Use<S: System> {
    pub(super) id: RnicId,
    pub(super) adapter: NonNull<NDK_ADAPTER>,
    pub(super) pd: NonNull<NDK_PD>,
    /// Names all memory of the kernel.
    pub(super) token: u32,
    pub(super) refresh: Refresh,
    unused: Shared<EventOf<S>>,
}

// SAFETY: NDK objects may be used on any thread.
unsafe impl<S: System> Send for Use<S> {}
// SAFETY: as above.
unsafe impl<S: System> Sync for Use<S> {}

impl<S: System> Drop for Use<S> {
    fn drop(&mut self) {
        self.unused.signal();
    }
}

struct Entry<S: System> {
    id: RnicId,
    addresses: Vec<IpAddr>,
    rnic: Shared<Use<S>>,
    /// Ports whose NdkListen creates wait for.
    openings: Vec<Shared<Port<S>>>,
}

struct Rnics<S: System> {
    entries: Vec<Entry<S>>,
    next: u64,
}

impl<S: System> Rnics<S> {
    fn hosts(&self, ipv4: bool) -> impl Iterator<Item = IpAddr> {
        let all = self.entries.iter().flat_map(|entry| entry.addresses.iter().copied());
        all.filter(move |host| host.is_ipv4() == ipv4)
    }
}

/// The network over the provider. See the head of [`ndk`](super).
pub struct Ndk<S: System> {
    rnics: lock_api::Mutex<<S::Kernel as Kernel>::Lock, Rnics<S>>,
}

impl<S: System> Default for Ndk<S> {
    fn default() -> Self {
        Self { rnics: lock_api::Mutex::new(Rnics { entries: Vec::new(), next: 0 }) }
    }
}

impl<S: System> Ndk<S> {
    /// Adds an RNIC, without addresses, which `refresh` reads; it is opened until [`Ndk::remove`].
    ///
    /// # Errors
    ///
    /// See [`OpenError`].
    pub fn add(
        &self,
        rnic: &Rnic<S::Kernel>,
        refresh: Refresh,
        level: PassiveLevel,
    ) -> Result<RnicId, OpenError> {
        let unused = Shared::new(EventOf::<S>::new())?;
        unused.initialise();
        let id = self.number();
        let adapter = rnic.open(NDK_VERSION_2_1)?;
        let opened = Self::pd(adapter).and_then(|pd| {
            let token = token(pd);
            Shared::new(Use { id, adapter, pd, token, refresh, unused })
                .inspect_err(|_| {
                    // SAFETY: the domain is known to no other code.
                    unsafe { close_pd::<S>(pd, level) };
                })
                .map_err(|NoMemory| OpenError::NoMemory)
        });
        let opened = opened.and_then(|rnic| self.enter(rnic, level));
        opened.inspect_err(|_| {
            // SAFETY: the adapter was opened just now, and nothing is left of what was made of it.
            unsafe { Rnic::<S::Kernel>::close(adapter, level) };
        })
    }

    fn pd(adapter: NonNull<NDK_ADAPTER>) -> Result<NonNull<NDK_PD>, OpenError> {
        create(|out| {
            // SAFETY: the adapter is open, and `out` a place for the pointer.
            unsafe { call!(adapter.as_ptr(), NdkCreatePd, None, null_mut(), out) }
        })
        .map_err(|_| OpenError::NoMemory)
    }

    /// A name that no RNIC had before.
    fn number(&self) -> RnicId {
        let mut rnics = self.rnics.lock();
        let id = RnicId(rnics.next);
        rnics.next = rnics.next.wrapping_add(1);
        id
    }

    fn enter(&self, rnic: Shared<Use<S>>, level: PassiveLevel) -> Result<RnicId, OpenError> {
        let (id, pd) = (rnic.id, rnic.pd);
        let entry = Entry { id, addresses: Vec::new(), rnic, openings: Vec::new() };
        let entered = {
            let mut rnics = self.rnics.lock();
            match rnics.entries.try_reserve(1) {
                Ok(()) => rnics.entries.push_within(entry),
                Err(_) => Err(entry),
            }
        };
        entered.map(|()| id).map_err(|entry| {
            drop(entry);
            // SAFETY: the domain is known to no other code.
            unsafe { close_pd::<S>(pd, level) };
            OpenError::NoMemory
        })
    }

    /// Replaces the addresses of an RNIC. If it loses any, what is returned ends what runs over these. Up to
    /// DISPATCH_LEVEL.
    ///
    /// # Errors
    ///
    /// [`NoMemory`], and they are as before.
    pub fn set_addresses(&self, id: RnicId, addresses: &[IpAddr]) -> Result<LostAddresses<S>, NoMemory> {
        let mut copy = Vec::new();
        copy.try_reserve_exact(addresses.len()).map_err(|_| NoMemory)?;
        addresses.iter().try_for_each(|address| copy.push_within(*address)).map_err(|_| NoMemory)?;
        let mut rnics = self.rnics.lock();
        match rnics.entries.iter_mut().find(|entry| entry.id == id) {
            Some(entry) => core::mem::swap(&mut entry.addresses, &mut copy),
            None => copy.clear(),
        }
        drop(rnics);
        let any = copy.iter().any(|address| !addresses.contains(address));
        Ok(LostAddresses { any, system: core::marker::PhantomData })
    }

    /// Has the removal of a port's RNIC end the wait for its NdkListen, until [`Ndk::leave_opening`].
    ///
    /// # Errors
    ///
    /// [`BindError::NotLocal`] if the RNIC was removed; [`BindError::NoMemory`].
    pub(super) fn enter_opening(&self, port: &Shared<Port<S>>) -> Result<(), BindError> {
        let mut rnics = self.rnics.lock();
        let entry = rnics.entries.iter_mut().find(|entry| entry.id == port.rnic.id);
        let openings = &mut entry.ok_or(BindError::NotLocal)?.openings;
        openings.try_reserve(1).map_err(|_| NoMemory)?;
        openings.push_within(port.clone()).map_err(|_| BindError::NoMemory)
    }

    /// The wait for NdkListen is over.
    pub(super) fn leave_opening(&self, port: &Shared<Port<S>>) {
        let mut rnics = self.rnics.lock();
        if let Some(entry) = rnics.entries.iter_mut().find(|entry| entry.id == port.rnic.id) {
            // The caller has the port, so that it is not freed under the lock.
            entry.openings.retain(|other| !other.same(port));
        }
    }

    /// The RNIC that has an address.
    pub(super) fn rnic_of(&self, address: IpAddr) -> Option<Shared<Use<S>>> {
        let rnics = self.rnics.lock();
        rnics.entries.iter().find(|entry| entry.addresses.contains(&address)).map(|entry| entry.rnic.clone())
    }

    /// The RNIC with the lowest name of those that are wanted.
    pub(super) fn find_rnic(&self, wanted: impl Fn(RnicId) -> bool) -> Option<Shared<Use<S>>> {
        let rnics = self.rnics.lock();
        let all = rnics.entries.iter().filter(|entry| wanted(entry.id));
        all.min_by_key(|entry| entry.id).map(|entry| entry.rnic.clone())
    }

    /// Returns whether an RNIC that is there has an address.
    pub(super) fn has(&self, id: RnicId, address: IpAddr) -> bool {
        let rnics = self.rnics.lock();
        rnics.entries.iter().any(|entry| entry.id == id && entry.addresses.contains(&address))
    }

    /// The addresses of all RNICs, of one family.
    pub(super) fn all_hosts(&self, ipv4: bool) -> Result<Vec<IpAddr>, NoMemory> {
        let mut hosts = Vec::new();
        let rnics = self.rnics.lock();
        for host in rnics.hosts(ipv4) {
            hosts.try_reserve(1).map_err(|_| NoMemory)?;
            hosts.push_within(host).map_err(|_| NoMemory)?;
        }
        Ok(hosts)
    }

    /// Some address of a family.
    pub(super) fn any_host(&self, ipv4: bool) -> Option<IpAddr> {
        self.rnics.lock().hosts(ipv4).next()
    }

    /// Removes an RNIC, at a halt (also after a surprise removal) or when RDMA is disabled: ends what runs over it, and
    /// closes its NDK objects. When this returns, nothing of it is left.
    pub fn remove(&self, client: &S::Client, id: RnicId, level: PassiveLevel) {
        let removed = {
            let mut rnics = self.rnics.lock();
            let place = rnics.entries.iter().position(|entry| entry.id == id);
            place.filter(|place| *place < rnics.entries.len()).map(|place| rnics.entries.swap_remove(place))
        };
        let Some(Entry { rnic, openings, .. }) = removed else { return };
        for port in openings {
            port.abandon();
        }
        client.on_adapter_removed(level);
        let (adapter, pd, unused) = (rnic.adapter, rnic.pd, rnic.unused.clone());
        drop(rnic);
        while !unused.wait_for(TRACE_INTERVAL, level) {
            S::Kernel::trace(format_args!(
                "an RNIC that is being removed from the transport is in use; not idle are"
            ));
            client.trace_endpoints();
        }
        // SAFETY: no use of the RNIC is left, so no call with the domain is made.
        unsafe { close_pd::<S>(pd, level) };
        // SAFETY: as above, with the adapter.
        unsafe { Rnic::<S::Kernel>::close(adapter, level) };
    }
}

/// The addresses that an RNIC has lost, if any.
#[must_use = "what runs over lost addresses is to end"]
pub struct LostAddresses<S: System> {
    any: bool,
    system: core::marker::PhantomData<fn() -> S>,
}

impl<S: System> LostAddresses<S> {
    /// Ends what runs over the lost addresses, see
    /// [`Client::on_adapter_removed`](crate::system::Client::on_adapter_removed), but for those that have
    /// returned meanwhile: what was bound there is served as before. With no lock held.
    pub fn end(self, client: &S::Client, level: PassiveLevel) {
        if self.any {
            client.on_adapter_removed(level);
        }
    }
}

fn token(pd: NonNull<NDK_PD>) -> u32 {
    let mut token = 0;
    // SAFETY: the domain is not closed, and the place is a local.
    unsafe { call!(pd.as_ptr(), NdkGetPrivilegedMemoryRegionToken, &raw mut token) };
    token
}

/// Closes a domain and waits for it.
///
/// # Safety
///
/// The domain is not closed, and no call with it is made any more.
unsafe fn close_pd<S: System>(pd: NonNull<NDK_PD>, level: PassiveLevel) {
    let event = EventOf::<S>::new();
    event.initialise();
    // SAFETY: as the caller promises.
    let function = unsafe { slot!(pd.as_ptr(), NdkClosePd) };
    let context: *const EventOf<S> = &raw const event;
    // SAFETY: as the caller promises; the event outlives the callback, which is awaited below.
    unsafe { close(pd.as_ptr(), function, signal::<S>, context.cast_mut().cast::<c_void>()) };
    event.wait(level);
}

/// The callback of [`close_pd`].
unsafe extern "efiapi" fn signal<S: System>(context: *mut c_void) {
    // SAFETY: the context is the event that `close_pd` waits on.
    unsafe { &*context.cast::<EventOf<S>>() }.signal();
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use crate::tests::client::{FAR, Pair};

    #[test]
    fn removal_that_takes_long_traces_the_endpoints_that_are_not_idle() {
        let mut pair = Pair::connected();
        let listening = pair.client.associated(pair.near_address);
        let listen = pair.client.listen(listening);
        let far: SocketAddr = FAR.parse().unwrap();
        let used = pair.client.transport.network().rnic_of(far.ip());
        test_kernel::on_trace(move || drop(used));
        pair.client.remove_rnic(1);
        let said = test_kernel::traced();
        let endpoint = format!("  endpoint {:#x}: listening, 1 requests", listening.to_raw());
        assert_eq!(
            said,
            ["an RNIC that is being removed from the transport is in use; not idle are", &endpoint]
        );
        pair.client.close(listening);
        assert!(listen.outcome().is_some());
        pair.tear_down();
    }
}
