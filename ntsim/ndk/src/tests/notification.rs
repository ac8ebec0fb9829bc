//! Notifications: one for each arm that is satisfied.

use core::time::Duration;

use sys::ndk::*;
use sys::status::STATUS_SUCCESS;
use sys::wdm::ULONG;

use super::pair::Pair;
use super::provider::{self, fake, notify};
use crate::rules;

#[test]
fn notification_without_an_arm_is_found() {
    let pair = Pair::with(|_| {});
    notify(fake(pair.cq), STATUS_SUCCESS);
    assert_eq!(pair.finish(), [rules::CQ_NOTIFICATION_UNARMED]);
}

#[test]
fn notification_inside_another_is_found() {
    let pair = Pair::with(|_| {});
    pair.arm();
    pair.arm();
    let at = provider::At::of(pair.cq);
    pair.fixture.during_next_callback(move || notify(at.fake(), STATUS_SUCCESS));
    pair.send(1, 0);
    pair.fixture.provider.run();
    assert_eq!(pair.finish(), [rules::CQ_NOTIFICATION_CONCURRENT]);
}

#[test]
fn notification_for_nothing_is_found() {
    let pair = Pair::with(|_| {});
    pair.arm();
    notify(fake(pair.cq), STATUS_SUCCESS);
    assert!(pair.poll().is_empty());
    assert_eq!(pair.finish(), [rules::CQ_NOTIFICATION_SPURIOUS]);
}

#[test]
fn arm_that_is_never_answered_is_found() {
    extern "efiapi" fn arm(_: *mut NDK_CQ, _: ULONG) {}
    let pair = Pair::with(|provider| provider.cq.NdkArmCq = Some(arm));
    crate::set_notification_limit(Duration::ZERO);
    assert!(pair.poll().is_empty());
    pair.arm();
    pair.send(1, 0);
    assert_eq!(pair.poll().len(), 1);
    std::thread::sleep(Duration::from_millis(1));
    assert_eq!(pair.finish(), [rules::CQ_NOTIFICATION_MISSING]);
}
