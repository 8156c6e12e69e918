//! Pages as compute gets them from storage: their checksums hold, and say nothing of whether they make sense.

use super::nothing;
use crate::target::{TAKEN, Target};
use hexalog_engine::memory_volume::MemoryVolume;
use hexalog_engine::{
    Engine, Isolation, Options, RowBuffer, RowRef, SequenceParams, TreeKind, describe_page,
};
use hexalog_protocol::geometry::Geometry;
use hexalog_protocol::{PAGE_BODY_START, PAGE_SIZE, Page, PageId, VolumeId};

/// The body of a page, without the zeros at its end.
pub const PAGES: Target = Target {
    name: "pages",
    seeds,
    mend: nothing,
    check,
    // Ten characters of text for a byte, in a string that doubles; a row to restore for each undo record.
    allocated_bytes_max: |_| 16 << 20,
};

const SMALL: Options = Options { frames: 64, undo_streams: 8, snapshots: 8 };

/// One page of each kind of a small volume: two levels of a tree, undo, sequence, bitmap, directory, super page.
fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let volume = MemoryVolume::new(Geometry { pages_per_group: 64, groups: 4 });
    let engine = Engine::new(volume.clone(), SMALL);
    volume.run(&engine, || engine.create()).expect("creates");
    fill(&volume, &engine);
    let last = volume.beyond_vdl();
    volume.advance_vdl(&engine, last);
    let mut found: Vec<(&'static str, Vec<u8>)> = Vec::new();
    for image in volume.images() {
        let body = &image.bytes()[PAGE_BODY_START..];
        let name = match (body[0], body[1]) {
            (1, _) => "super",
            (2, _) => "bitmap",
            (3, _) => "directory",
            (4, _) => "undo",
            (5, 0) => "leaf",
            (5, _) => "inner",
            (6, _) => "sequence",
            _ => continue,
        };
        let used = body.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        // Cells are at a page's end; the last of a kind has most in it.
        found.retain(|(other, _)| *other != name);
        found.push((name, body[..used].to_vec()));
    }
    found
}

fn row(body: &[u8]) -> RowRef<'_> {
    RowRef { columns: 2, body, chains: &[] }
}

fn fill(volume: &MemoryVolume, engine: &Engine) {
    let mut txn = engine.begin(Isolation::ReadCommitted, false);
    volume.run(engine, || engine.begin_statement(&mut txn)).expect("begins");
    let tree = volume.run(engine, || engine.create_tree(&mut txn, TreeKind::Clustered)).expect("a tree");
    let params = SequenceParams { start: 1, increment: 2, min: 1, max: 1000, cycle: true };
    volume.run(engine, || engine.create_sequence(&mut txn, params)).expect("a sequence");
    for number in 0..40_u8 {
        let (key, body) = ([number, 7], [number; 500]);
        volume.run(engine, || engine.insert(&mut txn, tree, &key, row(&body))).expect("inserts");
    }
    volume.run(engine, || engine.commit(&mut txn)).expect("commits");
    volume.advance_vdl(engine, volume.beyond_vdl());
    let mut txn = engine.begin(Isolation::ReadCommitted, false);
    volume.run(engine, || engine.begin_statement(&mut txn)).expect("begins");
    for number in 0..12_u8 {
        let (key, body) = ([number, 7], [number / 2; 500]);
        let mut old = RowBuffer::default();
        let is_there = volume.run(engine, || engine.get(&mut txn, tree, &key, &mut old)).expect("reads");
        assert!(is_there);
        let seen = old.version;
        if number == 11 {
            volume.run(engine, || engine.delete(&mut txn, tree, &key, seen, None)).expect("deletes");
        } else {
            volume.run(engine, || engine.update(&mut txn, tree, &key, seen, row(&body))).expect("updates");
        }
    }
    volume.run(engine, || engine.commit(&mut txn)).expect("commits");
}

fn check(input: &[u8]) -> &'static str {
    let mut page = Page::new(VolumeId([7; 16]), PageId(44));
    let body = &mut page.bytes_mut()[PAGE_BODY_START..PAGE_SIZE];
    let used = input.len().min(body.len());
    body[..used].copy_from_slice(&input[..used]);
    match describe_page(&page) {
        Ok(text) => {
            assert!(text.starts_with("page "));
            TAKEN
        }
        Err(what) => what,
    }
}
