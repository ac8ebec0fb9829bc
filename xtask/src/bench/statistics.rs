//! From samples to figures.

use hdrhistogram::Histogram;
use runner::Samples;
use serde::Serialize;

/// A figure that was measured several times.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) least: f64,
    pub(super) most: f64,
}

impl Spread {
    /// Of the rounds' figures.
    pub(super) fn of(figures: impl IntoIterator<Item = f64>) -> Self {
        let mut figures: Vec<f64> = figures.into_iter().collect();
        figures.sort_by(f64::total_cmp);
        let at = |index: usize| figures.get(index).copied().unwrap_or_default();
        let last = figures.len().saturating_sub(1);
        Self { median: at(last / 2), least: at(0), most: at(last) }
    }
}

/// The distribution of one series, in nanoseconds.
pub(super) struct Distribution {
    histogram: Histogram<u64>,
    middle: f64,
    nanoseconds_per_tick: f64,
}

impl Distribution {
    /// Of these samples.
    #[expect(clippy::expect_used, reason = "the arguments are constants")]
    pub(super) fn of(samples: &Samples) -> Self {
        // Three significant digits; above a minute or so there is nothing to tell apart.
        const MOST: u64 = 1 << 38;
        let mut histogram =
            Histogram::new_with_max(MOST, 3).expect("three digits and this range are allowed");
        for ticks in &samples.ticks {
            histogram.saturating_record(*ticks);
        }
        let nanoseconds_per_tick = 1e9 / samples.frequency.max(1) as f64;
        Self { histogram, middle: middle(&samples.ticks) * nanoseconds_per_tick, nanoseconds_per_tick }
    }

    /// The mean of the middle half. Where the clock goes on in steps of 10 ns, a median does too.
    pub(super) fn middle(&self) -> f64 {
        self.middle
    }

    /// The time that so many percent of the samples did not take longer than.
    pub(super) fn percentile(&self, percent: f64) -> f64 {
        self.histogram.value_at_percentile(percent) as f64 * self.nanoseconds_per_tick
    }

    pub(super) fn median(&self) -> f64 {
        self.percentile(50.0)
    }
}

/// The mean of the middle half of `values`, 0 of none.
fn middle(values: &[u64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_unstable();
    let quarter = values.len() / 4;
    let half = &values[quarter..values.len() - quarter];
    half.iter().sum::<u64>() as f64 / half.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn middle_of_samples_leaves_out_both_ends() {
        assert_eq!(middle(&[]), 0.0);
        assert_eq!(middle(&[1000, 4, 3, 0]), 3.5);
        assert_eq!(middle(&[7]), 7.0);
    }

    #[test]
    fn spread_is_the_middle_and_both_ends() {
        let spread = Spread::of([5.0, 1.0, 3.0, 2.0, 4.0]);
        assert_eq!((spread.least, spread.median, spread.most), (1.0, 3.0, 5.0));
    }

    #[test]
    fn percentiles_are_in_nanoseconds_whatever_the_clock() {
        let samples = Samples { frequency: 2_000_000_000, ticks: (1..=100).chain([1 << 30]).collect() };
        let distribution = Distribution::of(&samples);
        assert_eq!((distribution.median(), distribution.percentile(99.0)), (25.5, 50.0));
        assert!(distribution.percentile(100.0) > 5e8);
    }
}
