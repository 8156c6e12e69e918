//! Two volumes on one shard, one of which takes all that it gets.

use crate::rng::seeds;
use crate::world::{World, address, options};
use crate::writer::{Answer, LAL, call, take_answer, writer_id};
use hexalog_protocol::batch::BatchBuilder;
use hexalog_protocol::history::{EpochEntry, EpochHistory};
use hexalog_protocol::message::*;
use hexalog_protocol::record::{Operation, Record};
use hexalog_protocol::{
    GeometryEpoch, GroupId, Lsn, MembershipEpoch, NodeId, Page, PageId, SegmentId, VolumeId,
};
use std::collections::BTreeMap;

const NODE: usize = 0;
const GROUP: GroupId = GroupId(0);
const PAGES: u64 = 16;
const QUIET: u8 = 1;
const LOUD: u8 = 2;

/// A volume with one segment, and its writer.
struct Volume {
    volume: VolumeId,
    wire: usize,
    epoch: u64,
    pages: BTreeMap<PageId, Lsn>,
    last: Lsn,
    /// What is told of the VDL and the floor.
    vdl: Lsn,
    requests: u64,
}

/// What became of frames.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    acknowledged: usize,
    refused: BTreeMap<RefusalReason, usize>,
}

impl Volume {
    fn open(world: &mut World, name: u8) -> Volume {
        let (volume, writer) = (VolumeId([name; 16]), writer_id(1));
        let wire = world.connect(NODE).expect("up");
        let segment = SegmentId(u64::from(name));
        let member = Member { segment, node: NodeId(NODE as u32), az: 0, address: address(NODE) };
        let create = CreateSegment {
            volume,
            group: GROUP,
            segment,
            pages_per_group: PAGES,
            geometry_epoch: GeometryEpoch(1),
            base_lsn: Lsn::ZERO,
            membership: Membership::of(MembershipEpoch(1), vec![member]),
        };
        assert!(matches!(call(world, wire, 1, &Message::CreateSegment(create)), Some(Answer::Done)));
        let bump = EpochBump { volume, writer, groups: vec![GROUP] };
        assert!(matches!(call(world, wire, 2, &Message::EpochBump(bump)), Some(Answer::Bumped(_))));
        let mut history = EpochHistory::new();
        history.push(EpochEntry { writer, vdl: Lsn::ZERO, upper: Lsn::ZERO });
        let install = InstallHistory { volume, groups: vec![GROUP], history };
        assert!(matches!(call(world, wire, 3, &Message::InstallHistory(install)), Some(Answer::Done)));
        let (last, vdl) = (Lsn::ZERO, Lsn::ZERO);
        Volume { volume, wire, epoch: 1, pages: BTreeMap::new(), last, vdl, requests: 10 }
    }

    /// A new writer, which annuls all above `vdl`.
    fn reopen(&mut self, world: &mut World, vdl: Lsn) {
        let (volume, before) = (self.volume, writer_id(self.epoch));
        self.epoch += 1;
        let writer = writer_id(self.epoch);
        self.wire = world.connect(NODE).expect("up");
        let bump = EpochBump { volume, writer, groups: vec![GROUP] };
        let Some(Answer::Bumped(bumped)) = call(world, self.wire, 4, &Message::EpochBump(bump)) else {
            panic!("it is bumped")
        };
        assert_eq!(bumped.scl, self.last, "nothing is lost");
        let mut history = EpochHistory::new();
        history.push(EpochEntry { writer: before, vdl: Lsn::ZERO, upper: Lsn::ZERO });
        history.push(EpochEntry { writer, vdl, upper: self.last.plus(LAL) });
        self.vdl = history.upper();
        self.last = vdl;
        let install = InstallHistory { volume, groups: vec![GROUP], history };
        assert!(matches!(call(world, self.wire, 5, &Message::InstallHistory(install)), Some(Answer::Done)));
    }

    /// How far its segment's chain goes.
    fn scl(&mut self, world: &mut World) -> Lsn {
        self.requests += 1;
        let query = Message::StatusQuery(StatusQuery { volume: self.volume });
        let Some(Answer::Status(status)) = call(world, self.wire, self.requests, &query) else {
            panic!("it tells")
        };
        status.segments[0].scl
    }

