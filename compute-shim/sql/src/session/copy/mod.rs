//! COPY: rows in and out as lines of text, csv, or PostgreSQL's binary form.
//!
//! [`input`] and [`output`] are the two machines; `options.rs` says what a statement asks for; `lines.rs`, `text.rs`,
//! `csv.rs` and `tuples.rs` know the formats and nothing else. Files and programs of the server are refused.

pub mod csv;
pub mod fields;
pub(super) mod input;
pub mod lines;
mod options;
pub(super) mod output;
pub mod text;
pub mod tuples;
