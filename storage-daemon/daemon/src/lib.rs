//! The storage daemon: options, devices, one thread per shard set.
