//! Build script of the driver package: hands the driver's linker arguments to cargo.
//!
//! A driver is built on Windows with the WDK, or on Linux through the kit, whose package names this script
//! too. On Linux the root package itself only serves the integration tests, which need no driver's linker.

#[cfg(any(windows, feature = "kit"))]
fn main() -> Result<(), wdk_build::ConfigError> {
    wdk_build::configure_wdk_binary_build()
}

#[cfg(not(any(windows, feature = "kit")))]
fn main() {}
