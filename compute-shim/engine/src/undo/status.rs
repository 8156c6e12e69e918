//! What became of a transaction, and the way to its undo records.
//!
//! Owns the look-up order for a commit LSN: below the stream's tail → visible to all; the transaction open in
//! the stream; the window of recently finished ones; else the header record's page. Also the walk along undo
//! pages when the page map of a stream is not known that far down.

use super::{Finished, OpenState};
use crate::access::{Access, SharedPage};
use crate::engine::Engine;
use crate::error::{EngineError, Step};
use crate::layout::undo_page::{self, UndoHeader, byte_of, logical_of};
use crate::layout::undo_record::{STATE_ABORTED, header_outcome, is_header};
use crate::locks::Handle;
use crate::types::TxId;
use hexalog_protocol::{Lsn, PageId};

/// A transaction in progress, as whoever waits for one of its rows knows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Owner {
    pub handle: Handle,
    /// [`super::OpenTransaction::rollbacks`] when the row was looked at.
    rollbacks: u64,
}

/// What became of a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TxStatus {
    /// Committed; zero: visible to every snapshot.
    Committed(Lsn),
    InProgress(Owner),
    /// Aborted or lost, its versions partly still in place.
    Undoing,
    /// Aborted, none of its versions in place any more.
    Aborted,
}

impl Engine {
    /// What is known about a transaction without reading a page.
    pub(crate) fn status_in_memory(&self, tx_id: TxId) -> Option<TxStatus> {
        if tx_id == TxId::FROZEN {
            return Some(TxStatus::Committed(Lsn::ZERO));
        }
        let offset = tx_id.offset();
        let stream = self.streams().stream(tx_id.stream()).lock();
        if offset < stream.tail {
            return Some(TxStatus::Committed(Lsn::ZERO));
        }
        if let Some(open) = stream.open.filter(|open| open.offset == offset) {
            return Some(match open.state {
                OpenState::InProgress => {
                    TxStatus::InProgress(Owner { handle: open.handle, rollbacks: open.rollbacks })
                }
                OpenState::Undoing => TxStatus::Undoing,
            });
        }
        let at = stream.finished.partition_point(|finished| finished.offset < offset);
        let finished = stream.finished.get(at).filter(|finished| finished.offset == offset)?;
        Some(match finished {
            Finished { aborted: true, .. } => TxStatus::Aborted,
            Finished { lsn, .. } => TxStatus::Committed(*lsn),
        })
    }

    /// Whether a version of the transaction, seen when `owner` was what was known of it, may still commit. No page is
    /// read: an in-progress transaction is always in memory.
    pub(crate) fn is_still_in_progress(&self, tx_id: TxId, owner: Owner) -> bool {
        self.status_in_memory(tx_id) == Some(TxStatus::InProgress(owner))
    }
}

impl<'e> Access<'e> {
    /// What became of a transaction.
    pub fn status(&mut self, tx_id: TxId) -> Step<TxStatus> {
        if let Some(status) = self.engine.status_in_memory(tx_id) {
            return Ok(status);
        }
        let page = self.undo_page(tx_id.stream(), logical_of(tx_id.offset()))?;
        let record = undo_page::record_at(page.bytes(), byte_of(tx_id.offset()));
        let Some(record) = record.filter(|record| is_header(record)) else {
            return Err(EngineError::Corrupt { page: page.id, what: "no transaction header there" }.into());
        };
        match header_outcome(record) {
            (STATE_ABORTED, _) => Ok(TxStatus::Aborted),
            (_, commit_lsn) if commit_lsn != Lsn::ZERO => Ok(TxStatus::Committed(commit_lsn)),
            // It ended between the look into memory and the latch on the page.
            _ => self.engine.status_in_memory(tx_id).ok_or_else(|| {
                EngineError::Corrupt { page: page.id, what: "an unfinished transaction nobody knows" }.into()
            }),
        }
    }

    /// Latches the undo page of a logical page of a stream.
    pub fn undo_page(&mut self, stream: u16, logical: u64) -> Step<SharedPage<'e>> {
        let id = self.undo_page_id(stream, logical)?;
        let page = self.shared(id)?;
        match UndoHeader::decode(page.bytes()) {
            Some(header) if header.stream == stream && header.logical == logical => Ok(page),
            _ => Err(EngineError::Corrupt { page: id, what: "not the undo page it should be" }.into()),
        }
    }

    /// The volume page of a logical page, following the chain of undo pages downwards if need be.
    pub fn undo_page_id(&mut self, stream: u16, logical: u64) -> Step<PageId> {
        let streams = self.engine.streams();
        loop {
            let (lowest, lowest_page) = {
                let state = streams.stream(stream).lock();
                if let Some(page) = state.page(logical) {
                    return Ok(page);
                }
                if !state.has_pages() || logical > state.head_logical() || logical < state.owned_from {
                    let page = state.head_page();
                    return Err(EngineError::Corrupt { page, what: "undo beyond its stream" }.into());
                }
                (state.known_from(), state.lowest_known_page())
            };
            let page = self.shared(lowest_page)?;
            let header = UndoHeader::decode(page.bytes())
                .filter(|header| header.stream == stream && header.logical == lowest)
                .ok_or(EngineError::Corrupt { page: lowest_page, what: "a broken chain of undo pages" })?;
            streams.stream(stream).lock().learn_previous(lowest - 1, header.previous);
        }
    }

    /// Copies the undo record at `offset` of a stream.
    pub fn undo_record(&mut self, stream: u16, offset: u64, out: &mut Vec<u8>) -> Step<()> {
        let page = self.undo_page(stream, logical_of(offset))?;
        let record = undo_page::record_at(page.bytes(), byte_of(offset))
            .ok_or(EngineError::Corrupt { page: page.id, what: "no undo record there" })?;
        out.clear();
        out.extend_from_slice(record);
        Ok(())
    }
}
