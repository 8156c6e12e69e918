//! Carries a shard machine's effects out with io_uring.
