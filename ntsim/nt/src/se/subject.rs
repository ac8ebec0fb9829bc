//! Subjects: who asks for access. On Windows this is a token.

#![forbid(unsafe_code)]

use std::sync::{Arc, LazyLock};

use sys::wdm::GENERIC_ALL;

use super::descriptor::{Entry, List};
use super::{Descriptor, Sid};

/// The group that users and administrators belong to first: `DOMAIN_GROUP_RID_USERS`.
const DOMAIN_USERS: Sid = Sid::account(0x201);

/// The subject that opens files: a user, its groups, and its defaults for the security of its objects. It
/// holds no privileges. A copy is the same subject.
///
/// Unless [`default_list_of`](Self::default_list_of) says otherwise, a subject's objects are the user's own
/// and grant everything to the user and to the system. That is the simulator's choice: tokens of Windows
/// carry lists of their own, which depend on how the user has logged on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Subject(Arc<Token>);

#[derive(Clone, Debug, Eq, PartialEq)]
struct Token {
    user: Sid,
    groups: Vec<Sid>,
    primary_group: Sid,
    default_list: List,
}

/// The system itself. Of the process: it never changes.
static SYSTEM: LazyLock<Subject> =
    LazyLock::new(|| Subject::new(Sid::SYSTEM, Sid::SYSTEM).member_of(Sid::ADMINISTRATORS));

impl Subject {
    fn new(user: Sid, primary_group: Sid) -> Self {
        let mut all = vec![user, Sid::SYSTEM];
        all.dedup();
        let default_list = List::Entries(all.into_iter().map(|sid| Entry::allow(GENERIC_ALL, sid)).collect());
        let groups = vec![Sid::EVERYONE, Sid::AUTHENTICATED_USERS];
        Self(Arc::new(Token { user, groups, primary_group, default_list }))
    }

    /// The operating system, S-1-5-18, which is an administrator.
    pub fn system() -> Self {
        SYSTEM.clone()
    }

    /// The account of the administrator, S-1-5-21-1-2-3-500.
    pub fn administrator() -> Self {
        Self::user(500).member_of(Sid::ADMINISTRATORS)
    }

    /// A user, S-1-5-21-1-2-3 with `rid`, who is no administrator.
    pub fn user(rid: u32) -> Self {
        Self::new(Sid::account(rid), DOMAIN_USERS).member_of(DOMAIN_USERS).member_of(Sid::USERS)
    }

    /// Also in this group.
    #[must_use]
    pub fn member_of(mut self, group: Sid) -> Self {
        Arc::make_mut(&mut self.0).groups.push(group);
        self
    }

    /// With the access list of `descriptor` for objects that are made without one.
    #[must_use]
    pub fn default_list_of(mut self, descriptor: &Descriptor) -> Self {
        Arc::make_mut(&mut self.0).default_list = descriptor.list.clone();
        self
    }

    /// Returns whether this is the user or one of its groups.
    pub(super) fn is(&self, sid: &Sid) -> bool {
        self.0.user == *sid || self.0.groups.contains(sid)
    }

    /// Returns whether it may say that this one owns an object: the user itself, or the administrators, whose members
    /// all own what one of them owns.
    pub(super) fn may_give_to(&self, owner: &Sid) -> bool {
        self.0.user == *owner || (*owner == Sid::ADMINISTRATORS && self.is(owner))
    }

    /// Returns the descriptor of its objects where no other is given.
    pub(super) fn default_descriptor(&self) -> Descriptor {
        let Token { user, primary_group, default_list, .. } = &*self.0;
        Descriptor {
            owner: Some(*user),
            group: Some(*primary_group),
            protected: false,
            list: default_list.clone(),
        }
    }
}
