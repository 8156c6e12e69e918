//! The index after a start: it is loaded while the shard takes writes already.
//!
//! A start reads the end of the newest checkpoint alone, which names all segments, and the log. So how long it takes does not
//! grow with what the device holds. Versions of pages and runs of log come afterwards, from the newest part of the chain to the
//! oldest, some parts in each slice of background work; of two parts that tell of one page the newer one counts. Until all is there,
//! nobody is told what a page is or what log there is, no version is made and no log or extent is freed: reads and peers are asked to
//! come again, and find other members meanwhile.
//!
//! What a start scans is held as if it were in no version: the records that are in one are let go when that is loaded. If that
//! takes more than twice the memory that records may take, the index is loaded in the middle of the scan.
//!
//! A part that does not read back is found when the shard has told its SCLs. The segments know their promises and what they have
//! acknowledged, and lack pages that nobody can name: they give up their log and get all pages from their peers
//! ([`crate::hydration`]), as they are beyond what they have acknowledged.

use crate::chain::{After, Part, Taken, Walk};
use crate::effects::{Area, Effect, Effects, IoResult, Now};
use crate::pages::extents::Fill;
use crate::recovery::Recovery;
use crate::segment::SegmentKey;
use crate::shard::{Io, Phase, Shard};
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::vec::Vec;
use hexalog_protocol::codec::{Malformed, Reader};
use hexalog_protocol::{PAGE_SIZE, PageId};
use hexalog_storage_format::aligned::AlignedBuffer;
use hexalog_storage_format::checkpoint::{Item, LogRun, PART_ENDS_CHECKPOINT, PageVersions};

/// Why who asks for pages or log is to come again.
pub(crate) const NO_INDEX: &str = "the index is not there yet";

/// What is in versions already is held too until that is known: a scan, and writes until then, may take so many times what may wait
/// otherwise.
pub(crate) const HELD_FACTOR: usize = 2;
/// Pages that are taken in one slice, or a few more: some 500 us.
const SLICE_PAGES: usize = 1_024;
/// A read that failed is tried again so often, and so long after: a device that is gone for a moment has not lost anything.
const TRIES_MAX: u32 = 10;
const RETRY_US: u64 = 1_000_000;

/// What the shard has of its index.
#[derive(Debug)]
pub(crate) enum Index {
    /// All.
    Loaded,
    Loading(Box<Loading>),
    /// Some of it does not read back: segments that lack it are to give up their log, and get all pages anew.
    Lost,
}

/// A chain that is being loaded.
#[derive(Debug)]
pub(crate) struct Loading {
    walk: Walk,
    is_reading: bool,
    /// Tries to read the next part that have failed, and when the next may be.
    failures: u32,
    retry_at_us: u64,
    /// What was read last, as long as there are parts in it that have not been taken.
    piece: Option<AlignedBuffer>,
    /// Parts that are known to be in use, newest first.
    chain: Vec<Part>,
    /// So many of them were before the first was taken here.
    known: usize,
    pages: usize,
    checkpoints: u32,
    /// Segments that the checkpoint names: those that came later have all they need from the log.
    named: BTreeSet<SegmentKey>,
    /// Pages of which a newer part says that they went.
    gone: BTreeSet<(SegmentKey, PageId)>,
    /// The checkpoint does not tell how far versions go, as before superblock version 5: the scan must know.
    comes_first: bool,
}

impl Loading {
    /// Begins anew at the end of the chain, of which these parts are known: the segments stand there.
    pub fn new(walk: Walk, chain: Vec<Part>, named: BTreeSet<SegmentKey>, comes_first: bool) -> Loading {
        let known = chain.len();
        Loading {
            walk,
            is_reading: false,
            failures: 0,
            retry_at_us: 0,
            piece: None,
            chain,
            known,
            pages: 0,
            checkpoints: 0,
            named,
            gone: BTreeSet::new(),
            comes_first,
        }
    }
}

impl Shard {
    /// Whether pages, runs of log and extents are known.
    pub(crate) fn has_index(&self) -> bool {
        matches!(self.index, Index::Loaded)
    }

    /// Whether the scan of a start must wait for the index.
    pub(crate) fn index_comes_first(&self) -> bool {
        let Index::Loading(loading) = &self.index else { return false };
        loading.comes_first || self.pending.bytes() > HELD_FACTOR * self.options.pending_bytes_max
    }

    /// Takes in one part, or what there is to do without an index. True: there is more to do now.
    pub(crate) fn index_slice(&mut self, now: Now, effects: &mut Effects) -> bool {
        match &self.index {
            Index::Loaded => {}
            Index::Lost => return self.give_up_without_index(now, effects),
            Index::Loading(loading) if loading.is_reading || now.monotonic_us < loading.retry_at_us => {}
            Index::Loading(loading) => {
                let until = loading.pages + SLICE_PAGES;
                self.take_in_parts(until, effects);
                if self.has_index() {
                    // Peers were asked for nothing until now: none of them has been silent.
                    self.links.started(now);
                }
                return true;
            }
        }
        false
    }

