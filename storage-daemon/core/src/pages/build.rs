//! Puts a page together: image and delta from the device, submitted together, then the records in memory.
//!
//! Used for serving and for coalescing alike. Every block read is checked: checksum against the index, identity,
//! own address. What does not hold is counted and never used.

use super::Recipe;
use crate::effects::{Area, ConnectionId, Effects, IoResult};
use crate::segment::SegmentKey;
use crate::shard::{Io, Shard};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use hexalog_protocol::message::ReadPage;
use hexalog_protocol::record::{ApplyError, apply};
use hexalog_protocol::{DeviceId, Lsn, PAGE_SIZE, Page, PageId, SummedImage};
use hexalog_storage_format::aligned::{AlignedBuffer, BLOCK_BYTES};
use hexalog_storage_format::delta::{self, BlockIdentity, DeltaRecord};

/// What a page is built for.
#[derive(Clone, Debug)]
pub(crate) enum Purpose {
    Serve {
        connection: ConnectionId,
        request_id: u64,
        read: ReadPage,
    },
    /// For a new image.
    Coalesce,
    /// For a new delta: no page is put together, only what there is of its records.
    Gather,
    /// To see that it can be.
    Scrub,
    /// For a peer that is hydrated: page `index` of an answer.
    Hydrate {
        answer: u64,
        index: usize,
    },
}

/// A page that waits for the device.
#[derive(Debug)]
pub(crate) struct Build {
    pub purpose: Purpose,
    pub key: SegmentKey,
    pub page: PageId,
    pub read_point: Lsn,
    pub recipe: Recipe,
    /// As they were read.
    image: Option<AlignedBuffer>,
    delta: Option<AlignedBuffer>,
    reads_left: u8,
    has_failed: bool,
}

/// Why a page could not be put together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BuildError {
    /// A block is not what the index says.
    Damaged,
    /// The records do not fit together.
    Unfit(ApplyError),
}

/// Pages that wait for the device.
#[derive(Debug, Default)]
pub(crate) struct Builds {
    running: BTreeMap<u64, Build>,
    numbered: u64,
    spare: Vec<AlignedBuffer>,
}

/// Read buffers kept for the next reads.
const SPARE_BUFFERS_MAX: usize = 64;

impl Builds {
    pub fn count(&self) -> usize {
        self.running.len()
    }

    fn page_buffer(&mut self) -> AlignedBuffer {
        self.spare.pop().unwrap_or_else(|| AlignedBuffer::zeroed(PAGE_SIZE))
    }

    fn keep_spare(&mut self, buffer: Option<AlignedBuffer>) {
        if self.spare.len() < SPARE_BUFFERS_MAX {
            self.spare.extend(buffer);
        }
    }
}

impl Shard {
    /// Begins a build; without anything on the device it ends at once.
    pub(crate) fn begin_build(
        &mut self,
        purpose: Purpose,
        key: SegmentKey,
        page: PageId,
        read_point: Lsn,
        recipe: Recipe,
        effects: &mut Effects,
    ) {
        let (image, delta) = (recipe.image, recipe.delta);
        let reads_left = u8::from(image.is_some()) + u8::from(delta.is_some());
        let build = Build {
            purpose,
            key,
            page,
            read_point,
            recipe,
            image: None,
            delta: None,
            reads_left,
            has_failed: false,
        };
        if reads_left == 0 {
            return self.finish_build(build, effects);
        }
        self.builds.numbered += 1;
        let number = self.builds.numbered;
        if let Some(image) = image {
            let buffer = self.builds.page_buffer();
            self.read(
                Io::PageImage { build: number },
                Area::Extents,
                image.address.offset(),
                buffer,
                effects,
            );
        }
        if let Some(delta) = delta {
            let buffer = AlignedBuffer::zeroed(BLOCK_BYTES);
            self.read(
                Io::PageDelta { build: number },
                Area::Extents,
                delta.address.offset(),
                buffer,
                effects,
            );
        }
        self.builds.running.insert(number, build);
    }

    pub(crate) fn on_image_read(
        &mut self,
        number: u64,
        result: IoResult,
        buffer: AlignedBuffer,
        effects: &mut Effects,
    ) {
        let build = self.builds.running.get_mut(&number).expect("a read has its build");
        build.image = Some(buffer);
        self.build_read_ended(number, result, effects);
    }

    pub(crate) fn on_delta_read(
        &mut self,
        number: u64,
        result: IoResult,
        buffer: AlignedBuffer,
        effects: &mut Effects,
    ) {
        let build = self.builds.running.get_mut(&number).expect("a read has its build");
        build.delta = Some(buffer);
        self.build_read_ended(number, result, effects);
    }

