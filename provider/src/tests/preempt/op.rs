//! The operations, and which of them a legal consumer has under way at the same time.

use super::thing::Role;

/// One end of the stage: 0 is near, which connects, 1 is far, which listens.
pub(super) type End = usize;

pub(super) const NEAR: End = 0;
pub(super) const FAR: End = 1;

/// An operation of a consumer's, of the adapter's owner, or of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    /// NdkConnect of the near connector, with the near QP or the spare one.
    Connect(Role),
    ConnectShared,
    /// NdkConnect of a connector that the listener indicated.
    ConnectIndicated,
    /// NdkAccept of the connector that was indicated last, with the far QP or the spare one.
    Accept(Role),
    Reject(End),
    CompleteConnect,
    Disconnect(End),
    /// Connection data and both addresses of a connector.
    Query(End),
    Listen,
    Pause,
    Resume,
    Close(End, Role),
    Send(End),
    SendAndInvalidate(End),
    Receive(End),
    Write(End),
    Read(End),
    Bind(End),
    FastRegister(End),
    Invalidate(End, Role),
    Flush(End),
    Arm(End),
    /// Arms for solicited results and errors.
    ArmSolicited(End),
    Poll(End),
    /// Takes the results, and posts the next send.
    PollAndSend(End),
    Moderate(End),
    Unmoderate(End),
    Resize(End),
    ModifySrq,
    ReceiveShared,
    Register(End),
    Deregister(End),
    InitialiseFast(End),
    BuildMapping(End),
    ReleaseMapping(End),
    /// All timers that are set expire.
    Timers,
    /// The DPCs that are queued are made.
    Dpc,
    /// The RNIC's owner asks which connections and endpoints there are, and what holds the QP.
    Explain(End),
    /// The RNIC's addresses go.
    RemoveAddress(End),
    /// The driver's work item looks the addresses up: the RNIC's address has come.
    Arrive(End),
    /// Likewise, and nothing has changed.
    LookUp(End),
    Disable(End),
    /// NdkCreateSharedEndpoint of the near end's address, which pends while that is away.
    CreateShared,
}

/// Serialisation class: calls that the documentation has the consumer make one at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Serial {
    /// Initiator posts of one QP (WR-1).
    Initiator(End),
    /// Receive posts of one QP (WR-1).
    Receives(End),
    /// Polls and arms of one CQ (CQ-1).
    Results(End),
    /// Settings of one CQ: a later one is meant to replace an earlier one.
    Settings(End),
    /// Registrations and deregistrations of one MR: the next begins when the one before has completed.
    Registration(End),
    Mapping(End),
    /// Time passes once.
    Clock,
    /// The owner of an RNIC configures it in one thread.
    Rnic(End),
}

const ENDS: [End; 2] = [NEAR, FAR];

impl Op {
    /// Every operation.
    pub(super) fn all() -> Vec<Self> {
        use Op::*;
        let mut all = vec![
            Connect(Role::Qp),
            Connect(Role::Spare),
            ConnectShared,
            ConnectIndicated,
            Accept(Role::Qp),
            Accept(Role::Spare),
            CompleteConnect,
            Listen,
            Pause,
            Resume,
            ModifySrq,
            ReceiveShared,
            Timers,
            Dpc,
            CreateShared,
        ];
        for end in ENDS {
            let closes = Role::of(end).iter().map(|role| Close(end, *role));
            all.extend(closes);
            all.extend([Reject(end), Disconnect(end), Query(end), Send(end), SendAndInvalidate(end)]);
            all.extend([Receive(end), Write(end), Read(end), Bind(end), FastRegister(end), Flush(end)]);
            all.extend([Invalidate(end, Role::Fast), Invalidate(end, Role::Mw), Arm(end), Poll(end)]);
            all.extend([Moderate(end), Unmoderate(end), Resize(end), Register(end), Deregister(end)]);
            all.extend([InitialiseFast(end), BuildMapping(end), ReleaseMapping(end), Explain(end)]);
            all.extend([RemoveAddress(end), Disable(end), ArmSolicited(end), PollAndSend(end)]);
            all.extend([Arrive(end), LookUp(end)]);
        }
        all
    }

