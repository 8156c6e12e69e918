//! What the truth is: every page version that the writer made, and which of them must survive.
//!
//! Checkers of their own right: no LSN has two contents, nothing acknowledged is lost by an opening, and no half of a
//! mini-transaction survives one.

use hexalog_protocol::record::apply;
use hexalog_protocol::{Lsn, Page, PageId, VolumeId};
use std::collections::{BTreeMap, BTreeSet};

/// Changes of one page after which its image is kept: to build a version from, at most so many are applied.
const CHANGES_PER_IMAGE: usize = 64;

#[derive(Clone)]
struct Change {
    lsn: Lsn,
    backlink: Lsn,
    operations: Vec<u8>,
}

#[derive(Clone)]
struct PageLog {
    changes: Vec<Change>,
    /// The page after so many changes, now and then.
    images: Vec<(usize, Page)>,
    newest: Page,
}

impl PageLog {
    fn build(&self, volume: VolumeId, page: PageId, through: Lsn) -> Option<Page> {
        let known = self.images.iter().rev().find(|(_, image)| image.lsn() <= through);
        let (from, mut image) = known.map_or((0, None), |(from, image)| (*from, Some(image.clone())));
        for change in self.changes[from..].iter().take_while(|change| change.lsn <= through) {
            let image = image.get_or_insert_with(|| Page::new(volume, page));
            apply(image, change.lsn, change.backlink, &change.operations).expect("the model's page fits");
        }
        image
    }
}

/// The volume as its writers made it.
pub struct Model {
    volume: VolumeId,
    pages: BTreeMap<PageId, PageLog>,
    cpls: BTreeSet<Lsn>,
    /// Highest VDL that any writer was told: commits up to it were acknowledged.
    pub acknowledged: Lsn,
}

impl Model {
    /// An empty volume.
    pub fn new(volume: VolumeId) -> Model {
        Model { volume, pages: BTreeMap::new(), cpls: BTreeSet::new(), acknowledged: Lsn::ZERO }
    }

    /// The newest version of a page, if it has one.
    pub fn newest(&self, page: PageId) -> Option<&Page> {
        self.pages.get(&page).map(|log| &log.newest)
    }

    /// The newest version not above `read_point`.
    pub fn at(&self, page: PageId, read_point: Lsn) -> Option<Page> {
        self.pages.get(&page)?.build(self.volume, page, read_point)
    }

    /// LSN of the newest version not above `read_point`; zero without one.
    pub fn lsn_at(&self, page: PageId, read_point: Lsn) -> Lsn {
        let Some(log) = self.pages.get(&page) else { return Lsn::ZERO };
        let count = log.changes.partition_point(|change| change.lsn <= read_point);
        count.checked_sub(1).map_or(Lsn::ZERO, |last| log.changes[last].lsn)
    }

    /// The writer appended a record.
    pub fn append(&mut self, page: PageId, lsn: Lsn, backlink: Lsn, operations: &[u8]) {
        let volume = self.volume;
        let new = || PageLog { changes: Vec::new(), images: Vec::new(), newest: Page::new(volume, page) };
        let log = self.pages.entry(page).or_insert_with(new);
        assert!(log.newest.lsn() < lsn, "no LSN has two contents");
        apply(&mut log.newest, lsn, backlink, operations).expect("the model's page fits");
        log.changes.push(Change { lsn, backlink, operations: operations.to_vec() });
        if log.changes.len().is_multiple_of(CHANGES_PER_IMAGE) {
            log.images.push((log.changes.len(), log.newest.clone()));
        }
    }

    /// The writer closed a mini-transaction.
    pub fn add_cpl(&mut self, lsn: Lsn) {
        self.cpls.insert(lsn);
    }

    /// A new writer recovered to `vdl`: nothing acknowledged may lie above it, nothing above it exists any more.
    pub fn recovered(&mut self, vdl: Lsn) {
        assert!(
            vdl >= self.acknowledged,
            "acknowledged commits are lost: {:?} was acknowledged, {vdl:?} was recovered",
            self.acknowledged
        );
        let volume = self.volume;
        self.pages.retain(|page, log| {
            if log.newest.lsn() <= vdl {
                return true;
            }
            log.changes.retain(|change| change.lsn <= vdl);
            log.images.retain(|(_, image)| image.lsn() <= vdl);
            match log.build(volume, *page, vdl) {
                Some(image) => {
                    log.newest = image;
                    true
                }
                None => false,
            }
        });
        let last_cpl = self.cpls.range(..=vdl).next_back().copied().unwrap_or(Lsn::ZERO);
        let last_record = self.pages.values().map(|log| log.newest.lsn()).max();
        assert!(last_record.unwrap_or(Lsn::ZERO) <= last_cpl, "half of a mini-transaction survived");
        self.cpls.retain(|cpl| *cpl <= vdl);
    }

    /// Pages that have a version.
    pub fn pages(&self) -> impl Iterator<Item = PageId> + '_ {
        self.pages.keys().copied()
    }
}
