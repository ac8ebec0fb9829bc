//! Random lives of object trees, against a plain model: every status, every callback, in a permitted order.

mod tree;
mod world;

use proptest::prelude::*;

use world::World;

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
    Connect(u8, u8, u8),
    Accept(u8, u8),
    Reject(u8),
    CompleteConnect(u8),
    Disconnect(u8),
    Close(u8),
    Pump,
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
        4 => any::<(u8, u8, u8)>().prop_map(|(connector, qp, listener)| Connect(connector, qp, listener)),
        4 => any::<(u8, u8)>().prop_map(|(connector, qp)| Accept(connector, qp)),
        1 => any::<u8>().prop_map(Reject),
        3 => any::<u8>().prop_map(CompleteConnect),
        2 => any::<u8>().prop_map(Disconnect),
        6 => any::<u8>().prop_map(Close),
        5 => Just(Pump),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn provider_and_model_agree_on_every_status_and_callback(steps in prop::collection::vec(step(), 0..120)) {
        let mut world = World::new();
        for step in steps {
            world.play(step);
        }
        world.tear_down();
    }
}
