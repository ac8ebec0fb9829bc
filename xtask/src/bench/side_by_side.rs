//! The measurements of an earlier driver and of this one, in tables that have both.

use indicatif::BinaryBytes;

use super::report::{Figures, percent, time};
use super::threads::{LENGTH, Threads};

/// Prints the tables.
pub(super) fn print(before: &Figures, after: &Figures) {
    for driver in [before, after] {
        println!("  {:<8}softndk.sys of commit {}", driver.name, driver.commit);
    }
    print_transfers(before, after);
    print_threads(before, after);
    print_notifications(before, after);
    print_objects(before, after);
    println!("\n  allocations on the data path: {} and {}", before.allocations, after.allocations);
}

/// The columns of a figure before and after.
fn columns(before: impl core::fmt::Display, after: impl core::fmt::Display) -> String {
    format!("{before:>12}{after:>12}")
}

fn print_transfers(before: &Figures, after: &Figures) {
    let mut length = 0;
    for (then, now) in before.transfers.iter().zip(&after.transfers) {
        if now.length != length {
            length = now.length;
            let size = format!("{}, {} outstanding", BinaryBytes(length.into()), now.outstanding);
            let [rate, part, latency] = ["rate", "of memcpy", "latency"].map(|name| columns(name, "after"));
            println!("\n  {size:<26}{rate}{part}{latency}");
        }
        let rates = [then, now].map(|row| format!("{:.2} M/s", row.per_second.median / 1e6));
        let parts = [then, now].map(|row| percent(row.of_memcpy.median));
        let latencies = [then, now].map(|row| time(row.median_latency.median));
        let [rates, parts, latencies] = [rates, parts, latencies].map(|[then, now]| columns(then, now));
        println!("  {:<26}{rates}{parts}{latencies}", now.operation);
    }
}

fn print_threads(Figures { threads: before, .. }: &Figures, Figures { threads: after, .. }: &Figures) {
    let head = "line      Send   of it";
    println!(
        "\n  one way between two threads, {LENGTH} B: before    {head}        after    {head}   placement of each"
    );
    let row = |[line, send, ratio]: [f64; 3]| format!("{:>16}{:>10}{ratio:>6.2} x", time(line), time(send));
    for (number, (then, now)) in before.rounds.iter().zip(&after.rounds).enumerate() {
        let [was, is] = [then, now].map(|round| row([round.cache_line, round.send, round.of_cache_line]));
        let (place, later) = (then.placement.name(), now.placement.name());
        println!("  round {:<30}{was}{is}   {place}, {later}", number + 1);
    }
    let median = |threads: &Threads| {
        row([threads.cache_line.median, threads.send.median, threads.of_cache_line.median])
    };
    println!("  {:<36}{}{}", "median", median(before), median(after));
    let p99 = [before, after].map(|threads| time(threads.send_p99.median));
    println!("  99 % of the Sends: {} and {}", p99[0], p99[1]);
}

fn print_notifications(before: &Figures, after: &Figures) {
    let head = columns("median", "after");
    println!("\n  {:<26}{head}", "post, sleep, notification");
    let both = [&before.notifications, &after.notifications];
    let [immediate, default] = [both.map(|row| row.immediate), both.map(|row| row.default)];
    for (name, [then, now]) in [("ImmediateNotification", immediate), ("default", default)] {
        println!("  {name:<26}{}", columns(time(then.median), time(now.median)));
    }
}

fn print_objects(before: &Figures, after: &Figures) {
    let (before, after) = (&before.objects, &after.objects);
    let head = ["create", "close", "bytes"].map(|name| columns(name, "after")).concat();
    println!("\n  {:<26}{head}", "object");
    for (then, now) in before.kinds.iter().zip(&after.kinds) {
        let create = columns(time(then.create.median), time(now.create.median));
        let close = columns(time(then.close.median), time(now.close.median));
        let bytes = columns(format!("{:.0}", then.pool_bytes), format!("{:.0}", now.pool_bytes));
        println!("  {:<26}{create}{close}{bytes}", now.kind);
    }
    let blocks = [before, after].map(|objects| time(objects.pool_block.median));
    println!("  (a block of the simulator's pool, allocated and freed: {} and {})", blocks[0], blocks[1]);
    let head = ["its close", "successor's", "total"].map(|name| columns(name, "after")).concat();
    println!("\n  {:<26}{head}", "antecedent closed first");
    for (then, now) in before.antecedents.iter().zip(&after.antecedents) {
        let name = format!("{} over {} {}", now.kind, now.successors, now.successor);
        let close = columns(time(then.close), time(now.close));
        let each = columns(time(then.successor_close), time(now.successor_close));
        let total = columns(time(then.successor_closes_total), time(now.successor_closes_total));
        println!("  {name:<26}{close}{each}{total}");
    }
}
