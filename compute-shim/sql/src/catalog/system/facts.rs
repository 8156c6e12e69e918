//! What PostgreSQL 15's catalogs say of built-in types, operator classes and collations, and the names of routines that
//! other catalogs refer to.
//!
//! Read off a running PostgreSQL 15. Owns no rows; `types.rs` and `routine.rs` make them.

use super::super::object::{Column, IndexColumn, KeyPart, Oid};
use crate::parse::tree::Name;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{SqlError, SqlState, TypeId, function};

/// The columns of `pg_type` that `sql-types` has no use for.
#[derive(Clone, Copy, Debug)]
pub(super) struct TypeFacts {
    pub id: TypeId,
    /// `typsubscript`, `typinput`, `typoutput`, `typreceive`, `typsend`, `typmodin`, `typmodout`, `typanalyze`.
    pub routines: [Oid; 8],
    /// `typstorage`.
    pub storage: u8,
    /// `typcollation`.
    pub collation: Oid,
}

const fn facts(id: u32, routines: [Oid; 8], storage: u8, collation: Oid) -> TypeFacts {
    TypeFacts { id: TypeId(id), routines, storage, collation }
}

/// In order of oid.
#[rustfmt::skip]
static TYPE_FACTS: &[TypeFacts] = &[
    facts(16, [0, 1242, 1243, 2436, 2437, 0, 0, 0], b'p', 0),
    facts(17, [0, 1244, 31, 2412, 2413, 0, 0, 0], b'x', 0),
    facts(18, [0, 1245, 33, 2434, 2435, 0, 0, 0], b'p', 0),
    facts(19, [6180, 34, 35, 2422, 2423, 0, 0, 0], b'p', 950),
    facts(20, [0, 460, 461, 2408, 2409, 0, 0, 0], b'p', 0),
    facts(21, [0, 38, 39, 2404, 2405, 0, 0, 0], b'p', 0),
    facts(22, [6179, 40, 41, 2410, 2411, 0, 0, 0], b'p', 0),
    facts(23, [0, 42, 43, 2406, 2407, 0, 0, 0], b'p', 0),
    facts(24, [0, 44, 45, 2444, 2445, 0, 0, 0], b'p', 0),
    facts(25, [0, 46, 47, 2414, 2415, 0, 0, 0], b'x', 100),
    facts(26, [0, 1798, 1799, 2418, 2419, 0, 0, 0], b'p', 0),
    facts(27, [0, 48, 49, 2438, 2439, 0, 0, 0], b'p', 0),
    facts(28, [0, 50, 51, 2440, 2441, 0, 0, 0], b'p', 0),
    facts(29, [0, 52, 53, 2442, 2443, 0, 0, 0], b'p', 0),
    facts(30, [6179, 54, 55, 2420, 2421, 0, 0, 0], b'p', 0),
    facts(114, [0, 321, 322, 323, 324, 0, 0, 0], b'x', 0),
    facts(194, [0, 195, 196, 197, 198, 0, 0, 0], b'x', 100),
    facts(199, [6179, 750, 751, 2400, 2401, 0, 0, 3816], b'x', 0),
    facts(700, [0, 200, 201, 2424, 2425, 0, 0, 0], b'p', 0),
    facts(701, [0, 214, 215, 2426, 2427, 0, 0, 0], b'p', 0),
    facts(705, [0, 109, 110, 2416, 2417, 0, 0, 0], b'p', 0),
    facts(1000, [6179, 750, 751, 2400, 2401, 0, 0, 3816], b'x', 0),
    facts(1001, [6179, 750, 751, 2400, 2401, 0, 0, 3816], b'x', 0),
    facts(1002, [6179, 750, 751, 2400, 2401, 0, 0, 3816], b'x', 0),
    facts(1003, [6179, 750, 751, 2400, 2401, 0, 0, 3816], b'x', 950),
    facts(1005, [6179, 750, 751, 2400, 2401, 0, 0, 3816], b'x', 0),
    facts(1006, [6179, 750, 751, 2400, 2401, 0, 0, 3816], b'x', 0),
    facts(1007, [6179, 750, 751, 2400, 2401, 0, 0, 3816], b'x', 0),
    facts(1008, [6179, 750, 751, 2400, 2401, 0, 0, 3816], b'x', 0),
    facts(1009, [6179, 750, 751, 2400, 2401, 0, 0, 3816], b'x', 100),
    facts(1010, [6179, 750, 751, 2400, 2401, 0, 0, 3816], b'x', 0),
    facts(1011, [6179, 750, 751, 2400, 2401, 0, 0, 3816], b'x', 0),
    facts(1012, [6179, 750, 751, 2400, 2401, 0, 0, 3816], b'x', 0),
    facts(1013, [6179, 750, 751, 2400, 2401, 0, 0, 3816], b'x', 0),
    facts(1014, [6179, 750, 751, 2400, 2401, 2913, 2914, 3816], b'x', 100),
    facts(1015, [6179, 750, 751, 2400, 2401, 2915, 2916, 3816], b'x', 100),
    facts(1016, [6179, 750, 751, 2400, 2401, 0, 0, 3816], b'x', 0),
    facts(1021, [6179, 750, 751, 2400, 2401, 0, 0, 3816], b'x', 0),
    facts(1022, [6179, 750, 751, 2400, 2401, 0, 0, 3816], b'x', 0),
    facts(1028, [6179, 750, 751, 2400, 2401, 0, 0, 3816], b'x', 0),
    facts(1033, [0, 1031, 1032, 0, 0, 0, 0, 0], b'p', 0),
    facts(1034, [6179, 750, 751, 2400, 2401, 0, 0, 3816], b'x', 0),
    facts(1042, [0, 1044, 1045, 2430, 2431, 2913, 2914, 0], b'x', 100),
    facts(1043, [0, 1046, 1047, 2432, 2433, 2915, 2916, 0], b'x', 100),
    facts(1082, [0, 1084, 1085, 2468, 2469, 0, 0, 0], b'p', 0),
    facts(1083, [0, 1143, 1144, 2470, 2471, 2909, 2910, 0], b'p', 0),
    facts(1114, [0, 1312, 1313, 2474, 2475, 2905, 2906, 0], b'p', 0),
    facts(1115, [6179, 750, 751, 2400, 2401, 2905, 2906, 3816], b'x', 0),
    facts(1182, [6179, 750, 751, 2400, 2401, 0, 0, 3816], b'x', 0),
    facts(1183, [6179, 750, 751, 2400, 2401, 2909, 2910, 3816], b'x', 0),
    facts(1184, [0, 1150, 1151, 2476, 2477, 2907, 2908, 0], b'p', 0),
    facts(1185, [6179, 750, 751, 2400, 2401, 2907, 2908, 3816], b'x', 0),
    facts(1186, [0, 1160, 1161, 2478, 2479, 2903, 2904, 0], b'p', 0),
    facts(1187, [6179, 750, 751, 2400, 2401, 2903, 2904, 3816], b'x', 0),
    facts(1231, [6179, 750, 751, 2400, 2401, 2917, 2918, 3816], b'x', 0),
    facts(1263, [6179, 750, 751, 2400, 2401, 0, 0, 3816], b'x', 0),
    facts(1266, [0, 1350, 1351, 2472, 2473, 2911, 2912, 0], b'p', 0),
    facts(1270, [6179, 750, 751, 2400, 2401, 2911, 2912, 3816], b'x', 0),
    facts(1700, [0, 1701, 1702, 2460, 2461, 2917, 2918, 0], b'm', 0),
    facts(2202, [0, 2212, 2213, 2446, 2447, 0, 0, 0], b'p', 0),
    facts(2205, [0, 2218, 2219, 2452, 2453, 0, 0, 0], b'p', 0),
    facts(2206, [0, 2220, 2221, 2454, 2455, 0, 0, 0], b'p', 0),
    facts(2207, [6179, 750, 751, 2400, 2401, 0, 0, 3816], b'x', 0),
    facts(2210, [6179, 750, 751, 2400, 2401, 0, 0, 3816], b'x', 0),
    facts(2211, [6179, 750, 751, 2400, 2401, 0, 0, 3816], b'x', 0),
    facts(2249, [0, 2290, 2291, 2402, 2403, 0, 0, 0], b'x', 0),
    facts(2275, [0, 2292, 2293, 2500, 2501, 0, 0, 0], b'p', 0),
    facts(2276, [0, 2294, 2295, 0, 0, 0, 0, 0], b'p', 0),
    facts(2277, [0, 2296, 2297, 2502, 2503, 0, 0, 0], b'x', 0),
    facts(2278, [0, 2298, 2299, 3120, 3121, 0, 0, 0], b'p', 0),
    facts(2279, [0, 2300, 2301, 0, 0, 0, 0, 0], b'p', 0),
    facts(2281, [0, 2304, 2305, 0, 0, 0, 0, 0], b'p', 0),
    facts(2283, [0, 2312, 2313, 0, 0, 0, 0, 0], b'p', 0),
    facts(2287, [6179, 750, 751, 2400, 2401, 0, 0, 3816], b'x', 0),
    facts(2776, [0, 2777, 2778, 0, 0, 0, 0, 0], b'p', 0),
    facts(2950, [0, 2952, 2953, 2961, 2962, 0, 0, 0], b'p', 0),
    facts(2951, [6179, 750, 751, 2400, 2401, 0, 0, 3816], b'x', 0),
    facts(3500, [0, 3504, 3505, 0, 0, 0, 0, 0], b'p', 0),
    facts(3802, [6098, 3806, 3804, 3805, 3803, 0, 0, 0], b'x', 0),
    facts(3807, [6179, 750, 751, 2400, 2401, 0, 0, 3816], b'x', 0),
    facts(4072, [0, 4001, 4003, 4002, 4004, 0, 0, 0], b'x', 0),
    facts(4073, [6179, 750, 751, 2400, 2401, 0, 0, 3816], b'x', 0),
    facts(4089, [0, 4084, 4085, 4087, 4088, 0, 0, 0], b'p', 0),
    facts(4090, [6179, 750, 751, 2400, 2401, 0, 0, 3816], b'x', 0),
    facts(4096, [0, 4098, 4092, 4094, 4095, 0, 0, 0], b'p', 0),
    facts(4097, [6179, 750, 751, 2400, 2401, 0, 0, 3816], b'x', 0),
    facts(5077, [0, 5086, 5087, 0, 0, 0, 0, 0], b'p', 0),
    facts(5078, [0, 5088, 5089, 5090, 5091, 0, 0, 0], b'x', 0),
    facts(5079, [0, 5092, 5093, 0, 0, 0, 0, 0], b'p', 0),
];

