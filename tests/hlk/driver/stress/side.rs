//! One side of a group, driven by one thread: traffic until the side is stopped, then closes.

use protocol::SideReport;
use sys::ndk::NDK_CQ_NOTIFY_ANY;
use sys::status::NTSTATUS;

use super::endpoint::StressEndpoint;
use super::group::{Group, GroupSide};
use super::{Drive, StressState};
use crate::call_log::Object;
use crate::kernel;
use crate::number::u64_from;

/// The number of endpoints that are served at a time, at DISPATCH_LEVEL in one DPC.
const BATCH: usize = 16;

/// The time, in milliseconds, to wait for a notification before looking whether the side is to stop.
const LOOK: u32 = 2;

/// The state that a thread keeps while it drives.
pub(super) struct DriveState<'s> {
    pub(super) state: &'s StressState,
    pub(super) report: SideReport,
    random: u32,
}

impl DriveState<'_> {
    /// The next number of a sequence that the seed determines, below `below` (Marsaglia's xorshift).
    pub(super) fn random(&mut self, below: u32) -> u32 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        self.random.checked_rem(below).unwrap_or(0)
    }
}

/// Keeps one side of a group busy until it is stopped, then closes its objects.
pub(super) fn drive(group: &Group, drive: &Drive, state: &StressState) -> Result<SideReport, NTSTATUS> {
    let group_side = group.group_side(drive.side);
    let number = group.number.wrapping_mul(2).wrapping_add(drive.side.code());
    // Not zero, from which there would be no way out.
    let random = drive.seed.wrapping_mul(64).wrapping_add(number) | 0x8000_0000;
    let mut drive_state = DriveState { state, report: SideReport::default(), random };
    while !state.is_stopping(drive.side) {
        for batch in group_side.endpoints.chunks(BATCH) {
            kernel::at(drive.level, || batch.iter().for_each(|endpoint| endpoint.pump(&mut drive_state)));
        }
        // Armed before the last poll, so that no result is missed, and so that a close meets an armed CQ.
        let polled = kernel::at(drive.level, || {
            group_side.cq.arm(NDK_CQ_NOTIFY_ANY);
            drain(group_side, &mut drive_state)
        });
        if polled == 0 {
            let _ = group_side.cq.object().event_within(LOOK);
        }
    }
    // Every second group is closed in the hardest order, with which results can't be polled any more.
    if group.number & 1 == 0 {
        close_antecedents_first(group_side, drive, &mut drive_state);
    } else {
        close_and_count(group_side, drive, &mut drive_state);
    }
    Ok(drive_state.report)
}

/// Polls until there is nothing more; says how much there was.
fn drain(group_side: &GroupSide, drive_state: &mut DriveState<'_>) -> u64 {
    let mut polled: u64 = 0;
    loop {
        let taken = u64_from(group_side.cq.harvest());
        if taken == 0 {
            break;
        }
        polled = polled.saturating_add(taken);
    }
    drive_state.report.results = drive_state.report.results.saturating_add(polled);
    drive_state.state.count(polled);
    polled
}

/// CL-5: CQ and listener, then PDs, QPs, regions and connectors.
fn close_antecedents_first(group_side: &GroupSide, drive: &Drive, drive_state: &mut DriveState<'_>) {
    close(group_side.objects(), drive, drive_state);
    close(group_side.endpoints.iter().flat_map(StressEndpoint::objects), drive, drive_state);
    close(strays(group_side), drive, drive_state);
    let endpoints = group_side.endpoints.iter().flat_map(StressEndpoint::objects);
    endpoints.chain(group_side.objects()).for_each(wait);
    drive_state.report.unseen =
        group_side.endpoints.iter().fold(0, |sum, endpoint| sum.saturating_add(endpoint.unseen()));
}

/// WR-2: what the CQ has when all its QPs are closed is one result for each request that was accepted.
fn close_and_count(group_side: &GroupSide, drive: &Drive, drive_state: &mut DriveState<'_>) {
    close(group_side.endpoints.iter().flat_map(StressEndpoint::objects), drive, drive_state);
    close(strays(group_side), drive, drive_state);
    group_side.endpoints.iter().flat_map(StressEndpoint::objects).for_each(wait);
    kernel::at(drive.level, || drain(group_side, drive_state));
    group_side.endpoints.iter().for_each(StressEndpoint::expect_all_seen);
    close(group_side.objects(), drive, drive_state);
    group_side.objects().for_each(wait);
}

/// The side's objects that belong to no endpoint, because its connection did not come about.
fn strays(group_side: &GroupSide) -> impl Iterator<Item = &'static Object> {
    let all = group_side.cq.call_log().objects().filter(|object| object.is_open());
    all.filter(|object| group_side.objects().any(|own| object.descends_from(own)))
}

fn close(objects: impl Iterator<Item = &'static Object>, drive: &Drive, drive_state: &mut DriveState<'_>) {
    let mut objects = objects.peekable();
    while objects.peek().is_some() {
        kernel::at(drive.level, || {
            for object in objects.by_ref().take(BATCH) {
                object.close();
                drive_state.report.closed = drive_state.report.closed.saturating_add(1);
            }
        });
    }
}

fn wait(object: &Object) {
    // What does not come is a finding of the call log.
    let _ = object.wait_closed();
}
