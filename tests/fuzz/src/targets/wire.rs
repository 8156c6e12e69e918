//! Frames and every message, as a daemon's or the volume client's connection gets them.

use super::put_u32;
use super::redo::{check_batch, mend_batch, sealed, sealed_short};
use super::segment::{GROUP, VOLUME, WRITER, create_segment, membership};
use crate::target::{TAKEN, Target};
use hexalog_protocol::codec::Reader;
use hexalog_protocol::frame::{FRAME_BYTES_MAX, FRAME_HEADER_BYTES, frame_length, read_frame};
use hexalog_protocol::history::{EpochEntry, EpochHistory};
use hexalog_protocol::ids::WriterId;
use hexalog_protocol::message::*;
use hexalog_protocol::{
    DeviceId, GeometryEpoch, GroupId, Incarnation, Lsn, MembershipEpoch, NodeId, Page, PageId, SegmentId,
    ShardIndex, VolumeEpoch,
};

/// A frame with a message in it.
pub const FRAME: Target = Target {
    name: "frame",
    seeds,
    mend,
    check,
    // An LSN mark takes one byte on the wire and sixteen in memory; nothing else grows as much. The check encodes the
    // message again, in a vector that doubles.
    allocated_bytes_max: |bytes| 16 * bytes + 8 * bytes + 4096,
};

const KIND_WRITE: u16 = 6;
const KIND_GOSSIP_PUSH: u16 = 16;

fn mend(input: &mut [u8]) {
    if input.len() < FRAME_HEADER_BYTES {
        return;
    }
    let kind = u16::from_le_bytes([input[10], input[11]]);
    let batches_at = match kind {
        KIND_WRITE => end_of_writer_head(input).map(|at| (at, Write::ENTRY_OVERHEAD_BYTES)),
        // Volume, group, writer, membership epoch, SCL, oldest LSN.
        KIND_GOSSIP_PUSH => Some((FRAME_HEADER_BYTES + 60, 0)),
        _ => None,
    };
    if let Some((mut at, overhead)) = batches_at {
        while let Some(end) = mend_batch(input, at + overhead) {
            at = end;
        }
    }
    let length = input.len() as u32;
    put_u32(input, 0, length);
    put_u32(input, 12, 0);
    let crc = crc32c::crc32c(&input[8..]);
    put_u32(input, 4, crc);
}

/// Where the entries of a `Write` begin.
fn end_of_writer_head(input: &[u8]) -> Option<usize> {
    const FIXED_BYTES: usize = 16 + 16 + 8 + 8 + 8;
    let mut reader = Reader::new(input.get(FRAME_HEADER_BYTES + FIXED_BYTES..)?);
    let tails = reader.count(12, "tails").ok()?;
    reader.bytes(tails * 12, "tails").ok()?;
    Some(input.len() - reader.remaining())
}

fn check(input: &[u8]) -> &'static str {
    let length = frame_length(input);
    let frame = match read_frame(input) {
        Ok(Some(frame)) => frame,
        Ok(None) => {
            assert!(length.is_ok_and(|length| length.is_none_or(|length| length > input.len())));
            return "incomplete";
        }
        Err(malformed) => return malformed.what,
    };
    assert_eq!(length, Ok(Some(frame.frame_bytes)));
    assert!(frame.frame_bytes <= FRAME_BYTES_MAX);
    let message = match Message::decode(&frame) {
        Ok(message) => message,
        Err(malformed) => return malformed.what,
    };
    match &message {
        Message::Write(write) => write.batches().flatten().for_each(|(_, batch)| check_batch(&batch)),
        Message::GossipPush(push) => push.iter().flatten().for_each(|batch| check_batch(&batch)),
        _ => {}
    }
    let mut again = Vec::with_capacity(frame.frame_bytes);
    message.encode(frame.request_id, &mut again);
    let same_from = if frame.version == hexalog_protocol::frame::PROTOCOL_VERSION { 0 } else { 10 };
    assert!(again[same_from..] == input[same_from..frame.frame_bytes], "one message has one encoding");
    TAKEN
}

fn history() -> EpochHistory {
    let mut history = EpochHistory::new();
    let writer = |epoch| WriterId { epoch: VolumeEpoch(epoch), incarnation: Incarnation(epoch * 7) };
    for (epoch, vdl, upper) in [(1, 0, 0), (2, 10, 20), (3, 20, 30), (5, 35, 40)] {
        history.push(EpochEntry { writer: writer(epoch), vdl: Lsn(vdl), upper: Lsn(upper) });
    }
    history
}

fn writer_head() -> WriterHead {
    WriterHead {
        volume: VOLUME,
        writer: WRITER,
        vdl: Lsn(139),
        pgmrpl: Lsn(120),
        wall_time_us: 1_700_000_000_000_000,
        tails: vec![(GROUP, Lsn(139)), (GroupId(4), Lsn(90))],
    }
}

fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let mut page = Page::new(VOLUME, PageId(7));
    page.seal_for_wire();
    let mut entries = Vec::new();
    Write::put_entry(&mut entries, MembershipEpoch(1), &sealed());
    Write::put_entry(&mut entries, MembershipEpoch(1), &sealed_short());
    let batches = [sealed(), sealed_short()].concat();
    let all = handshake()
        .into_iter()
        .chain(foreground(&entries, &page))
        .chain(control())
        .chain(between_peers(&batches))
        .chain(status());
    all.map(|(name, message)| {
        let mut bytes = Vec::new();
        message.encode(42, &mut bytes);
        (name, bytes)
    })
    .collect()
}

