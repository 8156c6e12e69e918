//! Writes whose answer was lost, found out by reading back.
//!
//! A store that was cut off in the midst of a write may have made it, or may make it yet. Two things make that harmless:
//! the write is conditional on a revision, so it can land once at most however often it is sent; and the value tells its
//! writer (an incarnation, a nonce, a token) or is the same whoever writes it, so finding it there means that it has landed.
//! "No" (`None`) means that the key has another value now. It does not say that ours was never there: who had it and was
//! replaced begins again from what is there, which is what every caller's loop does anyhow.

use crate::metadata::{Metadata, MetadataError, Revision};

/// Times that a write is sent while each read-back shows that it has not landed and the store answers in between.
const SENDS_MAX: usize = 4;

/// [`Metadata::create`], found out.
pub fn create(store: &dyn Metadata, key: &str, value: &[u8]) -> Result<Option<Revision>, MetadataError> {
    settle(store, key, value, None, || store.create(key, value))
}

/// [`Metadata::compare_and_swap`], found out.
pub fn compare_and_swap(
    store: &dyn Metadata,
    key: &str,
    revision: Revision,
    value: &[u8],
) -> Result<Option<Revision>, MetadataError> {
    settle(store, key, value, Some(revision), || store.compare_and_swap(key, revision, value))
}

/// `create` or `compare_and_swap`, by whether a revision is known.
pub fn put(
    store: &dyn Metadata,
    key: &str,
    revision: Option<Revision>,
    value: &[u8],
) -> Result<Option<Revision>, MetadataError> {
    match revision {
        None => create(store, key, value),
        Some(revision) => compare_and_swap(store, key, revision, value),
    }
}

fn settle(
    store: &dyn Metadata,
    key: &str,
    value: &[u8],
    replaced: Option<Revision>,
    mut send: impl FnMut() -> Result<Option<Revision>, MetadataError>,
) -> Result<Option<Revision>, MetadataError> {
    let mut outcome = send();
    let mut is_resent = false;
    for _ in 1..SENDS_MAX {
        match outcome {
            Err(MetadataError::OutcomeUnknown(why)) => {
                // Who cannot read either leaves it open: the caller learns at once that the store is gone.
                let Ok(found) = store.get(key) else { return Err(MetadataError::OutcomeUnknown(why)) };
                if found.as_ref().map(|entry| entry.revision) != replaced {
                    return Ok(found.filter(|entry| entry.value == value).map(|entry| entry.revision));
                }
                is_resent = true;
                outcome = send();
            }
            // An earlier sending may have come first.
            Ok(None) if is_resent => {
                let found = store.get(key)?;
                return Ok(found.filter(|entry| entry.value == value).map(|entry| entry.revision));
            }
            known => return known,
        }
    }
    outcome
}

#[cfg(test)]
mod tests;
