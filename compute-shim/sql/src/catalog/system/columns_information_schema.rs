//! Columns of the views of `information_schema`, with the base types of its domains.
//!
//! Names, order and types are those of PostgreSQL 15; they were read off a running one. Brackets mark
//! NOT NULL, parentheses the number of a type that this product does not have (the column holds nothing but NULL),
//! braces a type with its modifier.
//! Owns no rows.

use super::{SystemColumn, columns};

/// `information_schema.check_constraints`, oid 13260.
#[rustfmt::skip]
pub(super) static CHECK_CONSTRAINTS: &[SystemColumn] = columns! {
    constraint_catalog NAME, constraint_schema NAME, constraint_name NAME, check_clause VARCHAR
};

/// `information_schema.columns`, oid 13295.
#[rustfmt::skip]
pub(super) static COLUMNS: &[SystemColumn] = columns! {
    table_catalog NAME, table_schema NAME, table_name NAME, column_name NAME, ordinal_position INT4,
    column_default VARCHAR, is_nullable {VARCHAR 7}, data_type VARCHAR, character_maximum_length INT4,
    character_octet_length INT4, numeric_precision INT4, numeric_precision_radix INT4,
    numeric_scale INT4, datetime_precision INT4, interval_type VARCHAR, interval_precision INT4,
    character_set_catalog NAME, character_set_schema NAME, character_set_name NAME,
    collation_catalog NAME, collation_schema NAME, collation_name NAME, domain_catalog NAME,
    domain_schema NAME, domain_name NAME, udt_catalog NAME, udt_schema NAME, udt_name NAME,
    scope_catalog NAME, scope_schema NAME, scope_name NAME, maximum_cardinality INT4,
    dtd_identifier NAME, is_self_referencing {VARCHAR 7}, is_identity {VARCHAR 7},
    identity_generation VARCHAR, identity_start VARCHAR, identity_increment VARCHAR,
    identity_maximum VARCHAR, identity_minimum VARCHAR, identity_cycle {VARCHAR 7},
    is_generated VARCHAR, generation_expression VARCHAR, is_updatable {VARCHAR 7}
};

/// `information_schema.constraint_column_usage`, oid 13300.
#[rustfmt::skip]
pub(super) static CONSTRAINT_COLUMN_USAGE: &[SystemColumn] = columns! {
    table_catalog NAME, table_schema NAME, table_name NAME, column_name NAME, constraint_catalog NAME,
    constraint_schema NAME, constraint_name NAME
};

/// `information_schema.constraint_table_usage`, oid 13305.
#[rustfmt::skip]
pub(super) static CONSTRAINT_TABLE_USAGE: &[SystemColumn] = columns! {
    table_catalog NAME, table_schema NAME, table_name NAME, constraint_catalog NAME,
    constraint_schema NAME, constraint_name NAME
};

/// `information_schema.domains`, oid 13320.
#[rustfmt::skip]
pub(super) static DOMAINS: &[SystemColumn] = columns! {
    domain_catalog NAME, domain_schema NAME, domain_name NAME, data_type VARCHAR,
    character_maximum_length INT4, character_octet_length INT4, character_set_catalog NAME,
    character_set_schema NAME, character_set_name NAME, collation_catalog NAME, collation_schema NAME,
    collation_name NAME, numeric_precision INT4, numeric_precision_radix INT4, numeric_scale INT4,
    datetime_precision INT4, interval_type VARCHAR, interval_precision INT4, domain_default VARCHAR,
    udt_catalog NAME, udt_schema NAME, udt_name NAME, scope_catalog NAME, scope_schema NAME,
    scope_name NAME, maximum_cardinality INT4, dtd_identifier NAME
};

/// `information_schema.enabled_roles`, oid 13325.
#[rustfmt::skip]
pub(super) static ENABLED_ROLES: &[SystemColumn] = columns! {
    role_name NAME
};

/// `information_schema.information_schema_catalog_name`, oid 13227.
#[rustfmt::skip]
pub(super) static INFORMATION_SCHEMA_CATALOG_NAME: &[SystemColumn] = columns! {
    catalog_name NAME
};

/// `information_schema.key_column_usage`, oid 13329.
#[rustfmt::skip]
pub(super) static KEY_COLUMN_USAGE: &[SystemColumn] = columns! {
    constraint_catalog NAME, constraint_schema NAME, constraint_name NAME, table_catalog NAME,
    table_schema NAME, table_name NAME, column_name NAME, ordinal_position INT4,
    position_in_unique_constraint INT4
};

