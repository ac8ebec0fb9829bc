//! Choices between things that WSK and the transport may do as they like, from the seed of the machine.

#![forbid(unsafe_code)]

use ntsim_core::Settings;
use ntsim_core::per_machine::PerMachine;
use ntsim_core::sched::{SocketFaults, Transport};
use parking_lot::Mutex;

/// The generator of one machine.
struct Random(Mutex<fastrand::Rng>);

static RANDOM: PerMachine<Random> = PerMachine::new();

impl Default for Random {
    fn default() -> Self {
        let settings = Settings::current();
        let seed = settings.schedule.map_or(settings.sockets.seed, |schedule| schedule.seed);
        Self(Mutex::new(fastrand::Rng::with_seed(seed ^ 0x57_53_4B)))
    }
}

/// A number below `count`, which is not zero; 0 where the host's sockets are used, whose time is not the machine's.
pub(super) fn choose(count: usize) -> usize {
    if Settings::current().sockets.transport == Transport::Host {
        return 0;
    }
    RANDOM.get().0.lock().usize(..count)
}

/// Returns whether a fault strikes that so many of a thousand operations meet.
pub(super) fn strikes(fault: impl Fn(&SocketFaults) -> u16) -> bool {
    let rate = fault(&Settings::current().sockets.faults);
    rate > 0 && choose(1000) < usize::from(rate)
}
