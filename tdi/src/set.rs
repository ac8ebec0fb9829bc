//! TDI_SET_INFORMATION.
//!
//! The page of TDI_SET_INFORMATION has one set operation for each of four queries, and leaves to a transport what
//! of them it takes. Of the statistics that is what this one counts itself. An address can't be changed once it is
//! open, and nothing of a connection or of the transport's limits is a client's to choose.

use core::mem::offset_of;

use sys::status::{
    NTSTATUS, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_DEVICE_REQUEST, STATUS_INVALID_PARAMETER,
    STATUS_NOT_IMPLEMENTED,
};
use sys::tdi::{
    TDI_PROVIDER_STATISTICS, TDI_QUERY_ADDRESS_INFO, TDI_QUERY_CONNECTION_INFO, TDI_QUERY_PROVIDER_INFO,
    TDI_QUERY_PROVIDER_STATISTICS,
};

use crate::datagram::Count;
use crate::request::Request;
use crate::slab::Id;
use crate::state::Object;
use crate::system::System;
use crate::transport::Transport;

impl<S: System<Client = Self>> Transport<S> {
    /// `TDI_SET_INFORMATION` on a file; `kind` is a `TDI_QUERY_…`, and the request's data what is set. Returns how
    /// many bytes of it were used. Of statistics, the counters of datagrams are taken, and the rest is left alone.
    ///
    /// # Errors
    ///
    /// `STATUS_INVALID_DEVICE_REQUEST` on the wrong kind of file, `STATUS_NOT_IMPLEMENTED` for what can't be set,
    /// `STATUS_INVALID_PARAMETER` for less data than there should be, `STATUS_INSUFFICIENT_RESOURCES`,
    /// `STATUS_FILE_CLOSED`.
    pub fn set(&self, file: Id, kind: i32, request: &impl Request) -> Result<usize, NTSTATUS> {
        let kind = u32::try_from(kind).unwrap_or(0);
        let right = match (kind, &self.lock().open_file(file)?.object) {
            (TDI_QUERY_ADDRESS_INFO, object) => matches!(object, Object::Address(_)),
            (TDI_QUERY_CONNECTION_INFO, object) => matches!(object, Object::Endpoint(_)),
            (TDI_QUERY_PROVIDER_INFO | TDI_QUERY_PROVIDER_STATISTICS, object) => {
                matches!(object, Object::ControlChannel)
            }
            _ => return Err(STATUS_NOT_IMPLEMENTED),
        };
        match kind {
            _ if !right => Err(STATUS_INVALID_DEVICE_REQUEST),
            TDI_QUERY_PROVIDER_STATISTICS => self.set_statistics(request),
            _ => Err(STATUS_NOT_IMPLEMENTED),
        }
    }

    fn set_statistics(&self, request: &impl Request) -> Result<usize, NTSTATUS> {
        let length = size_of::<TDI_PROVIDER_STATISTICS>();
        if request.length() < length {
            return Err(STATUS_INVALID_PARAMETER);
        }
        let bytes = request.copy(length).ok_or(STATUS_INSUFFICIENT_RESOURCES)?;
        let count = |datagrams, octets| {
            Some(Count {
                datagrams: u32::from_le_bytes(number(&bytes, datagrams)?),
                bytes: u64::from_le_bytes(number(&bytes, octets)?),
            })
        };
        let sent = count(
            offset_of!(TDI_PROVIDER_STATISTICS, DatagramsSent),
            offset_of!(TDI_PROVIDER_STATISTICS, DatagramBytesSent),
        );
        let received = count(
            offset_of!(TDI_PROVIDER_STATISTICS, DatagramsReceived),
            offset_of!(TDI_PROVIDER_STATISTICS, DatagramBytesReceived),
        );
        let (sent, received) = sent.zip(received).ok_or(STATUS_INVALID_PARAMETER)?;
        let mut locked = self.lock();
        (locked.datagrams.sent, locked.datagrams.received) = (sent, received);
        drop(locked);
        Ok(length)
    }
}

/// The bytes of a number at an offset.
fn number<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use sys::status::STATUS_SUCCESS;

    use super::*;
    use crate::ea::Opening;
    use crate::tests::client::Pair;

    #[test]
    fn counters_can_be_set_on_a_control_channel_and_nothing_else_anywhere() {
        let pair = Pair::connected();
        let control =
            pair.client.transport.create(&Opening::ControlChannel, None, test_kernel::passive()).unwrap();
        let set = |file, kind: u32, data: &[u8]| {
            let (request, _) = pair.client.log.request(0, data.to_vec(), 100);
            let outcome = pair.client.transport.set(file, kind.cast_signed(), &request);
            Request::complete(request, STATUS_SUCCESS, 0);
            outcome
        };
        let query =
            || pair.client.transport.query(control, TDI_QUERY_PROVIDER_STATISTICS.cast_signed()).unwrap();
        let mut statistics = vec![0xFF; 216];
        for (at, value) in [(56, 1), (64, 2), (72, 3), (80, 4)] {
            statistics[at..at + 4].copy_from_slice(&u32::to_le_bytes(value));
        }
        assert_eq!(set(control, TDI_QUERY_PROVIDER_STATISTICS, &statistics), Ok(216));
        let answer = query();
        assert_eq!([56, 64, 72, 80].map(|at: usize| answer.bytes()[at]), [1, 2, 3, 4]);
        assert_eq!(answer.bytes()[64..72], statistics[64..72]);
        assert_eq!(answer.bytes()[4..8], [2, 0, 0, 0], "connections are what they are");
        let short = set(control, TDI_QUERY_PROVIDER_STATISTICS, &statistics[..215]);
        assert_eq!(short, Err(STATUS_INVALID_PARAMETER));
        for (kind, file) in [
            (TDI_QUERY_ADDRESS_INFO, pair.near_address),
            (TDI_QUERY_CONNECTION_INFO, pair.near),
            (TDI_QUERY_PROVIDER_INFO, control),
        ] {
            assert_eq!(set(file, kind, &statistics), Err(STATUS_NOT_IMPLEMENTED));
            for wrong in [pair.near_address, pair.near, control].into_iter().filter(|other| *other != file) {
                assert_eq!(set(wrong, kind, &statistics), Err(STATUS_INVALID_DEVICE_REQUEST));
            }
        }
        for kind in [0, 1, 6, u32::MAX] {
            assert_eq!(set(control, kind, &statistics), Err(STATUS_NOT_IMPLEMENTED));
        }
        pair.client.close(control);
        pair.tear_down();
    }
}
