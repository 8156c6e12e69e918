//! One job: a writer with a window of records that are not yet acknowledged.
//!
//! Sans-I/O: `fill` appends frames to a buffer, `take_answers` looks at what was received.

use super::setup::{GROUP, MEMBERSHIP, OpenVolume};
use crate::options::Options;
use hexalog_protocol::batch::BatchBuilder;
use hexalog_protocol::frame::read_frame;
use hexalog_protocol::message::{Message, RefusalReason, Write, WriterHead};
use hexalog_protocol::record::{Operation, Record};
use hexalog_protocol::{Lsn, PAGE_BODY_START, PAGE_SIZE, PageId};
use std::collections::VecDeque;

/// A batch is sealed at this size, as a boxcar is.
const BATCH_BYTES: usize = 64 << 10;
/// A frame ends at this size.
const FRAME_BYTES: usize = 256 << 10;

/// A batch that was sent and is not acknowledged.
#[derive(Debug)]
struct Unacknowledged {
    last: Lsn,
    records: u32,
    sent_ns: u64,
    /// As sealed, to be sent again if the shard had no room for it.
    bytes: Vec<u8>,
}

/// What answers told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Taken {
    /// Records that are durable now.
    pub acknowledged: u64,
    /// Refusals for want of room.
    pub refused: u64,
}

/// A writer.
pub struct Job {
    volume: OpenVolume,
    depth: u32,
    records_per_frame: u32,
    content: Vec<u8>,
    /// Newest record of each page.
    pages: Vec<Lsn>,
    next_page: usize,
    last: Lsn,
    acknowledged: Lsn,
    outstanding: u32,
    unacknowledged: VecDeque<Unacknowledged>,
    send_again: bool,
    operations: Vec<u8>,
}

impl Job {
    /// A writer of an empty volume.
    pub fn new(options: &Options, volume: OpenVolume) -> Job {
        Job {
            volume,
            depth: options.iodepth,
            records_per_frame: options.records_per_frame,
            content: vec![0xab; usize::from(options.bs)],
            pages: vec![Lsn::ZERO; options.pages as usize],
            next_page: 0,
            last: Lsn::ZERO,
            acknowledged: Lsn::ZERO,
            outstanding: 0,
            unacknowledged: VecDeque::new(),
            send_again: false,
            operations: Vec::new(),
        }
    }

    /// Appends frames until the window is full.
    pub fn fill(&mut self, now_ns: u64, out: &mut Vec<u8>) {
        if self.send_again {
            self.send_again = false;
            let batches = std::mem::take(&mut self.unacknowledged);
            for batch in &batches {
                self.put_frame(&[&batch.bytes], batch.last, out);
            }
            self.unacknowledged = batches;
        }
        while self.outstanding < self.depth {
            let records = (self.depth - self.outstanding).min(self.records_per_frame);
            self.put_records(records, now_ns, out);
        }
        assert!(self.outstanding == self.depth, "the window is full now");
    }

    /// One frame with at most this many new records.
    fn put_records(&mut self, records: u32, now_ns: u64, out: &mut Vec<u8>) {
        let first_batch = self.unacknowledged.len();
        let (mut left, mut bytes) = (records, 0);
        while left > 0 && bytes < FRAME_BYTES {
            let mut builder = BatchBuilder::new(GROUP);
            let mut count = 0;
            while count < left && builder.bytes_len() < BATCH_BYTES {
                self.push_record(&mut builder);
                count += 1;
            }
            let sealed = builder.seal();
            bytes += sealed.len();
            left -= count;
            self.outstanding += count;
            let batch = Unacknowledged { last: self.last, records: count, sent_ns: now_ns, bytes: sealed };
            self.unacknowledged.push_back(batch);
        }
        let batches = std::mem::take(&mut self.unacknowledged);
        let new: Vec<&[u8]> = batches.range(first_batch..).map(|batch| &batch.bytes[..]).collect();
        self.put_frame(&new, self.last, out);
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
        let head = WriterHead {
            volume: self.volume.volume,
            writer: self.volume.writer,
            vdl: self.acknowledged,
            pgmrpl: self.acknowledged,
            wall_time_us: 0,
            tails: vec![(GROUP, tail)],
        };
        Message::Write(Write { head, entries: &entries }).encode(tail.0, out);
    }

