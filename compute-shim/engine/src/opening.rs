//! Making a fresh volume, and opening one that is there.
//!
//! Owns the first pages and what is read before the first transaction: super page, stream directory, and of
//! each used stream its head page (and the page of its last header, if a transaction continues from there).
//! No redo is replayed. A transaction found ACTIVE or ABORTING is a loser: it is queued for undo, and its
//! rows can be used at once, since whoever meets one undoes it first. One found PREPARED is in progress, and gets its locks
//! back ([`crate::prepared::restore`]). Progress survives a need.

use crate::access::Access;
use crate::call::Call;
use crate::engine::{Engine, Opened};
use crate::error::{EngineError, Step};
use crate::layout::bitmap_page;
use crate::layout::super_page::{
    DirectoryEntry, ENTRIES_PER_PAGE, FORMAT_VERSION, SuperPage, VERSION, directory_header, directory_pages,
};
use crate::layout::undo_page::{
    RECORDS_START, UndoHeader, byte_of, end_of_records, offset_of, record_at, records_from,
};
use crate::layout::undo_record::{
    STATE_ABORTED, STATE_ABORTING, STATE_ACTIVE, STATE_PREPARED, header_outcome, is_header,
};
use crate::locks::{Handle, NO_HANDLE};
use crate::mini_transaction::MiniTransaction;
use crate::prepared::restore::PreparedReader;
use crate::rollback::RollbackJob;
use crate::tree::split::write_empty_root;
use crate::types::{TreeId, TxId};
use crate::undo::{OpenState, OpenTransaction, StreamState, Streams};
use hexalog_protocol::{Lsn, PAGE_BODY_START, PageId};

/// The directory comes after the super page and its first bitmap.
const DIRECTORY_AT: u64 = 2;
/// Directory pages formatted in one mini-transaction.
const DIRECTORY_CHUNK: u16 = 6;
/// Head pages fetched ahead of the stream being looked at, if the cache has room for them.
const PREFETCHED: u16 = 16;

/// How far opening has come.
#[derive(Default)]
pub(crate) struct OpeningProgress {
    super_page: Option<SuperPage>,
    streams: Option<Streams>,
    stream_next: u16,
    free: Vec<u16>,
    losers: Vec<RollbackJob>,
    prepared: Vec<PreparedReader>,
}

/// What the last transaction of a stream is to the one who opens the volume.
enum Last {
    /// There is none, or it is over.
    Over,
    Loser(RollbackJob),
    Prepared(PreparedReader),
}

/// What the end of a stream says about its last transaction.
struct LastTransaction {
    offset: u64,
    page: PageId,
    state: u8,
    lsn: Lsn,
}

impl Engine {
    /// Formats an empty volume. Resumable: call again after the need.
    pub fn create(&self) -> Step<()> {
        assert!(self.opened.get().is_none(), "a volume is created or opened once");
        let super_page = self.operate_alone(|access| access.format_volume())?;
        let streams = Streams::new(super_page.undo_streams);
        self.locks.set_streams((0..super_page.undo_streams).rev().collect(), &[]);
        self.finish_opening(super_page, streams);
        Ok(())
    }

    /// Reads the super page and the stream headers and finds losers; no redo is replayed. Resumable.
    pub fn open(&self) -> Step<()> {
        assert!(self.opened.get().is_none(), "a volume is created or opened once");
        let mut progress = self.opening.lock();
        if progress.super_page.is_none() {
            let super_page = self.operate_alone(|access| access.read_super_page())?;
            progress.super_page = Some(super_page);
            progress.streams = Some(Streams::new(super_page.undo_streams));
        }
        let super_page = progress.super_page.expect("read above");
        while progress.stream_next < super_page.undo_streams {
            // The last one found has pages to be read yet.
            if let Some(reader) = progress.prepared.last_mut() {
                while !self.operate_alone(|access| reader.step(access))? {}
            }
            let stream = progress.stream_next;
            let mut state = StreamState::default();
            match self.operate_alone(|access| access.read_stream(&super_page, stream, &mut state))? {
                Last::Loser(job) => progress.losers.push(job),
                Last::Prepared(reader) => progress.prepared.push(reader),
                Last::Over if state.is_retired() => {}
                Last::Over => progress.free.push(stream),
            }
            *progress.streams.as_ref().expect("made above").stream(stream).lock() = state;
            progress.stream_next += 1;
        }
        if let Some(reader) = progress.prepared.last_mut() {
            while !self.operate_alone(|access| reader.step(access))? {}
        }
        let found = std::mem::take(&mut *progress);
        self.take_over(super_page, found)
    }

