//! Cluster services: what a cluster knows of itself outside its volumes, behind small traits.
//!
//! Owns the metadata store ([`metadata`]; backends: [`sqlite`], and by cargo features `etcd` and `dynamodb`; [`location`]
//! opens the one that a user names), what is built on it alone ([`settle`] finds out what became of a write, [`lease`] gives
//! a role to one process), and the records kept there ([`catalog`] reads and writes them; [`volume`], [`node`]
//! are their shapes). It never talks to a storage daemon and never decides who may write: fencing is storage's
//! work, metadata only hands out epochs by compare-and-swap. Read [`metadata`] first, then [`catalog`].
#![allow(clippy::disallowed_methods)] // Not a core: files and threads are allowed here.

pub mod catalog;
#[cfg(feature = "dynamodb")]
pub mod dynamodb;
#[cfg(feature = "etcd")]
pub mod etcd;
pub mod lease;
pub mod location;
pub mod metadata;
pub mod node;
pub mod settle;
pub mod sqlite;
pub mod volume;

mod encoding;
mod polling;
#[cfg(any(feature = "etcd", feature = "dynamodb"))]
mod remote;

pub use catalog::Catalog;
pub use location::{Location, Opening};
pub use metadata::{Entry, Metadata, MetadataError, Revision};
pub use node::NodeRecord;
pub use sqlite::SqliteMetadata;
pub use volume::{GroupMembers, MemberRecord, VolumeRecord};
