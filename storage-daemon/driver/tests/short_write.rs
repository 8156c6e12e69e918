//! What the kernel tells of a write with a linked flush that comes to an end early. A process of its own: the limit that cuts
//! the write off holds for all of its files.

#![allow(clippy::disallowed_methods, clippy::unwrap_used, unsafe_code)]

use hexalog_storage_driver::device_queue::{DeviceQueue, Ended};
use hexalog_storage_driver::durability::DurabilityPath;
use hexalog_storage_format::aligned::{AlignedBuffer, BLOCK_BYTES};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::time::Duration;

fn write(queue: &mut DeviceQueue, blocks: usize) -> Ended {
    let mut buffer = AlignedBuffer::zeroed(blocks * BLOCK_BYTES);
    buffer.bytes_mut().fill(7);
    queue.write(blocks as u64, 0, buffer, true);
    let mut ended = Vec::new();
    while ended.is_empty() {
        queue.wait(Some(Duration::from_secs(20)), &mut ended).unwrap();
    }
    assert_eq!(ended.len(), 1, "an operation ends once");
    ended.remove(0)
}

#[test]
fn a_write_that_is_cut_off_is_carried_on_and_never_counts_by_its_flush_alone() {
    let file = tempfile::tempfile().unwrap();
    let mut queue = DeviceQueue::new(&file, DurabilityPath::LinkedFlush).unwrap();
    assert_eq!(write(&mut queue, 4).result, Ok(()));
    file.set_len(0).unwrap();

    // SAFETY: to be ignored needs no handler.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    let before = getrlimit(Resource::Fsize);
    setrlimit(Resource::Fsize, Rlimit { current: Some(2 * BLOCK_BYTES as u64), ..before }).unwrap();
    // Two blocks are written and the link is cut; the other two have no place, which is told.
    assert_eq!(write(&mut queue, 4).result, Err(libc::EFBIG));
    assert_eq!(file.metadata().unwrap().len(), 2 * BLOCK_BYTES as u64);
    assert_eq!(write(&mut queue, 2).result, Ok(()));

    setrlimit(Resource::Fsize, before).unwrap();
    assert_eq!(write(&mut queue, 4).result, Ok(()));
    assert_eq!(file.metadata().unwrap().len(), 4 * BLOCK_BYTES as u64);
    assert_eq!(queue.in_flight(), 0);
}
