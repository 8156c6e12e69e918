//! Queries: joins, grouping, windows, set operations, subqueries, common tables.

use crate::expression::{Expressions, Named, Scope};
use crate::form;
use crate::random::Random;
use crate::schema::{Column, Table, Type};

/// A query's text.
pub struct Query {
    /// The statement.
    pub text: String,
    /// Types of its columns.
    pub kinds: Vec<Type>,
    /// Whether it orders by all of them: then its rows come in one order alone.
    pub is_ordered: bool,
}

/// Draws queries over the tables of a script.
pub struct Queries<'a> {
    /// All tables.
    pub tables: &'a [Table],
}

/// A FROM clause and what can be named with it.
struct From {
    text: String,
    scope: Scope,
}

pub(crate) fn columns_of(table: &Table, alias: &str) -> Scope {
    let named = |column: &Column| Named { text: format!("{alias}.{}", column.name), kind: column.kind };
    table.columns.iter().map(named).collect()
}

impl Queries<'_> {
    /// A whole query, perhaps ordered and cut.
    pub fn draw(&self, random: &mut Random) -> Query {
        if random.one_in(3) {
            return form::draw(self.tables, random);
        }
        let outer = Scope::new();
        let (with, common) = self.common_tables(random);
        let (body, kinds) = match random.below(6) {
            0 => self.set_operation(&outer, &common, random),
            _ => self.select(&outer, &common, 2, random),
        };
        let mut text = format!("{with}{body}");
        // 1 and 1.0, 0 and -0, 1 day and 24 hours: equal, and printed apart.
        let prints_apart =
            |kind: &Type| matches!(kind, Type::Float8 | Type::Numeric | Type::Interval | Type::Jsonb);
        let can_order = !kinds.iter().any(prints_apart);
        let is_ordered = !kinds.is_empty() && random.one_in(2);
        if is_ordered {
            text += &order_by_all(kinds.len(), random);
            // Of rows that compare equal and print apart, which is cut off is no one's business.
            if can_order && random.one_in(2) {
                let (rows, passed) = (random.below(8), random.below(4));
                text += &match random.below(5) {
                    0 | 1 => format!(" limit {rows}"),
                    2 => format!(" limit {rows} offset {passed}"),
                    3 => format!(" fetch first {rows} rows only"),
                    _ => format!(" offset {passed} rows fetch next {rows} rows only"),
                };
            }
        }
        Query { text, kinds, is_ordered: is_ordered && can_order }
    }

    fn common_tables(&self, random: &mut Random) -> (String, Vec<Table>) {
        if !random.one_in(6) {
            return (String::new(), Vec::new());
        }
        if random.one_in(3) {
            let text = "with recursive w(n, s) as (select 1, 'a'::text union all select n + 1, s || n from w where n < 6) ";
            let columns = vec![Column::new("n", Type::Int4), Column::new("s", Type::Text)];
            let table =
                Table { name: "w".into(), columns, key_columns: 0, unique: None, is_deferrable: false };
            return (text.into(), vec![table]);
        }
        let (body, kinds) = self.select(&Scope::new(), &[], 1, random);
        let columns: Vec<Column> =
            kinds.iter().enumerate().map(|(index, kind)| Column::new(format!("w{index}"), *kind)).collect();
        let names: Vec<&str> = columns.iter().map(|column| &*column.name).collect();
        let kept = random.pick(&["", "materialized ", "not materialized "]);
        let text = format!("with w({}) as {kept}({body}) ", names.join(", "));
        (text, vec![Table { name: "w".into(), columns, key_columns: 0, unique: None, is_deferrable: false }])
    }

    fn set_operation(&self, outer: &Scope, common: &[Table], random: &mut Random) -> (String, Vec<Type>) {
        let kinds: Vec<Type> = (0..random.within(1, 3)).map(|_| *random.pick(KEYS)).collect();
        let mut text = self.select_of(outer, common, &kinds, random);
        for _ in 0..random.within(1, 2) {
            let operation =
                random.pick(&["union", "union all", "intersect", "except", "except all", "intersect all"]);
            let right = self.select_of(outer, common, &kinds, random);
            text = match random.below(4) {
                0 => format!("({text}) {operation} ({right})"),
                1 => format!("{text} {operation} ({right} {operation} {right})"),
                _ => format!("{text} {operation} {right}"),
            };
        }
        (text, kinds)
    }

    /// A plain SELECT of these types.
    fn select_of(&self, outer: &Scope, common: &[Table], kinds: &[Type], random: &mut Random) -> String {
        let from = self.from(outer, common, random);
        let mut scope = from.scope;
        scope.extend_from_slice(outer);
        let expressions = Expressions { scope: &scope };
        let list: Vec<String> = kinds.iter().map(|kind| expressions.of(*kind, 1, random)).collect();
        let filter = if random.one_in(2) {
            format!(" where {}", expressions.of(Type::Bool, 2, random))
        } else {
            String::new()
        };
        format!("select {}{}{filter}", list.join(", "), from.text)
    }

    /// A SELECT of whatever kind; `depth` bounds its expressions.
    fn select(
        &self,
        outer: &Scope,
        common: &[Table],
        depth: usize,
        random: &mut Random,
    ) -> (String, Vec<Type>) {
        let from = self.from(outer, common, random);
        let mut scope = from.scope.clone();
        scope.extend_from_slice(outer);
        let filter = match random.below(5) {
            0 | 1 => format!(" where {}", Expressions { scope: &scope }.of(Type::Bool, depth, random)),
            2 => format!(" where {}", self.subquery_condition(&scope, random)),
            _ => String::new(),
        };
        if !from.scope.is_empty() && random.one_in(4) {
            return self.grouped(&from, &scope, &filter, random);
        }
        if !from.scope.is_empty() && random.one_in(5) {
            let draw = if random.one_in(2) { windowed } else { framed };
            return draw(&from, &scope, &filter, random);
        }
        if !from.scope.is_empty() && random.one_in(8) {
            return first_of_each(&from, &scope, &filter, random);
        }
        let expressions = Expressions { scope: &scope };
        let mut list = Vec::new();
        let mut kinds = Vec::new();
        for _ in 0..random.within(1, 4) {
            if random.one_in(8) {
                list.push(self.scalar_subquery(&scope, random));
                kinds.push(Type::Int8);
                continue;
            }
            let (text, kind) = expressions.any(depth, random);
            list.push(text);
            kinds.push(kind);
        }
        let is_comparable = kinds.iter().all(|kind| KEYS.contains(kind) || *kind == Type::Int8);
        let distinct = if is_comparable && random.one_in(5) { "distinct " } else { "" };
        (format!("select {distinct}{}{}{filter}", list.join(", "), from.text), kinds)
    }

    fn from(&self, outer: &Scope, common: &[Table], random: &mut Random) -> From {
        if random.one_in(12) {
            return From { text: String::new(), scope: Scope::new() };
        }
        let prefix = if outer.is_empty() { "a" } else { "s" };
        let mut from = self.source(&format!("{prefix}0"), common, random);
        from.text = format!(" from {}", from.text);
        for number in 1..=random.below(3) {
            let right = self.source(&format!("{prefix}{number}"), common, random);
            let join = *random.pick(&["join", "left join", "right join", "full join", "cross join", "join"]);
            let on = self.join_condition(&from.scope, &right.scope, join, random);
            from.text += &format!(" {join} {}{on}", right.text);
            from.scope.extend(right.scope);
        }
        from
    }

    fn source(&self, alias: &str, common: &[Table], random: &mut Random) -> From {
        match random.below(10) {
            0 => {
                let table = random.pick(self.tables);
                let filter = Expressions { scope: &columns_of(table, "i") }.of(Type::Bool, 1, random);
                let scope = columns_of(table, alias);
                From { text: format!("(select * from {} i where {filter}) {alias}", table.name), scope }
            }
            1 => {
                let scope = vec![Named { text: format!("{alias}.n"), kind: Type::Int4 }];
                From { text: format!("generate_series(-1, {}) {alias}(n)", random.below(5)), scope }
            }
            2 => {
                let scope = vec![
                    Named { text: format!("{alias}.x"), kind: Type::Int4 },
                    Named { text: format!("{alias}.y"), kind: Type::Text },
                ];
                From {
                    text: format!("(values (1, 'a'), (2, null), (null, 'abc'), (3, 'b')) {alias}(x, y)"),
                    scope,
                }
            }
            3 | 4 if !common.is_empty() => {
                From { text: format!("{} {alias}", common[0].name), scope: columns_of(&common[0], alias) }
            }
            _ => {
                let table = random.pick(self.tables);
                From { text: format!("{} {alias}", table.name), scope: columns_of(table, alias) }
            }
        }
    }

    fn join_condition(&self, left: &Scope, right: &Scope, join: &str, random: &mut Random) -> String {
        if join == "cross join" {
            return String::new();
        }
        let pairs: Vec<(&Named, &Named)> = left
            .iter()
            .flat_map(|l| right.iter().filter(|r| r.kind == l.kind && r.kind.is_key()).map(move |r| (l, r)))
            .collect();
        let equal = match pairs.is_empty() {
            true => "true".to_owned(),
            false => {
                let (l, r) = random.pick(&pairs);
                format!("{} = {}", l.text, r.text)
            }
        };
        // A full join needs a condition that can be merged or hashed.
        if join == "full join" || !random.one_in(4) {
            return format!(" on {equal}");
        }
        let both: Scope = left.iter().chain(right).cloned().collect();
        let more = Expressions { scope: &both }.of(Type::Bool, 1, random);
        format!(" on {equal} and {more}")
    }

    fn subquery_condition(&self, scope: &Scope, random: &mut Random) -> String {
        let kind = *random.pick(&[Type::Int4, Type::Text]);
        let value = Expressions { scope }.of(kind, 1, random);
        match random.below(5) {
            0 => format!("exists ({})", self.select_of(scope, &[], &[Type::Int4], random)),
            1 => format!("not exists ({})", self.select_of(scope, &[], &[Type::Int4], random)),
            2 => format!("{value} in ({})", self.select_of(scope, &[], &[kind], random)),
            3 => format!("{value} not in ({})", self.select_of(scope, &[], &[kind], random)),
            _ => {
                let operator = random.pick(&["< any", ">= all", "= any", "<> all"]);
                format!("{value} {operator} ({})", self.select_of(scope, &[], &[kind], random))
            }
        }
    }

    fn scalar_subquery(&self, scope: &Scope, random: &mut Random) -> String {
        let table = random.pick(self.tables);
        let mut inner = columns_of(table, "q");
        inner.extend_from_slice(scope);
        let filter = Expressions { scope: &inner }.of(Type::Bool, 1, random);
        format!("(select count(*) from {} q where {filter})", table.name)
    }

    fn grouped(&self, from: &From, scope: &Scope, filter: &str, random: &mut Random) -> (String, Vec<Type>) {
        let keys: Vec<&Named> = from.scope.iter().filter(|named| named.kind.is_key()).collect();
        let mut list = Vec::new();
        let mut kinds = Vec::new();
        let mut group = Vec::new();
        for _ in 0..random.below(3) {
            if let Some(key) = (!keys.is_empty()).then(|| *random.pick(&keys)) {
                list.push(key.text.clone());
                kinds.push(key.kind);
                group.push(key.text.clone());
            }
        }
        let expressions = Expressions { scope };
        for _ in 0..random.within(1, 3) {
            let (text, kind) = aggregate(&expressions, random);
            let is_filtered = random.one_in(5);
            let only = if is_filtered {
                format!(" filter (where {})", expressions.of(Type::Bool, 1, random))
            } else {
                String::new()
            };
            list.push(format!("{text}{only}"));
            kinds.push(kind);
        }
        let mut text = format!("select {}{}{filter}", list.join(", "), from.text);
        if !group.is_empty() {
            text += &format!(" group by {}", group.join(", "));
        }
        if random.one_in(4) {
            text += &format!(" having count(*) {} {}", random.pick(&[">", "<", "=", ">="]), random.below(4));
        }
        (text, kinds)
    }
}

