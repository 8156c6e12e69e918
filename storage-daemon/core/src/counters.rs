//! Named counters of a shard, as `Status` shows them.

use alloc::vec::Vec;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// What a shard has done since it started. Only ever rise.
        #[derive(Clone, Copy, Default, Debug)]
        pub(crate) struct Counters { $($(#[$doc])* pub $name: u64),+ }

        impl Counters {
            /// By name, in the order of declaration.
            pub fn list(&self) -> Vec<(&'static str, u64)> {
                alloc::vec![$((stringify!($name), self.$name)),+]
            }
        }
    };
}

counters! {
    /// Log appends made durable.
    appends,
    /// Bytes of them, with padding.
    append_bytes,
    /// Batches taken into the log.
    batches,
    /// Batches that came again after they were durable.
    batches_repeated,
    /// Redo records that became durable.
    records,
    /// Bytes of batches taken into the log: the redo that all other bytes written are compared with.
    redo_bytes,
    /// Page reads answered with an image or "never written".
    reads,
    /// Page reads that needed the device.
    reads_from_device,
    /// Requests refused, for any reason.
    refusals,
    /// Refusals of a fenced writer.
    stale_epoch_refusals,
    /// Refusals since the log, the memory for pending records or the extents are full.
    no_space_refusals,
    /// Writes that found no space in the file system or device below, and were tried again.
    no_space_writes,
    /// Times that the shard told its writers of more or less room.
    room_changes,
    /// Refusals since a bounded queue was full.
    busy_refusals,
    /// Frames or messages that did not decode.
    malformed_frames,
    /// Blocks whose checksum, identity or address was wrong when read.
    crc_errors,
    /// Pages found with a block that is not what the index says.
    blocks_damaged,
    /// Pages of such blocks, and pages that were quarantined, written anew from a peer.
    pages_repaired,
    /// Pages read again for no other reason than to see that they can be.
    pages_scrubbed,
    /// Times that all in use has been read again.
    scrub_rounds,
    /// Tries to repair a page which have to be made again.
    repairs_put_off,
    /// Pages whose records did not fit together.
    pages_quarantined,
    /// Pulls sent to peers.
    gossip_pulls,
    /// Batches received from peers that were new here.
    gossip_batches,
    /// Pulls of peers answered.
    gossip_answers,
    /// Epoch histories installed from a peer.
    histories_fetched,
    /// Page images written by coalescing.
    coalesced_pages,
    /// Bytes written for them.
    coalesced_bytes,
    /// Records merged into them.
    coalesced_records,
    /// Records looked at in search of pages to coalesce.
    coalescing_looks,
    /// Deltas of pages written by coalescing.
    delta_pages,
    /// Bytes of the blocks that they were packed into.
    delta_bytes,
    /// Records that became part of a delta.
    delta_records,
    /// Most records that a page had in its delta and in memory.
    chain_records_max,
    /// Extents that collection has been through.
    extents_collected,
    /// Bytes of page versions that collection has copied.
    collected_bytes,
    /// Deltas among them.
    collected_deltas,
    /// Index checkpoints made durable.
    checkpoints,
    /// Bytes of checkpoint parts written.
    checkpoint_bytes,
    /// Bytes of batches that were taken further on in the log, since they held it back.
    carried_bytes,
    /// Log bytes freed.
    log_bytes_freed,
    /// Extents handed out again after all in them was dead.
    extents_reused,
    /// Members declared beyond log retention.
    members_beyond_retention,
    /// Decisions that a segment here must be hydrated: no peer has the log that it lacks.
    hydrations_decided,
    /// Those of them that pages which wait for their repair led to: they left no room for the records that the segment lacks.
    hydrations_for_pages,
    /// Those of all that became durable: segments that gave up their log.
    segments_given_up,
    /// Page images fetched from a peer for a segment that needed hydration.
    hydration_pages,
    /// Page images sent to such peers.
    hydration_pages_sent,
    /// Hydrations that began anew after some pages had come.
    hydrations_interrupted,
    /// Segments that were hydrated.
    segments_hydrated,
    /// Stretches of the log that were found lost at a start.
    logs_damaged,
    /// Indexes that did not read back after a start: their segments got all their pages anew.
    indexes_lost,
    /// Segments that a writer knew and this shard did not: made anew, damaged.
    segments_restored,
    /// Segments that were damaged and are proven to be whole again.
    segments_repaired,
    /// Times that a full log or memory let go of what stood above a gap, to have room for what fills it.
    gaps_dropped,
}
