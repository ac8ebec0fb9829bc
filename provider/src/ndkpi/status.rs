//! The NTSTATUS that the documentation has for each error of the objects, in one place.

use sys::status::{
    STATUS_ACCESS_VIOLATION, STATUS_ADDRESS_ALREADY_ASSOCIATED, STATUS_CONNECTION_INVALID,
    STATUS_DELETE_PENDING, STATUS_IMPLEMENTATION_LIMIT, STATUS_INSUFFICIENT_RESOURCES,
    STATUS_INVALID_ADDRESS, STATUS_INVALID_DEVICE_REQUEST, STATUS_INVALID_DEVICE_STATE,
    STATUS_INVALID_PARAMETER, STATUS_INVALID_PARAMETER_MIX, STATUS_SHARING_VIOLATION,
    STATUS_TOO_MANY_ADDRESSES,
};

use crate::completion::ModerationError;
use crate::connection::{BindError, ConnectError, ListenError};
use crate::memory::{AccessError, RegisterError, WindowError};
use crate::queue_pair::PostError;
use crate::status::StatusError;

impl From<ModerationError> for StatusError {
    fn from(_: ModerationError) -> Self {
        Self(STATUS_INVALID_PARAMETER_MIX)
    }
}

impl From<ConnectError> for StatusError {
    fn from(ConnectError(status): ConnectError) -> Self {
        Self(status)
    }
}

impl From<BindError> for StatusError {
    fn from(error: BindError) -> Self {
        Self(match error {
            BindError::InUse => STATUS_SHARING_VIOLATION,
            BindError::NoPort => STATUS_TOO_MANY_ADDRESSES,
            BindError::NoMemory => STATUS_INSUFFICIENT_RESOURCES,
        })
    }
}

impl From<ListenError> for StatusError {
    fn from(error: ListenError) -> Self {
        match error {
            ListenError::Listening => Self(STATUS_ADDRESS_ALREADY_ASSOCIATED),
            ListenError::NotLocal => Self(STATUS_INVALID_ADDRESS),
            ListenError::Closing => Self(STATUS_DELETE_PENDING),
            ListenError::Bind(error) => error.into(),
        }
    }
}

impl From<RegisterError> for StatusError {
    fn from(error: RegisterError) -> Self {
        Self(match error {
            RegisterError::State => STATUS_INVALID_DEVICE_STATE,
            RegisterError::Memory => STATUS_INVALID_PARAMETER,
            RegisterError::Rights => STATUS_ACCESS_VIOLATION,
            RegisterError::Limit => STATUS_IMPLEMENTATION_LIMIT,
            RegisterError::Resources => STATUS_INSUFFICIENT_RESOURCES,
        })
    }
}

impl From<AccessError> for StatusError {
    fn from(_: AccessError) -> Self {
        Self(STATUS_ACCESS_VIOLATION)
    }
}

impl From<WindowError> for StatusError {
    fn from(refusal: WindowError) -> Self {
        match refusal {
            WindowError::Region(refusal) => refusal.into(),
            WindowError::Object(refused) => refused.into(),
        }
    }
}

impl From<PostError> for StatusError {
    fn from(error: PostError) -> Self {
        Self(match error {
            PostError::NotConnected => STATUS_CONNECTION_INVALID,
            PostError::TooLarge => STATUS_INVALID_PARAMETER,
            PostError::QueueFull => STATUS_INSUFFICIENT_RESOURCES,
            PostError::SharedReceives => STATUS_INVALID_DEVICE_REQUEST,
        })
    }
}
