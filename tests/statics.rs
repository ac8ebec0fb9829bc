//! Holds the simulator to its one mechanism for state: what changes is kept per machine (`PerMachine`), or says at its
//! declaration why it is the process's.
//!
//! State that outlives its machine makes a run depend on those before it.

#![cfg(not(windows))]
#![allow(
    clippy::expect_used,
    clippy::std_instead_of_alloc,
    reason = "a test ends when what it needs is not there"
)]

use std::fs;
use std::path::Path;

/// The sources of the simulator. Its tests are in files and modules of the name `tests`, and are not judged.
const FOLDERS: [&str; 5] = ["ntsim/core/src", "ntsim/nt/src", "ntsim/ndk/src", "ntsim/net/src", "ntsim/src"];

/// The words of the declaration of a static for the whole process.
const REASON: &str = "of the process";

/// Types whose values change through a shared reference.
const CHANGING: [&str; 7] = ["Atomic", "Cell", "LazyLock", "Mutex", "Once", "RwLock", "UnsafeCell"];

/// The statics of a file that may change, are not kept per machine and do not say why, each with its line.
fn unexplained(text: &str) -> Vec<String> {
    let mut documentation = String::new();
    let mut local = None;
    let mut found = vec![];
    for line in text.lines() {
        let (code, indent) = (line.trim_start(), line.chars().take_while(|c| *c == ' ').count());
        if code == "mod tests {" {
            break;
        }
        if code.starts_with("thread_local!") {
            local = Some(indent);
        } else if local == Some(indent) && code.starts_with('}') {
            local = None;
        }
        if let Some(words) = code.strip_prefix("///") {
            documentation.push_str(words);
            continue;
        }
        let item =
            code.strip_prefix("pub(crate) ").or_else(|| code.strip_prefix("pub(super) ")).unwrap_or(code);
        if let Some((_, kind)) = item.strip_prefix("static ").and_then(|rest| rest.split_once(": "))
            && local.is_none()
            && !kind.starts_with("PerMachine<")
            && CHANGING.iter().any(|changing| kind.contains(changing))
            && !documentation.to_lowercase().contains(REASON)
        {
            found.push(line.trim().to_owned());
        }
        documentation.clear();
    }
    found
}

/// The number of statics in the files below a folder, and those without an explanation.
fn judge(folder: &Path, faults: &mut Vec<String>) -> usize {
    let mut count = 0_usize;
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("it can be listed").path();
        let stem = path.file_stem().unwrap_or_default();
        if stem == "tests" {
            continue;
        }
        if path.is_dir() {
            count = count.saturating_add(judge(&path, faults));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("the file can be read");
            count = count.saturating_add(text.matches(": PerMachine<").count());
            faults.extend(unexplained(&text).into_iter().map(|line| format!("{}: {line}", path.display())));
        }
    }
    count
}

#[test]
fn state_of_the_simulator_is_per_machine_or_says_why_not() {
    let mut faults = vec![];
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let count: usize = FOLDERS.iter().map(|folder| judge(&root.join(folder), &mut faults)).sum();
    assert!(faults.is_empty(), "neither PerMachine nor \"{REASON}\" with a reason:\n{}", faults.join("\n"));
    assert!(count > 30, "{count} statics that are kept per machine");
}

#[test]
fn static_that_changes_needs_a_machine_or_a_reason() {
    let changing =
        "static A: Mutex<u8> = Mutex::new(0);\nstatic B: PerMachine<Mutex<u8>> = PerMachine::new();\n";
    assert_eq!(unexplained(changing), ["static A: Mutex<u8> = Mutex::new(0);"]);
    assert!(unexplained(&format!("/// A number. Of the process,\n/// as memory is.\n{changing}")).is_empty());
    let within = "fn f() {\n    static C: AtomicU8 = AtomicU8::new(0);\n}\n";
    assert_eq!(unexplained(within), ["static C: AtomicU8 = AtomicU8::new(0);"]);
    let fixed =
        "static D: [u8; 2] = [0; 2];\nthread_local! {\n    static E: Cell<u8> = const { Cell::new(0) };\n}\n";
    assert!(unexplained(fixed).is_empty());
    assert!(unexplained(&format!("#[cfg(test)]\nmod tests {{\n{changing}}}\n")).is_empty());
}
