//! A mini-transaction: page changes made under exclusive latches that reach the log together.
//!
//! Owns the way from "these bytes change" to redo: an edit changes the latched page at once, keeps the bytes
//! it overwrote and notes the operation. `commit` appends all records in one critical section of the volume,
//! stamps the pages through the one apply function and unlatches. Dropped without commit, every byte is put
//! back: so an operation may stop for a need anywhere before its commit and has changed nothing.
//! Never latches in an order of its own; see [`crate::access`].

use crate::access::{Access, ExclusivePage};
use crate::engine::Engine;
use crate::error::{Need, Step};
use crate::layout::Bytes;
use crate::layout::undo_record::for_each_difference;
use crate::volume::Reservation;
use hexalog_protocol::mtr::Mtr;
use hexalog_protocol::record::{self, Operation};
use hexalog_protocol::{Lsn, Page, PageId};
use std::sync::atomic::Ordering;

/// Most records that any mini-transaction of the engine has: a root split with a fresh bitmap page. LAL must
/// be at least four times this.
pub const MTR_RECORDS_MAX: u32 = 8;
/// Most bytes of operations: a root split writes its content once more, twice over for safety.
pub const MTR_BYTES_MAX: u32 = 24 * 1024;
/// Equal bytes that a difference is joined over: an operation's tag, offset and length take four.
const DIFFERENCE_GAP_JOINED: usize = 3;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Format,
    Write { at: usize },
    Move { source: u16 },
    CommitLsn,
}

struct Edit {
    page: PageSlot,
    kind: Kind,
    offset: u16,
    length: u16,
    /// Where the overwritten bytes stand in `saved`.
    saved_at: usize,
}

/// Names a page of a mini-transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct PageSlot(usize);

struct EditedPage<'e> {
    page: ExclusivePage<'e>,
    backlink: Lsn,
    created: bool,
    /// The image before `Format`.
    replaced: Option<Page>,
    edited: bool,
    /// In debug builds: the image that the operations must lead from.
    before: Option<Page>,
}

/// Buffers that go from one mini-transaction to the next.
#[derive(Default)]
pub(crate) struct Scratch {
    mtr: Mtr,
    edits: Vec<Edit>,
    bytes: Vec<u8>,
    saved: Vec<u8>,
}

/// A mini-transaction under construction.
pub(crate) struct MiniTransaction<'e> {
    engine: &'e Engine,
    reservation: Option<Reservation>,
    pages: Vec<EditedPage<'e>>,
    scratch: Scratch,
}

