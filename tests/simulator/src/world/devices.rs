//! Devices that fail a write or a flush: the shard must stop acknowledging, and is started anew.

use super::cluster::SHARDS_MAX;
use super::{Happening, World};
use crate::random::Random;
use hexalog_storage_core::effects::{Area, Event, IoResult, IoToken};
use hexalog_storage_core::shard::Shard;
use hexalog_storage_format::aligned::AlignedBuffer;

/// An input or output error.
const EIO: i32 = 5;

impl World {
    /// A write is over, as its device had it.
    pub(super) fn write_ends(
        &mut self,
        shard: usize,
        token: IoToken,
        (area, offset): (Area, u64),
        buffer: AlignedBuffer,
        flush: bool,
    ) {
        if self.below[shard].refuses(area) {
            return self.refuse_write(shard, token, area, offset, buffer);
        }
        if std::mem::take(&mut self.device_fails[shard]) {
            return self.fail_write(shard, token, area, offset, buffer);
        }
        if area == Area::Superblock {
            self.check_older_superblock(shard);
        }
        let place = self.place_of_write(shard, area, (offset, buffer.len() as u64), flush);
        let disk = &mut self.processes[shard].disk;
        if let Some(place) = place {
            disk.write(area, place, buffer.bytes());
        }
        if flush {
            disk.flush(area);
        }
        self.note(&format!("shard {shard} wrote {area:?} at {offset} flush {flush}"));
        self.tell_shard(shard, Event::Written(token, IoResult::Done, buffer));
        if area == Area::Superblock {
            self.check_what_is_named(shard);
        }
    }

    /// Some of it may have reached the device all the same.
    pub(super) fn fail_write(
        &mut self,
        shard: usize,
        token: IoToken,
        area: Area,
        offset: u64,
        buffer: AlignedBuffer,
    ) {
        self.note(&format!("a write of shard {shard} to {area:?} at {offset} fails"));
        self.processes[shard].disk.tear(area, offset, buffer.bytes(), &mut self.random);
        self.tell_shard(shard, Event::Written(token, IoResult::Failed(EIO), buffer));
    }

    /// What it was to make durable may be lost from now on, although it can be read.
    pub(super) fn fail_flush(&mut self, shard: usize, token: IoToken) {
        self.note(&format!("a flush of shard {shard} fails"));
        self.tell_shard(shard, Event::Flushed(token, IoResult::Failed(EIO)));
    }

    /// Processes die with writes in flight, come back at once and say what they found in the log, and then the machines
    /// lose power: what the device had not kept when it was scanned must not have been told.
    pub(super) fn kill_then_cut_power(&mut self, chance: &mut Random) {
        let cluster = self.plan.cluster;
        let (daemons, _) = cluster.sizes();
        let spared = chance.range(0, 2 * daemons as u64) as usize;
        let shards = std::array::from_fn(|shard| cluster.daemon_of(shard) != spared);
        for shard in (0..self.shards()).filter(|shard| shards[*shard]) {
            self.stop_shard(shard, false, chance);
            let in_us = chance.range(500, 3_000);
            self.at(in_us, Happening::ShardStarts { shard });
        }
        let in_us = chance.range(2_000, 80_000);
        self.at(in_us, Happening::PowerIsCut { shards });
    }

    pub(super) fn cut_power(&mut self, shards: [bool; SHARDS_MAX]) {
        if self.now_us < self.faults_stop_us {
            let mut chance = self.random.fork();
            for shard in (0..self.shards()).filter(|shard| shards[*shard]) {
                self.stop_shard(shard, true, &mut chance);
            }
        }
    }

    /// A shard says that it cannot go on: it may do so for a device that failed, and for nothing else.
    pub(super) fn shard_halts(&mut self, shard: usize, reason: &str, reads_go_on: bool) {
        assert!(reason.contains(&format!("errno {EIO}")), "shard {shard} halts: {reason}");
        self.note(&format!("shard {shard} halts: {reason}; reads go on: {reads_go_on}"));
        let run = self.processes[shard].run;
        let in_us = self.random.range(1, 100_000);
        self.at(in_us, Happening::FailedShardEnds { shard, run });
    }

    /// Unless its device is one that alters what it was given: a block that is not what the index says, or a page whose records
    /// do not fit, is the shard's own doing, though peers may hide it by serving the page.
    pub(super) fn check_nothing_is_damaged(&self, shard: usize, machine: &Shard) {
        if self.may_rot(shard) {
            return;
        }
        for (name, count) in machine.counters() {
            let tells_damage = matches!(name, "crc_errors" | "pages_quarantined" | "logs_damaged");
            assert!(!tells_damage || count == 0, "shard {shard} has {count} {name}");
        }
    }

    pub(super) fn failed_shard_ends(&mut self, shard: usize, run: u64) {
        if self.is_running(shard, run) {
            // What a failed flush left behind is gone at the latest when the machine is turned off.
            let is_power_cut = self.random.one_in(2);
            let mut chance = self.random.fork();
            self.stop_daemon(shard, is_power_cut, &mut chance);
        }
    }
}
