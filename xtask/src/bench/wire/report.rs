//! The figures over the wire, for people and for machines.

use indicatif::BinaryBytes;
use serde::Serialize;

use super::{FLOWS, Group, LEAST_OF_HOST, outstanding};
use crate::bench::report::percent;
use crate::bench::statistics::Spread;
use crate::failure::CommandError;

/// Everything that a run has to tell. Rates are in bytes per second.
#[derive(Serialize)]
pub(super) struct Report {
    rounds: usize,
    /// TCP of the host.
    host: Spread,
    /// A stream of Winsock Kernel's sockets, and its part of TCP of the host.
    sockets: Spread,
    of_host: Spread,
    /// The part is large enough for the sockets to be a measure.
    valid: bool,
    flows: Vec<Row>,
    /// Blocks of pool that any driver allocated during all transfers.
    allocations: u64,
    /// The findings of the consumer and the simulator, and pool that is left.
    findings: Vec<String>,
}

/// One operation at one length.
#[derive(Serialize)]
struct Row {
    pair: &'static str,
    operation: &'static str,
    length: u32,
    outstanding: u32,
    bytes_per_second: Spread,
    per_second: Spread,
    /// The part of the stream of sockets just before.
    of_sockets: Spread,
}

impl Report {
    /// Of these rounds, which measured the same in the same order.
    pub(super) fn of(rounds: &[Vec<Group>], findings: Vec<String>) -> Self {
        let all = || rounds.iter().flatten();
        let of_host = Spread::of(all().map(|group| group.sockets / group.host));
        let mut flows = Vec::new();
        for (place, group) in rounds.first().into_iter().flatten().enumerate() {
            let same: Vec<&Group> = rounds.iter().filter_map(|round| round.get(place)).collect();
            for (flow, (_, operation)) in FLOWS.iter().enumerate() {
                let spread =
                    |figure: &dyn Fn(&Group) -> f64| Spread::of(same.iter().map(|group| figure(group)));
                flows.push(Row {
                    pair: group.pair,
                    operation,
                    length: group.length,
                    outstanding: outstanding(group.length),
                    bytes_per_second: spread(&|group| group.flows[flow]),
                    per_second: spread(&|group| group.flows[flow] / f64::from(group.length)),
                    of_sockets: spread(&|group| group.flows[flow] / group.sockets),
                });
            }
        }
        Self {
            rounds: rounds.len(),
            host: Spread::of(all().map(|group| group.host)),
            sockets: Spread::of(all().map(|group| group.sockets)),
            of_host,
            valid: of_host.median >= LEAST_OF_HOST,
            flows,
            allocations: all().map(|group| group.allocations).sum(),
            findings,
        }
    }

    /// Everything arrived, and nothing was allocated for it.
    pub(super) fn correct(&self) -> Result<(), CommandError> {
        if !self.findings.is_empty() {
            return Err(CommandError::work(self.findings.join("\n")));
        }
        match self.allocations {
            0 => Ok(()),
            blocks => Err(CommandError::work(format!("the data path allocated {blocks} blocks"))),
        }
    }

    /// Fails if something was found, or the figures are void.
    pub(super) fn verdict(&self) -> Result<(), CommandError> {
        self.correct()?;
        if self.valid {
            return Ok(());
        }
        Err(CommandError::work(format!(
            "void: sockets of Winsock Kernel have {} of TCP of the host, and less than {} is no measure",
            percent(self.of_host.median),
            percent(LEAST_OF_HOST)
        )))
    }

    pub(super) fn print(&self, json: bool) -> Result<(), CommandError> {
        if json {
            let text =
                serde_json::to_string_pretty(self).map_err(|error| CommandError::work(error.to_string()))?;
            println!("{text}");
            return Ok(());
        }
        println!("  {} rounds, in turns; medians, and the least and the most of the rounds", self.rounds);
        println!("\n  {:<36}{:>12}{:>24}", "stream of 256 KiB, 2 outstanding", "Gbit/s", "least and most");
        for (name, spread) in [("TCP of the host", self.host), ("sockets of Winsock Kernel", self.sockets)] {
            println!("  {name:<36}{}", gigabits(spread));
        }
        let (part, void) = (percent(self.of_host.median), if self.valid { "" } else { ": void" });
        println!("  {:<36}{part:>12}{void}", "of TCP of the host");
        let mut head = None;
        for row in &self.flows {
            if head.replace((row.pair, row.length)) != Some((row.pair, row.length)) {
                let size = BinaryBytes(row.length.into()).to_string();
                let name = format!("{size}, {} outstanding, {}", row.outstanding, row.pair);
                println!(
                    "\n  {name:<36}{:>12}{:>24}{:>14}{:>12}{:>16}",
                    "Gbit/s", "least and most", "messages", "of sockets", "least and most"
                );
            }
            let [median, least, most] =
                [row.of_sockets.median, row.of_sockets.least, row.of_sockets.most].map(percent);
            println!(
                "  {:<36}{}{:>12.3} M/s{median:>10}{:>16}",
                row.operation,
                gigabits(row.bytes_per_second),
                row.per_second.median / 1e6,
                format!("{least} {most}")
            );
        }
        println!("\n  allocations on the data path: {}", self.allocations);
        Ok(())
    }
}

/// Columns of a rate: the median, the least and the most.
fn gigabits(bytes: Spread) -> String {
    let [median, least, most] = [bytes.median, bytes.least, bytes.most].map(|rate| rate * 8.0 / 1e9);
    format!("{median:>12.2}{:>24}", format!("{least:.2} {most:.2}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(sockets: f64, send: f64, allocations: u64) -> Group {
        Group { pair: "pair", length: 8, host: 100.0, sockets, flows: [send, 1.0, 2.0], allocations }
    }

    #[test]
    fn flow_is_compared_with_sockets_of_its_own_round() {
        let rounds = [vec![group(80.0, 40.0, 0)], vec![group(60.0, 60.0, 0)], vec![group(90.0, 9.0, 0)]];
        let report = Report::of(&rounds, vec![]);
        assert_eq!(report.flows[0].of_sockets, Spread { median: 0.5, least: 0.1, most: 1.0 });
        assert_eq!(report.flows[0].per_second.median, 5.0);
        assert!(report.valid && report.verdict().is_ok());
    }

    #[test]
    fn sockets_under_the_least_part_of_the_host_make_figures_void() {
        let report = Report::of(&[vec![group(54.0, 50.0, 0)]], vec![]);
        assert!(!report.valid && report.correct().is_ok());
        assert!(report.verdict().unwrap_err().to_string().starts_with("void: "));
    }

    #[test]
    fn allocation_or_finding_fails_a_run() {
        assert!(Report::of(&[vec![group(90.0, 50.0, 1)]], vec![]).correct().is_err());
        assert!(Report::of(&[vec![group(90.0, 50.0, 0)]], vec!["found".into()]).correct().is_err());
    }
}
