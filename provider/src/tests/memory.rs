//! Registering memory (WR-4, WR-8).

mod mapping;

use std::ptr::{from_mut, null_mut};

use sys::status::*;
use sys::wdm::PVOID;

use super::consumer::{Buffer, Pair, call, close};

#[test]
fn a_chain_must_be_long_enough_and_virtually_contiguous() {
    let pair = Pair::new();
    let mr = pair.near.create_mr();
    let register = |first: &mut Buffer, length| {
        call!(mr, NdkRegisterMr, from_mut(&mut *first.mdl), length, 1, None, null_mut())
    };
    let (mut whole, mut gap) = (Buffer::new(vec![0; 300]), Buffer::new(vec![0; 300]));
    assert_eq!(register(&mut whole, 301), STATUS_INVALID_PARAMETER);
    whole.mdl.Next = from_mut(&mut *gap.mdl);
    assert_eq!(register(&mut whole, 301), STATUS_INVALID_PARAMETER);
    // The second list continues the first, wherever it is mapped.
    let end = whole.address() + 300;
    gap.mdl.StartVa = (end & !0xFFF) as PVOID;
    gap.mdl.ByteOffset = (end & 0xFFF) as u32;
    assert_eq!(register(&mut whole, 600), STATUS_SUCCESS);
    assert_eq!(register(&mut whole, 600), STATUS_INVALID_DEVICE_STATE);
    assert_eq!(close!(pair.log, mr, NdkCloseMr, "mr"), STATUS_SUCCESS);
    pair.tear_down();
}

#[test]
fn a_write_goes_through_a_chain_to_where_each_list_is_mapped() {
    let pair = Pair::connected();
    let mut source = Buffer::new((0..=255).cycle().take(1000).collect());
    let (_, source_token) = source.register(&pair.near, 0);
    let (mut first, mut second) = (Buffer::new(vec![0; 600]), Buffer::new(vec![0; 400]));
    let end = first.address() + 600;
    second.mdl.StartVa = (end & !0xFFF) as PVOID;
    second.mdl.ByteOffset = (end & 0xFFF) as u32;
    first.mdl.Next = from_mut(&mut *second.mdl);
    let mr = pair.far.create_mr();
    let mdl = from_mut(&mut *first.mdl);
    assert_eq!(call!(mr, NdkRegisterMr, mdl, 1000, 5, None, null_mut()), STATUS_SUCCESS);
    let token = call!(mr, NdkGetRemoteTokenFromMr);
    let sge = source.sge(source_token);
    let at = first.address() as u64;
    assert_eq!(call!(pair.near.qp, NdkWrite, null_mut(), &sge, 1, at, token, 0), STATUS_SUCCESS);
    assert_eq!(pair.near.results(), [(STATUS_SUCCESS, 1000, 0)]);
    assert_eq!([&*first.bytes, &*second.bytes].concat(), *source.bytes);
}

#[test]
fn each_registration_has_a_token_of_its_own() {
    let pair = Pair::new();
    let mut buffer = Buffer::new(vec![0; 64]);
    let mr = pair.near.create_mr();
    let mut tokens = Vec::new();
    for _ in 0..3 {
        let mdl = from_mut(&mut *buffer.mdl);
        assert_eq!(call!(mr, NdkRegisterMr, mdl, 64, 0, None, null_mut()), STATUS_SUCCESS);
        let token = call!(mr, NdkGetRemoteTokenFromMr);
        assert!(!tokens.contains(&token));
        tokens.push(token);
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
            assert!(tokens.insert(token >> 8));
            regions.push((mr, buffer));
        }
        for (mr, _) in regions {
            assert_eq!(close!(pair.log, mr, NdkCloseMr, "mr"), STATUS_SUCCESS);
        }
    }
    pair.tear_down();
}