    /// Takes every whole answer out of `received`; `on_record` gets the send time of each record that is durable.
    pub fn take_answers(
        &mut self,
        received: &mut Vec<u8>,
        mut on_record: impl FnMut(u64),
    ) -> Result<Taken, String> {
        let mut at = 0;
        let mut taken = Taken::default();
        while let Some(frame) = read_frame(&received[at..]).map_err(|malformed| malformed.to_string())? {
            match Message::decode(&frame).map_err(|malformed| malformed.to_string())? {
                Message::WriteAck(ack) => {
                    let scl = ack.scls.iter().filter(|(group, _)| *group == GROUP).map(|(_, scl)| *scl).max();
                    if let Some(scl) = scl {
                        taken.acknowledged += self.on_scl(scl, &mut on_record);
                    }
                }
                Message::Refusal(refusal)
                    if matches!(refusal.reason, RefusalReason::Busy | RefusalReason::NoSpace) =>
                {
                    self.send_again = true;
                    taken.refused += 1;
                }
                other => return Err(format!("the shard answers {other:?}")),
            }
            at += frame.frame_bytes;
        }
        received.drain(..at);
        Ok(taken)
    }

    fn on_scl(&mut self, scl: Lsn, on_record: &mut impl FnMut(u64)) -> u64 {
        assert!(scl <= self.last, "nothing is acknowledged that was not sent");
        let mut records = 0;
        while let Some(batch) = self.unacknowledged.front().filter(|batch| batch.last <= scl) {
            (0..batch.records).for_each(|_| on_record(batch.sent_ns));
            records += batch.records;
            self.unacknowledged.pop_front();
        }
        self.outstanding -= records;
        self.acknowledged = self.acknowledged.max(scl);
        u64::from(records)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use hexalog_protocol::VolumeEpoch;
    use hexalog_protocol::message::{Refusal, Room, WriteAck};

    fn job(args: &[&str]) -> Job {
        let options = Options::try_parse_from([&["hexalog-bench"], args].concat()).expect("parses");
        let volume = OpenVolume { volume: Default::default(), writer: Default::default() };
        Job::new(&options, volume)
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
    fn the_window_is_kept_full_and_latencies_are_per_record() {
        let mut job = job(&["--iodepth=4", "--records-per-frame=3"]);
        let mut out = Vec::new();
        job.fill(100, &mut out);
        assert_eq!(frames(&out), [vec![1, 2, 3], vec![4]]);
        let mut sent = Vec::new();
        let taken = job.take_answers(&mut ack(3), |at| sent.push(at)).expect("well-formed");
        assert_eq!((taken.acknowledged, sent), (3, vec![100; 3]));
        out.clear();
        job.fill(200, &mut out);
        assert_eq!(frames(&out), [vec![5, 6, 7]]);
    }

    #[test]
    fn a_refusal_for_want_of_room_sends_what_is_unacknowledged_again() {
        let mut job = job(&["--iodepth=2", "--records-per-frame=1"]);
        let mut out = Vec::new();
        job.fill(0, &mut out);
        let refusal = Refusal {
            reason: RefusalReason::Busy,
            volume: Default::default(),
            group: GROUP,
            writer: Default::default(),
            membership_epoch: MEMBERSHIP,
            geometry_epoch: Default::default(),
            detail: String::new(),
        };
        let mut answers = Vec::new();
        Message::Refusal(refusal).encode(0, &mut answers);
        answers.extend(ack(1));
        assert_eq!(job.take_answers(&mut answers, |_| ()), Ok(Taken { acknowledged: 1, refused: 1 }));
        out.clear();
        job.fill(0, &mut out);
        assert_eq!(frames(&out), [vec![2], vec![3]]);
    }
}
