//! Members asked one by one, behind the writers' backs: whatever read point a member says that it can serve must give
//! what the model says, from its own device alone.
//!
//! The readings are done in one moment and draw from a random stream of their own, so that they change nothing of what
//! else happens.

use super::ask::find_answer;
use super::{Happening, VOLUME, World};
use hexalog_protocol::geometry::Geometry;
use hexalog_protocol::ids::WriterId;
use hexalog_protocol::message::{Message, ReadPage, RefusalReason, SegmentState, SegmentStatus, Status};
use hexalog_protocol::{GeometryEpoch, GroupId, Lsn, Page, PageId};
use hexalog_storage_core::shard::Shard;

/// After the faults a device is read through within so long, and what it altered is whole again.
const MEND_US: u64 = 5_000_000;

/// Mean time between two readings while there is work.
const EVERY_US: u64 = 4_000;
/// One reading out of so many is asked for as a peer asks that wants a page mended.
const READINGS_OF_PEERS: u64 = 4;

impl World {
    /// A page of one member, at a read point somewhere between its floor and what it has heard.
    pub(super) fn check_a_member(&mut self) {
        let shard = self.checks.range(0, self.shards() as u64) as usize;
        let pages = self.plan.pages_per_group * u64::from(self.plan.active_groups);
        let page = PageId(self.checks.range(0, pages));
        let page = self.page_of(shard, page);
        let draw = self.checks.bits();
        let is_ready = self.processes[shard].shard.as_ref().is_some_and(Shard::is_ready);
        if is_ready && !self.check_what_is_left(shard) {
            self.check_member_page(shard, page, draw);
        }
        if self.now_us < self.faults_stop_us {
            let in_us = self.checks.range(1, 2 * EVERY_US);
            self.at(in_us, Happening::MemberIsChecked);
        }
    }

    /// Every page of every member, at its floor and at the VDL.
    pub(super) fn check_all_members(&mut self) {
        for shard in 0..self.shards() {
            for page in self.pages_to_check() {
                self.check_member_page(shard, page, 0);
                self.check_member_page(shard, page, u64::MAX);
            }
        }
    }

    /// `draw` chooses the read point: 0 is the floor, the highest number what the member has heard.
    fn check_member_page(&mut self, shard: usize, page: PageId, draw: u64) {
        let status = self.ask_status(shard);
        self.check_members_word(shard, page, &status);
        if !self.has_segment_of(self.group_of(page), shard) {
            // It has been replaced: nobody mends it, and nobody asks it.
            return;
        }
        if draw % READINGS_OF_PEERS == 1 {
            return self.check_page_for_peer(shard, &status, (page, draw));
        }
        let Some(read) = self.draw_member_read(&status, page, draw) else { return };
        let said = self.ask(shard, &Message::ReadPage(read.clone()));
        let are_waiting = self.are_reads_waiting(shard);
        let Some(image) = image_in(&said, self.is_mended_soon(shard), are_waiting) else { return };
        self.outcome.member_reads_checked += 1;
        self.check_member_image(&read, &image, &format!("shard {shard}"));
    }

    /// What a member says of itself, before it is held to it.
    fn check_members_word(&mut self, shard: usize, page: PageId, status: &Status) {
        self.check_promises(&format!("shard {shard}"), shard, status);
        self.check_status_is_kept(shard, status);
        self.check_completeness(shard, status);
        if let Some(segment) = self.segment_with(status, page) {
            self.check_vdl_heard(shard, segment);
        }
    }

    /// This page, or the first one that the shard has if it does not have that; the same if it has none.
    fn page_of(&self, shard: usize, page: PageId) -> PageId {
        let has = |group: &GroupId| self.has_segment_of(*group, shard);
        if has(&self.group_of(page)) {
            return page;
        }
        let first = (0..self.plan.groups).map(GroupId).find(has);
        first.map_or(page, |group| PageId(u64::from(group.0) * self.plan.pages_per_group))
    }

