//! Foreign keys and keys that are checked late: what a statement's changes owe, settled once all its rows are changed.
//!
//! Owns the queue of what is to be looked at ([`Referential`], filled row by row) and its settling
//! ([`settle_references`]), which is PostgreSQL's: small statements with parameters, planned and run like any other, under
//! a snapshot of their own. A row that refers locks the one referred to FOR KEY SHARE, so whoever deletes that or changes
//! its key has waited for the lock; it then looks at all that is committed, durable or not, and cannot miss a row. Rows of
//! writers in progress are passed by: those find out themselves when their turn comes. Actions change rows, whose own
//! debts join the queue. The tables concerned were locked with the statement's others (`bind/referential.rs`).

use super::deferred::Deferred;
use super::kept_bytes::KeptBytes;
use super::unique::{KeyCheck, SharedIn, SharedKey, index_of};
use super::{Context, Operator, Row, RowsChanged, State, build, index_key};
use crate::bind::{self, BindContext};
use crate::catalog::Catalog;
use crate::catalog::object::{ForeignKey, Oid, Table};
use crate::parse;
use crate::parse::tree::ReferentialAction;
use crate::plan::{Command, Plan, PlanOptions};
use crate::relation_statistics::{RelationStatistics, StatementCounts};
use crate::stop::{Step, Stop};
use hexalog_engine::{EngineError, Isolation};
use hexalog_sql_types::datum::equal;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::function::quote_identifier;
use hexalog_sql_types::key::{KeyColumn, encode};
use hexalog_sql_types::{Datum, EvalEnv, SqlError, SqlState, TypeId, text};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// One debt of a statement. Foreign keys are given by the table that they belong to and their own number.
#[derive(Clone, Debug)]
pub(super) enum Debt {
    /// Rows of the table have these values: the row that they refer to must be there.
    Present { table: Oid, key: Oid, values: Vec<Datum>, encoded: Arc<[u8]> },
    /// A row that may be referred to had the old values; it has the new ones, or is gone.
    Changed { table: Oid, key: Oid, old: Vec<Datum>, new: Option<Vec<Datum>> },
    /// A row took a key that another one may have.
    Unique(SharedKey),
}

impl Debt {
    /// The constraint that asks for it.
    pub(super) fn constraint(&self) -> Oid {
        match self {
            Debt::Present { key, .. } | Debt::Changed { key, .. } => *key,
            Debt::Unique(shared) => shared.constraint,
        }
    }

    /// Counts what it keeps.
    pub(super) fn count(&self, kept: &mut KeptBytes) -> Result<()> {
        match self {
            Debt::Present { values, .. } => kept.add(values),
            Debt::Changed { old, .. } => kept.add(old),
            Debt::Unique(SharedKey { row, key, .. }) => kept.add_bytes(row.len() + key.len()),
        }
    }
}

/// What a statement's changes owe.
pub(crate) struct Referential {
    debts: VecDeque<Debt>,
    /// Foreign key and encoded values of the `Present` that wait, each once.
    waiting: BTreeSet<(Oid, Arc<[u8]>)>,
    running: Option<Box<Running>>,
    /// Nothing is put off any more.
    is_final: bool,
    kept: KeptBytes,
}

impl Default for Referential {
    fn default() -> Referential {
        Referential {
            debts: VecDeque::new(),
            waiting: BTreeSet::new(),
            running: None,
            is_final: false,
            kept: KeptBytes::new("A statement whose references wait to be checked"),
        }
    }
}

impl Referential {
    fn push(&mut self, debt: Debt) -> Result<()> {
        if let Debt::Present { key, encoded, .. } = &debt
            && !self.waiting.insert((*key, encoded.clone()))
        {
            return Ok(());
        }
        debt.count(&mut self.kept)?;
        self.debts.push_back(debt);
        Ok(())
    }

    fn is_settled(&self) -> bool {
        self.debts.is_empty()
    }

    fn pop(&mut self) -> Option<Debt> {
        let debt = self.debts.pop_front();
        if let Some(Debt::Present { key, encoded, .. }) = &debt {
            self.waiting.remove(&(*key, encoded.clone()));
        }
        if self.debts.is_empty() {
            self.kept.clear();
        }
        debt
    }
}

