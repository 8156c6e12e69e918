//! File systems below the devices that have less space than these were formatted with.
//!
//! Faults it makes, on any number of shards, since none of them may cost anything that was acknowledged: a file system gives
//! no more; or it has no space even where it gave some (one that writes every block to a new place), for the extents alone or
//! for the log too. They end by themselves, and at the latest when the faults stop.

use super::{Happening, World};
use crate::plan::Profile;
use crate::random::Random;
use hexalog_storage_core::effects::{Area, Event, IoResult, IoToken};
use hexalog_storage_format::aligned::AlignedBuffer;

/// What the file system below a device has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Below {
    /// What is wanted.
    Ample,
    /// Nothing more than it has given.
    Full,
    /// Nothing for the extents.
    Refuses,
    /// Nothing for the extents and the log. The two superblocks have their places.
    RefusesAll,
}

impl Below {
    pub fn refuses(self, area: Area) -> bool {
        match self {
            Below::Ample | Below::Full => false,
            Below::Refuses => area == Area::Extents,
            Below::RefusesAll => area != Area::Superblock,
        }
    }
}

/// Segments are made once, when the volume is, and nobody asks for them again.
pub(super) const SEGMENTS_MADE_US: u64 = 60_000;
/// In the SQL workload rows must not be refused, which three members of a group bring about.
const SHARDS_FULL_MAX_SQL: usize = 2;

impl World {
    /// Draws when which file system is full, apart from all else: a plan without does not change.
    pub(super) fn plan_file_systems(&mut self) {
        let every_us = self.plan.full_every_us;
        if every_us == 0 {
            return;
        }
        let mut chance = Random::new(self.plan.seed ^ 0x000f_1125_7357);
        let shards = if self.plan.profile == Profile::Sql { SHARDS_FULL_MAX_SQL } else { self.shards() };
        let mut at = SEGMENTS_MADE_US;
        while at < self.plan.work_us {
            let shard = chance.range(0, shards as u64) as usize;
            let below =
                [Below::Full, Below::Full, Below::Refuses, Below::RefusesAll][chance.range(0, 4) as usize];
            // A site's file systems may be one.
            let all = chance.one_in(4);
            let until = at + chance.range(1_000, 4 * every_us);
            for shard in (0..shards).filter(|other| all || *other == shard) {
                self.at(at, Happening::FileSystem { shard, below });
                self.at(until, Happening::FileSystem { shard, below: Below::Ample });
            }
            at += chance.range(1, 2 * every_us);
        }
    }

    pub(super) fn change_below(&mut self, shard: usize, below: Below) {
        if self.now_us < self.faults_stop_us {
            self.note(&format!("the file system of shard {shard} is {below:?}"));
            self.below[shard] = below;
            // A member that could write nothing may be left behind.
            self.outcome.faults += u64::from(below != Below::Ample);
        }
    }

    /// What a driver does beside a shard: space for its extents, as far as the file system has some.
    pub(super) fn back_extents(&mut self, shard: usize) {
        let below = self.below[shard];
        let all = self.plan.extents_bytes;
        let process = &mut self.processes[shard];
        let Some(machine) = &mut process.shard else { return };
        if below != Below::Full {
            process.backed_bytes = process.backed_bytes.max(machine.extents_wanted_bytes());
        }
        let possible = if below == Below::Full { process.backed_bytes } else { all };
        machine.set_extents_backed(process.backed_bytes, possible);
    }

    /// Some of it may stand there all the same.
    pub(super) fn refuse_write(
        &mut self,
        shard: usize,
        token: IoToken,
        area: Area,
        offset: u64,
        buffer: AlignedBuffer,
    ) {
        self.note(&format!("a write of shard {shard} to {area:?} at {offset} finds no space"));
        self.processes[shard].disk.tear(area, offset, buffer.bytes(), &mut self.random);
        self.tell_shard(shard, Event::Written(token, IoResult::NoSpace, buffer));
    }
}
