//! Six shard machines on fake devices and a fake network, driven by a seeded scheduler.
//!
//! [`world`] is the scheduler and network, [`disk`] the device with its faults, [`writer`] a small volume client,
//! [`model`] what the pages must be. The other files are the tests, by subject.
#![allow(missing_docs)]

mod disk;
mod model;
mod rng;
mod world;
mod writer;

mod crashes;
mod damage;
mod deltas;
mod epochs;
mod fairness;
mod foreground;
mod full;
mod gossip;
mod heard;
mod hydration;
mod reclaim;
mod scrub;
mod space;
mod start;
mod versions;
