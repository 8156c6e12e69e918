//! A store that loses answers, made to lose exactly those that matter.

use super::*;
use crate::metadata::{Entry, Page, Watch};
use crate::sqlite::SqliteMetadata;
use std::collections::VecDeque;
use std::sync::Mutex;

/// What becomes of a write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    /// It is answered.
    Answered,
    /// It lands, and its answer is lost.
    Landed,
    /// It is lost.
    Lost,
    /// It is lost on the way and lands before the next one.
    Late,
}

/// Key, revision to replace, value.
type Write = (String, Option<Revision>, Vec<u8>);

struct Unreliable {
    store: SqliteMetadata,
    fates: Mutex<VecDeque<Fate>>,
    late: Mutex<Option<Write>>,
    is_readable: bool,
    _dir: tempfile::TempDir,
}

impl Unreliable {
    fn new(fates: &[Fate]) -> Unreliable {
        let dir = tempfile::tempdir().expect("temporary directory");
        let store = SqliteMetadata::open_or_create(&dir.path().join("m.sqlite")).expect("opens");
        let fates = Mutex::new(fates.iter().copied().collect());
        Unreliable { store, fates, late: Mutex::new(None), is_readable: true, _dir: dir }
    }

    fn write(
        &self,
        key: &str,
        revision: Option<Revision>,
        value: &[u8],
    ) -> Result<Option<Revision>, MetadataError> {
        let send = |key: &str, revision: Option<Revision>, value: &[u8]| match revision {
            None => self.store.create(key, value),
            Some(revision) => self.store.compare_and_swap(key, revision, value),
        };
        if let Some((key, revision, value)) = self.late.lock().expect("no panic").take() {
            send(&key, revision, &value).expect("the file is there");
        }
        let fate = self.fates.lock().expect("no panic").pop_front().unwrap_or(Fate::Answered);
        match fate {
            Fate::Answered => return send(key, revision, value),
            Fate::Landed => drop(send(key, revision, value).expect("the file is there")),
            Fate::Lost => {}
            Fate::Late => {
                *self.late.lock().expect("no panic") = Some((key.to_owned(), revision, value.to_owned()));
            }
        }
        Err(MetadataError::OutcomeUnknown("cut".to_owned()))
    }
}

impl Metadata for Unreliable {
    fn get(&self, key: &str) -> Result<Option<Entry>, MetadataError> {
        match self.is_readable {
            true => self.store.get(key),
            false => Err(MetadataError::Unavailable("gone".to_owned())),
        }
    }
    fn list_page(&self, prefix: &str, after: Option<&str>) -> Result<Page, MetadataError> {
        self.store.list_page(prefix, after)
    }
    fn create(&self, key: &str, value: &[u8]) -> Result<Option<Revision>, MetadataError> {
        self.write(key, None, value)
    }
    fn compare_and_swap(
        &self,
        key: &str,
        revision: Revision,
        value: &[u8],
    ) -> Result<Option<Revision>, MetadataError> {
        self.write(key, Some(revision), value)
    }
    fn remove(&self, key: &str, revision: Revision) -> Result<bool, MetadataError> {
        self.store.remove(key, revision)
    }
    fn watch(&self, prefix: &str) -> Result<Box<dyn Watch>, MetadataError> {
        self.store.watch(prefix)
    }
}

fn value(store: &Unreliable) -> Option<Vec<u8>> {
    store.store.get("k").expect("reads").map(|entry| entry.value)
}

#[test]
fn a_write_lands_once_whatever_becomes_of_its_answers() {
    use Fate::{Answered, Landed, Late, Lost};
    for fates in [
        &[Answered][..],
        &[Landed],
        &[Lost, Answered],
        &[Lost, Landed],
        &[Late, Answered],
        &[Late, Lost],
        &[Late, Landed],
        &[Lost, Late, Answered],
    ] {
        let store = Unreliable::new(fates);
        let made = create(&store, "k", b"1").expect("found out").expect("nobody else writes");
        assert_eq!(store.store.get("k").expect("reads").expect("made").revision, made, "{fates:?}");
        let store = Unreliable::new(fates);
        let before = store.store.create("k", b"0").expect("creates").expect("absent");
        let swapped = compare_and_swap(&store, "k", before, b"1").expect("found out").expect("alone");
        assert_eq!((value(&store), swapped.0), (Some(b"1".to_vec()), before.0 + 1), "{fates:?}: once");
    }
}

#[test]
fn another_writers_value_is_not_taken_for_ours() {
    for fates in [&[Fate::Answered][..], &[Fate::Lost]] {
        let store = Unreliable::new(fates);
        let before = store.store.create("k", b"0").expect("creates").expect("absent");
        store.store.compare_and_swap("k", before, b"theirs").expect("swaps").expect("alone");
        assert_eq!(compare_and_swap(&store, "k", before, b"ours"), Ok(None), "{fates:?}");
        assert_eq!(value(&store), Some(b"theirs".to_vec()));
    }
}

#[test]
fn who_cannot_read_back_leaves_it_open() {
    let mut store = Unreliable::new(&[Fate::Landed]);
    store.is_readable = false;
    assert_eq!(create(&store, "k", b"1"), Err(MetadataError::OutcomeUnknown("cut".to_owned())));
    let store = Unreliable::new(&[Fate::Lost; SENDS_MAX]);
    assert!(matches!(create(&store, "k", b"1"), Err(MetadataError::OutcomeUnknown(_))), "it gives up");
}
