//! A role that one process at a time has: a key that its holder renews.
//!
//! Owns the record and both sides' reckoning. Nobody's clock is compared with anybody else's: a holder counts from before it
//! sent its last renewal, a candidate from after it first read that renewal, and only durations matter. So a holder
//! knows that its lease has lapsed before anyone may take it, as long as two clocks run equally fast within an eighth.
//!
//! **A lapsed lease means: act no more.** It does not mean that nobody acts any more: a process that was stopped for a
//! minute wakes up believing what it believed. What must hold then has to be fenced: each taking has a new
//! `term`, higher than all before, and whoever is told to act compares it. Volumes need no lease for that; they have their epoch.
//!
//! It works alike on every backend, by compare-and-swap alone: see `docs/decisions/0169`.

use crate::metadata::{Metadata, MetadataError, Revision};
use crate::{encoding, settle};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Longest TTL. A longer one in a record is a damaged record.
const TTL_MAX: Duration = Duration::from_secs(24 * 3600);
/// How much longer than the TTL a candidate waits, as a part of it: two clocks may run so differently.
const SLACK_SHARE: u32 = 8;

/// A lease in metadata. The key is never removed, so that terms only grow.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaseRecord {
    /// Drawn by the holder at its start; tells processes apart.
    #[serde(with = "encoding::hex_u64")]
    pub token: u64,
    /// For people: which process that is.
    pub holder: String,
    /// The fencing token: one higher with each taking.
    pub term: u64,
    /// Counts renewals, so that each is another value.
    pub renewals: u64,
    /// How long the lease lasts without a renewal, in milliseconds.
    pub ttl_ms: u64,
    /// The holder gave it back: the next one need not wait.
    pub is_released: bool,
}

/// How a lease stands, as [`Candidate::step`] found it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LeaseState {
    /// This process has it.
    Held {
        /// The fencing token of this taking.
        term: u64,
        /// Act no more from then on, unless it was renewed.
        until: Instant,
    },
    /// Another process has it.
    Other {
        /// Which.
        record: LeaseRecord,
        /// It may be taken then, unless it is renewed meanwhile.
        lapses_at: Instant,
    },
}

/// A process that wants a lease, or has it. Call [`Self::step`] a few times per TTL.
pub struct Candidate {
    store: Arc<dyn Metadata>,
    key: String,
    token: u64,
    holder: String,
    ttl: Duration,
    clock: Box<dyn Fn() -> Instant + Send>,
    held: Option<Held>,
    /// The other holder's last renewal that was seen, and when it was read first.
    seen: Option<(Revision, Instant)>,
}

struct Held {
    revision: Revision,
    record: LeaseRecord,
    until: Instant,
}

impl Candidate {
    /// For the lease `name`. `token` is random; `holder` names this process for people.
    pub fn new(store: Arc<dyn Metadata>, name: &str, token: u64, holder: &str, ttl: Duration) -> Candidate {
        Candidate::with_clock(store, name, token, holder, ttl, Box::new(Instant::now))
    }

    /// With another clock than the system's, which tests turn.
    pub fn with_clock(
        store: Arc<dyn Metadata>,
        name: &str,
        token: u64,
        holder: &str,
        ttl: Duration,
        clock: Box<dyn Fn() -> Instant + Send>,
    ) -> Candidate {
        assert!(ttl >= Duration::from_millis(1), "a lease lasts some time");
        assert!(ttl <= TTL_MAX, "and not for ever");
        let (key, holder) = (format!("lease/{name}"), holder.to_owned());
        Candidate { store, key, token, holder, ttl, clock, held: None, seen: None }
    }

    /// The term that this process may act for now; `None`: it may not act.
    pub fn term(&self) -> Option<u64> {
        let held = self.held.as_ref().filter(|held| (self.clock)() < held.until)?;
        Some(held.record.term)
    }

    /// Renews the lease if this process has it, and takes it if nobody does. After an error the lease is held until it lapses.
    pub fn step(&mut self) -> Result<LeaseState, MetadataError> {
        if let Some(held) = &self.held {
            let record = LeaseRecord { renewals: held.record.renewals + 1, ..held.record.clone() };
            if let Some(state) = self.write(Some(held.revision), record)? {
                return Ok(state);
            }
            // Taken by another: it had lapsed.
            self.held = None;
        }
        self.look()
    }

    /// Gives the lease back, so that another need not wait for its end. Errors leave it to lapse.
    pub fn release(&mut self) -> Result<(), MetadataError> {
        let Some(held) = self.held.take() else { return Ok(()) };
        let record = LeaseRecord { is_released: true, renewals: held.record.renewals + 1, ..held.record };
        settle::compare_and_swap(self.store.as_ref(), &self.key, held.revision, &encode(&record)).map(drop)
    }

    fn look(&mut self) -> Result<LeaseState, MetadataError> {
        // Each turn but the last lost to another, who has it then.
        const TURNS_MAX: usize = 3;
        for _ in 0..TURNS_MAX {
            let Some(entry) = self.store.get(&self.key)? else {
                let record = self.taken(0);
                match self.write(None, record)? {
                    Some(state) => return Ok(state),
                    None => continue,
                }
            };
            let read_at = (self.clock)();
            let record = decode(&self.key, &entry.value)?;
            let since = match self.seen {
                Some((revision, since)) if revision == entry.revision => since,
                _ => read_at,
            };
            self.seen = Some((entry.revision, since));
            let ttl = Duration::from_millis(record.ttl_ms);
            let lapses_at = since + ttl + ttl / SLACK_SHARE;
            // An own token: a taking or renewal whose answer was lost.
            let is_own = !record.is_released && record.token == self.token;
            if !record.is_released && !is_own && read_at < lapses_at {
                return Ok(LeaseState::Other { record, lapses_at });
            }
            let record = match is_own {
                true => LeaseRecord { renewals: record.renewals + 1, ..record },
                false => self.taken(record.term),
            };
            if let Some(state) = self.write(Some(entry.revision), record)? {
                return Ok(state);
            }
        }
        Err(MetadataError::Unavailable(format!("{} changes too often", self.key)))
    }

    fn taken(&self, term_before: u64) -> LeaseRecord {
        LeaseRecord {
            token: self.token,
            holder: self.holder.clone(),
            term: term_before + 1,
            renewals: 0,
            ttl_ms: u64::try_from(self.ttl.as_millis()).unwrap_or(u64::MAX),
            is_released: false,
        }
    }

    /// `None`: another was first.
    fn write(
        &mut self,
        revision: Option<Revision>,
        record: LeaseRecord,
    ) -> Result<Option<LeaseState>, MetadataError> {
        let sent_at = (self.clock)();
        let written = settle::put(self.store.as_ref(), &self.key, revision, &encode(&record))?;
        Ok(written.map(|revision| {
            let (term, until) = (record.term, sent_at + self.ttl);
            self.seen = None;
            self.held = Some(Held { revision, record, until });
            LeaseState::Held { term, until }
        }))
    }
}

fn encode(record: &LeaseRecord) -> Vec<u8> {
    serde_json::to_vec(record).expect("text and numbers")
}

fn decode(key: &str, value: &[u8]) -> Result<LeaseRecord, MetadataError> {
    let corrupt = |why: String| MetadataError::Corrupt(format!("{key}: {why}"));
    let record: LeaseRecord = serde_json::from_slice(value).map_err(|error| corrupt(error.to_string()))?;
    if Duration::from_millis(record.ttl_ms) > TTL_MAX {
        return Err(corrupt(format!("a lease of {} ms", record.ttl_ms)));
    }
    Ok(record)
}
