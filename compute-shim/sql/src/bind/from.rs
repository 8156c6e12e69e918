//! What a query reads: tables, subqueries, functions, common tables.
//!
//! Owns the items of FROM other than joins (see `join.rs`). Each becomes a node and the names that it lends; columns are
//! numbered over the whole FROM list from left to right, which is the order of the joined row.

#![expect(clippy::wrong_self_convention, reason = "`from_…` is about FROM, no conversion")]

use super::call::{FromCall, undefined_columns};
use super::field::RowColumn;
use super::lock::{Lockable, SYSTEM};
use super::merged::mergeable;
use super::query::Wanted;
use super::scope::{Boundary, CommonState, CommonTable, Names, Place, VersionColumns};
use super::{Binder, Bound, OutputColumn};
use crate::catalog::object::{Sequence, Table};
use crate::catalog::system::{C_COLLATION_OID, SystemTable};
use crate::catalog::{Catalog, Relation};
use crate::expression::{Collation, Expr};
use crate::function::SEQUENCE_ROW;
use crate::parse::at;
use crate::parse::tree::{Alias, FromItem, FunctionCall, Name, Query};
use crate::plan::{CallInFrom, CallSource, Exprs, JoinType, Node, Predicate, Scan, VERSION_COLUMNS};
use hexalog_engine::RelationLockMode;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{Array, Datum, SqlError, SqlState, TypeId, Typmod};
use std::sync::Arc;

/// One bound item of FROM.
pub(super) struct FromBound {
    pub node: Node,
    pub names: Names,
    pub width: usize,
}

/// What a scan gives behind the columns of its table.
#[derive(Clone, Copy)]
pub(super) struct Hidden {
    pub identity: bool,
    pub versions: bool,
}

impl Hidden {
    pub(super) fn width(self) -> usize {
        usize::from(self.identity) + if self.versions { VERSION_COLUMNS } else { 0 }
    }
}

/// A whole table, with no more than names.
pub(super) fn scan(catalog: &Catalog, table: &Arc<Table>, name: &str, hidden: Hidden) -> Node {
    Node::Scan(Scan {
        table: table.clone(),
        name: name.to_owned(),
        cursor: None,
        access: None,
        backward: false,
        filter: None,
        columns: (0..table.columns.len()).collect(),
        filter_columns: Vec::new(),
        long_columns: (0..table.columns.len()).collect(),
        output: None,
        with_identity: hidden.identity,
        with_versions: hidden.versions,
        statistics: catalog.statistics(table.oid).cloned(),
        rows: None,
    })
}

