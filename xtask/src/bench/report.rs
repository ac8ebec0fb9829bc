//! The measurements, for people and for machines.

use indicatif::BinaryBytes;
use serde::Serialize;

use super::Round;
use super::compared::Compared;
use super::notifications::Notifications;
use super::objects::Objects;
use super::side_by_side;
use super::statistics::Spread;
use super::threads::{LENGTH, Threads};
use super::transfers::Transfer;
use crate::failure::CommandError;

/// The layers between the consumer and the provider.
const BETWEEN: &str = "nothing: the consumer in ndkhlk.sys calls the provider's own dispatch tables";

/// Everything that a run has to tell.
#[derive(Serialize)]
pub(super) struct Report {
    pub(super) rounds: usize,
    /// Of each driver; an earlier one comes first.
    pub(super) figures: Vec<Figures>,
}

/// The figures of one driver.
#[derive(Serialize)]
pub(super) struct Figures {
    pub(super) name: &'static str,
    /// The commit of the driver.
    pub(super) commit: String,
    pub(super) transfers: Vec<Transfer>,
    pub(super) threads: Threads,
    pub(super) notifications: Notifications,
    /// Blocks of pool that any driver allocated during all transfers.
    pub(super) allocations: u64,
    pub(super) objects: Objects,
    /// The findings of the consumer and the simulator, and pool that is left.
    pub(super) findings: Vec<String>,
}

impl Figures {
    /// Of these rounds.
    pub(super) fn of(driver: &Compared, rounds: &[Round], objects: Objects, findings: Vec<String>) -> Self {
        let transfers: Vec<_> = rounds.iter().map(|round| round.transfers.as_slice()).collect();
        let notifications: Vec<_> = rounds.iter().map(|round| round.notifications).collect();
        Self {
            name: driver.name,
            commit: driver.commit.clone(),
            transfers: Transfer::of(&transfers),
            threads: Threads::of(rounds.iter().map(|round| round.threads).collect()),
            notifications: Notifications::of(&notifications),
            allocations: rounds.iter().map(|round| round.allocations).sum(),
            objects,
            findings,
        }
    }

    fn verdict(&self) -> Result<(), CommandError> {
        if self.allocations != 0 {
            return Err(CommandError::work(format!("{} allocations on the data path", self.allocations)));
        }
        match self.findings.first() {
            None => Ok(()),
            Some(first) => {
                Err(CommandError::work(format!("{} findings, first: {first}", self.findings.len())))
            }
        }
    }

    fn print(&self) {
        self.print_transfers();
        self.print_threads();
        self.print_notifications();
        self.print_objects();
        println!("\n  allocations on the data path: {}", self.allocations);
    }

    fn print_transfers(&self) {
        let columns = ["rate", "bandwidth", "of memcpy", "(least-most)", "latency", "99 %"];
        let mut length = 0;
        for row in &self.transfers {
            if row.length != length {
                length = row.length;
                let [rate, bandwidth, part, spread, latency, p99] = columns;
                let size = format!("{}, {} outstanding", BinaryBytes(length.into()), row.outstanding);
                println!(
                    "\n  {size:<26}{rate:>10}{bandwidth:>14}{part:>11}{spread:>15}{latency:>11}{p99:>11}"
                );
            }
            let rate = format!("{:.2} M/s", row.per_second.median / 1e6);
            let bandwidth = format!("{}/s", BinaryBytes(row.bytes_per_second.median as u64));
            let Spread { median, least, most } = row.of_memcpy;
            let (part, spread) = (percent(median), format!("({}-{})", percent(least), percent(most)));
            let (latency, p99) = (time(row.median_latency.median), time(row.p99_latency.median));
            let operation = row.operation;
            println!(
                "  {operation:<26}{rate:>10}{bandwidth:>14}{part:>11}{spread:>15}{latency:>11}{p99:>11}"
            );
        }
    }

