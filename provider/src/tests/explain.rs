//! Reasons for which a close is pending.

use std::ptr::{null_mut, without_provenance_mut};

use sys::explain::*;
use sys::ndk::*;
use sys::status::*;
use test_kernel::{listen_to_events, on_trace, take_events, traced};

use super::consumer::{Buffer, Pair, Seen, call, close};
use crate::kernel::event::{Count, Event, Handle, HolderKind};
use crate::number::{u32_from, usize_from};
use crate::object::Reason;

/// Asks the extension of `adapter` what holds `handle`, with room for `room` reasons.
pub(super) fn ask(
    adapter: *mut NDK_ADAPTER,
    handle: usize,
    room: usize,
) -> (NTSTATUS, Vec<EXPLAIN_REASON>, u32) {
    let mut interface = NDK_EXTENSION_INTERFACE { Dispatch: null_mut() };
    // SAFETY: the adapter is open, and all adapters have the slot.
    let status = unsafe {
        (*(*adapter).Dispatch).NdkQueryExtension.unwrap()(
            adapter.cast(),
            &EXPLAIN_EXTENSION,
            EXPLAIN_VERSION,
            &mut interface,
        )
    };
    assert_eq!(status, STATUS_SUCCESS);
    let none = EXPLAIN_REASON { Kind: EXPLAIN_KIND(0), Closing: 9, Number: 9, Handle: 9 };
    let mut reasons = vec![none; room];
    let mut count = 0;
    // SAFETY: the extension's table is of this type, and the arguments are valid.
    let status = unsafe {
        (*interface.Dispatch.cast::<EXPLAIN_DISPATCH>()).Explain.unwrap()(
            adapter,
            handle,
            reasons.as_mut_ptr(),
            u32_from(room),
            &mut count,
        )
    };
    reasons.truncate(usize_from(count));
    (status, reasons, count)
}

/// The successors of `object`: their kind, their handle, and whether they are closing.
fn holders<T>(adapter: *mut NDK_ADAPTER, object: *mut T) -> Vec<(NDK_OBJECT_TYPE, usize, u16)> {
    let (status, reasons, _) = ask(adapter, object.addr(), 16);
    assert_eq!(status, STATUS_SUCCESS);
    assert!(reasons.iter().all(|reason| reason.Kind != EXPLAIN_KIND::NAMELESS), "{reasons:?}");
    let successors = reasons.iter().filter(|reason| reason.Kind == EXPLAIN_KIND::SUCCESSOR);
    let mut holders: Vec<_> = successors.map(|one| (one.object_type(), one.Handle, one.Closing)).collect();
    holders.sort_by_key(|(kind, ..)| kind.0);
    holders
}

#[test]
fn every_kind_of_antecedent_names_its_successors() {
    let pair = Pair::connected();
    let far = &pair.far;
    let (qp, connector) = (far.qp.addr(), far.connector.addr());
    let the_qp = (NDK_OBJECT_TYPE::NdkObjectTypeQp, qp, 0);
    let the_connector = (NDK_OBJECT_TYPE::NdkObjectTypeConnector, connector, 0);
    assert_eq!(holders(far.adapter, far.cq), [the_qp]);
    assert_eq!(holders(far.adapter, far.pd), [the_qp]);
    assert_eq!(holders(far.adapter, pair.listener), [the_connector]);
    let kinds: Vec<_> = holders(far.adapter, far.adapter).iter().map(|(kind, ..)| *kind).collect();
    assert_eq!(
        kinds,
        [
            NDK_OBJECT_TYPE::NdkObjectTypeCq,
            NDK_OBJECT_TYPE::NdkObjectTypePd,
            NDK_OBJECT_TYPE::NdkObjectTypeConnector,
            NDK_OBJECT_TYPE::NdkObjectTypeListener,
        ]
    );
    // A connection holds its queue pair as a request does.
    let (_, reasons, _) = ask(far.adapter, qp, 16);
    assert!(reasons.iter().any(|one| one.Kind == EXPLAIN_KIND::SUCCESSOR && one.Handle == connector));
    assert!(reasons.iter().any(|one| one.Kind == EXPLAIN_KIND::REQUESTS && one.Number > 0), "{reasons:?}");
    pair.tear_down();
}

#[test]
fn region_names_the_window_that_is_bound_to_it() {
    let pair = Pair::connected();
    let far = &pair.far;
    let mut buffer = Buffer::new(vec![0; 1000]);
    let (mr, _) = buffer.register(far, NDK_MR_FLAG_ALLOW_LOCAL_WRITE);
    let mut mw = null_mut();
    assert_eq!(call!(far.pd, NdkCreateMw, None, null_mut(), &mut mw), STATUS_SUCCESS);
    let address = without_provenance_mut(buffer.address());
    let flags = NDK_OP_FLAG_ALLOW_REMOTE_READ;
    assert_eq!(call!(far.qp, NdkBind, null_mut(), mr, mw, address, 100, flags), STATUS_SUCCESS);
    far.results();
    assert_eq!(holders(far.adapter, mr), [(NDK_OBJECT_TYPE::NdkObjectTypeMw, mw.addr(), 0)]);
    assert_eq!(close!(pair.log, mw, NdkCloseMw, "mw"), STATUS_SUCCESS);
    assert_eq!(holders(far.adapter, mr), []);
    assert_eq!(close!(pair.log, mr, NdkCloseMr, "mr"), STATUS_SUCCESS);
    pair.tear_down();
}

