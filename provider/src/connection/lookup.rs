//! Requests that wait until the RNIC's addresses are looked up again.
//!
//! TCP/IP tells consumers and the driver of a new address at the same time, so a consumer may name it before the RNIC
//! has it. NdkListen, NdkConnect and NdkCreateSharedEndpoint may pend, so such a request does, and is tried again once
//! the driver has looked the addresses up. Nothing else ends a wait: a close waits for the look-up, which has begun
//! when the request waits, and the request then completes as cancelled (CL-3, CL-4).

#![expect(unsafe_code, reason = "the driver is called back")]

mod request;

pub(crate) use request::{Connect, CreateShared, Listen, MakeShared, Place, Waiting, failed};

use alloc::collections::VecDeque;
use core::ffi::c_void;
use core::net::IpAddr;

use sys::status::STATUS_INVALID_ADDRESS;

use crate::adapter::RnicState;
use crate::consumer::Opaque;
use crate::heap::{NoMemory, Within as _};
use crate::kernel::{Kernel, Lock};
use crate::status::StatusError;

/// Requests that may wait at a time; more are refused as those that name an unknown address.
const ROOM: usize = 64;

/// Has the driver look the RNIC's addresses up, by [`Rnic::look_up`](crate::Rnic::look_up). Up to DISPATCH_LEVEL, with no
/// lock held.
pub type LookUp = unsafe extern "efiapi" fn(context: *mut c_void);

/// The pending requests of an RNIC.
pub(crate) struct Lookups<K: Kernel>(Lock<K, State<K>>);

struct State<K: Kernel> {
    look_up: Option<(LookUp, Opaque)>,
    /// With their numbers, in their order.
    waiting: VecDeque<(u64, Waiting<K>)>,
    /// The number of the next one.
    next: u64,
}

impl<K: Kernel> State<K> {
    /// The oldest request if its number is below `end`.
    fn take_below(&mut self, end: u64) -> Option<Waiting<K>> {
        self.waiting.pop_front_if(|(number, _)| *number < end).map(|(_, request)| request)
    }
}

impl<K: Kernel> Lookups<K> {
    /// No requests, and room for some.
    ///
    /// # Errors
    ///
    /// [`NoMemory`].
    pub(crate) fn new() -> Result<Self, NoMemory> {
        let mut waiting = VecDeque::new();
        waiting.try_reserve_exact(ROOM).map_err(|_| NoMemory)?;
        Ok(Self(Lock::<K, _>::new(State { look_up: None, waiting, next: 0 })))
    }

    fn is_possible(&self) -> bool {
        self.0.lock().look_up.is_some()
    }

    /// Puts a request behind those that wait; gives the function that has the addresses looked up.
    ///
    /// # Errors
    ///
    /// Gives the request back if there is no room, or no driver that looks addresses up.
    #[expect(
        clippy::result_large_err,
        reason = "a request that is refused goes back once, off the data path"
    )]
    fn put(&self, request: Waiting<K>) -> Result<(LookUp, Opaque), Waiting<K>> {
        let mut state = self.0.lock();
        let (Some(look_up), number) = (state.look_up, state.next) else { return Err(request) };
        state.waiting.push_within((number, request)).map_err(|(_, request)| request)?;
        state.next = number.wrapping_add(1);
        Ok(look_up)
    }
}

impl<K: Kernel> Lookups<K> {
    /// Sets the function that has the addresses looked up, with its context; without one no request waits.
    pub(crate) fn set_look_up(&self, look_up: Option<(LookUp, Opaque)>) {
        self.0.lock().look_up = look_up;
    }

    /// The number of the next request to wait.
    pub(crate) fn next(&self) -> u64 {
        self.0.lock().next
    }

    /// Takes the oldest request if its number is below `end`.
    pub(crate) fn take_below(&self, end: u64) -> Option<Waiting<K>> {
        self.0.lock().take_below(end)
    }
}

impl<K: Kernel> RnicState<K> {
    /// Returns true if a request that names this address is to wait: the RNIC does not have it, and a driver
    /// looks it up.
    pub(crate) fn is_to_be_looked_up(&self, address: IpAddr) -> bool {
        self.is_enabled() && !self.is_local(address) && self.lookups().is_possible()
    }

    /// Lets a request wait until the addresses are looked up, which begins now. The request may be completed before
    /// this returns. Up to DISPATCH_LEVEL, with no lock held.
    ///
    /// # Errors
    ///
    /// STATUS_INVALID_ADDRESS if it cannot wait; it is dropped, and never completed.
    pub(crate) fn wait_for_addresses(&self, request: Waiting<K>) -> Result<(), StatusError> {
        let (look_up, context) = self
            .lookups()
            .put(request)
            .map_err(|_dropped_without_lock| StatusError(STATUS_INVALID_ADDRESS))?;
        // SAFETY: the driver passed this function and context, which it keeps while consumers have the RNIC open.
        unsafe { look_up(context.0) };
        Ok(())
    }
}
