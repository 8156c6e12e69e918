//! The fields of each message. Order here is order on the wire.

use super::wire::Wire;
use crate::batch::Batch;
use crate::codec::{Malformed, Put, Reader};
use crate::history::EpochHistory;
use crate::ids::{
    DeviceId, GeometryEpoch, GroupId, Lsn, MembershipEpoch, NodeId, PageId, SegmentId, ShardIndex,
    VolumeEpoch, VolumeId, WriterId,
};
use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;

/// Declares a message body whose wire form is its fields in order.
macro_rules! body {
    ($(#[$doc:meta])* struct $name:ident $(<$lt:lifetime>)? { $($(#[$fdoc:meta])* $field:ident: $type:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Debug)]
        pub struct $name $(<$lt>)? { $($(#[$fdoc])* pub $field: $type),* }

        impl<'a> Wire<'a> for $name $(<$lt>)? {
            const SIZE_MIN: usize = 0 $(+ <$type as Wire<'a>>::SIZE_MIN)*;
            fn put(&self, out: &mut Vec<u8>) {
                let _ = &out;
                $(Wire::put(&self.$field, out);)*
            }
            fn get(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
                let _ = &reader;
                Ok($name { $($field: Wire::get(reader)?),* })
            }
        }
    };
}

/// Declares a field-less enum with its wire numbers.
macro_rules! codes {
    ($(#[$doc:meta])* enum $name:ident { $($(#[$vdoc:meta])* $variant:ident = $code:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl<'a> Wire<'a> for $name {
            const SIZE_MIN: usize = 1;
            fn put(&self, out: &mut Vec<u8>) {
                out.put_u8(match self { $($name::$variant => $code),+ });
            }
            fn get(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
                match reader.u8(stringify!($name))? {
                    $($code => Ok($name::$variant),)+
                    _ => Err(Malformed { what: stringify!($name) }),
                }
            }
        }
    };
}

codes! {
    /// Who connects.
    enum Role {
        /// A compute process that writes or reads a volume.
        Compute = 1,
        /// Another storage shard.
        Peer = 2,
        /// An operator's tool: status and inspection only.
        Tool = 3,
    }
}

body! {
    /// First message of a connection. The highest version common to both sides is used.
    struct Hello<'a> {
        /// Lowest protocol version that the sender speaks.
        version_low: u16,
        /// Highest protocol version that the sender speaks.
        version_high: u16,
        /// Who connects.
        role: Role,
        /// Opaque proof of identity; empty until there is authentication between processes.
        identity: &'a [u8],
    }
}

body! {
    /// Answer to [`Hello`]: who was reached, and where its other shards listen.
    struct Welcome {
        /// The version chosen.
        version: u16,
        /// The daemon.
        node: NodeId,
        /// The device of the shard reached.
        device: DeviceId,
        /// Which shard was reached.
        shard: ShardIndex,
        /// Listener port of every shard of the daemon, by shard index.
        shard_ports: Vec<u16>,
    }
}

codes! {
    /// How much room a shard has for redo and what becomes of it. Told early: at `Full` it still takes what was under way and
    /// what frees space.
    enum Room {
        /// Enough.
        Ample = 1,
        /// A writer should go slowly.
        Short = 2,
        /// A writer should admit nothing but what frees space.
        Full = 3,
    }
}

codes! {
    /// Why a request was refused, and so what the sender should do next.
    enum RefusalReason {
        /// The request's writer is older than the segment's: the sender is fenced and must stop.
        StaleEpoch = 1,
        /// The segment is behind the request's epoch: install the history first, then resend.
        EpochBehind = 2,
        /// The membership epoch differs: fetch the member list again.
        StaleMembership = 3,
        /// The geometry epoch differs: fetch the geometry again.
        StaleGeometry = 4,
        /// No such segment on this shard.
        UnknownSegment = 5,
        /// The segment cannot prove that it has everything up to the read point: ask another one.
        NotComplete = 6,
        /// The read point lies below what the segment keeps.
        BelowFloor = 7,
        /// The segment lost data, or must be hydrated, and answers nothing until it is repaired.
        Damaged = 8,
        /// Out of log or extents: retry later. Reading goes on.
        NoSpace = 9,
        /// The bytes did not decode, or break a rule of the protocol.
        Malformed = 10,
        /// No common protocol version.
        Version = 11,
        /// A request of this kind is not allowed in the segment's state or for the connection's role.
        NotAllowed = 12,
        /// The shard's queue for this connection is full: retry after other answers have come.
        Busy = 13,
        /// The device failed; the shard takes no writes until the daemon has been restarted.
        DeviceFailed = 14,
        /// The page's records do not fit together; it is quarantined and an alarm was raised.
        Quarantined = 15,
    }
}

body! {
    /// A request was refused; nothing was changed by it.
    struct Refusal {
        /// What kind of refusal.
        reason: RefusalReason,
        /// The volume concerned.
        volume: VolumeId,
        /// The group concerned.
        group: GroupId,
        /// The segment's current writer.
        writer: WriterId,
        /// The segment's current membership epoch.
        membership_epoch: MembershipEpoch,
        /// The segment's current geometry epoch.
        geometry_epoch: GeometryEpoch,
        /// For people.
        detail: String,
    }
}

body! {
    /// A request was carried out durably.
    struct Done {}
}

body! {
    /// One replica of a group: where it is.
    struct Member {
        /// The segment.
        segment: SegmentId,
        /// Its daemon.
        node: NodeId,
        /// Availability zone, as a small number that metadata gives a name.
        az: u8,
        /// Listener of the shard that owns the segment.
        address: SocketAddr,
    }
}

body! {
    /// A segment that is to take a member's place: it gets all that is written, and counts for nothing but that.
    struct Candidate {
        /// Place of the member that it replaces.
        slot: u8,
        /// Where it is.
        member: Member,
    }
}

body! {
    /// The members of a group, and the changes of them that are under way. What holds of it: [`Membership::is_valid`].
    struct Membership {
        /// Counts changes.
        epoch: MembershipEpoch,
        /// In slot order; a change replaces one slot.
        members: Vec<Member>,
        /// At most one for each slot. While there are any, a write and a fence need a quorum of every set that results when some
        /// of them replace their members and others do not.
        candidates: Vec<Candidate>,
    }
}

body! {
    /// Makes a segment. Idempotent for the same segment id.
    struct CreateSegment {
        /// The volume.
        volume: VolumeId,
        /// The group.
        group: GroupId,
        /// The new segment's id.
        segment: SegmentId,
        /// Size of a group in pages.
        pages_per_group: u64,
        /// Geometry that the group is part of.
        geometry_epoch: GeometryEpoch,
        /// Where the segment's log begins: it counts as complete up to here.
        base_lsn: Lsn,
        /// Members, this segment among them.
        membership: Membership,
    }
}

body! {
    /// A segment on this shard.
    struct SegmentName {
        /// The volume.
        volume: VolumeId,
        /// The group.
        group: GroupId,
    }
}

body! {
    /// What every frame of a writer begins with.
    struct WriterHead {
        /// The volume.
        volume: VolumeId,
        /// Who writes.
        writer: WriterId,
        /// The volume's durable LSN as the writer knows it.
        vdl: Lsn,
        /// Lowest read point still in use: older page versions are garbage.
        pgmrpl: Lsn,
        /// The writer's wall clock, microseconds since 1970: maps time to LSN for restores.
        wall_time_us: u64,
        /// Last LSN of each of this shard's groups that changed since the last acknowledged frame: a
        /// segment whose SCL covers it is complete through `vdl`.
        tails: Vec<(GroupId, Lsn)>,
    }
}

/// A writer's frame. Without batches it is a notice.
///
/// On the wire: head, then for each batch its membership epoch (8 bytes) and the batch as sealed.
#[derive(Clone, PartialEq, Debug)]
pub struct Write<'a> {
    /// Epoch, VDL and the rest.
    pub head: WriterHead,
    /// Membership epochs and sealed batches, one after the other.
    pub entries: &'a [u8],
}

impl<'a> Wire<'a> for Write<'a> {
    const SIZE_MIN: usize = WriterHead::SIZE_MIN;
    fn put(&self, out: &mut Vec<u8>) {
        self.head.put(out);
        out.put_bytes(self.entries);
    }
    fn get(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        Ok(Write { head: WriterHead::get(reader)?, entries: reader.rest() })
    }
}

impl<'a> Write<'a> {
    /// Iterates over the batches, checking each.
    pub fn batches(&self) -> WriteEntries<'a> {
        WriteEntries(Reader::new(self.entries))
    }

    /// Appends one entry to a buffer that becomes [`Write::entries`].
    pub fn put_entry(out: &mut Vec<u8>, membership_epoch: MembershipEpoch, sealed_batch: &[u8]) {
        out.put_u64(membership_epoch.0);
        out.put_bytes(sealed_batch);
    }

    /// Bytes that an entry adds to its batch.
    pub const ENTRY_OVERHEAD_BYTES: usize = 8;
}

/// Iterator over a [`Write`]'s entries.
#[derive(Clone, Debug)]
pub struct WriteEntries<'a>(Reader<'a>);

