//! The stages of a connection, each built anew for a run.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::ptr::null_mut;
use std::rc::Rc;

use sys::ndk::*;
use sys::status::*;
use sys::wdm::PVOID;
use test_kernel::at_each;
use test_kernel::network::{self, InABox};

use super::op::{End, FAR, NEAR, Op};
use super::thing::Role;
use super::world::{Context, World, enter, on_connect, on_notification};
use crate::rnic::{Fabric, Rnic};
use crate::tests::consumer::{Lent, call};
use crate::tests::wire::SETTINGS;

/// Stage of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The listener listens.
    Idle,
    /// A connect request is queued at the listener, and not shown yet.
    Queued,
    /// The listener has indicated it.
    Requested,
    /// The far end has rejected it; the near end was not told yet.
    Rejected,
    /// The near end was told.
    Refused,
    /// The far end has accepted; the near end was not told yet.
    Accepted,
    /// The near end was told.
    Completing,
    Established,
    /// From a shared endpoint.
    Shared,
    /// Sends wait for a receive, and a timer runs.
    Waiting,
    /// Likewise, at a QP with an SRQ.
    WaitingShared,
    /// Receives are posted, both CQs are armed.
    Armed,
    /// A notification is held back by moderation.
    Moderated,
    /// The near end has disconnected, and the far end was told.
    PeerGone,
    /// The near end has disconnected; nothing was delivered yet.
    Disconnecting,
    /// The near end has closed its connector before the far end answered.
    Abandoned,
    /// Both ends wait for their addresses: NdkListen, NdkConnect and NdkCreateSharedEndpoint pend.
    Arriving,
    /// Likewise, from a shared endpoint.
    ArrivingShared,
}

impl Stage {
    /// All of them.
    pub(super) const ALL: [Self; 18] = [
        Self::Idle,
        Self::Queued,
        Self::Requested,
        Self::Rejected,
        Self::Refused,
        Self::Accepted,
        Self::Completing,
        Self::Established,
        Self::Shared,
        Self::Waiting,
        Self::WaitingShared,
        Self::Armed,
        Self::Moderated,
        Self::PeerGone,
        Self::Disconnecting,
        Self::Abandoned,
        Self::Arriving,
        Self::ArrivingShared,
    ];

    /// The place in [`Stage::ALL`].
    pub(super) fn number(self) -> usize {
        Self::ALL.iter().position(|stage| *stage == self).expect("every stage is listed")
    }

    /// Returns the operations that lead to the stage.
    fn way(self) -> Vec<Op> {
        use Op::*;
        let connect = Connect(Role::Qp);
        let connect_request = vec![connect, Dpc];
        let accept = [connect_request.clone(), vec![Accept(Role::Qp)]].concat();
        let established = [accept.clone(), vec![Dpc, CompleteConnect, Dpc]].concat();
        let then = |way: &[Op], more: &[Op]| [way, more].concat();
        let receives = [Receive(NEAR), Receive(FAR), Receive(FAR)];
        match self {
            Self::Idle => vec![],
            Self::Queued => vec![connect],
            Self::Requested => connect_request,
            Self::Rejected => then(&connect_request, &[Reject(FAR)]),
            Self::Refused => then(&connect_request, &[Reject(FAR), Dpc]),
            Self::Accepted => accept,
            Self::Completing => then(&accept, &[Dpc]),
            Self::Established => established,
            Self::Shared => {
                vec![ConnectShared, Dpc, Accept(Role::Qp), Dpc, CompleteConnect, Dpc, CreateShared]
            }
            Self::Waiting => then(
                &established,
                &[Receive(NEAR), Bind(FAR), Send(NEAR), Send(NEAR), Send(NEAR), Send(NEAR)],
            ),
            Self::WaitingShared => then(&established, &[Receive(NEAR), Send(NEAR), Send(NEAR)]),
            Self::Armed => [&established[..], &receives[..], &[Arm(NEAR), Arm(FAR)]].concat(),
            Self::Moderated => {
                let moderate = [Moderate(NEAR), Moderate(FAR), Arm(NEAR), Arm(FAR)];
                [&established[..], &receives[..], &moderate[..], &[Send(NEAR), Write(FAR)]].concat()
            }
            Self::PeerGone => [&established[..], &receives[..], &[Disconnect(NEAR), Dpc]].concat(),
            Self::Disconnecting => [&established[..], &receives[..], &[Disconnect(NEAR)]].concat(),
            Self::Arriving => vec![RemoveAddress(NEAR), RemoveAddress(FAR), Listen, CreateShared, connect],
            Self::ArrivingShared => {
                vec![RemoveAddress(NEAR), RemoveAddress(FAR), Listen, CreateShared, ConnectShared]
            }
            Self::Abandoned => then(&connect_request, &[Close(NEAR, Role::Connector), Dpc]),
        }
    }

