//! Registrations of drivers that want to be told of changes to addresses.

use std::collections::BTreeMap;
use std::sync::Arc;

use nt::ex::queue_work;
use ntsim_core::address::Va;
use ntsim_core::boundary;
use ntsim_core::per_machine::PerMachine;
use ntsim_core::sched::{self, Thread};
use ntsim_core::verifier::{self, Finding};
use parking_lot::Mutex;
use sys::netioapi::{MIB_NOTIFICATION_TYPE, MIB_UNICASTIPADDRESS_ROW, UNICAST_IPADDRESS_CHANGE_CALLBACK};
use sys::sockaddr::{ADDRESS_FAMILY, AF_UNSPEC};

/// The registrations of one machine, by handle.
#[derive(Default)]
struct Registrations {
    live: Mutex<BTreeMap<usize, Arc<Registration>>>,
    last: Mutex<usize>,
}

static REGISTRATIONS: PerMachine<Registrations> = PerMachine::new();

/// Reports what drivers left behind.
pub(super) fn inspect() {
    REGISTRATIONS.get().inspect();
}

impl Registrations {
    fn inspect(&self) {
        for handle in self.live.lock().keys() {
            verifier::report(
                Finding::new("MibChangeNotify")
                    .text(format!("the notification {handle:#x} was never cancelled")),
            );
        }
    }
}

struct Registration {
    family: ADDRESS_FAMILY,
    callback: UNICAST_IPADDRESS_CHANGE_CALLBACK,
    context: Va,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The thread that is in the callback, of which one runs at a time.
    running: Option<u64>,
    cancelled: bool,
    queue: Vec<Change>,
    waiting: Option<&'static Thread>,
}

#[derive(Clone, Copy)]
struct Change {
    row: Option<MIB_UNICASTIPADDRESS_ROW>,
    kind: MIB_NOTIFICATION_TYPE,
}

fn registrations() -> &'static Registrations {
    REGISTRATIONS.get()
}

/// Adds a registration and returns its handle; with `initial` the driver is called once at first.
pub(super) fn register(
    family: ADDRESS_FAMILY,
    callback: UNICAST_IPADDRESS_CHANGE_CALLBACK,
    context: Va,
    initial: bool,
) -> usize {
    let registration = Arc::new(Registration { family, callback, context, state: Mutex::default() });
    let handle = {
        let mut last = registrations().last.lock();
        *last += 0x10;
        *last
    };
    registrations().live.lock().insert(handle, Arc::clone(&registration));
    if initial {
        registration.queue(Change { row: None, kind: MIB_NOTIFICATION_TYPE::MibInitialNotification });
    }
    handle
}

/// Tells every driver that asked for the family about a change, in the order in which they registered.
pub(super) fn tell(row: &MIB_UNICASTIPADDRESS_ROW, kind: MIB_NOTIFICATION_TYPE) {
    // SAFETY: the family is a member of every address.
    let family = unsafe { row.Address.si_family };
    for registration in registrations().live.lock().values() {
        if registration.family == AF_UNSPEC || registration.family == family {
            registration.queue(Change { row: Some(*row), kind });
        }
    }
}

/// Ends a registration once no callback runs; `None` if there is none, `Some(false)` if the calling
/// thread is in that callback itself.
pub(super) fn cancel(handle: usize) -> Option<bool> {
    let registration = registrations().live.lock().get(&handle).cloned()?;
    let own = sched::current();
    loop {
        let mut state = registration.state.lock();
        state.cancelled = true;
        state.queue.clear();
        match state.running {
            Some(thread) if own.is_some_and(|own| own.id == thread) => return Some(false),
            Some(_) => state.waiting = own,
            None => break,
        }
        drop(state);
        sched::block(None);
    }
    registrations().live.lock().remove(&handle);
    Some(true)
}

impl Registration {
    fn queue(self: &Arc<Self>, change: Change) {
        self.state.lock().queue.push(change);
        let registration = Arc::clone(self);
        queue_work(move || registration.deliver());
    }

    /// Calls the driver for everything that is queued, unless another thread is doing that.
    fn deliver(&self) {
        loop {
            let change = {
                let mut state = self.state.lock();
                if state.running.is_some() || state.queue.is_empty() {
                    return;
                }
                state.running = sched::current().map(|thread| thread.id);
                state.queue.remove(0)
            };
            let row = change.row.as_ref().map_or(core::ptr::null(), core::ptr::from_ref);
            let (callback, context) = (self.callback, self.context.ptr::<core::ffi::c_void>());
            // SAFETY: the callback and its context are what the driver registered; the row is ours.
            boundary::call_driver("UnicastIpAddressChange", || unsafe {
                callback(context, row, change.kind)
            });
            let mut state = self.state.lock();
            state.running = None;
            if let Some(waiting) = state.waiting.take() {
                sched::wake(waiting);
            }
        }
    }
}