    /// Sends a record and has the node lose power at any moment after that.
    fn write_into_power_loss(&mut self, world: &mut World) {
        let before = (self.last, self.pages.clone());
        self.send(world, 1, 1_000);
        let delay_us = world.rng.below(1_500);
        world.run_us(delay_us);
        world.power_cycle(NODE, 3_000);
        world.run_until("the index is loaded", |world| world.has_index(NODE));
        self.wire = world.connect(NODE).expect("up");
        if self.scl(world) < self.last {
            (self.last, self.pages) = before;
        }
    }

    /// Every page is at its newest record.
    fn check_pages(&mut self, world: &mut World) {
        for (page, lsn) in self.pages.clone() {
            self.requests += 1;
            let answer = call(world, self.wire, self.requests, &Message::ReadPage(self.read(page)));
            let Some(Answer::Image(image)) = answer else { panic!("{page:?}: {answer:?}") };
            assert_eq!(Page::from_bytes(&image).expect("it was written").lsn(), lsn);
        }
    }

    /// The next batch, of one record.
    fn batch(&self, page: PageId, bytes: usize) -> Vec<u8> {
        let page_backlink = self.pages.get(&page).copied().unwrap_or(Lsn::ZERO);
        let mut operations = Vec::new();
        if page_backlink == Lsn::ZERO {
            Operation::Format.encode(&mut operations);
        }
        Operation::Write { offset: 200, bytes: &vec![7; bytes] }.encode(&mut operations);
        let mut builder = BatchBuilder::new(GROUP);
        builder.push(&Record {
            lsn: self.last.plus(1),
            page,
            page_backlink,
            group_backlink: self.last,
            is_cpl: true,
            operations: &operations,
        });
        builder.seal()
    }

    fn take(&mut self, page: PageId) {
        self.last = self.last.plus(1);
        self.pages.insert(page, self.last);
    }

    fn head(&self, tail: Lsn) -> WriterHead {
        WriterHead {
            volume: self.volume,
            writer: writer_id(self.epoch),
            vdl: self.vdl,
            pgmrpl: self.vdl,
            wall_time_us: 5,
            tails: vec![(GROUP, tail)],
        }
    }

    /// Tells the VDL.
    fn tell(&mut self, world: &mut World) -> Outcome {
        self.requests += 1;
        let write = Write { head: self.head(self.last), entries: &[] };
        world.send(self.wire, self.requests, &Message::Write(write));
        world.run_us(5_000);
        self.outcome(world, &[self.requests])
    }

