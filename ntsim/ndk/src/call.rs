//! One call of a consumer's into the provider.

use core::marker::PhantomData;
use std::sync::Arc;

use ntsim_core::address::Va;

use crate::boundary;
use crate::kind::Object;
use crate::layer::layer;
use crate::object::{Stage, TrackedObject};
use crate::rules::{self, found};

/// A call of the function called `name` on an open object.
pub(crate) struct Call<T: Object> {
    pub(crate) tracked: Arc<TrackedObject>,
    pub(crate) name: &'static str,
    object: PhantomData<*mut T>,
}

impl<T: Object> Call<T> {
    /// A call that may go on to the provider; `None`, with a finding, if it must not.
    pub(crate) fn begin(object: *mut T, name: &'static str) -> Option<Self> {
        boundary::entered_by_consumer(name);
        let tracked = open(object, name)?;
        tracked.check_header();
        Some(Self { tracked, name, object: PhantomData })
    }

    /// The provider's table.
    pub(crate) fn dispatch(&self) -> *const T::Dispatch {
        self.tracked.dispatch::<T>()
    }

    /// Returns whether the object's version has the function, which came with `major`.`minor`; a finding if not.
    pub(crate) fn since(&self, major: u16, minor: u16) -> bool {
        let has = (self.tracked.version.Major, self.tracked.version.Minor) >= (major, minor);
        if !has {
            found(
                rules::FUNCTION_NOT_IN_VERSION,
                format!("{} of {}: the function came with version {major}.{minor}", self.name, self.tracked),
            );
        }
        has
    }

    /// Reports that the consumer passed no callback where one must be.
    #[cold]
    pub(crate) fn misses_callback(&self) {
        found(rules::CALLBACK_MISSING, format!("{} of {} got no callback", self.name, self.tracked));
    }

    /// Goes to the provider and back.
    pub(crate) fn run<R: 'static>(&self, provider: impl FnOnce() -> R) -> R {
        layer().statistics.call(self.name);
        boundary::into_provider(self.name, provider)
    }
}

/// The open object that a consumer means by `object`; `None`, with a finding, if there is none.
pub(crate) fn open<T: Object>(object: *mut T, name: &'static str) -> Option<Arc<TrackedObject>> {
    let Some(tracked) = layer().objects.find(Va::of(object)) else {
        found(rules::HANDLE_INVALID, format!("{name} was given {object:p}, which is no object"));
        return None;
    };
    if tracked.kind != T::KIND {
        found(rules::HANDLE_INVALID, format!("{name} was given {tracked} in place of a {}", T::KIND));
        return None;
    }
    if tracked.stage() != Stage::Open {
        found(rules::USE_AFTER_CLOSE, format!("{name} was given {tracked}, which the consumer has closed"));
        return None;
    }
    Some(tracked)
}

/// As [`open`], for an argument; a null one is the provider's to refuse.
pub(crate) fn argument<T: Object>(
    object: *mut T,
    name: &'static str,
) -> Result<Option<Arc<TrackedObject>>, ()> {
    if object.is_null() { Ok(None) } else { open(object, name).map(Some).ok_or(()) }
}

/// Enters the function of that name on an object: the call, and the provider's function for it. If there can be
/// no such call, the calling function returns: a status, or what stands behind `else return`.
macro_rules! enter {
    ($object:ident, $name:ident $(, since $major:literal, $minor:literal)?) => {
        $crate::call::enter!(
            @ $object, $name, ($($major, $minor)?),
            return sys::status::STATUS_INVALID_HANDLE, return sys::status::STATUS_NOT_SUPPORTED
        )
    };
    (
        $object:ident, $name:ident $(, since $major:literal, $minor:literal)?,
        else return $($otherwise:literal)?
    ) => {
        $crate::call::enter!(
            @ $object, $name, ($($major, $minor)?), return $($otherwise)?, return $($otherwise)?
        )
    };
    (@ $object:ident, $name:ident, ($($major:literal, $minor:literal)?), $invalid:expr, $unsupported:expr) => {{
        let Some(call) = $crate::call::Call::begin($object, stringify!($name)) else { $invalid };
        $(if !call.since($major, $minor) {
            $unsupported;
        })?
        // SAFETY: the layer's table for this version has the slot, so the provider's has it as well.
        match unsafe { (*call.dispatch()).$name } {
            Some(function) => (call, function),
            None => $unsupported,
        }
    }};
}
pub(crate) use enter;
