//! The operator's binary: compute, hexalog local, sql, status.
