//! Every message as it stands on the wire: who changes a byte here changes [`PROTOCOL_VERSION`] and `docs/wire-format.md` too.
//!
//! Both sides use the same code, so that a field that moved would be noticed by no test of theirs, only by a daemon and a compute
//! of different versions.

use hexalog_protocol::batch::BatchBuilder;
use hexalog_protocol::frame::{FRAME_HEADER_BYTES, PROTOCOL_VERSION, read_frame, write_frame};
use hexalog_protocol::history::{EpochEntry, EpochHistory};
use hexalog_protocol::message::*;
use hexalog_protocol::record::Record;
use hexalog_protocol::{
    DeviceId, GeometryEpoch, GroupId, Incarnation, Lsn, MembershipEpoch, NodeId, PAGE_BODY_START, Page,
    PageId, SegmentId, ShardIndex, SummedImage, VolumeEpoch, VolumeId, ids::WriterId,
};
use std::net::SocketAddr;

const VOLUME: VolumeId = VolumeId([0xaa; 16]);
const GROUP: GroupId = GroupId(2);
const WRITER: WriterId = WriterId { epoch: VolumeEpoch(5), incarnation: Incarnation(0x55) };
const MEMBERS: MembershipEpoch = MembershipEpoch(3);
const GEOMETRY: GeometryEpoch = GeometryEpoch(4);

fn history() -> EpochHistory {
    let mut history = EpochHistory::new();
    history.push(EpochEntry { writer: WRITER, vdl: Lsn(16), upper: Lsn(32) });
    history
}

fn membership() -> Membership {
    let member = |number: u64, address: &str| Member {
        segment: SegmentId(number),
        node: NodeId(number as u32),
        az: 1,
        address: address.parse::<SocketAddr>().expect("an address"),
    };
    let members = vec![member(7, "10.0.0.1:7000"), member(8, "[::1]:7001")];
    let candidates = vec![Candidate { slot: 1, member: member(9, "10.0.0.2:7000") }];
    Membership { epoch: MEMBERS, members, candidates }
}

fn head() -> WriterHead {
    let tails = vec![(GROUP, Lsn(31))];
    WriterHead { volume: VOLUME, writer: WRITER, vdl: Lsn(30), pgmrpl: Lsn(20), wall_time_us: 99, tails }
}

fn batch(first: u64) -> Vec<u8> {
    let mut builder = BatchBuilder::new(GROUP);
    builder.push(&Record {
        lsn: Lsn(first),
        page: PageId(40),
        page_backlink: Lsn(0),
        group_backlink: Lsn(first - 1),
        is_cpl: true,
        operations: &[1],
    });
    builder.seal()
}

