//! The shard's log: a ring of appends, one write in flight, everything that arrives meanwhile in the next.
//!
//! Owns positions, the chain of header checksums and the append buffers. It never looks into entries: what
//! they mean is [`crate::apply`]'s. An answer that waits for an append is handed in with the entries and
//! comes out only with a [`Durable`] in hand. Positions count bytes from the beginning of all time;
//! `position % log_bytes` is the place. An append that would cross the ring's end begins at its start instead.

mod staging;

pub(crate) use staging::{Answer, Append, Heard};

use crate::effects::{Area, Effect, Effects, IoResult, IoToken};
use crate::options::ShardOptions;
use crate::shares::{ByVolume, LOG_SHARE, SHARE, is_fair};
use alloc::vec::Vec;
use hexalog_protocol::{DeviceId, VolumeId};
use hexalog_storage_format::aligned::AlignedBuffer;
use hexalog_storage_format::append::{AppendHeader, append_bytes};

/// What a finished append leaves: proof of durability, where it began, what was written.
pub(crate) type Finished = (Durable, ReplayPoint, WrittenAppend);

/// Proof that an append, and so all that waited for it, is on the device and flushed. Only [`Log::finish`] and
/// the scan at a start make one.
#[derive(Debug)]
pub(crate) struct Durable(());

impl Durable {
    /// For the scan at a start: what was read back and flushed is durable.
    pub(crate) fn scanned_and_flushed() -> Durable {
        Durable(())
    }
}

/// Where a scan can begin: an append's position and what its header must link to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct ReplayPoint {
    pub position: u64,
    pub sequence: u64,
    pub previous_crc: u32,
}

/// An append whose write has ended well.
#[derive(Debug)]
pub(crate) struct WrittenAppend {
    pub position: u64,
    pub end: u64,
    pub buffer: AlignedBuffer,
    pub entries_bytes: usize,
    pub answers: Vec<(u32, Answer)>,
}

#[derive(Debug)]
struct InFlight {
    token: IoToken,
    start: ReplayPoint,
    after: ReplayPoint,
    entries_bytes: usize,
    answers: Vec<(u32, Answer)>,
    /// There was no space for it: what is to be written again.
    held: Option<AlignedBuffer>,
}

/// Which entries may use the last of the space.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Space {
    /// A writer's batches leave one largest append free.
    Data,
    /// Gap fillers leave half of that: without them what stands above the gap can never be coalesced.
    Gossip,
    /// Control records leave a quarter of it.
    Control,
    /// What frees log may take all: else a full log stays full.
    Freeing,
}

/// Why an entry cannot be staged now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Full {
    /// The append that is being filled has no room: it goes as soon as the one in flight has ended.
    Buffer,
    /// The ring has no room until log is freed.
    Ring,
}

/// How far an append buffer moves on: appends of a moment go all over three times this, which is more than a processor's own cache
/// holds and less than all share.
const APPEND_RANGE_BYTES: usize = 1 << 20;

fn append_buffer(options: &ShardOptions) -> AlignedBuffer {
    AlignedBuffer::roving(options.append_bytes_max, APPEND_RANGE_BYTES.min(options.append_bytes_max))
}

/// The log of one shard.
#[derive(Debug)]
pub(crate) struct Log {
    device: DeviceId,
    log_bytes: u64,
    prepared_bytes: u64,
    /// The file system has no room for the rest of the ring.
    is_cut_short: bool,
    append_bytes_max: usize,
    incarnation: u64,
    head: u64,
    next: ReplayPoint,
    durable: ReplayPoint,
    filling: Append,
    in_flight: Option<InFlight>,
    spare: Vec<AlignedBuffer>,
    /// Of the append that is being filled: bytes of batches.
    filled_by: ByVolume,
    /// The same of all that is kept, as far as is known: what a start finds is nobody's, and what is freed is taken to be everybody's.
    kept_by: ByVolume,
}

