//! Purge: the tails of undo streams move past what no snapshot can need, and pages come free.
//!
//! Owns the order in which that is safe. A stream's tail passes a finished transaction only once its end lies
//! at or below the purge horizon; a transaction that created or dropped trees is visited first, and the pages
//! of what it left dead are freed: a tree one child at a time from the leaves up, an overflow chain from its end; the
//! root goes together with the mark that the record is done. One that has deleted rows or index entries is visited for its delete
//! marks ([`crate::delete_marks`]). Everything here can stop after any mini-transaction and go on from what is durable.

use crate::access::Access;
use crate::delete_marks::{Mark, Marks};
use crate::engine::Engine;
use crate::error::{EngineError, Need, Step, Stop};
use crate::layout::super_page::DirectoryEntry;
use crate::layout::undo_page::{RECORDS_START, byte_of, logical_of, offset_of, records_from};
use crate::layout::undo_record::{
    Change, KIND_FREED, RECORD_KIND, STATE_ABORTED, UndoRecord, header_outcome, is_header,
};
use crate::layout::{KIND, KIND_OVERFLOW, KIND_SEQUENCE, KIND_TREE};
use crate::mini_transaction::MiniTransaction;
use crate::types::{Budget, SequenceId, TreeId, TxId};
use crate::undo::{PurgeStop, SPARE_PAGES_KEPT};
use hexalog_protocol::{Lsn, PageId};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

/// A transaction whose records are being visited.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Visit {
    tx_id: TxId,
    aborted: bool,
    position: u64,
    /// Set when the last record has been seen: where the tail goes.
    end: Option<u64>,
    /// Those of one page of records at most.
    dead: Vec<Dead>,
    /// The same.
    marks: Marks,
}

/// A root or single page to be freed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Dead {
    root: PageId,
    /// Offset of the record that says so.
    record: u64,
    /// It was dropped, so a tree's rows may be anyone's. Else it was created in vain.
    is_dropped: bool,
}

/// How far purge has come.
#[derive(Default)]
pub(crate) struct PurgeState {
    stream: u16,
    /// Steps that it has had in its turn.
    steps: u32,
    /// At most one for each stream, and of each no more than a page of records names.
    visits: BTreeMap<u16, Visit>,
}

/// Steps in one stream before the next has its turn: a transaction that has deleted much keeps purge from no other.
const STEPS_PER_TURN: u32 = 16;

impl Engine {
    /// One slice of loser and abort rollback and of purge. False: nothing is left to do.
    pub fn background(&self, budget: Budget) -> Step<bool> {
        self.check_fenced()?;
        let freed_before = self.allocator.freed();
        let worked = self.background_slice(budget.mini_transactions.max(1));
        self.is_background_failing.store(matches!(worked, Err(Stop::Fail(_))), Ordering::Release);
        if worked != Ok(true) || self.allocator.freed() != freed_before {
            self.waiting.wake_space();
        }
        worked
    }

    fn background_slice(&self, mut steps: u32) -> Step<bool> {
        match self.rollback_slice(&mut steps) {
            Ok(worked) => Ok(self.purge_slice(&mut steps)? || worked),
            // What it wants purge may have to give. Nobody else purges meanwhile: it is not waited for here.
            Err(Stop::Need(Need::Grow { .. }) | Stop::Fail(EngineError::VolumeFull)) => {
                match self.purge_slice(&mut steps.max(1))? {
                    true => Ok(true),
                    false => Err(EngineError::VolumeFull.into()),
                }
            }
            stopped => stopped,
        }
    }

    /// True: it has done something.
    fn purge_slice(&self, steps: &mut u32) -> Step<bool> {
        let horizon = self.snapshots.raise_horizon(&*self.volume);
        self.volume.set_purge_horizon(horizon);
        self.allocator.end_rest(horizon);
        // One purges at a time; whoever comes second has nothing to add.
        let Some(mut state) = self.purge.try_lock() else {
            return Ok(false);
        };
        let mut worked = false;
        // A round over all streams, and what is left of the turn that it begins with.
        for _ in 0..=self.streams().count() {
            let stream = state.stream;
            while state.steps < STEPS_PER_TURN {
                if *steps == 0 {
                    return Ok(worked);
                }
                if !self.operate_alone(|access| access.purge_step(&mut state, stream, horizon))? {
                    break;
                }
                worked = true;
                *steps -= 1;
                state.steps += 1;
            }
            (state.stream, state.steps) = ((stream + 1) % self.streams().count(), 0);
        }
        Ok(worked)
    }