fn encoded(table: &Table, key: &ForeignKey, values: &[Datum]) -> Result<Arc<[u8]>> {
    let mut out = Vec::new();
    for (&(column, _), value) in key.columns.iter().zip(values) {
        let id = table.columns[column].type_id;
        let key = KeyColumn { id, descending: false, nulls_first: false };
        encode(std::slice::from_ref(&key), std::slice::from_ref(value), &mut out)?;
    }
    Ok(out.into())
}

fn own_values(key: &ForeignKey, row: &[Datum]) -> Vec<Datum> {
    key.columns.iter().map(|&(own, _)| row[own].clone()).collect()
}

fn is_same(table: &Table, columns: impl Iterator<Item = usize>, old: &[Datum], new: &[Datum]) -> bool {
    let mut columns = columns;
    columns.all(|column| match (&old[column], &new[column]) {
        (Datum::Null, Datum::Null) => true,
        (Datum::Null, _) | (_, Datum::Null) => false,
        (old, new) => equal(table.columns[column].type_id, old, new),
    })
}

impl Context<'_> {
    /// A row was inserted.
    pub(crate) fn note_insert(&mut self, table: &Table, row: &[Datum], shared: SharedIn<'_>) -> Result<()> {
        self.effects.count_changed(table.oid, &RowsChanged::INSERTED);
        self.note_shared_keys(table, row, shared, true)?;
        for key in &table.foreign_keys {
            self.note_present(table, key, row)?;
        }
        self.note_shared_keys(table, row, shared, false)
    }

    /// A row has keys that other rows may have: the primary one, or others. PostgreSQL's triggers go by their names:
    /// that of a primary key comes before those of foreign keys, those of others behind.
    fn note_shared_keys(
        &mut self,
        table: &Table,
        row: &[Datum],
        shared: SharedIn<'_>,
        primary: bool,
    ) -> Result<()> {
        let indexes = shared.indexes.iter().map(|&at| &table.indexes[at]);
        for index in indexes.filter(|index| index.primary == primary) {
            let mut key = Vec::new();
            index_key(index, row, &mut key)?;
            let (table, constraint) = (table.oid, index.constraint);
            let shared = SharedKey { table, constraint, row: shared.row.into(), key: key.into() };
            self.state.referential.push(Debt::Unique(shared))?;
        }
        Ok(())
    }

    /// A row was updated, or deleted if it has no new values.
    pub(crate) fn note_change(
        &mut self,
        table: &Table,
        old: &[Datum],
        new: Option<&[Datum]>,
        shared: SharedIn<'_>,
    ) -> Result<()> {
        let changed = if new.is_some() { &RowsChanged::UPDATED } else { &RowsChanged::DELETED };
        self.effects.count_changed(table.oid, changed);
        if let Some(new) = new {
            self.note_shared_keys(table, new, shared, true)?;
            for key in &table.foreign_keys {
                if !is_same(table, key.columns.iter().map(|pair| pair.0), old, new) {
                    self.note_present(table, key, new)?;
                }
            }
        }
        let catalog = self.view.catalog();
        for &(referring, at) in catalog.referring(table.oid) {
            let Some(key) = catalog.table(referring).and_then(|other| other.foreign_keys.get(at)) else {
                continue;
            };
            let places = || key.columns.iter().map(|pair| pair.1);
            let had_null = places().any(|column| old[column].is_null());
            if had_null || new.is_some_and(|new| is_same(table, places(), old, new)) {
                continue;
            }
            let values = |row: &[Datum]| places().map(|column| row[column].clone()).collect();
            let (old, new) = (values(old), new.map(values));
            let debt = Debt::Changed { table: referring, key: key.oid, old, new };
            self.state.referential.push(debt)?;
        }
        match new {
            Some(new) => self.note_shared_keys(table, new, shared, false),
            None => Ok(()),
        }
    }

    fn note_present(&mut self, table: &Table, key: &ForeignKey, row: &[Datum]) -> Result<()> {
        let values = own_values(key, row);
        let nulls = values.iter().filter(|value| value.is_null()).count();
        if nulls == 0 {
            let encoded = encoded(table, key, &values)?;
            let debt = Debt::Present { table: table.oid, key: key.oid, values, encoded };
            return self.state.referential.push(debt);
        }
        match key.match_full && nulls < values.len() {
            true => Err(key_missing(self.view.catalog(), &self.env, table, key, &values)),
            false => Ok(()),
        }
    }

    /// Whether changes of a table may owe anything.
    pub(crate) fn has_references(&self, table: &Table) -> bool {
        !table.foreign_keys.is_empty() || !self.view.catalog().referring(table.oid).is_empty()
    }
}

