//! Clients that do all that they may do wrong, driven by arbitrary bytes: the body of the fuzz target `requests`.
//!
//! The bytes are read as what two clients do to files of every kind, in any order: creates, requests of every type
//! to whatever file, with flags and lengths that make no sense, cancels, cleanups, closes, and requests to files that
//! are cleaned up or closed already. What must hold of all of it:
//!
//! | rule | checked by |
//! |---|---|
//! | a request completes once, with no cancel routine set | the records of `host` |
//! | it is complete when the cleanup of its file returns | `Run::cleanup` |
//! | its status is tabled for it | `Run::inline`, `Run::end`, [`completion_status`] |
//! | after the cleanup of its file it is refused, and before it is not | `Run::inline`, `Run::submit` |
//! | in the end no file, no link and no address in use is left | `Run::end` |

mod handler;
mod step;

use arbitrary::Unstructured;
use sys::status::*;
use sys::tdi::{
    TDI_ASSOCIATE_ADDRESS, TDI_DISASSOCIATE_ADDRESS, TDI_QUERY_INFORMATION, TDI_SET_EVENT_HANDLER,
};
use test_kernel::{pump, pump_once};

use super::access::TestOpener;
use super::client::{Client, FAR, NEAR};
use super::host::{Pending, pass};
use crate::address::TransportAddress;
use crate::ea::{ConnectionContext, Opening};
use crate::{Id, completion_status};
use step::{Ask, PLACES, Step, at};

/// The most steps that one input leads to.
const MOST: usize = 300;

/// The phase of a file.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    Open,
    CleanedUp,
    Closed,
}

/// A request, and what is known of it.
struct Sent {
    file: Id,
    minor: u8,
    pending: Pending,
}

/// The outcomes of requests.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcomes {
    /// Successes.
    pub succeeded: usize,
    /// Cancelled, by the client or by a cleanup.
    pub cancelled: usize,
    /// Refused as their file was cleaned up.
    pub late: usize,
    /// Anything else.
    pub failed: usize,
}

struct Run {
    client: Client,
    files: Vec<(Id, Phase)>,
    sent: Vec<Sent>,
    late: usize,
}

/// Does what `bytes` stand for, ends everything, and checks the rules.
///
/// # Panics
///
/// If a rule is broken.
pub fn run(bytes: &[u8]) -> Outcomes {
    test_kernel::forget();
    let mut input = Unstructured::new(bytes);
    let mut run = Run::with_a_connection();
    for _ in 0..MOST {
        if input.is_empty() {
            break;
        }
        match input.arbitrary() {
            Ok(step) => run.step(&step),
            Err(_) => break,
        }
    }
    run.end()
}

impl Run {
    /// Two address objects with two endpoints each, of which the first are connected.
    fn with_a_connection() -> Self {
        let client = Client::new();
        let addresses = [NEAR, FAR].map(|place| client.open_address(place, true).unwrap());
        let [near, far] = addresses.map(|address| [client.associated(address), client.associated(address)]);
        let (listen, connect) = (client.listen(far[0]), client.connect(near[0], FAR));
        pump();
        let established = [&listen, &connect].map(|request| request.outcome().map(|outcome| outcome.status));
        assert_eq!(established, [Some(STATUS_SUCCESS); 2], "a connection comes about");
        client.log.take();
        let files = [near, far, addresses].concat().into_iter().map(|id| (id, Phase::Open)).collect();
        Self { client, files, sent: Vec::new(), late: 0 }
    }