/// What PostgreSQL says of a built-in type.
pub(super) fn type_facts(id: TypeId) -> Option<&'static TypeFacts> {
    TYPE_FACTS.binary_search_by_key(&id, |facts| facts.id).ok().map(|at| &TYPE_FACTS[at])
}

/// The collation of a column of this type, 0 if it has none.
pub(crate) fn collation_of(id: TypeId) -> Oid {
    type_facts(id).map_or(0, |facts| facts.collation)
}

/// The names of types that columns of system tables have and this product has not.
pub(crate) fn foreign_type_name(oid: Oid) -> Option<&'static str> {
    Some(match oid {
        114 => "json",
        869 => "inet",
        3220 => "pg_lsn",
        3361 => "pg_ndistinct",
        3402 => "pg_dependencies",
        5017 => "pg_mcv_list",
        10_028 => "pg_statistic[]",
        _ => return None,
    })
}

/// An operator class of the `btree` method.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OperatorClass {
    pub oid: Oid,
    pub name: &'static str,
    pub family: Oid,
    pub type_id: TypeId,
    pub is_default: bool,
    /// `opckeytype`.
    pub key_type: Oid,
}

const fn class(
    oid: Oid,
    name: &'static str,
    family: Oid,
    type_id: u32,
    is_default: bool,
    key_type: Oid,
) -> OperatorClass {
    OperatorClass { oid, name, family, type_id: TypeId(type_id), is_default, key_type }
}

