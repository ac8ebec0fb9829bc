//! What happened over the legacy path, for people and for machines.

use core::time::Duration;
use std::net::IpAddr;

use indicatif::BinaryBytes;
use ntsim::io::{Function, Statistics};
use runner::transfer::Transfer;
use serde::Serialize;
use sys::tdi;
use sys::wdm::{
    IRP_MJ_CLEANUP, IRP_MJ_CLOSE, IRP_MJ_CREATE, IRP_MJ_DEVICE_CONTROL, IRP_MJ_INTERNAL_DEVICE_CONTROL,
};
use tdi_client::transfer::Way;

use super::super::figures::{Phase, PoolLeft, hex, line, list, rate, speed};
use super::super::options::{Route, Source};
use crate::failure::Failure;

/// What a way across is called.
pub(super) const fn name(way: Way) -> &'static str {
    match way {
        Way::Requests => "receive requests",
        Way::Events => "receive events",
    }
}

/// What a kind of request is called.
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
        (IRP_MJ_INTERNAL_DEVICE_CONTROL, tdi::TDI_SET_EVENT_HANDLER) => "set event handler",
        _ => "other",
    }
}

/// Everything that a run has to tell.
#[derive(Serialize)]
pub(super) struct Report {
    /// Whether only the JSON is to be printed.
    #[serde(skip)]
    json: bool,
    file: String,
    bytes: u64,
    near: IpAddr,
    far: IpAddr,
    port: u16,
    phases: Vec<Phase>,
    crossings: Vec<Crossing>,
    requests: Vec<Requests>,
    /// How often a client asked for a request to be given up.
    cancels: u64,
    verifier_findings: Vec<String>,
    pool_left: PoolLeft,
    pub(super) peak_resident_bytes: Option<u64>,
    pub(super) error: Option<String>,
    passed: bool,
}

/// One way across.
#[derive(Serialize)]
struct Crossing {
    way: &'static str,
    /// With reading and hashing.
    seconds: f64,
    bytes_per_second: Option<f64>,
    sha256_sent: String,
    sha256_arrived: String,
    intact: bool,
}

/// How the requests of one kind went.
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
            json,
            file: source.path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            bytes: source.length,
            near: route.near,
            far: route.far,
            port: route.port,
            phases: Vec::new(),
            crossings: Vec::new(),
            requests: Vec::new(),
            cancels: 0,
            verifier_findings: Vec::new(),
            pool_left: PoolLeft::default(),
            peak_resident_bytes: None,
            error: None,
            passed: false,
        }
    }

    /// A phase without data is over.
    pub(super) fn phase(&mut self, name: &'static str, took: Duration) {
        if !self.json {
            if self.phases.is_empty() {
                let Self { file, bytes, near, far, .. } = &*self;
                println!("\n{file} ({}), {near} to {far} by TDI", BinaryBytes(*bytes));
                println!("\n  {:<18}{:>12}{:>15}", "phase", "time", "rate");
            }
            println!("  {name:<18}{:>10.3} s", took.as_secs_f64());
        }
        self.phases.push(Phase { name, seconds: took.as_secs_f64() });
    }

    /// The file is across.
    pub(super) fn crossed(&mut self, way: Way, moved: &Transfer) {
        let seconds = moved.time.as_secs_f64();
        let crossing = Crossing {
            way: name(way),
            seconds,
            bytes_per_second: rate(moved.bytes, seconds),
            sha256_sent: hex(&moved.sent),
            sha256_arrived: hex(&moved.arrived),
            intact: moved.sent == moved.arrived,
        };
        if !self.json {
            let verdict = if crossing.intact { "" } else { "  BYTES DIFFER" };
            let speed = speed(crossing.bytes_per_second);
            println!("  {:<18}{seconds:>10.3} s{speed:>15}{verdict}", crossing.way);
        }
        self.crossings.push(crossing);
    }

    /// The machine is shut down.
    pub(super) fn found(&mut self, report: &ntsim::Report) {
        let Statistics { requests, cancels, in_flight_at_cleanup } = &report.io;
        let count = |(function, tally): (&Function, &ntsim::io::Tally)| Requests {
            name: request_name(*function),
            completed: tally.completed(),
            succeeded: tally.succeeded,
            cancelled: tally.cancelled,
            failed: tally.failed,
            in_flight_at_cleanup: in_flight_at_cleanup.get(function).copied().unwrap_or(0),
        };
        self.requests = requests.iter().map(count).collect();
        self.cancels = *cancels;
        self.verifier_findings = report.findings.iter().map(ToString::to_string).collect();
        self.pool_left = PoolLeft::new(report);
    }

    /// Whether every byte matched, every file went as tabled and nothing was found.
    pub(super) fn passed(&self) -> bool {
        self.error.is_none()
            && self.crossings.len() == super::WAYS.len()
            && self.crossings.iter().all(|crossing| crossing.intact)
            && self.verifier_findings.is_empty()
            && self.pool_left.is_empty()
    }

    /// Prints the whole as JSON, or for people what is not on the screen yet.
    pub(super) fn print(&mut self) -> Result<(), Failure> {
        self.passed = self.passed();
        if self.json {
            let text =
                serde_json::to_string_pretty(self).map_err(|error| Failure::work(error.to_string()))?;
            println!("{text}");
        } else {
            self.print_requests();
            self.print_summary();
        }
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
        if let Some(hash) = self.crossings.first().map(|crossing| &crossing.sha256_sent) {
            line("SHA-256", hash.clone());
        }
        let intact = self.crossings.iter().filter(|crossing| crossing.intact).count();
        line("arrived intact", format!("{intact} of {}", super::WAYS.len()));
        line("cancels", self.cancels.to_string());
        if let Some(peak) = self.peak_resident_bytes {
            line("memory", format!("{} resident at most", BinaryBytes(peak)));
        }
        list("verifier found", &self.verifier_findings);
        line("pool left", self.pool_left.to_string());
        if let Some(error) = &self.error {
            line("ended early", error.clone());
        }
    }
}
