//! `cargo xtask events`: the driver's events in a trace file, which two readers decode that are not ours.
//!
//! | reader (PyPI) | judges |
//! |---|---|
//! | etl-parser | the name of each event, and the name and value of each field |
//! | dissect.etl | the file, the header of each event, its description, the provider's name, and the values' bytes |

use std::{collections::BTreeSet, fmt::Write, fs, net::SocketAddr, path::Path, process::Command};

use kernel::event::{EVENTS, PROVIDER, PROVIDER_NAME, level};
use ntsim::etw::{self, Record, Value};
use protocol::Endpoint;
use runner::{
    Images, Place,
    events::{self as recorded, SCENARIOS, Session},
};
use serde::Deserialize;
use serde_json::{Map, json};

use crate::{
    build,
    failure::CommandError,
    packages::{self, Use},
    python, root,
    step::Step,
};

/// The readers, of which the script knows the interfaces.
const READERS: [&str; 2] = ["dissect.etl==3.14", "etl-parser==1.0.1"];

/// Interface index, address and port: of the adapter that connects, and of the one that listens.
const ADAPTERS: [(u32, [u8; 4], u16); 2] = [(12, [10, 0, 0, 1], 0), (15, [10, 0, 0, 2], 5445)];

/// The output of the script.
#[derive(Deserialize)]
struct Read {
    etl_parser: Vec<Decoded>,
    dissect: Vec<Raw>,
}

/// An event as etl-parser has it.
#[derive(Deserialize)]
struct Decoded {
    name: String,
    fields: Map<String, serde_json::Value>,
}

/// An event as dissect.etl has it; bytes in hexadecimal digits.
#[derive(Deserialize)]
struct Raw {
    provider: String,
    description: String,
    values: String,
}

/// Records, writes the file and has it read.
pub(crate) fn run() -> Result<(), CommandError> {
    let images = build::build()?;
    packages::provide(|need| matches!(need, Use::Python))?;
    let step = Step::start("record events");
    let records = record(&Images { softndk: images.image("softndk"), ndkhlk: images.image("ndkhlk") })?;
    let file = images.folder.join("events.etl");
    fs::write(&file, etw::log_file(&records)).map_err(|error| CommandError::file(&file, &error))?;
    step.done();
    let step = Step::start("read the trace file");
    let read = read(&step, &file)?;
    step.done();
    compare(&records, &read)?;
    println!(
        "{}: {} events, of {} kinds; etl-parser decodes each, dissect.etl reads each",
        file.display(),
        records.len(),
        EVENTS.len()
    );
    Ok(())
}

/// Every event of the list, in a session that listens to all.
fn record(images: &Images) -> Result<Vec<Record>, CommandError> {
    let places = ADAPTERS.map(|(index, address, _)| Place::new(index, address.into()));
    let ends = ADAPTERS.map(|(index, address, port)| Endpoint::new(index, address.into(), port));
    let session = Session { provider: PROVIDER, level: level::VERBOSE, keywords: u64::MAX };
    let failed = |error: runner::Error| CommandError::work(error.to_string());
    let (mut records, found) =
        recorded::record(session, images, &places, ends, &SCENARIOS).map_err(failed)?;
    let (late, more) = recorded::record_late_close(session, images, &places).map_err(failed)?;
    for found in [found, more] {
        if !found.is_clean() {
            return Err(CommandError::work(found.to_string()));
        }
    }
    records.extend(late);
    let seen: BTreeSet<&str> = records.iter().map(|record| &*record.name).collect();
    match EVENTS.iter().find(|event| !seen.contains(event.name)) {
        Some(missing) => Err(CommandError::work(format!("{} was never written", missing.name))),
        None => Ok(records),
    }
}

fn read(step: &Step, file: &Path) -> Result<Read, CommandError> {
    let tools = python::provide(step, "events", &READERS)?;
    let script = root().join("xtask/src/events/read_log.py");
    let mut command = Command::new(tools.join("python3"));
    command.arg(script).arg(file);
    let output = step.attempt(&mut command).map_err(CommandError::work)?;
    serde_json::from_str(&output)
        .map_err(|error| CommandError::work(format!("the readers' output: {error}\n{output}")))
}

/// Compares what each reader has with what the simulator had.
fn compare(records: &[Record], read: &Read) -> Result<(), CommandError> {
    let counts = [read.etl_parser.len(), read.dissect.len()];
    if counts != [records.len(); 2] {
        let text =
            format!("of {} events etl-parser has {}, dissect.etl {}", records.len(), counts[0], counts[1]);
        return Err(CommandError::work(text));
    }
    for ((record, decoded), raw) in records.iter().zip(&read.etl_parser).zip(&read.dissect) {
        let fields: Map<String, serde_json::Value> =
            record.fields.iter().map(|field| (field.name.clone(), as_read(&field.value))).collect();
        if (&decoded.name, &decoded.fields) != (&record.name, &fields) {
            let text = format!("etl-parser has {} {:?} for {record}", decoded.name, decoded.fields);
            return Err(CommandError::work(text));
        }
        let same = raw.provider == PROVIDER_NAME
            && raw.description == hex(&record.raw.metadata)
            && raw.values.starts_with(&hex(&record.raw.data));
        if !same {
            return Err(CommandError::work(format!("dissect.etl has {} for {record}", raw.description)));
        }
    }
    Ok(())
}

/// A value as the script prints it.
fn as_read(value: &Value) -> serde_json::Value {
    match value {
        Value::Signed(number) => json!(number),
        Value::Unsigned(number) => json!(number),
        Value::Float(number) => json!(number),
        Value::Text(text) => json!(text),
        Value::Bytes(bytes) => json!(hex(bytes)),
        Value::Address(address) => json!(hex(&socket_address(*address))),
    }
}

/// A SOCKADDR_IN or SOCKADDR_IN6.
fn socket_address(address: SocketAddr) -> Vec<u8> {
    let port = address.port().to_be_bytes();
    match address {
        SocketAddr::V4(address) => [&[2, 0], &port[..], &address.ip().octets(), &[0; 8]].concat(),
        SocketAddr::V6(address) => {
            let (flow, scope) = (address.flowinfo().to_le_bytes(), address.scope_id().to_le_bytes());
            [&[23, 0], &port[..], &flow, &address.ip().octets(), &scope].concat()
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // A string takes all that is written to it.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