impl<'a> Iterator for WriteEntries<'a> {
    type Item = Result<(MembershipEpoch, Batch<'a>), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.remaining() == 0 {
            return None;
        }
        let item = self
            .0
            .u64("membership epoch")
            .and_then(|epoch| Ok((MembershipEpoch(epoch), Batch::read(&mut self.0)?)));
        if item.is_err() {
            self.0.rest();
        }
        Some(item)
    }
}

body! {
    /// What is durable now. An SCL falls only with a new epoch history, so the epoch goes with it.
    struct WriteAck {
        /// The volume.
        volume: VolumeId,
        /// The epoch that the SCLs are counted under.
        epoch: VolumeEpoch,
        /// Highest VDL that this shard has heard for the volume.
        vdl_heard: Lsn,
        /// How much room the shard has.
        room: Room,
        /// Group and SCL of each segment that moved; none if only the room changed.
        scls: Vec<(GroupId, Lsn)>,
    }
}

body! {
    /// Read one page at a read point.
    struct ReadPage {
        /// The volume.
        volume: VolumeId,
        /// The page's group.
        group: GroupId,
        /// The page.
        page: PageId,
        /// The version wanted: the newest not above this.
        read_point: Lsn,
        /// The group's last LSN not above `read_point`: an idle group is complete although its SCL is low.
        group_tail: Lsn,
        /// The reader's epoch: proves a read point above the VDL that the segment has heard.
        writer: WriterId,
        /// Membership that the reader knows.
        membership_epoch: MembershipEpoch,
        /// Geometry that the reader knows.
        geometry_epoch: GeometryEpoch,
    }
}