    fn group_of(&self, page: PageId) -> GroupId {
        let geometry = Geometry { pages_per_group: self.plan.pages_per_group, groups: self.plan.groups };
        geometry.group_of(page)
    }

    /// The segment that a page belongs to, if the shard of this status has it.
    pub(super) fn segment_with<'a>(&self, status: &'a Status, page: PageId) -> Option<&'a SegmentStatus> {
        let group = self.group_of(page);
        status.segments.iter().find(|segment| segment.group == group)
    }

    /// Whether a block of this shard may be bad now.
    pub(super) fn is_mended_soon(&self, shard: usize) -> bool {
        self.may_rot(shard) && self.now_us < self.faults_stop_us + MEND_US
    }

    /// Whether reads wait for their turns at this shard's device, the last that was asked for among them.
    pub(super) fn are_reads_waiting(&self, shard: usize) -> bool {
        let machine = self.processes[shard].shard.as_ref().expect("it was asked");
        machine.counters().iter().any(|(name, count)| *name == "reads_waiting" && *count > 0)
    }

    /// A read that a member of this status must be able to answer, if there is one.
    pub(super) fn draw_member_read(&self, status: &Status, page: PageId, draw: u64) -> Option<ReadPage> {
        let segment = self.segment_with(status, page)?;
        // What no writer was told may still be annulled.
        let high = segment.vdl_heard.min(self.model.acknowledged).min(segment.complete_through);
        if segment.state != SegmentState::Open || high < segment.gc_floor {
            return None;
        }
        Some(ReadPage {
            volume: VOLUME,
            group: segment.group,
            page,
            read_point: within(segment.gc_floor, high, draw),
            group_tail: Lsn(u64::MAX),
            writer: WriterId::default(),
            membership_epoch: segment.membership_epoch,
            geometry_epoch: GeometryEpoch(1),
        })
    }

    /// What a member answered, against the model.
    pub(super) fn check_member_image(&self, read: &ReadPage, image: &[u8], who: &str) {
        let (page, read_point) = (read.page, read.read_point);
        let context = format!("{page:?} @ {read_point:?} of {who}");
        match self.model.at(page, read_point) {
            None => assert!(image.is_empty(), "{context} was never written"),
            Some(truth) => {
                let lsn = truth.lsn();
                let image = Page::from_bytes(image);
                let image = image.unwrap_or_else(|| panic!("{context} is lost: written at {lsn:?}"));
                assert!(image.verify(VOLUME, page), "{context}");
                assert_eq!(image.lsn(), lsn, "{context}");
                assert_eq!(image.content_hash(), truth.content_hash(), "{context}");
            }
        }
    }
}

/// An LSN of this stretch: its first for 0, its last for the highest number.
pub(super) fn within(low: Lsn, high: Lsn, draw: u64) -> Lsn {
    let above_low = (u128::from(high.since(low)) * u128::from(draw)) / u128::from(u64::MAX);
    low.plus(above_low as u64)
}

/// The image in an answer to one read. `None` if the member has too much to do, or is damaged and may be, or has the read wait for
/// others' turns at a device that takes long.
pub(super) fn image_in(said: &[u8], may_be_damaged: bool, are_reads_waiting: bool) -> Option<Vec<u8>> {
    let answer = find_answer(said, |message| match message {
        Message::PageImage(answer) => Some(Some(answer.image.to_vec())),
        Message::Refusal(refusal) => {
            let is_damage = matches!(refusal.reason, RefusalReason::Damaged | RefusalReason::Quarantined);
            let is_known = refusal.reason == RefusalReason::Busy || (is_damage && may_be_damaged);
            assert!(is_known, "a read is refused: {:?} {}", refusal.reason, refusal.detail);
            Some(None)
        }
        _ => None,
    });
    assert!(answer.is_some() || are_reads_waiting, "a read is answered as soon as its device reads are done");
    answer.flatten()
}
