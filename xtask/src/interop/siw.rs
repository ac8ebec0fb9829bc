//! The meetings of softndk and siw.

use std::collections::BTreeMap;

use interop::OPERATIONS;
use runner::Images;
use serde::Serialize;

use super::driver::Driver;
use super::engine::Engine;
use super::machine::Machine;
use super::meeting::{Met, Ours};
use super::provoke::{self, TO_SIW, TO_US};
use super::{guest, judge, peer, rping};
use crate::{build, failure::CommandError, root, step::Step};

/// A meeting, and what came of it.
#[derive(Serialize)]
struct Row {
    /// softndk's side: its engine alone, or the built driver.
    ours: Kind,
    name: String,
    crc: bool,
    /// FPDUs of the engine and of its peer; messages of the driver and of its peer.
    sent: u64,
    received: u64,
    /// The things that went wrong, here or in the eyes of tshark.
    faults: Vec<String>,
    #[serde(skip)]
    met: Option<Met>,
}

/// A side of softndk.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Engine,
    Driver,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Engine => "engine",
            Self::Driver => "driver",
        }
    }
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

/// Builds drivers and guest, boots the guest, plays all meetings, and has tshark judge.
pub(super) fn run(json: bool) -> Result<(), CommandError> {
    let folder = root().join("target/interop");
    let images = build::build()?;
    let images = Images { softndk: images.image("softndk"), ndkhlk: images.image("ndkhlk") };
    let guest = guest::provide(&folder)?;
    let step = Step::start("boot the guest");
    let mut machine = Machine::boot(&guest, &folder)?;
    step.done();
    let (mut rows, mut faults) = (vec![], vec![]);
    let outcome = meet_engine(&mut machine, &mut rows)
        .and_then(|()| meet_driver(&images, &mut machine, &mut rows, &mut faults));
    let raw = machine.halt();
    outcome?;
    let step = Step::start("tshark judges");
    let capture = folder.join("siw.pcapng");
    let verdict = judge::judge(&step, &raw, &capture)?;
    step.done();
    for row in &mut rows {
        if let Some(met) = row.met {
            row.faults.extend(verdict.of(&met, row.crc));
        }
    }
    faults.extend(verdict.missing());
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

/// The meetings that either side of softndk has.
fn meet(kind: Kind, ours: &mut impl Ours, machine: &mut Machine, rows: &mut Vec<Row>, crc: bool) {
    let mut play = |name, meeting: &dyn Fn(&mut Machine, &mut _) -> Result<Met, CommandError>| {
        play(rows, (kind, name), crc, || meeting(machine, ours));
    };
    play("rping -s", &|machine, ours| rping::client(machine, ours));
    play("rping -c", &|machine, ours| rping::server(machine, ours));
    play("peer -s", &|machine, ours| peer::client(machine, ours));
    play("peer -c", &|machine, ours| peer::server(machine, ours));
}

/// The meetings with siw as it has wishes of its own, of a side of softndk that does not ask for CRCs.
fn meet_wishes(
    kind: Kind,
    ours: &mut impl Ours,
    machine: &mut Machine,
    rows: &mut Vec<Row>,
) -> Result<(), CommandError> {
    // As a responder, siw 6.1 does not ask for the CRCs that it requires.
    for (parameter, crc) in [("mpa_crc_required", true), ("peer_to_peer", false)] {
        machine.set(parameter, "1")?;
        let [server, client] = ["-c", "-s"].map(|side| format!("peer {side}, {parameter}"));
        play(rows, (kind, &server), crc, || peer::server(machine, ours));
        play(rows, (kind, &client), false, || peer::client(machine, ours));
        machine.set(parameter, "0")?;
    }
    machine.set("mpa_version", "1")?;
    play(rows, (kind, "peer -c, revision 1"), false, || peer::server(machine, ours));
    machine.set("mpa_version", "2")
}

/// The meetings of the driver, without CRCs and with them. `faults` gets what was found in its machines.
fn meet_driver(
    images: &Images,
    machine: &mut Machine,
    rows: &mut Vec<Row>,
    faults: &mut Vec<String>,
) -> Result<(), CommandError> {
    for crc in [false, true] {
        let mut driver = Driver::boot(images, crc)?;
        meet(Kind::Driver, &mut driver, machine, rows, crc);
        let outcome = if crc { Ok(()) } else { meet_wishes(Kind::Driver, &mut driver, machine, rows) };
        faults.extend(driver.shut_down().err().map(|error| error.to_string()));
        outcome?;
    }
    Ok(())
}

/// All meetings of the engine, without CRCs and with them.
fn meet_engine(machine: &mut Machine, rows: &mut Vec<Row>) -> Result<(), CommandError> {
    for crc in [false, true] {
        meet(Kind::Engine, &mut Engine::with_crc(crc), machine, rows, crc);
    }
    meet_wishes(Kind::Engine, &mut Engine::default(), machine, rows)?;
    let mut play = |name: &str, crc, meeting: &mut dyn FnMut() -> Result<Met, CommandError>| {
        play(rows, (Kind::Engine, name), crc, meeting);
    };
    for (index, provocation) in TO_SIW.iter().enumerate() {
        let crc = index % 2 == 0;
        let name = format!("siw tells: {}", provocation.name);
        play(&name, crc, &mut || provoke::to_siw(machine, provocation, crc));
    }
    for (index, provocation) in TO_US.iter().enumerate() {
        let crc = index % 2 == 0;
        let name = format!("siw is told: {}", provocation.name);
        play(&name, crc, &mut || provoke::to_us(machine, provocation, crc));
    }
    Ok(())
}

fn play(
    rows: &mut Vec<Row>,
    (ours, name): (Kind, &str),
    crc: bool,
    meeting: impl FnOnce() -> Result<Met, CommandError>,
) {
    let step = Step::start(format!("{}, {name}{}", ours.name(), if crc { ", CRC" } else { "" }));
    let outcome = meeting();
    step.done();
    let mut faults: Vec<String> = outcome.as_ref().err().map(ToString::to_string).into_iter().collect();
    let met = outcome.ok();
    if met.and_then(|met| met.crc).is_some_and(|agreed| agreed != crc) {
        faults.push("the agreement on CRCs is another one".into());
    }
    if let Some(fault) = faults.first() {
        eprintln!("    {fault}");
    }
    let [sent, received] = met.map_or([0; 2], |met| [met.sent.total(), met.received.total()]);
    rows.push(Row { ours, name: name.into(), crc, sent, received, faults, met });
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
        println!("  {:<6} {:<44} {:>5} {:>8} {:>8}", "side", "meeting", "CRC", "sent", "received");
        for row in &self.meetings {
            let crc = if row.crc { "on" } else { "off" };
            let side = row.ours.name();
            println!("  {side:<6} {:<44} {crc:>5} {:>8} {:>8}", row.name, row.sent, row.received);
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
