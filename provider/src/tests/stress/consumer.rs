//! A consumer that may be called on any thread.

use std::net::SocketAddr;
use std::ptr::{NonNull, null, null_mut};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use sys::ndk::*;
use sys::sockaddr::SOCKADDR;
use sys::status::*;
use sys::wdm::PVOID;
use test_kernel::Threaded;

use crate::number::usize_from;
use crate::rnic::{Fabric, Rnic};
use crate::tests::consumer::{call, sockaddr};

/// Record of one close: its inline status, and the calls of its completion.
#[derive(Default)]
pub(super) struct Close {
    pub(super) pending: AtomicBool,
    pub(super) calls: AtomicUsize,
}

unsafe extern "efiapi" fn close_completed(context: PVOID) {
    // SAFETY: the context is a record that stays for the rest of the process.
    unsafe { &*context.cast::<Close>() }.calls.fetch_add(1, Ordering::SeqCst);
}

struct Side {
    adapter: *mut NDK_ADAPTER,
    cq: *mut NDK_CQ,
    pd: *mut NDK_PD,
    polling: Mutex<()>,
}

/// All that the stress test uses; it stays for the rest of the process, as callbacks point to it.
pub(super) struct World {
    near: Side,
    far: Side,
    listener: AtomicPtr<NDK_LISTENER>,
    _rnics: [Rnic<Threaded>; 2],
    pub(super) closes: Mutex<Vec<&'static Close>>,
    pub(super) posts: AtomicUsize,
    pub(super) results: AtomicUsize,
    rejected: AtomicUsize,
}

// SAFETY: NDK objects may be used from any thread; polls are serialised by a lock.
unsafe impl Sync for World {}

/// One end of one connection; it stays, as late callbacks may still name it.
struct End {
    world: &'static World,
    far: bool,
    connector: AtomicPtr<NDK_CONNECTOR>,
    qp: AtomicPtr<NDK_QP>,
    random: AtomicUsize,
    status: Mutex<Option<NTSTATUS>>,
    told: Condvar,
}

const FAR: ([u8; 4], u16) = ([10, 0, 0, 2], 445);
const NEAR: ([u8; 4], u16) = ([10, 0, 0, 1], 0);

fn leak<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

impl Side {
    fn open(rnic: &Rnic<Threaded>) -> Self {
        let adapter = rnic.open(NDK_VERSION_2_1).unwrap().as_ptr();
        let (mut cq, mut pd, none) = (null_mut(), null_mut(), null_mut());
        let status = call!(adapter, NdkCreateCq, 1 << 17, None, none, null_mut(), None, none, &mut cq);
        assert_eq!(status, STATUS_SUCCESS);
        assert_eq!(call!(adapter, NdkCreatePd, None, null_mut(), &mut pd), STATUS_SUCCESS);
        Self { adapter, cq, pd, polling: Mutex::new(()) }
    }

    fn create_qp(&self) -> *mut NDK_QP {
        let (mut qp, none) = (null_mut(), null_mut());
        let status = call!(self.pd, NdkCreateQp, self.cq, self.cq, none, 4, 4, 1, 1, 0, None, none, &mut qp);
        assert_eq!(status, STATUS_SUCCESS);
        qp
    }
}

