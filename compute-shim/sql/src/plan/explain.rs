//! EXPLAIN: a plan as text, in the layout of PostgreSQL's.
//!
//! Owns the names of nodes and the lines below them. No costs are shown: there are no statistics to take them from.

use super::{CallInFrom, CallSource, IndexAccess, JoinType, Node, Plan, Predicate, Scan, SortKey};
use crate::catalog::object::KeyPart;
use crate::expression::{Expr, deparse};
use crate::parse::tree::SetOperator;
use hexalog_sql_types::EvalEnv;
use std::sync::Arc;

/// The lines of EXPLAIN's answer.
pub(crate) fn explain(plan: &Plan, env: &EvalEnv<'_>) -> Vec<String> {
    let mut printer = Printer { lines: Vec::new(), env };
    printer.node(&plan.root, 0);
    for (at, common) in plan.common.iter().enumerate() {
        printer.heading(0, &format!("CTE {}", at + 1));
        printer.node(common, 1);
    }
    for (at, subplan) in plan.subplans.iter().enumerate() {
        let word = if subplan.is_correlated { "SubPlan" } else { "InitPlan" };
        printer.heading(0, &format!("{word} {}", at + 1));
        printer.node(&subplan.node, 1);
    }
    printer.lines
}

struct Printer<'a> {
    lines: Vec<String>,
    env: &'a EvalEnv<'a>,
}

/// Column names of a node's rows, as far as they are known; others show as numbers.
fn column_names(node: &Node) -> Vec<String> {
    match node {
        Node::Scan(scan) => {
            let mut names: Vec<String> =
                scan.table.columns.iter().map(|column| column.name.clone()).collect();
            names.resize(node.width(), "identity".to_owned());
            names
        }
        Node::System { table, .. } => table.columns.iter().map(|column| column.name.to_owned()).collect(),
        Node::Filter { input, .. }
        | Node::Materialize { input }
        | Node::Sort { input, .. }
        | Node::Distinct { input, .. }
        | Node::LockRows { input, .. }
        | Node::Limit { input, .. } => column_names(input),
        Node::NestedLoop { left, right, .. } | Node::HashJoin { left, right, .. } => {
            let mut names = column_names(left);
            names.extend(column_names(right));
            names.truncate(node.width());
            names
        }
        _ => (1..=node.width()).map(|number| format!("column{number}")).collect(),
    }
}

fn relation(name: &str, shown: &str) -> String {
    if name == shown { name.to_owned() } else { format!("{name} {shown}") }
}

fn scan_title(scan: &Scan) -> String {
    let on = relation(&scan.table.name, &scan.name);
    if scan.cursor.is_some() {
        return format!("Tid Scan on {on}");
    }
    let backward = if scan.backward { " Backward" } else { "" };
    match &scan.access {
        Some(access) => {
            let index = &scan.table.indexes[access.index].name;
            format!("Index Scan{backward} using {index} on {on}")
        }
        None => format!("Seq Scan{backward} on {on}"),
    }
}

fn join_title(kind: &str, join: JoinType) -> String {
    let word = match join {
        JoinType::Inner => return kind.to_owned(),
        JoinType::Left => "Left",
        JoinType::Full => "Full",
    };
    match kind.strip_suffix(" Join") {
        Some(kind) => format!("{kind} {word} Join"),
        None => format!("{kind} {word} Join"),
    }
}

fn title(node: &Node) -> String {
    match node {
        Node::Nothing | Node::Project { .. } => "Result".to_owned(),
        Node::Values { .. } => "Values Scan".to_owned(),
        Node::Scan(scan) => scan_title(scan),
        Node::System { table, name, .. } => format!("Seq Scan on {}", relation(table.name, name)),
        Node::Functions { calls, .. } => match calls.as_slice() {
            [CallInFrom { source: CallSource::Set { function, .. }, .. }] => {
                format!("Function Scan on {}", function.name)
            }
            _ => "Function Scan".to_owned(),
        },
        Node::Filter { .. } => "Filter".to_owned(),
        Node::ProjectSet { .. } => "ProjectSet".to_owned(),
        Node::Join { .. } => "Join".to_owned(),
        Node::NestedLoop { join, .. } => join_title("Nested Loop", *join),
        Node::HashJoin { join, .. } => join_title("Hash Join", *join),
        Node::Materialize { .. } => "Materialize".to_owned(),
        Node::Aggregate { keys, .. } if keys.items.is_empty() => "Aggregate".to_owned(),
        Node::Aggregate { .. } => "HashAggregate".to_owned(),
        Node::Window { .. } => "WindowAgg".to_owned(),
        Node::Sort { .. } => "Sort".to_owned(),
        Node::Distinct { .. } => "HashAggregate".to_owned(),
        Node::Limit { .. } => "Limit".to_owned(),
        Node::LockRows { .. } => "LockRows".to_owned(),
        Node::Append { .. } => "Append".to_owned(),
        Node::SetOperation { op, all, .. } => {
            let word = if *op == SetOperator::Except { "Except" } else { "Intersect" };
            format!("HashSetOp {word}{}", if *all { " All" } else { "" })
        }
        Node::Recursive { .. } => "Recursive Union".to_owned(),
        Node::Working { name, .. } => format!("WorkTable Scan on {name}"),
        Node::Common { name, .. } => format!("CTE Scan on {name}"),
        Node::Insert { table, .. } => format!("Insert on {}", table.name),
        Node::Update { table, .. } => format!("Update on {}", table.name),
        Node::Delete { table, .. } => format!("Delete on {}", table.name),
    }
}

