//! The place for a session that every handle to the device has.

use alloc::boxed::Box;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};

use protocol::{Level, Outcome, SessionCounters, SessionReport, SessionRequest};
use sys::status::{NTSTATUS, STATUS_DEVICE_BUSY, STATUS_INVALID_DEVICE_STATE};

use super::{Chunk, Session, Side};

/// Somebody is opening or closing the session.
const EXCLUSIVE: u32 = u32::MAX;

/// At most one session, and the number of requests that are using it.
pub(crate) struct Slot {
    session: AtomicPtr<Session>,
    /// Users of the session, or [`EXCLUSIVE`].
    users: AtomicU32,
    /// One chunk at a time on either side.
    near_busy: AtomicBool,
    far_busy: AtomicBool,
}

impl Slot {
    pub(crate) const fn new() -> Self {
        Self {
            session: AtomicPtr::new(null_mut()),
            users: AtomicU32::new(0),
            near_busy: AtomicBool::new(false),
            far_busy: AtomicBool::new(false),
        }
    }

    /// Opens the session; the report says how it went.
    pub(crate) fn open(&self, request: &SessionRequest) -> Result<Box<SessionReport>, NTSTATUS> {
        let _exclusive = self.enter_exclusive()?;
        if !self.session.load(Ordering::Acquire).is_null() {
            return Err(STATUS_INVALID_DEVICE_STATE);
        }
        let (session, report) = Session::open(request)?;
        self.session.store(session.map_or(null_mut(), Box::into_raw), Ordering::Release);
        Ok(report)
    }

    /// Closes the session.
    pub(crate) fn close(&self, level: Level) -> Result<Box<Outcome>, NTSTATUS> {
        let _exclusive = self.enter_exclusive()?;
        self.take().ok_or(STATUS_INVALID_DEVICE_STATE)?.close(level)
    }

    fn take(&self) -> Option<Box<Session>> {
        let session = self.session.swap(null_mut(), Ordering::AcqRel);
        // SAFETY: the pointer, unless null, was boxed in `open`; swapping it out makes it ours alone, and
        // the callers hold the slot exclusively.
        (!session.is_null()).then(|| unsafe { Box::from_raw(session) })
    }

    /// What the session has done so far.
    pub(crate) fn counters(&self) -> Result<SessionCounters, NTSTATUS> {
        self.with(|session| Ok(session.counters()))
    }

    /// Moves a chunk on one side.
    pub(crate) fn move_chunk(&self, side: Side, chunk: &Chunk) -> Result<u32, NTSTATUS> {
        self.with(|session| {
            let busy = match side {
                Side::Near => &self.near_busy,
                Side::Far => &self.far_busy,
            };
            if busy.swap(true, Ordering::AcqRel) {
                return Err(STATUS_DEVICE_BUSY);
            }
            let moved = session.move_chunk(side, chunk);
            busy.store(false, Ordering::Release);
            moved
        })
    }

    fn with<R>(&self, action: impl FnOnce(&Session) -> Result<R, NTSTATUS>) -> Result<R, NTSTATUS> {
        let enter = |users: u32| users.checked_add(1).filter(|users| *users != EXCLUSIVE);
        self.users
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, enter)
            .map_err(|_| STATUS_DEVICE_BUSY)?;
        // SAFETY: the session lives while there are users.
        let session = unsafe { self.session.load(Ordering::Acquire).as_ref() };
        let result = session.ok_or(STATUS_INVALID_DEVICE_STATE).and_then(action);
        self.users.fetch_sub(1, Ordering::AcqRel);
        result
    }

    fn enter_exclusive(&self) -> Result<Exclusive<'_>, NTSTATUS> {
        self.users
            .compare_exchange(0, EXCLUSIVE, Ordering::AcqRel, Ordering::Relaxed)
            .map(|_| Exclusive(self))
            .map_err(|_| STATUS_DEVICE_BUSY)
    }
}

struct Exclusive<'s>(&'s Slot);

impl Drop for Exclusive<'_> {
    fn drop(&mut self) {
        self.0.users.store(0, Ordering::Release);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(session) = self.take() {
            // The runner has gone without asking how the closes went.
            let _ = session.close(Level::Passive);
        }
    }
}
