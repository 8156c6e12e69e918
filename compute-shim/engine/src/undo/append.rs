//! Appending undo records inside a mini-transaction.
//!
//! Owns the head of a stream on its pages: the page a record goes to, the switch to a next page, the header
//! record that rides on a transaction's first record. Only the stream's own transaction calls it, so the head
//! stands still between planning and publishing. Steps: `prepare` latches and edits the undo page (which also
//! names the offset that the row header must carry), the caller edits its row page, the mini-transaction
//! commits, `publish` moves the head.

use super::{OpenState, OpenTransaction};
use crate::access::Access;
use crate::engine::Engine;
use crate::error::Step;
use crate::layout::super_page::{DirectoryEntry, HORIZON};
use crate::layout::undo_page::{RECORDS_START, UndoHeader, byte_of, offset_of};
use crate::layout::undo_record::{HEADER_COMMIT_LSN, encode_header};
use crate::locks::Handle;
use crate::mini_transaction::{MiniTransaction, PageSlot};
use crate::transaction::Transaction;
use crate::types::TxId;
use hexalog_protocol::{PAGE_BODY_START, PAGE_SIZE, PageId};

/// Most bytes of the header record that may ride in front of a record.
const HEADER_BYTES_MAX: usize = 22;

/// Where a record will stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct UndoPlace {
    stream: u16,
    /// The transaction, new with this record or not.
    pub tx_id: TxId,
    /// The record's own offset.
    pub offset: u64,
    page: PageId,
    slot: PageSlot,
    opens: bool,
    new_page: Option<NewPage>,
    end: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct NewPage {
    logical: u64,
    /// Taken from the stream's own spare pages.
    reused: bool,
}

impl UndoPlace {
    /// Where to leave room for the commit LSN, if the transaction's header is on a page of this
    /// mini-transaction.
    pub fn commit_lsn_offset(&self) -> usize {
        byte_of(self.tx_id.offset()) + HEADER_COMMIT_LSN
    }

    pub fn slot(&self) -> PageSlot {
        self.slot
    }

    pub fn page(&self) -> PageId {
        self.page
    }

    pub fn opens(&self) -> bool {
        self.opens
    }
}

impl<'e> Access<'e> {
    /// Finds the place of a record of `bytes`, and takes its page into the mini-transaction, with the
    /// transaction's header written if this is its first record.
    pub fn prepare_undo(
        &mut self,
        mini: &mut MiniTransaction<'e>,
        txn: &Transaction,
        bytes: usize,
    ) -> Step<UndoPlace> {
        let stream = txn.stream.expect("a writing transaction has a stream");
        let opens = txn.tx_id.is_none();
        let wanted = bytes + if opens { HEADER_BYTES_MAX } else { 0 };
        assert!(RECORDS_START + wanted <= PAGE_SIZE, "an undo record of {bytes} bytes fits a page");
        let (head, head_page) = {
            let state = self.engine.streams().stream(stream).lock();
            (state.head, state.head_page())
        };
        let fits = head_page != PageId(0) && byte_of(head - 1) + 1 + wanted <= PAGE_SIZE;
        let (slot, start, new_page) = if fits {
            (mini.latch(self, head_page)?, head, None)
        } else {
            let (slot, new_page) = self.new_undo_page(mini, txn, stream)?;
            (slot, offset_of(new_page.logical, RECORDS_START), Some(new_page))
        };
        let mut offset = start;
        if opens {
            let mut header = Vec::with_capacity(HEADER_BYTES_MAX);
            encode_header(&mut header, self.engine.volume.writer_epoch());
            assert!(header.len() <= HEADER_BYTES_MAX);
            // The commit LSN's eight bytes are zero already.
            let behind = HEADER_COMMIT_LSN + 8;
            mini.write(slot, byte_of(offset), &header[..HEADER_COMMIT_LSN]);
            mini.write(slot, byte_of(offset) + behind, &header[behind..]);
            offset += header.len() as u64;
        }
        let tx_id = txn.tx_id.unwrap_or_else(|| TxId::new(stream, start));
        let page = mini.page_id(slot);
        let end = offset + bytes as u64;
        Ok(UndoPlace { stream, tx_id, offset, page, slot, opens, new_page, end })
    }

    /// Formats the stream's next page: one of its own spare pages if there is one. The directory page's latch
    /// keeps purge from giving that page away meanwhile.
    fn new_undo_page(
        &mut self,
        mini: &mut MiniTransaction<'e>,
        txn: &Transaction,
        stream: u16,
    ) -> Step<(PageSlot, NewPage)> {
        let engine = self.engine;
        let (directory, at) = engine.opened().super_page.directory_place(stream);
        let directory = mini.latch(self, directory)?;
        let (logical, previous, spare, mut entry) = {
            let state = engine.streams().stream(stream).lock();
            let logical = if state.has_pages() { state.head_logical() + 1 } else { 0 };
            let spare = (state.spare_pages() > 0).then(|| state.lowest_known_page());
            let owned_from = state.owned_from + u64::from(spare.is_some());
            let entry = DirectoryEntry { head_page: PageId(0), tail: state.tail, owned_from, flags: 0 };
            (logical, state.head_page(), spare, entry)
        };
        let page = match spare {
            Some(page) => page,
            None => self.allocate(mini, false)?,
        };
        let slot = mini.add_formatted(self.create(page)?);
        let header = UndoHeader {
            stream,
            logical,
            previous,
            open_offset: txn.tx_id.map_or(0, TxId::offset),
            open_page: txn.tx_id.map_or(PageId(0), |_| txn.header_page),
        };
        mini.write(slot, PAGE_BODY_START, &header.encode());
        entry.head_page = page;
        mini.write_difference(directory, usize::from(at), &entry.encode());
        let horizon = engine.snapshots.horizon().0.to_le_bytes();
        mini.write_difference(directory, usize::from(HORIZON), &horizon);
        Ok((slot, NewPage { logical, reused: spare.is_some() }))
    }
}

impl Engine {
    /// The record is in the log: moves the stream's head, and opens the transaction if this was its first.
    /// Runs inside the append's critical section, before anyone can see the record.
    pub(crate) fn publish_undo(&self, place: &UndoPlace, handle: Handle) {
        let mut state = self.streams().stream(place.stream).lock();
        match place.new_page {
            Some(NewPage { logical, reused }) => {
                if reused {
                    let popped = state.pop_lowest();
                    assert_eq!(popped, place.page, "the spare page that was formatted");
                }
                state.push_page(logical, place.page, place.end);
            }
            None => {
                assert!(state.head < place.end, "a stream's head moves forward");
                state.head = place.end;
            }
        }
        if place.opens {
            assert!(state.open.is_none(), "one open transaction a stream");
            state.open = Some(OpenTransaction {
                offset: place.tx_id.offset(),
                header_page: place.page,
                handle,
                state: OpenState::InProgress,
                rollbacks: 0,
            });
        }
    }
}
