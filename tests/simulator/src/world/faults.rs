//! What befalls the processes.
//!
//! Each fault has a number and draws all it needs from the plan's seed and that number: leaving one out changes no other.

use super::cluster::{SHARDS_MAX, ZONES};
use super::{Happening, World};
use crate::network::End;
use crate::plan::FAULT_KINDS;
use crate::random::Random;
use hexalog_volume::config::LinkIndex;

/// The kinds of faults, in the order of their bits in the plan; some stand twice to come more often.
const KINDS: [Kind; FAULT_KINDS] = [
    Kind::ShardKilled,
    Kind::ShardKilled,
    Kind::PowerCut,
    Kind::PowerCutEverywhere,
    Kind::ZoneCutOff,
    Kind::ConnectionBreaks,
    Kind::WriterPaused,
    Kind::ShardsHidden,
    Kind::ShardsHidden,
    Kind::WriterReplaced,
    Kind::WriterReplaced,
    Kind::ShardPaused,
    Kind::ShardMuted,
    Kind::ShardDeafened,
    Kind::DiskSlow,
    Kind::ClockJumps,
    Kind::RecordsStranded,
    Kind::RecordsStranded,
    Kind::DeviceFails,
    Kind::KilledThenPowerCut,
    Kind::InstallHalved,
    Kind::InstallHalved,
    Kind::OpenerDiesAtStep,
    Kind::OpenersRace,
    Kind::ShardsParted,
    Kind::FramesDoubled,
    Kind::ZoneLosesPower,
    Kind::ShardsStopUnheard,
];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    ShardKilled,
    PowerCut,
    PowerCutEverywhere,
    ZoneCutOff,
    ConnectionBreaks,
    WriterPaused,
    ShardsHidden,
    WriterReplaced,
    ShardPaused,
    ShardMuted,
    ShardDeafened,
    DiskSlow,
    ClockJumps,
    RecordsStranded,
    DeviceFails,
    KilledThenPowerCut,
    InstallHalved,
    OpenerDiesAtStep,
    OpenersRace,
    ShardsParted,
    FramesDoubled,
    ZoneLosesPower,
    ShardsStopUnheard,
}

/// A clock jumps so far at most.
const CLOCK_JUMP_US_MAX: u64 = 3_600_000_000;

impl World {
    /// Draws the kind of a fault among those that the plan has.
    fn draw_kind(&self, chance: &mut Random) -> Kind {
        let enabled = |at: &usize| self.plan.fault_kinds >> at & 1 == 1;
        let kinds: Vec<usize> = (0..KINDS.len()).filter(enabled).collect();
        let at = if kinds.is_empty() { 0 } else { chance.range(0, kinds.len() as u64) as usize };
        KINDS[kinds.get(at).copied().unwrap_or(0)]
    }

    pub(super) fn make_fault(&mut self, number: u64) {
        if self.now_us >= self.faults_stop_us || !self.plan.has_fault(number) {
            return;
        }
        self.outcome.faults += 1;
        let mut chance = Random::new(
            self.plan.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ number.wrapping_mul(0xd6e8_feb8_6659_fd93),
        );
        if self.plan.is_rot(number) {
            return self.rot(number, &mut chance);
        }
        let kind = self.draw_kind(&mut chance);
        self.note(&format!("fault {number}: {kind:?}"));
        let shard = chance.range(0, self.shards() as u64) as usize;
        let until_us = self.now_us + chance.range(1_000, 300_000);
        match kind {
            Kind::ShardKilled => self.stop_daemon(shard, false, &mut chance),
            Kind::PowerCut => self.stop_daemon(shard, true, &mut chance),
            Kind::PowerCutEverywhere => {
                (0..self.shards()).for_each(|shard| self.stop_shard(shard, true, &mut chance));
            }
            Kind::ZoneCutOff => self.cut_zone_off(&mut chance),
            Kind::ConnectionBreaks => {
                let open = self.network.open();
                if !open.is_empty() {
                    let connection = open[chance.range(0, open.len() as u64) as usize];
                    self.at(0, Happening::Break { connection });
                }
            }
            Kind::WriterPaused => self.pause_writer(&mut chance),
            Kind::ShardsHidden => self.hide_shards(&mut chance),
            Kind::WriterReplaced => self.replace_writer(&mut chance),
            Kind::ShardPaused => {
                self.note(&format!("shard {shard} is paused until {until_us}"));
                self.conditions[shard].paused_until_us = until_us;
            }
            Kind::ShardMuted => {
                self.note(&format!("nothing that shard {shard} sends arrives before {until_us}"));
                self.conditions[shard].mute_until_us = until_us;
            }
            Kind::ShardDeafened => {
                self.note(&format!("nothing reaches shard {shard} before {until_us}"));
                self.conditions[shard].deaf_until_us = until_us;
            }
            Kind::DiskSlow => self.slow_disk_down(shard, until_us, &mut chance),
            Kind::RecordsStranded => self.strand_records(&mut chance),
            Kind::DeviceFails => self.device_fails[shard] = true,
            Kind::KilledThenPowerCut => self.kill_then_cut_power(&mut chance),
            Kind::InstallHalved => self.halve_an_install(&mut chance),
            Kind::OpenerDiesAtStep => self.let_an_opener_die(&mut chance),
            Kind::OpenersRace => self.let_openers_race(&mut chance),
            Kind::ShardsParted => self.part_shards(&mut chance),
            Kind::FramesDoubled => {
                self.note(&format!("shard {shard} and who talks with it get all twice until {until_us}"));
                self.conditions[shard].doubled_until_us = until_us;
            }
            Kind::ZoneLosesPower => {
                let cluster = self.plan.cluster;
                let is_there = |other: &usize| cluster.zone_of(*other) == cluster.zone_of(shard);
                (0..self.shards()).filter(is_there).for_each(|it| self.stop_shard(it, true, &mut chance));
            }
            Kind::ShardsStopUnheard => self.stop_shards_unheard(&mut chance),
            Kind::ClockJumps => self.make_clocks_jump(shard, &mut chance),
        }
    }

