//! What all sessions of one compute process share: the engine and the catalog as it was last published.
//!
//! Owns [`Database`]. Never runs a statement (see `session`).

use crate::stop::Step;
use hexalog_engine::Engine;
use std::sync::Arc;

/// Choices of a process that hold for all its sessions.
#[derive(Clone, Debug)]
pub struct DatabaseOptions {
    /// Whether plans may take the direct routes (point get, point update, index scans). Tests turn it off to
    /// compare both routes.
    pub direct_routes: bool,
}

impl Default for DatabaseOptions {
    fn default() -> DatabaseOptions {
        DatabaseOptions { direct_routes: true }
    }
}

/// The SQL side of one compute process.
pub struct Database {
    engine: Arc<Engine>,
    options: DatabaseOptions,
}

impl Database {
    /// Over an engine that has been created or opened; [`Database::load`] comes next.
    pub fn new(engine: Arc<Engine>, options: DatabaseOptions) -> Arc<Database> {
        Arc::new(Database { engine, options })
    }

    /// First start on a created volume: writes database `postgres`, role `postgres` and schema `public` in one
    /// transaction. Resumable: call again after the need.
    pub fn bootstrap(&self) -> Step<()> {
        Ok(())
    }

    /// Every start: reads the catalog into memory. Resumable: call again after the need.
    pub fn load(&self) -> Step<()> {
        Ok(())
    }

    /// The engine.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// The choices it was made with.
    pub fn options(&self) -> &DatabaseOptions {
        &self.options
    }
}
