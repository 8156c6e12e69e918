//! Messages between compute and storage, and between storage shards.
//!
//! Every kind has a struct with the fields in wire order. Variable parts that are large (batches, page
//! images) are borrowed. [`Message::decode`] takes any bytes. Numbers of kinds are fixed for good; the list
//! is in `docs/wire-format.md`.

mod bodies;
mod wire;

pub use bodies::*;

use crate::codec::{Malformed, Reader};
use crate::frame::{Frame, write_frame, write_image_frame};
use crate::image::SummedImage;
use crate::{Lsn, PageId};
use alloc::vec::Vec;
use wire::Wire;

macro_rules! messages {
    ($($(#[$doc:meta])* $kind:literal $name:ident($body:ty)),+ $(,)?) => {
        /// One message, decoded.
        #[derive(Clone, PartialEq, Debug)]
        pub enum Message<'a> {
            $($(#[$doc])* $name($body)),+
        }

        impl<'a> Message<'a> {
            /// The number of this kind of message in a frame.
            pub fn kind(&self) -> u16 {
                match self {
                    $(Message::$name(_) => $kind),+
                }
            }

            /// Decodes a frame's payload. Trailing bytes are refused.
            pub fn decode(frame: &Frame<'a>) -> Result<Message<'a>, Malformed> {
                let mut reader = Reader::new(frame.payload);
                let message = match frame.kind {
                    $($kind => Message::$name(Wire::get(&mut reader)?),)+
                    _ => return Err(Malformed { what: "message kind" }),
                };
                reader.finish("message trailing bytes")?;
                Ok(message)
            }

            /// Appends the message in a frame of its own.
            pub fn encode(&self, request_id: u64, out: &mut Vec<u8>) {
                write_frame(out, self.kind(), request_id, |out| self.put(out));
            }

            fn put(&self, out: &mut Vec<u8>) {
                match self {
                    $(Message::$name(body) => body.put(out)),+
                }
            }
        }
    };
}

messages! {
    /// First message of a connection, from the side that connected.
    1 Hello(Hello<'a>),
    /// Answer to `Hello`.
    2 Welcome(Welcome),
    /// A request was refused; nothing was changed by it.
    3 Refusal(Refusal),
    /// A request was carried out durably and has nothing else to tell.
    4 Done(Done),
    /// Makes a segment on this shard.
    5 CreateSegment(CreateSegment),
    /// A writer's frame: batches, or a notice without any.
    6 Write(Write<'a>),
    /// What is durable now, by group. Also sent unasked when gossip moved an SCL.
    7 WriteAck(WriteAck),
    /// Read one page at a read point.
    8 ReadPage(ReadPage),
    /// Answer to `ReadPage`.
    9 PageImage(PageImage<'a>),
    /// Fences older writers (opening, step 2).
    10 EpochBump(EpochBump),
    /// Answer to `EpochBump`, one for each segment of the volume on this shard.
    11 Bumped(Bumped),
    /// Makes an epoch history durable (opening, step 5; or a segment that is behind).
    12 InstallHistory(InstallHistory),
    /// Asks for the epoch history that a segment holds.
    13 FetchHistory(SegmentName),
    /// Answer to `FetchHistory`.
    14 History(History),
    /// Asks a peer for batches; carries the asker's own position.
    15 GossipPull(GossipPull),
    /// Batches from a peer, or from an opener that repairs.
    16 GossipPush(GossipPush<'a>),
    /// Tells a segment who its peers are.
    17 SetMembership(SetMembership),
    /// Asks for the state of all segments of a volume on this shard (any volume if the id is zero).
    18 StatusQuery(StatusQuery),
    /// Answer to `StatusQuery`.
    19 Status(Status),
    /// Asks a peer for pages: what the asker lacks is in no peer's log any more.
    20 HydratePull(HydratePull),
    /// Answer to `HydratePull`.
    21 HydratePages(HydratePages<'a>),
    /// Makes a segment anew that was there before and is not known here any more: it counts for nothing until it has got all
    /// from its peers. The base LSN says nothing.
    22 RestoreSegment(CreateSegment),
    /// Asks for the members of a group, answered by [`SetMembership`]. A peer that was refused under older ones asks: who was away
    /// while they changed, and who is none of them any more.
    23 FetchMembership(SegmentName),
}

/// Appends the answer to a read to `out`: the frame that [`Message::PageImage`] makes of the image as it is sealed for the wire.
pub fn encode_page_image(
    request_id: u64,
    page: PageId,
    read_point: Lsn,
    image: &SummedImage<'_>,
    out: &mut Vec<u8>,
) {
    let message = Message::PageImage(PageImage { page, read_point, image: &image.wire_head() });
    write_image_frame(out, message.kind(), request_id, image, |out| message.put(out));
}
