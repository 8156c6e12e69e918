//! Devices that alter what they were given: bits that rot, writes that land elsewhere, writes that never land.
//!
//! **Budget.** Two shards of a run, drawn from its seed, have such devices, and of any group at least four members never do. So of any record and any page at
//! most two copies of six are damaged: one that was at a write quorum is at two sound members still, and any three that are
//! believed are among the four others and meet those. One of the two shards, the *rotten* one, has rot in all areas; the
//! other in its extents alone, which may cost it its index, and so all that it has. The rotten one may also be given another
//! device, an empty one, in place of its own: it has forgotten then that it ever had a segment. What the promise does not cover is left
//! out: the last appends of a log (what ends a log cannot be told from what a crash tore), a log write that is acknowledged as
//! flushed and lost, and a superblock while the other one may be torn, so only of a shard that is stopped and has two.

use super::ask::find_answer;
use super::cluster::MEMBERS;
use super::file_systems::SEGMENTS_MADE_US;
use super::{Happening, VOLUME, WORLD_START_US, World};
use crate::disk::Disk;
use crate::random::Random;
use hexalog_protocol::frame::read_frame;
use hexalog_protocol::message::{Message, SegmentState, StatusQuery};
use hexalog_protocol::{GroupId, PAGE_SIZE};
use hexalog_storage_core::effects::Area;
use hexalog_storage_core::shard::Shard;
use hexalog_storage_format::append::AppendHeader;
use hexalog_storage_format::superblock::{SUPERBLOCK_AREA_BYTES, SUPERBLOCK_SLOTS, Superblock};
use std::collections::BTreeSet;

const BLOCK_BYTES: usize = 4096;
/// Appends at a log's end that are left alone: the newest durable one, and one that may be on its way.
const APPENDS_SPARED: usize = 2;
/// Blocks that a device loses which loses much.
const BLOCKS_LOST: usize = 3;

/// What the next write to the extents of a shard comes to.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) enum WriteFault {
    #[default]
    None,
    Lost,
    /// It lands so many blocks further, around the area's end.
    Misdirected(u64),
    /// The next image of a page is lost: what stood in its place before stays there.
    ImageLost,
    /// The next image of a page lands where the one before it did, as when a device takes the address of its last command.
    ImageRepeatsPlace,
}

/// Kinds of rot when plans did not say how many there are.
pub const ROT_KINDS_OF_OLD: u64 = 6;
/// Kinds of rot.
pub const ROT_KINDS: u64 = 11;

impl World {
    /// The shards whose devices rot, members of one group; the first one's in all areas. Another device in its place is another
    /// one for all shards of its daemon.
    pub(super) fn rotting(&self) -> [usize; 2] {
        let mut random = Random::new(self.plan.seed ^ 0x0207);
        let first = random.range(0, MEMBERS as u64) as usize;
        let second = (first + random.range(1, MEMBERS as u64) as usize) % MEMBERS;
        let members = self.plan.cluster.members(GroupId(0));
        [members[first], members[second]]
    }

    pub(super) fn may_rot(&self, shard: usize) -> bool {
        let daemon = |shard| self.plan.cluster.daemon_of(shard);
        let [rotten, other] = self.rotting();
        self.plan.rot_every_us > 0 && (daemon(shard) == daemon(rotten) || shard == other)
    }

