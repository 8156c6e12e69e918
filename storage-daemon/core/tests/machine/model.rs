//! What every page must be at every read point: all versions, made by the one apply function.

use hexalog_protocol::record::apply;
use hexalog_protocol::{Lsn, Page, PageId, VolumeId};
use std::collections::BTreeMap;

#[derive(Clone, Default)]
pub struct Model {
    pages: BTreeMap<PageId, Vec<(Lsn, Page)>>,
}

impl Model {
    pub fn last(&self, page: PageId) -> Lsn {
        self.pages.get(&page).and_then(|versions| versions.last()).map_or(Lsn::ZERO, |(lsn, _)| *lsn)
    }

    pub fn add(&mut self, volume: VolumeId, page: PageId, lsn: Lsn, backlink: Lsn, operations: &[u8]) {
        let versions = self.pages.entry(page).or_default();
        let mut image = versions.last().map_or_else(|| Page::new(volume, page), |(_, image)| image.clone());
        apply(&mut image, lsn, backlink, operations).expect("the model's records fit");
        versions.push((lsn, image));
    }

    pub fn at(&self, page: PageId, read_point: Lsn) -> Option<&Page> {
        let versions = self.pages.get(&page)?;
        let end = versions.partition_point(|(lsn, _)| *lsn <= read_point);
        versions[..end].last().map(|(_, image)| image)
    }

    pub fn pages(&self) -> impl Iterator<Item = PageId> + '_ {
        self.pages.keys().copied()
    }

    /// Versions above were annulled.
    pub fn truncate(&mut self, vdl: Lsn) {
        for versions in self.pages.values_mut() {
            versions.retain(|(lsn, _)| *lsn <= vdl);
        }
        self.pages.retain(|_, versions| !versions.is_empty());
    }

    /// Versions below the floor are no longer asked for.
    pub fn forget_below(&mut self, floor: Lsn) {
        for versions in self.pages.values_mut() {
            let keep = versions.partition_point(|(lsn, _)| *lsn <= floor).saturating_sub(1);
            versions.drain(..keep);
        }
    }
}