fn handshake() -> Vec<(&'static str, Message<'static>)> {
    let hello = Hello { version_low: 1, version_high: 1, role: Role::Compute, identity: b"who" };
    let welcome = Welcome {
        version: 1,
        node: NodeId(3),
        device: DeviceId(9),
        shard: ShardIndex(1),
        shard_ports: vec![7001, 7002],
    };
    let refusal = Refusal {
        reason: RefusalReason::StaleEpoch,
        volume: VOLUME,
        group: GROUP,
        writer: WRITER,
        membership_epoch: MembershipEpoch(4),
        geometry_epoch: GeometryEpoch(1),
        detail: String::from("for people"),
    };
    vec![
        ("hello", Message::Hello(hello)),
        ("welcome", Message::Welcome(welcome)),
        ("refusal", Message::Refusal(refusal)),
        ("done", Message::Done(Done {})),
    ]
}

fn foreground<'a>(entries: &'a [u8], page: &'a Page) -> Vec<(&'static str, Message<'a>)> {
    let scls = vec![(GROUP, Lsn(140)), (GroupId(4), Lsn(90))];
    let ack =
        WriteAck { volume: VOLUME, epoch: VolumeEpoch(2), vdl_heard: Lsn(139), room: Room::Short, scls };
    let read = ReadPage {
        volume: VOLUME,
        group: GROUP,
        page: PageId(7),
        read_point: Lsn(139),
        group_tail: Lsn(120),
        writer: WRITER,
        membership_epoch: MembershipEpoch(4),
        geometry_epoch: GeometryEpoch(1),
    };
    let image = |image| PageImage { page: PageId(7), read_point: Lsn(139), image };
    vec![
        ("write", Message::Write(Write { head: writer_head(), entries })),
        ("notice", Message::Write(Write { head: writer_head(), entries: &[] })),
        ("write-ack", Message::WriteAck(ack)),
        ("read-page", Message::ReadPage(read)),
        ("page-image", Message::PageImage(image(page.bytes()))),
        ("page-never-written", Message::PageImage(image(&[]))),
    ]
}

/// What an opening and the making of segments send.
fn control() -> Vec<(&'static str, Message<'static>)> {
    let (volume, group, writer, membership_epoch) = (VOLUME, GROUP, WRITER, MembershipEpoch(4));
    let bumped = Bumped {
        volume,
        group,
        segment: SegmentId(5),
        writer,
        membership_epoch,
        state: SegmentState::Opening,
        scl: Lsn(150),
        vdl_heard: Lsn(139),
        tail_heard: Lsn(130),
        gc_floor: Lsn(120),
        history: history(),
        marks: LsnMarks(vec![(Lsn(140), false), (Lsn(141), true), (Lsn(150), true)]),
    };
    vec![
        ("create-segment", Message::CreateSegment(create_segment())),
        ("restore-segment", Message::RestoreSegment(create_segment())),
        ("epoch-bump", Message::EpochBump(EpochBump { volume, writer, groups: vec![group, GroupId(4)] })),
        ("bumped", Message::Bumped(bumped)),
        (
            "install-history",
            Message::InstallHistory(InstallHistory { volume, groups: vec![group], history: history() }),
        ),
        ("fetch-history", Message::FetchHistory(SegmentName { volume, group })),
        ("fetch-membership", Message::FetchMembership(SegmentName { volume, group })),
        ("history", Message::History(History { volume, group, history: history() })),
        ("set-membership", Message::SetMembership(SetMembership { volume, group, membership: membership() })),
        ("status-query", Message::StatusQuery(StatusQuery { volume })),
    ]
}

/// What members send to each other.
fn between_peers(batches: &[u8]) -> Vec<(&'static str, Message<'_>)> {
    let (volume, group, writer, membership_epoch) = (VOLUME, GROUP, WRITER, MembershipEpoch(4));
    let push = GossipPush {
        volume,
        group,
        writer,
        membership_epoch,
        scl: Lsn(141),
        log_from: Lsn(1),
        history: writer,
        vdl: Lsn(140),
        gc_floor: Lsn(100),
        batches,
    };
    let pull = GossipPull {
        volume,
        group,
        writer,
        membership_epoch,
        after: Lsn(90),
        through: Lsn::MAX,
        bytes_max: 65536,
    };
    let hydrate = HydratePull {
        volume,
        group,
        writer,
        membership_epoch,
        asker: SegmentId(6),
        session: 77,
        turn: 2,
        pages_max: 16,
        base_min: Lsn(29),
    };
    let pages = HydratePages {
        volume,
        group,
        writer,
        membership_epoch,
        session: 77,
        turn: 2,
        base: Lsn(140),
        vdl_heard: Lsn(141),
        is_whole: true,
        is_final: false,
        pages_total: 9,
        history: history(),
        images: &[7; 64],
    };
    vec![
        ("gossip-pull", Message::GossipPull(pull)),
        ("gossip-push", Message::GossipPush(push)),
        ("hydrate-pull", Message::HydratePull(hydrate)),
        ("hydrate-pages", Message::HydratePages(pages)),
    ]
}

fn status() -> Vec<(&'static str, Message<'static>)> {
    let segment = SegmentStatus {
        volume: VOLUME,
        group: GROUP,
        segment: SegmentId(5),
        state: SegmentState::Open,
        writer: WRITER,
        membership_epoch: MembershipEpoch(4),
        scl: Lsn(140),
        vdl_heard: Lsn(139),
        complete_through: Lsn(139),
        gc_floor: Lsn(120),
        pages: 12,
        records_pending: 3,
        hydration_pages_done: 0,
        hydration_pages_total: 0,
    };
    let counters = vec![(String::from("appends"), 9), (String::from("log_bytes_free"), 1 << 40)];
    let failure = String::from("writing the log failed");
    let status = Status { node: NodeId(3), shard: ShardIndex(1), failure, segments: vec![segment], counters };
    vec![("status", Message::Status(status))]
}