impl Log {
    /// An empty log; [`Log::resume`] says where it goes on.
    pub fn new(options: &ShardOptions) -> Log {
        assert!(options.append_bytes_max as u64 <= options.log_bytes / 4, "a log holds several appends");
        Log {
            device: DeviceId(0),
            log_bytes: options.log_bytes,
            prepared_bytes: options.log_prepared_bytes,
            is_cut_short: false,
            append_bytes_max: options.append_bytes_max,
            incarnation: options.incarnation,
            head: 0,
            next: ReplayPoint::default(),
            durable: ReplayPoint::default(),
            filling: Append::new(append_buffer(options)),
            in_flight: None,
            // One fills and one is in flight while a third, just written, still takes effect.
            spare: [(); 2].map(|()| append_buffer(options)).into(),
            filled_by: ByVolume::default(),
            kept_by: ByVolume::default(),
        }
    }

    /// Goes on at `next`, which a scan has found; everything from `head` on is kept.
    pub fn resume(&mut self, device: DeviceId, head: u64, next: ReplayPoint) {
        assert!(self.is_idle(), "before the first append");
        assert!(head <= next.position);
        assert!(next.position - head <= self.log_bytes);
        (self.device, self.head, self.next, self.durable) = (device, head, next, next);
    }

    /// Position of the oldest append kept.
    pub fn head(&self) -> u64 {
        self.head
    }

    /// The point after the last durable append.
    pub fn durable(&self) -> ReplayPoint {
        self.durable
    }

    /// Bytes between head and the end of what was submitted.
    pub fn used_bytes(&self) -> u64 {
        self.next.position - self.head
    }

    /// Bytes that can still be appended.
    pub fn free_bytes(&self) -> u64 {
        self.log_bytes - self.used_bytes()
    }

    /// Size of the ring.
    pub fn ring_bytes(&self) -> u64 {
        self.log_bytes
    }

    /// What counts as used, and of how much, when it is told how much room there is: as long as the ring cannot get its
    /// whole size, it ends where it is prepared, since an append goes round only at its end.
    pub fn used_of(&self) -> (u64, u64) {
        if !self.is_cut_short || self.prepared_bytes == self.log_bytes {
            return (self.used_bytes(), self.log_bytes);
        }
        let to_the_end = self.prepared_bytes.saturating_sub(self.next.position % self.log_bytes);
        (self.prepared_bytes - to_the_end.min(self.free_bytes()), self.prepared_bytes)
    }

    /// Whether an append is being written.
    pub fn is_in_flight(&self) -> bool {
        self.in_flight.is_some()
    }

    /// Whether nothing waits to be written or is being written.
    pub fn is_idle(&self) -> bool {
        self.in_flight.is_none() && self.filling.is_empty()
    }

    /// So much of the ring has been written with zeros; for the rest the file system has no room now if it `is_cut_short`.
    pub fn set_prepared(&mut self, bytes: u64, is_cut_short: bool) {
        assert!(bytes <= self.log_bytes);
        self.prepared_bytes = self.prepared_bytes.max(bytes);
        self.is_cut_short = is_cut_short;
    }

    /// The log before `position` is freed: the superblock that says so is durable.
    pub fn free_to(&mut self, position: u64) {
        assert!(position >= self.head, "freed log does not come back");
        assert!(position <= self.durable.position, "what is not yet durable is not freed");
        let before = self.used_bytes() + self.filling.entries_bytes() as u64;
        self.kept_by.scale(before, before - (position - self.head));
        self.head = position;
    }

    /// Bytes of the append that is being filled, as it would be written now.
    pub fn filling_bytes(&self) -> usize {
        append_bytes(self.filling.entries_bytes())
    }

