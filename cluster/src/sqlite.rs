//! The metadata store in one SQLite file: the default, for clusters on one machine.
//!
//! Owns the file's schema and pragmas. Several processes may open the file at once; SQLite's locks make each
//! call atomic among them. WAL with `synchronous=FULL`, so a change is on the device before a call returns.
//! The file must be on a local file system (SQLite's locks and WAL do not work on NFS).

use crate::metadata::{
    CALL_MAX, Entry, Metadata, MetadataError, Page, Revision, Watch, check_size, first_revision,
};
use crate::polling::PollingWatch;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, params};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

/// Marks the file as ours (`PRAGMA application_id`): "HexL".
const APPLICATION_ID: i32 = i32::from_be_bytes(*b"HexL");
/// Format of the schema (`PRAGMA user_version`).
const SCHEMA_VERSION: i32 = 1;
/// How long a call waits for another process's transaction. Transactions are single statements of well under
/// a millisecond plus one flush; a stall of this length means that the holder hangs.
const BUSY_TIMEOUT: Duration = CALL_MAX;
/// Entries of one page of a list; a guess that keeps a page of the largest values at 25 MiB.
const PAGE_ENTRIES: usize = 100;
/// How often a watch looks whether anybody has changed the file: a look reads a counter in shared memory.
const WATCH_INTERVAL: Duration = Duration::from_millis(100);

