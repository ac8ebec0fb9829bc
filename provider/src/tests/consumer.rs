//! A consumer: the interface with the least ceremony, and a record of every callback.

mod buffer;
mod lent;
mod pair;
mod side;

use std::cell::RefCell;
use std::rc::Rc;

use sys::ndk::*;
use sys::status::*;
use sys::wdm::PVOID;
use test_kernel::pump;

pub(crate) use self::buffer::Buffer;
pub(crate) use self::lent::Lent;
pub(crate) use self::pair::{Pair, sockaddr};
pub(crate) use self::side::{DEPTH, INLINE, Side};

/// A callback that the consumer received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    RequestCompleted(&'static str, NTSTATUS),
    Closed(&'static str),
    Requested(&'static str, usize),
    Disconnected(&'static str),
    Notified(&'static str, NTSTATUS),
}

/// The context of the request with this number.
pub(crate) fn request(number: usize) -> PVOID {
    std::ptr::without_provenance_mut(number)
}

/// The pointer at an address that a pointer was made of, or one to nothing.
pub(crate) fn virtual_address(address: usize) -> PVOID {
    std::ptr::with_exposed_provenance_mut(address)
}

type Action = Box<dyn FnMut(&Seen)>;

/// One context of the consumer's: where a callback is recorded, and under which name.
struct Context {
    name: &'static str,
    log: Log,
}

#[derive(Default)]
struct Record {
    seen: RefCell<Vec<Seen>>,
    action: RefCell<Option<Action>>,
}

/// The record, and what to do inside each callback.
#[derive(Clone)]
pub(crate) struct Log(Rc<Record>);

impl Log {
    fn record(&self, seen: Seen) {
        assert_eq!(test_kernel::held(), 0, "a lock is held in {seen:?}");
        self.0.seen.borrow_mut().push(seen.clone());
        let action = self.0.action.borrow_mut().take();
        if let Some(mut action) = action {
            action(&seen);
            self.0.action.borrow_mut().get_or_insert(action);
        }
    }

    /// A context for callbacks of the object called `name`; it stays for the rest of the process.
    pub(crate) fn context(&self, name: &'static str) -> PVOID {
        Box::into_raw(Box::new(Context { name, log: self.clone() })).cast()
    }

    /// Makes the DPCs, and returns the callbacks since the last time.
    pub(crate) fn pump(&self) -> Vec<Seen> {
        pump();
        self.0.seen.take()
    }

    /// Returns the number of callbacks since the last pump.
    pub(crate) fn count(&self) -> usize {
        self.0.seen.borrow().len()
    }

    /// Has `action` run inside every callback from now on.
    pub(crate) fn inside(&self, action: impl FnMut(&Seen) + 'static) {
        *self.0.action.borrow_mut() = Some(Box::new(action));
    }
}

fn seen(context: PVOID, make: impl FnOnce(&'static str) -> Seen) {
    // SAFETY: every context is one of `Log::context`, which stays.
    let context = unsafe { &*context.cast::<Context>() };
    context.log.record(make(context.name));
}

pub(crate) unsafe extern "efiapi" fn completed(context: PVOID, status: NTSTATUS) {
    seen(context, |name| Seen::RequestCompleted(name, status));
}

pub(crate) unsafe extern "efiapi" fn closed(context: PVOID) {
    seen(context, Seen::Closed);
}

pub(crate) unsafe extern "efiapi" fn connect_event(context: PVOID, connector: *mut NDK_CONNECTOR) {
    seen(context, |name| Seen::Requested(name, connector.expose_provenance()));
}

pub(crate) unsafe extern "efiapi" fn disconnected(context: PVOID) {
    seen(context, Seen::Disconnected);
}

pub(crate) unsafe extern "efiapi" fn notified(context: PVOID, status: NTSTATUS) {
    seen(context, |name| Seen::Notified(name, status));
}

/// Calls a slot of an object's table.
macro_rules! call {
    ($object:expr, $slot:ident $(, $argument:expr)*) => {{
        let object = $object;
        // SAFETY: the test passes an object that it has not closed, and valid arguments.
        unsafe { ((*(*object).Dispatch).$slot.expect("no slot is empty"))(object $(, $argument)*) }
    }};
}
pub(crate) use call;

/// Closes an object, to be recorded as `name`.
macro_rules! close {
    ($log:expr, $object:expr, $slot:ident, $name:literal) => {{
        let object = $object;
        let context = $log.context($name);
        // SAFETY: the test hands the object over.
        unsafe {
            ((*(*object).Dispatch).$slot.expect("no slot is empty"))(
                object.cast(),
                Some(crate::tests::consumer::closed),
                context,
            )
        }
    }};
}
pub(crate) use close;
