//! The lists of a registration and a mapping, which are the consumer's own again when the request has completed.

#![expect(unsafe_code, reason = "functions of the provider are called with addresses")]

use sys::ndk::{
    NDK_MR_FLAG_ALLOW_LOCAL_WRITE, NDK_MR_FLAG_ALLOW_REMOTE_WRITE, NDK_OP_FLAG_ALLOW_REMOTE_WRITE,
};
use sys::status::{NTSTATUS, STATUS_INVALID_PARAMETER, STATUS_SUCCESS};
use sys::wdm::MDL;

use super::access::Rdma;
use super::connected_pair::ConnectedPair;
use super::registering::run;
use crate::buffer::Buffer;
use crate::call_log::CallLog;
use crate::kernel::{self, Look, PartialMdl};
use crate::ndk::{Extent, Inside, Remote, mapping_length};
use crate::number::{u64_from, usize_from};
use crate::test_context::TestContext;

/// Offset of the memory in the buffer, which is no multiple of a page.
const FIRST: u32 = 100;
/// Bytes, on three pages.
const LENGTH: u32 = 9000;
/// Offsets at which lists of a chain meet, inside a page.
const CUTS: [u32; 2] = [1000, 5000];
/// Bytes that are written at once.
const PIECE: u32 = 16;

/// The fate of the lists.
#[derive(Clone, Copy)]
enum Way {
    /// One, freed.
    Freed,
    /// One, which describes other memory.
    Reused,
    /// One, mapped by the consumer, which undoes its mapping.
    Mapped,
    /// A chain that is cut inside pages, freed.
    Cut,
}

const WAYS: [Way; 4] = [Way::Freed, Way::Reused, Way::Mapped, Way::Cut];

impl Way {
    /// Hands lists over the buffer's memory to `request`, and lets go of them when that has completed.
    fn hand_over<T>(
        self,
        call_log: &CallLog,
        buffer: &Buffer,
        request: impl FnOnce(*mut MDL) -> Result<T, NTSTATUS>,
    ) -> Result<T, NTSTATUS> {
        // SAFETY: the buffer is longer than the part.
        let part = |from: u32, to: u32| unsafe {
            PartialMdl::new(buffer.locked_mdl(), FIRST.saturating_add(from), to.saturating_sub(from))
        };
        if let Self::Cut = self {
            let [one, two] = CUTS;
            let (first, second, third) = (part(0, one)?, part(one, two)?, part(two, LENGTH)?);
            first.chain(&second);
            second.chain(&third);
            return request(first.as_ptr());
        }
        let whole = part(0, LENGTH)?;
        let mapped = match self {
            // SAFETY: the pages are locked.
            Self::Mapped => Some(unsafe { kernel::system_address(whole.as_ptr()) }?),
            Self::Freed | Self::Reused | Self::Cut => None,
        };
        // SAFETY: the list is this function's own.
        let before = unsafe { Look::at(whole.as_ptr()) };
        let done = request(whole.as_ptr());
        // SAFETY: as above.
        call_log.require("a list is left as it was", before == unsafe { Look::at(whole.as_ptr()) });
        match (self, mapped) {
            // SAFETY: the mapping was made above, and is out of use.
            (_, Some(address)) => unsafe { kernel::unmap(whole.as_ptr(), address) },
            // SAFETY: the buffer has the bytes, and the list is out of use.
            (Self::Reused, None) => unsafe { whole.reuse(buffer.locked_mdl(), 0, 1) },
            (_, None) => {}
        }
        done
    }
}

