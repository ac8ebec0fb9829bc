//! The behaviour of `ndkhlk.exe run` on the simulated machine: all of it but the Win32 calls.

#![cfg(not(windows))]
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test ends when what it needs is not there")]

mod common;

use common::{IPV4, IPV6};
use core::time::Duration;
use protocol::{Endpoint, Level};
use runner::command::{self, Format, Run};
use runner::{Exit, Fixture, Host, Selection};

fn asked(names: &[&str], level: Option<Level>) -> Run {
    let selection = Selection::new(names, level).unwrap();
    Run { selection, ends: None, stress: None, format: Format::Tap, junit: None, json: None }
}

fn play(mut fixture: Fixture, asked: &Run) -> (Exit, String) {
    let mut output = Vec::new();
    let exit = command::run(&mut fixture, asked, &mut output).unwrap();
    let found = fixture.shut_down();
    assert!(found.is_clean(), "{found}");
    (exit, String::from_utf8(output).unwrap())
}

#[test]
fn run_reports_each_case_and_leaves_files() {
    let folder = std::env::temp_dir().join(format!("softndk-suite-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let [junit, json] = ["junit.xml", "run.json"].map(|name| folder.join(name));
    let run =
        Run { junit: Some(junit.clone()), json: Some(json.clone()), ..asked(&["Flush", "Limits"], None) };
    let (exit, text) = play(common::boot(IPV6), &run);
    let [junit, json] = [junit, json].map(|file| std::fs::read_to_string(file).unwrap());
    std::fs::remove_dir_all(folder).unwrap();
    assert_eq!(exit, Exit::Passed, "{text}");
    let cases = text.lines().filter(|line| line.starts_with("ok ")).count();
    assert_eq!((cases, text.contains("\n1..4\n# 4 passed, 0 failed\n")), (4, true), "{text}");
    assert!(junit.contains("tests=\"4\" failures=\"0\""), "{junit}");
    assert!(json.contains("\"passed\": 4"), "{json}");
}

#[test]
fn stress_plays_rounds_after_the_scenarios() {
    let run = Run { stress: Some(Duration::from_millis(1)), ..asked(&["Flush"], Some(Level::Passive)) };
    let (exit, text) = play(common::boot(IPV4), &run);
    assert_eq!(exit, Exit::Passed, "{text}");
    assert!(text.contains("ok 2 - Stress 1, closed by the consumer at PASSIVE_LEVEL\n"), "{text}");
}

#[test]
fn run_without_rdma_on_two_adapters_is_not_run() {
    let fixture = common::boot(IPV4);
    fixture.control(common::FAR).unwrap().set_rdma(false).unwrap();
    fixture.machine().settle();
    let (exit, text) = play(fixture, &asked(&["Flush"], None));
    let why = "choose the adapters: RDMA is operational on 1 of 2 adapters, and on two it has to be: see `diagnose`";
    assert_eq!((exit, text), (Exit::NotRun, format!("TAP version 13\nBail out! {why}\n")));
}

#[test]
fn run_between_ends_that_are_given_asks_for_no_adapters() {
    // A far end that is no adapter's: the scenario says so.
    let [near, _] = IPV4.ends();
    let none = Endpoint::new(99, [10, 0, 0, 9].into(), 5445);
    let run = Run { ends: Some([near, none]), ..asked(&["Flush"], Some(Level::Passive)) };
    let (exit, text) = play(common::boot(IPV4), &run);
    assert_eq!(exit, Exit::Failed, "{text}");
    assert!(text.contains("not ok 1 - Flush at PASSIVE_LEVEL\n"), "{text}");
}

#[test]
fn adapter_comes_back_from_each_control() {
    let mut fixture = common::boot(IPV4);
    let rdma = |fixture: &Fixture| {
        fixture.adapters().unwrap().iter().map(|adapter| adapter.rdma).collect::<Vec<_>>()
    };
    fixture.restart(common::FAR).unwrap();
    assert_eq!(rdma(&fixture), [true, true]);
    let far = fixture.control(common::FAR).unwrap();
    far.remove().unwrap();
    assert_eq!(rdma(&fixture), [true]);
    assert!(fixture.control(common::FAR).is_err());
    fixture.enable(common::FAR).unwrap();
    assert_eq!(rdma(&fixture), [true, true]);
    drop(far);
    let found = fixture.shut_down();
    assert!(found.is_clean(), "{found}");
}

#[test]
fn commands_of_the_runner_work_on_the_simulated_machine() {
    let fixture = common::boot(IPV4);
    let mut output = Vec::new();
    let tdi = command::tdi(&fixture, &mut output).unwrap();
    let adapters = command::adapters(&fixture, &mut output).unwrap();
    let found = fixture.shut_down();
    let text = String::from_utf8(output).unwrap();
    assert_eq!((tdi, adapters), (Exit::Passed, Exit::Passed), "{text}");
    assert!(text.starts_with("  ok     1048576 bytes each way, intact\n"), "{text}");
    assert!(text.contains("12  Ethernet 12     RDMA operational      10.0.0.1\n"), "{text}");
    assert!(found.is_clean(), "{found}");
}
