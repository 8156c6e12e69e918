//! Columns of the views of `pg_catalog`.
//!
//! Names, order and types are those of PostgreSQL 15; they were read off a running one. Brackets mark
//! NOT NULL, parentheses the number of a type that this product does not have (the column holds nothing but NULL),
//! braces a type with its modifier.
//! Owns no rows.

use super::{SystemColumn, columns};

/// `pg_catalog.pg_available_extension_versions`, oid 12085.
#[rustfmt::skip]
pub(super) static PG_AVAILABLE_EXTENSION_VERSIONS: &[SystemColumn] = columns! {
    name NAME, version TEXT, installed BOOL, superuser BOOL, trusted BOOL, relocatable BOOL,
    schema NAME, requires NAME_ARRAY, comment TEXT
};

/// `pg_catalog.pg_available_extensions`, oid 12081.
#[rustfmt::skip]
pub(super) static PG_AVAILABLE_EXTENSIONS: &[SystemColumn] = columns! {
    name NAME, default_version TEXT, installed_version TEXT, comment TEXT
};

/// `pg_catalog.pg_group`, oid 12010.
#[rustfmt::skip]
pub(super) static PG_GROUP: &[SystemColumn] = columns! {
    groname NAME, grosysid OID, grolist OID_ARRAY
};

/// `pg_catalog.pg_indexes`, oid 12043.
#[rustfmt::skip]
pub(super) static PG_INDEXES: &[SystemColumn] = columns! {
    schemaname NAME, tablename NAME, indexname NAME, tablespace NAME, indexdef TEXT
};

/// `pg_catalog.pg_cursors`, oid 12077.
#[rustfmt::skip]
pub(super) static PG_CURSORS: &[SystemColumn] = columns! {
    name TEXT, statement TEXT, is_holdable BOOL, is_binary BOOL, is_scrollable BOOL,
    creation_time TIMESTAMPTZ
};

/// `pg_catalog.pg_prepared_statements`, oid 12095.
#[rustfmt::skip]
pub(super) static PG_PREPARED_STATEMENTS: &[SystemColumn] = columns! {
    name TEXT, statement TEXT, prepare_time TIMESTAMPTZ, parameter_types REGTYPE_ARRAY, from_sql BOOL,
    generic_plans INT8, custom_plans INT8
};

/// `pg_catalog.pg_timezone_abbrevs`, oid 12122.
#[rustfmt::skip]
pub(super) static PG_TIMEZONE_ABBREVS: &[SystemColumn] = columns! {
    abbrev TEXT, utc_offset INTERVAL, is_dst BOOL
};

/// `pg_catalog.pg_timezone_names`, oid 12126.
#[rustfmt::skip]
pub(super) static PG_TIMEZONE_NAMES: &[SystemColumn] = columns! {
    name TEXT, abbrev TEXT, utc_offset INTERVAL, is_dst BOOL
};

/// `pg_catalog.pg_locks`, oid 12073.
#[rustfmt::skip]
pub(super) static PG_LOCKS: &[SystemColumn] = columns! {
    locktype TEXT, database OID, relation OID, page INT4, tuple INT2, virtualxid TEXT,
    transactionid XID, classid OID, objid OID, objsubid INT2, virtualtransaction TEXT, pid INT4,
    mode TEXT, granted BOOL, fastpath BOOL, waitstart TIMESTAMPTZ
};

/// `pg_catalog.pg_matviews`, oid 12038.
#[rustfmt::skip]
pub(super) static PG_MATVIEWS: &[SystemColumn] = columns! {
    schemaname NAME, matviewname NAME, matviewowner NAME, tablespace NAME, hasindexes BOOL,
    ispopulated BOOL, definition TEXT
};

/// `pg_catalog.pg_policies`, oid 12018.
#[rustfmt::skip]
pub(super) static PG_POLICIES: &[SystemColumn] = columns! {
    schemaname NAME, tablename NAME, policyname NAME, permissive TEXT, roles NAME_ARRAY, cmd TEXT,
    qual TEXT, with_check TEXT
};

/// `pg_catalog.pg_prepared_xacts`, oid 12090.
#[rustfmt::skip]
pub(super) static PG_PREPARED_XACTS: &[SystemColumn] = columns! {
    transaction XID, gid TEXT, prepared TIMESTAMPTZ, owner NAME, database NAME
};

/// `pg_catalog.pg_publication_tables`, oid 12068.
#[rustfmt::skip]
pub(super) static PG_PUBLICATION_TABLES: &[SystemColumn] = columns! {
    pubname NAME, schemaname NAME, tablename NAME, attnames NAME_ARRAY, rowfilter TEXT
};

