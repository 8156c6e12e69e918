//! EXPLAIN: a plan as a tree of labelled values, in PostgreSQL's words.
//!
//! Owns the names of nodes and what is said of each. No costs are shown: there are no statistics to take them from.
//! `explain_format.rs` prints.

use super::explain_format::{Answer, Property, Value, milliseconds};
use super::{CallInFrom, CallSource, IndexAccess, JoinType, Node, Plan, Predicate, Scan, SortKey};
use crate::catalog::Catalog;
use crate::catalog::object::KeyPart;
use crate::execute::{Measure, SortMethod, SortSpace};
use crate::expression::{Expr, deparse};
use crate::parse::tree::{ExplainOptions, SetOperator};
use hexalog_sql_types::function::quote_identifier;
use hexalog_sql_types::{EvalEnv, TypeId};
use std::sync::Arc;

/// What a run has come to.
pub(crate) struct Measured<'a> {
    pub nodes: &'a [Measure],
    pub execution_us: u64,
}

/// A node as it is shown.
#[derive(Clone, Debug, Default)]
pub(super) struct Shown {
    /// Text's first line.
    pub title: String,
    /// Text's line in front of that.
    pub subplan: Option<String>,
    pub properties: Vec<Property>,
    /// With what each is to this node.
    pub inputs: Vec<(&'static str, Shown)>,
}

/// The rows of EXPLAIN's answer.
pub(crate) fn explain(
    plan: &Plan,
    options: &ExplainOptions,
    measured: Option<&Measured<'_>>,
    planning_us: u64,
    catalog: &Catalog,
    env: &EvalEnv<'_>,
) -> Vec<String> {
    let printer = Printer { plan, options, measured, catalog, env };
    let mut summary = Vec::new();
    if options.summary.unwrap_or(options.analyze) {
        summary.push(data("Planning Time", Value::Time(planning_us)));
        if let Some(measured) = measured {
            summary.push(data("Execution Time", Value::Time(measured.execution_us)));
        }
    }
    let plan = printer.whole();
    Answer { plan, summary, is_analyzed: options.analyze }.print(options.format)
}

fn data(label: &'static str, value: Value) -> Property {
    Property { label, value, in_text: false, in_data: true }
}

fn line(label: &'static str, value: Value) -> Property {
    Property { label, value, in_text: true, in_data: true }
}

fn text_only(label: &'static str, value: String) -> Property {
    Property { label, value: Value::Text(value), in_text: true, in_data: false }
}

struct Printer<'a> {
    plan: &'a Plan,
    options: &'a ExplainOptions,
    measured: Option<&'a Measured<'a>>,
    catalog: &'a Catalog,
    env: &'a EvalEnv<'a>,
}

