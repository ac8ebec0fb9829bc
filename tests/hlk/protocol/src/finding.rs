//! The consumer's counters and findings.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::Text;

/// The kind of NDK object that a finding is about; the numbers are those of `NDK_OBJECT_TYPE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Kind {
    /// None in particular.
    None = 0,
    /// `NDK_ADAPTER`
    Adapter = 1,
    /// `NDK_QP`
    Qp = 2,
    /// `NDK_CQ`
    Cq = 3,
    /// `NDK_MR`
    Mr = 4,
    /// `NDK_MW`
    Mw = 5,
    /// `NDK_PD`
    Pd = 6,
    /// `NDK_SHARED_ENDPOINT`
    SharedEndpoint = 7,
    /// `NDK_CONNECTOR`
    Connector = 8,
    /// `NDK_LISTENER`
    Listener = 9,
    /// `NDK_SRQ`
    Srq = 10,
}

impl Kind {
    /// Returns the number that stands for it in a structure.
    #[must_use]
    pub const fn code(self) -> u32 {
        self as u32
    }

    /// The object's name in the interface.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "-",
            Self::Adapter => "adapter",
            Self::Qp => "QP",
            Self::Cq => "CQ",
            Self::Mr => "MR",
            Self::Mw => "MW",
            Self::Pd => "PD",
            Self::Connector => "connector",
            Self::Listener => "listener",
            Self::SharedEndpoint => "shared endpoint",
            Self::Srq => "SRQ",
        }
    }
}

impl From<u32> for Kind {
    fn from(value: u32) -> Self {
        match value {
            1 => Self::Adapter,
            2 => Self::Qp,
            3 => Self::Cq,
            4 => Self::Mr,
            5 => Self::Mw,
            6 => Self::Pd,
            8 => Self::Connector,
            7 => Self::SharedEndpoint,
            9 => Self::Listener,
            10 => Self::Srq,
            _ => Self::None,
        }
    }
}

/// A rule that the provider broke. Each stands for one rule of the catalogue, whose number [`rule`]
/// gives.
///
/// [`rule`]: Self::rule
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Violation {
    /// A scenario expected another status, count or value.
    Unexpected = 1,
    /// A completion callback ran although the call had returned a final status.
    CompletedAfterInlineReturn = 2,
    /// A call returned STATUS_PENDING and its completion callback ran more than once.
    CompletedTwice = 3,
    /// A call returned STATUS_PENDING and its completion callback never ran.
    NeverCompleted = 4,
    /// A close returned something other than STATUS_SUCCESS and STATUS_PENDING.
    CloseFailed = 5,
    /// A callback of the object was running, or began, after its close was complete.
    CallbackAfterClose = 6,
    /// An antecedent's close was complete before a successor's close completion had returned.
    AntecedentBeforeSuccessor = 7,
    /// A callback ran after the adapter's close had returned.
    CallbackAfterAdapter = 8,
    /// A CQ notification ran while another one of the same CQ was running.
    NotificationsOverlap = 9,
    /// A CQ notified without having been armed.
    NotifiedUnarmed = 10,
    /// A create succeeded without an object, or with a header that is not what it must be.
    BadObject = 11,
    /// Something did not happen within the time the harness allows.
    TimedOut = 12,
}

impl Violation {
    const ALL: [Self; 12] = [
        Self::Unexpected,
        Self::CompletedAfterInlineReturn,
        Self::CompletedTwice,
        Self::NeverCompleted,
        Self::CloseFailed,
        Self::CallbackAfterClose,
        Self::AntecedentBeforeSuccessor,
        Self::CallbackAfterAdapter,
        Self::NotificationsOverlap,
        Self::NotifiedUnarmed,
        Self::BadObject,
        Self::TimedOut,
    ];

    /// Returns the number that stands for it in a structure.
    #[must_use]
    pub const fn code(self) -> u32 {
        self as u32
    }

