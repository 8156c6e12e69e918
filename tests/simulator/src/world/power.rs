//! Checker: what is told is durable. Asks devices what a power cut at this moment would leave of them, without one.
//!
//! A machine of its own starts from what a device has flushed and nothing else; what it writes at its start goes nowhere.
//! Three things are held against it. A member's word: its SCL, and that it is sound. Its pages: every read point that it
//! can serve gives what the model says. And the quorum: what a writer calls durable, be it after an opening, at least four
//! members of each group have on their devices. Nothing of it changes what happens: the draws are of a stream of their own.
//!
//! One thing more a power cut may come with: a sector that cannot be read any more, of the newest superblock. The older one lets go
//! of less, and the log may have gone round beyond that. The machine must start, and tell what it told or that it is damaged.

use super::ask::{converse, find_answer};
use super::cluster::MEMBERS;
use super::members::image_in;
use super::quiet::segment_of;
use super::restarts::{BeforeStop, is_lost};
use super::{VOLUME, World};
use crate::disk::{Disk, SECTOR_BYTES};
use crate::plan::Profile;
use hexalog_protocol::history::EpochHistory;
use hexalog_protocol::ids::WriterId;
use hexalog_protocol::message::{Message, SegmentName, SegmentState, SegmentStatus, Status, StatusQuery};
use hexalog_protocol::quorum::QuorumModel;
use hexalog_protocol::{GroupId, Lsn, PageId};
use hexalog_storage_core::effects::{Area, ConnectionId, Effect, Effects, Event, IoResult, Now};
use hexalog_storage_core::shard::Shard;
use hexalog_storage_format::superblock::{SUPERBLOCK_AREA_BYTES, Superblock};
use std::collections::BTreeMap;

/// Incarnation of the log that such a start would begin.
const INCARNATION: u64 = 0x00dd_1e55_ca7e;
/// Pages of a member that are read from what is left of its device.
const PAGES_MAX: usize = 4;
/// One reading of a member out of so many looks at its device instead.
const MEMBER_READINGS: u64 = 8;
/// One write of a superblock out of so many: what a checkpoint names has just become what a start begins with.
const SUPERBLOCKS: u64 = 8;
/// One write of a superblock out of so many is preceded by a look at what is left if the one before it does not read back.
const SUPERBLOCKS_UNREADABLE: u64 = 8;
/// Mean number of times that VDL moves between two looks at all devices.
const VDL_MOVES: u64 = 128;

/// Contents of single sectors.
type Sectors = BTreeMap<(Area, u64), [u8; SECTOR_BYTES]>;

/// A machine that has started from what a device has flushed.
pub(super) struct Survivor<'a> {
    machine: Shard,
    disk: &'a Disk,
    /// What it has written itself, or does not read back.
    written: Sectors,
    now: Now,
    questions: u64,
}

impl<'a> Survivor<'a> {
    /// # Panics
    /// If it cannot start.
    fn start(
        shard: usize,
        (machine, mut effects): (Shard, Effects),
        (disk, written): (&'a Disk, Sectors),
        now: Now,
    ) -> Survivor<'a> {
        let mut survivor = Survivor { machine, disk, written, now, questions: 0 };
        while !survivor.machine.is_ready() {
            let list = std::mem::take(&mut effects.list);
            assert!(
                !list.is_empty(),
                "shard {shard} would not start after a power cut: it waits for nothing"
            );
            for effect in list {
                survivor.carry_out(shard, effect, &mut effects);
            }
        }
        survivor
    }

    fn carry_out(&mut self, shard: usize, effect: Effect, effects: &mut Effects) {
        let now = self.now;
        match effect {
            Effect::Read { token, area, offset, mut buffer } => {
                self.read(area, offset, buffer.bytes_mut());
                self.machine.handle(now, Event::Read(token, IoResult::Done, buffer), effects);
            }
            Effect::Write { token, area, offset, buffer, .. } => {
                for (index, sector) in buffer.bytes().chunks_exact(SECTOR_BYTES).enumerate() {
                    let at = offset + (index * SECTOR_BYTES) as u64;
                    self.written.insert((area, at), sector.try_into().expect("a sector"));
                }
                self.machine.handle(now, Event::Written(token, IoResult::Done, buffer), effects);
            }
            Effect::Flush { token, .. } => {
                self.machine.handle(now, Event::Flushed(token, IoResult::Done), effects);
            }
            Effect::Halt { reason, .. } => {
                panic!("shard {shard} would not start after a power cut: {reason}")
            }
            // Its peers are not there.
            Effect::Connect(..) | Effect::Close(_) | Effect::Log(_) => {}
        }
    }

