//! Fuzzing of every decoder that meets bytes from a network, a device or a stored page.
//!
//! A [`target::Target`] is a decoder with valid inputs, a repair of the checksums that would otherwise turn every
//! mutant away at the door, and a check that runs the decoder and its properties: it never panics, never allocates
//! more than it states, and what it accepts comes out of the encoder as it went in. [`run`] mutates inputs, keeps those
//! that the decoder answered in a new way, and shortens the one that broke something; [`mutate`] is how inputs change;
//! [`corpus`] what is kept in the repository: one valid input of each kind and every input that ever broke anything.
//!
//! A harness of our own over the stable toolchain, not `cargo-fuzz` or `bolero`: see
//! `docs/decisions/0030-own-fuzz-harness.md`.
#![allow(clippy::disallowed_methods)] // A test tool: it reads files and the clock.

pub mod corpus;
pub mod mutate;
pub mod random;
pub mod run;
pub mod target;
pub mod targets;

/// Counts what the checks allocate. It counts the whole process, so targets are run one at a time.
#[global_allocator]
static ALLOCATOR: &stats_alloc::StatsAlloc<std::alloc::System> = &stats_alloc::INSTRUMENTED_SYSTEM;
