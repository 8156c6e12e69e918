//! The same promises on a kernel that has none of the features that the driver can do without.

#[path = "conformance.rs"]
mod conformance;
