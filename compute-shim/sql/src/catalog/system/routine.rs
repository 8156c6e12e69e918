//! Routines, operators, casts and what indexes are made with, as `pg_proc`, `pg_operator`, `pg_cast`, `pg_aggregate`,
//! `pg_am`, `pg_opclass`, `pg_opfamily` and `pg_language` show them.
//!
//! Owns [`Routine`], every function that can be called here whichever table it stands in. Functions that are known only
//! to be refused have no row.

use super::facts::{OPERATOR_CLASSES, OPERATOR_FAMILIES};
use super::value::{FALSE, NULL, int2, oid, oid_vector, text};
use crate::catalog::object::{Oid, PG_CATALOG_OID, ROLE_OID};
use crate::execute::Row;
use crate::function::{host_functions, table_functions, window_functions};
use crate::session::SessionView;
use hexalog_sql_types::cast::{self, CastContext};
use hexalog_sql_types::function::{self, Volatility};
use hexalog_sql_types::{Array, Datum, TypeId, aggregate, operator};

/// `pg_language`'s `internal`.
const LANGUAGE_INTERNAL: Oid = 12;

/// The `btree` access method, which all indexes are shown with.
pub(super) const METHOD_BTREE: Oid = 403;
/// The `heap` access method, which all tables are shown with.
pub(super) const METHOD_HEAP: Oid = 2;

/// A function or aggregate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Routine {
    pub oid: Oid,
    pub name: &'static str,
    pub schema: Oid,
    pub arguments: &'static [TypeId],
    pub result: TypeId,
    /// The columns of a function that returns records.
    pub columns: &'static [(&'static str, TypeId)],
    pub variadic: Option<TypeId>,
    pub defaults: usize,
    pub is_strict: bool,
    pub volatility: Volatility,
    pub returns_set: bool,
    pub is_aggregate: bool,
    pub is_window: bool,
}

/// Every routine.
pub(crate) fn routines() -> impl Iterator<Item = Routine> {
    let functions =
        function::functions().iter().filter(|function| !function.is_unsupported()).map(|function| Routine {
            oid: function.oid,
            name: function.name,
            schema: PG_CATALOG_OID,
            arguments: function.arguments,
            result: function.result,
            columns: &[],
            variadic: function.variadic,
            defaults: function.defaults,
            is_strict: function.strict,
            volatility: function.volatility,
            returns_set: false,
            is_aggregate: false,
            is_window: false,
        });
    let hosts = host_functions().map(|function| Routine {
        oid: function.oid,
        name: function.name,
        schema: PG_CATALOG_OID,
        arguments: function.arguments,
        result: function.result,
        columns: &[],
        variadic: function.variadic,
        defaults: function.defaults,
        is_strict: function.strict,
        volatility: function.volatility,
        returns_set: false,
        is_aggregate: false,
        is_window: false,
    });
    let tables = table_functions().map(|function| Routine {
        oid: function.oid,
        name: function.name,
        schema: function.schema,
        arguments: function.arguments,
        result: function.result,
        columns: function.columns,
        variadic: function.variadic,
        defaults: function.defaults,
        is_strict: function.strict,
        volatility: function.volatility,
        returns_set: true,
        is_aggregate: false,
        is_window: false,
    });
    let aggregates = aggregate::aggregates().iter().map(|aggregate| Routine {
        oid: aggregate.oid,
        name: aggregate.name,
        schema: PG_CATALOG_OID,
        arguments: aggregate.arguments,
        result: aggregate.result,
        columns: &[],
        variadic: aggregate.kind.is_hypothetical().then_some(TypeId::ANY),
        defaults: 0,
        is_strict: false,
        volatility: Volatility::Immutable,
        returns_set: false,
        is_aggregate: true,
        is_window: false,
    });
    functions.chain(hosts).chain(tables).chain(aggregates).chain(window_routines())
}