    /// Whether entries of this many bytes can be staged.
    pub fn room_for(&self, entry_bytes: usize, space: Space) -> Result<(), Full> {
        let entries = self.filling.bytes_needed() + entry_bytes;
        if append_bytes(entries) > self.append_bytes_max {
            return Err(Full::Buffer);
        }
        let reserve = match space {
            Space::Data => self.append_bytes_max as u64,
            Space::Gossip => self.append_bytes_max as u64 / 2,
            Space::Control => self.append_bytes_max as u64 / 4,
            Space::Freeing => 0,
        };
        let append = append_bytes(entries) as u64;
        let fits = self.place(append).is_some_and(|position| {
            let end = position + append;
            end + reserve <= self.head + self.log_bytes
        });
        if fits { Ok(()) } else { Err(Full::Ring) }
    }

    /// Whether a volume's batch leaves the others their share of the append that is being filled and of the ring: asked when there
    /// is room for it.
    pub fn fair_room_for(&self, volume: VolumeId, entry_bytes: usize) -> Result<(), Full> {
        let bytes = entry_bytes as u64;
        let filled = append_bytes(self.filling.bytes_needed() + entry_bytes);
        assert!(filled <= self.append_bytes_max, "there is room for it");
        let before = self.filled_by.get(volume);
        if !is_fair(before, before + bytes, (self.append_bytes_max - filled) as u64, SHARE) {
            return Err(Full::Buffer);
        }
        let before = self.kept_by.get(volume);
        let taken = filled as u64 + self.append_bytes_max as u64;
        let left = self.free_bytes().saturating_sub(taken);
        if is_fair(before, before + bytes, left, LOG_SHARE) { Ok(()) } else { Err(Full::Ring) }
    }

    /// Copies a batch into the append that is being filled.
    pub fn push_batch(&mut self, volume: VolumeId, batch: &[u8]) {
        let before = self.filling.entries_bytes();
        self.filling.push_batch(volume, batch);
        let bytes = (self.filling.entries_bytes() - before) as u64;
        self.filled_by.add(volume, bytes);
        self.kept_by.add(volume, bytes);
    }

    /// Where an append of `bytes` would begin, if head and pre-written pieces allow it.
    fn place(&self, bytes: u64) -> Option<u64> {
        let mut position = self.next.position;
        let offset = position % self.log_bytes;
        if offset + bytes > self.log_bytes {
            position = position - offset + self.log_bytes;
        }
        let end_offset = position % self.log_bytes + bytes;
        let fits = position + bytes <= self.head + self.log_bytes;
        (fits && end_offset <= self.prepared_bytes).then_some(position)
    }

    /// The append that is being filled.
    pub fn filling(&mut self) -> &mut Append {
        &mut self.filling
    }

    /// Ties an answer to all that is staged or in flight. If there is nothing, all it could wait for is durable
    /// already: it comes back with the proof.
    pub fn tie(&mut self, answer: Answer) -> Option<(Durable, Answer)> {
        if !self.filling.is_empty() {
            self.filling.push_answer(answer);
        } else if let Some(in_flight) = &mut self.in_flight {
            in_flight.answers.push((u32::MAX, answer));
        } else {
            return Some((Durable(()), answer));
        }
        None
    }

