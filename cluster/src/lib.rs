//! Cluster services: what a cluster knows of itself outside its volumes, behind small traits.
//!
//! Owns the metadata store ([`metadata`], with its SQLite backend in [`sqlite`]) and the records kept there
//! ([`catalog`] reads and writes them; [`volume`], [`node`] are their shapes). It never talks to a storage
//! daemon and never decides who may write: fencing is storage's work, metadata only hands out epochs by
//! compare-and-swap. Read [`metadata`] first, then [`catalog`].
#![allow(clippy::disallowed_methods)] // Not a core: files and threads are allowed here.

pub mod catalog;
pub mod metadata;
pub mod node;
pub mod sqlite;
pub mod volume;

mod encoding;

pub use catalog::Catalog;
pub use metadata::{Entry, Metadata, MetadataError, Revision};
pub use node::NodeRecord;
pub use sqlite::SqliteMetadata;
pub use volume::{GroupMembers, MemberRecord, VolumeRecord};
