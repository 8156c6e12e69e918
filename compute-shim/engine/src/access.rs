//! One operation's way to pages: pins them, latches them, and remembers the pins for the retry.
//!
//! Owns nothing but the operation's pins. Latch order, which makes latches free of deadlock: tree pages from
//! higher levels to lower and from left to right, then undo pages, then stream directory pages, then bitmap
//! pages, then the super page; no latch is held across a call's return. Read [`crate::mini_transaction`]
//! next.

use crate::cache::pins::PinSet;
use crate::cache::{ExclusiveLatch, Miss, SharedLatch};
use crate::engine::Engine;
use crate::error::{EngineError, Need, Step, Stop};
use crate::layout::Bytes;
use crate::transaction::Transaction;
use crate::volume::FetchFailure;
use hexalog_protocol::{Lsn, PageId};

/// A page latched for reading.
pub(crate) struct SharedPage<'e> {
    pub id: PageId,
    pub frame: u32,
    latch: SharedLatch<'e>,
}

impl SharedPage<'_> {
    pub fn bytes(&self) -> &Bytes {
        self.latch.as_ref().expect("a latched frame is resident").bytes()
    }

    pub fn lsn(&self) -> Lsn {
        self.latch.as_ref().expect("a latched frame is resident").lsn()
    }
}

/// A page latched for a change.
pub(crate) struct ExclusivePage<'e> {
    pub id: PageId,
    pub frame: u32,
    pub latch: ExclusiveLatch<'e>,
}

impl ExclusivePage<'_> {
    pub fn bytes(&self) -> &Bytes {
        self.latch.as_ref().expect("a latched frame is resident").bytes()
    }
}

/// One operation's access to pages.
pub(crate) struct Access<'e> {
    pub engine: &'e Engine,
    pins: PinSet<'e>,
    /// Pages that it has found in the cache.
    hits: u64,
}

impl<'e> Access<'e> {
    pub fn new(engine: &'e Engine) -> Access<'e> {
        Access { engine, pins: PinSet::new(&engine.cache), hits: 0 }
    }

    fn resume(engine: &'e Engine, ticket: u64) -> Access<'e> {
        Access { engine, pins: engine.parked.resume(&engine.cache, ticket), hits: 0 }
    }

    /// Makes the page resident and pinned, or says what it waits for.
    fn pin(&mut self, page: PageId) -> Step<u32> {
        self.try_pin(page).map_err(|miss| miss.into_stop(page))
    }

    fn try_pin(&mut self, page: PageId) -> Result<u32, Miss> {
        let mut loading = None;
        let pinned = self.engine.cache.pin(&*self.engine.volume, page, &mut loading);
        if let Some(frame) = loading {
            self.pins.add(page, frame);
        }
        let frame = pinned?;
        self.hits += 1;
        self.pins.add(page, frame);
        Ok(frame)
    }

    /// Latches a page for reading.
    pub fn shared(&mut self, page: PageId) -> Step<SharedPage<'e>> {
        let engine = self.engine;
        if let Some(frame) = self.pins.find(page)
            && let Some(latch) = engine.cache.latch_shared(frame, page)
        {
            return Ok(SharedPage { id: page, frame, latch });
        }
        let frame = self.pin(page)?;
        let latch = engine.cache.latch_shared(frame, page).ok_or(Need::Yield)?;
        Ok(SharedPage { id: page, frame, latch })
    }

    /// Latches a page for a change.
    pub fn exclusive(&mut self, page: PageId) -> Step<ExclusivePage<'e>> {
        let engine = self.engine;
        if let Some(frame) = self.pins.find(page)
            && let Some(latch) = engine.cache.latch_exclusive(frame, page)
        {
            return Ok(ExclusivePage { id: page, frame, latch });
        }
        let frame = self.pin(page)?;
        let latch = engine.cache.latch_exclusive(frame, page).ok_or(Need::Yield)?;
        Ok(ExclusivePage { id: page, frame, latch })
    }

    /// Whether the page has ever been written.
    pub fn exists(&mut self, page: PageId) -> Step<bool> {
        match self.try_pin(page) {
            Ok(_) => Ok(true),
            Err(Miss::Failed(FetchFailure::NeverWritten)) => Ok(false),
            Err(miss) => Err(miss.into_stop(page)),
        }
    }

    /// Latches a page that is about to be formatted; the latch holds the old image, if any.
    pub fn create(&mut self, page: PageId) -> Step<ExclusivePage<'e>> {
        let engine = self.engine;
        let (frame, latch) =
            engine.cache.create(&*engine.volume, page).map_err(|miss| miss.into_stop(page))?;
        self.pins.add(page, frame);
        Ok(ExclusivePage { id: page, frame, latch })
    }
}

impl Engine {
    /// Runs one operation of a transaction: takes back the pins of its last try, and parks them if it must
    /// wait for a page.
    pub(crate) fn operate<T>(
        &self,
        txn: &mut Transaction,
        operation: impl FnOnce(&mut Access<'_>, &mut Transaction) -> Step<T>,
    ) -> Step<T> {
        self.check_fenced()?;
        let mut access = Access::resume(self, std::mem::take(&mut txn.parked_pins));
        let result = operation(&mut access, txn);
        txn.pages_used.hit += access.hits;
        if let Err(Stop::Need(Need::Page { page, .. })) = result {
            txn.pages_used.read += 1;
            let ticket = self.parked.park(&mut access.pins);
            txn.parked_pins = ticket;
            return Err(Stop::Need(Need::Page { page, ticket }));
        }
        drop(access);
        self.after_operation();
        result
    }

    /// Runs one operation that belongs to no transaction. It keeps no pins between its tries.
    pub(crate) fn operate_alone<T>(&self, operation: impl FnOnce(&mut Access<'_>) -> Step<T>) -> Step<T> {
        self.check_fenced()?;
        let mut access = Access::new(self);
        let result = operation(&mut access);
        drop(access);
        self.after_operation();
        result
    }

    fn after_operation(&self) {
        if self.waiting.frames_wanted() {
            self.cache.note_progress();
            self.waiting.wake_frames();
        }
    }

    pub(crate) fn check_fenced(&self) -> Result<(), EngineError> {
        if self.is_fenced() { Err(EngineError::Fenced) } else { Ok(()) }
    }
}
