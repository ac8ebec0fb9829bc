//! The parameters of an open of a file.

#![forbid(unsafe_code)]

use core::ptr;
use std::sync::Arc;

use sys::status::{NTSTATUS, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_PARAMETER};
use sys::wdm::{
    FILE_SYNCHRONOUS_IO_NONALERT, IO_SECURITY_CONTEXT, KPROCESSOR_MODE, KernelMode, SL_FORCE_ACCESS_CHECK,
    SYNCHRONIZE, UserMode,
};

use crate::se::{Access, Descriptor, Subject};

/// Others may read.
const FILE_SHARE_READ: u16 = 1;
/// Others may write.
const FILE_SHARE_WRITE: u16 = 2;
/// `FILE_READ_DATA | FILE_WRITE_DATA | SYNCHRONIZE`.
const READ_WRITE: u32 = 0x0010_0003;

/// The opener of a file: the parameters that a program passes to `NtCreateFile`, a driver to `ZwCreateFile`.
#[derive(Clone, Debug)]
pub struct Opener {
    subject: Subject,
    share: u16,
    synchronous: bool,
    access: u32,
    /// Of the descriptor that is asked for; nothing if none is.
    descriptor: Arc<[u8]>,
    requestor: Requestor,
    told: Told,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Requestor {
    User,
    Kernel,
    /// The kernel, which wants to be checked as a user is.
    KernelForced,
}

/// The security information that the driver gets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Told {
    All,
    NoAccessState,
    NoSecurityContext,
}

impl Opener {
    /// A program of `subject`, which wants to read and write and lets others do so, by an asynchronous handle: in
    /// CreateFile's terms, `FILE_FLAG_OVERLAPPED`.
    pub fn new(subject: Subject) -> Self {
        Self {
            subject,
            share: FILE_SHARE_READ | FILE_SHARE_WRITE,
            synchronous: false,
            access: READ_WRITE,
            descriptor: Arc::default(),
            requestor: Requestor::User,
            told: Told::All,
        }
    }

    /// Shares the file so (`FILE_SHARE_…`).
    #[must_use]
    pub fn share(mut self, share: u16) -> Self {
        self.share = share;
        self
    }

    /// Opens the file for synchronous I/O (`FILE_SYNCHRONOUS_IO_NONALERT`), as CreateFile does without
    /// `FILE_FLAG_OVERLAPPED`: its requests are sent one at a time.
    #[must_use]
    pub fn synchronous(mut self) -> Self {
        self.synchronous = true;
        self
    }

    /// Asks for these rights, generic ones and `MAXIMUM_ALLOWED` included.
    #[must_use]
    pub fn access(mut self, access: u32) -> Self {
        self.access = access;
        self
    }

    /// Asks for this security for what it makes by opening the file (`SecurityDescriptor` of the object
    /// attributes).
    #[must_use]
    pub fn descriptor(mut self, descriptor: &Descriptor) -> Self {
        self.descriptor = descriptor.to_bytes().into();
        self
    }

    /// Opens the file as a driver does, without an access check.
    #[must_use]
    pub fn kernel(mut self) -> Self {
        self.requestor = Requestor::Kernel;
        self
    }

    /// Opens the file as a driver does that acts for a user (`OBJ_FORCE_ACCESS_CHECK`): it is checked as that
    /// user is.
    #[must_use]
    pub fn forced(mut self) -> Self {
        self.requestor = Requestor::KernelForced;
        self
    }

    /// Sends a create as another driver may make one: its security context has no access state. As the
    /// I/O manager has no part in it, the device's descriptor is not checked.
    #[must_use]
    pub fn without_access_state(mut self) -> Self {
        self.told = Told::NoAccessState;
        self
    }

    /// As [`without_access_state`](Self::without_access_state), and without a security context.
    #[must_use]
    pub fn without_security_context(mut self) -> Self {
        self.told = Told::NoSecurityContext;
        self
    }

    /// Asks for access by the descriptor of a device, if one is to be asked. The driver may use the result
    /// until its create is completed.
    ///
    /// # Errors
    /// STATUS_ACCESS_DENIED if the descriptor does not grant it, STATUS_INSUFFICIENT_RESOURCES.
    pub(super) fn ask(&self, device: Option<&Descriptor>) -> Result<Access, NTSTATUS> {
        let mut access =
            Access::new(&self.subject, self.access, &self.descriptor).ok_or(STATUS_INSUFFICIENT_RESOURCES)?;
        match (self.told, device) {
            (Told::All, Some(device)) if self.requestor != Requestor::Kernel => access.grant(device)?,
            (Told::All, _) => (),
            (Told::NoAccessState | Told::NoSecurityContext, _) => access.hide_state(),
        }
        Ok(access)
    }

    /// The security context of the create.
    pub(super) fn context(&self, access: &Access) -> *mut IO_SECURITY_CONTEXT {
        if self.told == Told::NoSecurityContext { ptr::null_mut() } else { access.context() }
    }

    /// The options of the create (`FILE_…`).
    ///
    /// # Errors
    /// STATUS_INVALID_PARAMETER for synchronous I/O without the right to wait: "The DesiredAccess parameter must include
    /// SYNCHRONIZE" (windows-driver-docs-ddi, nf-ntifs-ntcreatefile, CreateOptions).
    pub(super) fn options(&self) -> Result<u32, NTSTATUS> {
        match self.synchronous {
            true if self.access & SYNCHRONIZE == 0 => Err(STATUS_INVALID_PARAMETER),
            true => Ok(FILE_SYNCHRONOUS_IO_NONALERT),
            false => Ok(0),
        }
    }

    /// Returns the access that it shares (`FILE_SHARE_…`).
    pub(super) fn shared(&self) -> u16 {
        self.share
    }

    /// Returns the requestor mode of the packet.
    pub(super) fn mode(&self) -> KPROCESSOR_MODE {
        if self.requestor == Requestor::User { UserMode } else { KernelMode }
    }

    /// The flags of the stack location.
    pub(super) fn flags(&self) -> u8 {
        if self.requestor == Requestor::KernelForced { SL_FORCE_ACCESS_CHECK } else { 0 }
    }
}
