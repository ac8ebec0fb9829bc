//! Two clients with many connections, killed at random points.
//!
//! Threads send requests of every type to endpoints, cancel some, and close handles without a word, each for
//! itself; so cleanups race with every request. What is random follows from a seed.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use ntsim::io::{File, Reference, Status};
use ntsim::sched::{self, Thread};
use sys::status::*;
use sys::tdi::*;

use crate::Bed;
use crate::event::{self, Taken};
use crate::request::{self, Request};

/// How big a storm is.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Connections that there are when it begins.
    pub connections: usize,
    /// Threads.
    pub threads: usize,
    /// What each thread does, one after another.
    pub actions: usize,
    /// The most bytes of a send or receive.
    pub longest: usize,
    /// What is random follows from it.
    pub seed: u64,
}

/// An endpoint of either client.
struct End {
    /// Its handle, until somebody closes it.
    file: Mutex<Option<File>>,
    /// By which requests are sent to it, also while it is cleaned up and afterwards.
    reference: Reference,
    requests: Mutex<Vec<Request>>,
}

/// Everything that the threads share.
struct Clients {
    ends: Vec<End>,
    addresses: [Mutex<Option<File>>; 2],
    far: SocketAddr,
    /// Threads that have not come to their end.
    running: AtomicUsize,
    waiter: &'static Thread,
}

/// What a client may hear of a request that the storm has caught.
const EXPECTED: [NTSTATUS; 17] = [
    STATUS_SUCCESS,
    STATUS_CANCELLED,
    STATUS_FILE_CLOSED,
    STATUS_CONNECTION_ABORTED,
    STATUS_CONNECTION_RESET,
    STATUS_CONNECTION_ACTIVE,
    STATUS_GRACEFUL_DISCONNECT,
    STATUS_INVALID_CONNECTION,
    STATUS_INVALID_PARAMETER,
    STATUS_ADDRESS_CLOSED,
    STATUS_REMOTE_NOT_LISTENING,
    STATUS_IO_TIMEOUT,
    STATUS_DEVICE_NOT_READY,
    STATUS_INVALID_HANDLE,
    STATUS_INVALID_DEVICE_REQUEST,
    STATUS_NOT_IMPLEMENTED,
    STATUS_BUFFER_OVERFLOW,
];

/// Makes the connections, lets the storm pass, and closes what is left. When this returns, every request has
/// completed and every file is closed.
///
/// # Errors
///
/// What was not as it has to be, for people.
///
/// # Panics
///
/// If the host has no more threads.
pub fn pass(bed: &Bed, near: SocketAddr, far: SocketAddr, plan: Plan) -> Result<(), String> {
    let clients = Arc::new(connect(bed, near, far, plan)?);
    for number in 0..plan.threads {
        let (clients, mut random) = (Arc::clone(&clients), fastrand::Rng::with_seed(plan.seed));
        // Threads of one seed differ, too.
        (0..=number).for_each(|_| random = random.fork());
        sched::spawn(format!("client {number}"), move || {
            for _ in 0..plan.actions {
                clients.act(plan, &mut random);
            }
            let waiter = clients.waiter;
            // Before its end is told, as it may hold the last handle of something.
            let last = clients.running.fetch_sub(1, Ordering::AcqRel) == 1;
            drop(clients);
            if last {
                sched::wake(waiter);
            }
        })
        .expect("the host has threads");
    }
    while clients.running.load(Ordering::Acquire) > 0 {
        sched::block(None);
    }
    clients.end()
}

fn connect(bed: &Bed, near: SocketAddr, far: SocketAddr, plan: Plan) -> Result<Clients, String> {
    let failed = |what: &'static str| move |status: Status| format!("{what}: {status}");
    let addresses = [near, far].map(|at| bed.address(at).map_err(failed("open an address")));
    let [near_address, far_address] = addresses;
    let (near_address, far_address) = (near_address?, far_address?);
    watch(&near_address).and_then(|()| watch(&far_address)).map_err(failed("set event handlers"))?;
    let mut ends = Vec::new();
    let mut making = Vec::new();
    for context in 0..plan.connections {
        let far_end = bed.associated(&far_address, context).map_err(failed("open an endpoint"))?;
        let near_end = bed.associated(&near_address, context).map_err(failed("open an endpoint"))?;
        making.push(request::listen(&far_end, 0));
        making.push(request::connect(&near_end, far));
        for file in [near_end, far_end] {
            let reference = file.reference();
            let (file, requests) = (Mutex::new(Some(file)), Mutex::default());
            ends.push(End { file, reference, requests });
        }
    }
    for request in making {
        match request.status() {
            STATUS_SUCCESS => {}
            status => return Err(format!("connect: {}", Status(status))),
        }
    }
    let addresses = [near_address, far_address].map(|file| Mutex::new(Some(file)));
    let waiter = sched::current().ok_or("the storm needs a thread of the machine")?;
    Ok(Clients { ends, addresses, far, running: AtomicUsize::new(plan.threads), waiter })
}

