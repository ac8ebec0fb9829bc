//! The control codes, from raw buffers to calls and back.

#![expect(unsafe_code, reason = "the buffers of requests are addresses")]

use alloc::boxed::Box;

use protocol::control::{
    ACCEPT_PEER, CLOSE_ADAPTER, CLOSE_MANUAL, CLOSE_MEASURING, CLOSE_SESSION, CLOSE_STRESS, COLLECT,
    CONNECT_GROUP, CONNECT_PEER, DRIVE_GROUP, FLOW, GET, LISTEN_PEER, MEASURE, OPEN_MANUAL, OPEN_MEASURING,
    OPEN_SESSION, OPEN_STRESS, PUMP, PUT, QUERY_SESSION, QUERY_STRESS, RUN_SCENARIO, STEP, STOP_LISTENING,
    STOP_SIDE, TRANSMIT,
};
use protocol::{
    AcceptPeerRequest, ChunkRequest, CloseRequest, ConnectPeerRequest, FlowRequest, GroupRequest, Level,
    ListenPeerRequest, ManualRequest, MeasureRequest, MeasuringRequest, Operation, PartRequest, PumpRequest,
    ScenarioRequest, SessionRequest, Side, SideRequest, StepRequest, StressRequest, VERSION,
};
use sys::status::{
    NTSTATUS, STATUS_BUFFER_TOO_SMALL, STATUS_INVALID_DEVICE_REQUEST, STATUS_INVALID_PARAMETER,
    STATUS_REVISION_MISMATCH, STATUS_SUCCESS,
};
use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::client::{Client, Request};
use crate::manual::Manual;
use crate::measure::{Measuring, Samples};
use crate::number::usize_from;
use crate::session::{Chunk, Listening, Session};
use crate::stress::{Drive, Stress};
use crate::{kernel, pump, scenario};

/// Serves a control request: its status and its information.
///
/// # Safety
/// The request's buffer, lengths and MDL are those that the I/O manager made for its code.
pub(crate) unsafe fn serve(client: &Client, request: &Request) -> (NTSTATUS, usize) {
    // SAFETY: the caller's contract.
    match unsafe { run(client, request) } {
        Ok(information) => (STATUS_SUCCESS, information),
        Err(status) => (status, 0),
    }
}

/// # Safety
/// As [`serve`].
unsafe fn run(client: &Client, request: &Request) -> Result<usize, NTSTATUS> {
    match request.code {
        OPEN_SESSION => {
            // SAFETY: the code is buffered.
            let input: SessionRequest = unsafe { input(request) }?;
            check_version(input.version)?;
            // SAFETY: the code is buffered.
            unsafe { output(request, &*client.session.fill(|| Session::open(&input))?) }
        }
        TRANSMIT | COLLECT => {
            // SAFETY: the code is direct, with its small input in the system buffer.
            let input: ChunkRequest = unsafe { input(request) }?;
            let operation = Operation::try_from(input.operation).map_err(|_| STATUS_INVALID_PARAMETER)?;
            if usize_from(input.length) > request.output_length || input.length == 0 {
                return Err(STATUS_INVALID_PARAMETER);
            }
            let chunk = Chunk { operation, length: input.length, mdl: request.mdl };
            let side = if request.code == TRANSMIT { Side::Near } else { Side::Far };
            let moved = client.session.with(|session| session.move_chunk(side, &chunk))?;
            Ok(usize_from(moved))
        }
        // SAFETY: the code is buffered.
        QUERY_SESSION => unsafe { output(request, &client.session.with(|session| Ok(session.counters()))?) },
        CLOSE_SESSION => {
            // SAFETY: the code is buffered.
            let input: CloseRequest = unsafe { input(request) }?;
            let level = Level::try_from(input.level).map_err(|_| STATUS_INVALID_PARAMETER)?;
            // SAFETY: the code is buffered.
            unsafe { output(request, &*client.session.empty(|session| session.close(level))?) }
        }
        RUN_SCENARIO => {
            // SAFETY: the code is buffered.
            let input: ScenarioRequest = unsafe { input(request) }?;
            check_version(input.version)?;
            // SAFETY: the code is buffered.
            unsafe { output(request, &*scenario::run(&input)?) }
        }
        OPEN_MEASURING => {
            // SAFETY: the code is buffered.
            let input: MeasuringRequest = unsafe { input(request) }?;
            check_version(input.version)?;
            client.measuring.fill(|| Ok((Some(Measuring::open(&input)?), 0)))
        }
        MEASURE => {
            // SAFETY: the code is direct, with its small input in the system buffer.
            let input: MeasureRequest = unsafe { input(request) }?;
            // SAFETY: the I/O manager has locked the pages for this request.
            let memory = unsafe { kernel::system_address(request.mdl) }?;
            // SAFETY: they are mapped there until the request completes.
            let samples = unsafe { Samples::new(memory, request.output_length) }?;
            client.measuring.with_alone(|measuring| measuring.measure(&input, samples))
        }
        FLOW => {
            // SAFETY: the code is buffered.
            let input: FlowRequest = unsafe { input(request) }?;
            let report = client.measuring.with_alone(|measuring| measuring.flow(&input))?;
            // SAFETY: the code is buffered.
            unsafe { output(request, &report) }
        }
        PUMP => {
            // SAFETY: the code is buffered.
            let input: PumpRequest = unsafe { input(request) }?;
            check_version(input.version)?;
            // SAFETY: the code is buffered.
            unsafe { output(request, &pump::run(&input)?) }
        }
        // SAFETY: the code is buffered.
        CLOSE_MEASURING => unsafe { output(request, &*client.measuring.empty(Measuring::close)?) },
        CONNECT_PEER | LISTEN_PEER | ACCEPT_PEER | STOP_LISTENING => {
            // SAFETY: as the caller promises.
            unsafe { run_peer(client, request) }
        }
        OPEN_MANUAL | STEP | PUT | GET | CLOSE_MANUAL => {
            // SAFETY: as the caller promises.
            unsafe { run_manual(client, request) }
        }
        // SAFETY: as the caller promises.
        _ => unsafe { run_stress(client, request) },
    }
}

