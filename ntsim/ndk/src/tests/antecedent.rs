//! Antecedents and successors: which close has to wait for which.

use ntsim_core::address::Va;
use ntsim_core::subsystem::Subsystem;
use sys::explain::*;
use sys::ndk::*;
use sys::status::{NTSTATUS, STATUS_NOT_SUPPORTED, STATUS_PENDING, STATUS_SUCCESS};
use sys::wdm::{GUID, PVOID};

use super::fixture::{Fixture, call, context, on_close};
use super::provider::{self, At, fake};
use crate::{Closes, Kind, pending_closes, rules};

#[test]
fn objects_that_are_closed_antecedents_first_complete_when_the_last_successor_has() {
    let fixture = Fixture::new();
    let (cq, pd) = (fixture.cq(), fixture.pd());
    let qp = fixture.qp(pd, cq);
    assert_eq!(call!(cq, NdkCloseCq, Some(on_close), context(1)), STATUS_PENDING);
    assert_eq!(call!(pd, NdkClosePd, Some(on_close), context(2)), STATUS_PENDING);
    assert!(fixture.log().is_empty());
    assert_eq!(call!(qp, NdkCloseQp, Some(on_close), context(3)), STATUS_SUCCESS);
    let closed: Vec<_> = fixture.log().iter().map(|got| got.1).collect();
    assert_eq!(closed, [2, 1, 1][..2]);
    assert!(fixture.finish().is_empty());
}

/// Closes a PD and then its region with a provider that closes regions as `close` does.
fn closed_with(close: NDK_FN_CLOSE_OBJECT) -> Vec<&'static str> {
    let fixture = Fixture::with(|provider| provider.mr.NdkCloseMr = Some(close));
    let pd = fixture.pd();
    let mr = fixture.mr(pd);
    call!(pd, NdkClosePd, Some(on_close), context(1));
    call!(mr, NdkCloseMr, Some(on_close), context(2));
    fixture.provider.run();
    fixture.finish()
}

#[test]
fn antecedent_that_closes_before_its_successor_is_found() {
    let fixture = Fixture::with(|provider| provider.pd.NdkClosePd = Some(provider::close_carelessly));
    let pd = fixture.pd();
    let mr = fixture.mr(pd);
    call!(pd, NdkClosePd, Some(on_close), context(1));
    call!(mr, NdkCloseMr, Some(on_close), context(2));
    assert_eq!(fixture.finish(), [rules::CLOSE_BEFORE_SUCCESSOR]);
}

#[test]
fn antecedent_that_closes_while_its_successor_s_completion_runs_is_found() {
    /// Lets go of the antecedents before the completion has returned.
    extern "efiapi" fn early(
        object: *mut NDK_OBJECT_HEADER,
        completion: Option<NDK_FN_CLOSE_COMPLETION>,
        context: PVOID,
    ) -> NTSTATUS {
        let (at, context) = (At::of(object), At::of(context));
        at.fake().provider().defer(move || {
            at.fake().release_parents();
            // SAFETY: the completion takes this context.
            unsafe { completion.unwrap()(context.pointer()) };
        });
        STATUS_PENDING
    }
    assert_eq!(closed_with(early), [rules::CLOSE_BEFORE_SUCCESSOR]);
}

#[test]
fn antecedent_may_complete_inside_the_close_of_its_last_successor_if_that_succeeds_inline() {
    let fixture = Fixture::new();
    let pd = fixture.pd();
    let mr = fixture.mr(pd);
    call!(pd, NdkClosePd, Some(on_close), context(1));
    assert_eq!(call!(mr, NdkCloseMr, Some(on_close), context(2)), STATUS_SUCCESS);
    assert_eq!(fixture.log().len(), 1);
    assert!(fixture.finish().is_empty());
}

#[test]
fn antecedent_that_completes_inside_a_close_which_then_pends_is_found() {
    extern "efiapi" fn early(
        object: *mut NDK_OBJECT_HEADER,
        completion: Option<NDK_FN_CLOSE_COMPLETION>,
        context: PVOID,
    ) -> NTSTATUS {
        fake(object).release_parents();
        provider::close_later(object, completion, context)
    }
    assert_eq!(closed_with(early), [rules::CLOSE_BEFORE_SUCCESSOR]);
}

