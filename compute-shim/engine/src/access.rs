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
    /// It has pins that were kept over a wait, when others may have lacked their frames.
    has_resumed: bool,
    /// Pages that it has found in the cache.
    hits: u64,
}

impl<'e> Access<'e> {
    pub fn new(engine: &'e Engine) -> Access<'e> {
        Access { engine, pins: PinSet::new(&engine.cache), has_resumed: false, hits: 0 }
    }

    fn resume(engine: &'e Engine, ticket: u64) -> Access<'e> {
        let pins = engine.parked.resume(&engine.cache, ticket);
        Access { engine, has_resumed: !pins.is_empty(), pins, hits: 0 }
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
        if let Some(page) = txn.waited_for.take()
            && let Some(node) = self.cache.served_from(page)
        {
            txn.pages_used.note_read_from(node);
        }
        let mut access = Access::resume(self, std::mem::take(&mut txn.parked_pins));
        let result = operation(&mut access, txn);
        txn.pages_used.hit += access.hits;
        if let Err(Stop::Need(Need::Page { page, .. })) = result {
            txn.pages_used.read += 1;
            txn.waited_for = Some(page);
            let ticket = self.parked.park(&mut access.pins);
            txn.parked_pins = ticket;
            self.end_try(access, Err(Stop::Need(Need::Page { page, ticket })))
        } else {
            self.end_try(access, result)
        }
    }

    /// Runs one operation that belongs to no transaction. It keeps no pins between its tries.
    pub(crate) fn operate_alone<T>(&self, operation: impl FnOnce(&mut Access<'_>) -> Step<T>) -> Step<T> {
        self.check_fenced()?;
        let mut access = Access::new(self);
        let result = operation(&mut access);
        self.end_try(access, result)
    }

    /// Gives back what a try of an operation has pinned.
    ///
    /// Who found no frame waits for a reason to look again, and what it gives back itself is none: it would look without
    /// end. Nor is it one for others who wait, but for pins that were there before this try: they found no frame while
    /// nobody else was at work. Who finds none while others are at work lets these run and tries again; it does not wait, so
    /// the boxcars are sealed here that hold back VDL, and with it frames.
    fn end_try<T>(&self, access: Access<'_>, result: Step<T>) -> Step<T> {
        let lacks_frame = matches!(result, Err(Stop::Need(Need::Frame { .. })));
        if lacks_frame {
            // Before the look at others: those who are through later say so.
            self.waiting.want_frames();
        }
        let (was_alone, has_resumed) = (access.pins.was_alone(), access.has_resumed);
        drop(access);
        let gives_back = match result {
            Err(Stop::Need(Need::Page { ticket, .. })) => ticket == 0 && has_resumed,
            Err(Stop::Need(Need::Frame { .. })) => has_resumed,
            _ => true,
        };
        if gives_back {
            self.frames_given_back();
        }
        if lacks_frame && !was_alone {
            self.volume.seal_through(self.appended());
            return Err(Need::Yield.into());
        }
        result
    }

    /// Pins that an operation kept over a wait are given back: it goes on no more.
    pub(crate) fn drop_parked(&self, ticket: u64) {
        if ticket != 0 {
            drop(self.parked.resume(&self.cache, ticket));
            self.frames_given_back();
        }
    }

    fn frames_given_back(&self) {
        if self.waiting.frames_wanted() {
            self.waiting.wake_frames(&self.cache);
        }
    }

    pub(crate) fn check_fenced(&self) -> Result<(), EngineError> {
        if self.is_fenced() { Err(EngineError::Fenced) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory_volume::MemoryVolume;
    use crate::types::{Isolation, Options, RowRef};
    use hexalog_protocol::geometry::Geometry;
    use std::sync::Arc;

    /// Found by review. Two who found no frame told each other to try again, which sealed no boxcar: nothing of what they had
    /// appended became durable, and no frame came free.
    #[test]
    fn who_finds_no_frame_beside_others_seals_what_holds_them() {
        let volume = MemoryVolume::new(Geometry { pages_per_group: 4096, groups: 1 });
        let options = Options { frames: Options::FRAMES_MIN, ..Options::default() };
        let engine = Engine::new(Arc::clone(&volume) as _, options);
        volume.run(&engine, || engine.create()).expect("formats");
        let mut txn = engine.begin(Isolation::ReadCommitted, false);
        let tree = engine.catalog_tree();
        let mut keys = 0u32..;
        let mut insert =
            |key: u32| engine.insert(&mut txn, tree, &key.to_be_bytes(), RowRef::new(1, &[7; 4000]));
        let key = keys.find(|key| {
            loop {
                match insert(*key) {
                    Ok(()) => return false,
                    Err(Stop::Need(Need::Frame { .. })) => return true,
                    Err(Stop::Need(need)) => assert!(volume.satisfy(&engine, &need)),
                    Err(Stop::Fail(error)) => panic!("{error}"),
                }
            }
        });
        let key = key.expect("the cache is full at last");
        assert!(volume.sealed_through() < engine.appended(), "nobody has polled a need for a frame");
        let beside = engine.operate_alone(|_| insert(key));
        assert!(matches!(beside, Err(Stop::Need(Need::Yield))), "{beside:?}");
        assert_eq!(volume.sealed_through(), engine.appended());
        assert!(matches!(insert(key), Err(Stop::Need(Need::Frame { .. }))), "alone it waits");
        volume.advance_vdl(&engine, volume.beyond_vdl());
        assert!(volume.run(&engine, || insert(key)).is_ok());
        assert!(volume.run(&engine, || engine.abort(&mut txn)).is_ok());
    }
}