body! {
    /// Answer to [`ReadPage`].
    struct PageImage<'a> {
        /// The page.
        page: PageId,
        /// The read point asked for.
        read_point: Lsn,
        /// One page image sealed for the wire, or nothing: the page was never written.
        image: &'a [u8],
    }
}

body! {
    /// Fences older writers. Refused unless the epoch is above the segment's.
    struct EpochBump {
        /// The volume.
        volume: VolumeId,
        /// The opener.
        writer: WriterId,
        /// The groups on this shard that are bumped.
        groups: Vec<GroupId>,
    }
}

codes! {
    /// What a segment may do.
    enum SegmentState {
        /// Bumped, history not yet installed: repair, gossip, queries, reads up to the VDL heard.
        Opening = 1,
        /// Takes data of its history's last writer.
        Open = 2,
        /// Lost something: counts for no recovery quorum.
        Damaged = 3,
        /// Beyond log retention: must be hydrated by pages, counts for nothing until it is.
        NeedsHydration = 4,
    }
}

/// A run of LSNs of one group with their CPL marks, all in `(vdl_heard, scl]`.
///
/// On the wire: count, then for each a varint `distance to the one before * 2 + is_cpl`; the first distance
/// is from `vdl_heard`.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct LsnMarks(pub Vec<(Lsn, bool)>);

impl<'a> Wire<'a> for LsnMarks {
    const SIZE_MIN: usize = 1;
    fn put(&self, out: &mut Vec<u8>) {
        out.put_varint(self.0.len() as u64);
        let mut last = Lsn::ZERO;
        for &(lsn, is_cpl) in &self.0 {
            out.put_varint(lsn.since(last) << 1 | u64::from(is_cpl));
            last = lsn;
        }
    }
    fn get(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let count = reader.count(1, "LSN list length")?;
        let mut marks = Vec::with_capacity(count);
        let mut last = Lsn::ZERO;
        for _ in 0..count {
            let raw = reader.varint("LSN list")?;
            let lsn = last.0.checked_add(raw >> 1).filter(|lsn| *lsn > last.0);
            last = Lsn(lsn.ok_or(Malformed { what: "LSN list" })?);
            marks.push((last, raw & 1 == 1));
        }
        Ok(LsnMarks(marks))
    }
}

