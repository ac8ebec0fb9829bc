//! The control codes of a stress run, as methods.

use protocol::{
    Endpoint, GroupReport, GroupRequest, Level, OpenReport, Outcome, Side, SideReport, SideRequest,
    StressCounters, StressRequest, VERSION, control,
};

use crate::status::SUCCESS;
use crate::{Client, Error};

/// An open stress run.
pub(super) struct Stress(Client);

impl Stress {
    /// Opens both adapters.
    pub(super) fn open(
        client: Client,
        near: Endpoint,
        far: Endpoint,
        connections: u32,
        short: bool,
    ) -> Result<Self, Error> {
        let request =
            StressRequest { version: VERSION, connections, shortage: short.into(), reserved: 0, near, far };
        let report: OpenReport = client.call("open a stress run", control::OPEN_STRESS, &request)?;
        if report.status == SUCCESS {
            return Ok(Self(client));
        }
        let outcome = Some(Box::new(report.outcome));
        Err(Error::Status { what: "open a stress run", status: report.status, outcome })
    }

    pub(super) fn connect(&self, group: u32) -> Result<GroupReport, Error> {
        let request = GroupRequest { group, side: 0, level: 0, seed: 0 };
        self.0.call("connect a group", control::CONNECT_GROUP, &request)
    }

    /// Blocks until this side is stopped and everything of it is closed.
    pub(super) fn drive(&self, group: u32, side: Side, level: Level, seed: u32) -> Result<SideReport, Error> {
        let request = GroupRequest { group, side: side as u32, level: level as u32, seed };
        self.0.call("drive a group", control::DRIVE_GROUP, &request)
    }

    pub(super) fn counters(&self) -> Result<StressCounters, Error> {
        self.0.call("query the stress run", control::QUERY_STRESS, &[0_u8; 0])
    }

    pub(super) fn stop_side(&self, side: Side) -> Result<(), Error> {
        self.0.call("stop a side of the stress run", control::STOP_SIDE, &SideRequest { side: side as u32 })
    }

    pub(super) fn close_adapter(&self, side: Side) -> Result<(), Error> {
        self.0.call("close an adapter", control::CLOSE_ADAPTER, &SideRequest { side: side as u32 })
    }

    pub(super) fn close(self) -> Result<Outcome, Error> {
        self.0.call("close the stress run", control::CLOSE_STRESS, &[0_u8; 0])
    }
}
