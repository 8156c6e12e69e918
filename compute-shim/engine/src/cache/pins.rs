//! Pins: what an operation keeps in the cache while it runs, and between its retries.
//!
//! Owns the bound of [`PINS_MAX`] pages an operation, and the admission rule: as many operations may keep
//! pins across a wait as fill half of the cache; the others start again without. A pin keeps a page resident,
//! it does not latch it.

use super::Cache;
use hexalog_protocol::PageId;
use parking_lot::Mutex;

/// Pages that one operation keeps pinned. A descent of six levels, two undo pages, an allocation page and the
/// pages of a split fit twice.
pub(crate) const PINS_MAX: usize = 16;

/// The pins of one try of an operation; given back when dropped. It stands for the try: the cache counts those that there are.
pub(crate) struct PinSet<'e> {
    cache: &'e Cache,
    /// What the cache counted when this one had begun.
    begun: u64,
    pins: [(PageId, u32); PINS_MAX],
    length: usize,
    /// The next to be dropped when the set is full.
    oldest: usize,
}

impl<'e> PinSet<'e> {
    pub fn new(cache: &'e Cache) -> PinSet<'e> {
        PinSet { cache, begun: cache.begin_try(), pins: [(PageId(0), 0); PINS_MAX], length: 0, oldest: 0 }
    }

    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Whether no other has had pins while this one was there, but for those that are parked.
    pub fn was_alone(&self) -> bool {
        self.cache.was_alone(self.begun)
    }

    pub fn find(&self, page: PageId) -> Option<u32> {
        self.pins[..self.length].iter().find(|(pinned, _)| *pinned == page).map(|(_, frame)| *frame)
    }

    /// Takes over a pin. A full set drops its oldest.
    pub fn add(&mut self, page: PageId, frame: u32) {
        if let Some(known) = self.pins[..self.length].iter_mut().find(|(pinned, _)| *pinned == page) {
            // Another frame than before only if the fetch that the old pin waited for has failed.
            self.cache.unpin(known.1);
            known.1 = frame;
        } else if self.length < PINS_MAX {
            self.pins[self.length] = (page, frame);
            self.length += 1;
        } else {
            self.cache.unpin(self.pins[self.oldest].1);
            self.pins[self.oldest] = (page, frame);
            self.oldest = (self.oldest + 1) % PINS_MAX;
        }
    }

    fn take(&mut self) -> Vec<(PageId, u32)> {
        let taken = self.pins[..self.length].to_vec();
        self.length = 0;
        self.oldest = 0;
        taken
    }
}

impl Drop for PinSet<'_> {
    fn drop(&mut self) {
        self.pins[..self.length].iter().for_each(|(_, frame)| self.cache.unpin(*frame));
        self.cache.end_try();
    }
}

struct Parked {
    ticket: u64,
    pins: Vec<(PageId, u32)>,
}

/// Pins of operations that wait for a page.
pub(crate) struct ParkedPins {
    parked: Mutex<(u64, Vec<Parked>)>,
    capacity: usize,
}

impl ParkedPins {
    pub fn new(frames: usize) -> ParkedPins {
        ParkedPins { parked: Mutex::new((0, Vec::new())), capacity: (frames / 2 / PINS_MAX).max(1) }
    }

    /// Operations that keep pins, and how many may.
    pub fn usage(&self) -> (usize, usize) {
        (self.parked.lock().1.len(), self.capacity)
    }

    /// Keeps the pins for the retry; ticket zero (and the pins are dropped) if too many operations keep
    /// theirs.
    pub fn park(&self, pins: &mut PinSet<'_>) -> u64 {
        let mut parked = self.parked.lock();
        if parked.1.len() >= self.capacity {
            return 0;
        }
        parked.0 += 1;
        let ticket = parked.0;
        parked.1.push(Parked { ticket, pins: pins.take() });
        ticket
    }

    /// Gives the pins back to their operation.
    pub fn resume<'e>(&self, cache: &'e Cache, ticket: u64) -> PinSet<'e> {
        let mut set = PinSet::new(cache);
        if ticket == 0 {
            return set;
        }
        let mut parked = self.parked.lock();
        if let Some(at) = parked.1.iter().position(|parked| parked.ticket == ticket) {
            let found = parked.1.swap_remove(at);
            found.pins.into_iter().for_each(|(page, frame)| set.add(page, frame));
        }
        set
    }
}
