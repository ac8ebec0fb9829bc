//! The settings of an adapter of the machine.

#![forbid(unsafe_code)]

use core::net::IpAddr;

/// An adapter that the machine has, for a miniport driver to run.
#[derive(Clone, Debug)]
pub struct AdapterConfig {
    /// The index of its interface.
    pub if_index: u32,
    /// The name of its interface, as an administrator sees it.
    pub alias: String,
    /// Unicast addresses of its interface, each with the length of its prefix.
    pub addresses: Vec<(IpAddr, u8)>,
    /// `*NetworkDirect`: whether RDMA is enabled.
    pub network_direct: bool,
    /// `*NetworkDirectTechnology`: 1 iWARP, 2 InfiniBand, 3 RoCE, 4 RoCEv2.
    pub technology: u32,
    /// Further keywords of its registry key, by name.
    pub keywords: Vec<(String, String)>,
    /// The address that an administrator set in place of the permanent one.
    pub network_address: Option<[u8; 6]>,
}

impl AdapterConfig {
    /// An adapter with that interface index and those addresses (in a prefix of 24 or 64 bits), with RDMA
    /// over iWARP enabled.
    pub fn new(if_index: u32, addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        Self {
            if_index,
            alias: format!("Ethernet {if_index}"),
            addresses: addresses.into_iter().map(prefixed).collect(),
            network_direct: true,
            technology: 1,
            keywords: Vec::new(),
            network_address: None,
        }
    }

    /// The value of a keyword in the adapter's registry key, where every value is a string.
    pub(super) fn keyword(&self, name: &str) -> Option<String> {
        let set = self.keywords.iter().find(|(keyword, _)| keyword.eq_ignore_ascii_case(name));
        match (set, name.to_ascii_lowercase().as_str()) {
            (Some((_, value)), _) => Some(value.clone()),
            (None, "*networkdirect") => Some(u32::from(self.network_direct).to_string()),
            (None, "*networkdirecttechnology") => Some(self.technology.to_string()),
            (None, _) => None,
        }
    }

    /// Sets a keyword in place of the value that it has.
    pub(super) fn set_keyword(&mut self, name: &str, value: &str) {
        self.keywords.retain(|(keyword, _)| !keyword.eq_ignore_ascii_case(name));
        self.keywords.push((name.into(), value.into()));
    }
}

/// An address with the usual length of a prefix: 24 or 64 bits.
pub(super) fn prefixed(address: IpAddr) -> (IpAddr, u8) {
    (address, if address.is_ipv4() { 24 } else { 64 })
}