body! {
    /// Answer to [`EpochBump`] for one segment: what it held when the bump became durable. Nothing that came
    /// after the bump in the shard's log is in it, everything before is.
    struct Bumped {
        /// The volume.
        volume: VolumeId,
        /// The group.
        group: GroupId,
        /// The segment.
        segment: SegmentId,
        /// The writer that was bumped to.
        writer: WriterId,
        /// Membership that the segment knows.
        membership_epoch: MembershipEpoch,
        /// Whether it may count for the recovery quorum.
        state: SegmentState,
        /// Its complete LSN.
        scl: Lsn,
        /// Highest VDL heard.
        vdl_heard: Lsn,
        /// Its last record <= `vdl_heard` that its SCL covers, or its base LSN: where the group's chain stands if
        /// every record in `marks` turns out to be annulled. Equal to `scl` when `marks` is empty.
        tail_heard: Lsn,
        /// Highest PGMRPL heard durably: a new writer does not go below it.
        gc_floor: Lsn,
        /// The epoch history it holds; of an epoch below the bump's.
        history: EpochHistory,
        /// Its records in `(vdl_heard, scl]`.
        marks: LsnMarks,
    }
}

body! {
    /// Makes an epoch history durable in the named groups' segments. Answered by [`Done`] when durable.
    ///
    /// Replaces the history held if its last epoch is higher (an equal one is answered `Done` again; a lower one is
    /// `StaleEpoch`). What its ranges cover is annulled and the SCL counted anew. The segment is `Open` iff the
    /// history's writer is the one last bumped to, or is above it (a member that missed the bump is fenced by the
    /// history alone). An opener may install an *older* epoch's history while `Opening`, to repair a member that missed
    /// that opening; the segment then stays `Opening`.
    struct InstallHistory {
        /// The volume.
        volume: VolumeId,
        /// The groups on this shard.
        groups: Vec<GroupId>,
        /// The whole history; its last entry is the writer that data will come from.
        history: EpochHistory,
    }
}

body! {
    /// The epoch history that a segment holds.
    struct History {
        /// The volume.
        volume: VolumeId,
        /// The group.
        group: GroupId,
        /// The history.
        history: EpochHistory,
    }
}

body! {
    /// Asks for batches with a record above `after`, up to `through`, oldest first.
    struct GossipPull {
        /// The volume.
        volume: VolumeId,
        /// The group.
        group: GroupId,
        /// The asker's epoch; must match exactly.
        writer: WriterId,
        /// Membership that the asker knows.
        membership_epoch: MembershipEpoch,
        /// The asker's SCL.
        after: Lsn,
        /// Highest LSN wanted; `Lsn::MAX` for all there is.
        through: Lsn,
        /// No more batch bytes than this in the answer.
        bytes_max: u32,
    }
}

body! {
    /// Batches for a group: the answer to [`GossipPull`], or a repair by an opener.
    struct GossipPush<'a> {
        /// The volume.
        volume: VolumeId,
        /// The group.
        group: GroupId,
        /// The sender's epoch; must match exactly.
        writer: WriterId,
        /// Membership that the sender knows.
        membership_epoch: MembershipEpoch,
        /// The sender's SCL: shows a missing tail, in which no gap can be seen.
        scl: Lsn,
        /// The sender's oldest LSN still in its log; what is below can be had as pages only.
        log_from: Lsn,
        /// Of a repair: the writer of the history that the opener adopted.
        history: WriterId,
        /// Of a repair: the highest VDL that any member heard of a writer. Whoever has that history may let go of records up
        /// to it, which its memory may need before there is a writer that tells it the same. In an answer, 0.
        vdl: Lsn,
        /// Of a repair: the floor that the opener will begin with, below which it reads nothing. In an answer, 0.
        gc_floor: Lsn,
        /// Sealed batches, one after the other.
        batches: &'a [u8],
    }
}

impl<'a> GossipPush<'a> {
    /// Iterates over the batches, checking each.
    pub fn iter(&self) -> BatchIter<'a> {
        BatchIter(Reader::new(self.batches))
    }
}

/// Iterator over batches that stand one after the other.
#[derive(Clone, Debug)]
pub struct BatchIter<'a>(Reader<'a>);

