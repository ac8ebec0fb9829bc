//! The kit's workspace repeats what the root workspace says of the drivers, because cargo has no way to share
//! it between workspaces. Here is what must not drift apart.

use std::path::PathBuf;

use toml::{Table, Value};

use crate::root;

/// Each driver's package, and the kit's package of the same sources.
const DRIVERS: &[(&str, &str)] = &[("", "kit/softndk"), ("tests/hlk/driver", "kit/ndkhlk")];

fn manifest(folder: &str) -> Table {
    let path = root().join(folder).join("Cargo.toml");
    std::fs::read_to_string(&path).unwrap().parse().unwrap()
}

fn at<'a>(manifest: &'a Table, path: &[&str]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(manifest.get(*first)?, |value, key| value.get(key))
}

/// A package's dependencies for Windows. Folders are made absolute.
fn dependencies(folder: &str) -> Table {
    let manifest = manifest(folder);
    let windows = ["target", "cfg(windows)", "dependencies"];
    let mut all = Table::new();
    for table in [at(&manifest, &["dependencies"]), at(&manifest, &windows)].into_iter().flatten() {
        all.extend(table.as_table().unwrap().clone());
    }
    for dependency in all.iter_mut().filter_map(|(_, value)| value.as_table_mut()) {
        if let Some(path) = dependency.get("path").and_then(Value::as_str) {
            let path = root().join(folder).join(path).canonicalize().unwrap();
            dependency.insert("path".to_owned(), path.to_string_lossy().into_owned().into());
        }
    }
    all
}

/// The file that a package's key names, made absolute.
fn file(folder: &str, key: &[&str]) -> PathBuf {
    let manifest = manifest(folder);
    let name = at(&manifest, key).and_then(Value::as_str).unwrap();
    root().join(folder).join(name).canonicalize().unwrap()
}

#[test]
fn lints_and_profiles_are_those_of_the_root_workspace() {
    let (root, kit) = (manifest(""), manifest("kit"));
    for path in [
        &["workspace", "lints"][..],
        &["workspace", "package", "rust-version"],
        &["profile", "dev", "panic"],
        &["profile", "release", "panic"],
    ] {
        assert_eq!(at(&root, path), at(&kit, path), "{path:?}");
    }
}

#[test]
fn drivers_are_optimised_alike_for_windows_and_in_the_kit() {
    let kit = manifest("kit");
    let makefile: Table = std::fs::read_to_string(root().join("Makefile.toml")).unwrap().parse().unwrap();
    for (key, variable) in [
        ("lto", "CARGO_PROFILE_RELEASE_LTO"),
        ("codegen-units", "CARGO_PROFILE_RELEASE_CODEGEN_UNITS"),
        ("debug", "CARGO_PROFILE_RELEASE_DEBUG"),
    ] {
        let profile = at(&kit, &["profile", "release", key]).unwrap().to_string();
        let windows = at(&makefile, &["tasks", "build", "windows", "env", variable]).unwrap();
        assert_eq!(windows.as_str().unwrap(), profile.trim_matches('"'));
    }
}

#[test]
fn sources_and_build_script_are_those_of_the_real_package() {
    for (real, kit) in DRIVERS {
        assert_eq!(file(real, &["lib", "path"]), file(kit, &["lib", "path"]), "{kit}");
        assert_eq!(file(real, &["package", "build"]), file(kit, &["package", "build"]), "{kit}");
    }
}

/// It is the description of the image's file.
#[test]
fn description_is_that_of_real_package() {
    let description = |folder| at(&manifest(folder), &["package", "description"]).cloned();
    for (real, kit) in DRIVERS {
        assert!(description(real).is_some(), "{real}");
        assert_eq!(description(real), description(kit), "{kit}");
    }
}

/// cargo names a package outside of the workspace's folder by its absolute path, and its symbols after that.
#[test]
fn every_path_of_kit_lies_within_its_workspace() {
    for (_, kit) in DRIVERS {
        for (name, dependency) in at(&manifest(kit), &["dependencies"]).unwrap().as_table().unwrap() {
            let path = dependency.get("path").and_then(Value::as_str);
            assert!(path.is_none_or(|path| path.starts_with("../tree/")), "{kit}: {name}");
        }
    }
}

#[test]
fn dependencies_are_those_of_the_real_package() {
    for (real, kit) in DRIVERS {
        assert_eq!(dependencies(real), dependencies(kit), "{kit}");
    }
}

#[test]
fn all_packages_name_one_driver_model() {
    let model = |folder| at(&manifest(folder), &["package", "metadata", "wdk"]).cloned().unwrap();
    for (real, kit) in DRIVERS {
        assert_eq!(model(real), model(kit), "{kit}");
        assert_eq!(model(real), model(""), "{real}");
    }
}
