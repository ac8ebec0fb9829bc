//! The context of a test: two open adapters, the memory and the work requests of the test, and how all
//! of it is taken down, whatever state the test left it in.

use alloc::boxed::Box;

use protocol::{Difference, Endpoint, Kind, Level, Link, Outcome, Scenario};
use sys::ndk::{NDK_ADAPTER, NDK_VERSION};
use sys::status::{NTSTATUS, STATUS_IO_TIMEOUT};

use crate::buffer::Buffer;
use crate::call_log::{CallLog, Object};
use crate::heap::{List, try_box};
use crate::ndk::Handle;
use crate::work::Work;
use crate::wsk::Provider;

/// The state that outlives the adapters, because the provider may use it until they are closed.
pub(crate) struct TestState {
    pub(crate) call_log: CallLog,
    pub(crate) provider: Provider,
    buffers: List<Buffer>,
    works: List<Work>,
}

/// In which order what a test left open is closed.
const HARDEST_FIRST: [Kind; 9] = [
    Kind::Cq,
    Kind::Pd,
    Kind::Srq,
    Kind::Listener,
    Kind::SharedEndpoint,
    Kind::Qp,
    Kind::Mr,
    Kind::Mw,
    Kind::Connector,
];

impl TestState {
    /// Captures WSK for a test whose NDK calls come from `level`.
    pub(crate) fn set_up(level: Level) -> Result<Box<Self>, NTSTATUS> {
        try_box(Self {
            call_log: CallLog::new(level),
            provider: Provider::capture()?,
            buffers: List::new(),
            works: List::new(),
        })
    }

    /// Closes what is open, antecedents first, then the adapters, and sums up.
    ///
    /// If a close does not complete, the adapters stay open, since closing them would wait for ever, and
    /// the memory that the provider may still use stays allocated: both are findings elsewhere too.
    pub(crate) fn take_down(self: Box<Self>) -> Result<Box<Outcome>, NTSTATUS> {
        let closed = self.close_objects(|object| object.kind() != Kind::Adapter);
        if closed {
            for adapter in self.call_log.objects().filter(|object| object.kind() == Kind::Adapter) {
                self.provider.close(adapter);
            }
        }
        let outcome = if closed { self.call_log.audit() } else { self.call_log.sum_up(Outcome::NONE) };
        if !closed {
            Box::leak(self);
        }
        try_box(outcome)
    }

    /// Closes what is open on one adapter, antecedents first, and then the adapter; others may go on using
    /// the other one.
    ///
    /// # Errors
    /// `STATUS_IO_TIMEOUT` when a close does not complete; the adapter then stays open.
    pub(crate) fn close_adapter(&self, adapter: Handle<'_, NDK_ADAPTER>) -> Result<(), NTSTATUS> {
        let adapter = adapter.object();
        if !self.close_objects(|object| object.descends_from(adapter)) {
            return Err(STATUS_IO_TIMEOUT);
        }
        self.provider.close(adapter);
        Ok(())
    }

    /// Closes those objects that `which` admits, and waits for it; says whether it came to an end.
    fn close_objects(&self, which: impl Fn(&Object) -> bool) -> bool {
        // A listener may offer a connector until it is closed.
        while self.call_log.objects().any(|object| which(object) && object.is_open()) {
            for kind in HARDEST_FIRST {
                self.call_log
                    .objects()
                    .filter(|object| object.kind() == kind && which(object))
                    .for_each(|object| object.close());
            }
        }
        self.call_log
            .objects()
            .filter(|object| which(object) && !object.pointer().is_null())
            .all(|object| object.wait_closed())
    }
}

/// Two open adapters.
#[derive(Clone, Copy)]
pub(crate) struct TestContext<'l> {
    test_state: &'l TestState,
    pub(crate) near: Handle<'l, NDK_ADAPTER>,
    pub(crate) far: Handle<'l, NDK_ADAPTER>,
    /// The address that connects.
    pub(crate) near_end: Endpoint,
    /// The address and port that is listened on.
    pub(crate) far_end: Endpoint,
    /// The scenario that is played, and the way of its connections.
    played: Option<(Scenario, Link)>,
}

impl<'l> TestContext<'l> {
    /// Opens both adapters.
    pub(crate) fn open(
        test_state: &'l TestState,
        near_end: Endpoint,
        far_end: Endpoint,
    ) -> Result<Self, NTSTATUS> {
        let (call_log, provider) = (&test_state.call_log, &test_state.provider);
        let near = provider.open(call_log, near_end.if_index)?;
        let far = provider.open(call_log, far_end.if_index)?;
        Ok(Self { test_state, near, far, near_end, far_end, played: None })
    }

    /// The same, for a scenario whose connections go over `link`.
    pub(crate) const fn of(self, scenario: Scenario, link: Link) -> Self {
        Self { played: Some((scenario, link)), ..self }
    }

    /// Returns whether the scenario sees a difference: over TCP, those that it is listed for.
    pub(crate) fn differs(&self, by: Difference) -> bool {
        self.played.is_some_and(|(scenario, link)| by.is_seen_by(scenario, link))
    }

    /// Opens one adapter, whose peers are in other machines: it is both, and listens and connects at one address.
    pub(crate) fn alone(test_state: &'l TestState, own: Endpoint) -> Result<Self, NTSTATUS> {
        let (call_log, provider) = (&test_state.call_log, &test_state.provider);
        call_log.expect_far_peer();
        let adapter = provider.open(call_log, own.if_index)?;
        Ok(Self {
            test_state,
            near: adapter,
            far: adapter,
            near_end: own.with_port(0),
            far_end: own,
            played: None,
        })
    }

    /// Opens the near adapter once more, as this version of the interface.
    ///
    /// # Errors
    /// The status of the open.
    pub(crate) fn open_as(&self, version: NDK_VERSION) -> Result<Handle<'l, NDK_ADAPTER>, NTSTATUS> {
        self.test_state.provider.open_as(self.call_log(), self.near_end.if_index, version)
    }

    /// Opens the adapter of one of the two ends once more.
    ///
    /// # Errors
    /// The status of the open.
    pub(crate) fn open_again(&self, end: &Endpoint) -> Result<Handle<'l, NDK_ADAPTER>, NTSTATUS> {
        self.test_state.provider.open(self.call_log(), end.if_index)
    }

    pub(crate) fn call_log(&self) -> &'l CallLog {
        &self.test_state.call_log
    }

    /// Memory that stays until the adapters are closed.
    pub(crate) fn buffer(&self, length: u32) -> Result<&'l Buffer, NTSTATUS> {
        self.test_state.buffers.push(Buffer::new(length)?)
    }

    /// As [`Self::buffer`], with a locked list.
    pub(crate) fn locked(&self, length: u32) -> Result<&'l Buffer, NTSTATUS> {
        self.test_state.buffers.push(Buffer::locked(length)?)
    }

    /// As [`Self::buffer`], with a chain of MDLs that describes the buffer so many times.
    pub(crate) fn repeated(&self, length: u32, times: u32) -> Result<&'l Buffer, NTSTATUS> {
        self.test_state.buffers.push(Buffer::repeated(length, times)?)
    }

    /// A work request's record, which stays until the adapters are closed.
    pub(crate) fn work(&self, step: &'static str) -> Result<&'l Work, NTSTATUS> {
        self.test_state.works.push(Work::new(step))
    }
}
