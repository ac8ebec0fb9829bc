//! The calls that connect and disconnect.

#![expect(unsafe_code, reason = "a consumer passes addresses to the provider")]

use core::mem::MaybeUninit;
use core::ptr::null_mut;

use sys::ndk::*;
use sys::sockaddr::{AF_INET, IN_ADDR, SOCKADDR, SOCKADDR_IN};
use sys::wdm::PVOID;
use test_kernel::{expire_timers, pump, pump_once};

use super::{Consumer, MOST, call, pick};
use crate::call_log::{self, completed};
use crate::calls::{Call, Kind, Which};

unsafe extern "efiapi" fn disconnected(_: PVOID) {}

/// The IPv4 address of an adapter with a port.
pub(super) fn address(adapter: bool, port: u8) -> SOCKADDR_IN {
    // SAFETY: all bytes zero is a valid socket address.
    let mut address: SOCKADDR_IN = unsafe { MaybeUninit::zeroed().assume_init() };
    address.sin_family = AF_INET;
    address.sin_port = u16::from(port % 8).to_be();
    let bytes = if adapter { [10, 0, 0, 2] } else { [10, 0, 0, 1] };
    // SAFETY: an IPv4 address is four bytes, in network order.
    address.sin_addr = unsafe { core::mem::transmute::<[u8; 4], IN_ADDR>(bytes) };
    address
}

pub(super) const ADDRESS_LENGTH: u32 = size_of::<SOCKADDR_IN>() as u32;

pub(super) fn name(address: &SOCKADDR_IN) -> *const SOCKADDR {
    core::ptr::from_ref(address).cast()
}

/// Private data of some length, beyond the most that is permitted too.
static DATA: [u8; 1024] = [0xDD; 1024];

impl Consumer {
    pub(super) fn connect(&mut self, call: &Call) -> Option<()> {
        let qp = |which| pick(&self.qps, which).map(|qp| qp.object);
        let connector = |which| pick(&self.connectors, which).copied();
        let listener = |which| pick(&self.listeners, which).copied();
        let request = Some(completed as NDK_FN_REQUEST_COMPLETION);
        let data = DATA.as_ptr().cast();
        match *call {
            Call::Listen { listener: which, adapter, port } => {
                let (listener, own) = (listener(which)?, address(adapter, port));
                call_log::request(|context| {
                    call!(listener, NdkListen, name(&own), ADDRESS_LENGTH, request, context)
                });
            }
            Call::Pause { listener: which, pause } => {
                call!(listener(which)?, NdkControlConnectEvents, pause.into())
            }
            Call::Connect { connector: which, qp: with, to, port, data: length } => {
                let (from, to) = (address(!to, 0), address(to, port));
                let (connector, qp) = (connector(which)?, qp(with)?);
                call_log::request(|context| {
                    call!(
                        connector,
                        NdkConnect,
                        qp,
                        name(&from),
                        ADDRESS_LENGTH,
                        name(&to),
                        ADDRESS_LENGTH,
                        4,
                        4,
                        data,
                        u32::from(length) * 4,
                        request,
                        context
                    )
                });
            }
            Call::ConnectShared { connector: which, qp: with, endpoint, to, port } => {
                let (connector, qp, to) = (connector(which)?, qp(with)?, address(to, port));
                let endpoint = *pick(&self.endpoints, endpoint)?;
                call_log::request(|context| {
                    call!(
                        connector,
                        NdkConnectWithSharedEndpoint,
                        qp,
                        endpoint,
                        name(&to),
                        ADDRESS_LENGTH,
                        4,
                        4,
                        data,
                        8,
                        request,
                        context
                    )
                });
            }
            Call::Accept { connector: which, qp: with, data: length } => {
                let (connector, qp) = (connector(which)?, qp(with)?);
                call_log::request(|context| {
                    call!(
                        connector,
                        NdkAccept,
                        qp,
                        4,
                        4,
                        data,
                        u32::from(length) * 4,
                        Some(disconnected),
                        null_mut(),
                        request,
                        context
                    )
                });
            }
            Call::CompleteConnect { connector: which } => {
                let connector = connector(which)?;
                call_log::request(|context| {
                    call!(connector, NdkCompleteConnect, Some(disconnected), null_mut(), request, context)
                });
            }
            Call::Reject { connector: which, data: length } => {
                call!(connector(which)?, NdkReject, data, u32::from(length) * 4);
            }
            Call::Disconnect { connector: which } => {
                let connector = connector(which)?;
                call_log::request(|context| call!(connector, NdkDisconnect, request, context));
            }
            Call::Establish { port } => return self.establish(port),
            Call::Pump => {
                pump();
            }
            Call::PumpOne => {
                pump_once();
            }
            Call::Expire => drop(expire_timers()),
            _ => {}
        }
        Some(())
    }

    /// The calls of a connection between new QPs, in their order; each may fail all the same.
    fn establish(&mut self, port: u8) -> Option<()> {
        let last = |length: usize| (length.saturating_sub(1)) as Which;
        let from = self.fresh_qp(false)?;
        let to = self.fresh_qp(true)?;
        self.create(&Call::CreateListener { adapter: true });
        let listener = last(self.listeners.len());
        self.connect(&Call::Listen { listener, adapter: true, port });
        self.create(&Call::CreateConnector { adapter: false });
        let connector = last(self.connectors.len());
        self.connect(&Call::Connect { connector, qp: from, to: true, port, data: 3 });
        pump();
        let offers = call_log::offers();
        self.connectors.extend(offers.into_iter().map(core::ptr::with_exposed_provenance_mut));
        let offered = last(self.connectors.len());
        self.connect(&Call::Accept { connector: offered, qp: to, data: 1 });
        pump();
        self.connect(&Call::CompleteConnect { connector });
        pump();
        Some(())
    }

    /// A new QP of one adapter; if there are too many, an old one goes.
    fn fresh_qp(&mut self, adapter: bool) -> Option<Which> {
        if self.qps.len() + 1 >= MOST {
            self.close(Kind::Qp, 0);
            self.close(Kind::Connector, 0);
            self.close(Kind::Listener, 0);
        }
        let pd = self.pds.iter().position(|pd| pd.home == adapter)? as Which;
        let cq = self.cqs.iter().position(|cq| cq.home == adapter)? as Which;
        let (depths, sges) = ((8, 8), (3, 3));
        self.create(&Call::CreateQp { pd, receive: cq, initiator: cq, depths, sges, inline: 64 });
        Some(self.qps.len().checked_sub(1)? as Which)
    }
}
