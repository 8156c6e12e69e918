//! The SQLite backend's errors about its file.

#![allow(clippy::disallowed_methods)] // Not a core: tests make files.

use hexalog_cluster::{MetadataError, SqliteMetadata};

#[test]
fn a_missing_file_is_made_only_when_asked() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("m.sqlite");
    assert!(matches!(SqliteMetadata::open(&path), Err(MetadataError::Unavailable(_))));
    assert!(!path.exists());
    SqliteMetadata::open_or_create(&path).expect("makes it");
    SqliteMetadata::open(&path).expect("finds it");
}

#[test]
fn another_kind_of_file_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("m.sqlite");
    let text = vec![b'x'; 4096];
    std::fs::write(&path, &text).expect("write");
    assert!(matches!(SqliteMetadata::open_or_create(&path), Err(MetadataError::Corrupt(_))));
    assert_eq!(std::fs::read(&path).expect("read"), text);
}

#[test]
fn another_programs_database_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("m.sqlite");
    let other = rusqlite::Connection::open(&path).expect("open");
    other.execute_batch("CREATE TABLE t (a); PRAGMA user_version = 7;").expect("create");
    drop(other);
    let before = std::fs::read(&path).expect("read");
    assert!(matches!(SqliteMetadata::open_or_create(&path), Err(MetadataError::Corrupt(_))));
    assert_eq!(std::fs::read(&path).expect("read"), before, "its journal mode is not changed either");
}
