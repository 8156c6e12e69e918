//! Write, acknowledge, read; restart and read again.

use crate::world::{NODES, World};
use crate::writer::{VOLUME, Writer, call, create_volume};
use hexalog_protocol::message::{Message, ReadPage, StatusQuery};
use hexalog_protocol::{GroupId, Lsn, PageId};

#[test]
fn what_is_written_is_read_at_every_read_point_and_after_a_restart() {
    let mut world = World::new(1);
    create_volume(&mut world, 2);
    let mut writer = Writer::open(&mut world, 1, 2, None);
    writer.write_many(&mut world, 60);
    writer.converge(&mut world);
    writer.check_all_served(&mut world);
    for node in 0..NODES {
        world.stop(node);
    }
    world.start_all();
    writer.converge(&mut world);
    writer.check_all_served(&mut world);
    assert!(writer.refusals.is_empty(), "{:?}", writer.refusals);
}

#[test]
fn one_append_carries_what_arrived_while_the_last_was_in_flight() {
    let mut world = World::new(2);
    create_volume(&mut world, 1);
    let mut writer = Writer::open(&mut world, 1, 1, None);
    writer.write_many(&mut world, 400);
    writer.settle(&mut world);
    let (appends, batches) = (world.counter(0, "appends"), world.counter(0, "batches"));
    assert!(appends < batches, "{appends} appends for {batches} batches");
}

#[test]
fn a_page_never_written_is_told_by_a_complete_segment_only() {
    let mut world = World::new(3);
    create_volume(&mut world, 1);
    let mut writer = Writer::open(&mut world, 1, 1, None);
    writer.write_pages(&mut world, &[PageId(3)]);
    writer.settle(&mut world);
    let vdl = writer.vdl;
    assert_eq!(writer.check_page(&mut world, 0, PageId(4), vdl), Some(()));
    // A read point that this segment cannot know of yet, in a group whose tail it does not have.
    let mut read = writer.read_request(PageId(4), vdl.plus(5));
    read.group_tail = vdl.plus(5);
    let wire = writer.wire(0).expect("connected");
    let answer = call(&mut world, wire, 77, &Message::ReadPage(read));
    let is_not_complete = matches!(&answer, Some(crate::writer::Answer::Refused(refusal))
        if refusal.reason == hexalog_protocol::message::RefusalReason::NotComplete);
    assert!(is_not_complete, "{answer:?}");
}

/// Simulator seed 63000122: a peer that wants a page mended knows no tail and tells its own SCL. A member with a gap above that
/// put the page together with what stood beyond, and took its own records for such that do not fit.
#[test]
fn a_page_is_not_put_together_across_a_gap() {
    let mut world = World::new(8);
    create_volume(&mut world, 1);
    let mut writer = Writer::open(&mut world, 1, 1, None);
    writer.write_pages(&mut world, &[PageId(3)]);
    writer.settle(&mut world);
    let before = writer.last;
    writer.passed_over = Some(0);
    writer.write_pages(&mut world, &[PageId(3)]);
    writer.passed_over = None;
    writer.write_pages(&mut world, &[PageId(3)]);
    writer.settle(&mut world);
    assert_eq!(writer.scl(0, GroupId(0)), before);
    let read = ReadPage { group_tail: before, ..writer.read_request(PageId(3), writer.vdl) };
    let wire = writer.wire(0).expect("connected");
    let answer = call(&mut world, wire, 79, &Message::ReadPage(read));
    let is_not_complete = matches!(&answer, Some(crate::writer::Answer::Refused(refusal))
        if refusal.reason == hexalog_protocol::message::RefusalReason::NotComplete);
    assert!(is_not_complete);
    assert_eq!(world.counter(0, "pages_quarantined"), 0);
    writer.converge(&mut world);
    writer.check_all_served(&mut world);
}

#[test]
fn status_tells_scl_and_completeness() {
    let mut world = World::new(4);
    create_volume(&mut world, 2);
    let mut writer = Writer::open(&mut world, 1, 2, None);
    // Group 1 stays idle: complete through the VDL although its SCL is the base.
    for _ in 0..10 {
        writer.write_pages(&mut world, &[PageId(1), PageId(2)]);
    }
    writer.converge(&mut world);
    world.run_us(100_000);
    writer.pump(&mut world);
    world.run_us(100_000);
    let wire = writer.wire(2).expect("connected");
    let query = Message::StatusQuery(StatusQuery { volume: VOLUME });
    let Some(crate::writer::Answer::Status(status)) = call(&mut world, wire, 78, &query) else { panic!() };
    assert_eq!(status.segments.len(), 2);
    assert_eq!(status.segments[0].scl, writer.tails[&GroupId(0)]);
    assert_eq!(status.segments[1].scl, Lsn::ZERO);
    assert_eq!(status.segments[1].complete_through, writer.vdl);
    assert!(status.counters.iter().any(|(name, value)| name == "appends" && *value > 0));
}

#[test]
fn one_seed_run_twice_gives_the_same_trace() {
    let run = |seed| {
        let mut world = World::new(seed);
        create_volume(&mut world, 2);
        let mut writer = Writer::open(&mut world, 1, 2, None);
        writer.loss_percent = 10;
        writer.write_many(&mut world, 50);
        writer.converge(&mut world);
        world.trace
    };
    assert_eq!(run(5), run(5));
    assert_ne!(run(5), run(6));
}
