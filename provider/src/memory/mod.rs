//! Memory that transfers may touch: tokens, who may use them, and the copy itself.
//!
//! A token (STag) is an index and a key. One function, [`Table::admit`], decides every access, local or
//! remote; what it admits is pinned, so that a deregistration or invalidation waits for the transfer (WR-7).
//!
//! | module | knows |
//! |---|---|
//! | `region`, `fast_register`, `window` | the objects, and how their registrations are made |
//! | `owner`, `registration_state` | how one registration of an object follows another |
//! | `table`, `slot` | what a token admits |
//! | `chain`, `mapping` | how a consumer describes memory |
//! | `transfer`, `entry`, `run` | the memory of a list; of a single entry; the copy |
//! | `layout` | the places of what a debugger reads |
//!
//! The objects here know no more of the layers above than [`ProtectionDomain`], and of a work request that waits for
//! them its [`Resumption`](crate::object::Resumption).

mod chain;
mod entry;
mod fast_register;
mod layout;
mod mapping;
mod owner;
mod region;
mod registration_state;
mod rights;
mod run;
mod slot;
mod table;
mod transfer;
mod window;

pub(crate) use entry::PinnedEntry;
pub(crate) use fast_register::{Layout, MAX_PAGES};
pub use layout::WindowLayout;
pub(crate) use mapping::{Mapped, Mappings, extent};
pub(crate) use owner::{Invalidated, PendingRegistration, RegionOrWindow, RegistrationError};
pub(crate) use region::{Deregistered, Mr, RegisterError};
pub(crate) use rights::Rights;
pub(crate) use slot::Generation;
#[cfg(all(test, not(loom)))]
pub(crate) use table::Admitted;
pub(crate) use table::Table;
pub(crate) use transfer::{PinnedSgl, Runs, Sge, copy};
pub(crate) use window::{Mw, WindowError};

use crate::kernel::Kernel;
use crate::object::ObjectType;

/// The most scatter/gather entries of one request.
pub(crate) const MAX_SGE: usize = 16;

/// The protection domain of regions and windows, the object above them.
pub(crate) trait ProtectionDomain<K: Kernel>: ObjectType<K> {
    /// The tokens of its opening.
    fn table(&self) -> &Table<K, Self>;

    /// The logical address mappings of its RNIC.
    fn mappings(&self) -> &Mappings<K>;
}

/// Names a protection domain: its address, which is its own while any region or queue pair of it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Domain(pub(crate) usize);

/// Key of a token: differs between successive registrations of one slot. It counts up, and wraps after
/// 16,384.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(u32);

impl Key {
    pub(crate) const BITS: u32 = 14;

    /// The first.
    pub(crate) const FIRST: Self = Self(0);

    /// The key of registration number `count`.
    fn of(count: u32) -> Self {
        Self(count & (1_u32 << Self::BITS).wrapping_sub(1))
    }
}

/// Memory token (STag, R_Key): the name of registered memory in a request of the consumer or its peer.
///
/// ```text
///  31 ........ 14   13 ....... 0
///      index            key
/// ```
///
/// The key of a fast-register region changes with its owner, others change with each registration, so that
/// a stale token is refused; see [`registration_state`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token(pub(crate) u32);

impl Token {
    /// Admits any locally addressed system memory; never valid remotely (WR-8). Its index is never given
    /// to a region.
    pub(crate) const PRIVILEGED: Self = Self(0x01);

    /// Bits of the key, for a debugger.
    const KEY_BITS: usize = crate::number::usize_from(Key::BITS);

    pub(crate) fn new(index: u32, Key(key): Key) -> Self {
        Self((index << Key::BITS) | key)
    }

    pub(crate) fn index(self) -> u32 {
        self.0 >> Key::BITS
    }

    pub(crate) fn key(self) -> Key {
        Key::of(self.0)
    }
}

/// Errors of an access, in the order in which they are checked; each becomes
/// STATUS_ACCESS_VIOLATION for the consumer (WR-7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AccessError {
    /// No region has this token (any more).
    Token,
    /// The region belongs to another protection domain.
    Domain,
    /// The region was not registered for this kind of access.
    Rights,
    /// The range is not within the region.
    Bounds,
}
