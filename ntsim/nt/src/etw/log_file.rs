//! The file of a session (ETL), as tools of Windows write it, for readers of others.
//!
//! A file is a sequence of buffers of one size. Each begins with a header; the first event of the first buffer describes
//! the session. Structures: <https://learn.microsoft.com/windows/win32/etw/wnode-header> and
//! <https://learn.microsoft.com/windows/win32/api/evntrace/ns-evntrace-trace_logfile_header> for what is documented, and
//! `EVENT_HEADER`, whose page is <https://learn.microsoft.com/windows/win32/api/evntcons/ns-evntcons-event_header>; the
//! buffer's header and the frame of an event are those of published symbol files (`WMI_BUFFER_HEADER`,
//! `EVENT_HEADER` in memory).

use ntsim_core::number::{Low, ToU64};
use sys::wdm::{EVENT_DESCRIPTOR, GUID};

use super::Record;

/// The size of a buffer.
const BUFFER: usize = 65_536;
/// The size of a buffer's header.
const HEADER: usize = 72;

/// Kinds of buffers: of events, and the one with the description of the session.
const GENERIC: u16 = 0;
const HEADER_BUFFER: u16 = 4;

/// The name of the session.
const SESSION: &str = "softndk";

/// Time of the boot, in units of 100 ns since 1601: any will do, as the simulator has no calendar.
const BOOT: u64 = 133_000_000_000_000_000;

/// `EVENT_HEADER_EXT_TYPE_EVENT_SCHEMA_TL` and `EVENT_HEADER_EXT_TYPE_PROV_TRAITS`.
const SCHEMA: u16 = 0xB;
const TRAITS: u16 = 0xC;

/// Bytes under construction, of fields in little-endian order.
#[derive(Default)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn u16(mut self, value: u16) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    fn u32(mut self, value: u32) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    fn u64(mut self, value: u64) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    fn zeros(mut self, count: usize) -> Self {
        self.0.resize(self.0.len() + count, 0);
        self
    }

    /// Up to a multiple of eight bytes.
    fn padded(mut self) -> Vec<u8> {
        self.0.resize(self.0.len().next_multiple_of(8), 0);
        self.0
    }
}

/// The file of a session that has collected these events.
pub fn log_file(records: &[Record]) -> Vec<u8> {
    let mut buffers: Vec<Vec<u8>> = vec![Vec::new()];
    for record in records {
        let event = event(record);
        let last = buffers.last_mut().expect("there is one");
        if HEADER + last.len() + event.len() <= BUFFER {
            last.extend(event);
        } else {
            buffers.push(event);
        }
    }
    let count = buffers.len() + 1;
    let mut file = buffer(&session(count), 0, HEADER_BUFFER);
    for (index, events) in buffers.iter().enumerate() {
        file.extend(buffer(events, index + 1, GENERIC));
    }
    file
}

/// A whole buffer.
fn buffer(events: &[u8], sequence: usize, kind: u16) -> Vec<u8> {
    let used = (HEADER + events.len()).low_u32();
    // Size, saved and current offset, references, time, sequence number, clock, processor and logger, state, offset of
    // what is filled, flags, kind; the rest is zero.
    let head = Bytes::default()
        .u32(BUFFER.low_u32())
        .u32(used)
        .u32(used)
        .u32(0)
        .u64(BOOT)
        .u64(sequence.to_u64())
        .u64(0)
        .u16(0)
        .u16(1)
        .u32(2)
        .u32(used)
        .u16(1)
        .u16(kind)
        .zeros(16);
    let mut whole = head.bytes(events).0;
    whole.resize(BUFFER, 0xFF);
    whole
}