impl End {
    fn new(world: &'static World, far: bool, connector: *mut NDK_CONNECTOR, seed: usize) -> &'static Self {
        let side = if far { &world.far } else { &world.near };
        leak(Self {
            world,
            far,
            connector: AtomicPtr::new(connector),
            qp: AtomicPtr::new(side.create_qp()),
            random: AtomicUsize::new(seed | 1),
            status: Mutex::new(None),
            told: Condvar::new(),
        })
    }

    /// The next number of a sequence that the seed determines, below `below`.
    fn random(&self, below: usize) -> usize {
        let mut next = self.random.load(Ordering::Relaxed);
        next ^= next << 13;
        next ^= next >> 7;
        next ^= next << 17;
        self.random.store(next, Ordering::Relaxed);
        next % below
    }

    fn context(&'static self) -> PVOID {
        std::ptr::from_ref(self).cast_mut().cast()
    }

    /// Posts some requests; whichever are accepted must have a result.
    fn post(&self) {
        let qp = self.qp.load(Ordering::SeqCst);
        for _ in 0..self.random(6) {
            let status = match self.random(2) {
                0 => call!(qp, NdkSend, null_mut(), null(), 0, 0),
                _ => call!(qp, NdkReceive, null_mut(), null(), 0),
            };
            if status == STATUS_SUCCESS {
                self.world.posts.fetch_add(1, Ordering::SeqCst);
            }
        }
    }

    /// Closes the connector and the queue pair, in either order; only the first caller does.
    fn close(&self) {
        let connector = self.connector.swap(null_mut(), Ordering::SeqCst);
        if connector.is_null() {
            return;
        }
        let qp = self.qp.load(Ordering::SeqCst);
        if self.random(2) == 0 {
            self.world.close(connector.cast());
            self.world.close(qp.cast());
        } else {
            self.world.close(qp.cast());
            self.world.close(connector.cast());
        }
    }

    fn tell(&self, status: NTSTATUS) {
        *self.status.lock().unwrap() = Some(status);
        self.told.notify_all();
    }

    fn wait(&self) -> Option<NTSTATUS> {
        let told = self.status.lock().unwrap();
        let (mut told, _) =
            self.told.wait_timeout_while(told, Duration::from_secs(20), |status| status.is_none()).unwrap();
        told.take()
    }
}

fn end(context: PVOID) -> &'static End {
    // SAFETY: every context is an end, and those stay.
    unsafe { &*context.cast::<End>() }
}

unsafe extern "efiapi" fn told(context: PVOID, status: NTSTATUS) {
    end(context).tell(status);
}

/// The far side's accept: it goes on in the callback itself, and may close there.
unsafe extern "efiapi" fn accepted(context: PVOID, status: NTSTATUS) {
    let end = end(context);
    if status == STATUS_SUCCESS {
        end.post();
    }
    if status != STATUS_SUCCESS || end.random(3) == 0 {
        end.close();
    }
}

unsafe extern "efiapi" fn disconnected(context: PVOID) {
    let end = end(context);
    if end.far || end.random(2) == 0 {
        end.close();
    }
}

unsafe extern "efiapi" fn connect_event(context: PVOID, connector: *mut NDK_CONNECTOR) {
    // SAFETY: the context is the world, which stays.
    let world = unsafe { &*context.cast::<World>() };
    let end = End::new(world, true, connector, connector.addr() >> 4);
    match end.random(8) {
        0 => end.close(),
        1 => {
            world.rejected.fetch_add(1, Ordering::SeqCst);
            call!(connector, NdkReject, null(), 0);
            end.close();
        }
        _ => {
            let qp = end.qp.load(Ordering::SeqCst);
            let own = end.context();
            let status = call!(
                connector,
                NdkAccept,
                qp,
                1,
                1,
                null(),
                0,
                Some(disconnected),
                own,
                Some(accepted),
                own
            );
            if status != STATUS_PENDING {
                end.close();
            }
        }
    }
}

