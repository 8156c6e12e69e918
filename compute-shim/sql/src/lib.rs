//! SQL: catalog, binding, planning, execution, sessions.
