//! Entries of a log append: group batches and control records.
//!
//! An entry is: kind 1, zero 3, body length 4, body. Kinds are fixed for good:
//!
//! | kind | entry | body |
//! |---|---|---|
//! | 1 | group batch | volume 16, the batch as sealed |
//! | 2 | create segment | volume 16, group 4, segment 8, pages per group 8, geometry epoch 8, base LSN 8, membership |
//! | 3 | epoch bump | volume 16, group 4, epoch 8, incarnation 8 |
//! | 4 | install history | volume 16, group 4, history |
//! | 5 | membership | volume 16, group 4, membership |
//! | 6 | heard | volume 16, epoch 8, incarnation 8, VDL 8, PGMRPL 8, wall time 8 |
//! | 7 | member beyond retention | volume 16, group 4, segment 8 |
//! | 8 | needs hydration | volume 16, group 4, SCL 8 |
//! | 9 | proven | volume 16, group 4 |
//! | 10 | restore segment | as of create segment; the base LSN says nothing |
//!
//! "Heard" is what makes VDL and the collection floor durable: one an append and volume, when they moved.
//! "Member beyond retention" names a peer whose missing log was freed; "needs hydration" the segment itself. It says
//! nothing of a segment whose base LSN is above its SCL: that one has been hydrated since. "Proven" ends the state of a
//! damaged segment: it holds again all that it may ever have acknowledged. "Restore segment" makes one that its writer knows
//! and this shard does not, since what named it here is lost: it is damaged, and has no page.

use crate::membership;
use alloc::vec::Vec;
use hexalog_protocol::batch::Batch;
use hexalog_protocol::codec::{Malformed, Put, Reader};
use hexalog_protocol::history::EpochHistory;
use hexalog_protocol::ids::WriterId;
use hexalog_protocol::message::{CreateSegment, Membership};
use hexalog_protocol::{GeometryEpoch, GroupId, Incarnation, Lsn, SegmentId, VolumeEpoch, VolumeId};

/// Bytes before an entry's body.
pub const ENTRY_HEADER_BYTES: usize = 8;
/// Bytes that a batch takes beyond its own.
pub const BATCH_OVERHEAD_BYTES: usize = ENTRY_HEADER_BYTES + 16;
/// Bytes of a "heard" entry.
pub const HEARD_BYTES: usize = ENTRY_HEADER_BYTES + 56;

const BATCH: u8 = 1;
const CREATE_SEGMENT: u8 = 2;
const EPOCH_BUMP: u8 = 3;
const INSTALL_HISTORY: u8 = 4;
const MEMBERSHIP: u8 = 5;
const HEARD: u8 = 6;
const MEMBER_BEYOND_RETENTION: u8 = 7;
const NEEDS_HYDRATION: u8 = 8;
const PROVEN: u8 = 9;
const RESTORE_SEGMENT: u8 = 10;

/// One entry.
#[derive(Clone, PartialEq, Debug)]
pub enum Entry<'a> {
    /// Records of a group.
    Batch {
        /// The volume; the group stands in the batch.
        volume: VolumeId,
        /// As sealed by the writer.
        batch: Batch<'a>,
    },
    /// A segment was made.
    CreateSegment(CreateSegment),
    /// A segment that is known here no more was made anew.
    RestoreSegment(CreateSegment),
    /// Older writers are fenced from here on.
    EpochBump {
        /// The volume.
        volume: VolumeId,
        /// The group.
        group: GroupId,
        /// The opener.
        writer: WriterId,
    },
    /// An epoch history replaces the segment's.
    InstallHistory {
        /// The volume.
        volume: VolumeId,
        /// The group.
        group: GroupId,
        /// The whole history.
        history: EpochHistory,
    },
    /// The members changed.
    Membership {
        /// The volume.
        volume: VolumeId,
        /// The group.
        group: GroupId,
        /// The members.
        membership: Membership,
    },
    /// What a writer told about its volume.
    Heard {
        /// The volume.
        volume: VolumeId,
        /// Who told.
        writer: WriterId,
        /// Volume durable LSN.
        vdl: Lsn,
        /// Lowest read point in use: the collection floor from here on.
        pgmrpl: Lsn,
        /// The writer's wall clock: maps time to LSN.
        wall_time_us: u64,
    },
    /// Log that this member lacks was freed; it must be hydrated by pages and holds no log back.
    MemberBeyondRetention {
        /// The volume.
        volume: VolumeId,
        /// The group.
        group: GroupId,
        /// The member's segment.
        segment: SegmentId,
    },
    /// No peer has the log that this segment lacks.
    NeedsHydration {
        /// The volume.
        volume: VolumeId,
        /// The group.
        group: GroupId,
        /// How far it had come.
        scl: Lsn,
    },
    /// A segment that was damaged holds again all that it may have acknowledged: from here on it counts.
    Proven {
        /// The volume.
        volume: VolumeId,
        /// The group.
        group: GroupId,
    },
}

