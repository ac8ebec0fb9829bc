//! The meetings of softndk and siw.

use std::collections::BTreeMap;

use interop::OPERATIONS;
use serde::Serialize;

use super::machine::Machine;
use super::meeting::Met;
use super::provoke::{self, TO_SIW, TO_US};
use super::{guest, judge, peer, rping};
use crate::{failure::CommandError, root, step::Step};

/// A meeting, and what came of it.
#[derive(Serialize)]
struct Row {
    name: String,
    crc: bool,
    /// FPDUs, ours and the peer's.
    sent: u64,
    received: u64,
    /// The things that went wrong, here or in the eyes of tshark.
    faults: Vec<String>,
    #[serde(skip)]
    met: Option<Met>,
}

/// The whole report.
#[derive(Serialize)]
struct Report {
    kernel: String,
    capture: String,
    meetings: Vec<Row>,
    /// The FPDUs of each operation in all of them.
    operations: BTreeMap<&'static str, u64>,
    /// Faults of the capture as a whole.
    faults: Vec<String>,
    passed: bool,
}

/// Builds the guest, boots it, plays all meetings, and has tshark judge.
pub(super) fn run(json: bool) -> Result<(), CommandError> {
    let folder = root().join("target/interop");
    let guest = guest::provide(&folder)?;
    let step = Step::start("boot the guest");
    let mut machine = Machine::boot(&guest, &folder)?;
    step.done();
    let mut rows = vec![];
    let outcome = meet(&mut machine, &mut rows);
    let raw = machine.halt();
    outcome?;
    let step = Step::start("tshark judges");
    let capture = folder.join("siw.pcapng");
    let verdict = judge::judge(&step, &raw, &capture)?;
    step.done();
    for row in &mut rows {
        if let Some(met) = row.met {
            row.faults.extend(verdict.of(&met));
        }
    }
    let faults = verdict.missing();
    let passed = faults.is_empty() && rows.iter().all(|row| row.faults.is_empty());
    let kernel = format!("{} ({})", guest.release, guest.version);
    let capture = capture.strip_prefix(root()).unwrap_or(&capture).display().to_string();
    let report = Report { kernel, capture, meetings: rows, operations: operations(&verdict), faults, passed };
    report.print(json)?;
    if passed { Ok(()) } else { Err(CommandError::work("the meetings did not all pass")) }
}

fn operations(verdict: &judge::Verdict) -> BTreeMap<&'static str, u64> {
    OPERATIONS.into_iter().zip(verdict.operations().0).collect()
}

/// All meetings, without CRCs and with them.
fn meet(machine: &mut Machine, rows: &mut Vec<Row>) -> Result<(), CommandError> {
    for crc in [false, true] {
        play(machine, rows, "rping -s", crc, |machine| rping::client(machine, crc));
        play(machine, rows, "rping -c", crc, |machine| rping::server(machine, crc));
        play(machine, rows, "peer -s", crc, |machine| peer::client(machine, crc));
        play(machine, rows, "peer -c", crc, |machine| peer::server(machine, crc));
    }
    // As a responder, siw 6.1 does not ask for the CRCs that it requires.
    for (parameter, crc) in [("mpa_crc_required", true), ("peer_to_peer", false)] {
        machine.set(parameter, "1")?;
        play(machine, rows, &format!("peer -c, {parameter}"), crc, |machine| peer::server(machine, false));
        play(machine, rows, &format!("peer -s, {parameter}"), false, |machine| peer::client(machine, false));
        machine.set(parameter, "0")?;
    }
    machine.set("mpa_version", "1")?;
    play(machine, rows, "peer -c, revision 1", false, |machine| peer::server(machine, false));
    machine.set("mpa_version", "2")?;
    for (index, provocation) in TO_SIW.iter().enumerate() {
        let crc = index % 2 == 0;
        let name = format!("siw tells: {}", provocation.name);
        play(machine, rows, &name, crc, |machine| provoke::to_siw(machine, provocation, crc));
    }
    for (index, provocation) in TO_US.iter().enumerate() {
        let crc = index % 2 == 0;
        let name = format!("siw is told: {}", provocation.name);
        play(machine, rows, &name, crc, |machine| provoke::to_us(machine, provocation, crc));
    }
    Ok(())
}

fn play(
    machine: &mut Machine,
    rows: &mut Vec<Row>,
    name: &str,
    crc: bool,
    meeting: impl FnOnce(&mut Machine) -> Result<Met, CommandError>,
) {
    let step = Step::start(format!("{name}{}", if crc { ", CRC" } else { "" }));
    let outcome = meeting(machine);
    step.done();
    let mut faults: Vec<String> = outcome.as_ref().err().map(ToString::to_string).into_iter().collect();
    let met = outcome.ok();
    if met.is_some_and(|met| met.crc != crc) {
        faults.push("the agreement on CRCs is another one".into());
    }
    if let Some(fault) = faults.first() {
        eprintln!("    {fault}");
    }
    let [sent, received] = met.map_or([0; 2], |met| [met.sent.total(), met.received.total()]);
    rows.push(Row { name: name.into(), crc, sent, received, faults, met });
}

impl Report {
    fn print(&self, json: bool) -> Result<(), CommandError> {
        if json {
            let text =
                serde_json::to_string_pretty(self).map_err(|error| CommandError::work(error.to_string()))?;
            println!("{text}");
            return Ok(());
        }
        println!("\nsiw of Linux {}\n", self.kernel);
        println!("  {:<44} {:>5} {:>8} {:>8}", "meeting", "CRC", "sent", "received");
        for row in &self.meetings {
            let crc = if row.crc { "on" } else { "off" };
            println!("  {:<44} {crc:>5} {:>8} {:>8}", row.name, row.sent, row.received);
            for fault in &row.faults {
                println!("      {fault}");
            }
        }
        for fault in &self.faults {
            println!("  {fault}");
        }
        println!("\n  FPDUs, all of which tshark has judged, in {}:", self.capture);
        for (name, count) in &self.operations {
            println!("  {name:<44} {count:>14}");
        }
        Ok(())
    }
}
