//! What the truth is: every page version that the writer made, and which of them must survive.

use hexalog_protocol::{Lsn, Page, PageId};
use std::collections::{BTreeMap, BTreeSet};

/// The volume as its writers made it.
#[derive(Default)]
pub struct Model {
    versions: BTreeMap<PageId, Vec<(Lsn, Page)>>,
    cpls: BTreeSet<Lsn>,
    /// Highest VDL that any writer was told: commits up to it were acknowledged.
    pub acknowledged: Lsn,
}

impl Model {
    /// The newest version of a page, if it has one.
    pub fn newest(&self, page: PageId) -> Option<&(Lsn, Page)> {
        self.versions.get(&page)?.last()
    }

    /// The newest version not above `read_point`.
    pub fn at(&self, page: PageId, read_point: Lsn) -> Option<&(Lsn, Page)> {
        self.versions.get(&page)?.iter().rev().find(|(lsn, _)| *lsn <= read_point)
    }

    /// The writer made a version.
    pub fn add(&mut self, page: PageId, lsn: Lsn, image: Page) {
        let versions = self.versions.entry(page).or_default();
        assert!(versions.last().is_none_or(|(last, _)| *last < lsn), "no LSN has two contents");
        versions.push((lsn, image));
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
        for versions in self.versions.values_mut() {
            versions.retain(|(lsn, _)| *lsn <= vdl);
        }
        self.versions.retain(|_, versions| !versions.is_empty());
        let last_cpl = self.cpls.range(..=vdl).next_back().copied().unwrap_or(Lsn::ZERO);
        let last_record =
            self.versions.values().flat_map(|versions| versions.last()).map(|(lsn, _)| *lsn).max();
        assert!(last_record.unwrap_or(Lsn::ZERO) <= last_cpl, "half of a mini-transaction survived");
        self.cpls.retain(|cpl| *cpl <= vdl);
    }

    /// Pages that have a version.
    pub fn pages(&self) -> impl Iterator<Item = PageId> + '_ {
        self.versions.keys().copied()
    }
}
