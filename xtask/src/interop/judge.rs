//! tshark, which was not made here, judges a capture: that it finds iWARP in every byte, nothing malformed, no wrong CRC,
//! and as many FPDUs or messages of each operation as softndk's side has counted.
//!
//! It has to be told to try its heuristics before ports, since some port is always another protocol's; a wrong CRC is
//! nothing but a text to it; and it takes what follows RDMA for RPC where it can.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use interop::{Counts, OPERATIONS};

use super::guest::CONTROL;
use super::meeting::{Counted, Met};
use crate::{failure::CommandError, step::Step};

const OPTIONS: [&str; 4] = ["-o", "tcp.try_heuristic_first:TRUE", "--disable-protocol", "rpcordma"];

/// The columns of the first pass.
const COLUMNS: [&str; 9] = [
    "tcp.srcport",
    "tcp.dstport",
    "tcp.reassembled_in",
    "iwarp_rdma.opcode",
    "iwarp_ddp.last_flag",
    "iwarp_mpa.ulpdulength",
    "_ws.malformed",
    "_ws.expert.severity",
    "frame.protocols",
];

/// The least severity of an error (`PI_ERROR` of epan/proto.h).
const ERROR: u64 = 0x0080_0000;

/// The opcode and the length of a Write of no length, whose header is all that it has (RFC 5041 section 4.2).
const EMPTY_WRITE: (u64, u64) = (0, 14);

/// A direction of a stream, as tshark sees it.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    counts: Counts,
    /// Messages, but for Writes of no length, which a stream may begin with (RFC 6581 section 9).
    messages: Counts,
    good: u64,
    bad: u64,
    faults: Vec<String>,
}

/// All directions, by their source and destination port.
type Directions = BTreeMap<(u16, u16), Seen>;

/// The verdict of tshark on a capture.
pub(super) struct Verdict {
    directions: Directions,
}

/// Leaves the streams of the meetings in `capture`, and judges them.
pub(super) fn judge(step: &Step, raw: &Path, capture: &Path) -> Result<Verdict, CommandError> {
    let others = format!("tcp.port != {CONTROL}");
    step.run(Command::new("tshark").arg("-r").arg(raw).args(["-2", "-R", &others, "-w"]).arg(capture))?;
    let mut fields = Command::new("tshark");
    fields.arg("-r").arg(capture).args(OPTIONS).args(["-2", "-R", "tcp.len > 0", "-T", "fields"]);
    fields.args(COLUMNS.iter().flat_map(|column| ["-e", column]));
    let mut directions = read_fields(&step.run(&mut fields)?);
    let mut text = Command::new("tshark");
    text.arg("-r").arg(capture).args(OPTIONS).args(["-Y", "iwarp_mpa", "-O", "iwarp_mpa"]);
    read_sums(&step.run(&mut text)?, &mut directions);
    Ok(Verdict { directions })
}

impl Verdict {
    /// The faults of the stream of a meeting, whose FPDUs have CRCs or have none.
    pub(super) fn of(&self, met: &Met, crc: bool) -> Vec<String> {
        let mut faults = vec![];
        let mut seen_any = false;
        for ((from, to), seen) in
            self.directions.iter().filter(|((from, to), _)| [from, to].contains(&&met.port))
        {
            seen_any = true;
            let is_ours = met.is_ours(*from, *to);
            let (way, counted) = if is_ours { ("sent", met.sent) } else { ("received", met.received) };
            faults.extend(seen.faults.iter().map(|fault| format!("{way}: {fault}")));
            // Behind a fault of the peer's nothing is read, nor counted.
            let (counts, counted) = match counted {
                Counted::Segments(counted) => (seen.counts, counted),
                Counted::Messages(counted) => (seen.messages, counted),
            };
            let is_same = counts == counted || (!is_ours && met.is_cut && counts.has_all(&counted));
            if !is_same {
                faults.push(format!("{way}: tshark counts {counts}, and we {counted}"));
            }
            let all = if crc { seen.counts.total() } else { 0 };
            if seen.bad > 0 || seen.good != all {
                let Seen { good, bad, .. } = seen;
                faults.push(format!("{way}: {good} CRCs are good and {bad} bad, of {all}"));
            }
        }
        if !seen_any {
            faults.push("tshark sees no such stream".into());
        }
        faults
    }

    /// The FPDUs of each operation, in all streams.
    pub(super) fn operations(&self) -> Counts {
        self.directions.values().fold(Counts::default(), |sum, seen| sum.plus(seen.counts))
    }

    /// The operations that were never seen.
    pub(super) fn missing(&self) -> Vec<String> {
        let seen = OPERATIONS.iter().zip(self.operations().0);
        seen.filter(|(_, count)| *count == 0).map(|(name, _)| format!("no {name} was seen")).collect()
    }
}