impl Entry<'_> {
    /// Appends the entry.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.put_u64(0);
        let kind = self.encode_body(out);
        let length = u32::try_from(out.len() - start - ENTRY_HEADER_BYTES).expect("an entry is below 4 GiB");
        out[start] = kind;
        out[start + 4..start + 8].copy_from_slice(&length.to_le_bytes());
    }

    fn encode_body(&self, out: &mut Vec<u8>) -> u8 {
        match self {
            Entry::Batch { volume, batch } => {
                out.put_bytes(&volume.0);
                out.put_bytes(batch.bytes);
                BATCH
            }
            Entry::CreateSegment(create) => {
                put_creation(out, create);
                CREATE_SEGMENT
            }
            Entry::RestoreSegment(create) => {
                put_creation(out, create);
                RESTORE_SEGMENT
            }
            Entry::EpochBump { volume, group, writer } => {
                put_name(out, *volume, *group);
                put_writer(out, *writer);
                EPOCH_BUMP
            }
            Entry::InstallHistory { volume, group, history } => {
                put_name(out, *volume, *group);
                history.encode(out);
                INSTALL_HISTORY
            }
            Entry::Membership { volume, group, membership } => {
                put_name(out, *volume, *group);
                membership::encode(membership, out);
                MEMBERSHIP
            }
            Entry::Heard { volume, writer, vdl, pgmrpl, wall_time_us } => {
                out.put_bytes(&volume.0);
                put_writer(out, *writer);
                out.put_u64(vdl.0);
                out.put_u64(pgmrpl.0);
                out.put_u64(*wall_time_us);
                HEARD
            }
            Entry::MemberBeyondRetention { volume, group, segment } => {
                put_name(out, *volume, *group);
                out.put_u64(segment.0);
                MEMBER_BEYOND_RETENTION
            }
            Entry::NeedsHydration { volume, group, scl } => {
                put_name(out, *volume, *group);
                out.put_u64(scl.0);
                NEEDS_HYDRATION
            }
            Entry::Proven { volume, group } => {
                put_name(out, *volume, *group);
                PROVEN
            }
        }
    }
}

/// Header of a batch's entry, with the volume: what stands before the batch's own bytes. Lets the foreground
/// copy a batch once, straight into the append.
pub fn batch_entry_header(volume: VolumeId, batch_bytes: usize) -> [u8; BATCH_OVERHEAD_BYTES] {
    let length = u32::try_from(batch_bytes + 16).expect("a batch is bounded");
    let mut header = [0; BATCH_OVERHEAD_BYTES];
    header[0] = BATCH;
    header[4..8].copy_from_slice(&length.to_le_bytes());
    header[8..].copy_from_slice(&volume.0);
    header
}

fn put_creation(out: &mut Vec<u8>, create: &CreateSegment) {
    put_name(out, create.volume, create.group);
    out.put_u64(create.segment.0);
    out.put_u64(create.pages_per_group);
    out.put_u64(create.geometry_epoch.0);
    out.put_u64(create.base_lsn.0);
    membership::encode(&create.membership, out);
}

pub(crate) fn put_name(out: &mut Vec<u8>, volume: VolumeId, group: GroupId) {
    out.put_bytes(&volume.0);
    out.put_u32(group.0);
}

pub(crate) fn put_writer(out: &mut Vec<u8>, writer: WriterId) {
    out.put_u64(writer.epoch.0);
    out.put_u64(writer.incarnation.0);
}

