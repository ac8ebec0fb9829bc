//! The report of a run over the legacy transport, for people and for machines.

use core::time::Duration;

use ntsim::io::{Function, Statistics};
use runner::transfer::Transfer;
use serde::Serialize;
use sys::tdi;
use sys::wdm::{
    IRP_MJ_CLEANUP, IRP_MJ_CLOSE, IRP_MJ_CREATE, IRP_MJ_DEVICE_CONTROL, IRP_MJ_INTERNAL_DEVICE_CONTROL,
};
use tdi_client::transfer::Way;

use super::super::format::line;
use super::super::options::{Route, Source};
use super::super::run_report::{Pass, RunReport, print_json};
use crate::failure::CommandError;

/// The name of a way across.
pub(super) const fn name(way: Way) -> &'static str {
    match way {
        Way::Requests => "receive requests",
        Way::Events => "receive events",
    }
}

/// The name of a kind of request.
fn request_name((major, minor): Function) -> &'static str {
    match (major, minor) {
        (IRP_MJ_CREATE, _) => "create",
        (IRP_MJ_CLEANUP, _) => "cleanup",
        (IRP_MJ_CLOSE, _) => "close",
        (IRP_MJ_DEVICE_CONTROL, _) => "device control",
        (IRP_MJ_INTERNAL_DEVICE_CONTROL, tdi::TDI_ASSOCIATE_ADDRESS) => "associate",
        (IRP_MJ_INTERNAL_DEVICE_CONTROL, tdi::TDI_DISASSOCIATE_ADDRESS) => "disassociate",
        (IRP_MJ_INTERNAL_DEVICE_CONTROL, tdi::TDI_CONNECT) => "connect",
        (IRP_MJ_INTERNAL_DEVICE_CONTROL, tdi::TDI_LISTEN) => "listen",
        (IRP_MJ_INTERNAL_DEVICE_CONTROL, tdi::TDI_ACCEPT) => "accept",
        (IRP_MJ_INTERNAL_DEVICE_CONTROL, tdi::TDI_DISCONNECT) => "disconnect",
        (IRP_MJ_INTERNAL_DEVICE_CONTROL, tdi::TDI_SEND) => "send",
        (IRP_MJ_INTERNAL_DEVICE_CONTROL, tdi::TDI_RECEIVE) => "receive",
        (IRP_MJ_INTERNAL_DEVICE_CONTROL, tdi::TDI_SEND_DATAGRAM) => "send datagram",
        (IRP_MJ_INTERNAL_DEVICE_CONTROL, tdi::TDI_RECEIVE_DATAGRAM) => "receive datagram",
        (IRP_MJ_INTERNAL_DEVICE_CONTROL, tdi::TDI_SET_EVENT_HANDLER) => "set event handler",
        _ => "other",
    }
}

/// Everything that a run has to tell.
#[derive(Serialize)]
pub(super) struct Report {
    #[serde(flatten)]
    pub(super) run: RunReport,
    crossings: Vec<Crossing>,
    requests: Vec<Requests>,
    /// The number of cancelled requests.
    cancels: u64,
}

/// One way across.
#[derive(Serialize)]
struct Crossing {
    way: &'static str,
    #[serde(flatten)]
    pass: Pass,
}

/// The outcomes of the requests of one kind.
#[derive(Serialize)]
struct Requests {
    name: &'static str,
    completed: u64,
    succeeded: u64,
    cancelled: u64,
    failed: u64,
    in_flight_at_cleanup: u64,
}

impl Report {
    pub(super) fn new(source: &Source, route: Route, json: bool) -> Self {
        Self {
            run: RunReport::new(source, route, json),
            crossings: Vec::new(),
            requests: Vec::new(),
            cancels: 0,
        }
    }

    /// A phase without data is over.
    pub(super) fn phase(&mut self, name: &'static str, took: Duration) {
        self.run.phase(name, took, (" by TDI", ""));
    }

    /// The file is across.
    pub(super) fn crossed(&mut self, way: Way, moved: &Transfer) {
        let crossing = Crossing { way: name(way), pass: Pass::new(moved) };
        if !self.run.json {
            crossing.pass.print(crossing.way, "");
        }
        self.crossings.push(crossing);
    }

    /// The machine is shut down.
    pub(super) fn found(&mut self, report: &ntsim::Report) {
        let Statistics { requests, cancels, in_flight_at_cleanup } = &report.io;
        let count = |(function, counters): (&Function, &ntsim::io::RequestCounters)| Requests {
            name: request_name(*function),
            completed: counters.completed(),
            succeeded: counters.succeeded,
            cancelled: counters.cancelled,
            failed: counters.failed,
            in_flight_at_cleanup: in_flight_at_cleanup.get(function).copied().unwrap_or(0),
        };
        self.requests = requests.iter().map(count).collect();
        self.cancels = *cancels;
        self.run.found(report);
    }

    fn passes(&self) -> impl ExactSizeIterator<Item = &Pass> {
        self.crossings.iter().map(|crossing| &crossing.pass)
    }

    /// Returns whether every byte matched, every file went as tabled and nothing was found.
    pub(super) fn passed(&self) -> bool {
        self.run.passed(self.passes(), super::WAYS.len())
    }

    /// Prints the whole as JSON, or for people what is not on the screen yet.
    pub(super) fn print(&mut self) -> Result<(), CommandError> {
        self.run.conclude(self.passed());
        if self.run.json {
            return print_json(self);
        }
        self.print_requests();
        self.print_summary();
        Ok(())
    }

    fn print_requests(&self) {
        println!(
            "\n  {:<18}{:>10}{:>11}{:>11}{:>9}{:>22}",
            "request", "completed", "succeeded", "cancelled", "failed", "in flight at cleanup"
        );
        for Requests { name, completed, succeeded, cancelled, failed, in_flight_at_cleanup } in &self.requests
        {
            println!(
                "  {name:<18}{completed:>10}{succeeded:>11}{cancelled:>11}{failed:>9}\
                 {in_flight_at_cleanup:>22}"
            );
        }
    }

    fn print_summary(&self) {
        println!();
        self.run.print_arrivals(self.passes(), super::WAYS.len());
        line("cancels", self.cancels.to_string());
        self.run.print_memory();
        self.run.print_end();
    }
}
