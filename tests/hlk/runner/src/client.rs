//! A handle to the harness driver.

use std::sync::Arc;

use protocol::{
    ChunkRequest, CloseRequest, Endpoint, Level, Link, Operation, Outcome, Scenario, ScenarioReport,
    ScenarioRequest, SessionCounters, SessionReport, SessionRequest, VERSION, control,
};
use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::status::SUCCESS;
use crate::{Completion, Device, Error, Host};

/// An open handle to ndkhlk.sys.
#[derive(Clone, Debug)]
pub struct Client {
    device: Arc<dyn Device>,
}

impl Client {
    /// Opens the harness driver's device.
    ///
    /// # Errors
    /// The status of the open.
    pub fn open(host: &impl Host) -> Result<Self, Error> {
        host.open().map(Self::on)
    }

    /// A client with a handle that is open already.
    #[must_use]
    pub const fn on(device: Arc<dyn Device>) -> Self {
        Self { device }
    }

    /// Opens both adapters and connects them.
    ///
    /// # Errors
    /// The status with which it failed, and what was seen until everything was closed again.
    pub fn open_session(self, near: Endpoint, far: Endpoint, chunk_length: u32) -> Result<Session, Error> {
        let request = SessionRequest { version: VERSION, chunk_length, near, far };
        let report: SessionReport = self.call("open a session", control::OPEN_SESSION, &request)?;
        if report.status != SUCCESS {
            return Err(Error::Status {
                what: "open a session",
                status: report.status,
                outcome: Some(Box::new(report.outcome)),
            });
        }
        Ok(Session { client: self, report })
    }

    /// Runs a scenario over adapters whose connections go over `link`.
    ///
    /// # Errors
    /// The status of the request; that of the scenario is in the report.
    pub fn run_scenario(
        &self,
        scenario: Scenario,
        level: Level,
        link: Link,
        near: Endpoint,
        far: Endpoint,
    ) -> Result<ScenarioReport, Error> {
        let request = ScenarioRequest {
            version: VERSION,
            scenario: scenario as u32,
            level: level as u32,
            link: link as u32,
            near,
            far,
        };
        self.call("run a scenario", control::RUN_SCENARIO, &request)
    }

    pub(crate) fn control(&self, code: u32, input: &[u8], output: &mut [u8]) -> Completion {
        self.device.control(code, input, output)
    }

    pub(crate) fn call<T: FromBytes + IntoBytes>(
        &self,
        what: &'static str,
        code: u32,
        request: &(impl IntoBytes + Immutable),
    ) -> Result<T, Error> {
        let mut reply = T::new_zeroed();
        let outcome = self.control(code, request.as_bytes(), reply.as_mut_bytes());
        let size = size_of::<T>();
        match (outcome.status, outcome.information) {
            (SUCCESS, information) if information == size => Ok(reply),
            (SUCCESS, arrived) => Err(Error::Short { what, arrived, sent: size }),
            (status, _) => Err(Error::Status { what, status, outcome: None }),
        }
    }
}

/// An open session.
#[derive(Clone, Debug)]
pub struct Session {
    pub(crate) client: Client,
    pub(crate) report: SessionReport,
}

impl Session {
    /// The limits that the adapters reported, and the longest chunk.
    pub fn report(&self) -> &SessionReport {
        &self.report
    }

    /// Gives a chunk to the near adapter; returns when it has left.
    ///
    /// # Errors
    /// The status with which it failed.
    pub fn transmit(&self, operation: Operation, chunk: &mut [u8]) -> Result<(), Error> {
        self.move_chunk("transmit", control::TRANSMIT, operation, chunk)
    }

    /// Takes a chunk from the far adapter; returns when it has arrived.
    ///
    /// # Errors
    /// The status with which it failed.
    pub fn collect(&self, operation: Operation, chunk: &mut [u8]) -> Result<(), Error> {
        self.move_chunk("collect", control::COLLECT, operation, chunk)
    }

    fn move_chunk(
        &self,
        what: &'static str,
        code: u32,
        operation: Operation,
        chunk: &mut [u8],
    ) -> Result<(), Error> {
        let request = ChunkRequest { operation: operation as u32, length: chunk.len() as u32 };
        let outcome = self.client.control(code, request.as_bytes(), chunk);
        if outcome.status != SUCCESS {
            return Err(Error::Status { what, status: outcome.status, outcome: None });
        }
        if outcome.information != chunk.len() {
            return Err(Error::Short { what, arrived: outcome.information, sent: chunk.len() });
        }
        Ok(())
    }

    /// The session's counters up to now.
    ///
    /// # Errors
    /// The status of the request.
    pub fn counters(&self) -> Result<SessionCounters, Error> {
        self.client.call("query the session", control::QUERY_SESSION, &[0_u8; 0])
    }

    /// Closes every object in the hardest order, from `level`, then both adapters.
    ///
    /// # Errors
    /// The status of the request; what the closes came to is in the outcome.
    pub fn close(self, level: Level) -> Result<Outcome, Error> {
        let request = CloseRequest { level: level as u32 };
        self.client.call("close the session", control::CLOSE_SESSION, &request)
    }
}
