//! TCP of the host, with nothing of the simulator: what its sockets can't be faster than.

use std::io::{self, Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Instant;

/// Bytes of one send, and of the buffer of one receive: those of the pump in the harness driver.
const LENGTH: usize = protocol::PUMP_LENGTH as usize;

/// Sends before the clock runs: the windows of TCP grow meanwhile.
const FIRST: u32 = 64;

/// A connection to `at` of the host itself, and back.
///
/// # Errors
///
/// Those of the host.
pub(super) fn bytes_per_second(at: IpAddr, count: u32) -> io::Result<f64> {
    let listener = TcpListener::bind((at, 0))?;
    let mut near = TcpStream::connect(listener.local_addr()?)?;
    let (mut far, _) = listener.accept()?;
    let sent = vec![0xA5; LENGTH];
    let seconds = thread::scope(|scope| {
        let sending = scope.spawn(move || -> io::Result<()> {
            for _ in 0..FIRST + count {
                near.write_all(&sent)?;
            }
            Ok(())
        });
        let mut room = vec![0; LENGTH];
        receive(&mut far, &mut room, u64::from(FIRST) * LENGTH as u64)?;
        let began = Instant::now();
        receive(&mut far, &mut room, u64::from(count) * LENGTH as u64)?;
        let seconds = began.elapsed().as_secs_f64();
        sending.join().unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))?;
        Ok::<_, io::Error>(seconds)
    })?;
    Ok(f64::from(count) * LENGTH as f64 / seconds)
}

/// Receives so many bytes, as they come.
fn receive(from: &mut TcpStream, room: &mut [u8], bytes: u64) -> io::Result<()> {
    let mut left = bytes;
    while left > 0 {
        let most = room.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        match from.read(&mut room[..most])? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            got => left -= got as u64,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::bytes_per_second;

    #[test]
    fn bytes_of_the_host_arrive_in_some_time() {
        let rate = bytes_per_second(Ipv4Addr::LOCALHOST.into(), 16).unwrap();
        assert!(rate.is_finite() && rate > 0.0);
    }
}
