//! A page as people read it: what kind it is, its header, its cells or records.
//!
//! For `hexalog inspect`-like tools and for tests of what the engine makes of damaged pages: it reads a page by the same
//! functions as the engine does, after the same check.

use crate::layout::bitmap_page;
use crate::layout::chain_list;
use crate::layout::check::check;
use crate::layout::overflow_page::{OverflowHeader, entry};
use crate::layout::sequence_page;
use crate::layout::super_page::{DirectoryEntry, ENTRIES_PER_PAGE, SuperPage};
use crate::layout::tree_page::{ROW_OVERFLOW, TreePage};
use crate::layout::undo_page::{RECORDS_START, UndoHeader, records_from};
use crate::layout::undo_record::{PreviousBody, UndoRecord};
use crate::layout::{Bytes, KIND, KIND_BITMAP, KIND_DIRECTORY, KIND_OVERFLOW, KIND_TREE, KIND_UNDO};
use hexalog_protocol::Page;
use std::fmt::Write;

/// A page in words, a line for each thing in it; what is wrong with it, if it does not hold together.
pub fn describe_page(page: &Page) -> Result<String, &'static str> {
    let bytes = page.bytes();
    check(bytes)?;
    let mut out = format!("page {} at {}\n", page.id(), page.lsn());
    match bytes[KIND] {
        KIND_TREE => describe_tree(TreePage(bytes), &mut out),
        KIND_UNDO => describe_undo(bytes, &mut out)?,
        KIND_BITMAP => {
            line(&mut out, &format_args!("bitmap, {} pages in use", bitmap_page::count_used(bytes)))
        }
        KIND_OVERFLOW => describe_overflow(bytes, &mut out),
        KIND_DIRECTORY => describe_directory(bytes, &mut out),
        kind => match (SuperPage::decode(bytes), sequence_page::decode(bytes)) {
            (Some(super_page), _) => line(&mut out, &format_args!("{super_page:?}")),
            (_, Some(sequence)) => line(&mut out, &format_args!("{sequence:?}")),
            _ => line(&mut out, &format_args!("kind {kind}, which holds nothing known")),
        },
    }
    Ok(out)
}

fn line(out: &mut String, text: &dyn std::fmt::Display) {
    writeln!(out, "{text}").expect("a string grows");
}

fn describe_tree(page: TreePage<'_>, out: &mut String) {
    let (level, flags, free) = (page.level(), page.flags(), page.free());
    line(out, &format_args!("tree {:?}, level {level}, flags {flags}, {free} bytes free", page.tree()));
    for slot in 0..page.slots() {
        if page.is_leaf() {
            let cell = page.leaf_cell(slot);
            let body = cell.body.len();
            line(out, &format_args!("{slot}: {:02x?} {:?}, {body} bytes", cell.key, cell.header));
            if cell.header.flags & ROW_OVERFLOW != 0 {
                let chains: Option<Vec<_>> = chain_list::decode(cell.body).map(Iterator::collect);
                line(out, &format_args!("   chains {chains:?}"));
            }
        } else {
            line(out, &format_args!("{slot}: {:02x?} -> {:?}", page.key(slot), page.child(slot)));
        }
    }
    line(out, &format_args!("below {:02x?}, then {:?}", page.high_key(), page.right()));
}

fn describe_undo(bytes: &Bytes, out: &mut String) -> Result<(), &'static str> {
    line(out, &format_args!("{:?}", UndoHeader::decode(bytes)));
    for (at, record) in records_from(bytes, RECORDS_START) {
        let record = UndoRecord::decode(record).map_err(|malformed| malformed.what)?;
        line(out, &format_args!("{at}: {record:02x?}"));
        if let UndoRecord::Change(change) = record
            && let PreviousBody::Ranges(_) = change.body
        {
            // The row is elsewhere; a row of zeros shows which of its bytes come back.
            let mut body = vec![0; crate::CELL_BYTES_MAX];
            change.body.restore(&mut body).map_err(|malformed| malformed.what)?;
        }
    }
    Ok(())
}

fn describe_overflow(bytes: &Bytes, out: &mut String) {
    let header = OverflowHeader::decode(bytes);
    line(out, &format_args!("{header:?}"));
    if let Some(header) = header.filter(|header| header.is_directory) {
        let pages: Vec<_> = (0..usize::from(header.count)).map(|index| entry(bytes, index)).collect();
        line(out, &format_args!("{pages:?}"));
    }
}

fn describe_directory(bytes: &Bytes, out: &mut String) {
    for place in 0..ENTRIES_PER_PAGE {
        let entry = DirectoryEntry::decode(bytes, SuperPage::entry_offset(place));
        if entry != DirectoryEntry::default() {
            line(out, &format_args!("{place}: {entry:?}"));
        }
    }
}
