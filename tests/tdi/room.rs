//! Room for return addresses.

use sys::status::STATUS_SUCCESS;
use tdi::address::{MAX_LENGTH, TransportAddress};
use tdi_client::Request;
use tdi_client::datagram::{receive_datagram, send_datagram};
use tdi_client::request::{connect, disconnect, listen, with_return_room};

use super::{FAR, NEAR, end_clean, fixture, pair, succeeds};

/// [`Request::wait`] sees what is written past the room.
#[test]
fn return_address_is_written_whole_or_not_at_all() {
    let fixture = fixture();
    let pair = pair(&fixture);
    let whole = TransportAddress::new(FAR).bytes().len();
    for room in 0..=MAX_LENGTH {
        succeeds(disconnect(&pair.near, 0).status());
        while disconnect(&pair.far, 0).wait().status == STATUS_SUCCESS {}
        let ends = with_return_room(room, || {
            let listened = listen(&pair.far, 0);
            [connect(&pair.near, FAR), listened]
        });
        let received = with_return_room(room, || receive_datagram(&pair.far_address, None, 8));
        succeeds(send_datagram(&pair.near_address, FAR, vec![7]).status());
        for request in ends.into_iter().chain([received]) {
            let minor = request.minor;
            let ended = Request::wait(request);
            succeeds(ended.status);
            let peer = ended.peer.map(|peer| peer.ip());
            let expected = if minor == sys::tdi::TDI_CONNECT { FAR } else { NEAR };
            assert_eq!(
                peer,
                (room >= whole).then_some(expected.ip()),
                "{room} bytes, minor function {minor}"
            );
        }
    }
    drop(pair);
    end_clean(fixture);
}
