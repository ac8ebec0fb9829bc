//! One adapter's end of the segment.

use core::ffi::c_void;
use core::mem::replace;
use core::ptr::NonNull;

use lock_api::RawMutex as _;
use provider::kernel::Dpc as _;
use sys::ndis::{self, NDIS_HANDLE, NET_BUFFER_LIST};
use sys::status::{
    NDIS_STATUS, NDIS_STATUS_INVALID_PACKET, NDIS_STATUS_PAUSED, NDIS_STATUS_PENDING, NDIS_STATUS_SUCCESS,
};

use super::address::Address;
use super::chain::Chain;
use super::counters::Traffic;
use super::filter::Filter;
use super::frame::Frame;
use super::pool::Pool;
use crate::kernel::{Dpc, Lock, SpinLock};

/// One adapter's end of the segment.
pub(crate) struct Station {
    adapter: NDIS_HANDLE,
    address: Address,
    sent: Traffic,
    received: Traffic,
    state: Lock<State>,
    /// Indicates what waits.
    indicate: Dpc,
}

struct State {
    mode: Mode,
    filter: Filter,
    pool: Pool,
    /// Received, and not indicated yet.
    waiting: Chain,
    /// Whether the DPC is queued.
    queued: bool,
    /// Lists that are not where they belong: sends that the driver has, receives that the protocols have.
    abroad: u32,
}

/// NDIS's states of an adapter, as far as data goes.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Mode {
    /// No data goes either way.
    Paused,
    Running,
    /// As paused, but data is still abroad.
    Pausing,
    /// The device is gone: no data goes in, and what is sent is lost.
    Unplugged,
}

impl Station {
    /// A station without a place in a segment, paused. PASSIVE_LEVEL. `None` if memory runs out.
    pub(crate) fn new(adapter: NDIS_HANDLE, address: Address) -> Option<Self> {
        let state = State {
            mode: Mode::Paused,
            filter: Filter::closed(address),
            pool: Pool::new(adapter)?,
            waiting: Chain::new(),
            queued: false,
            abroad: 0,
        };
        Some(Self {
            adapter,
            address,
            sent: Traffic::default(),
            received: Traffic::default(),
            state: Lock::const_new(SpinLock::INIT, state),
            indicate: Dpc::new(),
        })
    }

    /// Makes the station ready, in the place where it stays.
    pub(crate) fn initialise(&self) {
        let context = (&raw const *self).cast_mut().cast();
        // SAFETY: the station stays where it is until its DPC has run for the last time.
        unsafe { Dpc::initialise(NonNull::from(&self.indicate), indicate, context) };
    }

    /// The address in use.
    pub(crate) const fn address(&self) -> Address {
        self.address
    }

    /// What it has sent.
    pub(crate) const fn sent(&self) -> &Traffic {
        &self.sent
    }

    /// What it has received.
    pub(crate) const fn received(&self) -> &Traffic {
        &self.received
    }

    /// Reads or changes the packet filter.
    pub(crate) fn filter<R>(&self, act: impl FnOnce(&mut Filter) -> R) -> R {
        act(&mut self.state.lock().filter)
    }

    /// Lets data through. PASSIVE_LEVEL.
    pub(crate) fn restart(&self) {
        self.state.lock().mode = Mode::Running;
    }

    /// Stops data. PASSIVE_LEVEL. `NDIS_STATUS_PENDING` while some is abroad: NDIS is told when it is back.
    pub(crate) fn pause(&self) -> NDIS_STATUS {
        let mut state = self.state.lock();
        let waiting = state.waiting.take();
        state.pool.give_back(waiting);
        if state.abroad == 0 {
            state.mode = Mode::Paused;
            NDIS_STATUS_SUCCESS
        } else {
            state.mode = Mode::Pausing;
            NDIS_STATUS_PENDING
        }
    }

    /// The device is gone, which NDIS will follow up with a pause.
    pub(crate) fn unplug(&self) {
        let mut state = self.state.lock();
        if state.mode == Mode::Running {
            state.mode = Mode::Unplugged;
        }
    }