/// What PostgreSQL's other formats call a node, and the values that its text has in the title.
fn kind(node: &Node) -> (&'static str, Vec<Property>) {
    let text = |label, text: &str| data(label, Value::Text(text.to_owned()));
    let join = |join: JoinType| {
        let word = match join {
            JoinType::Inner => "Inner",
            JoinType::Left => "Left",
            JoinType::Full => "Full",
            JoinType::Semi => "Semi",
            JoinType::Anti => "Anti",
        };
        vec![text("Join Type", word)]
    };
    let change = |word: &str| vec![text("Operation", word)];
    match node {
        Node::Nothing | Node::Project { .. } => ("Result", Vec::new()),
        // One row is no scan.
        Node::Values { rows, .. } if rows.len() == 1 => ("Result", Vec::new()),
        Node::Values { .. } => ("Values Scan", vec![text("Alias", "*VALUES*")]),
        Node::Scan(scan) if scan.cursor.is_some() => ("Tid Scan", Vec::new()),
        Node::Scan(scan) => match &scan.access {
            Some(access) => {
                let direction = if scan.backward { "Backward" } else { "Forward" };
                let index = &scan.table.indexes[access.index].name;
                ("Index Scan", vec![text("Scan Direction", direction), text("Index Name", index)])
            }
            None => ("Seq Scan", Vec::new()),
        },
        Node::System { .. } => ("Seq Scan", Vec::new()),
        Node::Functions { .. } => ("Function Scan", Vec::new()),
        Node::Filter { .. } => ("Filter", Vec::new()),
        Node::ProjectSet { .. } => ("ProjectSet", Vec::new()),
        Node::Join { .. } | Node::SemiJoin { .. } => ("Join", Vec::new()),
        Node::NestedLoop { join: of, .. } => ("Nested Loop", join(*of)),
        Node::HashJoin { join: of, .. } => ("Hash Join", join(*of)),
        Node::Materialize { .. } => ("Materialize", Vec::new()),
        Node::Aggregate { keys, .. } => {
            let strategy = if keys.items.is_empty() { "Plain" } else { "Hashed" };
            ("Aggregate", vec![text("Strategy", strategy), text("Partial Mode", "Simple")])
        }
        Node::Window { .. } => ("WindowAgg", Vec::new()),
        Node::Sort { .. } => ("Sort", Vec::new()),
        Node::Distinct { .. } => {
            ("Aggregate", vec![text("Strategy", "Hashed"), text("Partial Mode", "Simple")])
        }
        Node::Limit { .. } => ("Limit", Vec::new()),
        Node::LockRows { .. } => ("LockRows", Vec::new()),
        Node::Append { .. } => ("Append", Vec::new()),
        Node::SetOperation { op, all, .. } => {
            let word = if *op == SetOperator::Except { "Except" } else { "Intersect" };
            let command = format!("{word}{}", if *all { " All" } else { "" });
            ("SetOp", vec![text("Strategy", "Hashed"), text("Command", &command)])
        }
        Node::Recursive { .. } => ("Recursive Union", Vec::new()),
        Node::Working { name, .. } => ("WorkTable Scan", vec![text("CTE Name", name)]),
        Node::Common { name, .. } => ("CTE Scan", vec![text("CTE Name", name)]),
        Node::Insert { .. } => ("ModifyTable", change("Insert")),
        Node::Update { .. } => ("ModifyTable", change("Update")),
        Node::Delete { .. } => ("ModifyTable", change("Delete")),
        Node::Measured { .. } => unreachable!("what is measured is shown in its place"),
    }
}

/// Labels that stand directly behind a node's type.
const FIRST_LABELS: [&str; 3] = ["Strategy", "Partial Mode", "Operation"];

/// The relation that a node reads or changes: name, schema's oid, alias.
fn relation_of(node: &Node) -> Option<(&str, u32, &str)> {
    match node {
        Node::Scan(scan) => Some((&scan.table.name, scan.table.schema, &scan.name)),
        Node::System { table, name, .. } => Some((table.name, table.schema, name)),
        Node::Insert { table, .. } | Node::Update { table, .. } | Node::Delete { table, .. } => {
            Some((&table.name, table.schema, &table.name))
        }
        _ => None,
    }
}

/// Names of what a scan may give, in which its conditions are written.
fn table_names(scan: &Scan) -> Vec<String> {
    let mut names: Vec<String> =
        scan.table.columns.iter().map(|column| quote_identifier(&column.name)).collect();
    names.extend(scan.with_identity.then(|| "identity".to_owned()));
    if scan.with_versions {
        names.extend(["xmin", "xmax", "tableoid", "ctid"].map(str::to_owned));
    }
    names
}

fn join_title(kind: &str, join: JoinType) -> String {
    let word = match join {
        JoinType::Inner => return kind.to_owned(),
        JoinType::Left => "Left",
        JoinType::Full => "Full",
        JoinType::Semi => "Semi",
        JoinType::Anti => "Anti",
    };
    match kind.strip_suffix(" Join") {
        Some(kind) => format!("{kind} {word} Join"),
        None => format!("{kind} {word} Join"),
    }
}

