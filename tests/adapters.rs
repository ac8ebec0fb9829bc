//! The built driver as a network adapter: its Ethernet segment, what NDIS asks it, how it comes and goes.

#![cfg(not(windows))]
#![allow(clippy::expect_used, clippy::panic, reason = "a test ends when what it needs is not there")]
#![allow(clippy::std_instead_of_alloc, reason = "the rest comes from std too")]

use core::net::IpAddr;
use core::time::Duration;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use ntsim::Driver;
use ntsim::ex::{Faults, hold_work, inject};
use ntsim::io::{File, StatusError};
use ntsim::ndis::{Adapter, AdapterConfig};
use ntsim::sched::{self, Schedule, Strategy};
use ntsim::{Machine, Report, boundary, ndk};
use runner::Images;
use sys::ndis::{
    NDIS_ERROR_CODE_OUT_OF_RESOURCES, NDIS_NDK_STATISTICS_INFO, NDIS_OID, NDIS_PACKET_TYPE_DIRECTED,
    NDIS_STATISTICS_INFO, OID_802_3_CURRENT_ADDRESS, OID_802_3_MAXIMUM_LIST_SIZE, OID_802_3_MULTICAST_LIST,
    OID_802_3_PERMANENT_ADDRESS, OID_GEN_CURRENT_PACKET_FILTER, OID_GEN_LINK_PARAMETERS, OID_GEN_RCV_OK,
    OID_GEN_STATISTICS, OID_GEN_VENDOR_DESCRIPTION, OID_GEN_XMIT_ERROR, OID_GEN_XMIT_OK, OID_NDK_SET_STATE,
    OID_NDK_STATISTICS,
};
use sys::ndk::NDK_VERSION_2_1;
use sys::status::{
    NDIS_STATUS_INVALID_DATA, NDIS_STATUS_MULTICAST_FULL, NDIS_STATUS_NOT_SUPPORTED,
    STATUS_INSUFFICIENT_RESOURCES, STATUS_NOT_SUPPORTED,
};

const BROADCAST: [u8; 6] = [0xFF; 6];

/// A machine with the provider alone, and its adapters.
struct Network {
    driver: Driver,
    adapters: Vec<Arc<Adapter>>,
    machine: Machine,
}

impl Network {
    /// Starts an adapter per configuration.
    fn with(configurations: Vec<AdapterConfig>) -> Self {
        Self::on(Machine::builder().boot(), configurations)
    }

    /// Starts an adapter per configuration on a machine.
    fn on(machine: Machine, configurations: Vec<AdapterConfig>) -> Self {
        let indices: Vec<u32> = configurations.iter().map(|one| one.if_index).collect();
        machine.add_adapters(configurations);
        let mut driver = machine.load(image()).expect("the driver loads");
        machine.start_adapters(&mut driver).expect("its adapters start");
        let adapters = indices.iter().filter_map(|index| machine.adapter(*index)).collect();
        Self { driver, adapters, machine }
    }

    /// Starts three adapters.
    fn new() -> Self {
        Self::with((12..15).map(configuration).collect())
    }

    /// Stops everything.
    fn end(self) -> Report {
        for adapter in &self.adapters {
            // One that cannot be halted is a finding.
            let _ = adapter.halt();
        }
        self.driver.unload();
        self.machine.shutdown()
    }

    /// Stops everything, which must leave nothing behind.
    #[track_caller]
    fn end_clean(self) {
        let found = self.end();
        assert!(found.is_clean(), "{found}");
    }
}

/// The built driver.
fn image() -> PathBuf {
    Images::built(Path::new(env!("CARGO_MANIFEST_DIR"))).expect("the images are built").softndk
}

fn configuration(if_index: u32) -> AdapterConfig {
    AdapterConfig::new(if_index, [IpAddr::from([10, 0, 0, u8::try_from(if_index).expect("small")])])
}

fn address(adapter: &Adapter) -> [u8; 6] {
    adapter.query(OID_802_3_CURRENT_ADDRESS, 6).expect("it has one").try_into().expect("of six bytes")
}

fn frame(to: [u8; 6], from: [u8; 6], length: usize) -> Vec<u8> {
    let payload = (0..length).map(|i| i.to_le_bytes()[0]);
    to.into_iter().chain(from).chain([0x88, 0xB5]).chain(payload).collect()
}

