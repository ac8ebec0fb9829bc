//! One side of a pair: an adapter, a queue pair, and what that needs.

use std::net::SocketAddr;
use std::ptr::null_mut;

use sys::ndk::*;
use sys::status::*;
use sys::wdm::PVOID;
use test_kernel::Manual;

use super::{Log, call, connect_event, notified, request};
use crate::number::usize_from;
use crate::rnic::{Fabric, Rnic};

unsafe extern "efiapi" fn never_created(_: PVOID, _: NTSTATUS, _: *mut NDK_OBJECT_HEADER) {
    panic!("no create of this provider pends");
}

fn create<T>(create: impl FnOnce(*mut *mut T) -> NTSTATUS) -> *mut T {
    let mut object = null_mut();
    assert_eq!(create(&mut object), STATUS_SUCCESS);
    object
}

/// One side of a pair.
pub(crate) struct Side {
    pub(crate) rnic: Rnic<Manual>,
    pub(crate) address: SocketAddr,
    pub(crate) adapter: *mut NDK_ADAPTER,
    pub(crate) cq: *mut NDK_CQ,
    pub(crate) pd: *mut NDK_PD,
    pub(crate) qp: *mut NDK_QP,
    pub(crate) connector: *mut NDK_CONNECTOR,
}

pub(crate) const DEPTH: u32 = 4;
/// The most inline data of a request, in bytes.
pub(crate) const INLINE: u32 = 16;

impl Side {
    pub(super) fn new(fabric: &Fabric<Manual>, address: &str, log: &Log) -> Self {
        Self::of(Rnic::new(fabric).unwrap(), address, log)
    }

    /// A side with an RNIC of one's own.
    pub(super) fn of(rnic: Rnic<Manual>, address: &str, log: &Log) -> Self {
        let address: SocketAddr = address.parse().unwrap();
        rnic.set_addresses(&[address.ip()]).unwrap();
        rnic.set_enabled(true);
        let adapter = rnic.open(NDK_VERSION_2_1).unwrap().as_ptr();
        let cq = Self::create_cq(adapter, log);
        let pd = create(|out| call!(adapter, NdkCreatePd, Some(never_created), null_mut(), out));
        let mut side = Self { rnic, address, adapter, cq, pd, qp: null_mut(), connector: null_mut() };
        side.qp = side.create_qp();
        side
    }

    pub(crate) fn create_cq(adapter: *mut NDK_ADAPTER, log: &Log) -> *mut NDK_CQ {
        let (context, none) = (log.context("cq"), null_mut());
        create(|out| {
            call!(
                adapter,
                NdkCreateCq,
                64,
                Some(notified),
                context,
                none,
                Some(never_created),
                null_mut(),
                out
            )
        })
    }

    pub(crate) fn create_qp(&self) -> *mut NDK_QP {
        self.create_qp_of(DEPTH, 2)
    }

    /// A QP of other depths, and with other lists.
    pub(crate) fn create_qp_of(&self, depth: u32, entries: u32) -> *mut NDK_QP {
        let (cq, context) = (self.cq, request(0x51));
        create(|out| {
            call!(
                self.pd,
                NdkCreateQp,
                cq,
                cq,
                context,
                depth,
                depth,
                entries,
                entries,
                INLINE,
                Some(never_created),
                null_mut(),
                out
            )
        })
    }

    pub(crate) fn create_connector(&self) -> *mut NDK_CONNECTOR {
        create(|out| call!(self.adapter, NdkCreateConnector, Some(never_created), null_mut(), out))
    }

    pub(crate) fn create_mr(&self) -> *mut NDK_MR {
        create(|out| call!(self.pd, NdkCreateMr, 0, Some(never_created), null_mut(), out))
    }

    pub(crate) fn create_listener(&self, log: &Log) -> *mut NDK_LISTENER {
        let context = log.context("listener");
        create(|out| {
            call!(
                self.adapter,
                NdkCreateListener,
                Some(connect_event),
                context,
                Some(never_created),
                null_mut(),
                out
            )
        })
    }

    /// All results that wait, as (status, bytes, context).
    pub(crate) fn results(&self) -> Vec<(NTSTATUS, u32, usize)> {
        let none =
            NDK_RESULT { Status: 0, BytesTransferred: 0, QPContext: null_mut(), RequestContext: null_mut() };
        let mut results = [none; 8];
        let mut all = Vec::new();
        loop {
            let count = usize_from(call!(self.cq, NdkGetCqResults, results.as_mut_ptr(), 8));
            all.extend(results[..count].iter().map(|result| {
                assert_eq!(result.QPContext.addr(), 0x51);
                (result.Status, result.BytesTransferred, result.RequestContext.addr())
            }));
            if count < 8 {
                return all;
            }
        }
    }

    pub(crate) fn close_adapter(&self) {
        // SAFETY: the test is done with the adapter.
        unsafe {
            Rnic::<Manual>::close(std::ptr::NonNull::new(self.adapter).unwrap(), test_kernel::passive())
        };
    }
}
