//! Devices of the hardware identifier `Root\softndk`: making, finding, disabling and removing them.
//!
//! Nothing enumerates such a device, so an installer makes it: SetupDiCreateDeviceInfo, DIF_REGISTERDEVICE, and then
//! UpdateDriverForPlugAndPlayDevices, which finds and installs the driver ("UpdateDriverForPlugAndPlayDevicesW",
//! learn.microsoft.com/windows/win32/api/newdev). It is what devcon does.

#![expect(unsafe_code, reason = "functions of Windows are called")]

use core::ptr::{null, null_mut};
use std::path::Path;

use runner::Error;
use windows_sys::Win32::Devices::DeviceAndDriverInstallation::{
    CM_Disable_DevNode, CM_Enable_DevNode, CM_Get_DevNode_Status, CM_PROB_DISABLED, CR_SUCCESS,
    DI_NEEDREBOOT, DI_NEEDRESTART, DI_REMOVEDEVICE_GLOBAL, DICD_GENERATE_ID, DICS_FLAG_GLOBAL,
    DIF_REGISTERDEVICE, DIF_REMOVE, DIGCF_PRESENT, DIREG_DRV, DN_HAS_PROBLEM, GUID_DEVCLASS_NET, HDEVINFO,
    INSTALLFLAG_FORCE, SP_CLASSINSTALL_HEADER, SP_DEVINFO_DATA, SP_DEVINSTALL_PARAMS_W,
    SP_REMOVEDEVICE_PARAMS, SPDRP_HARDWAREID, SetupDiCallClassInstaller, SetupDiCreateDeviceInfoList,
    SetupDiCreateDeviceInfoW, SetupDiDestroyDeviceInfoList, SetupDiEnumDeviceInfo, SetupDiGetClassDevsW,
    SetupDiGetDeviceInstallParamsW, SetupDiGetDeviceInstanceIdW, SetupDiGetDeviceRegistryPropertyW,
    SetupDiOpenDevRegKey, SetupDiSetClassInstallParamsW, SetupDiSetDeviceRegistryPropertyW,
    UpdateDriverForPlugAndPlayDevicesW,
};
use windows_sys::Win32::System::Registry::{HKEY, KEY_READ, RRF_RT_REG_SZ, RegCloseKey, RegGetValueW};

use super::text::{failed, last_error, narrow, wide};

/// The hardware identifier, as the INF has it.
const HARDWARE_ID: &str = r"Root\softndk";
/// The class that the INF names.
const CLASS: &str = "Net";

/// A set of devices.
pub(super) struct Devices(HDEVINFO);

/// A device of a set.
pub(super) struct Device<'a> {
    set: &'a Devices,
    data: SP_DEVINFO_DATA,
    /// The instance identifier, `ROOT\NET\0000` for example.
    pub(super) instance: String,
    /// The identifier of the network interface, in braces; nothing before a driver was installed.
    pub(super) interface: Option<String>,
}

impl Drop for Devices {
    fn drop(&mut self) {
        // SAFETY: the set is open, and destroyed once.
        unsafe { SetupDiDestroyDeviceInfoList(self.0) };
    }
}

fn empty() -> SP_DEVINFO_DATA {
    SP_DEVINFO_DATA { cbSize: size_of::<SP_DEVINFO_DATA>() as u32, ..Default::default() }
}

impl Devices {
    /// The network devices that are present.
    pub(super) fn present() -> Result<Self, Error> {
        // SAFETY: the class is a constant, and there is no enumerator.
        let set = unsafe { SetupDiGetClassDevsW(&GUID_DEVCLASS_NET, null(), null_mut(), DIGCF_PRESENT) };
        if set == -1 { Err(last_error("list the devices")) } else { Ok(Self(set)) }
    }