fn at_table(error: SqlError, catalog: &Catalog, table: &Table, key: &ForeignKey) -> SqlError {
    error.with_table(catalog.schema_name(table.schema), &table.name).with_constraint(&key.name)
}

/// `(a, b)=(1, 2)`.
fn shown(env: &EvalEnv<'_>, table: &Table, columns: impl Iterator<Item = usize>, values: &[Datum]) -> String {
    let (mut names, mut texts) = (Vec::new(), Vec::new());
    for (column, value) in columns.zip(values) {
        let column = &table.columns[column];
        names.push(quote_identifier(&column.name));
        texts.push(text::output_string(env, column.type_id, value));
    }
    format!("({})=({})", names.join(", "), texts.join(", "))
}

/// 23503 for a row that refers to nothing.
pub(crate) fn key_missing(
    catalog: &Catalog,
    env: &EvalEnv<'_>,
    table: &Table,
    key: &ForeignKey,
    values: &[Datum],
) -> SqlError {
    let message = format!(
        "insert or update on table \"{}\" violates foreign key constraint \"{}\"",
        table.name, key.name
    );
    let detail = match values.iter().any(Datum::is_null) {
        true => "MATCH FULL does not allow mixing of null and nonnull key values.".to_owned(),
        false => {
            let target = catalog.table(key.target).map_or("", |target| &target.name);
            let shown = shown(env, table, key.columns.iter().map(|pair| pair.0), values);
            format!("Key {shown} is not present in table \"{target}\".")
        }
    };
    let error = SqlError::new(SqlState::FOREIGN_KEY_VIOLATION, message).with_detail(detail);
    at_table(error, catalog, table, key)
}

/// 23503 for a row that is still referred to.
fn still_referenced(context: &Context<'_>, table: &Table, key: &ForeignKey, values: &[Datum]) -> SqlError {
    let catalog = context.view.catalog();
    let Some(target) = catalog.table(key.target) else {
        return SqlError::internal("a foreign key refers to no table");
    };
    let message = format!(
        "update or delete on table \"{}\" violates foreign key constraint \"{}\" on table \"{}\"",
        target.name, key.name, table.name
    );
    let shown = shown(&context.env, target, key.columns.iter().map(|pair| pair.1), values);
    let detail = format!("Key {shown} is still referenced from table \"{}\".", table.name);
    let error = SqlError::new(SqlState::FOREIGN_KEY_VIOLATION, message).with_detail(detail);
    at_table(error, catalog, table, key)
}

fn qualified(catalog: &Catalog, table: &Table) -> String {
    format!("{}.{}", quote_identifier(catalog.schema_name(table.schema)), quote_identifier(&table.name))
}

/// The query that finds a row which does not comply with a foreign key, if there is one.
pub(crate) fn validation_query(catalog: &Catalog, table: &Table, key: &ForeignKey) -> Result<String> {
    let target = catalog
        .table(key.target)
        .ok_or_else(|| SqlError::unsupported("a foreign key to a table of the same statement"))?;
    let own = |column: usize| format!("fk.{}", quote_identifier(&table.columns[column].name));
    let referenced = |column: usize| format!("pk.{}", quote_identifier(&target.columns[column].name));
    let pairs = || key.columns.iter();
    let list: Vec<String> = pairs().map(|pair| own(pair.0)).collect();
    let on: Vec<String> = pairs().map(|pair| format!("{} = {}", referenced(pair.1), own(pair.0))).collect();
    let given: Vec<String> = list.iter().map(|column| format!("{column} IS NOT NULL")).collect();
    Ok(format!(
        "SELECT {} FROM {} fk LEFT JOIN {} pk ON {} WHERE {} IS NULL AND ({}) LIMIT 1",
        list.join(", "),
        qualified(catalog, table),
        qualified(catalog, target),
        on.join(" AND "),
        referenced(key.columns[0].1),
        given.join(if key.match_full { " OR " } else { " AND " }),
    ))
}

