//! Clients open an address, which they share with some.

use std::sync::{Arc, Mutex, PoisonError};

use ntsim::io::{Opener, StatusError, open_as};
use ntsim::se::{Descriptor, Sid, Subject};
use sys::status::{STATUS_ACCESS_DENIED, STATUS_SHARING_VIOLATION};
use sys::tdi::TdiTransportAddress;
use tdi::address::TransportAddress;

use super::{FAR, ScenarioContext};
use crate::together::{Body, together};
use crate::violation::{Violation, ensure};
use crate::{DEVICE, attribute};

/// The clients that open the address, each with the users that its list admits. In any order, the first and the
/// last of them never have it at the same time.
const CLIENTS: [(u32, &[u32]); 3] = [(1001, &[1001, 1002]), (1002, &[1002, 1003]), (1003, &[1003])];

/// An administrator, who shares the address with these accounts.
fn client((account, admitted): (u32, &[u32])) -> Result<Opener, Violation> {
    let entries: String =
        admitted.iter().map(|other| format!("(A;;GA;;;{})", Sid::account(*other))).collect();
    let list: Descriptor = format!("D:{entries}").parse().map_err(|error| Violation(format!("{error}")))?;
    let subject = Subject::user(account).member_of(Sid::ADMINISTRATORS);
    Ok(Opener::new(subject).descriptor(&list))
}

/// For each client, whether it has the address open.
type Holders = Mutex<[bool; CLIENTS.len()]>;

/// Notes whether one of the clients has the address.
fn note(holders: &Holders, which: usize, holds: bool) -> Result<(), Violation> {
    let mut holders = holders.lock().unwrap_or_else(PoisonError::into_inner);
    holders[which] = holds;
    ensure(!(holders[0] && holders[2]), || "two share an address and no list admits both".into())
}

/// Opens the address and closes it again, some times.
fn come_and_go(which: usize, opener: &Opener, holders: &Holders) -> Result<(), Violation> {
    let attributes = attribute(TdiTransportAddress, TransportAddress::new(FAR).bytes());
    let open = || open_as(DEVICE, &attributes, opener);
    for _ in 0..4 {
        match open() {
            Ok(file) => {
                note(holders, which, true)?;
                let again = open().map_err(|status| {
                    Violation(format!("one who has the address was refused it with {status}"))
                })?;
                drop(file);
                note(holders, which, false)?;
                drop(again);
            }
            // The port of those who had the address before may not be free yet.
            Err(StatusError(STATUS_ACCESS_DENIED | STATUS_SHARING_VIOLATION)) => {}
            Err(status) => return Err(Violation(format!("a create ended with {status}"))),
        }
    }
    Ok(())
}

/// See [`super::Scenario::OpensRace`].
pub(super) fn races(_: &ScenarioContext<'_>) -> Result<(), Violation> {
    let holders = Arc::new(Holders::default());
    let bodies = CLIENTS.into_iter().enumerate().map(|(which, about)| -> Result<Body<_>, Violation> {
        let (opener, holders) = (client(about)?, Arc::clone(&holders));
        Ok(Box::new(move || come_and_go(which, &opener, &holders)))
    });
    let bodies = bodies.collect::<Result<_, _>>()?;
    together("client", bodies).into_iter().collect()
}
