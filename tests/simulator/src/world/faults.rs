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
        match self.random.range(0, 10) {
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
            _ => self.replace_writer(),
        }
        let in_us = self.random.range(1, 2 * self.plan.fault_every_us);
        self.at(in_us, Happening::Fault);
    }

    /// The writer dies, and another opens at once; or a second one opens while the first believes that it writes.
    pub(super) fn replace_writer(&mut self) {
        if self.random.one_in(2) {
            let runs: Vec<u64> = self.writers.iter().map(|writer| writer.run).collect();
            self.note("the writers are killed");
            self.writers.clear();
            for run in runs {
                let links = (0..SHARDS).map(|link| End::Writer { run, link: LinkIndex(link) });
                let broken: Vec<usize> = links
                    .filter_map(|end| self.network.find(end))
                    .map(|(connection, _)| connection)
                    .collect();
                for connection in broken {
                    let in_us = self.random.range(10, 1_000);
                    self.at(in_us, Happening::Break { connection });
                }
            }
        }
        self.at(0, Happening::WriterStarts);
    }
}
