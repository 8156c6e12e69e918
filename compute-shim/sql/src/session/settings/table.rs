//! The settings that exist: PostgreSQL's names, defaults, limits and descriptions, and our own.
//!
//! Those that tune PostgreSQL's planner, memory or vacuum are checked, kept and shown, and change nothing (but for
//! `default_statistics_target`): there is nothing here that they could tune. `synchronous_commit` too: every commit waits for its write quorum, so weaker
//! values get more than they ask for. Where a value would change the meaning of statements or the form of results and
//! is not implemented, `only` has the values that are; others answer 0A000. One line a setting, in PostgreSQL's
//! categories.

use super::definition::{Context, Kind, Section, Unit, define};
use super::special;

/// What clients are told of the version; drivers choose their queries by it. The one place that has it.
pub(crate) const SERVER_VERSION: &str = "15.14";
/// The same as a number.
const SERVER_VERSION_NUM: &str = "150014";

/// Spellings that settings take which were booleans once.
const ON_OFF: &[(&str, &str)] =
    &[("true", "on"), ("yes", "on"), ("1", "on"), ("false", "off"), ("no", "off"), ("0", "off")];

#[rustfmt::skip]
pub(super) static SECTIONS: &[Section] = &[
Section { category: "Autovacuum", settings: &[
    define("autovacuum", "on", Kind::Bool, Context::Sighup, "Starts the autovacuum subprocess."),
]},
Section { category: "Client Connection Defaults / Locale and Formatting", settings: &[
    define("DateStyle", "ISO, MDY", Kind::Text(special::date_style), Context::User, "Sets the display format for date and time values.").reported(),
    define("IntervalStyle", "postgres", Kind::Enum(&["postgres", "postgres_verbose", "sql_standard", "iso_8601"], &[]), Context::User, "Sets the display format for interval values.").reported(),
    define("TimeZone", "UTC", Kind::Text(special::time_zone), Context::User, "Sets the time zone for displaying and interpreting time stamps.").reported(),
    define("client_encoding", "UTF8", Kind::Text(special::client_encoding), Context::User, "Sets the client's character set encoding.").reported(),
    define("default_text_search_config", "pg_catalog.english", Kind::Text(special::any), Context::User, "Sets default text search configuration."),
    define("extra_float_digits", "1", Kind::Integer(-15, 3, Unit::None), Context::User, "Sets the number of digits displayed for floating-point values.").only(&["1", "2", "3"]),
    define("lc_messages", "C.UTF-8", Kind::Text(special::locale), Context::Superuser, "Sets the language in which messages are displayed."),
    define("lc_monetary", "C.UTF-8", Kind::Text(special::locale), Context::User, "Sets the locale for formatting monetary amounts."),
    define("lc_numeric", "C.UTF-8", Kind::Text(special::locale), Context::User, "Sets the locale for formatting numbers."),
    define("lc_time", "C.UTF-8", Kind::Text(special::locale), Context::User, "Sets the locale for formatting date and time values."),
    define("timezone_abbreviations", "Default", Kind::Text(special::any), Context::User, "Selects a file of time zone abbreviations.").only(&["Default"]),
]},
Section { category: "Client Connection Defaults / Other Defaults", settings: &[
    define("gin_fuzzy_search_limit", "0", Kind::Integer(0, 2147483647, Unit::None), Context::User, "Sets the maximum allowed result for exact search by GIN."),
]},
Section { category: "Client Connection Defaults / Statement Behavior", settings: &[
    define("bytea_output", "hex", Kind::Enum(&["escape", "hex"], &[]), Context::User, "Sets the output format for bytea.").only(&["hex"]),
    define("check_function_bodies", "on", Kind::Bool, Context::User, "Check routine bodies during CREATE FUNCTION and CREATE PROCEDURE."),
    define("client_min_messages", "notice", Kind::Enum(&["debug5", "debug4", "debug3", "debug2", "debug1", "log", "notice", "warning", "error"], &[("debug", "debug2"), ("info", "info")]), Context::User, "Sets the message levels that are sent to the client."),
    define("default_table_access_method", "heap", Kind::Text(special::any), Context::User, "Sets the default table access method for new tables.").only(&["heap"]),
    define("default_tablespace", "", Kind::Text(special::any), Context::User, "Sets the default tablespace to create tables and indexes in.").only(&[""]),
    define("default_toast_compression", "pglz", Kind::Enum(&["pglz", "lz4"], &[]), Context::User, "Sets the default compression method for compressible values."),
    define("default_transaction_deferrable", "off", Kind::Bool, Context::User, "Sets the default deferrable status of new transactions."),
    define("default_transaction_isolation", "read committed", Kind::Enum(&["serializable", "repeatable read", "read committed", "read uncommitted"], &[]), Context::User, "Sets the transaction isolation level of each new transaction."),
    define("default_transaction_read_only", "off", Kind::Bool, Context::User, "Sets the default read-only status of new transactions.").reported(),
    define("gin_pending_list_limit", "4096", Kind::Integer(64, 2147483647, Unit::Kilobytes), Context::User, "Sets the maximum size of the pending list for GIN index."),
    define("idle_in_transaction_session_timeout", "0", Kind::Integer(0, 2147483647, Unit::Milliseconds), Context::User, "Sets the maximum allowed idle time between queries, when in a transaction."),
    define("lock_timeout", "0", Kind::Integer(0, 2147483647, Unit::Milliseconds), Context::User, "Sets the maximum allowed duration of any wait for a lock."),
    define("row_security", "on", Kind::Bool, Context::User, "Enable row security."),
    define("search_path", "\"$user\", public", Kind::Text(special::name_list), Context::User, "Sets the schema search order for names that are not schema-qualified."),
    define("session_replication_role", "origin", Kind::Enum(&["origin", "replica", "local"], &[]), Context::Superuser, "Sets the session's behavior for triggers and rewrite rules.").only(&["origin"]),
    define("statement_timeout", "0", Kind::Integer(0, 2147483647, Unit::Milliseconds), Context::User, "Sets the maximum allowed duration of any statement."),
    define("temp_tablespaces", "", Kind::Text(special::any), Context::User, "Sets the tablespace(s) to use for temporary tables and sort files.").only(&[""]),
    define("vacuum_failsafe_age", "1600000000", Kind::Integer(0, 2100000000, Unit::None), Context::User, "Age at which VACUUM should trigger failsafe to avoid a wraparound outage."),
    define("vacuum_freeze_min_age", "50000000", Kind::Integer(0, 1000000000, Unit::None), Context::User, "Minimum age at which VACUUM should freeze a table row."),
    define("vacuum_freeze_table_age", "150000000", Kind::Integer(0, 2000000000, Unit::None), Context::User, "Age at which VACUUM should scan whole table to freeze tuples."),
    define("vacuum_multixact_failsafe_age", "1600000000", Kind::Integer(0, 2100000000, Unit::None), Context::User, "Multixact age at which VACUUM should trigger failsafe to avoid a wraparound outage."),
    define("vacuum_multixact_freeze_min_age", "5000000", Kind::Integer(0, 1000000000, Unit::None), Context::User, "Minimum age at which VACUUM should freeze a MultiXactId in a table row."),
    define("vacuum_multixact_freeze_table_age", "150000000", Kind::Integer(0, 2000000000, Unit::None), Context::User, "Multixact age at which VACUUM should scan whole table to freeze tuples."),
    define("xmlbinary", "base64", Kind::Enum(&["base64", "hex"], &[]), Context::User, "Sets how binary values are to be encoded in XML."),
    define("xmloption", "content", Kind::Enum(&["content", "document"], &[]), Context::User, "Sets whether XML data in implicit parsing and serialization operations is to be considered as documents or content fragments."),
]},
Section { category: "Connections and Authentication / Authentication", settings: &[
    define("password_encryption", "scram-sha-256", Kind::Enum(&["md5", "scram-sha-256"], &[]), Context::User, "Chooses the algorithm for encrypting passwords."),
]},
Section { category: "Connections and Authentication / Connection Settings", settings: &[
    define("max_connections", "100", Kind::Integer(1, 262143, Unit::None), Context::Postmaster, "Sets the maximum number of concurrent connections."),
    define("superuser_reserved_connections", "3", Kind::Integer(0, 262143, Unit::None), Context::Postmaster, "Sets the number of connection slots reserved for superusers."),
]},
Section { category: "Connections and Authentication / SSL", settings: &[
    define("ssl", "off", Kind::Bool, Context::Sighup, "Enables SSL connections."),
]},
Section { category: "Developer Options", settings: &[
    define("force_parallel_mode", "off", Kind::Enum(&["off", "on", "regress"], ON_OFF), Context::User, "Forces use of parallel query facilities."),
    define("jit_expressions", "on", Kind::Bool, Context::User, "Allow JIT compilation of expressions."),
    define("jit_tuple_deforming", "on", Kind::Bool, Context::User, "Allow JIT compilation of tuple deforming."),
    define("zero_damaged_pages", "off", Kind::Bool, Context::Superuser, "Continues processing past damaged page headers.").only(&["off"]),
]},
Section { category: "Lock Management", settings: &[
    define("deadlock_timeout", "1000", Kind::Integer(1, 2147483647, Unit::Milliseconds), Context::Superuser, "Sets the time to wait on a lock before checking for deadlock."),
]},
Section { category: "Preset Options", settings: &[
    define("block_size", "8192", Kind::Integer(8192, 8192, Unit::None), Context::Internal, "Shows the size of a disk block."),
    define("data_checksums", "off", Kind::Bool, Context::Internal, "Shows whether data checksums are turned on for this cluster."),
    define("debug_assertions", "off", Kind::Bool, Context::Internal, "Shows whether the running server has assertion checks enabled."),
    define("in_hot_standby", "off", Kind::Bool, Context::Internal, "Shows whether hot standby is currently active.").reported(),
    define("integer_datetimes", "on", Kind::Bool, Context::Internal, "Shows whether datetimes are integer based.").reported(),
    define("lc_collate", "C.UTF-8", Kind::Text(special::any), Context::Internal, "Shows the collation order locale."),
    define("lc_ctype", "C.UTF-8", Kind::Text(special::any), Context::Internal, "Shows the character classification and case conversion locale."),
    define("max_function_args", "100", Kind::Integer(100, 100, Unit::None), Context::Internal, "Shows the maximum number of function arguments."),
    define("max_identifier_length", "63", Kind::Integer(63, 63, Unit::None), Context::Internal, "Shows the maximum identifier length."),
    define("max_index_keys", "32", Kind::Integer(32, 32, Unit::None), Context::Internal, "Shows the maximum number of index keys."),
    define("server_encoding", "UTF8", Kind::Text(special::any), Context::Internal, "Shows the server (database) character set encoding.").reported(),
    define("server_version", SERVER_VERSION, Kind::Text(special::any), Context::Internal, "Shows the server version.").reported(),
    define("server_version_num", SERVER_VERSION_NUM, Kind::Integer(150018, 150018, Unit::None), Context::Internal, "Shows the server version as an integer."),
]},
Section { category: "Query Tuning / Genetic Query Optimizer", settings: &[
    define("geqo", "on", Kind::Bool, Context::User, "Enables genetic query optimization."),
    define("geqo_effort", "5", Kind::Integer(1, 10, Unit::None), Context::User, "GEQO: effort is used to set the default for other GEQO parameters."),
    define("geqo_generations", "0", Kind::Integer(0, 2147483647, Unit::None), Context::User, "GEQO: number of iterations of the algorithm."),
    define("geqo_pool_size", "0", Kind::Integer(0, 2147483647, Unit::None), Context::User, "GEQO: number of individuals in the population."),
    define("geqo_seed", "0", Kind::Real(0.0, 1.0, Unit::None), Context::User, "GEQO: seed for random path selection."),
    define("geqo_selection_bias", "2", Kind::Real(1.5, 2.0, Unit::None), Context::User, "GEQO: selective pressure within the population."),
    define("geqo_threshold", "12", Kind::Integer(2, 2147483647, Unit::None), Context::User, "Sets the threshold of FROM items beyond which GEQO is used."),
]},
Section { category: "Query Tuning / Other Planner Options", settings: &[
    define("constraint_exclusion", "partition", Kind::Enum(&["partition", "on", "off"], ON_OFF), Context::User, "Enables the planner to use constraints to optimize queries."),
    define("cursor_tuple_fraction", "0.1", Kind::Real(0.0, 1.0, Unit::None), Context::User, "Sets the planner's estimate of the fraction of a cursor's rows that will be retrieved."),
    define("default_statistics_target", "100", Kind::Integer(1, 10000, Unit::None), Context::User, "Sets the default statistics target."),
    define("from_collapse_limit", "8", Kind::Integer(1, 2147483647, Unit::None), Context::User, "Sets the FROM-list size beyond which subqueries are not collapsed."),
    define("jit", "on", Kind::Bool, Context::User, "Allow JIT compilation."),
    define("join_collapse_limit", "8", Kind::Integer(1, 2147483647, Unit::None), Context::User, "Sets the FROM-list size beyond which JOIN constructs are not flattened."),
    define("plan_cache_mode", "auto", Kind::Enum(&["auto", "force_generic_plan", "force_custom_plan"], &[]), Context::User, "Controls the planner's selection of custom or generic plan."),
    define("recursive_worktable_factor", "10", Kind::Real(0.001, 1000000.0, Unit::None), Context::User, "Sets the planner's estimate of the average size of a recursive query's working table."),
]},
Section { category: "Query Tuning / Planner Cost Constants", settings: &[
    define("cpu_index_tuple_cost", "0.005", Kind::Real(0.0, f64::MAX, Unit::None), Context::User, "Sets the planner's estimate of the cost of processing each index entry during an index scan."),
    define("cpu_operator_cost", "0.0025", Kind::Real(0.0, f64::MAX, Unit::None), Context::User, "Sets the planner's estimate of the cost of processing each operator or function call."),
    define("cpu_tuple_cost", "0.01", Kind::Real(0.0, f64::MAX, Unit::None), Context::User, "Sets the planner's estimate of the cost of processing each tuple (row)."),
    define("effective_cache_size", "524288", Kind::Integer(1, 2147483647, Unit::Blocks), Context::User, "Sets the planner's assumption about the total size of the data caches."),
    define("jit_above_cost", "100000", Kind::Real(-1.0, f64::MAX, Unit::None), Context::User, "Perform JIT compilation if query is more expensive."),
    define("jit_inline_above_cost", "500000", Kind::Real(-1.0, f64::MAX, Unit::None), Context::User, "Perform JIT inlining if query is more expensive."),
    define("jit_optimize_above_cost", "500000", Kind::Real(-1.0, f64::MAX, Unit::None), Context::User, "Optimize JIT-compiled functions if query is more expensive."),
    define("min_parallel_index_scan_size", "64", Kind::Integer(0, 715827882, Unit::Blocks), Context::User, "Sets the minimum amount of index data for a parallel scan."),
    define("min_parallel_table_scan_size", "1024", Kind::Integer(0, 715827882, Unit::Blocks), Context::User, "Sets the minimum amount of table data for a parallel scan."),
    define("parallel_setup_cost", "1000", Kind::Real(0.0, f64::MAX, Unit::None), Context::User, "Sets the planner's estimate of the cost of starting up worker processes for parallel query."),
    define("parallel_tuple_cost", "0.1", Kind::Real(0.0, f64::MAX, Unit::None), Context::User, "Sets the planner's estimate of the cost of passing each tuple (row) from worker to leader backend."),
    define("random_page_cost", "4", Kind::Real(0.0, f64::MAX, Unit::None), Context::User, "Sets the planner's estimate of the cost of a nonsequentially fetched disk page."),
    define("seq_page_cost", "1", Kind::Real(0.0, f64::MAX, Unit::None), Context::User, "Sets the planner's estimate of the cost of a sequentially fetched disk page."),
]},
Section { category: "Query Tuning / Planner Method Configuration", settings: &[
    define("enable_async_append", "on", Kind::Bool, Context::User, "Enables the planner's use of async append plans."),
    define("enable_bitmapscan", "on", Kind::Bool, Context::User, "Enables the planner's use of bitmap-scan plans."),
    define("enable_gathermerge", "on", Kind::Bool, Context::User, "Enables the planner's use of gather merge plans."),
    define("enable_hashagg", "on", Kind::Bool, Context::User, "Enables the planner's use of hashed aggregation plans."),
    define("enable_hashjoin", "on", Kind::Bool, Context::User, "Enables the planner's use of hash join plans."),
    define("enable_incremental_sort", "on", Kind::Bool, Context::User, "Enables the planner's use of incremental sort steps."),
    define("enable_indexonlyscan", "on", Kind::Bool, Context::User, "Enables the planner's use of index-only-scan plans."),
    define("enable_indexscan", "on", Kind::Bool, Context::User, "Enables the planner's use of index-scan plans."),
    define("enable_material", "on", Kind::Bool, Context::User, "Enables the planner's use of materialization."),
    define("enable_memoize", "on", Kind::Bool, Context::User, "Enables the planner's use of memoization."),
    define("enable_mergejoin", "on", Kind::Bool, Context::User, "Enables the planner's use of merge join plans."),
    define("enable_nestloop", "on", Kind::Bool, Context::User, "Enables the planner's use of nested-loop join plans."),
    define("enable_parallel_append", "on", Kind::Bool, Context::User, "Enables the planner's use of parallel append plans."),
    define("enable_parallel_hash", "on", Kind::Bool, Context::User, "Enables the planner's use of parallel hash plans."),
    define("enable_partition_pruning", "on", Kind::Bool, Context::User, "Enables plan-time and execution-time partition pruning."),
    define("enable_partitionwise_aggregate", "off", Kind::Bool, Context::User, "Enables partitionwise aggregation and grouping."),
    define("enable_partitionwise_join", "off", Kind::Bool, Context::User, "Enables partitionwise join."),
    define("enable_seqscan", "on", Kind::Bool, Context::User, "Enables the planner's use of sequential-scan plans."),
    define("enable_sort", "on", Kind::Bool, Context::User, "Enables the planner's use of explicit sort steps."),
    define("enable_tidscan", "on", Kind::Bool, Context::User, "Enables the planner's use of TID scan plans."),
]},
Section { category: "Reporting and Logging / What to Log", settings: &[
    define("application_name", "", Kind::Text(special::application_name), Context::User, "Sets the application name to be reported in statistics and logs.").reported(),
]},
Section { category: "Resource Usage / Asynchronous Behavior", settings: &[
    define("effective_io_concurrency", "1", Kind::Integer(0, 1000, Unit::None), Context::User, "Number of simultaneous requests that can be handled efficiently by the disk subsystem."),
    define("maintenance_io_concurrency", "10", Kind::Integer(0, 1000, Unit::None), Context::User, "A variant of effective_io_concurrency that is used for maintenance work."),
    define("max_parallel_maintenance_workers", "2", Kind::Integer(0, 1024, Unit::None), Context::User, "Sets the maximum number of parallel processes per maintenance operation."),
    define("max_parallel_workers", "8", Kind::Integer(0, 1024, Unit::None), Context::User, "Sets the maximum number of parallel workers that can be active at one time."),
    define("max_parallel_workers_per_gather", "2", Kind::Integer(0, 1024, Unit::None), Context::User, "Sets the maximum number of parallel processes per executor node."),
    define("parallel_leader_participation", "on", Kind::Bool, Context::User, "Controls whether Gather and Gather Merge also run subplans."),
]},
Section { category: "Resource Usage / Cost-Based Vacuum Delay", settings: &[
    define("vacuum_cost_delay", "0", Kind::Real(0.0, 100.0, Unit::Milliseconds), Context::User, "Vacuum cost delay in milliseconds."),
    define("vacuum_cost_limit", "200", Kind::Integer(1, 10000, Unit::None), Context::User, "Vacuum cost amount available before napping."),
    define("vacuum_cost_page_dirty", "20", Kind::Integer(0, 10000, Unit::None), Context::User, "Vacuum cost for a page dirtied by vacuum."),
    define("vacuum_cost_page_hit", "1", Kind::Integer(0, 10000, Unit::None), Context::User, "Vacuum cost for a page found in the buffer cache."),
    define("vacuum_cost_page_miss", "2", Kind::Integer(0, 10000, Unit::None), Context::User, "Vacuum cost for a page not found in the buffer cache."),
]},
Section { category: "Resource Usage / Disk", settings: &[
    define("temp_file_limit", "-1", Kind::Integer(-1, 2147483647, Unit::Kilobytes), Context::Superuser, "Limits the total size of all temporary files used by each process."),
]},
Section { category: "Resource Usage / Memory", settings: &[
    define("hash_mem_multiplier", "2", Kind::Real(1.0, 1000.0, Unit::None), Context::User, "Multiple of work_mem to use for hash tables."),
    define("logical_decoding_work_mem", "65536", Kind::Integer(64, 2147483647, Unit::Kilobytes), Context::User, "Sets the maximum memory to be used for logical decoding."),
    define("maintenance_work_mem", "65536", Kind::Integer(1024, 2147483647, Unit::Kilobytes), Context::User, "Sets the maximum memory to be used for maintenance operations."),
    define("max_prepared_transactions", "64", Kind::Integer(0, 262143, Unit::None), Context::Postmaster, "Sets the maximum number of simultaneously prepared transactions."),
    define("temp_buffers", "1024", Kind::Integer(100, 1073741823, Unit::Blocks), Context::User, "Sets the maximum number of temporary buffers used by each session."),
    define("work_mem", "4096", Kind::Integer(64, 2147483647, Unit::Kilobytes), Context::User, "Sets the maximum memory to be used for query workspaces."),
]},
Section { category: "Customized Options", settings: &[
    define("pg_stat_statements.max", "5000", Kind::Integer(100, 1073741823, Unit::None), Context::Postmaster, "Sets the maximum number of statements tracked by pg_stat_statements."),
    define("pg_stat_statements.save", "off", Kind::Bool, Context::Postmaster, "Save pg_stat_statements statistics across server shutdowns."),
    define("pg_stat_statements.track", "top", Kind::Enum(&["none", "top", "all"], &[]), Context::Superuser, "Selects which statements are tracked by pg_stat_statements.").only(&["none", "top"]),
    define("pg_stat_statements.track_planning", "off", Kind::Bool, Context::Superuser, "Selects whether planning duration is tracked by pg_stat_statements."),
    define("pg_stat_statements.track_utility", "on", Kind::Bool, Context::Superuser, "Selects whether utility commands are tracked by pg_stat_statements."),
]},
Section { category: "Statistics / Cumulative Query and Index Statistics", settings: &[
    define("stats_fetch_consistency", "cache", Kind::Enum(&["none", "cache", "snapshot"], &[]), Context::User, "Sets the consistency of accesses to statistics data."),
    define("track_activity_query_size", "1024", Kind::Integer(100, 1048576, Unit::Bytes), Context::Postmaster, "Sets the size reserved for pg_stat_activity.query, in bytes."),
    define("track_activities", "on", Kind::Bool, Context::Superuser, "Collects information about executing commands."),
    define("track_counts", "on", Kind::Bool, Context::Superuser, "Collects statistics on database activity."),
    define("track_functions", "none", Kind::Enum(&["none", "pl", "all"], &[]), Context::Superuser, "Collects function-level statistics on database activity."),
    define("track_io_timing", "off", Kind::Bool, Context::Superuser, "Collects timing statistics for database I/O activity."),
]},
Section { category: "Statistics / Monitoring", settings: &[
    define("compute_query_id", "auto", Kind::Enum(&["auto", "regress", "on", "off"], ON_OFF), Context::Superuser, "Enables in-core computation of query identifiers.").only(&["auto", "on", "off"]),
]},
Section { category: "Version and Platform Compatibility / Other Platforms and Clients", settings: &[
    define("transform_null_equals", "off", Kind::Bool, Context::User, "Treats \"expr=NULL\" as \"expr IS NULL\".").only(&["off"]),
]},
Section { category: "Version and Platform Compatibility / Previous PostgreSQL Versions", settings: &[
    define("array_nulls", "on", Kind::Bool, Context::User, "Enable input of NULL elements in arrays.").only(&["on"]),
    define("backslash_quote", "safe_encoding", Kind::Enum(&["safe_encoding", "on", "off"], ON_OFF), Context::User, "Sets whether \"\\'\" is allowed in string literals.").only(&["safe_encoding", "on"]),
    define("escape_string_warning", "on", Kind::Bool, Context::User, "Warn about backslash escapes in ordinary string literals."),
    define("quote_all_identifiers", "off", Kind::Bool, Context::User, "When generating SQL fragments, quote all identifiers.").only(&["off"]),
    define("standard_conforming_strings", "on", Kind::Bool, Context::User, "Causes '...' strings to treat backslashes literally.").reported().only(&["on"]),
    define("synchronize_seqscans", "on", Kind::Bool, Context::User, "Enable synchronized sequential scans."),
]},
Section { category: "Write-Ahead Log / Settings", settings: &[
    define("commit_siblings", "5", Kind::Integer(0, 1000, Unit::None), Context::User, "Sets the minimum number of concurrent open transactions required before performing commit_delay."),
    define("fsync", "on", Kind::Bool, Context::Sighup, "Forces synchronization of updates to disk."),
    define("full_page_writes", "on", Kind::Bool, Context::Sighup, "Writes full pages to WAL when first modified after a checkpoint."),
    define("synchronous_commit", "on", Kind::Enum(&["local", "remote_write", "remote_apply", "on", "off"], ON_OFF), Context::User, "Sets the current transaction's synchronization level."),
]},
Section { category: "Hexalog", settings: &[
    define("hexalog.direct_routes", "on", Kind::Bool, Context::User, "Enables point access and index scans; off, every table is read whole."),
]},
];