fn segment_status() -> SegmentStatus {
    SegmentStatus {
        volume: VOLUME,
        group: GROUP,
        segment: SegmentId(7),
        state: SegmentState::Open,
        writer: WRITER,
        membership_epoch: MEMBERS,
        scl: Lsn(31),
        vdl_heard: Lsn(30),
        complete_through: Lsn(31),
        gc_floor: Lsn(20),
        pages: 9,
        records_pending: 8,
        hydration_pages_done: 6,
        hydration_pages_total: 7,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What follows the header of a frame, by kind. `aa` sixteen times is the volume.
const GOLDEN: [&str; 23] = [
    // Hello
    "01000400026964",
    // Welcome
    "0400070000000d00000000000000010002581b591b",
    // Refusal
    "0faaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa020000000500000000000000550000000000000003000000000000000400000000\
     00000003776879",
    // Done
    "",
    // CreateSegment
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa020000000700000000000000400000000000000004000000000000000c0000000000\
     000003000000000000000207000000000000000700000001040a000001581b08000000000000000800000001060000000000\
     0000000000000000000001591b010109000000000000000900000001040a000002581b",
    // Write
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa050000000000000055000000000000001e0000000000000014000000000000006300\
     00000000000001020000001f00000000000000030000000000000002000000010000001f000000000000001e000000000000\
     0005000000adc740fd0050000301",
    // WriteAck
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa05000000000000001e000000000000000202020000001f0000000000000003000000\
     1c00000000000000",
    // ReadPage
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa0200000028000000000000001e000000000000001d00000000000000050000000000\
     0000550000000000000003000000000000000400000000000000",
    // PageImage
    "28000000000000001e000000000000000908",
    // EpochBump
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa05000000000000005500000000000000020200000003000000",
    // Bumped
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa02000000070000000000000005000000000000005500000000000000030000000000\
     00000423000000000000001e000000000000001d000000000000001400000000000000010500000000000000550000000000\
     000010000000000000002000000000000000024205",
    // InstallHistory
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa01020000000105000000000000005500000000000000100000000000000020000000\
     00000000",
    // FetchHistory
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa02000000",
    // History
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa02000000010500000000000000550000000000000010000000000000002000000000\
     000000",
    // GossipPull
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa020000000500000000000000550000000000000003000000000000001d0000000000\
     00001f0000000000000000100000",
    // GossipPush
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa020000000500000000000000550000000000000003000000000000001f0000000000\
     00000300000000000000050000000000000055000000000000001e0000000000000014000000000000000200000001000000\
     1e000000000000001d0000000000000005000000d1685933005000030102000000010000001f000000000000001e00000000\
     00000005000000adc740fd0050000301",
    // SetMembership
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa0200000003000000000000000207000000000000000700000001040a000001581b08\
     0000000000000008000000010600000000000000000000000000000001591b010109000000000000000900000001040a000002581b",
    // StatusQuery
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    // Status
    "070000000100046e6f6e6501aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa02000000070000000000000002050000000000000055\
     0000000000000003000000000000001f000000000000001e000000000000001f000000000000001400000000000000090000\
     0000000000080000000000000006000000000000000700000000000000010572656164732c01000000000000",
    // HydratePull
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa02000000050000000000000055000000000000000300000000000000070000000000\
     0000060000000000000002000000100000001d00000000000000",
    // HydratePages
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa02000000050000000000000055000000000000000300000000000000060000000000\
     0000020000001d000000000000001e0000000000000001000900000000000000010500000000000000550000000000000010\
     000000000000002000000000000000010203",
    // RestoreSegment
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa020000000700000000000000400000000000000004000000000000000c0000000000\
     000003000000000000000207000000000000000700000001040a000001581b08000000000000000800000001060000000000\
     0000000000000000000001591b010109000000000000000900000001040a000002581b",
    // FetchMembership
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa02000000",
];

/// One of each kind, in the order of the kinds.
fn samples<'a>(entries: &'a [u8], batches: &'a [u8]) -> Vec<Message<'a>> {
    let (volume, group, writer) = (VOLUME, GROUP, WRITER);
    let (membership_epoch, geometry_epoch, segment) = (MEMBERS, GEOMETRY, SegmentId(7));
    let (history, membership) = (history(), membership());
    let hello = Hello { version_low: 1, version_high: 4, role: Role::Peer, identity: b"id" };
    let welcome = Welcome {
        version: 4,
        node: NodeId(7),
        device: DeviceId(0xd),
        shard: ShardIndex(1),
        shard_ports: vec![7000, 7001],
    };
    let refusal = Refusal {
        reason: RefusalReason::Quarantined,
        volume,
        group,
        writer,
        membership_epoch,
        geometry_epoch,
        detail: String::from("why"),
    };
    let create = CreateSegment {
        volume,
        group,
        segment,
        pages_per_group: 64,
        geometry_epoch,
        base_lsn: Lsn(12),
        membership: membership.clone(),
    };
    let ack = WriteAck {
        volume,
        epoch: WRITER.epoch,
        vdl_heard: Lsn(30),
        room: Room::Short,
        scls: vec![(GROUP, Lsn(31)), (GroupId(3), Lsn(28))],
    };
    let read = ReadPage {
        volume,
        group,
        page: PageId(40),
        read_point: Lsn(30),
        group_tail: Lsn(29),
        writer,
        membership_epoch,
        geometry_epoch,
    };
    let bumped = Bumped {
        volume,
        group,
        segment,
        writer,
        membership_epoch,
        state: SegmentState::NeedsHydration,
        scl: Lsn(35),
        vdl_heard: Lsn(30),
        tail_heard: Lsn(29),
        gc_floor: Lsn(20),
        history: history.clone(),
        marks: LsnMarks(vec![(Lsn(33), false), (Lsn(35), true)]),
    };
    let pull = GossipPull {
        volume,
        group,
        writer,
        membership_epoch,
        after: Lsn(29),
        through: Lsn(31),
        bytes_max: 4096,
    };
    let push = GossipPush {
        volume,
        group,
        writer,
        membership_epoch,
        scl: Lsn(31),
        log_from: Lsn(3),
        history: WRITER,
        vdl: Lsn(30),
        gc_floor: Lsn(20),
        batches,
    };
    let hydrate = HydratePull {
        volume,
        group,
        writer,
        membership_epoch,
        asker: segment,
        session: 6,
        turn: 2,
        pages_max: 16,
        base_min: Lsn(29),
    };
    let pages = HydratePages {
        volume,
        group,
        writer,
        membership_epoch,
        session: 6,
        turn: 2,
        base: Lsn(29),
        vdl_heard: Lsn(30),
        is_whole: true,
        is_final: false,
        pages_total: 9,
        history: history.clone(),
        images: &[1, 2, 3],
    };
    let status = Status {
        node: NodeId(7),
        shard: ShardIndex(1),
        failure: String::from("none"),
        segments: vec![segment_status()],
        counters: vec![(String::from("reads"), 300)],
    };
    vec![
        Message::Hello(hello),
        Message::Welcome(welcome),
        Message::Refusal(refusal),
        Message::Done(Done {}),
        Message::CreateSegment(create.clone()),
        Message::Write(Write { head: head(), entries }),
        Message::WriteAck(ack),
        Message::ReadPage(read),
        Message::PageImage(PageImage { page: PageId(40), read_point: Lsn(30), image: &[9, 8] }),
        Message::EpochBump(EpochBump { volume, writer, groups: vec![GROUP, GroupId(3)] }),
        Message::Bumped(bumped),
        Message::InstallHistory(InstallHistory { volume, groups: vec![GROUP], history: history.clone() }),
        Message::FetchHistory(SegmentName { volume, group }),
        Message::History(History { volume, group, history }),
        Message::GossipPull(pull),
        Message::GossipPush(push),
        Message::SetMembership(SetMembership { volume, group, membership }),
        Message::StatusQuery(StatusQuery { volume }),
        Message::Status(status),
        Message::HydratePull(hydrate),
        Message::HydratePages(pages),
        Message::RestoreSegment(create),
        Message::FetchMembership(SegmentName { volume, group }),
    ]
}

fn with_samples(check: impl Fn(&Message<'_>)) {
    let mut entries = Vec::new();
    Write::put_entry(&mut entries, MEMBERS, &batch(31));
    let batches = [batch(30), batch(31)].concat();
    samples(&entries, &batches).iter().for_each(check);
}

#[test]
fn golden_bytes_version_7() {
    assert_eq!(PROTOCOL_VERSION, 7);
    with_samples(|message| {
        let mut bytes = Vec::new();
        message.encode(0x0102, &mut bytes);
        let expected = GOLDEN[usize::from(message.kind()) - 1];
        assert_eq!(hex(&bytes[FRAME_HEADER_BYTES..]), expected, "kind {}", message.kind());
    });
}

#[test]
fn every_kind_round_trips_and_cuts_and_additions_are_refused() {
    let kinds = std::cell::RefCell::new(Vec::new());
    with_samples(|message| {
        kinds.borrow_mut().push(message.kind());
        let mut bytes = Vec::new();
        message.encode(0x0102, &mut bytes);
        let frame = read_frame(&bytes).expect("valid").expect("whole");
        assert_eq!((frame.kind, frame.request_id), (message.kind(), 0x0102));
        assert_eq!(Message::decode(&frame).as_ref(), Ok(message));
        // Bytes at the end have no length of their own: the frame's ends them.
        let open_end = match message {
            Message::Hello(hello) => Some(hello.identity.len()),
            Message::Write(write) => Some(write.entries.len()),
            Message::PageImage(image) => Some(image.image.len()),
            Message::GossipPush(push) => Some(push.batches.len()),
            Message::HydratePages(pages) => Some(pages.images.len()),
            _ => None,
        };
        let payload = frame.payload.to_vec();
        let fixed = payload.len() - open_end.unwrap_or(0);
        for length in 0..=payload.len() + 1 {
            let mut other = Vec::new();
            write_frame(&mut other, message.kind(), 1, |out| {
                out.extend((0..length).map(|at| payload.get(at).copied().unwrap_or(0)));
            });
            let frame = read_frame(&other).expect("valid").expect("whole");
            let is_read = length == payload.len() || (open_end.is_some() && length >= fixed);
            assert_eq!(Message::decode(&frame).is_ok(), is_read, "kind {}, {length} bytes", message.kind());
        }
    });
    assert_eq!(*kinds.borrow(), (1..=23).collect::<Vec<u16>>(), "every kind has a sample");
    let mut unknown = Vec::new();
    write_frame(&mut unknown, 24, 1, |_| {});
    assert!(Message::decode(&read_frame(&unknown).expect("valid").expect("whole")).is_err());
}

/// A batch that is damaged ends the list: where the next one would begin is not known.
#[test]
fn batches_come_one_after_the_other_up_to_a_damaged_one() {
    let good = [batch(30), batch(31), batch(32)].concat();
    let lasts =
        |bytes: &[u8]| BatchIter::new(bytes).map(|it| it.ok().map(|it| it.last.0)).collect::<Vec<_>>();
    assert_eq!(lasts(&good), [Some(30), Some(31), Some(32)]);
    assert_eq!(lasts(&[]), []);
    let mut bad = good.clone();
    bad[batch(30).len() + 33] ^= 1;
    assert_eq!(lasts(&bad), [Some(30), None]);
    let mut entries = Vec::new();
    [30, 31].into_iter().for_each(|first| Write::put_entry(&mut entries, MEMBERS, &batch(first)));
    assert_eq!(entries.len(), 2 * (Write::ENTRY_OVERHEAD_BYTES + batch(30).len()));
    let write = Write { head: head(), entries: &entries };
    let found: Vec<_> = write.batches().map(|it| it.map(|(epoch, it)| (epoch, it.last))).collect();
    assert_eq!(found, [Ok((MEMBERS, Lsn(30))), Ok((MEMBERS, Lsn(31)))]);
    entries.truncate(entries.len() - 1);
    let write = Write { head: head(), entries: &entries };
    assert_eq!(write.batches().map(|it| it.is_ok()).collect::<Vec<_>>(), [true, false]);
}

/// A page read is answered by a way of its own, which must make no other bytes.
#[test]
fn an_image_summed_up_in_parts_makes_the_frame_of_its_message() {
    let mut page = Page::new(VOLUME, PageId(40));
    page.bytes_mut()[PAGE_BODY_START..]
        .iter_mut()
        .zip(1u32..)
        .for_each(|(byte, at)| *byte = ((at * at) >> 3) as u8);
    page.seal_for_device(DeviceId(6), 1 << 56 | 8192);
    let mut sealed = page.clone();
    sealed.seal_for_wire();
    let mut expected = b"before".to_vec();
    let message = PageImage { page: PageId(40), read_point: Lsn(31), image: sealed.bytes() };
    Message::PageImage(message).encode(9, &mut expected);
    let mut out = b"before".to_vec();
    encode_page_image(9, PageId(40), Lsn(31), &SummedImage::new(page.bytes()), &mut out);
    assert!(out == expected, "the frames differ");
}
