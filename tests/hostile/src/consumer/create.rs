//! The calls that create.

#![expect(unsafe_code, reason = "a consumer passes addresses to the provider")]

use core::ptr::null_mut;

use sys::ndk::*;
use sys::status::{NT_SUCCESS, NTSTATUS, STATUS_BUFFER_OVERFLOW};
use sys::wdm::PVOID;

use super::connect::{ADDRESS_LENGTH, address, name};
use super::{Consumer, Cq, MOST, Pd, Qp, call, pick};
use crate::call_log;
use crate::calls::Call;

unsafe extern "efiapi" fn notified(_: PVOID, status: NTSTATUS) {
    assert!(NT_SUCCESS(status) || status == STATUS_BUFFER_OVERFLOW, "a notification of {status:#010x}");
}

unsafe extern "efiapi" fn offered(_: PVOID, connector: *mut NDK_CONNECTOR) {
    call_log::offer(connector.expose_provenance());
}

unsafe extern "efiapi" fn created(_: PVOID, _: NTSTATUS, _: *mut NDK_OBJECT_HEADER) {
    panic!("no create of this provider pends");
}

/// The object that a create made; one that fails must not have touched the place (RQ-1).
fn made<T>(create: impl FnOnce(*mut *mut T) -> NTSTATUS) -> Option<*mut T> {
    let mut object = null_mut();
    let status = create(&raw mut object);
    assert_eq!(NT_SUCCESS(status), !object.is_null(), "a create returned {status:#010x} with {object:p}");
    NT_SUCCESS(status).then_some(object)
}

/// Keeps what was made.
fn keep<T>(all: &mut Vec<T>, make: impl FnOnce() -> Option<T>) {
    if all.len() < MOST {
        all.extend(make());
    }
}

impl Consumer {
    pub(super) fn create(&mut self, call: &Call) -> Option<()> {
        let (none, null) = (null_mut(), Some(created as NDK_FN_CREATE_COMPLETION));
        match *call {
            Call::CreateCq { adapter, depth } => {
                let (home, depth) = (adapter, depth.bytes());
                let adapter = self.adapters[usize::from(home)];
                self.queues += 1;
                let cq = |object| Cq {
                    home,
                    object,
                    queue: self.queues,
                    depth: depth as usize,
                    outstanding: 0,
                    overflown: false,
                };
                keep(&mut self.cqs, || {
                    made(|out| {
                        call!(adapter, NdkCreateCq, depth, Some(notified), none, none.cast(), null, none, out)
                    })
                    .map(cq)
                });
            }
            Call::CreatePd { adapter } => {
                let (object, home) = (self.adapters[usize::from(adapter)], adapter);
                keep(&mut self.pds, || {
                    made(|out| call!(object, NdkCreatePd, null, none, out)).map(|object| Pd { object, home })
                });
            }
            Call::CreateQp { pd, receive, initiator, depths, sges, inline } => {
                let (pd, receive, initiator) =
                    (pick(&self.pds, pd)?.object, pick(&self.cqs, receive)?, pick(&self.cqs, initiator)?);
                let (receives, requests) = (depths.0.into(), depths.1.into());
                let (receive_sges, sges) = (sges.0.into(), sges.1.into());
                let qp = |object| Qp { object, receive: receive.queue, initiator: initiator.queue };
                keep(&mut self.qps, || {
                    made(|out| {
                        call!(
                            pd,
                            NdkCreateQp,
                            receive.object,
                            initiator.object,
                            none,
                            receives,
                            requests,
                            receive_sges,
                            sges,
                            inline.into(),
                            null,
                            none,
                            out
                        )
                    })
                    .map(qp)
                });
            }
            Call::CreateQpWithSrq { pd, cqs, srq, depth, sges, inline } => {
                let (pd, srq) = (pick(&self.pds, pd)?.object, *pick(&self.srqs, srq)?);
                let (receive, initiator) = (pick(&self.cqs, cqs.0)?, pick(&self.cqs, cqs.1)?);
                let qp = Qp { object: null_mut(), receive: receive.queue, initiator: initiator.queue };
                let (receive, initiator) = (receive.object, initiator.object);
                let before = self.qps.len();
                keep(&mut self.qps, || {
                    made(|out| {
                        call!(
                            pd,
                            NdkCreateQpWithSrq,
                            receive,
                            initiator,
                            srq,
                            none,
                            depth.into(),
                            sges.into(),
                            inline.into(),
                            null,
                            none,
                            out
                        )
                    })
                    .map(|object| Qp { object, ..qp })
                });
                if self.qps.len() != before {
                    // How many receives end there is the peers' doing.
                    self.queue(qp.receive)?.overflown = true;
                }
            }
            Call::CreateMr { pd, fast } => {
                let pd = pick(&self.pds, pd)?.object;
                keep(&mut self.mrs, || made(|out| call!(pd, NdkCreateMr, fast.into(), null, none, out)));
            }
            Call::CreateMw { pd } => {
                let pd = pick(&self.pds, pd)?.object;
                keep(&mut self.mws, || made(|out| call!(pd, NdkCreateMw, null, none, out)));
            }
            Call::CreateSrq { pd, depth, sges, threshold } => {
                let pd = pick(&self.pds, pd)?.object;
                let (depth, sges, threshold) = (depth.into(), sges.into(), threshold.into());
                keep(&mut self.srqs, || {
                    made(|out| {
                        call!(
                            pd,
                            NdkCreateSrq,
                            depth,
                            sges,
                            threshold,
                            Some(notified),
                            none,
                            none.cast(),
                            null,
                            none,
                            out
                        )
                    })
                });
            }
            Call::CreateListener { adapter } => {
                let adapter = self.adapters[usize::from(adapter)];
                keep(&mut self.listeners, || {
                    made(|out| call!(adapter, NdkCreateListener, Some(offered), none, null, none, out))
                });
            }
            Call::CreateConnector { adapter } => {
                let adapter = self.adapters[usize::from(adapter)];
                keep(&mut self.connectors, || {
                    made(|out| call!(adapter, NdkCreateConnector, null, none, out))
                });
            }
            Call::CreateSharedEndpoint { adapter, port } => {
                let (object, own) = (self.adapters[usize::from(adapter)], address(adapter, port));
                keep(&mut self.endpoints, || {
                    made(|out| {
                        call!(object, NdkCreateSharedEndpoint, name(&own), ADDRESS_LENGTH, null, none, out)
                    })
                });
            }
            Call::Close(kind, which) => self.close(kind, which),
            _ => {}
        }
        Some(())
    }
}
