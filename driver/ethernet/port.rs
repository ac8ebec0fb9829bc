//! One adapter's port of the switch.

#![expect(unsafe_code, reason = "NDIS is called, and passes addresses")]

use core::ffi::c_void;
use core::ptr::NonNull;

use lock_api::RawMutex as _;
use provider::kernel::Dpc as _;
use sys::irql::{DispatchLevel, PassiveLevel};
use sys::ndis::{self, NDIS_HANDLE, NET_BUFFER_LIST};
use sys::status::{
    NDIS_STATUS, NDIS_STATUS_INVALID_PACKET, NDIS_STATUS_NOT_ACCEPTED, NDIS_STATUS_PAUSED,
    NDIS_STATUS_PENDING, NDIS_STATUS_SUCCESS,
};
use vswitch::{Address, DataPath, Disposition, Filter, FrameCounters, Pause};

use super::chain::Chain;
use super::frame::Frame;
use super::pool::Pool;
use crate::kernel::{Dpc, Lock, SpinLock};

/// One adapter's port of the switch.
pub(crate) struct VirtualPort {
    adapter: NDIS_HANDLE,
    address: Address,
    sent: FrameCounters,
    received: FrameCounters,
    state: Lock<State>,
    /// Indicates what was received.
    indicate: Dpc,
}

struct State {
    path: DataPath,
    filter: Filter,
    pool: Pool,
    /// Received, and not indicated yet.
    waiting: Chain,
}

impl VirtualPort {
    /// A port that is not connected, paused. `None` if memory runs out.
    pub(crate) fn new(adapter: NDIS_HANDLE, address: Address, level: PassiveLevel) -> Option<Self> {
        let state = State {
            path: DataPath::new(),
            filter: Filter::closed(address),
            pool: Pool::new(adapter, level)?,
            waiting: Chain::new(),
        };
        Some(Self {
            adapter,
            address,
            sent: FrameCounters::default(),
            received: FrameCounters::default(),
            state: Lock::const_new(SpinLock::INIT, state),
            indicate: Dpc::new(),
        })
    }

    /// Makes the port ready, in the place where it stays.
    pub(crate) fn initialise(&self) {
        let context = (&raw const *self).cast_mut().cast();
        // SAFETY: the port stays where it is until its DPC has run for the last time.
        unsafe { Dpc::initialise(NonNull::from(&self.indicate), indicate, context) };
    }

    /// The address in use.
    pub(crate) const fn address(&self) -> Address {
        self.address
    }

    /// Counters of what it has sent.
    pub(crate) const fn sent(&self) -> &FrameCounters {
        &self.sent
    }

    /// Counters of what it has received.
    pub(crate) const fn received(&self) -> &FrameCounters {
        &self.received
    }

    /// Reads or changes the packet filter.
    pub(crate) fn filter<R>(&self, act: impl FnOnce(&mut Filter) -> R) -> R {
        act(&mut self.state.lock().filter)
    }

    /// Lets frames through. PASSIVE_LEVEL.
    pub(crate) fn restart(&self) {
        self.state.lock().path.restart();
    }

    /// Stops frames. PASSIVE_LEVEL. `NDIS_STATUS_PENDING` while NBLs are outstanding: NDIS is told when they are back.
    pub(crate) fn pause(&self) -> NDIS_STATUS {
        let mut state = self.state.lock();
        let waiting = state.waiting.take();
        state.pool.return_nbls(waiting);
        match state.path.pause() {
            Pause::Complete => NDIS_STATUS_SUCCESS,
            Pause::Pending => NDIS_STATUS_PENDING,
        }
    }

    /// Surprise removal of the device: sends are refused from now on. NDIS pauses and halts the adapter next.
    pub(crate) fn surprise_remove(&self) {
        self.state.lock().path.surprise_remove();
    }