fn counter(adapter: &Adapter, oid: NDIS_OID) -> u64 {
    let bytes = adapter.query(oid, 8).expect("the counter is kept");
    u64::from_le_bytes(bytes.try_into().expect("a counter has 64 bits"))
}

/// The frames received, once as many as `expected` are there; frames are indicated by a DPC.
fn received(adapter: &Adapter, expected: usize) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    let begin = Instant::now();
    while frames.len() < expected && begin.elapsed() < Duration::from_secs(10) {
        frames.extend(adapter.take_received());
        thread::yield_now();
    }
    frames.extend(adapter.take_received());
    frames
}

#[test]
fn frame_reaches_only_its_destination() {
    let network = Network::new();
    let [a, b, c] = &*network.adapters else { panic!("there are three adapters") };
    let sent = frame(address(b), address(a), 1500);
    a.send(&sent).expect("it is sent");
    assert_eq!(received(b, 1), [sent]);
    assert!(c.take_received().is_empty());
    assert!(a.take_received().is_empty());
    network.end_clean();
}

#[test]
fn chain_of_lists_is_delivered_in_order() {
    let network = Network::new();
    let [a, b, _] = &*network.adapters else { panic!("there are three adapters") };
    let frames: Vec<_> = [46, 300, 1500, 47, 700].map(|size| frame(address(b), address(a), size)).into();
    let [first, second, third, fourth, fifth] = &*frames else { panic!("there are five frames") };
    for _ in 0..20 {
        a.send_all(&[&[first, second], &[third], &[fourth, fifth]]).expect("all are sent");
        assert_eq!(received(b, 5), frames);
    }
    network.end_clean();
}

#[test]
fn broadcast_reaches_all_but_its_sender() {
    let network = Network::new();
    let [a, b, c] = &*network.adapters else { panic!("there are three adapters") };
    let sent = frame(BROADCAST, address(b), 46);
    b.send(&sent).expect("it is sent");
    assert_eq!(received(a, 1), core::slice::from_ref(&sent));
    assert_eq!(received(c, 1), [sent]);
    assert!(b.take_received().is_empty());
    network.end_clean();
}

#[test]
fn packet_filter_limits_received_frames() {
    let network = Network::new();
    let [a, b, _] = &*network.adapters else { panic!("there are three adapters") };
    let group = [0x01, 0x00, 0x5E, 0, 0, 1];
    a.send(&frame(group, address(a), 46)).expect("it is sent");
    b.set(OID_802_3_MULTICAST_LIST, &group).expect("the list has room");
    let listed = frame(group, address(a), 47);
    a.send(&listed).expect("it is sent");
    assert_eq!(received(b, 1), [listed]);
    b.set(OID_GEN_CURRENT_PACKET_FILTER, &NDIS_PACKET_TYPE_DIRECTED.to_le_bytes()).expect("it is supported");
    a.send(&frame(group, address(a), 48)).expect("it is sent");
    a.send(&frame(BROADCAST, address(a), 49)).expect("it is sent");
    let directed = frame(address(b), address(a), 50);
    a.send(&directed).expect("it is sent");
    assert_eq!(received(b, 1), [directed]);
    network.end_clean();
}

#[test]
fn malformed_frame_counts_as_transmit_error() {
    let network = Network::new();
    let [a, b, _] = &*network.adapters else { panic!("there are three adapters") };
    a.send(&frame(address(b), address(a), 1501)).expect_err("it is too long");
    a.send(&[0xFF; 13]).expect_err("it has no whole header");
    assert_eq!(counter(a, OID_GEN_XMIT_ERROR), 2);
    assert_eq!(counter(a, OID_GEN_XMIT_OK), 0);
    assert!(b.take_received().is_empty());
    network.end_clean();
}

#[test]
fn frames_and_octets_are_counted() {
    let network = Network::new();
    let [a, b, _] = &*network.adapters else { panic!("there are three adapters") };
    for _ in 0..3 {
        a.send(&frame(address(b), address(a), 86)).expect("it is sent");
    }
    a.send(&frame(BROADCAST, address(a), 46)).expect("it is sent");
    assert_eq!(received(b, 4).len(), 4);
    assert_eq!((counter(a, OID_GEN_XMIT_OK), counter(b, OID_GEN_RCV_OK)), (4, 4));
    let answer = b.query(OID_GEN_STATISTICS, size_of::<NDIS_STATISTICS_INFO>()).expect("they are kept");
    let words: Vec<u64> =
        answer[8..].chunks_exact(8).map(|word| u64::from_le_bytes(word.try_into().expect("eight"))).collect();
    // ifInDiscards, ifInErrors, ifHCInOctets, and frames in: unicast, multicast, broadcast.
    assert_eq!(words[..6], [0, 0, 360, 3, 0, 1]);
    network.end_clean();
}

