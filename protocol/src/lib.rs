//! What compute and storage agree on: ids and LSNs, redo records, the one function that applies them to a
//! page, epoch histories, frames and messages.
//!
//! Owns every byte that crosses the network between the two sides, and the page format. It never does I/O,
//! reads no clock, keeps no state. Byte layouts are written out in `docs/wire-format.md`; read [`record`]
//! first, then [`page`], [`history`], [`frame`] and [`message`].
#![no_std]
#![deny(missing_docs)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod batch;
pub mod codec;
pub mod frame;
pub mod geometry;
pub mod history;
pub mod ids;
pub mod image;
pub mod membership;
pub mod message;
pub mod mtr;
pub mod page;
pub mod quorum;
pub mod record;

pub use ids::{
    DeviceId, GeometryEpoch, GroupId, Incarnation, Lsn, MembershipEpoch, NodeId, PageId, SegmentId,
    ShardIndex, VolumeEpoch, VolumeId,
};
pub use image::SummedImage;
pub use page::{PAGE_BODY_START, PAGE_SIZE, Page};