    pub(super) fn rot(&mut self, number: u64, chance: &mut Random) {
        let [rotten, other] = self.rotting();
        let either = if chance.one_in(2) { rotten } else { other };
        let is_there = |kind: &u64| self.plan.rot_mask >> kind & 1 == 1;
        let kinds: Vec<u64> = (0..self.plan.rot_kinds).filter(is_there).collect();
        let kind = kinds[chance.range(0, kinds.len() as u64) as usize];
        self.note(&format!("fault {number}: rot of kind {kind}, shard {rotten} or {either}"));
        match kind {
            0 | 1 => self.rot_log(rotten, chance),
            2 => self.rot_superblock(rotten, chance),
            3 => self.rot_extents(either, chance),
            4 => self.write_faults[either] = WriteFault::Lost,
            5 => {
                let blocks = self.plan.extents_bytes / BLOCK_BYTES as u64;
                self.write_faults[either] = WriteFault::Misdirected(chance.range(1, blocks));
            }
            // What a failing power supply takes with it, on one machine or on all.
            6 => {
                self.rot_log(rotten, chance);
                self.stop_daemon(rotten, true, chance);
            }
            7 => {
                self.rot_log(rotten, chance);
                (0..self.shards()).for_each(|shard| self.stop_shard(shard, true, chance));
                if chance.one_in(2) {
                    // Compute was on the same line.
                    self.kill_writers();
                    let in_us = chance.range(1, 300_000);
                    self.at(in_us, Happening::WriterStarts);
                }
            }
            8 => self.write_faults[either] = WriteFault::ImageLost,
            10 => self.replace_device(rotten, chance),
            _ => self.write_faults[either] = WriteFault::ImageRepeatsPlace,
        }
    }

    /// What makes a member forget what it promised, if it may at all: its log or, on the device of which only that rots, its index.
    pub(super) fn lose_much(&mut self, shard: usize, chance: &mut Random) {
        if shard == self.rotting()[0] {
            return self.rot_log(shard, chance);
        }
        (0..BLOCKS_LOST).for_each(|_| self.rot_extents(shard, chance));
    }

    /// An operator puts an empty device in the place of one that has failed, and starts the daemon on it.
    fn replace_device(&mut self, shard: usize, chance: &mut Random) {
        if self.now_us < WORLD_START_US + SEGMENTS_MADE_US {
            return;
        }
        self.stop_daemon(shard, true, chance);
        let cluster = self.plan.cluster;
        for shard in cluster.shards_of(cluster.daemon_of(shard)) {
            self.image_places[shard] = (0, 0);
            let (log_bytes, extents_bytes) = (self.plan.log_bytes as usize, self.plan.extents_bytes as usize);
            let process = &mut self.processes[shard];
            process.disk = Disk::new(SUPERBLOCK_AREA_BYTES, log_bytes, extents_bytes);
            process.is_formatted = false;
            // It says nothing of what the old one said.
            process.before_stop = None;
            self.altered[shard] = true;
            self.note(&format!("shard {shard} gets an empty device"));
        }
    }

    /// Any sector of an append that others follow.
    fn rot_log(&mut self, shard: usize, chance: &mut Random) {
        let log_bytes = self.plan.log_bytes as usize;
        let log = self.processes[shard].disk.bytes_mut(Area::Log);
        let headers = (0..log.len()).step_by(BLOCK_BYTES).filter_map(|at| {
            let (header, _) = AppendHeader::decode(&log[at..]).ok()?;
            (header.offset as usize == at).then_some((header.sequence, at, header.append_bytes as usize))
        });
        let mut appends: Vec<(u64, usize, usize)> = headers.collect();
        appends.sort_unstable();
        appends.truncate(appends.len().saturating_sub(APPENDS_SPARED));
        if appends.is_empty() {
            return;
        }
        // Near the end more often than not: what a checkpoint has passed no start looks at.
        let from = if chance.one_in(2) { appends.len().saturating_sub(16) } else { 0 };
        let (_, at, bytes) = appends[chance.range(from as u64, appends.len() as u64) as usize];
        let place = (at + chance.range(0, bytes as u64) as usize).min(log_bytes - 1);
        log[place] ^= 1 << chance.range(0, 8);
        self.altered[shard] = true;
        self.note(&format!("a bit at {place} of the log of shard {shard} flips"));
    }

    fn rot_superblock(&mut self, shard: usize, chance: &mut Random) {
        let is_stopped = self.processes[shard].shard.is_none();
        let area = self.processes[shard].disk.bytes_mut(Area::Superblock);
        if is_stopped && Superblock::valid(area).len() == SUPERBLOCK_SLOTS {
            let place = chance.range(0, area.len() as u64) as usize;
            area[place] ^= 1 << chance.range(0, 8);
            self.altered[shard] = true;
            self.note(&format!("a bit at {place} of the superblocks of shard {shard} flips"));
        }
    }

