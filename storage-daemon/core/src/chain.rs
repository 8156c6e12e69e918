//! The chain of a checkpoint's parts, walked from the newest to the oldest.
//!
//! A part names the one before it, so each would have to be read before the next is known; but parts of one time stand
//! in one extent, as a rule. So what is read is an extent up to the end of the part that is wanted, and those before it
//! are mostly there: one read of a MiB where it were some thirty, each of which waits for the one before.

use alloc::format;
use alloc::string::String;
use hexalog_protocol::DeviceId;
use hexalog_storage_format::address::{AREA_EXTENTS, BlockAddress};
use hexalog_storage_format::aligned::BLOCK_BYTES;
use hexalog_storage_format::checkpoint::{PART_BEGINS_CHAIN, PartHeader, part_crc};
use hexalog_storage_format::superblock::Superblock;

/// A part of the durable chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Part {
    pub address: BlockAddress,
    pub bytes: u32,
    /// What its checksum must be; 0: whoever names it did not tell.
    pub crc: u32,
}

impl Part {
    /// The header and items in what was read in its place, if they are its own.
    pub fn read<'a>(
        &self,
        bytes: &'a [u8],
        device: DeviceId,
    ) -> Result<(PartHeader, &'a [u8]), &'static str> {
        let (header, items) = PartHeader::decode(bytes).map_err(|malformed| malformed.what)?;
        let is_here = header.device == device && header.offset == self.address.offset();
        let is_it = self.crc == 0 || self.crc == part_crc(bytes);
        if is_here && is_it { Ok((header, items)) } else { Err("it is another part") }
    }
}

/// A part in what was read.
pub(crate) struct Taken<'a> {
    pub header: PartHeader,
    pub part: Part,
    pub items: &'a [u8],
    pub after: After,
}

/// Where the part before the one that was taken is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum After {
    /// In what was read, too.
    Here,
    /// It must be read.
    Elsewhere,
    /// There is none.
    Nowhere,
}

/// How far a walk has come.
#[derive(Debug)]
pub(crate) struct Walk {
    device: DeviceId,
    extents_bytes: u64,
    extent_bytes: u64,
    /// Of the checkpoint that the chain ends with.
    generation: u64,
    /// The part that was taken last.
    later: Option<PartHeader>,
    /// The one that comes next. What is read ends with it, and begins at `from`.
    next: Part,
    from: u64,
}

impl Walk {
    /// From the part that a superblock names on.
    pub fn begin(superblock: &Superblock) -> Result<Walk, &'static str> {
        let next = Part {
            address: superblock.checkpoint,
            bytes: superblock.checkpoint_bytes,
            crc: superblock.checkpoint_crc,
        };
        let mut walk = Walk {
            device: superblock.device,
            extents_bytes: superblock.extents_bytes,
            extent_bytes: superblock.extent_bytes,
            generation: superblock.checkpoint_generation,
            later: None,
            next,
            from: 0,
        };
        walk.read_extent_of(next)?;
        Ok(walk)
    }

    /// What is to be read: offset and length.
    pub fn piece(&self) -> (u64, usize) {
        let end = self.next.address.offset() + u64::from(self.next.bytes);
        (self.from, (end - self.from) as usize)
    }

    /// The piece cannot be read: something else there may be why, so the part is read alone. False if it was.
    pub fn read_alone(&mut self) -> bool {
        let offset = self.next.address.offset();
        core::mem::replace(&mut self.from, offset) < offset
    }

    /// Takes the next part out of the piece that was read.
    pub fn take<'a>(&mut self, piece: &'a [u8]) -> Result<Taken<'a>, String> {
        let offset = self.next.address.offset();
        let at = (offset - self.from) as usize;
        let bytes = &piece[at..at + self.next.bytes as usize];
        let why = |why: &str| format!("the part at extents offset {offset}: {why}");
        let (header, items) = self.check(bytes).map_err(why)?;
        // A chain of the version before told no checksum: what goes on from it tells this one.
        let part = Part { crc: part_crc(bytes), ..self.next };
        self.later = Some(header);
        let after = self.step(&header, at == 0, piece.len() as u64).map_err(why)?;
        Ok(Taken { header, part, items, after })
    }

    fn check<'a>(&self, bytes: &'a [u8]) -> Result<(PartHeader, &'a [u8]), &'static str> {
        let (header, items) = self.next.read(bytes, self.device)?;
        let follows = match self.later {
            None => header.generation == self.generation,
            Some(later) => {
                later.index.checked_sub(1) == Some(header.index) && header.generation <= later.generation
            }
        };
        if follows { Ok((header, items)) } else { Err("it is of another chain") }
    }

    /// Goes on to the part before. `is_first`: the piece begins with the one that was taken.
    fn step(&mut self, header: &PartHeader, is_first: bool, piece_bytes: u64) -> Result<After, &'static str> {
        if header.flags & PART_BEGINS_CHAIN != 0 {
            return Ok(After::Nowhere);
        }
        let next = Part { address: header.previous, bytes: header.previous_bytes, crc: header.previous_crc };
        let was_alone = is_first && !self.from.is_multiple_of(self.extent_bytes);
        let last_extent = self.from / self.extent_bytes;
        let (offset, end) = (next.address.offset(), next.address.offset() + u64::from(next.bytes));
        if self.may_be_part(next) && offset >= self.from && end <= self.from + piece_bytes {
            self.next = next;
            return Ok(After::Here);
        }
        self.read_extent_of(next)?;
        if was_alone && offset / self.extent_bytes == last_extent {
            // It stands where not all can be read.
            self.from = offset;
        }
        Ok(After::Elsewhere)
    }

    fn read_extent_of(&mut self, next: Part) -> Result<(), &'static str> {
        if !self.may_be_part(next) {
            return Err("it names a part outside the device");
        }
        let offset = next.address.offset();
        (self.next, self.from) = (next, offset - offset % self.extent_bytes);
        Ok(())
    }

    /// Whether a part can stand there: whole blocks, within one extent.
    fn may_be_part(&self, part: Part) -> bool {
        let (offset, bytes) = (part.address.offset(), u64::from(part.bytes));
        BlockAddress::checked(part.address.0, AREA_EXTENTS).is_some()
            && bytes > 0
            && bytes.is_multiple_of(BLOCK_BYTES as u64)
            && offset % self.extent_bytes + bytes <= self.extent_bytes
            && offset + bytes <= self.extents_bytes
    }
}