    fn slow_disk_down(&mut self, shard: usize, until_us: u64, chance: &mut Random) {
        let factor = if chance.one_in(3) { 100_000 } else { chance.range(5, 100) };
        self.note(&format!("the disk of shard {shard} is {factor} times as slow until {until_us}"));
        self.conditions[shard].disk_slow_until_us = until_us;
        self.conditions[shard].disk_factor = factor;
    }

    fn make_clocks_jump(&mut self, shard: usize, chance: &mut Random) {
        let jump = chance.range(0, 2 * CLOCK_JUMP_US_MAX) as i64 - CLOCK_JUMP_US_MAX as i64;
        self.note(&format!("the wall clock of shard {shard} and of compute jumps by {jump}"));
        self.conditions[shard].wall_offset_us += jump;
        self.compute_wall_offset_us -= jump;
    }

    fn cut_zone_off(&mut self, chance: &mut Random) {
        let az = chance.range(0, ZONES as u64) as usize;
        self.note(&format!("az {az} is cut off"));
        self.cut_off[az] = true;
        let in_us = chance.range(1_000, 200_000);
        self.at(in_us, Happening::Heal { az });
    }

    /// The writer dies or not, and one or several others open; sometimes all of them die within that, at whatever step.
    fn replace_writer(&mut self, chance: &mut Random) {
        if chance.one_in(2) {
            self.kill_writers();
        }
        for _ in 0..chance.range(1, 4) {
            let in_us = chance.range(0, 3_000);
            self.at(in_us, Happening::WriterStarts);
        }
        if chance.one_in(3) {
            let in_us = chance.range(0, 8_000);
            self.at(in_us, Happening::WritersDie);
            self.at(in_us + 1, Happening::WriterStarts);
        }
    }

    pub(super) fn kill_writers(&mut self) {
        let runs: Vec<u64> = self.writers.iter().map(|writer| writer.run).collect();
        self.note("the writers are killed");
        while !self.writers.is_empty() {
            self.remove_writer(0);
        }
        for run in runs {
            let links = (0..SHARDS_MAX).map(|link| End::Writer { run, link: LinkIndex(link) });
            let broken: Vec<usize> =
                links.filter_map(|end| self.network.find(end)).map(|(connection, _)| connection).collect();
            for connection in broken {
                let in_us = self.random.range(10, 1_000);
                self.at(in_us, Happening::Break { connection });
            }
        }
    }

    /// The writer's process stands still; often another opens, since it does not answer.
    fn pause_writer(&mut self, chance: &mut Random) {
        let Some(writer) = self.writers.last_mut() else { return };
        writer.is_paused = true;
        let run = writer.run;
        self.note(&format!("writer {run} is paused"));
        let in_us = chance.range(1_000, 300_000);
        self.at(in_us, Happening::WriterResumes { run });
        if chance.one_in(2) {
            let in_us = chance.range(0, 50_000);
            self.at(in_us, Happening::WriterStarts);
        }
    }

    /// Some shards are reached by their peers and by no writer: they miss openings, and records.
    fn hide_shards(&mut self, chance: &mut Random) {
        for _ in 0..chance.range(1, 3) {
            let shard = chance.range(0, self.shards() as u64) as usize;
            self.note(&format!("writers do not reach shard {shard}"));
            self.hidden[shard] = true;
            let in_us = chance.range(1_000, 300_000);
            self.at(in_us, Happening::WritersReach { shard });
        }
    }
}