/// The small statements of a foreign key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Query {
    /// The row that values refer to, locked.
    Target,
    /// A row that has these values, to see whether any is left.
    Holder,
    /// A row referred to that has the old values again, locked.
    Again,
    /// A row that refers to the old values, locked.
    Referrer,
    Delete,
    Cascade,
    SetNull,
    SetDefault,
}

impl Query {
    /// The statement's text, and the types of its parameters.
    fn text(self, catalog: &Catalog, table: &Table, key: &ForeignKey) -> Result<(String, Vec<TypeId>)> {
        let target = catalog
            .table(key.target)
            .ok_or_else(|| SqlError::internal("a foreign key refers to no table"))?;
        let own: Vec<String> =
            key.columns.iter().map(|pair| quote_identifier(&table.columns[pair.0].name)).collect();
        let referenced: Vec<String> =
            key.columns.iter().map(|pair| quote_identifier(&target.columns[pair.1].name)).collect();
        let equal_from = |columns: &[String], first: usize| -> Vec<String> {
            columns.iter().enumerate().map(|(at, column)| format!("{column} = ${}", at + first)).collect()
        };
        let equal = |columns: &[String]| equal_from(columns, 1).join(" AND ");
        let set = |value: &str| -> String {
            own.iter().map(|column| format!("{column} = {value}")).collect::<Vec<_>>().join(", ")
        };
        let (table_name, target_name) = (qualified(catalog, table), qualified(catalog, target));
        let text = match self {
            Query::Target | Query::Again => {
                format!("SELECT 1 FROM {target_name} WHERE {} FOR KEY SHARE", equal(&referenced))
            }
            Query::Holder => format!("SELECT 1 FROM {table_name} WHERE {}", equal(&own)),
            Query::Referrer => format!("SELECT 1 FROM {table_name} WHERE {} FOR KEY SHARE", equal(&own)),
            Query::Delete => format!("DELETE FROM {table_name} WHERE {}", equal(&own)),
            Query::Cascade => {
                let values = equal_from(&own, own.len() + 1).join(", ");
                format!("UPDATE {table_name} SET {values} WHERE {}", equal(&own))
            }
            Query::SetNull => format!("UPDATE {table_name} SET {} WHERE {}", set("NULL"), equal(&own)),
            Query::SetDefault => format!("UPDATE {table_name} SET {} WHERE {}", set("DEFAULT"), equal(&own)),
        };
        let own_types = || key.columns.iter().map(|pair| table.columns[pair.0].type_id);
        let referenced_types = || key.columns.iter().map(|pair| target.columns[pair.1].type_id);
        let types = match self {
            Query::Target | Query::Holder => own_types().collect(),
            Query::Cascade => referenced_types().chain(referenced_types()).collect(),
            _ => referenced_types().collect(),
        };
        Ok((text, types))
    }
}

/// The statement as PostgreSQL writes it, for the context of errors.
fn shown_statement(query: Query, catalog: &Catalog, table: &Table, key: &ForeignKey) -> String {
    let Some(target) = catalog.table(key.target) else { return String::new() };
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let name =
        |table: &Table| format!("{}.{}", quoted(catalog.schema_name(table.schema)), quoted(&table.name));
    let own: Vec<String> = key.columns.iter().map(|pair| quoted(&table.columns[pair.0].name)).collect();
    let all = |columns: &[String], word: &str, form: &dyn Fn(usize, &str) -> String| {
        let parts: Vec<String> =
            columns.iter().enumerate().map(|(at, column)| form(at + 1, column)).collect();
        parts.join(word)
    };
    let first = if query == Query::Cascade { own.len() } else { 0 };
    let filter = all(&own, " AND ", &|at, column| format!("${} OPERATOR(pg_catalog.=) {column}", first + at));
    let set = |value: &str| all(&own, ", ", &|_, column| format!("{column} = {value}"));
    match query {
        Query::Target | Query::Again => {
            let referenced: Vec<String> =
                key.columns.iter().map(|pair| quoted(&target.columns[pair.1].name)).collect();
            let filter =
                all(&referenced, " AND ", &|at, column| format!("{column} OPERATOR(pg_catalog.=) ${at}"));
            format!("SELECT 1 FROM ONLY {} x WHERE {filter} FOR KEY SHARE OF x", name(target))
        }
        Query::Holder | Query::Referrer => {
            format!("SELECT 1 FROM ONLY {} x WHERE {filter} FOR KEY SHARE OF x", name(table))
        }
        Query::Delete => format!("DELETE FROM ONLY {} WHERE {filter}", name(table)),
        Query::Cascade => {
            let values = all(&own, ", ", &|at, column| format!("{column} = ${at}"));
            format!("UPDATE ONLY {} SET {values} WHERE {filter}", name(table))
        }
        Query::SetNull => format!("UPDATE ONLY {} SET {} WHERE {filter}", name(table), set("NULL")),
        Query::SetDefault => format!("UPDATE ONLY {} SET {} WHERE {filter}", name(table), set("DEFAULT")),
    }
}

