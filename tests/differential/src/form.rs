//! Whole queries of one form each: LATERAL, recursion, ranges of windows, sets of sets, rows compared with rows, aggregates
//! with an order of their own. What [`crate::query`] joins and nests at random is left simple in them.

use crate::expression::{Expressions, Named, Scope};
use crate::query::{Query, columns_of, order_by_all};
use crate::random::Random;
use crate::schema::{Table, Type};

/// A query of some form over the tables.
pub fn draw(tables: &[Table], random: &mut Random) -> Query {
    let [first, second] = [(); 2].map(|()| random.pick(tables));
    let forms = Forms { first, second, a: columns_of(first, "a"), b: columns_of(second, "b") };
    match random.below(10) {
        0 | 1 => forms.lateral(random),
        2 | 3 => forms.lateral_function(random),
        4 => forms.recursive(random),
        5 => forms.range_window(random),
        6 => forms.named_window(random),
        7 => forms.sets(random),
        8 => forms.rows(random),
        _ => forms.aggregates(random),
    }
}

struct Forms<'a> {
    first: &'a Table,
    second: &'a Table,
    a: Scope,
    b: Scope,
}

fn unordered(text: String, kinds: &[Type]) -> Query {
    Query { text, kinds: kinds.to_vec(), is_ordered: false }
}

fn of(scope: &Scope, kind: Type, random: &mut Random) -> String {
    Expressions { scope }.of(kind, 1, random)
}

fn small(scope: &Scope, random: &mut Random) -> String {
    format!("(({}) % 1000)", of(scope, Type::Int4, random))
}

