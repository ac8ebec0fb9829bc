//! Access states: who opens a file, as the driver of its device gets to know.
//!
//! A create has one, together with the token of its subject and the descriptor that is asked for, in a
//! block of its own, which faults when the create is over: a driver that wants to keep anything of it must
//! copy it.

use core::mem::{offset_of, size_of};
use core::ptr;
use std::collections::HashMap;

use ntsim_core::address::Va;
use ntsim_core::per_machine::PerMachine;
use ntsim_core::verifier::{self, Finding};
use parking_lot::Mutex;
use sys::status::NTSTATUS;
use sys::wdm::{ACCESS_STATE, IO_SECURITY_CONTEXT, MAXIMUM_ALLOWED, SECURITY_SUBJECT_CONTEXT};

use super::{Descriptor, FILES, Subject, check, map};
use crate::mm::Block;

/// The subjects of creates, by the address of the subject context in an access state.
#[derive(Default)]
struct Accesses {
    live: Mutex<HashMap<Va, Subject>>,
}

static ACCESSES: PerMachine<Accesses> = PerMachine::new();

fn accesses() -> &'static Accesses {
    ACCESSES.get()
}

/// The layout of the block; the descriptor that is asked for follows.
#[repr(C)]
struct Layout {
    context: IO_SECURITY_CONTEXT,
    state: ACCESS_STATE,
    /// The subject's token, opaque to drivers.
    token: [u64; 2],
}

type Bytes = [u8; size_of::<ACCESS_STATE>()];

/// The access state of a create, for as long as that lasts.
pub(crate) struct Access {
    block: Block,
    subject: Subject,
    /// The state as the driver gets it.
    sent: Bytes,
}

impl Access {
    /// The state in which `subject` asks for `desired` access to a file; `descriptor` holds the bytes of the
    /// security that a new object is to have, if any. `None` if the host has no memory.
    pub(crate) fn new(subject: &Subject, desired: u32, descriptor: &[u8]) -> Option<Self> {
        let block = Block::new(size_of::<Layout>() + descriptor.len())?;
        let layout = block.as_ptr::<Layout>();
        let behind = layout.wrapping_add(1).cast::<u8>();
        // SAFETY: the block is new and has room for the bytes behind the layout.
        unsafe { ptr::copy_nonoverlapping(descriptor.as_ptr(), behind, descriptor.len()) };
        // SAFETY: the block is zeroed, which is a valid layout, and no other code has it.
        let Layout { context, state, token } = unsafe { &mut *layout };
        let desired = map(desired, &FILES);
        state.RemainingDesiredAccess = desired;
        state.OriginalDesiredAccess = desired;
        state.SubjectSecurityContext.PrimaryToken = token.as_mut_ptr().cast();
        if !descriptor.is_empty() {
            state.SecurityDescriptor = behind.cast();
        }
        context.AccessState = state;
        context.DesiredAccess = desired;
        let mut access = Self { block, subject: subject.clone(), sent: [0; size_of::<ACCESS_STATE>()] };
        access.sent = access.bytes();
        accesses().live.lock().insert(access.subject_context(), subject.clone());
        Some(access)
    }

    /// Grants the subject what it asks for, as the device's descriptor says.
    ///
    /// # Errors
    /// As [`check`](super::check::check()).
    pub(crate) fn grant(&mut self, device: &Descriptor) -> Result<(), NTSTATUS> {
        // SAFETY: the block is this access's own, and no driver has it yet.
        let Layout { state, .. } = unsafe { &mut *self.block.as_ptr::<Layout>() };
        let granted = check(device, &self.subject, state.RemainingDesiredAccess, 0, &FILES)?;
        state.PreviouslyGrantedAccess = granted;
        state.RemainingDesiredAccess &= !(granted | MAXIMUM_ALLOWED);
        Ok(())
    }

    /// Takes the state out of what the create's stack location points to.
    pub(crate) fn hide_state(&mut self) {
        // SAFETY: the block is this access's own, and no driver has it yet.
        unsafe { (*self.context()).AccessState = ptr::null_mut() };
    }

    /// Returns the security context that the create's stack location points to.
    pub(crate) fn context(&self) -> *mut IO_SECURITY_CONTEXT {
        self.block.as_ptr()
    }

    fn state(&self) -> *mut ACCESS_STATE {
        self.block.as_ptr::<u8>().wrapping_add(offset_of!(Layout, state)).cast()
    }

    fn subject_context(&self) -> Va {
        Va::of(self.state()) + offset_of!(ACCESS_STATE, SubjectSecurityContext)
    }

    /// The state without the two masks between which a driver moves the rights that it grants.
    fn bytes(&self) -> Bytes {
        // SAFETY: the block is there and all of it was initialised.
        let mut bytes = unsafe { self.state().cast::<Bytes>().read() };
        bytes[offset_of!(ACCESS_STATE, RemainingDesiredAccess)..][..8].fill(0);
        bytes
    }
}

impl Drop for Access {
    fn drop(&mut self) {
        accesses().live.lock().remove(&self.subject_context());
        if self.bytes() != self.sent {
            let text = "a driver changed more of an access state than which rights it has granted";
            verifier::report(Finding::new("AccessState").text(text));
        }
    }
}

/// Returns the subject of a token in an access state. A token of no subject is a finding.
pub(super) fn subject_of_token(function: &str, token: *mut core::ffi::c_void) -> Option<Subject> {
    let live = accesses().live.lock();
    let found = live.iter().find(|(context, _)| {
        // SAFETY: a context is taken out of the table, which is locked, before its memory goes.
        let context = unsafe { &*context.ptr::<SECURITY_SUBJECT_CONTEXT>() };
        ptr::eq(context.PrimaryToken, token)
    });
    let subject = found.map(|(_, subject)| subject.clone());
    drop(live);
    if subject.is_none() {
        verifier::report(
            Finding::new("SubjectContext").text(format!(
                "{function} got {token:p}, which is not the token of a create that is under way"
            )),
        );
    }
    subject
}

/// Returns the subject whose context the driver passed to `function`. A context of no subject is a finding.
pub(super) fn subject(function: &str, context: *mut SECURITY_SUBJECT_CONTEXT) -> Option<Subject> {
    let subject = accesses().live.lock().get(&Va::of(context)).cloned();
    if subject.is_none() {
        verifier::report(Finding::new("SubjectContext").text(format!(
            "{function} got {context:p}, which is not the subject context of a create that is under way"
        )));
    }
    subject
}
