//! The operations: what a client, the network, the clock and the plug and play manager do.

use sys::tdi::*;
use test_kernel::{pump, pump_once};

use super::super::client::FAR;
use super::super::host::pass;
use super::client::{Clients, Which};
use super::handler;
use crate::ndk::message::{PIECE, WINDOW};
use crate::{Command, Source};

macro_rules! operations {
    ($($name:ident => $does:expr;)+) => {
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub(super) enum Operation {
            $($name,)+
        }

        impl Operation {
            pub(super) const ALL: &'static [Self] = &[$(Self::$name,)+];

            pub(super) fn perform(self, clients: &Clients) {
                match self {
                    $(Self::$name => {
                        let does: fn(&Clients) = $does;
                        does(clients);
                    })+
                }
            }
        }
    };
}

/// Longer than a limit of the operations, in units of 100 ns; two of these are longer than a connect request
/// may wait.
const LATER: u64 = 6_000_000;
const LIMIT: Option<u64> = Some(1000);

operations! {
    NearConnects => |c| connect(c, Which::Near, None);
    NearConnectsWithin => |c| connect(c, Which::Near, LIMIT);
    FarListens => |c| listen(c, Which::Far, false);
    FarListensAndAsks => |c| listen(c, Which::Far, true);
    SpareListens => |c| listen(c, Which::Spare, false);
    FarAccepts => |c| c.submit(Which::Far, TDI_ACCEPT, Command::Accept, Vec::new());
    NearAborts => |c| disconnect(c, Which::Near, TDI_DISCONNECT_ABORT);
    FarAborts => |c| disconnect(c, Which::Far, 0);
    NearReleases => |c| disconnect(c, Which::Near, TDI_DISCONNECT_RELEASE);
    FarReleases => |c| disconnect(c, Which::Far, TDI_DISCONNECT_RELEASE);
    FarAwaitsPeer => |c| disconnect(c, Which::Far, TDI_DISCONNECT_WAIT);
    NearSends => |c| send(c, Which::Near, 100, 0);
    NearSendsMuch => |c| send(c, Which::Near, PIECE * (WINDOW + 1), 0);
    NearSendsExpedited => |c| send(c, Which::Near, 10, TDI_SEND_EXPEDITED);
    NearSendsTheLast => |c| send(c, Which::Near, 10, TDI_SEND_AND_DISCONNECT);
    FarSends => |c| send(c, Which::Far, 100, 0);
    NearReceives => |c| receive(c, Which::Near, 0);
    FarReceives => |c| receive(c, Which::Far, 0);
    FarReceivesExpedited => |c| receive(c, Which::Far, TDI_RECEIVE_EXPEDITED);
    FarPeeks => |c| receive(c, Which::Far, TDI_RECEIVE_PEEK);
    NearSendsDatagram => |c| {
        let command = Command::SendDatagram { to: FAR.parse().ok(), length: 10 };
        c.submit(Which::NearAddress, TDI_SEND_DATAGRAM, command, vec![7; 10]);
    };
    FarReceivesDatagram => |c| {
        let command = Command::ReceiveDatagram { from: Source::Any, length: 10, flags: 0 };
        c.submit(Which::FarAddress, TDI_RECEIVE_DATAGRAM, command, vec![0; 10]);
    };
    SetsHandlers => |c| {
        handler::far().iter().for_each(|(event, function)| c.set_event(Which::FarAddress, *event, Some(*function)));
        handler::near().iter().for_each(|(event, function)| c.set_event(Which::NearAddress, *event, Some(*function)));
    };
    TakesHandlers => |c| {
        handler::far().iter().for_each(|(event, _)| c.set_event(Which::FarAddress, *event, None));
    };
    Queries => |c| {
        for (which, kind) in [
            (Which::Far, TDI_QUERY_CONNECTION_INFO),
            (Which::Near, TDI_QUERY_ADDRESS_INFO),
            (Which::FarAddress, TDI_QUERY_ADDRESS_INFO),
        ] {
            c.inline(which, TDI_QUERY_INFORMATION, |id| c.client.transport.query(id, kind.cast_signed()).map(drop));
        }
    };
    AssociatesFar => |c| {
        c.referring(Which::FarAddress, |address| {
            c.inline(Which::Far, TDI_ASSOCIATE_ADDRESS, |id| c.client.transport.associate(id, address));
        });
    };
    AssociatesSpareWithThird => |c| {
        c.inline(Which::Spare, TDI_DISASSOCIATE_ADDRESS, |id| c.client.transport.disassociate(id));
        c.referring(Which::Third, |address| {
            c.inline(Which::Spare, TDI_ASSOCIATE_ADDRESS, |id| c.client.transport.associate(id, address));
        });
    };
    DisassociatesNear => |c| {
        c.inline(Which::Near, TDI_DISASSOCIATE_ADDRESS, |id| c.client.transport.disassociate(id));
    };
    DisassociatesFar => |c| {
        c.inline(Which::Far, TDI_DISASSOCIATE_ADDRESS, |id| c.client.transport.disassociate(id));
    };
    NearConnectsCancelled => |c| {
        let command = Command::Connect { to: FAR.parse().ok(), limit: LIMIT };
        c.submit_cancelled(Which::Near, TDI_CONNECT, command);
    };
    FarListensCancelled => |c| c.submit_cancelled(Which::Far, TDI_LISTEN, Command::Listen { query: false });
    FarAcceptsCancelled => |c| c.submit_cancelled(Which::Far, TDI_ACCEPT, Command::Accept);
    NearReleasesCancelled => |c| {
        let command = Command::Disconnect { flags: TDI_DISCONNECT_RELEASE, limit: LIMIT };
        c.submit_cancelled(Which::Near, TDI_DISCONNECT, command);
    };
    CancelsNewest => |c| c.cancel(0);
    CancelsOlder => |c| c.cancel(1);
    CancelsOldest => |c| c.cancel(2);
    DeferredCall => |_| {
        pump_once();
    };
    DeferredCalls => |_| {
        pump();
    };
    TimePasses => |c| {
        pass(LATER);
        c.client.transport.tick();
    };
    OpensThird => Clients::open_third;
    NearAdapterGoes => |c| c.disable(0);
    FarAdapterGoes => |c| c.disable(1);
    FarAdapterReturns => |c| c.enable(1);
    NearAdapterLeavesBriefly => |c| {
        c.disable(0);
        c.enable(0);
    };
    FarAdapterLeavesBriefly => |c| {
        c.disable(1);
        c.enable(1);
    };
    FarAddressGoes => |c| c.client.take_address(1);
    FarAddressReturns => |c| c.client.return_address(1);
    CleansNear => |c| c.clean_up(Which::Near);
    CleansFar => |c| c.clean_up(Which::Far);
    CleansSpare => |c| c.clean_up(Which::Spare);
    CleansNearAddress => |c| c.clean_up(Which::NearAddress);
    CleansFarAddress => |c| c.clean_up(Which::FarAddress);
    ClosesNear => |c| close(c, Which::Near);
    ClosesFar => |c| close(c, Which::Far);
    ClosesFarAddress => |c| close(c, Which::FarAddress);
    ClosesThird => |c| close(c, Which::Third);
}

fn connect(clients: &Clients, which: Which, limit: Option<u64>) {
    clients.submit(which, TDI_CONNECT, Command::Connect { to: FAR.parse().ok(), limit }, Vec::new());
}

fn listen(clients: &Clients, which: Which, query: bool) {
    clients.submit(which, TDI_LISTEN, Command::Listen { query }, Vec::new());
}

/// An abort has no limit to speak of, all else has one.
fn disconnect(clients: &Clients, which: Which, flags: u32) {
    clients.submit(which, TDI_DISCONNECT, Command::Disconnect { flags, limit: LIMIT }, Vec::new());
}

fn send(clients: &Clients, which: Which, length: usize, flags: u32) {
    clients.submit(which, TDI_SEND, Command::Send { length, flags }, vec![7; length]);
}

fn receive(clients: &Clients, which: Which, flags: u32) {
    clients.submit(which, TDI_RECEIVE, Command::Receive { length: 100, flags }, vec![0; 100]);
}

fn close(clients: &Clients, which: Which) {
    clients.clean_up(which);
    clients.close(which);
}
