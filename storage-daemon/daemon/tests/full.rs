//! A real file system that has no space left, below a real daemon. Needs root for a loop device; says so and passes without.

#![allow(clippy::disallowed_methods, clippy::unwrap_used)]

mod harness;
#[path = "harness/small_disk.rs"]
mod small_disk;

use harness::*;
use hexalog_protocol::PageId;
use hexalog_protocol::message::Room;
use small_disk::SmallDisk;
use std::time::{Duration, Instant};

/// Pages of the harness's group: what a device of the least space has not room for.
const PAGES: u64 = 1024;
const DISK_BYTES: u64 = 96 << 20;
const OPTIONS: [&str; 2] = ["--device-bytes", "256MiB"];

/// Writes one record to each page, some on their way at a time.
fn write_to_all(writer: &mut Writer) {
    for page in 0..PAGES {
        writer.append_to(PageId(page));
        while writer.last.since(writer.acknowledged) >= 16 {
            assert!(writer.await_ack(), "what comes is kept, full or not");
        }
    }
    while writer.acknowledged < writer.last {
        assert!(writer.await_ack());
    }
}

/// Appends now and then until the daemon tells this room.
fn await_room(writer: &mut Writer, room: Room) {
    let end = Instant::now() + HANG;
    while writer.room != room {
        assert!(Instant::now() < end, "room stays {:?}", writer.room);
        writer.append_to(PageId(0));
        assert!(writer.await_ack());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// An operator's tables, dumps or logs fill the disk: the daemon says so, keeps what comes for as long as its own space lasts,
/// survives a kill, serves every page, and takes up again by itself what it wanted when there is space.
#[test]
fn a_full_file_system_is_a_full_device() {
    let Some(disk) = SmallDisk::mount(DISK_BYTES) else { return };
    let directory = disk.path().join("data");
    let (_, said) = format(&directory, &OPTIONS);
    assert!(said.contains("warning: the device may take"), "{said}");
    let mut daemon = Daemon::start_as_it_is(&directory, &OPTIONS);
    let mut writer = Writer::connect(daemon.ready()[0], 3);
    writer.create();
    disk.fill();
    write_to_all(&mut writer);
    await_room(&mut writer, Room::Full);
    let line = daemon.wait_for("room is Full now");
    assert!(line.contains("the file system has less space"), "{line}");
    // Killed and started with nothing free at all.
    let acknowledged = writer.acknowledged;
    daemon.kill();
    let mut daemon = Daemon::start_with(&directory, &OPTIONS);
    let address = daemon.ready()[0];
    let mut again = writer.reconnect(address);
    assert!(again.status().expect("the segment is there").scl >= acknowledged);
    for page in 0..PAGES {
        assert!(again.read(PageId(page)).is_some(), "page {page}");
    }
    daemon.says("room is");
    disk.free();
    await_room(&mut again, Room::Ample);
    write_to_all(&mut again);
    await_room(&mut again, Room::Ample);
    daemon.signal("TERM");
    let (status, said) = daemon.wait();
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(!said.contains("cannot go on"), "{said}");
}

#[test]
fn a_device_that_does_not_fit_at_all_is_refused() {
    let Some(disk) = SmallDisk::mount(16 << 20) else { return };
    let (status, said) = format(&disk.path().join("data"), &OPTIONS);
    assert_eq!(status.code(), Some(34), "{said}");
    assert!(said.contains("a new device takes"), "{said}");
}
