//! A watch over a store that tells no changes by itself: look again and compare.
//!
//! Owns which revisions were told. It holds a key and a number for each key below the prefix, no values.

use crate::metadata::{Entry, Event, MetadataError, Revision, Watch};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// All entries below the prefix; `None`: nothing can have changed since the last look.
pub(crate) type Look = Box<dyn FnMut() -> Result<Option<Vec<Entry>>, MetadataError> + Send>;

/// Compares what a look shows with what it showed before. Revisions count each key's changes, so a change that was missed is seen.
pub(crate) struct PollingWatch {
    look: Look,
    interval: Duration,
    known: BTreeMap<String, Revision>,
}

impl PollingWatch {
    /// What is there now is known: only what changes from here on is told.
    pub(crate) fn begin(mut look: Look, interval: Duration) -> Result<PollingWatch, MetadataError> {
        let entries = look()?.unwrap_or_default();
        let known = entries.into_iter().map(|entry| (entry.key, entry.revision)).collect();
        Ok(PollingWatch { look, interval, known })
    }

    fn compare(&mut self, entries: Vec<Entry>) -> Vec<Event> {
        let before = std::mem::take(&mut self.known);
        self.known = entries.iter().map(|entry| (entry.key.clone(), entry.revision)).collect();
        let gone = before.keys().filter(|key| !self.known.contains_key(*key));
        let mut events: Vec<Event> =
            gone.map(|key| Event::Removed { key: key.clone(), skipped: true }).collect();
        for entry in entries {
            let known = before.get(&entry.key);
            if known != Some(&entry.revision) {
                let skipped = known.is_none_or(|known| known.0 + 1 != entry.revision.0);
                events.push(Event::Put { entry, skipped });
            }
        }
        events
    }
}

impl Watch for PollingWatch {
    fn next(&mut self, patience: Duration) -> Result<Vec<Event>, MetadataError> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(entries) = (self.look)()? {
                let events = self.compare(entries);
                if !events.is_empty() {
                    return Ok(events);
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Vec::new());
            }
            std::thread::sleep(left.min(self.interval));
        }
    }
}
