//! Creating and closing objects, few and very many.

use indicatif::ProgressBar;
use ntsim::ex::pool;
use protocol::{Kind, Measure};
use runner::{Error, Measuring, Samples, Series};
use serde::Serialize;

use super::Plan;
use super::statistics::{Distribution, Spread};

/// Every kind but the adapter.
pub(super) const KINDS: [Kind; 9] = [
    Kind::Cq,
    Kind::Pd,
    Kind::Qp,
    Kind::Mr,
    Kind::Mw,
    Kind::Srq,
    Kind::Connector,
    Kind::Listener,
    Kind::SharedEndpoint,
];

/// Bytes of the blocks that show what the simulator's pool costs.
const BLOCK: u32 = 512;

/// Times are medians in nanoseconds.
#[derive(Serialize)]
pub(super) struct Objects {
    /// To allocate and free one block of pool.
    pub(super) pool_block: Spread,
    pub(super) kinds: Vec<Lives>,
    pub(super) antecedents: Vec<Antecedent>,
}

/// Objects of one kind, one after the other.
#[derive(Serialize)]
pub(super) struct Lives {
    pub(super) kind: &'static str,
    pub(super) create: Spread,
    pub(super) close: Spread,
    /// Blocks of pool that one object consists of, and bytes in them.
    pub(super) pool_blocks: f64,
    pub(super) pool_bytes: f64,
}

/// An antecedent that is closed before its successors.
#[derive(Serialize)]
pub(super) struct Antecedent {
    pub(super) kind: &'static str,
    pub(super) successor: &'static str,
    pub(super) successors: usize,
    /// The close that pends.
    pub(super) close: f64,
    /// The median of its successors' closes, and all of them together.
    pub(super) successor_close: f64,
    pub(super) successor_closes_total: f64,
    /// Bytes of pool per successor, while all are open.
    pub(super) pool_bytes: f64,
}

/// Measures all of it.
pub(super) fn measure(measuring: &Measuring, plan: &Plan, bar: &ProgressBar) -> Result<Objects, Error> {
    let mut blocks = Vec::new();
    for _ in 0..plan.rounds {
        let samples = measuring.take(&Series::new(Measure::Pool, plan.objects).of(BLOCK, 1))?;
        blocks.push(Distribution::of(&samples).median());
    }
    let mut kinds = Vec::new();
    for kind in KINDS {
        kinds.push(lives(measuring, plan, kind)?);
        bar.inc(1);
    }
    let mut antecedents = Vec::new();
    for (antecedent, successor) in [(Kind::Pd, Kind::Mr), (Kind::Cq, Kind::Qp)] {
        for successors in plan.successors {
            antecedents.push(over(measuring, antecedent, successor, *successors)?);
            bar.inc(1);
        }
    }
    Ok(Objects { pool_block: Spread::of(blocks), kinds, antecedents })
}

fn lives(measuring: &Measuring, plan: &Plan, kind: Kind) -> Result<Lives, Error> {
    let (mut creates, mut closes, mut uses) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..plan.rounds {
        let (created, used) = create(measuring, kind, plan.objects)?;
        let closed = measuring.take(&Series::new(Measure::Close, plan.objects))?;
        creates.push(Distribution::of(&created).median());
        closes.push(Distribution::of(&closed).median());
        uses.push(used);
    }
    Ok(Lives {
        kind: kind.name(),
        create: Spread::of(creates),
        close: Spread::of(closes),
        pool_blocks: Spread::of(uses.iter().map(|(blocks, _)| *blocks)).median,
        pool_bytes: Spread::of(uses.iter().map(|(_, bytes)| *bytes)).median,
    })
}

fn over(
    measuring: &Measuring,
    antecedent: Kind,
    successor: Kind,
    successors: usize,
) -> Result<Antecedent, Error> {
    let (_, (_, pool_bytes)) = create(measuring, successor, successors)?;
    let Samples { frequency, ticks } = measuring.take(&Series::new(Measure::CloseUnder, successors + 1))?;
    let nanoseconds = |ticks: u64| ticks as f64 * 1e9 / frequency.max(1) as f64;
    let (first, rest) = ticks.split_first().map_or((0, &[][..]), |(first, rest)| (*first, rest));
    let rest = Samples { frequency, ticks: rest.to_vec() };
    Ok(Antecedent {
        kind: antecedent.name(),
        successor: successor.name(),
        successors,
        close: nanoseconds(first),
        successor_close: Distribution::of(&rest).median(),
        successor_closes_total: nanoseconds(rest.ticks.iter().sum()),
        pool_bytes,
    })
}

/// Creates objects; also says how many blocks, and bytes in them, each of them takes.
fn create(measuring: &Measuring, kind: Kind, count: usize) -> Result<(Samples, (f64, f64)), Error> {
    let before = pool::usage();
    let samples = measuring.take(&Series::new(Measure::Create, count).with(kind))?;
    let open = pool::usage();
    let each = |now: usize, then: usize| now.saturating_sub(then) as f64 / count as f64;
    Ok((samples, (each(open.blocks, before.blocks), each(open.bytes, before.bytes))))
}
