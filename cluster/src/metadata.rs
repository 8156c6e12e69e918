//! The metadata store as the rest of the system sees it: a small map with compare-and-swap of one key.
//!
//! Owns the trait, its errors and its limits. Every backend (a SQLite file, etcd, the DynamoDB API) passes the same
//! `tests/conformance`. Calls block: callers are start-up paths, tools and control threads, never a session, and each
//! call ends within [`CALL_MAX`]. It never interprets a value; [`crate::catalog`] does. A write whose answer was lost
//! is found out by [`crate::settle`], who may act for all by [`crate::lease`].

use std::fmt;
use std::time::Duration;

/// Longest key in bytes: what every backend takes (DynamoDB's sort key ends at 1,024).
pub const KEY_BYTES_MAX: usize = 512;
/// Longest value in bytes. A member-list page of 256 groups is about 115 KB; DynamoDB's items end at 400 KiB, etcd's
/// requests at 1.5 MiB.
pub const VALUE_BYTES_MAX: usize = 256 * 1024;
/// Longest time that a call takes, whatever becomes of the store: an election of etcd's ends within two seconds, and
/// a transaction in a SQLite file within a few flushes.
pub const CALL_MAX: Duration = Duration::from_secs(5);

/// Which change of its key an entry is. A compare-and-swap names the revision that it replaces. Later changes of a key that
/// stays have higher ones; none comes again, not even when the key was removed and made anew. Nothing else may
/// be read from the number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Revision(pub u64);

/// A key with its value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Which change of the key this is.
    pub revision: Revision,
    /// The value.
    pub value: Vec<u8>,
}

/// A part of a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page {
    /// In the order of the keys' bytes.
    pub entries: Vec<Entry>,
    /// The key after which the next page begins; `None`: this was the last.
    pub next_after: Option<String>,
}

/// A linearizable store of small values.
pub trait Metadata: Send + Sync {
    /// The entry at `key`.
    fn get(&self, key: &str) -> Result<Option<Entry>, MetadataError>;

    /// Some entries whose key begins with `prefix` and comes after `after`, as many as the backend gives at once.
    fn list_page(&self, prefix: &str, after: Option<&str>) -> Result<Page, MetadataError>;

    /// Makes `key` if it is absent: durable when this returns `Some`. `None`: it exists already, and nothing
    /// was changed.
    fn create(&self, key: &str, value: &[u8]) -> Result<Option<Revision>, MetadataError>;

    /// Replaces the value of `key` if it still has `revision`: durable when this returns `Some`. `None`: the
    /// key is absent or has another revision, and nothing was changed.
    fn compare_and_swap(
        &self,
        key: &str,
        revision: Revision,
        value: &[u8],
    ) -> Result<Option<Revision>, MetadataError>;

    /// Removes `key` if it still has `revision`; whether it did.
    fn remove(&self, key: &str, revision: Revision) -> Result<bool, MetadataError>;

    /// Tells from now on what changes below `prefix`. To know the state, watch first and list then.
    fn watch(&self, prefix: &str) -> Result<Box<dyn Watch>, MetadataError>;

    /// All entries whose key begins with `prefix`, in key order. Each is as it was at some time during the call; a
    /// list of several pages is no snapshot.
    fn list(&self, prefix: &str) -> Result<Vec<Entry>, MetadataError> {
        let mut page = self.list_page(prefix, None)?;
        let mut entries = page.entries;
        while let Some(after) = page.next_after {
            page = self.list_page(prefix, Some(&after))?;
            entries.append(&mut page.entries);
        }
        Ok(entries)
    }
}

/// A change that a watch tells.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// The key has this value now.
    Put {
        /// The key and its new value.
        entry: Entry,
        /// Earlier changes of the key may not have been told.
        skipped: bool,
    },
    /// The key is gone.
    Removed {
        /// The key.
        key: String,
        /// Earlier changes of the key may not have been told.
        skipped: bool,
    },
    /// Changes of any key may not have been told: list what is watched. Later events may tell again what the list
    /// has shown; a revision below the known one is an old one.
    Missed,
}

/// Changes below a prefix. The last state of each key is always told; a change that another one followed at once may be
/// left out, and then the event says so.
pub trait Watch: Send {
    /// What has changed since the last call, each key's changes in their order. Waits at most `patience`
    /// for the first; empty if there was none. After an error the watch goes on, and nothing is lost by it.
    fn next(&mut self, patience: Duration) -> Result<Vec<Event>, MetadataError>;
}

/// Why the store could not answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MetadataError {
    /// The store cannot be reached or opened now. Nothing was changed.
    Unavailable(String),
    /// A write was sent and its answer did not come: it was made, or was not, or may yet be. Reading back tells, see
    /// [`crate::settle`].
    OutcomeUnknown(String),
    /// The store exists and may not be used by this user.
    PermissionDenied(String),
    /// What was found is not what this code wrote: another kind of file, a newer format, a damaged value.
    Corrupt(String),
    /// A key or value over the limits.
    TooLarge(String),
    /// This program was built without the backend.
    NotBuilt(String),
}

impl fmt::Display for MetadataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MetadataError::Unavailable(why) => write!(f, "metadata is not available: {why}"),
            MetadataError::OutcomeUnknown(why) => {
                write!(f, "metadata did not answer, and a change may have been made: {why}")
            }
            MetadataError::PermissionDenied(why) => write!(f, "no permission for metadata: {why}"),
            MetadataError::Corrupt(why) => write!(f, "metadata is not usable: {why}"),
            MetadataError::TooLarge(why) => write!(f, "metadata entry too large: {why}"),
            MetadataError::NotBuilt(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for MetadataError {}

/// Refuses what some backend could not hold, so that no cluster depends on the backend it began with.
pub(crate) fn check_size(key: &str, value: &[u8]) -> Result<(), MetadataError> {
    if key.is_empty() || key.len() > KEY_BYTES_MAX {
        return Err(MetadataError::TooLarge(format!("key of {} bytes", key.len())));
    }
    if value.len() > VALUE_BYTES_MAX {
        return Err(MetadataError::TooLarge(format!("value of {} bytes at {key}", value.len())));
    }
    Ok(())
}

/// The revision of a key that is made, in backends that count each key's changes: random, so that a
/// key that was removed and made anew never meets a revision that somebody remembers. Below 2^52, with
/// room to count; whoever reads numbers as doubles reads them right.
pub(crate) fn first_revision() -> Result<Revision, MetadataError> {
    let random = getrandom::u64()
        .map_err(|error| MetadataError::Unavailable(format!("the kernel gives no random number: {error}")))?;
    Ok(Revision((random >> 12) | 1))
}
