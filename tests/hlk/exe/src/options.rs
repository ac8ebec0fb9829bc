//! The command line.

use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;
use std::path::PathBuf;

use clap::{Args, Parser, ValueEnum};
use protocol::{Endpoint, Link};
use runner::command::{Format, Run};
use runner::{PORT, Selection, UnknownName};

/// Install the RDMA adapters and the harness, run it, and remove both. As administrator.
#[derive(Debug, Parser)]
#[command(name = "ndkhlk", version)]
#[cfg_attr(not(windows), allow(dead_code, reason = "what is asked for is done on Windows"))]
pub(crate) enum Command {
    /// Install the driver package, make two adapters with addresses of this machine's own, and load the harness driver.
    Install(Addresses),
    /// Print the scenarios with the rules that they put to the test, and the adapters.
    List,
    /// Run scenarios, all without a name, and then stress connections if asked for.
    Run(RunOptions),
    /// Measure operations beside a plain copy.
    Bench,
    /// Move data over the legacy transport, as a program.
    Tdi,
    /// Walk the chain of what has to be so that RDMA is operational.
    Diagnose,
    /// Put what a report needs into one archive: logs, events, connections, findings.
    Collect {
        /// The archive.
        #[arg(default_value = "ndkhlk-report.zip")]
        archive: PathBuf,
    },
    /// Remove the adapters, both drivers and the driver package.
    Remove,
}

/// The addresses of the adapters.
#[derive(Args, Debug)]
#[cfg_attr(not(windows), allow(dead_code, reason = "as above"))]
pub(crate) struct Addresses {
    /// The address of the first adapter; without one, both follow from what tells this machine from others.
    #[arg(long, value_name = "ADDRESS", requires = "far")]
    near: Option<Ipv4Addr>,
    /// The address of the second adapter, in the same network of four.
    #[arg(long, value_name = "ADDRESS", requires = "near")]
    far: Option<Ipv4Addr>,
}

impl Addresses {
    /// Both addresses, if they are given.
    #[cfg_attr(not(windows), allow(dead_code, reason = "as above"))]
    pub(crate) fn given(&self) -> Option<[Ipv4Addr; 2]> {
        Some([self.near?, self.far?])
    }
}

/// A level, as it is written.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Level {
    /// `PASSIVE_LEVEL`
    Passive,
    /// `DISPATCH_LEVEL`
    Dispatch,
}

/// Reads an interface index and an address on it.
fn end(text: &str) -> Result<(u32, IpAddr), String> {
    let (index, address) =
        text.split_once('/').ok_or("an interface index, a slash and an address are needed")?;
    let index = index.parse().map_err(|error| format!("{index}: {error}"))?;
    Ok((index, address.parse().map_err(|error| format!("{address}: {error}"))?))
}

/// The selection and the reports of a run.
#[derive(Args, Debug)]
pub(crate) struct RunOptions {
    /// Scenarios, and rules that scenarios put to the test.
    names: Vec<String>,
    /// The end that connects, as INDEX/ADDRESS of an adapter of any NDKPI provider; without one, an adapter of softndk.
    #[arg(long, value_name = "INDEX/ADDRESS", requires = "far", value_parser = end)]
    near: Option<(u32, IpAddr)>,
    /// The end that listens.
    #[arg(long, value_name = "INDEX/ADDRESS", requires = "near", value_parser = end)]
    far: Option<(u32, IpAddr)>,
    /// The level that the consumer calls from; without one, both in turn.
    #[arg(long)]
    level: Option<Level>,
    /// The connections go over TCP, because the adapters have the keyword ForceWire.
    #[arg(long)]
    wire: bool,
    /// Seconds for which connections are stressed after the scenarios.
    #[arg(long, value_name = "SECONDS")]
    stress: Option<u64>,
    /// Print the report in the Test Anything Protocol.
    #[arg(long)]
    tap: bool,
    /// The file of the report as JUnit's XML.
    #[arg(long, value_name = "FILE", default_value = "ndkhlk-run.xml")]
    junit: PathBuf,
    /// The file of the report as JSON.
    #[arg(long, value_name = "FILE", default_value = "ndkhlk-run.json")]
    json: PathBuf,
    /// Do not have the driver's events recorded, which `collect` puts into its archive.
    #[arg(long)]
    no_trace: bool,
}

