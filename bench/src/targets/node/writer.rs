//! One connection's volume: a writer with slots, each for a record that is not yet durable or a page that was asked for.
//!
//! Sans-I/O: `append` and `read` take operations, `flush` appends frames to a buffer, `take_answers` looks at what was
//! received.

use super::setup::{GROUP, MEMBERSHIP, OpenVolume};
use crate::options::Job;
use hexalog_protocol::batch::BatchBuilder;
use hexalog_protocol::frame::read_frame;
use hexalog_protocol::message::{Message, PageImage, ReadPage, Refusal, RefusalReason, Write, WriterHead};
use hexalog_protocol::record::{Operation, Record};
use hexalog_protocol::{GeometryEpoch, Lsn, PAGE_BODY_START, PAGE_SIZE, PageId, SummedImage};
use std::collections::{BTreeMap, VecDeque};

/// A batch is sealed at this size, as a boxcar is.
const BATCH_BYTES: usize = 64 << 10;
/// A frame ends at this size.
const FRAME_BYTES: usize = 256 << 10;
/// After a refusal for want of room nothing is written for this long, then all that is unacknowledged again; doubles while
/// it goes on, up to the second. As the volume client does: a shard that answers refusals all the time makes no room.
const PAUSE_NS_MIN: u64 = 5_000_000;
const PAUSE_NS_MAX: u64 = 20_000_000;
/// Request ids of reads have this bit; those of writes are LSNs.
const READ: u64 = 1 << 63;

/// A batch that was sent and is not acknowledged.
#[derive(Debug)]
struct Unacknowledged {
    last: Lsn,
    /// Of its records; those of the lay-out have none.
    slots: Vec<u32>,
    /// As sealed, to be sent again if the shard had no room for it.
    bytes: Vec<u8>,
}

/// A page that was asked for.
#[derive(Clone, Copy, Debug)]
struct Reading {
    page: usize,
    read_point: Lsn,
}

/// A writer of a volume that was empty.
pub struct Writer {
    volume: OpenVolume,
    records_per_frame: usize,
    content: Vec<u8>,
    /// Newest record of each page.
    pages: Vec<Lsn>,
    next_page: usize,
    last: Lsn,
    acknowledged: Lsn,
    /// Slots whose record has not been built.
    queued: VecDeque<u32>,
    unacknowledged: VecDeque<Unacknowledged>,
    /// How many of them have been sent since the last refusal.
    sent: usize,
    is_refused: bool,
    paused_until_ns: u64,
    pause_ns: u64,
    /// By slot.
    reading: BTreeMap<u32, Reading>,
    /// Slots of reads to be sent.
    reads_queued: Vec<u32>,
    operations: Vec<u8>,
}

impl Writer {
    /// Nothing is under way.
    pub fn new(job: &Job, volume: OpenVolume) -> Writer {
        Writer {
            volume,
            records_per_frame: job.records_per_frame as usize,
            content: vec![0xab; job.bs() as usize],
            pages: vec![Lsn::ZERO; job.units() as usize],
            next_page: 0,
            last: Lsn::ZERO,
            acknowledged: Lsn::ZERO,
            queued: VecDeque::new(),
            unacknowledged: VecDeque::new(),
            sent: 0,
            is_refused: false,
            paused_until_ns: 0,
            pause_ns: PAUSE_NS_MIN,
            reading: BTreeMap::new(),
            reads_queued: Vec::new(),
            operations: Vec::new(),
        }
    }

    /// The next page in turn gets a record.
    pub fn append(&mut self, slot: u32) {
        self.queued.push_back(slot);
    }

    /// Asks for a page as it was at the newest acknowledgement.
    pub fn read(&mut self, slot: u32, page: usize) {
        let reading = Reading { page, read_point: self.acknowledged };
        assert!(self.reading.insert(slot, reading).is_none(), "an idle slot reads nothing");
        self.reads_queued.push(slot);
    }

    /// Gives the next pages their first record, as long as no more than `depth` batches are unacknowledged.
    pub fn lay_out(&mut self, depth: usize) {
        while self.last.0 < self.pages.len() as u64 && self.unacknowledged.len() < depth {
            let mut builder = BatchBuilder::new(GROUP);
            while self.last.0 < self.pages.len() as u64 && builder.bytes_len() < BATCH_BYTES {
                self.push_record(&mut builder);
            }
            let batch = Unacknowledged { last: self.last, slots: Vec::new(), bytes: builder.seal() };
            self.unacknowledged.push_back(batch);
        }
    }

