//! Pages of a segment: versions on the device, and records that are in none yet.
//!
//! Owns the index and the rule of what a read point needs. Reading, building and writing are carried out by
//! [`build`], [`reads`], [`serve`], [`coalesce`] and [`deltas`]; space by [`extents`] and [`collect`]; what is damaged is found by [`scrub`] and
//! mended by [`repair`].

pub(crate) mod build;
pub(crate) mod coalesce;
pub(crate) mod collect;
pub(crate) mod deltas;
pub(crate) mod extents;
mod map;
pub(crate) mod reads;
pub(crate) mod repair;
pub(crate) mod scrub;
pub(crate) mod serve;

use crate::segment::batches::{Batches, StoredBatch};
use alloc::sync::Arc;
use alloc::vec::Vec;
use deltas::Chain;
use hexalog_protocol::record::starts_with_format;
use hexalog_protocol::{Lsn, PageId};
use hexalog_storage_format::address::BlockAddress;
use hexalog_storage_format::checkpoint::{DeltaRef, ImageRef, PageVersions, VersionsThrough};
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

/// All of one page. There is one for every page that the device holds: its size is what a shard's memory grows with.
#[derive(Debug)]
pub(crate) struct PageEntry {
    /// Of the image. Not an [`ImageRef`], which would leave holes; without one the address is [`BlockAddress::NONE`].
    image_lsn: Lsn,
    image_address: BlockAddress,
    image_crc: u32,
    /// Of the block that the delta is in.
    delta_crc: u32,
    /// First and last record of the delta; without one the address is [`BlockAddress::NONE`].
    delta_from: Lsn,
    delta_to: Lsn,
    delta_address: BlockAddress,
    /// Its share of the block, which has 4,096 bytes.
    delta_bytes: u16,
    /// Of its delta.
    pub chain: Chain,
    /// Oldest first.
    pub pending: Vec<PendingRecord>,
    /// Its records do not fit together: never served, never coalesced, until a peer's page has taken its place.
    pub is_quarantined: bool,
    /// A block of it was not what the index says: not coalesced until a peer's page has taken its place.
    pub is_damaged: bool,
    /// A new version is being made.
    pub is_coalescing: bool,
    /// Reads from the device since the last image that needed the delta too.
    pub reads: u8,
}

const _: () = assert!(size_of::<Option<PageEntry>>() == 88, "memory for each page is a figure of the manual");

impl Default for PageEntry {
    fn default() -> PageEntry {
        PageEntry {
            image_lsn: Lsn::ZERO,
            image_address: BlockAddress::NONE,
            image_crc: 0,
            delta_crc: 0,
            delta_from: Lsn::ZERO,
            delta_to: Lsn::ZERO,
            delta_address: BlockAddress::NONE,
            delta_bytes: 0,
            chain: Chain::default(),
            pending: Vec::new(),
            is_quarantined: false,
            is_damaged: false,
            is_coalescing: false,
            reads: 0,
        }
    }
}

impl PageEntry {
    /// The image on the device.
    pub fn image(&self) -> Option<ImageRef> {
        let image = ImageRef { lsn: self.image_lsn, address: self.image_address, crc: self.image_crc };
        (self.image_address != BlockAddress::NONE).then_some(image)
    }

    /// The delta on the device.
    pub fn delta(&self) -> Option<DeltaRef> {
        let delta = DeltaRef {
            from: self.delta_from,
            to: self.delta_to,
            address: self.delta_address,
            bytes: u32::from(self.delta_bytes),
            crc: self.delta_crc,
        };
        self.has_delta().then_some(delta)
    }

    fn has_delta(&self) -> bool {
        self.delta_address != BlockAddress::NONE
    }

    /// All of it that is on the device.
    pub fn versions(&self) -> PageVersions {
        PageVersions { image: self.image(), delta: self.delta() }
    }

    /// An image takes the place of the one before; returns that.
    pub fn set_image(&mut self, image: ImageRef) -> Option<ImageRef> {
        assert!(image.address != BlockAddress::NONE, "it stands somewhere");
        let old = self.image();
        (self.image_lsn, self.image_address, self.image_crc) = (image.lsn, image.address, image.crc);
        old
    }

    /// A delta takes the place of the one before; returns that.
    pub fn set_delta(&mut self, delta: DeltaRef) -> Option<DeltaRef> {
        assert!(delta.address != BlockAddress::NONE, "it stands somewhere");
        let old = self.delta();
        (self.delta_from, self.delta_to) = (delta.from, delta.to);
        (self.delta_address, self.delta_crc) = (delta.address, delta.crc);
        self.delta_bytes = u16::try_from(delta.bytes).expect("a share of a block");
        old
    }

    /// The delta goes, if it holds nothing above `through`; returns it.
    pub fn take_delta(&mut self, through: Lsn) -> Option<DeltaRef> {
        let old = self.delta().filter(|delta| delta.to <= through)?;
        (self.delta_from, self.delta_to) = (Lsn::ZERO, Lsn::ZERO);
        self.delta_address = BlockAddress::NONE;
        Some(old)
    }