#[rustfmt::skip]
pub(crate) static OPERATOR_CLASSES: &[OperatorClass] = &[
    class(1978, "int4_ops", 1976, 23, true, 0),
    class(1979, "int2_ops", 1976, 21, true, 0),
    class(1981, "oid_ops", 1989, 26, true, 0),
    class(3122, "date_ops", 434, 1082, true, 0),
    class(3123, "float8_ops", 1970, 701, true, 0),
    class(3124, "int8_ops", 1976, 20, true, 0),
    class(3125, "numeric_ops", 1988, 1700, true, 0),
    class(3126, "text_ops", 1994, 25, true, 0),
    class(3127, "timestamptz_ops", 434, 1184, true, 0),
    class(3128, "timestamp_ops", 434, 1114, true, 0),
    class(10000, "array_ops", 397, 2277, true, 0),
    class(10003, "bool_ops", 424, 16, true, 0),
    class(10004, "bpchar_ops", 426, 1042, true, 0),
    class(10006, "bytea_ops", 428, 17, true, 0),
    class(10007, "char_ops", 429, 18, true, 0),
    class(10012, "float4_ops", 1970, 700, true, 0),
    class(10022, "interval_ops", 1982, 1186, true, 0),
    class(10028, "name_ops", 1994, 19, true, 2275),
    class(10032, "oidvector_ops", 1991, 30, true, 0),
    class(10034, "record_ops", 2994, 2249, true, 0),
    class(10038, "time_ops", 1996, 1083, true, 0),
    class(10041, "timetz_ops", 2000, 1266, true, 0),
    class(10044, "varchar_ops", 1994, 25, false, 0),
    class(10050, "tid_ops", 2789, 27, true, 0),
    class(10065, "uuid_ops", 2968, 2950, true, 0),
    class(10069, "enum_ops", 3522, 3500, true, 0),
    class(10088, "jsonb_ops", 4033, 3802, true, 0),
    class(4217, "text_pattern_ops", 2095, 25, false, 0),
    class(4218, "varchar_pattern_ops", 2095, 25, false, 0),
    class(4219, "bpchar_pattern_ops", 2097, 1042, false, 0),
];

/// Operator families of the `btree` method: oid and name.
#[rustfmt::skip]
pub(crate) static OPERATOR_FAMILIES: &[(Oid, &str)] = &[
    (397, "array_ops"),
    (424, "bool_ops"),
    (426, "bpchar_ops"),
    (428, "bytea_ops"),
    (429, "char_ops"),
    (434, "datetime_ops"),
    (1970, "float_ops"),
    (1976, "integer_ops"),
    (1982, "interval_ops"),
    (1988, "numeric_ops"),
    (1989, "oid_ops"),
    (1991, "oidvector_ops"),
    (1994, "text_ops"),
    (1996, "time_ops"),
    (2000, "timetz_ops"),
    (2095, "text_pattern_ops"),
    (2097, "bpchar_pattern_ops"),
    (2789, "tid_ops"),
    (2968, "uuid_ops"),
    (2994, "record_ops"),
    (3522, "enum_ops"),
    (4033, "jsonb_ops"),
];

/// The default operator class of an index column of this type.
pub(crate) fn operator_class_of(id: TypeId) -> Oid {
    let wanted = match id {
        TypeId::VARCHAR => TypeId::TEXT,
        id if id.is_registry_alias() => TypeId::OID,
        id if id.array_element().is_some() && id != TypeId::OIDVECTOR => TypeId::ANYARRAY,
        id if id.is_enum() => TypeId::ANYENUM,
        id => id,
    };
    let found = OPERATOR_CLASSES.iter().find(|class| class.is_default && class.type_id == wanted);
    found.map_or(0, |class| class.oid)
}

