//! Connections over a network: its calls against closes and pauses (CL-3, CL-7, TD-1).

use core::sync::atomic::{AtomicPtr, Ordering::SeqCst};
use std::sync::Arc;

use sys::ndk::NDK_CONNECTOR;
use sys::status::{STATUS_CONNECTION_REFUSED, STATUS_PENDING, STATUS_SUCCESS};
use sys::wdm::PVOID;
use test_kernel::model::{Model, pump};
use test_kernel::network;

use super::fixture::{
    Ending, Fixture, Pointer, accept, close, close_inline, complete_connect, connect, settle,
};
use super::{explore, race};
use crate::connection::Connector;

/// The connector that the listener indicated, if there was one.
#[derive(Default)]
struct Requested(AtomicPtr<NDK_CONNECTOR>);

impl Requested {
    fn connector(&self) -> Option<Pointer<Connector<Model>>> {
        let connector = self.0.load(SeqCst);
        (!connector.is_null()).then(|| Pointer::requested(connector))
    }
}

unsafe extern "efiapi" fn connect_event(context: PVOID, connector: *mut NDK_CONNECTOR) {
    // SAFETY: the context is the record, which the model keeps.
    unsafe { &*context.cast::<Requested>() }.0.store(connector, SeqCst);
}

/// Lets the network do what it may, and makes DPCs.
fn play() {
    while network::step(0) {}
    pump();
}

/// Closes an object, and has its ending told inline or by the completion.
fn close_told(connector: Pointer<Connector<Model>>, ending: &Ending) {
    if close(connector, ending) == STATUS_SUCCESS {
        ending.ended(STATUS_SUCCESS);
    }
}

/// The end of TCP's connection, and what comes back of it, against the close of the connector.
#[test]
fn connection_that_is_reset_ends_once_while_its_connector_closes() {
    explore(Some(1), || {
        let fixture = Fixture::over_network();
        let record = Arc::new(Requested::default());
        let listener = fixture.listener(connect_event, Arc::as_ptr(&record).cast_mut().cast());
        let (connector, near, far) = (fixture.connector(), fixture.qp(), fixture.qp());
        let endings = Arc::new([(); 4].map(|()| Ending::default()));
        assert_eq!(connect(connector, near, &endings[0]), Ok(()));
        settle();
        let passive = record.connector().expect("it was indicated");
        assert_eq!(accept(passive, far, &endings[1]), Ok(()));
        settle();
        assert_eq!(complete_connect(connector), Ok(()));
        // The first FPDU is on its way, and its batch is with TCP.
        network::reset_all();
        let closing = endings.clone();
        race(vec![Box::new(move || close_told(connector, &closing[2])), Box::new(play)]);
        settle();
        assert_eq!((endings[0].status(), endings[2].status()), (STATUS_SUCCESS, STATUS_SUCCESS));
        assert_eq!(close(passive, &endings[3]), STATUS_SUCCESS, "its connection is over");
        assert_eq!(network::live(), 1, "the listener's port");
        settle();
        for qp in [near, far] {
            close_inline(qp);
        }
        let ending = Ending::default();
        assert_eq!(close(listener, &ending), STATUS_PENDING);
        settle();
        assert_eq!(ending.status(), STATUS_SUCCESS);
        fixture.tear_down();
    });
}

/// The way in which a listener turns connections away.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Away {
    Close,
    Pause,
}

fn request_that_arrives_while(away: Away) {
    explore(Some(2), move || {
        let fixture = Fixture::over_network();
        let record = Arc::new(Requested::default());
        let listener = fixture.listener(connect_event, Arc::as_ptr(&record).cast_mut().cast());
        let (connector, qp) = (fixture.connector(), fixture.qp());
        let endings = Arc::new([(); 4].map(|()| Ending::default()));
        assert_eq!(connect(connector, qp, &endings[0]), Ok(()));
        // TCP has connected, and the request is on its way.
        assert!(network::step(0));
        let closing = endings.clone();
        race(vec![
            Box::new(move || match away {
                Away::Close => {
                    if close(listener, &closing[1]) == STATUS_SUCCESS {
                        closing[1].ended(STATUS_SUCCESS);
                    }
                }
                Away::Pause => listener.pause(true),
            }),
            Box::new(play),
        ]);
        settle();
        if let Some(passive) = record.connector() {
            close_told(passive, &endings[2]);
            settle();
            assert_eq!(endings[2].status(), STATUS_SUCCESS);
        }
        assert_eq!(endings[0].status(), STATUS_CONNECTION_REFUSED);
        if away == Away::Pause {
            assert_eq!(close(listener, &endings[1]), STATUS_PENDING);
            settle();
        }
        assert_eq!(endings[1].status(), STATUS_SUCCESS);
        close_inline(connector);
        pump();
        close_inline(qp);
        assert_eq!(network::live(), 0, "nothing of the network is left");
        fixture.tear_down();
    });
}

#[test]
fn request_that_arrives_while_its_listener_closes_is_refused() {
    request_that_arrives_while(Away::Close);
}

#[test]
fn request_that_arrives_while_its_listener_pauses_is_refused_or_shown() {
    request_that_arrives_while(Away::Pause);
}