    /// Sends lists and completes them. Up to DISPATCH_LEVEL.
    ///
    /// # Safety
    ///
    /// NDIS passed the lists, which are the driver's until it completes them, and the flags with them.
    pub(crate) unsafe fn send(&self, lists: *mut NET_BUFFER_LIST, flags: u32) {
        // SAFETY: as the caller promises.
        let lists = unsafe { Chain::from_head(lists) };
        let disposition = self.state.lock().path.begin_send(lists.length());
        for list in lists.iter() {
            let status = match disposition {
                // SAFETY: the list is the driver's.
                Disposition::Deliver => unsafe { self.transmit(list) },
                Disposition::RefuseRemoved => NDIS_STATUS_NOT_ACCEPTED,
                Disposition::Refuse => NDIS_STATUS_PAUSED,
            };
            // SAFETY: the list is the driver's.
            unsafe { (*list.as_ptr()).Status = status };
        }
        let flags = if flags & ndis::NDIS_SEND_FLAGS_DISPATCH_LEVEL != 0 {
            ndis::NDIS_SEND_COMPLETE_FLAGS_DISPATCH_LEVEL
        } else {
            0
        };
        // SAFETY: the lists are the driver's, and NDIS's again from here on.
        unsafe { ndis::NdisMSendNetBufferListsComplete(self.adapter, lists.head(), flags) };
        self.finish_nbls(lists.length(), Chain::new());
    }

    /// Sends the frames of one list.
    ///
    /// # Safety
    ///
    /// The list is the driver's.
    unsafe fn transmit(&self, list: NonNull<NET_BUFFER_LIST>) -> NDIS_STATUS {
        let mut status = NDIS_STATUS_SUCCESS;
        // SAFETY: the list is the driver's.
        let mut next = unsafe { (*list.as_ptr()).FirstNetBuffer };
        // SAFETY: the net buffers of a list belong to its owner.
        while let Some(buffer) = unsafe { next.as_ref() } {
            // SAFETY: the net buffer is the driver's until its list is completed.
            if let Some(frame) = unsafe { Frame::of(buffer) } {
                self.sent.count(frame.destination().class(), frame.length());
                super::deliver(self, &frame);
            } else {
                self.sent.count_error();
                status = NDIS_STATUS_INVALID_PACKET;
            }
            next = buffer.Next;
        }
        status
    }

    /// Receives a frame, if the filter accepts it. Up to DISPATCH_LEVEL.
    pub(super) fn receive(&self, frame: &Frame) {
        let mut state = self.state.lock();
        if !state.path.receives() || !state.filter.accepts(frame.destination()) {
            return;
        }
        let Some(list) = state.pool.receive(frame) else {
            self.received.count_discard();
            return;
        };
        self.received.count(frame.destination().class(), frame.length());
        // SAFETY: the list comes from the pool.
        unsafe { state.waiting.push(list) };
        if state.path.request_indication() {
            // SAFETY: the DPC is not queued. The port is connected, so it is in its place; the adapter flushes DPCs
            // after it has disconnected the port.
            unsafe { Dpc::queue(NonNull::from(&self.indicate)) };
        }
    }

    /// Indicates what was received.
    fn indicate(&self, _: DispatchLevel<'_>) {
        let mut state = self.state.lock();
        let lists = state.waiting.take();
        let count = lists.length();
        state.path.begin_indication(count);
        drop(state);
        if count != 0 {
            // SAFETY: the lists are the pool's, and the protocols' until they return them; the level is what the flag says.
            unsafe {
                ndis::NdisMIndicateReceiveNetBufferLists(
                    self.adapter,
                    lists.head(),
                    ndis::NDIS_DEFAULT_PORT_NUMBER,
                    count,
                    ndis::NDIS_RECEIVE_FLAGS_DISPATCH_LEVEL,
                );
            }
        }
    }

    /// Takes back NBLs that the protocols return. Up to DISPATCH_LEVEL.
    ///
    /// # Safety
    ///
    /// NDIS returns the lists, which the port has indicated.
    pub(crate) unsafe fn return_nbls(&self, lists: *mut NET_BUFFER_LIST) {
        // SAFETY: as the caller promises.
        let lists = unsafe { Chain::from_head(lists) };
        self.finish_nbls(lists.length(), lists);
    }

    /// Counts NBLs that are with their owners again; those that were received go to the pool.
    fn finish_nbls(&self, count: u32, received: Chain) {
        let mut state = self.state.lock();
        state.pool.return_nbls(received);
        let paused = state.path.return_nbls(count);
        drop(state);
        if paused {
            // SAFETY: NDIS waits for this since it was told that the pause is pending. The adapter may be
            // gone when the call returns.
            unsafe { ndis::NdisMPauseComplete(self.adapter) };
        }
    }
}

/// The DPC of a port.
unsafe extern "efiapi" fn indicate(context: *mut c_void) {
    // SAFETY: a DPC runs at DISPATCH_LEVEL.
    let level = unsafe { DispatchLevel::assume() };
    // SAFETY: the context is the port, whose adapter flushes DPCs before it goes.
    unsafe { &*context.cast::<VirtualPort>() }.indicate(level);
}