fn window_routines() -> impl Iterator<Item = Routine> {
    window_functions().map(|function| Routine {
        oid: function.oid,
        name: function.name,
        schema: PG_CATALOG_OID,
        arguments: function.arguments,
        result: function.result,
        columns: &[],
        variadic: None,
        defaults: 0,
        is_strict: !function.arguments.contains(&TypeId::ANYCOMPATIBLE),
        volatility: Volatility::Immutable,
        returns_set: false,
        is_aggregate: false,
        is_window: true,
    })
}

/// `proallargtypes`, `proargmodes` and `proargnames` of a function with several result columns, NULL for others.
fn result_columns(routine: &Routine) -> [Datum; 3] {
    if routine.columns.is_empty() {
        return [NULL, NULL, NULL];
    }
    let inputs = routine.arguments.len();
    let outputs = routine.columns.len();
    let types = routine.arguments.iter().copied().chain(routine.columns.iter().map(|column| column.1));
    let types = types.map(|id| oid(id.0)).collect();
    let modes = std::iter::repeat_n(b'i', inputs).chain(std::iter::repeat_n(b'o', outputs));
    let names = std::iter::repeat_n("", inputs).chain(routine.columns.iter().map(|column| column.0));
    [
        Array::from_values(TypeId::OID, types).into(),
        Array::from_values(TypeId::CHAR, modes.map(Datum::Char).collect()).into(),
        Array::from_values(TypeId::TEXT, names.map(text).collect()).into(),
    ]
}

pub(super) fn pg_proc(_: &SessionView) -> Vec<Row> {
    routines().map(|routine| pg_proc_row(&routine)).collect()
}

fn pg_proc_row(routine: &Routine) -> Row {
    let [all_types, modes, names] = result_columns(routine);
    let volatility = match routine.volatility {
        Volatility::Immutable => b'i',
        Volatility::Stable => b's',
        Volatility::Volatile => b'v',
    };
    let kind = match (routine.is_aggregate, routine.is_window) {
        (true, _) => b'a',
        (_, true) => b'w',
        _ => b'f',
    };
    let source = if routine.is_aggregate { "aggregate_dummy" } else { routine.name };
    vec![
        oid(routine.oid),
        text(routine.name),
        oid(routine.schema),
        oid(ROLE_OID),
        oid(LANGUAGE_INTERNAL),
        Datum::Float4(1.0),
        Datum::Float4(if routine.returns_set { 1000.0 } else { 0.0 }),
        oid(routine.variadic.map_or(0, |id| id.0)),
        oid(0),
        Datum::Char(kind),
        FALSE,
        FALSE,
        Datum::Bool(routine.is_strict),
        Datum::Bool(routine.returns_set),
        Datum::Char(volatility),
        Datum::Char(b's'),
        int2(routine.arguments.len()),
        int2(routine.defaults),
        oid(routine.result.0),
        oid_vector(routine.arguments.iter().map(|id| id.0)),
        all_types,
        modes,
        names,
        NULL,
        NULL,
        text(source),
        NULL,
        NULL,
        NULL,
        NULL,
    ]
}

/// Aggregates are no composition of other functions here: their transition functions are shown as none.
pub(super) fn pg_aggregate(_: &SessionView) -> Vec<Row> {
    let row = |aggregate: &aggregate::Aggregate| {
        // Where any number goes, PostgreSQL says that the hypothetical row is one.
        let direct = match aggregate.kind.is_hypothetical() {
            true => Some(1),
            false => aggregate.kind.direct_arguments(aggregate.arguments.len()),
        };
        let kind = match direct {
            Some(_) if aggregate.kind.is_hypothetical() => b'h',
            Some(_) => b'o',
            None => b'n',
        };
        let mut row = vec![oid(aggregate.oid), Datum::Char(kind), int2(direct.unwrap_or(0))];
        row.extend(std::iter::repeat_n(oid(0), 8));
        row.extend([FALSE, FALSE, Datum::Char(b'r'), Datum::Char(b'r'), oid(0), oid(0), Datum::Int4(0)]);
        row.extend([oid(0), Datum::Int4(0), NULL, NULL]);
        row
    };
    aggregate::aggregates().iter().map(row).collect()
}