    /// Returns true if the listener does not listen yet in this stage.
    fn arrives(self) -> bool {
        matches!(self, Self::Arriving | Self::ArrivingShared)
    }

    /// Builds the stage.
    pub(super) fn build(self, wire: bool) -> Rc<World> {
        let world = World::new(self == Self::WaitingShared, wire);
        enter(Some(world.clone()));
        let hook = Rc::downgrade(&world);
        at_each(Some(Rc::new(move |point| {
            if let Some(world) = hook.upgrade() {
                world.point(point);
            }
        })));
        world.share_own();
        if !self.arrives() {
            assert!(world.perform(Op::Listen), "the listener is there");
        }
        if wire {
            world.perform(Op::Dpc);
        }
        for op in self.way() {
            assert!(world.perform(op), "{op:?} leads to {self:?}");
        }
        world
    }
}

/// The address of an end.
pub(super) fn address(end: End) -> SocketAddr {
    let address = if end == NEAR { ([10, 0, 0, 1], 5000) } else { ([10, 0, 0, 2], 445) };
    address.into()
}

/// The shared endpoint's port.
pub(super) const SHARED_PORT: u16 = 6000;

/// The port of the shared endpoint that an operation makes.
pub(super) const CREATED_PORT: u16 = 6001;

/// The driver's work item is [`Op::Arrive`] and [`Op::LookUp`], which come at any time.
unsafe extern "efiapi" fn is_to_look_up(_: PVOID) {}

fn create<T>(create: impl FnOnce(*mut *mut T) -> NTSTATUS) -> PVOID {
    let out = Lent::new(&[null_mut::<T>()]);
    assert_eq!(create(out.pointer()), STATUS_SUCCESS);
    out.get(0).cast()
}

impl World {
    fn new(shares_receives: bool, wire: bool) -> Rc<Self> {
        network::clear();
        let fabric = Fabric::new().unwrap();
        let rnics = [NEAR, FAR].map(|end| {
            let rnic = if wire { Rnic::with_network(&fabric, InABox, SETTINGS) } else { Rnic::new(&fabric) };
            let rnic = rnic.unwrap();
            rnic.set_addresses(&[address(end).ip()]).unwrap();
            rnic.set_enabled(true);
            // SAFETY: the function uses no context.
            unsafe { rnic.on_unknown_address(Some((is_to_look_up, null_mut()))) };
            rnic
        });
        let adapters = [0, 1].map(|end: usize| rnics[end].open(NDK_VERSION_2_1).unwrap().as_ptr());
        let world = Self {
            wire,
            rnics,
            adapters,
            things: RefCell::new(Vec::with_capacity(24)),
            requests: RefCell::default(),
            posts: RefCell::default(),
            connections: RefCell::default(),
            memory: RefCell::default(),
            tokens: RefCell::default(),
            pages: [Lent::new(&[0; 64]), Lent::new(&[0; 64])],
            mappings: RefCell::default(),
            armed: RefCell::default(),
            moderated: RefCell::default(),
            taken: RefCell::default(),
            paused: Cell::new(false),
            resumes: Cell::new(0),
            suspicions: RefCell::new(Vec::new()),
            paused_at_start: Cell::new(false),
            calls: RefCell::default(),
            interruptions: RefCell::new(VecDeque::new()),
            watch: Cell::new(None),
            points: Cell::new(0),
            trail: RefCell::new(Vec::with_capacity(64)),
            failures: RefCell::default(),
            skipped: Cell::new(false),
        };
        for end in [NEAR, FAR] {
            world.create_objects(end, shares_receives && end == FAR);
        }
        Rc::new(world)
    }