impl Forms<'_> {
    fn both(&self) -> Scope {
        self.a.iter().chain(&self.b).cloned().collect()
    }

    /// A column of `a` that prints the same when it is equal, or a constant.
    fn key(&self, random: &mut Random) -> Named {
        let keys: Vec<&Named> = self.a.iter().filter(|named| named.kind.is_key()).collect();
        match keys.is_empty() {
            true => Named { text: "7".into(), kind: Type::Int4 },
            false => (*random.pick(&keys)).clone(),
        }
    }

    fn lateral(&self, random: &mut Random) -> Query {
        let (both, key) = (self.both(), self.key(random));
        let (x, y) = (of(&both, Type::Int4, random), of(&both, Type::Text, random));
        let filter = of(&both, Type::Bool, random);
        let inner = match random.below(3) {
            0 => format!(
                "select {x} x, {y} y from {} b where {filter} order by 1 nulls first, 2 desc limit {}",
                self.second.name,
                random.within(1, 3)
            ),
            1 => format!("select count(*)::integer x, max({y}) y from {} b where {filter}", self.second.name),
            _ => {
                format!("select {x} x, {y} y from {} b where {filter} union select 1, 'a'", self.second.name)
            }
        };
        let (join, on) = *random.pick(&[
            ("cross join", ""),
            ("left join", " on true"),
            ("join", " on l.x is not null"),
            (",", ""),
            ("left join", " on l.x = 1"),
        ]);
        let text = format!(
            "select {}, l.x, l.y from {} a {join} lateral ({inner}) l{on}",
            key.text, self.first.name
        );
        unordered(text, &[key.kind, Type::Int4, Type::Text])
    }

    fn lateral_function(&self, random: &mut Random) -> Query {
        let key = self.key(random);
        let (int4, text, array) =
            (small(&self.a, random), of(&self.a, Type::Text, random), of(&self.a, Type::Int4Array, random));
        let json = of(&self.a, Type::Jsonb, random);
        let (function, list) = match random.below(8) {
            0 => (format!("generate_series(1, {int4} % 4) l(x)"), "l.x"),
            1 => (format!("unnest({array}) with ordinality l(x, y)"), "l.x, l.y"),
            2 => (format!("unnest({array}, string_to_array({text}, ',')) l(x, y)"), "l.x, l.y"),
            3 => (format!("regexp_split_to_table({text}, ',') l(x)"), "l.x"),
            4 => (format!("rows from (generate_series(1, 2), unnest({array})) l(x, y)"), "l.x, l.y"),
            5 => (format!("jsonb_path_query({json}, '$.*') l(x)"), "l.x::text"),
            6 => (format!("generate_subscripts({array}, 1) l(x)"), "l.x"),
            _ => (
                format!("jsonb_array_elements(case jsonb_typeof({json}) when 'array' then {json} end) l(x)"),
                "l.x::text",
            ),
        };
        let (join, on) = *random.pick(&[("cross join", ""), ("left join", " on true"), (",", "")]);
        let filter = if random.one_in(3) {
            format!(" where {}", of(&self.a, Type::Bool, random))
        } else {
            String::new()
        };
        let text = format!(
            "select {}, {list} from {} a {join} lateral {function}{on}{filter}",
            key.text, self.first.name
        );
        unordered(text, &[key.kind])
    }

    fn recursive(&self, random: &mut Random) -> Query {
        let mut scope: Scope = self.b.clone();
        scope.push(Named { text: "r.k".into(), kind: Type::Int4 });
        scope.push(Named { text: "r.s".into(), kind: Type::Text });
        let (k, s) = (small(&self.a, random), of(&self.a, Type::Text, random));
        let (next_k, next_s) = (small(&scope, random), of(&scope, Type::Text, random));
        let filter = of(&scope, Type::Bool, random);
        let source = match random.below(3) {
            0 => format!("r join {} b on {filter}", self.second.name),
            1 => format!("{} b join r on true and {filter}", self.second.name),
            _ => format!("r, {} b where {filter} and true", self.second.name),
        };
        let bound = if source.contains(" where ") { "and d < 2" } else { "where d < 2" };
        let last = *random.pick(&[
            "select k, s, d from r",
            "select max(k), min(s), d from r group by d",
            "select distinct k, s, 0 from r",
        ]);
        let text = format!(
            "with recursive r(k, s, d) as (select {k}, left({s}, 3), 0 from {} a union select {next_k}, left({next_s}, 3), d + 1 from {source} {bound}) {last}",
            self.first.name
        );
        unordered(text, &[Type::Int4, Type::Text, Type::Int4])
    }

    /// Frames by distances of values: equal rows have equal frames.
    fn range_window(&self, random: &mut Random) -> Query {
        let value = small(&self.a, random);
        let bounds: &[(Type, &[&str])] = &[
            (Type::Int4, &["0", "1", "10", "2147483647"]),
            (Type::Int8, &["1", "100", "9223372036854775807"]),
            (Type::Int2, &["1", "32767"]),
            (Type::Numeric, &["0.5", "1e3", "0"]),
            (Type::Float8, &["0.5", "1e300", "'Infinity'::double precision"]),
            (Type::Date, &["interval '1 day'", "interval '1 month 2 days'", "interval '0'"]),
            (Type::Timestamp, &["interval '1 year'", "interval '12 hours'"]),
            (Type::Interval, &["interval '1 day'", "interval '1 month'"]),
        ];
        let (kind, distances) = random.pick(bounds);
        let order = of(&self.a, *kind, random);
        let direction = *random.pick(&["", " desc", " nulls first", " desc nulls last"]);
        let [begin, end] = [(); 2].map(|()| *random.pick(distances));
        let frame = match random.below(5) {
            0 => format!("between {begin} preceding and {end} following"),
            1 => format!("between {begin} preceding and current row"),
            2 => format!("between current row and {end} following"),
            3 => format!("between unbounded preceding and {end} preceding"),
            _ => format!("between {begin} following and unbounded following"),
        };
        let exclusion = *random.pick(&["", "", " exclude group"]);
        let function = *random.pick(&["sum", "count", "min", "max"]);
        let text = format!(
            "select {value}, {function}({value}) over (order by {order}{direction} range {frame}{exclusion}) from {} a",
            self.first.name
        );
        unordered(text, &[Type::Int4, Type::Int8])
    }

    fn named_window(&self, random: &mut Random) -> Query {
        let (key, other, value) = (self.key(random), self.key(random), small(&self.a, random));
        let direction = *random.pick(&["", " desc", " nulls first"]);
        let text = match random.below(3) {
            0 => format!(
                "select {0}, rank() over w, count(*) over (w range unbounded preceding), sum({value}) over p from {1} a window p as (partition by {2}), w as (p order by {0}{direction})",
                key.text, self.first.name, other.text
            ),
            1 => format!(
                "select {0}, count(*), sum(count(*)) over (order by {0}{direction}), rank() over (order by count(*), {0}) from {1} a group by {0}",
                key.text, self.first.name
            ),
            _ => format!(
                "select * from (select {0} k, row_number() over (partition by {0} order by {value}{direction}) n, max({value}) over (partition by {0}) from {1} a) x where n <= {2}",
                key.text,
                self.first.name,
                random.within(1, 2)
            ),
        };
        unordered(text, &[key.kind, Type::Int8, Type::Int8])
    }

    fn sets(&self, random: &mut Random) -> Query {
        let kinds = *random.pick(&[
            [Type::Int2, Type::Int4, Type::Int8],
            [Type::Int4, Type::Int8, Type::Int2],
            [Type::Text, Type::Varchar, Type::Text],
            [Type::Date, Type::Timestamp, Type::Date],
            [Type::Int8, Type::Int4, Type::Int4],
        ]);
        let select = |(index, kind): (usize, &Type), random: &mut Random| {
            let (scope, name, alias) =
                if index == 1 { (&self.b, &self.second.name, "b") } else { (&self.a, &self.first.name, "a") };
            let value = of(scope, *kind, random);
            match random.below(4) {
                0 => format!(
                    "(select {value} from {name} {alias} order by 1{} limit {})",
                    random.pick(&["", " desc", " nulls first"]),
                    random.below(4)
                ),
                1 => format!("(values ({}), (null), ({}))", kind.literal(random), kind.literal(random)),
                2 => format!("select distinct {value} from {name} {alias}"),
                _ => format!("select {value} from {name} {alias}"),
            }
        };
        let parts: Vec<String> = kinds.iter().enumerate().map(|part| select(part, random)).collect();
        let [one, two] = [(); 2].map(|()| {
            *random.pick(&["union", "union all", "intersect", "except", "except all", "intersect all"])
        });
        let text = match random.below(3) {
            0 => format!("({} {one} {}) {two} {}", parts[0], parts[1], parts[2]),
            1 => format!("{} {one} ({} {two} {})", parts[0], parts[1], parts[2]),
            _ => format!("{} {one} {} {two} {}", parts[0], parts[1], parts[2]),
        };
        let is_ordered = random.one_in(2);
        let order = if is_ordered { order_by_all(1, random) } else { String::new() };
        Query { text: text + &order, kinds: vec![kinds[0]], is_ordered }
    }

    fn rows(&self, random: &mut Random) -> Query {
        let key = self.key(random);
        let [(x, kind_x), (y, kind_y)] = [(); 2].map(|()| {
            let kind = *random.pick(&[Type::Int4, Type::Text, Type::Date, Type::Int8]);
            (of(&self.a, kind, random), kind)
        });
        let (to_x, to_y) = (of(&self.b, kind_x, random), of(&self.b, kind_y, random));
        let filter = of(&self.both(), Type::Bool, random);
        let query = format!("select {to_x}, {to_y} from {} b where {filter}", self.second.name);
        let condition = match random.below(7) {
            0 => format!("({x}, {y}) in ({query})"),
            1 => format!("({x}, {y}) not in ({query})"),
            2 => format!("({x}, {y}) = any ({query})"),
            3 => format!("({x}, {y}) <> all ({query})"),
            4 => format!(
                "({x}, {y}) = (select min({to_x}), max({to_y}) from {} b where {filter})",
                self.second.name
            ),
            5 => format!("({x}, {y}) < ({}, {})", kind_x.literal(random), kind_y.literal(random)),
            _ => format!(
                "({x}, {y}) in (({}, {}), ({}, null))",
                kind_x.literal(random),
                kind_y.literal(random),
                kind_x.literal(random)
            ),
        };
        let text = format!("select {}, {condition} from {} a", key.text, self.first.name);
        unordered(text, &[key.kind, Type::Bool])
    }

    fn aggregates(&self, random: &mut Random) -> Query {
        let key = self.key(random);
        let (int4, text, filter) =
            (small(&self.a, random), of(&self.a, Type::Text, random), of(&self.a, Type::Bool, random));
        let aggregate = match random.below(12) {
            0 => format!("string_agg(distinct {text}, ',')"),
            1 => format!("array_agg(distinct {int4})"),
            2 => format!("count(distinct ({int4}, {text}))"),
            3 => format!("percentile_disc(0.5) within group (order by {int4})"),
            4 => format!("percentile_cont(array[0.25, 0.5]) within group (order by {int4})"),
            5 => format!("mode() within group (order by {text})"),
            6 => format!("jsonb_agg({text} order by {text} desc nulls last)"),
            7 => format!("rank(1) within group (order by {int4})"),
            8 => format!("array_agg({int4} order by {int4} desc nulls last) filter (where {filter})"),
            9 => format!("stddev({int4}), variance({int4})"),
            10 => format!("max({text}) || min({text}) collate \"C\""),
            _ => format!("sum(distinct {int4}), avg(distinct {int4})"),
        };
        let having = if random.one_in(3) {
            format!(" having bool_or({filter}) or count({text}) > 1")
        } else {
            String::new()
        };
        let text = match random.below(3) {
            0 => format!("select {}, {aggregate} from {} a group by 1{having}", key.text, self.first.name),
            1 => format!(
                "select {int4} % 3 g, {aggregate} from {} a where {filter} group by g{having}",
                self.first.name
            ),
            _ => format!("select 1, {aggregate} from {} a where {filter}{having}", self.first.name),
        };
        unordered(text, &[key.kind])
    }
}