    /// The violation, in a few words.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Unexpected => "not as the scenario expects",
            Self::CompletedAfterInlineReturn => "completed although it had returned a final status",
            Self::CompletedTwice => "completed more than once",
            Self::NeverCompleted => "pending, and never completed",
            Self::CloseFailed => "close returned neither success nor pending",
            Self::CallbackAfterClose => "callback during or after the object's close completion",
            Self::AntecedentBeforeSuccessor => "closed before a successor's close completion had returned",
            Self::CallbackAfterAdapter => "callback after the adapter's close had returned",
            Self::NotificationsOverlap => "two notifications of one CQ at the same time",
            Self::NotifiedUnarmed => "notified without having been armed",
            Self::BadObject => "created an object that is not what was asked for",
            Self::TimedOut => "did not happen in time",
        }
    }

    /// The number of the rule in the project's catalogue of NDK rules.
    #[must_use]
    pub const fn rule(self) -> &'static str {
        match self {
            Self::Unexpected => "-",
            Self::CompletedAfterInlineReturn => "RQ-2",
            Self::CompletedTwice | Self::NeverCompleted => "RQ-1",
            Self::CloseFailed => "CL-1",
            Self::CallbackAfterClose => "CL-3",
            Self::AntecedentBeforeSuccessor => "CL-6",
            Self::CallbackAfterAdapter => "CL-10",
            Self::NotificationsOverlap => "CQ-1",
            Self::NotifiedUnarmed => "CQ-2",
            Self::BadObject => "OBJ-3",
            Self::TimedOut => "CL-4",
        }
    }
}

impl TryFrom<u32> for Violation {
    type Error = u32;

    fn try_from(value: u32) -> Result<Self, u32> {
        Self::ALL.into_iter().find(|violation| *violation as u32 == value).ok_or(value)
    }
}

/// One thing that was wrong.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Finding {
    /// A [`Violation`].
    pub violation: u32,
    /// The [`Kind`] of object that it is about.
    pub kind: u32,
    /// The value seen: mostly an NTSTATUS.
    pub seen: i32,
    /// The value that the rules ask for.
    pub expected: i32,
    /// The call or the step at which it was seen.
    pub step: Text<64>,
}

impl Finding {
    /// No finding: what fills the unused slots of an [`Outcome`].
    pub const NONE: Self = {
        // All zero is a valid value of every field.
        zerocopy::transmute!([0_u8; size_of::<Finding>()])
    };
}

impl core::fmt::Display for Finding {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let (text, rule) = Violation::try_from(self.violation)
            .map_or(("unknown violation", "-"), |violation| (violation.text(), violation.rule()));
        write!(f, "{}: {text} ({rule})", self.step.as_str())?;
        if self.kind != Kind::None as u32 {
            write!(f, ", {}", Kind::from(self.kind).name())?;
        }
        write!(f, ": saw {:#010x}, expected {:#010x}", self.seen, self.expected)
    }
}

/// The consumer's counters between opening and closing its adapters.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Outcome {
    /// Closes that returned STATUS_SUCCESS.
    pub closes_inline: u32,
    /// Closes that returned STATUS_PENDING and completed.
    pub closes_pending: u32,
    /// Closes that were called from inside a callback.
    pub closes_inside: u32,
    /// Completion callbacks of creates and requests.
    pub completions: u32,
    /// Calls that returned a final status.
    pub inline_returns: u32,
    /// Findings, also those beyond the ones listed.
    pub found: u32,
    /// The first findings; the rest of the list is [`Finding::NONE`].
    pub findings: [Finding; 12],
}

impl Outcome {
    /// Nothing counted, nothing found.
    pub const NONE: Self = Self {
        closes_inline: 0,
        closes_pending: 0,
        closes_inside: 0,
        completions: 0,
        inline_returns: 0,
        found: 0,
        findings: [Finding::NONE; 12],
    };

    /// The findings that are listed.
    pub fn listed(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.violation != 0)
    }

    /// Counts a finding, and lists it if there is room.
    pub fn push(&mut self, finding: Finding) {
        self.found = self.found.saturating_add(1);
        if let Some(slot) = self.findings.iter_mut().find(|slot| slot.violation == 0) {
            *slot = finding;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding() -> Finding {
        Finding { violation: Violation::CloseFailed as u32, step: Text::new("close the CQ"), ..Finding::NONE }
    }

    #[test]
    fn findings_beyond_the_list_are_still_counted() {
        let mut outcome = Outcome::NONE;
        for _ in 0..20 {
            outcome.push(finding());
        }
        assert_eq!((outcome.found, outcome.listed().count()), (20, 12));
    }

    #[test]
    fn every_violation_comes_back_from_its_number() {
        for violation in Violation::ALL {
            assert_eq!(Violation::try_from(violation as u32), Ok(violation));
        }
        assert_eq!(Violation::try_from(0), Err(0));
    }
}
