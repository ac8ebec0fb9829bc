//! The formats, read back by readers that are not ours.

use core::time::Duration;

use protocol::{Level, Scenario};

use super::*;
use crate::selection::name;

fn run() -> Run {
    let case = |scenario: Scenario, level, findings: &[&str]| Case {
        name: name(scenario),
        level,
        rules: scenario.rules(),
        time: Duration::from_micros(1500),
        findings: findings.iter().map(|finding| (*finding).to_owned()).collect(),
    };
    let odd = "the consumer: \"close\" <CQ> & more: saw 0x00000103\u{1}";
    Run {
        cases: vec![
            case(Scenario::Flush, Level::Passive, &[]),
            case(Scenario::Reject, Level::Dispatch, &[odd, "second\nline"]),
        ],
    }
}

fn whole(report: &mut dyn Live) -> String {
    let run = run();
    let text: String = run.cases.iter().map(|case| report.ended(case)).collect();
    text + &report.over(&run)
}

#[test]
fn text_has_a_line_for_each_case_and_its_findings_below() {
    let text = whole(&mut Text);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("  ok     Flush") && lines[0].ends_with("0.002 s"), "{text}");
    assert!(lines[1].starts_with("  FAILED Reject") && lines[1].contains("DISPATCH_LEVEL"), "{text}");
    assert!(lines[2].trim_start().starts_with("the consumer"), "{text}");
    assert_eq!(lines.last(), Some(&"1 passed, 1 failed in 0.0 s"));
}

#[test]
fn tap_has_a_plan_a_line_for_each_case_and_blocks_of_yaml() {
    let tap = whole(&mut Tap::default());
    let lines: Vec<&str> = tap.lines().collect();
    assert_eq!(lines[..2], ["TAP version 13", "ok 1 - Flush at PASSIVE_LEVEL"]);
    assert_eq!(lines[lines.len() - 2..], ["1..2", "# 1 passed, 1 failed"]);
    assert!(tap.contains("\nnot ok 2 - Reject at DISPATCH_LEVEL\n  ---\n"));
    assert!(tap.contains("    - \"second\\nline\"\n  ...\n"), "{tap}");
    // What stands outside the blocks is what the protocol knows.
    let mut inside = false;
    for line in &lines {
        match *line {
            "  ---" => inside = true,
            "  ..." => inside = false,
            line if inside => assert!(line.starts_with("  "), "{line}"),
            line => assert!(
                ["TAP version 13", "1..", "ok ", "not ok ", "# "].iter().any(|known| line.starts_with(known)),
                "{line}"
            ),
        }
    }
    assert!(!inside);
}

#[test]
fn tap_that_can_not_begin_bails_out_in_one_line() {
    assert_eq!(Tap::default().bails_out("no\n  driver"), "TAP version 13\nBail out! no driver\n");
}

#[test]
fn junit_is_xml_that_has_each_case_and_finding() {
    let xml = junit(&run());
    let document = roxmltree::Document::parse(&xml).unwrap();
    let suite = document.root_element().first_element_child().unwrap();
    assert_eq!((suite.attribute("tests"), suite.attribute("failures")), (Some("2"), Some("1")));
    let cases: Vec<_> = suite.children().filter(|node| node.has_tag_name("testcase")).collect();
    assert_eq!(cases[0].attribute("name"), Some("Flush"));
    assert!(cases[0].first_element_child().is_none());
    assert_eq!(cases[1].attribute("classname"), Some("ndk.DISPATCH_LEVEL"));
    let failure = cases[1].first_element_child().unwrap();
    let seen = failure.text().unwrap();
    assert_eq!(seen, "the consumer: \"close\" <CQ> & more: saw 0x00000103\u{fffd}\nsecond\nline");
}

#[test]
fn json_has_each_case_and_finding() {
    let report: serde_json::Value = serde_json::from_str(&json(&run())).unwrap();
    assert_eq!((&report["passed"], &report["failed"]), (&1.into(), &1.into()));
    assert_eq!(
        report["cases"][0]["rules"].as_array().map(Vec::len),
        Some(Scenario::Flush.rules().split(' ').count())
    );
    assert_eq!(report["cases"][1]["findings"][1], "second\nline");
    assert_eq!(report["cases"][1]["level"], "DISPATCH_LEVEL");
}
