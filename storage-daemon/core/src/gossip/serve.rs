//! Answers pulls: from memory what is held there, from the log the rest, one device read an answer.

use crate::effects::{Area, ConnectionId, Effects, IoResult};
use crate::index::NO_INDEX;
use crate::segment::SegmentKey;
use crate::segment::batches::last_counting;
use crate::shard::{Io, Shard};
use alloc::vec::Vec;
use hexalog_protocol::Lsn;
use hexalog_protocol::batch::{BATCH_BYTES_MAX, Batch};
use hexalog_protocol::ids::WriterId;
use hexalog_protocol::message::{GossipPull, GossipPush, Message, RefusalReason};
use hexalog_storage_format::aligned::{AlignedBuffer, BLOCK_BYTES};
use hexalog_storage_format::append::AppendHeader;
use hexalog_storage_format::checkpoint::LogRun;
use hexalog_storage_format::entry::{Entries, Entry};

/// Reads of the log for peers in flight; beyond it they are told to come again.
pub(crate) const LOG_READS_MAX: usize = 4;

/// A pull that waits for the log.
#[derive(Debug)]
pub(crate) struct LogAnswer {
    connection: ConnectionId,
    request_id: u64,
    pull: GossipPull,
    /// As the segment knows it; what follows it in the log is read too.
    run: LogRun,
}

/// What a stretch of the log has for an answer.
struct Found {
    batches: Vec<u8>,
    first: Option<Lsn>,
    /// All of the run was there to be read.
    is_run_whole: bool,
}

/// Where the batches for an answer are.
enum Source {
    Memory,
    Log(LogRun),
    Nowhere,
}

impl Shard {
    pub(crate) fn on_gossip_pull(
        &mut self,
        connection: ConnectionId,
        request_id: u64,
        pull: &GossipPull,
        effects: &mut Effects,
    ) {
        let key = (pull.volume, pull.group);
        let allowed = match self.segments.get(&key) {
            None => Err(RefusalReason::UnknownSegment),
            // Behind a bump that is not durable yet batches of the writer before may still become so: an SCL told now would
            // be taken for one that an older writer moves no more.
            Some(segment) if segment.bumped != segment.promised => Err(RefusalReason::Busy),
            Some(segment) => segment.check_gossip(pull.writer, pull.membership_epoch),
        };
        if let Err(reason) = allowed {
            return self.refuse(connection, request_id, reason, key, "gossip", effects);
        }
        // Who asks for nothing wants to know the SCL.
        let wants_batches = pull.through > pull.after;
        if wants_batches && !self.has_index() {
            return self.refuse(connection, request_id, RefusalReason::Busy, key, NO_INDEX, effects);
        }
        self.counters.gossip_answers += 1;
        let source = if wants_batches { self.source_above(key, pull.after) } else { Source::Nowhere };
        match source {
            Source::Nowhere => self.answer_pull(connection, request_id, pull, &[], effects),
            Source::Memory => {
                let batches = self.batches_from_memory(key, pull);
                self.answer_pull(connection, request_id, pull, &batches, effects);
            }
            Source::Log(run) => self.read_run(connection, request_id, pull, run, effects),
        }
    }

    /// The next batch of the chain above `after` is in memory if it links to it; else the log's run is asked.
    fn source_above(&self, key: SegmentKey, after: Lsn) -> Source {
        let segment = &self.segments[&key];
        let held = segment.batches.above(after).next();
        let run = segment.runs.first_above(after);
        match (held, run) {
            (Some(held), _) if held.backlink <= after => Source::Memory,
            (Some(held), Some(run)) if held.first() <= run.first => Source::Memory,
            (_, Some(run)) => Source::Log(*run),
            (Some(_), None) => Source::Memory,
            (None, None) => Source::Nowhere,
        }
    }

