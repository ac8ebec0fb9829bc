//! `cargo xtask reproduce`: builds the drivers and ndkhlk.exe of the last commit in two folders and compares the images.

use std::{fs, path::Path, process::Command};

use sha2::{Digest, Sha256};

use crate::{
    build::{DRIVERS, Site, provide},
    failure::CommandError,
    package::program,
    root,
    step::Step,
    toolchain::Compiler,
};

/// The two folders: another length, depth and name each.
const FOLDERS: [&str; 2] = ["a", "another/folder/of softndk"];

/// Builds twice and compares.
pub(crate) fn run() -> Result<(), CommandError> {
    let (compiler, of_program) = (provide()?, program::provide()?);
    let place =
        tempfile::tempdir().map_err(|error| CommandError::work(format!("temporary folder: {error}")))?;
    let sites = FOLDERS.map(|folder| site(&place.path().join(folder)));
    eprintln!("Two clean builds of the drivers and of ndkhlk.exe take about six minutes on two cores.");
    let mut programs = Vec::new();
    for (site, folder) in sites.iter().zip(FOLDERS) {
        build(site, folder, compiler)?;
        let step = Step::start(format!("build ndkhlk.exe in {folder:?}"));
        programs.push(program::compile(of_program, &site.tree, &site.target, &step)?);
        step.done();
    }
    let mut different = Vec::new();
    for driver in DRIVERS {
        let [first, second] = &sites;
        different.extend(compare(&format!("{driver}.sys"), &[read(first, driver)?, read(second, driver)?]));
    }
    different.extend(compare("ndkhlk.exe", &programs));
    if different.is_empty() { Ok(()) } else { Err(CommandError::work(different.join("\n"))) }
}

/// Prints the digests of what was built in each folder, and says how the two differ.
fn compare(name: &str, built: &[Vec<u8>]) -> Option<String> {
    for (image, folder) in built.iter().zip(FOLDERS) {
        let digest: String = Sha256::digest(image).iter().map(|byte| format!("{byte:02x}")).collect();
        println!("{digest}  {name}, built in {folder:?}");
    }
    let [first, second] = built else { return Some(format!("{name}: not built twice")) };
    difference(first, second).map(|text| format!("{name}: {text}"))
}

/// A clone, its build and its images below a folder.
fn site(folder: &Path) -> Site {
    let [tree, target, images] = ["tree", "target", "images"].map(|name| folder.join(name));
    Site { tree, target, images, wdk: None }
}

/// Clones the last commit and builds its drivers.
fn build(site: &Site, folder: &str, compiler: Compiler) -> Result<(), CommandError> {
    let step = Step::start(format!("clone into {folder:?}"));
    step.run(Command::new("git").args(["clone", "--quiet"]).arg(root()).arg(&site.tree))?;
    step.done();
    let step = Step::start(format!("build drivers in {folder:?}"));
    if let Err(output) = site.compile(compiler, &step)? {
        drop(step);
        let last: Vec<&str> = output.trim_end().lines().rev().take(40).collect();
        last.iter().rev().for_each(|line| eprintln!("{line}"));
        return Err(CommandError::work("The drivers of the last commit do not build, see above."));
    }
    site.deliver(compiler)?;
    step.done();
    Ok(())
}

fn read(site: &Site, driver: &str) -> Result<Vec<u8>, CommandError> {
    let path = site.images.join(format!("{driver}.sys"));
    fs::read(&path).map_err(|error| CommandError::file(&path, &error))
}

/// The first place at which two images differ, and the number of bytes that do.
fn difference(first: &[u8], second: &[u8]) -> Option<String> {
    let differing = first.iter().zip(second).filter(|(one, other)| one != other).count();
    let at = first.iter().zip(second).position(|(one, other)| one != other);
    match at {
        Some(at) => Some(format!(
            "the first difference is at {at:#x}; {differing} bytes differ, of {} and {}",
            first.len(),
            second.len()
        )),
        None if first.len() != second.len() => Some(format!("{} and {} bytes", first.len(), second.len())),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::difference;

    #[test]
    fn difference_of_images_says_where_it_begins() {
        assert_eq!(difference(b"abcd", b"abcd"), None);
        assert!(difference(b"abcd", b"abxy").unwrap().contains("at 0x2; 2 bytes differ"));
        assert_eq!(difference(b"abcd", b"ab").unwrap(), "4 and 2 bytes");
    }
}
