//! Registration state of a region or a window, the owner of a slot, across successive registrations; and the keys of
//! their tokens (STags).
//!
//! | phase | meaning | left by |
//! |---|---|---|
//! | idle | the slot admits nothing | [`RegistrationState::validate`] |
//! | valid | it admits what its registration says | [`RegistrationState::end`] |
//! | draining | it admits nothing new, but transfers still use the memory | the last of them |
//! | drained | no transfer uses it; the waiter is not notified yet | the owner's DPC |
//!
//! # Keys of tokens: STag, R_Key, fast-register key
//!
//! A token is an STag ([RFC 5040, 2]): the index of a slot, and the key of its owner or its registration (the R_Key
//! byte of InfiniBand and Linux RDMA, here of 14 bits).
//!
//! A fast-register region (FRMR) keeps its key, and with it its token, from its creation to its close
//! ([`Tokens::Kept`]): NdkFastRegister carries no token, and the consumer reads the remote token once. The token admits
//! what the registration that is valid says, and nothing while none is. The next owner of the slot has another key.
//!
//! Of other regions and of windows each registration has a key of its own. A token is known before its registration
//! is valid: after the post of a bind, which may have others before it in its queue. So a key is reserved
//! when the request is accepted, and retired when its registration ends or is rolled back. The next
//! reservation or the retirement, the earlier of the two, moves on to the next key, so no key serves twice in
//! a row.
//!
//! [RFC 5040, 2]: https://www.rfc-editor.org/rfc/rfc5040#section-2

#![expect(unsafe_code, reason = "memory of consumers is named by its address")]

use super::slot::{Generation, Registration, Slot};
use super::{Domain, Key, Mr, ProtectionDomain, Token};
use crate::consumer::Request;
use crate::kernel::{Kernel, Lock};
use crate::object::{Id, Object, ObjectRef, ObjectType, Resumption};

/// The waiter for a registration to drain.
pub(super) enum Waiter<K: Kernel, P: ProtectionDomain<K>> {
    /// The consumer's deregistration.
    Deregistration(Request<K, Mr<K, P>>),
    /// The queue pair whose work request ended the registration; its send queue resumes then.
    Work(Resumption<K>),
}

impl<K: Kernel, P: ProtectionDomain<K>> Waiter<K, P> {
    /// The deregistration, if it is one.
    pub(super) fn request(self) -> Option<Request<K, Mr<K, P>>> {
        match self {
            Self::Deregistration(request) => Some(request),
            Self::Work(_) => None,
        }
    }
}

enum Phase<K: Kernel, P: ProtectionDomain<K>> {
    Idle,
    Valid(Key, Generation),
    Draining(Option<Waiter<K, P>>),
    Drained(Waiter<K, P>),
}

struct State<K: Kernel, P: ProtectionDomain<K>> {
    phase: Phase<K, P>,
    /// The slot's key is that of the newest registration, which has not ended; otherwise that of the next.
    claimed: bool,
    /// Set when the owner is being closed: nothing becomes valid any more.
    closing: bool,
}

/// The rotation of the key in the token of a slot's owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tokens {
    /// None: a fast-register region.
    Kept,
    /// A new key with each registration: other regions, and windows.
    Fresh,
}

/// See the module's head.
pub(super) struct RegistrationState<K: Kernel, P: ProtectionDomain<K>> {
    pub(super) pd: ObjectRef<K, P>,
    pub(super) slot: u32,
    tokens: Tokens,
    state: Lock<K, State<K, P>>,
}

/// Outcome of the end of a registration.
pub(super) enum Deregister<K: Kernel, P: ProtectionDomain<K>> {
    /// It ended, and no transfer used it; the waiter need not wait.
    Now(Registration<K, P>, Option<Waiter<K, P>>),
    /// Transfers still use it; the waiter is kept.
    Later,
    /// There is none, or it is another one.
    NotValid(Option<Waiter<K, P>>),
}

impl<K: Kernel, P: ProtectionDomain<K>> RegistrationState<K, P> {
    /// The registration state of `slot` in the token table of `pd`'s adapter.
    pub(super) fn new(pd: ObjectRef<K, P>, slot: u32, tokens: Tokens) -> Self {
        let state = State { phase: Phase::Idle, claimed: false, closing: false };
        Self { pd, slot, tokens, state: Lock::<K, _>::new(state) }
    }

    /// The protection domain.
    pub(super) fn pd(&self) -> &Object<K, P> {
        &self.pd
    }

    /// The region that a window is bound to.
    pub(super) fn parent(&self) -> Option<Id> {
        self.slot()?.parent()
    }

    /// As it is compared.
    pub(super) fn domain(&self) -> Domain {
        Domain::of(&self.pd)
    }

    /// Gives the slot back, which nothing uses any more.
    pub(super) fn into_antecedents(self) -> ObjectRef<K, P> {
        self.pd.table().give_back(self.slot);
        self.pd
    }

    fn slot(&self) -> Option<&Slot<K, P>> {
        self.pd.table().slot(self.slot)
    }

    /// The token of the newest registration that was accepted and has not ended; of the next, if all have. Where it
    /// is kept, these are the same.
    pub(super) fn token(&self) -> Token {
        let next = self.slot().map_or(Key::FIRST, Slot::key);
        let state = self.state.lock();
        let key = match state.phase {
            Phase::Valid(key, _) if !state.claimed => key,
            Phase::Idle | Phase::Valid(..) | Phase::Draining(_) | Phase::Drained(_) => next,
        };
        Token::new(self.slot, key)
    }

