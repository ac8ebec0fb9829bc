//! Security identifiers: the users and groups that rights are granted to.

#![forbid(unsafe_code)]

use core::fmt;

/// A security identifier: a user or a group (MS-DTYP 2.4.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sid {
    authority: u64,
    count: usize,
    /// Those from `count` on are zero.
    parts: [u32; Sid::MAX_PARTS],
}

impl Sid {
    /// Subauthorities that there can be.
    pub(super) const MAX_PARTS: usize = 15;

    /// World: all users.
    pub const EVERYONE: Self = Self::new(1, &[0]);
    /// The object's owner: a list that names it says what its owner may do.
    pub(super) const OWNER_RIGHTS: Self = Self::new(3, &[4]);
    /// The users who have logged on.
    pub const AUTHENTICATED_USERS: Self = Self::new(5, &[11]);
    /// The operating system.
    pub const SYSTEM: Self = Self::new(5, &[18]);
    /// Services that run with few rights.
    pub const LOCAL_SERVICE: Self = Self::new(5, &[19]);
    /// Services that run with few rights and are the machine to the network.
    pub const NETWORK_SERVICE: Self = Self::new(5, &[20]);
    /// The group of administrators.
    pub const ADMINISTRATORS: Self = Self::new(5, &[32, 544]);
    /// The group of users.
    pub const USERS: Self = Self::new(5, &[32, 545]);

    const fn new(authority: u64, given: &[u32]) -> Self {
        let mut parts = [0; Self::MAX_PARTS];
        let (head, _) = parts.split_at_mut(given.len());
        head.copy_from_slice(given);
        Self { authority, count: given.len(), parts }
    }

    /// The account with this relative identifier in the machine's domain, S-1-5-21-1-2-3.
    pub const fn account(rid: u32) -> Self {
        Self::new(5, &[21, 1, 2, 3, rid])
    }

    /// One with these subauthorities, unless they are too many.
    pub(super) fn with(authority: u64, parts: &[u32]) -> Option<Self> {
        (parts.len() <= Self::MAX_PARTS && authority >> 48 == 0).then(|| Self::new(authority, parts))
    }

    /// Reads `S-1-…` in decimal (MS-DTYP 2.4.2.1).
    pub(super) fn from_numbers(text: &str) -> Option<Self> {
        let mut numbers = text.strip_prefix("S-1-")?.split('-');
        let authority = numbers.next()?.parse().ok()?;
        let parts: Vec<u32> = numbers.map(|part| part.parse().ok()).collect::<Option<_>>()?;
        Self::with(authority, &parts).filter(|sid| sid.count > 0)
    }

    pub(super) fn authority(&self) -> u64 {
        self.authority
    }

    pub(super) fn parts(&self) -> &[u32] {
        &self.parts[..self.count]
    }
}

impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S-1-{}", self.authority)?;
        self.parts().iter().try_for_each(|part| write!(f, "-{part}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sid_is_written_as_it_is_read() {
        for text in ["S-1-1-0", "S-1-5-18", "S-1-5-32-544", "S-1-5-21-1-2-3-1001"] {
            assert_eq!(Sid::from_numbers(text).unwrap().to_string(), text);
        }
        assert_eq!(Sid::from_numbers("S-1-5-21-1-2-3-1001"), Some(Sid::account(1001)));
    }

    #[test]
    fn malformed_sid_is_refused() {
        let long = format!("S-1-5{}", "-1".repeat(16));
        for text in ["", "S-1-", "S-1-5", "S-2-5-18", "S-1-5-", "S-1-5-x", "S-1-281474976710656-1", &long] {
            assert_eq!(Sid::from_numbers(text), None, "{text}");
        }
    }
}