    /// Takes in parts until so many pages have come, or something must be read.
    fn take_in_parts(&mut self, until: usize, effects: &mut Effects) {
        while let Index::Loading(loading) = &self.index
            && !loading.is_reading
            && loading.pages < until
        {
            self.take_in_part(effects);
        }
    }

    /// Reads on, or takes the next part out of what was read.
    fn take_in_part(&mut self, effects: &mut Effects) {
        let Index::Loading(mut loading) = core::mem::replace(&mut self.index, Index::Loaded) else { return };
        let Some(piece) = loading.piece.take() else {
            let (offset, bytes) = loading.walk.piece();
            loading.is_reading = true;
            self.index = Index::Loading(loading);
            return self.read(Io::Index, Area::Extents, offset, AlignedBuffer::zeroed(bytes), effects);
        };
        let taken = loading.walk.take(piece.bytes());
        let after = taken.and_then(|taken| {
            let after = taken.after;
            self.restore_part(&mut loading, &taken).map(|()| after).map_err(|it| format!("{it}"))
        });
        match after {
            Ok(After::Here) => loading.piece = Some(piece),
            Ok(After::Elsewhere) => {}
            Ok(After::Nowhere) => return self.end_loading(*loading, effects),
            Err(why) => return self.lose_index(*loading, &why, effects),
        }
        self.index = Index::Loading(loading);
    }

    pub(crate) fn on_index_read(
        &mut self,
        now: Now,
        result: IoResult,
        buffer: AlignedBuffer,
        effects: &mut Effects,
    ) {
        let Index::Loading(mut loading) = core::mem::replace(&mut self.index, Index::Loaded) else {
            unreachable!("nothing else ends a read of it")
        };
        loading.is_reading = false;
        let (offset, _) = loading.walk.piece();
        let failed =
            |errno| format!("reading the index at extents offset {offset} failed with errno {errno}");
        match result.errno().map(failed) {
            None => {
                loading.failures = 0;
                loading.piece = Some(buffer);
            }
            Some(why) if loading.walk.read_alone() => {
                effects.list.push(Effect::Log(format!("{why}: the part there is read alone")));
            }
            Some(why) if matches!(self.phase, Phase::Starting(_)) => return self.give_up(why, effects),
            Some(why) if loading.failures == TRIES_MAX => return self.lose_index(*loading, &why, effects),
            Some(why) => {
                loading.failures += 1;
                loading.retry_at_us = now.monotonic_us + RETRY_US;
                effects.list.push(Effect::Log(format!("{why}: tried again, {TRIES_MAX} times at most")));
            }
        }
        self.index = Index::Loading(loading);
        if matches!(self.phase, Phase::Starting(_)) {
            self.load_all(effects);
        }
    }

    /// The scan waits for it.
    pub(crate) fn load_all(&mut self, effects: &mut Effects) {
        self.take_in_parts(usize::MAX, effects);
        let Phase::Starting(Recovery::Index { end, at, bytes_min }) = self.phase else {
            // It is of no use.
            return;
        };
        if self.has_index() {
            for segment in self.segments.values_mut().filter(|segment| segment.health.follows_log()) {
                segment.scl = segment.scl.max(segment.pages.merged_to());
            }
            self.read_log(end, at, bytes_min, effects);
        }
    }

    fn restore_part(&mut self, loading: &mut Loading, taken: &Taken<'_>) -> Result<(), Malformed> {
        loading.checkpoints += u32::from(taken.header.flags & PART_ENDS_CHECKPOINT != 0);
        if !loading.chain[..loading.known].contains(&taken.part) {
            self.restore_block(taken.part)?;
            loading.chain.push(taken.part);
        }
        let mut reader = Reader::new(taken.items);
        while reader.remaining() > 0 {
            match Item::decode(&mut reader)? {
                // The end of the newest checkpoint has told.
                Item::Segment(_) | Item::Versions(..) => {}
                Item::Pages(volume, group, pages) => {
                    loading.pages += pages.len();
                    for (page, versions) in pages {
                        self.restore_page((volume, group), page, versions, &mut loading.gone)?;
                    }
                }
                Item::Runs(volume, group, runs) => self.restore_runs((volume, group), runs)?,
            }
        }
        Ok(())
    }

    /// A part of the chain takes its place.
    pub(crate) fn restore_block(&mut self, part: Part) -> Result<(), Malformed> {
        let is_inside = self.extents.restore(part.address, u64::from(part.bytes), Fill::Parts);
        if is_inside { Ok(()) } else { Err(Malformed { what: "part address" }) }
    }