    /// The key for a registration whose request is accepted; it is to be retired.
    pub(super) fn reserve_key(&self) -> Key {
        self.reserve_key_in(&mut self.state.lock())
    }

    fn reserve_key_in(&self, state: &mut State<K, P>) -> Key {
        let Some(slot) = self.slot() else { return Key::FIRST };
        if self.tokens == Tokens::Fresh && core::mem::replace(&mut state.claimed, true) {
            slot.advance();
        }
        slot.key()
    }

    /// The registration with this key has ended, or never came about.
    pub(super) fn retire_key(&self, key: Key) {
        self.retire_in(&mut self.state.lock(), key);
    }

    fn retire_in(&self, state: &mut State<K, P>, key: Key) {
        if self.tokens == Tokens::Fresh
            && let Some(slot) = self.slot()
            && slot.key() == key
        {
            slot.advance();
            state.claimed = false;
        }
    }

    /// Makes a registration valid, with the key that was reserved for it or else a new one. If it can't be,
    /// it is given back, as it must not be dropped under the lock.
    #[expect(
        clippy::result_large_err,
        reason = "a registration moves into its slot, or back where it came from"
    )]
    pub(super) fn validate(
        &self,
        mut registration: Registration<K, P>,
        claimed: Option<Key>,
    ) -> Result<(), Registration<K, P>> {
        let Some(slot) = self.slot() else { return Err(registration) };
        let mut state = self.state.lock();
        if state.closing || !matches!(state.phase, Phase::Idle) {
            return Err(registration);
        }
        registration.key = claimed.unwrap_or_else(|| self.reserve_key_in(&mut state));
        registration.generation = slot.next_generation();
        state.phase = Phase::Valid(registration.key, registration.generation);
        // SAFETY: the slot belongs to this registration state; the phase says that no registration was valid
        // or draining, and the lock excludes another call that makes one valid.
        unsafe { slot.validate(registration) };
        Ok(())
    }

    /// Ends the registration, if it is this one or none is asked for.
    pub(super) fn end(&self, which: Option<Generation>, waiter: Option<Waiter<K, P>>) -> Deregister<K, P> {
        {
            let mut state = self.state.lock();
            match state.phase {
                Phase::Valid(_, present) if which.is_none_or(|which| which == present) => {
                    state.phase = Phase::Draining(waiter);
                }
                Phase::Idle | Phase::Valid(..) | Phase::Draining(_) | Phase::Drained(_) => {
                    return Deregister::NotValid(waiter);
                }
            }
        }
        let Some(registration) = self.slot().and_then(Slot::invalidate) else { return Deregister::Later };
        let waiter = self.leave_draining(registration.key, |waiter| (Phase::Idle, waiter));
        Deregister::Now(registration, waiter.flatten())
    }

    /// The owner is being closed: nothing becomes valid any more, and what is ends, to be dropped by the
    /// caller.
    pub(super) fn close(&self) -> Option<Registration<K, P>> {
        self.state.lock().closing = true;
        match self.end(None, None) {
            Deregister::Now(registration, _) => Some(registration),
            Deregister::Later | Deregister::NotValid(_) => None,
        }
    }

    /// Records that the last transfer has unpinned the registration with this key, which had ended. Returns
    /// true if it has a waiter to notify, see [`RegistrationState::take_waiter`].
    #[must_use]
    pub(super) fn drained(&self, key: Key) -> bool {
        let owes = self.leave_draining(key, |waiter| match waiter {
            Some(waiter) => (Phase::Drained(waiter), true),
            None => (Phase::Idle, false),
        });
        owes.unwrap_or(false)
    }

    fn leave_draining<R>(
        &self,
        key: Key,
        next: impl FnOnce(Option<Waiter<K, P>>) -> (Phase<K, P>, R),
    ) -> Option<R> {
        let mut state = self.state.lock();
        self.retire_in(&mut state, key);
        match core::mem::replace(&mut state.phase, Phase::Idle) {
            Phase::Draining(waiter) => {
                let (phase, result) = next(waiter);
                state.phase = phase;
                Some(result)
            }
            other @ (Phase::Idle | Phase::Valid(..) | Phase::Drained(_)) => {
                state.phase = other;
                None
            }
        }
    }

    /// Takes the waiter of a registration that has drained.
    pub(super) fn take_waiter(&self) -> Option<Waiter<K, P>> {
        let mut state = self.state.lock();
        match core::mem::replace(&mut state.phase, Phase::Idle) {
            Phase::Drained(waiter) => Some(waiter),
            other @ (Phase::Idle | Phase::Valid(..) | Phase::Draining(_)) => {
                state.phase = other;
                None
            }
        }
    }

    /// Returns true if a work request of `object` still waits for the registration to drain.
    pub(super) fn is_awaited_by<B: ObjectType<K>>(&self, object: &Object<K, B>) -> bool {
        match &self.state.lock().phase {
            Phase::Draining(Some(Waiter::Work(waiter))) | Phase::Drained(Waiter::Work(waiter)) => {
                waiter.is_of(object)
            }
            Phase::Idle | Phase::Valid(..) | Phase::Draining(_) | Phase::Drained(_) => false,
        }
    }
}