    /// All has been read: what the transactions found hold is theirs.
    fn take_over(&self, super_page: SuperPage, found: OpeningProgress) -> Step<()> {
        let OpeningProgress { streams, mut free, losers, prepared, .. } = found;
        let streams = streams.expect("made above");
        free.reverse();
        let mut held: Vec<(u16, Handle)> = losers.iter().map(|job| (job.tx_id.stream(), NO_HANDLE)).collect();
        for reader in prepared {
            let (tx_id, header_page) = (reader.tx_id, reader.header_page);
            let handle = self.restore_prepared(reader)?;
            held.push((tx_id.stream(), handle));
            streams.stream(tx_id.stream()).lock().open = Some(OpenTransaction {
                offset: tx_id.offset(),
                header_page,
                handle,
                state: OpenState::InProgress,
                rollbacks: 0,
            });
        }
        self.locks.set_streams(free, &held);
        losers.into_iter().for_each(|job| self.rollbacks.push(job));
        self.finish_opening(super_page, streams);
        Ok(())
    }

    /// A writer has opened a volume of an older format: from here on it is of this one. Resumable.
    pub fn upgrade(&self) -> Step<()> {
        let _call = Call::enter();
        self.operate_alone(|access| {
            let page = access.exclusive(self.super_page())?;
            if SuperPage::decode(page.bytes()).is_some_and(|page| page.version == FORMAT_VERSION) {
                return Ok(());
            }
            let mut mini = MiniTransaction::begin(self)?;
            let slot = mini.add(page);
            mini.write_difference(slot, usize::from(VERSION), &FORMAT_VERSION.to_le_bytes());
            mini.commit(&mut |_, _| {});
            Ok(())
        })
    }

    fn finish_opening(&self, super_page: SuperPage, streams: Streams) {
        let set = self.opened.set(Opened { super_page, streams });
        assert!(set.is_ok(), "a volume is created or opened once");
    }
}

impl<'e> Access<'e> {
    fn format_volume(&mut self) -> Step<SuperPage> {
        let undo_streams = self.engine.options.undo_streams;
        let directory_pages = directory_pages(undo_streams);
        let first_page = self.engine.super_page();
        let directory_first = PageId(first_page.0 + DIRECTORY_AT);
        let catalog_root = PageId(directory_first.0 + u64::from(directory_pages));
        let used = catalog_root.0 + 1 - first_page.0;
        if used >= self.engine.volume.geometry().pages() {
            return Err(EngineError::VolumeFull.into());
        }
        let mut first = 0;
        while first < directory_pages {
            let end = directory_pages.min(first + DIRECTORY_CHUNK);
            let mut mini = MiniTransaction::begin(self.engine)?;
            for index in first..end {
                let page = PageId(directory_first.0 + u64::from(index));
                let slot = mini.add_formatted(self.create(page)?);
                mini.write(slot, PAGE_BODY_START, &directory_header(index * ENTRIES_PER_PAGE));
            }
            mini.commit(&mut |_, _| {});
            first = end;
        }
        // The super page last: a volume that has one is whole.
        let mut mini = MiniTransaction::begin(self.engine)?;
        let root = mini.add_formatted(self.create(catalog_root)?);
        write_empty_root(&mut mini, root, 0, TreeId(catalog_root));
        let index = bitmap_page::index_of(first_page);
        let bitmap = mini.add_formatted(self.create(bitmap_page::page_of(index))?);
        mini.write(bitmap, PAGE_BODY_START, &bitmap_page::header(index));
        let mut bits = vec![0u8; used.div_ceil(8) as usize];
        (0..used).for_each(|page| bits[(page / 8) as usize] |= 1 << (page % 8));
        mini.write(bitmap, usize::from(bitmap_page::bit_of(first_page).0), &bits);
        let super_page = SuperPage {
            version: FORMAT_VERSION,
            undo_streams,
            directory_pages,
            bitmaps_formatted: 1,
            catalog_root,
            directory_first,
        };
        let slot = mini.add_formatted(self.create(first_page)?);
        mini.write(slot, PAGE_BODY_START, &super_page.encode());
        mini.commit(&mut |_, _| {});
        Ok(super_page)
    }

    fn read_super_page(&mut self) -> Step<SuperPage> {
        let super_page = self.engine.super_page();
        if !self.exists(super_page)? {
            return Err(EngineError::WrongFormat("the volume was never formatted").into());
        }
        let page = self.shared(super_page)?;
        let unknown = EngineError::WrongFormat("the volume has an unknown engine format");
        Ok(SuperPage::decode(page.bytes()).ok_or(unknown)?)
    }

    fn entry(&mut self, super_page: &SuperPage, stream: u16) -> Step<DirectoryEntry> {
        let (page, offset) = super_page.directory_place(stream);
        Ok(DirectoryEntry::decode(self.shared(page)?.bytes(), offset))
    }

