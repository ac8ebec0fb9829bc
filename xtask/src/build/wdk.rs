//! The headers of a WDK that the user has.
//!
//! Microsoft's headers name each other without regard to case, so clang sees them through an overlay that has none
//! (<https://clang.llvm.org/docs/UsersManual.html>, `-ivfsoverlay`). The kit's stand-in for wdk-build searches them
//! in the overlay's folders where `SOFTNDK_WDK` names it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};

use crate::failure::CommandError;

/// The variable that tells the kit's wdk-build of the overlay's folder.
const VARIABLE: &str = "SOFTNDK_WDK";

/// The framework's version that the drivers are built for.
const KMDF: [&str; 3] = ["wdf", "kmdf", "1.33"];

/// Folders of headers, by the names that the overlay has for them, and one header that each must have.
const FOLDERS: [(&str, &[&str], &str); 3] =
    [("crt", &["km", "crt"], "stddef.h"), ("km", &["km"], "ntifs.h"), ("shared", &["shared"], "ntdef.h")];

/// The folders of a WDK's headers, by their names in the overlay.
#[derive(Debug)]
pub(crate) struct Headers {
    folders: Vec<(&'static str, PathBuf)>,
}

impl Headers {
    /// The newest headers below a WDK's content root.
    ///
    /// # Errors
    /// One line that says what the folder does not have.
    pub(crate) fn find(root: &Path) -> Result<Self, CommandError> {
        let missing = |what: String| {
            CommandError::Usage(format!(
                "{} is no content root of a WDK (as C:\\Program Files (x86)\\Windows Kits\\10 is): it has no {what}",
                root.display()
            ))
        };
        let include = child(root, "Include").ok_or_else(|| missing("Include".into()))?;
        let versions = entries(&include).into_iter().filter_map(|path| Some((version(&path)?, path)));
        let (_, newest) = versions
            .filter(|(_, path)| child(path, "km").is_some())
            .max()
            .ok_or_else(|| missing("Include/10.0.*/km: its headers are not those for drivers".into()))?;
        let mut folders = Vec::new();
        for (name, path, header) in FOLDERS {
            let folder = descend(&newest, path).filter(|folder| child(folder, header).is_some());
            let place = newest.strip_prefix(root).unwrap_or(&newest).join(path.join("/")).join(header);
            folders.push((name, folder.ok_or_else(|| missing(place.display().to_string()))?));
        }
        let framework = descend(&include, &KMDF).filter(|folder| child(folder, "wdf.h").is_some());
        let place = || missing(format!("Include/{}/wdf.h", KMDF.join("/")));
        folders.push(("kmdf", framework.ok_or_else(place)?));
        Ok(Self { folders })
    }

    /// Writes the overlay into `folder`.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), CommandError> {
        let roots: Vec<Value> =
            self.folders.iter().map(|(name, path)| root(&folder.join(name), path)).collect();
        let overlay = json!({ "version": 0, "case-sensitive": false, "roots": roots });
        let file = overlay_of(folder);
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&file, overlay.to_string()))
            .map_err(|error| CommandError::file(&file, &error))
    }
}

/// Lets a build see the headers through the overlay in `folder`.
pub(crate) fn configure(command: &mut Command, folder: &Path) {
    let overlay = overlay_of(folder).display().to_string();
    command.env(VARIABLE, folder);
    command.env("BINDGEN_EXTRA_CLANG_ARGS", format!("-ivfsoverlay {overlay}"));
    let flags = format!("--target=x86_64-pc-windows-msvc -w -ivfsoverlay {overlay}");
    command.env("CFLAGS_x86_64_pc_windows_msvc", flags);
}

fn overlay_of(folder: &Path) -> PathBuf {
    folder.join("overlay.json")
}

/// The overlay's entry of one folder.
fn root(name: &Path, path: &Path) -> Value {
    let contents: Vec<Value> = entries(path)
        .into_iter()
        .map(|path| match PathBuf::from(path.file_name().unwrap_or_default()) {
            name if path.is_dir() => root(&name, &path),
            name => json!({ "type": "file", "name": name, "external-contents": path }),
        })
        .collect();
    json!({ "type": "directory", "name": name, "contents": contents })
}

/// The entries of a folder, in order of the names.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// The entry of a folder with a name, whose case does not matter.
fn child(folder: &Path, name: &str) -> Option<PathBuf> {
    let is = |path: &PathBuf| path.file_name().is_some_and(|found| found.eq_ignore_ascii_case(name));
    entries(folder).into_iter().find(is)
}

fn descend(folder: &Path, names: &[&str]) -> Option<PathBuf> {
    names.iter().try_fold(folder.to_owned(), |folder, name| child(&folder, name))
}

/// The numbers of a folder that has a version for its name, such as 10.0.26100.0.
fn version(folder: &Path) -> Option<Vec<u32>> {
    let name = folder.file_name()?.to_str()?;
    let numbers: Vec<u32> = name.split('.').map(|number| number.parse().ok()).collect::<Option<_>>()?;
    (numbers.len() == 4).then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with these files.
    fn folder(files: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        root
    }

    const WHOLE: [&str; 5] = [
        "Include/10.0.9.0/km/ntifs.h",
        "Include/10.0.26100.0/KM/ntifs.h",
        "Include/10.0.26100.0/KM/crt/stddef.h",
        "Include/10.0.26100.0/Shared/NTDEF.h",
        "Include/WDF/KMDF/1.33/wdf.h",
    ];

    #[test]
    fn folder_without_a_part_is_refused_with_one_line_that_names_the_part() {
        for (absent, named) in [
            ("Include", "it has no Include"),
            ("/km/|/KM/", "it has no Include/10.0.*/km"),
            ("crt", "it has no Include/10.0.26100.0/km/crt/stddef.h"),
            ("NTDEF", "it has no Include/10.0.26100.0/shared/ntdef.h"),
            ("KMDF", "it has no Include/wdf/kmdf/1.33/wdf.h"),
        ] {
            let is_left = |file: &&str| absent.split('|').all(|part| !file.contains(part));
            let left: Vec<&str> = WHOLE.into_iter().filter(is_left).collect();
            let root = folder(&left);
            let error = Headers::find(root.path()).unwrap_err();
            let said = error.to_string();
            assert!(matches!(error, CommandError::Usage(_)) && said.contains(named), "{said}");
            assert_eq!(said.lines().count(), 1, "{said}");
        }
    }

    #[test]
    fn headers_of_the_newest_version_are_found_whatever_their_case() {
        let root = folder(&WHOLE);
        let headers = Headers::find(root.path()).unwrap();
        let overlay = root.path().join("overlay");
        headers.write(&overlay).unwrap();
        let text = fs::read_to_string(overlay_of(&overlay)).unwrap();
        let overlay: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(overlay["roots"].as_array().unwrap().len(), 4);
        assert!(text.contains("10.0.26100.0/Shared/NTDEF.h") && !text.contains("10.0.9.0"), "{text}");
    }
}
