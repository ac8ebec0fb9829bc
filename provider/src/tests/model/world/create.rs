//! Steps that create.

use std::ptr::null_mut;

use sys::ndk::*;
use sys::sockaddr::SOCKADDR;
use sys::status::*;
use sys::wdm::PVOID;

use super::{CQ_DEPTH, DEPTH, World, pick};
use crate::number::u32_from;
use crate::tests::consumer::{call, connect_event, notified, sockaddr};
use crate::tests::model::tree::Kind;

impl World {
    /// A node for a new object; `make` creates it, with the context of its callbacks.
    fn add(
        &mut self,
        kind: Kind,
        far: bool,
        ties: Vec<usize>,
        make: impl FnOnce(&Self, PVOID) -> PVOID,
    ) -> usize {
        let id = self.tree.nodes.len();
        let name: &'static str = Box::leak(id.to_string().into_boxed_str());
        let object = make(self, self.log().context(name));
        assert!(!object.is_null());
        assert_eq!(self.tree.add(kind, far, ties), id);
        self.objects.push(object);
        self.names.push(name);
        id
    }

    fn adapter(&self, far: bool) -> *mut NDK_ADAPTER {
        if far { self.pair.far.adapter } else { self.pair.near.adapter }
    }

    pub(super) fn create_cq(&mut self, far: bool) {
        self.add(Kind::Cq, far, vec![], |world, context| {
            let mut cq = null_mut();
            let (none, adapter, depth) = (null_mut(), world.adapter(far), u32_from(CQ_DEPTH));
            let status =
                call!(adapter, NdkCreateCq, depth, Some(notified), context, none, None, null_mut(), &mut cq);
            assert_eq!(status, STATUS_SUCCESS);
            cq.cast()
        });
    }

    pub(super) fn create_pd(&mut self, far: bool) {
        self.add(Kind::Pd, far, vec![], |world, _| {
            let mut pd = null_mut();
            assert_eq!(call!(world.adapter(far), NdkCreatePd, None, null_mut(), &mut pd), STATUS_SUCCESS);
            pd.cast()
        });
    }

    pub(super) fn create_connector(&mut self, far: bool) {
        self.add(Kind::Connector, far, vec![], |world, _| {
            let mut connector = null_mut();
            let status = call!(world.adapter(far), NdkCreateConnector, None, null_mut(), &mut connector);
            assert_eq!(status, STATUS_SUCCESS);
            connector.cast()
        });
    }

    pub(super) fn create_srq(&mut self, pd: u8) -> Option<()> {
        let pd = pick(&self.tree.usable(Kind::Pd), pd)?;
        let far = self.tree.nodes[pd].far;
        self.add(Kind::Srq, far, vec![pd], |world, _| {
            let (mut srq, none) = (null_mut(), null_mut());
            let pd = world.objects[pd].cast::<NDK_PD>();
            let status = call!(pd, NdkCreateSrq, 4, 1, 0, None, null_mut(), none, None, null_mut(), &mut srq);
            assert_eq!(status, STATUS_SUCCESS);
            srq.cast()
        });
        Some(())
    }

    pub(super) fn create_mr(&mut self, pd: u8) -> Option<()> {
        let pd = pick(&self.tree.usable(Kind::Pd), pd)?;
        let far = self.tree.nodes[pd].far;
        self.add(Kind::Mr, far, vec![pd], |world, _| {
            let mut mr = null_mut();
            let pd = world.objects[pd].cast::<NDK_PD>();
            assert_eq!(call!(pd, NdkCreateMr, 0, None, null_mut(), &mut mr), STATUS_SUCCESS);
            mr.cast()
        });
        Some(())
    }

    pub(super) fn create_qp(&mut self, pd: u8, cq: u8) -> Option<()> {
        let pd = pick(&self.tree.usable(Kind::Pd), pd)?;
        let far = self.tree.nodes[pd].far;
        let cq = pick(&self.on_side(Kind::Cq, far), cq)?;
        let id = self.add(Kind::Qp, far, vec![pd, cq], |world, _| {
            let mut qp = null_mut();
            let pd = world.objects[pd].cast::<NDK_PD>();
            let cq = world.objects[cq].cast::<NDK_CQ>();
            let none = null_mut();
            let depth = u32_from(DEPTH);
            let status = call!(pd, NdkCreateQp, cq, cq, none, depth, 2, 1, 1, 0, None, null_mut(), &mut qp);
            assert_eq!(status, STATUS_SUCCESS);
            qp.cast()
        });
        (self.tree.nodes[id].cq, self.tree.nodes[id].receives) = (Some(cq), Some(0));
        Some(())
    }

    pub(super) fn create_qp_with_srq(&mut self, srq: u8, cq: u8) -> Option<()> {
        let srq = pick(&self.tree.usable(Kind::Srq), srq)?;
        let (pd, far) = (self.tree.nodes[srq].antecedents[0], self.tree.nodes[srq].far);
        let cq = pick(&self.on_side(Kind::Cq, far), cq).filter(|_| !self.tree.nodes[pd].closing)?;
        self.add(Kind::Qp, far, vec![pd, cq, srq], |world, _| {
            let mut qp = null_mut();
            let pd = world.objects[pd].cast::<NDK_PD>();
            let cq = world.objects[cq].cast::<NDK_CQ>();
            let srq = world.objects[srq].cast::<NDK_SRQ>();
            let none = null_mut();
            let status = call!(pd, NdkCreateQpWithSrq, cq, cq, srq, none, 2, 1, 0, None, null_mut(), &mut qp);
            assert_eq!(status, STATUS_SUCCESS);
            qp.cast()
        });
        Some(())
    }

    pub(super) fn create_listener(&mut self, far: bool) {
        self.ports += 1;
        let port = self.ports;
        let id = self.add(Kind::Listener, far, vec![], |world, context| {
            let mut listener = null_mut();
            let adapter = world.adapter(far);
            let status = call!(
                adapter,
                NdkCreateListener,
                Some(connect_event),
                context,
                None,
                null_mut(),
                &mut listener
            );
            assert_eq!(status, STATUS_SUCCESS);
            let (address, length) = sockaddr(world.address(far, port));
            let at = address.as_ptr().cast::<SOCKADDR>();
            assert_eq!(call!(listener, NdkListen, at, length, None, null_mut()), STATUS_SUCCESS);
            listener.cast()
        });
        self.listening.push((id, port));
    }
}
