//! Antecedents closed before their successors, and what becomes of the address.

use sys::status::{
    NTSTATUS, STATUS_ADDRESS_ALREADY_EXISTS, STATUS_CONNECTION_ABORTED, STATUS_CONNECTION_REFUSED,
    STATUS_SHARING_VIOLATION, STATUS_SUCCESS,
};

use super::connected_pair::{ConnectedPair, close_and_wait, expect_refused};
use crate::ndk::{Address, Inside, QpDepths};
use crate::pair::{self, QpSet};
use crate::test_context::TestContext;

/// CL-5, CL-6: each antecedent's close pends while a successor lives.
pub(super) fn antecedents_first(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let pair = ConnectedPair::connected(test)?;
    let call_log = test.call_log();
    pair.far_receives::<2>()?;
    let antecedents = [
        pair.near.cq.object(),
        pair.far.cq.object(),
        pair.near.pd.object(),
        pair.far.pd.object(),
        pair.listener.object(),
        pair.near.qp.object(),
        pair.far.qp.object(),
    ];
    for object in antecedents {
        object.close();
        call_log.require("an antecedent's close pends", !object.is_closed());
    }
    close_and_wait(&[pair.near_connector.object(), pair.far_connector.object()]);
    for object in [pair.near.pd.object(), pair.far.pd.object()] {
        call_log.require("a PD's close pends while its MR lives", !object.is_closed());
    }
    close_and_wait(&[pair.near.mr.object(), pair.far.mr.object()]);
    for object in antecedents {
        call_log.require("an antecedent's close completes after the last successor's", object.wait_closed());
    }
    Ok(())
}

/// CL-5, CL-7: an offered connector is a successor of the listener, and new connects are refused.
pub(super) fn listener_with_offers(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let call_log = test.call_log();
    let listener = pair::listen(test)?;
    let near = QpSet::on(test.near, QpDepths::SMALL)?;
    let (_, connecting) = pair::start_connect(test, near.qp, b"near")?;
    let offer = call_log.take_connect_event(listener.object(), connecting)?;
    listener.object().close();
    call_log.require("the listener's close pends while its offer lives", !listener.object().is_closed());
    expect_refused(test, "connect to a listener that is closing")?;
    close_and_wait(&[offer]);
    connecting.expect_one_of(&[STATUS_CONNECTION_REFUSED, STATUS_CONNECTION_ABORTED]);
    call_log.require("the listener's close completes after its offer's", listener.object().wait_closed());
    Ok(())
}

/// CL-7, CL-5: a connection outlives its closing listener, which refuses new connects.
pub(super) fn listener_before_connection(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let pair = ConnectedPair::connected(test)?;
    let call_log = test.call_log();
    pair.listener.object().close();
    call_log.require("the listener's close pends", !pair.listener.object().is_closed());
    expect_refused(test, "connect to a listener that is closing")?;
    pair.exchange(b"still here")?;
    close_and_wait(&[pair.far_connector.object()]);
    call_log.require("the listener's close completes", pair.listener.object().wait_closed());
    Ok(())
}

/// CL-12: an address is taken until the listener and every connector accepted over it are closed.
pub(super) fn address_reuse(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    const TAKEN: [NTSTATUS; 2] = [STATUS_SHARING_VIOLATION, STATUS_ADDRESS_ALREADY_EXISTS];
    let pair = ConnectedPair::connected(test)?;
    let address = Address::of(&test.far_end);
    let second = test.far.create_listener()?;
    second.listen(&address, Inside::Nothing)?.expect_one_of(&TAKEN);
    pair.listener.object().close();
    let third = test.far.create_listener()?;
    third.listen(&address, Inside::Nothing)?.expect_one_of(&TAKEN);
    close_and_wait(&[pair.far_connector.object(), pair.listener.object()]);
    let fourth = test.far.create_listener()?;
    fourth.listen(&address, Inside::Nothing)?.expect_one_of(&[STATUS_SUCCESS]);
    Ok(())
}

/// A PD is closed while one of its MRs stays open for good.
pub(super) fn leak(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let pd = test.near.create_pd()?;
    pd.create_mr()?.object().abandon();
    pd.object().close();
    Ok(())
}