/// `information_schema.referential_constraints`, oid 13339.
#[rustfmt::skip]
pub(super) static REFERENTIAL_CONSTRAINTS: &[SystemColumn] = columns! {
    constraint_catalog NAME, constraint_schema NAME, constraint_name NAME,
    unique_constraint_catalog NAME, unique_constraint_schema NAME, unique_constraint_name NAME,
    match_option VARCHAR, update_rule VARCHAR, delete_rule VARCHAR
};

/// `information_schema.role_table_grants`, oid 13421.
#[rustfmt::skip]
pub(super) static ROLE_TABLE_GRANTS: &[SystemColumn] = columns! {
    grantor NAME, grantee NAME, table_catalog NAME, table_schema NAME, table_name NAME,
    privilege_type VARCHAR, is_grantable {VARCHAR 7}, with_hierarchy {VARCHAR 7}
};

/// `information_schema.schemata`, oid 13382.
#[rustfmt::skip]
pub(super) static SCHEMATA: &[SystemColumn] = columns! {
    catalog_name NAME, schema_name NAME, schema_owner NAME, default_character_set_catalog NAME,
    default_character_set_schema NAME, default_character_set_name NAME, sql_path VARCHAR
};

/// `information_schema.sequences`, oid 13386.
#[rustfmt::skip]
pub(super) static SEQUENCES: &[SystemColumn] = columns! {
    sequence_catalog NAME, sequence_schema NAME, sequence_name NAME, data_type VARCHAR,
    numeric_precision INT4, numeric_precision_radix INT4, numeric_scale INT4, start_value VARCHAR,
    minimum_value VARCHAR, maximum_value VARCHAR, increment VARCHAR, cycle_option {VARCHAR 7}
};

/// `information_schema.table_constraints`, oid 13411.
#[rustfmt::skip]
pub(super) static TABLE_CONSTRAINTS: &[SystemColumn] = columns! {
    constraint_catalog NAME, constraint_schema NAME, constraint_name NAME, table_catalog NAME,
    table_schema NAME, table_name NAME, constraint_type VARCHAR, is_deferrable {VARCHAR 7},
    initially_deferred {VARCHAR 7}, enforced {VARCHAR 7}, nulls_distinct {VARCHAR 7}
};

/// `information_schema.table_privileges`, oid 13416.
#[rustfmt::skip]
pub(super) static TABLE_PRIVILEGES: &[SystemColumn] = columns! {
    grantor NAME, grantee NAME, table_catalog NAME, table_schema NAME, table_name NAME,
    privilege_type VARCHAR, is_grantable {VARCHAR 7}, with_hierarchy {VARCHAR 7}
};

/// `information_schema.tables`, oid 13425.
#[rustfmt::skip]
pub(super) static TABLES: &[SystemColumn] = columns! {
    table_catalog NAME, table_schema NAME, table_name NAME, table_type VARCHAR,
    self_referencing_column_name NAME, reference_generation VARCHAR, user_defined_type_catalog NAME,
    user_defined_type_schema NAME, user_defined_type_name NAME, is_insertable_into {VARCHAR 7},
    is_typed {VARCHAR 7}, commit_action VARCHAR
};

/// `information_schema.triggers`, oid 13440.
#[rustfmt::skip]
pub(super) static TRIGGERS: &[SystemColumn] = columns! {
    trigger_catalog NAME, trigger_schema NAME, trigger_name NAME, event_manipulation VARCHAR,
    event_object_catalog NAME, event_object_schema NAME, event_object_table NAME, action_order INT4,
    action_condition VARCHAR, action_statement VARCHAR, action_orientation VARCHAR,
    action_timing VARCHAR, action_reference_old_table NAME, action_reference_new_table NAME,
    action_reference_old_row NAME, action_reference_new_row NAME, created {TIMESTAMPTZ 2}
};

/// `information_schema.view_column_usage`, oid 13468.
#[rustfmt::skip]
pub(super) static VIEW_COLUMN_USAGE: &[SystemColumn] = columns! {
    view_catalog NAME, view_schema NAME, view_name NAME, table_catalog NAME, table_schema NAME,
    table_name NAME, column_name NAME
};

/// `information_schema.view_table_usage`, oid 13478.
#[rustfmt::skip]
pub(super) static VIEW_TABLE_USAGE: &[SystemColumn] = columns! {
    view_catalog NAME, view_schema NAME, view_name NAME, table_catalog NAME, table_schema NAME,
    table_name NAME
};

/// `information_schema.views`, oid 13483.
#[rustfmt::skip]
pub(super) static VIEWS: &[SystemColumn] = columns! {
    table_catalog NAME, table_schema NAME, table_name NAME, view_definition VARCHAR,
    check_option VARCHAR, is_updatable {VARCHAR 7}, is_insertable_into {VARCHAR 7},
    is_trigger_updatable {VARCHAR 7}, is_trigger_deletable {VARCHAR 7},
    is_trigger_insertable_into {VARCHAR 7}
};