    /// Whether purge is behind with pages that no snapshot in use needs: they come free by themselves.
    pub(crate) fn has_pages_to_give(&self) -> bool {
        if self.is_background_failing.load(Ordering::Acquire) {
            return false;
        }
        let horizon = self.snapshots.lowest(self.volume.vdl());
        let streams = self.streams();
        self.allocator.has_rested(horizon)
            || self.allocator.has_room_to_rest()
                && (0..streams.count()).any(|stream| streams.stream(stream).lock().has_pages_to_give(horizon))
    }
}

impl<'e> Access<'e> {
    /// One step of a stream's purge. False: nothing more can be done in it now.
    fn purge_step(&mut self, state: &mut PurgeState, stream: u16, horizon: Lsn) -> Step<bool> {
        if state.visits.contains_key(&stream) {
            return self.visit_step(state, stream);
        }
        if self.advance_known(stream, horizon) {
            return Ok(true);
        }
        if let Some(visit) = self.find_visit(stream, horizon)? {
            state.visits.insert(stream, visit);
            return Ok(true);
        }
        self.free_spare_page(stream)
    }

    /// Moves the tail past transactions that are known to need no visit.
    fn advance_known(&mut self, stream: u16, horizon: Lsn) -> bool {
        let mut state = self.engine.streams().stream(stream).lock();
        let before = state.tail;
        while let Some(front) = state.finished.front().copied() {
            let passed = front.offset < state.tail;
            let next = state.known_since <= state.tail && !front.needs_purge && front.lsn <= horizon;
            if !passed && !next {
                break;
            }
            state.tail = state.tail.max(front.end);
            state.finished.pop_front();
        }
        state.tail > before
    }

    /// The first transaction at the tail, if it is finished, below the horizon, and must be visited.
    fn find_visit(&mut self, stream: u16, horizon: Lsn) -> Step<Option<Visit>> {
        let tail = {
            let state = self.engine.streams().stream(stream).lock();
            if !state.has_pages() || state.tail >= state.head {
                return Ok(None);
            }
            if state.known_since <= state.tail && state.finished.front().is_none_or(|f| f.lsn > horizon) {
                return Ok(None);
            }
            state.tail
        };
        let mut logical = logical_of(tail);
        let mut byte = byte_of(tail).max(RECORDS_START);
        let head = self.engine.streams().stream(stream).lock().head;
        loop {
            if offset_of(logical, byte) >= head {
                return Ok(None);
            }
            let page = self.undo_page(stream, logical)?;
            let Some((at, record)) = records_from(page.bytes(), byte).next() else {
                logical += 1;
                byte = RECORDS_START;
                continue;
            };
            if !is_header(record) {
                return Err(
                    EngineError::Corrupt { page: page.id, what: "a tail within a transaction" }.into()
                );
            }
            let (outcome, lsn) = header_outcome(record);
            if lsn == Lsn::ZERO || lsn > horizon {
                let stop = PurgeStop { tail, offset: offset_of(logical, at), lsn };
                self.engine.streams().stream(stream).lock().purge_stop = Some(stop);
                return Ok(None);
            }
            let tx_id = TxId::new(stream, offset_of(logical, at));
            let aborted = outcome == STATE_ABORTED;
            let (position, marks) = (tx_id.offset(), Marks::default());
            return Ok(Some(Visit { tx_id, aborted, position, end: None, dead: Vec::new(), marks }));
        }
    }

    /// Reads one page of the visited transaction's records, or frees one page, or removes the marks of one leaf, or ends the
    /// visit. False: that has to wait for a rollback, or for pages to come to rest.
    fn visit_step(&mut self, state: &mut PurgeState, stream: u16) -> Step<bool> {
        let visit = state.visits.get_mut(&stream).expect("a visit is under way");
        if let Some(dead) = visit.dead.last().copied() {
            let Some(is_free) = self.free_dead(stream, dead)? else {
                return Ok(false);
            };
            if is_free {
                visit.dead.pop();
            }
            return Ok(true);
        }
        if !visit.marks.is_empty() {
            return self.remove_marks(visit.tx_id, &mut visit.marks);
        }
        let Some(end) = visit.end else {
            self.visit_page(visit)?;
            return Ok(true);
        };
        let mut undo = self.engine.streams().stream(stream).lock();
        undo.tail = undo.tail.max(end);
        drop(undo);
        state.visits.remove(&stream);
        Ok(true)
    }