#[test]
fn undeliverable_frames_are_discarded_without_leak() {
    let network = Network::new();
    let [a, b, _] = &*network.adapters else { panic!("there are three adapters") };
    let sent = frame(address(b), address(a), 100);
    for _ in 0..2000 {
        a.send(&sent).expect("a send never fails for want of a receiver");
    }
    let discarded = b.query(OID_GEN_STATISTICS, size_of::<NDIS_STATISTICS_INFO>()).expect("they are kept");
    let discarded = u64::from_le_bytes(discarded[8..16].try_into().expect("eight"));
    let arrived = received(b, usize::try_from(2000 - discarded).expect("small")).len();
    assert_eq!(u64::try_from(arrived).expect("small") + discarded, 2000);
    network.end_clean();
}

#[test]
fn adapters_pause_and_halt_with_frames_in_flight() {
    let network = Network::new();
    let [a, b, c] = &*network.adapters else { panic!("there are three adapters") };
    let to_all = frame(BROADCAST, address(a), 200);
    thread::scope(|scope| {
        let sender = scope.spawn(|| {
            let _attached = ntsim::sched::attach("sender");
            for _ in 0..5000 {
                a.send(&to_all).expect("its adapter runs");
            }
        });
        for _ in 0..20 {
            b.pause().expect("it runs");
            b.restart().expect("it is paused");
        }
        c.halt().expect("it can be halted at any time");
        sender.join().expect("the sender does not fail");
    });
    assert!(b.take_received().iter().all(|frame| *frame == to_all));
    network.end_clean();
}

#[test]
fn addresses_are_locally_administered_and_differ() {
    let mut chosen = configuration(15);
    chosen.network_address = Some([0x02, 1, 2, 3, 4, 5]);
    let mut unfit = configuration(16);
    unfit.network_address = Some([0x03, 1, 2, 3, 4, 5]);
    let network = Network::with(vec![configuration(12), configuration(13), chosen, unfit]);
    let own: Vec<[u8; 6]> = network.adapters.iter().map(|adapter| address(adapter)).collect();
    assert_eq!(own[2], [0x02, 1, 2, 3, 4, 5]);
    for (i, one) in own.iter().enumerate() {
        assert_eq!(one[0] & 0b11, 0b10, "{one:x?} is a station's own");
        assert!(!own[..i].contains(one), "{one:x?} is another station's too");
    }
    let permanent = network.adapters[2].query(OID_802_3_PERMANENT_ADDRESS, 6).expect("it has one");
    assert_ne!(permanent, own[2]);
    network.end_clean();
}

#[test]
fn every_listed_oid_is_supported() {
    let network = Network::new();
    let [a, ..] = &*network.adapters else { panic!("there are three adapters") };
    let only_set = [OID_GEN_LINK_PARAMETERS, OID_NDK_SET_STATE];
    for oid in a.supported_oids().into_iter().filter(|oid| !only_set.contains(oid)) {
        a.query(oid, 4096).unwrap_or_else(|status| panic!("{oid:#010x}: {status}"));
    }
    a.query(0x0001_0FFF, 64).expect_err("there is no such identifier");
    a.query(OID_GEN_VENDOR_DESCRIPTION, 4).expect_err("the description is longer");
    network.end_clean();
}

