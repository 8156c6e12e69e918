//! What can be measured, one module each. A target sets its load up, runs it and returns a
//! [`crate::report::Run`].

pub mod node;
pub mod volume;
