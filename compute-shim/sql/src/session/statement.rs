//! Prepared statements: parsed once, planned when needed, kept by name or by text.
//!
//! Owns [`Prepared`] and the maps that hold them. A plan is good while the names in it mean the same
//! ([`Meaning`]); after that it is made anew from the tree. A statement whose columns were described must not change
//! them. Trees and plans are shared with other sessions where
//! they would be the same ([`super::shared`]). Never runs anything.

use super::meaning::Meaning;
use super::meter;
use super::shared::{Parsed, PlanKey};
use super::transaction::Scope;
use crate::answer::ColumnDescription;
use crate::bind;
use crate::catalog::object::Oid;
use crate::definition::Definition;
use crate::parse::tree::Statement;
use crate::parse::{self, Shape};
use crate::plan::Plan;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{SqlError, SqlState, TypeId, Typmod};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, OnceLock};

/// The columns of a statement's rows; `None` if it gives no rows.
pub(super) type Columns = Option<Arc<[ColumnDescription]>>;

/// A parsed statement with its plan.
pub(super) struct Prepared {
    /// Its text is the whole message, if that held several statements; its shape is empty for what is made within another
    /// statement.
    parsed: Arc<Parsed>,
    /// What DECLARE or EXPLAIN is about.
    inner: Option<Arc<Prepared>>,
    /// It is what DECLARE is about.
    is_for_cursor: bool,
    /// Its text is this statement alone, so that a plan of this text is its plan.
    is_shared: bool,
    /// Types of `$1`, … as far as they were said; `None`: nobody gives values, as in a Query message.
    declared: Option<Box<[TypeId]>>,
    plan: Mutex<Planned>,
    utility_id: OnceLock<i64>,
}

#[derive(Default)]
struct Planned {
    kept: Option<(Arc<Plan>, Meaning)>,
    /// What the statement was first described as.
    described: Option<(Arc<[TypeId]>, Columns)>,
}

impl Prepared {
    pub(super) fn new(
        statement: Option<Statement>,
        text: &Arc<str>,
        declared: Option<&[TypeId]>,
    ) -> Prepared {
        Prepared::shaped(statement, text, Shape::default(), declared)
    }

    /// The same as a statement that is counted.
    pub(super) fn shaped(
        statement: Option<Statement>,
        text: &Arc<str>,
        shape: Shape,
        declared: Option<&[TypeId]>,
    ) -> Prepared {
        Prepared::of(Arc::new(Parsed { statement, text: text.clone(), shape }), declared)
    }

    fn of(parsed: Arc<Parsed>, declared: Option<&[TypeId]>) -> Prepared {
        let (statement, text) = (&parsed.statement, &parsed.text);
        let inner = match statement {
            Some(Statement::Declare(declare)) => Some(&declare.query),
            // What EXECUTE names is found when it runs.
            Some(Statement::Explain { statement, .. })
                if !matches!(**statement, Statement::Execute { .. }) =>
            {
                Some(statement)
            }
            _ => None,
        };
        let inner = match statement {
            Some(Statement::CreateTableAs { query, .. }) => Some(Statement::Query(query.clone())),
            _ => inner.map(|inner| (**inner).clone()),
        };
        let is_for_cursor = matches!(statement, Some(Statement::Declare(_)));
        let inner = inner.map(|inner| {
            let inner = Prepared::new(Some(inner), text, declared);
            Arc::new(Prepared { is_for_cursor, ..inner })
        });
        Prepared {
            parsed,
            inner,
            is_for_cursor: false,
            is_shared: false,
            declared: declared.map(Box::from),
            plan: Mutex::default(),
            utility_id: OnceLock::new(),
        }
    }

    /// `None`: the text was empty.
    pub(super) fn statement(&self) -> Option<&Statement> {
        self.parsed.statement.as_ref()
    }

    /// What the client sent.
    pub(super) fn text(&self) -> &Arc<str> {
        &self.parsed.text
    }

    /// What it is counted by.
    pub(super) fn shape(&self) -> &Shape {
        &self.parsed.shape
    }

    /// The text with its constants left out.
    pub(super) fn normalised(&self) -> String {
        self.shape().normalised(self.text())
    }

    /// Its own part of the text.
    pub(super) fn written(&self) -> &str {
        self.shape().written(self.text())
    }

    /// The number by which a statement without a plan is counted.
    pub(super) fn utility_id(&self) -> i64 {
        *self.utility_id.get_or_init(|| {
            let mut hasher = DefaultHasher::new();
            self.written().hash(&mut hasher);
            query_id(hasher)
        })
    }

