//! TDI_QUERY_INFORMATION: queries of the transport and its files.

use core::mem::offset_of;

use sys::status::{
    NTSTATUS, STATUS_INVALID_DEVICE_REQUEST, STATUS_INVALID_PARAMETER, STATUS_NOT_IMPLEMENTED,
};
use sys::tdi::{
    TDI_ADDRESS_INFO, TDI_CONNECTION_INFO, TDI_DATAGRAM_INFO, TDI_MAX_DATAGRAM_INFO, TDI_PROVIDER_INFO,
    TDI_PROVIDER_STATISTICS, TDI_QUERY_ADDRESS_INFO, TDI_QUERY_CONNECTION_INFO, TDI_QUERY_DATAGRAM_INFO,
    TDI_QUERY_MAX_DATAGRAM_INFO, TDI_QUERY_PROVIDER_INFO, TDI_QUERY_PROVIDER_STATISTICS,
    TDI_SERVICE_CONNECTION_MODE, TDI_SERVICE_CONNECTIONLESS_MODE, TDI_SERVICE_DELAYED_ACCEPTANCE,
    TDI_SERVICE_ERROR_FREE_DELIVERY, TDI_SERVICE_EXPEDITED_DATA, TDI_SERVICE_INTERNAL_BUFFERING,
    TDI_SERVICE_ORDERLY_RELEASE, TDI_SERVICE_SEND_AND_DISCONNECT,
};

use crate::address::TransportAddress;
use crate::datagram::{Count, MAX_DATAGRAM, MAX_UNDER_WAY};
use crate::endpoint::LinkOf;
use crate::network::Link;
use crate::slab::Id;
use crate::state::{Object, TransportState};
use crate::system::System;
use crate::transport::Transport;

/// The longest answer.
const LONGEST: usize = size_of::<TDI_PROVIDER_STATISTICS>();

/// The bytes of an answer; what was not put is zero.
#[derive(Clone, Debug)]
pub struct Answer {
    bytes: [u8; LONGEST],
    length: usize,
}

impl Answer {
    fn new(length: usize) -> Self {
        Self { bytes: [0; LONGEST], length: length.min(LONGEST) }
    }

    fn put(mut self, offset: usize, value: &[u8]) -> Self {
        if let Some(place) = self.bytes.get_mut(offset..).and_then(|rest| rest.get_mut(..value.len())) {
            place.copy_from_slice(value);
        }
        self
    }