/// # Safety
/// As [`serve`].
unsafe fn run_peer(client: &Client, request: &Request) -> Result<usize, NTSTATUS> {
    match request.code {
        CONNECT_PEER => {
            // SAFETY: the code is buffered.
            let input: ConnectPeerRequest = unsafe { input(request) }?;
            check_version(input.version)?;
            // SAFETY: the code is buffered.
            unsafe { output(request, &*client.session.fill(|| Session::connect_peer(&input))?) }
        }
        LISTEN_PEER => {
            // SAFETY: the code is buffered.
            let input: ListenPeerRequest = unsafe { input(request) }?;
            check_version(input.version)?;
            // SAFETY: the code is buffered.
            unsafe { output(request, &*client.listening.fill(|| Listening::open(&input))?) }
        }
        ACCEPT_PEER => {
            // SAFETY: the code is buffered.
            let input: AcceptPeerRequest = unsafe { input(request) }?;
            let accept = |listening: Box<Listening>| listening.accept(input.milliseconds);
            // SAFETY: the code is buffered.
            unsafe { output(request, &*client.session.fill(|| client.listening.pass(accept))?) }
        }
        STOP_LISTENING => {
            // SAFETY: the code is buffered.
            unsafe { output(request, &*client.listening.empty(|listening| listening.stop())?) }
        }
        _ => Err(STATUS_INVALID_DEVICE_REQUEST),
    }
}

/// # Safety
/// As [`serve`].
unsafe fn run_manual(client: &Client, request: &Request) -> Result<usize, NTSTATUS> {
    match request.code {
        OPEN_MANUAL => {
            // SAFETY: the code is buffered.
            let input: ManualRequest = unsafe { input(request) }?;
            check_version(input.version)?;
            // SAFETY: the code is buffered.
            unsafe { output(request, &*client.manual.fill(|| Manual::open(&input))?) }
        }
        STEP => {
            // SAFETY: the code is buffered.
            let input: StepRequest = unsafe { input(request) }?;
            let report = client.manual.with_alone(|manual| Ok(manual.step(&input)))?;
            // SAFETY: the code is buffered.
            unsafe { output(request, &report) }
        }
        PUT | GET => {
            // SAFETY: the code is direct, with its small input in the system buffer.
            let input: PartRequest = unsafe { input(request) }?;
            // SAFETY: the I/O manager has locked the pages for this request.
            let bytes = unsafe { kernel::system_address(request.mdl) }?;
            // SAFETY: they are mapped there until the request completes, and are this request's alone.
            let bytes = unsafe { core::slice::from_raw_parts_mut(bytes, request.output_length) };
            client.manual.with_alone(|manual| {
                if request.code == PUT { manual.put(&input, bytes) } else { manual.get(&input, bytes) }
            })?;
            Ok(bytes.len())
        }
        // SAFETY: the code is buffered.
        CLOSE_MANUAL => unsafe { output(request, &*client.manual.empty(Manual::close)?) },
        _ => Err(STATUS_INVALID_DEVICE_REQUEST),
    }
}

