//! B-link trees: descent, page edits, splits, a structure checker.
//!
//! Owns the shape of trees, nothing of what rows mean. Every page has a high key and a right link; a page
//! split is one mini-transaction, the separator in the parent a second one, made by whoever writes through
//! the gap first. A tree's root page is fixed for life (a root split pushes its content down); what purge leaves
//! sparse is merged. Read [`descent`], then [`edit`], [`split`] and [`merge`].

pub(crate) mod build;
pub(crate) mod check;
pub(crate) mod descent;
pub(crate) mod draw;
pub(crate) mod edit;
pub(crate) mod free;
pub(crate) mod merge;
pub(crate) mod split;
