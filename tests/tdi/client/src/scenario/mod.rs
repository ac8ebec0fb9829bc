//! Actions of several clients at once, and what must hold then: scenarios that make sense under any schedule.
//!
//! Each is played on a machine of its own, by threads of that machine, which wait by its means alone; so a
//! machine with a [`Schedule`](ntsim::sched::Schedule) decides on all orders, and one without leaves them to
//! the host. Beside what a scenario itself looks at, the simulator holds the driver to its rules: every
//! request completes once, and none refers to a file when its cleanup has completed.

mod connecting;
mod datagrams;
mod disconnecting;
mod ending;
mod handling;
mod opening;
mod racing;
mod returning;
mod stress;

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;

use ntsim::sched::{self, Irql};
use sys::status::STATUS_SHARING_VIOLATION;

use crate::violation::{Violation, one_of};
use crate::{Fixture, Pair};

/// The address that connects; the port is picked.
pub const NEAR: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 12)), 0);
/// The address that is connected to.
pub const FAR: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 13)), 139);

/// The body of a scenario.
type Body = fn(&ScenarioContext<'_>) -> Result<(), Violation>;

macro_rules! scenarios {
    ($($(#[$about:meta])+ $name:ident: $body:path;)+) => {
        /// The clients' actions.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub enum Scenario {
            $($(#[$about])+ $name,)+
            /// Two clients with a thousand connections each, killed at random points. It takes a second.
            Thousand,
        }

        impl Scenario {
            /// All that are over in some milliseconds.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            fn body(self) -> Body {
                match self {
                    $(Self::$name => $body,)+
                    Self::Thousand => stress::thousand,
                }
            }
        }
    };
}

scenarios! {
    /// Requests of every type are sent to files while another thread closes these.
    CleanupRacesRequests: racing::requests;
    /// Requests are cancelled while their file is closed.
    CleanupRacesCancels: racing::cancels;
    /// Both ends of a connection are closed at once.
    CleanupOfBothEnds: racing::both_ends;
    /// Two handles of one file are closed at once, while requests are sent to it.
    CleanupRacesHandles: racing::handles;
    /// Everything that waits completes in its order before the cleanup does.
    CleanupInOrder: ending::in_order;
    /// A handle more puts the cleanup off, a reference only the close.
    CleanupOfTheLast: ending::the_last;
    /// Addresses go before their connections, after them, and meanwhile.
    CleanupOfAddresses: ending::addresses;
    /// A process goes without a word, and there may be no memory.
    ExitingProcess: ending::exit;
    /// Files are closed, and their address is opened anew, while the link is still on its way out.
    CloseWhileLinkGoes: ending::link_goes;
    /// The last adapter goes under its clients.
    AdapterGoes: ending::adapter_goes;
    /// An adapter, or its address, goes and returns under clients, of which one opens the address anew; and what
    /// failed is tried again.
    AdapterReturns: returning::adapter;
    /// Clients open and close one address, each of which shares it with some of the others.
    OpensRace: opening::races;
    /// A connect meets a listen that is closed, cancelled, or never accepted.
    ConnectRaces: connecting::races;
    /// Both ends disconnect, in any way, in any order.
    DisconnectRaces: disconnecting::races;
    /// An abort overtakes a release that waits for its sends.
    DisconnectOvertakes: disconnecting::overtakes;
    /// No handler runs when the cleanup of its address has returned.
    HandlerRacesCleanup: handling::cleanup;
    /// A handler that is told of a disconnect disconnects.
    HandlerDisconnects: handling::disconnect_inside;
    /// Datagrams are sent, received and given up while their addresses are closed.
    DatagramsRaceCleanup: datagrams::cleanup;
    /// A few connections, killed at random points.
    Stress: stress::few;
}

impl Scenario {
    /// Plays it.
    ///
    /// # Errors
    ///
    /// The violation.
    pub fn play(self, context: &ScenarioContext<'_>) -> Result<(), Violation> {
        self.body()(context)?;
        // With the last adapter the device goes.
        if self == Self::AdapterGoes { Ok(()) } else { await_free(context.fixture) }
    }
}

/// The machine, the level and the seed of one run of a scenario.
#[derive(Debug)]
pub struct ScenarioContext<'b> {
    /// The machine.
    pub fixture: &'b Fixture,
    /// The level that requests are sent from.
    pub level: Irql,
    /// The seed of random choices.
    pub seed: u64,
}

impl ScenarioContext<'_> {
    /// A connection between [`NEAR`] and [`FAR`].
    fn pair(&self) -> Result<Pair, Violation> {
        Ok(self.fixture.pair(NEAR, FAR)?)
    }

    fn random(&self) -> fastrand::Rng {
        fastrand::Rng::with_seed(self.seed)
    }

    /// Sends requests, in any case from the context's level.
    fn send<R>(&self, requests: impl FnOnce() -> R) -> R {
        at(self.level, requests)
    }
}

/// Waits until the far port is free: a connection keeps it until its link has gone, which may be after its
/// file's close.
///
/// # Errors
///
/// If the port can't be had for another reason.
pub fn await_free(fixture: &Fixture) -> Result<(), Violation> {
    while let Err(status) = fixture.exclusive(FAR) {
        one_of("opening the address", status.0, &[STATUS_SHARING_VIOLATION])?;
        sched::block(Some(Duration::from_millis(1)));
    }
    Ok(())
}

/// Runs `f` at a level.
pub fn at<R>(level: Irql, f: impl FnOnce() -> R) -> R {
    let before = sched::raise(level);
    let result = f();
    sched::lower(before);
    result
}