pub(crate) const DEFAULT_COLLATION_OID: Oid = 100;
pub(crate) const C_COLLATION_OID: Oid = 950;

/// The collations that exist: oid, name, `collcollate` and `collctype` (the default one has the database's), encoding.
pub(crate) static COLLATIONS: &[(Oid, &str, Option<&str>, i32)] = &[
    (DEFAULT_COLLATION_OID, "default", None, -1),
    (C_COLLATION_OID, "C", Some("C"), -1),
    (951, "POSIX", Some("POSIX"), -1),
    (12_340, "ucs_basic", Some("C"), 6),
];

/// The collation of a name; 42704 if there is none.
pub(crate) fn collation_named(name: &Name) -> Result<Oid> {
    let is_known_schema = name.qualifier().is_none_or(|schema| schema == "pg_catalog");
    let found = COLLATIONS.iter().find(|collation| is_known_schema && collation.1 == name.last());
    found.map(|collation| collation.0).ok_or_else(|| {
        let message = format!("collation \"{name}\" for encoding \"UTF8\" does not exist");
        SqlError::new(SqlState::UNDEFINED_OBJECT, message)
    })
}

/// The name of a collation that there is.
pub(crate) fn collation_name(oid: Oid) -> &'static str {
    COLLATIONS.iter().find(|collation| collation.0 == oid).map_or("???", |collation| collation.1)
}

/// The collation of a column, 0 if its type has none.
pub(crate) fn collation_of_column(column: &Column) -> Oid {
    match column.collation {
        0 => collation_of(column.type_id),
        declared => declared,
    }
}

/// The collation that a column of an index has if no other is asked for, 0 if it has none: its type, or what its expression has
/// come to.
pub(crate) fn own_collation(part: &KeyPart, table: &[Column]) -> Oid {
    match part {
        KeyPart::Column(column) => collation_of_column(&table[*column]),
        KeyPart::Expression(expression) => {
            expression.expr().collation.oid(expression.type_id).unwrap_or_default()
        }
    }
}

/// The collation of a column of an index, 0 if its type has none.
pub(crate) fn collation_of_key(column: &IndexColumn, table: &[Column]) -> Oid {
    match column.collation {
        0 => own_collation(&column.part, table),
        asked => asked,
    }
}

