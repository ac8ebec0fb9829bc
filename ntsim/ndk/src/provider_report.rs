//! The provider's own report about an object that it is closing, if it has the extension for that.

use core::fmt;
use core::ptr;
use std::sync::Arc;

use ntsim_core::address::Va;
use ntsim_core::loader::image_at;
use ntsim_core::number::{ToUsize, narrow};
use sys::explain::{
    EXPLAIN_DISPATCH, EXPLAIN_EXTENSION, EXPLAIN_KIND, EXPLAIN_REASON, EXPLAIN_VERSION, FN_EXPLAIN,
};
use sys::ndk::{NDK_ADAPTER, NDK_EXTENSION_INTERFACE};
use sys::status::NT_SUCCESS;

use crate::boundary;
use crate::kind::Kind;
use crate::object::{Stage, TrackedObject};

/// The most reasons that are asked for.
const MOST: usize = 64;

/// Something that keeps an object from going, as its provider sees it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reason {
    /// The close call itself.
    CloseCall,
    /// A successor.
    Successor {
        /// Its kind; none if the provider names a kind that does not exist.
        kind: Option<Kind>,
        /// The consumer's handle.
        handle: Va,
        /// Set if its own close is pending.
        closing: bool,
    },
    /// So many successors without a handle.
    Nameless(u32),
    /// So many requests, calls and connections in progress.
    Requests(u32),
    /// So many callbacks queued or running.
    Callbacks(u32),
    /// TCP, which has so many sends.
    Network {
        /// The sends.
        sends: u32,
        /// Set if TCP was asked to close the connection or port.
        closing: bool,
    },
}

/// Returns the provider's report about `tracked`; `None` if it can't be asked or does not know.
pub(crate) fn of(tracked: &Arc<TrackedObject>) -> Option<Vec<Reason>> {
    let adapter = tracked.adapter();
    if adapter.stage() == Stage::Closed {
        return None;
    }
    let explain = function(adapter)?;
    let nothing = EXPLAIN_REASON { Kind: EXPLAIN_KIND(0), Closing: 0, Number: 0, Handle: 0 };
    let mut reasons = [nothing; MOST];
    let mut count = 0;
    let object = adapter.handle.ptr::<NDK_ADAPTER>();
    let room = reasons.as_mut_ptr();
    // SAFETY: the adapter has not gone, and there is room for as many reasons as are asked for.
    let status = boundary::into_provider("Explain", || unsafe {
        explain(object, tracked.handle.get(), room, narrow(MOST), &raw mut count)
    });
    NT_SUCCESS(status).then(|| reasons.iter().take(count.to_usize()).filter_map(reason).collect())
}

/// The extension's function.
fn function(adapter: &Arc<TrackedObject>) -> Option<FN_EXPLAIN> {
    let query = adapter.extension_query()?;
    // A driver that was unloaded with an adapter open answers nothing any more.
    if image_at(Va::of(query as *const ())).is_some_and(|image| !image.is_loaded()) {
        return None;
    }
    let object = adapter.handle.ptr();
    let mut interface = NDK_EXTENSION_INTERFACE { Dispatch: ptr::null() };
    let place = &raw mut interface;
    // SAFETY: the adapter has not gone; the identifier and the interface live during the call.
    let status = boundary::into_provider("NdkQueryExtension", || unsafe {
        query(object, &EXPLAIN_EXTENSION, EXPLAIN_VERSION, place)
    });
    let table = interface.Dispatch.cast::<EXPLAIN_DISPATCH>();
    if !NT_SUCCESS(status) || table.is_null() {
        return None;
    }
    // SAFETY: the provider says that it has the extension, whose table is of this type.
    unsafe { (*table).Explain }
}

fn reason(raw: &EXPLAIN_REASON) -> Option<Reason> {
    Some(match raw.Kind {
        EXPLAIN_KIND::CLOSE_CALL => Reason::CloseCall,
        EXPLAIN_KIND::SUCCESSOR => Reason::Successor {
            kind: Kind::ALL.into_iter().find(|kind| kind.object_type() == raw.object_type()),
            handle: Va::new(raw.Handle),
            closing: raw.Closing != 0,
        },
        EXPLAIN_KIND::NAMELESS => Reason::Nameless(raw.Number),
        EXPLAIN_KIND::REQUESTS => Reason::Requests(raw.Number),
        EXPLAIN_KIND::CALLBACKS => Reason::Callbacks(raw.Number),
        EXPLAIN_KIND::NETWORK => Reason::Network { sends: raw.Number, closing: raw.Closing != 0 },
        _ => return None,
    })
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CloseCall => f.write_str("its close call"),
            Self::Successor { kind, handle, closing } => {
                let state = if *closing { "closing" } else { "open" };
                match kind {
                    Some(kind) => write!(f, "{kind} {handle:#x} ({state})"),
                    None => write!(f, "an object {handle:#x} ({state})"),
                }
            }
            Self::Nameless(count) => write!(f, "{count} successors without a handle"),
            Self::Requests(count) => write!(f, "{count} requests in progress"),
            Self::Callbacks(count) => write!(f, "{count} callbacks in progress"),
            Self::Network { sends, closing } => {
                let asked = if *closing { ", its close issued" } else { "" };
                write!(f, "TCP, which has {sends} sends{asked}")
            }
        }
    }
}