    /// Submits what waits, unless an append is in flight: depth 1, so one write carries everything that arrived
    /// while the last was under way.
    pub fn submit(&mut self, token: impl FnOnce() -> IoToken, effects: &mut Effects) {
        if self.in_flight.is_some() || self.filling.is_empty() {
            return;
        }
        let total = append_bytes(self.filling.bytes_needed()) as u64;
        let Some(position) = self.place(total) else { return };
        let spare = self.spare.pop().expect("three buffers for two appends and what takes effect");
        let sealed = core::mem::replace(&mut self.filling, Append::new(spare)).seal();
        let mut buffer = sealed.buffer;
        let length = append_bytes(sealed.entries_bytes);
        assert!(length as u64 <= total);
        buffer.set_len(length);
        let offset = position % self.log_bytes;
        let header = AppendHeader {
            device: self.device,
            offset,
            incarnation: self.incarnation,
            sequence: self.next.sequence,
            position,
            previous_crc: self.next.previous_crc,
            append_bytes: length as u32,
            entries_bytes: sealed.entries_bytes as u32,
            entries_count: sealed.entries_count,
            entries_crc: sealed.entries_crc,
        };
        let crc = header.encode(buffer.bytes_mut());
        let start = ReplayPoint { position, ..self.next };
        let after = ReplayPoint {
            position: position + length as u64,
            sequence: self.next.sequence + 1,
            previous_crc: crc,
        };
        let token = token();
        self.next = after;
        self.filled_by.clear();
        let entries_bytes = sealed.entries_bytes;
        self.in_flight =
            Some(InFlight { token, start, after, entries_bytes, answers: sealed.answers, held: None });
        effects.list.push(Effect::Write { token, area: Area::Log, offset, buffer, flush: true });
        assert!(self.used_bytes() <= self.log_bytes, "an append never overwrites kept log");
    }

    /// There was no space for the append in flight, in a file system that writes every block to a new place. It stays in
    /// flight, and is written again as a whole, to the same place: nothing of it was flushed, no one was told of it.
    pub fn hold(&mut self, token: IoToken, buffer: AlignedBuffer) {
        let in_flight = self.in_flight.as_mut().expect("a completion has its append");
        assert!(in_flight.token == token, "one append is in flight");
        in_flight.held = Some(buffer);
    }

    /// Writes again what [`Log::hold`] holds, if anything.
    pub fn write_held(&mut self, token: impl FnOnce() -> IoToken, effects: &mut Effects) {
        let Some(in_flight) = &mut self.in_flight else { return };
        let Some(buffer) = in_flight.held.take() else { return };
        in_flight.token = token();
        let (token, offset) = (in_flight.token, in_flight.start.position % self.log_bytes);
        effects.list.push(Effect::Write { token, area: Area::Log, offset, buffer, flush: true });
    }

    /// The write of the append in flight has ended. `Err` gives the errno and all answers that now will never be
    /// true: the log takes nothing more, since what the device holds is unknown and a second try would not tell.
    pub fn finish(
        &mut self,
        token: IoToken,
        result: IoResult,
        buffer: AlignedBuffer,
    ) -> Result<Finished, (i32, Vec<(u32, Answer)>)> {
        let in_flight = self.in_flight.take().expect("a completion has its append");
        assert!(in_flight.token == token, "one append is in flight");
        if let Some(errno) = result.errno() {
            let mut unanswered = in_flight.answers;
            unanswered.append(&mut self.filling.take_answers());
            return Err((errno, unanswered));
        }
        self.durable = in_flight.after;
        let written = WrittenAppend {
            position: in_flight.start.position,
            end: in_flight.after.position,
            buffer,
            entries_bytes: in_flight.entries_bytes,
            answers: in_flight.answers,
        };
        Ok((Durable(()), in_flight.start, written))
    }

    /// Takes a buffer back for the append after the next.
    pub fn recycle(&mut self, mut buffer: AlignedBuffer) {
        assert!(self.spare.len() < 2, "three append buffers");
        buffer.move_on();
        self.spare.push(buffer);
    }

    /// Cheap checks after every event.
    pub fn invariants(&self) {
        assert!(self.head <= self.durable.position);
        assert!(self.durable.position <= self.next.position);
        assert!(self.spare.len() + usize::from(self.in_flight.is_some()) >= 1);
    }

    /// All checks.
    pub fn invariants_full(&self) {
        self.invariants();
        let filled = self.filling.entries_bytes() as u64;
        assert!(self.filled_by.sum() <= filled, "an append holds what was put into it");
        assert!(self.kept_by.sum() <= self.used_bytes() + filled, "what volumes keep of the log is in it");
    }
}