    fn build_read_ended(&mut self, number: u64, result: IoResult, effects: &mut Effects) {
        let build = self.builds.running.get_mut(&number).expect("the caller found it");
        build.has_failed |= result != IoResult::Done;
        build.reads_left -= 1;
        if build.reads_left == 0 {
            let build = self.builds.running.remove(&number).expect("just seen");
            let is_served = matches!(build.purpose, Purpose::Serve { .. });
            if is_served {
                self.reads.ended(build.key.0);
            }
            self.finish_build(build, effects);
            if is_served {
                self.serve_waiting(effects);
            }
        }
    }

    fn finish_build(&mut self, mut build: Build, effects: &mut Effects) {
        let device = self.superblock.device;
        match build.purpose.clone() {
            Purpose::Gather => return self.finish_gathering(build, effects),
            Purpose::Serve { connection, request_id, read } if build.is_image_alone() => {
                let image = build.checked_image(device);
                self.finish_serving(connection, request_id, read, &build, image, effects);
            }
            Purpose::Serve { connection, request_id, read } => {
                let built = build.assemble(device);
                let image = built.as_ref().map(|page| SummedImage::new(page.bytes())).map_err(|error| *error);
                self.finish_serving(connection, request_id, read, &build, image, effects);
            }
            Purpose::Coalesce => self.finish_coalescing(&build, build.assemble(device), effects),
            Purpose::Scrub => self.finish_scrubbing(&build, build.assemble(device), effects),
            Purpose::Hydrate { answer, index } => {
                self.finish_hydrating((answer, index), &build, build.assemble(device), effects);
            }
        }
        self.builds.keep_spare(build.image.take());
    }
}

impl Build {
    /// Whether the device could not read what it was made of.
    pub(crate) fn has_failed(&self) -> bool {
        self.has_failed
    }

    /// The records of the delta that was read, if there is one and its block is what the index says.
    pub(crate) fn delta_records(&self, device: DeviceId) -> Result<Vec<DeltaRecord<'_>>, BuildError> {
        let Some(named) = self.recipe.delta else { return Ok(Vec::new()) };
        let identity = BlockIdentity { device, offset: named.address.offset(), volume: self.key.0 };
        let block = self.delta.as_ref().ok_or(BuildError::Damaged)?.bytes();
        let found = delta::find(block, &identity, named.crc, self.page, named.from);
        Ok(found.map_err(|_| BuildError::Damaged)?.records)
    }

    /// Whether the page is the image, as it stands on the device.
    fn is_image_alone(&self) -> bool {
        self.recipe.image.is_some() && self.recipe.delta.is_none() && self.recipe.records.is_empty()
    }

    /// The image that was read, if it is what the index says.
    fn checked_image(&self, device: DeviceId) -> Result<SummedImage<'_>, BuildError> {
        let bytes = self.image.as_ref().and_then(|buffer| buffer.bytes().first_chunk());
        let (Some(named), Some(bytes), false) = (self.recipe.image, bytes, self.has_failed) else {
            return Err(BuildError::Damaged);
        };
        let image = SummedImage::new(bytes);
        let is_it = image.crc() == named.crc
            && image.verify(self.key.0, self.page)
            && image.is_at(device, named.address.0)
            && image.lsn() == named.lsn;
        if is_it { Ok(image) } else { Err(BuildError::Damaged) }
    }

    fn assemble(&self, device: DeviceId) -> Result<Page, BuildError> {
        if self.has_failed {
            return Err(BuildError::Damaged);
        }
        let volume = self.key.0;
        let mut page = match self.recipe.image {
            None => Page::new(volume, self.page),
            Some(_) => self.checked_image(device)?.to_page(),
        };
        let base = page.lsn();
        for record in self.delta_records(device)? {
            if record.lsn > base && record.lsn <= self.read_point {
                apply(&mut page, record.lsn, record.page_backlink, record.operations)
                    .map_err(BuildError::Unfit)?;
            }
        }
        let base = page.lsn();
        for record in self.recipe.records.iter().filter(|record| record.lsn > base) {
            apply(&mut page, record.lsn, record.page_backlink(), record.operations())
                .map_err(BuildError::Unfit)?;
        }
        // A page that only ever existed as zeros has no identity in its bytes yet.
        page.set_identity(volume, self.page);
        assert!(page.lsn() <= self.read_point, "nothing above the read point is in it");
        Ok(page)
    }
}
