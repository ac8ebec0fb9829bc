//! Memory regions: registering, deregistering, and waiting for the transfers that use them.

#![expect(unsafe_code, reason = "memory of consumers is named by its address")]

use core::ptr::NonNull;

use sys::ndk::NDK_OBJECT_TYPE;
use sys::wdm::MDL;

use super::fast_register::Prepared;
use super::owner::RegionOrWindow;
use super::registration_state::{Deregister, RegistrationState, Tokens, Waiter};
use super::slot::{Generation, Memory, Registration, Segment};
use super::{Domain, Key, ProtectionDomain, Rights, chain};
use crate::consumer::Request;
use crate::heap::{NoMemory, Shared, Within as _};
use crate::kernel::{Kernel, Lock, Mapping as _};
use crate::lifetime::Kind;
use crate::object::{Id, Object, ObjectRef, ObjectType, Registry};

/// Errors of a registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RegisterError {
    /// The region is registered, is for the other kind of registration, or is being closed.
    State,
    /// The memory is shorter than the length, not virtually contiguous (WR-8), or not laid out as asked.
    Memory,
    /// Remote access was not prepared for.
    Rights,
    /// More pages than are supported.
    Limit,
    /// The memory could not be mapped, or memory ran out.
    Resources,
}

impl From<NoMemory> for RegisterError {
    fn from(_: NoMemory) -> Self {
        Self::Resources
    }
}

/// Type-specific state of a memory region.
pub(crate) struct Mr<K: Kernel, P: ProtectionDomain<K>> {
    registration_state: RegistrationState<K, P>,
    /// Of a region that was created for fast registration.
    fast: Option<Lock<K, Prepared<K>>>,
}

impl<K: Kernel, P: ProtectionDomain<K>> Mr<K, P> {
    /// A region of `pd` that owns `slot` of the adapter's token table.
    pub(crate) fn new(pd: ObjectRef<K, P>, slot: u32, fast: bool) -> Self {
        let tokens = if fast { Tokens::Kept } else { Tokens::Fresh };
        let fast = fast.then(|| Lock::<K, _>::new(Prepared::default()));
        Self { registration_state: RegistrationState::new(pd, slot, tokens), fast }
    }

    /// The token: of a fast region that of all its registrations, else of the present or the next one.
    pub(crate) fn token(&self) -> u32 {
        self.registration_state.token().0
    }

    /// Created for fast registration.
    pub(crate) fn is_fast(&self) -> bool {
        self.fast.is_some()
    }

    /// The protection domain.
    pub(crate) fn domain(&self) -> Domain {
        self.registration_state.domain()
    }

    pub(super) fn registration_state(&self) -> &RegistrationState<K, P> {
        &self.registration_state
    }

    pub(super) fn prepared(&self) -> Option<&Lock<K, Prepared<K>>> {
        self.fast.as_ref()
    }
}

/// Outcome of a deregistration.
pub(crate) enum Deregistered {
    /// Done: the token admits nothing, no transfer uses the memory.
    Done,
    /// The completion follows when the last transfer has ended.
    Pending,
    /// A window is bound to the region.
    Bound,
    /// There was no registration, or it was a fast one.
    NotRegistered,
}

impl<K: Kernel, P: ProtectionDomain<K>> Object<K, Mr<K, P>> {
    /// Registers the first `length` bytes of an MDL chain.
    ///
    /// # Errors
    ///
    /// See [`RegisterError`]; nothing has changed then.
    ///
    /// # Safety
    ///
    /// `mdl` heads a chain of lists that stay as they are during the call, over pages that stay locked until
    /// deregistration is complete.
    pub(crate) unsafe fn register(
        &self,
        mdl: NonNull<MDL>,
        length: usize,
        rights: Rights,
    ) -> Result<(), RegisterError> {
        if self.is_fast() {
            return Err(RegisterError::State);
        }
        // SAFETY: as the caller promises.
        let memory = unsafe { mapped::<K>(mdl, length) }?;
        // SAFETY: as above.
        let base = unsafe { chain::base(mdl) };
        let owner =
            RegionOrWindow::Region(self.try_acquire(Kind::Request).map_err(|_| RegisterError::State)?);
        let domain = self.domain();
        let registration = Registration {
            key: Key::FIRST,
            generation: Generation::NONE,
            domain,
            base,
            length,
            rights,
            memory,
            parent: None,
            owner,
        };
        self.registration_state.validate(registration, None).map_err(|_| RegisterError::State)
    }

    /// Ends the registration; `request` is completed later if that must wait for a transfer.
    pub(crate) fn deregister(&self, request: Request<K, Mr<K, P>>) -> Deregistered {
        let (outcome, request) = if self.is_fast() {
            (Deregistered::NotRegistered, Some(request))
        } else if self.holds().successors != 0 {
            (Deregistered::Bound, Some(request))
        } else {
            match self.registration_state.end(None, Some(Waiter::Deregistration(request))) {
                Deregister::Later => (Deregistered::Pending, None),
                Deregister::NotValid(waiter) => {
                    (Deregistered::NotRegistered, waiter.and_then(Waiter::request))
                }
                Deregister::Now(registration, waiter) => {
                    registration.dispose();
                    (Deregistered::Done, waiter.and_then(Waiter::request))
                }
            }
        };
        if let Some(request) = request {
            request.answered_inline();
        }
        outcome
    }
}

impl Domain {
    /// The domain of a PD.
    pub(crate) fn of<K: Kernel, P: ProtectionDomain<K>>(pd: &Object<K, P>) -> Self {
        Self(core::ptr::from_ref(pd).addr())
    }
}

impl<K: Kernel, P: ProtectionDomain<K>> ObjectType<K> for Mr<K, P> {
    const TYPE: NDK_OBJECT_TYPE = NDK_OBJECT_TYPE::NdkObjectTypeMr;

    const REFERENCES: [usize; 3] =
        [Object::<K, Self>::at(core::mem::offset_of!(Self, registration_state.pd)), 0, 0];

    type Antecedents = ObjectRef<K, P>;

    fn registry(&self) -> &Registry<K> {
        self.registration_state.pd().registry()
    }

    fn antecedents(&self, name: &mut dyn FnMut(Id)) {
        name(Id::of(self.registration_state.pd()));
    }

    /// A registered region is deregistered; the close then waits for the transfers that use it.
    fn start_close(object: &Object<K, Self>) {
        if let Some(registration) = object.registration_state.close() {
            registration.dispose();
        }
    }

    fn into_antecedents(self) -> Self::Antecedents {
        self.registration_state.into_antecedents()
    }

    fn deliver(object: &Object<K, Self>, _: u32) {
        if let Some(waiter) = object.registration_state.take_waiter() {
            waiter.tell();
        }
    }
}

/// The first `length` bytes of a chain, in a mapping of their own.
///
/// # Safety
///
/// As for [`Object::register`].
unsafe fn mapped<K: Kernel>(mdl: NonNull<MDL>, length: usize) -> Result<Memory<K>, RegisterError> {
    let mut memory = Memory::with_room(1)?;
    // SAFETY: as the caller promises.
    let mapping = Shared::new(unsafe { chain::map::<K>(mdl, length) }?)?;
    let segment = Segment { offset: 0, length, system: mapping.start().as_ptr() };
    memory.segments.push_within(segment).map_err(|_| RegisterError::Resources)?;
    memory.held.push_within(mapping).map_err(|_| RegisterError::Resources)?;
    Ok(memory)
}