/// Routines that types, operators, casts and access methods refer to and that cannot be called by name here: oid and
/// name, in order of oid.
#[rustfmt::skip]
static ROUTINE_NAMES: &[(Oid, &str)] = &[
    (3, "heap_tableam_handler"), (31, "byteaout"), (33, "charout"), (34, "namein"), (35, "nameout"),
    (38, "int2in"), (39, "int2out"), (40, "int2vectorin"), (41, "int2vectorout"), (42, "int4in"),
    (43, "int4out"), (44, "regprocin"), (45, "regprocout"), (46, "textin"), (47, "textout"), (48, "tidin"),
    (49, "tidout"), (50, "xidin"), (51, "xidout"), (52, "cidin"), (53, "cidout"), (54, "oidvectorin"),
    (55, "oidvectorout"), (56, "boollt"), (57, "boolgt"), (60, "booleq"), (61, "chareq"), (62, "nameeq"),
    (63, "int2eq"), (64, "int2lt"), (65, "int4eq"), (66, "int4lt"), (67, "texteq"), (68, "xideq"),
    (69, "cideq"), (70, "charne"), (72, "charle"), (73, "chargt"), (74, "charge"), (77, "int4"),
    (78, "char"), (79, "nameregexeq"), (84, "boolne"), (109, "unknownin"), (110, "unknownout"),
    (141, "int4mul"), (144, "int4ne"), (145, "int2ne"), (146, "int2gt"), (147, "int4gt"), (148, "int2le"),
    (149, "int4le"), (150, "int4ge"), (151, "int2ge"), (152, "int2mul"), (153, "int2div"), (154, "int4div"),
    (155, "int2mod"), (156, "int4mod"), (157, "textne"), (158, "int24eq"), (159, "int42eq"),
    (160, "int24lt"), (161, "int42lt"), (162, "int24gt"), (163, "int42gt"), (164, "int24ne"),
    (165, "int42ne"), (166, "int24le"), (167, "int42le"), (168, "int24ge"), (169, "int42ge"),
    (170, "int24mul"), (171, "int42mul"), (172, "int24div"), (173, "int42div"), (176, "int2pl"),
    (177, "int4pl"), (178, "int24pl"), (179, "int42pl"), (180, "int2mi"), (181, "int4mi"), (182, "int24mi"),
    (183, "int42mi"), (184, "oideq"), (185, "oidne"), (195, "pg_node_tree_in"), (196, "pg_node_tree_out"),
    (197, "pg_node_tree_recv"), (198, "pg_node_tree_send"), (200, "float4in"), (201, "float4out"),
    (202, "float4mul"), (203, "float4div"), (204, "float4pl"), (205, "float4mi"), (206, "float4um"),
    (207, "float4abs"), (212, "int4um"), (213, "int2um"), (214, "float8in"), (215, "float8out"),
    (216, "float8mul"), (217, "float8div"), (218, "float8pl"), (219, "float8mi"), (220, "float8um"),
    (221, "float8abs"), (230, "dsqrt"), (231, "dcbrt"), (232, "dpow"), (235, "float8"), (236, "float4"),
    (237, "int2"), (238, "int2"), (240, "nameeqtext"), (241, "namelttext"), (242, "nameletext"),
    (243, "namegetext"), (244, "namegttext"), (245, "namenetext"), (247, "texteqname"), (248, "textltname"),
    (249, "textlename"), (250, "textgename"), (251, "textgtname"), (252, "textnename"), (279, "float48mul"),
    (280, "float48div"), (281, "float48pl"), (282, "float48mi"), (283, "float84mul"), (284, "float84div"),
    (285, "float84pl"), (286, "float84mi"), (287, "float4eq"), (288, "float4ne"), (289, "float4lt"),
    (290, "float4le"), (291, "float4gt"), (292, "float4ge"), (293, "float8eq"), (294, "float8ne"),
    (295, "float8lt"), (296, "float8le"), (297, "float8gt"), (298, "float8ge"), (299, "float48eq"),
    (300, "float48ne"), (301, "float48lt"), (302, "float48le"), (303, "float48gt"), (304, "float48ge"),
    (305, "float84eq"), (306, "float84ne"), (307, "float84lt"), (308, "float84le"), (309, "float84gt"),
    (310, "float84ge"), (311, "float8"), (312, "float4"), (313, "int4"), (314, "int2"), (316, "float8"),
    (317, "int4"), (318, "float4"), (319, "int4"), (321, "json_in"), (322, "json_out"), (323, "json_recv"),
    (324, "json_send"), (330, "bthandler"), (390, "array_ne"), (391, "array_lt"), (392, "array_gt"),
    (393, "array_le"), (396, "array_ge"), (401, "text"), (406, "text"), (407, "name"), (408, "bpchar"),
    (409, "name"), (460, "int8in"), (461, "int8out"), (462, "int8um"), (463, "int8pl"), (464, "int8mi"),
    (465, "int8mul"), (466, "int8div"), (467, "int8eq"), (468, "int8ne"), (469, "int8lt"), (470, "int8gt"),
    (471, "int8le"), (472, "int8ge"), (474, "int84eq"), (475, "int84ne"), (476, "int84lt"),
    (477, "int84gt"), (478, "int84le"), (479, "int84ge"), (480, "int4"), (481, "int8"), (482, "float8"),
    (483, "int8"), (619, "oidvectorne"), (652, "float4"), (653, "int8"), (655, "namelt"), (656, "namele"),
    (657, "namegt"), (658, "namege"), (659, "namene"), (668, "bpchar"), (669, "varchar"),
    (677, "oidvectorlt"), (678, "oidvectorle"), (679, "oidvectoreq"), (680, "oidvectorge"),
    (681, "oidvectorgt"), (714, "int2"), (716, "oidlt"), (717, "oidle"), (740, "text_lt"), (741, "text_le"),
    (742, "text_gt"), (743, "text_ge"), (744, "array_eq"), (750, "array_in"), (751, "array_out"),
    (754, "int8"), (837, "int82pl"), (838, "int82mi"), (839, "int82mul"), (840, "int82div"),
    (841, "int28pl"), (851, "textnlike"), (852, "int48eq"), (853, "int48ne"), (854, "int48lt"),
    (855, "int48gt"), (856, "int48le"), (857, "int48ge"), (858, "namelike"), (859, "namenlike"),
    (860, "bpchar"), (942, "int28mi"), (943, "int28mul"), (944, "char"), (945, "int8mod"), (946, "text"),
    (948, "int28div"), (1031, "aclitemin"), (1032, "aclitemout"), (1035, "aclinsert"), (1036, "aclremove"),
    (1037, "aclcontains"), (1044, "bpcharin"), (1045, "bpcharout"), (1046, "varcharin"),
    (1047, "varcharout"), (1048, "bpchareq"), (1049, "bpcharlt"), (1050, "bpcharle"), (1051, "bpchargt"),
    (1052, "bpcharge"), (1053, "bpcharne"), (1062, "aclitemeq"), (1079, "regclass"), (1084, "date_in"),
    (1085, "date_out"), (1086, "date_eq"), (1087, "date_lt"), (1088, "date_le"), (1089, "date_gt"),
    (1090, "date_ge"), (1091, "date_ne"), (1102, "time_lt"), (1103, "time_le"), (1104, "time_gt"),
    (1105, "time_ge"), (1106, "time_ne"), (1140, "date_mi"), (1141, "date_pli"), (1142, "date_mii"),
    (1143, "time_in"), (1144, "time_out"), (1145, "time_eq"), (1150, "timestamptz_in"),
    (1151, "timestamptz_out"), (1152, "timestamptz_eq"), (1153, "timestamptz_ne"), (1154, "timestamptz_lt"),
    (1155, "timestamptz_le"), (1156, "timestamptz_ge"), (1157, "timestamptz_gt"), (1160, "interval_in"),
    (1161, "interval_out"), (1162, "interval_eq"), (1163, "interval_ne"), (1164, "interval_lt"),
    (1165, "interval_le"), (1166, "interval_ge"), (1167, "interval_gt"), (1168, "interval_um"),
    (1169, "interval_pl"), (1170, "interval_mi"), (1174, "timestamptz"), (1178, "date"),
    (1188, "timestamptz_mi"), (1189, "timestamptz_pl_interval"), (1190, "timestamptz_mi_interval"),
    (1200, "interval"), (1230, "int8abs"), (1238, "texticregexeq"), (1239, "texticregexne"),
    (1240, "nameicregexeq"), (1241, "nameicregexne"), (1242, "boolin"), (1243, "boolout"),
    (1244, "byteain"), (1245, "charin"), (1246, "charlt"), (1251, "int4abs"), (1252, "nameregexne"),
    (1253, "int2abs"), (1254, "textregexeq"), (1256, "textregexne"), (1258, "textcat"), (1265, "tidne"),
    (1272, "datetime_pl"), (1274, "int84pl"), (1275, "int84mi"), (1276, "int84mul"), (1277, "int84div"),
    (1278, "int48pl"), (1279, "int48mi"), (1280, "int48mul"), (1281, "int48div"), (1287, "oid"),
    (1288, "int8"), (1292, "tideq"), (1296, "timedate_pl"), (1297, "datetimetz_pl"),
    (1298, "timetzdate_pl"), (1312, "timestamp_in"), (1313, "timestamp_out"), (1316, "time"),
    (1319, "xideqint4"), (1326, "interval_div"), (1350, "timetz_in"), (1351, "timetz_out"),
    (1352, "timetz_eq"), (1353, "timetz_ne"), (1354, "timetz_lt"), (1355, "timetz_le"), (1356, "timetz_ge"),
    (1357, "timetz_gt"), (1370, "interval"), (1388, "timetz"), (1400, "name"), (1401, "varchar"),
    (1419, "time"), (1618, "interval_mul"), (1624, "mul_d_interval"), (1631, "bpcharlike"),
    (1632, "bpcharnlike"), (1633, "texticlike"), (1634, "texticnlike"), (1635, "nameiclike"),
    (1636, "nameicnlike"), (1638, "oidgt"), (1639, "oidge"), (1656, "bpcharicregexeq"),
    (1657, "bpcharicregexne"), (1658, "bpcharregexeq"), (1659, "bpcharregexne"), (1660, "bpchariclike"),
    (1661, "bpcharicnlike"), (1690, "time_mi_time"), (1691, "boolle"), (1692, "boolge"),
    (1701, "numeric_in"), (1702, "numeric_out"), (1703, "numeric"), (1704, "numeric_abs"),
    (1718, "numeric_eq"), (1719, "numeric_ne"), (1720, "numeric_gt"), (1721, "numeric_ge"),
    (1722, "numeric_lt"), (1723, "numeric_le"), (1724, "numeric_add"), (1725, "numeric_sub"),
    (1726, "numeric_mul"), (1727, "numeric_div"), (1729, "numeric_mod"), (1739, "numeric_power"),
    (1740, "numeric"), (1742, "numeric"), (1743, "numeric"), (1744, "int4"), (1745, "float4"),
    (1746, "float8"), (1747, "time_pl_interval"), (1748, "time_mi_interval"), (1749, "timetz_pl_interval"),
    (1750, "timetz_mi_interval"), (1771, "numeric_uminus"), (1779, "int8"), (1781, "numeric"),
    (1782, "numeric"), (1783, "int2"), (1798, "oidin"), (1799, "oidout"), (1848, "interval_pl_time"),
    (1850, "int28eq"), (1851, "int28ne"), (1852, "int28lt"), (1853, "int28gt"), (1854, "int28le"),
    (1855, "int28ge"), (1856, "int82eq"), (1857, "int82ne"), (1858, "int82lt"), (1859, "int82gt"),
    (1860, "int82le"), (1861, "int82ge"), (1892, "int2and"), (1893, "int2or"), (1894, "int2xor"),
    (1895, "int2not"), (1896, "int2shl"), (1897, "int2shr"), (1898, "int4and"), (1899, "int4or"),
    (1900, "int4xor"), (1901, "int4not"), (1902, "int4shl"), (1903, "int4shr"), (1904, "int8and"),
    (1905, "int8or"), (1906, "int8xor"), (1907, "int8not"), (1908, "int8shl"), (1909, "int8shr"),
    (1910, "int8up"), (1911, "int2up"), (1912, "int4up"), (1913, "float4up"), (1914, "float8up"),
    (1915, "numeric_uplus"), (1948, "byteaeq"), (1949, "bytealt"), (1950, "byteale"), (1951, "byteagt"),
    (1952, "byteage"), (1953, "byteane"), (1961, "timestamp"), (1967, "timestamptz"), (1968, "time"),
    (1969, "timetz"), (2003, "textanycat"), (2004, "anytextcat"), (2005, "bytealike"), (2006, "byteanlike"),
    (2011, "byteacat"), (2019, "time"), (2024, "timestamp"), (2027, "timestamp"), (2028, "timestamptz"),
    (2029, "date"), (2031, "timestamp_mi"), (2032, "timestamp_pl_interval"),
    (2033, "timestamp_mi_interval"), (2046, "time"), (2047, "timetz"), (2052, "timestamp_eq"),
    (2053, "timestamp_ne"), (2054, "timestamp_lt"), (2055, "timestamp_le"), (2056, "timestamp_ge"),
    (2057, "timestamp_gt"), (2071, "date_pl_interval"), (2072, "date_mi_interval"),
    (2160, "text_pattern_lt"), (2161, "text_pattern_le"), (2163, "text_pattern_ge"),
    (2164, "text_pattern_gt"), (2174, "bpchar_pattern_lt"), (2175, "bpchar_pattern_le"),
    (2177, "bpchar_pattern_ge"), (2178, "bpchar_pattern_gt"), (2212, "regprocedurein"),
    (2213, "regprocedureout"), (2218, "regclassin"), (2219, "regclassout"), (2220, "regtypein"),
    (2221, "regtypeout"), (2290, "record_in"), (2291, "record_out"), (2292, "cstring_in"),
    (2293, "cstring_out"), (2294, "any_in"), (2295, "any_out"), (2296, "anyarray_in"),
    (2297, "anyarray_out"), (2298, "void_in"), (2299, "void_out"), (2300, "trigger_in"),
    (2301, "trigger_out"), (2304, "internal_in"), (2305, "internal_out"), (2312, "anyelement_in"),
    (2313, "anyelement_out"), (2338, "date_lt_timestamp"), (2339, "date_le_timestamp"),
    (2340, "date_eq_timestamp"), (2341, "date_gt_timestamp"), (2342, "date_ge_timestamp"),
    (2343, "date_ne_timestamp"), (2351, "date_lt_timestamptz"), (2352, "date_le_timestamptz"),
    (2353, "date_eq_timestamptz"), (2354, "date_gt_timestamptz"), (2355, "date_ge_timestamptz"),
    (2356, "date_ne_timestamptz"), (2364, "timestamp_lt_date"), (2365, "timestamp_le_date"),
    (2366, "timestamp_eq_date"), (2367, "timestamp_gt_date"), (2368, "timestamp_ge_date"),
    (2369, "timestamp_ne_date"), (2377, "timestamptz_lt_date"), (2378, "timestamptz_le_date"),
    (2379, "timestamptz_eq_date"), (2380, "timestamptz_gt_date"), (2381, "timestamptz_ge_date"),
    (2382, "timestamptz_ne_date"), (2400, "array_recv"), (2401, "array_send"), (2402, "record_recv"),
    (2403, "record_send"), (2404, "int2recv"), (2405, "int2send"), (2406, "int4recv"), (2407, "int4send"),
    (2408, "int8recv"), (2409, "int8send"), (2410, "int2vectorrecv"), (2411, "int2vectorsend"),
    (2412, "bytearecv"), (2413, "byteasend"), (2414, "textrecv"), (2415, "textsend"), (2416, "unknownrecv"),
    (2417, "unknownsend"), (2418, "oidrecv"), (2419, "oidsend"), (2420, "oidvectorrecv"),
    (2421, "oidvectorsend"), (2422, "namerecv"), (2423, "namesend"), (2424, "float4recv"),
    (2425, "float4send"), (2426, "float8recv"), (2427, "float8send"), (2430, "bpcharrecv"),
    (2431, "bpcharsend"), (2432, "varcharrecv"), (2433, "varcharsend"), (2434, "charrecv"),
    (2435, "charsend"), (2436, "boolrecv"), (2437, "boolsend"), (2438, "tidrecv"), (2439, "tidsend"),
    (2440, "xidrecv"), (2441, "xidsend"), (2442, "cidrecv"), (2443, "cidsend"), (2444, "regprocrecv"),
    (2445, "regprocsend"), (2446, "regprocedurerecv"), (2447, "regproceduresend"), (2452, "regclassrecv"),
    (2453, "regclasssend"), (2454, "regtyperecv"), (2455, "regtypesend"), (2460, "numeric_recv"),
    (2461, "numeric_send"), (2468, "date_recv"), (2469, "date_send"), (2470, "time_recv"),
    (2471, "time_send"), (2472, "timetz_recv"), (2473, "timetz_send"), (2474, "timestamp_recv"),
    (2475, "timestamp_send"), (2476, "timestamptz_recv"), (2477, "timestamptz_send"),
    (2478, "interval_recv"), (2479, "interval_send"), (2500, "cstring_recv"), (2501, "cstring_send"),
    (2502, "anyarray_recv"), (2503, "anyarray_send"), (2520, "timestamp_lt_timestamptz"),
    (2521, "timestamp_le_timestamptz"), (2522, "timestamp_eq_timestamptz"),
    (2523, "timestamp_gt_timestamptz"), (2524, "timestamp_ge_timestamptz"),
    (2525, "timestamp_ne_timestamptz"), (2527, "timestamptz_lt_timestamp"),
    (2528, "timestamptz_le_timestamp"), (2529, "timestamptz_eq_timestamp"),
    (2530, "timestamptz_gt_timestamp"), (2531, "timestamptz_ge_timestamp"),
    (2532, "timestamptz_ne_timestamp"), (2546, "interval_pl_date"), (2547, "interval_pl_timetz"),
    (2548, "interval_pl_timestamp"), (2549, "interval_pl_timestamptz"), (2550, "integer_pl_date"),
    (2557, "bool"), (2558, "int4"), (2580, "float8"), (2747, "arrayoverlap"), (2748, "arraycontains"),
    (2749, "arraycontained"), (2777, "anynonarray_in"), (2778, "anynonarray_out"), (2790, "tidgt"),
    (2791, "tidlt"), (2792, "tidge"), (2793, "tidle"), (2903, "intervaltypmodin"),
    (2904, "intervaltypmodout"), (2905, "timestamptypmodin"), (2906, "timestamptypmodout"),
    (2907, "timestamptztypmodin"), (2908, "timestamptztypmodout"), (2909, "timetypmodin"),
    (2910, "timetypmodout"), (2911, "timetztypmodin"), (2912, "timetztypmodout"), (2913, "bpchartypmodin"),
    (2914, "bpchartypmodout"), (2915, "varchartypmodin"), (2916, "varchartypmodout"),
    (2917, "numerictypmodin"), (2918, "numerictypmodout"), (2952, "uuid_in"), (2953, "uuid_out"),
    (2954, "uuid_lt"), (2955, "uuid_le"), (2956, "uuid_eq"), (2957, "uuid_ge"), (2958, "uuid_gt"),
    (2959, "uuid_ne"), (2961, "uuid_recv"), (2962, "uuid_send"), (2971, "text"), (2981, "record_eq"),
    (2982, "record_ne"), (2983, "record_lt"), (2984, "record_gt"), (2985, "record_le"), (2986, "record_ge"),
    (3120, "void_recv"), (3121, "void_send"), (3181, "record_image_eq"), (3182, "record_image_ne"),
    (3183, "record_image_lt"), (3184, "record_image_gt"), (3185, "record_image_le"),
    (3186, "record_image_ge"), (3308, "xidneq"), (3309, "xidneqint4"), (3449, "numeric"), (3450, "int2"),
    (3451, "int4"), (3452, "int8"), (3453, "float4"), (3504, "anyenum_in"), (3505, "anyenum_out"),
    (3506, "enum_in"), (3507, "enum_out"), (3508, "enum_eq"), (3509, "enum_ne"), (3510, "enum_lt"),
    (3511, "enum_gt"), (3512, "enum_le"), (3513, "enum_ge"), (3532, "enum_recv"), (3533, "enum_send"),
    (3556, "bool"), (3760, "ts_match_tt"), (3803, "jsonb_send"), (3804, "jsonb_out"),
    (3805, "jsonb_recv"), (3806, "jsonb_in"), (3816, "array_typanalyze"), (4001, "jsonpath_in"),
    (4002, "jsonpath_recv"), (4003, "jsonpath_out"), (4004, "jsonpath_send"), (4038, "jsonb_ne"),
    (4039, "jsonb_lt"), (4040, "jsonb_gt"), (4041, "jsonb_le"), (4042, "jsonb_ge"), (4043, "jsonb_eq"),
    (4084, "regnamespacein"), (4085, "regnamespaceout"), (4087, "regnamespacerecv"),
    (4088, "regnamespacesend"), (4092, "regroleout"), (4094, "regrolerecv"), (4095, "regrolesend"),
    (4098, "regrolein"), (5086, "anycompatible_in"), (5087, "anycompatible_out"),
    (5088, "anycompatiblearray_in"), (5089, "anycompatiblearray_out"), (5090, "anycompatiblearray_recv"),
    (5091, "anycompatiblearray_send"), (5092, "anycompatiblenonarray_in"),
    (5093, "anycompatiblenonarray_out"), (6098, "jsonb_subscript_handler"),
    (6179, "array_subscript_handler"), (6180, "raw_array_subscript_handler"),
];

