//! What a port counts (NDIS-4).

use crate::sync::{AtomicU64, Ordering};

/// The counters of a port at one moment, named as in NDIS_NDK_PERFORMANCE_COUNTERS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Connections established by connecting.
    pub connect: u64,
    /// Connections established by accepting.
    pub accept: u64,
    /// Connects that did not come about.
    pub connect_failure: u64,
    /// Connections that broke.
    pub connection_error: u64,
    /// Connections that exist now.
    pub active_connection: u64,
    /// Completion queues that overflowed.
    pub cq_error: u64,
    /// Bytes received by this port.
    pub in_octets: u64,
    /// Bytes sent by this port.
    pub out_octets: u64,
    /// Messages received by this port.
    pub in_frames: u64,
    /// Messages sent by this port.
    pub out_frames: u64,
}

macro_rules! counters {
    ($($name:ident),*) => {
        /// The counters themselves.
        #[derive(Debug, Default)]
        pub(crate) struct Counters { $($name: AtomicU64,)* }

        impl Counters {
            /// All of them; each is exact, together they may be some events apart.
            pub(crate) fn read(&self) -> Statistics {
                Statistics { $($name: self.$name.load(Ordering::Relaxed),)* }
            }
        }
    };
}

counters!(
    connect,
    accept,
    connect_failure,
    connection_error,
    active_connection,
    cq_error,
    in_octets,
    out_octets,
    in_frames,
    out_frames
);

impl Counters {
    pub(crate) fn connected(&self) {
        self.connect.fetch_add(1, Ordering::Relaxed);
        self.active_connection.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn accepted(&self) {
        self.accept.fetch_add(1, Ordering::Relaxed);
        self.active_connection.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn disconnected(&self) {
        self.active_connection.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn connect_failure(&self) {
        self.connect_failure.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn connection_error(&self) {
        self.connection_error.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn cq_error(&self) {
        self.cq_error.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn sent(&self, bytes: u64) {
        self.out_octets.fetch_add(bytes, Ordering::Relaxed);
        self.out_frames.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn received(&self, bytes: u64) {
        self.in_octets.fetch_add(bytes, Ordering::Relaxed);
        self.in_frames.fetch_add(1, Ordering::Relaxed);
    }
}
