//! Folders of the machine that built an image: none is named in it, so that it is the same wherever it is built.

use std::path::PathBuf;

use super::Violation;

/// Folders that sources, tools or homes lie in on a Linux host.
const COMMON: &[&str] = &["/home/", "/root/", "/tmp/", "/usr/"];

/// Checks that neither `folders` nor [`COMMON`] ones are named in an image.
pub(super) fn check(bytes: &[u8], folders: &[PathBuf], faults: &mut Vec<Violation>) {
    let own = folders.iter().map(|folder| format!("{}/", folder.display()));
    for folder in own.chain(COMMON.iter().map(|&folder| folder.to_owned())) {
        let Some(at) = bytes.windows(folder.len()).position(|window| window == folder.as_bytes()) else {
            continue;
        };
        let path = bytes[at..].iter().take(100).take_while(|byte| byte.is_ascii_graphic());
        faults.push(Violation::Path(path.map(|&byte| char::from(byte)).collect()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_build_machine_are_found() {
        let folders = [PathBuf::from("/some/tree")];
        let found = |bytes: &[u8]| {
            let mut faults = Vec::new();
            check(bytes, &folders, &mut faults);
            faults
        };
        assert_eq!(found(b"\0/softndk/driver/lib.rs\0/some/trees\0"), []);
        assert_eq!(found(b"\0/some/tree/a.rs\0"), [Violation::Path("/some/tree/a.rs".to_owned())]);
        assert_eq!(found(b"1/usr/lib/x.rs"), [Violation::Path("/usr/lib/x.rs".to_owned())]);
    }
}
