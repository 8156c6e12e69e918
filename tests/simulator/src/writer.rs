//! A writer: the production volume client, and above it a compute process or random mini-transactions.

use crate::compute::volume::Handle;
use crate::compute::{Compute, TaskId};
use crate::model::Model;
use crate::network::End;
use crate::random::Random;
use hexalog_protocol::message::Room;
use hexalog_protocol::mtr::Mtr;
use hexalog_protocol::record::Operation;
use hexalog_protocol::{Lsn, PAGE_BODY_START, PAGE_SIZE, Page, PageId};
use hexalog_volume::config::LinkIndex;
use hexalog_volume::effects::ReadFailure;
use hexalog_volume::{Client, SharedClient};
use std::collections::VecDeque;
use std::sync::MutexGuard;

/// Bytes reserved for a mini-transaction: more than five pages' operations take.
const MTR_BYTES: u32 = 5 * 256;

/// Something that came while the process was paused.
pub enum Kept {
    /// A connection stands.
    Connected(LinkIndex),
    /// One ended.
    Closed(LinkIndex),
    /// Frames arrived from there.
    Bytes(LinkIndex, End, Vec<u8>),
    /// A timer went off, or a wake came.
    Task(TaskId),
}

/// One run of a writer.
pub struct Writer {
    /// The production code.
    pub shared: Handle,
    /// What runs above it, once the volume is open and if the plan has it.
    pub compute: Option<Box<Compute>>,
    /// Which writer of the world this is, counted from 1.
    pub run: u64,
    /// Whether the client has opened the volume.
    pub is_open: bool,
    /// A paused process gets no events, and keeps believing what it believed.
    pub is_paused: bool,
    /// Another has opened since: what this one appends from now on is lost.
    pub is_overtaken: bool,
    /// Reads under way, as (page, read point).
    pub reads: Vec<(PageId, Lsn)>,
    /// What came while it was paused.
    pub kept: VecDeque<Kept>,
    /// When its next turn is due.
    pub turn_at_us: u64,
}

impl Writer {
    /// A process that begins to open the volume.
    pub fn new(run: u64, client: Client) -> Writer {
        Writer {
            shared: Handle::new(client),
            compute: None,
            run,
            is_open: false,
            is_paused: false,
            is_overtaken: false,
            reads: Vec::new(),
            kept: VecDeque::new(),
            turn_at_us: u64::MAX,
        }
    }

    /// The production code.
    pub fn client(&self) -> MutexGuard<'_, Client> {
        self.shared.client()
    }

    /// Appends one random mini-transaction, if LAL allows; sometimes waits for it as a commit does.
    pub fn append(&mut self, model: &mut Model, pages: u64, random: &mut Random) {
        let mut client = self.shared.client();
        // As compute does with new rows.
        if client.room() == Room::Full {
            return;
        }
        let largest = client.config().lal.mtr_records_max().min(4);
        let count = random.range(1, largest + 1) as u32;
        if client.reserve(count, MTR_BYTES).is_err() {
            return;
        }
        let mut mtr = Mtr::new();
        for _ in 0..count {
            // Half of the pages are hot: long chains beside idle groups.
            let high = if random.one_in(2) { pages.min(4) } else { pages };
            let page = PageId(random.range(0, high));
            if !mtr.records().iter().any(|record| record.page == page) {
                change_page(&mut mtr, page, model, random);
            }
        }
        let last = client.append(&mut mtr, (count, MTR_BYTES), &mut |_, _| {});
        let first = Lsn(last.0 + 1 - mtr.records().len() as u64);
        for (index, record) in mtr.records().iter().enumerate() {
            let lsn = first.plus(index as u64);
            model.append(record.page, lsn, record.page_backlink, mtr.operations_of(record));
        }
        model.add_cpl(last);
        if !random.one_in(4) {
            client.want(last);
        }
    }

    /// Starts a read of a random page at VDL.
    pub fn read(&mut self, pages: u64, random: &mut Random) {
        let page = PageId(random.range(0, pages));
        let read_point = self.client().vdl();
        self.reads.push((page, read_point));
        self.client().read(page, read_point);
    }

    /// Checks an answer against the model.
    pub fn read_answered(
        &mut self,
        model: &Model,
        page: PageId,
        read_point: Lsn,
        image: &Result<Page, ReadFailure>,
    ) {
        // The client may have read at a later point than it was asked for.
        let is_asked = |(asked, at): &(PageId, Lsn)| *asked == page && *at <= read_point;
        let asked = self.reads.iter().enumerate().filter(|(_, read)| is_asked(read));
        let (at, _) = asked.max_by_key(|(_, (_, at))| *at).expect("an answer has its read");
        self.reads.swap_remove(at);
        let expected = model.at(page, read_point);
        match (image, expected) {
            (Err(ReadFailure::Fenced), _) | (Err(ReadFailure::NeverWritten), None) => {}
            (Ok(image), Some(truth)) => {
                assert_eq!(image.lsn(), truth.lsn(), "{page:?} @ {read_point:?}");
                assert_eq!(image.content_hash(), truth.content_hash(), "{page:?} @ {read_point:?}");
            }
            (Err(ReadFailure::NeverWritten), Some(truth)) => {
                let lsn = truth.lsn();
                panic!("{page:?} @ {read_point:?} was written at {lsn:?} and is said to be never written")
            }
            (Ok(image), None) => panic!("{image:?} @ {read_point:?} was never written"),
        }
    }
}

fn change_page(mtr: &mut Mtr, page: PageId, model: &Model, random: &mut Random) {
    let old = model.newest(page).map(Page::lsn);
    let must_format = old.is_none() || random.one_in(20);
    let backlink = if must_format { Lsn::ZERO } else { old.unwrap_or(Lsn::ZERO) };
    mtr.begin_record(page, backlink);
    if must_format {
        mtr.push(&Operation::Format);
    }
    let length = random.range(1, 64) as usize;
    let offset = random.range(PAGE_BODY_START as u64, (PAGE_SIZE - length) as u64) as u16;
    let bytes: Vec<u8> = (0..length).map(|_| random.bits() as u8).collect();
    mtr.push(&Operation::Write { offset, bytes: &bytes });
}