    /// The number by which a plan is counted: the same words mean something else where names mean other relations.
    fn planned_id(&self, plan: &Plan) -> i64 {
        if self.shape().hash == 0 {
            return 0;
        }
        let mut relations: Vec<Oid> = plan.relations.iter().map(|(relation, _)| *relation).collect();
        relations.sort_unstable();
        relations.dedup();
        let mut hasher = DefaultHasher::new();
        (self.shape().hash, relations).hash(&mut hasher);
        query_id(hasher)
    }

    /// What has a plan, and parameters in it: the statement itself, or what DECLARE, EXPLAIN or
    /// CREATE TABLE AS is about.
    pub(super) fn planned(self: &Arc<Prepared>) -> Option<&Arc<Prepared>> {
        if self.is_data() { Some(self) } else { self.inner.as_ref() }
    }

    /// The types of its parameters, as they were found when it was planned first.
    fn parameters(&self) -> Arc<[TypeId]> {
        let planned = self.inner.as_deref().unwrap_or(self).plan.lock();
        planned.described.as_ref().map_or_else(|| [].into(), |(types, _)| types.clone())
    }

    /// Whether it reads or changes rows, so that it has a plan.
    pub(super) fn is_data(&self) -> bool {
        let data = |statement: &Statement| {
            matches!(
                statement,
                Statement::Query(_) | Statement::Insert(_) | Statement::Update(_) | Statement::Delete(_)
            )
        };
        self.statement().is_some_and(data)
    }

    /// Whether it takes a snapshot of its own when it runs.
    pub(super) fn takes_snapshot(&self) -> bool {
        let takes = |statement: &Statement| {
            matches!(
                statement,
                Statement::Execute { .. }
                    | Statement::Copy(_)
                    | Statement::Declare(_)
                    | Statement::Explain { .. }
            ) || Definition::handles(statement)
        };
        self.is_data() || self.statement().is_some_and(takes)
    }

    /// Whether a failed block takes it: it ends the block, or what has failed in it.
    pub(super) fn ends_transaction(&self) -> bool {
        use crate::parse::tree::PreparedCommand::Prepare;
        use crate::parse::tree::SavepointCommand::RollBackTo;
        use crate::parse::tree::TransactionCommand::{Commit, Rollback};
        matches!(
            self.statement(),
            Some(
                Statement::Transaction { command: Commit | Rollback, .. }
                    | Statement::Savepoint { command: RollBackTo, .. }
                    | Statement::PreparedTransaction { command: Prepare, .. }
            )
        )
    }

    /// Whether what it was described as still holds, by the names in it.
    fn is_current(&self, scope: &Scope) -> bool {
        let planned = self.plan.lock();
        planned.described.is_none()
            || planned.kept.as_ref().is_some_and(|(plan, meant)| scope.still_means(*meant, plan, self.text()))
    }

    /// The plan for the view as it is now. `is_fixed`: the columns must be those that the client was told.
    pub(super) fn plan(&self, scope: &Scope, is_fixed: bool) -> Result<Arc<Plan>> {
        let meaning = scope.meaning();
        let options = scope.plan_options();
        let mut planned = self.plan.lock();
        if let Some((plan, meant)) = &mut planned.kept
            && scope.still_means(*meant, plan, self.text())
            && plan.snapshot_min <= options.snapshot
        {
            // So that it is not asked again.
            *meant = meaning;
            return Ok(plan.clone());
        }
        let statement = self.statement().expect("only data statements are planned");
        let declared = self.declared.as_deref();
        let types = declared.map(|declared| planned.described.as_ref().map_or(declared, |(types, _)| types));
        let key = types.filter(|_| self.is_shared).and_then(|types| PlanKey::of(scope, self.text(), types));
        if let Some(plan) = key.as_ref().and_then(|key| scope.database.shared.plan(key))
            && plan.snapshot_min <= options.snapshot
        {
            return planned.keep(plan, is_fixed, scope.is_plan_lasting(options).then_some(meaning));
        }
        let begun_us = scope.environment.wall_clock_us();
        let mut plan = scope.with_binding(|mut context| {
            context.options.is_for_cursor = self.is_for_cursor;
            bind::plan(context, statement, types)
        })?;
        plan.query_id = self.planned_id(&plan);
        let us = u64::try_from(scope.environment.wall_clock_us() - begun_us).unwrap_or(0);
        scope.count_planning(us);
        if plan.query_id != 0 && scope.view.settings.tracked().planning {
            let key = meter::key(scope, plan.query_id);
            scope.database.statements.planned(key, us, || self.normalised());
        }
        let plan = Arc::new(plan);
        let is_lasting = scope.is_plan_lasting(options);
        if let Some(key) = key.filter(|_| is_lasting) {
            scope.database.shared.add_plan(key, &plan);
        }
        planned.keep(plan, is_fixed, is_lasting.then_some(meaning))
    }
}