impl Printer<'_> {
    fn heading(&mut self, depth: usize, text: &str) {
        self.lines.push(format!("{}{text}", "  ".repeat(depth * 3 + 1)));
    }

    /// PostgreSQL's indentation: an arrow before each node but the first.
    fn node(&mut self, node: &Arc<Node>, depth: usize) {
        // A projection that only computes shows as its input does.
        if let Node::Project { input, .. } = &**node
            && !matches!(&**input, Node::Nothing)
        {
            return self.node(input, depth);
        }
        let prefix = match depth {
            0 => String::new(),
            depth => format!("{}->  ", " ".repeat(depth * 6 - 4)),
        };
        self.lines.push(format!("{prefix}{}", title(node)));
        self.details(node, depth);
        for input in node.inputs() {
            self.node(input, depth + 1);
        }
    }

    fn detail(&mut self, depth: usize, label: &str, text: &str) {
        let indent = if depth == 0 { 2 } else { depth * 6 + 2 };
        self.lines.push(format!("{}{label}: {text}", " ".repeat(indent)));
    }

    fn expr(&self, expr: &Expr, names: &[String]) -> String {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        deparse(expr, &names, self.env)
    }

    fn predicate(&mut self, depth: usize, label: &str, predicate: Option<&Predicate>, names: &[String]) {
        if let Some(predicate) = predicate {
            let text = self.expr(&predicate.expr, names);
            self.detail(depth, label, &text);
        }
    }

    fn details(&mut self, node: &Node, depth: usize) {
        let names = column_names(node);
        match node {
            Node::Scan(scan) => {
                if let Some(cursor) = &scan.cursor {
                    self.detail(depth, "TID Cond", &format!("CURRENT OF {cursor}"));
                }
                if let Some(access) = &scan.access {
                    // A partial index may be read whole.
                    if let Some(text) = self.index_condition(scan, access, &names) {
                        self.detail(depth, "Index Cond", &text);
                    }
                }
                self.predicate(depth, "Filter", scan.filter.as_ref(), &names);
            }
            Node::System { filter, .. } => self.predicate(depth, "Filter", filter.as_ref(), &names),
            Node::Filter { predicate, .. } => self.predicate(depth, "Filter", Some(predicate), &names),
            Node::NestedLoop { condition, .. } => {
                self.predicate(depth, "Join Filter", condition.as_ref(), &names)
            }
            Node::HashJoin { left, right, left_keys, right_keys, condition, .. } => {
                let (left_names, right_names) = (column_names(left), column_names(right));
                let keys = left_keys.items.iter().zip(&right_keys.items).map(|(left, right)| {
                    format!("({} = {})", self.expr(left, &left_names), self.expr(right, &right_names))
                });
                let text = keys.collect::<Vec<_>>().join(" AND ");
                self.detail(depth, "Hash Cond", &text);
                self.predicate(depth, "Join Filter", condition.as_ref(), &names);
            }
            Node::Sort { keys, .. } => {
                let text = keys.iter().map(|key| sort_key(key, &names)).collect::<Vec<_>>().join(", ");
                self.detail(depth, "Sort Key", &text);
            }
            Node::Aggregate { keys, input, .. } if !keys.items.is_empty() => {
                let names = column_names(input);
                let text = keys.items.iter().map(|key| self.expr(key, &names)).collect::<Vec<_>>().join(", ");
                self.detail(depth, "Group Key", &text);
            }
            _ => {}
        }
    }

    fn index_condition(&self, scan: &Scan, access: &IndexAccess, names: &[String]) -> Option<String> {
        let index = &scan.table.indexes[access.index];
        let column = |at: usize| match index.columns.get(at).map(|column| &column.part) {
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
