//! Reading a chain, page by page.
//!
//! Owns [`ChainReader`], which keeps what has come over needs. Only one who sees a version that lists the chain, or has
//! written it, may read it: its pages are never changed, and freed once no such one is left. The directory names the
//! pages ahead, which are fetched before they are wanted.

use super::{PAGES_PER_CALL, block};
use crate::access::Access;
use crate::call::Call;
use crate::engine::Engine;
use crate::error::{EngineError, Need, Step};
use crate::layout::overflow_page::{CONTENT_START, OverflowHeader, entry};
use crate::transaction::Transaction;
use crate::types::{Chain, VALUE_BYTES_MAX};
use hexalog_protocol::PageId;

/// Data pages fetched ahead, if the cache has room for them.
const PREFETCHED: usize = 16;

/// A value being read, and then the value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChainReader {
    chain: Chain,
    value: Vec<u8>,
    /// Stored bytes of the block whose end has not come.
    pending: Vec<u8>,
    /// The directory page at hand, and its next entry.
    directory: PageId,
    next: usize,
    data_pages: u32,
}

impl ChainReader {
    /// A reader at the beginning of a chain.
    pub fn new(chain: Chain) -> ChainReader {
        let directory = chain.root;
        ChainReader { chain, value: Vec::new(), pending: Vec::new(), directory, next: 0, data_pages: 0 }
    }

    /// The chain that is read.
    pub fn chain(&self) -> Chain {
        self.chain
    }

    /// The value, once it has been read whole.
    pub fn value(&self) -> Option<&[u8]> {
        self.is_complete().then_some(self.value.as_slice())
    }

    fn is_complete(&self) -> bool {
        self.value.len() == self.chain.bytes as usize
    }

    /// Takes in the stored bytes of one page.
    fn take(&mut self, page: PageId, data: &[u8]) -> Result<(), EngineError> {
        self.pending.extend_from_slice(data);
        self.data_pages += 1;
        let (mut used, total) = (0, self.chain.bytes as usize);
        while self.value.len() < total {
            let step = block::decode(&self.pending[used..], &mut self.value, total);
            match step.map_err(|what| EngineError::Corrupt { page, what })? {
                Some(bytes) => used += bytes,
                None => break,
            }
        }
        self.pending.drain(..used);
        Ok(())
    }
}

impl Engine {
    /// Reads on; once it answers, the value is there. Call again after a need.
    pub fn read_chain<'r>(&self, txn: &mut Transaction, reader: &'r mut ChainReader) -> Step<&'r [u8]> {
        let _call = Call::enter();
        assert!(reader.chain.bytes as usize <= VALUE_BYTES_MAX, "a chain of a row that was read");
        let mut pages = 0;
        while !reader.is_complete() {
            if pages == PAGES_PER_CALL {
                return Err(Need::Yield.into());
            }
            self.operate(txn, |access, _| access.read_chain_page(reader))?;
            pages += 1;
        }
        Ok(&reader.value)
    }
}

impl Access<'_> {
    /// As [`Engine::read_chain`], within an operation.
    pub(crate) fn read_whole_chain(&mut self, reader: &mut ChainReader) -> Step<()> {
        while !reader.is_complete() {
            self.read_chain_page(reader)?;
        }
        Ok(())
    }

    fn read_chain_page(&mut self, reader: &mut ChainReader) -> Step<()> {
        let corrupt = |page, what| EngineError::Corrupt { page, what };
        let root = reader.chain.root;
        let at = reader.directory;
        let page = self.shared(at)?;
        let header = OverflowHeader::decode(page.bytes())
            .filter(|header| header.root == root && header.is_root == (at == root))
            .ok_or(corrupt(at, "not a page of its overflow chain"))?;
        if header.is_root && header.value_bytes != reader.chain.bytes {
            return Err(corrupt(at, "an overflow chain of another length than its row says").into());
        }
        if !header.is_directory {
            let data = &page.bytes()[CONTENT_START..][..usize::from(header.count)];
            reader.take(at, data)?;
            return if reader.is_complete() {
                Ok(())
            } else {
                Err(corrupt(at, "an overflow chain that ends early").into())
            };
        }
        let entries = usize::from(header.count);
        if reader.next == entries {
            if header.next == PageId(0) {
                return Err(corrupt(at, "an overflow chain that ends early").into());
            }
            (reader.directory, reader.next) = (header.next, 0);
            return Ok(());
        }
        let id = entry(page.bytes(), reader.next);
        let ahead = entries.min(reader.next + 1 + PREFETCHED);
        let wanted: Vec<PageId> = match reader.next.is_multiple_of(PREFETCHED) {
            true => (reader.next + 1..ahead).map(|index| entry(page.bytes(), index)).collect(),
            false => Vec::new(),
        };
        drop(page);
        self.prefetch(&wanted);
        let page = self.shared(id)?;
        let header = OverflowHeader::decode(page.bytes())
            .filter(|header| {
                header.root == root && !header.is_directory && header.number == reader.data_pages
            })
            .ok_or(corrupt(id, "not the overflow page it should be"))?;
        reader.take(id, &page.bytes()[CONTENT_START..][..usize::from(header.count)])?;
        reader.next += 1;
        Ok(())
    }

    /// Sends fetches for pages that are wanted soon, if the cache is large enough for them.
    fn prefetch(&self, pages: &[PageId]) {
        let engine = self.engine;
        if engine.cache.frame_count() >= 8 * PREFETCHED {
            pages.iter().for_each(|page| engine.cache.prefetch(&*engine.volume, *page));
        }
    }
}
