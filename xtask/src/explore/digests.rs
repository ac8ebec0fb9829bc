//! The digests of plays: what `--digest` prints, a line for each seed.

use core::fmt;

use serde::Serialize;

use super::workers::Answer;

/// The digests of the plays, in the order of their seeds.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub(super) struct Digests(Vec<Digest>);

#[derive(Debug, Serialize)]
struct Digest {
    scenario: String,
    seed: u64,
    strategy: String,
    /// Hash of the run; none if the machine did not come to its end.
    digest: Option<String>,
}

impl Digests {
    pub(super) fn add(&mut self, answer: &Answer) {
        self.0.push(Digest {
            scenario: answer.play.scenario.name(),
            seed: answer.play.seed,
            strategy: answer.play.strategy.to_string(),
            digest: answer.outcome.digest.clone(),
        });
    }
}

impl fmt::Display for Digests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|Digest { scenario, seed, strategy, digest }| {
            let digest = digest.as_deref().unwrap_or("stopped         ");
            writeln!(f, "{digest}  {seed:>9}  {strategy:<8}  {scenario}")
        })
    }
}

#[cfg(test)]
mod tests {
    use ntsim::sched::{Atomics, Strategy};
    use runner::explore::Play;
    use runner::over_wire::Route;

    use super::super::selection::Scenario;
    use super::super::worker::Outcome;
    use super::*;

    #[test]
    fn digest_line_names_its_seed_and_a_stopped_machine_has_none() {
        let scenario = Scenario::named("flush").unwrap();
        let mut digests = Digests::default();
        for (seed, digest) in [(7, Some("00ff00ff00ff00ff".to_owned())), (8, None)] {
            let (strategy, atomics) = (Strategy::Pct, Atomics::Off);
            let play = Play { scenario, seed, strategy, atomics, route: Route::Loopback };
            digests.add(&Answer { play, outcome: Outcome { digest, ..Outcome::default() } });
        }
        assert_eq!(
            digests.to_string(),
            "00ff00ff00ff00ff          7  pct       flush\nstopped                   8  pct       flush\n"
        );
        let json = serde_json::to_value(&digests).unwrap();
        assert_eq!(
            (json[0]["digest"].as_str(), json[1]["digest"].as_str()),
            (Some("00ff00ff00ff00ff"), None)
        );
    }
}