    /// Sends frames of one record of so many bytes, all at once; the requests.
    fn send(&mut self, world: &mut World, frames: usize, bytes: usize) -> Vec<u64> {
        let head = self.head(self.last.plus(frames as u64));
        let mut entries = Vec::new();
        for _ in 0..frames {
            let page = PageId(self.last.0 % PAGES);
            let mut entry = Vec::new();
            Write::put_entry(&mut entry, MembershipEpoch(1), &self.batch(page, bytes));
            self.take(page);
            self.requests += 1;
            entries.push((self.requests, entry));
        }
        let writes: Vec<(u64, Message<'_>)> = entries
            .iter()
            .map(|(request, entries)| (*request, Message::Write(Write { head: head.clone(), entries })))
            .collect();
        let writes: Vec<(u64, &Message<'_>)> =
            writes.iter().map(|(request, write)| (*request, write)).collect();
        world.send_together(self.wire, &writes);
        entries.iter().map(|(request, _)| *request).collect()
    }

    /// What the frames were answered: an acknowledgement comes after each refusal of what is in a frame.
    fn outcome(&self, world: &mut World, requests: &[u64]) -> Outcome {
        let mut outcome = Outcome::default();
        for request in requests {
            let mut is_refused = false;
            while let Some(answer) = take_answer(world, self.wire, *request) {
                match answer {
                    Answer::Refused(refusal) => {
                        is_refused = true;
                        *outcome.refused.entry(refusal.reason).or_default() += 1;
                    }
                    Answer::Ack(_) => outcome.acknowledged += usize::from(!is_refused),
                    other => panic!("{other:?}"),
                }
            }
        }
        outcome
    }

    /// Writes one record and waits for it; the reason if it is refused.
    fn write(&mut self, world: &mut World, bytes: usize) -> Result<(), RefusalReason> {
        let before = (self.last, self.pages.clone());
        let requests = self.send(world, 1, bytes);
        world.run_us(5_000);
        let outcome = self.outcome(world, &requests);
        match outcome.refused.into_keys().next() {
            Some(reason) => {
                (self.last, self.pages) = before;
                Err(reason)
            }
            None => {
                assert_eq!(outcome.acknowledged, 1);
                Ok(())
            }
        }
    }

    /// Writes one batch of several records and waits for it.
    fn write_batch(&mut self, world: &mut World, records: usize) {
        let mut builder = BatchBuilder::new(GROUP);
        for _ in 0..records {
            let page = PageId(self.last.0 % PAGES);
            let (page_backlink, group_backlink) = (self.pages[&page], self.last);
            let mut operations = Vec::new();
            Operation::Write { offset: 300, bytes: &[9; 50] }.encode(&mut operations);
            self.take(page);
            builder.push(&Record {
                lsn: self.last,
                page,
                page_backlink,
                group_backlink,
                is_cpl: true,
                operations: &operations,
            });
        }
        let mut entries = Vec::new();
        Write::put_entry(&mut entries, MembershipEpoch(1), &builder.seal());
        self.requests += 1;
        let write = Write { head: self.head(self.last), entries: &entries };
        world.send(self.wire, self.requests, &Message::Write(write));
        world.run_us(5_000);
        assert_eq!(self.outcome(world, &[self.requests]).acknowledged, 1);
    }

    /// As [`Volume::write`], and it is told to be durable in the volume.
    fn write_through(&mut self, world: &mut World, bytes: usize) -> Result<(), RefusalReason> {
        self.write(world, bytes)?;
        self.vdl = self.last;
        Ok(())
    }

    /// Writes until it is refused: how often it was not.
    fn write_into_the_wall(&mut self, world: &mut World, bytes: usize) -> (usize, RefusalReason) {
        for count in 0..2_000 {
            if let Err(reason) = self.write(world, bytes) {
                return (count, reason);
            }
        }
        panic!("never refused");
    }

    fn read(&self, page: PageId) -> ReadPage {
        ReadPage {
            volume: self.volume,
            group: GROUP,
            page,
            read_point: self.vdl,
            group_tail: self.last,
            writer: writer_id(self.epoch),
            membership_epoch: MembershipEpoch(1),
            geometry_epoch: GeometryEpoch(1),
        }
    }

    /// Asks for pages, all at once.
    fn ask(&mut self, world: &mut World, count: u64) -> Vec<u64> {
        let reads: Vec<Message<'_>> =
            (0..count).map(|index| Message::ReadPage(self.read(PageId(index % PAGES)))).collect();
        let first = self.requests + 1;
        self.requests += count;
        let reads: Vec<(u64, &Message<'_>)> = (first..).zip(&reads).collect();
        world.send_together(self.wire, &reads);
        (first..first + count).collect()
    }

    /// Pages that have come for these requests, and how many requests were refused.
    fn images(&self, world: &mut World, requests: &[u64]) -> (usize, usize) {
        let (mut images, mut refused) = (0, 0);
        for request in requests {
            match take_answer(world, self.wire, *request) {
                Some(Answer::Image(_)) => images += 1,
                Some(Answer::Refused(refusal)) if refusal.reason == RefusalReason::Busy => refused += 1,
                None => {}
                other => panic!("{other:?}"),
            }
        }
        (images, refused)
    }
}

/// While an append is written the next one is filled: a volume that sent more than there is room for filled it to the end, and
/// whoever came then was refused.
#[test]
fn an_append_has_room_for_who_comes_last() {
    let mut world = World::new(800);
    let mut loud = Volume::open(&mut world, LOUD);
    let mut quiet = Volume::open(&mut world, QUIET);
    let (mut acknowledged, mut refused_loud) = (0, 0);
    for _ in 0..100 {
        let before = (loud.last, loud.pages.clone());
        let of_loud = loud.send(&mut world, 150, 300);
        let of_quiet = quiet.send(&mut world, 1, 1_500);
        world.run_us(10_000);
        let outcome = quiet.outcome(&mut world, &of_quiet);
        assert_eq!(outcome.refused, BTreeMap::new());
        acknowledged += outcome.acknowledged;
        quiet.vdl = quiet.last;
        let outcome = loud.outcome(&mut world, &of_loud);
        refused_loud += outcome.refused.values().sum::<usize>();
        // What follows a refused batch stands above a gap.
        let durable = before.0.plus(outcome.acknowledged as u64);
        (loud.last, loud.pages) = before;
        while loud.last < durable {
            loud.take(PageId(loud.last.0 % PAGES));
        }
        loud.vdl = loud.last;
    }
    assert_eq!(acknowledged, 100);
    assert!(refused_loud > 0, "it did send more than there was room for");
}

/// A volume whose writer tells of no VDL holds its records in memory for ever. It held all that there was.
#[test]
fn who_fills_memory_is_refused_alone() {
    let mut world = World::with_options(801, |node| {
        let mut options = options(node);
        (options.log_bytes, options.log_prepared_bytes) = (8 << 20, 8 << 20);
        options.checkpoint_log_bytes = 1 << 20;
        options.pending_bytes_max = 128 << 10;
        options
    });
    let mut loud = Volume::open(&mut world, LOUD);
    let mut quiet = Volume::open(&mut world, QUIET);
    let (_, reason) = loud.write_into_the_wall(&mut world, 1_000);
    assert_eq!(reason, RefusalReason::NoSpace);
    for round in 0..400 {
        assert_eq!(quiet.write_through(&mut world, 1_000), Ok(()), "round {round}");
        if round % 40 == 0 {
            assert_eq!(loud.write(&mut world, 1_000), Err(RefusalReason::NoSpace));
        }
    }
    // When it can go on it does.
    loud.vdl = loud.last;
    assert_eq!(loud.tell(&mut world).acknowledged, 1);
    world.run_us(500_000);
    assert_eq!(loud.write(&mut world, 1_000), Ok(()));
}

/// The same in a log that its records fill.
#[test]
fn who_fills_the_log_leaves_some() {
    let mut world = World::with_options(802, |node| {
        let mut options = options(node);
        options.pending_bytes_max = 16 << 20;
        options
    });
    let mut loud = Volume::open(&mut world, LOUD);
    let mut quiet = Volume::open(&mut world, QUIET);
    let (_, reason) = loud.write_into_the_wall(&mut world, 4_000);
    assert_eq!(reason, RefusalReason::NoSpace);
    for round in 0..3 {
        assert_eq!(quiet.write_through(&mut world, 1_000), Ok(()), "round {round}");
    }
}

/// A writer that was killed has never told that its last records are durable in the volume, and they get into no version before it
/// is opened again. They held the log, and when it had gone round once every volume of the shard was refused.
#[test]
fn records_of_a_writer_that_is_gone_do_not_hold_the_log() {
    let mut world = World::new(804);
    let mut gone = Volume::open(&mut world, LOUD);
    let mut quiet = Volume::open(&mut world, QUIET);
    for _ in 0..PAGES {
        gone.write_through(&mut world, 1_000).expect("there is room");
    }
    // What it told last stands in the middle of a batch.
    gone.write_batch(&mut world, 3);
    gone.vdl = gone.vdl.plus(1);
    assert_eq!(gone.tell(&mut world).acknowledged, 1);
    for _ in 0..10 {
        gone.write(&mut world, 1_000).expect("there is room");
    }
    world.disconnect(gone.wire);
    let ring = options(NODE).log_bytes;
    for round in 0..600 {
        assert_eq!(quiet.write_through(&mut world, 1_000), Ok(()), "round {round}");
        if round % 150 == 149 {
            world.power_cycle(NODE, 3_000);
            world.run_until("the index is loaded", |world| world.has_index(NODE));
            quiet.wire = world.connect(NODE).expect("up");
        }
    }
    assert!(world.counter(NODE, "log_bytes_used") < ring * 3 / 4, "it is freed again and again");
    // They are all there when it comes back.
    gone.wire = world.connect(NODE).expect("up");
    gone.vdl = gone.last;
    assert_eq!(gone.tell(&mut world).acknowledged, 1);
    gone.check_pages(&mut world);
    assert_eq!(quiet.tell(&mut world).acknowledged, 1);
    world.run_us(1_000_000);
    assert_eq!(world.counter(NODE, "pending_batches"), 0);
    world.check_all();
}

/// Power fails at any moment of it, and the next writer annuls some of what was carried.
#[test]
fn what_is_carried_in_the_log_is_there_once() {
    for seed in seeds(810, 6) {
        let mut world = World::new(seed);
        let mut gone = Volume::open(&mut world, LOUD);
        let mut quiet = Volume::open(&mut world, QUIET);
        let mut states = Vec::new();
        for _ in 0..20 + world.rng.below(20) {
            gone.write(&mut world, 1_000).expect("there is room");
            states.push((gone.last, gone.pages.clone()));
        }
        world.disconnect(gone.wire);
        for round in 0..300 {
            assert_eq!(quiet.write_through(&mut world, 1_000), Ok(()), "seed {seed} round {round}");
            if world.rng.percent(10) {
                quiet.write_into_power_loss(&mut world);
            }
        }
        let (vdl, pages) = states.swap_remove(world.rng.below(states.len() as u64) as usize);
        gone.reopen(&mut world, vdl);
        gone.pages = pages;
        for round in 0..150 {
            assert_eq!(quiet.write_through(&mut world, 1_000), Ok(()), "seed {seed} round {round}");
            if world.rng.percent(10) {
                quiet.write_into_power_loss(&mut world);
            }
        }
        gone.wire = world.connect(NODE).expect("up");
        assert_eq!(gone.scl(&mut world), vdl, "seed {seed}");
        assert_eq!(gone.tell(&mut world).acknowledged, 1);
        gone.check_pages(&mut world);
        quiet.vdl = quiet.last;
        assert_eq!(quiet.tell(&mut world).acknowledged, 1);
        world.run_us(1_000_000);
        assert_eq!(world.counter(NODE, "pending_batches"), 0, "seed {seed}");
        gone.check_pages(&mut world);
        world.check_all();
    }
}

/// Whoever asked for as many pages as may be asked for had all of them read before the others', who were refused meanwhile.
#[test]
fn a_page_does_not_wait_for_all_that_another_volume_asked_for() {
    let mut world = World::new(803);
    let mut loud = Volume::open(&mut world, LOUD);
    let mut quiet = Volume::open(&mut world, QUIET);
    for volume in [&mut loud, &mut quiet] {
        for _ in 0..2 * PAGES {
            volume.write_through(&mut world, 1_000).expect("there is room");
        }
        assert_eq!(volume.tell(&mut world).acknowledged, 1);
    }
    world.run_us(1_000_000);
    assert_eq!(world.counter(NODE, "pending_batches"), 0);
    let before = world.counter(NODE, "reads_from_device");
    let depth = options(NODE).reads_at_device_max;
    let (mut answered_before, mut refused_loud) = (0, 0);
    for _ in 0..20 {
        let of_loud = loud.ask(&mut world, 400);
        // They are all there before the quiet one's.
        world.run_us(170);
        let of_quiet = quiet.ask(&mut world, 1);
        let mut waited_us = 0;
        let mut come = (0, 0);
        while come == (0, 0) {
            world.run_us(10);
            waited_us += 10;
            assert!(waited_us < 100_000, "it comes");
            come = quiet.images(&mut world, &of_quiet);
        }
        assert_eq!(come, (1, 0), "it is not refused");
        let (images, refused) = loud.images(&mut world, &of_loud);
        (answered_before, refused_loud) = (answered_before + images, refused_loud + refused);
        world.run_us(100_000);
        let (images, refused) = loud.images(&mut world, &of_loud);
        refused_loud += refused;
        assert!(images > 0, "the loud one had more under way");
        world.check_all();
    }
    assert!(refused_loud > 0, "it did ask for more than may be asked for");
    assert!(answered_before / 20 < 4 * depth, "{answered_before} pages came before");
    assert!(world.counter(NODE, "reads_from_device") > before);
}
