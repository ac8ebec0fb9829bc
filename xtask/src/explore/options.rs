//! Command-line options.

use std::ops::Range;
use std::path::PathBuf;

use ntsim::sched::{Atomics, Strategy};
use runner::over_wire::Route;

/// The most seeds, and the last first one: their sum is a seed.
const SEEDS: u64 = u64::MAX / 2;

/// Play scenarios under schedules that are chosen from seeds.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Number of seeds to play. They take turns with the scenarios that are selected, and those of a scenario with
    /// the strategies.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=SEEDS))]
    pub(super) seeds: u64,
    /// The first of these seeds; a random one if nothing is said.
    #[arg(long, value_name = "SEED", value_parser = clap::value_parser!(u64).range(..=SEEDS))]
    pub(super) from: Option<u64>,
    /// Play this seed only, and show the trace.
    #[arg(long, value_name = "SEED", conflicts_with_all = ["seeds", "from"], value_parser = clap::value_parser!(u64).range(..=SEEDS))]
    pub(super) seed: Option<u64>,
    /// The scenarios: names, a beginning with *, or a group (close, race, tdi, all); may be repeated. Without it close,
    /// tdi and race, and all with --wire.
    #[arg(long, value_name = "NAME")]
    pub(super) scenario: Vec<String>,
    /// Choice of the next thread: random, bounded, pct, locks or atomics; the seeds take turns if nothing is said.
    #[arg(long, value_name = "STRATEGY")]
    pub(super) strategy: Option<Strategy>,
    /// Instructions of the drivers that are points, besides their calls: all accesses to memory that may be
    /// shared, the locked ones, or none (off).
    #[arg(long, value_name = "WHICH", default_value_t = Atomics::All)]
    pub(super) atomics: Atomics,
    /// Play with the connections over TCP by Winsock Kernel, over a pipe of the simulator whose choices follow from the
    /// seed: the scenarios of NDK but those that state what memory copies alone have.
    #[arg(long)]
    pub(super) wire: bool,
    /// Have TCP take some sends in parts, and close its window for a while before others.
    #[arg(long, requires = "wire")]
    pub(super) faults: bool,
    /// Play the images in this folder instead of building them.
    #[arg(long, value_name = "FOLDER", hide = true)]
    pub(super) images: Option<PathBuf>,
    /// Play in this process instead of workers, for a debugger.
    #[arg(long, hide = true)]
    pub(super) in_process: bool,
    /// Write a minidump at the first crash, hang or finding.
    #[arg(long, value_name = "FILE")]
    pub(super) dump: Option<PathBuf>,
    /// Show which closes are pending at the end, and what holds them.
    #[arg(long)]
    pub(super) explain: bool,
    /// Print a hash of each seed's calls, their threads and statuses.
    #[arg(long)]
    pub(super) digest: bool,
    /// Print the report as JSON on standard output.
    #[arg(long)]
    pub(super) json: bool,
}

/// The arguments of a worker process.
#[derive(clap::Args)]
pub(crate) struct WorkerOptions {
    /// The provider's image.
    pub(super) softndk: PathBuf,
    /// The consumer's image.
    pub(super) ndkhlk: PathBuf,
    /// The minidump of the first crash, hang or finding.
    #[arg(long)]
    pub(super) dump: Option<PathBuf>,
}

impl Options {
    /// The names of the scenarios to play.
    pub(super) fn scenarios(&self) -> Vec<String> {
        let unsaid: &[&str] = if self.wire { &["all"] } else { &["close", "tdi", "race"] };
        let said = self.scenario.clone();
        if said.is_empty() { unsaid.iter().map(ToString::to_string).collect() } else { said }
    }

    /// The way of the connections.
    pub(super) fn route(&self) -> Route {
        match (self.wire, self.faults) {
            (false, _) => Route::Loopback,
            (true, false) => Route::Wire,
            (true, true) => Route::FaultyWire,
        }
    }

    /// The seeds to play.
    pub(super) fn seeds(&self) -> Range<u64> {
        match self.seed {
            Some(seed) => seed..seed.saturating_add(1),
            None => {
                let from = self.from.unwrap_or_else(super::seeds::fresh);
                from..from.saturating_add(self.seeds)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(clap::Parser)]
    struct CommandLine {
        #[command(flatten)]
        options: Options,
    }

    fn parsed(words: &str) -> Option<Options> {
        let words = words.split_whitespace();
        CommandLine::try_parse_from(words).ok().map(|CommandLine { options }| options)
    }

    #[test]
    fn wire_without_scenario_plays_all() {
        let said = |words| parsed(words).unwrap().scenarios();
        assert_eq!(said("explore"), ["close", "tdi", "race"]);
        assert_eq!(said("explore --wire"), ["all"]);
        assert_eq!(said("explore --wire --scenario flush"), ["flush"]);
    }

    #[test]
    fn faults_without_wire_are_a_usage_error() {
        let route = |words| parsed(words).map(|options| options.route());
        assert_eq!(route("explore"), Some(Route::Loopback));
        assert_eq!(route("explore --wire"), Some(Route::Wire));
        assert_eq!(route("explore --wire --faults"), Some(Route::FaultyWire));
        assert_eq!(route("explore --faults"), None);
    }
}