impl Binder<'_> {
    /// The FROM list, joined from left to right; its names stay in the innermost frame. `start`: the node and width of
    /// what stands before it (the target of UPDATE or DELETE).
    pub(super) fn from_list(
        &mut self,
        items: &[FromItem],
        start: Option<(Node, usize)>,
    ) -> Result<(Node, usize)> {
        let mut joined = start;
        for item in items {
            let offset = joined.as_ref().map_or(0, |(_, width)| *width);
            let right = self.from_item(item, offset)?;
            self.check_aliases(&right.names)?;
            self.select_frame().visible.push(right.names);
            joined = Some(match joined {
                None => (right.node, right.width),
                Some((left, _)) => {
                    let node = self.join(JoinType::Inner, left, right.node, 0, offset, Vec::new());
                    (node, offset + right.width)
                }
            });
        }
        Ok(joined.unwrap_or((Node::Nothing, 0)))
    }

    /// 42712 for a name that stands twice.
    pub(super) fn check_aliases(&mut self, names: &Names) -> Result<()> {
        let frame = self.select_frame();
        let visible = &frame.visible[frame.first_visible..];
        for table in &names.tables {
            let same = |other: &super::scope::TableNames| {
                other.alias == table.alias && (other.schema.is_none() || other.schema == table.schema)
            };
            if visible.iter().flat_map(|names| &names.tables).any(same) {
                let message = format!("table name \"{}\" specified more than once", table.alias);
                return Err(SqlError::new(SqlState::DUPLICATE_ALIAS, message));
            }
        }
        Ok(())
    }

    #[recursive::recursive]
    pub(super) fn from_item(&mut self, item: &FromItem, offset: usize) -> Result<FromBound> {
        match item {
            FromItem::Table { name, alias } => self.from_table(name, alias.as_ref(), offset),
            FromItem::Subquery { lateral, query, alias, position } => {
                let bound = self.from_subquery(*lateral, query, alias.as_ref(), offset);
                bound.map_err(|error| if alias.is_none() { at(error, *position) } else { error })
            }
            FromItem::Functions { calls, ordinality, alias } => {
                self.from_functions(calls, *ordinality, alias.as_ref(), offset)
            }
            FromItem::Join { kind, left, right, condition } => {
                self.from_join(*kind, left, right, condition, offset)
            }
            FromItem::Nested { item, alias } => {
                let bound = self.from_item(item, offset)?;
                let columns = bound.names.columns.iter().map(|column| column.name.clone()).collect();
                let columns = renamed(columns, alias)?;
                let mut names = bound.names;
                for (column, name) in names.columns.iter_mut().zip(columns) {
                    column.name = name;
                }
                let table = super::scope::TableNames {
                    alias: alias.name.clone(),
                    schema: None,
                    oid: 0,
                    columns: names.columns.clone(),
                    is_scalar: false,
                    versions: VersionColumns::Absent,
                    has_places: false,
                    is_nullable: false,
                    witness: None,
                };
                names.tables = vec![table];
                Ok(FromBound { names, ..bound })
            }
        }
    }

    fn from_table(&mut self, name: &Name, alias: Option<&Alias>, offset: usize) -> Result<FromBound> {
        if name.parts.len() == 1
            && let Some(bound) = self.from_common(name, alias, offset)?
        {
            return Ok(bound);
        }
        let relation = self.relation(name)?;
        self.note_relation(name, &relation, alias.is_some());
        match relation {
            Relation::View(view) => self.from_view(&view, name, alias, offset),
            Relation::Table(table) => {
                self.lock(table.oid, RelationLockMode::AccessShare);
                let shown = alias.map_or(name.last(), |alias| alias.name.as_str());
                let identity = self.lock_table(&table, shown, offset);
                let hidden = Hidden { identity, versions: self.reads_versions() };
                let columns = table.columns.len();
                let versions = self.version_columns(offset + columns + usize::from(identity));
                let mut names = Names::of_table(&table, shown, offset).with_versions(versions);
                self.as_meant(name, &mut names);
                self.name_relation(&mut names, alias, table.schema)?;
                let node = scan(self.context.view.catalog(), &table, shown, hidden);
                Ok(FromBound { node, names, width: columns + hidden.width() })
            }
            Relation::System(table) => {
                let shown = alias.map_or(name.last(), |alias| alias.name.as_str());
                self.lock_name(shown, Lockable::Not(SYSTEM));
                let mut names = Names::of_columns(shown, system_columns(table), offset);
                names.tables[0].oid = table.oid;
                if !table.is_view {
                    names.tables[0].versions = VersionColumns::Refused;
                    let witness = table.columns.iter().position(|column| column.not_null);
                    names.tables[0].witness = witness.map(|at| names.columns[at].expr.clone());
                }
                self.name_relation(&mut names, alias, table.schema)?;
                let node = Node::System { table, name: shown.to_owned(), filter: None };
                Ok(FromBound { node, names, width: table.columns.len() })
            }
            Relation::Index(table, index) => {
                let message = format!("cannot open relation \"{}\"", table.indexes[index].name);
                let error = SqlError::new(SqlState::WRONG_OBJECT_TYPE, message)
                    .with_detail("This operation is not supported for indexes.");
                Err(at(error, name.position))
            }
            Relation::Sequence(sequence) => self.from_sequence(&sequence, name, alias, offset),
        }
    }

    /// Alias and schema of a relation's names.
    pub(super) fn name_relation(&self, names: &mut Names, alias: Option<&Alias>, schema: u32) -> Result<()> {
        match alias {
            None => names.tables[0].schema = Some(self.context.view.catalog().schema_name(schema).to_owned()),
            Some(alias) => rename(names, alias)?,
        }
        Ok(())
    }

    /// The relation that a name means; 42P01 if there is none, 0A000 for another session's temporary table.
    pub(super) fn relation(&self, name: &Name) -> Result<Relation> {
        let found = match self.meant(name) {
            Some(meant) => meant?,
            None => self.relation_named(name)?,
        };
        if let Relation::Table(table) = &found {
            let view = self.context.view;
            view.check_own(view.catalog(), table.schema).map_err(|error| at(error, name.position))?;
        }
        Ok(found)
    }

    fn relation_named(&self, name: &Name) -> Result<Relation> {
        let catalog = self.context.view.catalog();
        let found = match name.parts.as_slice() {
            [relation] => catalog.relation_on_path(self.context.view.search_path(), relation),
            [database, schema, _] if database != catalog.database_name() => {
                let message = format!("cross-database references are not implemented: \"{name}\"");
                let _ = schema;
                return Err(at(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message), name.position));
            }
            [.., schema, relation] => match self.context.view.schema_in(catalog, schema) {
                Some(schema) => catalog.relation_in(schema.oid, relation),
                None => None,
            },
            [] => None,
        };
        found.ok_or_else(|| {
            let message = format!("relation \"{name}\" does not exist");
            let mut error = SqlError::new(SqlState::UNDEFINED_TABLE, message);
            if name.parts.len() == 1 && self.common_ahead.iter().any(|ahead| ahead == name.last()) {
                error = error
                    .with_detail(format!(
                        "There is a WITH item named \"{name}\", but it cannot be referenced from this part of the query."
                    ))
                    .with_hint(
                        "Use WITH RECURSIVE, or re-order the WITH items to remove forward references.",
                    );
            }
            at(error, name.position)
        })
    }

    fn from_common(
        &mut self,
        name: &Name,
        alias: Option<&Alias>,
        offset: usize,
    ) -> Result<Option<FromBound>> {
        let Some(found) = self.common_names.iter().rposition(|common| common.name == name.last()) else {
            return Ok(None);
        };
        if self.common_names[found].state == CommonState::Silent {
            let message = format!("WITH query \"{}\" does not have a RETURNING clause", name.last());
            return Err(at(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message), name.position));
        }
        let is_working = self.recursive_reference(found, name.position)?;
        let CommonTable { id, columns, .. } = self.common_names[found].clone();
        let shown = alias.map_or(name.last(), |alias| alias.name.as_str());
        self.lock_name(shown, Lockable::Not("cannot be applied to a WITH query"));
        let width = columns.len();
        let mut names = Names::of_columns(shown, columns, offset);
        if let Some(alias) = alias {
            rename(&mut names, alias)?;
        }
        let name = shown.to_owned();
        let node = match is_working {
            true => Node::Working { id, name, width },
            false => Node::Common { id, name, width },
        };
        Ok(Some(FromBound { node, names, width }))
    }

    fn from_subquery(
        &mut self,
        lateral: bool,
        query: &Query,
        alias: Option<&Alias>,
        offset: usize,
    ) -> Result<FromBound> {
        let Some(alias) = alias else {
            return Err(SqlError::syntax("subquery in FROM must have an alias")
                .with_hint("For example, FROM (SELECT ...) [AS] foo."));
        };
        let boundary = if lateral { Boundary::Lateral } else { Boundary::Derived };
        let locked = self.lock_subquery(query, &alias.name);
        if let Some(query) = locked.as_ref().filter(|_| !lateral)
            && let Some(select) = mergeable(query)
        {
            let (merged, crossing) = self.across(boundary, |binder| binder.merged(select, query))?;
            self.select_frame().lateral.extend(crossing.correlation);
            let mut names = merged.names(&alias.name, merged.columns.clone(), offset);
            rename(&mut names, alias)?;
            return Ok(self.take_in(merged, names, offset));
        }
        let query = locked.as_ref().unwrap_or(query);
        let (bound, crossing) = self.across(boundary, |binder| binder.query(query, &Wanted::default()))?;
        self.select_frame().lateral.extend(crossing.correlation);
        let Bound { node, columns } = bound;
        let width = columns.len();
        let mut names = Names::of_columns(&alias.name, columns, offset);
        rename(&mut names, alias)?;
        Ok(FromBound { node, names, width })
    }

    fn from_functions(
        &mut self,
        calls: &[FunctionCall],
        ordinality: bool,
        alias: Option<&Alias>,
        offset: usize,
    ) -> Result<FromBound> {
        let (bound, crossing) = self.across(Boundary::Lateral, |binder| {
            binder.push_select(Place::From);
            let bound: Result<Vec<FromCall>> = calls.iter().map(|call| binder.call_in_from(call)).collect();
            binder.pop_select();
            binder.defined(bound?, calls, alias)
        })?;
        self.select_frame().lateral.extend(crossing.correlation);
        let first_name = calls.first().map_or("", |call| call.name.last());
        let shown = alias.map_or(first_name, |alias| alias.name.as_str());
        self.lock_name(shown, Lockable::Not("cannot be applied to a function"));
        let is_scalar =
            !ordinality && matches!(bound.as_slice(), [FromCall::Set(set)] if set.function.column.is_some());
        let (mut columns, mut sources) = (Vec::new(), Vec::new());
        for (call, bound) in calls.iter().zip(bound) {
            // A function's one column is named like it, or by the alias if it stands alone.
            let name = if calls.len() == 1 { shown } else { call.name.last() };
            let (source, result) = call_source(bound, name);
            sources.push(CallInFrom { source, width: result.len() });
            columns.extend(result);
        }
        if ordinality {
            columns.push(call_column("ordinality", TypeId::INT8));
        }
        let width = columns.len();
        let mut names = Names::of_columns(shown, columns, offset);
        if let Some(alias) = alias {
            rename(&mut names, alias)?;
        }
        names.tables[0].is_scalar = is_scalar;
        Ok(FromBound { node: Node::Functions { calls: sources, ordinality, width }, names, width })
    }

    /// Gives a function of unknown rows the columns that its alias defines.
    fn defined(
        &mut self,
        mut bound: Vec<FromCall>,
        calls: &[FunctionCall],
        alias: Option<&Alias>,
    ) -> Result<Vec<FromCall>> {
        let types = alias.map_or(&[][..], |alias| &alias.types);
        let needs = |call: &FromCall| matches!(call, FromCall::Set(set) if set.function.needs_definition);
        let position = calls.first().map_or(0, |call| call.name.position);
        let is_one = bound.len() == 1 && needs(&bound[0]);
        if bound.iter().any(needs) && (types.is_empty() || !is_one) {
            return Err(at(undefined_columns(), position));
        }
        if !types.is_empty() && !is_one {
            let message = "a column definition list is only allowed for functions returning \"record\"";
            let position = alias.map_or(position, |alias| alias.columns_position);
            return Err(at(SqlError::syntax(message), position));
        }
        if let (true, Some(alias), [FromCall::Set(set)]) = (is_one, alias, bound.as_mut_slice()) {
            for (name, target) in alias.columns.iter().zip(types) {
                let (type_id, typmod) = self.type_in_sight(target)?;
                set.defined.push((name.clone(), type_id, typmod));
            }
            // The code is told of them by further arguments.
            let constant = |element: TypeId, array: TypeId, values: Vec<Datum>| {
                Expr::constant(Array::from_values(element, values).into(), array)
            };
            let column =
                |value: fn(&(String, TypeId, Typmod)) -> Datum| set.defined.iter().map(value).collect();
            let names = column(|(name, ..)| name.as_str().into());
            let types = column(|(_, type_id, _)| Datum::Oid(type_id.0));
            let typmods = column(|(.., typmod)| Datum::Int4(typmod.0));
            set.arguments.push(constant(TypeId::TEXT, TypeId::TEXT_ARRAY, names));
            set.arguments.push(constant(TypeId::OID, TypeId::OID_ARRAY, types));
            set.arguments.push(constant(TypeId::INT4, TypeId::INT4_ARRAY, typmods));
        }
        Ok(bound)
    }

    /// The one row of a sequence.
    fn from_sequence(
        &mut self,
        sequence: &Sequence,
        name: &Name,
        alias: Option<&Alias>,
        offset: usize,
    ) -> Result<FromBound> {
        self.lock(sequence.oid, RelationLockMode::AccessShare);
        let shown = alias.map_or(name.last(), |alias| alias.name.as_str());
        let columns = SEQUENCE_ROW.columns.iter().enumerate().map(|(at, (name, type_id))| OutputColumn {
            origin: (sequence.oid, i16::try_from(at + 1).expect("a sequence has three columns")),
            ..call_column(name, *type_id)
        });
        let mut names = Names::of_columns(shown, columns, offset);
        names.tables[0].oid = sequence.oid;
        names.tables[0].versions = VersionColumns::Refused;
        names.tables[0].witness = names.columns.first().map(|column| column.expr.clone());
        self.name_relation(&mut names, alias, sequence.schema)?;
        let width = SEQUENCE_ROW.columns.len();
        let argument = Expr::constant(Datum::Oid(sequence.oid), TypeId::OID);
        let source = CallSource::Set { function: &SEQUENCE_ROW, arguments: Exprs::new(vec![argument]) };
        let calls = vec![CallInFrom { source, width }];
        Ok(FromBound { node: Node::Functions { calls, ordinality: false, width }, names, width })
    }
}

