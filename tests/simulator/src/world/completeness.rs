//! Checker: a member knows how far it is complete.
//!
//! One that says it is complete through an LSN has every record of its group up to there: who reads a page at or below that LSN
//! gets it as it is. And it serves no page put together across a gap: asked as a peer asks that wants a page mended, and knows of
//! no tail but an SCL, it refuses, or gives the page as it is where its own chain ends.

use super::ask::find_answer;
use super::members::{image_in, within};
use super::{VOLUME, World};
use hexalog_protocol::message::{Message, ReadPage, RefusalReason, SegmentState, Status};
use hexalog_protocol::{GeometryEpoch, PageId};

impl World {
    /// A peer that wants a page mended knows of no tail but its own SCL, which here is as far as this member is. It may be
    /// refused; what it gets is the page as it is where this member's chain ends.
    pub(super) fn check_page_for_peer(&mut self, shard: usize, status: &Status, (page, draw): (PageId, u64)) {
        let Some(segment) = self.segment_with(status, page) else { return };
        let high = segment.vdl_heard.min(self.model.acknowledged);
        let is_sound = matches!(segment.state, SegmentState::Open | SegmentState::Opening);
        if !is_sound || high < segment.gc_floor {
            return;
        }
        let read = ReadPage {
            volume: VOLUME,
            group: segment.group,
            page,
            read_point: within(segment.gc_floor, high, draw),
            group_tail: segment.scl,
            writer: segment.writer,
            membership_epoch: segment.membership_epoch,
            geometry_epoch: GeometryEpoch(1),
        };
        let said = self.ask(shard, &Message::ReadPage(read.clone()));
        let refused = find_answer(&said, |message| match message {
            Message::Refusal(refusal) => Some(refusal.reason),
            _ => None,
        });
        if refused == Some(RefusalReason::NotComplete) {
            return;
        }
        let are_waiting = self.are_reads_waiting(shard);
        let Some(image) = image_in(&said, self.is_mended_soon(shard), are_waiting) else { return };
        let reached =
            ReadPage { read_point: read.read_point.min(segment.scl.max(segment.complete_through)), ..read };
        self.outcome.member_reads_checked += 1;
        self.check_member_image(&reached, &image, &format!("shard {shard}, asked by a peer"));
    }

    /// A member that says it is complete through an LSN has all that its group has up to there.
    pub(super) fn check_completeness(&self, shard: usize, status: &Status) {
        for segment in status.segments.iter().filter(|segment| segment.state == SegmentState::Open) {
            let through = segment.complete_through.min(self.model.acknowledged);
            let tail = self.tail_at(segment.group, through);
            assert!(
                segment.scl >= tail,
                "shard {shard} {:?} says that it is complete through {through}, and lacks what stands above {} up to {tail}",
                segment.group,
                segment.scl
            );
        }
    }
}
