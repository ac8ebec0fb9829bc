//! A program between the two sides, which passes their bytes on.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// A proxy. It ends with the process of the test.
pub(crate) struct Proxy {
    at: SocketAddr,
    passed: Arc<Passed>,
}

/// The bytes that have passed.
struct Passed {
    bytes: AtomicU64,
    /// The number of the byte to be flipped, of those of one connection to the server.
    flip: u64,
    flipped: AtomicBool,
}

impl Proxy {
    /// Passes all bytes on to a server.
    pub(crate) fn plain(to: SocketAddr) -> Self {
        Self::flipping(to, u64::MAX)
    }

    /// The same, but for a bit of a byte of the first connection to the server that has so many.
    pub(crate) fn flipping(to: SocketAddr, flip: u64) -> Self {
        let listener = TcpListener::bind(crate::local()).expect("the host has ports");
        let at = listener.local_addr().expect("it is bound");
        let passed = Arc::new(Passed { bytes: AtomicU64::new(0), flip, flipped: AtomicBool::new(false) });
        let shared = Arc::clone(&passed);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                // A server that has gone refuses; the client sees its connection end.
                let Ok(server) = TcpStream::connect(to) else { continue };
                let (Ok(from), Ok(back)) = (client.try_clone(), server.try_clone()) else { continue };
                let out = Arc::clone(&shared);
                thread::spawn(move || out.pass(&client, &server, true));
                let back_to = Arc::clone(&shared);
                thread::spawn(move || back_to.pass(&back, &from, false));
            }
        });
        Self { at, passed }
    }

    /// The address at which it listens.
    pub(crate) const fn at(&self) -> SocketAddr {
        self.at
    }

    /// Returns whether the byte was flipped.
    pub(crate) fn is_done(&self) -> bool {
        self.passed.flipped.load(Ordering::SeqCst)
    }

    /// Waits until so many bytes have passed.
    #[track_caller]
    pub(crate) fn wait_for(&self, bytes: u64) {
        let began = Instant::now();
        while self.passed.bytes.load(Ordering::SeqCst) < bytes {
            assert!(began.elapsed() < Duration::from_secs(60), "the bytes do not pass");
            thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Passed {
    fn pass(&self, mut from: &TcpStream, mut to: &TcpStream, out: bool) {
        let (mut buffer, mut position) = (vec![0; 64 << 10], 0);
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            let end = position + length as u64;
            if out && (position..end).contains(&self.flip) && !self.flipped.swap(true, Ordering::SeqCst) {
                buffer[usize::try_from(self.flip - position).expect("it is within the buffer")] ^= 0x10;
            }
            position = end;
            self.bytes.fetch_add(length as u64, Ordering::SeqCst);
            if to.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        // The other direction ends by itself, or has ended.
        let _ = to.shutdown(Shutdown::Write);
    }
}