    /// Whether every page has a durable record.
    pub fn is_laid_out(&self) -> bool {
        self.acknowledged.0 >= self.pages.len() as u64
    }

    /// Up to here all is durable.
    pub fn acknowledged(&self) -> Lsn {
        self.acknowledged
    }

    /// Appends what is to be sent to `out`.
    pub fn flush(&mut self, now_ns: u64, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.is_refused) {
            self.paused_until_ns = now_ns + self.pause_ns;
            self.pause_ns = (self.pause_ns * 2).min(PAUSE_NS_MAX);
            self.sent = 0;
        }
        if now_ns >= self.paused_until_ns {
            self.write(out);
        }
        for slot in std::mem::take(&mut self.reads_queued) {
            let Reading { page, read_point } = self.reading[&slot];
            let request = ReadPage {
                volume: self.volume.volume,
                group: GROUP,
                page: PageId(page as u64),
                read_point,
                group_tail: read_point,
                writer: self.volume.writer,
                membership_epoch: MEMBERSHIP,
                geometry_epoch: GeometryEpoch(1),
            };
            Message::ReadPage(request).encode(READ | u64::from(slot), out);
        }
    }

    /// Appends a notice of what is durable. Without it the shard would keep the last records of this volume in its log for ever,
    /// since it coalesces only what it was told to be durable, and a few volumes later the log would be full of them.
    pub fn tell_durable(&self, out: &mut Vec<u8>) {
        assert!(self.unacknowledged.is_empty(), "called when nothing is under way");
        self.put_frame(&[], self.last, out);
    }

    /// What was refused or laid out, each batch in a frame of its own, then what is queued.
    fn write(&mut self, out: &mut Vec<u8>) {
        let batches = std::mem::take(&mut self.unacknowledged);
        for batch in batches.range(self.sent..) {
            self.put_frame(&[&batch.bytes], batch.last, out);
        }
        self.sent = batches.len();
        self.unacknowledged = batches;
        while !self.queued.is_empty() {
            self.put_records(out);
        }
    }

    /// One frame with as many of the queued records as it takes.
    fn put_records(&mut self, out: &mut Vec<u8>) {
        let first_batch = self.unacknowledged.len();
        let (mut left, mut bytes) = (self.records_per_frame, 0);
        while left > 0 && bytes < FRAME_BYTES && !self.queued.is_empty() {
            let mut builder = BatchBuilder::new(GROUP);
            let mut slots = Vec::new();
            while slots.len() < left && builder.bytes_len() < BATCH_BYTES {
                let Some(slot) = self.queued.pop_front() else { break };
                self.push_record(&mut builder);
                slots.push(slot);
            }
            let sealed = builder.seal();
            bytes += sealed.len();
            left -= slots.len();
            self.unacknowledged.push_back(Unacknowledged { last: self.last, slots, bytes: sealed });
        }
        let batches = std::mem::take(&mut self.unacknowledged);
        let new: Vec<&[u8]> = batches.range(first_batch..).map(|batch| &batch.bytes[..]).collect();
        self.put_frame(&new, self.last, out);
        self.sent = batches.len();
        self.unacknowledged = batches;
    }

    fn push_record(&mut self, builder: &mut BatchBuilder) {
        let (page, lsn) = (self.next_page, self.last.plus(1));
        let page_backlink = self.pages[page];
        self.operations.clear();
        if page_backlink == Lsn::ZERO {
            Operation::Format.encode(&mut self.operations);
        }
        let places = (PAGE_SIZE - PAGE_BODY_START) / self.content.len();
        let place = lsn.0 as usize % places;
        let offset = (PAGE_BODY_START + place * self.content.len()) as u16;
        Operation::Write { offset, bytes: &self.content }.encode(&mut self.operations);
        builder.push(&Record {
            lsn,
            page: PageId(page as u64),
            page_backlink,
            group_backlink: self.last,
            is_cpl: true,
            operations: &self.operations,
        });
        self.pages[page] = lsn;
        self.next_page = (page + 1) % self.pages.len();
        self.last = lsn;
    }

    fn put_frame(&self, batches: &[&[u8]], tail: Lsn, out: &mut Vec<u8>) {
        let mut entries = Vec::with_capacity(batches.iter().map(|batch| batch.len() + 8).sum());
        batches.iter().for_each(|batch| Write::put_entry(&mut entries, MEMBERSHIP, batch));
        let read_points = self.reading.values().map(|reading| reading.read_point);
        let head = WriterHead {
            volume: self.volume.volume,
            writer: self.volume.writer,
            vdl: self.acknowledged,
            pgmrpl: read_points.min().unwrap_or(self.acknowledged),
            wall_time_us: 0,
            tails: vec![(GROUP, tail)],
        };
        Message::Write(Write { head, entries: &entries }).encode(tail.0, out);
    }

    /// Takes every whole answer out of `received`; `on_done` gets the slots that are done. Returns how many frames were
    /// refused for want of room.
    pub fn take_answers(
        &mut self,
        received: &mut Vec<u8>,
        mut on_done: impl FnMut(u32),
    ) -> Result<u64, String> {
        let (mut at, mut refused) = (0, 0);
        while let Some(frame) = read_frame(&received[at..]).map_err(|malformed| malformed.to_string())? {
            match Message::decode(&frame).map_err(|malformed| malformed.to_string())? {
                Message::WriteAck(ack) => {
                    let scl = ack.scls.iter().filter(|(group, _)| *group == GROUP).map(|(_, scl)| *scl).max();
                    self.acknowledge(scl.unwrap_or(Lsn::ZERO), &mut on_done);
                }
                Message::PageImage(image) => on_done(self.page_came(frame.request_id, &image)?),
                Message::Refusal(refusal) => {
                    self.refused(frame.request_id, &refusal)?;
                    refused += 1;
                }
                other => return Err(format!("the shard answers {other:?}")),
            }
            at += frame.frame_bytes;
        }
        received.drain(..at);
        Ok(refused)
    }

    fn acknowledge(&mut self, scl: Lsn, on_done: &mut impl FnMut(u32)) {
        assert!(scl <= self.last, "nothing is acknowledged that was not sent");
        while let Some(batch) = self.unacknowledged.front().filter(|batch| batch.last <= scl) {
            batch.slots.iter().for_each(|slot| on_done(*slot));
            self.unacknowledged.pop_front();
            self.sent = self.sent.saturating_sub(1);
            self.pause_ns = PAUSE_NS_MIN;
        }
        self.acknowledged = self.acknowledged.max(scl);
    }

    fn page_came(&mut self, request_id: u64, image: &PageImage<'_>) -> Result<u32, String> {
        let slot = (request_id & !READ) as u32;
        let reading = self.reading.remove(&slot).filter(|_| request_id & READ != 0);
        let reading = reading.ok_or("the shard answers a read that was not asked for")?;
        let page = image.image.try_into().ok().map(SummedImage::new);
        let page = page.filter(|page| page.verify(self.volume.volume, image.page));
        let newest = self.pages[reading.page];
        match page {
            _ if image.page.0 != reading.page as u64 => {
                Err(format!("the shard answers with page {}", image.page))
            }
            None => Err(format!("the image of page {} is bad or missing", image.page)),
            // Records after the read point are not in it; without any, it must be the newest.
            Some(page)
                if page.lsn() > reading.read_point
                    || (newest <= reading.read_point && page.lsn() != newest) =>
            {
                Err(format!("page {} is at {}, not at {newest}", image.page, page.lsn()))
            }
            Some(_) => Ok(slot),
        }
    }

    fn refused(&mut self, request_id: u64, refusal: &Refusal) -> Result<(), String> {
        match (refusal.reason, request_id & READ != 0) {
            (RefusalReason::Busy | RefusalReason::NoSpace, false) => self.is_refused = true,
            (RefusalReason::Busy, true) => self.reads_queued.push((request_id & !READ) as u32),
            (reason, is_read) => {
                let what = if is_read { "read" } else { "write" };
                return Err(format!("the shard refuses a {what}: {reason:?} {}", refusal.detail));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::table;
    use hexalog_protocol::VolumeEpoch;
    use hexalog_protocol::message::{Room, WriteAck};

    fn writer(options: &[(&str, &str)]) -> Writer {
        let mut job = Job::default();
        options.iter().for_each(|(name, value)| table::set(&mut job, name, value).expect("known"));
        Writer::new(&job, OpenVolume { volume: Default::default(), writer: Default::default() })
    }

    /// LSNs of the records in each frame.
    fn frames(mut bytes: &[u8]) -> Vec<Vec<u64>> {
        let mut frames = Vec::new();
        while let Some(frame) = read_frame(bytes).expect("well-formed") {
            let Ok(Message::Write(write)) = Message::decode(&frame) else { panic!("not a write") };
            let batches = write.batches().map(|entry| entry.expect("well-formed").1);
            frames.push(
                batches.flat_map(|batch| batch.records().map(|r| r.lsn.0).collect::<Vec<_>>()).collect(),
            );
            bytes = &bytes[frame.frame_bytes..];
        }
        frames
    }

    fn ack(scl: u64) -> Vec<u8> {
        let mut out = Vec::new();
        let scls = vec![(GROUP, Lsn(scl))];
        let ack = WriteAck {
            volume: Default::default(),
            epoch: VolumeEpoch(1),
            vdl_heard: Lsn(0),
            room: Room::Ample,
            scls,
        };
        Message::WriteAck(ack).encode(0, &mut out);
        out
    }

    #[test]
    fn frames_are_filled_and_slots_are_done_when_their_batch_is() {
        let mut writer = writer(&[("records_per_frame", "3")]);
        let mut out = Vec::new();
        (10..14).for_each(|slot| writer.append(slot));
        writer.flush(0, &mut out);
        assert_eq!(frames(&out), [vec![1, 2, 3], vec![4]]);
        let mut done = Vec::new();
        let refused = writer.take_answers(&mut ack(3), |slot| done.push(slot)).expect("well-formed");
        assert_eq!((refused, done), (0, vec![10, 11, 12]));
        out.clear();
        (10..13).for_each(|slot| writer.append(slot));
        writer.flush(0, &mut out);
        assert_eq!(frames(&out), [vec![5, 6, 7]]);
    }

    #[test]
    fn every_page_is_laid_out_once_and_then_read() {
        let mut writer = writer(&[("size", "64k")]);
        let mut out = Vec::new();
        writer.lay_out(100);
        writer.flush(0, &mut out);
        assert_eq!(frames(&out), [(1..=8).collect::<Vec<_>>()]);
        writer.take_answers(&mut ack(8), |_| panic!("no slot waits")).expect("well-formed");
        assert!(writer.is_laid_out());
        out.clear();
        writer.read(5, 2);
        writer.flush(0, &mut out);
        let frame = read_frame(&out).expect("well-formed").expect("whole");
        let Ok(Message::ReadPage(read)) = Message::decode(&frame) else { panic!("not a read") };
        assert_eq!((frame.request_id, read.page, read.read_point), (READ | 5, PageId(2), Lsn(8)));
        let mut answer = Vec::new();
        let missing = PageImage { page: PageId(2), read_point: Lsn(8), image: &[] };
        Message::PageImage(missing).encode(READ | 5, &mut answer);
        assert!(writer.take_answers(&mut answer, |_| ()).unwrap_err().contains("missing"));
    }

    #[test]
    fn a_refusal_for_want_of_room_sends_what_is_unacknowledged_again() {
        let mut writer = writer(&[("records_per_frame", "1")]);
        let mut out = Vec::new();
        (0..2).for_each(|slot| writer.append(slot));
        writer.flush(0, &mut out);
        let refusal = |reason| Refusal {
            reason,
            volume: Default::default(),
            group: GROUP,
            writer: Default::default(),
            membership_epoch: MEMBERSHIP,
            geometry_epoch: Default::default(),
            detail: String::new(),
        };
        let mut answers = Vec::new();
        Message::Refusal(refusal(RefusalReason::Busy)).encode(0, &mut answers);
        assert_eq!(writer.take_answers(&mut answers, |_| ()), Ok(1));
        out.clear();
        writer.append(2);
        writer.flush(0, &mut out);
        assert!(out.is_empty(), "a pause comes first");
        writer.flush(PAUSE_NS_MIN, &mut out);
        assert_eq!(frames(&out), [vec![1], vec![2], vec![3]]);
        Message::Refusal(refusal(RefusalReason::Damaged)).encode(0, &mut answers);
        assert!(writer.take_answers(&mut answers, |_| ()).unwrap_err().contains("Damaged"));
    }
}
