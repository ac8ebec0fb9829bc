//! The floor of the data path on this machine: the locked instructions of one Send, and of one Write, which are there for
//! soundness, and the copy.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// The module that lists the locked instructions of a Send in a table.
const PATH: &str = "provider/src/queue_pair/loopback.rs";
const TABLE: &str = include_str!("../../../provider/src/queue_pair/loopback.rs");

/// Bytes of the copy that the locked instructions are set against.
const BYTES: usize = 4 << 10;

/// The rows of the table, each of one instruction, with the call that it belongs to.
fn rows() -> Vec<(&'static str, &'static str)> {
    let section = TABLE.split_once("# Locked instructions").map_or("", |(_, section)| section);
    let rows = section.lines().skip_while(|line| !line.starts_with("//! |")).skip(2);
    let mut call = "";
    rows.map_while(|line| line.strip_prefix("//! |"))
        .filter_map(|row| {
            let mut cells = row.split('|').map(str::trim);
            let (named, instruction) = (cells.next()?, cells.next()?);
            call = if named.is_empty() { call } else { named };
            (instruction != "none").then_some((call, instruction))
        })
        .collect()
}

/// Locked instructions of a Send, with the receive that it meets.
fn of_a_send() -> usize {
    rows().len()
}

/// Nanoseconds that `work` takes, of the fastest of some rounds.
fn nanoseconds(mut work: impl FnMut()) -> f64 {
    const TIMES: u32 = 100_000;
    const ROUNDS: usize = 11;
    let round = |_| {
        let began = Instant::now();
        (0..TIMES).for_each(|_| work());
        began.elapsed().as_secs_f64() * 1e9 / f64::from(TIMES)
    };
    (0..ROUNDS).map(round).fold(f64::INFINITY, f64::min)
}

/// A paragraph with what bounds the rates of the bench on this machine.
pub(super) fn paragraph() -> String {
    let (word, source, mut sink) = (AtomicU64::new(0), vec![1_u8; BYTES], vec![0_u8; BYTES]);
    let locked = nanoseconds(|| {
        black_box(&word).fetch_add(1, Ordering::AcqRel);
    });
    let copy = nanoseconds(|| black_box(&mut sink).copy_from_slice(black_box(&source)));
    let count = of_a_send();
    let all = locked * f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    format!(
        "A locked instruction takes {locked:.1} ns here, and a Send has {count} with its receive, for soundness each \
         (the table in [{PATH}](../{PATH}) says what for): {all:.0} ns. With nothing else but those and the copy, which \
         takes {copy:.0} ns for 4 KiB, Sends of 64 bytes came to {:.1} M/s, and those of 4 KiB to {:.0} % of memcpy.",
        1e3 / all,
        100.0 * copy / (copy + all),
    )
}

#[cfg(test)]
mod tests {
    use super::rows;

    #[test]
    fn table_of_locked_instructions_is_read_whole() {
        let rows = rows();
        let of = |name: &str| rows.iter().filter(|(call, _)| *call == name).count();
        assert_eq!((of("NdkReceive"), of("NdkSend"), rows.len()), (3, 11, 14), "{rows:?}");
    }
}
