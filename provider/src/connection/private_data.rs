//! The data that connect, accept and reject carry to the peer.

/// The most private data of one message, in bytes: what MPA can carry (512, RFC 5044 section 7.1) less the
/// four bytes that the enhanced connection setup takes (RFC 6581, section 4.1).
pub(crate) const MAX_PRIVATE_DATA: usize = 508;

/// Private data, copied from the consumer.
#[derive(Clone)]
pub(crate) struct PrivateData {
    bytes: [u8; MAX_PRIVATE_DATA],
    length: usize,
}

impl PrivateData {
    /// No data.
    pub(crate) const fn empty() -> Self {
        Self { bytes: [0; MAX_PRIVATE_DATA], length: 0 }
    }

    /// A copy of `source`, or `None` if it is longer than [`MAX_PRIVATE_DATA`].
    pub(crate) fn copy_of(source: &[u8]) -> Option<Self> {
        let mut data = Self::empty();
        data.bytes.get_mut(..source.len())?.copy_from_slice(source);
        data.length = source.len();
        Some(data)
    }

    /// The data.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn maximum_is_accepted_and_one_more_is_not() {
        let most = [7; MAX_PRIVATE_DATA];
        assert_eq!(PrivateData::copy_of(&most).unwrap().bytes(), most);
        assert!(PrivateData::copy_of(&[7; MAX_PRIVATE_DATA + 1]).is_none());
        assert!(PrivateData::copy_of(&[]).unwrap().bytes().is_empty());
    }
}
