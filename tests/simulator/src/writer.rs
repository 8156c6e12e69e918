//! A writer: the production volume client with a workload of random mini-transactions.

use crate::model::Model;
use crate::random::Random;
use hexalog_protocol::message::Room;
use hexalog_protocol::mtr::Mtr;
use hexalog_protocol::record::{Operation, apply};
use hexalog_protocol::{Lsn, PAGE_BODY_START, PAGE_SIZE, Page, PageId};
use hexalog_volume::Client;
use hexalog_volume::config::LinkIndex;
use hexalog_volume::effects::ReadFailure;
use std::collections::VecDeque;

/// Bytes reserved for a mini-transaction: more than five pages' operations take.
const MTR_BYTES: u32 = 5 * 256;

/// Something that came while the process was paused.
pub enum Kept {
    /// A connection stands.
    Connected(LinkIndex),
    /// One ended.
    Closed(LinkIndex),
    /// Frames arrived.
    Bytes(LinkIndex, Vec<u8>),
}

/// One run of a writer.
pub struct Writer {
    /// The production code.
    pub client: Client,
    /// Which writer of the world this is, counted from 1.
    pub run: u64,
    /// Whether the client has opened the volume.
    pub is_open: bool,
    /// A paused process gets no events, and keeps believing what it believed.
    pub is_paused: bool,
    /// Reads under way, as (page, read point).
    pub reads: Vec<(PageId, Lsn)>,
    /// What came while it was paused.
    pub kept: VecDeque<Kept>,
}

impl Writer {
    /// Appends one random mini-transaction, if LAL allows; sometimes waits for it as a commit does.
    pub fn append(&mut self, model: &mut Model, pages: u64, random: &mut Random) {
        // As compute does with new rows.
        if self.client.room() == Room::Full {
            return;
        }
        let largest = self.client.config().lal.mtr_records_max().min(4);
        let count = random.range(1, largest + 1) as u32;
        if self.client.reserve(count, MTR_BYTES).is_err() {
            return;
        }
        let mut mtr = Mtr::new();
        let mut images: Vec<Page> = Vec::new();
        for _ in 0..count {
            // Half of the pages are hot: long chains beside idle groups.
            let high = if random.one_in(2) { 4 } else { pages };
            let page = PageId(random.range(0, high));
            if mtr.records().iter().any(|record| record.page == page) {
                continue;
            }
            images.push(Self::change_page(&mut mtr, page, self.client.config().volume, model, random));
        }
        let last = self.client.append(&mut mtr, (count, MTR_BYTES), &mut |_, _| {});
        let first = Lsn(last.0 + 1 - images.len() as u64);
        for (index, (record, mut image)) in mtr.records().iter().zip(images).enumerate() {
            let lsn = first.plus(index as u64);
            apply(&mut image, lsn, record.page_backlink, mtr.operations_of(record))
                .expect("the model's page fits");
            model.add(record.page, lsn, image);
        }
        model.add_cpl(last);
        if !random.one_in(4) {
            self.client.want(last);
        }
    }

    fn change_page(
        mtr: &mut Mtr,
        page: PageId,
        volume: hexalog_protocol::VolumeId,
        model: &Model,
        random: &mut Random,
    ) -> Page {
        let old = model.newest(page);
        let must_format = old.is_none() || random.one_in(20);
        let backlink = if must_format { Lsn::ZERO } else { old.map_or(Lsn::ZERO, |(lsn, _)| *lsn) };
        mtr.begin_record(page, backlink);
        if must_format {
            mtr.push(&Operation::Format);
        }
        let length = random.range(1, 64) as usize;
        let offset = random.range(PAGE_BODY_START as u64, (PAGE_SIZE - length) as u64) as u16;
        let bytes: Vec<u8> = (0..length).map(|_| random.bits() as u8).collect();
        mtr.push(&Operation::Write { offset, bytes: &bytes });
        old.map_or_else(|| Page::new(volume, page), |(_, image)| image.clone())
    }

    /// Starts a read of a random page at VDL.
    pub fn read(&mut self, pages: u64, random: &mut Random) {
        let page = PageId(random.range(0, pages));
        let read_point = self.client.vdl();
        self.reads.push((page, read_point));
        self.client.read(page, read_point);
    }

    /// Checks an answer against the model.
    pub fn read_answered(
        &mut self,
        model: &Model,
        page: PageId,
        read_point: Lsn,
        image: &Result<Page, ReadFailure>,
    ) {
        let at =
            self.reads.iter().position(|read| *read == (page, read_point)).expect("an answer has its read");
        self.reads.swap_remove(at);
        let expected = model.at(page, read_point);
        match (image, expected) {
            (Err(ReadFailure::Fenced), _) | (Err(ReadFailure::NeverWritten), None) => {}
            (Ok(image), Some((lsn, truth))) => {
                assert_eq!(image.lsn(), *lsn, "{page:?} @ {read_point:?}");
                assert_eq!(image.content_hash(), truth.content_hash(), "{page:?} @ {read_point:?}");
            }
            (Err(ReadFailure::NeverWritten), Some((lsn, _))) => {
                panic!("{page:?} @ {read_point:?} was written at {lsn:?} and is said to be never written")
            }
            (Ok(image), None) => panic!("{image:?} @ {read_point:?} was never written"),
        }
    }
}