pub(super) fn pg_operator(_: &SessionView) -> Vec<Row> {
    let row = |operator: &operator::Operator| {
        vec![
            oid(operator.oid),
            text(operator.name),
            oid(PG_CATALOG_OID),
            oid(ROLE_OID),
            Datum::Char(if operator.left.is_some() { b'b' } else { b'l' }),
            FALSE,
            FALSE,
            oid(operator.left.map_or(0, |id| id.0)),
            oid(operator.right.0),
            oid(operator.result.0),
            oid(operator.commutator),
            oid(operator.negator),
            oid(operator.function),
            oid(0),
            oid(0),
        ]
    };
    operator::operators().iter().map(row).collect()
}

/// Casts have no oids of their own here: they are numbered from 1 in order of source and target.
pub(super) fn pg_cast(_: &SessionView) -> Vec<Row> {
    let row = |(number, cast): (u32, &cast::Cast)| {
        let context = match cast.context {
            CastContext::Implicit => b'i',
            CastContext::Assignment => b'a',
            CastContext::Explicit => b'e',
        };
        vec![
            oid(number),
            oid(cast.source.0),
            oid(cast.target.0),
            oid(cast.function),
            Datum::Char(context),
            Datum::Char(if cast.function == 0 { b'b' } else { b'f' }),
        ]
    };
    (1..).zip(cast::casts()).map(row).collect()
}

pub(super) fn pg_am(_: &SessionView) -> Vec<Row> {
    vec![
        vec![oid(METHOD_HEAP), text("heap"), oid(3), Datum::Char(b't')],
        vec![oid(METHOD_BTREE), text("btree"), oid(330), Datum::Char(b'i')],
    ]
}

pub(super) fn pg_opclass(_: &SessionView) -> Vec<Row> {
    let row = |class: &super::facts::OperatorClass| {
        vec![
            oid(class.oid),
            oid(METHOD_BTREE),
            text(class.name),
            oid(PG_CATALOG_OID),
            oid(ROLE_OID),
            oid(class.family),
            oid(class.type_id.0),
            Datum::Bool(class.is_default),
            oid(class.key_type),
        ]
    };
    OPERATOR_CLASSES.iter().map(row).collect()
}

/// The comparisons of each family of types. They are numbered from 1 here; the functions behind them (`pg_amproc`) are none
/// that could be called.
pub(super) fn pg_amop(_: &SessionView) -> Vec<Row> {
    let family = |id: TypeId| {
        OPERATOR_CLASSES
            .iter()
            .find(|class| class.is_default && class.type_id == id)
            .map(|class| class.family)
    };
    let mut rows = Vec::new();
    for operator in operator::operators() {
        let strategy = match operator.name {
            "<" => 1,
            "<=" => 2,
            "=" => 3,
            ">=" => 4,
            ">" => 5,
            _ => continue,
        };
        let Some(left) = operator.left else { continue };
        let Some(of_left) = family(left) else { continue };
        if family(operator.right) != Some(of_left) {
            continue;
        }
        let number = u32::try_from(rows.len() + 1).expect("operators are few");
        rows.push(vec![
            oid(number),
            oid(of_left),
            oid(left.0),
            oid(operator.right.0),
            Datum::Int2(strategy),
            Datum::Char(b's'),
            oid(operator.oid),
            oid(METHOD_BTREE),
            oid(0),
        ]);
    }
    rows
}

pub(super) fn pg_opfamily(_: &SessionView) -> Vec<Row> {
    let row = |&(number, name): &(Oid, &str)| {
        vec![oid(number), oid(METHOD_BTREE), text(name), oid(PG_CATALOG_OID), oid(ROLE_OID)]
    };
    OPERATOR_FAMILIES.iter().map(row).collect()
}

/// Functions are built in: `internal` is the only language.
pub(super) fn pg_language(_: &SessionView) -> Vec<Row> {
    let row = vec![
        oid(LANGUAGE_INTERNAL),
        text("internal"),
        oid(ROLE_OID),
        FALSE,
        FALSE,
        oid(0),
        oid(0),
        oid(0),
        NULL,
    ];
    vec![row]
}