impl<'e> MiniTransaction<'e> {
    /// Reserves room in the log.
    pub fn begin(engine: &'e Engine) -> Step<MiniTransaction<'e>> {
        let (records, bytes) = (MTR_RECORDS_MAX, MTR_BYTES_MAX);
        let reservation =
            engine.volume.reserve(records, bytes).map_err(|_| Need::LogSpace { records, bytes })?;
        let scratch = engine.scratch.lock().pop().unwrap_or_default();
        Ok(MiniTransaction { engine, reservation: Some(reservation), pages: Vec::new(), scratch })
    }

    /// Takes a latched page in.
    pub fn add(&mut self, page: ExclusivePage<'e>) -> PageSlot {
        assert!(self.find(page.id).is_none(), "a page is in a mini-transaction once");
        let image = page.latch.as_ref().expect("a latched frame is resident");
        let backlink = image.lsn();
        let before = cfg!(debug_assertions).then(|| image.clone());
        self.pages.push(EditedPage { page, backlink, created: false, replaced: None, edited: false, before });
        PageSlot(self.pages.len() - 1)
    }

    /// Takes in a page that is formatted anew: its body becomes zeros whatever it held.
    pub fn add_formatted(&mut self, mut page: ExclusivePage<'e>) -> PageSlot {
        assert!(self.find(page.id).is_none(), "a page is in a mini-transaction once");
        let image = Page::new(self.engine.volume.volume_id(), page.id);
        let before = cfg!(debug_assertions).then(|| image.clone());
        let replaced = page.latch.replace(image);
        let slot = PageSlot(self.pages.len());
        let created = replaced.is_none();
        self.pages.push(EditedPage { page, backlink: Lsn::ZERO, created, replaced, edited: true, before });
        self.note(slot, Kind::Format, 0, 0);
        slot
    }

    /// The page's place, if it is in already.
    pub fn find(&self, page: PageId) -> Option<PageSlot> {
        self.pages.iter().position(|edited| edited.page.id == page).map(PageSlot)
    }

    /// Latches a page for a change and takes it in, unless it is in.
    pub fn latch(&mut self, access: &mut Access<'e>, page: PageId) -> Step<PageSlot> {
        match self.find(page) {
            Some(slot) => Ok(slot),
            None => Ok(self.add(access.exclusive(page)?)),
        }
    }

    pub fn bytes(&self, slot: PageSlot) -> &Bytes {
        self.pages[slot.0].page.bytes()
    }

    pub fn page_id(&self, slot: PageSlot) -> PageId {
        self.pages[slot.0].page.id
    }

    fn bytes_mut(&mut self, slot: PageSlot) -> &mut Bytes {
        self.pages[slot.0].page.latch.as_mut().expect("a latched frame is resident").bytes_mut()
    }

    fn note(&mut self, slot: PageSlot, kind: Kind, offset: u16, length: u16) {
        let saved_at = self.scratch.saved.len();
        let range = usize::from(offset)..usize::from(offset) + usize::from(length);
        let page = self.pages[slot.0].page.latch.as_ref().expect("a latched frame is resident");
        self.scratch.saved.extend_from_slice(&page.bytes()[range]);
        self.scratch.edits.push(Edit { page: slot, kind, offset, length, saved_at });
        self.pages[slot.0].edited = true;
    }

    /// Puts `bytes` at `offset`, as one operation.
    pub fn write(&mut self, slot: PageSlot, offset: usize, bytes: &[u8]) {
        assert!(!bytes.is_empty(), "a write has bytes");
        assert!(offset >= hexalog_protocol::PAGE_BODY_START, "redo addresses the page body only");
        let at = self.scratch.bytes.len();
        self.scratch.bytes.extend_from_slice(bytes);
        self.note(slot, Kind::Write { at }, offset as u16, bytes.len() as u16);
        self.bytes_mut(slot)[offset..offset + bytes.len()].copy_from_slice(bytes);
    }

    /// Puts `bytes` at `offset`, logging only what differs.
    pub fn write_difference(&mut self, slot: PageSlot, offset: usize, bytes: &[u8]) {
        let old = self.bytes(slot)[offset..offset + bytes.len()].to_vec();
        for_each_difference(&old, bytes, DIFFERENCE_GAP_JOINED, |start, end| {
            self.write(slot, offset + start, &bytes[start..end]);
        });
    }

    /// Moves `length` bytes; the ranges may overlap.
    pub fn shift(&mut self, slot: PageSlot, source: usize, destination: usize, length: usize) {
        if length == 0 || source == destination {
            return;
        }
        self.note(slot, Kind::Move { source: source as u16 }, destination as u16, length as u16);
        self.bytes_mut(slot).copy_within(source..source + length, destination);
    }

    /// Leaves eight bytes for the commit LSN, which the append fills in.
    pub fn write_commit_lsn(&mut self, slot: PageSlot, offset: usize) {
        self.note(slot, Kind::CommitLsn, offset as u16, 8);
    }

    /// Appends all records, stamps the pages, unlatches. `publish` runs inside the volume's critical section
    /// with the first and last LSN. Returns the last.
    pub fn commit(mut self, publish: &mut dyn FnMut(Lsn, Lsn)) -> Lsn {
        let reservation = self.reservation.take().expect("committed once");
        self.assemble();
        let records = self.scratch.mtr.records().len() as u32;
        let bytes = self.scratch.mtr.operations().len() as u32;
        assert!((1..=MTR_RECORDS_MAX).contains(&records), "{records} records in a mini-transaction");
        assert!(bytes <= MTR_BYTES_MAX, "{bytes} bytes in a mini-transaction");
        let counters = &self.engine.counters;
        counters.mini_transactions.fetch_add(1, Ordering::Relaxed);
        counters.redo_records.fetch_add(u64::from(records), Ordering::Relaxed);
        counters.redo_bytes.fetch_add(u64::from(bytes), Ordering::Relaxed);
        let last = self.engine.volume.append(&mut self.scratch.mtr, reservation, publish);
        self.engine.note_appended(last);
        self.stamp(Lsn(last.0 + 1 - u64::from(records)));
        self.pages.clear();
        last
    }

    /// Builds the records, page by page.
    fn assemble(&mut self) {
        let Scratch { mtr, edits, bytes, .. } = &mut self.scratch;
        for (index, edited) in self.pages.iter().enumerate().filter(|(_, page)| page.edited) {
            mtr.begin_record(edited.page.id, edited.backlink);
            for edit in edits.iter().filter(|edit| edit.page.0 == index) {
                let length = usize::from(edit.length);
                match edit.kind {
                    Kind::Format => mtr.push(&Operation::Format),
                    Kind::Write { at } => {
                        mtr.push(&Operation::Write { offset: edit.offset, bytes: &bytes[at..at + length] });
                    }
                    Kind::Move { source } => {
                        mtr.push(&Operation::Move { source, destination: edit.offset, length: edit.length })
                    }
                    Kind::CommitLsn => mtr.push_commit_lsn(edit.offset),
                }
            }
        }
    }

    /// Gives each changed page its record's LSN. The bytes are there already, but for the commit LSN.
    fn stamp(&mut self, first: Lsn) {
        let mtr = &self.scratch.mtr;
        let commit = self.scratch.edits.iter().find(|edit| edit.kind == Kind::CommitLsn);
        let commit = commit.map(|edit| (self.pages[edit.page.0].page.id, edit.offset));
        let last = Lsn(first.0 + mtr.records().len() as u64 - 1);
        let edited = self.pages.iter_mut().filter(|page| page.edited);
        for (index, (page, record)) in edited.zip(mtr.records()).enumerate() {
            assert_eq!(page.page.id, record.page);
            let lsn = Lsn(first.0 + index as u64);
            let image = page.page.latch.as_mut().expect("a latched frame is resident");
            let mut patch = Vec::new();
            if let Some((_, offset)) = commit.filter(|(page, _)| *page == record.page) {
                Operation::Write { offset, bytes: &last.0.to_le_bytes() }.encode(&mut patch);
            }
            record::apply(image, lsn, page.backlink, &patch)
                .expect("the page is the version that was changed");
            if let Some(mut before) = page.before.take() {
                let operations = mtr.operations_of(record);
                record::apply(&mut before, lsn, page.backlink, operations).expect("redo applies");
                assert!(before.bytes() == image.bytes(), "redo of {} leads to what is cached", record.page);
            }
            self.engine.cache.set_lsn(page.page.frame, lsn);
        }
    }
}

impl Drop for MiniTransaction<'_> {
    /// Puts back what was not committed, newest edit first.
    fn drop(&mut self) {
        if !self.pages.is_empty() {
            let edits = std::mem::take(&mut self.scratch.edits);
            for edit in edits.iter().rev().filter(|edit| edit.kind != Kind::Format) {
                let saved = self.scratch.saved[edit.saved_at..][..usize::from(edit.length)].to_vec();
                self.bytes_mut(edit.page)[usize::from(edit.offset)..][..saved.len()].copy_from_slice(&saved);
            }
            self.scratch.edits = edits;
            for mut page in self.pages.drain(..) {
                if page.created {
                    let ExclusivePage { id, frame, latch } = page.page;
                    self.engine.cache.forget_created(id, frame, latch);
                } else if let Some(replaced) = page.replaced.take() {
                    *page.page.latch = Some(replaced);
                }
            }
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.mtr.clear();
        scratch.edits.clear();
        scratch.bytes.clear();
        scratch.saved.clear();
        self.engine.scratch.lock().push(scratch);
    }
}