impl Planned {
    /// Takes a plan that was just made or found; `meaning` if it may serve later executions.
    fn keep(&mut self, plan: Arc<Plan>, is_fixed: bool, meaning: Option<Meaning>) -> Result<Arc<Plan>> {
        match &self.described {
            Some((_, columns)) if is_fixed && !is_same_shape(columns, &plan.columns) => {
                let message = "cached plan must not change result type";
                return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
            }
            Some(_) => {}
            None => self.described = Some((plan.parameters.clone(), plan.columns.clone())),
        }
        self.kept = meaning.map(|meaning| (plan.clone(), meaning));
        Ok(plan)
    }
}

/// Zero says that there is none.
fn query_id(hasher: DefaultHasher) -> i64 {
    hasher.finish().max(1).cast_signed()
}

/// Names may change (a column was renamed), types may not.
fn is_same_shape(before: &Columns, after: &Columns) -> bool {
    let shape = |columns: &Columns| -> Option<Vec<(TypeId, Typmod)>> {
        let columns = columns.as_ref()?;
        Some(columns.iter().map(|column| (column.type_id, column.typmod)).collect())
    };
    let names = |columns: &Columns| -> Option<Vec<Arc<str>>> {
        let columns = columns.as_ref()?;
        Some(columns.iter().map(|column| column.name.clone()).collect())
    };
    shape(before) == shape(after) && names(before) == names(after)
}

/// Texts that are kept: a client that sends texts again sends few different ones.
const TEXTS: usize = 64;
/// Longer texts are not kept: their parsing is the smaller part of their cost.
const TEXT_BYTES_MAX: usize = 4_096;

struct CachedText {
    hash: u64,
    types: Option<Box<[TypeId]>>,
    prepared: Arc<Prepared>,
    /// Asked for since the hand last passed.
    is_used: bool,
}

/// Statements by text. A text is kept once it comes again among the [`TEXTS`] that missed last, so that texts which come
/// once push nothing out; the one that makes room has not been asked for since the hand last passed it. Both lists grow
/// as they are used: most of a server's sessions are idle, and few send more than a handful of texts.
#[derive(Default)]
struct TextCache {
    texts: Vec<CachedText>,
    /// Where the search for the next text to forget begins.
    hand: usize,
    /// The upper half of the hash of each text that missed last.
    missed: VecDeque<u32>,
}

impl TextCache {
    /// `types` are those of parameters, as for [`Prepared::new`].
    fn hash(text: &str, types: Option<&[TypeId]>) -> u64 {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        types.is_some().hash(&mut hasher);
        types.unwrap_or_default().iter().for_each(|id| id.0.hash(&mut hasher));
        hasher.finish()
    }

    fn get(&mut self, hash: u64, text: &str, types: Option<&[TypeId]>) -> Option<Arc<Prepared>> {
        let cached = self.texts.iter_mut().find(|cached| cached.hash == hash)?;
        if **cached.prepared.text() != *text || cached.types.as_deref() != types {
            return None;
        }
        cached.is_used = true;
        Some(cached.prepared.clone())
    }

    /// A text that was not found, or no longer means what it did.
    fn put(&mut self, hash: u64, text: &str, types: Option<&[TypeId]>, prepared: &Arc<Prepared>) {
        if text.len() > TEXT_BYTES_MAX {
            return;
        }
        let prepared = prepared.clone();
        let new = CachedText { hash, types: types.map(Box::from), prepared, is_used: false };
        if let Some(outdated) = self.texts.iter_mut().find(|cached| cached.hash == hash) {
            *outdated = new;
            return;
        }
        let tag = u32::try_from(hash >> 32).expect("half of 64 bits");
        let Some(at) = self.missed.iter().position(|missed| *missed == tag) else {
            if self.missed.len() == TEXTS {
                self.missed.pop_front();
            }
            self.missed.push_back(tag);
            return;
        };
        self.missed.remove(at);
        if self.texts.len() < TEXTS {
            self.texts.push(new);
            return;
        }
        while std::mem::take(&mut self.texts[self.hand].is_used) {
            self.hand = (self.hand + 1) % TEXTS;
        }
        self.texts[self.hand] = new;
        self.hand = (self.hand + 1) % TEXTS;
    }
}