impl RunOptions {
    /// Returns whether the driver's events are to be recorded.
    #[cfg_attr(not(windows), allow(dead_code, reason = "as above"))]
    pub(crate) fn traced(&self) -> bool {
        !self.no_trace
    }

    /// The run that is asked for.
    ///
    /// # Errors
    /// The first name that selects nothing.
    #[cfg_attr(not(windows), allow(dead_code, reason = "as above"))]
    pub(crate) fn run(self) -> Result<Run, UnknownName> {
        let level = self.level.map(|level| match level {
            Level::Passive => protocol::Level::Passive,
            Level::Dispatch => protocol::Level::Dispatch,
        });
        let link = if self.wire { Link::Wire } else { Link::Loopback };
        let ends = self
            .near
            .zip(self.far)
            .map(|(near, far)| [Endpoint::new(near.0, near.1, 0), Endpoint::new(far.0, far.1, PORT)]);
        Ok(Run {
            ends,
            selection: Selection::new(&self.names, level)?.over(link),
            stress: self.stress.map(Duration::from_secs),
            format: if self.tap { Format::Tap } else { Format::Text },
            junit: Some(self.junit),
            json: Some(self.json),
        })
    }
}

#[cfg(test)]
#[allow(clippy::panic, clippy::unwrap_used, reason = "a test ends when what it needs is not there")]
mod tests {
    use protocol::Scenario;

    use super::*;

    fn parse(line: &str) -> Result<Command, clap::Error> {
        Command::try_parse_from(line.split(' '))
    }

    fn run(line: &str) -> Result<Run, UnknownName> {
        match parse(line).unwrap() {
            Command::Run(options) => options.run(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn run_without_a_name_is_of_everything() {
        let run = run("ndkhlk run").unwrap();
        assert_eq!(run.selection.cases().len(), 2 * Scenario::ALL.len());
        assert_eq!((run.stress, run.format, run.selection.link()), (None, Format::Text, Link::Loopback));
        assert_eq!(run.junit, Some("ndkhlk-run.xml".into()));
    }

    #[test]
    fn run_is_of_what_is_named() {
        let run = run("ndkhlk run Flush cl-8 --level dispatch --stress 60 --tap --json x.json").unwrap();
        assert!(run.selection.cases().all(|(_, level)| level == protocol::Level::Dispatch));
        assert!(run.selection.cases().any(|(scenario, _)| scenario == Scenario::Flush));
        assert_eq!((run.stress, run.format), (Some(Duration::from_secs(60)), Format::Tap));
        assert_eq!(run.json, Some("x.json".into()));
    }

    #[test]
    fn run_over_tcp_is_told_to_the_scenarios() {
        assert_eq!(run("ndkhlk run --wire Flush").unwrap().selection.link(), Link::Wire);
    }

    #[test]
    fn run_is_traced_unless_told_otherwise() {
        for (line, traced) in [("ndkhlk run Flush", true), ("ndkhlk run --no-trace", false)] {
            let Command::Run(options) = parse(line).unwrap() else { panic!("another command") };
            assert_eq!(options.traced(), traced, "{line}");
        }
    }

    #[test]
    fn run_is_between_the_ends_that_are_given() {
        let run = run("ndkhlk run --near 12/10.0.0.1 --far 15/fd00::2").unwrap();
        let ends =
            [Endpoint::new(12, [10, 0, 0, 1].into(), 0), Endpoint::new(15, "fd00::2".parse().unwrap(), PORT)];
        assert_eq!(run.ends, Some(ends));
        for line in ["--near 12/10.0.0.1", "--near 12 --far 13/::1", "--near x/::1 --far 13/::1"] {
            assert!(parse(&format!("ndkhlk run {line}")).is_err(), "{line}");
        }
    }

    #[test]
    fn unknown_scenario_option_or_command_is_refused() {
        assert_eq!(run("ndkhlk run Nothing").unwrap_err(), UnknownName("Nothing".to_owned()));
        assert!(parse("ndkhlk run --level high").is_err());
        assert!(parse("ndkhlk install --near 10.0.0.1").is_err());
        assert!(parse("ndkhlk").is_err());
    }

    #[test]
    fn addresses_are_given_in_pairs() {
        let Command::Install(addresses) = parse("ndkhlk install --near 10.0.0.1 --far 10.0.0.2").unwrap()
        else {
            panic!("another command");
        };
        assert_eq!(addresses.given(), Some([[10, 0, 0, 1].into(), [10, 0, 0, 2].into()]));
    }
}