/// `pg_catalog.pg_replication_slots`, oid 12257.
#[rustfmt::skip]
pub(super) static PG_REPLICATION_SLOTS: &[SystemColumn] = columns! {
    slot_name NAME, plugin NAME, slot_type TEXT, datoid OID, database NAME, temporary BOOL,
    active BOOL, active_pid INT4, xmin XID, catalog_xmin XID, restart_lsn (3220),
    confirmed_flush_lsn (3220), wal_status TEXT, safe_wal_size INT8, two_phase BOOL
};

/// `pg_catalog.pg_roles`, oid 12000.
#[rustfmt::skip]
pub(super) static PG_ROLES: &[SystemColumn] = columns! {
    rolname NAME, rolsuper BOOL, rolinherit BOOL, rolcreaterole BOOL, rolcreatedb BOOL,
    rolcanlogin BOOL, rolreplication BOOL, rolconnlimit INT4, rolpassword TEXT,
    rolvaliduntil TIMESTAMPTZ, rolbypassrls BOOL, rolconfig TEXT_ARRAY, oid OID
};

/// `pg_catalog.pg_rules`, oid 12023.
#[rustfmt::skip]
pub(super) static PG_RULES: &[SystemColumn] = columns! {
    schemaname NAME, tablename NAME, rulename NAME, definition TEXT
};

/// `pg_catalog.pg_seclabels`, oid 12099.
#[rustfmt::skip]
pub(super) static PG_SECLABELS: &[SystemColumn] = columns! {
    objoid OID, classoid OID, objsubid INT4, objtype TEXT, objnamespace OID, objname TEXT,
    provider TEXT, label TEXT
};

/// `pg_catalog.pg_sequences`, oid 12048.
#[rustfmt::skip]
pub(super) static PG_SEQUENCES: &[SystemColumn] = columns! {
    schemaname NAME, sequencename NAME, sequenceowner NAME, data_type REGTYPE, start_value INT8,
    min_value INT8, max_value INT8, increment_by INT8, cycle BOOL, cache_size INT8, last_value INT8
};

/// `pg_catalog.pg_settings`, oid 12104.
#[rustfmt::skip]
pub(super) static PG_SETTINGS: &[SystemColumn] = columns! {
    name TEXT, setting TEXT, unit TEXT, category TEXT, short_desc TEXT, extra_desc TEXT, context TEXT,
    vartype TEXT, source TEXT, min_val TEXT, max_val TEXT, enumvals TEXT_ARRAY, boot_val TEXT,
    reset_val TEXT, sourcefile TEXT, sourceline INT4, pending_restart BOOL
};

/// `pg_catalog.pg_shadow`, oid 12005.
#[rustfmt::skip]
pub(super) static PG_SHADOW: &[SystemColumn] = columns! {
    usename NAME, usesysid OID, usecreatedb BOOL, usesuper BOOL, userepl BOOL, usebypassrls BOOL,
    passwd TEXT, valuntil TIMESTAMPTZ, useconfig TEXT_ARRAY
};

/// `pg_catalog.pg_stat_activity`, oid 12222.
#[rustfmt::skip]
pub(super) static PG_STAT_ACTIVITY: &[SystemColumn] = columns! {
    datid OID, datname NAME, pid INT4, leader_pid INT4, usesysid OID, usename NAME,
    application_name TEXT, client_addr (869), client_hostname TEXT, client_port INT4,
    backend_start TIMESTAMPTZ, xact_start TIMESTAMPTZ, query_start TIMESTAMPTZ,
    state_change TIMESTAMPTZ, wait_event_type TEXT, wait_event TEXT, state TEXT, backend_xid XID,
    backend_xmin XID, query_id INT8, query TEXT, backend_type TEXT
};

/// `pg_catalog.pg_stat_all_indexes`, oid 12183.
#[rustfmt::skip]
pub(super) static PG_STAT_ALL_INDEXES: &[SystemColumn] = columns! {
    relid OID, indexrelid OID, schemaname NAME, relname NAME, indexrelname NAME, idx_scan INT8,
    idx_tup_read INT8, idx_tup_fetch INT8
};

/// `pg_catalog.pg_stat_all_tables`, oid 12142.
#[rustfmt::skip]
pub(super) static PG_STAT_ALL_TABLES: &[SystemColumn] = columns! {
    relid OID, schemaname NAME, relname NAME, seq_scan INT8, seq_tup_read INT8, idx_scan INT8,
    idx_tup_fetch INT8, n_tup_ins INT8, n_tup_upd INT8, n_tup_del INT8, n_tup_hot_upd INT8,
    n_live_tup INT8, n_dead_tup INT8, n_mod_since_analyze INT8, n_ins_since_vacuum INT8,
    last_vacuum TIMESTAMPTZ, last_autovacuum TIMESTAMPTZ, last_analyze TIMESTAMPTZ,
    last_autoanalyze TIMESTAMPTZ, vacuum_count INT8, autovacuum_count INT8, analyze_count INT8,
    autoanalyze_count INT8
};