    /// Sends lists and completes them. Up to DISPATCH_LEVEL.
    ///
    /// # Safety
    ///
    /// NDIS passed the lists, which are the driver's until it completes them, and the flags with them.
    pub(crate) unsafe fn send(&self, lists: *mut NET_BUFFER_LIST, flags: u32) {
        // SAFETY: as the caller promises.
        let lists = unsafe { Chain::from_head(lists) };
        let mode = self.depart(lists.length());
        for list in lists.iter() {
            let status = match mode {
                // SAFETY: the list is the driver's.
                Mode::Running => unsafe { self.transmit(list) },
                Mode::Unplugged => NDIS_STATUS_SUCCESS,
                Mode::Paused | Mode::Pausing => NDIS_STATUS_PAUSED,
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
        self.come_back(lists.length(), Chain::new());
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
        // SAFETY: the net buffers of a list are whose the list is.
        while let Some(buffer) = unsafe { next.as_ref() } {
            // SAFETY: the net buffer is the driver's until its list is completed.
            if let Some(frame) = unsafe { Frame::of(buffer) } {
                self.sent.count(frame.destination().reach(), frame.length());
                super::deliver(self, &frame);
            } else {
                self.sent.error();
                status = NDIS_STATUS_INVALID_PACKET;
            }
            next = buffer.Next;
        }
        status
    }

    /// Receives a frame, if the station wants it. Up to DISPATCH_LEVEL.
    pub(super) fn receive(&self, frame: &Frame) {
        let mut state = self.state.lock();
        if state.mode != Mode::Running || !state.filter.accepts(frame.destination()) {
            return;
        }
        let Some(list) = state.pool.receive(frame) else {
            self.received.discard();
            return;
        };
        self.received.count(frame.destination().reach(), frame.length());
        // SAFETY: the list comes from the pool.
        unsafe { state.waiting.push(list) };
        if !replace(&mut state.queued, true) {
            // SAFETY: the call is not queued. The station is in the segment, so it is in its place; when it
            // leaves, it waits for the call.
            unsafe { Dpc::queue(NonNull::from(&self.indicate)) };
        }
    }

    /// Hands up what waits. DISPATCH_LEVEL.
    fn indicate(&self) {
        let mut state = self.state.lock();
        state.queued = false;
        let lists = state.waiting.take();
        let count = lists.length();
        state.abroad = state.abroad.saturating_add(count);
        drop(state);
        if count != 0 {
            // SAFETY: the lists are the pool's, and the protocols' until they return them.
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

    /// Takes lists back that the protocols are done with. Up to DISPATCH_LEVEL.
    ///
    /// # Safety
    ///
    /// NDIS returns the lists, which the station has indicated.
    pub(crate) unsafe fn take_back(&self, lists: *mut NET_BUFFER_LIST) {
        // SAFETY: as the caller promises.
        let lists = unsafe { Chain::from_head(lists) };
        self.come_back(lists.length(), lists);
    }

    /// Counts lists that leave the place where they belong; says whether data goes now.
    fn depart(&self, count: u32) -> Mode {
        let mut state = self.state.lock();
        state.abroad = state.abroad.saturating_add(count);
        state.mode
    }

    /// Counts lists that are back, some of which go to the pool.
    fn come_back(&self, count: u32, received: Chain) {
        let mut state = self.state.lock();
        state.pool.give_back(received);
        state.abroad = state.abroad.saturating_sub(count);
        let paused = state.mode == Mode::Pausing && state.abroad == 0;
        if paused {
            state.mode = Mode::Paused;
        }
        drop(state);
        if paused {
            // SAFETY: NDIS waits for this since it was told that the pause is pending. The adapter may be
            // gone when the call returns.
            unsafe { ndis::NdisMPauseComplete(self.adapter) };
        }
    }
}

/// What the DPC runs.
unsafe extern "win64" fn indicate(context: *mut c_void) {
    // SAFETY: the context is the station, which waits for this call before it goes.
    unsafe { &*context.cast::<Station>() }.indicate();
}