    fn read(&self, area: Area, offset: u64, buffer: &mut [u8]) {
        read_left(self.disk, &self.written, area, offset, buffer);
    }

    fn ask(&mut self, question: &Message<'_>) -> Vec<u8> {
        self.questions += 1;
        let Survivor { machine, disk, written, .. } = self;
        let id = ConnectionId(self.questions);
        let read = |area, offset, buffer: &mut [u8]| read_left(disk, written, area, offset, buffer);
        converse(machine, self.now, id, question, read).0
    }

    fn status(&mut self) -> Status {
        let said = self.ask(&Message::StatusQuery(StatusQuery { volume: VOLUME }));
        let status = find_answer(&said, |message| match message {
            Message::Status(status) => Some(status),
            _ => None,
        });
        status.expect("a status is answered at once")
    }

    fn history(&mut self, name: SegmentName) -> EpochHistory {
        let said = self.ask(&Message::FetchHistory(name));
        let history = find_answer(&said, |message| match message {
            Message::History(history) => Some(history.history),
            _ => None,
        });
        history.expect("a history is answered at once")
    }
}

fn read_left(disk: &Disk, written: &Sectors, area: Area, offset: u64, buffer: &mut [u8]) {
    disk.read_durable(area, offset, buffer);
    let end = offset + buffer.len() as u64;
    for ((_, at), sector) in written.range((area, offset)..(area, end)) {
        let from = (at - offset) as usize;
        buffer[from..from + SECTOR_BYTES].copy_from_slice(sector);
    }
}