#[test]
fn malformed_multicast_list_is_refused() {
    let network = Network::new();
    let [a, ..] = &*network.adapters else { panic!("there are three adapters") };
    let room = a.query(OID_802_3_MAXIMUM_LIST_SIZE, 4).expect("it says how many it takes");
    let room = u32::from_le_bytes(room.try_into().expect("four bytes"));
    let group = [0x01, 0x00, 0x5E, 0, 0, 1];
    let many = group.repeat(usize::try_from(room).expect("small") + 1);
    let status = a.set(OID_802_3_MULTICAST_LIST, &many).expect_err("they are too many");
    assert_eq!(status.0, NDIS_STATUS_MULTICAST_FULL);
    let status = a.set(OID_802_3_MULTICAST_LIST, &[0x02, 0, 0, 0, 0, 1]).expect_err("it is no group");
    assert_eq!(status.0, NDIS_STATUS_INVALID_DATA);
    a.set(OID_802_3_MULTICAST_LIST, &group[..5]).expect_err("it is no whole address");
    a.set(OID_802_3_MULTICAST_LIST, &group).expect("the list has room");
    assert_eq!(a.query(OID_802_3_MULTICAST_LIST, 64).expect("it can be read back"), group);
    network.end_clean();
}

/// Shows NDIS-2 at PASSIVE_LEVEL.
#[test]
fn set_state_applies_outside_of_its_request() {
    let network = Network::new();
    let [a, ..] = &*network.adapters else { panic!("there are three adapters") };
    assert!(a.is_ndk_enabled());
    for enabled in [false, true, false] {
        set_ndk(a, enabled);
    }
    network.end_clean();
}

/// Shows NDIS-1 at PASSIVE_LEVEL.
#[test]
fn set_state_cannot_enable_rdma_configured_off() {
    let mut off = configuration(12);
    off.network_direct = false;
    let mut other = configuration(13);
    other.technology = 3;
    let network = Network::with(vec![off, other]);
    for adapter in &network.adapters {
        assert!(!adapter.is_ndk_enabled());
        let status = adapter.set(OID_NDK_SET_STATE, &[1]).expect_err("it is forbidden");
        assert_eq!(status.0, NDIS_STATUS_NOT_SUPPORTED);
    }
    network.end_clean();
}

/// `*NetworkDirect` counts as it is when NDIS asks, not as it was when the adapter started.
#[test]
fn changed_network_direct_keyword_applies_at_set_state() {
    let mut off = configuration(12);
    off.network_direct = false;
    let network = Network::with(vec![off]);
    let [a] = &*network.adapters else { panic!("there is one adapter") };
    a.set_keyword("*NetworkDirect", "1");
    set_ndk(a, true);
    a.set_keyword("*NetworkDirect", "0");
    let status = a.set(OID_NDK_SET_STATE, &[1]).expect_err("it is forbidden");
    assert_eq!(status.0, NDIS_STATUS_NOT_SUPPORTED);
    set_ndk(a, false);
    network.end_clean();
}

/// Sets the RDMA state, and waits until NDIS has heard of it.
#[track_caller]
fn set_ndk(adapter: &Adapter, enabled: bool) {
    adapter.set(OID_NDK_SET_STATE, &[enabled.into()]).expect("the configuration allows it");
    let begin = Instant::now();
    while adapter.is_ndk_enabled() != enabled && begin.elapsed() < Duration::from_secs(10) {
        thread::yield_now();
    }
    assert_eq!(adapter.is_ndk_enabled(), enabled);
}

/// Shows NDIS-3 at PASSIVE_LEVEL.
#[test]
fn rdma_statistics_are_answered_on_both_paths() {
    let network = Network::new();
    let [a, ..] = &*network.adapters else { panic!("there are three adapters") };
    let room = size_of::<NDIS_NDK_STATISTICS_INFO>();
    let serial = a.query(OID_NDK_STATISTICS, room).expect("they are kept");
    assert_eq!(a.query_direct(OID_NDK_STATISTICS, room).expect("they are kept"), serial);
    assert_eq!(serial.len(), room);
    a.query_direct(OID_GEN_STATISTICS, 4096).expect_err("this is not for the direct path");
    network.end_clean();
}

#[test]
fn surprise_removed_adapter_is_freed() {
    let network = Network::new();
    let [a, b, _] = &*network.adapters else { panic!("there are three adapters") };
    a.send(&frame(BROADCAST, address(a), 60)).expect("it is sent");
    b.surprise_remove().expect("it can go at any time");
    a.send(&frame(BROADCAST, address(a), 60)).expect("it is sent");
    network.end_clean();
}

/// Opens the legacy transport's device.
fn open_legacy(machine: &Machine) -> Result<File, StatusError> {
    machine.open("\\Device\\Softndk", &[])
}