/// Reads the columns: a line for each segment of TCP with data.
fn read_fields(text: &str) -> Directions {
    let mut directions = Directions::new();
    for line in text.lines() {
        let columns: Vec<&str> = line.split('\t').collect();
        let [from, to, reassembled, opcodes, last, lengths, malformed, severity, protocols] = columns[..]
        else {
            continue;
        };
        let (Ok(from), Ok(to)) = (from.parse(), to.parse()) else { continue };
        let seen = directions.entry((from, to)).or_default();
        let numbers = |column: &'_ str| column.split(',').filter_map(number).collect::<Vec<_>>();
        let (last, lengths) = (numbers(last), numbers(lengths));
        for ((opcode, last), length) in numbers(opcodes).into_iter().zip(last).zip(lengths) {
            let code = u8::try_from(opcode).unwrap_or(u8::MAX);
            seen.counts.add(code);
            if last == 1 && (opcode, length) != EMPTY_WRITE {
                seen.messages.add(code);
            }
        }
        if !malformed.is_empty() {
            seen.faults.push("malformed".into());
        }
        if severity.split(',').filter_map(number).any(|severity| severity >= ERROR) {
            seen.faults.push("an error of tshark's".into());
        }
        if !protocols.contains("iwarp_mpa") && reassembled.is_empty() {
            seen.faults.push(format!("data that is not iWARP: {protocols}"));
        }
    }
    directions
}

/// A number, decimal or hexadecimal.
fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// Reads the CRCs: each stands below the line of its segment.
fn read_sums(text: &str, directions: &mut Directions) {
    let mut direction = None;
    for line in text.lines() {
        if let Some(ports) = line.strip_prefix("Transmission Control Protocol, Src Port: ") {
            let mut words = ports.split(", ").map(|word| word.trim_start_matches("Dst Port: "));
            let mut port = || words.next().and_then(|word| word.parse().ok());
            direction = port().zip(port());
        } else if line.trim_start().starts_with("CRC check:")
            && let Some(seen) = direction.and_then(|ports| directions.get_mut(&ports))
        {
            *if line.contains("(Good CRC32)") { &mut seen.good } else { &mut seen.bad } += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: &str = "50\t7174\t\t0x00,0x00,0x03\t0,1,1\t1450,14,34\t\t\teth:ethertype:ip:tcp:iwarp_mpa:iwarp_ddp_rdmap\n\
        50\t7174\t12\t\t\t\t\t\teth:ethertype:ip:tcp\n\
        7174\t50\t\t\t\t\t\t2097152\teth:ethertype:ip:tcp:data\n\
        7174\t50\t\t0x07\t1\t30\t_ws.malformed\t8388608\teth:ethertype:ip:tcp:iwarp_mpa\n";

    fn met(sent: [u64; 8], received: [u64; 8]) -> Met {
        let (sent, received) = (Counted::Segments(Counts(sent)), Counted::Segments(Counts(received)));
        Met { port: 7174, listens: false, crc: Some(true), is_cut: false, sent, received }
    }

    #[test]
    fn stream_is_held_to_what_both_sides_counted() {
        let mut directions = read_fields(FIELDS);
        read_sums(
            "Transmission Control Protocol, Src Port: 50, Dst Port: 7174, Seq: 1\n\
             \x20       CRC check: 0x01 (Good CRC32)\n        CRC check: 0x02 (Bad CRC32)\n",
            &mut directions,
        );
        let verdict = Verdict { directions };
        let faults = verdict.of(&met([2, 0, 0, 2, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 1]), true).join("; ");
        for part in [
            "sent: tshark counts Write 2, Send 1, and we Write 2, Send 2",
            "sent: 1 CRCs are good and 1 bad, of 3",
            "received: data that is not iWARP",
            "received: malformed",
            "received: an error of tshark's",
            "received: 0 CRCs are good and 0 bad, of 1",
        ] {
            assert!(faults.contains(part), "{part}: {faults}");
        }
        assert_eq!(verdict.missing().len(), 5);
    }

    #[test]
    fn stream_without_a_fault_has_none() {
        let line = FIELDS.lines().next().unwrap();
        let mut directions = read_fields(line);
        let sums = "Transmission Control Protocol, Src Port: 50, Dst Port: 7174, Seq: 1\nCRC check: 1 (Good CRC32)\n";
        read_sums(&sums.repeat(3), &mut directions);
        let verdict = Verdict { directions };
        let whole = met([2, 0, 0, 1, 0, 0, 0, 0], [0; 8]);
        assert_eq!(verdict.of(&whole, true), Vec::<String>::new());
        let other = Met { port: 1, ..met([0; 8], [0; 8]) };
        assert_eq!(verdict.of(&other, true), ["tshark sees no such stream"]);
        assert_eq!(verdict.of(&whole, false), ["sent: 3 CRCs are good and 0 bad, of 0"]);
    }

    #[test]
    fn messages_of_a_stream_end_with_their_last_segments_and_are_not_empty_writes() {
        let mut directions = read_fields(FIELDS.lines().next().unwrap());
        let sums = "Transmission Control Protocol, Src Port: 50, Dst Port: 7174, Seq: 1\nCRC check: 1 (Good CRC32)\n";
        read_sums(&sums.repeat(3), &mut directions);
        let verdict = Verdict { directions };
        let of = |writes| Met {
            sent: Counted::Messages(Counts([writes, 0, 0, 1, 0, 0, 0, 0])),
            ..met([0; 8], [0; 8])
        };
        assert_eq!(verdict.of(&of(0), true), Vec::<String>::new());
        assert_eq!(verdict.of(&of(1), true), ["sent: tshark counts Send 1, and we Write 1, Send 1"]);
    }
}
