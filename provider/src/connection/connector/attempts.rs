//! The attempts of a connector to connect: one at a time.

use sys::status::STATUS_CONNECTION_ACTIVE;

use super::{ConnectError, Connector, Role};
use crate::connection::link::Link;
use crate::kernel::{Kernel, Lock};
use crate::lifetime::Kind;
use crate::object::{Object, ObjectRef};

/// The attempts that there were, and may be.
pub(super) struct Attempts<K: Kernel> {
    /// The last one, if there was any.
    pub(super) last: Option<Link<K>>,
    /// A connect waits for its turn: no other begins.
    waits: bool,
}

impl<K: Kernel> Default for Attempts<K> {
    fn default() -> Self {
        Self { last: None, waits: false }
    }
}

impl<K: Kernel> Attempts<K> {
    /// Returns true if an attempt that found `earlier` may begin: that is still the last one, and no connect
    /// waits.
    pub(super) fn admits(&self, earlier: Option<&Link<K>>) -> bool {
        let unchanged = match (&self.last, earlier) {
            (Some(last), Some(earlier)) => last.same(earlier),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        unchanged && !self.waits
    }
}

/// The attempt that a new one would take the place of. A connect may be tried again, also inside the completion of the
/// one that was refused.
///
/// # Errors
///
/// STATUS_CONNECTION_ACTIVE while none may begin.
pub(super) fn earlier<K: Kernel>(attempts: &Lock<K, Attempts<K>>) -> Result<Option<Link<K>>, ConnectError> {
    let (last, waits) = {
        let attempts = attempts.lock();
        (attempts.last.clone(), attempts.waits)
    };
    let over = last.as_ref().is_none_or(Link::is_refused);
    if over && !waits { Ok(last) } else { Err(ConnectError(STATUS_CONNECTION_ACTIVE)) }
}

/// Keeps other connects of a connector away while one waits; until it is dropped, which may be up to DISPATCH_LEVEL,
/// with no lock held.
pub(crate) struct Turn<K: Kernel>(ObjectRef<K, Connector<K>>);

impl<K: Kernel> Drop for Turn<K> {
    fn drop(&mut self) {
        if let Role::Active(attempts) = &self.0.role {
            attempts.lock().waits = false;
        }
    }
}

impl<K: Kernel> Object<K, Connector<K>> {
    /// Takes the turn of the next attempt, as a connect would that begins now.
    ///
    /// # Errors
    ///
    /// STATUS_CONNECTION_ACTIVE if none may begin; STATUS_DELETE_PENDING if the connector is being closed.
    pub(crate) fn take_turn(&self) -> Result<Turn<K>, ConnectError> {
        let Role::Active(attempts) = &self.role else { return Err(ConnectError(STATUS_CONNECTION_ACTIVE)) };
        let hold = self.try_acquire(Kind::Request)?;
        let earlier = earlier(attempts)?;
        let taken = {
            let mut attempts = attempts.lock();
            let admitted = attempts.admits(earlier.as_ref());
            attempts.waits |= admitted;
            admitted
        };
        if taken { Ok(Turn(hold)) } else { Err(ConnectError(STATUS_CONNECTION_ACTIVE)) }
    }
}
