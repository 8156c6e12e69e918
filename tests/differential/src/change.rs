//! Changes: INSERT, UPDATE, DELETE in their forms, transactions around them, and definitions.

use crate::expression::{Expressions, Named, Scope};
use crate::random::Random;
use crate::schema::{Table, Type};

fn scope_of(table: &Table, alias: &str) -> Scope {
    let named =
        |column: &crate::schema::Column| Named { text: format!("{alias}{}", column.name), kind: column.kind };
    table.columns.iter().map(named).collect()
}

/// A change of one table, perhaps with what it returns.
pub fn draw(tables: &[Table], random: &mut Random) -> String {
    let table = random.pick(tables);
    let returning = returning(table, random);
    match random.below(10) {
        0..=2 => format!("{}{returning}", insert(table, random)),
        3 => format!("{}{returning}", insert_select(table, tables, random)),
        4..=6 => format!("{}{returning}", update(table, tables, random)),
        7 | 8 => delete(table, tables, &returning, random),
        _ => with_change(table, random),
    }
}

fn returning(table: &Table, random: &mut Random) -> String {
    if !random.one_in(3) {
        return String::new();
    }
    if random.one_in(3) {
        return " returning *".into();
    }
    let scope = scope_of(table, "");
    format!(" returning {}", Expressions { scope: &scope }.any(1, random).0)
}

fn insert(table: &Table, random: &mut Random) -> String {
    let rows: Vec<String> = (0..random.within(1, 4)).map(|_| table.row(random)).collect();
    let mut text = format!("insert into {} values {}", table.name, rows.join(", "));
    if table.key_columns == 0 || !random.one_in(2) {
        return text;
    }
    let keys: Vec<&str> = table.columns[..table.key_columns].iter().map(|column| &*column.name).collect();
    text += &match random.below(4) {
        0 => " on conflict do nothing".to_owned(),
        1 => format!(" on conflict ({}) do nothing", keys.join(", ")),
        _ => {
            let mut scope = scope_of(table, "excluded.");
            scope.extend(scope_of(table, &format!("{}.", table.name)));
            let Some(set) = assignments(table, &scope, random) else { return text };
            let only = match random.one_in(3) {
                true => format!(" where {}", Expressions { scope: &scope }.of(Type::Bool, 1, random)),
                false => String::new(),
            };
            format!(" on conflict ({}) do update set {set}{only}", keys.join(", "))
        }
    };
    text
}

fn insert_select(table: &Table, tables: &[Table], random: &mut Random) -> String {
    let source = random.pick(tables);
    let scope = scope_of(source, "x.");
    let expressions = Expressions { scope: &scope };
    let plain: Vec<&crate::schema::Column> =
        table.columns.iter().filter(|column| !column.is_generated).collect();
    let names: Vec<&str> = plain.iter().map(|column| &*column.name).collect();
    let target = format!("{} ({})", table.name, names.join(", "));
    let list: Vec<String> = plain.iter().map(|column| assigned(column.kind, &expressions, random)).collect();
    let conflict = if table.key_columns > 0 { " on conflict do nothing" } else { "" };
    // Which of two rows with one key goes in is not determined unless all of a row is.
    let one = if table.key_columns > 0 { " limit 1" } else { "" };
    let order: Vec<String> = source
        .columns
        .iter()
        .filter(|column| column.kind.is_key())
        .map(|column| format!("x.{}", column.name))
        .collect();
    if one.is_empty() || source.key_columns == 0 {
        let guard = if table.key_columns > 0 { " where false" } else { "" };
        return format!(
            "insert into {target} select {} from {} x{guard}{conflict}",
            list.join(", "),
            source.name
        );
    }
    format!(
        "insert into {target} select {} from {} x order by {}{one}{conflict}",
        list.join(", "),
        source.name,
        order.join(", ")
    )
}

/// `SET` for columns that no key is made of, unless it is checked late.
fn assignments(table: &Table, scope: &Scope, random: &mut Random) -> Option<String> {
    let is_free = |index: &usize| {
        let is_key = *index < table.key_columns || Some(*index) == table.unique;
        (!is_key || table.is_deferrable) && !table.columns[*index].is_generated
    };
    let free: Vec<usize> = (0..table.columns.len()).filter(is_free).collect();
    if free.is_empty() {
        return None;
    }
    let mut chosen: Vec<usize> = (0..random.within(1, 2)).map(|_| *random.pick(&free)).collect();
    chosen.dedup();
    chosen.sort_unstable();
    chosen.dedup();
    let expressions = Expressions { scope };
    let set = chosen.iter().map(|index| {
        let column = &table.columns[*index];
        if column.kind == Type::Int4Array && random.one_in(2) {
            return part_assignment(&column.name, &expressions, random);
        }
        let value = match random.below(8) {
            0 => "default".to_owned(),
            _ => assigned(column.kind, &expressions, random),
        };
        format!("{} = {value}", column.name)
    });
    let set: Vec<String> = set.collect();
    let pairs: Option<Vec<(&str, &str)>> = set.iter().map(|one| one.split_once(" = ")).collect();
    match pairs {
        Some(pairs) if random.one_in(4) && set.iter().all(|one| !one.contains('[')) => {
            let (names, values): (Vec<&str>, Vec<&str>) = pairs.into_iter().unzip();
            let row = if names.len() == 1 { "row" } else { *random.pick(&["", "row"]) };
            Some(format!("({}) = {row}({})", names.join(", "), values.join(", ")))
        }
        _ => Some(set.join(", ")),
    }
}

