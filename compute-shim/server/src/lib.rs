//! The compute process: PostgreSQL wire sessions over the engine and the volume driver.
