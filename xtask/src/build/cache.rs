//! The cache that wdk-macros keeps.
//!
//! It parses the prototypes of the framework's functions once and never looks whether the headers have
//! changed since. So the cache goes whenever anything changes that the prototypes are made from.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use crate::failure::CommandError;

/// The sources of the prototypes: headers, how they are read, and the version of wdk-sys.
const SOURCES: &[&str] = &["kit/include", "kit/wdk-build/src", "kit/Cargo.lock"];

/// Removes the cache in `target` where it was made from other sources than the present ones of the tree at
/// `root`.
pub(crate) fn refresh(target: &Path, root: &Path) -> Result<(), CommandError> {
    let mut digest = Sha256::new();
    for source in SOURCES {
        let path = root.join(source);
        add(&mut digest, &path).map_err(|error| CommandError::file(&path, &error))?;
    }
    let present: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let stamp = target.join("headers.sha256");
    if fs::read_to_string(&stamp).is_ok_and(|recorded| recorded == present) {
        return Ok(());
    }
    for cache in caches(target) {
        fs::remove_dir_all(&cache).map_err(|error| CommandError::file(&cache, &error))?;
    }
    fs::create_dir_all(target)
        .and_then(|()| fs::write(&stamp, present))
        .map_err(|error| CommandError::file(&stamp, &error))
}

/// Adds the names and contents of everything at `path` to `digest`, in a fixed order.
fn add(digest: &mut Sha256, path: &Path) -> io::Result<()> {
    digest.update(path.as_os_str().as_encoded_bytes());
    if path.is_file() {
        digest.update(fs::read(path)?);
        return Ok(());
    }
    let mut entries: Vec<PathBuf> =
        fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    entries.sort();
    entries.iter().try_for_each(|entry| add(digest, entry))
}

/// The folders in which wdk-macros keeps what it parsed.
fn caches(target: &Path) -> Vec<PathBuf> {
    fs::read_dir(target.join("release/build"))
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("scratch-"))
        .flat_map(|entry| fs::read_dir(entry.path().join("out")).into_iter().flatten().flatten())
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A repository with the sources and a target folder with a cache in it.
    fn repository() -> (tempfile::TempDir, PathBuf) {
        let root = tempfile::tempdir().unwrap();
        for source in SOURCES {
            let path = root.path().join(source);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            if source.ends_with(".lock") {
                fs::write(path, "").unwrap();
            } else {
                fs::create_dir_all(&path).unwrap();
                fs::write(path.join("a.h"), "1").unwrap();
            }
        }
        let cache = root.path().join("release/build/scratch-1/out/wdk_macros");
        fs::create_dir_all(&cache).unwrap();
        (root, cache)
    }

    #[test]
    fn cache_stays_while_the_headers_do() {
        let (root, cache) = repository();
        refresh(root.path(), root.path()).unwrap();
        fs::create_dir_all(&cache).unwrap();
        refresh(root.path(), root.path()).unwrap();
        assert!(cache.exists());
    }

    #[test]
    fn cache_goes_when_a_header_changes() {
        let (root, cache) = repository();
        refresh(root.path(), root.path()).unwrap();
        fs::create_dir_all(&cache).unwrap();
        fs::write(root.path().join("kit/include/a.h"), "2").unwrap();
        refresh(root.path(), root.path()).unwrap();
        assert!(!cache.exists());
    }

    #[test]
    fn cache_of_unknown_origin_goes() {
        let (root, cache) = repository();
        refresh(root.path(), root.path()).unwrap();
        assert!(!cache.exists());
    }
}
