//! `cargo xtask mutants --all`: every small change that cargo-mutants makes to the code that closes.
//!
//! `.cargo/mutants.toml` says where, by which tests a change has to be noticed, and which changes are equivalent. A
//! shard is resumed: what an earlier run of it has caught is not tried again.

use std::{fs, process::Command, str::FromStr};

use crate::{failure::CommandError, root, toolchain::cargo};

/// A part of all changes: the `number`th of `count`, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shard {
    number: u32,
    count: u32,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once('/').and_then(|(number, count)| {
            Some(Self { number: number.parse().ok()?, count: count.parse().ok()? })
        });
        let shard = parsed.filter(|shard| shard.number < shard.count);
        shard.ok_or_else(|| format!("{text}: a shard is K/N with K from 0 and below N"))
    }
}

/// Tries the changes of one shard, or all. Succeeds if each is noticed.
pub(super) fn run(shard: Option<Shard>) -> Result<(), CommandError> {
    if !Command::new("cargo-mutants").arg("--version").output().is_ok_and(|output| output.status.success()) {
        return Err(CommandError::Usage(
            "cargo-mutants is missing; run: cargo install cargo-mutants --locked".to_owned(),
        ));
    }
    let name =
        shard.map_or_else(|| "whole".to_owned(), |shard| format!("{}-of-{}", shard.number, shard.count));
    let results = root().join("target/mutants-all").join(name);
    fs::create_dir_all(&results).map_err(|error| CommandError::file(&results, &error))?;
    let mut command = cargo();
    command.args([
        "mutants",
        "--package",
        "softndk-provider",
        "--package",
        "softndk-tdi",
        "--package",
        "softndk-vswitch",
        "--package",
        "softndk-lifecycle",
        "--iterate",
        "--output",
    ]);
    command.arg(&results);
    if let Some(Shard { number, count }) = shard {
        command.arg("--shard").arg(format!("{number}/{count}"));
    }
    let status = command.status().map_err(|error| CommandError::work(format!("cargo mutants: {error}")))?;
    println!("{}", results.join("mutants.out").display());
    if status.success() {
        Ok(())
    } else {
        Err(CommandError::work("changes were not noticed; mutants.out/missed.txt lists them"))
    }
}

#[cfg(test)]
mod tests {
    use super::Shard;

    #[test]
    fn shard_is_a_number_below_its_count() {
        assert_eq!("3/40".parse(), Ok(Shard { number: 3, count: 40 }));
        for wrong in ["40/40", "0/0", "1", "a/2", "-1/2", ""] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }
}
