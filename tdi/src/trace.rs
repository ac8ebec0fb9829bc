//! Trace of the connections that an RNIC's removal waits for.

#![forbid(unsafe_code)]

use provider::Kernel;

use crate::slab::Id;
use crate::system::System;
use crate::transport::Transport;

/// The most endpoints that a trace lists.
const TRACED: usize = 32;

impl<S: System<Client = Self>> Transport<S> {
    /// Prints for the kernel debugger which endpoints are not idle, in which state, and how many requests refer to
    /// them. PASSIVE_LEVEL.
    pub(crate) fn trace_endpoints(&self) {
        let mut after = None;
        for _ in 0..TRACED {
            let Some((id, state, requests)) = self.busy_after(after) else { return };
            S::Kernel::trace(format_args!("  endpoint {:#x}: {state}, {requests} requests", id.to_raw()));
            after = Some(id);
        }
        S::Kernel::trace(format_args!("  and perhaps more"));
    }

    /// The next endpoint that is not idle, its state, and how many requests refer to it.
    fn busy_after(&self, after: Option<Id>) -> Option<(Id, &'static str, u32)> {
        let mut locked = self.lock();
        let mut rest =
            locked.files.iter_mut().skip_while(|(id, _)| after.is_some_and(|after| !id.follows(after)));
        rest.find_map(|(id, file)| {
            let outstanding = file.outstanding;
            let endpoint = file.endpoint_mut().filter(|endpoint| !endpoint.is_idle())?;
            Some((id, endpoint.state_name(), outstanding))
        })
    }
}
