//! A consumer that uses an address as soon as TCP/IP tells of it, against the built driver, which is told later.

#![cfg(not(windows))]
#![expect(unsafe_code, reason = "the test calls the provider as a consumer does")]
#![allow(clippy::expect_used, reason = "a test ends when what it needs is not there")]
#![allow(clippy::std_instead_of_alloc, reason = "the rest comes from std too")]

use core::ffi::c_void;
use core::net::{IpAddr, SocketAddrV4};
use core::ptr::null_mut;
use core::sync::atomic::{AtomicI32, AtomicPtr, Ordering};
use core::time::Duration;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use ntsim::boundary;
use ntsim::ndis::AdapterConfig;
use ntsim::sched::{self, Schedule, Strategy};
use ntsim::{Machine, ndk};
use runner::Images;
use sys::ndk::{NDK_CONNECTOR, NDK_LISTENER, NDK_OBJECT_HEADER, NDK_VERSION_2_1};
use sys::netioapi::NL_DAD_STATE;
use sys::sockaddr::{AF_INET, IN_ADDR, SOCKADDR, SOCKADDR_IN};
use sys::status::{NTSTATUS, STATUS_INTERNAL_ERROR, STATUS_PENDING, STATUS_SUCCESS};

const INDEX: u32 = 12;
const ADDRESS: SocketAddrV4 = SocketAddrV4::new(core::net::Ipv4Addr::new(10, 0, 0, 12), 445);

/// The longest time in which a listen is to complete.
const LIMIT: Duration = Duration::from_secs(10);

/// A consumer with a listener that does not listen yet.
struct Consumer {
    listener: AtomicPtr<NDK_LISTENER>,
    /// The status of NdkListen, or STATUS_INTERNAL_ERROR.
    answer: AtomicI32,
    /// The status of its completion, or STATUS_PENDING.
    completed: AtomicI32,
}

unsafe extern "efiapi" fn completed(context: *mut c_void, status: NTSTATUS) {
    // SAFETY: the context is the consumer of the test, which outlives its machine.
    unsafe { &*context.cast::<Consumer>() }.completed.store(status, Ordering::Release);
}

unsafe extern "efiapi" fn offered(_: *mut c_void, _: *mut NDK_CONNECTOR) {}

unsafe extern "efiapi" fn created(_: *mut c_void, _: NTSTATUS, _: *mut NDK_OBJECT_HEADER) {}

unsafe extern "efiapi" fn closed(_: *mut c_void) {}

impl Consumer {
    /// Its NdkListen, in the callback that tells of the address.
    fn listen(&self) {
        let listener = self.listener.load(Ordering::Acquire);
        // SAFETY: null, or the listener that the test has open.
        let Some(object) = (unsafe { listener.as_ref() }) else { return };
        // SAFETY: an object that is open has its table.
        let listen = unsafe { (*object.Dispatch).NdkListen }.expect("no slot is empty");
        let at = SOCKADDR_IN {
            sin_family: AF_INET,
            sin_port: ADDRESS.port().to_be(),
            sin_addr: IN_ADDR { S_addr: u32::from(*ADDRESS.ip()).to_be() },
            sin_zero: [0; 8],
        };
        let context = core::ptr::from_ref(self).cast_mut().cast();
        let (at, length) = (core::ptr::from_ref(&at).cast::<SOCKADDR>(), 16);
        // SAFETY: the listener is open, and the address lives during the call.
        let answer = unsafe { listen(listener, at, length, Some(completed), context) };
        self.answer.store(answer, Ordering::Release);
    }

    fn outcome(&self) -> NTSTATUS {
        match self.answer.load(Ordering::Acquire) {
            STATUS_PENDING => self.completed.load(Ordering::Acquire),
            answer => answer,
        }
    }
}

/// Runs a consumer's code.
fn consume<R: 'static>(code: impl FnOnce() -> R) -> R {
    let _attached = sched::current().is_none().then(|| sched::attach("consumer"));
    boundary::call_driver("consumer", code)
}

/// Plays one schedule; what was wrong.
fn played(seed: u64) -> Result<(), String> {
    let image = Images::built(Path::new(env!("CARGO_MANIFEST_DIR"))).expect("the images are built").softndk;
    let machine = Machine::builder().schedule(Schedule::seeded(seed, Strategy::of_seed(seed))).boot();
    let consumer = Arc::new(Consumer {
        listener: AtomicPtr::new(null_mut()),
        answer: AtomicI32::new(STATUS_INTERNAL_ERROR),
        completed: AtomicI32::new(STATUS_PENDING),
    });
    // Before the driver is there: the consumer is told first.
    let told = Arc::clone(&consumer);
    let watch = machine.watch_addresses(move |row| {
        if row.DadState == NL_DAD_STATE::IpDadStatePreferred {
            told.listen();
        }
    });
    machine.add_adapters([AdapterConfig::new(INDEX, [])]);
    let mut driver = machine.load(image).expect("the driver loads");
    machine.start_adapters(&mut driver).expect("its adapter starts");
    let adapter = machine.adapter(INDEX).expect("it runs");
    let opened = adapter.open_ndk(NDK_VERSION_2_1).expect("it opens");
    let listener = consume(move || {
        // SAFETY: the adapter is open.
        let table = unsafe { (*opened).Dispatch };
        // SAFETY: the table is a static of the provider's.
        let create = unsafe { (*table).NdkCreateListener }.expect("no slot is empty");
        let mut made = null_mut();
        // SAFETY: the adapter is open; the place is a local's.
        let status =
            unsafe { create(opened, Some(offered), null_mut(), Some(created), null_mut(), &raw mut made) };
        (status == STATUS_SUCCESS).then_some(AtomicPtr::new(made))
    });
    let listener = listener.expect("a listener is made").into_inner();
    consumer.listener.store(listener, Ordering::Release);
    adapter.add_address(IpAddr::from(*ADDRESS.ip()));
    machine.settle();
    // TCP takes the port when its turn comes.
    let begin = Instant::now();
    while consumer.outcome() == STATUS_PENDING && begin.elapsed() < LIMIT {
        sched::block(Some(Duration::from_millis(1)));
    }
    let outcome = consumer.outcome();
    consume(move || {
        // SAFETY: the listener is open.
        let table = unsafe { (*listener).Dispatch };
        // SAFETY: the table is a static of the provider's.
        let close = unsafe { (*table).NdkCloseListener }.expect("no slot is empty");
        // SAFETY: the consumer hands the listener over.
        unsafe { close(listener.cast(), Some(closed), null_mut()) };
    });
    machine.settle();
    consume(move || ndk::close_adapter(opened));
    drop(watch);
    // One that cannot be halted is a finding.
    let _ = adapter.halt();
    driver.unload();
    let report = machine.shutdown();
    match outcome {
        STATUS_SUCCESS if report.is_clean() => Ok(()),
        _ => Err(format!("seed {seed}: NdkListen: {outcome:#010x}: {report}")),
    }
}

#[test]
fn listen_from_the_notification_of_an_address_succeeds() {
    let wrong: Vec<String> = (0..60).filter_map(|seed| played(seed).err()).collect();
    assert!(wrong.is_empty(), "{} of 60:\n{}", wrong.len(), wrong.join("\n"));
}
