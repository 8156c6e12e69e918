//! What a run does: sizes and faults, drawn from the seed. Corners come from sizes.

use crate::random::Random;
use hexalog_protocol::PAGE_SIZE;

/// Small, so that groups are many and chains long.
const PAGES_PER_GROUP: u64 = 16;
/// Unit of a device's space: eight pages.
pub const EXTENT_BYTES: u64 = 64 << 10;
/// Extents of a device on which space is no matter.
const EXTENTS_AMPLE: u64 = 128;
/// Virtual time of work: some thousand mini-transactions.
const WORK_US: u64 = 3_000_000;

/// Every seed that failed once, with its plan and what it was.
pub const KEPT: &str = include_str!("../../seeds/simulator.txt");

/// What a run does; drawn from the seed.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Decides everything.
    pub seed: u64,
    /// Protection groups.
    pub groups: u32,
    /// How many of them, from the first, are written to: the others are idle.
    pub active_groups: u32,
    /// Small, so that groups are many and chains long.
    pub pages_per_group: u64,
    /// LSN allocation limit.
    pub lal_records: u64,
    /// Log region of a shard; small, so that it wraps.
    pub log_bytes: u64,
    /// Bound of the records that a shard holds in memory; small, so that it throttles.
    pub pending_bytes: usize,
    /// Time between a shard's checkpoints, if log does not call for one.
    pub checkpoint_interval_us: u64,
    /// Extents area of a shard: ample, or hardly more than the pages take, so that it must be collected all the time.
    pub extents_bytes: u64,
    /// Virtual time of work with faults.
    pub work_us: u64,
    /// Mean time between faults; none if zero.
    pub fault_every_us: u64,
}

impl Plan {
    /// Draws a plan.
    pub fn draw(seed: u64) -> Plan {
        let mut random = Random::new(seed ^ 0x5eed);
        let groups = if random.one_in(4) { random.range(9, 41) } else { random.range(1, 9) } as u32;
        let active_groups = random.range(1, 9).min(u64::from(groups)) as u32;
        let mut plan = Plan {
            seed,
            groups,
            active_groups,
            pages_per_group: PAGES_PER_GROUP,
            extents_bytes: EXTENTS_AMPLE * EXTENT_BYTES,
            lal_records: random.range(8, 65),
            log_bytes: (256 * 1024) << random.range(0, 3),
            pending_bytes: (16 * 1024) << random.range(0, 3),
            checkpoint_interval_us: [10_000, 100_000][random.range(0, 2) as usize],
            work_us: WORK_US,
            fault_every_us: [0, 200_000, 50_000][random.range(0, 3) as usize],
        };
        if random.one_in(2) {
            // What the pages take, what checkpoints take (some blocks for each group in each) and collection keeps for
            // itself, and a little.
            let live = u64::from(active_groups) * PAGES_PER_GROUP * PAGE_SIZE as u64 / EXTENT_BYTES;
            let extents = live + u64::from(groups) / 2 + 11 + random.range(0, 12);
            plan.extents_bytes = extents * EXTENT_BYTES;
            if random.one_in(3) {
                // Not even that: the writer is told to stop before it is too late.
                plan.extents_bytes = (live / 2 + u64::from(groups) / 2 + 11) * EXTENT_BYTES;
            }
        }
        plan
    }

    /// A line of `tests/seeds/simulator.txt`; `None` for one that is empty or a comment.
    ///
    /// # Panics
    /// If the line is not as the file's head says.
    pub fn kept(line: &str) -> Option<Plan> {
        let numbers = line.split('#').next().unwrap_or_default();
        let numbers: Vec<u64> =
            numbers.split_whitespace().map(|number| number.parse().expect("numbers")).collect();
        if numbers.is_empty() {
            return None;
        }
        let [
            seed,
            groups,
            active,
            lal_records,
            log_bytes,
            pending,
            checkpoint_interval_us,
            fault_every_us,
            ..,
        ] = numbers[..]
        else {
            panic!("eight numbers or nine: {line}");
        };
        assert!(numbers.len() <= 9, "eight numbers or nine: {line}");
        Some(Plan {
            seed,
            groups: groups as u32,
            active_groups: active as u32,
            pages_per_group: PAGES_PER_GROUP,
            lal_records,
            log_bytes,
            pending_bytes: pending as usize,
            checkpoint_interval_us,
            extents_bytes: numbers.get(8).copied().unwrap_or(EXTENTS_AMPLE) * EXTENT_BYTES,
            work_us: WORK_US,
            fault_every_us,
        })
    }
}