/// Types that group, sort and compare, and print the same when they are equal.
const KEYS: &[Type] = &[Type::Int4, Type::Text, Type::Date, Type::Int2, Type::Bool, Type::Uuid, Type::Int8];

pub(crate) fn order_by_all(count: usize, random: &mut Random) -> String {
    let mut ordinals: Vec<usize> = (1..=count).collect();
    for at in (1..count).rev() {
        ordinals.swap(at, random.below(at + 1));
    }
    let keys = ordinals.iter().map(|ordinal| {
        let order = random.pick(&["", " desc", " nulls first", " desc nulls last", " asc"]);
        format!("{ordinal}{order}")
    });
    format!(" order by {}", keys.collect::<Vec<_>>().join(", "))
}

fn aggregate(expressions: &Expressions<'_>, random: &mut Random) -> (String, Type) {
    let of = |kind, random: &mut Random| expressions.of(kind, 1, random);
    match random.below(14) {
        0 => ("count(*)".into(), Type::Int8),
        1 => (format!("count({})", expressions.any(1, random).0), Type::Int8),
        2 => (format!("count(distinct {})", of(Type::Int4, random)), Type::Int8),
        3 => (format!("sum(({}) % 1000)", of(Type::Int4, random)), Type::Int8),
        4 => (format!("sum({})", of(Type::Numeric, random)), Type::Numeric),
        5 => (format!("avg({})", of(Type::Int4, random)), Type::Numeric),
        6 => (format!("min({})", of(Type::Text, random)), Type::Text),
        7 => (format!("max({})", of(Type::Int4, random)), Type::Int4),
        8 => (format!("max({})", of(Type::Date, random)), Type::Date),
        9 => (format!("bool_and({})", of(Type::Bool, random)), Type::Bool),
        10 => (format!("bool_or({})", of(Type::Bool, random)), Type::Bool),
        11 => {
            let text = of(Type::Text, random);
            (format!("string_agg({text}, ',' order by {text})"), Type::Text)
        }
        12 => {
            let text = of(Type::Int4, random);
            (format!("array_agg({text} order by {text} desc)"), Type::Int4Array)
        }
        _ => (format!("bit_or({})", of(Type::Int4, random)), Type::Int4),
    }
}