#[test]
fn adapter_without_addresses_starts_and_takes_those_that_come() {
    let network = Network::with(vec![AdapterConfig::new(12, []), configuration(13)]);
    let [a, b] = &*network.adapters else { panic!("there are two adapters") };
    assert!(a.is_ndk_enabled());
    a.add_address(IpAddr::from([10, 0, 0, 12]));
    a.remove_address(IpAddr::from([10, 0, 0, 12]));
    b.add_address(IpAddr::from([10, 0, 1, 13]));
    network.end_clean();
}

#[test]
fn adapter_without_tcpip_starts() {
    let machine = Machine::builder().boot();
    machine.refuse_addresses(Some(StatusError(STATUS_NOT_SUPPORTED)));
    let network = Network::on(machine, vec![configuration(12)]);
    assert!(network.adapters.iter().all(|adapter| adapter.is_ndk_enabled()));
    network.end_clean();
}

#[test]
fn adapter_without_legacy_device_starts_and_gets_it_when_enabled_again() {
    let machine = Machine::builder().boot();
    machine.refuse_ndis_devices(Some(StatusError(STATUS_INSUFFICIENT_RESOURCES)));
    let network = Network::on(machine, vec![configuration(12)]);
    let [a] = &*network.adapters else { panic!("there is one adapter") };
    assert!(a.is_ndk_enabled());
    open_legacy(&network.machine).expect_err("there is no device");
    network.machine.refuse_ndis_devices(None);
    set_ndk(a, false);
    set_ndk(a, true);
    open_legacy(&network.machine).expect("there is a device");
    network.end_clean();
}

/// The device stays while a file is open on it, and goes with the last close.
#[test]
fn legacy_device_outlives_its_adapters_while_a_file_is_open() {
    let network = Network::with(vec![configuration(12)]);
    let [a] = &*network.adapters else { panic!("there is one adapter") };
    let file = open_legacy(&network.machine).expect("there is a device");
    set_ndk(a, false);
    let second = open_legacy(&network.machine).expect("the device is still there");
    drop(file);
    network.machine.settle();
    open_legacy(&network.machine).map(drop).expect("the second file keeps it");
    drop(second);
    network.machine.settle();
    open_legacy(&network.machine).expect_err("nothing keeps the device");
    set_ndk(a, true);
    open_legacy(&network.machine).map(drop).expect("there is a device again");
    network.end_clean();
}

/// Plays one schedule: RDMA is disabled on one adapter and enabled on another at the same time. What was wrong.
fn toggled(seed: u64) -> Result<(), String> {
    let schedule = Schedule::seeded(seed, Strategy::of_seed(seed));
    let machine = Machine::builder().schedule(schedule).boot();
    let mut off = configuration(13);
    off.network_direct = false;
    let network = Network::on(machine, vec![configuration(12), off]);
    let [a, b] = &*network.adapters else { panic!("there are two adapters") };
    b.set_keyword("*NetworkDirect", "1");
    let other = Arc::clone(b);
    let enabling = sched::spawn("enable", move || {
        other.set(OID_NDK_SET_STATE, &[1]).expect("the configuration allows it");
    });
    enabling.expect("the host has threads");
    a.set(OID_NDK_SET_STATE, &[0]).expect("this is always allowed");
    while a.is_ndk_enabled() || !b.is_ndk_enabled() {
        sched::block(Some(Duration::from_millis(1)));
    }
    network.machine.settle();
    let opened = open_legacy(&network.machine).map(drop);
    let report = network.end();
    opened.map_err(|status| format!("seed {seed}: no device: {status}"))?;
    if report.is_clean() { Ok(()) } else { Err(format!("seed {seed}: {report}")) }
}

#[test]
fn legacy_device_survives_enabling_and_disabling_at_once() {
    let wrong: Vec<String> = (0..400).filter_map(|seed| toggled(seed).err()).collect();
    assert!(wrong.is_empty(), "{} of 400:\n{}", wrong.len(), wrong.join("\n"));
}

