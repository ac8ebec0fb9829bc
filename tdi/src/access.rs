//! Access check for shared addresses.
//!
//! The first to open an address for sharing sets the access list of the address; each further opener is
//! compared with it (the page of TdiDispatchCreate, `SecurityContext->AccessState`). The list is the address's
//! until the last file that shares it is cleaned up. The kernel judges what a list says, and of which user.

#![forbid(unsafe_code)]

use provider::Shared;

use crate::system::{Opener, System};

/// A list, which the files that share an address have in common.
pub(crate) type ListOf<S> = Shared<<<S as System>::Opener as Opener>::List>;

/// The progress of the access check of a file that is to share an address.
pub(crate) enum Sharing<S: System> {
    /// It does not.
    Exclusive,
    /// It wants to; no list was looked at.
    Wanted,
    /// By its own list, if it is the first.
    Own(ListOf<S>),
    /// By the list of those who have the address open, which admits the opener.
    Theirs(ListOf<S>),
}

/// The obstacle between a file and an address.
pub(crate) enum Obstacle<S: System> {
    /// It is the first to open the address, and needs a list.
    NoList,
    /// The list of those who have the address open was not asked.
    List(ListOf<S>),
    /// They, or it, do not share.
    Exclusive,
}

impl<S: System> Sharing<S> {
    /// The list under which a file may open an address now. `holders` is that of the files which have it open:
    /// `None` without any such file, `Some(None)` if they don't share.
    ///
    /// # Errors
    ///
    /// See [`Obstacle`].
    pub(crate) fn settle(
        &self,
        holders: Option<Option<&ListOf<S>>>,
    ) -> Result<Option<ListOf<S>>, Obstacle<S>> {
        match (holders, self) {
            (None, Self::Exclusive) => Ok(None),
            (None, Self::Own(list)) => Ok(Some(list.clone())),
            // Those whose list it was are gone.
            (None, Self::Wanted | Self::Theirs(_)) => Err(Obstacle::NoList),
            (Some(_), Self::Exclusive) | (Some(None), _) => Err(Obstacle::Exclusive),
            (Some(Some(list)), Self::Theirs(asked))
                if core::ptr::eq(&raw const **list, &raw const **asked) =>
            {
                Ok(Some(list.clone()))
            }
            (Some(Some(list)), _) => Err(Obstacle::List(list.clone())),
        }
    }
}