impl Printer<'_> {
    /// Column names of a node's rows, as far as they are known; others show as numbers.
    fn column_names(&self, node: &Node) -> Vec<String> {
        match node {
            Node::Scan(scan) => {
                let names = table_names(scan);
                match &scan.output {
                    Some(output) => output.iter().map(|&column| names[column].clone()).collect(),
                    None => names,
                }
            }
            Node::System { table, .. } => {
                table.columns.iter().map(|column| quote_identifier(column.name)).collect()
            }
            Node::Filter { input, .. }
            | Node::Materialize { input }
            | Node::Sort { input, .. }
            | Node::Distinct { input, .. }
            | Node::LockRows { input, .. }
            | Node::Measured { input, .. }
            | Node::Limit { input, .. } => self.column_names(input),
            Node::Project { input, exprs } => {
                let names = self.column_names(input);
                exprs.items.iter().map(|item| self.expr(item, &names)).collect()
            }
            Node::NestedLoop { left, right, .. } | Node::HashJoin { left, right, .. } => {
                let mut names = self.names_of_both(left, right);
                names.truncate(node.width());
                names
            }
            _ => (1..=node.width()).map(|number| format!("column{number}")).collect(),
        }
    }

    /// The columns that a condition of a join sees.
    fn names_of_both(&self, left: &Node, right: &Node) -> Vec<String> {
        let mut names = self.column_names(left);
        names.extend(self.column_names(right));
        names
    }

    /// The statement with its common tables and subqueries, which stand with the topmost node.
    fn whole(&self) -> Shown {
        let mut shown = self.node(&self.plan.root);
        let mut inputs = Vec::new();
        // What has become a side of a join is shown there.
        let subplans = self.plan.subplans.iter().enumerate();
        let run = subplans.filter(|(_, subplan)| !is_nothing(&subplan.node));
        for (at, subplan) in run.clone().filter(|(_, plan)| !plan.is_correlated) {
            inputs.push(self.subplan("InitPlan", format!("InitPlan {}", at + 1), &subplan.node));
        }
        for (id, common) in self.plan.common.iter().enumerate() {
            let name = self.common_name(id).unwrap_or_else(|| (id + 1).to_string());
            inputs.push(self.subplan("InitPlan", format!("CTE {name}"), common));
        }
        inputs.append(&mut shown.inputs);
        for (at, subplan) in run.filter(|(_, plan)| plan.is_correlated) {
            inputs.push(self.subplan("SubPlan", format!("SubPlan {}", at + 1), &subplan.node));
        }
        shown.inputs = inputs;
        shown
    }

    fn subplan(&self, relationship: &'static str, name: String, node: &Arc<Node>) -> (&'static str, Shown) {
        let mut shown = self.node(node);
        related(&mut shown, relationship, Some(&name));
        shown.subplan = Some(name);
        (relationship, shown)
    }

    /// The name of a common table, from whoever reads it.
    fn common_name(&self, id: usize) -> Option<String> {
        let mut found = None;
        let plan = self.plan;
        let nodes = plan.subplans.iter().map(|subplan| &subplan.node).chain(&plan.common);
        for node in nodes.chain([&plan.root]) {
            node.for_each(&mut |node| {
                if let Node::Common { id: read, name, .. } = node
                    && *read == id
                {
                    found = Some(name.clone());
                }
            });
        }
        found
    }

    fn title(&self, node: &Node) -> String {
        let on = relation_of(node).map_or_else(String::new, |(name, schema, alias)| {
            let mut on = quote_identifier(name);
            if self.options.verbose {
                on = format!("{}.{on}", quote_identifier(self.catalog.schema_name(schema)));
            }
            if name != alias {
                on = format!("{on} {}", quote_identifier(alias));
            }
            format!(" on {on}")
        });
        match node {
            Node::Scan(scan) => match &scan.access {
                Some(access) if scan.cursor.is_none() => {
                    let backward = if scan.backward { " Backward" } else { "" };
                    let index = quote_identifier(&scan.table.indexes[access.index].name);
                    format!("Index Scan{backward} using {index}{on}")
                }
                _ => {
                    let backward = if scan.backward { " Backward" } else { "" };
                    let kind = if scan.cursor.is_some() { "Tid Scan" } else { "Seq Scan" };
                    format!("{kind}{backward}{on}")
                }
            },
            Node::Functions { calls, .. } => match calls.as_slice() {
                [CallInFrom { source: CallSource::Set { function, .. }, .. }] => {
                    format!("Function Scan on {}", function.name)
                }
                _ => "Function Scan".to_owned(),
            },
            Node::Values { rows, .. } if rows.len() > 1 => "Values Scan on \"*VALUES*\"".to_owned(),
            Node::NestedLoop { join, .. } => join_title("Nested Loop", *join),
            Node::HashJoin { join, .. } => join_title("Hash Join", *join),
            Node::Aggregate { keys, .. } if keys.items.is_empty() => "Aggregate".to_owned(),
            Node::Aggregate { .. } | Node::Distinct { .. } => "HashAggregate".to_owned(),
            Node::SetOperation { op, all, .. } => {
                let word = if *op == SetOperator::Except { "Except" } else { "Intersect" };
                format!("HashSetOp {word}{}", if *all { " All" } else { "" })
            }
            Node::Working { name, .. } => format!("WorkTable Scan on {name}"),
            Node::Common { name, .. } => format!("CTE Scan on {name}"),
            Node::Insert { .. } => format!("Insert{on}"),
            Node::Update { .. } => format!("Update{on}"),
            Node::Delete { .. } => format!("Delete{on}"),
            other => format!("{}{on}", kind(other).0),
        }
    }

    #[recursive::recursive]
    fn node(&self, node: &Arc<Node>) -> Shown {
        let (mut node, mut measure, mut output) = (node, None::<Measure>, None);
        loop {
            match &**node {
                Node::Measured { input, id } => {
                    let found = self.measured.and_then(|measured| measured.nodes.get(*id)).copied();
                    // Of a projection and what it is shown with, the outer one has the rows and the inner one the filter.
                    measure = measure.or(found).map(|outer| Measure {
                        filtered: found.map_or(0, |inner| inner.filtered),
                        sort: found.and_then(|inner| inner.sort),
                        ..outer
                    });
                    node = input;
                }
                // A projection that only computes shows as its input does.
                Node::Project { input, exprs } if !is_nothing(input) => {
                    output = output.or(Some((exprs, input)));
                    node = input;
                }
                _ => break,
            }
        }
        let (kind, own) = kind(node);
        let mut properties = vec![data("Node Type", Value::Text(kind.to_owned()))];
        let (first, later): (Vec<Property>, Vec<Property>) =
            own.into_iter().partition(|property| FIRST_LABELS.contains(&property.label));
        properties.extend(first);
        properties.push(data("Parallel Aware", Value::Bool(false)));
        properties.push(data("Async Capable", Value::Bool(false)));
        properties.extend(later);
        if let Some((name, schema, alias)) = relation_of(node) {
            properties.push(data("Relation Name", Value::Text(name.to_owned())));
            if self.options.verbose {
                let schema = self.catalog.schema_name(schema).to_owned();
                properties.push(data("Schema", Value::Text(schema)));
            }
            properties.push(data("Alias", Value::Text(alias.to_owned())));
        }
        let mut title = self.title(node);
        if self.options.analyze {
            title.push_str(&self.actual(measure.as_ref(), &mut properties));
        }
        if self.options.verbose {
            let names = match output {
                Some((exprs, input)) => {
                    let names = self.column_names(input);
                    exprs.items.iter().map(|expr| self.expr(expr, &names)).collect()
                }
                None => self.output(node),
            };
            if !names.is_empty() {
                properties.push(line("Output", Value::List(names)));
            }
        }
        self.details(node, measure.as_ref(), &mut properties);
        self.buffers(measure.as_ref(), &mut properties);
        let relationships = ["Outer", "Inner"];
        let is_append = matches!(&**node, Node::Append { .. });
        // What computes without an input is one node.
        let below = node.inputs().into_iter().filter(|input| !is_nothing(input));
        let inputs = below.enumerate().map(|(at, input)| {
            let relationship = if is_append { "Member" } else { relationships[at.min(1)] };
            let mut shown = self.node(input);
            related(&mut shown, relationship, None);
            (relationship, shown)
        });
        Shown { title, subplan: None, properties, inputs: inputs.collect() }
    }

    /// What a run came to: the title's part of it.
    fn actual(&self, measure: Option<&Measure>, properties: &mut Vec<Property>) -> String {
        let measure = measure.copied().unwrap_or_default();
        let has_time = self.options.timing.unwrap_or(true);
        let per_loop = |number: u64| (number + measure.loops / 2).checked_div(measure.loops).unwrap_or(0);
        let (startup, total) = (per_loop(measure.startup_us), per_loop(measure.total_us));
        if has_time {
            properties.push(data("Actual Startup Time", Value::Time(startup)));
            properties.push(data("Actual Total Time", Value::Time(total)));
        }
        properties.push(data("Actual Rows", Value::Integer(per_loop(measure.rows))));
        properties.push(data("Actual Loops", Value::Integer(measure.loops)));
        if measure.loops == 0 {
            return " (never executed)".to_owned();
        }
        let time = match has_time {
            true => format!("time={}..{} ", milliseconds(startup), milliseconds(total)),
            false => String::new(),
        };
        format!(" (actual {time}rows={} loops={})", per_loop(measure.rows), measure.loops)
    }

    fn buffers(&self, measure: Option<&Measure>, properties: &mut Vec<Property>) {
        let Some(measure) = measure.filter(|_| self.options.buffers) else { return };
        properties.push(data("Shared Hit Blocks", Value::Integer(measure.pages.hit)));
        properties.push(data("Shared Read Blocks", Value::Integer(measure.pages.read)));
        properties.push(data("Local Hit Blocks", Value::Integer(measure.local.hit)));
        properties.push(data("Local Read Blocks", Value::Integer(measure.local.read)));
        let text = |name: &str, hit: u64, read: u64| {
            let part = |name: &str, blocks: u64| match blocks {
                0 => String::new(),
                blocks => format!(" {name}={blocks}"),
            };
            (hit + read > 0).then(|| format!("{name}{}{}", part("hit", hit), part("read", read)))
        };
        let shared = text("shared", measure.pages.hit, measure.pages.read);
        let local = text("local", measure.local.hit, measure.local.read);
        let texts: Vec<String> = shared.into_iter().chain(local).collect();
        if !texts.is_empty() {
            properties.push(text_only("Buffers", texts.join(", ")));
        }
        let mut nodes: Vec<_> = measure.pages.read_from().collect();
        nodes.sort_unstable();
        if !nodes.is_empty() {
            let nodes = nodes.into_iter().map(|(node, count)| format!("node {}={count}", node.0));
            properties.push(line("Storage Reads", Value::List(nodes.collect())));
        }
    }

    /// The columns of a node's rows, for VERBOSE.
    fn output(&self, node: &Node) -> Vec<String> {
        match node {
            Node::Scan(scan) => {
                let names = table_names(scan);
                scan.columns.iter().map(|&at| names[at].clone()).collect()
            }
            Node::Project { exprs, .. } => exprs.items.iter().map(|expr| self.expr(expr, &[])).collect(),
            Node::Insert { returning, table, .. }
            | Node::Update { returning, table, .. }
            | Node::Delete { returning, table, .. } => {
                let names: Vec<String> = table.columns.iter().map(|column| column.name.clone()).collect();
                let items = returning.iter().flat_map(|returning| &returning.items);
                items.map(|item| self.expr(item, &names)).collect()
            }
            _ => self.column_names(node),
        }
    }

    fn expr(&self, expr: &Expr, names: &[String]) -> String {
        let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
        // Rows of what is joined have no names of their own here.
        let widest = crate::expression::columns_used(expr).last().map_or(0, |last| last + 1);
        names.resize(names.len().max(widest), "?column?");
        deparse(expr, &names, self.env)
    }

    fn condition(
        &self,
        label: &'static str,
        predicate: Option<&Predicate>,
        names: &[String],
        properties: &mut Vec<Property>,
    ) {
        if let Some(predicate) = predicate {
            properties.push(line(label, Value::Text(self.expr(&predicate.expr, names))));
        }
    }

    fn details(&self, node: &Node, measure: Option<&Measure>, properties: &mut Vec<Property>) {
        let names = self.column_names(node);
        match node {
            Node::Scan(scan) => {
                let names = table_names(scan);
                if let Some(cursor) = &scan.cursor {
                    properties.push(line("TID Cond", Value::Text(format!("CURRENT OF {cursor}"))));
                }
                if let Some(access) = &scan.access {
                    // A partial index may be read whole.
                    let text = self.index_condition(scan, access, &names);
                    properties.extend(text.map(|text| line("Index Cond", Value::Text(text))));
                }
                self.condition("Filter", scan.filter.as_ref(), &names, properties);
                self.removed("Rows Removed by Filter", scan.filter.is_some(), measure, properties);
            }
            Node::System { filter, .. } => {
                self.condition("Filter", filter.as_ref(), &names, properties);
                self.removed("Rows Removed by Filter", filter.is_some(), measure, properties);
            }
            Node::Filter { predicate, .. } => {
                self.condition("Filter", Some(predicate), &names, properties);
                self.removed("Rows Removed by Filter", true, measure, properties);
            }
            Node::NestedLoop { left, right, condition, .. } => {
                let names = self.names_of_both(left, right);
                self.condition("Join Filter", condition.as_ref(), &names, properties);
            }
            Node::HashJoin { left, right, left_keys, right_keys, condition, .. } => {
                let (left_names, right_names) = (self.column_names(left), self.column_names(right));
                let keys = left_keys.items.iter().zip(&right_keys.items).map(|(left, right)| {
                    format!("({} = {})", self.expr(left, &left_names), self.expr(right, &right_names))
                });
                let text = keys.collect::<Vec<_>>().join(" AND ");
                properties.push(line("Hash Cond", Value::Text(text)));
                let names = self.names_of_both(left, right);
                self.condition("Join Filter", condition.as_ref(), &names, properties);
            }
            Node::Sort { keys, .. } => {
                let keys = keys.iter().map(|key| sort_key(key, &names)).collect();
                properties.push(line("Sort Key", Value::List(keys)));
                if let Some(space) = measure.and_then(|measure| measure.sort) {
                    sort_method(space, properties);
                }
            }
            Node::Aggregate { keys, input, .. } if !keys.items.is_empty() => {
                let names = self.column_names(input);
                let keys = keys.items.iter().map(|key| self.expr(key, &names)).collect();
                properties.push(line("Group Key", Value::List(keys)));
            }
            _ => {}
        }
    }

    /// Rows that a filter has taken away; text says nothing of none.
    fn removed(
        &self,
        label: &'static str,
        has_filter: bool,
        measure: Option<&Measure>,
        properties: &mut Vec<Property>,
    ) {
        let Some(measure) = measure.filter(|_| has_filter) else { return };
        let rows = (measure.filtered + measure.loops / 2).checked_div(measure.loops).unwrap_or(0);
        let in_text = rows > 0;
        properties.push(Property { label, value: Value::Integer(rows), in_text, in_data: true });
    }

    fn index_condition(&self, scan: &Scan, access: &IndexAccess, names: &[String]) -> Option<String> {
        let index = &scan.table.indexes[access.index];
        let column = |at: usize| match index.columns.get(at).map(|column| &column.part) {
            // A varchar has no operators of its own.
            Some(KeyPart::Column(column)) if scan.table.columns[*column].type_id == TypeId::VARCHAR => {
                format!("({})::text", names[*column])
            }
            Some(KeyPart::Column(column)) => names[*column].clone(),
            Some(KeyPart::Expression(stored)) => self.expr(stored.expr(), names),
            None => "?".to_owned(),
        };
        let mut parts = Vec::new();
        for (at, value) in access.equal.iter().enumerate() {
            parts.push(format!("({} = {})", column(at), self.expr(&value.expr, names)));
        }
        let next = column(access.equal.len());
        if let Some(any) = &access.any {
            parts.push(format!("({next} = ANY ({}))", self.expr(any, names)));
        }
        for (bound, strict, loose) in [(&access.lower, ">", ">="), (&access.upper, "<", "<=")] {
            if let Some((value, inclusive)) = bound {
                let op = if *inclusive { loose } else { strict };
                parts.push(format!("({next} {op} {})", self.expr(&value.expr, names)));
            }
        }
        match parts.len() {
            0 => None,
            1 => Some(parts.remove(0)),
            _ => Some(format!("({})", parts.join(" AND "))),
        }
    }
}

