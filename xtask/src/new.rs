//! `cargo xtask new`: a small driver in a folder of its own, with all that it needs to be built and booted.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{failure::CommandError, root};

/// The kind of driver, and where it is to be.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The folder, whose last part is the driver's name; it must not exist.
    path: PathBuf,
    #[command(flatten)]
    kind: KindOption,
    /// Name this repository by its address in the manifest, at the present commit, and not by its folder.
    #[arg(long, value_name = "URL")]
    git: Option<String>,
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct KindOption {
    /// A driver of the Kernel-Mode Driver Framework.
    #[arg(long)]
    kmdf: bool,
    /// A driver of the Windows Driver Model.
    #[arg(long)]
    wdm: bool,
    /// An NDIS miniport driver.
    #[arg(long)]
    ndis: bool,
    /// A driver of the Windows Driver Model in C.
    #[arg(long)]
    c: bool,
}

/// A kind of driver.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    Kmdf,
    Wdm,
    Ndis,
    C,
}

impl Kind {
    /// Every kind.
    pub(crate) const ALL: [Self; 4] = [Self::Kmdf, Self::Wdm, Self::Ndis, Self::C];

    /// The name, as that of an option.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Kmdf => "kmdf",
            Self::Wdm => "wdm",
            Self::Ndis => "ndis",
            Self::C => "c",
        }
    }

    /// The sources, and the file that they go to.
    const fn source(self) -> (&'static str, &'static str) {
        match self {
            Self::Kmdf => (include_str!("new/kmdf.rs.in"), "src/lib.rs"),
            Self::Wdm => (include_str!("new/wdm.rs.in"), "src/lib.rs"),
            Self::Ndis => (include_str!("new/ndis.rs.in"), "src/lib.rs"),
            Self::C => (include_str!("new/wdm.c.in"), "driver.c"),
        }
    }

    /// The driver model, as the manifest names it.
    const fn model(self) -> &'static str {
        match self {
            Self::Kmdf => "driver-type = \"KMDF\"\nkmdf-version-major = 1\ntarget-kmdf-version-minor = 33",
            Self::Wdm | Self::Ndis | Self::C => "driver-type = \"WDM\"",
        }
    }
}

impl Options {
    fn kind(&self) -> Kind {
        match &self.kind {
            KindOption { kmdf: true, .. } => Kind::Kmdf,
            KindOption { wdm: true, .. } => Kind::Wdm,
            KindOption { ndis: true, .. } => Kind::Ndis,
            KindOption { .. } => Kind::C,
        }
    }
}

/// Writes the driver and says what to do next.
pub(crate) fn run(options: &Options) -> Result<(), CommandError> {
    write(&options.path, options.kind(), options.git.as_deref())?;
    let (path, name) = (options.path.display(), name(&options.path)?.replace('-', "_"));
    println!("cargo xtask build --driver {path}");
    println!("cargo xtask boot target/drivers/{name}.sys");
    Ok(())
}

/// Writes a driver of a kind into a folder that does not exist yet.
///
/// # Errors
///
/// With exit code 2 where the folder exists, or its name is none of a package.
pub(crate) fn write(path: &Path, kind: Kind, git: Option<&str>) -> Result<(), CommandError> {
    let name = name(path)?;
    if path.exists() {
        return Err(CommandError::Usage(format!("{} exists already", path.display())));
    }
    let (source, place) = kind.source();
    let mut files =
        vec![(place, source), (".github/workflows/driver.yml", include_str!("new/driver.yml.in"))];
    if kind != Kind::C {
        files.push(("Cargo.toml", include_str!("new/Cargo.toml.in")));
        files.push(("build.rs", include_str!("new/build.rs.in")));
        files.push((".cargo/config.toml", include_str!("new/config.toml.in")));
        files.push((".gitignore", "/target\n"));
    }
    let values = [
        ("@NAME@", name.clone()),
        ("@IMAGE@", name.replace('-', "_")),
        ("@MODEL@", kind.model().into()),
        ("@KIT@", place_of("kit/wdk-build", git)?),
        ("@SYS@", if kind == Kind::Ndis { format!("sys = {}\n", sys(git)?) } else { String::new() }),
        ("@REVISION@", revision()?),
    ];
    for (file, text) in files {
        let text = values.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
        let file = path.join(file);
        let folder = file.parent().unwrap_or(path);
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&file, text))
            .map_err(|error| CommandError::file(&file, &error))?;
    }
    Ok(())
}

/// The name of a driver in a folder.
fn name(path: &Path) -> Result<String, CommandError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut letters = name.chars();
    let begins = letters.next().is_some_and(|first| first.is_ascii_lowercase());
    let follows =
        letters.all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-');
    if begins && follows {
        return Ok(name);
    }
    Err(CommandError::Usage(format!("{name:?} is no name of a driver: small letters, digits and hyphens")))
}

/// The dependency on a folder of this repository.
fn place_of(folder: &str, git: Option<&str>) -> Result<String, CommandError> {
    Ok(match git {
        Some(url) => format!("{{ git = {url:?}, rev = {:?} }}", revision()?),
        None => format!("{{ path = {:?} }}", root().join(folder).display().to_string()),
    })
}

/// The dependency on the bindings of NDIS.
fn sys(git: Option<&str>) -> Result<String, CommandError> {
    let place = place_of("sys", git)?;
    Ok(place.replacen("{ ", "{ package = \"softndk-sys\", ", 1))
}

/// The present commit of this repository.
fn revision() -> Result<String, CommandError> {
    let output = Command::new("git").args(["rev-parse", "HEAD"]).current_dir(root()).output();
    let output = output.map_err(|error| CommandError::work(format!("git: {error}")))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn driver_of_each_kind_has_no_place_left_to_fill() {
        let place = tempfile::tempdir().unwrap();
        for kind in Kind::ALL {
            let folder = place.path().join(kind.name());
            write(&folder, kind, Some("https://example.org/softndk"))
                .unwrap_or_else(|error| panic!("{error}"));
            let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
            assert!(!manifest.contains('@') || kind == Kind::C, "{manifest}");
            assert_eq!(manifest.contains("softndk-sys"), kind == Kind::Ndis);
            assert!(manifest.parse::<toml::Table>().is_ok(), "{manifest}");
            let (_, source) = kind.source();
            let source = fs::read_to_string(folder.join(source)).unwrap();
            assert!(!source.contains('@'), "{source}");
        }
    }

    #[test]
    fn folder_that_exists_is_left_alone() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("mine");
        fs::create_dir(&folder).unwrap();
        assert!(matches!(write(&folder, Kind::Wdm, None), Err(CommandError::Usage(_))));
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    }

    #[test]
    fn name_is_one_of_a_package() {
        for (path, good) in [("/a/my-driver", true), ("/a/My", false), ("7", false), ("/a/..", false)] {
            assert_eq!(name(Path::new(path)).is_ok(), good, "{path}");
        }
    }
}
