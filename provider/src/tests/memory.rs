//! Registering memory (WR-4, WR-8).

mod fast_register;
mod invalidate;
mod mapping;
mod over_wire;
mod race;
mod refused;
mod window;

use std::ptr::{from_mut, null_mut};

use sys::ndk::*;
use sys::status::*;
use test_kernel::{Manual, live_mappings};

use super::consumer::{Buffer, Log, Pair, Side, call, close, request, virtual_address};
use crate::adapter::{Adapter, Pd};
use crate::memory::{Admitted, Domain, Rights, Token};
use crate::number::{u32_from, u64_from};
use crate::object::Object;
use crate::rnic::Rnic;
use crate::rundown::Shard;

const PAGE: usize = 4096;

/// Four pages, at the beginning of a page.
#[repr(align(4096))]
struct Pages(std::cell::UnsafeCell<[u8; 4 * PAGE]>);

impl Pages {
    fn new() -> Box<Self> {
        Box::new(Self(std::cell::UnsafeCell::new([0; 4 * PAGE])))
    }

    /// The address of a page.
    fn at(&self, page: usize) -> usize {
        self.0.get().expose_provenance() + page * PAGE
    }

    /// The first byte, while a transfer may run.
    fn first(&self) -> u8 {
        // SAFETY: it is alive; the transfer writes it as other hardware would.
        unsafe { self.0.get().cast::<u8>().read_volatile() }
    }

    fn bytes(&self) -> Vec<u8> {
        // SAFETY: no transfer runs just then.
        unsafe { *self.0.get() }.to_vec()
    }
}

fn info() -> NDK_ADAPTER_INFO {
    Rnic::<Manual>::adapter_info(NDK_VERSION_2_1)
}

fn create_fast(side: &Side) -> *mut NDK_MR {
    let mut mr = null_mut();
    assert_eq!(call!(side.pd, NdkCreateMr, 1, None, null_mut(), &mut mr), STATUS_SUCCESS);
    mr
}

fn initialise(mr: *mut NDK_MR, pages: u32, remote: bool) -> NTSTATUS {
    call!(mr, NdkInitializeFastRegisterMr, pages, remote.into(), None, null_mut())
}

/// Posts a fast registration of `pages`, as (offset, length, base).
fn fast_register(
    side: &Side,
    mr: *mut NDK_MR,
    number: usize,
    pages: &[usize],
    (offset, length, base): (usize, usize, usize),
    flags: u32,
) -> NTSTATUS {
    let pages: Vec<_> = pages.iter().map(|page| u64_from(*page).cast_signed()).collect();
    let (count, list, offset) = (u32_from(pages.len()), pages.as_ptr(), u32_from(offset));
    let (context, base) = (request(number), virtual_address(base));
    call!(side.qp, NdkFastRegister, context, mr, count, list, offset, length, base, flags)
}

fn invalidate<T>(side: &Side, number: usize, memory: *mut T) -> NTSTATUS {
    call!(side.qp, NdkInvalidate, request(number), memory.cast(), 0)
}

fn cancelled((status, ..): &(NTSTATUS, u32, usize)) -> bool {
    *status == STATUS_CANCELLED
}

/// Uses one byte of `side`'s memory as a peer's transfer on another processor would.
fn in_use(side: &Side, token: u32, address: usize) -> Admitted<'_, Manual, Pd<Manual>> {
    // SAFETY: the adapter is open.
    let adapter = unsafe { &*side.adapter.cast::<Object<Manual, Adapter<Manual>>>() };
    // SAFETY: the domain is open.
    let domain = Domain::of(unsafe { &*side.pd.cast::<Object<Manual, Pd<Manual>>>() });
    let admitted =
        adapter.table().admit(Token(token), domain, (Rights::REMOTE_READ, Shard::Target), address, 1);
    admitted.unwrap_or_else(|refusal| panic!("{refusal:?}"))
}

/// Local memory of one side, to read from and write to the peer's.
struct Remote<'s> {
    side: &'s Side,
    buffer: Buffer,
    mr: *mut NDK_MR,
    token: u32,
}

type Results = Vec<(NTSTATUS, u32, usize)>;

impl<'s> Remote<'s> {
    fn new(side: &'s Side, bytes: Vec<u8>) -> Self {
        let mut buffer = Buffer::new(bytes);
        let (mr, token) = buffer.register(side, 1);
        Self { side, buffer, mr, token }
    }

