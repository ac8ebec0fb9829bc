//! Registrations of providers, and the calls of their enable callbacks.

use core::ffi::c_void;
use core::fmt::Write as _;
use core::ops::Range;

use ntsim_core::address::Va;
use ntsim_core::boundary;
use ntsim_core::loader::Trace;
use ntsim_core::sched::{self, Thread};
use sys::wdm::{ETWENABLECALLBACK, GUID, REGHANDLE};

use super::{ETW, Filter};

/// A provider, from EtwRegister to EtwUnregister.
pub(super) struct Registration {
    provider: GUID,
    callback: Option<ETWENABLECALLBACK>,
    context: Va,
    /// Set by EtwSetInformation.
    pub(super) traits: Vec<u8>,
    registered_at: Trace,
    /// The thread that is in the callback.
    running: Option<u64>,
    /// Threads that wait until the callback has returned.
    waiting: Vec<&'static Thread>,
}

impl Registration {
    /// A provider that the calling driver registers.
    pub(super) fn new(provider: GUID, callback: Option<ETWENABLECALLBACK>, context: Va) -> Self {
        let registered_at = Trace::of_caller();
        Self {
            provider,
            callback,
            context,
            traits: Vec::new(),
            registered_at,
            running: None,
            waiting: Vec::new(),
        }
    }

    /// The provider's identifier.
    pub(super) const fn provider(&self) -> GUID {
        self.provider
    }

    /// Returns whether code in `range` registered it, or is its callback.
    pub(super) fn lies_in(&self, range: &Range<Va>) -> bool {
        let caller = self.registered_at.image().is_some_and(|image| range.contains(&image.base));
        let callback = self.callback.map(|callback| Va::of(callback as *const c_void));
        caller || callback.is_some_and(|callback| range.contains(&callback))
    }

    /// The provider in words.
    pub(super) fn description(&self) -> String {
        let GUID { Data1, Data2, Data3, Data4 } = self.provider;
        let mut text = format!("the event provider {Data1:08x}-{Data2:04x}-{Data3:04x}-");
        for byte in Data4 {
            _ = write!(text, "{byte:02x}");
        }
        let place = self.registered_at.frames().first().map(|frame| format!(", registered at {frame}"));
        text + &place.unwrap_or_default()
    }
}

/// Calls the enable callbacks of a provider's registrations.
pub(super) fn tell(provider: GUID, control: u32, filter: Filter) {
    let of_provider = |(handle, registration): (&REGHANDLE, &Registration)| {
        (registration.provider == provider).then_some(*handle)
    };
    let handles: Vec<_> = ETW.get().0.lock().registrations.iter().filter_map(of_provider).collect();
    let _attached = sched::current().is_none().then(|| sched::attach("trace session"));
    for handle in handles {
        tell_one(handle, control, filter);
    }
}

/// Calls the enable callback of one registration, unless that has gone; one call at a time.
pub(super) fn tell_one(handle: REGHANDLE, control: u32, filter: Filter) {
    let Some((provider, callback, context)) = begin(handle) else { return };
    if let Some(callback) = callback {
        // The page says that the session names itself; which one it is here does not matter.
        let source = provider;
        // SAFETY: callback and context are what the driver registered, and it waits in EtwUnregister for this call.
        boundary::call_driver("EtwEnableCallback", || unsafe {
            let context = context.ptr::<c_void>();
            callback(&raw const source, control, filter.level, filter.any, 0, core::ptr::null_mut(), context);
        });
    }
    let mut tracing = ETW.get().0.lock();
    if let Some(registration) = tracing.registrations.get_mut(&handle) {
        registration.running = None;
        registration.waiting.drain(..).for_each(sched::wake);
    }
}

/// Claims the callback of a registration once no other thread is in it.
fn begin(handle: REGHANDLE) -> Option<(GUID, Option<ETWENABLECALLBACK>, Va)> {
    wait_until(handle, |registration, thread| {
        registration.running = Some(thread);
        (registration.provider, registration.callback, registration.context)
    })
}

/// Ends a registration once no thread but the caller is in its callback. Returns it, and whether the caller is.
pub(super) fn end(handle: REGHANDLE) -> Option<(Registration, bool)> {
    let inside = wait_until(handle, |registration, thread| registration.running == Some(thread))?;
    let registration = ETW.get().0.lock().registrations.remove(&handle)?;
    Some((registration, inside))
}

/// Calls `claim` with a registration that is in no callback of another thread's; `None` if it has gone.
fn wait_until<R>(handle: REGHANDLE, claim: impl FnOnce(&mut Registration, u64) -> R) -> Option<R> {
    let thread = sched::current().expect("a driver, or a session, runs on a thread of the machine");
    loop {
        let mut tracing = ETW.get().0.lock();
        let registration = tracing.registrations.get_mut(&handle)?;
        if registration.running.is_none_or(|running| running == thread.id) {
            return Some(claim(registration, thread.id));
        }
        registration.waiting.push(thread);
        drop(tracing);
        sched::block(None);
    }
}
