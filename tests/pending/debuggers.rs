//! The readers of a dump that are not ours: the crate `minidump`, and lldb.

use core::fmt;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use minidump::{Minidump, MinidumpModuleList, Module as _, UnifiedMemory};

/// The debugger of the LLVM that builds the drivers.
const LLDB: &str = "lldb-22";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A line of the extension, and apart from it the time for which the close has been pending, in seconds.
pub(crate) fn without_time(line: &str) -> (String, Option<f64>) {
    let parts = line.split_once(" for ").and_then(|(before, rest)| Some((before, rest.split_once(" s, ")?)));
    match parts {
        Some((before, (time, rest))) => (format!("{before}, {rest}"), time.parse().ok()),
        None => (line.to_owned(), None),
    }
}

/// The counts of a lifetime word.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Counts {
    pub(crate) closing: bool,
    pub(crate) close_call: bool,
    pub(crate) successors: u64,
    pub(crate) requests: u64,
    pub(crate) callbacks: u64,
}

impl Counts {
    fn of(word: u64) -> Self {
        Self {
            closing: word >> 63 == 1,
            close_call: word >> 62 & 1 == 1,
            successors: word & 0xFF_FFFF,
            requests: word >> 24 & 0xF_FFFF,
            callbacks: word >> 44 & 0x3_FFFF,
        }
    }
}

/// The objects that lldb finds in a dump by the PDB's types: by address, the kind and the counts.
pub(crate) fn lldb(dump: &Path, images: &Path) -> BTreeMap<usize, (i32, Counts)> {
    let output = Command::new(LLDB)
        .args(["--no-lldbinit", "--batch"])
        .arg("--one-line")
        .arg(format!("settings set target.exec-search-paths \"{}\"", images.display()))
        .arg("--one-line")
        .arg(format!("target create --core \"{}\"", dump.display()))
        .arg("--one-line")
        .arg(format!("command script import {}", root().join("tests/pending/objects.py").display()))
        .output()
        .expect("lldb runs; it is in Debian's packages lldb-22 and python3-lldb-22");
    let text = String::from_utf8_lossy(&output.stdout);
    let numbers =
        |line: &str| line.split(' ').filter_map(|word| word.parse::<i64>().ok()).collect::<Vec<_>>();
    let objects = text.lines().filter_map(|line| line.strip_prefix("object 0x")?.split_once(' '));
    let objects: BTreeMap<_, _> = objects
        .map(|(address, rest)| {
            let address = usize::from_str_radix(address, 16).expect("an address");
            let [kind, closing, call, successors, requests, callbacks, _] = numbers(rest)[..] else {
                panic!("{rest}");
            };
            let number = |count: i64| u64::try_from(count).expect("a count has no sign");
            let counts = Counts {
                closing: closing == 1,
                close_call: call == 1,
                successors: number(successors),
                requests: number(requests),
                callbacks: number(callbacks),
            };
            (address, (i32::try_from(kind).expect("a kind"), counts))
        })
        .collect();
    assert!(!objects.is_empty(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    objects
}

/// A dump as the crate `minidump` reads it.
pub(crate) struct Foreign(Minidump<'static, Vec<u8>>);

impl Foreign {
    pub(crate) fn open(dump: &Path) -> Self {
        Self(Minidump::read(std::fs::read(dump).expect("it can be read")).expect("it is a minidump"))
    }

    /// The text in which the dump says why it was written, and what is pending.
    pub(crate) fn comment(&self) -> String {
        let stream = self.0.get_raw_stream(11).expect("it has a comment");
        let units: Vec<u16> = stream.as_chunks().0.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
        String::from_utf16(&units).expect("the comment is text")
    }

    fn word(&self, address: u64) -> Option<u64> {
        let memory = self.0.get_memory()?;
        let UnifiedMemory::Memory64(range) = memory.memory_at_address(address)? else { return None };
        range.get_memory_at_address(address)
    }

    /// The counts of the object at an address, by the table that the image exports.
    pub(crate) fn counts(&self, object: usize) -> Counts {
        let modules = self.0.get_stream::<MinidumpModuleList>().expect("it has modules");
        let image = modules.iter().find(|module| module.code_file().ends_with("softndk.sys"));
        let image = image.expect("the driver is a module");
        // The table begins with its signature and its version.
        let begins = |at: &u64| {
            self.word(*at) == Some(u64::from_le_bytes(*b"softndk\0")) && self.word(*at + 8) == Some(3)
        };
        let all = (image.base_address()..image.base_address() + image.size()).step_by(8);
        let table = all.into_iter().find(begins).expect("the image has the table");
        let lifetime = self.word(table + 24).expect("the table is in the dump");
        let object = u64::try_from(object).expect("an address has 64 bits");
        Counts::of(self.word(object + lifetime).expect("the object is in the dump"))
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}