#[test]
fn pending_close_says_what_holds_it() {
    let fixture = Fixture::new();
    let pd = fixture.pd();
    let (mr, mw) = (fixture.mr(pd), fixture.mw(pd));
    call!(pd, NdkClosePd, Some(on_close), context(1));
    let pending = pending_closes();
    assert_eq!((pending.len(), pending[0].kind, pending[0].handle), (1, Kind::Pd, Va::of(pd)));
    let holders: Vec<_> =
        pending[0].successors.iter().map(|one| (one.kind, one.handle, one.closing)).collect();
    assert_eq!(holders, [(Kind::Mr, Va::of(mr), false), (Kind::Mw, Va::of(mw), false)]);
    let mut said = String::new();
    crate::Ndk.describe_hang(&mut said);
    assert!(
        said.contains(&format!("held by MR {:#x} (open), MW {:#x} (open)", mr.addr(), mw.addr())),
        "{said}"
    );
    call!(mr, NdkCloseMr, Some(on_close), context(2));
    call!(mw, NdkCloseMw, Some(on_close), context(2));
    assert!(pending_closes().is_empty());
    let statistics = crate::statistics();
    assert_eq!(statistics.closes[&Kind::Pd], Closes { inline: 0, pending: 1 });
    assert_eq!(statistics.closes[&Kind::Mr], Closes { inline: 1, pending: 0 });
    assert_eq!(statistics.callbacks["NdkCloseCompletion"], 1);
    assert_eq!(statistics.calls["NdkClosePd"], 1);
    assert!(fixture.finish().is_empty());
}

unsafe extern "efiapi" fn query_report(
    _: *mut NDK_OBJECT_HEADER,
    identifier: *const GUID,
    version: NDK_VERSION,
    interface: *mut NDK_EXTENSION_INTERFACE,
) -> NTSTATUS {
    static TABLE: EXPLAIN_DISPATCH = EXPLAIN_DISPATCH { Explain: Some(report) };
    if unsafe { *identifier } != EXPLAIN_EXTENSION || version != EXPLAIN_VERSION {
        return STATUS_NOT_SUPPORTED;
    }
    unsafe { (*interface).Dispatch = (&raw const TABLE).cast() };
    STATUS_SUCCESS
}

/// Says that the object is held by an MR at 0x40, which is closing, and by two callbacks.
unsafe extern "efiapi" fn report(
    _: *mut NDK_ADAPTER,
    _: usize,
    reasons: *mut EXPLAIN_REASON,
    capacity: u32,
    count: *mut u32,
) -> NTSTATUS {
    assert!(capacity >= 2);
    let kind = NDK_OBJECT_TYPE::NdkObjectTypeMr.0 as u32;
    let held = [
        EXPLAIN_REASON { Kind: EXPLAIN_KIND::SUCCESSOR, Closing: 1, Number: kind, Handle: 0x40 },
        EXPLAIN_REASON { Kind: EXPLAIN_KIND::CALLBACKS, Closing: 0, Number: 2, Handle: 0 },
    ];
    unsafe {
        reasons.copy_from_nonoverlapping(held.as_ptr(), held.len());
        count.write(2);
    }
    STATUS_SUCCESS
}

#[test]
fn provider_report_of_a_pending_close_is_quoted() {
    let fixture = Fixture::with(|provider| provider.adapter.NdkQueryExtension = Some(query_report));
    let pd = fixture.pd();
    let mr = fixture.mr(pd);
    call!(pd, NdkClosePd, Some(on_close), context(1));
    let said = pending_closes()[0].to_string();
    assert!(
        said.ends_with("(open); by its provider's account, by MR 0x40 (closing), 2 callbacks in progress"),
        "{said}"
    );
    call!(mr, NdkCloseMr, Some(on_close), context(2));
    assert!(fixture.finish().is_empty());
}