    fn write(&self, number: usize, at: usize, token: u32) -> Results {
        let (sge, context) = (self.buffer.sge(self.token), request(number));
        let status = call!(self.side.qp, NdkWrite, context, &sge, 1, u64_from(at), token, 0);
        assert_eq!(status, STATUS_SUCCESS);
        self.side.results()
    }

    fn read(&self, number: usize, at: usize, token: u32) -> Results {
        let (sge, context) = (self.buffer.sge(self.token), request(number));
        let status = call!(self.side.qp, NdkRead, context, &sge, 1, u64_from(at), token, 0);
        assert_eq!(status, STATUS_SUCCESS);
        self.side.results()
    }

    fn close(&self, log: &Log) {
        assert_eq!(close!(log, self.mr, NdkCloseMr, "mr"), STATUS_SUCCESS);
    }
}

#[test]
fn chain_must_be_long_enough_and_virtually_contiguous() {
    let pair = Pair::new();
    let mr = pair.near.create_mr();
    let register = |first: &mut Buffer, length| {
        call!(mr, NdkRegisterMr, from_mut(&mut *first.mdl), length, 1, None, null_mut())
    };
    let (mut whole, mut gap) = (Buffer::new(vec![0; 300]), Buffer::new(vec![0; 300]));
    assert_eq!(register(&mut whole, 301), STATUS_INVALID_PARAMETER);
    whole.mdl.Next = from_mut(&mut *gap.mdl);
    assert_eq!(register(&mut whole, 301), STATUS_INVALID_PARAMETER);
    // Contiguous, but the page in which the lists meet is another one in each.
    let end = whole.address() + 300;
    gap.mdl.StartVa = virtual_address(end & !0xFFF);
    gap.mdl.ByteOffset = u32_from(end & 0xFFF);
    assert_eq!(register(&mut whole, 600), STATUS_INVALID_PARAMETER);
    assert_eq!(live_mappings(), 0);
    let mut whole = Buffer::new(vec![0; 600]);
    let _second = whole.split(300);
    assert_eq!(register(&mut whole, 600), STATUS_SUCCESS);
    let token = call!(mr, NdkGetLocalTokenFromMr);
    assert_eq!(register(&mut whole, 600), STATUS_INVALID_DEVICE_STATE);
    assert_eq!(call!(mr, NdkGetLocalTokenFromMr), token);
    assert_eq!(close!(pair.log, mr, NdkCloseMr, "mr"), STATUS_SUCCESS);
    pair.tear_down();
}

#[test]
fn chain_that_is_cut_inside_a_page_is_one_region_when_its_lists_are_gone() {
    let pair = Pair::connected();
    let mut source = Buffer::new((0..=255).cycle().take(1000).collect());
    let (_, source_token) = source.register(&pair.near, 0);
    let mut sink = Buffer::new(vec![0; 1000]);
    let second = sink.split(600);
    let mr = pair.far.create_mr();
    let mdl = from_mut(&mut *sink.mdl);
    assert_eq!(call!(mr, NdkRegisterMr, mdl, 1000, 5, None, null_mut()), STATUS_SUCCESS);
    drop(second);
    sink.mdl.MappedSystemVa = null_mut();
    sink.mdl.Next = null_mut();
    let token = call!(mr, NdkGetRemoteTokenFromMr);
    let sge = source.sge(source_token);
    let at = u64_from(sink.address());
    assert_eq!(call!(pair.near.qp, NdkWrite, null_mut(), &sge, 1, at, token, 0), STATUS_SUCCESS);
    assert_eq!(pair.near.results(), [(STATUS_SUCCESS, 1000, 0)]);
    assert_eq!(sink.bytes, source.bytes);
}

#[test]
fn regions_mapping_is_undone_with_its_registration_and_not_before_the_last_transfer() {
    let pair = Pair::new();
    let mut buffer = Buffer::new(vec![0; 64]);
    let (mr, token) = buffer.register(&pair.near, 2);
    assert_eq!(live_mappings(), 1);
    let used = in_use(&pair.near, token, buffer.address());
    assert_eq!(close!(pair.log, mr, NdkCloseMr, "mr"), STATUS_PENDING);
    assert_eq!(live_mappings(), 1);
    drop(used);
    assert_eq!(live_mappings(), 0);
    pair.log.pump();
    let (mr, _) = buffer.register(&pair.near, 2);
    assert_eq!(call!(mr, NdkDeregisterMr, None, null_mut()), STATUS_SUCCESS);
    assert_eq!(live_mappings(), 0);
    assert_eq!(close!(pair.log, mr, NdkCloseMr, "mr"), STATUS_SUCCESS);
    pair.tear_down();
}