/// `pg_catalog.pg_stat_database`, oid 12266.
#[rustfmt::skip]
pub(super) static PG_STAT_DATABASE: &[SystemColumn] = columns! {
    datid OID, datname NAME, numbackends INT4, xact_commit INT8, xact_rollback INT8, blks_read INT8,
    blks_hit INT8, tup_returned INT8, tup_fetched INT8, tup_inserted INT8, tup_updated INT8,
    tup_deleted INT8, conflicts INT8, temp_files INT8, temp_bytes INT8, deadlocks INT8,
    checksum_failures INT8, checksum_last_failure TIMESTAMPTZ, blk_read_time FLOAT8,
    blk_write_time FLOAT8, session_time FLOAT8, active_time FLOAT8, idle_in_transaction_time FLOAT8,
    sessions INT8, sessions_abandoned INT8, sessions_fatal INT8, sessions_killed INT8,
    stats_reset TIMESTAMPTZ
};

/// `pg_catalog.pg_stat_progress_copy`, oid 12322.
#[rustfmt::skip]
pub(super) static PG_STAT_PROGRESS_COPY: &[SystemColumn] = columns! {
    pid INT4, datid OID, datname NAME, relid OID, command TEXT, type TEXT, bytes_processed INT8,
    bytes_total INT8, tuples_processed INT8, tuples_excluded INT8
};

/// `pg_catalog.pg_stat_progress_create_index`, oid 12312.
#[rustfmt::skip]
pub(super) static PG_STAT_PROGRESS_CREATE_INDEX: &[SystemColumn] = columns! {
    pid INT4, datid OID, datname NAME, relid OID, index_relid OID, command TEXT, phase TEXT,
    lockers_total INT8, lockers_done INT8, current_locker_pid INT8, blocks_total INT8, blocks_done INT8,
    tuples_total INT8, tuples_done INT8, partitions_total INT8, partitions_done INT8
};

/// `pg_catalog.pg_stat_replication`, oid 12227.
#[rustfmt::skip]
pub(super) static PG_STAT_REPLICATION: &[SystemColumn] = columns! {
    pid INT4, usesysid OID, usename NAME, application_name TEXT, client_addr (869),
    client_hostname TEXT, client_port INT4, backend_start TIMESTAMPTZ, backend_xmin XID, state TEXT,
    sent_lsn (3220), write_lsn (3220), flush_lsn (3220), replay_lsn (3220), write_lag INTERVAL,
    flush_lag INTERVAL, replay_lag INTERVAL, sync_priority INT4, sync_state TEXT,
    reply_time TIMESTAMPTZ
};

/// `pg_catalog.pg_stat_statements`, which PostgreSQL has in an extension, of version 1.10.
#[rustfmt::skip]
pub(super) static PG_STAT_STATEMENTS: &[SystemColumn] = columns! {
    userid OID, dbid OID, toplevel BOOL, queryid INT8, query TEXT, plans INT8, total_plan_time FLOAT8,
    min_plan_time FLOAT8, max_plan_time FLOAT8, mean_plan_time FLOAT8, stddev_plan_time FLOAT8,
    calls INT8, total_exec_time FLOAT8, min_exec_time FLOAT8, max_exec_time FLOAT8,
    mean_exec_time FLOAT8, stddev_exec_time FLOAT8, rows INT8, shared_blks_hit INT8,
    shared_blks_read INT8, shared_blks_dirtied INT8, shared_blks_written INT8, local_blks_hit INT8,
    local_blks_read INT8, local_blks_dirtied INT8, local_blks_written INT8, temp_blks_read INT8,
    temp_blks_written INT8, blk_read_time FLOAT8, blk_write_time FLOAT8, temp_blk_read_time FLOAT8,
    temp_blk_write_time FLOAT8, wal_records INT8, wal_fpi INT8, wal_bytes NUMERIC,
    jit_functions INT8, jit_generation_time FLOAT8, jit_inlining_count INT8, jit_inlining_time FLOAT8,
    jit_optimization_count INT8, jit_optimization_time FLOAT8, jit_emission_count INT8,
    jit_emission_time FLOAT8
};

/// `pg_catalog.pg_stat_statements_info`, of the same extension.
#[rustfmt::skip]
pub(super) static PG_STAT_STATEMENTS_INFO: &[SystemColumn] = columns! {
    dealloc INT8, stats_reset TIMESTAMPTZ
};

