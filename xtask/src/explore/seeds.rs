//! The first seed of an exploration that names none.

use std::process::Command;

use crate::root;

/// Seeds are short enough to be typed.
const MOST: u64 = 1_000_000_000;

/// A random seed.
pub(super) fn fresh() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    // The keys of a hasher are the standard library's source of random numbers.
    RandomState::new().hash_one(0) % MOST
}

/// A seed that each commit has of its own, whatever machine tests it: what fails there fails again. A random one where
/// git knows no commit.
pub(crate) fn of_commit() -> u64 {
    let tree = Command::new("git").current_dir(root()).args(["rev-parse", "HEAD^{tree}"]).output();
    let tree = tree.ok().filter(|output| output.status.success());
    tree.and_then(|output| of_tree(str::from_utf8(&output.stdout).ok()?)).unwrap_or_else(fresh)
}

/// The seed of a tree with this name.
fn of_tree(name: &str) -> Option<u64> {
    Some(u64::from_str_radix(name.get(..15)?, 16).ok()? % MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seed_of_a_tree_is_the_same_again_and_another_one_for_another_tree() {
        let empty = of_tree("4b825dc642cb6eb9a060e54bf8d69288fbee4904\n");
        assert_eq!(empty, Some(0x4b8_25dc_642c_b6eb % MOST));
        assert_ne!(empty, of_tree("5b825dc642cb6eb9a060e54bf8d69288fbee4904\n"));
        assert_eq!(of_tree("fatal"), None);
    }
}
