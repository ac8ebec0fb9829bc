//! The start of a connection in Marker PDU Aligned framing (MPA, RFC 5044 section 7 and RFC 6581): one request, one
//! reply. Both sides agree on CRC, on how many reads may be outstanding, and on the first FPDU.

mod enhanced;
mod frame;
mod negotiate;

pub use enhanced::{Depth, Enhanced};
pub use frame::{Form, Frame, FrameError, Kind, LONGEST_FRAME, Revision, StartupFrame};
pub use negotiate::{
    Agreed, Answer, Config, Offer, PRIVATE_DATA, PrivateDataTooLong, Rtr, StartupError, request,
};
