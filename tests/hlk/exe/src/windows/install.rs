//! `install`: the driver package, two adapters with addresses, the harness driver.

use core::net::Ipv4Addr;
use std::env;
use std::io::Write;
use std::path::PathBuf;

use runner::{Error, Exit, load_driver, unload_driver};

use super::adapters::interfaces;
use super::machine::await_adapters;
use super::service::Service;
use super::setup::Devices;
use super::text::failed;
use super::{addresses, setup};

/// The number of adapters that the harness needs.
const ADAPTERS: usize = 2;

/// The service of the harness driver.
pub(super) const HARNESS: &str = "ndkhlk";

/// The path of a file of the package: beside this program, or one folder above it.
fn file(name: &str) -> Result<PathBuf, Error> {
    let program = env::current_exe()?;
    let folders = program.ancestors().skip(1).take(2);
    let mut places = folders.map(|folder| folder.join(name));
    places
        .find(|place| place.is_file())
        .ok_or_else(|| failed("install", format!("{name} is neither beside {} nor above", program.display())))
}

/// The INF.
pub(super) fn inf() -> Result<PathBuf, Error> {
    file("softndk.inf")
}

/// Installs what is missing. To install again changes nothing but the drivers, and the addresses if some are given.
pub(super) fn install(given: Option<[Ipv4Addr; 2]>, output: &mut impl Write) -> Result<Exit, Error> {
    let (inf, harness) = (inf()?, file("ndkhlk.sys")?);
    // An older harness driver is a consumer of the adapters whose driver is about to be replaced.
    let service = Service(HARNESS);
    unload_driver(&service)?;
    let present = Devices::present()?.ours().len();
    for _ in present..ADAPTERS {
        setup::create()?;
    }
    setup::update(&inf)?;
    writeln!(
        output,
        "  {} of {ADAPTERS} adapters made, driver of {}",
        ADAPTERS.saturating_sub(present),
        inf.display()
    )?;
    let up = await_adapters(ADAPTERS)?;
    let wanted = match given {
        Some(given) => given,
        None => addresses::own(&interfaces()?)?,
    };
    for (interface, address) in up.iter().zip(wanted) {
        if given.is_some() || interface.usable().is_empty() {
            addresses::give(interface, address)?;
            writeln!(output, "  {} has {address}", interface.name)?;
        }
    }
    load_driver(&service, &harness)?;
    writeln!(output, "  {} runs", harness.display())?;
    Ok(Exit::Passed)
}
