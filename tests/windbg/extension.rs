//! The extension of WinDbg, in Node.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output};

const EXTENSION: &str = "windbg/softndk.js";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The output of a program of `tests/windbg`, run by Node with its own parser at hand.
pub(crate) fn node(program: &str, script: &Path, arguments: &[&OsStr]) -> Output {
    Command::new("node")
        .arg("--expose-internals")
        .arg(root().join("tests/windbg").join(program))
        .arg(script)
        .args(arguments)
        .output()
        .expect("node runs; it is in Debian's package nodejs")
}

/// The lines that a command of the extension answers with.
pub(crate) fn extension(dump: &Path, arguments: &[&str]) -> Vec<String> {
    let mut all = vec![dump.as_os_str()];
    all.extend(arguments.iter().map(OsStr::new));
    let output = node("host.js", &root().join(EXTENSION), &all);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}
