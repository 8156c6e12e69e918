//! The metadata store as the rest of the system sees it: a small map with compare-and-swap of one key.
//!
//! Owns the trait and its errors. Every backend (a SQLite file here; etcd and a DynamoDB API are of the same
//! shape) must pass `tests/conformance.rs`. It never interprets a value; [`crate::catalog`] does.

use std::fmt;

/// Longest key in bytes: what every intended backend takes (DynamoDB's sort key ends at 1,024).
pub const KEY_BYTES_MAX: usize = 512;
/// Longest value in bytes. A member-list page of 256 groups is about 60 KiB; DynamoDB's items end at 400 KiB.
pub const VALUE_BYTES_MAX: usize = 256 * 1024;

/// Counts the changes of one key, from 1. A compare-and-swap names the revision that it replaces, so a value
/// that was changed and changed back is still seen as changed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
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

/// A linearizable store of small values. Calls block; callers are start-up paths and tools, never a session.
pub trait Metadata: Send + Sync {
    /// The entry at `key`.
    fn get(&self, key: &str) -> Result<Option<Entry>, MetadataError>;

    /// All entries whose key begins with `prefix`, in key order.
    fn list(&self, prefix: &str) -> Result<Vec<Entry>, MetadataError>;

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
}

/// Why the store could not answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MetadataError {
    /// The store cannot be reached or opened now. After a write this means that its outcome is unknown.
    Unavailable(String),
    /// The store exists and may not be used by this user.
    PermissionDenied(String),
    /// What was found is not what this code wrote: another kind of file, a newer format, a damaged value.
    Corrupt(String),
    /// A key or value over the limits.
    TooLarge(String),
}

impl fmt::Display for MetadataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MetadataError::Unavailable(why) => write!(f, "metadata is not available: {why}"),
            MetadataError::PermissionDenied(why) => write!(f, "no permission for metadata: {why}"),
            MetadataError::Corrupt(why) => write!(f, "metadata is not usable: {why}"),
            MetadataError::TooLarge(why) => write!(f, "metadata entry too large: {why}"),
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
