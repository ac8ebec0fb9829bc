//! The moment of a notification, and its processor.

use sys::ndk::{NDK_ADAPTER, NDK_CQ_NOTIFY_ANY, NDK_MR_FLAG_ALLOW_LOCAL_WRITE};
use sys::status::{NTSTATUS, STATUS_SUCCESS};
use sys::wdm::GROUP_AFFINITY;

use super::connected_pair::{Memory, post_receives, wait_event};
use crate::kernel;
use crate::ndk::{CqDepth, Handle, QpDepths};
use crate::pair::{self, QpSet};
use crate::test_context::TestContext;

/// The number of sends that are posted for each affinity.
const SENDS: usize = 4;

/// CQ-8: consumers walk their requests after a post, which a notification frees; so it does not come by way of the
/// post, whatever processors it is to run on. (On another one it may run meanwhile.) What is to run on the processor
/// where the post begins comes there as an interrupt does, maybe during the post.
pub(super) fn after_post(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let (call_log, listener) = (test.call_log(), pair::listen(test)?);
    let (group, number) = kernel::processor();
    let own = GROUP_AFFINITY { Mask: 1_usize.wrapping_shl(number.into()), Group: group, Reserved: [0; 3] };
    let others = GROUP_AFFINITY { Mask: !own.Mask, ..own };
    for mut affinity in [None, Some(others), Some(own)] {
        let near = qp_set(test.near, affinity.as_mut())?;
        let far = qp_set(test.far, affinity.as_mut())?;
        pair::connect_to(test, listener, (near.qp, b"near"), (far.qp, b"far"))?;
        let from = Memory::of(test, near, NDK_MR_FLAG_ALLOW_LOCAL_WRITE)?;
        let to = Memory::of(test, far, NDK_MR_FLAG_ALLOW_LOCAL_WRITE)?;
        for _ in 0..SENDS {
            let [receive] = post_receives::<1>(test, far, to)?;
            let send = test.work("send")?;
            near.cq.arm(NDK_CQ_NOTIFY_ANY);
            far.cq.arm(NDK_CQ_NOTIFY_ANY);
            let posted = near.qp.send_watched(send.context(), &[from.sge(8)]);
            call_log.expect("post a send", posted, STATUS_SUCCESS);
            let inside = call_log.take_notified_inside();
            let is_own = affinity.is_some_and(|affinity| call_log.watched_within(affinity));
            call_log.require("no notification inside the post", is_own || inside == 0);
            wait_event(test, near.cq.object(), "a notification of the send");
            wait_event(test, far.cq.object(), "a notification of the receive");
            call_log.expect("send", near.cq.wait_for(send), STATUS_SUCCESS);
            call_log.expect("receive", far.cq.wait_for(receive), STATUS_SUCCESS);
        }
    }
    Ok(())
}

fn qp_set<'l>(
    adapter: Handle<'l, NDK_ADAPTER>,
    affinity: Option<&mut GROUP_AFFINITY>,
) -> Result<QpSet<'l>, NTSTATUS> {
    let cq = adapter.create_cq_for(CqDepth(16), affinity)?;
    QpSet::with(adapter, cq, QpDepths::SMALL)
}