/// Window functions of rows in an order that tells all rows apart that differ in what is shown or computed from.
fn framed(from: &From, scope: &Scope, filter: &str, random: &mut Random) -> (String, Vec<Type>) {
    let keys: Vec<&Named> = from.scope.iter().filter(|named| named.kind.is_key()).collect();
    if keys.is_empty() {
        return windowed(from, scope, filter, random);
    }
    let value = format!("(({}) % 1000)", Expressions { scope }.of(Type::Int4, 1, random));
    let (partition, order) = (*random.pick(&keys), *random.pick(&keys));
    let direction = random.pick(&["", " desc", " nulls first", " desc nulls last"]);
    let over = format!("partition by {} order by {}{direction}, {value}", partition.text, order.text);
    let bounds = [
        "rows between 1 preceding and 1 following",
        "rows between 2 preceding and 1 preceding",
        "rows between 1 following and 3 following",
        "rows between unbounded preceding and 1 preceding",
        "rows between current row and unbounded following",
        "rows 1 preceding",
        "groups between 1 following and 2 following",
        "groups between unbounded preceding and unbounded following",
        "rows between 0 preceding and 0 following",
        "range unbounded preceding",
    ];
    let exclusion = random.pick(&[
        "",
        "",
        " exclude current row",
        " exclude ties",
        " exclude group",
        " exclude no others",
    ]);
    let frame = format!("{}{exclusion}", random.pick(&bounds));
    let (function, kind) = match random.below(12) {
        0 => (format!("sum({value}) over ({over} {frame})"), Type::Int8),
        1 => (format!("count({value}) over ({over} {frame})"), Type::Int8),
        2 => (format!("min({value}) over ({over} {frame})"), Type::Int4),
        3 => (format!("first_value({value}) over ({over} {frame})"), Type::Int4),
        4 => (format!("last_value({value}) over ({over} {frame})"), Type::Int4),
        5 => (format!("nth_value({value}, 2) over ({over} {frame})"), Type::Int4),
        6 => (format!("lag({value}, 2, -1) over ({over})"), Type::Int4),
        7 => (format!("lead({value}) over ({over})"), Type::Int4),
        8 => (format!("row_number() over ({over})"), Type::Int8),
        9 => (format!("ntile(3) over ({over})"), Type::Int4),
        10 => (format!("array_agg({value}) over ({over} {frame})"), Type::Int4Array),
        _ => (format!("sum({value}) filter (where {value} > 0) over ({over} {frame})"), Type::Int8),
    };
    let text = format!("select {}, {}, {value}, {function}{}{filter}", partition.text, order.text, from.text);
    (text, vec![partition.kind, order.kind, Type::Int4, kind])
}

