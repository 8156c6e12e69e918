//! Random statements on PostgreSQL and on Hexalog side by side.
//!
//! A *script* is drawn from a seed: typed tables with NULLs and boundary values, then queries and changes over them
//! ([`script`], of [`schema`], [`expression`], [`query`], [`form`], [`change`]); or calls on constants of all types ([`call`],
//! of what [`written`] writes). [`compare`] runs it statement by statement on both servers and looks for the first statement
//! that comes to something else: other rows, other types, another tag, another SQLSTATE. What both refuse with the same
//! SQLSTATE is the same. [`known`] lists the differences that are meant, each with its reason; nothing else is passed over.
//! [`postgresql`] starts a server of its own where PostgreSQL 15 is installed.
//!
//! [`corpus`] takes statements from scripts of others instead, in the form of sqllogictest, which package registries have.
//!
//! Statements are drawn so that PostgreSQL itself has one answer: rows are compared as a multiset unless all columns are
//! ordered by, no float is summed, no UPDATE moves keys through each other.

// A tool that talks to servers: the bans are for the cores.
#![allow(clippy::disallowed_methods)]

pub mod call;
mod call_template;
pub mod change;
pub mod compare;
pub mod corpus;
pub mod expression;
pub mod form;
pub mod known;
pub mod postgresql;
pub mod query;
pub mod random;
pub mod schema;
pub mod script;
pub mod written;
