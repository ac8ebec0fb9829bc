//! The drive loop: does for an endpoint what its state machine asks for, one thing after another.

use sys::status::{
    NTSTATUS, STATUS_CONNECTION_ABORTED, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_CONNECTION,
    STATUS_SUCCESS,
};

use crate::call::Call;
use crate::ea::ConnectionContext;
use crate::endpoint::{self, Action, ConnectRequestOf, LinkOf, Stream};
use crate::event::Connect;
use crate::handler_irp::Given;
use crate::link_events::LinkEvents;
use crate::listen::ConnectTarget;
use crate::network::{Link, LinkBroken, Network};
use crate::request::{Command, Request};
use crate::slab::Id;
use crate::system::System;
use crate::transport::Transport;

impl<S: System<Client = Self>> Transport<S> {
    /// Works for an endpoint until there is nothing more to do, unless another thread does already: then that
    /// thread sees what the caller has left. Up to DISPATCH_LEVEL, with no lock held.
    pub(crate) fn drive(&self, id: Id) {
        match self.lock().endpoint(id) {
            Some(endpoint) if !endpoint.driving => endpoint.driving = true,
            _ => return,
        }
        while let Some((action, call)) = self.next(id) {
            self.perform(id, action, call);
        }
    }

    /// Returns the next action, or ends the drive loop if there is none.
    // A frame of its own, which has gone when the action is performed: that may lead to the drive loop of
    // another endpoint, and further.
    #[inline(never)]
    fn next(&self, id: Id) -> Option<(Action<S>, Option<Call<ConnectionContext>>)> {
        let mut locked = self.lock();
        let action = locked.step(id);
        let over = action.is_none().then(|| locked.rest(id));
        drop(locked);
        drop(over);
        action
    }

    fn perform(&self, id: Id, action: Action<S>, call: Option<Call<ConnectionContext>>) {
        match action {
            Action::Complete { request, status, information } => {
                request.complete(status, information);
                self.release(id);
            }
            Action::Connect { from, to } => {
                let link = self.network().connect(self, id, from, to);
                self.linked(id, link);
            }
            Action::Accept(connect_request) => {
                let link = self.network().accept(self, id, connect_request);
                self.linked(id, link);
            }
            Action::PassOn(connect_request) => {
                let local = <S::Network as Network<S>>::local(&connect_request);
                self.connect_event(local, connect_request);
            }
            Action::Refuse(connect_request) => drop(connect_request),
            Action::Open(link) => self.open(id, link),
            Action::Next(link) => {
                let completion = link.next();
                self.with_endpoint(id, |endpoint| endpoint.completed(completion));
            }
            Action::CopyToIrp(fill) => self.copy_to_irp(id, fill),
            Action::IndicateReceive(show) => self.indicate_receive(id, show, call),
            Action::Send { link, number, kind, place, length } => {
                // SAFETY: the bytes are those of a send request, which stays in its queue until the message
                // has passed or the link is gone; the end of a stream has none.
                let sent = unsafe { link.send(number, kind, place.as_ptr(), length) };
                if sent.is_err() {
                    self.with_endpoint(id, |endpoint| endpoint.unsent(number));
                }
            }
            Action::Indicate { indication, .. } => {
                if let Some(call) = call {
                    indication.give(&call);
                    self.over(call);
                }
            }
            Action::Disconnect(link) => {
                if !link.disconnect() {
                    self.with_endpoint(id, |endpoint| endpoint.link_events.add(LinkEvents::DISCONNECTED));
                }
            }
            Action::Close { link, untaken } => {
                link.close();
                drop(untaken.into_all());
            }
        }
    }

    fn linked(&self, id: Id, link: Result<LinkOf<S>, NTSTATUS>) {
        let place = link.as_ref().ok().map(|link| (link.rnic(), link.local()));
        let gone = self.lock().linked(id, link);
        // The removal of an RNIC, or of the address's last one, has perhaps not seen the link.
        if place.is_some_and(|(rnic, local)| gone || !self.network().serves(rnic, local.ip())) {
            self.with_endpoint(id, |endpoint| endpoint.link_events.add(LinkEvents::FORCED));
        }
    }

