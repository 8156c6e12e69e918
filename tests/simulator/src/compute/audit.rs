//! Checker: at the end of a run every tree is sound and every page is either in one thing or free.
//!
//! Walks all trees of the catalog with the engine's own structure check, then all pages of the volume with its page check:
//! trees, chains of long values, sequences, undo streams and the volume's first pages reach each used page exactly once.

use super::ServerState;
use hexalog_engine::{PageCheck, TreeCheck};
use hexalog_sql::Step;

/// An audit under way.
pub struct Audit {
    checks: Vec<TreeCheck>,
    pages: PageCheck,
}

impl Audit {
    /// Of all trees that the catalog names now.
    pub fn new(server: &ServerState) -> Audit {
        let storage = server.database.storage();
        let trees = storage.trees.iter().copied().chain([server.engine.catalog_tree()]);
        Audit {
            checks: trees.map(TreeCheck::new).collect(),
            pages: PageCheck::new(&storage.trees, &storage.sequences),
        }
    }

    /// Goes on until it needs something.
    ///
    /// # Panics
    /// If a tree is not sound, or a page is used and in nothing, or in two.
    pub fn step(&mut self, server: &ServerState) -> Step<()> {
        while let Some(check) = self.checks.last_mut() {
            match server.engine.check_tree(check) {
                Ok(report) => {
                    assert_eq!(
                        report.cells_marked, 0,
                        "liveness: purge removes all delete marks after quiet"
                    );
                }
                Err(hexalog_engine::Stop::Need(need)) => return Err(need.into()),
                Err(hexalog_engine::Stop::Fail(error)) => panic!("structure: {error}"),
            }
            self.checks.pop();
        }
        let stats = server.engine.stats();
        assert_eq!(stats.transactions_to_undo, 0, "liveness: losers are undone after quiet");
        assert_eq!(stats.undo_streams_open, 0, "liveness: no undo stream is open after quiet");
        match server.engine.check_pages(&mut self.pages) {
            Ok(report) => assert_eq!(report.undo, stats.undo_pages, "structure: undo pages are counted"),
            Err(hexalog_engine::Stop::Need(need)) => return Err(need.into()),
            Err(hexalog_engine::Stop::Fail(error)) => panic!("structure: {error}"),
        }
        Ok(())
    }
}
