//! What comes next and when: the mix of reads and writes, their places, the schedule under a rate.

use super::{Direction, Operation};
use crate::options::Job;

/// xorshift64: cheap, good enough to choose places, and the same in every run of a seed.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Streams of different numbers differ.
    pub fn new(seed: u64, stream: u64) -> Random {
        // Odd multipliers keep seeds apart (splitmix64's constant); zero would stay zero.
        let mixed = (seed ^ stream.wrapping_mul(0xbf58_476d_1ce4_e5b9)).wrapping_add(1);
        let mut random = Random(mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        for _ in 0..8 {
            random.next();
        }
        random
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 16
    }

    /// Below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

/// Chooses the operations of one clone.
#[derive(Clone, Debug)]
pub struct Pattern {
    units: u64,
    is_random: bool,
    /// Reads of a hundred operations.
    read_share: u64,
    next_read: u64,
    next_write: u64,
    random: Random,
}

impl Pattern {
    /// Of clone `clone` over `units` places. Sequential clones begin at places of their own.
    pub fn new(job: &Job, clone: usize, units: u64) -> Pattern {
        assert!(units > 0, "there is somewhere to go");
        let load = job.load();
        let read_share = match (load.reads(), load.writes()) {
            (true, true) => u64::from(job.rwmixread),
            (true, false) => 100,
            _ => 0,
        };
        let first = units * clone as u64 / u64::from(job.numjobs);
        let random = Random::new(job.randseed, clone as u64);
        Pattern {
            units,
            is_random: load.is_random(),
            read_share,
            next_read: first,
            next_write: first,
            random,
        }
    }
}

impl Iterator for Pattern {
    type Item = Operation;

    fn next(&mut self) -> Option<Operation> {
        let reads = match self.read_share {
            0 => false,
            100 => true,
            share => self.random.below(100) < share,
        };
        let direction = if reads { Direction::Read } else { Direction::Write };
        if reads && self.is_random {
            return Some(Operation { direction, unit: self.random.below(self.units) });
        }
        let next = if reads { &mut self.next_read } else { &mut self.next_write };
        let unit = *next;
        *next = (unit + 1) % self.units;
        Some(Operation { direction, unit })
    }
}

/// When a clone's next operation is meant to begin.
#[derive(Clone, Debug)]
pub struct Schedule {
    next_ns: u64,
    interval_ns: Option<u64>,
}

impl Schedule {
    /// From `start_ns` on. Clones are spread over an interval, so that they do not all come at once.
    pub fn new(job: &Job, clone: usize, start_ns: u64) -> Schedule {
        let interval_ns = job.interval_ns();
        let shift = interval_ns.map_or(0, |interval| interval * clone as u64 / u64::from(job.numjobs));
        Schedule { next_ns: start_ns + shift, interval_ns }
    }

    /// The intended time of the next operation, if it has come.
    pub fn take(&mut self, now_ns: u64) -> Option<u64> {
        let Some(interval_ns) = self.interval_ns else { return Some(now_ns) };
        (self.next_ns <= now_ns).then(|| {
            self.next_ns += interval_ns;
            self.next_ns - interval_ns
        })
    }

    /// When the next one is meant to begin; `None` without a rate.
    pub fn next_ns(&self) -> Option<u64> {
        self.interval_ns.map(|_| self.next_ns)
    }

    /// Operations whose time came before `end_ns` and that were not begun.
    pub fn behind(&self, end_ns: u64) -> u64 {
        self.interval_ns.map_or(0, |interval| end_ns.saturating_sub(self.next_ns).div_ceil(interval))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::table;

    fn job(options: &[(&str, &str)]) -> Job {
        let mut job = Job::default();
        options.iter().for_each(|(name, value)| table::set(&mut job, name, value).expect("known"));
        job
    }

    #[test]
    fn places_stay_within_and_the_mix_is_as_asked() {
        for (options, reads, firsts) in [
            (&[("rw", "append")][..], 0..=0, Some([0, 1, 2])),
            (&[("rw", "read")], 1000..=1000, Some([0, 1, 2])),
            (&[("rw", "randread")], 1000..=1000, None),
            (&[("rw", "randrw"), ("rwmixread", "70")], 640..=760, None),
        ] {
            let operations: Vec<Operation> = Pattern::new(&job(options), 0, 5).take(1000).collect();
            let read = operations.iter().filter(|op| op.direction == Direction::Read).count();
            assert!(reads.contains(&read), "{options:?}: {read} reads");
            assert!(operations.iter().all(|op| op.unit < 5));
            let seen: Vec<u64> = operations.iter().take(3).map(|op| op.unit).collect();
            assert!(firsts.is_none_or(|firsts| seen == firsts), "{options:?}: {seen:?}");
        }
    }

    #[test]
    fn under_a_rate_intended_times_do_not_move() {
        let mut schedule = Schedule::new(&job(&[("rate_iops", "1000")]), 0, 5_000_000);
        assert_eq!(schedule.take(4_999_999), None);
        // Late: the intended times are those of the schedule, not of the look.
        assert_eq!(schedule.take(7_500_000), Some(5_000_000));
        assert_eq!(schedule.take(7_500_000), Some(6_000_000));
        assert_eq!(schedule.take(7_500_000), Some(7_000_000));
        assert_eq!(schedule.take(7_500_000), None);
        assert_eq!(schedule.behind(10_000_000), 2);
        assert_eq!(Schedule::new(&job(&[]), 0, 5).take(9), Some(9));
    }
}