    fn print_threads(&self) {
        let Threads { rounds, cache_line, send, send_p99, of_cache_line } = &self.threads;
        println!(
            "\n  one way between two threads, {LENGTH} B   cache line      Send   of the line   placement"
        );
        for (number, round) in rounds.iter().enumerate() {
            let (line, sent) = (time(round.cache_line), time(round.send));
            let (ratio, placement) = (round.of_cache_line, round.placement.name());
            println!("  round {:<31}{line:>10}{sent:>10}{ratio:>12.2} x   {placement}", number + 1);
        }
        let [line, sent, p99] = [cache_line, send, send_p99].map(|spread| time(spread.median));
        let Spread { median, least, most } = of_cache_line;
        println!(
            "  {:<37}{line:>10}{sent:>10}{median:>12.2} x   ({least:.2}-{most:.2}); 99 % of the Sends {p99}",
            "median"
        );
    }

    fn print_notifications(&self) {
        let Notifications { immediate, default, immediate_p99, default_p99 } = &self.notifications;
        println!("\n  post, sleep, notification          median   (least-most)        99 %");
        for (name, spread, p99) in
            [("ImmediateNotification", immediate, immediate_p99), ("default", default, default_p99)]
        {
            let range = format!("({}-{})", time(spread.least), time(spread.most));
            println!("  {name:<30}{:>10}{range:>20}{:>11}", time(spread.median), time(p99.median));
        }
    }

    fn print_objects(&self) {
        let Objects { pool_block, kinds, antecedents } = &self.objects;
        println!("\n  object                create       close   blocks of pool      bytes");
        for row in kinds {
            let (create, close) = (time(row.create.median), time(row.close.median));
            println!(
                "  {:<16}{create:>12}{close:>12}{:>17.1}{:>11.0}",
                row.kind, row.pool_blocks, row.pool_bytes
            );
        }
        println!("  (a block of the simulator's pool, allocated and freed: {})", time(pool_block.median));
        println!(
            "\n  antecedent closed first   successors   its close   successor's       total   bytes each"
        );
        for row in antecedents {
            let name = format!("{} over {}", row.kind, row.successor);
            let [its, each, all] = [row.close, row.successor_close, row.successor_closes_total].map(time);
            let (count, bytes) = (row.successors, row.pool_bytes);
            println!("  {name:<22}{count:>14}{its:>12}{each:>14}{all:>12}{bytes:>13.0}");
        }
    }
}

impl Report {
    /// # Errors
    /// If something was allocated on the data path, or found. That every message arrived, the driver has
    /// checked; it fails otherwise.
    pub(super) fn verdict(&self) -> Result<(), CommandError> {
        self.figures.iter().try_for_each(Figures::verdict)
    }

    /// Prints the whole as JSON, or as tables.
    pub(super) fn print(&self, json: bool) -> Result<(), CommandError> {
        if json {
            let text =
                serde_json::to_string_pretty(self).map_err(|error| CommandError::work(error.to_string()))?;
            println!("{text}");
            return Ok(());
        }
        println!("\n  {} rounds, in turns; medians, and the least and the most of the rounds", self.rounds);
        println!("  between consumer and provider: {BETWEEN}");
        match self.figures.as_slice() {
            [before, after] => side_by_side::print(before, after),
            all => all.iter().for_each(Figures::print),
        }
        Ok(())
    }
}

pub(super) fn percent(part: f64) -> String {
    format!("{:.0} %", part * 100.0)
}

/// Nanoseconds, in a unit that suits.
pub(super) fn time(nanoseconds: f64) -> String {
    match nanoseconds {
        ..1e4 => format!("{nanoseconds:.0} ns"),
        ..1e7 => format!("{:.1} us", nanoseconds / 1e3),
        _ => format!("{:.1} ms", nanoseconds / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::time;

    #[test]
    fn time_has_a_unit_that_suits() {
        assert_eq!([99.6, 12_340.0, 5e7].map(time), ["100 ns", "12.3 us", "50.0 ms"]);
    }
}