    /// Those of the hardware identifier.
    pub(super) fn ours(&self) -> Vec<Device<'_>> {
        let all = (0..).map_while(|at| {
            let mut data = empty();
            // SAFETY: the set is open, and the structure says its size.
            (unsafe { SetupDiEnumDeviceInfo(self.0, at, &raw mut data) } != 0).then_some(data)
        });
        let ours = all.filter(|data| self.hardware_id(data).eq_ignore_ascii_case(HARDWARE_ID));
        ours.map(|data| Device {
            set: self,
            instance: self.instance(&data),
            interface: self.driver_value(&data, "NetCfgInstanceId"),
            data,
        })
        .collect()
    }

    fn hardware_id(&self, data: &SP_DEVINFO_DATA) -> String {
        let mut buffer = [0_u16; 256];
        let length = size_of_val(&buffer) as u32;
        // SAFETY: the device is of the set, and the buffer has that many bytes.
        let got = unsafe {
            SetupDiGetDeviceRegistryPropertyW(
                self.0,
                data,
                SPDRP_HARDWAREID,
                null_mut(),
                buffer.as_mut_ptr().cast(),
                length,
                null_mut(),
            )
        };
        if got == 0 { String::new() } else { narrow(&buffer) }
    }

    fn instance(&self, data: &SP_DEVINFO_DATA) -> String {
        let mut buffer = [0_u16; 256];
        let (start, length) = (buffer.as_mut_ptr(), buffer.len() as u32);
        // SAFETY: the device is of the set, and the buffer has that many units.
        let got = unsafe { SetupDiGetDeviceInstanceIdW(self.0, data, start, length, null_mut()) };
        if got == 0 { String::new() } else { narrow(&buffer) }
    }

    /// A text of the device's driver key.
    fn driver_value(&self, data: &SP_DEVINFO_DATA, name: &str) -> Option<String> {
        // SAFETY: the device is of the set.
        let key = unsafe { SetupDiOpenDevRegKey(self.0, data, DICS_FLAG_GLOBAL, 0, DIREG_DRV, KEY_READ) };
        if key as isize == -1 {
            return None;
        }
        let value = registry_text(key, None, name);
        // SAFETY: the key is open, and closed once.
        unsafe { RegCloseKey(key) };
        value
    }
}

/// A text of the registry.
pub(super) fn registry_text(key: HKEY, below: Option<&str>, name: &str) -> Option<String> {
    let (below, name) = (below.map(wide), wide(name));
    let below = below.as_ref().map_or(null(), |below| below.as_ptr());
    let mut buffer = [0_u16; 512];
    let mut length = size_of_val(&buffer) as u32;
    let start = buffer.as_mut_ptr().cast();
    // SAFETY: the names are ended by zeros, and the buffer has that many bytes.
    let status =
        unsafe { RegGetValueW(key, below, name.as_ptr(), RRF_RT_REG_SZ, null_mut(), start, &raw mut length) };
    (status == 0).then(|| narrow(&buffer))
}

