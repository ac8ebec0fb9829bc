//! A provider that a peer attacks, with memory that it may, and may not, use.

use std::ptr::null_mut;

use sys::ndk::*;
use sys::status::*;
use test_kernel::network;

use super::peer::{Peer, write};
use super::rig::ALL;
use super::{SETTINGS, listening_of, run, tear_down};
use crate::number::u64_from;
use crate::rnic::WireSettings;
use crate::tests::consumer::{Buffer, Pair, Seen, call, close, request, virtual_address};

/// Rights of a window for everything.
const OPENED: u32 = NDK_OP_FLAG_ALLOW_REMOTE_READ | NDK_OP_FLAG_ALLOW_REMOTE_WRITE;

/// Registered bytes of a region; as many more behind it are not, and stay as they are.
pub(super) const LENGTH: usize = 4096;
pub(super) const UNTOUCHED: u8 = 0xA5;

/// Regions of the side that is attacked.
pub(super) struct Memory {
    pub(super) buffer: Buffer,
    pub(super) mr: *mut NDK_MR,
    pub(super) token: u32,
}

impl Memory {
    fn new(pd: *mut NDK_PD, rights: u32) -> Self {
        let mut buffer = Buffer::new(vec![UNTOUCHED; 2 * LENGTH]);
        let (mr, token) = region(pd, &mut buffer, LENGTH, rights);
        Self { buffer, mr, token }
    }

    pub(super) fn start(&self) -> u64 {
        u64_from(self.buffer.address())
    }

    pub(super) fn is_untouched(&self) -> bool {
        self.buffer.bytes.iter().all(|byte| *byte == UNTOUCHED)
    }

    fn end(self, pair: &Pair) {
        call!(self.mr, NdkDeregisterMr, None, null_mut());
        assert_eq!(close!(pair.log, self.mr, NdkCloseMr, "mr"), STATUS_SUCCESS);
    }
}

/// A region over the first bytes of a buffer.
fn region(pd: *mut NDK_PD, buffer: &mut Buffer, length: usize, rights: u32) -> (*mut NDK_MR, u32) {
    let (mut mr, none) = (null_mut(), null_mut());
    let create: unsafe extern "efiapi" fn(_, _, _) = never;
    assert_eq!(call!(pd, NdkCreateMr, 0, Some(create), none, &mut mr), STATUS_SUCCESS);
    let mdl = std::ptr::from_mut(&mut *buffer.mdl);
    assert_eq!(call!(mr, NdkRegisterMr, mdl, length, rights, None, null_mut()), STATUS_SUCCESS);
    (mr, call!(mr, NdkGetLocalTokenFromMr))
}

unsafe extern "efiapi" fn never(_: sys::wdm::PVOID, _: NTSTATUS, _: *mut NDK_OBJECT_HEADER) {
    panic!("no create of this provider pends");
}

/// A connection of a peer, and the memory that it may, and may not, use.
pub(super) struct Victim {
    pub(super) pair: Pair,
    pub(super) peer: Peer,
    pub(super) all: Memory,
    pub(super) read_only: Memory,
    pub(super) local: Memory,
    pub(super) foreign: Memory,
    foreign_pd: *mut NDK_PD,
    /// The token of a region that is gone.
    pub(super) stale: u32,
    /// Regions over the memory of `all`.
    overlapping: [*mut NDK_MR; 2],
    /// The tokens of these: of its first half, with all rights, and of all of it, for reads.
    pub(super) half: u32,
    pub(super) shown: u32,
    /// Windows: one that is bound to [`WINDOW`] of `all` for reads, one that is free, and one that was never bound.
    windows: [*mut NDK_MW; 3],
    /// The tokens of the first, of the second when it was bound, and of the third.
    pub(super) window: u32,
    pub(super) ended: u32,
    pub(super) unbound: u32,
}

/// Place and length of the bound window.
pub(super) const WINDOW: (u64, u64) = (100, 50);

