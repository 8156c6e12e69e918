//! Buffers that all connections of a ring receive into: the kernel takes one when bytes come, not when a receive is asked for.
//!
//! Owns the memory and the ring of entries by which the kernel is told what is free (a "provided buffer ring"). A buffer is the
//! kernel's from [`SharedBuffers::give_back`] until a completion names it, then the driver's from [`SharedBuffers::lend`] on. There
//! are few at first, since the kernel goes round all of them and few stay in the processor's cache; more are made when it runs out.

use hexalog_storage_format::aligned::{AlignedBuffer, BLOCK_BYTES};
use io_uring::IoUring;
use io_uring::types::BufRingEntry;
use std::mem::{ManuallyDrop, size_of};
use std::sync::atomic::{AtomicU16, Ordering};

/// Size of each. What sixteen requests of a busy session take; a frame that does not fit into one is better received where its
/// connection keeps it.
pub(crate) const SHARED_BUFFER_BYTES: usize = 16 << 10;
/// Made at first.
const COUNT_FIRST: usize = 16;
/// Made at most: 1 MiB, which also bounds what one turn of the loop can be given to do by them.
const COUNT_MAX: usize = 64;
/// The one group of a ring.
pub(crate) const SHARED_GROUP: u16 = 0;

// A power of two, as the kernel wants it, and all entries in the one block that is made for them.
const _: () = assert!(COUNT_MAX.is_power_of_two() && COUNT_MAX * size_of::<BufRingEntry>() <= BLOCK_BYTES);
const _: () = assert!(COUNT_FIRST <= COUNT_MAX);

/// Names one of the buffers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SharedBufferId(pub(super) u16);

/// The buffers of one ring. Dropped without [`SharedBuffers::free`], all memory is leaked: the kernel may still use it.
pub(super) struct SharedBuffers {
    entries: ManuallyDrop<AlignedBuffer>,
    /// By number; none while it is lent.
    buffers: ManuallyDrop<Vec<Option<Box<[u8]>>>>,
    tail: u16,
}

impl SharedBuffers {
    /// Registers them with a ring; `None` if this kernel cannot (before 5.19).
    pub(super) fn register(uring: &IoUring) -> Option<SharedBuffers> {
        let mut entries = ManuallyDrop::new(AlignedBuffer::zeroed(BLOCK_BYTES));
        let address = entries.bytes_mut().as_mut_ptr() as u64;
        // SAFETY: the block holds so many entries, is aligned to a page, and is freed only by `free`, after it was unregistered.
        let registered = unsafe {
            uring.submitter().register_buf_ring_with_flags(address, COUNT_MAX as u16, SHARED_GROUP, 0)
        };
        if registered.is_err() {
            drop(ManuallyDrop::into_inner(entries));
            return None;
        }
        let buffers = ManuallyDrop::new(Vec::with_capacity(COUNT_MAX));
        let mut shared = SharedBuffers { entries, buffers, tail: 0 };
        shared.make(COUNT_FIRST);
        Some(shared)
    }

    fn make(&mut self, count: usize) {
        for _ in 0..count {
            let id = SharedBufferId(self.buffers.len() as u16);
            self.buffers.push(None);
            self.give_back(id, vec![0; SHARED_BUFFER_BYTES].into_boxed_slice());
        }
    }

    /// The kernel has run out: makes as many again. False if there are as many as there may be.
    pub(super) fn grow(&mut self) -> bool {
        let count = self.buffers.len().min(COUNT_MAX - self.buffers.len());
        self.make(count);
        count > 0
    }

    /// Takes out a buffer that a completion has named.
    pub(super) fn lend(&mut self, id: SharedBufferId) -> Box<[u8]> {
        self.buffers[usize::from(id.0)].take().expect("a completion names a buffer that the kernel had")
    }

    /// Gives a buffer to the kernel, with the next system call.
    pub(super) fn give_back(&mut self, id: SharedBufferId, mut buffer: Box<[u8]>) {
        assert!(buffer.len() == SHARED_BUFFER_BYTES, "one of ours");
        let place = &mut self.buffers[usize::from(id.0)];
        assert!(place.is_none(), "it was lent");
        let base = self.entries.bytes_mut().as_mut_ptr().cast::<BufRingEntry>();
        let index = usize::from(self.tail) & (COUNT_MAX - 1);
        // SAFETY: an index within the block of entries, which is aligned. The kernel reads entries below the tail alone, and as
        // there are no more buffers than entries this one lies not below it. Its fields are written one by one, since the
        // first one's last two bytes are the tail.
        unsafe {
            let entry = &mut *base.add(index);
            entry.set_addr(buffer.as_mut_ptr() as u64);
            entry.set_len(SHARED_BUFFER_BYTES as u32);
            entry.set_bid(id.0);
        }
        *place = Some(buffer);
        self.tail = self.tail.wrapping_add(1);
        // SAFETY: the base is the first entry's; the tail in it is aligned, and the kernel only reads it.
        let tail = unsafe { &*BufRingEntry::tail(base).cast::<AtomicU16>() };
        tail.store(self.tail, Ordering::Release);
    }

    /// Frees the memory. No receive into the buffers may be in flight.
    pub(super) fn free(self, uring: &IoUring) {
        if uring.submitter().unregister_buf_ring(SHARED_GROUP).is_ok() {
            drop(ManuallyDrop::into_inner(self.entries));
            drop(ManuallyDrop::into_inner(self.buffers));
        }
    }
}
