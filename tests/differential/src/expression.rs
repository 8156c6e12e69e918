//! Typed expressions: templates with holes, filled with columns in scope, literals and smaller expressions.

use crate::random::Random;
use crate::schema::Type;
use Type::*;

/// A column that a query can name.
#[derive(Clone, Debug)]
pub struct Named {
    /// With its table's alias.
    pub text: String,
    /// Its type.
    pub kind: Type,
}

/// What can be named where an expression stands.
pub type Scope = Vec<Named>;

/// Result type and text. `{int4}` and so on are holes of that type, `{any}` one of any type.
///
/// What can fail on some rows alone is left out or kept within bounds: how far a server has come when it finds the first such
/// row is its own affair.
const TEMPLATES: &[(Type, &str)] = &[
    (Int4, "{small} + {small}"),
    (Int4, "{small} - {small}"),
    (Int4, "{small} * {small}"),
    (Int4, "{int4} / 7"),
    (Int4, "{int4} % 5"),
    (Int4, "{small} & {small}"),
    (Int4, "{small} | 6"),
    (Int4, "{small} # 3"),
    (Int4, "~ {int4}"),
    (Int4, "{small} << 2"),
    (Int4, "{int4} >> 1"),
    (Int4, "abs({small})"),
    (Int4, "sign({small})::integer"),
    (Int4, "length({text})"),
    (Int4, "char_length({text})"),
    (Int4, "octet_length({text})"),
    (Int4, "octet_length({bytea})"),
    (Int4, "bit_length({text})"),
    (Int4, "ascii({text})"),
    (Int4, "position('b' in {text})"),
    (Int4, "strpos({text}, {text})"),
    (Int4, "cardinality({arr})"),
    (Int4, "array_length({arr}, 1)"),
    (Int4, "array_ndims({arr})"),
    (Int4, "array_position(array[1, 2, 3, null], {int4})"),
    (Int4, "({arr})[1]"),
    (Int4, "({arr})[2]"),
    (Int4, "extract(month from {date})::integer"),
    (Int4, "extract(isodow from {ts})::integer"),
    (Int4, "jsonb_array_length('[1, 2]'::jsonb)"),
    (Int4, "{bool}::integer"),
    (Int4, "width_bucket({small}, 0, 100, 7)"),
    (Int4, "num_nulls({any}, {any})"),
    (Int4, "num_nonnulls({any}, {any}, {any})"),
    (Int4, "regexp_count({text}, '[a-b]')"),
    (Int4, "array_upper({arr}, 1)"),
    (Int4, "array_lower({arr1}, 1)"),
    (Int4, "array_position({arr1}, {int4}, 2)"),
    (Int4, "({arr1})[array_length({arr1}, 1)]"),
    (Int4, "cardinality(array_positions({arr1}, {int4}))"),
    (Int4, "jsonb_array_length({jsonarr})"),
    (Int4, "(select count(*)::integer from jsonb_array_elements({jsonarr}))"),
    (Int4, "(select count(*)::integer from jsonb_object_keys({jsonobj}))"),
    (Int4, "(select sum(x)::integer from unnest({arr}) x)"),
    (Int4, "(greatest(least({date}, date '2100-01-01'), date '1900-01-01') - date '2000-02-29') % 1000"),
    (Int4, "date_part('year', {ts})::integer"),
    (Int4, "extract(doy from {date})::integer"),
    (Int4, "extract(week from {date})::integer"),
    (Int4, "extract(quarter from {ts})::integer"),
    (Int4, "extract(dow from {ts} + {shortiv})::integer"),
    (Int4, "extract(day from {iv})::integer"),
    (Int4, "strpos({text}, '')"),
    (Int4, "length(repeat({text}, {edge} % 5))"),
    (Int4, "ascii(substr({text}, {edge}))"),
    (Int4, "char_length(lpad({text}, {edge} % 20, {text}))"),
    (Int4, "array_length(string_to_array({text}, {text}), 1)"),
    (Int4, "array_length(regexp_split_to_array({text}, '[ab]'), 1)"),
    (Int4, "{int4} / nullif({small}, 0)"),
    (Int4, "mod({small}, 7)"),
    (Int4, "lcm({small} % 50, 6)"),
    (Int8, "{int4}::bigint + {int4}"),
    (Int8, "{int4}::bigint * {int4}"),
    (Int8, "{int8} / 3"),
    (Int8, "{int8} % 1000"),
    (Int8, "abs({int4}::bigint)"),
    (Int8, "gcd({int4}::bigint, 12)"),
    (Int8, "({small})::bigint"),
    (Int2, "(({small}) % 100)::smallint"),
    (Numeric, "{num} + {num}"),
    (Numeric, "{num} - {num}"),
    (Numeric, "{num} * {num}"),
    (Numeric, "{num} / 3"),
    (Numeric, "{num} / 0.7"),
    (Numeric, "{num} % 2.5"),
    (Numeric, "- {num}"),
    (Numeric, "abs({num})"),
    (Numeric, "round({num}, 2)"),
    (Numeric, "round({num}, -1)"),
    (Numeric, "trunc({num}, 1)"),
    (Numeric, "ceil({num})"),
    (Numeric, "floor({num})"),
    (Numeric, "sign({num})"),
    (Numeric, "sqrt(abs({small})::numeric)"),
    (Numeric, "power({small}::numeric, 2)"),
    (Numeric, "ln(abs({small})::numeric + 1)"),
    (Numeric, "exp(({small} % 10)::numeric)"),
    (Numeric, "mod({num}, 3)"),
    (Numeric, "{int4}::numeric / 8"),
    (Numeric, "extract(epoch from {iv})"),
    (Numeric, "extract(day from {date})"),
    (Numeric, "trim_scale({num})"),
    (Numeric, "scale({num})::numeric"),
    (Numeric, "div({num}, 4)"),
    (Float8, "{f8} + 1.5"),
    (Float8, "- {f8}"),
    (Float8, "{small}::double precision / 4"),
    (Float8, "abs({f8})"),
    (Float8, "floor({f8})"),
    (Float8, "ceil({f8})"),
    (Float8, "round({f8})"),
    (Float8, "trunc({f8})"),
    (Float8, "sign({f8})"),
    (Float8, "sqrt(abs({small})::double precision)"),
    (Float8, "degrees({small}::double precision)"),
    (Text, "left({text}, {edge})"),
    (Text, "right({text}, {edge})"),
    (Text, "substr({text}, {edge}, abs({edge} % 9))"),
    (Text, "substring({text} from {edge} % 6 for 3)"),
    (Text, "lpad({text}, {edge} % 12, '')"),
    (Text, "rpad({text}, abs({edge} % 12), 'é')"),
    (Text, "split_part({text}, {text}, 2)"),
    (Text, "split_part({text}, ',', -1)"),
    (Text, "overlay({text} placing {text} from 2)"),
    (Text, "overlay({text} placing 'ß' from 1 for 0)"),
    (Text, "translate({text}, {text}, 'xy')"),
    (Text, "replace({text}, {text}, '-')"),
    (Text, "replace({text}, '', 'n')"),
    (Text, "btrim({text}, {text})"),
    (Text, "concat_ws({text}, {any}, null, {text})"),
    (Text, "format('%2$s %1$-6s|%3$*1$s', {edge} % 9, {text}, 'z')"),
    (Text, "format('%s %%', {any})"),
    (Text, "regexp_replace({text}, 'a|b', {text}, 'i')"),
    (Text, "regexp_replace({text}, '(.)(.)', '\\2\\1\\&', 1, 2)"),
    (Text, "(regexp_match({text}, '([a-c])(.?)'))[2]"),
    (Text, "array_to_string(string_to_array({text}, null), '.')"),
    (Text, "array_to_string(string_to_array({text}, ',', 'a'), ';', 'NULL')"),
    (Text, "to_char({iv}, 'DD HH24:MI:SS')"),
    (Text, "to_char({ts}, 'Mon DD, YYYY HH12:MI AM')"),
    (Text, "to_char({date}, 'IYYY-IW-ID Q J')"),
    (Text, "to_char({num}, 'S9G999D99')"),
    (Text, "to_char({int4}, '099999999999')"),
    (Text, "to_char({small}, 'RN')"),
    (Text, "jsonb_pretty({json})"),
    (Text, "{json} #>> '{{a,0}'"),
    (Text, "jsonb_build_array({any}, {any}) ->> {edge}"),
    (Text, "(select string_agg(e, '|') from jsonb_array_elements_text({jsonarr}) e)"),
    (Text, "(select string_agg(k || '=' || v, '|') from jsonb_each_text({jsonobj}) e(k, v))"),
    (Text, "({date} + {shortiv})::text"),
    (Text, "({date} - {small})::text"),
    (Text, "age({fts}, {fts})::text"),
    (Text, "({ts} - {ts})::text"),
    (Text, "date_trunc('week', {ts})::text"),
    (Text, "date_trunc('quarter', {ts} - {shortiv})::text"),
    (Text, "date_trunc('hour', {iv})::text"),
    (Text, "date_bin('15 minutes', {ts}, timestamp '2001-01-01')::text"),
    (Text, "{text} || {text}"),
    (Text, "{text} || {int4}"),
    (Text, "upper({text})"),
    (Text, "lower({text})"),
    (Text, "initcap({text})"),
    (Text, "trim({text})"),
    (Text, "ltrim({text}, 'a ')"),
    (Text, "rtrim({text}, 'c')"),
    (Text, "btrim({text}, 'abc')"),
    (Text, "substring({text} from 2)"),
    (Text, "substring({text} from 1 for 2)"),
    (Text, "substr({text}, 2, 3)"),
    (Text, "substring({text} from '[bc]+')"),
    (Text, "left({text}, 2)"),
    (Text, "right({text}, -1)"),
    (Text, "lpad({text}, 5, 'xy')"),
    (Text, "rpad({text}, 4)"),
    (Text, "repeat({text}, 2)"),
    (Text, "reverse({text})"),
    (Text, "replace({text}, 'a', 'ZZ')"),
    (Text, "translate({text}, 'abc', '12')"),
    (Text, "split_part({text}, ',', 1)"),
    (Text, "overlay({text} placing 'X' from 1 for 1)"),
    (Text, "md5({text})"),
    (Text, "concat({any}, {text}, null, {int4})"),
    (Text, "concat_ws('-', {text}, {int4}, {text})"),
    (Text, "format('%s|%L|%I', {text}, {text}, 'Ab')"),
    (Text, "quote_literal({text})"),
    (Text, "quote_ident({text})"),
    (Text, "quote_nullable({text})"),
    (Text, "chr(65 + abs({small}) % 26)"),
    (Text, "regexp_replace({text}, '([ab])', '<\\1>', 'g')"),
    (Text, "regexp_substr({text}, '[A-Z]')"),
    (Text, "to_hex({int4})"),
    (Text, "encode({bytea}, 'hex')"),
    (Text, "encode({bytea}, 'base64')"),
    (Text, "{int4}::text"),
    (Text, "{num}::text"),
    (Text, "{f8}::text"),
    (Text, "{bool}::text"),
    (Text, "{date}::text"),
    (Text, "{ts}::text"),
    (Text, "{iv}::text"),
    (Text, "{uuid}::text"),
    (Text, "{arr}::text"),
    (Text, "{json}::text"),
    (Text, "{varchar} || ''"),
    (Text, "{text}::varchar(3)::text"),
    (Text, "{text}::char(4)::text"),
    (Text, "to_char({date}, 'YYYY-MM-DD Day')"),
    (Text, "to_char({ts}, 'HH24:MI:SS.MS')"),
    (Text, "to_char({small}, '999')"),
    (Text, "to_char({num}, 'FM9990.00')"),
    (Text, "array_to_string({arr}, ',', '*')"),
    (Text, "{json} ->> 'a'"),
    (Text, "jsonb_typeof({json})"),
    (Text, "pg_typeof({any})::text"),
    (Text, "starts_with({text}, 'a')::text"),
    (Text, "string_to_array({text}, ',')::text"),
    (Bool, "{jsonobj} ?| array['a', {text}]"),
    (Bool, "{jsonobj} ?& array['a', 'b']"),
    (Bool, "{jsonarr} @> {jsonarr}"),
    (Bool, "{json} @? '$.a'"),
    (Bool, "{json} @@ '$.a == 1'"),
    (Bool, "{arr1} <@ {arr}"),
    (Bool, "({ts}, {shortiv}) overlaps ({ts}, {ts})"),
    (Bool, "{text} in ((select min(t) from (values ({text}), (null)) v(t)), {text})"),
    (Bool, "{int4} = any (values (1), ({int4}), (null))"),
    (Bool, "{bool} = {text} like any (array['a%', {text}])"),
    (Bool, "{bool} <> {text} not like '%b'"),
    (Bool, "{bool} = {text} ~ '^[a-c]'"),
    (Bool, "{bool} = {int4} between 1 and {int4}"),
    (Bool, "{text} collate \"C\" < {text}"),
    (Bool, "{date} + {shortiv} > {ts}"),
    (Bool, "{date} between date '2020-01-01' and {date}"),
    (Bool, "{int4} = {int4}"),
    (Bool, "{int4} <> {int8}"),
    (Bool, "{int4} < {num}"),
    (Bool, "{num} >= {num}"),
    (Bool, "{f8} <= {f8}"),
    (Bool, "{f8} > {int4}"),
    (Bool, "{text} = {text}"),
    (Bool, "{text} < {text}"),
    (Bool, "{varchar} >= {text}"),
    (Bool, "{date} < {date}"),
    (Bool, "{date} = {ts}"),
    (Bool, "{ts} >= {ts}"),
    (Bool, "{iv} > {iv}"),
    (Bool, "{uuid} = {uuid}"),
    (Bool, "{bytea} < {bytea}"),
    (Bool, "{arr} = {arr}"),
    (Bool, "{arr} < {arr}"),
    (Bool, "{arr} @> {arr}"),
    (Bool, "{arr} && {arr}"),
    (Bool, "{json} = {json}"),
    (Bool, "{json} @> {json}"),
    (Bool, "{json} ? 'a'"),
    (Bool, "{bool} and {bool}"),
    (Bool, "{bool} or {bool}"),
    (Bool, "not {bool}"),
    (Bool, "{bool} is true"),
    (Bool, "{bool} is not false"),
    (Bool, "{bool} is unknown"),
    (Bool, "{any} is null"),
    (Bool, "{any} is not null"),
    (Bool, "{int4} is distinct from {int4}"),
    (Bool, "{text} is not distinct from {text}"),
    (Bool, "{int4} between {int4} and {int4}"),
    (Bool, "{int4} not between symmetric {int4} and {int4}"),
    (Bool, "{int4} in ({int4}, {int4}, 3)"),
    (Bool, "{text} not in ({text}, 'zz')"),
    (Bool, "{text} like 'a%'"),
    (Bool, "{text} like {text}"),
    (Bool, "{text} ilike '%B_'"),
    (Bool, "{text} not like '%\\_%'"),
    (Bool, "{text} similar to '(a|b)%'"),
    (Bool, "{text} ~ '^[a-c]'"),
    (Bool, "{text} ~* 'B'"),
    (Bool, "{text} !~ 'x'"),
    (Bool, "{int4} = any ({arr})"),
    (Bool, "{int4} > all ({arr})"),
    (Bool, "({int4}, {text}) = ({int4}, {text})"),
    (Bool, "({int4}, {int4}) < ({int4}, {int4})"),
    (Bool, "isfinite({date})"),
    (Bool, "({date}, {date}) overlaps ({date}, {date})"),
    (Date, "{ts}::date"),
    (Date, "greatest({date}, {date})"),
    (Date, "make_date(2000 + abs({small}) % 30, 3, 1)"),
    (Timestamp, "{date}::timestamp"),
    (Timestamp, "date_trunc('month', {ts})"),
    (Timestamp, "least({ts}, {ts})"),
    (Timestamp, "timestamp '2020-01-31' + {shortiv}"),
    (Timestamp, "timestamp '2020-03-31' - {shortiv}"),
    (Timestamp, "make_timestamp(2013, 7, 15, abs({small}) % 24, 15, 23.5)"),
    (Interval, "{ts} - {ts}"),
    (Interval, "age({fts}, {fts})"),
    (Interval, "{iv} * 0.3"),
    (Interval, "{iv} / 7"),
    (Interval, "{shortiv} * ({edge} % 50)"),
    (Interval, "make_interval(months => {small} % 30, hours => {small}, secs => 0.25)"),
    (Interval, "date_trunc('month', {iv})"),
    (Interval, "{iv} + {iv}"),
    (Interval, "{iv} * 2"),
    (Interval, "{iv} / 3"),
    (Interval, "- {iv}"),
    (Interval, "justify_hours({iv})"),
    (Interval, "justify_days({iv})"),
    (Interval, "justify_interval({iv})"),
    (Interval, "make_interval(days => {small})"),
    (Interval, "timestamp '2024-02-29 12:00' - timestamp '2023-01-01'"),
    (Interval, "age(timestamp '2024-02-29', timestamp '1999-12-31 13:00')"),
    (Bytea, "{bytea} || {bytea}"),
    (Bytea, "substring({bytea} from 1 for 1)"),
    (Bytea, "convert_to({text}, 'UTF8')"),
    (Bytea, "decode('0aff', 'hex')"),
    (Int4Array, "array_prepend({int4}, {arr})"),
    (Int4Array, "{arr} || {int4}"),
    (Int4Array, "{arr1} || {arr1}"),
    (Int4Array, "trim_array({arr1}, abs({small}) % 1)"),
    (Int4Array, "array_positions({arr1}, {int4})"),
    (Int4Array, "array_fill({int4}, array[abs({small}) % 3])"),
    (Int4Array, "array(select distinct x from unnest({arr}) x order by x nulls first)"),
    (Int4Array, "({arr1})[2:]"),
    (Int4Array, "({arr1})[:{edge} % 4]"),
    (Int4Array, "array[{int4}, {int4}]"),
    (Int4Array, "array_append('{1,2}'::integer[], {int4})"),
    (Int4Array, "array_remove({arr1}, 1)"),
    (Int4Array, "array_replace({arr}, 1, 9)"),
    (Int4Array, "array_cat({arr1}, {arr1})"),
    (Int4Array, "({arr1})[1:2]"),
    (Int4Array, "array(select generate_series(1, abs({small}) % 4))"),
    (Jsonb, "{jsonobj} - 'a'"),
    (Jsonb, "{jsonarr} - ({edge} % 4)"),
    (Jsonb, "{jsonobj} #- '{{b,0}'"),
    (Jsonb, "{jsonarr} -> ({edge} % 5)"),
    (Jsonb, "{jsonarr} || {json}"),
    (Jsonb, "jsonb_insert({jsonarr}, '{{1}', to_jsonb({text}), {bool})"),
    (Jsonb, "jsonb_set({jsonobj}, '{{b,1}', to_jsonb({num}), {bool})"),
    (Jsonb, "jsonb_set_lax({jsonobj}, '{{a}', to_jsonb({int4}), true, 'delete_key')"),
    (Jsonb, "jsonb_object(array['k', {text}])"),
    (Jsonb, "jsonb_path_query_array({json}, '$.* ? (@ > 1)')"),
    (Jsonb, "jsonb_path_query_array({jsonarr}, 'strict $[*].type()', '{{}', true)"),
    (Jsonb, "to_jsonb({ts})"),
    (Jsonb, "(select jsonb_agg(x order by x) from unnest({arr}) x)"),
    (Jsonb, "(select jsonb_object_agg(n, x) from unnest({arr}) with ordinality u(x, n))"),
    (Jsonb, "to_jsonb({any})"),
    (Jsonb, "jsonb_build_object('k', {any}, 'n', {int4})"),
    (Jsonb, "jsonb_build_array({int4}, {text}, null)"),
    (Jsonb, "{json} -> 'a'"),
    (Jsonb, "{json} -> 0"),
    (Jsonb, "{json} #> '{{a,b}'"),
    (Jsonb, "jsonb_strip_nulls({json})"),
    (Jsonb, "'{{\"x\": 1}'::jsonb || jsonb_build_object('y', {int4})"),
    (Jsonb, "jsonb_path_query_first({json}, '$.a')"),
    (Jsonb, "jsonb_set('{{\"a\": 1}', '{{a}', to_jsonb({int4}))"),
];