    fn number(self, offset: usize, value: u32) -> Self {
        self.put(offset, &value.to_le_bytes())
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// The version of the answers' structures: major and minor in a byte each.
const VERSION: u32 = 0x0100;

impl<S: System<Client = Self>> Transport<S> {
    /// `TDI_QUERY_INFORMATION` on a file; `kind` is a `TDI_QUERY_…`. The transport and its statistics may
    /// be asked for on any file, an address on an address object or an endpoint, a connection on an
    /// endpoint.
    ///
    /// # Errors
    ///
    /// `STATUS_INVALID_DEVICE_REQUEST` on the wrong kind of file, `STATUS_INVALID_PARAMETER` for an endpoint
    /// without an address, `STATUS_NOT_IMPLEMENTED` for what is not answered, `STATUS_FILE_CLOSED`.
    pub fn query(&self, file: Id, kind: i32) -> Result<Answer, NTSTATUS> {
        let mut locked = self.lock();
        locked.open_file(file)?;
        match u32::try_from(kind).unwrap_or(0) {
            TDI_QUERY_PROVIDER_INFO => Ok(provider_info::<S>()),
            TDI_QUERY_PROVIDER_STATISTICS => Ok(statistics(&locked)),
            TDI_QUERY_ADDRESS_INFO => address_info(&mut locked, file),
            TDI_QUERY_CONNECTION_INFO => {
                let endpoint = locked.endpoint(file).ok_or(STATUS_INVALID_DEVICE_REQUEST)?;
                let connected = u32::from(endpoint.is_connected());
                let buffered = usize::from(<LinkOf<S> as Link>::CREDITS.normal)
                    .saturating_mul(<LinkOf<S> as Link>::PIECE);
                Ok(Answer::new(size_of::<TDI_CONNECTION_INFO>())
                    .number(offset_of!(TDI_CONNECTION_INFO, State), connected)
                    .number(offset_of!(TDI_CONNECTION_INFO, ReceiveBufferSize), count(buffered)))
            }
            TDI_QUERY_DATAGRAM_INFO => Ok(Answer::new(size_of::<TDI_DATAGRAM_INFO>())
                .number(offset_of!(TDI_DATAGRAM_INFO, MaximumDatagramBytes), count(MAX_DATAGRAM))
                .number(offset_of!(TDI_DATAGRAM_INFO, MaximumDatagramCount), count(MAX_UNDER_WAY))),
            TDI_QUERY_MAX_DATAGRAM_INFO => Ok(Answer::new(size_of::<TDI_MAX_DATAGRAM_INFO>())
                .number(offset_of!(TDI_MAX_DATAGRAM_INFO, MaxDatagramSize), count(MAX_DATAGRAM))),
            _ => Err(STATUS_NOT_IMPLEMENTED),
        }
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn provider_info<S: System>() -> Answer {
    let services = TDI_SERVICE_CONNECTION_MODE
        | TDI_SERVICE_CONNECTIONLESS_MODE
        | TDI_SERVICE_ORDERLY_RELEASE
        | TDI_SERVICE_ERROR_FREE_DELIVERY
        | TDI_SERVICE_DELAYED_ACCEPTANCE
        | TDI_SERVICE_EXPEDITED_DATA
        | TDI_SERVICE_INTERNAL_BUFFERING
        | TDI_SERVICE_SEND_AND_DISCONNECT;
    let piece = <LinkOf<S> as Link>::PIECE;
    Answer::new(size_of::<TDI_PROVIDER_INFO>())
        .number(offset_of!(TDI_PROVIDER_INFO, Version), VERSION)
        .number(offset_of!(TDI_PROVIDER_INFO, MaxSendSize), u32::MAX)
        .number(offset_of!(TDI_PROVIDER_INFO, MaxDatagramSize), count(MAX_DATAGRAM))
        .number(offset_of!(TDI_PROVIDER_INFO, ServiceFlags), services)
        .number(offset_of!(TDI_PROVIDER_INFO, MinimumLookaheadData), 1)
        .number(offset_of!(TDI_PROVIDER_INFO, MaximumLookaheadData), count(piece))
}

fn statistics<S: System>(state: &TransportState<S>) -> Answer {
    let connected = state.files.iter().filter(|(_, file)| match &file.object {
        Object::Endpoint(endpoint) => endpoint.is_connected(),
        Object::Address(_) | Object::ControlChannel => false,
    });
    let (Count { datagrams: sent, bytes: sent_bytes }, received) =
        (state.datagrams.sent, state.datagrams.received);
    Answer::new(size_of::<TDI_PROVIDER_STATISTICS>())
        .number(offset_of!(TDI_PROVIDER_STATISTICS, Version), VERSION)
        .number(offset_of!(TDI_PROVIDER_STATISTICS, OpenConnections), count(connected.count()))
        .number(offset_of!(TDI_PROVIDER_STATISTICS, DatagramsSent), sent)
        .put(offset_of!(TDI_PROVIDER_STATISTICS, DatagramBytesSent), &sent_bytes.to_le_bytes())
        .number(offset_of!(TDI_PROVIDER_STATISTICS, DatagramsReceived), received.datagrams)
        .put(offset_of!(TDI_PROVIDER_STATISTICS, DatagramBytesReceived), &received.bytes.to_le_bytes())
}

fn address_info<S: System>(state: &mut TransportState<S>, file: Id) -> Result<Answer, NTSTATUS> {
    let address = match state.endpoint(file) {
        Some(endpoint) => endpoint.address.ok_or(STATUS_INVALID_PARAMETER)?,
        None => file,
    };
    let address = state.address(address).ok_or(STATUS_INVALID_DEVICE_REQUEST)?;
    let (local, live) = (address.local(), address.state.is_live());
    // An address that can't be used any more is none of those that have it open now.
    let sharers = state.files.iter().filter(|(_, file)| match &file.object {
        Object::Address(other) => live && other.state.is_live() && other.local() == local,
        Object::Endpoint(_) | Object::ControlChannel => false,
    });
    let activity = count(sharers.count());
    let address = TransportAddress::new(local);
    let offset = offset_of!(TDI_ADDRESS_INFO, Address);
    Ok(Answer::new(offset.saturating_add(address.bytes().len()))
        .number(offset_of!(TDI_ADDRESS_INFO, ActivityCount), activity)
        .put(offset, address.bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::client::Pair;

    #[test]
    fn each_kind_of_file_is_asked_about_what_it_has() {
        let pair = Pair::connected();
        let ask = |file, kind: u32| pair.client.transport.query(file, kind.cast_signed());
        let info = ask(pair.near, TDI_QUERY_PROVIDER_INFO).unwrap();
        assert_eq!(info.bytes().len(), size_of::<TDI_PROVIDER_INFO>());
        let address = ask(pair.far_address, TDI_QUERY_ADDRESS_INFO).unwrap();
        assert_eq!(address.bytes(), ask(pair.far, TDI_QUERY_ADDRESS_INFO).unwrap().bytes());
        assert_eq!(address.bytes()[..4], [1, 0, 0, 0]);
        let far = TransportAddress::new(crate::tests::client::FAR.parse().unwrap());
        assert_eq!(&address.bytes()[4..], far.bytes());
        let connected = ask(pair.near, TDI_QUERY_CONNECTION_INFO).unwrap();
        assert_eq!(connected.bytes()[0], 1);
        let refused = ask(pair.near_address, TDI_QUERY_CONNECTION_INFO);
        assert_eq!(refused.err(), Some(STATUS_INVALID_DEVICE_REQUEST));
        assert_eq!(ask(pair.near, 1).err(), Some(STATUS_NOT_IMPLEMENTED));
        let statistics = ask(pair.near, TDI_QUERY_PROVIDER_STATISTICS).unwrap();
        assert_eq!(statistics.bytes()[4..8], [2, 0, 0, 0]);
        let datagrams = [statistics.bytes()[56], statistics.bytes()[64], statistics.bytes()[72]];
        assert_eq!(datagrams, [0; 3]);
        let sent = pair.client.send_datagram(pair.near_address, crate::tests::client::FAR, b"seven..");
        test_kernel::pump();
        assert_eq!(sent.outcome(), crate::tests::client::done(7));
        let statistics = ask(pair.near, TDI_QUERY_PROVIDER_STATISTICS).unwrap();
        // Sent and received: a number and a number of bytes each.
        assert_eq!([56, 64, 72, 80].map(|at: usize| statistics.bytes()[at]), [1, 7, 1, 7]);
        let limit = 65_507_u32.to_le_bytes();
        assert_eq!(info.bytes()[12..16], limit);
        for kind in [TDI_QUERY_DATAGRAM_INFO, TDI_QUERY_MAX_DATAGRAM_INFO] {
            assert_eq!(ask(pair.near, kind).unwrap().bytes()[..4], limit);
        }
        pair.tear_down();
    }
}