#[test]
fn pending_close_is_among_the_reasons_of_its_antecedent_until_its_completion_has_returned() {
    let pair = Pair::connected();
    let (adapter, pd, qp) = (pair.near.adapter, pair.near.pd, pair.near.qp);
    assert_eq!(close!(pair.log, pd, NdkClosePd, "pd"), STATUS_PENDING);
    assert_eq!(close!(pair.log, qp, NdkCloseQp, "qp"), STATUS_PENDING);
    assert_eq!(holders(adapter, pd), [(NDK_OBJECT_TYPE::NdkObjectTypeQp, qp.addr(), 1)]);
    let (sender, receiver) = std::sync::mpsc::channel();
    pair.log.inside(move |seen| {
        if let Seen::Closed(name) = seen {
            let (status, reasons, _) = ask(adapter, pd.addr(), 16);
            sender.send((*name, status, reasons)).unwrap();
        }
    });
    close!(pair.log, pair.near.connector, NdkCloseConnector, "connector");
    pair.log.pump();
    let told: Vec<_> = receiver.try_iter().collect();
    let nameless = EXPLAIN_REASON { Kind: EXPLAIN_KIND::NAMELESS, Closing: 0, Number: 1, Handle: 0 };
    let kind = NDK_OBJECT_TYPE::NdkObjectTypeQp.0.cast_unsigned();
    let named = EXPLAIN_REASON { Kind: EXPLAIN_KIND::SUCCESSOR, Closing: 1, Number: kind, Handle: qp.addr() };
    let expected = [
        ("connector", STATUS_SUCCESS, vec![named]),
        // It has no memory any more, and its completion has not returned.
        ("qp", STATUS_SUCCESS, vec![nameless]),
        ("pd", STATUS_INVALID_HANDLE, vec![]),
    ];
    assert_eq!(told, expected);
    close!(pair.log, pair.near.cq, NdkCloseCq, "cq");
    pair.near.close_adapter();
}

#[test]
fn reasons_beyond_the_room_are_counted_and_nothing_is_written_there() {
    let pair = Pair::connected();
    let (status, _, count) = ask(pair.near.adapter, pair.near.adapter.addr(), 1);
    assert_eq!((status, count), (STATUS_SUCCESS, 3));
    assert_eq!(ask(pair.near.adapter, 0x1234, 1).0, STATUS_INVALID_HANDLE);
    pair.tear_down();
}

#[test]
fn adapter_whose_close_blocks_traces_what_it_waits_for() {
    let pair = Pair::connected();
    let near = &pair.near;
    let (adapter, cq, pd, connector) = (near.adapter, near.cq, near.pd, near.connector);
    assert_eq!(close!(pair.log, near.qp, NdkCloseQp, "qp"), STATUS_PENDING);
    let log = pair.log.clone();
    listen_to_events();
    on_trace(move || {
        close!(log, connector, NdkCloseConnector, "connector");
        close!(log, cq, NdkCloseCq, "cq");
        close!(log, pd, NdkClosePd, "pd");
    });
    near.close_adapter();
    let events = take_events();
    let handle = Handle(adapter.addr());
    let blocked = Event::CloseBlocked { object: handle, holders: Count(3) };
    let held = Event::CloseHeld {
        object: handle,
        holder: HolderKind::Successor,
        kind: NDK_OBJECT_TYPE::NdkObjectTypePd,
        handle: Handle(pd.addr()),
        count: Count(1),
    };
    assert!(events.contains(&blocked) && events.contains(&held), "{events:?}");
    let said = traced().join("\n");
    for line in [
        format!("the close of the object at {adapter:p} is pending, held by"),
        format!("  CQ {:#x} (open)", cq.addr()),
        format!("  PD {:#x} (open)", pd.addr()),
        format!("the close of the object at {:#x} is pending, held by", near.qp.addr()),
        format!("  connector {:#x} (open)", connector.addr()),
    ] {
        assert!(said.contains(&line), "{line} is not in\n{said}");
    }
}

/// Returns the trace of a closing PD over `regions` regions and a QP.
fn trace_of_pd(regions: usize) -> Vec<String> {
    let pair = Pair::connected();
    let near = &pair.near;
    let (cq, pd, qp, connector) = (near.cq, near.pd, near.qp, near.connector);
    let mrs: Vec<_> = (0..regions).map(|_| near.create_mr()).collect();
    assert_eq!(close!(pair.log, pd, NdkClosePd, "pd"), STATUS_PENDING);
    let log = pair.log.clone();
    on_trace(move || {
        mrs.into_iter().for_each(|mr| assert_eq!(close!(log, mr, NdkCloseMr, "mr"), STATUS_SUCCESS));
        close!(log, qp, NdkCloseQp, "qp");
        close!(log, connector, NdkCloseConnector, "connector");
        close!(log, cq, NdkCloseCq, "cq");
    });
    near.close_adapter();
    let head = format!("the close of the object at {pd:p} is pending, held by");
    let lines = traced().into_iter().skip_while(|line| *line != head).skip(1);
    lines.take_while(|line| line.starts_with("  ")).collect()
}

#[test]
fn trace_lists_sixteen_reasons_and_counts_the_rest() {
    let all = trace_of_pd(15);
    assert_eq!(all.len(), 16);
    assert!(!all.iter().any(|line| line.ends_with("more")), "{all:?}");
    let some = trace_of_pd(17);
    assert_eq!((some.len(), some[16].as_str()), (17, "  2 more"));
}

#[test]
fn trace_names_each_object_type() {
    let names = (1..=10).map(|kind| {
        let kind = NDK_OBJECT_TYPE(kind);
        Reason::Successor { kind, handle: 0x10, closing: false }.to_string()
    });
    let expected =
        ["adapter", "QP", "CQ", "MR", "MW", "PD", "shared endpoint", "connector", "listener", "SRQ"]
            .map(|name| format!("{name} 0x10 (open)"));
    assert_eq!(names.collect::<Vec<_>>(), expected);
}
