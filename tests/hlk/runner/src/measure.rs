//! Taking samples in the harness driver.

use protocol::{
    Endpoint, Flow, FlowReport, FlowRequest, Kind, Measure, MeasureRequest, MeasuringRequest, Outcome,
    PumpRequest, VERSION, control,
};
use zerocopy::IntoBytes;

use crate::status::SUCCESS;
use crate::{Client, Completion, Error, Host};

/// Two connected ends, to measure on.
#[derive(Clone, Debug)]
pub struct Measuring {
    client: Client,
}

/// The operation that is timed, and the number of samples.
#[derive(Clone, Copy, Debug)]
pub struct Series {
    /// The operation.
    pub measure: Measure,
    /// Bytes of one operation.
    pub length: u32,
    /// Operations in one sample.
    pub depth: u32,
    /// Of objects, their kind.
    pub kind: Kind,
    /// The number of samples.
    pub count: usize,
}

impl Series {
    /// `count` samples of one operation each.
    #[must_use]
    pub const fn new(measure: Measure, count: usize) -> Self {
        Self { measure, length: 64, depth: 1, kind: Kind::None, count }
    }

    /// Of operations of `length` bytes, `depth` of them in a sample.
    #[must_use]
    pub const fn of(self, length: u32, depth: u32) -> Self {
        Self { length, depth, ..self }
    }

    /// Of objects of this kind.
    #[must_use]
    pub const fn with(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }
}

/// Samples, as the driver took them.
#[derive(Clone, Debug)]
pub struct Samples {
    /// Ticks in a second.
    pub frequency: u64,
    /// In ticks, in the order in which they were taken.
    pub ticks: Vec<u64>,
}

impl Measuring {
    /// Opens both adapters and connects them.
    ///
    /// # Errors
    /// The status with which that failed.
    pub fn open(host: &impl Host, near: Endpoint, far: Endpoint) -> Result<Self, Error> {
        let client = Client::open(host)?;
        let request = MeasuringRequest { version: VERSION, near, far };
        match client.control(control::OPEN_MEASURING, request.as_bytes(), &mut []).status {
            SUCCESS => Ok(Self { client }),
            status => Err(Error::Status { what: "open the adapters to measure", status, outcome: None }),
        }
    }

    /// Takes the samples of a series.
    ///
    /// # Errors
    /// The status with which what is measured failed.
    pub fn take(&self, series: &Series) -> Result<Samples, Error> {
        let Series { measure, length, depth, kind, count } = *series;
        let request = MeasureRequest { measure: measure as u32, length, depth, kind: kind as u32 };
        let mut output = vec![0_u64; count + 1];
        let sent = output.as_bytes().len();
        let Completion { status, information: arrived } =
            self.client.control(control::MEASURE, request.as_bytes(), output.as_mut_bytes());
        if status != SUCCESS {
            return Err(Error::Status { what: "measure", status, outcome: None });
        }
        match protocol::samples(&output) {
            Some((frequency, ticks)) if arrived == sent => Ok(Samples { frequency, ticks: ticks.to_vec() }),
            _ => Err(Error::Short { what: "measure", arrived, sent }),
        }
    }

    /// Lets `count` operations of `length` bytes flow one way, `outstanding` at a time.
    ///
    /// # Errors
    /// The status with which an operation failed.
    pub fn flow(
        &self,
        flow: Flow,
        (length, outstanding): (u32, u32),
        count: u32,
    ) -> Result<FlowReport, Error> {
        let request = FlowRequest { flow: flow as u32, length, outstanding, count };
        self.client.call("let bytes flow", control::FLOW, &request)
    }

    /// Closes what was opened.
    ///
    /// # Errors
    /// The status of the request; what the closes came to is in the outcome.
    pub fn close(self) -> Result<Outcome, Error> {
        self.client.call("close what was measured on", control::CLOSE_MEASURING, &[0_u8; 0])
    }
}

/// Lets `count` sends flow between two sockets of Winsock Kernel, with no provider in between.
///
/// # Errors
/// The status of a call of Winsock Kernel.
pub fn pump(host: &impl Host, near: Endpoint, far: Endpoint, count: u32) -> Result<FlowReport, Error> {
    let request = PumpRequest { version: VERSION, count, near, far };
    Client::open(host)?.call("let bytes flow between sockets", control::PUMP, &request)
}
