//! What befalls openings: openers that die at a step, openers that race and reach different members, members that a long
//! partition keeps from writers, from their peers, or from both.
//!
//! A step is a frame that goes between the opener and a member, so that every state that an opening can be left in comes
//! about, whatever the network's delays: drawn by number, and not by time.

use super::cluster::{MEMBERS, SHARDS_MAX};
use super::{Happening, World};
use crate::network::End;
use crate::random::Random;

/// Frames of an opening for each member and group, about: the question, the answer, records, the history and its answer.
const FRAMES_PER_SEGMENT: u64 = 3;
/// The longest partition, half of the work.
const PARTED_US_MAX: u64 = 1_500_000;
/// A connection whose other end is gone is given up after this at the latest: a system's keep-alive, in this world's measure.
const UNHEARD_US_MAX: u64 = 1_500_000;

/// An opener that dies when so many more frames have come or gone.
pub(super) struct DyingOpener {
    frames_left: u64,
}

/// What one writer does not reach.
#[derive(Clone, Copy)]
pub(super) struct Unseen {
    until_us: u64,
    shards: [bool; SHARDS_MAX],
}

impl World {
    pub(super) fn let_an_opener_die(&mut self, chance: &mut Random) {
        let of_groups = MEMBERS as u64 * FRAMES_PER_SEGMENT * u64::from(self.plan.groups.min(8));
        let steps = 2 * self.shards() as u64 + of_groups;
        let frames_left = chance.range(1, steps);
        self.note(&format!("the next opener dies at frame {frames_left}"));
        self.kill_writers();
        self.dying_opener = Some(DyingOpener { frames_left });
        self.at(1, Happening::WriterStarts);
    }

    /// A frame goes between these two.
    pub(super) fn count_openers_frame(&mut self, one: End, other: End) {
        let Some(dying) = &mut self.dying_opener else { return };
        let of_writer = |end: End| matches!(end, End::Writer { run: 1.., .. });
        if !of_writer(one) && !of_writer(other) {
            return;
        }
        dying.frames_left -= 1;
        if dying.frames_left == 0 {
            self.dying_opener = None;
            self.at(0, Happening::WritersDie);
            self.at(1, Happening::WriterStarts);
        }
    }

    /// Several open at once, each out of reach of one or two members of its own.
    pub(super) fn let_openers_race(&mut self, chance: &mut Random) {
        if chance.one_in(2) {
            self.kill_writers();
        }
        let count = chance.range(2, 6);
        let within_us = chance.range(100, 20_000);
        self.note(&format!("{count} openers race"));
        self.racing_until_us = self.now_us + within_us + chance.range(1_000, 100_000);
        for _ in 0..count {
            let in_us = chance.range(0, within_us);
            self.at(in_us, Happening::WriterStarts);
        }
        if chance.one_in(3) {
            let in_us = chance.range(0, 2 * within_us);
            self.at(in_us, Happening::WritersDie);
            self.at(in_us + 1, Happening::WriterStarts);
        }
    }

    /// Two members stop while a volume is opened, and start again long before any writer hears that its connections are gone. Where
    /// devices may lose what they hold, it is those: they come back without what they had promised.
    pub(super) fn stop_shards_unheard(&mut self, chance: &mut Random) {
        let shards = if self.plan.rot_every_us > 0 {
            self.rotting()
        } else {
            let members = self.members_in_turn();
            let first = chance.range(0, MEMBERS as u64) as usize;
            [members[first], members[(first + chance.range(1, MEMBERS as u64) as usize) % MEMBERS]]
        };
        self.unheard_until_us = self.now_us + chance.range(100_000, UNHEARD_US_MAX);
        self.note(&format!(
            "shards {shards:?} stop, and no writer hears of it before {}",
            self.unheard_until_us
        ));
        if chance.one_in(2) {
            self.at(0, Happening::WriterStarts);
        }
        for shard in shards {
            let in_us = chance.range(100, 4_000);
            self.at(in_us, Happening::StopsUnheard { shard });
        }
        let in_us = chance.range(0, 6_000);
        self.at(in_us, Happening::WriterStarts);
    }

    pub(super) fn stop_unheard(&mut self, shard: usize) {
        let mut chance = Random::new(self.random.bits());
        if self.may_rot(shard) {
            self.lose_much(shard, &mut chance);
        }
        let is_power_cut = chance.one_in(2);
        self.stop_daemon(shard, is_power_cut, &mut chance);
    }

    /// A writer begins; while openers race it does not reach all.
    pub(super) fn draw_unseen(&mut self, run: u64) {
        if self.now_us >= self.racing_until_us {
            return;
        }
        let mut shards = [false; SHARDS_MAX];
        for _ in 0..self.random.range(1, 3) {
            shards[self.random.range(0, self.shards() as u64) as usize] = true;
        }
        self.note(&format!("writer {run} does not reach {shards:?}"));
        self.unseen.insert(run, Unseen { until_us: self.racing_until_us, shards });
    }

    /// Whether a writer does not reach a shard that others do.
    pub(super) fn is_unseen(&self, one: End, other: End) -> bool {
        let (End::Writer { run, .. }, End::Shard { shard, .. }) = (one, other) else { return false };
        self.unseen.get(&run).is_some_and(|unseen| unseen.until_us > self.now_us && unseen.shards[shard])
    }

    /// One to three members are out of reach for long: of writers, of their peers, or of all.
    pub(super) fn part_shards(&mut self, chance: &mut Random) {
        let mut shards = [false; SHARDS_MAX];
        for _ in 0..chance.range(1, 4) {
            shards[chance.range(0, self.shards() as u64) as usize] = true;
        }
        let kind = chance.range(0, 3);
        let (from_writers, from_peers) = (kind != 1, kind != 0);
        let in_us = chance.range(100_000, PARTED_US_MAX);
        self.note(&format!(
            "shards {shards:?} parted from writers: {from_writers}, from peers: {from_peers}"
        ));
        for shard in (0..self.shards()).filter(|shard| shards[*shard]) {
            self.hidden[shard] |= from_writers;
            self.aloof[shard] |= from_peers;
        }
        self.at(in_us, Happening::PartedMeet { shards });
    }

    pub(super) fn parted_meet(&mut self, shards: [bool; SHARDS_MAX]) {
        self.note(&format!("shards {shards:?} are reached again"));
        for shard in (0..self.shards()).filter(|shard| shards[*shard]) {
            (self.hidden[shard], self.aloof[shard]) = (false, false);
        }
    }
}