/// DISTINCT ON, whose order leaves no choice of what is shown.
fn first_of_each(from: &From, scope: &Scope, filter: &str, random: &mut Random) -> (String, Vec<Type>) {
    let keys: Vec<&Named> = from.scope.iter().filter(|named| named.kind.is_key()).collect();
    if keys.is_empty() {
        return windowed(from, scope, filter, random);
    }
    let (key, value) = (*random.pick(&keys), Expressions { scope }.of(Type::Text, 1, random));
    let direction = random.pick(&["", " desc", " nulls first"]);
    let text = format!(
        "select * from (select distinct on ({0}) {0}, {value}{1}{filter} order by {0}{direction}, 2) x",
        key.text, from.text
    );
    (text, vec![key.kind, Type::Text])
}

/// Window functions over an order that is total but for rows that are equal in all that is asked.
fn windowed(from: &From, scope: &Scope, filter: &str, random: &mut Random) -> (String, Vec<Type>) {
    let keys: Vec<String> =
        from.scope.iter().filter(|named| named.kind.is_key()).map(|named| named.text.clone()).collect();
    let expressions = Expressions { scope };
    if keys.is_empty() {
        return (format!("select count(*) over (){}{filter}", from.text), vec![Type::Int8]);
    }
    let partition =
        if random.one_in(2) { format!("partition by {} ", random.pick(&keys)) } else { String::new() };
    let order = random.pick(&keys);
    let direction = random.pick(&["", " desc", " nulls first"]);
    let value = format!("(({}) % 1000)", expressions.of(Type::Int4, 1, random));
    // What depends on the place among peers alone has one answer: ranks, and sums over whole peer groups.
    let (function, frame, kind) = match random.below(8) {
        0 => ("rank()".to_owned(), "", Type::Int8),
        1 => ("dense_rank()".to_owned(), "", Type::Int8),
        2 => ("percent_rank()".to_owned(), "", Type::Float8),
        3 => ("cume_dist()".to_owned(), "", Type::Float8),
        4 => (format!("sum({value})"), "", Type::Int8),
        5 => (format!("count({value})"), " range between unbounded preceding and current row", Type::Int8),
        6 => (format!("max({value})"), " groups between 1 preceding and 1 following", Type::Int4),
        _ => (
            format!("sum({value})"),
            " range between current row and unbounded following exclude group",
            Type::Int8,
        ),
    };
    let text = format!(
        "select {order}, {function} over ({partition}order by {order}{direction}{frame}){}{filter}",
        from.text
    );
    let order_kind = from.scope.iter().find(|named| named.text == *order).expect("it was chosen there").kind;
    (text, vec![order_kind, kind])
}