#[test]
fn registration_with_flags_that_no_page_lists_is_refused() {
    let pair = Pair::connected();
    let mut buffer = Buffer::new(vec![0; 64]);
    let (mr, fast, mut mw, pages) =
        (pair.near.create_mr(), create_fast(&pair.near), null_mut(), Pages::new());
    assert_eq!(initialise(fast, 1, true), STATUS_SUCCESS);
    assert_eq!(call!(pair.near.pd, NdkCreateMw, None, null_mut(), &mut mw), STATUS_SUCCESS);
    // Remote write without local write, alone and with others; and a bit of no name.
    for flags in [4, 6, 12, 14, 16] {
        let mdl = from_mut(&mut *buffer.mdl);
        let status = call!(mr, NdkRegisterMr, mdl, 64, flags, None, null_mut());
        assert_eq!(status, STATUS_INVALID_PARAMETER, "{flags:#x}");
    }
    for flags in [0x20, 0x28, 0x4, 0x40, 0x100] {
        let status = fast_register(&pair.near, fast, 1, &[pages.at(0)], (0, PAGE, 0x7000_0000), flags);
        assert_eq!(status, STATUS_INVALID_PARAMETER, "{flags:#x}");
    }
    let mdl = from_mut(&mut *buffer.mdl);
    assert_eq!(
        call!(mr, NdkRegisterMr, mdl, 64, 0xF, None, null_mut()),
        STATUS_SUCCESS,
        "all that are listed"
    );
    for flags in [0x10, 0x18, 0x20, 0x28, 0x80] {
        let (qp, at) = (pair.near.qp, virtual_address(buffer.address()));
        let status = call!(qp, NdkBind, null_mut(), mr, mw, at, 64, flags);
        assert_eq!(status, STATUS_INVALID_PARAMETER, "{flags:#x}");
    }
    assert_eq!(pair.near.results(), []);
    assert_eq!(close!(pair.log, mw, NdkCloseMw, "mw"), STATUS_SUCCESS);
    for mr in [mr, fast] {
        assert_eq!(close!(pair.log, mr, NdkCloseMr, "mr"), STATUS_SUCCESS);
    }
    pair.tear_down();
}

#[test]
fn ten_thousand_registrations_of_a_region_have_tokens_of_their_own() {
    let pair = Pair::new();
    let mut buffer = Buffer::new(vec![0; 64]);
    let mr = pair.near.create_mr();
    let mut tokens = std::collections::HashSet::new();
    for _ in 0..10_000 {
        let mdl = from_mut(&mut *buffer.mdl);
        assert_eq!(call!(mr, NdkRegisterMr, mdl, 64, 0, None, null_mut()), STATUS_SUCCESS);
        let token = call!(mr, NdkGetRemoteTokenFromMr);
        assert!(tokens.insert(token));
        assert_eq!(call!(mr, NdkDeregisterMr, None, null_mut()), STATUS_SUCCESS);
    }
    assert_eq!(call!(mr, NdkDeregisterMr, None, null_mut()), STATUS_INVALID_DEVICE_STATE);
    assert_eq!(close!(pair.log, mr, NdkCloseMr, "mr"), STATUS_SUCCESS);
    pair.tear_down();
}

#[test]
fn many_regions_have_different_tokens_and_give_them_back() {
    let pair = Pair::new();
    for _ in 0..2 {
        let mut regions = Vec::new();
        let mut tokens = std::collections::HashSet::new();
        for _ in 0..600 {
            let mut buffer = Buffer::new(vec![0; 8]);
            let (mr, token) = buffer.register(&pair.near, 0);
            assert!(tokens.insert(Token(token).index()));
            regions.push((mr, buffer));
        }
        for (mr, _) in regions {
            assert_eq!(close!(pair.log, mr, NdkCloseMr, "mr"), STATUS_SUCCESS);
        }
    }
    pair.tear_down();
}

#[test]
fn closed_region_s_slot_is_the_last_to_be_used_again() {
    let pair = Pair::new();
    let mut buffer = Buffer::new(vec![0; 8]);
    let mut next = || {
        let (mr, token) = buffer.register(&pair.near, 0);
        assert_eq!(close!(pair.log, mr, NdkCloseMr, "mr"), STATUS_SUCCESS);
        Token(token).index()
    };
    let first = next();
    let others: std::collections::HashSet<_> = (0..200).map(|_| next()).collect();
    assert!(others.len() == 200 && !others.contains(&first));
    assert!((0..100).any(|_| next() == first), "but it is used again");
    pair.tear_down();
}
