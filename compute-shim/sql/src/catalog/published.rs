//! One database's catalog as it was last published.
//!
//! Owns [`PublishedCatalog`], which all sessions of a database share: the newest version with the LSN of the commit that
//! made it, and what has made the latest ones. Never decides when to publish (see `database.rs`).

use super::moved::{Moved, Movements};
use super::{Catalog, Changes};
use hexalog_protocol::Lsn;
use parking_lot::{Mutex, RwLock};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// One version of a catalog and the commit that made it.
#[derive(Clone, Debug)]
pub(crate) struct Published {
    pub catalog: Arc<Catalog>,
    /// What rests on this version may be told once VDL covers it.
    pub commit_lsn: Lsn,
}

/// See the head of this file.
pub(crate) struct PublishedCatalog {
    newest: RwLock<Published>,
    /// Version of `newest`, to be asked without its lock.
    version: AtomicU64,
    /// What has made the latest versions.
    movements: Mutex<Movements>,
}

impl PublishedCatalog {
    /// With a first version, which this commit has made.
    pub(crate) fn new(catalog: Catalog, commit_lsn: Lsn) -> Arc<PublishedCatalog> {
        let (version, catalog) = (AtomicU64::new(catalog.version), Arc::new(catalog));
        Arc::new(PublishedCatalog {
            version,
            newest: RwLock::new(Published { catalog, commit_lsn }),
            movements: Mutex::default(),
        })
    }

    /// The version last published.
    pub(crate) fn newest(&self) -> Published {
        self.newest.read().clone()
    }

    /// Its number: cheap to ask before every statement.
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// What has made the versions behind `from` up to `to`; `None` if that is not remembered.
    pub(crate) fn moved_between(&self, from: u64, to: u64) -> Option<Vec<Arc<Moved>>> {
        self.movements.lock().between(from, to)
    }

    /// Swaps the next version in: the changes on top of whatever is current. One at a time.
    pub(crate) fn publish(&self, changes: &Changes, commit_lsn: Lsn) {
        let mut newest = self.newest.write();
        assert!(newest.commit_lsn < commit_lsn, "versions follow each other as their commits do");
        let version = newest.catalog.version + 1;
        self.movements.lock().add(version, Moved::of(&newest.catalog, changes));
        let catalog = Arc::new(newest.catalog.with_changes(changes, version, false));
        *newest = Published { catalog, commit_lsn };
        self.version.store(version, Ordering::Release);
    }
}