fn call_column(name: &str, type_id: TypeId) -> OutputColumn {
    let (typmod, collation) = (Typmod::NONE, Collation::Own);
    OutputColumn { name: name.to_owned(), type_id, typmod, origin: (0, 0), position: 0, collation }
}

/// A bound function in FROM with the columns of its rows; `name` is for one that has but one.
fn call_source(call: FromCall, name: &str) -> (CallSource, Vec<OutputColumn>) {
    match call {
        FromCall::Scalar(expr) => {
            let collation = expr.collation;
            let columns = vec![OutputColumn { collation, ..call_column(name, expr.type_id) }];
            (CallSource::Value(Predicate::new(expr)), columns)
        }
        FromCall::Set(set) => {
            let columns = match set.function.columns {
                _ if set.function.needs_definition => {
                    let column = |(name, type_id, typmod): &(String, TypeId, Typmod)| OutputColumn {
                        typmod: *typmod,
                        ..call_column(name, *type_id)
                    };
                    set.defined.iter().map(column).collect()
                }
                [] => {
                    let collation = set.collation(set.result);
                    let column = call_column(set.function.column.unwrap_or(name), set.result);
                    vec![OutputColumn { collation, ..column }]
                }
                _ => {
                    let column = |column: &RowColumn| OutputColumn {
                        collation: column.collation,
                        ..call_column(&column.name, column.type_id)
                    };
                    set.columns().iter().map(column).collect()
                }
            };
            let arguments = Exprs::new(set.arguments);
            (CallSource::Set { function: set.function, arguments }, columns)
        }
    }
}

