//! The client from outside, frame by frame: a machine that is driven by hand stands in [`opener`].

mod members;
mod opener;
mod opening;
mod reading;
mod shared;
mod writing;