/// Tells an error of a small statement where it comes from.
fn in_statement(stop: Stop, query: Query, catalog: &Catalog, table: &Table, key: &ForeignKey) -> Stop {
    match stop {
        Stop::Error(error) if error.fields().context.is_none() => {
            let statement = shown_statement(query, catalog, table, key);
            error.with_context(format!("SQL statement \"{statement}\"")).into()
        }
        other => other,
    }
}

/// Plans of small statements, kept by the session while the catalog stays as it is.
#[derive(Debug, Default)]
pub(crate) struct ReferentialPlans {
    catalog_version: u64,
    plans: BTreeMap<(Oid, Query), Arc<Plan>>,
}

/// Plans kept at most; a session that works with more foreign keys plans some of them anew.
const PLANS_MAX: usize = 64;

fn plan(context: &mut Context<'_>, table: &Table, key: &ForeignKey, query: Query) -> Result<Arc<Plan>> {
    let catalog = context.view.catalog();
    let snapshot = context.stores.transaction.snapshot().unwrap_or_default();
    let kept = &mut context.effects.referential_plans;
    if kept.catalog_version != catalog.version {
        *kept = ReferentialPlans { catalog_version: catalog.version, ..ReferentialPlans::default() };
    }
    if !catalog.is_private
        && let Some(plan) = kept.plans.get(&(key.oid, query)).filter(|plan| plan.snapshot_min <= snapshot)
    {
        return Ok(plan.clone());
    }
    let (text, types) = query.text(catalog, table, key)?;
    let statement = parse::statements(&text)?.pop().expect("one statement was written");
    let options =
        PlanOptions { direct_routes: context.view.settings.direct_routes(), snapshot, is_for_cursor: false };
    let bind = BindContext { view: context.view, env: &context.env, options };
    let plan = Arc::new(bind::plan(bind, &statement, Some(&types))?);
    if !catalog.is_private {
        if kept.plans.len() >= PLANS_MAX {
            kept.plans.clear();
        }
        kept.plans.insert((key.oid, query), plan.clone());
    }
    Ok(plan)
}

/// A small statement under way.
struct Run {
    plan: Arc<Plan>,
    parameters: Vec<Datum>,
    state: State,
    operator: Box<dyn Operator>,
    has_begun: bool,
}

/// A debt that is being settled.
enum Running {
    Reference(Reference),
    Key(KeyCheck),
}

impl Running {
    fn new(context: &Context<'_>, debt: Debt) -> Running {
        match debt {
            Debt::Unique(shared) => Running::Key(KeyCheck::new(shared)),
            debt => Running::Reference(Reference::new(context, debt)),
        }
    }

    /// Goes on; call again after a need.
    fn step(&mut self, context: &mut Context<'_>) -> Step<()> {
        match self {
            Running::Reference(reference) => reference.step(context),
            Running::Key(check) => check.step(context),
        }
    }
}

/// A debt of a foreign key that is being settled.
struct Reference {
    debt: Debt,
    /// What is left to be asked, in order.
    queries: VecDeque<Query>,
    run: Option<Run>,
}

impl Reference {
    fn new(context: &Context<'_>, debt: Debt) -> Reference {
        let queries = match &debt {
            Debt::Present { .. } => vec![Query::Target, Query::Holder],
            Debt::Changed { table, key, new, .. } => {
                let key = foreign_key(context.view.catalog(), *table, *key);
                let action = key.map(|(_, key)| if new.is_some() { key.on_update } else { key.on_delete });
                match action {
                    None => Vec::new(),
                    Some(ReferentialAction::NoAction) => vec![Query::Again, Query::Referrer],
                    Some(ReferentialAction::Restrict) => vec![Query::Referrer],
                    Some(ReferentialAction::Cascade) if new.is_some() => vec![Query::Cascade],
                    Some(ReferentialAction::Cascade) => vec![Query::Delete],
                    Some(ReferentialAction::SetNull) => vec![Query::SetNull],
                    // The default may be what the row refers to already.
                    Some(ReferentialAction::SetDefault) => {
                        vec![Query::SetDefault, Query::Again, Query::Referrer]
                    }
                }
            }
            Debt::Unique(_) => unreachable!("a key is no reference"),
        };
        Reference { debt, queries: queries.into(), run: None }
    }

