//! Build script of the driver packages: hands the driver's linker arguments to cargo.
//!
//! A driver is built on Windows with the WDK, or on Linux through the kit, whose packages name this script
//! too. On Linux the root package itself only serves the integration tests, which need no driver's linker.

#![forbid(unsafe_code)]

#[cfg(any(windows, feature = "kit"))]
mod version;

#[cfg(any(windows, feature = "kit"))]
fn main() -> Result<(), Box<dyn core::error::Error>> {
    wdk_build::configure_wdk_binary_build()?;
    let out = std::path::PathBuf::from(std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    let resource = out.join("version.res");
    std::fs::write(&resource, version::Version::of_package().resource()?)?;
    println!("cargo::rustc-cdylib-link-arg={}", resource.display());
    // In place of the time of day the image has a hash of what it holds (link.exe and lld-link).
    println!("cargo::rustc-cdylib-link-arg=/Brepro");
    views()?;
    Ok(())
}

/// Has the linker put the debugger's views of the driver's types into the PDB (link.exe and lld-link).
#[cfg(any(windows, feature = "kit"))]
fn views() -> Result<(), Box<dyn core::error::Error>> {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").ok_or("cargo sets CARGO_MANIFEST_DIR")?;
    // The driver's package is the root of the repository, or the kit's package of the same sources.
    let folders = ["windbg", "../../windbg"].map(|folder| std::path::Path::new(&package).join(folder));
    let views = folders.iter().map(|folder| folder.join("softndk.natvis")).find(|views| views.is_file());
    if std::env::var("CARGO_PKG_NAME")? == "softndk" {
        let views = views.ok_or("there is no windbg/softndk.natvis")?.canonicalize()?;
        println!("cargo::rerun-if-changed={}", views.display());
        println!("cargo::rustc-cdylib-link-arg=/NATVIS:{}", views.display());
    }
    Ok(())
}

#[cfg(not(any(windows, feature = "kit")))]
fn main() {}
