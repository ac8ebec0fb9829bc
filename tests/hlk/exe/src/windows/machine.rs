//! This machine behind the traits of the runner.

#![expect(unsafe_code, reason = "functions of Windows are called")]

use core::ptr::{null, null_mut};
use core::time::Duration;
use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use runner::{Adapter, Control, Device, Error, Host, Shortage, TRANSPORT, rdma_state};
use windows_sys::Wdk::Foundation::OBJECT_ATTRIBUTES;
use windows_sys::Wdk::Storage::FileSystem::{FILE_OPEN, NtCreateFile};
use windows_sys::Win32::Foundation::{GENERIC_READ, GENERIC_WRITE, UNICODE_STRING};
use windows_sys::Win32::Storage::FileSystem::{FILE_SHARE_READ, FILE_SHARE_WRITE};
use windows_sys::Win32::System::IO::IO_STATUS_BLOCK;

use super::adapters::{Interface, interfaces};
use super::handle::Handle;
use super::power_shell::PowerShell;
use super::setup::{self, Devices};
use super::text::{failed, wide};
use super::{addresses, install};

/// The time for an adapter to come or to go.
const DEVICE_TIMEOUT: Duration = Duration::from_secs(60);
/// The time after which a device that has a problem is taken to keep it.
const SETTLED: Duration = Duration::from_secs(5);

/// This machine.
#[derive(Default)]
pub(super) struct Machine {
    /// The adapters that were asked for, by interface index: how to find those that no longer run.
    known: Mutex<HashMap<u32, Known>>,
}

#[derive(Clone)]
struct Known {
    instance: String,
    addresses: Option<Ipv4Addr>,
}

/// An adapter that runs, or ran.
struct Running {
    name: String,
    instance: String,
}

/// The names of the adapters on which RDMA is operational.
fn operational() -> Result<Vec<String>, Error> {
    rdma_state::operational(&PowerShell).map_err(|why| failed("ask for the state of RDMA", why))
}

impl Host for Machine {
    fn open(&self) -> Result<Arc<dyn Device>, Error> {
        Ok(Arc::new(Handle::open(r"\\.\NdkHlk")?))
    }

    fn open_transport(&self, attributes: &[u8]) -> Result<Arc<dyn Device>, Error> {
        let mut name = wide(TRANSPORT);
        let length = size_of_val(&name[..]) as u16;
        let name = UNICODE_STRING { Length: length - 2, MaximumLength: length, Buffer: name.as_mut_ptr() };
        let object = OBJECT_ATTRIBUTES {
            Length: size_of::<OBJECT_ATTRIBUTES>() as u32,
            RootDirectory: null_mut(),
            ObjectName: &raw const name,
            Attributes: 0,
            SecurityDescriptor: null(),
            SecurityQualityOfService: null(),
        };
        let mut block = IO_STATUS_BLOCK::default();
        let mut handle = null_mut();
        // SAFETY: the name and the attributes live through the call.
        let status = unsafe {
            NtCreateFile(
                &raw mut handle,
                GENERIC_READ | GENERIC_WRITE,
                &raw const object,
                &raw mut block,
                null(),
                0,
                FILE_SHARE_READ | FILE_SHARE_WRITE,
                FILE_OPEN,
                // Without FILE_SYNCHRONOUS_IO_…: an asynchronous handle.
                0,
                attributes.as_ptr().cast(),
                attributes.len() as u32,
            )
        };
        if status != 0 {
            return Err(Error::Status { what: "open the transport", status, outcome: None });
        }
        Ok(Arc::new(Handle::from_raw(handle)))
    }

    fn adapters(&self) -> Result<Vec<Adapter>, Error> {
        let ours: Vec<Interface> =
            interfaces()?.into_iter().filter(|interface| interface.is_ours() && interface.up).collect();
        let operational = if ours.is_empty() { Vec::new() } else { operational()? };
        let adapters = ours.into_iter().map(|interface| Adapter {
            if_index: interface.if_index,
            addresses: interface.usable(),
            rdma: operational.contains(&interface.name),
            name: interface.name,
            description: interface.description,
        });
        Ok(adapters.collect())
    }

