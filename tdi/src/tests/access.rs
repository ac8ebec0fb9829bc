//! Access checks of shared addresses: the first opener's list decides.

use std::cell::Cell;

use sys::status::{NTSTATUS, STATUS_ACCESS_DENIED, STATUS_INSUFFICIENT_RESOURCES};
use test_kernel::shared;

use crate::Opener;

/// An opener of addresses.
pub(crate) struct TestOpener {
    pub(super) who: u32,
    /// The subjects that their lists admit.
    pub(super) admits: &'static [u32],
    /// Set if there is memory for one.
    pub(super) memory: bool,
}

impl TestOpener {
    pub(crate) const ANY: Self = Self { who: 0, admits: &[0], memory: true };
}

/// Lists of the running test that are there now, and how many it made.
#[derive(Default)]
struct Lists(Cell<(usize, usize)>);

/// Lists that are there now, and how many were made.
pub(crate) fn lists() -> (usize, usize) {
    shared::<Lists>().0.get()
}

fn set_lists(lists: (usize, usize)) {
    shared::<Lists>().0.set(lists);
}

/// A list that is counted.
pub(crate) struct List(&'static [u32]);

impl Drop for List {
    fn drop(&mut self) {
        let (live, made) = lists();
        set_lists((live - 1, made));
    }
}

impl Opener for TestOpener {
    type List = List;

    fn assign(&self) -> Result<List, NTSTATUS> {
        let (live, made) = lists();
        if !self.memory {
            return Err(STATUS_INSUFFICIENT_RESOURCES);
        }
        set_lists((live + 1, made + 1));
        Ok(List(self.admits))
    }

    fn admitted_by(&self, list: &List) -> Result<(), NTSTATUS> {
        if list.0.contains(&self.who) { Ok(()) } else { Err(STATUS_ACCESS_DENIED) }
    }
}

#[cfg(test)]
mod tests {
    use sys::status::{STATUS_INVALID_ADDRESS, STATUS_SHARING_VIOLATION};

    use super::super::client::{Client, FAR, NEAR};
    use super::*;

    const HOST: TestOpener = TestOpener { who: 1, admits: &[1, 2], memory: true };
    const FRIEND: TestOpener = TestOpener { who: 2, admits: &[2, 3], memory: true };
    const STRANGER: TestOpener = TestOpener { who: 3, admits: &[3], memory: true };

    #[test]
    fn access_list_of_the_first_opener_governs_sharing_until_the_last_cleanup() {
        let client = Client::new();
        let first = client.open_address_as(FAR, Some(&HOST)).unwrap();
        let second = client.open_address_as(FAR, Some(&FRIEND)).unwrap();
        assert_eq!(client.open_address_as(FAR, Some(&STRANGER)), Err(STATUS_ACCESS_DENIED));
        client.close(first);
        // The list is the address's: it outlives the file that brought it, and the second's own was never asked.
        assert_eq!(client.open_address_as(FAR, Some(&STRANGER)), Err(STATUS_ACCESS_DENIED));
        assert_eq!(lists(), (1, 1));
        client.transport.cleanup(second, test_kernel::passive());
        assert_eq!(lists(), (0, 1), "a cleanup is where a list goes, as a close need not be at its level");
        let theirs = client.open_address_as(FAR, Some(&STRANGER)).unwrap();
        assert_eq!(client.open_address_as(FAR, Some(&HOST)), Err(STATUS_ACCESS_DENIED));
        client.transport.close(second);
        client.close(theirs);
        assert_eq!(lists(), (0, 2));
        client.tear_down();
    }

    #[test]
    fn exclusive_address_refuses_sharing_before_any_access_check() {
        let client = Client::new();
        let alone = client.open_address_as(FAR, None).unwrap();
        assert_eq!(client.open_address_as(FAR, Some(&STRANGER)), Err(STATUS_SHARING_VIOLATION));
        client.close(alone);
        let shared = client.open_address_as(FAR, Some(&HOST)).unwrap();
        assert_eq!(client.open_address_as(FAR, None), Err(STATUS_SHARING_VIOLATION));
        client.close(shared);
        assert_eq!(lists(), (0, 1));
        client.tear_down();
    }

    #[test]
    fn create_that_fails_leaves_no_list() {
        let client = Client::new();
        let poor = TestOpener { memory: false, ..HOST };
        assert_eq!(client.open_address_as(FAR, Some(&poor)), Err(STATUS_INSUFFICIENT_RESOURCES));
        assert_eq!(client.open_address_as("10.0.0.9:7", Some(&HOST)), Err(STATUS_INVALID_ADDRESS));
        assert_eq!(lists(), (0, 1));
        // Those who join an address need no list of their own.
        let first = client.open_address_as(FAR, Some(&HOST)).unwrap();
        let joined = client.open_address_as(FAR, Some(&poor)).unwrap();
        [first, joined].iter().for_each(|file| client.close(*file));
        assert_eq!(lists().0, 0);
        client.tear_down();
    }

    #[test]
    fn port_0_is_an_address_of_its_own_each_time() {
        let client = Client::new();
        let files = [HOST, STRANGER].map(|opener| client.open_address_as(NEAR, Some(&opener)).unwrap());
        assert_eq!(lists(), (2, 2));
        files.iter().for_each(|file| client.close(*file));
        client.tear_down();
    }
}