impl<'a> BatchIter<'a> {
    /// Over `bytes`.
    pub fn new(bytes: &'a [u8]) -> BatchIter<'a> {
        BatchIter(Reader::new(bytes))
    }
}

impl<'a> Iterator for BatchIter<'a> {
    type Item = Result<Batch<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.remaining() == 0 {
            return None;
        }
        let item = Batch::read(&mut self.0);
        if item.is_err() {
            self.0.rest();
        }
        Some(item)
    }
}

body! {
    /// Asks a peer for the next pages of a hydration session. The source keeps what the session has been sent, so that
    /// turns come one after the other; a session that was interrupted is begun anew.
    struct HydratePull {
        /// The volume.
        volume: VolumeId,
        /// The group.
        group: GroupId,
        /// The asker's epoch; must match exactly.
        writer: WriterId,
        /// Membership that the asker knows.
        membership_epoch: MembershipEpoch,
        /// The segment that is hydrated.
        asker: SegmentId,
        /// The session, as the source named it in its first answer; 0 begins one.
        session: u64,
        /// Answers of the session that the asker has.
        turn: u32,
        /// No more pages than this in the answer.
        pages_max: u32,
        /// Pages as they were below this LSN do not bring the asker on: a source that is no further refuses.
        base_min: Lsn,
    }
}

body! {
    /// Pages of a group, each at read point `base`. First come all pages once, then, in later turns, those that have
    /// changed since they were sent.
    struct HydratePages<'a> {
        /// The volume.
        volume: VolumeId,
        /// The group.
        group: GroupId,
        /// The source's epoch; must match exactly.
        writer: WriterId,
        /// Membership that the source knows.
        membership_epoch: MembershipEpoch,
        /// The session.
        session: u64,
        /// Which answer of the session this is, from 0.
        turn: u32,
        /// The read point: the group's last record that the source has and that is not above its VDL heard.
        base: Lsn,
        /// The VDL that the source has heard; not below `base`.
        vdl_heard: Lsn,
        /// Every page has been sent once; what follows are changes.
        is_whole: bool,
        /// With this answer the asker has every page as it is at `base`.
        is_final: bool,
        /// Pages that the source holds.
        pages_total: u64,
        /// The source's history: what its VDL says of pages and log holds under this one.
        history: EpochHistory,
        /// Images sealed for the wire, one after the other.
        images: &'a [u8],
    }
}

body! {
    /// Tells a segment who its peers are. Refused if the epoch is below the segment's.
    struct SetMembership {
        /// The volume.
        volume: VolumeId,
        /// The group.
        group: GroupId,
        /// The members.
        membership: Membership,
    }
}

body! {
    /// Asks for the state of segments.
    struct StatusQuery {
        /// Only this volume's; all volumes' if zero.
        volume: VolumeId,
    }
}

body! {
    /// The state of one segment.
    struct SegmentStatus {
        /// The volume.
        volume: VolumeId,
        /// The group.
        group: GroupId,
        /// The segment.
        segment: SegmentId,
        /// Its state.
        state: SegmentState,
        /// Writer that it takes data from.
        writer: WriterId,
        /// Membership that it knows.
        membership_epoch: MembershipEpoch,
        /// Its complete LSN.
        scl: Lsn,
        /// Highest VDL heard.
        vdl_heard: Lsn,
        /// It holds every record of its group up to this LSN of the volume.
        complete_through: Lsn,
        /// Below this it keeps no versions.
        gc_floor: Lsn,
        /// Pages that have a version or a record.
        pages: u64,
        /// Records not yet coalesced.
        records_pending: u64,
        /// While it is being hydrated: pages that it has got.
        hydration_pages_done: u64,
        /// While it is being hydrated: pages that its source holds; 0 while there is no source.
        hydration_pages_total: u64,
    }
}

body! {
    /// Answer to [`StatusQuery`].
    struct Status {
        /// The daemon.
        node: NodeId,
        /// The shard.
        shard: ShardIndex,
        /// Why the shard takes no writes until the daemon has been restarted, for people; empty while it does.
        failure: String,
        /// The shard's segments.
        segments: Vec<SegmentStatus>,
        /// Counters and gauges of the shard by name (`log_bytes_free`, `appends`, ...); names end in their
        /// unit.
        counters: Vec<(String, u64)>,
    }
}
