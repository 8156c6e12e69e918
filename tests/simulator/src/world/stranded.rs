//! Records that few members have when their writer dies: what an opening must find, bring to a write quorum, and only
//! then build on.
//!
//! For a while a writer reaches one to three shards only, and these none of their peers, so that gossip spreads nothing.
//! The writer dies, and the next one reaches all. Mostly the few vanish as soon as that one may have opened, and it dies
//! too: what it recovered must be there without them.
//!
//! Or an opener dies whose history few members have, and the next one opens without them: theirs must not come back. Often
//! that next one finds more than the one that died, which had not reached the members that were ahead: the two histories
//! then contradict each other, and the one after them sees both.

use super::cluster::{MEMBERS, SHARDS_MAX};
use super::{Happening, World};
use crate::network::End;
use crate::random::Random;

/// Kind of the message that brings an epoch history.
const INSTALL_HISTORY: u16 = 12;

/// What comes next.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// The writer dies; the next one reaches every shard.
    WriterDies { holders: [bool; SHARDS_MAX] },
    /// So does that one, and the holders are out of reach.
    HoldersVanish { holders: [bool; SHARDS_MAX] },
    /// The writer dies; the next one does not reach the members that are ahead, and only the holders get its history.
    HistoryIsHalved { holders: [bool; SHARDS_MAX], ahead: [bool; SHARDS_MAX] },
    /// An opener dies whose history only the holders have; the next one does not reach them.
    OpenerDies { holders: [bool; SHARDS_MAX] },
    /// That one dies too, and all is reached again.
    Return,
    /// All is reached again.
    End,
}

/// An epoch history that only some shards will get.
pub(super) struct HalfInstall {
    holders: [bool; SHARDS_MAX],
    /// One was lost already: the opener is about to die.
    is_opener_dying: bool,
}

impl World {
    pub(super) fn strand_records(&mut self, chance: &mut Random) {
        let (members, mut holders) = (self.members_in_turn(), [false; SHARDS_MAX]);
        for _ in 0..chance.range(1, 4) {
            holders[members[chance.range(0, MEMBERS as u64) as usize]] = true;
        }
        self.note(&format!("only shards {holders:?} are reached by writers, and not by peers"));
        self.aloof = holders;
        self.hidden = holders.map(|holds| !holds);
        let in_us = chance.range(5_000, 60_000);
        self.at(in_us, Happening::Stranded(Step::WriterDies { holders }));
    }

    pub(super) fn stranded_step(&mut self, step: Step) {
        if self.now_us >= self.faults_stop_us {
            return;
        }
        self.note(&format!("stranded: {step:?}"));
        match step {
            Step::WriterDies { holders } => {
                self.hidden = [false; SHARDS_MAX];
                self.replace_writer_at_once();
                // Before, within and after the time in which an opening waits for its last answers and repairs.
                let in_us = self.random.range(20_000, 150_000);
                let vanish = Step::HoldersVanish { holders };
                let next = if self.random.one_in(4) { Step::End } else { vanish };
                self.at(in_us, Happening::Stranded(next));
            }
            Step::HoldersVanish { holders } => {
                self.hidden = holders;
                self.replace_writer_at_once();
                let in_us = self.random.range(60_000, 300_000);
                self.at(in_us, Happening::Stranded(Step::End));
            }
            Step::HistoryIsHalved { holders, ahead } => {
                (self.hidden, self.aloof) = (ahead, ahead);
                self.installs_reach = Some(HalfInstall { holders, is_opener_dying: false });
                self.replace_writer_at_once();
            }
            Step::OpenerDies { holders } => {
                self.installs_reach = None;
                (self.hidden, self.aloof) = (holders, holders);
                self.replace_writer_at_once();
                let in_us = self.random.range(60_000, 250_000);
                self.at(in_us, Happening::Stranded(Step::Return));
            }
            Step::Return => {
                self.replace_writer_at_once();
                self.reach_all();
            }
            Step::End => self.reach_all(),
        }
    }

    /// The next opener's history gets to one to three shards only, and then that opener dies.
    pub(super) fn halve_an_install(&mut self, chance: &mut Random) {
        if !chance.one_in(4) {
            return self.halve_an_install_behind(chance);
        }
        let (members, mut holders) = (self.members_in_turn(), [false; SHARDS_MAX]);
        for _ in 0..chance.range(1, 4) {
            holders[members[chance.range(0, MEMBERS as u64) as usize]] = true;
        }
        self.note(&format!("only shards {holders:?} will get the next history"));
        self.installs_reach = Some(HalfInstall { holders, is_opener_dying: false });
        self.replace_writer_at_once();
    }

    /// As [`World::halve_an_install`]; before that one or two shards alone get what the writer sends, and that opener does
    /// not reach them. There are no more holders than the next opener can do without.
    fn halve_an_install_behind(&mut self, chance: &mut Random) {
        let members = self.members_in_turn();
        let first = chance.range(0, MEMBERS as u64) as usize;
        let at = |offset: u64| members[(first + offset as usize) % MEMBERS];
        let (mut ahead, mut holders) = ([false; SHARDS_MAX], [false; SHARDS_MAX]);
        (0..chance.range(1, 3)).for_each(|offset| ahead[at(offset)] = true);
        (2..chance.range(3, 5)).for_each(|offset| holders[at(offset)] = true);
        self.note(&format!("shards {ahead:?} will be ahead of an opener whose history only {holders:?} get"));
        self.aloof = ahead;
        self.hidden = ahead.map(|is_ahead| !is_ahead);
        let in_us = chance.range(2_000, 30_000);
        self.at(in_us, Happening::Stranded(Step::HistoryIsHalved { holders, ahead }));
    }

    /// Whether a message to a shard is a history that does not arrive: its connection breaks.
    pub(super) fn is_install_lost(&mut self, to: End, kind: u16) -> bool {
        let (Some(half), End::Shard { shard, .. }) = (&mut self.installs_reach, to) else { return false };
        let holders = half.holders;
        if kind != INSTALL_HISTORY || holders[shard] {
            return false;
        }
        let is_first = !std::mem::replace(&mut half.is_opener_dying, true);
        if let Some((connection, _)) = self.network.find(to) {
            self.at(0, Happening::Break { connection });
        }
        if is_first {
            let in_us = self.random.range(500, 3_000);
            self.at(in_us, Happening::Stranded(Step::OpenerDies { holders }));
        }
        true
    }

    fn reach_all(&mut self) {
        self.hidden = [false; SHARDS_MAX];
        self.aloof = [false; SHARDS_MAX];
        self.installs_reach = None;
    }

    fn replace_writer_at_once(&mut self) {
        self.kill_writers();
        self.at(1, Happening::WriterStarts);
    }
}
