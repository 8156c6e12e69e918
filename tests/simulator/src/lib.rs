//! Deterministic simulator: the production cores in a seeded virtual world of clock, network and disks.
//!
//! Six storage shards and a writer run exactly the code that the daemons and compute run; the simulator links cores,
//! never drivers. [`world`] owns time and the order of events; [`disk`] and [`network`] stand for the devices and
//! state in their heads which faults they make; [`writer`] is the volume client with a workload; [`model`] is what
//! the truth is checked against; [`plan`] what a seed makes of it. One seed fixes everything: two runs of it print the
//! same hash.

pub mod disk;
pub mod model;
pub mod network;
pub mod plan;
pub mod random;
pub mod world;
pub mod writer;
