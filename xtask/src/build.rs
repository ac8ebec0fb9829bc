//! `cargo xtask build`: the drivers' images from the kit's workspace, checked, under target/softndk.

mod cache;
mod identity;
#[cfg(test)]
mod manifests;
mod wdk;

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    failure::CommandError,
    image::{self, Exports},
    packages::{self, Use},
    root,
    step::Step,
    toolchain::{Compiler, TARGET, kit_target},
};

/// The drivers: the names of their packages in the kit's workspace.
pub(crate) const DRIVERS: &[&str] = &[PRODUCT, "ndkhlk"];

/// The one that is for others' machines. (The other is a test, and says what it found before it ends.)
const PRODUCT: &str = "softndk";

/// The options of a build.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Build with the headers of the WDK whose content root this is, and put the images under target/softndk-wdk.
    #[arg(long, value_name = "DIR")]
    wdk: Option<PathBuf>,
}

impl Options {
    /// The content root of the WDK whose headers are to be used.
    pub(crate) fn wdk(&self) -> Option<&Path> {
        self.wdk.as_deref()
    }
}

/// A tree of sources, where its drivers are built, and where their images go.
pub(crate) struct Site {
    pub(crate) tree: PathBuf,
    pub(crate) target: PathBuf,
    pub(crate) images: PathBuf,
    /// The folder of the overlay over a WDK's headers, if those of the kit are not meant.
    pub(crate) wdk: Option<PathBuf>,
}

/// The built images.
pub(crate) struct Images {
    /// The folder that holds each driver's image, PDB and map file.
    pub(crate) folder: PathBuf,
}

impl Images {
    /// The image of one driver.
    pub(crate) fn image(&self, driver: &str) -> PathBuf {
        self.folder.join(format!("{driver}.sys"))
    }
}

/// Does what the options say.
pub(crate) fn run(options: &Options) -> Result<(), CommandError> {
    let images = match &options.wdk {
        None => build()?,
        Some(content) => build_with(content)?,
    };
    report(&images);
    Ok(())
}

/// Builds the drivers with the headers below a WDK's content root.
fn build_with(content: &Path) -> Result<Images, CommandError> {
    let overlay = overlay(content)?;
    let compiler = provide()?;
    let images = root().join("target/softndk-wdk");
    Site { tree: root().to_owned(), target: wdk_target(), images, wdk: Some(overlay) }.build(compiler)
}

/// The folder of what is built with the headers of a WDK.
pub(crate) fn wdk_target() -> PathBuf {
    root().join("target/kit-wdk")
}

/// Writes an overlay over the headers below a WDK's content root, and returns its folder.
pub(crate) fn overlay(content: &Path) -> Result<PathBuf, CommandError> {
    let headers = wdk::Headers::find(content)?;
    let overlay = wdk_target().join("headers");
    headers.write(&overlay)?;
    Ok(overlay)
}

/// Lets a build see headers through an overlay.
pub(crate) fn use_overlay(command: &mut Command, overlay: &Path) {
    wdk::configure(command, overlay);
}

/// Installs what is missing, builds the drivers and checks their images.
pub(crate) fn build() -> Result<Images, CommandError> {
    images(provide()?)
}

/// Installs what is missing to build drivers with the compiler that there is.
pub(crate) fn provide() -> Result<Compiler, CommandError> {
    let compiler = Compiler::find();
    packages::provide(|need| match need {
        Use::Drivers | Use::Llvm => true,
        Use::Compiler => compiler == Compiler::Debian,
        Use::Fuzz
        | Use::Lints
        | Use::Format
        | Use::Program
        | Use::Wine
        | Use::Verify
        | Use::Debugger
        | Use::Extension
        | Use::Python
        | Use::Interop => false,
    })?;
    Ok(compiler)
}

/// Builds the drivers and checks their images.
pub(crate) fn images(compiler: Compiler) -> Result<Images, CommandError> {
    let images = root().join("target/softndk");
    Site { tree: root().to_owned(), target: kit_target(), images, wdk: None }.build(compiler)
}

