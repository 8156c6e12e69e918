//! What befalls the processes, and how often.

use super::{Happening, SHARDS, World};
use crate::network::End;
use hexalog_volume::config::LinkIndex;

impl World {
    pub(super) fn make_fault(&mut self) {
        if self.now_us >= self.faults_stop_us {
            return;
        }
        self.outcome.faults += 1;
        match self.random.range(0, 17) {
            0..=2 => {
                let shard = self.random.range(0, SHARDS as u64) as usize;
                self.stop_shard(shard, false);
            }
            3..=4 => {
                let shard = self.random.range(0, SHARDS as u64) as usize;
                self.stop_shard(shard, true);
            }
            5 => (0..SHARDS).for_each(|shard| self.stop_shard(shard, true)),
            6 => {
                let az = self.random.range(0, 3) as usize;
                self.note(&format!("az {az} is cut off"));
                self.cut_off[az] = true;
                let in_us = self.random.range(1_000, 200_000);
                self.at(in_us, Happening::Heal { az });
            }
            7 => {
                let open: Vec<usize> = (0..self.network.connections.len())
                    .filter(|c| self.network.connections[*c].is_open)
                    .collect();
                if !open.is_empty() {
                    let connection = open[self.random.range(0, open.len() as u64) as usize];
                    self.at(0, Happening::Break { connection });
                }
            }
            8 => self.pause_writer(),
            9..=10 => self.hide_shards(),
            11..=12 => self.strand_records(),
            13 => self.fail_device(),
            14 => self.kill_then_cut_power(),
            15 => self.halve_an_install(),
            _ => self.replace_writer(),
        }
        let in_us = self.random.range(1, 2 * self.plan.fault_every_us);
        self.at(in_us, Happening::Fault);
    }

    /// The writer dies or not, and one or several others open; sometimes all of them die within that, at whatever step.
    fn replace_writer(&mut self) {
        if self.random.one_in(2) {
            self.kill_writers();
        }
        for _ in 0..self.random.range(1, 4) {
            let in_us = self.random.range(0, 3_000);
            self.at(in_us, Happening::WriterStarts);
        }
        if self.random.one_in(3) {
            let in_us = self.random.range(0, 8_000);
            self.at(in_us, Happening::WritersDie);
            self.at(in_us + 1, Happening::WriterStarts);
        }
    }

    pub(super) fn kill_writers(&mut self) {
        let runs: Vec<u64> = self.writers.iter().map(|writer| writer.run).collect();
        self.note("the writers are killed");
        self.writers.clear();
        for run in runs {
            let links = (0..SHARDS).map(|link| End::Writer { run, link: LinkIndex(link) });
            let broken: Vec<usize> =
                links.filter_map(|end| self.network.find(end)).map(|(connection, _)| connection).collect();
            for connection in broken {
                let in_us = self.random.range(10, 1_000);
                self.at(in_us, Happening::Break { connection });
            }
        }
    }

    /// The writer's process stands still; often another opens, since it does not answer.
    fn pause_writer(&mut self) {
        let Some(writer) = self.writers.last_mut() else { return };
        writer.is_paused = true;
        let run = writer.run;
        self.note(&format!("writer {run} is paused"));
        let in_us = self.random.range(1_000, 300_000);
        self.at(in_us, Happening::WriterResumes { run });
        if self.random.one_in(2) {
            let in_us = self.random.range(0, 50_000);
            self.at(in_us, Happening::WriterStarts);
        }
    }

    /// Some shards are reached by their peers and by no writer: they miss openings, and records.
    fn hide_shards(&mut self) {
        for _ in 0..self.random.range(1, 3) {
            let shard = self.random.range(0, SHARDS as u64) as usize;
            self.note(&format!("writers do not reach shard {shard}"));
            self.hidden[shard] = true;
            let in_us = self.random.range(1_000, 300_000);
            self.at(in_us, Happening::WritersReach { shard });
        }
    }
}
