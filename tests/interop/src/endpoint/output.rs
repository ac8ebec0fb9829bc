//! The FPDUs of this side.

use std::io::{self, Write};

use iwarp::fault::AccessError;
use iwarp::{Cut, Message, Origin, PostError, State};

use super::Endpoint;
use crate::error::Error;
use crate::event::Event;

impl Endpoint {
    /// Sends all that may be sent; answers to reads go before messages.
    pub(super) fn flush(&mut self) -> Result<(), Error> {
        let mut bytes = Vec::new();
        loop {
            match self.stream.next_cut(usize::MAX) {
                Some(cut) => self.put(&cut, &mut bytes),
                None if self.begin()? => {}
                None => break,
            }
            if bytes.len() >= 1 << 20 {
                self.transmit(&mut bytes)?;
            }
        }
        self.transmit(&mut bytes)?;
        self.shut();
        Ok(())
    }

    fn transmit(&mut self, bytes: &mut Vec<u8>) -> Result<(), Error> {
        let written = self.socket.write_all(bytes);
        bytes.clear();
        match written {
            // The reading side says why.
            Err(error)
                if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) =>
            {
                Ok(())
            }
            written => Ok(written?),
        }
    }

    /// Begins the next message, if there is one that may begin.
    fn begin(&mut self) -> Result<bool, Error> {
        if self.stream.state() != State::Operating {
            return Ok(false);
        }
        if let Some(request) = self.stream.read_to_answer() {
            let read = self.memory.read(request.source, request.source_offset, request.length);
            self.answer = match if request.wraps() { Err(AccessError::Wrap) } else { read } {
                Ok(bytes) => bytes.to_vec(),
                // A read of no length has no source.
                Err(_) if request.length == 0 => Vec::new(),
                Err(error) => {
                    let fault = self.stream.refuse_read(error);
                    self.events.push_back(Event::Fault(fault));
                    return Ok(true);
                }
            };
            self.stream.answer().map_err(Error::Refused)?;
            return Ok(true);
        }
        let Some(posted) = self.posted.front() else { return Ok(false) };
        match self.stream.post(posted.message) {
            Ok(()) => {}
            Err(PostError::TooManyReads) => return Ok(false),
            Err(error) => return Err(Error::Refused(error)),
        }
        if let Some(posted) = self.posted.pop_front() {
            if let Message::Read { length, .. } = posted.message {
                self.sinks.push_back(vec![0; usize::try_from(length).unwrap_or(usize::MAX)]);
            }
            self.message = posted.payload;
        }
        Ok(true)
    }

    fn put(&mut self, cut: &Cut, bytes: &mut Vec<u8>) {
        let range = cut.payload.start as usize..cut.payload.end as usize;
        let payload = match cut.origin {
            Origin::Message => &self.message[range],
            Origin::Response => &self.answer[range],
            Origin::Engine => &[],
        };
        let mut digest = cut.digest();
        if let Some(digest) = &mut digest {
            digest.update(payload);
        }
        // Behind the length of the FPDU and the control byte of DDP.
        self.sent.add(cut.header.get(3).map_or(u8::MAX, |control| control & 0x0F));
        bytes.extend_from_slice(&cut.header);
        bytes.extend_from_slice(payload);
        bytes.extend_from_slice(&cut.trailer(digest));
    }
}
