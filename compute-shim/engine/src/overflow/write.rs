//! Writing a chain, page by page.
//!
//! Owns [`ChainWriter`]. Each page is a mini-transaction of its own that also names it in its directory and sets its
//! bit, so that at every moment the chain's root leads to exactly the pages that are in use for it. The first carries
//! the undo record that makes the chain the transaction's.

use super::{PAGES_PER_CALL, block};
use crate::access::Access;
use crate::call::Call;
use crate::engine::Engine;
use crate::error::{Need, Step};
use crate::layout::overflow_page::{
    BLOCK_BYTES, CONTENT_START, COUNT, DATA_BYTES, ENTRIES_MAX, ENTRY_BYTES, NEXT, OverflowHeader,
    encode_entry,
};
use crate::mini_transaction::{MiniTransaction, PageSlot};
use crate::transaction::Transaction;
use crate::types::{Chain, VALUE_BYTES_MAX};
use hexalog_protocol::{PAGE_BODY_START, PageId};

/// A chain being written; kept over needs. Reused from value to value.
#[derive(Debug, Default)]
pub struct ChainWriter {
    /// Bytes of the value that are in blocks already.
    taken: usize,
    /// Stored bytes on no page yet, from `pending_from` on.
    pending: Vec<u8>,
    pending_from: usize,
    root: Option<PageId>,
    /// The directory page that takes the next entry, and how many it has.
    directory: PageId,
    entries: usize,
    data_pages: u32,
}

impl ChainWriter {
    /// A writer that has begun nothing.
    pub fn new() -> ChainWriter {
        ChainWriter::default()
    }

    fn begin(&mut self) {
        self.pending.clear();
        *self = ChainWriter { pending: std::mem::take(&mut self.pending), ..ChainWriter::default() };
    }

    fn pending(&self) -> &[u8] {
        &self.pending[self.pending_from..]
    }

    /// Compresses on until a page is full or the value is at its end.
    fn fill(&mut self, value: &[u8]) {
        while self.pending().len() < DATA_BYTES && self.taken < value.len() {
            self.pending.drain(..self.pending_from);
            self.pending_from = 0;
            let end = value.len().min(self.taken + BLOCK_BYTES);
            block::encode(&value[self.taken..end], &mut self.pending);
            self.taken = end;
        }
    }

    /// The stored bytes that the next data page gets.
    fn next_page(&self) -> &[u8] {
        let pending = self.pending();
        &pending[..pending.len().min(DATA_BYTES)]
    }

    fn page_written(&mut self) {
        self.pending_from += self.pending().len().min(DATA_BYTES);
        self.data_pages += 1;
    }
}

impl Engine {
    /// Writes a value (not empty, at most [`VALUE_BYTES_MAX`]) into a chain of its own, which is the transaction's until a
    /// row is written with it, or [`Engine::drop_chain`] gives it back. Call again with the same value after a need.
    pub fn write_chain(&self, txn: &mut Transaction, writer: &mut ChainWriter, value: &[u8]) -> Step<Chain> {
        let _call = Call::enter();
        assert!((1..=VALUE_BYTES_MAX).contains(&value.len()), "the caller bounds values");
        assert!(!txn.commit_with_next_write, "a chain is never a transaction's last write");
        self.prepare_to_grow(txn)?;
        for _ in 0..PAGES_PER_CALL {
            writer.fill(value);
            if let Some(root) = writer.root
                && writer.pending().is_empty()
            {
                writer.begin();
                return Ok(Chain { root, bytes: value.len() as u32 });
            }
            self.operate(txn, |access, txn| match writer.root {
                None => access.begin_chain(txn, writer, value.len()),
                Some(root) if writer.entries == ENTRIES_MAX => access.extend_directory(writer, root),
                Some(root) => access.append_data(writer, root),
            })?;
        }
        Err(Need::Yield.into())
    }

    /// Gives back a chain that this transaction has written and no row was written with: purge frees it, whatever
    /// becomes of the transaction.
    pub fn drop_chain(&self, txn: &mut Transaction, chain: Chain) -> Step<()> {
        let _call = Call::enter();
        self.prepare_to_write(txn)?;
        self.operate(txn, |access, txn| access.drop_page(txn, chain.root))
    }
}

fn write_data(mini: &mut MiniTransaction<'_>, slot: PageSlot, header: &OverflowHeader, data: &[u8]) {
    assert_eq!(usize::from(header.count), data.len());
    mini.write(slot, PAGE_BODY_START, &header.encode());
    mini.write(slot, CONTENT_START, data);
}

impl Access<'_> {
    /// Makes the root: the only page of a short value, else an empty directory.
    fn begin_chain(
        &mut self,
        txn: &mut Transaction,
        writer: &mut ChainWriter,
        value_bytes: usize,
    ) -> Step<()> {
        let is_whole = writer.taken == value_bytes && writer.pending().len() <= DATA_BYTES;
        let data = if is_whole { writer.next_page() } else { &[] };
        let (root, _) = self.create_page(txn, |mini, slot, root| {
            let header = OverflowHeader {
                is_directory: !is_whole,
                is_root: true,
                count: data.len() as u16,
                next: PageId(0),
                root,
                value_bytes: value_bytes as u32,
                number: 0,
            };
            mini.write(slot, PAGE_BODY_START, &header.encode());
            if is_whole {
                mini.write(slot, CONTENT_START, data);
            }
        })?;
        if is_whole {
            writer.page_written();
        }
        writer.root = Some(root);
        writer.directory = root;
        Ok(())
    }

    fn append_data(&mut self, writer: &mut ChainWriter, root: PageId) -> Step<()> {
        let directory = self.exclusive(writer.directory)?;
        let mut mini = MiniTransaction::begin(self.engine)?;
        let directory = mini.add(directory);
        let page = self.allocate(&mut mini, false)?;
        let slot = mini.add_formatted(self.create(page)?);
        let data = writer.next_page();
        let header = OverflowHeader {
            is_directory: false,
            is_root: false,
            count: data.len() as u16,
            next: PageId(0),
            root,
            value_bytes: 0,
            number: writer.data_pages,
        };
        write_data(&mut mini, slot, &header, data);
        let entries = (writer.entries + 1) as u16;
        mini.write(directory, COUNT, &entries.to_le_bytes());
        mini.write(directory, CONTENT_START + writer.entries * ENTRY_BYTES, &encode_entry(page));
        mini.commit(&mut |_, _| {});
        writer.entries += 1;
        writer.page_written();
        Ok(())
    }

    /// Links a fresh directory page behind the full one.
    fn extend_directory(&mut self, writer: &mut ChainWriter, root: PageId) -> Step<()> {
        let full = self.exclusive(writer.directory)?;
        let mut mini = MiniTransaction::begin(self.engine)?;
        let full = mini.add(full);
        let page = self.allocate(&mut mini, false)?;
        let slot = mini.add_formatted(self.create(page)?);
        let header = OverflowHeader {
            is_directory: true,
            is_root: false,
            count: 0,
            next: PageId(0),
            root,
            value_bytes: 0,
            number: 0,
        };
        mini.write(slot, PAGE_BODY_START, &header.encode());
        mini.write(full, NEXT, &page.0.to_le_bytes());
        mini.commit(&mut |_, _| {});
        (writer.directory, writer.entries) = (page, 0);
        Ok(())
    }
}
