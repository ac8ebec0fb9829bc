//! Two clients with many connections, killed at random points.
//!
//! Threads send requests of every type to endpoints, cancel some, and close handles without a word, each for
//! itself; so cleanups race with every request. What is random follows from a seed.

use core::time::Duration;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use ntsim::io::{File, Reference, StatusError};

use crate::Fixture;
use crate::any::any;
use crate::event::{self, Taken};
use crate::request::{self, Request};
use crate::together::{Body, together};
use crate::violation::{Violation, over, succeeds};

/// The size of a stress run.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Connections that there are when it begins.
    pub connections: usize,
    /// Threads.
    pub threads: usize,
    /// The number of actions of each thread, one after another.
    pub actions: usize,
    /// The most bytes of a send or receive.
    pub longest: usize,
    /// Requests may pend on their way to the driver, and reach it when their file has gone.
    pub pending: bool,
    /// The seed of random choices.
    pub seed: u64,
}

/// Longer than any request takes that was forced to pend.
const LATE: Duration = Duration::from_secs(60);

/// An endpoint of either client.
struct End {
    /// Its handle, until a thread closes it.
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
}

/// Makes the connections, acts on them at random, and closes what is left. When this returns, every request has
/// completed and every file is closed.
///
/// # Errors
///
/// The violation, for people.
///
/// # Panics
///
/// If the host has no more threads.
pub fn run(fixture: &Fixture, near: SocketAddr, far: SocketAddr, plan: Plan) -> Result<(), Violation> {
    let clients = Arc::new(connect(fixture, near, far, plan)?);
    let bodies = (0..plan.threads).map(|number| -> Body<()> {
        let (clients, mut random) = (Arc::clone(&clients), fastrand::Rng::with_seed(plan.seed));
        // Threads of one seed differ, too.
        (0..=number).for_each(|_| random = random.fork());
        Box::new(move || (0..plan.actions).for_each(|_| clients.act(plan, &mut random)))
    });
    ntsim::io::force_pending(plan.pending.then_some(plan.seed));
    together("client", bodies.collect());
    ntsim::io::force_pending(None);
    clients.end(plan)
}

fn connect(fixture: &Fixture, near: SocketAddr, far: SocketAddr, plan: Plan) -> Result<Clients, Violation> {
    let (near_address, far_address) = (fixture.address(near)?, fixture.address(far)?);
    watch(&near_address).and_then(|()| watch(&far_address))?;
    let mut ends = Vec::new();
    let mut making = Vec::new();
    for context in 0..plan.connections {
        let far_end = fixture.associated(&far_address, context)?;
        let near_end = fixture.associated(&near_address, context)?;
        making.push(request::listen(&far_end, 0));
        making.push(request::connect(&near_end, far));
        for file in [near_end, far_end] {
            let reference = file.reference();
            let (file, requests) = (Mutex::new(Some(file)), Mutex::default());
            ends.push(End { file, reference, requests });
        }
    }
    making.into_iter().try_for_each(|request| succeeds("a connect or listen of the stress run", request))?;
    let addresses = [near_address, far_address].map(|file| Mutex::new(Some(file)));
    Ok(Clients { ends, addresses, far })
}

/// Registers handlers: for data, of which half is taken, and those that are told something.
fn watch(address: &File) -> Result<(), StatusError> {
    event::on_receive(address, &|data: &[u8], _| Taken::bytes(data.len().div_ceil(2)))?;
    event::on_disconnect(address, &|_, _| ())?;
    event::on_send_possible(address, &|_| ())?;
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
            0..72 => {
                let request = any(&end.reference, self.far, longest, random);
                locked(&end.requests).push(request);
            }
            72..75 => self.associate(end, random),
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

    /// Moves an endpoint to one of the addresses, if both are there.
    fn associate(&self, end: &End, random: &mut fastrand::Rng) {
        let address = locked(&self.addresses[random.usize(..2)]).clone();
        if let Some(address) = address {
            request::disassociate(&end.reference);
            request::associate(&end.reference, &address);
        }
    }

    /// Closes what is left, and looks at what became of the requests.
    fn end(&self, plan: Plan) -> Result<(), Violation> {
        self.ends.iter().for_each(End::kill);
        self.addresses.iter().for_each(|address| drop(locked(address).take()));
        self.ends.iter().try_for_each(|end| {
            let requests = core::mem::take(&mut *locked(&end.requests));
            if plan.pending {
                // Some are on their way to the driver, which has not seen them yet.
                requests.iter().for_each(|request| _ = request.wait_for(LATE));
            }
            over(&requests)
        })
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
        // The kernel is not called with the lock held.
        drop(requests);
        request.cancel();
        locked(&self.requests).push(request);
    }
}
