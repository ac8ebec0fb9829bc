//! The attempts of a connector to connect: one at a time.

use sys::status::STATUS_CONNECTION_ACTIVE;

use super::{ConnectError, Connector, Role};
use crate::connection::link::Link;
use crate::kernel::Kernel;
use crate::lifetime::Kind;
use crate::object::{Object, ObjectRef};

/// The attempts that there were, and may be.
pub(super) struct Attempts<K: Kernel> {
    /// The last one, if there was any.
    pub(super) last: Option<Link<K>>,
    /// A connect has the turn: no other begins.
    taken: bool,
}

impl<K: Kernel> Default for Attempts<K> {
    fn default() -> Self {
        Self { last: None, taken: false }
    }
}

/// Keeps other connects of a connector away from the moment at which one begins, or begins to wait, until its attempt is
/// the connector's last one or has failed. May be dropped up to DISPATCH_LEVEL, with no lock held.
pub(crate) struct Turn<K: Kernel>(ObjectRef<K, Connector<K>>);

impl<K: Kernel> Drop for Turn<K> {
    fn drop(&mut self) {
        if let Role::Active(attempts) = &self.0.role {
            attempts.lock().taken = false;
        }
    }
}

impl<K: Kernel> Object<K, Connector<K>> {
    /// Takes the turn of the next attempt: nothing else of it is taken before.
    ///
    /// # Errors
    ///
    /// STATUS_CONNECTION_ACTIVE if none may begin; STATUS_DELETE_PENDING if the connector is being closed.
    pub(crate) fn take_turn(&self) -> Result<Turn<K>, ConnectError> {
        let Role::Active(attempts) = &self.role else { return Err(ConnectError(STATUS_CONNECTION_ACTIVE)) };
        let connector = self.try_acquire(Kind::Request)?;
        let (free, last) = {
            let mut attempts = attempts.lock();
            (!core::mem::replace(&mut attempts.taken, true), attempts.last.clone())
        };
        // Dropping the turn gives it back: it is not made for a connect that found it taken.
        let turn = free.then(|| Turn(connector)).ok_or(ConnectError(STATUS_CONNECTION_ACTIVE))?;
        // A connect may be tried again, also inside the completion of the one that was refused.
        let over = last.as_ref().is_none_or(Link::is_refused);
        if over { Ok(turn) } else { Err(ConnectError(STATUS_CONNECTION_ACTIVE)) }
    }
}
