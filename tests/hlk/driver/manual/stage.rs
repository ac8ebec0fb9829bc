//! The connection of a manual end.

use protocol::{PRIVATE_DATA, StepReport, StepRequest};
use sys::ndk::{NDK_CONNECTOR, NDK_LISTENER};
use sys::status::{NTSTATUS, STATUS_INVALID_DEVICE_STATE, STATUS_IO_TIMEOUT, STATUS_SUCCESS};

use crate::ndk::{Address, Handle, Inside, ReadLimits};
use crate::number::usize_from;
use crate::pair::{self, QpSet, READS};
use crate::test_context::TestContext;

/// The stages of an end, in their order.
pub(super) enum Stage<'l> {
    /// It has neither connected nor listened.
    Made,
    Listening(Handle<'l, NDK_LISTENER>),
    Connected(Handle<'l, NDK_CONNECTOR>),
    /// This side has disconnected.
    Left,
}

impl<'l> Stage<'l> {
    /// Connects to a peer.
    ///
    /// # Errors
    /// `STATUS_INVALID_DEVICE_STATE` at another stage, or the status of what failed.
    pub(super) fn connect(
        &mut self,
        test: &TestContext<'l>,
        queues: &QpSet<'l>,
        request: &StepRequest,
        report: &mut StepReport,
    ) -> Result<(), NTSTATUS> {
        let Self::Made = self else { return Err(STATUS_INVALID_DEVICE_STATE) };
        let connector = test.near.create_connector()?;
        let (from, to) = (Address::of(&test.near_end), Address::of(&request.end));
        connector.connect(queues.qp, &from, &to, READS, data(request), Inside::Nothing)?.wait()?;
        tell_data(connector, report);
        connector.complete_connect(Inside::Nothing)?.wait()?;
        self.connected(connector, queues);
        Ok(())
    }

    /// Listens.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub(super) fn listen(&mut self, test: &TestContext<'l>, report: &mut StepReport) -> Result<(), NTSTATUS> {
        let Self::Made = self else { return Err(STATUS_INVALID_DEVICE_STATE) };
        let listener = pair::listen(test)?;
        let (status, local) = listener.local_address();
        if status != STATUS_SUCCESS {
            return Err(status);
        }
        report.end = local;
        *self = Self::Listening(listener);
        Ok(())
    }

    /// Accepts the next peer, and no other one after it.
    ///
    /// # Errors
    /// As [`connect`](Self::connect), and `STATUS_IO_TIMEOUT` if none came.
    pub(super) fn accept(
        &mut self,
        test: &TestContext<'l>,
        queues: &QpSet<'l>,
        request: &StepRequest,
        report: &mut StepReport,
    ) -> Result<(), NTSTATUS> {
        let Self::Listening(listener) = self else { return Err(STATUS_INVALID_DEVICE_STATE) };
        let call_log = test.call_log();
        let offer = call_log.take_offer_within(listener.object(), request.milliseconds);
        let connector = Handle::new(call_log, offer.ok_or(STATUS_IO_TIMEOUT)?);
        listener.control_connect_events(true);
        tell_data(connector, report);
        report.end = connector.peer_address().1;
        connector.accept(queues.qp, READS, data(request), Inside::Nothing)?.wait()?;
        self.connected(connector, queues);
        Ok(())
    }

    fn connected(&mut self, connector: Handle<'l, NDK_CONNECTOR>, queues: &QpSet<'l>) {
        // A disconnect of the peer flushes nothing (WR-7): its event has to end the waits.
        connector.object().wakes(queues.cq.object());
        *self = Self::Connected(connector);
    }

    /// Returns whether the peer has disconnected.
    pub(super) fn peer_has_gone(&self) -> bool {
        match self {
            Self::Connected(connector) => connector.object().events() > 0,
            Self::Made | Self::Listening(_) | Self::Left => false,
        }
    }

    /// Waits for the peer to disconnect; says whether it has.
    ///
    /// # Errors
    /// `STATUS_INVALID_DEVICE_STATE` without a connection.
    pub(super) fn peer_leaves(&self, milliseconds: u32) -> Result<bool, NTSTATUS> {
        let Self::Connected(connector) = self else { return Err(STATUS_INVALID_DEVICE_STATE) };
        Ok(self.peer_has_gone() || connector.object().event_within(milliseconds))
    }

    /// Disconnects.
    ///
    /// # Errors
    /// `STATUS_INVALID_DEVICE_STATE` without a connection, or the status of the disconnect.
    pub(super) fn disconnect(&mut self) -> Result<(), NTSTATUS> {
        let Self::Connected(connector) = self else { return Err(STATUS_INVALID_DEVICE_STATE) };
        let disconnecting = connector.disconnect(Inside::Nothing)?;
        *self = Self::Left;
        disconnecting.wait()
    }
}

/// The private data that a step sends.
fn data(request: &StepRequest) -> &[u8] {
    request.data.get(..usize_from(request.data_length)).unwrap_or(&request.data)
}

/// Tells the private data of a peer, as much of it as fits.
fn tell_data(connector: Handle<'_, NDK_CONNECTOR>, report: &mut StepReport) {
    let mut limits = ReadLimits { inbound: 0, outbound: 0 };
    // A buffer that is too short gets what fits, and the length that is needed; one without data stays empty.
    let (_status, length) = connector.connection_data(&mut report.data, &mut limits);
    report.data_length = length.min(u32::try_from(PRIVATE_DATA).unwrap_or(u32::MAX));
}
