//! The state machine of a port's data path: restart, pause and surprise removal of a miniport adapter
//! (<https://learn.microsoft.com/windows-hardware/drivers/network/miniport-adapter-states-and-operations>).

use core::mem::replace;

/// The state of a port's data path, and the NBLs that are outstanding. It begins paused.
///
/// A paused adapter completes sends with NDIS_STATUS_PAUSED and indicates nothing; a pause is complete when all NBLs
/// are with their owners: sends with the protocols, receives with the driver
/// (<https://learn.microsoft.com/windows-hardware/drivers/network/pausing-an-adapter>).
#[derive(Debug)]
pub struct DataPath {
    mode: Mode,
    /// Sends that the driver has, and receives that the protocols have.
    outstanding_nbls: u32,
    /// True if the DPC that indicates receives is queued.
    dpc_queued: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Mode {
    /// No frame goes either way.
    Paused,
    /// Frames go both ways.
    Running,
    /// As paused, with NBLs outstanding: the pause is completed when the last is back.
    Pausing,
    /// The device is gone: nothing is received, and nothing accepted. NDIS pauses the adapter next.
    SurpriseRemoved,
}

/// The treatment of the frames of a send.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Disposition {
    /// The other ports get them.
    Deliver,
    /// The send is completed with NDIS_STATUS_NOT_ACCEPTED: the device is gone
    /// (<https://learn.microsoft.com/windows-hardware/drivers/ddi/ndis/nc-ndis-miniport_device_pnp_event_notify>).
    RefuseRemoved,
    /// The send is completed with NDIS_STATUS_PAUSED.
    Refuse,
}

/// The outcome of a pause.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Pause {
    /// The adapter is paused.
    Complete,
    /// NBLs are outstanding: the [return](DataPath::return_nbls) of the last completes the pause.
    Pending,
}

impl DataPath {
    /// The data path of an adapter that NDIS has not restarted yet.
    pub const fn new() -> Self {
        Self { mode: Mode::Paused, outstanding_nbls: 0, dpc_queued: false }
    }

    /// Lets frames through. NDIS restarts an adapter that is paused.
    pub const fn restart(&mut self) {
        self.mode = Mode::Running;
    }

    /// Stops frames.
    pub const fn pause(&mut self) -> Pause {
        if self.outstanding_nbls == 0 {
            self.mode = Mode::Paused;
            Pause::Complete
        } else {
            self.mode = Mode::Pausing;
            Pause::Pending
        }
    }

    /// Notes that the device is gone. An adapter that is paused, or about to be, stays so.
    pub fn surprise_remove(&mut self) {
        if self.mode == Mode::Running {
            self.mode = Mode::SurpriseRemoved;
        }
    }

    /// Takes over so many NBLs that are sent; they are [returned](Self::return_nbls) in any case.
    pub const fn begin_send(&mut self, nbls: u32) -> Disposition {
        self.outstanding_nbls = self.outstanding_nbls.saturating_add(nbls);
        match self.mode {
            Mode::Running => Disposition::Deliver,
            Mode::SurpriseRemoved => Disposition::RefuseRemoved,
            Mode::Paused | Mode::Pausing => Disposition::Refuse,
        }
    }

    /// Returns whether a frame may be received.
    pub fn receives(&self) -> bool {
        self.mode == Mode::Running
    }

    /// Asks for an indication of what was received; `true` if the caller is to queue the DPC, which begins it.
    pub const fn request_indication(&mut self) -> bool {
        !replace(&mut self.dpc_queued, true)
    }

    /// Begins an indication, in the DPC: hands so many NBLs to the protocols.
    pub const fn begin_indication(&mut self, nbls: u32) {
        self.dpc_queued = false;
        self.outstanding_nbls = self.outstanding_nbls.saturating_add(nbls);
    }

    /// Returns NBLs to their owner: sends that were completed, or receives that the protocols are done with. `true` if
    /// this completes a pause that was pending; the caller then tells NDIS, once.
    pub fn return_nbls(&mut self, nbls: u32) -> bool {
        self.outstanding_nbls = self.outstanding_nbls.saturating_sub(nbls);
        let complete = self.mode == Mode::Pausing && self.outstanding_nbls == 0;
        if complete {
            self.mode = Mode::Paused;
        }
        complete
    }
}

impl Default for DataPath {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running() -> DataPath {
        let mut path = DataPath::new();
        path.restart();
        path
    }