pub(crate) fn get_volume(reader: &mut Reader<'_>) -> Result<VolumeId, Malformed> {
    Ok(VolumeId(reader.array("volume")?))
}

fn get_creation(volume: VolumeId, group: GroupId, body: &mut Reader<'_>) -> Result<CreateSegment, Malformed> {
    Ok(CreateSegment {
        volume,
        group,
        segment: SegmentId(body.u64("segment")?),
        pages_per_group: body.u64("pages per group")?,
        geometry_epoch: GeometryEpoch(body.u64("geometry epoch")?),
        base_lsn: Lsn(body.u64("base LSN")?),
        membership: membership::decode(body)?,
    })
}

pub(crate) fn get_name(reader: &mut Reader<'_>) -> Result<(VolumeId, GroupId), Malformed> {
    Ok((get_volume(reader)?, GroupId(reader.u32("group")?)))
}

pub(crate) fn get_writer(reader: &mut Reader<'_>) -> Result<WriterId, Malformed> {
    let epoch = VolumeEpoch(reader.u64("epoch")?);
    Ok(WriterId { epoch, incarnation: Incarnation(reader.u64("incarnation")?) })
}

/// Iterates over the entries of an append whose checksum holds.
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    reader: Reader<'a>,
    read_batch: ReadBatch<'a>,
}

type ReadBatch<'a> = fn(&mut Reader<'a>) -> Result<Batch<'a>, Malformed>;

