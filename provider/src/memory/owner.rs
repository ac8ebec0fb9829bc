//! The owner of a slot of the token table, a region or a window, and pending registrations.

use super::registration_state::{Deregister, RegistrationState, Waiter};
use super::slot::{Generation, Memory, Parent, Registration};
use super::{AccessError, Key, Mr, Mw, ProtectionDomain};
use crate::kernel::Kernel;
use crate::lifetime::{AcquireError, Kind};
use crate::object::{Object, ObjectRef, ObjectType, Resumption};
use crate::rundown::{Drain, Shard};

/// Event bit of regions and windows: a registration has drained, and has a waiter.
const DRAINED: u32 = 1;

/// A region or a window.
pub(crate) enum RegionOrWindow<K: Kernel, P: ProtectionDomain<K>> {
    Region(ObjectRef<K, Mr<K, P>>),
    Window(ObjectRef<K, Mw<K, P>>),
}

/// Outcome of an invalidation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Invalidated {
    /// The token admits nothing, and no transfer uses the memory.
    Now,
    /// The token admits nothing; what invalidated it goes on when the last transfer has ended.
    Later,
    /// The token admitted nothing before.
    NotValid,
}

impl<K: Kernel, P: ProtectionDomain<K>> RegionOrWindow<K, P> {
    fn registration_state(&self) -> &RegistrationState<K, P> {
        match self {
            Self::Region(region) => region.registration_state(),
            Self::Window(window) => window.registration_state(),
        }
    }

    /// One more hold.
    ///
    /// # Errors
    ///
    /// [`AcquireError::Full`] only.
    pub(crate) fn acquire(&self) -> Result<Self, AcquireError> {
        Ok(match self {
            Self::Region(region) => Self::Region(region.acquire(Kind::Request)?),
            Self::Window(window) => Self::Window(window.acquire(Kind::Request)?),
        })
    }

    /// Returns true if a work request may invalidate it: false for a region that NdkRegisterMr registered.
    pub(super) fn can_be_invalidated(&self) -> bool {
        match self {
            Self::Region(region) => region.is_fast(),
            Self::Window(_) => true,
        }
    }

    /// Invalidates the registration, if it is this one or none is asked for. If that must wait for transfers, `by`
    /// goes on when they have ended.
    pub(crate) fn invalidate(&self, which: Option<Generation>, by: Resumption<K>) -> Invalidated {
        match self.registration_state().end(which, Some(Waiter::Work(by))) {
            Deregister::Now(registration, _) => {
                registration.dispose();
                Invalidated::Now
            }
            Deregister::Later => Invalidated::Later,
            Deregister::NotValid(_) => Invalidated::NotValid,
        }
    }

    /// Returns true if `object` still waits for the registration that it invalidated to drain.
    pub(crate) fn is_awaited_by<B: ObjectType<K>>(&self, object: &Object<K, B>) -> bool {
        self.registration_state().is_awaited_by(object)
    }

    fn take_back(&self, memory: Memory<K>, parent: Option<Parent<K, P>>) {
        match self {
            Self::Region(region) => region.recycle(memory),
            Self::Window(window) => window.part_from(parent),
        }
    }
}

impl<K: Kernel, P: ProtectionDomain<K>> Registration<K, P> {
    /// Gives what it is made of back to its owner.
    pub(super) fn dispose(self) {
        self.owner.take_back(self.memory, self.parent);
    }
}

impl<K: Kernel, P: ProtectionDomain<K>> Drain for Registration<K, P> {
    /// Handles the release of an invalid registration by its last transfer.
    fn drained(self) {
        let Self { owner, memory, parent, key, .. } = self;
        owner.take_back(memory, parent);
        if owner.registration_state().drained(key) {
            match &owner {
                RegionOrWindow::Region(region) => region.post(DRAINED),
                RegionOrWindow::Window(window) => window.post(DRAINED),
            }
        }
    }
}

impl<K: Kernel, P: ProtectionDomain<K>> Waiter<K, P> {
    /// In the owner's DPC.
    pub(super) fn tell(self) {
        match self {
            Self::Deregistration(request) => request.complete(sys::status::STATUS_SUCCESS),
            Self::Work(resumption) => resumption.resume(),
        }
    }
}

/// A registration that a work request will make valid. Dropping it before takes it back.
pub(crate) struct PendingRegistration<K: Kernel, P: ProtectionDomain<K>> {
    owner: RegionOrWindow<K, P>,
    registration: Option<Registration<K, P>>,
    /// From the acceptance of the request on.
    key: Option<Key>,
}

/// Errors of a posted registration that did not become valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RegistrationError {
    /// The region, to which the window was to be bound, does not admit it (any more).
    Refused(AccessError),
    /// The earlier registration is still valid, or the owner is being closed.
    State,
}

impl<K: Kernel, P: ProtectionDomain<K>> PendingRegistration<K, P> {
    /// A registration that was made for its owner.
    pub(super) fn new(owner: RegionOrWindow<K, P>, registration: Registration<K, P>) -> Self {
        Self { owner, registration: Some(registration), key: None }
    }

    /// The request is accepted: the token is known from now on.
    pub(crate) fn reserve_key(&mut self) {
        self.key = Some(self.owner.registration_state().reserve_key());
    }

    /// The region or window.
    pub(crate) fn owner(&self) -> &RegionOrWindow<K, P> {
        &self.owner
    }

    /// Takes it back, unless it was made valid.
    pub(crate) fn rollback(&mut self) {
        let Some(registration) = self.registration.take() else { return };
        if let Some(key) = self.key {
            self.owner.registration_state().retire_key(key);
        }
        registration.dispose();
    }

    /// Makes it valid.
    ///
    /// # Errors
    ///
    /// See [`RegistrationError`]; it is taken back when `self` is dropped.
    pub(crate) fn apply(&mut self) -> Result<(), RegistrationError> {
        let registration_state = self.owner.registration_state();
        // What a window may be bound to is decided like any access. The pin goes at once: later accesses
        // through the window are decided anew.
        if let Some(registration) = &mut self.registration
            && let Some(parent) = &mut registration.parent
        {
            let behind = registration.rights.behind_window();
            let (base, length) = (registration.base, registration.length);
            let table = registration_state.pd().table();
            let admitted = table
                .admit(parent.token, registration.domain, (behind, Shard::Initiator), base, length)
                .map_err(RegistrationError::Refused)?;
            parent.generation = admitted.generation;
        }
        let Some(registration) = self.registration.take() else { return Err(RegistrationError::State) };
        registration_state.validate(registration, self.key).map_err(|registration| {
            self.registration = Some(registration);
            RegistrationError::State
        })
    }
}

impl<K: Kernel, P: ProtectionDomain<K>> Drop for PendingRegistration<K, P> {
    fn drop(&mut self) {
        self.rollback();
    }
}
