//! Pages of a segment: versions on the device, and records that are in none yet.
//!
//! Owns the index and the rule of what a read point needs. Reading, building and writing are carried out by
//! [`build`], [`serve`], [`coalesce`] and [`deltas`]; space by [`extents`] and [`collect`]; what is damaged is found by [`scrub`] and
//! mended by [`repair`].

pub(crate) mod build;
pub(crate) mod coalesce;
pub(crate) mod collect;
pub(crate) mod deltas;
pub(crate) mod extents;
mod map;
pub(crate) mod repair;
pub(crate) mod scrub;
pub(crate) mod serve;

use crate::segment::batches::{Batches, StoredBatch};
use alloc::sync::Arc;
use alloc::vec::Vec;
use deltas::Chain;
use hexalog_protocol::record::starts_with_format;
use hexalog_protocol::{Lsn, PageId};
use hexalog_storage_format::checkpoint::{DeltaRef, ImageRef, PageVersions};
use map::PageMap;

/// A record of a page that is in no version: its place in a held batch.
#[derive(Clone, Debug)]
pub(crate) struct PendingRecord {
    pub lsn: Lsn,
    pub batch: Arc<StoredBatch>,
    pub index: u32,
}

impl PendingRecord {
    pub fn operations(&self) -> &[u8] {
        self.batch.operations(self.index as usize)
    }

    pub fn page_backlink(&self) -> Lsn {
        self.batch.records[self.index as usize].page_backlink
    }
}

/// All of one page.
#[derive(Debug, Default)]
pub(crate) struct PageEntry {
    pub versions: PageVersions,
    /// Oldest first.
    pub pending: Vec<PendingRecord>,
    /// Its records do not fit together: never served, never coalesced, until a peer's page has taken its place.
    pub is_quarantined: bool,
    /// A block of it was not what the index says: not coalesced until a peer's page has taken its place.
    pub is_damaged: bool,
    /// A new version is being made.
    pub is_coalescing: bool,
    /// Of its delta.
    pub chain: Chain,
    /// Reads from the device since the last image that needed the delta too.
    pub reads: u8,
}

impl PageEntry {
    /// LSN of the newest image.
    pub fn image_lsn(&self) -> Lsn {
        self.versions.images.last().map_or(Lsn::ZERO, |image| image.lsn)
    }

    /// Whether it stands on the device as a delta alone.
    pub fn is_imageless(&self) -> bool {
        self.versions.images.is_empty() && self.versions.delta.is_some()
    }

    /// Whether anything of it stands on the device.
    pub fn has_versions(&self) -> bool {
        !self.versions.images.is_empty() || self.versions.delta.is_some()
    }

    /// LSN up to which all records are in versions.
    pub fn merged_to(&self) -> Lsn {
        let image = self.image_lsn();
        self.versions.delta.map_or(image, |delta| image.max(delta.to))
    }
}

/// What must be put together for a page at a read point.
#[derive(Clone, Debug)]
pub(crate) struct Recipe {
    pub image: Option<ImageRef>,
    pub delta: Option<DeltaRef>,
    /// Applied in order, after the delta's records.
    pub records: Vec<PendingRecord>,
}

/// Pages of one segment.
#[derive(Debug)]
pub(crate) struct PageTable {
    pages: PageMap,
}

impl PageTable {
    pub fn new() -> PageTable {
        PageTable { pages: PageMap::default() }
    }

    pub fn get(&self, page: PageId) -> Option<&PageEntry> {
        self.pages.get(page)
    }

    pub fn get_mut(&mut self, page: PageId) -> Option<&mut PageEntry> {
        self.pages.get_mut(page)
    }

    pub fn count(&self) -> usize {
        self.pages.len()
    }