/// `pg_catalog.pg_stat_user_indexes`, oid 12192.
#[rustfmt::skip]
pub(super) static PG_STAT_USER_INDEXES: &[SystemColumn] = columns! {
    relid OID, indexrelid OID, schemaname NAME, relname NAME, indexrelname NAME, idx_scan INT8,
    idx_tup_read INT8, idx_tup_fetch INT8
};

/// `pg_catalog.pg_stat_user_tables`, oid 12161.
#[rustfmt::skip]
pub(super) static PG_STAT_USER_TABLES: &[SystemColumn] = columns! {
    relid OID, schemaname NAME, relname NAME, seq_scan INT8, seq_tup_read INT8, idx_scan INT8,
    idx_tup_fetch INT8, n_tup_ins INT8, n_tup_upd INT8, n_tup_del INT8, n_tup_hot_upd INT8,
    n_live_tup INT8, n_dead_tup INT8, n_mod_since_analyze INT8, n_ins_since_vacuum INT8,
    last_vacuum TIMESTAMPTZ, last_autovacuum TIMESTAMPTZ, last_analyze TIMESTAMPTZ,
    last_autoanalyze TIMESTAMPTZ, vacuum_count INT8, autovacuum_count INT8, analyze_count INT8,
    autoanalyze_count INT8
};

/// `pg_catalog.pg_stats`, oid 12053.
#[rustfmt::skip]
pub(super) static PG_STATS: &[SystemColumn] = columns! {
    schemaname NAME, tablename NAME, attname NAME, inherited BOOL, null_frac FLOAT4, avg_width INT4,
    n_distinct FLOAT4, most_common_vals ANYARRAY, most_common_freqs FLOAT4_ARRAY,
    histogram_bounds ANYARRAY, correlation FLOAT4, most_common_elems ANYARRAY,
    most_common_elem_freqs FLOAT4_ARRAY, elem_count_histogram FLOAT4_ARRAY
};

/// `pg_catalog.pg_stats_ext`, oid 12058.
#[rustfmt::skip]
pub(super) static PG_STATS_EXT: &[SystemColumn] = columns! {
    schemaname NAME, tablename NAME, statistics_schemaname NAME, statistics_name NAME,
    statistics_owner NAME, attnames NAME_ARRAY, exprs TEXT_ARRAY, kinds CHAR_ARRAY, inherited BOOL,
    n_distinct (3361), dependencies (3402), most_common_vals TEXT_ARRAY,
    most_common_val_nulls BOOL_ARRAY, most_common_freqs FLOAT8_ARRAY,
    most_common_base_freqs FLOAT8_ARRAY
};

/// `pg_catalog.pg_stats_ext_exprs`, oid 12063.
#[rustfmt::skip]
pub(super) static PG_STATS_EXT_EXPRS: &[SystemColumn] = columns! {
    schemaname NAME, tablename NAME, statistics_schemaname NAME, statistics_name NAME,
    statistics_owner NAME, expr TEXT, inherited BOOL, null_frac FLOAT4, avg_width INT4,
    n_distinct FLOAT4, most_common_vals ANYARRAY, most_common_freqs FLOAT4_ARRAY,
    histogram_bounds ANYARRAY, correlation FLOAT4, most_common_elems ANYARRAY,
    most_common_elem_freqs FLOAT4_ARRAY, elem_count_histogram FLOAT4_ARRAY
};

/// `pg_catalog.pg_tables`, oid 12033.
#[rustfmt::skip]
pub(super) static PG_TABLES: &[SystemColumn] = columns! {
    schemaname NAME, tablename NAME, tableowner NAME, tablespace NAME, hasindexes BOOL, hasrules BOOL,
    hastriggers BOOL, rowsecurity BOOL
};

/// `pg_catalog.pg_user`, oid 12014.
#[rustfmt::skip]
pub(super) static PG_USER: &[SystemColumn] = columns! {
    usename NAME, usesysid OID, usecreatedb BOOL, usesuper BOOL, userepl BOOL, usebypassrls BOOL,
    passwd TEXT, valuntil TIMESTAMPTZ, useconfig TEXT_ARRAY
};

/// `pg_catalog.pg_user_mappings`, oid 12327.
#[rustfmt::skip]
pub(super) static PG_USER_MAPPINGS: &[SystemColumn] = columns! {
    umid OID, srvid OID, srvname NAME, umuser OID, usename NAME, umoptions TEXT_ARRAY
};

/// `pg_catalog.pg_views`, oid 12028.
#[rustfmt::skip]
pub(super) static PG_VIEWS: &[SystemColumn] = columns! {
    schemaname NAME, viewname NAME, viewowner NAME, definition TEXT
};
