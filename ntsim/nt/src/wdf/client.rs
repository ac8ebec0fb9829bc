//! Drivers that are bound to the framework.

use core::ptr;
use std::collections::HashMap;
use std::sync::Arc;

use ntsim_core::address::Va;
use ntsim_core::per_machine::PerMachine;
use parking_lot::{Mutex, RwLock};
use sys::wdf::{PFN_WDF_DRIVER_DEVICE_ADD, PFN_WDF_DRIVER_UNLOAD, WDF_DRIVER_GLOBALS, WDFFUNC};
use sys::wdm::DRIVER_OBJECT;

use super::init::Init;
use super::object::Object;
use super::{table, violation};

/// The framework's state in one machine.
#[derive(Default)]
pub(super) struct Framework {
    /// By the address of the globals, which is how a driver names itself.
    pub(super) clients: Mutex<HashMap<Va, Arc<Client>>>,
    /// By handle.
    pub(super) objects: RwLock<HashMap<Va, Arc<Object>>>,
    /// Devices that are about to be made, by handle.
    pub(super) inits: Mutex<HashMap<Va, Init>>,
    /// The devices of the framework, by the kernel's.
    pub(super) devices: RwLock<HashMap<Va, Va>>,
    /// The requests of the framework, by the kernel's.
    pub(super) requests: RwLock<HashMap<Va, Va>>,
    /// The object of each context, by the context's address.
    pub(super) contexts: RwLock<HashMap<Va, Va>>,
}

static FRAMEWORK: PerMachine<Framework> = PerMachine::new();

/// Reports what drivers left behind.
pub(super) fn inspect() {
    FRAMEWORK.get().inspect();
}

impl Framework {
    fn inspect(&self) {
        for client in self.clients.lock().values() {
            violation("WdfUnbind", Va::NULL, format!("{} was never unbound from the framework", client.name));
        }
    }
}

pub(super) fn framework() -> &'static Framework {
    FRAMEWORK.get()
}

/// A bound driver.
pub(super) struct Client {
    /// The service's name.
    pub(super) name: String,
    pub(super) driver_object: *mut DRIVER_OBJECT,
    /// The part of this that the driver sees; never freed, so that a late call still finds it.
    pub(super) globals: *mut WDF_DRIVER_GLOBALS,
    /// The driver's table; never freed, for the same reason.
    pub(super) table: &'static [WDFFUNC; table::COUNT],
    /// The terminated registry path.
    pub(super) registry_path: Vec<u16>,
    pub(super) unload: Mutex<Option<PFN_WDF_DRIVER_UNLOAD>>,
    pub(super) add: Mutex<Option<PFN_WDF_DRIVER_DEVICE_ADD>>,
}

// SAFETY: the pointers are to objects that outlive the client, and are only handed on.
unsafe impl Send for Client {}
// SAFETY: as above.
unsafe impl Sync for Client {}

impl Client {
    /// Binds a driver.
    pub(super) fn bind(driver_object: *mut DRIVER_OBJECT, registry_path: String) -> Arc<Self> {
        let name = registry_path.rsplit('\\').next().unwrap_or_default().to_owned();
        let mut globals = WDF_DRIVER_GLOBALS {
            Driver: ptr::null_mut(),
            DriverFlags: 0,
            DriverTag: 0,
            DriverName: [0; 32],
            DisplaceDriverUnload: 0,
        };
        for (to, from) in globals.DriverName[..31].iter_mut().zip(name.bytes()) {
            *to = from.cast_signed();
        }
        let client = Arc::new(Self {
            name,
            driver_object,
            globals: Box::leak(Box::new(globals)),
            table: Box::leak(table::filled()),
            registry_path: registry_path.encode_utf16().chain([0]).collect(),
            unload: Mutex::new(None),
            add: Mutex::new(None),
        });
        framework().clients.lock().insert(Va::of(client.globals), Arc::clone(&client));
        client
    }

    /// The driver that calls with `globals`; reports and returns `None` if there is none.
    pub(super) fn of(globals: *mut WDF_DRIVER_GLOBALS) -> Option<Arc<Self>> {
        let client = framework().clients.lock().get(&Va::of(globals)).cloned();
        if client.is_none() {
            violation(
                "WdfDriverGlobals",
                Va::of(globals),
                "called with the globals of no bound driver".into(),
            );
        }
        client
    }

    /// The driver of a driver object.
    pub(super) fn of_driver_object(driver: *mut DRIVER_OBJECT) -> Option<Arc<Self>> {
        framework().clients.lock().values().find(|client| ptr::eq(client.driver_object, driver)).cloned()
    }

    /// The handle of the driver's own object, or 0.
    pub(super) fn driver(&self) -> Va {
        // SAFETY: the globals are never freed.
        unsafe { Va::of((*self.globals).Driver) }
    }
}