    /// The file of a number, and its place among all.
    fn file(&self, number: u8) -> (Id, usize) {
        let place = usize::from(number) % self.files.len();
        (self.files[place].0, place)
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::OpenControlChannel => self.open(&Opening::ControlChannel, false),
            Step::OpenEndpoint => self.open(&Opening::Endpoint(ConnectionContext(7)), false),
            Step::OpenAddress { place, shared } => match at(place) {
                Some(at) => self.open(&Opening::Address(TransportAddress::new(at).bytes()), shared),
                None => self.open(&Opening::Address(&[]), shared),
            },
            Step::Submit { file, ask } => self.submit(file, ask),
            Step::Associate { file, address } => {
                let (file, address) = (self.file(file).0, self.file(address).0);
                self.inline(file, TDI_ASSOCIATE_ADDRESS, |client| client.transport.associate(file, address));
            }
            Step::Disassociate { file } => {
                let (file, _) = self.file(file);
                self.inline(file, TDI_DISASSOCIATE_ADDRESS, |client| client.transport.disassociate(file));
            }
            Step::SetEvent { file, event, handler } => self.set_event(file, event, handler),
            Step::Query { file, kind } => {
                let (file, _) = self.file(file);
                self.inline(file, TDI_QUERY_INFORMATION, |client| {
                    client.transport.query(file, kind).map(drop)
                });
            }
            Step::Cancel { back } => {
                if let Some(sent) = self.sent.iter().rev().nth(usize::from(back)) {
                    sent.pending.cancel(&self.client.transport);
                }
            }
            Step::Cleanup { file } => self.cleanup(self.file(file).1),
            Step::Close { file } => self.close(self.file(file).1),
            Step::RemoveRnic => self.client.remove_last_rnic(),
            Step::LeaveBriefly { far } => self.client.leave_briefly(far.into()),
            Step::Dpc { calls } => drop((0..calls).take_while(|_| pump_once()).count()),
            Step::Tick { time } => {
                pass(time.into());
                self.client.transport.tick();
            }
        }
    }

    fn open(&mut self, opening: &Opening<'_>, shared: bool) {
        match self.client.transport.create(
            opening,
            shared.then_some(&TestOpener::ANY),
            test_kernel::passive(),
        ) {
            Ok(id) => self.files.push((id, Phase::Open)),
            Err(status) => {
                let tabled = [
                    STATUS_INVALID_PARAMETER,
                    STATUS_INVALID_ADDRESS,
                    STATUS_SHARING_VIOLATION,
                    STATUS_TOO_MANY_ADDRESSES,
                ];
                assert!(tabled.contains(&status), "a create failed with {status:#010X}");
            }
        }
    }

    /// A request that may wait, as the driver makes it.
    fn submit(&mut self, number: u8, ask: Ask) {
        let (file, place) = self.file(number);
        let Ask { command, minor, buffer } = ask;
        let open = self.files[place].1 == Phase::Open;
        match self.client.transport.enter(file) {
            Ok(_entered) => {
                assert!(open, "a request is accepted after the cleanup of its file");
                let pending = self.client.submit(file, command, vec![0xC3; buffer]);
                self.sent.push(Sent { file, minor, pending });
            }
            Err(status) => {
                assert_eq!(
                    (status, open),
                    (STATUS_FILE_CLOSED, false),
                    "only what comes too late is refused"
                );
                self.late += 1;
            }
        }
    }

    /// A request that never waits, as the driver makes it.
    fn inline(&self, file: Id, minor: u8, ask: impl FnOnce(&Client) -> Result<(), NTSTATUS>) {
        let done = self.client.transport.enter(file).and_then(|_entered| ask(&self.client));
        let status = done.err().unwrap_or(STATUS_SUCCESS);
        assert!(
            completion_status::is_permitted(minor, status),
            "minor function {minor} ended with {status:#010X}"
        );
        let open = self.files.contains(&(file, Phase::Open));
        assert_eq!(status == STATUS_FILE_CLOSED, !open, "only a file that is cleaned up is closed");
    }

    /// Registers a handler, or takes it back.
    fn set_event(&self, number: u8, event: i32, handler: bool) {
        let function = if handler { handler::of(event) } else { core::ptr::null() };
        let (file, _) = self.file(number);
        self.inline(file, TDI_SET_EVENT_HANDLER, |client| {
            client.transport.set_event(file, event, function.cast_mut().cast(), core::ptr::null_mut())
        });
    }

    fn cleanup(&mut self, place: usize) {
        let (file, phase) = self.files[place];
        if phase != Phase::Open {
            return;
        }
        self.client.transport.cleanup(file, test_kernel::passive());
        self.files[place].1 = Phase::CleanedUp;
        for sent in self.sent.iter().filter(|sent| sent.file == file) {
            let over = sent.pending.outcome().is_some();
            assert!(over, "minor function {} is outstanding after the cleanup of its file", sent.minor);
        }
    }

    fn close(&mut self, place: usize) {
        self.cleanup(place);
        let (file, phase) = self.files[place];
        if phase == Phase::CleanedUp {
            self.client.transport.close(file);
            self.files[place].1 = Phase::Closed;
        }
    }

    fn end(mut self) -> Outcomes {
        (0..self.files.len()).for_each(|place| self.close(place));
        pump();
        assert_eq!(self.client.log.take().len(), self.sent.len(), "each request completes once");
        let mut outcomes = Outcomes { late: self.late, ..Outcomes::default() };
        for Sent { minor, pending, .. } in &self.sent {
            let status = pending.outcome().expect("it has completed").status;
            assert!(
                completion_status::is_permitted(*minor, status),
                "minor function {minor} ended with {status:#010X}"
            );
            *match status {
                STATUS_SUCCESS => &mut outcomes.succeeded,
                STATUS_CANCELLED => &mut outcomes.cancelled,
                _ => &mut outcomes.failed,
            } += 1;
        }
        for place in PLACES {
            match self.client.address(place) {
                Ok(address) => self.client.close(address),
                Err(status) => assert_eq!(status, STATUS_INVALID_ADDRESS, "{place} is in use"),
            }
        }
        self.client.tear_down();
        // Its ports have numbers of their own, which would run out over many inputs.
        test_kernel::network::clear();
        outcomes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    fn inputs() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(any::<u8>(), 0..2500)
    }

    proptest! {
        #[test]
        fn random_client_calls_complete_each_request_once_with_a_permitted_status(bytes in inputs()) {
            super::run(&bytes);
        }
    }

    /// Bytes that only lead to refusals would test little.
    #[test]
    fn random_client_calls_include_accepted_ones() {
        let mut runner = TestRunner::deterministic();
        let mut all = super::Outcomes::default();
        for _ in 0..100 {
            let outcomes = super::run(&inputs().new_tree(&mut runner).unwrap().current());
            all.succeeded += outcomes.succeeded;
            all.cancelled += outcomes.cancelled;
            all.late += outcomes.late;
            all.failed += outcomes.failed;
        }
        assert!(all.succeeded > 100 && all.cancelled > 100 && all.late > 100 && all.failed > 100, "{all:?}");
    }
}