    /// The objects that the call names.
    pub(super) fn uses(self) -> Vec<(End, Role)> {
        use Op::*;
        match self {
            Connect(qp) => vec![(NEAR, Role::Connector), (NEAR, qp)],
            ConnectShared => vec![(NEAR, Role::Connector), (NEAR, Role::Qp), (NEAR, Role::Shared)],
            ConnectIndicated => vec![(FAR, Role::Connector), (FAR, Role::Spare)],
            Accept(qp) => vec![(FAR, Role::Connector), (FAR, qp)],
            CompleteConnect => vec![(NEAR, Role::Connector)],
            Reject(end) | Disconnect(end) | Query(end) => vec![(end, Role::Connector)],
            Listen | Pause | Resume => vec![(FAR, Role::Listener)],
            Close(end, role) => vec![(end, role)],
            Send(end) | SendAndInvalidate(end) | Receive(end) | Write(end) | Read(end) | Flush(end) => {
                vec![(end, Role::Qp)]
            }
            Bind(end) => vec![(end, Role::Qp), (end, Role::Mr), (end, Role::Mw)],
            FastRegister(end) => vec![(end, Role::Qp), (end, Role::Fast)],
            Invalidate(end, role) => vec![(end, Role::Qp), (end, role)],
            PollAndSend(end) => vec![(end, Role::Cq), (end, Role::Qp)],
            Arm(end) | ArmSolicited(end) | Poll(end) | Moderate(end) | Unmoderate(end) | Resize(end) => {
                vec![(end, Role::Cq)]
            }
            ModifySrq | ReceiveShared => vec![(FAR, Role::Srq)],
            Register(end) | Deregister(end) => vec![(end, Role::Mr)],
            InitialiseFast(end) => vec![(end, Role::Fast)],
            BuildMapping(_) | ReleaseMapping(_) | Timers | Dpc | Explain(_) | RemoveAddress(_)
            | Arrive(_) | LookUp(_) | Disable(_) | CreateShared => vec![],
        }
    }

    /// Returns the serialisation classes of the call.
    pub(super) fn serial(self) -> Vec<Serial> {
        use Op::*;
        match self {
            Send(end) | SendAndInvalidate(end) | Write(end) | Read(end) | Bind(end) => {
                vec![Serial::Initiator(end)]
            }
            FastRegister(end) => vec![Serial::Initiator(end), Serial::Registration(end)],
            Invalidate(end, _) => vec![Serial::Initiator(end)],
            Receive(end) => vec![Serial::Receives(end)],
            ReceiveShared => vec![Serial::Receives(FAR)],
            PollAndSend(end) => vec![Serial::Initiator(end), Serial::Results(end)],
            Arm(end) | ArmSolicited(end) | Poll(end) => vec![Serial::Results(end)],
            Moderate(end) | Unmoderate(end) | Resize(end) => vec![Serial::Settings(end)],
            Register(end) | Deregister(end) | InitialiseFast(end) => vec![Serial::Registration(end)],
            BuildMapping(end) | ReleaseMapping(end) => vec![Serial::Mapping(end)],
            RemoveAddress(end) | Arrive(end) | Disable(end) => vec![Serial::Rnic(end)],
            Timers => vec![Serial::Clock],
            _ => vec![],
        }
    }

    /// The object that the call closes.
    pub(super) fn closes(self) -> Option<(End, Role)> {
        if let Self::Close(end, role) = self { Some((end, role)) } else { None }
    }

    /// Returns true if a consumer may make this call while `other` has not returned. The one place where
    /// pairs are excluded: calls that the documentation has serialised, and the close of an object while a
    /// call on it is outstanding (CL-9).
    pub(super) fn may_meet(self, other: Self) -> bool {
        let serialised = self.serial().iter().any(|serial| other.serial().contains(serial));
        let closes =
            |one: Self, another: Self| one.closes().is_some_and(|closed| another.uses().contains(&closed));
        !serialised && !closes(self, other) && !closes(other, self)
    }
}
