//! Sends: from the protocol to a miniport, and their completion.

use core::ptr;
use core::sync::atomic::Ordering;
use core::time::Duration;
use std::sync::Arc;

use nt::io::StatusError;
use ntsim_core::address::Va;
use ntsim_core::boundary;
use ntsim_core::exports;
use ntsim_core::sched::{self, Irql};
use sys::ndis::*;
use sys::status::{NDIS_STATUS, NDIS_STATUS_SUCCESS, STATUS_DEVICE_NOT_READY, STATUS_INSUFFICIENT_RESOURCES};

use super::adapter::{self, Adapter, State};
use super::data_path::{MINIPORT, check_flags, each};
use super::outgoing::Outgoing;
use super::wait::Answer;
use super::{compliance, pool, variation, violation};

/// The longest time that a miniport may keep a frame to be sent, by Driver Verifier's rule NdisTimedDataSend;
/// tests are less patient.
const LIMIT: Duration = Duration::from_secs(if cfg!(test) { 2 } else { 30 });

/// The longest time that it may complete none at all while it has some, by the rule NdisTimedDataHang.
const HANG: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 22 });

impl Adapter {
    /// Sends a frame, from the destination's address to the end of the payload, and waits until the
    /// miniport is done with it.
    ///
    /// # Errors
    /// STATUS_DEVICE_NOT_READY if the adapter does not run, or the status of the miniport.
    pub fn send(&self, frame: &[u8]) -> Result<(), StatusError> {
        self.send_all(&[&[frame]])
    }

    /// Sends a chain of lists in one call, each with its frames, and waits until the miniport is done with all.
    /// How the frames lie in memory, and at which level the miniport is called, varies.
    ///
    /// # Errors
    /// STATUS_DEVICE_NOT_READY if the adapter does not run, or the status of the first list that failed.
    pub fn send_all(&self, lists: &[&[&[u8]]]) -> Result<(), StatusError> {
        if self.state() != State::Running {
            return Err(StatusError(STATUS_DEVICE_NOT_READY));
        }
        let short = || StatusError(STATUS_INSUFFICIENT_RESOURCES);
        let made: Option<Vec<_>> = lists.iter().map(|frames| Outgoing::new(frames)).collect();
        let made = made.ok_or_else(short)?;
        for pair in made.windows(2) {
            // SAFETY: the list was made just now, and nothing else has it.
            unsafe { (*pair[0].list()).Next = pair[1].list() };
        }
        let head = made.first().ok_or_else(short)?.list();
        let gone = self.is_gone();
        let answers: Vec<_> = made.iter().map(|one| self.expect_completion(one.list())).collect();
        let completed = self.protocol.completed.load(Ordering::Acquire);
        self.hand_over(head);
        let results: Vec<_> = answers.iter().map(|answer| self.await_completion(answer, completed)).collect();
        for status in results.iter().filter(|_| gone) {
            self.check_refused("a send", *status);
        }
        match results.into_iter().find(|status| *status != NDIS_STATUS_SUCCESS) {
            Some(status) => Err(StatusError(status)),
            None => Ok(()),
        }
    }

    fn expect_completion(&self, list: *mut NET_BUFFER_LIST) -> Arc<Answer<NDIS_STATUS>> {
        let answer = Arc::new(Answer::default());
        self.protocol.sending.lock().push((Va::of(list), Arc::clone(&answer)));
        pool::pass(list, MINIPORT);
        answer
    }

    /// Calls the miniport with a chain: "at IRQL <= DISPATCH_LEVEL", with a flag for the upper end
    /// (<https://learn.microsoft.com/windows-hardware/drivers/ddi/ndis/nc-ndis-miniport_send_net_buffer_lists>).
    fn hand_over(&self, head: *mut NET_BUFFER_LIST) {
        let handler = self.driver.handlers.SendNetBufferListsHandler.expect("registration checks for it");
        let context = self.context();
        let before = (variation::choose(2) == 1).then(|| sched::raise(Irql::DISPATCH));
        let flags = if before.is_some() { NDIS_SEND_FLAGS_DISPATCH_LEVEL } else { 0 };
        // SAFETY: the handler is the driver's own; the lists are the driver's until it completes them.
        boundary::call_driver("MiniportSendNetBufferLists", || unsafe {
            handler(context, head, NDIS_DEFAULT_PORT_NUMBER, flags);
        });
        before.into_iter().for_each(sched::lower);
    }

    fn await_completion(&self, answer: &Answer<NDIS_STATUS>, completed: usize) -> NDIS_STATUS {
        let hangs = || {
            if self.protocol.completed.load(Ordering::Acquire) == completed {
                let text = format!("frames are to be sent, and none has been in {HANG:?}");
                compliance("NdisTimedDataHang", 0x9200F, text);
            }
        };
        let late = || {
            compliance("NdisTimedDataSend", 0x9200D, format!("a frame has not been sent in {LIMIT:?}"));
        };
        answer.wait(&[(HANG, &hangs), (LIMIT, &late)])
    }
}

exports! {
    "ndis.sys", signature;

    /// Says that frames are sent.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdisMSendNetBufferListsComplete(handle: NDIS_HANDLE, lists: *mut NET_BUFFER_LIST, flags: u32) {
        let Some(adapter) = adapter::of(handle, "NdisMSendNetBufferListsComplete") else { return };
        check_flags(handle, flags & NDIS_SEND_COMPLETE_FLAGS_DISPATCH_LEVEL != 0);
        each(lists, |list| {
            adapter.protocol.completed.fetch_add(1, Ordering::AcqRel);
            let mut sending = adapter.protocol.sending.lock();
            let at = sending.iter().position(|(sent, _)| *sent == Va::of(list));
            let found = at.map(|at| sending.swap_remove(at));
            drop(sending);
            let Some((_, answer)) = found else {
                let text = format!("{list:p} is completed, but was not given to this adapter to send");
                violation("NdisMSendNetBufferListsComplete", [0x06, Va::of(handle).bits(), Va::of(list).bits(), 0], text);
                return;
            };
            pool::take_back(list, MINIPORT);
            // SAFETY: the list is the protocol's own, which frees it only after the answer.
            let list = unsafe { &mut *list };
            list.Next = ptr::null_mut();
            answer.set(list.Status);
        });
    }
}
