//! A file that comes in: without a name until all of it is there, so that nothing is left of it however its process ends.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat, open};
use rustix::io::Errno;
use tempfile::NamedTempFile;

/// The rights of a new file, from which the process' mask takes some.
const MODE: u32 = 0o666;

/// See the module's head.
#[derive(Debug)]
pub(super) enum Received {
    /// A file without a name.
    Unnamed(File),
    /// One with a name, on a file system that has no others: it is removed when this is dropped.
    Named(NamedTempFile),
}

impl Received {
    /// An empty file in this folder.
    pub(super) fn new_in(folder: &Path) -> io::Result<Self> {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        match open(folder, flags, Mode::from_raw_mode(MODE)) {
            Ok(file) => Ok(Self::Unnamed(file.into())),
            // EISDIR is the answer of kernels that do not know of such files.
            Err(Errno::OPNOTSUPP | Errno::ISDIR) => {
                use std::os::unix::fs::PermissionsExt as _;
                let rights = std::fs::Permissions::from_mode(MODE);
                let made = tempfile::Builder::new().permissions(rights).make_in(folder, |path| {
                    File::options().read(true).write(true).create_new(true).open(path)
                });
                made.map(Self::Named)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Writes all of it behind what was written before.
    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Unnamed(file) => (&*file).write_all(bytes),
            Self::Named(file) => file.as_file().write_all(bytes),
        }
    }

    /// A path under which it can be opened once more, while it is here.
    pub(super) fn path(&self) -> PathBuf {
        match self {
            Self::Unnamed(file) => own_path(file),
            Self::Named(file) => file.path().to_owned(),
        }
    }

    /// Gives it this name in its folder, in place of a file that has it.
    pub(super) fn keep(self, folder: &Path, name: &str) -> io::Result<()> {
        let named = match self {
            Self::Unnamed(file) => {
                // A link takes no other file's place; a move does.
                let from = own_path(&file);
                tempfile::Builder::new().make_in(folder, |path| {
                    linkat(CWD, &from, CWD, path, AtFlags::SYMLINK_FOLLOW)?;
                    file.try_clone()
                })?
            }
            Self::Named(file) => file,
        };
        named.persist(folder.join(name)).map(drop).map_err(|error| error.error)
    }
}

/// The path of an open file of this process.
fn own_path(file: &File) -> PathBuf {
    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn file_has_no_name_before_it_is_kept_and_takes_the_place_of_another_one_then() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("name");
        fs::write(&path, "earlier").unwrap();
        let received = Received::new_in(folder.path()).unwrap();
        assert!(matches!(received, Received::Unnamed(_)), "{received:?}");
        received.write(b"all ").unwrap();
        received.write(b"of it").unwrap();
        assert_eq!(names(folder.path()), ["name"]);
        assert_eq!(fs::read(received.path()).unwrap(), b"all of it");
        received.keep(folder.path(), "name").unwrap();
        assert_eq!(names(folder.path()), ["name"]);
        assert_eq!(fs::read(&path).unwrap(), b"all of it");
        // As a file that is made the usual way.
        let usual = folder.path().join("usual");
        fs::write(&usual, "").unwrap();
        assert_eq!(fs::metadata(path).unwrap().permissions(), fs::metadata(usual).unwrap().permissions());
        assert_ne!(fs::metadata(folder.path().join("name")).unwrap().permissions().mode() & 0o400, 0);
    }

    #[test]
    fn file_that_is_not_kept_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        Received::new_in(folder.path()).unwrap().write(b"a part").unwrap();
        fs::create_dir(folder.path().join("name")).unwrap();
        assert!(Received::new_in(folder.path()).unwrap().keep(folder.path(), "name").is_err());
        assert_eq!(names(folder.path()), ["name"]);
        assert!(Received::new_in(Path::new("/nonexistent")).is_err());
    }
}