impl<'a> Entries<'a> {
    /// Over the entry bytes of one append.
    pub fn new(bytes: &'a [u8]) -> Entries<'a> {
        Entries { reader: Reader::new(bytes), read_batch: Batch::read }
    }

    /// The same of an append that was put together in this run and is still in memory: each batch's checksum was verified
    /// when the batch was received.
    pub fn of_verified(bytes: &'a [u8]) -> Entries<'a> {
        Entries { reader: Reader::new(bytes), read_batch: Batch::read_verified }
    }

    fn read(&mut self) -> Result<Entry<'a>, Malformed> {
        let kind = self.reader.u8("entry kind")?;
        if self.reader.array::<3>("entry spare")? != [0; 3] {
            return Err(Malformed { what: "entry spare" });
        }
        let length = self.reader.u32("entry length")? as usize;
        let mut body = Reader::new(self.reader.bytes(length, "entry body")?);
        let entry = decode_body(kind, &mut body, self.read_batch)?;
        body.finish("entry trailing bytes")?;
        Ok(entry)
    }
}

fn decode_body<'a>(
    kind: u8,
    body: &mut Reader<'a>,
    read_batch: ReadBatch<'a>,
) -> Result<Entry<'a>, Malformed> {
    if kind == BATCH {
        return Ok(Entry::Batch { volume: get_volume(body)?, batch: read_batch(body)? });
    }
    if kind == HEARD {
        return Ok(Entry::Heard {
            volume: get_volume(body)?,
            writer: get_writer(body)?,
            vdl: Lsn(body.u64("VDL")?),
            pgmrpl: Lsn(body.u64("PGMRPL")?),
            wall_time_us: body.u64("wall time")?,
        });
    }
    let (volume, group) = get_name(body)?;
    match kind {
        CREATE_SEGMENT => Ok(Entry::CreateSegment(get_creation(volume, group, body)?)),
        RESTORE_SEGMENT => Ok(Entry::RestoreSegment(get_creation(volume, group, body)?)),
        EPOCH_BUMP => Ok(Entry::EpochBump { volume, group, writer: get_writer(body)? }),
        INSTALL_HISTORY => Ok(Entry::InstallHistory { volume, group, history: EpochHistory::decode(body)? }),
        MEMBERSHIP => Ok(Entry::Membership { volume, group, membership: membership::decode(body)? }),
        MEMBER_BEYOND_RETENTION => {
            let segment = SegmentId(body.u64("segment")?);
            Ok(Entry::MemberBeyondRetention { volume, group, segment })
        }
        NEEDS_HYDRATION => Ok(Entry::NeedsHydration { volume, group, scl: Lsn(body.u64("SCL")?) }),
        PROVEN => Ok(Entry::Proven { volume, group }),
        _ => Err(Malformed { what: "entry kind" }),
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<Entry<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.reader.remaining() == 0 {
            return None;
        }
        let item = self.read();
        if item.is_err() {
            self.reader.rest();
        }
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hexalog_protocol::batch::BatchBuilder;
    use hexalog_protocol::history::EpochEntry;
    use hexalog_protocol::message::Member;
    use hexalog_protocol::record::Record;
    use hexalog_protocol::{MembershipEpoch, NodeId, PageId};
    use std::vec;

    const VOLUME: VolumeId = VolumeId([7; 16]);
    const GROUP: GroupId = GroupId(3);

    fn writer() -> WriterId {
        WriterId { epoch: VolumeEpoch(2), incarnation: Incarnation(0x99) }
    }

    fn membership() -> Membership {
        let address = |text: &str| text.parse().expect("an address");
        let member =
            |segment, address| Member { segment: SegmentId(segment), node: NodeId(1), az: 2, address };
        let members = vec![member(5, address("127.0.0.1:7001")), member(6, address("[::1]:7002"))];
        Membership::of(MembershipEpoch(4), members)
    }

    fn sealed() -> Vec<u8> {
        let mut builder = BatchBuilder::new(GROUP);
        builder.push(&Record {
            lsn: Lsn(9),
            page: PageId(1),
            page_backlink: Lsn(0),
            group_backlink: Lsn(8),
            is_cpl: true,
            operations: &[1],
        });
        builder.seal()
    }

    fn samples(sealed: &[u8]) -> Vec<Entry<'_>> {
        let batch = Batch::read(&mut Reader::new(sealed)).expect("a batch");
        let mut history = EpochHistory::new();
        history.push(EpochEntry { writer: writer(), vdl: Lsn(5), upper: Lsn(20) });
        let create = CreateSegment {
            volume: VOLUME,
            group: GROUP,
            segment: SegmentId(5),
            pages_per_group: 16,
            geometry_epoch: GeometryEpoch(1),
            base_lsn: Lsn(0),
            membership: membership(),
        };
        let (volume, group) = (VOLUME, GROUP);
        vec![
            Entry::Batch { volume, batch },
            Entry::CreateSegment(create.clone()),
            Entry::RestoreSegment(create),
            Entry::EpochBump { volume, group, writer: writer() },
            Entry::InstallHistory { volume, group, history },
            Entry::Membership { volume, group, membership: membership() },
            Entry::Heard { volume, writer: writer(), vdl: Lsn(4), pgmrpl: Lsn(3), wall_time_us: 77 },
            Entry::MemberBeyondRetention { volume, group, segment: SegmentId(8) },
            Entry::NeedsHydration { volume, group, scl: Lsn(9) },
            Entry::Proven { volume, group },
        ]
    }

    #[test]
    fn every_kind_round_trips_and_every_cut_is_refused() {
        let sealed = sealed();
        let samples = samples(&sealed);
        let mut bytes = vec![];
        samples.iter().for_each(|entry| entry.encode(&mut bytes));
        for entries in [Entries::new(&bytes), Entries::of_verified(&bytes)] {
            let read: Result<Vec<_>, _> = entries.collect();
            assert_eq!(read, Ok(samples.clone()));
        }
        for entry in &samples {
            let mut bytes = vec![];
            entry.encode(&mut bytes);
            for cut in 1..bytes.len() {
                assert!(Entries::new(&bytes[..cut]).any(|entry| entry.is_err()), "cut {cut} of {entry:?}");
            }
        }
    }

    #[test]
    fn golden_bytes_version_1() {
        let mut bytes = vec![];
        Entry::EpochBump { volume: VOLUME, group: GROUP, writer: writer() }.encode(&mut bytes);
        let mut expected = vec![3, 0, 0, 0, 36, 0, 0, 0];
        expected.extend([7; 16]);
        expected.extend([3, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0x99, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(bytes, expected);

        let sealed = sealed();
        let mut bytes = vec![];
        samples(&sealed)[0].encode(&mut bytes);
        let mut expected = batch_entry_header(VOLUME, sealed.len()).to_vec();
        expected.extend_from_slice(&sealed);
        assert_eq!(bytes, expected);
        assert_eq!(bytes[..8], [1, 0, 0, 0, 16 + sealed.len() as u8, 0, 0, 0]);
    }
}