impl World {
    pub(super) fn leak() -> &'static Self {
        let fabric = Fabric::new().unwrap();
        let rnics = [NEAR, FAR].map(|(ip, _)| {
            let rnic = Rnic::new(&fabric).unwrap();
            rnic.set_addresses(&[ip.into()]).unwrap();
            rnic.set_enabled(true);
            rnic
        });
        let world = leak(Self {
            near: Side::open(&rnics[0]),
            far: Side::open(&rnics[1]),
            listener: AtomicPtr::default(),
            _rnics: rnics,
            closes: Mutex::default(),
            posts: AtomicUsize::new(0),
            results: AtomicUsize::new(0),
            rejected: AtomicUsize::new(0),
        });
        let mut listener = null_mut();
        let context = std::ptr::from_ref(world).cast_mut().cast();
        let none = null_mut();
        let status = call!(
            world.far.adapter,
            NdkCreateListener,
            Some(connect_event),
            context,
            None,
            none,
            &mut listener
        );
        assert_eq!(status, STATUS_SUCCESS);
        let (address, length) = sockaddr(SocketAddr::from(FAR));
        let at = address.as_ptr().cast::<SOCKADDR>();
        assert_eq!(call!(listener, NdkListen, at, length, None, null_mut()), STATUS_SUCCESS);
        world.listener.store(listener, Ordering::SeqCst);
        world
    }

    fn close(&self, object: PVOID) {
        let record = leak(Close::default());
        self.closes.lock().unwrap().push(record);
        // SAFETY: the object is open; every object's table but the adapter's begins with close.
        let close = unsafe { (*object.cast::<NDK_PD>().cast_const().read().Dispatch).NdkClosePd };
        let context = std::ptr::from_ref(record).cast_mut().cast();
        // SAFETY: the consumer hands the object over.
        let status = unsafe { close.unwrap()(object.cast(), Some(close_completed), context) };
        record.pending.store(status == STATUS_PENDING, Ordering::SeqCst);
        assert!(matches!(status, STATUS_SUCCESS | STATUS_PENDING));
    }

    fn poll(&self, side: &Side) {
        let _one_at_a_time = side.polling.lock().unwrap();
        let none =
            NDK_RESULT { Status: 0, BytesTransferred: 0, QPContext: null_mut(), RequestContext: null_mut() };
        let mut results = [none; 32];
        loop {
            let count = usize_from(call!(side.cq, NdkGetCqResults, results.as_mut_ptr(), 32));
            self.results.fetch_add(count, Ordering::SeqCst);
            if count == 0 {
                return;
            }
        }
    }

    /// One connection's life, as the seed has it.
    pub(super) fn connection(&'static self, seed: u64) {
        let mut connector = null_mut();
        let none = null_mut();
        assert_eq!(call!(self.near.adapter, NdkCreateConnector, None, none, &mut connector), STATUS_SUCCESS);
        let end = End::new(self, false, connector, usize::try_from(seed * 0x9E37_79B9).unwrap());
        let qp = end.qp.load(Ordering::SeqCst);
        let ((local, local_length), (remote, length)) = (sockaddr(NEAR.into()), sockaddr(FAR.into()));
        let (from, to) = (local.as_ptr().cast::<SOCKADDR>(), remote.as_ptr().cast::<SOCKADDR>());
        let context = end.context();
        let status = call!(
            connector,
            NdkConnect,
            qp,
            from,
            local_length,
            to,
            length,
            1,
            1,
            null(),
            0,
            Some(told),
            context
        );
        assert_eq!(status, STATUS_PENDING);
        if end.random(6) == 0 {
            // Closed while the connect is pending.
            return end.close();
        }
        let connected = end.wait().expect("a connect completes");
        if connected == STATUS_SUCCESS && end.random(8) != 0 {
            let status =
                call!(connector, NdkCompleteConnect, Some(disconnected), context, Some(told), context);
            if status == STATUS_SUCCESS {
                // From here on the disconnect event may close this end at any moment, so it may not be used
                // any more, but for what the consumer serialises with that: nothing.
                self.poll(&self.near);
                self.poll(&self.far);
            }
        }
        end.close();
    }

    /// Waits for what callbacks still close, and closes the rest.
    pub(super) fn tear_down(&self) {
        for object in [self.listener.load(Ordering::SeqCst).cast(), self.near.pd.cast(), self.far.pd.cast()] {
            self.close(object);
        }
        let settled = || {
            let closes = self.closes.lock().unwrap();
            closes.iter().all(|close| {
                close.calls.load(Ordering::SeqCst) == usize::from(close.pending.load(Ordering::SeqCst))
            })
        };
        for _ in 0..2000 {
            if settled() {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        for side in [&self.near, &self.far] {
            self.poll(side);
            self.close(side.cq.cast());
            // SAFETY: all that descends from the adapter is closed.
            unsafe { Rnic::<Threaded>::close(NonNull::new(side.adapter).unwrap(), test_kernel::passive()) };
        }
    }
}
