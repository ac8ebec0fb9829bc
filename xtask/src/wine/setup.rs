//! The package, installed by ndkhlk.exe through Wine's setupapi: the registry and files that come of it are those of
//! `installed.reg` and [`FILES`], and those of an INF with a mistake in it are not.
//!
//! Wine's setupapi differs from that of Windows, which the expected state shows: it knows no models that are decorated with a
//! release of Windows, so the decoration is taken off first; it has no driver store, so what goes there goes to a folder
//! `unknown`; it keeps the INF under its own name; it leaves out the section for the event log that AddService names; it has no
//! class installer for network adapters, and does not start them.
//! So what it shows is that another reader of INFs takes this one for what it is meant to be.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use super::{
    prefix::{self, Prefix},
    registry::Registry,
};
use crate::{failure::CommandError, files::files};

/// The registry after the installation, for the device of the number `#`.
const INSTALLED: &str = include_str!("installed.reg");
/// The adapters that are made.
const DEVICES: [&str; 2] = ["0", "1"];
/// The keys below which everything is compared; elsewhere, what has the driver's name in it.
const ROOTS: &[&str] = &[
    r"System\CurrentControlSet\Control\Class\{4D36E972-E325-11CE-BFC1-08002BE10318}\",
    r"System\CurrentControlSet\Enum\ROOT\",
    r"System\CurrentControlSet\Services\",
];
/// The files that come onto drive C; beside each that is a copy, its name in the package.
const FILES: &[(&str, Option<&str>)] = &[
    ("windows/inf/softndk.inf", Some("softndk.inf")),
    // Wine's note of the folder that an INF was copied from.
    ("windows/inf/softndk.pnf", None),
    ("windows/system32/catroot/{f750e6c3-38ee-11d1-85e5-00c04fc295ee}/softndk.cat", Some("softndk.cat")),
    ("windows/system32/unknown/softndk.sys", Some("softndk.sys")),
];
/// The decoration of the models, and that which Wine 8 knows.
const DECORATION: (&str, &str) = ("NTamd64.10.0...20348", "NTamd64");

/// A mistake in an INF, none of which Wine refuses, and a text of the difference that it makes.
struct Mistake {
    right: &'static str,
    wrong: &'static str,
    shows: &'static str,
}

const MISTAKES: &[Mistake] = &[
    Mistake {
        right: "softndk.NetworkDirect, softndk",
        wrong: "softndk.NetworkDirekt, softndk",
        shows: r#"missing:  [System\CurrentControlSet\Control\Class\{4D36E972-E325-11CE-BFC1-08002BE10318}\0000\Ndi\Params\*NetworkDirect] "Default"="1""#,
    },
    Mistake {
        right: "= softndk.Files\r\n",
        wrong: "= softndk.Fils\r\n",
        shows: "missing:  windows/system32/unknown/softndk.sys",
    },
    Mistake {
        right: "NetworkDirect  = \"NetworkDirect Functionality\"\r\n",
        wrong: "",
        shows: r#"not expected:  [System\CurrentControlSet\Control\Class\{4D36E972-E325-11CE-BFC1-08002BE10318}\0000\Ndi\Params\*NetworkDirect] "ParamDesc"="%NetworkDirect%""#,
    },
];

/// Plays the part.
pub(super) fn play(folder: &Path, package: &Path) -> Result<(), CommandError> {
    let inf = package.join("softndk.inf");
    let text = fs::read_to_string(&inf).map_err(|error| CommandError::file(&inf, &error))?;
    let plain = replaced(&text, DECORATION.0, DECORATION.1)?;
    let put = |text: &str| fs::write(&inf, text).map_err(|error| CommandError::file(&inf, &error));

    let step = prefix::step("setupapi installs the package");
    put(&plain)?;
    let (windows, differences) = install(folder, package)?;
    if !differences.is_empty() {
        return Err(CommandError::work(format!("not installed as expected:\n{}", differences.join("\n"))));
    }
    remove(&windows)?;
    step.done();

    for mistake in MISTAKES {
        let step = prefix::step(&format!("with {:?}", mistake.wrong.trim()));
        put(&replaced(&plain, mistake.right, mistake.wrong)?)?;
        let (_, differences) = install(folder, package)?;
        if !differences.iter().any(|difference| difference == mistake.shows) {
            let text = format!("{:?} does not show:\n{}", mistake.wrong, differences.join("\n"));
            return Err(CommandError::work(text));
        }
        step.done();
    }
    put(&text)?;
    println!("Wine's setupapi: the package as expected, {} broken INFs not", MISTAKES.len());
    Ok(())
}

fn replaced(text: &str, right: &str, wrong: &str) -> Result<String, CommandError> {
    if text.contains(right) {
        return Ok(text.replace(right, wrong));
    }
    Err(CommandError::work(format!("the INF has no {right:?}")))
}

