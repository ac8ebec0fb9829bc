//! Memory regions: registering, deregistering, and waiting for the transfers that use them.

use alloc::vec::Vec;
use core::ptr::NonNull;

use sys::ndk::NDK_OBJECT_TYPE;
use sys::status::STATUS_SUCCESS;
use sys::wdm::MDL;

use super::slot::{Registration, Segment};
use super::{Domain, Rights, Token, chain};
use crate::adapter::Pd;
use crate::consumer::Request;
use crate::heap::NoMemory;
use crate::kernel::{Kernel, Lock};
use crate::lifetime::Kind;
use crate::object::{Body, Hold, Object};
use crate::rundown::Drain;

/// Event bit: a pending deregistration is done.
const DEREGISTERED: u32 = 1;

/// Why a registration was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RegisterError {
    /// The region is registered, is for fast registration, or is being closed.
    State,
    /// The chain is shorter than the length, or not virtually contiguous (WR-8).
    Memory,
    /// The list could not be mapped, or memory ran out.
    Resources,
}

impl From<NoMemory> for RegisterError {
    fn from(_: NoMemory) -> Self {
        Self::Resources
    }
}

enum State<K: Kernel> {
    /// Not registered.
    Idle,
    /// Registered under the token.
    Registered(Token),
    /// Invalid, but transfers still use it; the request is the deregistration that waits, if it was one.
    Draining(Option<Request<K, Mr<K>>>),
    /// Drained; the request is still to be completed.
    Drained(Request<K, Mr<K>>),
}

/// What a memory region is beyond an object.
pub(crate) struct Mr<K: Kernel> {
    pd: Hold<K, Pd<K>>,
    slot: u32,
    /// Created for fast registration.
    fast: bool,
    state: Lock<K, State<K>>,
}

impl<K: Kernel> Mr<K> {
    /// A region of `pd` that owns `slot` of the adapter's token table.
    pub(crate) fn new(pd: Hold<K, Pd<K>>, slot: u32, fast: bool) -> Self {
        Self { pd, slot, fast, state: Lock::<K, _>::new(State::Idle) }
    }

    /// The token of the present registration; 0, which admits nothing, when there is none.
    pub(crate) fn token(&self) -> u32 {
        match *self.state.lock() {
            State::Registered(token) => token.0,
            State::Idle | State::Draining(_) | State::Drained(_) => 0,
        }
    }

    /// Created for fast registration.
    pub(crate) fn is_fast(&self) -> bool {
        self.fast
    }

    fn invalidate(&self) -> Option<Registration<K>> {
        self.pd.adapter().table().slot(self.slot)?.invalidate()
    }
}

/// What a deregistration did.
pub(crate) enum Deregistered {
    /// Done: the token admits nothing, no transfer uses the memory.
    Done,
    /// The completion follows when the last transfer has ended.
    Pending,
    /// There was no registration.
    NotRegistered,
}

impl<K: Kernel> Object<K, Mr<K>> {
    /// Registers the first `length` bytes of an MDL chain.
    ///
    /// # Errors
    ///
    /// See [`RegisterError`]; nothing has changed then.
    ///
    /// # Safety
    ///
    /// `mdl` heads a chain of lists that stay locked and mapped as they are until deregistration is
    /// complete.
    pub(crate) unsafe fn register(
        &self,
        mdl: NonNull<MDL>,
        length: usize,
        rights: Rights,
    ) -> Result<(), RegisterError> {
        if self.fast {
            return Err(RegisterError::State);
        }
        // SAFETY: as the caller promises.
        let segments = unsafe { segments_of::<K>(mdl, length) }?;
        // SAFETY: as above.
        let base = unsafe { chain::base(mdl) };
        let region = self.hold(Kind::Request).map_err(|_| RegisterError::State)?;
        let domain = Domain::of(&self.pd);
        let registration = Registration { key: 0, domain, base, length, rights, segments, region };
        let table = self.pd.adapter().table();
        let slot = table.slot(self.slot).ok_or(RegisterError::State)?;
        let mut refused = Some(registration);
        {
            let mut state = self.state.lock();
            if let State::Idle = *state
                && let Some(registration) = refused.take()
            {
                // SAFETY: the slot is this region's own, and IDLE says that nothing is valid or draining.
                let key = unsafe { slot.validate(registration) };
                *state = State::Registered(Token::new(self.slot, key));
            }
        }
        // A refused registration holds the region; it is dropped outside the lock.
        if refused.is_some() { Err(RegisterError::State) } else { Ok(()) }
    }