/// A statement under a name.
struct Named {
    prepared: Arc<Prepared>,
    prepared_us: i64,
    /// By PREPARE, and not by a Parse message.
    from_sql: bool,
}

/// A session's statements by name, which its view shows.
#[derive(Clone, Default)]
pub(crate) struct NamedStatements(Arc<Mutex<ByName>>);

/// In the order of the names. Most sessions have a few, and a tree's first node would have room for eleven in each; what a
/// thousand cost is a move of some kilobytes for a new one.
#[derive(Default)]
struct ByName(Vec<(Box<str>, Named)>);

impl ByName {
    fn find(&self, name: &str) -> std::result::Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| (**known).cmp(name))
    }

    fn get(&self, name: &str) -> Option<&Named> {
        self.find(name).ok().map(|at| &self.0[at].1)
    }

    fn insert(&mut self, name: &str, named: Named) {
        let at = self.find(name).expect_err("the name was free a moment ago");
        if self.0.is_empty() {
            self.0.reserve_exact(1);
        }
        self.0.insert(at, (name.into(), named));
    }

    fn remove(&mut self, name: &str) -> bool {
        self.find(name).map(|at| self.0.remove(at)).is_ok()
    }
}

/// A named statement as `pg_prepared_statements` has it.
pub(crate) struct StatementView {
    pub name: String,
    pub statement: Arc<str>,
    pub prepared_us: i64,
    pub parameters: Arc<[TypeId]>,
    pub from_sql: bool,
}

impl NamedStatements {
    pub(crate) fn shown(&self) -> Vec<StatementView> {
        let shown = |name: &str, named: &Named| StatementView {
            name: name.to_owned(),
            statement: named.prepared.text().clone(),
            prepared_us: named.prepared_us,
            parameters: named.prepared.parameters(),
            from_sql: named.from_sql,
        };
        self.0.lock().0.iter().map(|(name, named)| shown(name, named)).collect()
    }
}

/// The statements of a session.
#[derive(Default)]
pub(super) struct Statements {
    named: NamedStatements,
    /// Under the empty name, which Parse may use again and again.
    unnamed: Option<Arc<Prepared>>,
    texts: TextCache,
}

impl Statements {
    /// Those of a session whose view shows the named ones.
    pub(super) fn shown_by(named: NamedStatements) -> Statements {
        Statements { named, ..Statements::default() }
    }

    /// The statement of a text that holds one at most, for Parse. A known one is taken only while its names mean what
    /// they did: statements of one text that were described differently must not share their description.
    pub(super) fn parse_one(&mut self, scope: &Scope, text: &str, types: &[TypeId]) -> Result<Arc<Prepared>> {
        let types = Some(types);
        let hash = TextCache::hash(text, types);
        if let Some(prepared) = self.texts.get(hash, text, types)
            && prepared.is_current(scope)
        {
            return Ok(prepared);
        }
        let shared = &scope.database.shared;
        let parsed = match shared.tree(text) {
            Some(parsed) => parsed,
            None => {
                let parsed = Arc::new(parse_single(text)?);
                shared.add_tree(&parsed);
                parsed
            }
        };
        let prepared = Prepared::of(parsed, types);
        let prepared = Arc::new(Prepared { is_shared: prepared.is_data(), ..prepared });
        self.texts.put(hash, text, types, &prepared);
        Ok(prepared)
    }

    /// All statements of a text, for a Query message.
    pub(super) fn parse_all(&mut self, text: &str) -> Result<Vec<Arc<Prepared>>> {
        let hash = TextCache::hash(text, None);
        if let Some(prepared) = self.texts.get(hash, text, None) {
            return Ok(if prepared.statement().is_some() { vec![prepared] } else { Vec::new() });
        }
        let statements = parse::shaped(text)?;
        let whole: Arc<str> = text.into();
        let prepared = |(statement, shape)| Arc::new(Prepared::shaped(Some(statement), &whole, shape, None));
        let all: Vec<_> = statements.into_iter().map(prepared).collect();
        if let [only] = all.as_slice() {
            self.texts.put(hash, text, None, only);
        }
        Ok(all)
    }

