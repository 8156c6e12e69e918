//! The allocator as a process has it.

#![allow(unsafe_code, clippy::disallowed_methods)]

use hexalog_page_memory::PageMemory;
use hexalog_protocol::{PAGE_SIZE, Page};
use std::alloc::{GlobalAlloc, Layout};
use std::collections::HashSet;
use std::sync::mpsc;

#[global_allocator]
static MEMORY: PageMemory = PageMemory;

fn filled(byte: u8) -> Page {
    Page::from_bytes(&[byte; PAGE_SIZE]).expect("one page long")
}

fn address(page: &Page) -> usize {
    page.bytes().as_ptr() as usize
}

/// As many as lie in a few stretches, half of them given back in between: each keeps what was written to it, none has
/// another's place, and what was given back is given out before new memory is.
#[test]
fn images_lie_apart_and_are_used_again() {
    let mut pages: Vec<(u8, Page)> = (0..2000u32).map(|n| (n as u8, filled(n as u8))).collect();
    let addresses: HashSet<usize> = pages.iter().map(|(_, page)| address(page)).collect();
    assert_eq!(addresses.len(), pages.len());
    let mut kept = 0;
    pages.retain(|_| {
        kept += 1;
        kept % 2 == 0
    });
    pages.extend((0..1000u32).map(|n| (!n as u8, filled(!n as u8))));
    for (byte, page) in &pages {
        assert!(page.bytes().iter().all(|b| b == byte));
        assert_eq!(address(page) % 4096, 0);
    }
    // Other tests' images may have come between: most, not all.
    let again = pages.iter().filter(|(_, page)| addresses.contains(&address(page))).count();
    assert!(again > 1500, "{again} of {} have a place that was there", pages.len());
}

/// They come and go on different threads, as fetched pages do.
#[test]
fn images_change_threads() {
    let (give, take) = mpsc::sync_channel::<(u8, Page)>(64);
    let givers: Vec<_> = (0..3u8)
        .map(|giver| {
            let give = give.clone();
            std::thread::spawn(move || {
                for n in 0..3000u32 {
                    let byte = giver.wrapping_mul(80).wrapping_add(n as u8);
                    give.send((byte, filled(byte))).expect("the taker stays to the end");
                }
            })
        })
        .collect();
    drop(give);
    let mut taken = 0;
    for (byte, page) in take {
        assert!(page.bytes().iter().all(|b| *b == byte));
        taken += 1;
    }
    assert_eq!(taken, 9000);
    for giver in givers {
        giver.join().expect("no giver failed");
    }
}

/// What had something in it comes back as zeros where zeros are asked for, and an allocation may become a page's and cease to be one.
#[test]
fn zeroed_and_resized() {
    let page = Page::LAYOUT;
    let larger = Layout::from_size_align(2 * page.size(), page.align()).expect("a layout");
    // SAFETY: each allocation is used within its size and given back once, with the layout that it has then.
    unsafe {
        for _ in 0..100 {
            let dirty = MEMORY.alloc(page);
            dirty.write_bytes(0xa5, page.size());
            MEMORY.dealloc(dirty, page);
            let zeroed = MEMORY.alloc_zeroed(page);
            assert!(std::slice::from_raw_parts(zeroed, page.size()).iter().all(|b| *b == 0));
            zeroed.write_bytes(7, page.size());
            let grown = MEMORY.realloc(zeroed, page, larger.size());
            assert!(std::slice::from_raw_parts(grown, page.size()).iter().all(|b| *b == 7));
            let shrunk = MEMORY.realloc(grown, larger, page.size());
            assert!(std::slice::from_raw_parts(shrunk, page.size()).iter().all(|b| *b == 7));
            MEMORY.dealloc(shrunk, page);
        }
    }
}

/// The reason for it all: what a thousand images take is what they are long.
#[test]
fn an_image_takes_no_more_than_its_length() {
    let pages: Vec<Page> = (0..1024).map(|_| Page::zeroed()).collect();
    let mut addresses: Vec<usize> = pages.iter().map(address).collect();
    addresses.sort_unstable();
    let side_by_side = addresses.windows(2).filter(|pair| pair[1] - pair[0] == PAGE_SIZE).count();
    // All but what lies at the ends of stretches, and what other tests have in between.
    assert!(side_by_side > 512, "{side_by_side} of 1023 lie side by side");
}