impl World {
    /// What a power cut would leave of a shard. `None`: it was never formatted.
    fn after_power_cut<T>(&self, shard: usize, look: impl FnOnce(&mut Survivor<'_>) -> T) -> Option<T> {
        self.after_power_cut_without(Sectors::new(), shard, look)
    }

    /// As [`World::after_power_cut`], if some sectors do not read back.
    fn after_power_cut_without<T>(
        &self,
        sectors: Sectors,
        shard: usize,
        look: impl FnOnce(&mut Survivor<'_>) -> T,
    ) -> Option<T> {
        let process = &self.processes[shard];
        if !process.is_formatted {
            return None;
        }
        let now = self.shard_now(shard);
        let mut effects = Effects::default();
        let machine = Shard::start(self.shard_options(shard, INCARNATION), now, &mut effects);
        Some(look(&mut Survivor::start(shard, (machine, effects), (&process.disk, sectors), now)))
    }

    /// Now and then, instead of a reading of a member: what is left of it. True if it was looked at.
    pub(super) fn check_what_is_left(&mut self, shard: usize) -> bool {
        let is_due = self.plan.profile != Profile::Bulk && self.checks.one_in(MEMBER_READINGS);
        if is_due {
            self.check_word(shard);
        }
        is_due
    }

    /// A superblock is durable.
    pub(super) fn check_what_is_named(&mut self, shard: usize) {
        if self.checks.one_in(SUPERBLOCKS) {
            self.check_word(shard);
        }
    }

    /// A superblock is about to be written: the log has come as far as it can with the newest one that there is. Now and then
    /// that one is taken not to read back, if the other one does.
    pub(super) fn check_older_superblock(&mut self, shard: usize) {
        let is_ready = self.processes[shard].shard.as_ref().is_some_and(Shard::is_ready);
        self.superblocks_written += 1;
        let is_due = is_ready && self.superblocks_written.is_multiple_of(SUPERBLOCKS_UNREADABLE);
        if !is_due || self.plan.profile == Profile::Bulk || self.may_rot(shard) {
            return;
        }
        let mut area = [0; SUPERBLOCK_AREA_BYTES];
        self.processes[shard].disk.read_durable(Area::Superblock, 0, &mut area);
        let [_, newest] = &Superblock::valid(&area)[..] else { return };
        let unreadable = Sectors::from([((Area::Superblock, newest.offset()), [0; SECTOR_BYTES])]);
        let word = BeforeStop::of(self.ask_status(shard));
        let who = format!("shard {shard} after a power cut and with its older superblock");
        self.after_power_cut_without(unreadable, shard, |survivor| {
            let left = survivor.status();
            self.check_promises(&who, shard, &left);
            word.check_known_loss(&who, &left);
            word.of_rotting_device().check(&who, &left, |name| survivor.history(name));
        });
    }

    /// What a member says of itself, and its pages, against what it has on its device.
    pub(super) fn check_word(&mut self, shard: usize) {
        if self.plan.profile == Profile::Bulk
            || !self.processes[shard].shard.as_ref().is_some_and(Shard::is_ready)
        {
            return;
        }
        if self.may_rot(shard) {
            // What it has said it may lose by this fault too.
            return;
        }
        let word = BeforeStop::of(self.ask_status(shard));
        let pages = self.plan.pages_per_group * u64::from(self.plan.active_groups);
        let draws: [(u64, u64); PAGES_MAX] =
            std::array::from_fn(|_| (self.checks.range(0, pages), self.checks.bits()));
        self.after_power_cut(shard, |survivor| {
            let left = survivor.status();
            self.check_promises(&format!("shard {shard} after a power cut"), shard, &left);
            word.check(&format!("shard {shard} after a power cut"), &left, |name| survivor.history(name));
            for (page, draw) in draws {
                let Some(read) = self.draw_member_read(&left, PageId(page), draw) else { continue };
                let said = survivor.ask(&Message::ReadPage(read.clone()));
                if let Some(image) = image_in(&said, false, false) {
                    self.check_member_image(&read, &image, &format!("shard {shard} after a power cut"));
                }
            }
        });
    }

    /// VDL has moved, and is told: now and then all devices are asked whether it is true.
    pub(super) fn check_vdl_is_true(&mut self, vdl: Lsn) {
        if self.plan.profile != Profile::Bulk && self.checks.one_in(VDL_MOVES) {
            self.check_quorum(vdl, None);
        }
    }

    /// A volume has opened: what it recovered is at a write quorum, and so is the history of its writer.
    pub(super) fn check_opening_is_true(&mut self, vdl: Lsn, writer: WriterId) {
        if self.plan.profile != Profile::Bulk {
            self.check_quorum(vdl, Some(writer));
        }
    }

    /// The group's last record that is not above `vdl`.
    pub(super) fn tail_at(&self, group: GroupId, vdl: Lsn) -> Lsn {
        let first = u64::from(group.0) * self.plan.pages_per_group;
        let pages = first..first + self.plan.pages_per_group;
        pages.map(|page| self.model.lsn_at(PageId(page), vdl)).max().unwrap_or(Lsn::ZERO)
    }

    fn check_quorum(&mut self, vdl: Lsn, opener: Option<WriterId>) {
        // A device that alters what it was given may keep nothing of it: four others do keep theirs.
        let sound: Vec<usize> = (0..self.shards()).filter(|shard| !self.may_rot(*shard)).collect();
        let left: Vec<(usize, Status)> = sound
            .iter()
            .filter_map(|shard| Some((*shard, self.after_power_cut(*shard, |left| left.status())?)))
            .collect();
        assert_eq!(left.len(), sound.len(), "no volume is open before all shards are there");
        for group in (0..self.plan.groups).map(GroupId) {
            let tail = self.tail_at(group, vdl);
            let of_group = self.members_of(group);
            let has = |shard: &usize| of_group.contains(shard);
            let members: Vec<(usize, &SegmentStatus)> = left
                .iter()
                .filter(|(shard, _)| has(shard))
                .map(|(shard, status)| (*shard, segment_of(status, group)))
                .collect();
            let needed = usize::from(QuorumModel::FOUR_OF_SIX.write) - (MEMBERS - members.len());
            let holds = |(shard, member): &&(usize, &SegmentStatus)| {
                // One that has given up its log since had told the writer that it holds this.
                let has_told = self.fences.scl_told(*shard, group) >= tail;
                if is_lost(member.state) { has_told } else { member.scl >= tail }
            };
            let count = members.iter().filter(holds).count();
            let scls: Vec<_> = members.iter().map(|(_, member)| (member.state, member.scl.0)).collect();
            assert!(
                count >= needed,
                "VDL {vdl} is told, and a power cut would leave {count} members of {group:?} with its records up to {tail}: \
                 {scls:?}"
            );
            let Some(opener) = opener else { continue };
            let obeys = |(_, member): &&(usize, &SegmentStatus)| {
                let is_open = member.writer == opener && member.state == SegmentState::Open;
                is_open || member.writer.epoch > opener.epoch || is_lost(member.state)
            };
            let count = members.iter().filter(obeys).count();
            assert!(
                count >= needed,
                "{opener:?} has opened, and a power cut would leave {count} members of {group:?} with its history"
            );
        }
    }
}
