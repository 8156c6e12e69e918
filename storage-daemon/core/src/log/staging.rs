//! An append under construction: entries copied into the aligned buffer, and the answers that wait for it.

use crate::effects::ConnectionId;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use hexalog_protocol::ids::WriterId;
use hexalog_protocol::{GroupId, Lsn, VolumeId};
use hexalog_storage_format::aligned::AlignedBuffer;
use hexalog_storage_format::append::APPEND_HEADER_BYTES;
use hexalog_storage_format::entry::{Entry, HEARD_BYTES, batch_entry_header};

/// What is told when an append is durable.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Answer {
    /// A writer's frame, or an opener's repair: the SCLs of its groups.
    WriteAck {
        connection: ConnectionId,
        request_id: u64,
        volume: VolumeId,
        writer: WriterId,
        groups: Vec<GroupId>,
    },
    /// A bump: what the segment holds at exactly this place of the log.
    Bumped { connection: ConnectionId, request_id: u64, volume: VolumeId, group: GroupId },
    /// Anything else.
    Done { connection: ConnectionId, request_id: u64 },
}

impl Answer {
    /// Who waits, for which request, about which segment.
    pub fn asker(&self) -> (ConnectionId, u64, Option<(VolumeId, GroupId)>) {
        match self {
            Answer::WriteAck { connection, request_id, volume, groups, .. } => {
                (*connection, *request_id, groups.first().map(|group| (*volume, *group)))
            }
            Answer::Bumped { connection, request_id, volume, group } => {
                (*connection, *request_id, Some((*volume, *group)))
            }
            Answer::Done { connection, request_id } => (*connection, *request_id, None),
        }
    }
}

/// What was told about a volume since the last append, by its writer, or by an opener under the history of `writer`. It counts
/// for the segments that have this history.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Heard {
    pub writer: WriterId,
    pub vdl: Lsn,
    pub pgmrpl: Lsn,
    pub wall_time_us: u64,
}

impl Heard {
    /// Both: of two writers the later one's word, of one writer the furthest.
    pub fn with(self, other: Heard) -> Heard {
        if self.writer != other.writer {
            return if self.writer.epoch > other.writer.epoch { self } else { other };
        }
        Heard { vdl: self.vdl.max(other.vdl), pgmrpl: self.pgmrpl.max(other.pgmrpl), ..other }
    }
}

/// An append under construction.
#[derive(Debug)]
pub(crate) struct Append {
    buffer: AlignedBuffer,
    entries_bytes: usize,
    entries_count: u32,
    /// Of the entries so far: taken as they come, while the append before is being written and they are at hand.
    entries_crc: u32,
    answers: Vec<(u32, Answer)>,
    heard: BTreeMap<VolumeId, Heard>,
}

/// An append that is complete but for its header.
pub(super) struct SealedAppend {
    pub buffer: AlignedBuffer,
    pub entries_bytes: usize,
    pub entries_count: u32,
    pub entries_crc: u32,
    pub answers: Vec<(u32, Answer)>,
}

impl Append {
    pub(super) fn new(buffer: AlignedBuffer) -> Append {
        Append {
            buffer,
            entries_bytes: 0,
            entries_count: 0,
            entries_crc: 0,
            answers: Vec::new(),
            heard: BTreeMap::new(),
        }
    }

    /// Whether there is nothing to write. Answers alone are nothing: they wait for entries.
    pub fn is_empty(&self) -> bool {
        self.entries_count == 0 && self.heard.is_empty()
    }

    /// Bytes of entries so far.
    pub(super) fn entries_bytes(&self) -> usize {
        self.entries_bytes + self.heard.len() * HEARD_BYTES
    }

    /// Bytes of entries, with those that sealing adds.
    pub(super) fn bytes_needed(&self) -> usize {
        // One more than now, so that what is staged next may bring its volume's first "heard".
        self.entries_bytes + (self.heard.len() + 1) * HEARD_BYTES
    }

    /// Copies a batch in: the one copy between receive buffer and device.
    pub fn push_batch(&mut self, volume: VolumeId, batch: &[u8]) {
        self.copy_in(&batch_entry_header(volume, batch.len()));
        self.copy_in(batch);
        self.entries_count += 1;
    }

    /// Adds a control record, or any entry off the hot path. Returns its index.
    pub fn push_entry(&mut self, entry: &Entry<'_>) -> u32 {
        let mut bytes = Vec::new();
        entry.encode(&mut bytes);
        self.copy_in(&bytes);
        self.entries_count += 1;
        self.entries_count - 1
    }

    /// Notes what a writer or an opener told; the newest of a volume is written when the append is sealed, of the latest
    /// history.
    pub fn push_heard(&mut self, volume: VolumeId, heard: Heard) {
        let known = self.heard.entry(volume).or_insert(heard);
        if heard.writer.epoch >= known.writer.epoch {
            *known = heard;
        }
    }

    /// `answer` is released when the entries staged so far are durable; a bump's is computed at its place.
    pub fn push_answer(&mut self, answer: Answer) {
        assert!(!self.is_empty(), "an answer waits for something");
        self.answers.push((self.entries_count.saturating_sub(1), answer));
    }

    /// The append will never be written: whoever waits must be told.
    pub(super) fn take_answers(&mut self) -> Vec<(u32, Answer)> {
        core::mem::take(&mut self.answers)
    }

    fn copy_in(&mut self, bytes: &[u8]) {
        self.buffer.copy_in(APPEND_HEADER_BYTES + self.entries_bytes, bytes);
        self.entries_bytes += bytes.len();
        self.entries_crc = crc32c::crc32c_append(self.entries_crc, bytes);
    }

    pub(super) fn seal(mut self) -> SealedAppend {
        for (volume, heard) in core::mem::take(&mut self.heard) {
            let Heard { writer, vdl, pgmrpl, wall_time_us } = heard;
            self.push_entry(&Entry::Heard { volume, writer, vdl, pgmrpl, wall_time_us });
        }
        assert!(self.entries_count > 0, "an empty append is not written");
        let end = APPEND_HEADER_BYTES + self.entries_bytes;
        let padded = end.next_multiple_of(hexalog_storage_format::aligned::BLOCK_BYTES);
        // The buffer is used again and again: what an earlier append left must not go to the device twice.
        self.buffer.bytes_mut()[end..padded].fill(0);
        SealedAppend {
            buffer: self.buffer,
            entries_bytes: self.entries_bytes,
            entries_count: self.entries_count,
            entries_crc: self.entries_crc,
            answers: self.answers,
        }
    }
}
