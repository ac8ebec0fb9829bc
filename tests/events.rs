//! The driver's events as a trace session sees them.

#![cfg(not(windows))]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test ends when what it needs is not there"
)]
#![allow(clippy::std_instead_of_alloc, reason = "the rest comes from std too")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use common::{IPV4, PORT};
use ntsim::Machine;
use ntsim::etw::{self, Record, Value};
use ntsim::ex::{Faults, inject};
use protocol::{Level, Link, Scenario};
use provider::kernel::event::{Description, EVENTS, FieldType, PROVIDER, PROVIDER_NAME, keyword, level};
use runner::command::{self, Evidence, Format, Run, trace};
use runner::events::{self, SCENARIOS, Session};
use runner::shell::{Programs, Shell};
use runner::{Client, Exit, Fixture, Selection};
use sys::status::{STATUS_ACCESS_VIOLATION, STATUS_CONNECTION_REFUSED, STATUS_PENDING};
use sys::wdm::GUID;

/// The events of a session with these scenarios, with nothing found.
fn record(scenarios: &[Scenario], level: u8, keywords: u64) -> Vec<Record> {
    let session = Session { provider: PROVIDER, level, keywords };
    let recorded = events::record(session, &common::images(), &IPV4.places(), IPV4.ends(), scenarios);
    let (records, found) = recorded.unwrap_or_else(|error| panic!("{error}"));
    assert!(found.is_clean(), "{found}");
    records
}

/// The records of one event.
fn named<'a>(records: &'a [Record], name: &str) -> Vec<&'a Record> {
    records.iter().filter(|record| record.name == name).collect()
}

/// The field has the form that the list says.
fn has_form(value: &Value, kind: FieldType) -> bool {
    match kind {
        FieldType::U32 | FieldType::Hex32 | FieldType::Hex64 | FieldType::Status => {
            matches!(value, Value::Unsigned(_))
        }
        FieldType::I64 => matches!(value, Value::Signed(_)),
        FieldType::Name => matches!(value, Value::Text(text) if !text.is_empty()),
        FieldType::Address => match value {
            Value::Address(_) => true,
            Value::Bytes(none) => none.is_empty(),
            _ => false,
        },
    }
}

#[track_caller]
fn expect_form(record: &Record, description: &Description) {
    assert_eq!((record.provider, &*record.provider_name), (PROVIDER, PROVIDER_NAME));
    let descriptor = record.descriptor;
    assert_eq!((descriptor.Level, descriptor.Keyword), (description.level, description.keyword), "{record}");
    let names: Vec<&str> = record.fields.iter().map(|field| &*field.name).collect();
    let listed: Vec<&str> = description.fields.iter().map(|field| field.0).collect();
    assert_eq!(names, listed, "{record}");
    for (field, (_, kind)) in record.fields.iter().zip(description.fields) {
        assert!(has_form(&field.value, *kind) && (field.in_type, field.out_type) == kind.codes(), "{record}");
    }
}

#[test]
fn every_event_of_the_list_is_seen_with_its_fields() {
    let records = record(&SCENARIOS, level::VERBOSE, u64::MAX);
    let session = Session { provider: PROVIDER, level: level::WARNING, keywords: u64::MAX };
    let late = events::record_late_close(session, &common::images(), &IPV4.places());
    let (late, found) = late.unwrap_or_else(|error| panic!("{error}"));
    assert!(found.is_clean(), "{found}");
    let blocked: Vec<_> = late.iter().map(|record| &*record.name).collect();
    assert_eq!(blocked, ["CloseBlocked", "CloseHeld"]);
    assert_eq!(late[0].number("Object"), late[1].number("Object"));
    assert_eq!((late[1].text("Holder"), late[1].text("HolderType")), (Some("successor"), Some("PD")));
    let listed: BTreeMap<&str, &Description> = EVENTS.iter().map(|event| (event.name, event)).collect();
    for record in records.iter().chain(&late) {
        let description = listed.get(&*record.name).unwrap_or_else(|| panic!("{record} is in no list"));
        expect_form(record, description);
    }
    let seen: BTreeSet<&str> = records.iter().chain(&late).map(|record| &*record.name).collect();
    let missing: Vec<_> = listed.keys().filter(|name| !seen.contains(*name)).collect();
    assert!(missing.is_empty(), "never seen: {missing:?}");

    // Each object that was created is closed, in this order, by one handle.
    let mut open = BTreeSet::new();
    for record in &records {
        let object = (record.text("Type").map(str::to_owned), record.number("Object"));
        match &*record.name {
            "ObjectCreated" => assert!(open.insert(object), "created twice: {record}"),
            "CloseCalled" => assert!(open.contains(&object), "closed, and never created: {record}"),
            "CloseCompleted" => {
                assert!(open.remove(&object), "completed twice: {record}");
                assert!(matches!(record.get("Microseconds"), Some(Value::Signed(0..))), "{record}");
            }
            _ => {}
        }
    }
    // The legacy transport closes its objects when the adapters are halted, which is after the session.
    let of_transport = |kind: &Option<String>| matches!(kind.as_deref(), Some("adapter" | "PD"));
    assert!(open.iter().all(|(kind, _)| of_transport(kind)), "{open:?}");

    let status = |name: &str, wanted: i32| {
        named(&records, name)
            .iter()
            .any(|record| record.number("Status") == Some(wanted.cast_unsigned().into()))
    };
    assert!(status("Connect", STATUS_PENDING) && status("RequestCompleted", STATUS_CONNECTION_REFUSED));
    assert!(status("WorkRequestFailed", STATUS_ACCESS_VIOLATION) && status("Listen", STATUS_PENDING));
    let state: BTreeSet<_> =
        named(&records, "ObjectState").iter().filter_map(|record| record.text("Type")).collect();
    assert!(["adapter", "CQ", "PD", "QP", "connector"].iter().all(|kind| state.contains(kind)), "{state:?}");
    let connected = named(&records, "Connect")[0];
    let remote = connected.get("Remote");
    assert!(matches!(remote, Some(Value::Address(at)) if at.port() == PORT), "{connected}");
}

