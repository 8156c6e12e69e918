//! Deterministic simulator: the whole database in a seeded virtual world of clock, network and disks.
//!
//! Six daemons or more, with a storage shard or two each, and compute processes run exactly the code that they run in the real
//! world: volume client, engine, SQL sessions. The simulator links cores, never drivers. [`world`] owns time and the order of events; [`disk`] and
//! [`network`] stand for the devices and state in their heads which faults they make; [`writer`] and [`compute`] are
//! processes; [`workload`] is what clients do and [`history`] what they were told; [`model`] and [`checkers`] are what
//! the truth is; [`plan`] what a seed makes of it. [`report`], [`minimise`] and [`svg`] are for looking at what failed. One seed fixes everything: two runs of it print the same hash.

pub mod checkers;
pub mod compute;
pub mod disk;
pub mod history;
pub mod minimise;
pub mod model;
pub mod network;
pub mod plan;
pub mod random;
pub mod recorded;
pub mod report;
pub mod svg;
pub mod trace;
pub mod workload;
pub mod world;
pub mod writer;