    fn control(&self, if_index: u32) -> Result<Arc<dyn Control>, Error> {
        let absent = || failed("find the adapter", format!("no adapter has interface index {if_index}"));
        let interface =
            interfaces()?.into_iter().find(|interface| interface.if_index == if_index).ok_or_else(absent)?;
        let devices = Devices::present()?;
        let wanted = Some(interface.identifier.to_ascii_lowercase());
        let device = devices
            .ours()
            .into_iter()
            .find(|device| device.interface.as_ref().map(|text| text.to_ascii_lowercase()) == wanted)
            .ok_or_else(absent)?;
        let instance = device.instance;
        let addresses = interface.networks().map(|taken| taken.address).next();
        let known = Known { instance: instance.clone(), addresses };
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(if_index, known);
        Ok(Arc::new(Running { name: interface.name, instance }))
    }

    fn enable(&mut self, if_index: u32) -> Result<(), Error> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&if_index).cloned();
        let Some(Known { instance, addresses }) = known else {
            return Err(failed("enable the adapter", "it was not disabled or removed here"));
        };
        let before = self.adapters()?.len();
        let devices = Devices::present()?;
        match devices.ours().into_iter().find(|device| device.instance == instance) {
            Some(device) => device.enable()?,
            None => {
                setup::create()?;
                setup::update(&install::inf()?)?;
                let bare =
                    await_adapters(before + 1)?.into_iter().find(|interface| interface.usable().is_empty());
                if let (Some(address), Some(interface)) = (addresses, bare) {
                    addresses::give(&interface, address)?;
                }
            }
        }
        let began = Instant::now();
        while self.adapters()?.iter().filter(|adapter| adapter.rdma && !adapter.addresses.is_empty()).count()
            <= before
        {
            if began.elapsed() > DEVICE_TIMEOUT {
                return Err(Error::Late("the adapter's start"));
            }
            thread::sleep(Duration::from_millis(500));
        }
        Ok(())
    }

    fn shorten(&self, _shortage: Option<Shortage>) -> Result<u64, Error> {
        Err(failed(
            "make memory short",
            "on Windows that is Driver Verifier's: verifier /flags 0x4 /driver softndk.sys",
        ))
    }
}

/// Waits until so many adapters are up. A device that does not start ends that with its problem code.
pub(super) fn await_adapters(number: usize) -> Result<Vec<Interface>, Error> {
    let began = Instant::now();
    loop {
        let mut up = interfaces()?;
        up.retain(|interface| interface.is_ours() && interface.up);
        if up.len() >= number {
            return Ok(up);
        }
        if began.elapsed() > SETTLED {
            no_problem()?;
        }
        if began.elapsed() > DEVICE_TIMEOUT {
            return Err(Error::Late("the adapters' start"));
        }
        thread::sleep(Duration::from_millis(500));
    }
}

/// Fails if a device has a problem, with its code.
fn no_problem() -> Result<(), Error> {
    let devices = Devices::present()?;
    let problem = devices.ours().into_iter().find_map(|device| Some((device.problem()?, device.instance)));
    match problem {
        None => Ok(()),
        Some((code, instance)) => {
            Err(failed("start the adapters", format!("{instance} has problem code {code}")))
        }
    }
}

impl Running {
    /// Does something to the device, while it is there.
    fn with(&self, what: impl FnOnce(&setup::Device<'_>) -> Result<(), Error>) -> Result<(), Error> {
        let devices = Devices::present()?;
        let device = devices.ours().into_iter().find(|device| device.instance == self.instance);
        what(&device.ok_or_else(|| failed("find the device", &self.instance))?)
    }
}

impl Control for Running {
    fn has_rdma(&self) -> Result<bool, Error> {
        Ok(operational()?.contains(&self.name))
    }

    fn set_rdma(&self, enabled: bool) -> Result<(), Error> {
        rdma_state::set_state(&PowerShell, &self.name, enabled)
            .map_err(|why| failed("change the state of RDMA", why))
    }

    fn disable(&self) -> Result<(), Error> {
        self.with(|device| device.disable())
    }

    fn remove(&self) -> Result<(), Error> {
        self.with(|device| device.remove())
    }
}
