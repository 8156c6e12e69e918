//! fio-style storage benchmark.