    /// Keeps a statement under a name; 42P05 if it is taken.
    pub(super) fn add(
        &mut self,
        name: &str,
        prepared: Arc<Prepared>,
        prepared_us: i64,
        from_sql: bool,
    ) -> Result<()> {
        self.check_free(name)?;
        match name {
            "" => self.unnamed = Some(prepared),
            name => {
                let named = Named { prepared, prepared_us, from_sql };
                self.named.0.lock().insert(name, named);
            }
        }
        Ok(())
    }

    pub(super) fn check_free(&self, name: &str) -> Result<()> {
        if name.is_empty() || self.named.0.lock().get(name).is_none() {
            return Ok(());
        }
        let message = format!("prepared statement \"{name}\" already exists");
        Err(SqlError::new(SqlState::DUPLICATE_PREPARED_STATEMENT, message))
    }

    pub(super) fn get(&self, name: &str) -> Result<Arc<Prepared>> {
        let named = || self.named.0.lock().get(name).map(|named| named.prepared.clone());
        let found = if name.is_empty() { self.unnamed.clone() } else { named() };
        found.ok_or_else(|| {
            let message = match name {
                "" => "unnamed prepared statement does not exist".to_owned(),
                name => format!("prepared statement \"{name}\" does not exist"),
            };
            SqlError::new(SqlState::INVALID_SQL_STATEMENT_NAME, message)
        })
    }

    /// Forgets a statement; false if there is none.
    pub(super) fn remove(&mut self, name: &str) -> bool {
        if name.is_empty() { self.unnamed.take().is_some() } else { self.named.0.lock().remove(name) }
    }

    /// Forgets the unnamed one: a new Parse has begun, or a Query message.
    pub(super) fn remove_unnamed(&mut self) {
        self.unnamed = None;
    }

    /// DEALLOCATE ALL, which leaves the unnamed one alone.
    pub(super) fn clear(&mut self) {
        self.named.0.lock().0.clear();
    }
}

/// A text that holds one statement at most.
fn parse_single(text: &str) -> Result<Parsed> {
    let mut statements = parse::shaped(text)?;
    if statements.len() > 1 {
        return Err(SqlError::syntax("cannot insert multiple commands into a prepared statement"));
    }
    let (statement, shape) = statements.pop().unzip();
    Ok(Parsed { statement, text: text.into(), shape: shape.unwrap_or_default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(cache: &mut TextCache, text: &str) -> bool {
        let hash = TextCache::hash(text, None);
        if cache.get(hash, text, None).is_some() {
            return true;
        }
        cache.put(hash, text, None, &Arc::new(Prepared::new(None, &text.into(), None)));
        false
    }

    /// Each text once had a slot of its hash; two in one slot pushed each other out for ever, and a workload of seven
    /// texts parsed some of them each time.
    #[test]
    fn any_64_texts_that_come_again_and_again_are_kept() {
        let mut cache = TextCache::default();
        let texts: Vec<String> = (0..TEXTS).map(|number| format!("SELECT {number}")).collect();
        for round in 0..4 {
            for text in &texts {
                assert_eq!(ask(&mut cache, text), round >= 2, "{text}, round {round}");
            }
        }
    }

    #[test]
    fn texts_that_come_once_push_nothing_out() {
        let mut cache = TextCache::default();
        let often: Vec<String> = (0..TEXTS).map(|number| format!("SELECT {number}")).collect();
        for text in often.iter().chain(&often) {
            ask(&mut cache, text);
        }
        for number in 0..1_000 {
            assert!(!ask(&mut cache, &format!("once {number}")));
        }
        assert!(often.iter().all(|text| ask(&mut cache, text)));
        assert_eq!((cache.texts.len(), cache.missed.len()), (TEXTS, TEXTS));
    }

    #[test]
    fn what_is_no_longer_asked_for_makes_room() {
        let mut cache = TextCache::default();
        let texts: Vec<String> = (0..2 * TEXTS).map(|number| format!("SELECT {number}")).collect();
        let (old, new) = texts.split_at(TEXTS);
        for text in old.iter().chain(old).chain(&old[..8]) {
            ask(&mut cache, text);
        }
        for text in new[..TEXTS - 8].iter().chain(&new[..TEXTS - 8]) {
            ask(&mut cache, text);
        }
        assert!(old[..8].iter().chain(&new[..TEXTS - 8]).all(|text| ask(&mut cache, text)));
        assert!(!ask(&mut cache, &old[8]));
    }
}
