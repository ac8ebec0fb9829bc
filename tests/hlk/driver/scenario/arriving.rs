//! Addresses that have just arrived.

use sys::status::{NTSTATUS, STATUS_CANCELLED, STATUS_SUCCESS};

use super::connected_pair::close_and_wait;
use crate::arrival::Arrival;
use crate::ndk::{Address, Inside, QpDepths, Then};
use crate::pair::{self, QpSet};
use crate::test_context::TestContext;

/// The last bytes of addresses that no machine of the tests has.
const LISTENED: u8 = 101;
const CONNECTED: u8 = 102;
const SHARED: u8 = 103;
const CLOSED: u8 = 104;

/// CM-4, CL-3, CL-4: TCP/IP tells a consumer of an address, who names it at once: the provider, which is told at the
/// same time, knows it too. Each address arrives anew for each request that names it.
pub(super) fn arrived(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let call_log = test.call_log();
    let near = QpSet::on(test.near, QpDepths::SMALL)?;
    let far = QpSet::on(test.far, QpDepths::SMALL)?;
    let mut ends = *test;
    (ends.near_end, ends.far_end) = (test.near_end.with_host(CONNECTED), test.far_end.with_host(LISTENED));

    let listened = Arrival::of(&ends.far_end)?;
    let listener = test.far.create_listener()?;
    let listening = listener.listen(&Address::of(&ends.far_end), Inside::Nothing)?.status();
    call_log.expect("listen on an address that has just arrived", listening, STATUS_SUCCESS);

    let connected = Arrival::of(&ends.near_end)?;
    let connection = pair::connect_to(&ends, listener, (near.qp, b"near"), (far.qp, b"far"))?;
    let (status, local) = connection.near.local_address();
    call_log.expect("the local address", status, STATUS_SUCCESS);
    call_log.require(
        "the connection is from the new address",
        local.with_port(0).address == ends.near_end.address,
    );

    let end = test.near_end.with_host(SHARED);
    let shared = Arrival::of(&end)?;
    let endpoint = test.near.start_shared_endpoint(&Address::of(&end.with_port(6000)), Then::Keep)?;
    call_log.expect("share an address that has just arrived", endpoint.started().status(), STATUS_SUCCESS);

    let end = test.far_end.with_host(CLOSED);
    let closed = Arrival::of(&end)?;
    let waiting = test.far.create_listener()?;
    let listening = waiting.listen(&Address::of(&end), Inside::Nothing)?;
    close_and_wait(&[waiting.object()]);
    listening.expect_one_of(&[STATUS_SUCCESS, STATUS_CANCELLED]);

    close_and_wait(&[
        connection.near.object(),
        connection.far.object(),
        listener.object(),
        endpoint.object(),
    ]);
    for arrival in [listened, connected, shared, closed] {
        call_log.expect("take the address away", arrival.end(), STATUS_SUCCESS);
    }
    Ok(())
}