/// How a sort was done, and where its rows were meanwhile.
fn sort_method(space: SortSpace, properties: &mut Vec<Property>) {
    let (method, kind) = match space.method {
        SortMethod::Memory => ("quicksort", "Memory"),
        SortMethod::FirstRows => ("top-N heapsort", "Memory"),
        SortMethod::Disk => ("external merge", "Disk"),
    };
    let kilobytes = space.bytes.div_ceil(1024);
    properties.push(data("Sort Method", Value::Text(method.to_owned())));
    properties.push(data("Sort Space Used", Value::Integer(kilobytes)));
    properties.push(data("Sort Space Type", Value::Text(kind.to_owned())));
    properties.push(text_only("Sort Method", format!("{method}  {kind}: {kilobytes}kB")));
}

fn is_nothing(node: &Node) -> bool {
    match node {
        Node::Nothing => true,
        Node::Measured { input, .. } => is_nothing(input),
        _ => false,
    }
}

/// Says what a node is to the one above it.
fn related(shown: &mut Shown, relationship: &str, name: Option<&str>) {
    let at = shown.properties.iter().position(|property| property.label == "Parallel Aware");
    let at = at.unwrap_or(shown.properties.len());
    let mut new = vec![data("Parent Relationship", Value::Text(relationship.to_owned()))];
    new.extend(name.map(|name| data("Subplan Name", Value::Text(name.to_owned()))));
    shown.properties.splice(at..at, new);
}

fn sort_key(key: &SortKey, names: &[String]) -> String {
    let mut text = names.get(key.column).cloned().unwrap_or_else(|| format!("column{}", key.column + 1));
    if key.descending {
        text.push_str(" DESC");
    }
    if key.nulls_first != key.descending {
        text.push_str(if key.nulls_first { " NULLS FIRST" } else { " NULLS LAST" });
    }
    text
}