    /// Pages from `from` on.
    pub fn range_from(&self, from: PageId) -> impl Iterator<Item = (PageId, &PageEntry)> + '_ {
        self.pages.range_from(from)
    }

    pub fn iter(&self) -> impl Iterator<Item = (PageId, &PageEntry)> + '_ {
        self.range_from(PageId(0))
    }

    /// Whether a record is in a version already: a replay meets such.
    pub fn is_merged(&self, page: PageId, lsn: Lsn) -> bool {
        self.pages.get(page).is_some_and(|entry| lsn <= entry.merged_to())
    }

    /// The highest LSN that is in a version.
    pub fn merged_to(&self) -> Lsn {
        self.pages.values().map(PageEntry::merged_to).max().unwrap_or(Lsn::ZERO)
    }

    /// LSN of the newest image and of the newest delta of any page.
    pub fn versions_through(&self) -> (Lsn, Lsn) {
        let images = self.pages.values().map(PageEntry::image_lsn).max();
        let deltas = self.pages.values().filter_map(|entry| entry.versions.delta).map(|delta| delta.to).max();
        (images.unwrap_or(Lsn::ZERO), deltas.unwrap_or(Lsn::ZERO))
    }

    /// Versions from a checkpoint.
    pub fn restore(&mut self, page: PageId, versions: PageVersions) {
        if versions.images.is_empty() && versions.delta.is_none() {
            self.pages.remove(page);
        } else {
            self.pages.insert(page, PageEntry { versions, ..PageEntry::default() });
        }
    }

    /// Adds a durable record, unless it is in a version already: a replay meets such. Returns how many wait now.
    pub fn add_unless_merged(&mut self, page: PageId, record: PendingRecord) -> Option<usize> {
        let entry = self.pages.entry(page);
        if record.lsn <= entry.merged_to() {
            return None;
        }
        match entry.pending.last() {
            Some(last) if last.lsn >= record.lsn => {
                let at = entry.pending.partition_point(|other| other.lsn < record.lsn);
                if entry.pending.get(at).is_some_and(|other| other.lsn == record.lsn) {
                    entry.pending[at] = record;
                } else {
                    entry.pending.insert(at, record);
                }
            }
            _ => entry.pending.push(record),
        }
        Some(entry.pending.len())
    }

    /// A record is nobody's any more.
    pub fn annul(&mut self, page: PageId, lsn: Lsn) {
        let Some(entry) = self.pages.get_mut(page) else { return };
        entry.pending.retain(|record| record.lsn != lsn);
        // What did not fit together may have been the annulled record.
        entry.is_quarantined = false;
        if entry.pending.is_empty() && entry.versions == PageVersions::default() {
            self.pages.remove(page);
        }
    }

    /// What a page at a read point is made of: the newest image not above it, the delta if it reaches beyond the
    /// image, and the records after. A record that formats the page needs nothing before it. `None`: never written.
    pub fn recipe(&self, page: PageId, read_point: Lsn) -> Option<Recipe> {
        let entry = self.pages.get(page)?;
        let images = &entry.versions.images;
        let image = images[..images.partition_point(|image| image.lsn <= read_point)].last().copied();
        let image_lsn = image.map_or(Lsn::ZERO, |image| image.lsn);
        let delta = entry.versions.delta.filter(|delta| delta.to > image_lsn && delta.from < read_point);
        let end = entry.pending.partition_point(|record| record.lsn <= read_point);
        let start = entry.pending[..end].partition_point(|record| record.lsn <= image_lsn);
        let records = &entry.pending[start..end];
        let format = records.iter().rposition(|record| starts_with_format(record.operations()));
        if let Some(at) = format {
            return Some(Recipe { image: None, delta: None, records: records[at..].to_vec() });
        }
        if image.is_none() && delta.is_none() && records.is_empty() {
            return None;
        }
        Some(Recipe { image, delta, records: records.to_vec() })
    }

    /// What a new delta of a page through `through` is made of: the old one and the records after it, or the records alone
    /// from the one on that formats the page anew, if no read point lies before that.
    pub fn delta_recipe(&self, page: PageId, through: Lsn, floor: Lsn) -> Option<Recipe> {
        let entry = self.pages.get(page)?;
        let end = entry.pending.partition_point(|record| record.lsn <= through);
        let records = &entry.pending[..end];
        let cuts = |record: &PendingRecord| record.lsn <= floor && starts_with_format(record.operations());
        let begin = records.iter().rposition(cuts);
        let image_lsn = entry.image_lsn();
        let old = entry.versions.delta.filter(|delta| delta.to > image_lsn && begin.is_none());
        let records = records[begin.unwrap_or(0)..].to_vec();
        (!records.is_empty()).then_some(Recipe { image: None, delta: old, records })
    }

    /// Lets go of every record that is in no version.
    pub fn clear_pending(&mut self) {
        self.pages.values_mut().for_each(|entry| entry.pending.clear());
    }

    /// `collectable`: no image is above it. `durable`: no delta is.
    pub fn invariants_full(&self, batches: &Batches, collectable: Lsn, durable: Lsn) {
        for entry in self.pages.values() {
            assert!(entry.pending.is_sorted_by(|a, b| a.lsn < b.lsn));
            assert!(entry.versions.images.is_sorted_by(|a, b| a.lsn < b.lsn));
            assert!(entry.image_lsn() <= collectable, "coalesced only what is complete and below the floor");
            if let Some(delta) = entry.versions.delta {
                assert!(delta.from < delta.to, "a delta holds records");
                assert!(delta.to > entry.image_lsn(), "what an image has taken in is let go");
                assert!(delta.to <= durable, "only what is complete and durable in the volume");
            }
            for record in &entry.pending {
                assert!(record.lsn > entry.merged_to(), "a merged record is let go");
                let first = record.batch.first();
                assert!(batches.get(first).is_some(), "a pending record's batch is held");
            }
        }
    }
}
