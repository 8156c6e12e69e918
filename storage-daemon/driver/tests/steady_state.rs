//! The foreground path takes no memory from the allocator once it has run for a while. A process of its own: it counts.

#![allow(clippy::disallowed_methods, clippy::unwrap_used, unsafe_code)]

#[allow(dead_code)] // what other tests need of it
mod stand_in;

use hexalog_storage_driver::device_queue::DeviceQueue;
use hexalog_storage_driver::durability::DurabilityPath;
use hexalog_storage_format::aligned::{AlignedBuffer, BLOCK_BYTES};
use stand_in::*;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Allocations of threads that are counted.
static COUNT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static IS_COUNTED: Cell<bool> = const { Cell::new(true) };
}

struct Counting;

// SAFETY: all is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if IS_COUNTED.try_with(Cell::get).unwrap_or(false) {
            COUNT.fetch_add(1, Ordering::Relaxed);
        }
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Sends all connections' frames, then takes all answers: several to a send, and now and then one cut by the end of a buffer.
fn round(clients: &mut [Client], request: &[u8], answer: &mut [u8]) {
    for client in clients.iter_mut() {
        client.stream.write_all(request).unwrap();
    }
    for client in clients {
        client.stream.read_exact(answer).unwrap();
    }
}

#[test]
fn frames_and_answers_take_no_memory_from_the_allocator() {
    IS_COUNTED.set(false);
    let fixture = Fixture::start(DurabilityPath::LinkedFlush);
    let mut clients: Vec<_> = (0..8).map(|_| fixture.client()).collect();
    let mut request = Vec::new();
    for id in 0..60 {
        hexalog_protocol::frame::write_frame(&mut request, ECHO, id, |out| out.extend_from_slice(&[7; 300]));
    }
    let mut answer = vec![0; request.len()];
    // A buffer may have to grow when the machine stops for a while and more comes at once than ever before, so not in every
    // stretch; but for the first one or two there were none, on a busy machine too.
    let counts: Vec<_> = (0..20)
        .map(|_| {
            let before = COUNT.load(Ordering::Relaxed);
            (0..100).for_each(|_| round(&mut clients, &request, &mut answer));
            COUNT.load(Ordering::Relaxed) - before
        })
        .collect();
    assert_eq!(answer, request);
    let without = counts.iter().filter(|count| **count == 0).count();
    assert!(without >= 15, "allocations in stretches of 100 rounds of 8 connections: {counts:?}");
    assert!(fixture.stop());
    appends_take_no_memory();
}

/// In the same test, since all counted threads are counted together.
fn appends_take_no_memory() {
    for path in [DurabilityPath::LinkedFlush, DurabilityPath::DsyncWrite] {
        let file = tempfile::tempfile().unwrap();
        let mut queue = DeviceQueue::new(&file, path).unwrap();
        let mut buffer = Some(AlignedBuffer::zeroed(4 * BLOCK_BYTES));
        let mut ended = Vec::with_capacity(4);
        let mut before = 0;
        for index in 0..60 {
            if index == 20 {
                before = COUNT.load(Ordering::Relaxed);
                IS_COUNTED.set(true);
            }
            queue.write(index, 0, buffer.take().unwrap(), true);
            while ended.is_empty() {
                queue.wait(Some(Duration::from_secs(20)), &mut ended).unwrap();
            }
            buffer = ended.pop().map(|it| it.buffer);
        }
        IS_COUNTED.set(false);
        assert_eq!(COUNT.load(Ordering::Relaxed) - before, 0, "{path:?}");
    }
}
