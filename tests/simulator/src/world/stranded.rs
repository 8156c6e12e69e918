//! Records that few members have when their writer dies: what an opening must find, bring to a write quorum, and only
//! then build on.
//!
//! For a while a writer reaches one to three shards only, and these none of their peers, so that gossip spreads nothing.
//! The writer dies, and the next one reaches all. Mostly the few vanish as soon as that one may have opened, and it dies
//! too: what it recovered must be there without them.

use super::{Happening, SHARDS, World};

/// What comes next.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// The writer dies; the next one reaches every shard.
    WriterDies { holders: [bool; SHARDS] },
    /// So does that one, and the holders are out of reach.
    HoldersVanish { holders: [bool; SHARDS] },
    /// All is reached again.
    End,
}

impl World {
    pub(super) fn strand_records(&mut self) {
        let mut holders = [false; SHARDS];
        for _ in 0..self.random.range(1, 4) {
            holders[self.random.range(0, SHARDS as u64) as usize] = true;
        }
        self.note(&format!("only shards {holders:?} are reached by writers, and not by peers"));
        self.aloof = holders;
        self.hidden = holders.map(|holds| !holds);
        let in_us = self.random.range(5_000, 60_000);
        self.at(in_us, Happening::Stranded(Step::WriterDies { holders }));
    }

    pub(super) fn stranded_step(&mut self, step: Step) {
        if self.now_us >= self.faults_stop_us {
            return;
        }
        self.note(&format!("stranded: {step:?}"));
        match step {
            Step::WriterDies { holders } => {
                self.hidden = [false; SHARDS];
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
            Step::End => {
                self.hidden = [false; SHARDS];
                self.aloof = [false; SHARDS];
            }
        }
    }

    fn replace_writer_at_once(&mut self) {
        self.kill_writers();
        self.at(1, Happening::WriterStarts);
    }
}
