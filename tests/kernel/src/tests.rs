//! The order of calls, and virtual time.

#![expect(unsafe_code, reason = "an implementation of the kernel makes promises")]

use core::ffi::c_void;
use core::pin::Pin;
use core::ptr::{NonNull, null_mut};
use std::cell::RefCell;
use std::time::Duration;

use softndk_kernel::{Dpc, Event, Kernel, Timer};

use crate::{Manual, enqueue, expire, is_ticking, now, on_trace, pass, passive, pump, traced};

type ManualDpc = <Manual as Kernel>::Dpc;
type ManualTimer = <Manual as Kernel>::Timer;

thread_local! {
    static CALLED: RefCell<Vec<(usize, Duration)>> = const { RefCell::new(Vec::new()) };
}

unsafe extern "efiapi" fn called(context: *mut c_void) {
    CALLED.with_borrow_mut(|called| called.push((context.addr(), now())));
}

/// A timer whose call is number `number`.
fn timer(number: usize) -> Pin<Box<ManualTimer>> {
    let timer = Box::pin(<ManualTimer as Timer>::new());
    // SAFETY: it is pinned.
    unsafe {
        Timer::initialise(NonNull::from(&*timer), called, null_mut::<u8>().wrapping_add(number).cast())
    };
    timer
}

fn set(timer: &ManualTimer, seconds: u64) {
    // SAFETY: it is initialised, not set, and outlives the call.
    unsafe { Timer::set(NonNull::from(timer), Duration::from_secs(seconds)) };
}

#[test]
fn timers_expire_in_order_of_their_times_when_time_passes() {
    let timers = [1, 2, 3].map(timer);
    for (timer, seconds) in timers.iter().zip([5, 1, 3]) {
        set(timer, seconds);
    }
    pass(Duration::from_secs(4));
    assert_eq!(CALLED.take(), [(2, Duration::from_secs(1)), (3, Duration::from_secs(3))]);
    assert_eq!((now(), is_ticking()), (Duration::from_secs(4), true));
    assert_eq!(expire(), [Duration::from_secs(5)]);
    assert_eq!(CALLED.take(), [(1, Duration::from_secs(5))]);
}

#[test]
fn cancelled_timer_does_not_expire() {
    let timer = timer(1);
    set(&timer, 1);
    // SAFETY: it is initialised.
    assert!(unsafe { Timer::cancel(NonNull::from(&*timer)) });
    pass(Duration::from_secs(2));
    assert_eq!(CALLED.take(), []);
    // SAFETY: as above.
    assert!(!unsafe { Timer::cancel(NonNull::from(&*timer)) });
}

#[test]
fn dpcs_and_queued_work_run_in_their_order_when_pumped() {
    let dpc = Box::pin(<ManualDpc as Dpc>::new());
    let this = NonNull::from(&*dpc);
    // SAFETY: it is pinned.
    unsafe { Dpc::initialise(this, called, null_mut()) };
    // SAFETY: it is initialised, not queued, and outlives the call.
    unsafe { Dpc::queue(this) };
    enqueue(|| CALLED.with_borrow_mut(|called| called.push((7, now()))));
    assert_eq!(CALLED.take(), []);
    assert_eq!(pump(), 2);
    assert_eq!(CALLED.take(), [(0, Duration::ZERO), (7, Duration::ZERO)]);
}

#[test]
fn wait_ends_by_the_action_of_a_test_after_a_trace() {
    let event = std::rc::Rc::new(<<Manual as Kernel>::Event as Event>::new());
    let signalled = event.clone();
    on_trace(move || signalled.signal());
    assert!(!event.wait_for(Duration::from_secs(1), passive()));
    Manual::trace(format_args!("still"));
    assert!(event.wait_for(Duration::from_secs(1), passive()));
    assert_eq!(traced(), ["still"]);
}
