//! One finding.

#![forbid(unsafe_code)]

use core::fmt;

use crate::bugcheck::Bugcheck;
use crate::loader::{self, Frame};
use crate::sched::{self, Irql};

/// A rule that a driver broke.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The rule's name: Driver Verifier's, where it has one.
    pub rule: &'static str,
    /// The bug check that Windows would stop with, where it would.
    pub bugcheck: Option<Bugcheck>,
    /// A description of the event, in a sentence.
    pub text: String,
    /// The level at which it happened.
    pub irql: Irql,
    /// The processor on which it happened.
    pub processor: u32,
    /// The thread that did it, by name.
    pub thread: String,
    /// The calls into the kernel that it was inside of, innermost first, and how the driver got there.
    pub stack: Vec<Frame>,
    /// The number of times it happened at this place.
    pub times: u64,
}

impl Finding {
    /// A finding against `rule`.
    pub fn new(rule: &'static str) -> Self {
        Self {
            rule,
            bugcheck: None,
            text: String::new(),
            irql: Irql::PASSIVE,
            processor: 0,
            thread: String::new(),
            stack: Vec::new(),
            times: 1,
        }
    }

    /// With what Windows would stop.
    #[must_use]
    pub fn bugcheck(mut self, bugcheck: Bugcheck) -> Self {
        self.bugcheck = Some(bugcheck);
        self
    }

    /// With a sentence that says what happened.
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.text = text.into();
        self
    }

    /// With the place where the calling thread is.
    pub(super) fn located(mut self) -> Self {
        self.irql = sched::irql();
        self.processor = sched::processor();
        self.thread = sched::current().map_or_else(|| "(host)".into(), |thread| thread.name.clone());
        self.stack = loader::stack();
        self
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.rule == other.rule && self.stack == other.stack && self.text == other.text
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.text)?;
        if let Some(bugcheck) = self.bugcheck {
            write!(f, "\n  bug check {bugcheck}")?;
        }
        write!(f, "\n  at {} on processor {}, thread {}", self.irql, self.processor, self.thread)?;
        if self.times > 1 {
            write!(f, ", {} times", self.times)?;
        }
        self.stack
            .iter()
            .try_for_each(|frame| frame.to_string().lines().try_for_each(|line| write!(f, "\n    {line}")))
    }
}
