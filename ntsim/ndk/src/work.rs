//! The model of a queue of work requests: each that was accepted has one result, in order, and each that
//! was refused has none.
//!
//! The provider gets a [`RequestId`](crate::request_id::RequestId) as request context, so that a result says exactly which
//! request it is for. A request with silent success is over when a later one of its queue has completed.

#![forbid(unsafe_code)]

use std::collections::VecDeque;

use ntsim_core::number::{ToUsize, narrow};
use parking_lot::Mutex;
use sys::ndk::NDK_OPERATION_TYPE;
use sys::status::{NT_SUCCESS, NTSTATUS};

use crate::request_id::NUMBERS;
use crate::rules;

/// A request as the consumer posted it, with the effect that its success has.
pub(crate) struct Request<Effect> {
    pub(crate) context: usize,
    pub(crate) operation: NDK_OPERATION_TYPE,
    /// Success makes no result.
    pub(crate) silent: bool,
    /// The effect of success on memory.
    pub(crate) effect: Option<Effect>,
    /// The rule that success breaks: it was posted with what must be refused.
    pub(crate) hopeless: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    Posting,
    /// Completed before the post has returned.
    Early,
    Accepted,
    Refused,
    Completed,
}

struct State<Effect> {
    /// Number of the first entry.
    first: u32,
    entries: VecDeque<(Request<Effect>, Stage)>,
}

/// A queue of work requests.
pub(crate) struct Queue<Effect> {
    state: Mutex<State<Effect>>,
    /// Set if results may come in any order, as those of an SRQ do.
    unordered: bool,
}

impl<Effect> Default for Queue<Effect> {
    fn default() -> Self {
        Self { state: Mutex::new(State { first: 0, entries: VecDeque::new() }), unordered: false }
    }
}

/// The interpretation of a result.
pub(crate) struct Outcome<Effect> {
    /// The consumer's context.
    pub(crate) context: Option<usize>,
    /// The rules that the result breaks.
    pub(crate) broken: Vec<&'static str>,
    /// The effects of the requests that have succeeded.
    pub(crate) effects: Vec<Effect>,
}

impl<Effect> Queue<Effect> {
    /// The queue of an SRQ.
    pub(crate) fn unordered() -> Self {
        Self { unordered: true, ..Self::default() }
    }

    /// A request is posted; its number.
    pub(crate) fn post(&self, request: Request<Effect>) -> u32 {
        let mut state = self.state.lock();
        state.entries.push_back((request, Stage::Posting));
        state.first.wrapping_add(narrow::<u32, _>(state.entries.len()) - 1) % NUMBERS
    }

    /// The provider accepted or refused a request; the rule that broke.
    pub(crate) fn answered(&self, number: u32, accepted: bool) -> Option<&'static str> {
        let mut state = self.state.lock();
        let at = state.index(number)?;
        let stage = &mut state.entries.get_mut(at)?.1;
        let broken = (*stage == Stage::Early && !accepted).then_some(rules::RESULT_OF_REFUSED);
        *stage = match (*stage, accepted) {
            (Stage::Posting, true) => Stage::Accepted,
            (Stage::Posting, false) => Stage::Refused,
            (Stage::Early, _) => Stage::Completed,
            // A silent request is over when a later one is, which may be before its post returns.
            (over @ (Stage::Accepted | Stage::Refused | Stage::Completed), _) => over,
        };
        state.trim();
        broken
    }

    /// A request has a result. `operation` is its type, if the result says one.
    pub(crate) fn completed(
        &self,
        number: u32,
        status: NTSTATUS,
        operation: Option<NDK_OPERATION_TYPE>,
    ) -> Outcome<Effect> {
        let mut state = self.state.lock();
        let mut outcome = Outcome { context: None, broken: Vec::new(), effects: Vec::new() };
        let Some(at) = state.index(number) else {
            outcome.broken.push(rules::RESULT_TWICE);
            return outcome;
        };
        let (request, stage) = &mut state.entries[at];
        outcome.context = Some(request.context);
        match *stage {
            Stage::Completed | Stage::Early => outcome.broken.push(rules::RESULT_TWICE),
            Stage::Refused => outcome.broken.push(rules::RESULT_OF_REFUSED),
            Stage::Posting => *stage = Stage::Early,
            Stage::Accepted => *stage = Stage::Completed,
        }
        if !outcome.broken.is_empty() {
            return outcome;
        }
        let same = |operation: NDK_OPERATION_TYPE| {
            // A receive whose message invalidated a token says so by its type.
            operation == request.operation
                || (request.operation == NDK_OPERATION_TYPE::NdkOperationTypeReceive
                    && operation == NDK_OPERATION_TYPE::NdkOperationTypeReceiveAndInvalidate)
        };
        if operation.is_some_and(|operation| !same(operation)) {
            outcome.broken.push(rules::RESULT_TYPE);
        }
        if NT_SUCCESS(status) {
            outcome.broken.extend(request.silent.then_some(rules::RESULT_SILENT));
            outcome.broken.extend(request.hopeless);
            outcome.effects.extend(request.effect.take());
        }
        if !self.unordered {
            state.pass(at, &mut outcome);
        }
        state.trim();
        outcome
    }

    /// Returns the number of accepted requests that have no result, and need one.
    pub(crate) fn outstanding(&self) -> usize {
        let state = self.state.lock();
        state.entries.iter().filter(|(request, stage)| *stage == Stage::Accepted && !request.silent).count()
    }
}

