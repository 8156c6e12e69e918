//! Carries the volume client's effects out with tokio.