/// The event that describes the session: a `SYSTEM_TRACE_HEADER` and a `TRACE_LOGFILE_HEADER`.
fn session(buffers: usize) -> Vec<u8> {
    let wide =
        |text: &str| -> Vec<u8> { text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect() };
    // Buffer size; version 10.0, provider version; processors, end time, resolution, most megabytes, mode, buffers
    // written, "starts with a header", pointer size, events lost, megahertz; the names' pointers and the time zone;
    // boot time, frequency, start time, flags, buffers lost.
    let body = Bytes::default()
        .u32(BUFFER.low_u32())
        .bytes(&[10, 0])
        .u16(5)
        .u32(20_348)
        .u32(2)
        .u64(BOOT)
        .u32(156_250)
        .u32(0)
        .u32(1)
        .u32(buffers.low_u32())
        .u32(1)
        .u32(8)
        .u32(0)
        .u32(2000)
        .zeros(16)
        .zeros(176)
        .u64(BOOT)
        .u64(10_000_000)
        .u64(BOOT)
        .u32(1)
        .u32(0)
        .bytes(&wide(SESSION))
        .bytes(&wide("softndk.etl"));
    let size = u16::try_from(32 + body.0.len()).expect("the description is short");
    Bytes::default()
        .u16(2)
        .bytes(&[2, 0xC0])
        .u16(size)
        .u16(0)
        .u32(4)
        .u32(4)
        .u64(BOOT)
        .zeros(8)
        .bytes(&body.0)
        .padded()
}

/// An item that extends an event; its length in front counts the padding.
fn item(kind: u16, content: &[u8], another_follows: bool) -> Vec<u8> {
    let length = u16::try_from(content.len()).expect("an item is short");
    let padded = (length + 8).next_multiple_of(8);
    let head = Bytes::default().u16(padded).u16(kind).u16(another_follows.into()).u16(length);
    head.bytes(content).padded()
}

fn identifier(GUID { Data1, Data2, Data3, Data4 }: GUID) -> Vec<u8> {
    Bytes::default().u32(Data1).u16(Data2).u16(Data3).bytes(&Data4).0
}

/// An event with its header and its description.
fn event(record: &Record) -> Vec<u8> {
    let EVENT_DESCRIPTOR { Id, Version, Channel, Level, Opcode, Task, Keyword } = record.descriptor;
    let raw = &record.raw;
    let items = [item(SCHEMA, &raw.metadata, true), item(TRAITS, &raw.traits, false)].concat();
    let size = u16::try_from(80 + items.len() + raw.data.len()).expect("an event is short");
    // Size, an event of 64 bits, flags (it is extended, and 64 bits), thread, process, time; provider; descriptor;
    // processor time and activity.
    Bytes::default()
        .u16(size)
        .bytes(&[0x13, 0xC0])
        .u16(0x41)
        .u16(0)
        .u32(record.place.thread)
        .u32(4)
        .u64(BOOT + record.place.time)
        .bytes(&identifier(record.provider))
        .u16(Id)
        .bytes(&[Version, Channel, Level, Opcode])
        .u16(Task)
        .u64(Keyword)
        .u64(0)
        .zeros(16)
        .bytes(&items)
        .bytes(&raw.data)
        .padded()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ntsim_core::sched::Irql;

    fn record(data: usize) -> Record {
        let place = crate::etw::record::Place { time: 7, processor: 0, thread: 3, irql: Irql::PASSIVE };
        let raw = crate::etw::record::Raw { traits: vec![1; 10], metadata: vec![2; 20], data: vec![3; data] };
        let descriptor =
            EVENT_DESCRIPTOR { Id: 0, Version: 0, Channel: 11, Level: 4, Opcode: 0, Task: 0, Keyword: 1 };
        let provider = GUID { Data1: 1, Data2: 2, Data3: 3, Data4: [4; 8] };
        let (provider_name, name, fields) = (String::new(), String::new(), Vec::new());
        Record { provider, provider_name, name, descriptor, fields, place, raw }
    }

    #[test]
    fn events_beyond_one_buffer_go_to_the_next() {
        let records = vec![record(30_000); 5];
        let file = log_file(&records);
        assert_eq!(file.len(), 4 * BUFFER);
        for (index, buffer) in file.chunks(BUFFER).enumerate() {
            let used = u32::from_le_bytes(buffer[4..8].try_into().unwrap());
            assert_eq!(u64::from_le_bytes(buffer[24..32].try_into().unwrap()), index.to_u64());
            assert!(buffer[usize::try_from(used).unwrap()..].iter().all(|byte| *byte == 0xFF));
        }
    }
}