/// Writes to the beginning, across the cuts and to the end of what `base` and `token` name, and checks the buffer.
fn write(pair: &ConnectedPair<'_>, buffer: &Buffer, base: usize, token: u32) -> Result<(), NTSTATUS> {
    let call_log = pair.test.call_log();
    let middle = CUTS.map(|cut| cut.saturating_sub(PIECE / 2));
    let places = [0, middle[0], middle[1], LENGTH.saturating_sub(PIECE)];
    for place in places {
        let written = kernel::ticks().to_le_bytes().map(|byte| byte | 1);
        pair.near_memory.buffer.put(&[written, written].concat_pair());
        let remote = Remote { address: u64_from(base).saturating_add(u64::from(place)), token };
        let status = Rdma::Write.run(pair, &[pair.near_memory.sge(PIECE)], remote)?;
        call_log.expect("write to memory whose lists are gone", status, STATUS_SUCCESS);
        pair.settle()?;
        let mut arrived = [0; usize_from(PIECE)];
        buffer.take_at(FIRST.saturating_add(place), &mut arrived);
        call_log.require("the bytes are in the buffer", arrived == [written, written].concat_pair());
    }
    Ok(())
}

/// Two halves, one behind the other.
trait ConcatPair {
    fn concat_pair(self) -> [u8; usize_from(PIECE)];
}

impl ConcatPair for [[u8; 8]; 2] {
    fn concat_pair(self) -> [u8; usize_from(PIECE)] {
        let mut whole = [0; usize_from(PIECE)];
        whole.iter_mut().zip(self.into_iter().flatten()).for_each(|(to, from)| *to = from);
        whole
    }
}

/// WR-8: memory stays registered when the lists that described it are freed, reused or unmapped.
pub(super) fn registered(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let call_log = test.call_log();
    let pair = ConnectedPair::connected(test)?;
    let buffer = test.locked(FIRST.saturating_add(LENGTH))?;
    let mr = pair.far.pd.create_mr()?;
    let flags = NDK_MR_FLAG_ALLOW_LOCAL_WRITE | NDK_MR_FLAG_ALLOW_REMOTE_WRITE;
    for way in WAYS {
        way.hand_over(call_log, buffer, |mdl| mr.register(mdl, LENGTH, flags, Inside::Nothing)?.wait())?;
        write(&pair, buffer, buffer.address(FIRST), mr.remote_token())?;
        mr.deregister(Inside::Nothing)?.expect_one_of(&[STATUS_SUCCESS]);
    }
    // SAFETY: the buffer has the bytes.
    let first = unsafe { PartialMdl::new(buffer.locked_mdl(), 0, 64) }?;
    // SAFETY: as above.
    let second = unsafe { PartialMdl::new(buffer.locked_mdl(), 65, 64) }?;
    first.chain(&second);
    let gap = mr.register(first.as_ptr(), 128, flags, Inside::Nothing)?;
    call_log.expect("register a chain with a gap", gap.status(), STATUS_INVALID_PARAMETER);
    Ok(())
}

/// WR-8: pages stay mapped when the lists that described them are freed, reused or unmapped, and until the mapping
/// is released. It is built without a completion (the page of NdkBuildLAM has it optional).
pub(super) fn mapped(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    const BASE: usize = 0x7000_0000;
    let call_log = test.call_log();
    let pair = ConnectedPair::connected(test)?;
    let far = pair.far;
    let (buffer, place) = (test.locked(FIRST.saturating_add(LENGTH))?, test.buffer(mapping_length(3))?);
    let mr = far.pd.create_fast_mr()?;
    mr.initialise(16, true)?.wait()?;
    for way in WAYS {
        let mapping = way.hand_over(call_log, buffer, |mdl| test.far.map_inline(mdl, LENGTH, place))?;
        call_log.require("a page for each that the memory touches", mapping.count() == 3);
        let extent = Extent { address: BASE | usize_from(mapping.offset()), length: LENGTH };
        let post =
            |context| far.qp.fast_register(context, mr, &mapping, extent, NDK_OP_FLAG_ALLOW_REMOTE_WRITE);
        call_log.expect("fast register", run(test, far, "fast register", post)?, STATUS_SUCCESS);
        write(&pair, buffer, extent.address, mr.remote_token())?;
        let invalidated = run(test, far, "invalidate", |context| far.qp.invalidate(context, mr, 0))?;
        call_log.expect("invalidate", invalidated, STATUS_SUCCESS);
    }
    Ok(())
}