#[test]
fn session_of_one_keyword_and_level_gets_no_other_event() {
    let records = record(&SCENARIOS[..3], level::WARNING, keyword::CONNECTION);
    let names: BTreeSet<_> = records.iter().map(|record| &*record.name).collect();
    assert!(names.iter().all(|name| *name == "ConnectionTerminated"), "{names:?}");
    let records = record(&SCENARIOS[..3], level::INFORMATION, keyword::CONNECTION);
    assert!(records.iter().all(|record| record.descriptor.Keyword == keyword::CONNECTION));
    assert!(!named(&records, "Connect").is_empty());
}

#[test]
fn provider_without_a_session_writes_nothing() {
    let fixture = common::boot(IPV4);
    assert_eq!(etw::providers(), [PROVIDER]);
    let [near, far] = IPV4.ends();
    let played = |fixture: &Fixture| {
        let client = Client::open(fixture).expect("the harness is there");
        client
            .run_scenario(Scenario::DisconnectEvent, Level::Passive, Link::Loopback, near, far)
            .expect("it is played")
    };
    played(&fixture);
    assert_eq!(etw::writes(), 0);
    // A session that comes later is told, and one that has gone.
    etw::enable(PROVIDER, level::VERBOSE, u64::MAX);
    played(&fixture);
    let written = etw::writes();
    assert!(written > 20, "{written} events");
    etw::disable(PROVIDER);
    played(&fixture);
    assert_eq!(etw::writes(), written);
    let found = fixture.shut_down();
    assert!(found.is_clean(), "{found}");
}

/// The state of an adapter, as NDIS changes it.
#[test]
fn adapter_changes_are_written_in_their_order() {
    let machine = Machine::builder().boot();
    etw::enable(PROVIDER, level::INFORMATION, keyword::ADAPTER);
    let fixture = Fixture::on(machine, &common::images(), &IPV4.places()).map_err(|(error, _)| error);
    let fixture = fixture.unwrap_or_else(|error| panic!("{error}"));
    let records = etw::records();
    let found = fixture.shut_down();
    assert!(found.is_clean(), "{found}");
    // Adapters start at the same time: the order is that of each.
    let mut states: BTreeMap<u64, Vec<&str>> = BTreeMap::new();
    for record in &records {
        if let (Some(interface), Some(state)) = (record.number("Interface"), record.text("State")) {
            states.entry(interface).or_default().push(state);
        }
    }
    assert_eq!(states.len(), 2, "{states:?}");
    assert!(states.values().all(|states| states.starts_with(&["initialized", "restarted"])), "{states:?}");
}

/// A machine whose logman.exe has the session of the simulated one.
struct Recorder {
    file: PathBuf,
}

impl Programs for Recorder {
    fn program(&self, program: &str, arguments: &[&str]) -> Result<String, String> {
        let number = |text: &str| u64::from_str_radix(text.trim_start_matches("0x"), 16).expect("a number");
        match (program, arguments) {
            ("logman.exe", ["create", "trace", _, "-p", provider, keywords, level, "-o", file, ..]) => {
                assert_eq!((*provider, Path::new(file)), (&*braced(PROVIDER), &*self.file));
                etw::enable(PROVIDER, level.parse().expect("a level"), number(keywords));
            }
            ("logman.exe", ["stop", _, "-ets"]) => {
                let log = etw::log_file(&etw::records());
                etw::disable(PROVIDER);
                std::fs::write(&self.file, log).map_err(|error| error.to_string())?;
            }
            _ => {}
        }
        Ok(String::new())
    }
}

