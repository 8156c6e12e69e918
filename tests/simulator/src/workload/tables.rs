//! The tables of the workload.

use super::{ACCOUNTS, BALANCE};

/// One row if the tables are there.
pub const IS_SET_UP: &str = "SELECT 1 FROM pg_class WHERE relname = 'tagged_tag_key'";

/// Makes the tables, all in one transaction.
pub const SET_UP: [&str; 13] = [
    "BEGIN",
    "CREATE TABLE lists (k int PRIMARY KEY, v text NOT NULL)",
    "CREATE TABLE accounts (id int PRIMARY KEY, balance bigint NOT NULL)",
    "INSERT INTO accounts SELECT g, 100 FROM generate_series(1, 12) g",
    "CREATE SEQUENCE numbers",
    "CREATE TABLE tagged (id int PRIMARY KEY, tag text UNIQUE, pad text)",
    "CREATE TABLE documents (id int PRIMARY KEY, body text NOT NULL)",
    "CREATE TABLE registers (k int PRIMARY KEY, shelf int NOT NULL, v bigint NOT NULL, replaced bigint NOT NULL)",
    "CREATE INDEX ON registers (shelf)",
    "CREATE TABLE parents (id int PRIMARY KEY)",
    "CREATE TABLE children (id int PRIMARY KEY, parent int REFERENCES parents ON DELETE CASCADE ON UPDATE CASCADE)",
    "CREATE TABLE wards (id int PRIMARY KEY, parent int REFERENCES parents ON DELETE SET NULL ON UPDATE SET NULL)",
    "COMMIT",
];

const _: () = assert!(ACCOUNTS == 12 && BALANCE == 100, "as the fourth statement has them");