/// The name of a routine that only other catalogs refer to, or of a function of `sql-types`.
pub(crate) fn routine_name(oid: Oid) -> Option<&'static str> {
    if let Ok(at) = ROUTINE_NAMES.binary_search_by_key(&oid, |&(oid, _)| oid) {
        return Some(ROUTINE_NAMES[at].1);
    }
    function::by_oid(oid).map(|function| function.name)
}

/// The routines of a name that only other catalogs refer to.
pub(crate) fn routine_by_name(name: &str) -> impl Iterator<Item = Oid> {
    ROUTINE_NAMES.iter().filter(move |routine| routine.1 == name).map(|&(oid, _)| oid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_facts() {
        for pair in TYPE_FACTS.windows(2) {
            assert!(pair[0].id < pair[1].id);
        }
        for pair in ROUTINE_NAMES.windows(2) {
            assert!(pair[0].0 < pair[1].0);
        }
        for info in hexalog_sql_types::types::TYPES {
            let facts = type_facts(info.id).expect(info.name);
            let known = |&&oid: &&Oid| oid != 0;
            for oid in facts.routines.iter().filter(known) {
                assert!(routine_name(*oid).is_some(), "{}: {oid}", info.name);
            }
        }
        assert_eq!(operator_class_of(TypeId::VARCHAR), 3126);
        assert_eq!(operator_class_of(TypeId::REGCLASS), 1981);
        assert_eq!(operator_class_of(TypeId::TEXT_ARRAY), 10_000);
    }
}