    /// Ends the registration; `request` is completed later if that must wait for a transfer.
    pub(crate) fn deregister(&self, request: Request<K, Mr<K>>) -> Deregistered {
        {
            let mut state = self.state.lock();
            if !matches!(*state, State::Registered(_)) {
                drop(state);
                request.answered_inline();
                return Deregistered::NotRegistered;
            }
            *state = State::Draining(Some(request));
        }
        match self.invalidate() {
            None => Deregistered::Pending,
            Some(registration) => {
                let ended = core::mem::replace(&mut *self.state.lock(), State::Idle);
                if let State::Draining(Some(request)) = ended {
                    request.answered_inline();
                }
                drop(registration);
                Deregistered::Done
            }
        }
    }
}

impl<K: Kernel> Drain for Registration<K> {
    /// The last transfer has let go of an invalid registration: completes the deregistration, or lets the
    /// close go on.
    fn drained(self) {
        let region = self.region;
        drop(self.segments);
        let owes = {
            let mut state = region.state.lock();
            match core::mem::replace(&mut *state, State::Idle) {
                State::Draining(Some(request)) => {
                    *state = State::Drained(request);
                    true
                }
                State::Draining(None) => false,
                other @ (State::Idle | State::Registered(_) | State::Drained(_)) => {
                    *state = other;
                    false
                }
            }
        };
        if owes {
            region.post(DEREGISTERED);
        }
    }
}

impl Domain {
    /// The domain of a PD.
    pub(crate) fn of<K: Kernel>(pd: &Object<K, Pd<K>>) -> Self {
        Self(core::ptr::from_ref(pd).addr())
    }
}

impl<K: Kernel> Body<K> for Mr<K> {
    const TYPE: NDK_OBJECT_TYPE = NDK_OBJECT_TYPE::NdkObjectTypeMr;

    type Ties = Hold<K, Pd<K>>;

    /// A registered region is deregistered; the close then waits for the transfers that use it.
    fn start_close(object: &Object<K, Self>) {
        {
            let mut state = object.state.lock();
            if !matches!(*state, State::Registered(_)) {
                return;
            }
            *state = State::Draining(None);
        }
        if let Some(registration) = object.invalidate() {
            registration.drained();
        }
    }

    fn dismantle(self) -> Self::Ties {
        self.pd.adapter().table().give_back(self.slot);
        self.pd
    }

    fn deliver(object: &Object<K, Self>, _: u32) {
        let drained = {
            let mut state = object.state.lock();
            match core::mem::replace(&mut *state, State::Idle) {
                State::Drained(request) => Some(request),
                other @ (State::Idle | State::Registered(_) | State::Draining(_)) => {
                    *state = other;
                    None
                }
            }
        };
        if let Some(request) = drained {
            request.complete(STATUS_SUCCESS);
        }
    }
}

/// The system memory behind the first `length` bytes of a chain.
///
/// # Safety
///
/// As for [`Object::register`].
unsafe fn segments_of<K: Kernel>(mdl: NonNull<MDL>, length: usize) -> Result<Vec<Segment>, RegisterError> {
    let mut segments = Vec::new();
    // SAFETY: as the caller promises.
    unsafe {
        chain::walk::<K>(mdl, length, |segment| {
            segments.try_reserve(1).map_err(|_| RegisterError::Resources)?;
            segments.push(segment);
            Ok(())
        })
    }?;
    Ok(segments)
}
