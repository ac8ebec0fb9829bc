//! Memory that runs out in the middle of a call: the call has taken nothing.

use std::ptr::null;

use sys::sockaddr::SOCKADDR;
use sys::status::*;
use test_kernel::allocations::failing;

use super::consumer::{Pair, Seen, call, completed, disconnected, sockaddr};

/// Begins to connect near to far while allocation `number` of the call fails. Returns whether there was one.
fn connect_failing(pair: &Pair, number: usize) -> (NTSTATUS, bool) {
    let (local, local_length) = sockaddr(pair.near.address);
    let (remote, remote_length) = sockaddr(pair.far.address);
    let (connector, qp, context) = (pair.near.connector, pair.near.qp, pair.log.context("connect"));
    let (local, remote) = (local.as_ptr().cast::<SOCKADDR>(), remote.as_ptr().cast::<SOCKADDR>());
    failing(number, || {
        call!(
            connector,
            NdkConnect,
            qp,
            local,
            local_length,
            remote,
            remote_length,
            8,
            16,
            null(),
            0,
            Some(completed),
            context
        )
    })
}

/// Accepts with the far QP while allocation `number` of the call fails. Returns whether there was one.
fn accept_failing(pair: &Pair, number: usize) -> (NTSTATUS, bool) {
    let (event, context) = (pair.log.context("far"), pair.log.context("accept"));
    let (connector, qp) = (pair.far.connector, pair.far.qp);
    failing(number, || {
        call!(connector, NdkAccept, qp, 32, 4, null(), 0, Some(disconnected), event, Some(completed), context)
    })
}

/// Completes the connect while allocation `number` of the call fails. Returns whether there was one.
fn complete_failing(pair: &Pair, number: usize) -> (NTSTATUS, bool) {
    let (event, context) = (pair.log.context("near"), pair.log.context("complete"));
    let connector = pair.near.connector;
    failing(number, || {
        call!(connector, NdkCompleteConnect, Some(disconnected), event, Some(completed), context)
    })
}

/// Calls with each allocation failing in turn until none does: each failure is answered inline, and the call
/// may be made again with the same QP. Returns how many allocations there were, and the status in the end.
fn each_in_turn(pair: &Pair, call: fn(&Pair, usize) -> (NTSTATUS, bool)) -> (usize, NTSTATUS) {
    let mut number = 0;
    loop {
        match call(pair, number) {
            (status, false) => return (number, status),
            (status, true) => {
                assert_eq!(status, STATUS_INSUFFICIENT_RESOURCES, "with allocation {number} failing");
                assert_eq!(pair.log.count(), 0, "a request answered inline is not completed");
                number += 1;
            }
        }
    }
}

#[test]
fn connect_without_memory_takes_neither_qp_nor_address() {
    let mut pair = Pair::between("10.0.0.1:700", "10.0.0.2:445");
    pair.listen();
    pair.near.connector = pair.near.create_connector();
    let (allocations, status) = each_in_turn(&pair, connect_failing);
    assert_eq!(status, STATUS_PENDING, "the QP can be connected after connects that ran out of memory");
    assert!(allocations > 2, "{allocations}");
    pair.take_connect_request();
    assert_eq!(each_in_turn(&pair, accept_failing).1, STATUS_PENDING);
    assert_eq!(pair.log.pump(), [Seen::RequestCompleted("connect", STATUS_SUCCESS)]);
    assert_eq!(each_in_turn(&pair, complete_failing).1, STATUS_SUCCESS);
    assert_eq!(pair.log.pump(), [Seen::RequestCompleted("accept", STATUS_SUCCESS)]);
    pair.tear_down();
}
