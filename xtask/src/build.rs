//! `cargo xtask build`: the drivers' images from the kit's workspace, checked, under target/softndk.

mod cache;
mod toolchain;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use self::toolchain::Toolchain;
use crate::{
    failure::Failure,
    image::{self, Exports},
    packages,
    step::Step,
};

/// The drivers: the names of their packages in the kit's workspace.
const DRIVERS: &[&str] = &["softndk"];

/// What rustc calls the drivers' target.
const TARGET: &str = "x86_64-pc-windows-msvc";

/// The built images.
pub(crate) struct Images {
    /// The provider.
    pub(crate) softndk: PathBuf,
}

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// Installs what is missing, builds the drivers and checks their images.
pub(crate) fn build() -> Result<Images, Failure> {
    let toolchain = Toolchain::find();
    packages::provide(toolchain.is_own())?;
    let target = root().join("target/kit");
    if !target.join(TARGET).exists() {
        println!("The first build takes about five minutes on two cores; later ones take seconds.");
    }
    cache::refresh(&target)?;
    let step = Step::start("build drivers");
    step.run(&mut cargo(&toolchain, &target))?;
    step.done();
    let step = Step::start("check images");
    let images = root().join("target/softndk");
    fs::create_dir_all(&images).map_err(|error| Failure::file(&images, &error))?;
    let exports = Exports::read(&root().join("kit/lib"))?;
    for driver in DRIVERS {
        deliver(driver, &target.join(TARGET).join("release"), &images, &exports)?;
    }
    step.done();
    Ok(Images { softndk: images.join("softndk.sys") })
}

/// Says where the images are.
pub(crate) fn report(images: &Images) {
    println!("{}", images.softndk.display());
}

/// The command that builds every driver.
fn cargo(toolchain: &Toolchain, target: &Path) -> Command {
    let mut command = toolchain.cargo(&root().join("kit"));
    command.args(["build", "--release", "--target-dir"]).arg(target);
    for driver in DRIVERS {
        command.args(["--package", driver]);
    }
    command
}

/// Checks one image and puts it beside its PDB and map file, under the names that they have on Windows.
fn deliver(driver: &str, from: &Path, to: &Path, exports: &Exports) -> Result<(), Failure> {
    let image = from.join(format!("{driver}.dll"));
    image::check(&image, exports)?;
    for (source, name) in [
        (image, format!("{driver}.sys")),
        (from.join(format!("{driver}.pdb")), format!("{driver}.pdb")),
        (from.join(format!("deps/{driver}.map")), format!("{driver}.map")),
    ] {
        fs::copy(&source, to.join(name)).map_err(|error| Failure::file(&source, &error))?;
    }
    Ok(())
}
