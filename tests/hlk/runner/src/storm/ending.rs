//! The endings of a storm: the reason for which the consumer closes.

use std::thread;
use std::time::{Duration, Instant};

use ntsim::io::Status;
use ntsim::ndis::Adapter;
use protocol::Endpoint;
use sys::ndis::OID_NDK_SET_STATE;

use super::PATIENCE;
use crate::{Error, Fixture};

/// Why the consumer closes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ending {
    /// It wants to.
    Closed,
    /// RDMA is disabled on the far adapter by OID_NDK_SET_STATE.
    Disabled,
    /// The far adapter's device vanishes.
    Removed,
    /// The far adapter is halted.
    Halted,
}

impl Ending {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Closed, Self::Disabled, Self::Removed, Self::Halted];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed by the consumer",
            Self::Disabled => "disabled by OID_NDK_SET_STATE",
            Self::Removed => "surprise-removed",
            Self::Halted => "halted",
        }
    }

    /// Returns whether it takes the far adapter away, and leaves the near one to itself.
    pub(super) fn takes_adapter(self) -> bool {
        self != Self::Closed
    }

    /// Brings it about, and has the consumer `close` its side of the far adapter when it hears of it. Returns
    /// when the far adapter has come to rest.
    pub(super) fn run(
        self,
        fixture: &Fixture,
        far: Endpoint,
        close: impl FnOnce() -> Result<(), Error>,
    ) -> Result<(), Error> {
        let gone =
            |status: Status| Error::Status { what: "take the adapter away", status: status.0, outcome: None };
        let adapter = fixture.machine().adapter(far.if_index).ok_or(Error::Late("the far adapter"))?;
        match self {
            Self::Closed => close(),
            Self::Disabled => {
                let disabled = adapter.set(OID_NDK_SET_STATE, &[0]).map(drop).map_err(gone);
                let heard = disabled.and_then(|()| await_state(&adapter, false));
                close().and(heard)
            }
            Self::Removed | Self::Halted => thread::scope(|scope| {
                let going = scope.spawn(|| {
                    let _attached = ntsim::sched::attach("plug and play");
                    if self == Self::Removed { adapter.surprise_remove() } else { adapter.halt() }
                });
                let heard = await_state(&adapter, false);
                let closed = close();
                let went = going.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                heard.and(closed).and(went.map_err(gone))
            }),
        }
    }

    /// Brings the far adapter back.
    pub(super) fn undo(self, fixture: &mut Fixture, far: Endpoint) -> Result<(), Error> {
        match self {
            Self::Closed => Ok(()),
            Self::Disabled => {
                let adapter =
                    fixture.machine().adapter(far.if_index).ok_or(Error::Late("the far adapter"))?;
                adapter.set(OID_NDK_SET_STATE, &[1]).map_err(|status| Error::Status {
                    what: "enable RDMA",
                    status: status.0,
                    outcome: None,
                })?;
                await_state(&adapter, true)
            }
            Self::Removed | Self::Halted => fixture.start_adapters(),
        }
    }
}

/// Waits until RDMA is, or is not, enabled: what a consumer is told.
fn await_state(adapter: &Adapter, enabled: bool) -> Result<(), Error> {
    let began = Instant::now();
    while adapter.is_ndk_enabled() != enabled {
        if began.elapsed() > PATIENCE {
            return Err(Error::Late("the change of the RDMA state"));
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}
