//! The stages: how far the clients are when the operations begin.

use test_kernel::pump;

use super::client::Clients;
use super::operation::Operation::{self, *};

macro_rules! stages {
    ($($name:ident: [$($operation:ident),*];)+) => {
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub(super) enum Stage {
            $($name,)+
        }

        impl Stage {
            pub(super) const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The operations that lead there, from two associated endpoints.
            const fn operations(self) -> &'static [Operation] {
                match self {
                    $(Self::$name => &[$($operation),*],)+
                }
            }
        }
    };
}

stages! {
    Idle: [DisassociatesNear, DisassociatesFar];
    Associated: [];
    Handled: [SetsHandlers];
    Listening: [FarListens];
    ListeningTwice: [FarListens, SpareListens, OpensThird];
    Asking: [FarListensAndAsks];
    Connecting: [FarListens, NearConnectsWithin];
    Requested: [FarListensAndAsks, NearConnectsWithin, DeferredCalls];
    Accepted: [FarListensAndAsks, NearConnects, DeferredCalls, FarAccepts];
    Connected: [FarListens, NearConnects, DeferredCalls];
    ConnectedAndHandled: [SetsHandlers, FarListens, NearConnects, DeferredCalls];
    Arrived: [FarListens, NearConnects, DeferredCalls, NearSends, NearSendsExpedited, DeferredCalls];
    Receiving: [FarListens, NearConnects, DeferredCalls, FarReceives, FarReceivesExpedited, NearReceives];
    SendsWait: [FarListens, NearConnects, DeferredCalls, NearSendsMuch, NearSends, DeferredCalls];
    Releasing: [FarListens, NearConnects, DeferredCalls, NearSends, NearReleases, DeferredCalls];
    Released: [FarListens, NearConnects, DeferredCalls, FarAwaitsPeer, NearReleases, DeferredCalls, FarReceives];
    Ending: [FarListens, NearConnects, DeferredCalls, NearReleases, DeferredCalls, FarReleases];
    PeerGone: [FarListens, NearConnects, DeferredCalls, NearReceives, ClosesFar];
    Returned: [FarAdapterGoes, FarAdapterReturns];
    Reopened: [ClosesFarAddress];
    AdapterGone: [OpensThird, FarListens, FarReceivesDatagram, FarAdapterGoes];
    AdapterReturned: [FarListens, FarAdapterGoes, FarAdapterReturns, OpensThird];
    AddressGone: [OpensThird, FarListens, FarReceivesDatagram, FarAddressGoes];
    AddressReturned: [FarListens, FarAddressGoes, FarAddressReturns, OpensThird];
    Datagrams: [FarReceivesDatagram, FarReceivesDatagram, NearSendsDatagram];
}

impl Stage {
    /// Brings new clients there.
    pub(super) fn reach(self, clients: &Clients) {
        let operations = self.operations();
        operations.iter().for_each(|operation| operation.perform(clients));
        // What ends with an operation of the network leaves nothing; all else leaves what is on its way.
        if operations.is_empty() {
            pump();
        }
    }
}
