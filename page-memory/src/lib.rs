//! The process's allocator: page images in huge pages, everything else as the system has it.
//!
//! A page image is 8 KiB at a multiple of 4 KiB. The system's allocator takes 12 KiB for each, since what it keeps before an
//! allocation moves the next by a whole 4 KiB; and a cache of images lies on as many small pages of the kernel's, whose
//! translations a processor has to look up again for nearly every step from the root to a leaf. Images are all of one size: here they lie
//! side by side in stretches that the kernel is asked to back with huge pages, and one that is given back is the next to be
//! given out. A stretch is never given back to the kernel: a process keeps what its images once took together, which
//! the sizes of its caches bound.
//!
//! A binary installs it with `#[global_allocator]`; [`hexalog_protocol::Page`] knows nothing of it.

#![allow(unsafe_code)]
#![deny(unsafe_op_in_unsafe_fn, clippy::undocumented_unsafe_blocks)]

use hexalog_protocol::Page;
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};
use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr::{self, NonNull};
use std::sync::{Mutex, PoisonError};

/// Bytes of a huge page, on x86-64 and on AArch64 with small pages of 4 KiB. Where it is another, images still lie side by side.
const HUGE: usize = 2 << 20;

/// Bytes mapped at once, of which the kernel gives what is touched: a process may have 65,530 mappings, and a cache of 128 GiB
/// comes to 2,048 of these.
const STRETCH: usize = 32 * HUGE;

const PAGE: Layout = Page::LAYOUT;
const _: () = assert!(STRETCH.is_multiple_of(PAGE.size()) && STRETCH.is_multiple_of(PAGE.align()));
const _: () = assert!(PAGE.size().is_multiple_of(PAGE.align()), "so each in a stretch is aligned");
const _: () = assert!(PAGE.size() >= size_of::<Link>() && PAGE.align() >= align_of::<Link>());

/// The allocator.
pub struct PageMemory;

/// Images that nobody has. One lock for all: an image is taken when a page is fetched or built, not when it is read.
static FREE: Mutex<Free> = Mutex::new(Free { first: None, fresh: ptr::null_mut(), fresh_left: 0 });

struct Free {
    /// The image given back last.
    first: Option<NonNull<Link>>,
    /// What was never given out of the newest stretch, and how many images that is.
    fresh: *mut u8,
    fresh_left: usize,
}

// SAFETY: what the pointers lead to is owned by whoever holds the lock around this, from any thread.
unsafe impl Send for Free {}

/// Lies at the start of an image that nobody has.
struct Link {
    next: Option<NonNull<Link>>,
}

impl Free {
    /// An image, or null if the kernel has no memory.
    fn take(&mut self) -> *mut u8 {
        if let Some(first) = self.first {
            // SAFETY: `give_back` wrote it, and nobody has had the image since.
            self.first = unsafe { first.read().next };
            return first.as_ptr().cast();
        }
        if self.fresh_left == 0 {
            let Some(stretch) = map_stretch() else { return ptr::null_mut() };
            (self.fresh, self.fresh_left) = (stretch, STRETCH / PAGE.size());
        }
        let image = self.fresh;
        // SAFETY: at most the end of the stretch, since an image is left in it.
        self.fresh = unsafe { image.add(PAGE.size()) };
        self.fresh_left -= 1;
        image
    }

    /// # Safety
    /// `image` came from [`Free::take`] and nobody uses it any more.
    unsafe fn give_back(&mut self, image: NonNull<u8>) {
        let link: NonNull<Link> = image.cast();
        // SAFETY: the image is large and aligned enough for a link (asserted above), and is ours again.
        unsafe { link.write(Link { next: self.first }) };
        self.first = Some(link);
    }
}

/// Maps a stretch at a multiple of a huge page.
fn map_stretch() -> Option<*mut u8> {
    // SAFETY: a new mapping, wherever the kernel likes; it touches none that is there.
    let mapped = unsafe {
        mmap_anonymous(ptr::null_mut(), STRETCH + HUGE, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE)
    }
    .ok()?;
    let before = mapped.align_offset(HUGE);
    let stretch = mapped.wrapping_byte_add(before);
    let behind = stretch.wrapping_byte_add(STRETCH);
    // SAFETY: all three lie within the mapping, which nobody has but us; what is cut off is not used again.
    unsafe {
        if before > 0 {
            let _ = munmap(mapped, before);
        }
        if before < HUGE {
            let _ = munmap(behind, HUGE - before);
        }
        // A kernel without huge pages refuses, and everything works as it would have.
        let _ = madvise(stretch, STRETCH, Advice::LinuxHugepage);
    }
    Some(stretch.cast())
}

fn free() -> impl std::ops::DerefMut<Target = Free> {
    // Nothing within panics; were it so, the list would be whole all the same.
    FREE.lock().unwrap_or_else(PoisonError::into_inner)
}

// SAFETY: an allocation of the layout of a page comes from `Free` and goes back there, each to one owner at a time; every other goes
// to the system's allocator as it is. Neither the lock nor a mapping allocates.
unsafe impl GlobalAlloc for PageMemory {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match layout == PAGE {
            true => free().take(),
            // SAFETY: the caller's promises are the system's conditions.
            false => unsafe { System.alloc(layout) },
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if layout != PAGE {
            // SAFETY: as above. Not written over here: the system knows what is zero already.
            return unsafe { System.alloc_zeroed(layout) };
        }
        let image = free().take();
        if !image.is_null() {
            // SAFETY: an image is so long.
            unsafe { image.write_bytes(0, PAGE.size()) };
        }
        image
    }

    unsafe fn dealloc(&self, allocated: *mut u8, layout: Layout) {
        match (layout == PAGE, NonNull::new(allocated)) {
            // SAFETY: what has this layout came from `take`, and the caller gives it up.
            (true, Some(image)) => unsafe { free().give_back(image) },
            // SAFETY: as above.
            _ => unsafe { System.dealloc(allocated, layout) },
        }
    }

    unsafe fn realloc(&self, allocated: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let is_page_after = new_size == PAGE.size() && layout.align() == PAGE.align();
        if layout != PAGE && !is_page_after {
            // SAFETY: as above.
            return unsafe { System.realloc(allocated, layout, new_size) };
        }
        // SAFETY: the caller promises that the new size is a layout's; both allocations are as long as what is copied, and the old is
        // given up only when there is a new one.
        unsafe {
            let new = self.alloc(Layout::from_size_align_unchecked(new_size, layout.align()));
            if !new.is_null() {
                ptr::copy_nonoverlapping(allocated, new, layout.size().min(new_size));
                self.dealloc(allocated, layout);
            }
            new
        }
    }
}