/// Draws expressions over one scope.
pub struct Expressions<'a> {
    /// What can be named.
    pub scope: &'a Scope,
}

impl Expressions<'_> {
    /// An expression of the type, at most so deep.
    pub fn of(&self, kind: Type, depth: usize, random: &mut Random) -> String {
        let column = self.column(kind, random);
        if depth == 0 || random.one_in(3) {
            return match column {
                Some(column) if !random.one_in(4) => column,
                _ if random.one_in(12) => format!("null::{}", kind.name()),
                _ => kind.literal(random),
            };
        }
        match random.below(12) {
            0 => format!(
                "coalesce({}, {})",
                self.of(kind, depth - 1, random),
                self.of(kind, depth - 1, random)
            ),
            1 => {
                format!("nullif({}, {})", self.of(kind, depth - 1, random), self.of(kind, depth - 1, random))
            }
            2 => format!(
                "case when {} then {} when {} then {} else {} end",
                self.of(Bool, depth - 1, random),
                self.of(kind, depth - 1, random),
                self.of(Bool, depth - 1, random),
                self.of(kind, depth - 1, random),
                self.of(kind, depth - 1, random)
            ),
            3 => format!(
                "case {} when {} then {} end",
                self.of(Int4, depth - 1, random),
                self.of(Int4, 0, random),
                self.of(kind, depth - 1, random)
            ),
            4 if kind != Jsonb && kind != Bool => {
                let which = random.pick(&["greatest", "least"]);
                format!("{which}({}, {})", self.of(kind, depth - 1, random), self.of(kind, depth - 1, random))
            }
            _ => self.of_template(kind, depth, random),
        }
    }

    /// An expression of any type.
    pub fn any(&self, depth: usize, random: &mut Random) -> (String, Type) {
        let kind = *random.pick(crate::schema::DRAWN);
        (self.of(kind, depth, random), kind)
    }

    fn column(&self, kind: Type, random: &mut Random) -> Option<String> {
        let fitting: Vec<&Named> = self.scope.iter().filter(|named| named.kind == kind).collect();
        (!fitting.is_empty()).then(|| random.pick(&fitting).text.clone())
    }

    fn of_template(&self, kind: Type, depth: usize, random: &mut Random) -> String {
        let fitting: Vec<&str> =
            TEMPLATES.iter().filter(|(of, _)| *of == kind).map(|(_, text)| *text).collect();
        if fitting.is_empty() {
            return self.of(kind, 0, random);
        }
        let template = *random.pick(&fitting);
        let mut out = String::from("(");
        let mut rest = template;
        while let Some(at) = rest.find('{') {
            out += &rest[..at];
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix('{') {
                out.push('{');
                rest = after;
                continue;
            }
            match rest
                .split_once('}')
                .and_then(|(name, after)| Some((self.hole(name, depth - 1, random)?, after)))
            {
                Some((text, after)) => {
                    out += &text;
                    rest = after;
                }
                // A brace of the text itself.
                None => out.push('{'),
            }
        }
        out += rest;
        out.push(')');
        out
    }

    fn hole(&self, name: &str, depth: usize, random: &mut Random) -> Option<String> {
        let kind = match name {
            "int2" => Int2,
            "int4" => Int4,
            "int8" => Int8,
            "num" => Numeric,
            "f8" => Float8,
            "text" => Text,
            "varchar" => Varchar,
            "bool" => Bool,
            "date" => Date,
            "ts" => Timestamp,
            "iv" => Interval,
            "uuid" => Uuid,
            "bytea" => Bytea,
            "arr" => Int4Array,
            "json" => Jsonb,
            // With infinities PostgreSQL 15 computes as if they were instants.
            "fts" => {
                let text = self.of(Timestamp, depth, random);
                return Some(format!("case when isfinite({text}) then {text} end"));
            }
            "any" => return Some(self.any(depth.min(1), random).0),
            // No sum or product of these leaves its type.
            "small" => {
                let text = self.of(Int4, depth, random);
                return Some(format!("(({text}) % 1000)"));
            }
            // Where strings and arrays begin, end, and are left behind.
            "edge" => {
                return Some(
                    (*random.pick(&[
                        "0",
                        "1",
                        "-1",
                        "2",
                        "-2",
                        "3",
                        "100",
                        "-100",
                        "2147483647",
                        "null::integer",
                    ]))
                    .to_owned(),
                );
            }
            "jsonarr" => {
                return Some(
                    (*random.pick(&[
                        "'[]'::jsonb",
                        "'[1, \"a\", null, {\"x\": [true]}]'::jsonb",
                        "'[[1, 2], [], 1.50]'::jsonb",
                        "null::jsonb",
                    ]))
                    .to_owned(),
                );
            }
            "jsonobj" => {
                return Some(
                    (*random.pick(&[
                        "'{}'::jsonb",
                        "'{\"a\": null, \"b\": [1, 2, {\"c\": \"d\"}]}'::jsonb",
                        "'{\"b\": {\"0\": 1}, \"\": 2, \"aa\": \"x\"}'::jsonb",
                        "null::jsonb",
                    ]))
                    .to_owned(),
                );
            }
            "arr1" => {
                return Some(
                    (*random.pick(&["'{1,2,1}'::integer[]", "'{}'::integer[]", "array[1, null, 3]"]))
                        .to_owned(),
                );
            }
            "shortiv" => {
                return Some(
                    (*random.pick(&["interval '1 month'", "interval '36 hours'", "interval '-1 day'"]))
                        .to_owned(),
                );
            }
            _ => return None,
        };
        Some(self.of(kind, depth, random))
    }
}
