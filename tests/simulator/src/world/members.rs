//! Members asked one by one, behind the writers' backs: whatever read point a member says that it can serve must give
//! what the model says, from its own device alone.
//!
//! The readings are done in one moment and draw from a random stream of their own, so that they change nothing of what
//! else happens.

use super::ask::find_answer;
use super::{Happening, SHARDS, VOLUME, World};
use hexalog_protocol::geometry::Geometry;
use hexalog_protocol::ids::WriterId;
use hexalog_protocol::message::{Message, ReadPage, RefusalReason, SegmentState};
use hexalog_protocol::{GeometryEpoch, Lsn, MembershipEpoch, Page, PageId};
use hexalog_storage_core::shard::Shard;

/// After the faults a device is read through within so long, and what it altered is whole again.
const MEND_US: u64 = 5_000_000;

/// Mean time between two readings while there is work.
const EVERY_US: u64 = 4_000;

impl World {
    /// A page of one member, at a read point somewhere between its floor and what it has heard.
    pub(super) fn check_a_member(&mut self) {
        let shard = self.checks.range(0, SHARDS as u64) as usize;
        let pages = self.plan.pages_per_group * u64::from(self.plan.active_groups);
        let page = PageId(self.checks.range(0, pages));
        let draw = self.checks.bits();
        if self.processes[shard].shard.as_ref().is_some_and(Shard::is_ready) {
            self.check_member_page(shard, page, draw);
        }
        if self.now_us < self.faults_stop_us {
            let in_us = self.checks.range(1, 2 * EVERY_US);
            self.at(in_us, Happening::MemberIsChecked);
        }
    }

    /// Every page of every member, at its floor and at the VDL.
    pub(super) fn check_all_members(&mut self) {
        for shard in 0..SHARDS {
            for page in self.pages_to_check() {
                self.check_member_page(shard, page, 0);
                self.check_member_page(shard, page, u64::MAX);
            }
        }
    }

    /// `draw` chooses the read point: 0 is the floor, the highest number what the member has heard.
    fn check_member_page(&mut self, shard: usize, page: PageId, draw: u64) {
        let geometry = Geometry { pages_per_group: self.plan.pages_per_group, groups: self.plan.groups };
        let group = geometry.group_of(page);
        let status = self.ask_status(shard);
        let Some(segment) = status.segments.iter().find(|segment| segment.group == group) else { return };
        // What no writer was told may still be annulled.
        let high = segment.vdl_heard.min(self.model.acknowledged).min(segment.complete_through);
        if segment.state != SegmentState::Open || high < segment.gc_floor {
            return;
        }
        let stretch = high.since(segment.gc_floor);
        let above_floor = ((u128::from(stretch) * u128::from(draw)) / u128::from(u64::MAX)) as u64;
        let read_point = segment.gc_floor.plus(above_floor);
        let read = ReadPage {
            volume: VOLUME,
            group,
            page,
            read_point,
            group_tail: Lsn(u64::MAX),
            writer: WriterId::default(),
            membership_epoch: MembershipEpoch(1),
            geometry_epoch: GeometryEpoch(1),
        };
        let Some(image) = self.ask_page(shard, read) else { return };
        self.outcome.member_reads_checked += 1;
        let context = format!("{page:?} @ {read_point:?} of shard {shard}, floor {:?}", segment.gc_floor);
        match self.model.at(page, read_point) {
            None => assert!(image.is_empty(), "{context} was never written"),
            Some(truth) => {
                let lsn = truth.lsn();
                let image = Page::from_bytes(&image);
                let image = image.unwrap_or_else(|| panic!("{context} is lost: written at {lsn:?}"));
                assert!(image.verify(VOLUME, page), "{context}");
                assert_eq!(image.lsn(), lsn, "{context}");
                assert_eq!(image.content_hash(), truth.content_hash(), "{context}");
            }
        }
    }

    /// The answer to one read. `None` if the member has too much to do.
    fn ask_page(&mut self, shard: usize, read: ReadPage) -> Option<Vec<u8>> {
        let said = self.ask(shard, &Message::ReadPage(read));
        let answer = find_answer(&said, |message| match message {
            Message::PageImage(answer) => Some(Some(answer.image.to_vec())),
            Message::Refusal(refusal) => {
                let is_mended_soon = self.may_rot(shard) && self.now_us < self.faults_stop_us + MEND_US;
                let is_damage = matches!(refusal.reason, RefusalReason::Damaged | RefusalReason::Quarantined);
                let is_known = refusal.reason == RefusalReason::Busy || (is_damage && is_mended_soon);
                assert!(is_known, "shard {shard} refuses: {:?} {}", refusal.reason, refusal.detail);
                Some(None)
            }
            _ => None,
        });
        answer.expect("a read is answered as soon as its device reads are done")
    }
}
