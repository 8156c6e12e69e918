//! Answers `page @ read point`.

use super::Recipe;
use super::build::{Build, BuildError, Purpose};
use super::coalesce::DELTA_READS_MAX;
use super::reads::{Admitted, Waiting};
use crate::effects::{ConnectionId, Effects};
use crate::index::NO_INDEX;
use crate::segment::SegmentKey;
use crate::shard::Shard;
use alloc::format;
use hexalog_protocol::message::{Message, PageImage, ReadPage, RefusalReason, encode_page_image};
use hexalog_protocol::{Lsn, PageId, SummedImage};

impl Shard {
    pub(crate) fn on_read_page(
        &mut self,
        connection: ConnectionId,
        request_id: u64,
        read: ReadPage,
        effects: &mut Effects,
    ) {
        let Some(recipe) = self.look_up(connection, request_id, &read, effects) else { return };
        if recipe.image.is_some() || recipe.delta.is_some() {
            let key = (read.volume, read.group);
            let waiting = Waiting { connection, request_id, read: read.clone() };
            match self.reads.admit(waiting, self.options.reads_in_flight_max) {
                Admitted::AtOnce => {}
                Admitted::Later => return,
                Admitted::No => {
                    return self.refuse(connection, request_id, RefusalReason::Busy, key, "reads", effects);
                }
            }
        }
        self.begin_serving(connection, request_id, read, recipe, effects);
    }

    /// Begins the reads whose turn has come. What they need may have changed while they waited.
    pub(crate) fn serve_waiting(&mut self, effects: &mut Effects) {
        while let Some(Waiting { connection, request_id, read }) = self.reads.next() {
            let volume = read.volume;
            let is_there = self.connections.is_there(connection);
            let recipe = if is_there { self.look_up(connection, request_id, &read, effects) } else { None };
            let needs_device =
                recipe.as_ref().is_some_and(|recipe| recipe.image.is_some() || recipe.delta.is_some());
            if !needs_device {
                self.reads.ended(volume);
            }
            if let Some(recipe) = recipe {
                self.begin_serving(connection, request_id, read, recipe, effects);
            }
        }
    }

    /// What a read needs; `None` if it is answered already.
    fn look_up(
        &mut self,
        connection: ConnectionId,
        request_id: u64,
        read: &ReadPage,
        effects: &mut Effects,
    ) -> Option<Recipe> {
        let key = (read.volume, read.group);
        let allowed = match self.segments.get(&key) {
            None => Err(RefusalReason::UnknownSegment),
            Some(segment) if !segment.holds_page(read.page) => Err(RefusalReason::Malformed),
            Some(segment) => segment.check_read(read),
        };
        if let Err(reason) = allowed {
            self.refuse(connection, request_id, reason, key, "read", effects);
            return None;
        }
        if !self.has_index() {
            self.refuse(connection, request_id, RefusalReason::Busy, key, NO_INDEX, effects);
            return None;
        }
        let pages = &self.segments[&key].pages;
        if pages.get(read.page).is_some_and(|entry| entry.is_quarantined) {
            let detail = format!("{:?}", read.page);
            self.refuse(connection, request_id, RefusalReason::Quarantined, key, &detail, effects);
            return None;
        }
        let Some(recipe) = pages.recipe(read.page, read.read_point) else {
            // Complete, and no record of it: it was never written.
            self.counters.reads += 1;
            let answer = PageImage { page: read.page, read_point: read.read_point, image: &[] };
            Message::PageImage(answer).encode(request_id, effects.send(connection));
            return None;
        };
        Some(recipe)
    }

    fn begin_serving(
        &mut self,
        connection: ConnectionId,
        request_id: u64,
        read: ReadPage,
        recipe: Recipe,
        effects: &mut Effects,
    ) {
        let key = (read.volume, read.group);
        if recipe.image.is_some() || recipe.delta.is_some() {
            self.counters.reads_from_device += 1;
        }
        if recipe.delta.is_some() {
            self.note_delta_read(key, read.page);
        }
        let (page, read_point) = (read.page, read.read_point);
        let purpose = Purpose::Serve { connection, request_id, read };
        self.begin_build(purpose, key, page, read_point, recipe, effects);
    }

    pub(crate) fn finish_serving(
        &mut self,
        connection: ConnectionId,
        request_id: u64,
        read: ReadPage,
        build: &Build,
        image: Result<SummedImage<'_>, BuildError>,
        effects: &mut Effects,
    ) {
        if !self.connections.is_there(connection) {
            return;
        }
        match image {
            Ok(image) => {
                self.counters.reads += 1;
                let (page, read_point) = (read.page, read.read_point);
                assert!(image.lsn() <= read_point, "nothing above the read point is in it");
                let out = effects.send(connection);
                if image.lsn() == Lsn::ZERO {
                    // With a delta that begins above the read point, and nothing before it: it was never written.
                    Message::PageImage(PageImage { page, read_point, image: &[] }).encode(request_id, out);
                } else {
                    encode_page_image(request_id, page, read_point, &image, out);
                }
            }
            Err(BuildError::Damaged) if self.was_superseded(build) => {
                // A newer version took its place while the read was on its way, and the extent was used again.
                self.on_read_page(connection, request_id, read, effects);
            }
            Err(BuildError::Damaged) => {
                self.note_damaged_block(build, effects);
                let detail = format!("{:?}: a block is not what the index says", read.page);
                self.refuse(connection, request_id, RefusalReason::Damaged, build.key, &detail, effects);
            }
            Err(BuildError::Unfit(error)) => {
                self.quarantine(build.key, build.page, effects, &format!("{error:?}"));
                let detail = format!("{:?}", read.page);
                self.refuse(connection, request_id, RefusalReason::Quarantined, build.key, &detail, effects);
            }
        }
    }

    /// Whether reads of pages leave no time for what can wait.
    pub(crate) fn has_many_reads(&self) -> bool {
        self.builds.count() + self.reads.waiting() > self.options.reads_in_flight_max / 2
    }

    /// Whether the image or the delta that a build read is no longer the page's.
    pub(crate) fn was_superseded(&self, build: &Build) -> bool {
        let entry = self.segments.get(&build.key).and_then(|segment| segment.pages.get(build.page));
        let Some(entry) = entry else { return true };
        let has_image = build.recipe.image.is_none_or(|image| entry.image() == Some(image));
        let has_delta = build.recipe.delta.is_none_or(|delta| entry.delta() == Some(delta));
        !(has_image && has_delta)
    }

    /// A page that is read again and again gets an image, though nothing else asks for one.
    fn note_delta_read(&mut self, key: SegmentKey, page: PageId) {
        let segment = self.segments.get_mut(&key).expect("the caller found it");
        let entry = segment.pages.get_mut(page).expect("the caller found its delta");
        entry.reads = entry.reads.saturating_add(1);
        if entry.reads == DELTA_READS_MAX {
            self.coalescer.note_long_chain(key, page);
        }
    }
}
