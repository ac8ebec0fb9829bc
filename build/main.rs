//! Build script of the driver packages: hands the driver's linker arguments to cargo.
//!
//! A driver is built on Windows with the WDK, or on Linux through the kit, whose packages name this script
//! too. On Linux the root package itself only serves the integration tests, which need no driver's linker.

#![forbid(unsafe_code)]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::std_instead_of_alloc,
    reason = "a build script in user mode: a panic ends the build and nothing else"
)]

#[cfg(any(windows, feature = "kit"))]
mod messages;
#[cfg(any(windows, feature = "kit"))]
mod resource;
#[cfg(any(windows, feature = "kit"))]
mod version;

#[cfg(any(windows, feature = "kit"))]
fn main() -> Result<(), Box<dyn core::error::Error>> {
    wdk_build::configure_wdk_binary_build()?;
    let out = std::path::PathBuf::from(std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    let info = version::Version::of_package().info()?;
    let mut resources = vec![resource::Resource { kind: version::RT_VERSION, data: info }];
    if let Some(source) = own_file("driver/messages.mc")? {
        let messages = messages::parse(&std::fs::read_to_string(source)?)?;
        let data = messages::table(&messages)?;
        resources.push(resource::Resource { kind: messages::RT_MESSAGETABLE, data });
    }
    let compiled = out.join("driver.res");
    std::fs::write(&compiled, resource::file(&resources)?)?;
    println!("cargo::rustc-cdylib-link-arg={}", compiled.display());
    // In place of the time of day the image has a hash of what it holds (link.exe and lld-link).
    println!("cargo::rustc-cdylib-link-arg=/Brepro");
    views()?;
    Ok(())
}

/// Has the linker put the debugger's views of the driver's types into the PDB (link.exe and lld-link).
#[cfg(any(windows, feature = "kit"))]
fn views() -> Result<(), Box<dyn core::error::Error>> {
    if let Some(views) = own_file("windbg/softndk.natvis")? {
        println!("cargo::rustc-cdylib-link-arg=/NATVIS:{}", views.display());
    }
    Ok(())
}

/// The path of a file of the repository that is softndk's alone, on which the build depends from now on; `None` for the other
/// driver.
#[cfg(any(windows, feature = "kit"))]
fn own_file(name: &str) -> Result<Option<std::path::PathBuf>, Box<dyn core::error::Error>> {
    if std::env::var("CARGO_PKG_NAME")? != "softndk" {
        return Ok(None);
    }
    let package = std::env::var_os("CARGO_MANIFEST_DIR").ok_or("cargo sets CARGO_MANIFEST_DIR")?;
    // The driver's package is the root of the repository, or the kit's package of the same sources.
    let roots = ["", "../.."].map(|folder| std::path::Path::new(&package).join(folder));
    let file = roots.iter().map(|root| root.join(name)).find(|file| file.is_file());
    // Not made canonical: on Windows that gives a path of the form \\?\C:\, which a linker may not take.
    let file = file.ok_or_else(|| format!("there is no {name}"))?;
    println!("cargo::rerun-if-changed={}", file.display());
    Ok(Some(file))
}

#[cfg(not(any(windows, feature = "kit")))]
fn main() {}
