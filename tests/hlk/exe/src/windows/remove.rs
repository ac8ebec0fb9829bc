//! `remove`: nothing of both drivers is left.

#![expect(unsafe_code, reason = "functions of Windows are called")]

use core::ptr::null;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

use runner::command::trace;
use runner::{Error, Exit, is_driver_package};
use windows_sys::Win32::Devices::DeviceAndDriverInstallation::{SUOI_FORCEDELETE, SetupUninstallOEMInfW};

use super::install::HARNESS;
use super::power_shell::PowerShell;
use super::service;
use super::setup::Devices;
use super::text::{last_error, wide};

/// Unloads the harness driver first, so that nothing uses the adapters.
pub(super) fn remove(output: &mut impl Write) -> Result<Exit, Error> {
    // A session that does not record any more, or never did, is as good.
    let _none_records = trace::stop(&PowerShell);
    if service::delete(HARNESS)? {
        writeln!(output, "  ndkhlk.sys unloaded")?;
    }
    let devices = Devices::present()?;
    for device in devices.ours() {
        device.remove()?;
        writeln!(output, "  {} removed", device.instance)?;
    }
    for inf in packages()? {
        let name = inf.file_name().map(wide).unwrap_or_default();
        // SAFETY: the name is ended by a zero.
        if unsafe { SetupUninstallOEMInfW(name.as_ptr(), SUOI_FORCEDELETE, null()) } == 0 {
            return Err(last_error("delete the driver package"));
        }
        writeln!(output, "  {} deleted", inf.display())?;
    }
    if service::delete("softndk")? {
        writeln!(output, "  softndk.sys unloaded")?;
    }
    Ok(Exit::Passed)
}

/// The INFs of the package: `oemNN.inf`.
fn packages() -> Result<Vec<PathBuf>, Error> {
    let windows = env::var_os("SystemRoot").unwrap_or_else(|| r"C:\Windows".into());
    let mut found = Vec::new();
    for entry in fs::read_dir(Path::new(&windows).join("INF"))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        if name.starts_with("oem") && name.ends_with(".inf") && is_driver_package(&fs::read(&path)?) {
            found.push(path);
        }
    }
    Ok(found)
}
