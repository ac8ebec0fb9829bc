//! Records the events of a run in their order.

#![forbid(unsafe_code)]

use core::fmt;
use core::time::Duration;
use std::collections::{HashMap, VecDeque};

use super::{Digest, Points, Schedule};
use crate::address::Va;
use crate::sched::{self, Irql, Thread, for_each_thread, hooks, local};

/// An event in a thread.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum What {
    /// A driver called the function, with this first argument.
    Calls(&'static str, Va),
    /// The kernel called the driver's callback.
    Callback(&'static str),
    /// It waits, for this.
    Waits(String),
    /// It wakes this thread.
    Wakes(String),
    /// It could go on, but another one does.
    Preempted,
    /// The same at the instruction at this address.
    PreemptedAt(Va),
    /// It has its first turn.
    Begins,
    /// Its routine has returned.
    Ends,
    /// A rule was broken.
    Found(&'static str),
    /// Nothing but a place where threads may switch.
    Point,
}

/// One line of a [`Trace`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Event {
    /// Since boot.
    pub time: Duration,
    /// The thread's number and what it is for.
    pub thread: (u64, String),
    /// The processor that it runs on.
    pub processor: u32,
    /// Its level.
    pub irql: Irql,
    /// The number of calls into the kernel it is inside of.
    pub depth: usize,
    /// The event in words; a function with the target of its first argument.
    pub text: String,
}

/// The last events of a run, the first one first.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Trace(pub Vec<Event>);

/// The outcome of a run under a [`Schedule`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Played {
    /// The schedule.
    pub schedule: Schedule,
    /// Entries into the kernel, returns from it and calls into drivers.
    pub points: u64,
    /// Those of them, and waits, at which there was another thread to go on.
    pub choices: u64,
    /// Instructions of drivers that were points, where the schedule has such.
    pub points_in_code: u64,
    /// Those of them at which there was another thread to go on.
    pub choices_in_code: u64,
    /// Times that another thread went on.
    pub switches: u64,
    /// The images that were loaded, where the schedule has points in their code.
    pub images: Vec<Points>,
    /// The calls and their statuses, in one number.
    pub digest: Digest,
    /// As many of the last events as the schedule keeps; a finding ends it soon after.
    pub trace: Trace,
}

/// Keeps the last events of a run.
pub(super) struct Recorder {
    kept: usize,
    events: VecDeque<Event>,
    /// The number of events still to be recorded; `None` while nothing has been found.
    left: Option<usize>,
    /// Objects on stacks are known by their turn: addresses are the host's.
    known: HashMap<Va, usize>,
}

impl Recorder {
    pub(super) fn new(kept: usize) -> Self {
        Self { kept, events: VecDeque::new(), left: None, known: HashMap::new() }
    }

    pub(super) fn note(&mut self, own: &Thread, what: impl FnOnce() -> What) {
        if self.kept == 0 || self.left == Some(0) {
            return;
        }
        let text = match what() {
            What::Point => return,
            What::Calls(function, argument) => format!("{function}{}", self.place(argument)),
            What::Callback(name) => format!("> {name}"),
            What::Waits(what) => format!("waits {what}"),
            What::Wakes(whom) => format!("wakes {whom}"),
            What::Preempted => "is preempted".into(),
            What::PreemptedAt(address) => {
                format!("is preempted at {}", hooks::code(address).replace('\n', " in "))
            }
            What::Begins => "begins".into(),
            What::Ends => "ends".into(),
            What::Found(rule) => {
                self.left = self.left.or(Some(self.kept / 4 + 1));
                format!("*** breaks the rule {rule}")
            }
        };
        if let Some(left) = &mut self.left {
            *left -= 1;
        }
        if self.events.len() == self.kept {
            self.events.pop_front();
        }
        self.events.push_back(Event {
            time: sched::elapsed(),
            thread: (own.id, own.name.clone()),
            processor: sched::processor(),
            irql: sched::irql(),
            depth: local::entries().len(),
            text,
        });
    }