impl<Effect> State<Effect> {
    /// The index of the request of that number, if it is not over yet.
    fn index(&self, number: u32) -> Option<usize> {
        let at = (number.wrapping_sub(self.first) % NUMBERS).to_usize();
        (at < self.entries.len()).then_some(at)
    }

    /// Everything before entry `at`, which has completed, must have completed or be silent.
    fn pass(&mut self, at: usize, outcome: &mut Outcome<Effect>) {
        for (request, stage) in self.entries.iter_mut().take(at) {
            match (*stage, request.silent) {
                (Stage::Early | Stage::Completed | Stage::Refused, _) => {}
                (Stage::Accepted | Stage::Posting, true) => {
                    *stage = Stage::Completed;
                    outcome.effects.extend(request.effect.take());
                    outcome.broken.extend(request.hopeless);
                }
                (Stage::Accepted | Stage::Posting, false) => outcome.broken.push(rules::RESULT_ORDER),
            }
        }
        outcome.broken.dedup();
    }

    /// Drops the entries at the front that are over. A refused one stays until something follows it, so
    /// that a result for it can be told from a second one.
    fn trim(&mut self) {
        while let Some((_, Stage::Completed | Stage::Refused)) = self.entries.front() {
            let refused_last = self.entries.len() == 1 && self.entries[0].1 == Stage::Refused;
            if refused_last {
                return;
            }
            self.entries.pop_front();
            self.first = self.first.wrapping_add(1) % NUMBERS;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The effect of a request, of which these tests have none.
    type Request = super::Request<()>;
    type Queue = super::Queue<()>;
    use sys::status::{STATUS_CANCELLED, STATUS_SUCCESS};

    fn send(context: usize) -> Request {
        Request {
            context,
            operation: NDK_OPERATION_TYPE::NdkOperationTypeSend,
            silent: false,
            effect: None,
            hopeless: None,
        }
    }

    fn accepted(queue: &Queue, request: Request) -> u32 {
        let number = queue.post(request);
        assert_eq!(queue.answered(number, true), None);
        number
    }

    #[test]
    fn results_in_order_break_nothing_and_give_back_the_contexts() {
        let queue = Queue::default();
        let numbers = [accepted(&queue, send(7)), accepted(&queue, send(8))];
        for (number, context) in numbers.into_iter().zip([7, 8]) {
            let outcome = queue.completed(number, STATUS_SUCCESS, None);
            assert_eq!((outcome.context, outcome.broken), (Some(context), vec![]));
        }
        assert_eq!(queue.outstanding(), 0);
    }

    #[test]
    fn result_before_the_post_has_returned_breaks_nothing() {
        let queue = Queue::default();
        let number = queue.post(send(7));
        assert!(queue.completed(number, STATUS_SUCCESS, None).broken.is_empty());
        assert_eq!(queue.answered(number, true), None);
    }

    #[test]
    fn second_result_is_found() {
        let queue = Queue::default();
        let numbers = [accepted(&queue, send(7)), accepted(&queue, send(8))];
        queue.completed(numbers[0], STATUS_SUCCESS, None);
        assert_eq!(queue.completed(numbers[0], STATUS_SUCCESS, None).broken, [rules::RESULT_TWICE]);
    }

    #[test]
    fn result_of_a_refused_request_is_found_whichever_comes_first() {
        let queue = Queue::default();
        let number = queue.post(send(7));
        assert_eq!(queue.answered(number, false), None);
        assert_eq!(queue.completed(number, STATUS_SUCCESS, None).broken, [rules::RESULT_OF_REFUSED]);
        let queue = Queue::default();
        let number = queue.post(send(7));
        queue.completed(number, STATUS_SUCCESS, None);
        assert_eq!(queue.answered(number, false), Some(rules::RESULT_OF_REFUSED));
    }

    #[test]
    fn result_that_overtakes_another_is_found() {
        let queue = Queue::default();
        let numbers = [accepted(&queue, send(7)), accepted(&queue, send(8))];
        assert_eq!(queue.completed(numbers[1], STATUS_SUCCESS, None).broken, [rules::RESULT_ORDER]);
        assert!(queue.completed(numbers[0], STATUS_SUCCESS, None).broken.is_empty());
    }

    #[test]
    fn unordered_queue_has_no_order() {
        let queue = Queue::unordered();
        let numbers = [accepted(&queue, send(7)), accepted(&queue, send(8))];
        assert!(queue.completed(numbers[1], STATUS_SUCCESS, None).broken.is_empty());
        assert!(queue.completed(numbers[0], STATUS_SUCCESS, None).broken.is_empty());
    }

    #[test]
    fn silent_success_has_no_result_and_silent_failure_has_one() {
        let queue = Queue::default();
        let silent = || Request { silent: true, ..send(7) };
        let numbers = [accepted(&queue, silent()), accepted(&queue, send(8)), accepted(&queue, silent())];
        assert!(queue.completed(numbers[1], STATUS_SUCCESS, None).broken.is_empty());
        assert!(queue.completed(numbers[2], STATUS_CANCELLED, None).broken.is_empty());
        let loud = accepted(&queue, silent());
        assert_eq!(queue.completed(loud, STATUS_SUCCESS, None).broken, [rules::RESULT_SILENT]);
    }

    #[test]
    fn result_of_another_type_is_found() {
        let queue = Queue::default();
        let number = accepted(&queue, send(7));
        let broken =
            queue.completed(number, STATUS_SUCCESS, Some(NDK_OPERATION_TYPE::NdkOperationTypeRead)).broken;
        assert_eq!(broken, [rules::RESULT_TYPE]);
    }

    #[test]
    fn success_of_a_hopeless_request_is_found_and_failure_is_not() {
        let queue = Queue::default();
        let hopeless = || Request { hopeless: Some(rules::TOKEN_STALE), ..send(7) };
        let numbers = [accepted(&queue, hopeless()), accepted(&queue, hopeless())];
        assert_eq!(queue.completed(numbers[0], STATUS_SUCCESS, None).broken, [rules::TOKEN_STALE]);
        assert!(queue.completed(numbers[1], STATUS_CANCELLED, None).broken.is_empty());
    }

    #[test]
    fn numbers_go_round() {
        let queue = Queue::default();
        queue.state.lock().first = NUMBERS - 1;
        let numbers = [accepted(&queue, send(7)), accepted(&queue, send(8))];
        assert_eq!(numbers, [NUMBERS - 1, 0]);
        assert_eq!(queue.completed(numbers[0], STATUS_SUCCESS, None).context, Some(7));
        assert_eq!(queue.completed(numbers[1], STATUS_SUCCESS, None).context, Some(8));
    }
}