    /// Goes on; call again after a need.
    fn step(&mut self, context: &mut Context<'_>) -> Step<()> {
        let (table, key) = match &self.debt {
            Debt::Present { table, key, .. } | Debt::Changed { table, key, .. } => (*table, *key),
            Debt::Unique(_) => unreachable!("a key is no reference"),
        };
        let view = context.view;
        let Some((table, key)) = foreign_key(view.catalog(), table, key) else { return Ok(()) };
        while let Some(&query) = self.queries.front() {
            let found = self.ask(context, table, key, query);
            let found = found.map_err(|stop| in_statement(stop, query, view.catalog(), table, key))?;
            self.run = None;
            self.queries.pop_front();
            match (&self.debt, query, found) {
                // It is there, or nobody asks for it any more.
                (_, Query::Target | Query::Again, true) | (_, Query::Holder, false) => return Ok(()),
                (Debt::Present { values, .. }, Query::Holder, true) => {
                    return Err(key_missing(view.catalog(), &context.env, table, key, values).into());
                }
                (Debt::Changed { .. }, Query::Referrer, true) if self.has_acted(key) => {
                    // Rows that the transaction's snapshot does not see were left as they are.
                    let is_update = matches!(&self.debt, Debt::Changed { new: Some(_), .. });
                    let query = match self.action(key) {
                        ReferentialAction::SetNull => Query::SetNull,
                        _ if is_update => Query::Cascade,
                        _ => Query::Delete,
                    };
                    let stop = EngineError::SerializationFailure.into();
                    return Err(in_statement(stop, query, view.catalog(), table, key));
                }
                (Debt::Changed { old, .. }, Query::Referrer, true) => {
                    return Err(still_referenced(context, table, key, old).into());
                }
                (_, Query::Delete | Query::Cascade | Query::SetNull, _)
                    if context.stores.transaction.isolation().has_one_snapshot() =>
                {
                    self.queries.push_back(Query::Referrer);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether rows that refer were to be changed, and not only looked for.
    fn has_acted(&self, key: &ForeignKey) -> bool {
        matches!(self.action(key), ReferentialAction::Cascade | ReferentialAction::SetNull)
    }

    /// What is to become of rows that refer.
    fn action(&self, key: &ForeignKey) -> ReferentialAction {
        match &self.debt {
            Debt::Changed { new: Some(_), .. } => key.on_update,
            Debt::Changed { new: None, .. } => key.on_delete,
            Debt::Present { .. } | Debt::Unique(_) => ReferentialAction::NoAction,
        }
    }

    /// Runs one small statement: whether it has found a row.
    fn ask(
        &mut self,
        context: &mut Context<'_>,
        table: &Table,
        key: &ForeignKey,
        query: Query,
    ) -> Step<bool> {
        if self.run.is_none() {
            let plan = plan(context, table, key, query)?;
            let parameters = match (&self.debt, query) {
                (Debt::Present { values, .. }, _) => values.clone(),
                (Debt::Changed { old, new: Some(new), .. }, Query::Cascade) => {
                    old.iter().chain(new).cloned().collect()
                }
                (Debt::Changed { old, .. }, _) => old.clone(),
                (Debt::Unique(_), _) => unreachable!("a key is no reference"),
            };
            let (state, operator) = (State::new(&plan), build(&plan.root, plan.levels));
            self.run = Some(Run { plan, parameters, state, operator, has_begun: false });
        }
        let run = self.run.as_mut().expect("set above");
        if !run.has_begun {
            begin(context, query)?;
            run.has_begun = true;
        }
        let mut inner = Context {
            stores: context.stores.lend(),
            database: context.database,
            env: context.env,
            view: context.view,
            environment: context.environment,
            effects: context.effects,
            parameters: &run.parameters,
            plan: &run.plan,
            state: &mut run.state,
            may_fuse: false,
        };
        let found = run.operator.next(&mut inner, &mut Row::new());
        if !matches!(found, Err(Stop::Need(_))) {
            // It counts as well if it has failed.
            context.state.counts.take_from(&mut run.state.counts);
        }
        let found = found?;
        assert!(run.plan.command == Command::Select || !found, "a change without RETURNING gives no rows");
        // What the changed rows owe is settled after what is owed already.
        while let Some(debt) = run.state.referential.pop() {
            context.state.referential.push(debt)?;
        }
        Ok(found)
    }
}

/// The snapshot of a small statement. What is referred to must be there for this transaction; what refers must not be
/// there for anyone. Actions change what the transaction sees.
fn begin(context: &mut Context<'_>, query: Query) -> Step<()> {
    let sees_all = context.stores.transaction.isolation() == Isolation::ReadCommitted
        || matches!(query, Query::Again | Query::Referrer);
    match sees_all {
        true => context.stores.begin_statement_at_appended(),
        false => context.stores.begin_statement(),
    }
}

fn foreign_key(catalog: &Catalog, table: Oid, key: Oid) -> Option<(&Arc<Table>, &ForeignKey)> {
    let table = catalog.table(table)?;
    Some((table, table.foreign_keys.iter().find(|other| other.oid == key)?))
}

/// Keeps a debt for the commit if it can wait; else gives it back.
fn put_off(context: &mut Context<'_>, debt: Debt) -> Result<Option<Debt>> {
    if context.state.referential.is_final {
        return Ok(Some(debt));
    }
    let (catalog, deferred) = (context.view.catalog(), &mut context.effects.deferred);
    let on = match &debt {
        Debt::Present { table, key, .. } | Debt::Changed { table, key, .. } => {
            let key = foreign_key(catalog, *table, *key).map(|(_, key)| key);
            key.filter(|key| deferred.takes(key, &debt)).map(|key| match &debt {
                Debt::Changed { .. } => key.target,
                _ => *table,
            })
        }
        Debt::Unique(SharedKey { table, constraint, .. }) => {
            let index = index_of(catalog, *table, *constraint).map(|(_, index)| index);
            index.filter(|index| deferred.is_deferred(*constraint, index.deferral)).map(|_| *table)
        }
    };
    match on {
        Some(on) => deferred.push(debt, on).map(|()| None),
        None => Ok(Some(debt)),
    }
}

/// Debts that had waited, being settled apart from any statement.
pub(crate) struct Settlement {
    plan: Plan,
    state: State,
}

impl Settlement {
    /// Of what waits, of these keys or of all; `None` if nothing does. `serial`: of the newest savepoint. What it reads is added
    /// to these sums.
    pub(crate) fn of(
        deferred: &mut Deferred,
        sums: &Arc<RelationStatistics>,
        keys: Option<&[Oid]>,
        serial: u64,
    ) -> Result<Option<Settlement>> {
        let due = deferred.take_due(keys, serial);
        if due.is_empty() {
            return Ok(None);
        }
        let mut state = State::default();
        state.counts = StatementCounts::of(sums);
        state.referential.is_final = true;
        for debt in due {
            state.referential.push(debt)?;
        }
        Ok(Some(Settlement { plan: Plan::nothing(), state }))
    }

    /// What [`settle_references`] runs in.
    pub(crate) fn parts(&mut self) -> (&Plan, &mut State) {
        (&self.plan, &mut self.state)
    }
}

/// Settles all that the statement owes; call again after a need. Its rows have all been changed, and what it reads has
/// been read: the transaction's snapshot is another one afterwards.
pub(crate) fn settle_references(context: &mut Context<'_>) -> Step<()> {
    loop {
        let mut running = match context.state.referential.running.take() {
            Some(running) => running,
            None if context.state.referential.is_settled() => return Ok(()),
            None => {
                // A small statement reads too few rows to let others run, or to notice that it is cancelled.
                context.count_row()?;
                let debt = context.state.referential.pop().expect("something is owed");
                let Some(debt) = put_off(context, debt)? else { continue };
                Box::new(Running::new(context, debt))
            }
        };
        if let Err(stop) = running.step(context) {
            context.state.referential.running = Some(running);
            return Err(stop);
        }
    }
}