/// # Safety
/// As [`serve`].
unsafe fn run_stress(client: &Client, request: &Request) -> Result<usize, NTSTATUS> {
    match request.code {
        OPEN_STRESS => {
            // SAFETY: the code is buffered.
            let input: StressRequest = unsafe { input(request) }?;
            check_version(input.version)?;
            // SAFETY: the code is buffered.
            unsafe { output(request, &*client.stress.fill(|| Stress::open(&input))?) }
        }
        CONNECT_GROUP => {
            // SAFETY: the code is buffered.
            let input: GroupRequest = unsafe { input(request) }?;
            // SAFETY: the code is buffered.
            unsafe { output(request, &client.stress.with(|stress| stress.connect(input.group))?) }
        }
        DRIVE_GROUP => {
            // SAFETY: the code is buffered.
            let input: GroupRequest = unsafe { input(request) }?;
            let side = Side::try_from(input.side).map_err(|_| STATUS_INVALID_PARAMETER)?;
            let level = Level::try_from(input.level).map_err(|_| STATUS_INVALID_PARAMETER)?;
            let drive = Drive { group: input.group, side, level, seed: input.seed };
            // SAFETY: the code is buffered.
            unsafe { output(request, &client.stress.with(|stress| stress.drive(&drive))?) }
        }
        // SAFETY: the code is buffered.
        QUERY_STRESS => unsafe { output(request, &client.stress.with(|stress| Ok(stress.counters()))?) },
        STOP_SIDE | CLOSE_ADAPTER => {
            // SAFETY: the code is buffered.
            let input: SideRequest = unsafe { input(request) }?;
            let side = Side::try_from(input.side).map_err(|_| STATUS_INVALID_PARAMETER)?;
            client.stress.with(|stress| {
                if request.code == CLOSE_ADAPTER {
                    return stress.close_adapter(side);
                }
                stress.stop_side(side);
                Ok(())
            })?;
            Ok(0)
        }
        // SAFETY: the code is buffered.
        CLOSE_STRESS => unsafe { output(request, &*client.stress.empty(Stress::close)?) },
        _ => Err(STATUS_INVALID_DEVICE_REQUEST),
    }
}

fn check_version(version: u32) -> Result<(), NTSTATUS> {
    if version == VERSION { Ok(()) } else { Err(STATUS_REVISION_MISMATCH) }
}

/// The request's input.
///
/// # Safety
/// The system buffer holds the input.
unsafe fn input<T: FromBytes>(request: &Request) -> Result<T, NTSTATUS> {
    if request.buffer.is_null() {
        return Err(STATUS_INVALID_PARAMETER);
    }
    // SAFETY: the caller's contract; the I/O manager's buffer is private to the request.
    let bytes = unsafe { core::slice::from_raw_parts(request.buffer, request.input_length) };
    T::read_from_bytes(bytes).map_err(|_| STATUS_INVALID_PARAMETER)
}

/// Puts out `value`; returns its length.
///
/// # Safety
/// The system buffer is that of a buffered code.
unsafe fn output<T: IntoBytes + Immutable>(request: &Request, value: &T) -> Result<usize, NTSTATUS> {
    if request.buffer.is_null() {
        return Err(STATUS_BUFFER_TOO_SMALL);
    }
    // SAFETY: the caller's contract; the I/O manager's buffer is private to the request.
    let bytes = unsafe { core::slice::from_raw_parts_mut(request.buffer, request.output_length) };
    let value = value.as_bytes();
    bytes.get_mut(..value.len()).ok_or(STATUS_BUFFER_TOO_SMALL)?.copy_from_slice(value);
    Ok(value.len())
}
