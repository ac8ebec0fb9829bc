//! A connector that connects again, against the DPC of the attempt before (CL-12).

use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering::SeqCst};
use std::ptr::null_mut;
use std::sync::Arc;

use sys::ndk::NDK_CONNECTOR;
use sys::status::{
    STATUS_CANCELLED, STATUS_CONNECTION_ABORTED, STATUS_CONNECTION_REFUSED, STATUS_PENDING, STATUS_SUCCESS,
};
use sys::wdm::PVOID;
use test_kernel::model::{Model, pump};

use super::fixture::{Ending, Fixture, Pointer, accept, close, close_inline, complete_connect, connect};
use super::{explore, race};
use crate::connection::{ConnectError, Connector};

/// The last connector that the listener indicated.
#[derive(Default)]
struct Requested {
    connector: AtomicPtr<NDK_CONNECTOR>,
    count: AtomicU32,
}

impl Requested {
    fn last(&self) -> Pointer<Connector<Model>> {
        Pointer::requested(self.connector.load(SeqCst))
    }
}

unsafe extern "efiapi" fn connect_event(context: PVOID, connector: *mut NDK_CONNECTOR) {
    // SAFETY: the context is the record, which the model keeps.
    let record = unsafe { &*context.cast::<Requested>() };
    record.connector.store(connector, SeqCst);
    record.count.fetch_add(1, SeqCst);
}

/// End of the first attempt, which leaves a DPC queued.
#[derive(Clone, Copy, PartialEq, Eq)]
enum First {
    /// The listener refuses it inline.
    Refused,
    /// It is accepted, and the peer disconnects; NdkCompleteConnect reports that.
    Aborted,
}

fn again_against_the_dpc_of(first: First) {
    explore(Some(2), move || {
        let fixture = Fixture::new();
        let record = Arc::new(Requested::default());
        let listener = fixture.listener(connect_event, Arc::as_ptr(&record).cast_mut().cast());
        let (connector, qp, far) = (fixture.connector(), fixture.qp(), fixture.qp());
        let endings = Arc::new([(); 4].map(|()| Ending::default()));
        let [one, two, accepting, closing] = &*endings;
        match first {
            First::Refused => {
                listener.pause(true);
                assert_eq!(connect(connector, qp, one), Err(ConnectError(STATUS_CONNECTION_REFUSED)));
                listener.pause(false);
            }
            First::Aborted => {
                assert_eq!(connect(connector, qp, one), Ok(()));
                pump();
                assert_eq!(accept(record.last(), far, accepting), Ok(()));
                pump();
                assert_eq!(one.status(), STATUS_SUCCESS);
                assert_eq!(close(record.last(), closing), STATUS_PENDING);
                let completed = complete_connect(connector);
                assert_eq!(completed, Err(ConnectError(STATUS_CONNECTION_ABORTED)));
            }
        }
        let shown = record.count.load(SeqCst);
        let again = endings.clone();
        race(vec![Box::new(move || assert_eq!(connect(connector, qp, &again[1]), Ok(()))), Box::new(pump)]);
        pump();
        assert_eq!(record.count.load(SeqCst), shown + 1, "the second attempt is offered");
        assert!(connector.local_address().is_some(), "the second attempt has its address");
        let ending = Ending::default();
        assert_eq!(close(connector, &ending), STATUS_PENDING);
        pump();
        assert_eq!((two.status(), ending.status()), (STATUS_CANCELLED, STATUS_SUCCESS));
        close_inline(record.last());
        if first == First::Aborted {
            assert_eq!((accepting.status(), closing.status()), (STATUS_CANCELLED, STATUS_SUCCESS));
        }
        pump();
        for qp in [qp, far] {
            close_inline(qp);
        }
        close_inline(listener);
        record.connector.store(null_mut(), SeqCst);
        fixture.tear_down();
    });
}

#[test]
fn connect_again_keeps_its_address_whatever_is_left_of_one_refused_inline() {
    again_against_the_dpc_of(First::Refused);
}

#[test]
fn connect_again_keeps_its_address_whatever_is_left_of_one_that_was_aborted() {
    again_against_the_dpc_of(First::Aborted);
}