    /// Records that are in versions now wait no longer; returns them. What held them goes along when they are all: of a page that
    /// nothing waits for it would be the larger part.
    pub fn take_merged(&mut self) -> Vec<PendingRecord> {
        let through = self.merged_to();
        let rest = self.pending.split_off(self.pending.partition_point(|record| record.lsn <= through));
        core::mem::replace(&mut self.pending, rest)
    }

    /// LSN of the image.
    pub fn image_lsn(&self) -> Lsn {
        self.image_lsn
    }

    /// Whether it stands on the device as a delta alone.
    pub fn is_imageless(&self) -> bool {
        self.image().is_none() && self.has_delta()
    }

    /// Whether anything of it stands on the device.
    pub fn has_versions(&self) -> bool {
        self.image().is_some() || self.has_delta()
    }

    /// LSN up to which all records are in versions.
    pub fn merged_to(&self) -> Lsn {
        self.image_lsn.max(self.delta_to)
    }
}

impl From<PageVersions> for PageEntry {
    fn from(versions: PageVersions) -> PageEntry {
        let mut entry = PageEntry::default();
        versions.image.map(|image| entry.set_image(image));
        versions.delta.map(|delta| entry.set_delta(delta));
        entry
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
    /// How far versions of any page go, those included that a start has not loaded yet.
    through: VersionsThrough,
}

impl PageTable {
    pub fn new() -> PageTable {
        PageTable { pages: PageMap::default(), through: VersionsThrough::default() }
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
        self.through.image.max(self.through.delta)
    }

    /// How far images and deltas of any page went. One that an image has taken in since counts as well.
    pub fn versions_through(&self) -> VersionsThrough {
        self.through
    }

    /// Versions of a page changed.
    pub fn note_versions(&mut self, page: PageId) {
        if let Some(entry) = self.pages.get(page) {
            self.through.include(&entry.versions());
        }
    }

    /// Versions that went furthest may have gone.
    pub fn recount_versions(&mut self) {
        let mut through = VersionsThrough::default();
        self.pages.values().for_each(|entry| through.include(&entry.versions()));
        self.through = through;
    }

    /// What a checkpoint says of versions that are to be loaded.
    pub fn expect_versions(&mut self, through: VersionsThrough) {
        self.through = through;
    }

    /// Versions from a checkpoint, of a page that has none yet. Returns records that were taken to wait for one and are in them.
    pub fn load(&mut self, page: PageId, versions: PageVersions) -> Vec<PendingRecord> {
        let entry = self.pages.entry(page);
        assert!(!entry.has_versions(), "what is newer was loaded before");
        versions.image.map(|image| entry.set_image(image));
        versions.delta.map(|delta| entry.set_delta(delta));
        let merged = entry.take_merged();
        self.note_versions(page);
        merged
    }

    /// These are a page's versions from now on, whatever it had.
    pub fn replace(&mut self, page: PageId, versions: PageVersions) {
        if versions == PageVersions::default() {
            self.pages.remove(page);
        } else {
            self.pages.insert(page, PageEntry::from(versions));
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
        if entry.pending.is_empty() && !entry.has_versions() {
            self.pages.remove(page);
        }
    }

    /// What a page at a read point is made of: the image if it is not above it, the delta if it reaches beyond the
    /// image, and the records after. A record that formats the page needs nothing before it. `None`: never written.
    pub fn recipe(&self, page: PageId, read_point: Lsn) -> Option<Recipe> {
        let entry = self.pages.get(page)?;
        let image = entry.image().filter(|image| image.lsn <= read_point);
        let image_lsn = image.map_or(Lsn::ZERO, |image| image.lsn);
        let delta = entry.delta().filter(|delta| delta.to > image_lsn && delta.from < read_point);
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
        let old = entry.delta().filter(|delta| delta.to > image_lsn && begin.is_none());
        let records = records[begin.unwrap_or(0)..].to_vec();
        (!records.is_empty()).then_some(Recipe { image: None, delta: old, records })
    }

    /// Lets go of every record that is in no version.
    pub fn clear_pending(&mut self) {
        self.pages.values_mut().for_each(|entry| entry.pending = Vec::new());
    }

    /// Whether what is known of how far versions go is what they do: all are loaded.
    pub fn is_through_exact(&self) -> bool {
        self.pages.values().map(PageEntry::merged_to).max().unwrap_or(Lsn::ZERO) == self.merged_to()
    }

    /// `collectable`: no image is above it. `durable`: no delta is.
    pub fn invariants_full(&self, batches: &Batches, collectable: Lsn, durable: Lsn) {
        for entry in self.pages.values() {
            assert!(entry.pending.is_sorted_by(|a, b| a.lsn < b.lsn));
            assert!(entry.image_lsn() <= collectable, "coalesced only what is complete and below the floor");
            if let Some(delta) = entry.delta() {
                assert!(delta.from < delta.to, "a delta holds records");
                assert!(delta.to > entry.image_lsn(), "what an image has taken in is let go");
                assert!(delta.to <= durable, "only what is complete and durable in the volume");
            }
            for record in &entry.pending {
                assert!(record.lsn > entry.merged_to(), "a merged record is let go");
                let first = record.batch.first();
                assert!(batches.get(first).is_some(), "a pending record's batch is held");
            }
            assert!(entry.image_lsn <= self.through.image && entry.delta_to <= self.through.delta);
        }
    }
}