/// A value for a column, now and then of another type that is cast as it is assigned. None fails for what is in a row: which
/// row comes first is not determined.
fn assigned(kind: Type, expressions: &Expressions<'_>, random: &mut Random) -> String {
    let numeric_from = *random.pick(&[Type::Int8, Type::Float8, Type::Int2]);
    let text_from = *random.pick(&[Type::Int4, Type::Date, Type::Varchar, Type::Jsonb, Type::Bool]);
    let mut of = |kind| expressions.of(kind, 1, random);
    let other = match kind {
        // A value that does not fit a varchar is an error of the row that comes first.
        Type::Varchar => return format!("left({}, 12)", of(Type::Text)),
        Type::Int2 => format!("({}) % 1000", of(Type::Int4)),
        Type::Int4 => format!("(({}) % 1000) / 7.0", of(Type::Int8)),
        Type::Int8 => format!("(({}) % 1000)::double precision / 8", of(Type::Int4)),
        Type::Numeric => of(numeric_from),
        Type::Float8 => of(Type::Int8),
        Type::Date => of(Type::Timestamp),
        Type::Timestamp => of(Type::Date),
        Type::Text => of(text_from),
        _ => return of(kind),
    };
    if random.one_in(3) { other } else { expressions.of(kind, 1, random) }
}

/// An element or a slice of an array, inside of it and outside.
fn part_assignment(column: &str, expressions: &Expressions<'_>, random: &mut Random) -> String {
    let mut bound = || random.within(0, 6);
    // The other way round an empty array comes to another error than one with elements, and so does the row that is first.
    let (first, second) = (bound(), bound());
    let (first, second) = (first.min(second), first.max(second));
    match random.below(4) {
        0 => format!("{column}[{first}:{second}] = {}", expressions.of(Type::Int4Array, 1, random)),
        1 => format!("{column}[:{second}] = {}", expressions.of(Type::Int4Array, 1, random)),
        2 => format!("{column}[{first}][{second}] = {}", expressions.of(Type::Int4, 1, random)),
        _ => format!("{column}[{first}] = {}", expressions.of(Type::Int4, 1, random)),
    }
}

fn update(table: &Table, tables: &[Table], random: &mut Random) -> String {
    let mut scope = scope_of(table, "u.");
    let other = random.pick(tables);
    let joins = random.one_in(4) && other.key_columns > 0 && other.name != table.name;
    let key_equal = joins.then(|| key_join(&scope, other)).flatten();
    if key_equal.is_some() {
        scope.extend(scope_of(other, "f."));
    }
    let Some(set) = assignments(table, &scope, random) else {
        return format!("update {} u set {} = {} where false", table.name, table.columns[0].name, "default");
    };
    let filter = Expressions { scope: &scope }.of(Type::Bool, 2, random);
    match key_equal {
        // At most one row of the other table for each: its whole key is given.
        Some(equal) => {
            format!("update {} u set {set} from {} f where {equal} and {filter}", table.name, other.name)
        }
        None => format!("update {} u set {set} where {filter}", table.name),
    }
}

/// Conditions that fix the whole key of `other`, alias f, by columns in scope.
fn key_join(scope: &Scope, other: &Table) -> Option<String> {
    let mut parts = Vec::new();
    for key in &other.columns[..other.key_columns] {
        let column = scope.iter().find(|named| named.kind == key.kind)?;
        parts.push(format!("f.{} = {}", key.name, column.text));
    }
    Some(parts.join(" and "))
}

fn delete(table: &Table, tables: &[Table], returning: &str, random: &mut Random) -> String {
    let mut scope = scope_of(table, "d.");
    if random.one_in(4) {
        let other = random.pick(tables);
        let inner = scope_of(other, "e.");
        let pairs: Vec<String> = scope
            .iter()
            .flat_map(|l| inner.iter().filter(|r| r.kind == l.kind && r.kind.is_key()).map(move |r| (l, r)))
            .map(|(l, r)| format!("{} = {}", l.text, r.text))
            .collect();
        if !pairs.is_empty() {
            // Of several rows that it is joined to, one is returned, whichever.
            return format!(
                "delete from {} d using {} e where {} returning d.*",
                table.name,
                other.name,
                random.pick(&pairs)
            );
        }
    }
    scope.truncate(table.columns.len());
    let few = if table.key_columns > 0 {
        format!(" and {}", Expressions { scope: &scope }.of(Type::Bool, 1, random))
    } else {
        String::new()
    };
    let filter = Expressions { scope: &scope }.of(Type::Bool, 1, random);
    format!("delete from {} d where {filter}{few}{returning}", table.name)
}

