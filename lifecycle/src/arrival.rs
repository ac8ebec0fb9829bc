//! Bytes that arrive at a connection, between the network that shows them and the user that takes them.

/// The receive side of a connection: the bytes that are shown are taken all, or in part (*short*), which stops the
/// network until the user resumes. The user is told of the peer's end once it has taken all before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arrival {
    flow: Flow,
    ask: Ask,
    end: End,
    /// Set while the network has bytes that were left, and has not shown them again.
    left: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Flow {
    /// The network shows what arrives, or was asked to.
    #[default]
    Open,
    /// The user is being shown bytes.
    Showing {
        /// Set by a resume meanwhile.
        resumed: bool,
    },
    /// The user has left some; the network shows nothing until it is asked to.
    Short,
}

/// The request by which the network is asked to show again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Ask {
    /// It is free.
    #[default]
    Free,
    /// It is with the network.
    Out,
    /// It is with the network, and due again when it is back.
    OutAndDue,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum End {
    #[default]
    Open,
    /// The peer has ended, behind bytes that are not taken.
    Behind,
    /// The user was told.
    Told,
}

/// The next step after the user has been shown bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// All were taken.
    All,
    /// All were taken, and the peer has ended: the user is to be told.
    AllAndEnd,
    /// The rest is to be shown now: the user has resumed meanwhile.
    Again,
    /// The rest is left to the network.
    Rest,
}

impl Arrival {
    /// Begins to show bytes.
    pub const fn show(&mut self) {
        self.flow = Flow::Showing { resumed: false };
        self.left = false;
    }

    /// The user has been shown bytes, and has taken all or not.
    #[must_use]
    pub fn shown(&mut self, all: bool) -> Shown {
        if all {
            self.flow = Flow::Open;
            return if self.is_end_due() { Shown::AllAndEnd } else { Shown::All };
        }
        if self.flow == (Flow::Showing { resumed: true }) {
            self.flow = Flow::Showing { resumed: false };
            return Shown::Again;
        }
        (self.flow, self.left) = (Flow::Short, true);
        Shown::Rest
    }

    /// The user wants to be shown what it left. Returns whether the request is to be sent to the network.
    #[must_use]
    pub const fn resume(&mut self) -> bool {
        match self.flow {
            Flow::Open => return false,
            Flow::Showing { .. } => {
                self.flow = Flow::Showing { resumed: true };
                return false;
            }
            Flow::Short => self.flow = Flow::Open,
        }
        let free = matches!(self.ask, Ask::Free);
        self.ask = if free { Ask::Out } else { Ask::OutAndDue };
        free
    }

    /// The request is back. Returns whether it is to be sent again.
    #[must_use]
    pub const fn asked(&mut self) -> bool {
        let due = matches!(self.ask, Ask::OutAndDue);
        self.ask = if due { Ask::Out } else { Ask::Free };
        due
    }

    /// The peer has ended its stream. Returns whether the user is to be told now.
    #[must_use]
    pub fn peer_ended(&mut self) -> bool {
        if self.end == End::Open {
            self.end = End::Behind;
        }
        self.flow == Flow::Open && !self.left && self.is_end_due()
    }

    /// Returns true once, if the peer has ended.
    fn is_end_due(&mut self) -> bool {
        let due = self.end == End::Behind;
        if due {
            self.end = End::Told;
        }
        due
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn bytes_left_are_asked_for_once_the_user_resumes() {
        let mut arrival = Arrival::default();
        assert!(!arrival.resume(), "nothing was left");
        arrival.show();
        assert_eq!(arrival.shown(false), Shown::Rest);
        assert!(arrival.resume());
        assert!(!arrival.resume(), "it was asked");
        assert!(!arrival.asked());
        arrival.show();
        assert_eq!(arrival.shown(true), Shown::All);
    }

    #[test]
    fn resume_while_bytes_are_shown_has_the_rest_shown_at_once() {
        let mut arrival = Arrival::default();
        arrival.show();
        assert!(!arrival.resume());
        assert_eq!(arrival.shown(false), Shown::Again);
        assert_eq!(arrival.shown(false), Shown::Rest, "one resume counts once");
        assert!(arrival.resume());
    }

    #[test]
    fn request_that_is_out_is_sent_again_when_it_is_back() {
        let mut arrival = Arrival::default();
        for _ in 0..2 {
            arrival.show();
            assert_eq!(arrival.shown(false), Shown::Rest);
            let first = arrival == Arrival { flow: Flow::Short, left: true, ..Arrival::default() };
            assert_eq!(arrival.resume(), first);
        }
        assert!(arrival.asked());
        assert!(!arrival.asked());
    }

    #[test]
    fn end_is_told_once_all_bytes_before_it_are_taken() {
        let mut arrival = Arrival::default();
        arrival.show();
        assert!(!arrival.peer_ended());
        assert_eq!(arrival.shown(false), Shown::Rest);
        assert!(arrival.resume());
        assert!(!arrival.peer_ended(), "the rest was asked for, and not shown");
        arrival.show();
        assert_eq!(arrival.shown(true), Shown::AllAndEnd);
        assert!(!arrival.peer_ended());
        arrival.show();
        assert_eq!(arrival.shown(true), Shown::All);
    }

    #[test]
    fn end_behind_no_bytes_is_told_at_once() {
        let mut arrival = Arrival::default();
        arrival.show();
        assert_eq!(arrival.shown(true), Shown::All);
        assert!(arrival.peer_ended());
    }
}
