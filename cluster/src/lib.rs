//! Cluster services: metadata behind a small trait.