/// An adapter whose initialisation fails says at which step: in the event log and to the debugger. Each allocation
/// fails in turn until none is left to fail.
#[test]
fn failed_initialization_names_its_step_in_event_log_and_to_debugger() {
    let mut steps = BTreeSet::new();
    for nth in 0.. {
        let machine = Machine::builder().boot();
        machine.add_adapters([configuration(12)]);
        let mut driver = machine.load(image()).expect("the driver loads");
        inject(Faults::Nth(nth), Some("softndk.sys"));
        let started = machine.start_adapters(&mut driver);
        inject(Faults::None, None);
        let (logged, lines) = (machine.event_log(), machine.log());
        if let Some(adapter) = machine.adapter(12) {
            adapter.halt().expect("it runs");
        }
        driver.unload();
        let found = machine.shutdown();
        assert!(found.is_clean(), "allocation {nth}: {found}");
        let Err(status) = started else {
            assert!(logged.is_empty(), "allocation {nth}: {logged:?}");
            if nth > 40 {
                break;
            }
            continue;
        };
        let [entry] = &logged[..] else { panic!("allocation {nth}: {logged:?}") };
        let [step, told] = entry.values[..] else { panic!("allocation {nth}: {entry:?}") };
        assert_eq!(told, status.0.cast_unsigned());
        assert_eq!((entry.if_index, entry.code), (12, NDIS_ERROR_CODE_OUT_OF_RESOURCES));
        let text = entry.text.as_deref().unwrap_or_default();
        assert!(text.starts_with("Ethernet 12 could not be initialised for want of memory. "), "{text:?}");
        let end = format!(" failed, {told:#010x}\n");
        let mut names = lines.iter().filter_map(|line| line.strip_prefix("softndk: ")?.strip_suffix(&*end));
        steps.insert((step, names.next().expect("a line says so").to_owned()));
    }
    let numbers: BTreeSet<u32> = steps.iter().map(|(number, _)| *number).collect();
    assert!(steps.len() > 4 && numbers.len() == steps.len(), "{steps:?}");
}

#[test]
fn failed_driver_entry_names_its_step_to_debugger() {
    let machine = Machine::builder().boot();
    inject(Faults::Nth(0), Some("softndk.sys"));
    machine.load(image()).map(drop).expect_err("the first allocation fails");
    inject(Faults::None, None);
    let lines = machine.log();
    let told =
        |line: &String| line.starts_with("softndk: DriverEntry, ") && line.ends_with(" failed, 0xc000009a\n");
    assert!(lines.iter().any(told), "{lines:?}");
    let found = machine.shutdown();
    assert!(found.is_clean(), "{found}");
}

/// Shows NDIS-5 at PASSIVE_LEVEL.
#[test]
fn inf_offers_every_keyword_the_driver_reads() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("softndk.inx");
    let inf = std::fs::read_to_string(path).expect("the INF is text");
    let entries: Vec<String> = inf.lines().map(|line| line.split_whitespace().collect()).collect();
    for entry in [
        r#"HKR,Ndi\Params\*NetworkDirect,Default,0,"1""#,
        r#"HKR,Ndi\Params\*NetworkDirect\Enum,"0",0,%Disabled%"#,
        r#"HKR,Ndi\Params\*NetworkDirect\Enum,"1",0,%Enabled%"#,
        r#"HKR,Ndi\Params\*NetworkDirectTechnology,Default,0,"1""#,
        r#"HKR,Ndi\Params\*NetworkDirectTechnology\Enum,"1",0,%iWARP%"#,
        r#"HKR,Ndi\Params\ImmediateNotification,Default,0,"0""#,
        r#"HKR,Ndi\Params\ImmediateNotification\Enum,"1",0,%Enabled%"#,
        r#"HKR,Ndi\Params\ForceWire,Default,0,"0""#,
        r#"HKR,Ndi\Params\ForceWire\Enum,"1",0,%Enabled%"#,
        r#"HKR,Ndi\Params\MpaCrc,Default,0,"1""#,
        r#"HKR,Ndi\Params\MpaCrc\Enum,"0",0,%Disabled%"#,
        r#"HKR,Ndi\Params\FpduSize,Type,0,"int""#,
        r#"HKR,Ndi\Params\FpduSize,Default,0,"0""#,
    ] {
        assert!(entries.iter().any(|listed| listed == entry), "{entry}");
    }
}

