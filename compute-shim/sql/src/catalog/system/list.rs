//! Every system table: oid, name, columns, and where its rows come from.

use super::super::object::{INFORMATION_SCHEMA_OID, Oid, PG_CATALOG_OID};
use super::{SystemColumn, SystemTable, none};
use super::{cluster, constraint, information_schema, relation, routine, statistics, types, user_view, view};
use super::{columns_catalogs as c, columns_information_schema as i, columns_views as v};
use crate::execute::Row;
use crate::session::SessionView;

type Rows = fn(&SessionView) -> Vec<Row>;
type Columns = &'static [SystemColumn];

const fn catalog(oid: Oid, name: &'static str, columns: Columns, rows: Rows) -> SystemTable {
    SystemTable { oid, schema: PG_CATALOG_OID, name, is_view: false, columns, rows }
}

const fn catalog_view(oid: Oid, name: &'static str, columns: Columns, rows: Rows) -> SystemTable {
    SystemTable { oid, schema: PG_CATALOG_OID, name, is_view: true, columns, rows }
}

const fn information(oid: Oid, name: &'static str, columns: Columns, rows: Rows) -> SystemTable {
    SystemTable { oid, schema: INFORMATION_SCHEMA_OID, name, is_view: true, columns, rows }
}

/// In order of schema and name. Tables of what this product does not have are empty.
#[rustfmt::skip]
pub(super) static TABLES: &[SystemTable] = &[
    catalog(2600, "pg_aggregate", c::PG_AGGREGATE, routine::pg_aggregate),
    catalog(2601, "pg_am", c::PG_AM, routine::pg_am),
    catalog(2602, "pg_amop", c::PG_AMOP, routine::pg_amop),
    catalog(2603, "pg_amproc", c::PG_AMPROC, none),
    catalog(2604, "pg_attrdef", c::PG_ATTRDEF, relation::pg_attrdef),
    catalog(1249, "pg_attribute", c::PG_ATTRIBUTE, relation::pg_attribute),
    catalog(1261, "pg_auth_members", c::PG_AUTH_MEMBERS, none),
    catalog(1260, "pg_authid", c::PG_AUTHID, cluster::pg_authid),
    catalog_view(12085, "pg_available_extension_versions", v::PG_AVAILABLE_EXTENSION_VERSIONS, none),
    catalog_view(12081, "pg_available_extensions", v::PG_AVAILABLE_EXTENSIONS, none),
    catalog(2605, "pg_cast", c::PG_CAST, routine::pg_cast),
    catalog(1259, "pg_class", c::PG_CLASS, relation::pg_class),
    catalog(3456, "pg_collation", c::PG_COLLATION, types::pg_collation),
    catalog(2606, "pg_constraint", c::PG_CONSTRAINT, constraint::pg_constraint),
    catalog(2607, "pg_conversion", c::PG_CONVERSION, none),
    catalog_view(12077, "pg_cursors", v::PG_CURSORS, cluster::pg_cursors),
    catalog(1262, "pg_database", c::PG_DATABASE, cluster::pg_database),
    catalog(2964, "pg_db_role_setting", c::PG_DB_ROLE_SETTING, none),
    catalog(826, "pg_default_acl", c::PG_DEFAULT_ACL, none),
    catalog(2608, "pg_depend", c::PG_DEPEND, relation::pg_depend),
    catalog(2609, "pg_description", c::PG_DESCRIPTION, cluster::pg_description),
    catalog(3501, "pg_enum", c::PG_ENUM, types::pg_enum),
    catalog(3466, "pg_event_trigger", c::PG_EVENT_TRIGGER, none),
    catalog(3079, "pg_extension", c::PG_EXTENSION, none),
    catalog(2328, "pg_foreign_data_wrapper", c::PG_FOREIGN_DATA_WRAPPER, none),
    catalog(1417, "pg_foreign_server", c::PG_FOREIGN_SERVER, none),
    catalog(3118, "pg_foreign_table", c::PG_FOREIGN_TABLE, none),
    catalog_view(12010, "pg_group", v::PG_GROUP, none),
    catalog(2610, "pg_index", c::PG_INDEX, constraint::pg_index),
    catalog_view(12043, "pg_indexes", v::PG_INDEXES, constraint::pg_indexes),
    catalog(2611, "pg_inherits", c::PG_INHERITS, none),
    catalog(3394, "pg_init_privs", c::PG_INIT_PRIVS, cluster::pg_init_privs),
    catalog(2612, "pg_language", c::PG_LANGUAGE, routine::pg_language),
    catalog(2995, "pg_largeobject_metadata", c::PG_LARGEOBJECT_METADATA, none),
    catalog_view(12073, "pg_locks", v::PG_LOCKS, none),
    catalog_view(12038, "pg_matviews", v::PG_MATVIEWS, none),
    catalog(2615, "pg_namespace", c::PG_NAMESPACE, cluster::pg_namespace),
    catalog(2616, "pg_opclass", c::PG_OPCLASS, routine::pg_opclass),
    catalog(2617, "pg_operator", c::PG_OPERATOR, routine::pg_operator),
    catalog(2753, "pg_opfamily", c::PG_OPFAMILY, routine::pg_opfamily),
    catalog(6243, "pg_parameter_acl", c::PG_PARAMETER_ACL, none),
    catalog(3350, "pg_partitioned_table", c::PG_PARTITIONED_TABLE, none),
    catalog_view(12018, "pg_policies", v::PG_POLICIES, none),
    catalog(3256, "pg_policy", c::PG_POLICY, none),
    catalog_view(12090, "pg_prepared_xacts", v::PG_PREPARED_XACTS, none),
    catalog(1255, "pg_proc", c::PG_PROC, routine::pg_proc),
    catalog(6104, "pg_publication", c::PG_PUBLICATION, none),
    catalog(6237, "pg_publication_namespace", c::PG_PUBLICATION_NAMESPACE, none),
    catalog(6106, "pg_publication_rel", c::PG_PUBLICATION_REL, none),
    catalog_view(12068, "pg_publication_tables", v::PG_PUBLICATION_TABLES, none),
    catalog(3541, "pg_range", c::PG_RANGE, none),
    catalog(6000, "pg_replication_origin", c::PG_REPLICATION_ORIGIN, none),
    catalog_view(12257, "pg_replication_slots", v::PG_REPLICATION_SLOTS, none),
    catalog(2618, "pg_rewrite", c::PG_REWRITE, user_view::pg_rewrite),
    catalog_view(12000, "pg_roles", v::PG_ROLES, cluster::pg_roles),
    catalog_view(12023, "pg_rules", v::PG_RULES, none),
    catalog(3596, "pg_seclabel", c::PG_SECLABEL, none),
    catalog_view(12099, "pg_seclabels", v::PG_SECLABELS, none),
    catalog(2224, "pg_sequence", c::PG_SEQUENCE, relation::pg_sequence),
    catalog_view(12048, "pg_sequences", v::PG_SEQUENCES, view::pg_sequences),
    catalog_view(12104, "pg_settings", v::PG_SETTINGS, cluster::pg_settings),
    catalog_view(12005, "pg_shadow", v::PG_SHADOW, cluster::pg_shadow),
    catalog(1214, "pg_shdepend", c::PG_SHDEPEND, none),
    catalog(2396, "pg_shdescription", c::PG_SHDESCRIPTION, cluster::pg_shdescription),
    catalog(3592, "pg_shseclabel", c::PG_SHSECLABEL, none),
    catalog_view(12222, "pg_stat_activity", v::PG_STAT_ACTIVITY, cluster::pg_stat_activity),
    catalog_view(12183, "pg_stat_all_indexes", v::PG_STAT_ALL_INDEXES, view::pg_stat_all_indexes),
    catalog_view(12142, "pg_stat_all_tables", v::PG_STAT_ALL_TABLES, view::pg_stat_all_tables),
    catalog_view(12322, "pg_stat_progress_copy", v::PG_STAT_PROGRESS_COPY, none),
    catalog_view(12312, "pg_stat_progress_create_index", v::PG_STAT_PROGRESS_CREATE_INDEX, none),
    catalog_view(12227, "pg_stat_replication", v::PG_STAT_REPLICATION, none),
    catalog_view(12192, "pg_stat_user_indexes", v::PG_STAT_USER_INDEXES, view::pg_stat_user_indexes),
    catalog_view(12161, "pg_stat_user_tables", v::PG_STAT_USER_TABLES, view::pg_stat_user_tables),
    catalog(2619, "pg_statistic", c::PG_STATISTIC, none),
    catalog(3381, "pg_statistic_ext", c::PG_STATISTIC_EXT, none),
    catalog(3429, "pg_statistic_ext_data", c::PG_STATISTIC_EXT_DATA, none),
    catalog_view(12053, "pg_stats", v::PG_STATS, statistics::pg_stats),
    catalog_view(12058, "pg_stats_ext", v::PG_STATS_EXT, none),
    catalog_view(12063, "pg_stats_ext_exprs", v::PG_STATS_EXT_EXPRS, none),
    catalog(6100, "pg_subscription", c::PG_SUBSCRIPTION, none),
    catalog(6102, "pg_subscription_rel", c::PG_SUBSCRIPTION_REL, none),
    catalog_view(12033, "pg_tables", v::PG_TABLES, view::pg_tables),
    catalog(1213, "pg_tablespace", c::PG_TABLESPACE, cluster::pg_tablespace),
    catalog(3576, "pg_transform", c::PG_TRANSFORM, none),
    catalog(2620, "pg_trigger", c::PG_TRIGGER, none),
    catalog(3602, "pg_ts_config", c::PG_TS_CONFIG, none),
    catalog(3603, "pg_ts_config_map", c::PG_TS_CONFIG_MAP, none),
    catalog(3600, "pg_ts_dict", c::PG_TS_DICT, none),
    catalog(3601, "pg_ts_parser", c::PG_TS_PARSER, none),
    catalog(3764, "pg_ts_template", c::PG_TS_TEMPLATE, none),
    catalog(1247, "pg_type", c::PG_TYPE, types::pg_type),
    catalog_view(12014, "pg_user", v::PG_USER, cluster::pg_user),
    catalog(1418, "pg_user_mapping", c::PG_USER_MAPPING, none),
    catalog_view(12327, "pg_user_mappings", v::PG_USER_MAPPINGS, none),
    catalog_view(12028, "pg_views", v::PG_VIEWS, user_view::pg_views),
    information(13260, "check_constraints", i::CHECK_CONSTRAINTS, information_schema::check_constraints),
    information(13295, "columns", i::COLUMNS, information_schema::columns),
    information(13300, "constraint_column_usage", i::CONSTRAINT_COLUMN_USAGE, information_schema::constraint_column_usage),
    information(13305, "constraint_table_usage", i::CONSTRAINT_TABLE_USAGE, information_schema::constraint_table_usage),
    information(13320, "domains", i::DOMAINS, none),
    information(13325, "enabled_roles", i::ENABLED_ROLES, information_schema::enabled_roles),
    information(13227, "information_schema_catalog_name", i::INFORMATION_SCHEMA_CATALOG_NAME, information_schema::information_schema_catalog_name),
    information(13329, "key_column_usage", i::KEY_COLUMN_USAGE, information_schema::key_column_usage),
    information(13339, "referential_constraints", i::REFERENTIAL_CONSTRAINTS, information_schema::referential_constraints),
    information(13421, "role_table_grants", i::ROLE_TABLE_GRANTS, information_schema::role_table_grants),
    information(13382, "schemata", i::SCHEMATA, information_schema::schemata),
    information(13386, "sequences", i::SEQUENCES, information_schema::sequences),
    information(13411, "table_constraints", i::TABLE_CONSTRAINTS, information_schema::table_constraints),
    information(13416, "table_privileges", i::TABLE_PRIVILEGES, information_schema::table_privileges),
    information(13425, "tables", i::TABLES, information_schema::tables),
    information(13440, "triggers", i::TRIGGERS, none),
    information(13468, "view_column_usage", i::VIEW_COLUMN_USAGE, user_view::view_column_usage),
    information(13478, "view_table_usage", i::VIEW_TABLE_USAGE, user_view::view_table_usage),
    information(13483, "views", i::VIEWS, user_view::views),
];
