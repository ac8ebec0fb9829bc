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

fn table(file: &str) -> Table {
    std::fs::read_to_string(root().join(file)).unwrap().parse().unwrap()
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
    let drivers = table(".cargo/drivers.toml");
    for key in ["lto", "codegen-units", "debug"] {
        let path = ["profile", "release", key];
        assert!(at(&kit, &path).is_some(), "{key}");
        assert_eq!(at(&drivers, &path), at(&kit, &path), "{key}");
    }
}

/// wdk-build 0.6 hands the variable on by a line `NAME=VALUE`, which it splits at every `=`.
#[test]
fn makefile_builds_a_release_with_those_settings() {
    let makefile = table("Makefile.toml");
    let flags = at(&makefile, &["env", "CARGO_MAKE_CARGO_BUILD_TEST_FLAGS"]).unwrap().as_str().unwrap();
    assert_eq!(flags, "--package softndk --config .cargo/drivers.toml");
    assert!(!flags.contains('='));
    let before = at(&makefile, &["tasks", "build", "windows", "dependencies"]).unwrap().as_array().unwrap();
    assert_eq!(before, &[Value::from("require-release")]);
    assert!(at(&makefile, &["tasks", "require-release", "script"]).is_some());
}

/// cargo make and cargo wdk look for the INX of a driver beside its manifest, by the name of its package.
#[test]
fn each_driver_has_its_inx_beside_its_manifest() {
    for (real, _) in DRIVERS {
        let name = at(&manifest(real), &["package", "name"]).unwrap().as_str().unwrap().to_owned();
        assert!(root().join(real).join(format!("{name}.inx")).is_file(), "{name}");
    }
}

/// cargo wdk builds every member on Windows, and a plain build the default ones: what needs Linux has to be absent there.
#[test]
fn member_that_needs_linux_leaves_itself_out_on_windows() {
    let workspace = manifest("");
    let members = at(&workspace, &["workspace", "members"]).unwrap().as_array().unwrap();
    let mut absent = 0;
    for member in members.iter().map(|member| member.as_str().unwrap()) {
        let manifest = manifest(member);
        let plain = at(&manifest, &["dependencies"]).and_then(Value::as_table);
        assert!(plain.is_none_or(|plain| !plain.contains_key("libc")), "{member} needs libc on Windows");
        if member.ends_with("fuzz") {
            let targets = at(&manifest, &["bin"]).unwrap().as_array().unwrap();
            assert!(targets.iter().all(|target| target.get("required-features").is_some()), "{member}");
        } else if at(&manifest, &["target", "cfg(not(windows))", "dependencies"]).is_some() {
            let library = std::fs::read_to_string(root().join(member).join("src/lib.rs")).unwrap();
            assert!(library.contains("[cfg(not(windows))]\n"), "{member}");
            absent += 1;
        }
    }
    assert!(absent >= 8, "{absent} members");
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