#[test]
fn keyword_that_does_not_parse_is_traced_and_its_default_counts() {
    let values = [("ForceWire", "2"), ("MpaCrc", "off"), ("FpduSize", "65536")];
    let mut wrong = configuration(12);
    wrong.keywords.extend(values.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let network = Network::with(vec![wrong, configuration(13)]);
    let lines = network.machine.log();
    for (name, _) in values {
        let told = lines.iter().filter(|line| line.contains(&format!("the value of {name} is no number")));
        assert_eq!(told.count(), 1, "{lines:?}");
    }
    network.end_clean();
}

/// Plays one schedule: an adapter is halted while NDIS changes the state of its RDMA. What was wrong.
fn halted(seed: u64) -> Result<(), String> {
    let machine = Machine::builder().schedule(Schedule::seeded(seed, Strategy::of_seed(seed))).boot();
    let network = Network::on(machine, vec![configuration(12)]);
    let [a] = &*network.adapters else { panic!("there is one adapter") };
    a.set(OID_NDK_SET_STATE, &[0]).expect("this is always allowed");
    let report = network.end();
    if report.is_clean() { Ok(()) } else { Err(format!("seed {seed}: {report}")) }
}

/// Halts an adapter in a thread of its own; returns when the halt waits for the adapter's work item.
fn halt_that_waits(machine: &Machine, adapter: &Arc<Adapter>) -> &'static sched::Thread {
    let halted = Arc::clone(adapter);
    let halting = sched::spawn("halt", move || {
        let _ = halted.halt();
    });
    let halting = halting.expect("the host has threads");
    let waits = |line: &String| line.starts_with("softndk: work item") && line.contains("still runs");
    while !halting.ended() && !machine.log().iter().any(waits) {
        sched::block(Some(Duration::from_millis(100)));
    }
    halting
}

/// Plays one schedule: the work item that follows a change of state begins when the adapter's halt waits for it.
/// What was wrong.
fn overtaken(seed: u64) -> Result<(), String> {
    let machine = Machine::builder().schedule(Schedule::seeded(seed, Strategy::of_seed(seed))).boot();
    let network = Network::on(machine, vec![configuration(12)]);
    let [a] = &*network.adapters else { panic!("there is one adapter") };
    let held = hold_work();
    a.set(OID_NDK_SET_STATE, &[0]).expect("this is always allowed");
    let halting = halt_that_waits(&network.machine, a);
    if halting.ended() {
        return Err(format!("seed {seed}: the halt does not wait for the work item"));
    }
    drop(held);
    let ended = halting.ends_within(Duration::from_secs(60));
    let report = network.end();
    if ended && report.is_clean() { Ok(()) } else { Err(format!("seed {seed}: {report}")) }
}

/// Plays one schedule: NDIS wants RDMA back while the event that disables it waits for a consumer, which closes when
/// the adapter's halt waits for that event. What was wrong.
fn raised(seed: u64) -> Result<(), String> {
    let machine = Machine::builder().schedule(Schedule::seeded(seed, Strategy::of_seed(seed))).boot();
    let network = Network::on(machine, vec![configuration(12)]);
    let [a] = &*network.adapters else { panic!("there is one adapter") };
    let opened = a.open_ndk(NDK_VERSION_2_1).expect("it is enabled");
    a.set(OID_NDK_SET_STATE, &[0]).expect("this is always allowed");
    while a.is_ndk_enabled() {
        sched::block(Some(Duration::from_millis(1)));
    }
    a.set(OID_NDK_SET_STATE, &[1]).expect("the configuration allows it");
    let halting = halt_that_waits(&network.machine, a);
    if halting.ended() {
        return Err(format!("seed {seed}: the halt does not wait for the event"));
    }
    boundary::call_driver("consumer", || ndk::close_adapter(opened));
    let ended = halting.ends_within(Duration::from_secs(60));
    let report = network.end();
    // That NDIS halts an adapter with a consumer is not the driver's fault.
    let found: Vec<&str> = report.findings.iter().map(|finding| finding.rule).collect();
    if ended && found == ["NdkAdapterOpenAtHalt"] { Ok(()) } else { Err(format!("seed {seed}: {report}")) }
}

#[test]
fn halt_during_a_change_of_state_waits_for_its_event() {
    type Play = fn(u64) -> Result<(), String>;
    let plays: [(Play, u64); 3] = [(halted, 200), (overtaken, 40), (raised, 40)];
    for (play, seeds) in plays {
        let wrong: Vec<String> = (0..seeds).filter_map(|seed| play(seed).err()).collect();
        assert!(wrong.is_empty(), "{} of {seeds}:\n{}", wrong.len(), wrong.join("\n"));
    }
}