    /// Any bit of a block that has ever been written.
    fn rot_extents(&mut self, shard: usize, chance: &mut Random) {
        let area = self.processes[shard].disk.bytes_mut(Area::Extents);
        let is_written = |at: &usize| area[*at..*at + BLOCK_BYTES].iter().any(|byte| *byte != 0);
        let blocks: Vec<usize> = (0..area.len()).step_by(BLOCK_BYTES).filter(is_written).collect();
        if blocks.is_empty() {
            return;
        }
        let block = blocks[chance.range(0, blocks.len() as u64) as usize];
        let place = block + chance.range(0, BLOCK_BYTES as u64) as usize;
        area[place] ^= 1 << chance.range(0, 8);
        self.altered[shard] = true;
        self.note(&format!("a bit at {place} of the extents of shard {shard} flips"));
    }

    /// Where a write to a shard's device lands; `None`: nowhere.
    pub(super) fn place_of_write(
        &mut self,
        shard: usize,
        area: Area,
        (offset, bytes): (u64, u64),
        is_flushed: bool,
    ) -> Option<u64> {
        if area != Area::Extents || is_flushed {
            return Some(offset);
        }
        let is_image = bytes >= PAGE_SIZE as u64;
        let last_image = self.image_places[shard];
        if is_image {
            self.image_places[shard] = (offset, bytes);
        }
        let fault = self.write_faults[shard];
        let is_of_images = matches!(fault, WriteFault::ImageLost | WriteFault::ImageRepeatsPlace);
        if is_of_images && !is_image {
            return Some(offset);
        }
        self.write_faults[shard] = WriteFault::None;
        let place = match fault {
            WriteFault::None => Some(offset),
            WriteFault::Lost | WriteFault::ImageLost => None,
            WriteFault::ImageRepeatsPlace if last_image.1 < bytes => None,
            WriteFault::ImageRepeatsPlace => Some(last_image.0),
            WriteFault::Misdirected(blocks) => {
                let place = (offset + blocks * BLOCK_BYTES as u64) % self.plan.extents_bytes;
                Some(place.min(self.plan.extents_bytes - bytes))
            }
        };
        if fault != WriteFault::None {
            self.altered[shard] = true;
            self.note(&format!("a write of shard {shard} to extents at {offset} lands at {place:?}"));
        }
        place
    }

    /// A damaged segment acknowledges nothing.
    pub(super) fn check_damaged_tell_nothing(&mut self, shard: usize, said: &[(impl Sized, Vec<u8>)]) {
        let tells = |bytes: &[u8]| {
            let mut groups = BTreeSet::new();
            let mut rest = bytes;
            while let Ok(Some(frame)) = read_frame(rest) {
                if let Ok(Message::WriteAck(ack)) = Message::decode(&frame) {
                    groups.extend(ack.scls.iter().map(|(group, _)| *group));
                }
                rest = &rest[frame.frame_bytes..];
            }
            groups
        };
        let told: BTreeSet<_> = said.iter().flat_map(|(_, bytes)| tells(bytes)).collect();
        if told.is_empty() || !self.processes[shard].shard.as_ref().is_some_and(Shard::is_ready) {
            return;
        }
        let answer = self.ask(shard, &Message::StatusQuery(StatusQuery { volume: VOLUME }));
        let status = find_answer(&answer, |message| match message {
            Message::Status(status) => Some(status),
            _ => None,
        });
        let status = status.expect("a status is answered at once");
        for segment in status.segments.iter().filter(|segment| told.contains(&segment.group)) {
            let is_damaged = segment.state == SegmentState::Damaged;
            assert!(
                !is_damaged,
                "a damaged segment counts: shard {shard} acknowledges for {:?}",
                segment.group
            );
        }
    }
}
