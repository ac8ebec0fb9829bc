//! `tdi`: data over the legacy transport, as a program moves it.

use core::net::{IpAddr, SocketAddrV4};
use std::io::{self, Write};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::command::pair;
use crate::transport::{
    address_attributes, associate, connect, disconnect, endpoint_attributes, listen, receive, send,
};
use crate::{Device, Error, Exit, Host};

/// The port that is listened on.
const PORT: u16 = 5000;

/// The time for which a connect is tried again, and that between two attempts.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_INTERVAL: Duration = Duration::from_millis(10);

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
///
/// The connect may come to the driver before the listen, and is refused then: it is tried again for a while. If it
/// fails for good, the listen is left to go with its file.
fn establish(near: &Arc<dyn Device>, far: &Arc<dyn Device>, to: SocketAddrV4) -> Result<(), Error> {
    let listening = Arc::clone(far);
    let listener = thread::spawn(move || listen(&*listening));
    let begin = Instant::now();
    while let Err(error) = connect(&**near, to) {
        if listener.is_finished() || begin.elapsed() > CONNECT_TIMEOUT {
            return Err(error);
        }
        thread::sleep(CONNECT_INTERVAL);
    }
    listener.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Sends from one end and receives at the other; the number of bytes that differ.
fn cross(from: &Arc<dyn Device>, to: &Arc<dyn Device>) -> Result<usize, Error> {
    let byte = |at: usize| (at % 251) as u8;
    let mut arrived = vec![0; CHUNK * CHUNKS];
    together(
        || {
            let mut whole = 0;
            while whole < arrived.len() {
                whole += receive(&**to, &mut arrived[whole..])?;
            }
            Ok(())
        },
        || {
            let starts = (0..CHUNKS).map(|chunk| chunk * CHUNK);
            starts.into_iter().try_for_each(|start| {
                let mut data: Vec<u8> = (start..start + CHUNK).map(byte).collect();
                send(&**from, &mut data)
            })
        },
    )?;
    Ok(arrived.iter().enumerate().filter(|(at, seen)| **seen != byte(*at)).count())
}

/// Does both at once; the first failure.
fn together(
    one: impl FnOnce() -> Result<(), Error> + Send,
    other: impl FnOnce() -> Result<(), Error>,
) -> Result<(), Error> {
    thread::scope(|scope| {
        let one = scope.spawn(one);
        let other = other();
        let one = one.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        one.and(other)
    })
}