    /// Sets up one stream; returns what its last transaction is.
    fn read_stream(&mut self, super_page: &SuperPage, stream: u16, state: &mut StreamState) -> Step<Last> {
        self.prefetch_heads(super_page, stream)?;
        let entry = self.entry(super_page, stream)?;
        if entry.head_page == PageId(0) {
            return Ok(Last::Over);
        }
        let broken = |what| EngineError::Corrupt { page: entry.head_page, what };
        let (last, head) = {
            let page = self.shared(entry.head_page)?;
            let header = UndoHeader::decode(page.bytes())
                .filter(|header| header.stream == stream)
                .ok_or(broken("the head of a stream is no undo page of it"))?;
            let head = offset_of(header.logical, 0) + end_of_records(page.bytes()) as u64;
            let own =
                records_from(page.bytes(), RECORDS_START).filter(|(_, record)| is_header(record)).last();
            let own = own.map(|(byte, record)| {
                let (state, lsn) = header_outcome(record);
                LastTransaction { offset: offset_of(header.logical, byte), page: page.id, state, lsn }
            });
            (own.ok_or((header.open_offset, header.open_page)), head)
        };
        state.restore(head, entry.head_page, entry.tail, entry.owned_from);
        let last = match last {
            Ok(last) => last,
            // Purge has passed it: it is over, and the page of its header may have been given back since.
            Err((offset, _)) if offset < entry.tail => return Ok(Last::Over),
            Err((offset, page)) => self.read_header(stream, offset, page)?,
        };
        let tx_id = TxId::new(stream, last.offset);
        match last.state {
            STATE_ABORTED => Ok(Last::Over),
            STATE_ACTIVE | STATE_PREPARED if last.lsn != Lsn::ZERO => Ok(Last::Over),
            STATE_ACTIVE | STATE_ABORTING => {
                state.open = Some(OpenTransaction {
                    offset: last.offset,
                    header_page: last.page,
                    handle: NO_HANDLE,
                    state: OpenState::Undoing,
                    rollbacks: 0,
                });
                Ok(Last::Loser(RollbackJob { tx_id, position: head }))
            }
            STATE_PREPARED => {
                Ok(Last::Prepared(PreparedReader::new(tx_id, last.page, head, entry.head_page)))
            }
            _ => Err(broken("a transaction header in no known state").into()),
        }
    }

    fn read_header(&mut self, stream: u16, offset: u64, id: PageId) -> Step<LastTransaction> {
        let page = self.shared(id)?;
        let right = UndoHeader::decode(page.bytes()).is_some_and(|header| header.stream == stream);
        let record = if right && offset > 0 { record_at(page.bytes(), byte_of(offset)) } else { None };
        let record = record.filter(|record| is_header(record)).ok_or(EngineError::Corrupt {
            page: id,
            what: "no header of the transaction that its stream ends with",
        })?;
        let (state, lsn) = header_outcome(record);
        Ok(LastTransaction { offset, page: id, state, lsn })
    }

    /// Sends fetches for the next streams' head pages, so that opening does not wait for them one by one.
    fn prefetch_heads(&mut self, super_page: &SuperPage, stream: u16) -> Step<()> {
        let engine = self.engine;
        if !stream.is_multiple_of(PREFETCHED) || engine.cache.frame_count() < 8 * usize::from(PREFETCHED) {
            return Ok(());
        }
        for ahead in stream..super_page.undo_streams.min(stream + PREFETCHED) {
            let entry = self.entry(super_page, ahead)?;
            if entry.head_page != PageId(0) {
                engine.cache.prefetch(&*engine.volume, entry.head_page);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory_volume::MemoryVolume;
    use crate::types::Options;
    use hexalog_protocol::geometry::Geometry;
    use std::sync::Arc;

    fn version(engine: &Engine) -> u32 {
        engine.opened().super_page.version
    }

    #[test]
    fn a_volume_of_the_format_before_is_opened_and_is_of_this_one_from_then_on() {
        let options = Options { frames: 64, undo_streams: 8, snapshots: 8 };
        let mut volume = MemoryVolume::new(Geometry { pages_per_group: 64, groups: 4 });
        let engine = Engine::new(Arc::clone(&volume) as _, options);
        volume.run(&engine, || engine.create()).expect("creates");
        let write = |access: &mut Access<'_>, version: u32| {
            let page = access.exclusive(access.engine.super_page())?;
            let mut mini = MiniTransaction::begin(access.engine)?;
            let slot = mini.add(page);
            mini.write(slot, usize::from(VERSION), &version.to_le_bytes());
            mini.commit(&mut |_, _| {});
            Ok(())
        };
        volume.run(&engine, || engine.operate_alone(|access| write(access, 3))).expect("writes");
        volume.advance_vdl(&engine, volume.beyond_vdl());
        for expected in [3, FORMAT_VERSION] {
            volume = volume.crash_and_reopen();
            let engine = Engine::new(Arc::clone(&volume) as _, options);
            volume.run(&engine, || engine.open()).expect("opens");
            assert_eq!(version(&engine), expected);
            for _ in 0..2 {
                volume.run(&engine, || engine.upgrade()).expect("upgrades");
            }
            volume.advance_vdl(&engine, volume.beyond_vdl());
        }
        let engine = Engine::new(Arc::clone(&volume) as _, options);
        volume.run(&engine, || engine.open()).expect("opens");
        volume
            .run(&engine, || engine.operate_alone(|access| write(access, FORMAT_VERSION + 1)))
            .expect("writes");
        volume.advance_vdl(&engine, volume.beyond_vdl());
        let volume = volume.crash_and_reopen();
        let engine = Engine::new(Arc::clone(&volume) as _, options);
        let refused = volume.run(&engine, || engine.open());
        assert!(matches!(refused, Err(EngineError::WrongFormat(_))), "{refused:?}");
    }
}