impl Device<'_> {
    /// Disables the device. Returns when it has stopped.
    pub(super) fn disable(&self) -> Result<(), Error> {
        // SAFETY: the device is of a set that is open.
        configured("disable the device", unsafe { CM_Disable_DevNode(self.data.DevInst, 0) })
    }

    /// Enables the device.
    pub(super) fn enable(&self) -> Result<(), Error> {
        // SAFETY: as above.
        configured("enable the device", unsafe { CM_Enable_DevNode(self.data.DevInst, 0) })
    }

    /// The problem code that Windows has for the device; none if it was disabled, which is not a failure.
    pub(super) fn problem(&self) -> Option<u32> {
        let (mut status, mut problem) = (0, 0);
        // SAFETY: the device is of a set that is open.
        let asked = unsafe { CM_Get_DevNode_Status(&raw mut status, &raw mut problem, self.data.DevInst, 0) };
        let has_one = asked == CR_SUCCESS && status & DN_HAS_PROBLEM != 0 && problem != CM_PROB_DISABLED;
        has_one.then_some(problem)
    }

    /// Removes the device: DIF_REMOVE, as devcon does.
    pub(super) fn remove(&self) -> Result<(), Error> {
        let (set, data) = (self.set.0, &raw const self.data);
        let parameters = SP_REMOVEDEVICE_PARAMS {
            ClassInstallHeader: SP_CLASSINSTALL_HEADER {
                cbSize: size_of::<SP_CLASSINSTALL_HEADER>() as u32,
                InstallFunction: DIF_REMOVE,
            },
            Scope: DI_REMOVEDEVICE_GLOBAL,
            HwProfile: 0,
        };
        let length = size_of::<SP_REMOVEDEVICE_PARAMS>() as u32;
        // SAFETY: the device is of the set, and the parameters have the header that says what they are for.
        let told =
            unsafe { SetupDiSetClassInstallParamsW(set, data, (&raw const parameters).cast(), length) };
        if told == 0 {
            return Err(last_error("say how to remove the device"));
        }
        // SAFETY: the device is of the set.
        if unsafe { SetupDiCallClassInstaller(DIF_REMOVE, set, data) } == 0 {
            return Err(last_error("remove the device"));
        }
        let mut outcome = SP_DEVINSTALL_PARAMS_W {
            cbSize: size_of::<SP_DEVINSTALL_PARAMS_W>() as u32,
            ..Default::default()
        };
        // SAFETY: the device is of the set, and the structure says its size.
        let asked = unsafe { SetupDiGetDeviceInstallParamsW(set, data, &raw mut outcome) };
        if asked != 0 && outcome.Flags & (DI_NEEDREBOOT | DI_NEEDRESTART) != 0 {
            return Err(failed("remove the device", "Windows wants a restart: something still uses it"));
        }
        Ok(())
    }
}

fn configured(what: &'static str, result: u32) -> Result<(), Error> {
    if result == CR_SUCCESS { Ok(()) } else { Err(failed(what, format!("CONFIGRET {result:#x}"))) }
}

/// Makes a device.
pub(super) fn create() -> Result<(), Error> {
    // SAFETY: the class is a constant.
    let set = unsafe { SetupDiCreateDeviceInfoList(&GUID_DEVCLASS_NET, null_mut()) };
    if set == -1 {
        return Err(last_error("make a list of devices"));
    }
    let set = Devices(set);
    let (class, mut data) = (wide(CLASS), empty());
    // SAFETY: the set is open, the name is ended by a zero, and the structure says its size.
    let made = unsafe {
        SetupDiCreateDeviceInfoW(
            set.0,
            class.as_ptr(),
            &GUID_DEVCLASS_NET,
            null(),
            null_mut(),
            DICD_GENERATE_ID,
            &raw mut data,
        )
    };
    if made == 0 {
        return Err(last_error("make a device"));
    }
    // A list of one text, which a second zero ends.
    let identifiers: Vec<u16> = wide(HARDWARE_ID).into_iter().chain([0]).collect();
    let (start, length) = (identifiers.as_ptr().cast(), size_of_val(&identifiers[..]) as u32);
    // SAFETY: the device is of the set, and the list has that many bytes.
    let named =
        unsafe { SetupDiSetDeviceRegistryPropertyW(set.0, &raw mut data, SPDRP_HARDWAREID, start, length) };
    if named == 0 {
        return Err(last_error("name the device"));
    }
    // SAFETY: the device is of the set.
    let registered = unsafe { SetupDiCallClassInstaller(DIF_REGISTERDEVICE, set.0, &raw const data) };
    if registered == 0 { Err(last_error("register the device")) } else { Ok(()) }
}

/// Installs the driver of the INF on every device of the hardware identifier.
pub(super) fn update(inf: &Path) -> Result<(), Error> {
    let (identifier, inf) = (wide(HARDWARE_ID), wide(inf));
    let mut restart = 0;
    // SAFETY: both texts are ended by zeros.
    let updated = unsafe {
        UpdateDriverForPlugAndPlayDevicesW(
            null_mut(),
            identifier.as_ptr(),
            inf.as_ptr(),
            INSTALLFLAG_FORCE,
            &raw mut restart,
        )
    };
    match (updated, restart) {
        (0, _) => Err(last_error("install the driver (C:\\Windows\\INF\\setupapi.dev.log says more)")),
        (_, 0) => Ok(()),
        _ => Err(failed("install the driver", "Windows wants a restart first")),
    }
}