    #[test]
    fn new_path_is_paused() {
        let mut path = DataPath::new();
        assert!(!path.receives());
        assert_eq!(path.begin_send(1), Disposition::Refuse);
    }

    #[test]
    fn pause_without_outstanding_nbls_is_complete_at_once() {
        let mut path = running();
        assert_eq!(path.begin_send(2), Disposition::Deliver);
        assert!(!path.return_nbls(2));
        assert_eq!(path.pause(), Pause::Complete);
        assert!(!path.receives());
    }

    #[test]
    fn pending_pause_is_completed_once_by_the_last_return() {
        let mut path = running();
        path.begin_indication(2);
        assert_eq!(path.begin_send(1), Disposition::Deliver);
        assert_eq!(path.pause(), Pause::Pending);
        assert!(!path.receives());
        assert!(!path.return_nbls(1));
        assert!(!path.return_nbls(1));
        assert!(path.return_nbls(1));
        assert_eq!(path.begin_send(1), Disposition::Refuse);
        assert!(!path.return_nbls(1), "the pause is complete already");
    }

    #[test]
    fn send_during_a_pending_pause_is_refused_and_delays_it() {
        let mut path = running();
        path.begin_indication(1);
        assert_eq!(path.pause(), Pause::Pending);
        assert_eq!(path.begin_send(1), Disposition::Refuse);
        assert!(!path.return_nbls(1));
        assert!(path.return_nbls(1));
    }

    #[test]
    fn surprise_removed_path_discards_sends_until_it_is_paused() {
        let mut path = running();
        path.surprise_remove();
        assert!(!path.receives());
        assert_eq!(path.begin_send(1), Disposition::RefuseRemoved);
        assert_eq!(path.pause(), Pause::Pending);
        assert!(path.return_nbls(1));
        assert_eq!(path.begin_send(1), Disposition::Refuse);
    }

    #[test]
    fn surprise_removal_during_a_pause_leaves_the_pause_pending() {
        let mut path = running();
        path.begin_indication(1);
        assert_eq!(path.pause(), Pause::Pending);
        path.surprise_remove();
        assert!(path.return_nbls(1), "NDIS waits for this pause");
        path.surprise_remove();
        assert_eq!(path.begin_send(1), Disposition::Refuse);
    }

    #[test]
    fn indication_is_requested_once_until_it_begins() {
        let mut path = running();
        assert!(path.request_indication());
        assert!(!path.request_indication());
        path.begin_indication(2);
        assert!(path.request_indication());
    }

    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    enum Step {
        Restart,
        Pause,
        Remove,
        Send,
        Indicate,
        Return,
    }

    /// Each sequence of eight steps that NDIS may take, against a count that the test keeps itself.
    #[test]
    fn every_pause_is_completed_exactly_once_with_no_nbl_outstanding() {
        const STEPS: [Step; 6] =
            [Step::Restart, Step::Pause, Step::Remove, Step::Send, Step::Indicate, Step::Return];
        let mut played = 0_u32;
        for mut number in 0..6_usize.pow(8) {
            let mut path = DataPath::new();
            let (mut paused, mut pending, mut outstanding, mut removed) = (true, false, 0_u32, false);
            for _ in 0..8 {
                let step = STEPS[number % 6];
                number /= 6;
                match step {
                    Step::Restart if paused && !pending && !removed => {
                        path.restart();
                        paused = false;
                    }
                    Step::Pause if !paused => {
                        pending = path.pause() == Pause::Pending;
                        assert_eq!(pending, outstanding != 0);
                        paused = true;
                    }
                    Step::Remove => {
                        path.surprise_remove();
                        removed = true;
                    }
                    Step::Send => {
                        let expected = match (paused, removed) {
                            (true, _) => Disposition::Refuse,
                            (false, true) => Disposition::RefuseRemoved,
                            (false, false) => Disposition::Deliver,
                        };
                        assert_eq!(path.begin_send(1), expected);
                        outstanding += 1;
                    }
                    Step::Indicate if path.receives() => {
                        path.begin_indication(1);
                        outstanding += 1;
                    }
                    Step::Return if outstanding != 0 => {
                        outstanding -= 1;
                        let complete = path.return_nbls(1);
                        assert_eq!(complete, pending && outstanding == 0);
                        pending &= !complete;
                    }
                    _ => break,
                }
                played += 1;
                assert_eq!(path.receives(), !paused && !removed);
            }
        }
        assert!(played > 1_000_000, "{played} steps were legal");
    }
}