const SCHEMA: &str = "
    CREATE TABLE metadata (
        key TEXT PRIMARY KEY NOT NULL,
        revision INTEGER NOT NULL,
        value BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;";

/// A metadata store in a SQLite file.
pub struct SqliteMetadata {
    path: PathBuf,
    connection: Mutex<Connection>,
}

impl SqliteMetadata {
    /// Opens `path`, making it if it is absent.
    pub fn open_or_create(path: &Path) -> Result<SqliteMetadata, MetadataError> {
        Self::open_with(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)
    }

    /// Opens `path`, which must exist.
    pub fn open(path: &Path) -> Result<SqliteMetadata, MetadataError> {
        Self::open_with(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
    }

    fn open_with(path: &Path, flags: OpenFlags) -> Result<SqliteMetadata, MetadataError> {
        let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(|e| describe(path, &e))?;
        let store = SqliteMetadata { path: path.to_owned(), connection: Mutex::new(connection) };
        store.prepare_file()?;
        Ok(store)
    }

    /// Sets the pragmas and makes the schema if the file is new. An exclusive transaction decides which of
    /// several processes that come at once makes it.
    fn prepare_file(&self) -> Result<(), MetadataError> {
        let mut connection = self.connection();
        let run = |connection: &mut Connection| -> rusqlite::Result<(i32, i32)> {
            connection.busy_timeout(BUSY_TIMEOUT)?;
            if is_of_another_program(connection)? {
                return Ok((0, 0));
            }
            // The change to WAL needs the file alone and does not honour the busy timeout in every case.
            let mut tries_left = 100;
            loop {
                let mode: rusqlite::Result<String> =
                    connection.query_row("PRAGMA journal_mode=WAL", [], |row| row.get(0));
                match mode {
                    Ok(_) => break,
                    Err(error) if is_busy(&error) && tries_left > 0 => {
                        tries_left -= 1;
                        std::thread::sleep(Duration::from_millis(20));
                    }
                    Err(error) => return Err(error),
                }
            }
            connection.pragma_update(None, "synchronous", "FULL")?;
            let transaction =
                connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            let tables: i64 =
                transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
            if tables == 0 {
                transaction.execute_batch(SCHEMA)?;
                transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
                transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
            }
            let pragma = |name: &str| transaction.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
            let found = (pragma("application_id")?, pragma("user_version")?);
            transaction.commit()?;
            Ok(found)
        };
        let (application_id, version) = run(&mut connection).map_err(|e| describe(&self.path, &e))?;
        let path = self.path.display();
        if application_id != APPLICATION_ID {
            return Err(MetadataError::Corrupt(format!("{path} is not a metadata file of Hexalog")));
        }
        if version != SCHEMA_VERSION {
            let why = format!("{path} has format {version}; this program knows {SCHEMA_VERSION}");
            return Err(MetadataError::Corrupt(why));
        }
        Ok(())
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // A panic while the lock was held left no half statement: SQLite rolls back.
        self.connection.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Moves with every change by another connection.
    fn data_version(&self) -> Result<i64, MetadataError> {
        let version = self.connection().pragma_query_value(None, "data_version", |row| row.get(0));
        self.wrap(version)
    }

    /// A statement that fails is rolled back; but where the device fails, nobody knows what of it a restart will find.
    fn wrap_write<T>(&self, result: rusqlite::Result<T>) -> Result<T, MetadataError> {
        result.map_err(|error| match (error.sqlite_error_code(), describe(&self.path, &error)) {
            (Some(ErrorCode::SystemIoFailure), MetadataError::Unavailable(why)) => {
                MetadataError::OutcomeUnknown(why)
            }
            (_, described) => described,
        })
    }

    fn wrap<T>(&self, result: rusqlite::Result<T>) -> Result<T, MetadataError> {
        result.map_err(|error| describe(&self.path, &error))
    }
}

impl Metadata for SqliteMetadata {
    fn get(&self, key: &str) -> Result<Option<Entry>, MetadataError> {
        let connection = self.connection();
        let result = connection
            .prepare_cached("SELECT key, revision, value FROM metadata WHERE key = ?1")
            .and_then(|mut statement| statement.query_row(params![key], read_entry).optional());
        self.wrap(result)
    }

    fn list_page(&self, prefix: &str, after: Option<&str>) -> Result<Page, MetadataError> {
        let connection = self.connection();
        let mut entries = self.wrap(read_page(&connection, prefix, after))?;
        let is_full = entries.len() > PAGE_ENTRIES;
        entries.truncate(PAGE_ENTRIES);
        let next_after = entries.last().filter(|_| is_full).map(|entry| entry.key.clone());
        Ok(Page { entries, next_after })
    }

    fn create(&self, key: &str, value: &[u8]) -> Result<Option<Revision>, MetadataError> {
        check_size(key, value)?;
        let revision = first_revision()?;
        let first = revision_to_sql(revision)?;
        let sql = "INSERT INTO metadata (key, revision, value) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
        let changed =
            self.connection().prepare_cached(sql).and_then(|mut s| s.execute(params![key, first, value]));
        Ok((self.wrap_write(changed)? == 1).then_some(revision))
    }

    fn compare_and_swap(
        &self,
        key: &str,
        revision: Revision,
        value: &[u8],
    ) -> Result<Option<Revision>, MetadataError> {
        check_size(key, value)?;
        let expected = revision_to_sql(revision)?;
        let sql = "UPDATE metadata SET revision = revision + 1, value = ?3 WHERE key = ?1 AND revision = ?2";
        let changed =
            self.connection().prepare_cached(sql).and_then(|mut s| s.execute(params![key, expected, value]));
        Ok((self.wrap_write(changed)? == 1).then_some(Revision(revision.0 + 1)))
    }

    fn remove(&self, key: &str, revision: Revision) -> Result<bool, MetadataError> {
        let expected = revision_to_sql(revision)?;
        let sql = "DELETE FROM metadata WHERE key = ?1 AND revision = ?2";
        let changed =
            self.connection().prepare_cached(sql).and_then(|mut s| s.execute(params![key, expected]));
        Ok(self.wrap_write(changed)? == 1)
    }

    /// The watch has a connection of its own: SQLite's counter of changes leaves out those of the connection that asks.
    fn watch(&self, prefix: &str) -> Result<Box<dyn Watch>, MetadataError> {
        let store = SqliteMetadata::open(&self.path)?;
        let prefix = prefix.to_owned();
        let mut seen = None;
        let look = move || {
            // The counter first: a change between the two is looked at once more, and not missed.
            let version = store.data_version()?;
            if seen == Some(version) {
                return Ok(None);
            }
            let entries = store.list(&prefix)?;
            seen = Some(version);
            Ok(Some(entries))
        };
        Ok(Box::new(PollingWatch::begin(Box::new(look), WATCH_INTERVAL)?))
    }
}

/// One entry more than a page, if there is one. The keys below a prefix stand side by side in the order of their bytes.
fn read_page(connection: &Connection, prefix: &str, after: Option<&str>) -> rusqlite::Result<Vec<Entry>> {
    let sql = "SELECT key, revision, value FROM metadata
               WHERE key >= ?1 AND (?2 IS NULL OR key > ?2) ORDER BY key";
    let mut statement = connection.prepare_cached(sql)?;
    let from = after.map_or(prefix, |after| after.max(prefix));
    let rows = statement.query_map(params![from, after], read_entry)?;
    let is_below = |row: &rusqlite::Result<Entry>| row.as_ref().map_or(true, |e| e.key.starts_with(prefix));
    rows.take_while(is_below).take(PAGE_ENTRIES + 1).collect()
}

fn read_entry(row: &rusqlite::Row<'_>) -> rusqlite::Result<Entry> {
    let revision: i64 = row.get(1)?;
    Ok(Entry { key: row.get(0)?, revision: Revision(revision.unsigned_abs()), value: row.get(2)? })
}

fn revision_to_sql(revision: Revision) -> Result<i64, MetadataError> {
    i64::try_from(revision.0)
        .map_err(|_| MetadataError::Corrupt(format!("revision {} is out of range", revision.0)))
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

fn describe(path: &Path, error: &rusqlite::Error) -> MetadataError {
    let text = format!("{}: {error}", path.display());
    match error.sqlite_error_code() {
        Some(
            ErrorCode::PermissionDenied | ErrorCode::ReadOnly | ErrorCode::AuthorizationForStatementDenied,
        ) => MetadataError::PermissionDenied(text),
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => MetadataError::Corrupt(text),
        // SQLite reports a missing directory and a missing permission alike; the file system knows.
        Some(ErrorCode::CannotOpen) if permission_is_missing(path) => MetadataError::PermissionDenied(text),
        _ => MetadataError::Unavailable(text),
    }
}

/// Whether the file holds somebody else's tables: then not even its journal mode is touched.
fn is_of_another_program(connection: &Connection) -> rusqlite::Result<bool> {
    // In this order: whoever makes the file sets both in one transaction.
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let application_id: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    Ok(tables > 0 && application_id != APPLICATION_ID)
}

fn permission_is_missing(path: &Path) -> bool {
    let outcome = std::fs::OpenOptions::new().read(true).write(true).open(path);
    matches!(outcome, Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied)
}