    fn open(&self, id: Id, link: LinkOf<S>) {
        let queues = match link.open() {
            Ok(()) => Stream::<LinkOf<S>>::queues().map_err(|_| STATUS_INSUFFICIENT_RESOURCES),
            Err(LinkBroken) => Err(STATUS_CONNECTION_ABORTED),
        };
        if let Some(Some(action)) = self.with_endpoint(id, |endpoint| endpoint.opened(link, queues)) {
            self.perform(id, action, None);
        }
    }

    fn copy_to_irp(&self, id: Id, mut fill: endpoint::CopyToIrp<S>) {
        let filled = fill.data.fill(&mut fill.request, fill.length, fill.peek);
        let endpoint::CopyToIrp { request, data, .. } = fill;
        // The receive has room for at least one byte, so that none went in means that it can't be reached.
        let status = if filled == 0 { STATUS_INSUFFICIENT_RESOURCES } else { STATUS_SUCCESS };
        self.with_endpoint(id, |endpoint| endpoint.took(data, false));
        request.complete(status, filled);
        self.release(id);
    }

    fn indicate_receive(
        &self,
        id: Id,
        show: endpoint::IndicateReceive<S>,
        call: Option<Call<ConnectionContext>>,
    ) {
        let endpoint::IndicateReceive { handler, mut data, .. } = show;
        let Some(call) = call else {
            self.with_endpoint(id, |endpoint| endpoint.took(data, true));
            return;
        };
        let taken = data.show(handler, &call);
        self.with_endpoint(id, |endpoint| endpoint.took(data, taken.bytes == 0));
        if let Some(irp) = taken.irp {
            // SAFETY: the client's handler returned it as a request that it gives away.
            let given = unsafe { self.take_over(irp, STATUS_INVALID_CONNECTION) };
            self.put_given(given, None, |file, _, command| {
                file == id && matches!(command, Command::Receive { .. })
            });
        }
        self.over(call);
    }

    /// Takes a connect request for `local`. Up to DISPATCH_LEVEL, with no lock held.
    pub fn connect_event(&self, local: core::net::SocketAddr, connect_request: ConnectRequestOf<S>) {
        let connect_target = self.lock().connect_target(local, connect_request);
        match connect_target {
            ConnectTarget::Endpoint(id) => self.drive(id),
            ConnectTarget::Client { address, handler, call, connect_request } => {
                self.ask(address, handler, &call, connect_request);
                self.over(call);
            }
            ConnectTarget::None(connect_request) => drop(connect_request),
        }
    }

    /// Asks a client whether it accepts.
    fn ask(&self, address: Id, handler: Connect, call: &Call<()>, connect_request: ConnectRequestOf<S>) {
        let peer = <S::Network as Network<S>>::peer(&connect_request);
        let Some(irp) = handler.call(call, peer) else { return };
        // SAFETY: the client's handler returned it as a request that it gives away.
        let given = unsafe { self.take_over(irp, STATUS_INVALID_CONNECTION) };
        self.put_given(given, Some(connect_request), |_, endpoint, command| {
            endpoint.address == Some(address) && *command == Command::Accept
        });
    }

    /// Begins a request that a client's handler made, if it is one that it may make there.
    fn put_given(
        &self,
        given: Option<Given<S>>,
        connect_request: Option<ConnectRequestOf<S>>,
        admits: impl FnOnce(Id, &endpoint::Endpoint<S>, &Command) -> bool,
    ) {
        let Some(Given { request, command, file }) = given else { return };
        let put = match &file {
            Err(status) => Err((request, connect_request, *status)),
            Ok(entered) => {
                let id = entered.file();
                let mut locked = self.lock();
                // Under the lock that puts it: a cleanup comes before both, or after both.
                let admitted = locked.open_file(id).and_then(|file| {
                    let endpoint = file.endpoint_mut().filter(|endpoint| admits(id, endpoint, &command));
                    endpoint.map(drop).ok_or(STATUS_INVALID_CONNECTION)
                });
                match admitted {
                    Ok(()) => locked.put(id, command, request, connect_request).map(|()| id),
                    Err(status) => Err((request, connect_request, status)),
                }
            }
        };
        match put {
            Ok(id) => {
                drop(file);
                self.drive(id);
            }
            Err((request, connect_request, status)) => {
                drop(connect_request);
                request.complete(status, 0);
                // Its file's cleanup waited until here.
                drop(file);
            }
        }
    }

    fn with_endpoint<R>(&self, id: Id, with: impl FnOnce(&mut endpoint::Endpoint<S>) -> R) -> Option<R> {
        self.lock().endpoint(id).map(with)
    }
}