/// Installs the package on a new Windows. Returns it, stopped, and where it differs from what is expected.
fn install(folder: &Path, package: &Path) -> Result<(Prefix, Vec<String>), CommandError> {
    let windows = Prefix::new(folder, &package.join("ndkhlk"))?;
    windows.stop()?;
    let (registry, before) = (Registry::parse(&windows.registry()?), files(&windows.drive())?);
    // It would wait for the adapters to come up, which they do not without NDIS.
    windows.until("2 of 2 adapters made", &["ndkhlk.exe", "install"])?;
    windows.stop()?;
    let found = Registry::parse(&windows.registry()?).since(&registry).about(ROOTS, "softndk");
    let mut differences = expected().differences(&found);
    let found: BTreeSet<PathBuf> = files(&windows.drive())?.difference(&before).cloned().collect();
    differences.extend(compare(&found, &windows.drive(), package)?);
    Ok((windows, differences))
}

fn expected() -> Registry {
    let devices = DEVICES.map(|number| INSTALLED.replace('#', number));
    Registry::parse(&devices.concat())
}

/// Compares the files that were found with those that are expected, and copies with their originals.
fn compare(found: &BTreeSet<PathBuf>, drive: &Path, package: &Path) -> Result<Vec<String>, CommandError> {
    let mut differences = Vec::new();
    for (name, original) in FILES {
        let read = |path: PathBuf| fs::read(&path).map_err(|error| CommandError::file(&path, &error));
        if !found.contains(Path::new(name)) {
            differences.push(format!("missing:  {name}"));
        } else if let Some(original) = original
            && read(drive.join(name))? != read(package.join(original))?
        {
            differences.push(format!("not as in the package:  {name}"));
        }
    }
    let known = |path: &Path| FILES.iter().any(|(name, _)| Path::new(name) == path);
    let beyond = found.iter().filter(|path| !known(path));
    differences.extend(beyond.map(|path| format!("not expected:  {}", path.display())));
    Ok(differences)
}

/// Sees that ndkhlk.exe finds the devices, and says which call it was that failed: Wine 8 has no SetupDiSetClassInstallParams.
fn remove(windows: &Prefix) -> Result<(), CommandError> {
    let printed = windows.expect(2, &["ndkhlk.exe", "remove"])?;
    windows.stop()?;
    let wanted = "not run: say how to remove the device";
    if printed.contains(wanted) {
        return Ok(());
    }
    Err(CommandError::work(format!("ndkhlk.exe remove does not print {wanted:?}:\n{printed}")))
}

#[cfg(test)]
mod tests {
    use packager::inf::Inf;

    use super::*;

    #[test]
    fn each_registry_value_of_the_inx_is_expected() {
        let inf = Inf::parse(include_str!("../../../softndk.inx")).unwrap();
        let expected = expected();
        let logs: Vec<&str> = inf
            .sections()
            .iter()
            .flat_map(|section| section.all("AddService"))
            .filter_map(|service| inf.section(service.field(3))?.value("AddReg"))
            .collect();
        assert_eq!(logs, ["softndk.EventSource"], "the sections that Wine leaves out");
        let read = inf.sections().iter().filter(|section| !logs.contains(&section.name.as_str()));
        let entries = read.flat_map(|section| &section.entries);
        let values: Vec<_> = entries.map(|entry| &entry.values[..]).collect();
        let added = values.iter().filter_map(|values| match values {
            [root, key, name, ..] if root == "HKR" => Some((key, name)),
            _ => None,
        });
        let absent: Vec<_> = added.clone().filter(|(key, name)| !expected.has(key, name)).collect();
        assert!(added.count() > 10);
        assert!(absent.is_empty(), "not in installed.reg: {absent:?}");
    }

    #[test]
    fn file_that_is_missing_changed_or_beyond_is_a_difference() {
        let folder = tempfile::tempdir().unwrap();
        let [drive, package] = ["drive", "package"].map(|name| folder.path().join(name));
        fs::create_dir_all(&package).unwrap();
        for (name, original) in FILES {
            fs::create_dir_all(drive.join(name).parent().unwrap()).unwrap();
            fs::write(drive.join(name), "content").unwrap();
            if let Some(original) = original {
                fs::write(package.join(original), "content").unwrap();
            }
        }
        let now = || compare(&files(&drive).unwrap(), &drive, &package).unwrap();
        assert_eq!(now(), [""; 0]);
        fs::write(drive.join("windows/beyond.sys"), "").unwrap();
        fs::write(drive.join(FILES[0].0), "other").unwrap();
        fs::remove_file(drive.join(FILES[3].0)).unwrap();
        assert_eq!(
            now(),
            [
                "not as in the package:  windows/inf/softndk.inf",
                "missing:  windows/system32/unknown/softndk.sys",
                "not expected:  windows/beyond.sys"
            ]
        );
    }
}
