//! Sizes and bounds of a shard: everything that a driver must know to make one.

use crate::pages::extents::BACKED_MIN;
use alloc::vec::Vec;
use hexalog_protocol::frame::FRAME_BYTES_MAX;
use hexalog_protocol::{NodeId, PAGE_SIZE, ShardIndex};
use hexalog_storage_format::aligned::BLOCK_BYTES;
use hexalog_storage_format::delta::DELTA_BYTES_MAX;

/// How a shard is laid out and bounded. Layout fields (`log_bytes`, `extents_bytes`, `extent_bytes`) are fixed
/// when the device is formatted and checked against the superblock at every start.
#[derive(Clone, Debug)]
pub struct ShardOptions {
    /// The daemon, as told in `Welcome` and `Status`.
    pub node: NodeId,
    /// Which shard of the daemon this is.
    pub shard: ShardIndex,
    /// Listener port of every shard of the daemon, by shard index.
    pub shard_ports: Vec<u16>,
    /// Size of the log region in bytes; a multiple of 4096.
    pub log_bytes: u64,
    /// How much of the log region, from its start, has been written with zeros so far. The core never
    /// writes above it. Raised later by [`crate::shard::Shard::set_log_prepared`].
    pub log_prepared_bytes: u64,
    /// Size of the extents area in bytes; a multiple of `extent_bytes`.
    pub extents_bytes: u64,
    /// How much of the extents area, from its start, has space of its own on the file system so far; more than all is all. The
    /// core never writes above it. Raised later by [`crate::shard::Shard::set_extents_backed`].
    pub extents_backed_bytes: u64,
    /// Unit of allocation in the extents area; a multiple of 8192.
    pub extent_bytes: u64,
    /// Bound of the records not yet coalesced, in bytes of memory.
    pub pending_bytes_max: usize,
    /// Largest append in bytes, header included; a multiple of 4096. What arrives beyond it while an append
    /// is in flight is refused as `Busy`, so this also bounds the buffer.
    pub append_bytes_max: usize,
    /// A page that this many records in memory wait for gets a version, whether memory or log ask for it or not: bounds
    /// what a read must apply. 1,024 take some 120 us, and a page that hot is in compute's cache. So many are never worth a
    /// delta, and each image of TPC-B's few hot pages costs as much as the redo of twenty-five transactions
    /// (`docs/decisions/0041`).
    pub chain_records_max: usize,
    /// A page's records go into its delta while that has no more than this many: bounds what a read of a page that is not
    /// hot must apply.
    pub delta_records_max: usize,
    /// As `delta_records_max`, in bytes. Mostly less is worth it, see `pages/coalesce.rs`.
    pub delta_bytes_max: usize,
    /// Log bytes after which an index checkpoint is taken.
    pub checkpoint_log_bytes: u64,
    /// Time after which a changed index is checkpointed even without `checkpoint_log_bytes`.
    pub checkpoint_interval_us: u64,
    /// A new checkpoint base after this many deltas.
    pub checkpoint_deltas_max: u32,
    /// Bytes of items after which a part of a checkpoint is closed: one slice of work. Between two parts pages go on
    /// changing.
    pub checkpoint_part_bytes: usize,
    /// How often a segment compares its SCL with a peer while it has no reason to believe it is complete. Other
    /// times of gossip (reconnect, giving up on an answer or a silent peer) are multiples of it.
    pub gossip_interval_us: u64,
    /// Batch bytes in one gossip answer, and so in flight for one segment.
    pub gossip_bytes_max: u32,
    /// Page images in one answer to a peer that is hydrated; at most what a frame holds.
    pub hydration_pages_max: u32,
    /// Page reads that wait for the device or for their turn at it; beyond it requests are refused as `Busy`, those of a volume that
    /// has many before the others'.
    pub reads_in_flight_max: usize,
    /// Page reads that the device is given at once: the next one waits for all of them. Devices give what they can, or nearly, at
    /// this depth, each of several shards having its own. A guess.
    pub reads_at_device_max: usize,
    /// Everything in use is read again within this time, as far as the device and the foreground let it.
    pub scrub_period_us: u64,
    /// Random incarnation of the log, drawn by the driver at every start; never zero.
    pub incarnation: u64,
}

