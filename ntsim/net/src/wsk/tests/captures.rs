//! The file with the bytes of connections, as a protocol analyser reads it.

use std::path::{Path, PathBuf};
use std::process::Command;

use ntsim_core::Settings;
use sys::status::*;

use super::connection::{PLACES, Pair};
use super::fixture::*;

/// A run with a connection over either family; the file of its bytes.
fn captured(name: &str, host: bool) -> PathBuf {
    let path = std::env::temp_dir().join(format!("ntsim-{name}-{}.pcapng", std::process::id()));
    assert_eq!(run(&path, host), None);
    path
}

/// A run with a connection over either family, captured at `path`; the error of that file.
fn run(path: &Path, host: bool) -> Option<String> {
    let builder = crate::testing::builder().capture(path);
    let fixture = Fixture::with(if host { builder.host_sockets() } else { builder });
    for at in PLACES {
        let pair = Pair::new(&fixture, at);
        assert_eq!(send(pair.here.0, &[b'a'; 40_000]), (STATUS_SUCCESS, 40_000));
        assert_eq!(send(pair.there.0, b"answer"), (STATUS_SUCCESS, 6));
        pair.there.1.until(|owner| owner.bytes.lock().len() == 40_000);
        assert_eq!(start_disconnect(pair.here.0, None, 0).wait().0, STATUS_SUCCESS);
        pair.there.1.until(|owner| *owner.ends.lock() == [0]);
        pair.close();
    }
    let capture = Settings::current().sockets.capture.unwrap();
    assert!(fixture.rules().is_empty());
    capture.error()
}

#[test]
fn capture_that_cannot_be_written_is_told_and_the_machine_runs_on() {
    for (path, reason) in
        [("/dev/full", "No space left on device"), ("/proc/none.pcapng", "No such file or directory")]
    {
        let error = run(Path::new(path), false).unwrap();
        assert!(error.starts_with(&format!("{path}: {reason}")), "{error}");
    }
}

#[test]
fn capture_begins_with_its_header_and_holds_each_byte_once() {
    for host in [false, true] {
        let path = captured(if host { "host" } else { "pipe" }, host);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::remove_file(path).unwrap();
        assert_eq!(bytes[..12], [0x0A, 0x0D, 0x0D, 0x0A, 28, 0, 0, 0, 0x4D, 0x3C, 0x2B, 0x1A]);
        let run = bytes.iter().filter(|&&byte| byte == b'a').count();
        assert!((80_000..81_000).contains(&run), "{run}");
    }
}

#[test]
fn tshark_reads_a_capture_without_a_complaint() {
    if Command::new("tshark").arg("--version").output().is_err() {
        println!("no tshark here");
        return;
    }
    for host in [false, true] {
        let path = captured(if host { "tshark-host" } else { "tshark-pipe" }, host);
        let fields = ["-T", "fields", "-e", "tcp.stream", "-e", "tcp.len", "-e", "_ws.malformed"];
        let complaints = ["-e", "tcp.analysis.flags", "-e", "tcp.flags.syn"];
        let output =
            Command::new("tshark").arg("-r").arg(&path).args(fields).args(complaints).output().unwrap();
        std::fs::remove_file(path).unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split('\t').collect()).collect();
        let streams: std::collections::BTreeSet<_> = rows.iter().map(|row| row[0]).collect();
        assert_eq!(streams.len(), 2, "{text}");
        let sum: u32 = rows.iter().filter_map(|row| row[1].parse::<u32>().ok()).sum();
        assert_eq!(sum, 2 * 40_006, "{text}");
        assert!(rows.iter().all(|row| row[2].is_empty()), "{text}");
        // A segment is there before what it acknowledges, or twice: neither may be.
        assert!(rows.iter().all(|row| row[3].is_empty()), "{text}");
        assert_eq!(rows.iter().filter(|row| row[4] == "1" || row[4] == "True").count(), 4, "{text}");
    }
}
