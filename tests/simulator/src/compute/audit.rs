//! Checker: at the end of a run every tree is sound and every page is either in one or free.
//!
//! Walks all trees of the catalog with the engine's own structure check, then compares the pages that the bitmaps call
//! used with those that are reachable: trees, sequences, undo streams and the volume's first pages.

use super::ServerState;
use hexalog_engine::TreeCheck;
use hexalog_sql::Step;

/// Super page, its bitmap, the directory of undo streams.
const FIXED_PAGES: u64 = 3;

/// An audit under way.
pub struct Audit {
    checks: Vec<TreeCheck>,
    pages: u64,
}

impl Audit {
    /// Of all trees that the catalog names now.
    pub fn new(server: &ServerState) -> Audit {
        let storage = server.database.storage();
        let trees = storage.trees.iter().copied().chain([server.engine.catalog_tree()]);
        Audit {
            checks: trees.map(TreeCheck::new).collect(),
            pages: FIXED_PAGES + storage.sequences.len() as u64,
        }
    }

    /// Goes on until it needs something.
    ///
    /// # Panics
    /// If a tree is not sound, or a page is used and in no tree.
    pub fn step(&mut self, server: &ServerState) -> Step<()> {
        while let Some(check) = self.checks.last_mut() {
            match server.engine.check_tree(check) {
                Ok(report) => self.pages += report.pages,
                Err(hexalog_engine::Stop::Need(need)) => return Err(need.into()),
                Err(hexalog_engine::Stop::Fail(error)) => panic!("structure: {error}"),
            }
            self.checks.pop();
        }
        let used = server.engine.pages_used()?;
        let stats = server.engine.stats();
        assert_eq!(stats.transactions_to_undo, 0, "liveness: losers are undone after quiet");
        assert_eq!(stats.undo_streams_open, 0, "liveness: no undo stream is open after quiet");
        assert_eq!(used, self.pages + stats.undo_pages, "structure: every used page is reachable");
        Ok(())
    }
}