    /// What a part says of a page, unless a newer one has said something.
    fn restore_page(
        &mut self,
        key: SegmentKey,
        page: PageId,
        versions: PageVersions,
        gone: &mut BTreeSet<(SegmentKey, PageId)>,
    ) -> Result<(), Malformed> {
        let segment = self.segments.get_mut(&key).ok_or(Malformed { what: "item of an unknown segment" })?;
        let is_known = segment.pages.get(page).is_some_and(|entry| entry.has_versions());
        if is_known || gone.contains(&(key, page)) {
            return Ok(());
        }
        if versions == PageVersions::default() {
            gone.insert((key, page));
            return Ok(());
        }
        let image = versions.image.map(|image| (image.address, PAGE_SIZE as u64, Fill::Fresh));
        let delta = versions.delta.map(|delta| (delta.address, u64::from(delta.bytes), Fill::Deltas));
        let blocks = || image.into_iter().chain(delta);
        if !blocks().all(|(address, bytes, _)| self.extents.is_inside(address, bytes)) {
            return Err(Malformed { what: "version address" });
        }
        for (address, bytes, fill) in blocks() {
            assert!(self.extents.restore(address, bytes, fill), "just seen");
        }
        if versions.image.is_none() {
            self.extents.page_without_image();
        }
        for record in segment.pages.load(page, versions) {
            segment.batches.merged(record.batch.first(), key, &mut self.pending);
        }
        Ok(())
    }

    fn restore_runs(&mut self, key: SegmentKey, runs: Vec<LogRun>) -> Result<(), Malformed> {
        let (head, replay) = (self.superblock.log_head, self.superblock.replay_from);
        let segment = self.segments.get_mut(&key).ok_or(Malformed { what: "item of an unknown segment" })?;
        if !segment.health.follows_log() {
            // It has given up its log.
            return Ok(());
        }
        // What was freed since is gone; what the scan has met it has found itself.
        for run in runs.into_iter().filter(|run| run.position >= head && run.position < replay) {
            segment.runs.restore(run, &segment.history, segment.base, replay);
        }
        Ok(())
    }

    fn end_loading(&mut self, loading: Loading, effects: &mut Effects) {
        self.take_chain(loading.chain, loading.checkpoints);
        let pages: usize = self.segments.values().map(|segment| segment.pages.count()).sum();
        effects.list.push(Effect::Log(format!("the index is loaded: {pages} pages")));
    }

    /// Goes on from a chain, newest part first.
    fn take_chain(&mut self, mut chain: Vec<Part>, checkpoints: u32) {
        chain.reverse();
        let generation = self.superblock.checkpoint_generation;
        let through = self.segments.iter().map(|(key, it)| (*key, it.pages.versions_through())).collect();
        self.checkpointer.restore(chain, checkpoints, generation, through);
        self.extents.checkpoint_begins(generation);
    }

    /// Some of the index does not read back. What is known of it names blocks that are there; of the others nothing is known.
    fn lose_index(&mut self, loading: Loading, why: &str, effects: &mut Effects) {
        if matches!(self.phase, Phase::Starting(_)) {
            // Nothing has been told yet.
            return self.begin_salvage(why, effects);
        }
        self.counters.indexes_lost += 1;
        let text = format!(
            "ALARM: the index checkpoint is damaged: {why}: the {} segments that it names fetch all their pages from their peers",
            loading.named.len()
        );
        effects.list.push(Effect::Log(text));
        // A start before the next checkpoint needs the parts that name the segments again.
        self.take_chain(loading.chain, 1);
        self.checkpointer.begin_anew();
        self.index = Index::Lost;
        for key in loading.named {
            let segment = self.segments.get_mut(&key).expect("segments stay");
            segment.lacks_index = segment.health.follows_log();
        }
    }

    /// Segments without an index give up their log; the next checkpoint, which does not rest on this chain, says so too.
    fn give_up_without_index(&mut self, now: Now, effects: &mut Effects) -> bool {
        if !matches!(self.phase, Phase::Running) {
            return false;
        }
        let lacking = self.segments.iter().filter(|(_, segment)| segment.lacks_index);
        let left: Vec<SegmentKey> = lacking.map(|(key, _)| *key).collect();
        if left.is_empty() {
            self.index = Index::Loaded;
            self.links.started(now);
            return true;
        }
        for key in &left {
            self.decide_hydration(*key);
        }
        self.submit_append(effects);
        // A log without room for it leaves it to a checkpoint, which must know all that they have acknowledged.
        let is_left_to_checkpoint = left.iter().all(|key| self.segments[key].decided.gives_up_log);
        is_left_to_checkpoint && self.log.is_idle() && self.checkpoint_slice(now, effects)
    }
}