impl ShardOptions {
    /// Defaults for everything but identity and sizes.
    pub fn new(
        node: NodeId,
        shard: ShardIndex,
        log_bytes: u64,
        extents_bytes: u64,
        incarnation: u64,
    ) -> ShardOptions {
        ShardOptions {
            node,
            shard,
            shard_ports: Vec::new(),
            log_bytes,
            log_prepared_bytes: log_bytes,
            extents_bytes,
            extents_backed_bytes: extents_bytes,
            extent_bytes: 1 << 20,
            pending_bytes_max: 64 << 20,
            append_bytes_max: append_bytes_max(log_bytes),
            chain_records_max: 1_024,
            delta_records_max: 128,
            delta_bytes_max: DELTA_BYTES_MAX,
            checkpoint_log_bytes: (log_bytes / 8).max(64 << 10),
            checkpoint_interval_us: 2_000_000,
            checkpoint_deltas_max: 16,
            checkpoint_part_bytes: 32 << 10,
            gossip_interval_us: 100_000,
            gossip_bytes_max: 512 << 10,
            hydration_pages_max: HYDRATION_PAGES_MAX,
            reads_in_flight_max: 256,
            reads_at_device_max: 32,
            scrub_period_us: SCRUB_PERIOD_US,
            incarnation,
        }
    }

    /// A peer that has not told its SCL, or not answered, for this long counts as silent: 2 s by default.
    pub(crate) fn silence_us(&self) -> u64 {
        20 * self.gossip_interval_us
    }

    /// Checks the sizes against each other.
    ///
    /// # Panics
    /// If they do not fit together: the driver's defaults are wrong.
    pub fn check(&self) {
        let block = BLOCK_BYTES as u64;
        assert!(self.log_bytes.is_multiple_of(block), "the log is whole blocks");
        assert!(self.append_bytes_max.is_multiple_of(BLOCK_BYTES), "appends are whole blocks");
        assert!(self.append_bytes_max as u64 <= self.log_bytes / 4, "the log holds several appends");
        assert!(self.extent_bytes.is_multiple_of(2 * block), "an extent is whole pages");
        assert!(self.extents_bytes.is_multiple_of(self.extent_bytes), "the area is whole extents");
        assert!(self.extents_bytes / self.extent_bytes >= 8, "room for pages, checkpoints and reuse");
        assert!(self.delta_bytes_max <= DELTA_BYTES_MAX, "a delta fits into a block");
        assert!(self.log_prepared_bytes <= self.log_bytes);
        assert!((1..=HYDRATION_PAGES_MAX).contains(&self.hydration_pages_max), "an answer fits into a frame");
    }
}

/// A week: two copies of one page that rot within a week are still rare, and reading a terabyte in it is 1.7 MB/s.
const SCRUB_PERIOD_US: u64 = 7 * 24 * 3_600 * 1_000_000;
/// What a new device must have of backed extents, in bytes: less, and nothing could be written that frees space.
pub fn extents_backed_bytes_min(extents_bytes: u64, extent_bytes: u64) -> u64 {
    extents_bytes.min(BACKED_MIN * extent_bytes)
}

/// Most page images that a frame holds beside an answer's head, with room to spare.
const HYDRATION_PAGES_MAX: u32 = 120;
const _: () = assert!(HYDRATION_PAGES_MAX as usize * PAGE_SIZE + 4096 < FRAME_BYTES_MAX);

/// 2 MiB: two frames of each of several writers. Smaller in the small logs of tests.
fn append_bytes_max(log_bytes: u64) -> usize {
    let share = (log_bytes / 8).min(2 << 20) as usize;
    (share / BLOCK_BYTES).max(1) * BLOCK_BYTES
}