    fn batches_from_memory(&self, key: SegmentKey, pull: &GossipPull) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut last = None;
        for batch in self.segments[&key].batches.above(pull.after) {
            let follows = last.is_none_or(|last| batch.backlink == last);
            let fits = bytes.is_empty() || bytes.len() + batch.bytes.len() <= answer_bytes_max(pull);
            if batch.first() > pull.through || !follows || !fits {
                break;
            }
            bytes.extend_from_slice(&batch.bytes);
            last = Some(batch.last());
        }
        bytes
    }

    fn read_run(
        &mut self,
        connection: ConnectionId,
        request_id: u64,
        pull: &GossipPull,
        run: LogRun,
        effects: &mut Effects,
    ) {
        if self.links.answers.len() >= LOG_READS_MAX {
            let key = (pull.volume, pull.group);
            return self.refuse(connection, request_id, RefusalReason::Busy, key, "log reads", effects);
        }
        // What follows the run in the log comes with the same read, as much as an answer may hold: runs of a small ring are
        // short, and what is asked for may be the last of a long one; one a round trip would never catch up with a writer.
        let ring = self.log.ring_bytes();
        let ring_end = run.position - run.position % ring + ring;
        let wanted_end = run.end + answer_bytes_max(pull) as u64 / BLOCK_BYTES as u64 * BLOCK_BYTES as u64;
        let end = wanted_end.min(self.log.durable().position).min(ring_end).max(run.end);
        self.links.answers_numbered += 1;
        let answer = self.links.answers_numbered;
        let waiting = LogAnswer { connection, request_id, pull: pull.clone(), run };
        self.links.answers.insert(answer, waiting);
        let buffer = AlignedBuffer::zeroed((end - run.position) as usize);
        let offset = run.position % ring;
        self.read(Io::GossipLog { answer }, Area::Log, offset, buffer, effects);
    }

    pub(crate) fn on_gossip_log_read(
        &mut self,
        answer: u64,
        result: IoResult,
        buffer: &AlignedBuffer,
        effects: &mut Effects,
    ) {
        let answer = self.links.answers.remove(&answer).expect("a read has its answer");
        let LogAnswer { connection, request_id, pull, run } = answer;
        if !self.connections.is_there(connection) {
            return;
        }
        let key = (pull.volume, pull.group);
        // Epochs may have changed while the device read.
        let allowed = match self.segments.get(&key) {
            None => Err(RefusalReason::UnknownSegment),
            Some(segment) => segment.check_gossip(pull.writer, pull.membership_epoch),
        };
        if let Err(reason) = allowed {
            return self.refuse(connection, request_id, reason, key, "gossip", effects);
        }
        if result != IoResult::Done {
            return self.refuse(connection, request_id, RefusalReason::Busy, key, "log read failed", effects);
        }
        let mut found = self.batches_from_log(&pull, run, buffer.bytes());
        let is_of_run = found.first.is_some_and(|first| first <= run.last);
        if !is_of_run {
            // What was read behind the run does not go on from the question.
            found.batches.clear();
            if found.is_run_whole && pull.through >= run.last {
                // It was taken to reach further than it does: what comes next lies in another.
                let segment = self.segments.get_mut(&key).expect("just seen");
                segment.runs.ends_at(&run, pull.after);
            }
        }
        self.answer_pull(connection, request_id, &pull, &found.batches, effects);
    }

    /// Takes the segment's batches out of a stretch of the log. If it was freed and written anew meanwhile, or a
    /// block is damaged, there are fewer or none: the peer asks again, or another.
    fn batches_from_log(&mut self, pull: &GossipPull, run: LogRun, bytes: &[u8]) -> Found {
        let key = (pull.volume, pull.group);
        let history = &self.segments[&key].history;
        let mut found: Vec<Batch<'_>> = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let Ok((header, _)) = AppendHeader::decode(&bytes[at..]) else { break };
            let is_here = header.position == run.position + at as u64
                && header.device == self.superblock.device
                && header.append_bytes > 0;
            // The stretch was chosen by its length: its last append may be cut, which is no damage.
            let is_whole = bytes.len() - at >= header.append_bytes as usize;
            if !is_here || !is_whole {
                break;
            }
            let Ok(entries) = header.entries(&bytes[at..]) else {
                self.counters.crc_errors += 1;
                break;
            };
            for entry in Entries::new(entries).flatten() {
                if let Entry::Batch { volume, batch } = entry
                    && (volume, batch.group) == key
                    && batch.first <= pull.through
                    && last_counting(&batch, history).is_some_and(|last| last > pull.after)
                {
                    found.push(batch);
                }
            }
            at += header.append_bytes as usize;
        }
        let is_run_whole = at as u64 >= run.end - run.position;
        // In the chain's order, whatever order they came in, as far as it is unbroken.
        found.sort_by_key(|batch| batch.first);
        found.dedup_by_key(|batch| batch.first);
        let first = found.first().map(|batch| batch.first);
        let mut out = Vec::new();
        let mut last = None;
        for batch in found {
            let follows = last.is_none_or(|last| batch.backlink == last);
            let fits = out.is_empty() || out.len() + batch.bytes.len() <= answer_bytes_max(pull);
            if !follows || !fits {
                break;
            }
            out.extend_from_slice(batch.bytes);
            last = last_counting(&batch, history);
        }
        Found { batches: out, first, is_run_whole }
    }

    fn answer_pull(
        &mut self,
        connection: ConnectionId,
        request_id: u64,
        pull: &GossipPull,
        batches: &[u8],
        effects: &mut Effects,
    ) {
        let segment = &self.segments[&(pull.volume, pull.group)];
        let push = GossipPush {
            volume: pull.volume,
            group: pull.group,
            writer: segment.promised,
            membership_epoch: segment.members_promised,
            scl: segment.scl,
            log_from: match segment.runs.oldest_lsn() {
                // What log there is must not seem to be less than it is.
                _ if !self.has_index() => Lsn::ZERO,
                oldest => oldest.unwrap_or(segment.scl.plus(1)),
            },
            // What a writer told is told by that writer; what holds while there is none, an opener knows better.
            history: WriterId::default(),
            vdl: Lsn::ZERO,
            gc_floor: Lsn::ZERO,
            batches,
        };
        Message::GossipPush(push).encode(request_id, effects.send(connection));
    }
}

/// What fits into a frame beside the answer's head, and one batch more than was asked for if that is the least.
fn answer_bytes_max(pull: &GossipPull) -> usize {
    (pull.bytes_max as usize).min(BATCH_BYTES_MAX)
}
