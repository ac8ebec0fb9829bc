//! Security descriptors: who owns an object, and who may do what with it.

#![forbid(unsafe_code)]

use super::{Sid, wire};

/// A security descriptor. The default one has neither owner nor list, and so grants everything.
///
/// One is made from text in the security descriptor definition language:
/// `"O:SYD:P(A;;GA;;;SY)(D;;GW;;;S-1-5-21-1-2-3-1001)".parse()`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Descriptor {
    pub(super) owner: Option<Sid>,
    pub(super) group: Option<Sid>,
    /// Set if the list is kept from inheriting.
    pub(super) protected: bool,
    pub(super) list: List,
}

impl Descriptor {
    /// Takes over the access list of another descriptor, and whether it is kept from inheriting.
    pub(crate) fn set_list(&mut self, from: Self) {
        (self.list, self.protected) = (from.list, from.protected);
    }
}

impl Descriptor {
    /// Its self-relative form.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        wire::write(self)
    }
}

/// An access list, as far as a descriptor has one.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) enum List {
    /// None is given: who makes an object gets the one that is usual, and a check grants everything.
    #[default]
    Absent,
    /// It is said that there be none, which grants everything.
    Null,
    /// These, in their order. No entries grant nothing.
    Entries(Vec<Entry>),
}

/// The type of an entry: one that grants or one that refuses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum AceType {
    /// It grants the rights.
    Allow,
    /// It refuses them.
    Deny,
}

/// One entry of a list.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Entry {
    pub(super) ace_type: AceType,
    /// `…_INHERIT_ACE`.
    pub(super) flags: u8,
    pub(super) mask: u32,
    pub(super) sid: Sid,
}

/// An entry is only for what inherits it.
pub(super) const INHERIT_ONLY_ACE: u8 = 8;

impl Entry {
    /// One that grants rights.
    pub(super) fn allow(mask: u32, sid: Sid) -> Self {
        Self { ace_type: AceType::Allow, flags: 0, mask, sid }
    }

    /// Returns whether it says something about the object itself.
    pub(super) fn applies(&self) -> bool {
        self.flags & INHERIT_ONLY_ACE == 0
    }
}