    pub(super) fn trace(&self) -> Trace {
        Trace(self.events.iter().cloned().collect())
    }

    /// Describes the target of `address`, in words that are the same whenever the run is repeated.
    fn place(&mut self, address: Va) -> String {
        if address < Va::new(0x1_0000) {
            return format!(" {address:#x}");
        }
        if let Some(place) = hooks::place(address) {
            return format!(" {place}");
        }
        let mut owner = None;
        for_each_thread(|thread| {
            if thread.stack_contains(address) {
                owner = Some(thread.id);
            }
        });
        let Some(owner) = owner else { return String::new() };
        let next = self.known.len() + 1;
        let number = self.known.entry(address).or_insert(next);
        format!(" stack of {owner}#{number}")
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:>12}  {:<22}  {:>3}  {:<14}  event", "time", "thread", "cpu", "level")?;
        let mut before = None;
        let mut at = 0;
        while let Some(event) = self.0.get(at) {
            let (id, name) = &event.thread;
            // The name is told where the thread changes, so that the eye finds the switches.
            let thread = if before == Some(id) { String::new() } else { format!("{id:>3} {name}") };
            before = Some(id);
            let micros = event.time.as_nanos() as f64 / 1000.0;
            let indent = 2 * event.depth.saturating_sub(1);
            writeln!(
                f,
                "{micros:>9.1} µs  {thread:<22}  {:>3}  {:<14}  {:indent$}{}",
                event.processor,
                event.irql.to_string(),
                "",
                event.text
            )?;
            at += 1;
            if let Some((length, times)) = self.repeats(at) {
                writeln!(f, "{:14}{:22}  {:19}  ({length} as before, {times} times)", "", "", "")?;
                at += length * times;
            }
        }
        Ok(())
    }
}

impl Trace {
    /// The last `count` events.
    #[must_use]
    pub fn last(mut self, count: usize) -> Self {
        self.0.drain(..self.0.len().saturating_sub(count));
        self
    }

    /// Returns how many events before `at`, one or two, are repeated from there on, and how often; `None` if they are not.
    fn repeats(&self, at: usize) -> Option<(usize, usize)> {
        (1..=2).find_map(|length| {
            let cycle = self.0.get(at.checked_sub(length)?..at)?;
            let again = |chunk: &&[Event]| chunk.iter().zip(cycle).all(|(one, other)| one.is_like(other));
            let times = self.0[at..].chunks_exact(length).take_while(again).count();
            (times > 1).then_some((length, times))
        })
    }
}

impl Event {
    fn is_like(&self, other: &Self) -> bool {
        (&self.thread, self.irql, self.depth, &self.text)
            == (&other.thread, other.irql, other.depth, &other.text)
    }
}

impl fmt::Display for Played {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Schedule { seed, strategy, .. } = self.schedule;
        let Self { points, choices, switches, .. } = self;
        writeln!(
            f,
            "seed {seed}, strategy {strategy}: {points} points, {choices} choices, {switches} switches"
        )?;
        write!(f, "{}", self.trace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(text: &str) -> Event {
        let thread = (7, "worker".into());
        let (time, irql) = (Duration::from_micros(3), Irql::DISPATCH);
        Event { time, thread, processor: 1, irql, depth: 2, text: text.into() }
    }

    #[test]
    fn trace_has_columns_and_tells_repetitions_once() {
        let texts = ["begins", "takes", "gives", "takes", "gives", "takes", "gives", "ends"];
        let trace = Trace(texts.map(event).into()).to_string();
        let lines: Vec<_> = trace.lines().map(str::trim_end).collect();
        let head = "        time  thread                  cpu  level           event";
        assert_eq!(lines[0], head);
        assert_eq!(lines[1], "      3.0 µs    7 worker                1  DISPATCH_LEVEL    begins");
        assert_eq!(lines[2], "      3.0 µs                            1  DISPATCH_LEVEL    takes");
        assert_eq!(lines[4].trim_start(), "(2 as before, 2 times)");
        assert_eq!((lines.len(), lines[5].ends_with("ends")), (6, true));
    }
}