/// A change whose rows a query goes on with.
fn with_change(table: &Table, random: &mut Random) -> String {
    let scope = scope_of(table, "");
    let filter = Expressions { scope: &scope }.of(Type::Bool, 1, random);
    let name = &table.name;
    let plain: Vec<&str> =
        table.columns.iter().filter(|column| !column.is_generated).map(|column| &*column.name).collect();
    let plain = plain.join(", ");
    match random.below(6) {
        0 if !table.is_deferrable => format!(
            "with gone as (delete from {name} where {filter} returning {plain}) insert into {name} ({plain}) select {plain} from gone"
        ),
        1 if let Some(set) = assignments(table, &scope, random) => format!(
            "with moved as (update {name} set {set} where {filter} returning *), gone as (select * from {name} where {filter}) select (select count(*) from moved), (select count(*) from gone), (select count(*) from {name})"
        ),
        2 => format!(
            "with gone as (delete from {name} where {filter} returning *) select count(*), count({}) from gone",
            table.columns[0].name
        ),
        3 => format!(
            "with new as (insert into {name} values {} on conflict do nothing returning 1 as one) select sum(one) from new",
            table.row(random)
        ),
        _ => format!(
            "with gone as (delete from {name} where {filter} returning *) select (select count(*) from {name}), (select count(*) from gone)"
        ),
    }
}

/// Columns that nothing else of their table rests on.
fn loose_columns(table: &Table) -> Vec<usize> {
    if table.columns.iter().any(|column| column.is_generated) {
        return Vec::new();
    }
    (table.key_columns..table.columns.len()).filter(|index| Some(*index) != table.unique).collect()
}

/// A wider type for a column.
fn retyped(table: &mut Table, random: &mut Random) -> String {
    let wider = |kind| match kind {
        Type::Int2 => Some(Type::Int4),
        Type::Int4 => Some(Type::Int8),
        Type::Int8 => Some(Type::Numeric),
        Type::Varchar => Some(Type::Text),
        Type::Date => Some(Type::Timestamp),
        _ => None,
    };
    let loose = loose_columns(table);
    let found = loose.iter().find_map(|index| Some((*index, wider(table.columns[*index].kind)?)));
    let Some((index, kind)) = found else { return format!("analyze {}", table.name) };
    let column = &mut table.columns[index];
    column.kind = kind;
    let using =
        if random.one_in(2) { format!(" using {}::{}", column.name, kind.name()) } else { String::new() };
    format!("alter table {} alter column {} type {}{using}", table.name, column.name, kind.name())
}

/// One column less.
fn dropped(table: &mut Table, random: &mut Random) -> String {
    let loose = loose_columns(table);
    if loose.len() < 2 {
        return format!("analyze {}", table.name);
    }
    let index = *random.pick(&loose);
    if let Some(unique) = &mut table.unique
        && *unique > index
    {
        *unique -= 1;
    }
    let column = table.columns.remove(index);
    format!("alter table {} drop column {} cascade", table.name, column.name)
}

/// A definition that old rows meet.
pub fn definition(tables: &mut [Table], random: &mut Random) -> String {
    let at = random.below(tables.len());
    let table = &mut tables[at];
    match random.below(8) {
        5 => {
            let column = random.below(table.columns.len());
            let column = &mut table.columns[column];
            let name = format!("{}r", column.name);
            let text = format!("alter table {} rename column {} to {name}", table.name, column.name);
            column.name = name;
            text
        }
        6 => retyped(table, random),
        7 => dropped(table, random),
        0 => {
            let kind = *random.pick(crate::schema::DRAWN);
            let name = format!("c{}x", table.columns.len());
            let default =
                if random.one_in(2) { format!(" default {}", kind.literal(random)) } else { String::new() };
            let text = format!("alter table {} add column {name} {}{default}", table.name, kind.name());
            table.columns.push(crate::schema::Column::new(name, kind));
            text
        }
        1 => {
            let column = random.pick(&table.columns);
            format!(
                "alter table {} alter column {} set default {}",
                table.name,
                column.name,
                column.kind.literal(random)
            )
        }
        2 => {
            let column = random.pick(&table.columns);
            match column.kind.is_key() {
                true => format!("create index on {} ({} desc)", table.name, column.name),
                false => format!("alter table {} alter column {} drop default", table.name, column.name),
            }
        }
        3 => {
            let column = random.pick(&table.columns);
            format!(
                "create index on {} ({}) where {} is not null",
                table.name, table.columns[0].name, column.name
            )
        }
        _ => format!("create or replace view v{at} as select * from {}", table.name),
    }
}
