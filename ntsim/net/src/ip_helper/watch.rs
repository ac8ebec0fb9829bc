//! A test's own registration for changes of addresses, as another driver of the machine has one.

use core::ffi::c_void;

use ntsim_core::address::Va;
use ntsim_core::sched;
use sys::netioapi::{MIB_NOTIFICATION_TYPE, MIB_UNICASTIPADDRESS_ROW};
use sys::sockaddr::AF_UNSPEC;

use super::notify;

type Told = Box<dyn Fn(&MIB_UNICASTIPADDRESS_ROW) + Send + Sync>;

/// A registration, which ends when this is dropped, after waiting for a callback that runs.
pub struct AddressWatch {
    handle: usize,
    /// The context of the callback; the box keeps it in its place.
    _told: Box<Told>,
}

impl AddressWatch {
    /// Registers for changes of unicast addresses, as a driver does by NotifyUnicastIpAddressChange. `told` is called
    /// in a worker of the kernel, where a driver's callback is called, and may call drivers.
    #[must_use]
    pub fn new(told: impl Fn(&MIB_UNICASTIPADDRESS_ROW) + Send + Sync + 'static) -> Self {
        let told: Box<Told> = Box::new(Box::new(told));
        let context = Va::of(core::ptr::from_ref(&*told));
        Self { handle: notify::register(AF_UNSPEC, changed, context, false), _told: told }
    }
}

impl Drop for AddressWatch {
    fn drop(&mut self) {
        let _attached = sched::current().is_none().then(|| sched::attach("address watch"));
        notify::cancel(self.handle);
    }
}

unsafe extern "efiapi" fn changed(
    context: *mut c_void,
    row: *const MIB_UNICASTIPADDRESS_ROW,
    _: MIB_NOTIFICATION_TYPE,
) {
    // SAFETY: the row is null or lives during the call.
    let Some(row) = (unsafe { row.as_ref() }) else { return };
    // SAFETY: the context is the function of the registration, which is cancelled before that goes.
    (unsafe { &*context.cast::<Told>() })(row);
}