    fn visit_page(&mut self, visit: &mut Visit) -> Step<()> {
        let stream = visit.tx_id.stream();
        let logical = logical_of(visit.position);
        let head = self.engine.streams().stream(stream).lock().head;
        let page = self.undo_page(stream, logical)?;
        let mut marks = Vec::new();
        for (byte, record) in records_from(page.bytes(), byte_of(visit.position).max(RECORDS_START)) {
            let offset = offset_of(logical, byte);
            if is_header(record) && offset != visit.tx_id.offset() {
                visit.end = Some(offset);
                break;
            }
            let what = "an undo record that does not decode";
            let decoded =
                UndoRecord::decode(record).map_err(|_| EngineError::Corrupt { page: page.id, what })?;
            match decoded {
                UndoRecord::Created { page: root, taken_back } if visit.aborted || taken_back => {
                    visit.dead.push(Dead { root, record: offset, is_dropped: false });
                }
                UndoRecord::Dropped { page: root, taken_back: false } if !visit.aborted => {
                    visit.dead.push(Dead { root, record: offset, is_dropped: true });
                }
                UndoRecord::Change(Change { tree, key, is_deletion: true, .. }) if !visit.aborted => {
                    marks.push(Mark { tree: TreeId(tree), key: key.to_vec(), undo: offset });
                }
                _ => {}
            }
        }
        visit.marks = Marks::new(marks);
        let next = offset_of(logical + 1, RECORDS_START);
        if visit.end.is_some() {
            return Ok(());
        }
        if next > head {
            visit.end = Some(head);
        } else {
            visit.position = next;
        }
        Ok(())
    }

    /// Frees a piece of a dead tree or chain, or the single page of a dead sequence. True: all of it is free. `None`: a
    /// transaction that is still being undone may have rows in the tree; later.
    fn free_dead(&mut self, stream: u16, dead: Dead) -> Step<Option<bool>> {
        let Dead { root, record, is_dropped } = dead;
        let kind = self.shared(root)?.bytes()[KIND];
        match kind {
            KIND_TREE => {
                if is_dropped && self.engine.streams().is_undoing() {
                    return Ok(None);
                }
                // What was created in vain holds rows of its creator alone, and their chains have records of their own.
                if !self.free_last_of_tree(TreeId(root), is_dropped)? {
                    return Ok(Some(false));
                }
            }
            KIND_OVERFLOW => {
                if !self.free_behind_root(root)? {
                    return Ok(Some(false));
                }
            }
            KIND_SEQUENCE => drop(self.engine.sequences.lock().remove(&SequenceId(root))),
            _ => {
                return Err(
                    EngineError::Corrupt { page: root, what: "a dropped page of no known kind" }.into()
                );
            }
        }
        let undo_page = self.undo_page_id(stream, logical_of(record))?;
        let undo_page = self.exclusive(undo_page)?;
        let mut mini = MiniTransaction::begin(self.engine)?;
        let slot = mini.add(undo_page);
        mini.write(slot, byte_of(record) + RECORD_KIND, &[KIND_FREED]);
        self.free(&mut mini, root)?;
        mini.commit(&mut |_, _| {});
        self.note_freed(root);
        self.engine.row_ids.write().remove(&TreeId(root));
        Ok(Some(true))
    }

    /// Gives one spare undo page of a stream back to the volume, if it has more than it should keep.
    fn free_spare_page(&mut self, stream: u16) -> Step<bool> {
        let engine = self.engine;
        let unknown = {
            let state = engine.streams().stream(stream).lock();
            if !state.has_pages() || logical_of(state.tail) <= state.owned_from + SPARE_PAGES_KEPT {
                return Ok(false);
            }
            (state.known_from() > state.owned_from).then_some(state.owned_from)
        };
        if let Some(logical) = unknown {
            self.undo_page_id(stream, logical)?;
        }
        let (directory, at) = engine.opened().super_page.directory_place(stream);
        let directory = self.exclusive(directory)?;
        let mut mini = MiniTransaction::begin(engine)?;
        let slot = mini.add(directory);
        // Looked at again under the directory's latch, which the stream's writer takes before it uses a spare
        // page.
        let (page, entry) = {
            let state = engine.streams().stream(stream).lock();
            if state.spare_pages() <= SPARE_PAGES_KEPT {
                return Ok(false);
            }
            let durable = DirectoryEntry::decode(mini.bytes(slot), at);
            let entry = DirectoryEntry { tail: state.tail, owned_from: state.owned_from + 1, ..durable };
            (state.lowest_known_page(), entry)
        };
        mini.write_difference(slot, usize::from(at), &entry.encode());
        let horizon = engine.snapshots.horizon().0.to_le_bytes();
        mini.write_difference(slot, usize::from(crate::layout::super_page::HORIZON), &horizon);
        self.free(&mut mini, page)?;
        mini.commit(&mut |_, _| {
            let popped = engine.streams().stream(stream).lock().pop_lowest();
            assert_eq!(popped, page, "the spare page that was freed");
        });
        self.note_freed(page);
        Ok(true)
    }
}
