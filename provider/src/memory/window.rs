//! Memory windows: remote access to a part of a region, given and taken by work requests.

use sys::ndk::NDK_OBJECT_TYPE;

use super::owner::{PendingRegistration, RegionOrWindow};
use super::registration_state::{RegistrationState, Tokens};
use super::slot::{Generation, Memory, Parent, Registration};
use super::{AccessError, Domain, Key, Mr, ProtectionDomain, Rights};
use crate::kernel::{Kernel, Lock};
use crate::lifetime::{AcquireError, Kind};
use crate::object::{Id, Object, ObjectRef, ObjectType, Registry};
use crate::rundown::Shard;

/// The region that a window is bound to, if it is.
pub(super) type Region<K, P> = Option<ObjectRef<K, Mr<K, P>>>;

/// Type-specific state of a memory window.
pub(crate) struct Mw<K: Kernel, P: ProtectionDomain<K>> {
    pub(super) registration_state: RegistrationState<K, P>,
    /// The region that it was bound to when it was closed: that must outlive its close completion.
    pub(super) bound_to: Lock<K, Region<K, P>>,
}

/// Errors of a bind that was refused inline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WindowError {
    /// The region does not admit it.
    Region(AccessError),
    /// The region or the window is being closed.
    Object(AcquireError),
}

impl From<AccessError> for WindowError {
    fn from(refusal: AccessError) -> Self {
        Self::Region(refusal)
    }
}

impl From<AcquireError> for WindowError {
    fn from(refused: AcquireError) -> Self {
        Self::Object(refused)
    }
}

impl<K: Kernel, P: ProtectionDomain<K>> Mw<K, P> {
    /// A window of `pd` that owns `slot` of the adapter's token table.
    pub(crate) fn new(pd: ObjectRef<K, P>, slot: u32) -> Self {
        Self {
            registration_state: RegistrationState::new(pd, slot, Tokens::Fresh),
            bound_to: Lock::<K, _>::new(None),
        }
    }

    /// The token of the newest bind that was posted, for peers only.
    pub(crate) fn token(&self) -> u32 {
        self.registration_state.token().0
    }

    /// The protection domain.
    pub(crate) fn domain(&self) -> Domain {
        self.registration_state.domain()
    }

    pub(super) fn registration_state(&self) -> &RegistrationState<K, P> {
        &self.registration_state
    }
}

impl<K: Kernel, P: ProtectionDomain<K>> Object<K, Mw<K, P>> {
    /// Creates the registration that an NdkBind posts: `length` bytes from `address` on in `region`.
    ///
    /// A region for fast registration may have a registration pending in the queue, so for such a region
    /// [`PendingRegistration::apply`] checks the range and the rights.
    ///
    /// # Errors
    ///
    /// See [`WindowError`].
    pub(crate) fn bind(
        &self,
        region: &Object<K, Mr<K, P>>,
        (address, length): (usize, usize),
        rights: Rights,
    ) -> Result<PendingRegistration<K, P>, WindowError> {
        let (domain, token) = (self.registration_state.domain(), region.registration_state().token());
        let tie = region.try_acquire(Kind::Successor)?;
        if region.registration_state().domain() != domain {
            return Err(AccessError::Domain.into());
        }
        if !region.is_fast() {
            let table = self.registration_state.pd().table();
            drop(table.admit(token, domain, (rights.behind_window(), Shard::Initiator), address, length)?);
        }
        let own = self.try_acquire(Kind::Request)?;
        let owner = RegionOrWindow::Window(own.acquire(Kind::Request)?);
        let registration = Registration {
            key: Key::FIRST,
            generation: Generation::NONE,
            domain,
            base: address,
            length,
            rights,
            memory: Memory::new(),
            parent: Some(Parent { token, generation: Generation::NONE, region: tie }),
            owner: RegionOrWindow::Window(own),
        };
        Ok(PendingRegistration::new(owner, registration))
    }

    /// The window is no longer bound.
    pub(super) fn part_from(&self, parent: Option<Parent<K, P>>) {
        let Some(Parent { region, .. }) = parent else { return };
        if self.holds().closing {
            let earlier = self.bound_to.lock().replace(region);
            drop(earlier);
        }
    }
}

impl<K: Kernel, P: ProtectionDomain<K>> ObjectType<K> for Mw<K, P> {
    const TYPE: NDK_OBJECT_TYPE = NDK_OBJECT_TYPE::NdkObjectTypeMw;

    const REFERENCES: [usize; 3] =
        [Object::<K, Self>::at(core::mem::offset_of!(Self, registration_state.pd)), 0, 0];

    type Antecedents = (Region<K, P>, ObjectRef<K, P>);

    fn registry(&self) -> &Registry<K> {
        self.registration_state.pd().registry()
    }

    fn antecedents(&self, name: &mut dyn FnMut(Id)) {
        name(Id::of(self.registration_state.pd()));
        let parted = self.bound_to.lock().as_ref().map(|region| Id::of(region));
        if let Some(region) = parted.or_else(|| self.registration_state.parent()) {
            name(region);
        }
    }

    /// A bound window is unbound; the close then waits for the transfers that use it.
    fn start_close(object: &Object<K, Self>) {
        if let Some(registration) = object.registration_state.close() {
            registration.dispose();
        }
    }

    fn into_antecedents(self) -> Self::Antecedents {
        (self.bound_to.into_inner(), self.registration_state.into_antecedents())
    }

    fn deliver(object: &Object<K, Self>, _: u32) {
        if let Some(waiter) = object.registration_state.take_waiter() {
            waiter.tell();
        }
    }
}