impl Site {
    /// Compiles the drivers, checks their images and puts them where they go.
    fn build(&self, compiler: Compiler) -> Result<Images, CommandError> {
        if !self.built().exists() {
            eprintln!(
                "The first build of the drivers takes about three minutes on two cores; later ones half a minute."
            );
        }
        let step = Step::start("build drivers");
        if let Err(output) = self.compile(compiler, &step)? {
            drop(step);
            eprintln!("{}", output.trim_end());
            return Err(CommandError::work(explain(&output)));
        }
        step.done();
        let step = Step::start("check images");
        let images = self.deliver(compiler)?;
        step.done();
        Ok(images)
    }

    /// The folder in which cargo leaves what it builds.
    fn built(&self) -> PathBuf {
        self.target.join(TARGET).join("release")
    }

    /// Compiles the drivers as a part of `step`. If that fails, what the tools wrote is given back.
    pub(crate) fn compile(
        &self,
        compiler: Compiler,
        step: &Step,
    ) -> Result<Result<(), String>, CommandError> {
        cache::refresh(&self.target, &self.tree)?;
        let mut command = compiler.build(&self.tree, &self.target);
        if let Some(overlay) = &self.wdk {
            wdk::configure(&mut command, overlay);
        }
        for driver in DRIVERS {
            command.args(["--package", driver]);
        }
        Ok(step.attempt(&mut command).map(drop))
    }

    /// Checks the images of drivers that were compiled, and puts them where they go.
    pub(crate) fn deliver(&self, compiler: Compiler) -> Result<Images, CommandError> {
        let images = Images { folder: self.images.clone() };
        fs::create_dir_all(&images.folder).map_err(|error| CommandError::file(&images.folder, &error))?;
        let exports = Exports::read(&self.tree.join("kit/lib"))?;
        let folders = compiler.folders(&self.tree, &self.target);
        let folders: Vec<PathBuf> = folders.into_iter().map(|(folder, _)| folder).collect();
        for driver in DRIVERS {
            deliver(driver, &self.built(), &images, &exports, &folders)?;
        }
        Ok(images)
    }
}

/// Says where the images are.
fn report(images: &Images) {
    for driver in DRIVERS {
        println!("{}", images.image(driver).display());
    }
}

/// Explains a failed build where the tools' own words leave that open.
pub(crate) fn explain(output: &str) -> String {
    let missing = output.split("undefined symbol: ").nth(1).and_then(|rest| rest.split_whitespace().next());
    match missing {
        Some("__chkstk") => {
            "The function named above has a frame of more than a page, and kernel stacks are small: move \
             what it keeps there to memory of its own, or split it."
                .to_owned()
        }
        Some(symbol) => format!(
            "No import library has {symbol}: where a kernel module exports it, add it to that module's file \
             in kit/lib."
        ),
        None => "The drivers do not build, see above.".to_owned(),
    }
}

/// Checks one image and puts it with its PDB and map file where they go, under the names that they have on Windows.
fn deliver(
    driver: &str,
    built: &Path,
    images: &Images,
    exports: &Exports,
    folders: &[PathBuf],
) -> Result<(), CommandError> {
    let read = |path: &Path| fs::read(path).map_err(|error| CommandError::file(path, &error));
    let mut image = read(&built.join(format!("{driver}.dll")))?;
    let mut pdb = read(&built.join(format!("{driver}.pdb")))?;
    let map = built.join(format!("deps/{driver}.map"));
    identity::settle(&mut image, &mut pdb)
        .map_err(|reason| CommandError::work(format!("{driver}: {reason}")))?;
    let expected = image::Expected { driver, folders, map: (driver == PRODUCT).then_some(map.as_path()) };
    image::check(&image, exports, &expected)?;
    for (kind, bytes) in [("sys", image), ("pdb", pdb), ("map", read(&map)?)] {
        let path = images.folder.join(format!("{driver}.{kind}"));
        // Another command may be reading it: it has the earlier file or this one, whole.
        tempfile::Builder::new()
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(&images.folder)
            .and_then(|file| {
                fs::write(file.path(), bytes)?;
                Ok(file.persist(&path)?)
            })
            .map_err(|error| CommandError::file(&path, &error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::explain;

    #[test]
    fn symbol_that_no_library_has_is_named() {
        let explanation = explain("lld-link-22: error: undefined symbol: KeFoo\n>>> referenced by");
        assert!(explanation.contains("KeFoo"), "{explanation}");
    }

    #[test]
    fn frame_over_a_page_is_told_as_such() {
        assert!(explain("undefined symbol: __chkstk\n").contains("frame"));
    }
}
