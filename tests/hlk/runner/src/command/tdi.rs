//! `tdi`: data over the legacy transport, as a program moves it.

use core::net::{IpAddr, SocketAddrV4};
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use crate::command::pair;
use crate::transport::{
    address_attributes, associate, connect, disconnect, endpoint_attributes, listen, receive, send,
};
use crate::{Device, Error, Exit, Host};

/// The port that is listened on.
const PORT: u16 = 5000;

/// The time for which a connect is tried again.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The time between two attempts at what has to come about.
const INTERVAL: Duration = Duration::from_millis(10);

/// Bytes that are sent at once, and how often.
const CHUNK: usize = 64 << 10;
const CHUNKS: usize = 16;

/// Connects two endpoints, moves a mebibyte each way, and disconnects.
///
/// # Errors
/// If `output` can't be written.
pub fn tdi(host: &impl Host, output: &mut impl Write) -> io::Result<Exit> {
    let (exit, text) = match play(host) {
        Ok(0) => (Exit::Passed, format!("  ok     {} bytes each way, intact", CHUNK * CHUNKS)),
        Ok(differing) => (Exit::Failed, format!("  FAILED {differing} bytes differ")),
        Err(error @ Error::Host { .. }) => (Exit::NotRun, format!("not run: {error}")),
        Err(error) => (Exit::Failed, format!("  FAILED {error}")),
    };
    writeln!(output, "{text}")?;
    Ok(exit)
}

/// Moves the data; the number of bytes that did not arrive as they were sent.
fn play(host: &impl Host) -> Result<usize, Error> {
    let pair = pair(host)?;
    let (IpAddr::V4(near), IpAddr::V4(far)) = (pair.near.1, pair.far.1) else {
        return Err(Error::Host {
            what: "choose the addresses",
            why: "the transport is for IPv4".to_owned(),
        });
    };
    let ends = [(near, 0), (far, PORT)].map(|(ip, port)| SocketAddrV4::new(ip, port));
    let [near_address, far_address] = ends.map(|end| host.open_transport(&address_attributes(end)));
    let [near, far] = [1, 2].map(|context| host.open_transport(&endpoint_attributes(context)));
    let (near_address, far_address, near, far) = (near_address?, far_address?, near?, far?);
    associate(&*near, &*near_address)?;
    associate(&*far, &*far_address)?;
    let [_, to] = ends;
    establish(&near, &far, to)?;
    let there = cross(&near, &far)?;
    let back = cross(&far, &near)?;
    disconnect(&*near)?;
    Ok(there + back)
}

/// Listens at one end and connects the other.
fn establish(near: &Arc<dyn Device>, far: &Arc<dyn Device>, to: SocketAddrV4) -> Result<(), Error> {
    together([Box::new(|| listen(&**far)), Box::new(|| connect_to_listener(&**near, to))], &**far)
}

/// Connects. The connect may come to the driver before the listen, and is refused then: it is tried again for a while.
fn connect_to_listener(near: &dyn Device, to: SocketAddrV4) -> Result<(), Error> {
    let begin = Instant::now();
    loop {
        let outcome = connect(near, to);
        if outcome.is_ok() || begin.elapsed() > CONNECT_TIMEOUT {
            return outcome;
        }
        thread::sleep(INTERVAL);
    }
}

/// Sends from one end and receives at the other; the number of bytes that differ.
fn cross(from: &Arc<dyn Device>, to: &Arc<dyn Device>) -> Result<usize, Error> {
    let byte = |at: usize| (at % 251) as u8;
    let mut arrived = vec![0; CHUNK * CHUNKS];
    let receiving = || {
        let mut whole = 0;
        while whole < arrived.len() {
            whole += receive(&**to, &mut arrived[whole..])?;
        }
        Ok(())
    };
    let sending = || {
        let starts = (0..CHUNKS).map(|chunk| chunk * CHUNK);
        starts.into_iter().try_for_each(|start| {
            let mut data: Vec<u8> = (start..start + CHUNK).map(byte).collect();
            send(&**from, &mut data)
        })
    };
    together([Box::new(receiving), Box::new(sending)], &**from)?;
    Ok(arrived.iter().enumerate().filter(|(at, seen)| **seen != byte(*at)).count())
}

/// The work of one end.
type Task<'a> = Box<dyn FnOnce() -> Result<(), Error> + Send + 'a>;

/// Does both at once; the first failure. The other one may wait for what failed, so `endpoint` is disconnected then,
/// which ends whatever waits for its connection.
fn together(tasks: [Task<'_>; 2], endpoint: &dyn Device) -> Result<(), Error> {
    let (sender, outcomes) = mpsc::channel();
    thread::scope(|scope| {
        for task in tasks {
            let sender = sender.clone();
            scope.spawn(move || sender.send(task()));
        }
        drop(sender);
        let mut whole = Ok(());
        loop {
            match outcomes.recv_timeout(INTERVAL) {
                Ok(outcome) => whole = whole.and(outcome),
                Err(RecvTimeoutError::Disconnected) => return whole,
                // Refused if there is no connection, or not yet: then it comes again.
                Err(RecvTimeoutError::Timeout) if whole.is_err() => drop(disconnect(endpoint)),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::{Condvar, Mutex};

    use super::*;
    use crate::Completion;
    use crate::status::SUCCESS;
    use crate::transport::{CONNECT, DISCONNECT, LISTEN, RECEIVE, SEND};

    const REFUSED: i32 = 0xC000_0236_u32.cast_signed();

    /// Both ends of a connection in one. A listen waits for a connect, which is refused a number of times; a receive
    /// fails; a send waits for a disconnect.
    #[derive(Debug, Default)]
    struct Ends {
        refusals: Mutex<usize>,
        said: Mutex<Vec<u32>>,
        changed: Condvar,
    }

    impl Ends {
        fn say(&self, code: u32) {
            self.said.lock().unwrap().push(code);
            self.changed.notify_all();
        }

        fn await_saying(&self, code: u32) {
            drop(self.changed.wait_while(self.said.lock().unwrap(), |said| !said.contains(&code)).unwrap());
        }
    }

    impl Device for Ends {
        fn control(&self, code: u32, _input: &[u8], _output: &mut [u8]) -> Completion {
            let status = match code {
                CONNECT => {
                    let mut refusals = self.refusals.lock().unwrap();
                    if *refusals == 0 {
                        self.say(CONNECT);
                        SUCCESS
                    } else {
                        *refusals -= 1;
                        REFUSED
                    }
                }
                LISTEN => {
                    self.await_saying(CONNECT);
                    SUCCESS
                }
                SEND => {
                    self.await_saying(DISCONNECT);
                    REFUSED
                }
                RECEIVE => REFUSED,
                _ => {
                    self.say(code);
                    SUCCESS
                }
            };
            Completion { status, information: 0 }
        }

        fn raw(&self) -> usize {
            0
        }
    }

    #[test]
    fn connect_that_comes_before_the_listen_is_tried_again() {
        let ends: Arc<dyn Device> = Arc::new(Ends { refusals: Mutex::new(3), ..Ends::default() });
        establish(&ends, &ends, SocketAddrV4::new([10, 0, 0, 1].into(), PORT)).unwrap();
    }

    #[test]
    fn receive_that_fails_ends_the_send_that_waits() {
        let ends: Arc<dyn Device> = Arc::new(Ends::default());
        let outcome = cross(&ends, &ends);
        assert!(matches!(outcome, Err(Error::Status { what: "receive", .. })), "{outcome:?}");
    }
}