impl Shell for Recorder {
    fn run(&self, _script: &str) -> Result<String, String> {
        Err("no PowerShell".to_owned())
    }
}

impl Evidence for Recorder {
    fn log(&self, log: &str) -> Result<Vec<u8>, String> {
        Err(format!("no {log}"))
    }

    fn setup_log(&self) -> Result<Vec<u8>, String> {
        Err("no log".to_owned())
    }

    fn trace(&self) -> Result<Vec<u8>, String> {
        std::fs::read(&self.file).map_err(|error| error.to_string())
    }

    fn reports(&self) -> Result<Vec<(String, Vec<u8>)>, runner::Error> {
        Ok(Vec::new())
    }

    fn dumps(&self) -> Vec<PathBuf> {
        Vec::new()
    }
}

/// An identifier as logman.exe takes it.
fn braced(id: GUID) -> String {
    let [a, b, rest @ ..] = id.Data4;
    let rest: String = rest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{{{:08x}-{:04x}-{:04x}-{a:02x}{b:02x}-{rest}}}", id.Data1, id.Data2, id.Data3)
}

/// The trace that `ndkhlk.exe run` starts and `collect` stops has every keyword and level of the list.
#[test]
fn trace_of_a_run_is_in_the_archive() {
    let keywords = EVENTS.iter().fold(0, |all, event| all | event.keyword);
    let highest = EVENTS.iter().map(|event| event.level).max();
    assert_eq!((trace::KEYWORDS, trace::LEVEL.parse().ok()), (&*format!("{keywords:#x}"), highest));

    let folder = tempfile::tempdir().expect("a folder");
    let machine = Recorder { file: folder.path().join(trace::FILE) };
    let mut fixture = common::boot(IPV4);
    trace::start(&machine, &machine.file).expect("it starts");
    let selection = Selection::new(&["DisconnectEvent"], Some(Level::Passive)).expect("it is known");
    let asked = Run { selection, ends: None, stress: None, format: Format::Text, junit: None, json: None };
    let mut output = Vec::new();
    assert_eq!(command::run(&mut fixture, &asked, &mut output).expect("it is printed"), Exit::Passed);
    let archive = folder.path().join("report.zip");
    command::collect(&machine, &archive, &mut output).expect("it is written");
    let found = fixture.shut_down();
    assert!(found.is_clean(), "{found}");

    // The archive's files are stored as they are.
    let (packed, trace) = (std::fs::read(archive), std::fs::read(&machine.file));
    let (packed, trace) = (packed.expect("the archive"), trace.expect("the trace"));
    let holds = |bytes: &[u8], part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    assert!(holds(&packed, trace::FILE.as_bytes()) && holds(&packed, &trace));
    assert!(EVENTS.iter().filter(|event| holds(&trace, event.name.as_bytes())).count() > 5);
}

/// Each allocation of the driver fails in turn, until one does with which an adapter can't be initialised.
#[test]
fn adapter_that_does_not_start_is_told_by_its_entry_in_the_event_log() {
    let told = (0..60).find_map(|nth| {
        let machine = Machine::builder().boot();
        inject(Faults::Nth(nth), Some("softndk.sys"));
        let fixture = Fixture::on(machine, &common::images(), &IPV4.places());
        inject(Faults::None, None);
        let (error, found) = match fixture {
            Ok(fixture) => (String::new(), fixture.shut_down()),
            Err((error, machine)) => (error.to_string(), machine.shutdown()),
        };
        assert!(found.is_clean(), "allocation {nth}: {found}");
        error.contains(", event 5001: ").then_some(error)
    });
    let told = told.expect("an adapter does not start");
    assert!(
        told.contains(": Ethernet ") && told.contains(" could not be initialised for want of memory. "),
        "{told}"
    );
}

#[test]
fn page_of_events_has_a_row_for_each() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/events.md"));
    let page = page.expect("the page is there");
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
    assert_eq!(rows.len(), EVENTS.len());
    for (row, event) in rows.into_iter().zip(EVENTS) {
        let fields: Vec<&str> = event.fields.iter().map(|field| field.0).collect();
        let begins =
            format!("| `{}` | {:#x} | {} | {} | ", event.name, event.keyword, event.level, fields.join(", "));
        assert!(row.starts_with(&begins), "{row}\n{begins}");
    }
}