    /// Makes the near end's shared endpoint. Over a network that pends.
    fn share_own(&self) {
        let status = self.create_shared(SHARED_PORT);
        assert!(matches!(status, STATUS_SUCCESS | STATUS_PENDING), "{status:#010x}");
        self.perform(Op::Dpc);
        assert!(self.open(NEAR, Role::Shared).is_some());
    }

    fn create_objects(&self, end: End, shares_receives: bool) {
        let (adapter, none) = (self.adapters[end], null_mut());
        // An object's number is known before it is made, so that its callbacks can name it.
        let context = |ahead: usize| Context::Thing(self.things.borrow().len() + ahead).pointer();
        let notified = context(0);
        let cq = create(|out| {
            call!(adapter, NdkCreateCq, 64, Some(on_notification), notified, none, None, null_mut(), out)
        });
        let cq_id = self.add(end, Role::Cq, cq, vec![]);
        let pd = create(|out| call!(adapter, NdkCreatePd, None, null_mut(), out));
        let pd_id = self.add(end, Role::Pd, pd, vec![]);
        let (pd, cq): (*mut NDK_PD, *mut NDK_CQ) = (pd.cast(), cq.cast());
        let mut antecedents = vec![pd_id, cq_id];
        let mut srq = null_mut();
        if end == FAR {
            let (context, nil) = (context(0), null_mut());
            let made = create(|out| {
                call!(pd, NdkCreateSrq, 4, 1, 0, Some(on_notification), context, nil, None, null_mut(), out)
            });
            let id = self.add(end, Role::Srq, made, vec![pd_id]);
            srq = made.cast();
            if shares_receives {
                antecedents.push(id);
            }
        }
        let qp = create(|out| {
            if shares_receives {
                call!(pd, NdkCreateQpWithSrq, cq, cq, srq, null_mut(), 4, 1, 0, None, null_mut(), out)
            } else {
                call!(pd, NdkCreateQp, cq, cq, null_mut(), 4, 4, 1, 1, 0, None, null_mut(), out)
            }
        });
        self.add(end, Role::Qp, qp, antecedents);
        let spare =
            create(|out| call!(pd, NdkCreateQp, cq, cq, null_mut(), 4, 4, 1, 1, 0, None, null_mut(), out));
        self.add(end, Role::Spare, spare, vec![pd_id, cq_id]);
        for (role, fast) in [(Role::Mr, 0), (Role::Fast, 1)] {
            let mr = create(|out| call!(pd, NdkCreateMr, fast, None, null_mut(), out));
            self.add(end, role, mr, vec![pd_id]);
        }
        let mw = create(|out| call!(pd, NdkCreateMw, None, null_mut(), out));
        self.add(end, Role::Mw, mw, vec![pd_id]);
        for op in [Op::Register(end), Op::InitialiseFast(end)] {
            self.do_post(op);
        }
        self.create_endpoints(end);
    }

    fn create_endpoints(&self, end: End) {
        let adapter = self.adapters[end];
        if end == NEAR {
            let connector = create(|out| call!(adapter, NdkCreateConnector, None, null_mut(), out));
            self.add(end, Role::Connector, connector, vec![]);
        } else {
            let context = Context::Thing(self.things.borrow().len()).pointer();
            let listener = create(|out| {
                call!(adapter, NdkCreateListener, Some(on_connect), context, None, null_mut(), out)
            });
            self.add(end, Role::Listener, listener, vec![]);
        }
    }
}