impl Victim {
    pub(super) fn new(crc: bool) -> Self {
        network::set_piece(0);
        let mut pair = listening_of(WireSettings { crc: false, ..SETTINGS });
        let peer = Peer::connect(pair.far.address, crc);
        run(&pair);
        peer.request();
        let seen = run(&pair);
        let [Seen::Requested(_, connector)] = seen[..] else { panic!("no connect request: {seen:?}") };
        pair.far.connector = virtual_address(connector).cast();
        assert_eq!(pair.accept(b""), STATUS_PENDING);
        assert_eq!(run(&pair), []);
        assert!(peer.take().starts_with(b"MPA ID Rep Frame"));
        peer.segment(&write(9, 0, true, b""));
        assert_eq!(run(&pair), [Seen::RequestCompleted("accept", STATUS_SUCCESS)]);
        let pd = pair.far.pd;
        let mut foreign_pd = null_mut();
        let create: unsafe extern "efiapi" fn(_, _, _) = never;
        let created = call!(pair.far.adapter, NdkCreatePd, Some(create), null_mut(), &mut foreign_pd);
        assert_eq!(created, STATUS_SUCCESS);
        let all = Memory::new(pd, ALL);
        let read_only = Memory::new(pd, NDK_MR_FLAG_ALLOW_REMOTE_READ);
        let local = Memory::new(pd, NDK_MR_FLAG_ALLOW_LOCAL_WRITE);
        let foreign = Memory::new(foreign_pd, ALL);
        let stale = {
            let memory = Memory::new(pd, ALL);
            let token = memory.token;
            memory.end(&pair);
            token
        };
        let mut all = all;
        let (half_mr, half) = region(pd, &mut all.buffer, LENGTH / 2, ALL);
        let (shown_mr, shown) = region(pd, &mut all.buffer, LENGTH, NDK_MR_FLAG_ALLOW_REMOTE_READ);
        let windows = [0; 3].map(|_| {
            let mut mw = null_mut();
            assert_eq!(call!(pd, NdkCreateMw, Some(create), null_mut(), &mut mw), STATUS_SUCCESS);
            mw
        });
        let mut victim = Self {
            pair,
            peer,
            all,
            read_only,
            local,
            foreign,
            foreign_pd,
            stale,
            overlapping: [half_mr, shown_mr],
            half,
            shown,
            windows,
            window: 0,
            ended: 0,
            unbound: call!(windows[2], NdkGetRemoteTokenFromMw),
        };
        victim.window = victim.bind(0, WINDOW, NDK_OP_FLAG_ALLOW_REMOTE_READ);
        victim.ended = victim.bind(1, (0, u64_from(LENGTH)), OPENED);
        victim.invalidate(1);
        victim
    }

    /// Binds a window to bytes of `all`; returns its token.
    pub(super) fn bind(&self, window: usize, (from, length): (u64, u64), flags: u32) -> u32 {
        let (mw, at) = (self.windows[window], usize::try_from(self.all.start() + from).unwrap());
        let (qp, mr, at) = (self.pair.far.qp, self.all.mr, virtual_address(at));
        let status = call!(qp, NdkBind, request(90), mr, mw, at, usize::try_from(length).unwrap(), flags);
        assert_eq!(status, STATUS_SUCCESS);
        assert_eq!(self.pair.far.results(), [(STATUS_SUCCESS, 0, 90)]);
        call!(mw, NdkGetRemoteTokenFromMw)
    }

    /// Ends what a window is bound to.
    pub(super) fn invalidate(&self, window: usize) {
        let (qp, mw) = (self.pair.far.qp, self.windows[window].cast::<NDK_OBJECT_HEADER>());
        assert_eq!(call!(qp, NdkInvalidate, request(91), mw, 0), STATUS_SUCCESS);
        assert_eq!(self.pair.far.results(), [(STATUS_SUCCESS, 0, 91)]);
    }

    pub(super) fn is_untouched(&self) -> bool {
        [&self.all, &self.read_only, &self.local, &self.foreign].into_iter().all(Memory::is_untouched)
    }

    /// Ends everything: it comes to an end, whatever the peer did.
    pub(super) fn end(self) {
        for mw in self.windows {
            assert_eq!(close!(self.pair.log, mw, NdkCloseMw, "mw"), STATUS_SUCCESS);
        }
        for mr in self.overlapping {
            assert_eq!(close!(self.pair.log, mr, NdkCloseMr, "mr"), STATUS_SUCCESS);
        }
        for memory in [self.all, self.read_only, self.local, self.foreign] {
            memory.end(&self.pair);
        }
        assert_eq!(close!(self.pair.log, self.foreign_pd, NdkClosePd, "pd"), STATUS_SUCCESS);
        self.peer.abort();
        run(&self.pair);
        assert!(self.peer.is_closed());
        tear_down(self.pair);
    }
}
