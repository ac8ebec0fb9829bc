//! Random lives of object trees, against a plain model: every status, every callback, in a permitted order.
//!
//! Steps are taken outside of callbacks, where DPCs wait as they do at DISPATCH_LEVEL until the
//! next pump, and inside of callbacks of every kind.

mod tree;
mod world;

use proptest::prelude::*;

use world::Lives;

/// One step; the numbers pick among the objects that are there.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    CreateCq(bool),
    CreatePd(bool),
    CreateSrq(u8),
    CreateMr(u8),
    CreateQp(u8, u8),
    CreateQpWithSrq(u8, u8),
    CreateListener(bool),
    CreateConnector(bool),
    Pause(u8, bool),
    Connect(u8, u8, u8),
    Accept(u8, u8),
    Reject(u8),
    CompleteConnect(u8),
    Disconnect(u8),
    Receive(u8),
    Flush(u8),
    Arm(u8),
    Poll(u8),
    Close(u8),
    /// Another call on the connector whose last call failed, or is pending: which, and with which QP and listener.
    Again(u8, u8, u8),
    Pump,
}

/// The time of a step.
#[derive(Clone, Copy, Debug)]
enum Turn {
    Now(Step),
    /// Inside a callback that is still to come.
    Inside(Step),
}

fn step() -> impl Strategy<Value = Step> {
    use Step::*;
    prop_oneof![
        1 => any::<bool>().prop_map(CreateCq),
        1 => any::<bool>().prop_map(CreatePd),
        1 => any::<u8>().prop_map(CreateSrq),
        1 => any::<u8>().prop_map(CreateMr),
        3 => any::<(u8, u8)>().prop_map(|(pd, cq)| CreateQp(pd, cq)),
        1 => any::<(u8, u8)>().prop_map(|(srq, cq)| CreateQpWithSrq(srq, cq)),
        2 => any::<bool>().prop_map(CreateListener),
        2 => any::<bool>().prop_map(CreateConnector),
        1 => any::<(u8, bool)>().prop_map(|(listener, paused)| Pause(listener, paused)),
        4 => any::<(u8, u8, u8)>().prop_map(|(connector, qp, listener)| Connect(connector, qp, listener)),
        4 => any::<(u8, u8)>().prop_map(|(connector, qp)| Accept(connector, qp)),
        1 => any::<u8>().prop_map(Reject),
        3 => any::<u8>().prop_map(CompleteConnect),
        2 => any::<u8>().prop_map(Disconnect),
        3 => any::<u8>().prop_map(Receive),
        1 => any::<u8>().prop_map(Flush),
        3 => any::<u8>().prop_map(Arm),
        1 => any::<u8>().prop_map(Poll),
        6 => any::<u8>().prop_map(Close),
        6 => any::<(u8, u8, u8)>().prop_map(|(call, qp, listener)| Again(call, qp, listener)),
        5 => Just(Pump),
    ]
}

fn turn() -> impl Strategy<Value = Turn> {
    prop_oneof![3 => step().prop_map(Turn::Now), 1 => step().prop_map(Turn::Inside)]
}

/// The first `count` of the steps to two connections, one of them established: random steps alone seldom get
/// so far.
fn prelude(count: usize) -> Vec<Turn> {
    use Step::*;
    let sides = [false, true].into_iter();
    let mut steps: Vec<_> = sides.flat_map(|far| [CreateCq(far), CreatePd(far)]).collect();
    // Queue pairs of domain 0 are near, of domain 1 far.
    steps.extend([CreateQp(0, 0), CreateQp(0, 0), CreateQp(1, 0), CreateQp(1, 0), CreateMr(0), CreateMr(1)]);
    steps.extend([CreateListener(true), CreateConnector(false), CreateConnector(false)]);
    steps.extend([Receive(0), Receive(2), Receive(2), Arm(0), Arm(1)]);
    steps.extend([Connect(0, 0, 0), Connect(1, 1, 0), Pump, Accept(2, 0), Accept(3, 1), Pump]);
    steps.extend([CompleteConnect(0), Pump]);
    steps.into_iter().take(count).map(Turn::Now).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn provider_and_model_agree_on_every_status_and_callback(
        count in 0..40_usize,
        turns in prop::collection::vec(turn(), 0..120),
    ) {
        let lives = Lives::new();
        for turn in prelude(count).into_iter().chain(turns) {
            match turn {
                Turn::Now(step) => lives.play(step),
                Turn::Inside(step) => lives.plan(step),
            }
        }
        lives.tear_down();
    }
}
