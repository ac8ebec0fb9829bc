//! `bench`: the time of operations, side by side with that of a plain copy.

use std::io::{self, Write};

use protocol::{MEASURE_LENGTH, Measure};

use crate::command::pair;
use crate::{Error, Exit, Host, Measuring, Samples, Series};

/// The number of samples of a series.
const SAMPLES: usize = 1000;

/// The lengths of the operations, in bytes.
const LENGTHS: [u32; 4] = [64, 4 << 10, 64 << 10, MEASURE_LENGTH];

/// Measures, and prints a line for each series: the median and the 99th percentile in microseconds.
///
/// # Errors
/// If `output` can't be written.
pub fn bench(host: &impl Host, output: &mut impl Write) -> io::Result<Exit> {
    match measure(host, output) {
        Ok(exit) => exit,
        Err(error) => {
            writeln!(output, "not run: {error}")?;
            Ok(Exit::NotRun)
        }
    }
}

fn measure(host: &impl Host, output: &mut impl Write) -> Result<io::Result<Exit>, Error> {
    let [near, far] = pair(host)?.ends();
    let measuring = Measuring::open(host, near, far)?;
    let mut printed =
        writeln!(output, "  {:<12}{:>10}{:>14}{:>14}", "operation", "bytes", "median us", "99 % us");
    let ways = [Measure::Copy, Measure::Send, Measure::Write, Measure::Read, Measure::Exchange];
    for (way, length) in ways.into_iter().flat_map(|way| LENGTHS.map(|length| (way, length))) {
        let samples = measuring.take(&Series::new(way, SAMPLES).of(length, 1))?;
        let [median, most] = [50, 99].map(|percent| percentile(&samples, percent));
        let name = format!("{way:?}");
        printed =
            printed.and_then(|()| writeln!(output, "  {name:<12}{length:>10}{median:>14.2}{most:>14.2}"));
    }
    let outcome = measuring.close()?;
    for finding in outcome.listed() {
        printed = printed.and_then(|()| writeln!(output, "  {finding}"));
    }
    let exit = if outcome.found == 0 { Exit::Passed } else { Exit::Failed };
    Ok(printed.map(|()| exit))
}

/// A percentile of samples, in microseconds.
fn percentile(samples: &Samples, percent: usize) -> f64 {
    let mut ticks = samples.ticks.clone();
    ticks.sort_unstable();
    let at = (ticks.len() * percent / 100).min(ticks.len().saturating_sub(1));
    let ticks = ticks.get(at).copied().unwrap_or(0);
    ticks as f64 * 1e6 / samples.frequency.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentile_is_the_sample_at_its_place() {
        let samples =
            Samples { frequency: 10_000_000, ticks: (1..=100).rev().map(|tick| tick * 10).collect() };
        assert_eq!((percentile(&samples, 50), percentile(&samples, 99)), (51.0, 100.0));
        let none = Samples { frequency: 0, ticks: Vec::new() };
        assert_eq!(percentile(&none, 50), 0.0);
    }
}