fn system_columns(table: &'static SystemTable) -> impl Iterator<Item = OutputColumn> {
    table.columns.iter().enumerate().map(|(at, column)| OutputColumn {
        name: column.name.to_owned(),
        type_id: column.type_id,
        typmod: column.typmod,
        origin: (table.oid, i16::try_from(at + 1).expect("system tables are narrow")),
        position: 0,
        collation: if table.is_view { Collation::Own } else { Collation::declared(C_COLLATION_OID) },
    })
}

/// Column names with those of an alias in front.
fn renamed(mut columns: Vec<String>, alias: &Alias) -> Result<Vec<String>> {
    if alias.columns.len() > columns.len() {
        let message = format!(
            "table \"{}\" has {} columns available but {} columns specified",
            alias.name,
            columns.len(),
            alias.columns.len()
        );
        return Err(SqlError::new(SqlState::INVALID_COLUMN_REFERENCE, message));
    }
    columns[..alias.columns.len()].clone_from_slice(&alias.columns);
    Ok(columns)
}

/// Gives a relation's names those of its alias.
fn rename(names: &mut Names, alias: &Alias) -> Result<()> {
    let columns = names.columns.iter().map(|column| column.name.clone()).collect();
    let columns = renamed(columns, alias)?;
    for (at, name) in columns.into_iter().enumerate() {
        names.columns[at].name.clone_from(&name);
        names.tables[0].columns[at].name = name;
    }
    names.tables[0].alias.clone_from(&alias.name);
    Ok(())
}