/// Registers handlers: for data, of which half is taken, and for disconnects.
fn watch(address: &File) -> Result<(), Status> {
    event::on_receive(address, &|data: &[u8], _| Taken::bytes(data.len().div_ceil(2)))?;
    event::on_disconnect(address, &|_, _| ())?;
    event::on_connect(address, &|_| None)
}

/// The contents of a lock, which no thread leaves half changed.
fn locked<T>(place: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    place.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Clients {
    /// One thing that a client does.
    fn act(&self, plan: Plan, random: &mut fastrand::Rng) {
        let end = &self.ends[random.usize(..self.ends.len())];
        let Plan { longest, .. } = plan;
        match random.u8(..100) {
            0..75 => {
                if let Some(request) = self.send(end, longest, random) {
                    locked(&end.requests).push(request);
                }
            }
            75..88 => end.cancel(random),
            88..98 => end.kill(),
            98 => {
                // A second handle that comes and goes, perhaps as the last one.
                let second = locked(&end.file).as_ref().map(File::clone);
                drop(second);
            }
            _ => {
                // An address goes seldom, as everything on it goes then.
                if random.usize(..self.ends.len()) == 0 {
                    let address = locked(&self.addresses[random.usize(..2)]).take();
                    drop(address);
                }
            }
        }
    }

    /// Sends a request of any type; those that never wait are over when this returns.
    fn send(&self, end: &End, longest: usize, random: &mut fastrand::Rng) -> Option<Request> {
        let file = &end.reference;
        let limit = Duration::from_millis(random.u64(1..20));
        Some(match random.u8(..26) {
            0..8 => request::send(file, vec![7; random.usize(..longest)]),
            8 => request::send_with(file, vec![7; random.usize(1..longest)], TDI_SEND_NON_BLOCKING),
            9..16 => request::receive_with(file, vec![0; random.usize(..longest)], 0),
            16 => request::receive_with(file, vec![0; random.usize(1..longest)], TDI_RECEIVE_PEEK),
            17 => request::listen(file, 0),
            18 => request::listen(file, TDI_QUERY_ACCEPT),
            19 => request::connect(file, self.far),
            20 => request::connect_within(file, self.far, limit),
            21 => request::accept(file),
            22 => request::disconnect(file, random.u32(..8)),
            23 => request::disconnect_within(file, TDI_DISCONNECT_RELEASE, limit),
            24 => {
                let address = locked(&self.addresses[random.usize(..2)]).clone();
                request::disassociate(file);
                request::associate(file, &address?);
                return None;
            }
            _ => {
                let parameters = TDI_REQUEST_KERNEL_QUERY_INFORMATION {
                    QueryType: random.i32(..12),
                    RequestConnectionInformation: core::ptr::null_mut(),
                };
                request::send_request(file, TDI_QUERY_INFORMATION, parameters, vec![0; 64])
            }
        })
    }

    /// Closes what is left, and looks at what became of the requests.
    fn end(&self) -> Result<(), String> {
        self.ends.iter().for_each(End::kill);
        self.addresses.iter().for_each(|address| drop(locked(address).take()));
        for end in &self.ends {
            for request in locked(&end.requests).drain(..) {
                match request.outcome() {
                    None => return Err(format!("{request:?} outlived the cleanup of its file")),
                    Some(outcome) if !EXPECTED.contains(&outcome.status) => {
                        return Err(format!("a request ended with {}", Status(outcome.status)));
                    }
                    Some(_) => {}
                }
            }
        }
        Ok(())
    }
}

impl End {
    /// Closes the handle, if it is open.
    fn kill(&self) {
        let file = locked(&self.file).take();
        drop(file);
    }

    /// Cancels some request, if there is one, which then need not be waited for by this thread.
    fn cancel(&self, random: &mut fastrand::Rng) {
        let mut requests = locked(&self.requests);
        if requests.is_empty() {
            return;
        }
        let place = random.usize(..requests.len());
        let request = requests.swap_remove(place);
        // Nobody calls the kernel with the lock held.
        drop(requests);
        request.cancel();
        locked(&self.requests).push(request);
    }
}
