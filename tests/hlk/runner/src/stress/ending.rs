//! The endings of a stress: the reason for which the consumer closes.

use std::thread;

use protocol::Endpoint;

use crate::Error;
use crate::host::{Host, await_rdma};

/// The reason for which the consumer closes.
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
        host: &impl Host,
        far: Endpoint,
        close: impl FnOnce() -> Result<(), Error>,
    ) -> Result<(), Error> {
        let adapter = host.control(far.if_index)?;
        match self {
            Self::Closed => close(),
            Self::Disabled => {
                let heard = adapter.set_rdma(false).and_then(|()| await_rdma(&*adapter, false));
                close().and(heard)
            }
            Self::Removed | Self::Halted => thread::scope(|scope| {
                let going =
                    scope.spawn(|| if self == Self::Removed { adapter.remove() } else { adapter.disable() });
                let heard = await_rdma(&*adapter, false);
                let closed = close();
                let went = going.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                heard.and(closed).and(went)
            }),
        }
    }

    /// Brings the far adapter back.
    pub(super) fn undo(self, host: &mut impl Host, far: Endpoint) -> Result<(), Error> {
        match self {
            Self::Closed => Ok(()),
            Self::Disabled => {
                let adapter = host.control(far.if_index)?;
                adapter.set_rdma(true)?;
                await_rdma(&*adapter, true)
            }
            Self::Removed | Self::Halted => host.enable(far.if_index),
        }
    }
}
