//! Foreign verifiers: they accept the package, and refuse it when any part of it is changed. And a second package of the same
//! input has the same bytes.
//!
//! | verifier | judges |
//! |---|---|
//! | osslsigncode (Debian) | both images by their embedded signatures, softndk.sys by the catalogue |
//! | signify (PyPI) | the images, the catalogue, and the INF by the catalogue |

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    build::Images,
    failure::CommandError,
    files::files,
    packages::{self, Use},
    python, root,
    step::Step,
};

/// The release of signify whose interface the script uses.
const SIGNIFY: &str = "signify==0.9.3";

/// Has the package in `folder` verified.
pub(super) fn run(folder: &Path, images: &Images) -> Result<(), CommandError> {
    packages::provide(|need| matches!(need, Use::Verify | Use::Python))?;
    let step = Step::start("verify by osslsigncode");
    let accepted = osslsigncode(&step, folder)?;
    step.done();
    let step = Step::start("verify by signify");
    let judged = signify(&step, folder, images)?;
    step.done();
    println!("osslsigncode {accepted}; signify {judged}");
    Ok(())
}

/// A signed file and the bytes of it that are changed, one after the other, to see it refused.
struct Tampered {
    file: &'static str,
    by_catalog: bool,
    /// The places, as fractions of the file in percent.
    places: &'static [usize],
}

/// The places in the catalogue, as above: an entry, the certificate, the signature.
const CATALOG: &[usize] = &[15, 60, 99];

const IMAGES: &[Tampered] = &[
    Tampered { file: "softndk.sys", by_catalog: false, places: &[2, 40, 99] },
    Tampered { file: "softndk.sys", by_catalog: true, places: &[40] },
    Tampered { file: "ndkhlk/ndkhlk.sys", by_catalog: false, places: &[40, 99] },
];

fn osslsigncode(step: &Step, folder: &Path) -> Result<String, CommandError> {
    let scratch = root().join("target/softndk/verify");
    fs::create_dir_all(&scratch).map_err(|error| CommandError::file(&scratch, &error))?;
    let authority = scratch.join("softndk-test.pem");
    let mut convert = Command::new("openssl");
    convert
        .args(["x509", "-inform", "der", "-in"])
        .arg(folder.join(super::CERTIFICATE))
        .arg("-out")
        .arg(&authority);
    step.run(&mut convert)?;
    let verify = |file: &Path, catalog: Option<&Path>| {
        let mut command = Command::new("osslsigncode");
        command.arg("verify").arg("-CAfile").arg(&authority);
        if let Some(catalog) = catalog {
            command.arg("-catalog").arg(catalog);
        }
        command.arg("-in").arg(file);
        step.attempt(&mut command)
    };
    let (mut accepted, mut refused) = (0, 0);
    let catalog = folder.join("softndk.cat");
    let mut refuse = |file: &Path, catalog: Option<&Path>, place: String| {
        if verify(file, catalog).is_ok() {
            return Err(CommandError::work(format!("osslsigncode accepts {place} changed")));
        }
        refused += 1;
        Ok(())
    };
    for tampered in IMAGES {
        let file = folder.join(tampered.file);
        let catalog = tampered.by_catalog.then_some(catalog.as_path());
        verify(&file, catalog).map_err(|output| {
            CommandError::work(format!("osslsigncode refuses {}:\n{output}", file.display()))
        })?;
        accepted += 1;
        for place in tampered.places {
            let (copy, offset) = tamper(&file, *place, &scratch.join("tampered.sys"))?;
            refuse(&copy, catalog, format!("{} with byte {offset:#x}", tampered.file))?;
        }
    }
    for place in CATALOG {
        let (copy, offset) = tamper(&catalog, *place, &scratch.join("tampered.cat"))?;
        refuse(&folder.join("softndk.sys"), Some(&copy), format!("softndk.cat with byte {offset:#x}"))?;
    }
    Ok(format!("accepted {accepted}, refused {refused} tampered"))
}

/// Writes a copy of a file with one bit changed in the byte at `place` percent. Returns the copy and the byte's offset.
fn tamper(file: &Path, place: usize, copy: &Path) -> Result<(PathBuf, usize), CommandError> {
    let mut bytes = super::read(file)?;
    let offset = bytes.len() * place / 100;
    bytes[offset] ^= 1;
    fs::write(copy, bytes).map_err(|error| CommandError::file(copy, &error))?;
    Ok((copy.to_owned(), offset))
}

/// Compares the files of two packages, byte by byte.
pub(super) fn same(one: &Path, other: &Path) -> Result<usize, CommandError> {
    let (names, others) = (files(one)?, files(other)?);
    if names != others {
        return Err(CommandError::work(format!("two packages have other files: {names:?} and {others:?}")));
    }
    for name in &names {
        if super::read(&one.join(name))? != super::read(&other.join(name))? {
            return Err(CommandError::work(format!("{} is another one in a second package", name.display())));
        }
    }
    Ok(names.len())
}

fn signify(step: &Step, folder: &Path, images: &Images) -> Result<String, CommandError> {
    let tools = python::provide(step, "signify", &[SIGNIFY])?;
    let mut judge = Command::new(tools.join("python3"));
    judge.arg(root().join("xtask/src/package/signify_verify.py")).arg(folder).arg(images.image("softndk"));
    let output = step.run(&mut judge)?;
    Ok(output.trim().to_owned())
}
