//! Tables of a script: typed columns, keys, constraints, indexes, and the values that go into them.

use crate::random::Random;

/// Types of columns and expressions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Type {
    /// `smallint`
    Int2,
    /// `integer`
    Int4,
    /// `bigint`
    Int8,
    /// `numeric`
    Numeric,
    /// `double precision`
    Float8,
    /// `text`
    Text,
    /// `varchar(12)`
    Varchar,
    /// `boolean`
    Bool,
    /// `date`
    Date,
    /// `timestamp`
    Timestamp,
    /// `interval`
    Interval,
    /// `uuid`
    Uuid,
    /// `bytea`
    Bytea,
    /// `integer[]`
    Int4Array,
    /// `jsonb`
    Jsonb,
}

/// All of them, the common ones more than once.
pub const DRAWN: &[Type] = &[
    Type::Int4,
    Type::Int4,
    Type::Int4,
    Type::Text,
    Type::Text,
    Type::Text,
    Type::Int8,
    Type::Numeric,
    Type::Numeric,
    Type::Bool,
    Type::Int2,
    Type::Float8,
    Type::Varchar,
    Type::Date,
    Type::Timestamp,
    Type::Interval,
    Type::Uuid,
    Type::Bytea,
    Type::Int4Array,
    Type::Jsonb,
];

// Values to choose from where there are many, in single quotes; boundaries among them.

const NUMERICS: &[&str] = &[
    "0",
    "1",
    "-1",
    "0.5",
    "1.0",
    "1.00",
    "2.50",
    "-3.14159",
    "12345678901234567890.123",
    "0.0000001",
    "1e10",
    "NaN",
    "100",
];
const FLOATS: &[&str] = &[
    "0",
    "1",
    "-1",
    "0.5",
    "1.5",
    "-0",
    "1e300",
    "-1e-300",
    "3.141592653589793",
    "Infinity",
    "-Infinity",
    "NaN",
    "0.1",
];
const DATES: &[&str] =
    &["2000-01-01", "1999-12-31", "2024-02-29", "0001-01-01", "infinity", "-infinity", "2023-06-15"];
const TIMESTAMPS: &[&str] = &[
    "2000-01-01 00:00:00",
    "1999-12-31 23:59:59.999999",
    "2024-02-29 12:34:56.5",
    "infinity",
    "-infinity",
    "2023-03-26 02:30:00",
];
const INTERVALS: &[&str] = &[
    "0",
    "1 day",
    "-1 day",
    "1 month",
    "1 year 2 months 3 days",
    "04:05:06.789",
    "-00:00:01",
    "30 days",
    "24:00:00",
];
const DOCUMENTS: &[&str] = &[
    "null",
    "1",
    "1.0",
    "\"a\"",
    "true",
    "[]",
    "{}",
    "[1, 2, \"x\"]",
    "{\"a\": 1, \"b\": [true, null]}",
    "{\"a\": {\"b\": \"c\"}}",
];

impl Type {
    /// As SQL writes it.
    pub fn name(self) -> &'static str {
        match self {
            Type::Int2 => "smallint",
            Type::Int4 => "integer",
            Type::Int8 => "bigint",
            Type::Numeric => "numeric",
            Type::Float8 => "double precision",
            Type::Text => "text",
            Type::Varchar => "varchar(12)",
            Type::Bool => "boolean",
            Type::Date => "date",
            Type::Timestamp => "timestamp",
            Type::Interval => "interval",
            Type::Uuid => "uuid",
            Type::Bytea => "bytea",
            Type::Int4Array => "integer[]",
            Type::Jsonb => "jsonb",
        }
    }

    /// Values to choose from, in single quotes; boundaries among them.
    fn values(self) -> &'static [&'static str] {
        match self {
            Type::Int2 => &["0", "1", "-1", "7", "42", "32767", "-32768", "100"],
            Type::Int4 => &["0", "1", "2", "3", "-1", "10", "17", "1000", "2147483647", "-2147483648"],
            Type::Int8 => {
                &["0", "1", "-1", "5", "99", "4294967296", "9223372036854775807", "-9223372036854775808"]
            }
            Type::Numeric => NUMERICS,
            Type::Float8 => FLOATS,
            Type::Text => &[
                "", "a", "b", "abc", "ABC", "Abc ", " a", "äö", "a%b", "a_b", "x,y", "10", "true", "it''s",
                "zz",
            ],
            Type::Varchar => &["", "a", "abc", "twelve chars", "Ü", "a b"],
            Type::Bool => &["true", "false"],
            Type::Date => DATES,
            Type::Timestamp => TIMESTAMPS,
            Type::Interval => INTERVALS,
            Type::Uuid => &[
                "00000000-0000-0000-0000-000000000000",
                "ffffffff-ffff-ffff-ffff-ffffffffffff",
                "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
            ],
            Type::Bytea => &["", "\\x00", "\\xdeadbeef", "\\x61", "\\x6162"],
            Type::Int4Array => &["{}", "{1}", "{1,2,3}", "{3,NULL,1}", "{{1,2},{3,4}}", "{2147483647}"],
            Type::Jsonb => DOCUMENTS,
        }
    }

    /// A literal with its type.
    pub fn literal(self, random: &mut Random) -> String {
        let value = random.pick(self.values());
        let is_plain = matches!(self, Type::Int4 | Type::Numeric | Type::Bool)
            && !value.contains(['-', 'N', 'e'])
            && *value != "true"
            && !random.one_in(3);
        match self {
            Type::Bool if !random.one_in(3) => (*value).to_owned(),
            // Over-long numbers would be of another type.
            _ if is_plain && value.len() < 10 && (self == Type::Int4 || value.contains('.')) => {
                (*value).to_owned()
            }
            _ => format!("'{value}'::{}", self.name()),
        }
    }

    /// Whether an index or ORDER BY can hold it and an equal value always prints the same.
    pub fn is_key(self) -> bool {
        matches!(
            self,
            Type::Int2 | Type::Int4 | Type::Int8 | Type::Text | Type::Varchar | Type::Date | Type::Uuid
        )
    }
}

/// One column.
#[derive(Clone, Debug)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: Type,
    /// It is computed from the others.
    pub is_generated: bool,
}

impl Column {
    /// A plain column.
    pub fn new(name: impl Into<String>, kind: Type) -> Column {
        Column { name: name.into(), kind, is_generated: false }
    }
}

/// One table: the first `key_columns` are its primary key.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Columns of the primary key; 0: none.
    pub key_columns: usize,
    /// Columns of a unique constraint that is no primary key.
    pub unique: Option<usize>,
    /// Its keys are checked late: they can be assigned to, whatever the order of rows, and are no arbiters of ON CONFLICT.
    pub is_deferrable: bool,
}

impl Table {
    /// A table with drawn columns, and what makes it.
    pub fn draw(number: usize, random: &mut Random) -> (Table, Vec<String>) {
        let name = format!("t{number}");
        let count = random.within(3, 7);
        let key_columns = if random.one_in(6) { 0 } else { random.within(1, 2) };
        let columns: Vec<Column> = (0..count)
            .map(|index| {
                let kind = loop {
                    let kind = *random.pick(DRAWN);
                    if index >= key_columns || kind.is_key() {
                        break kind;
                    }
                };
                Column::new(format!("c{index}"), kind)
            })
            .collect();
        // When keys are checked: mostly at once.
        let deferral = match random.below(8) {
            0 => " deferrable",
            1 => " deferrable initially deferred",
            _ => "",
        };
        let is_unique = |column: &usize| *column >= key_columns && columns[*column].kind.is_key();
        let unique = (0..count).find(is_unique).filter(|_| random.one_in(3));
        let mut parts: Vec<String> = columns
            .iter()
            .enumerate()
            .map(|(index, column)| {
                let mut text = format!("{} {}", column.name, column.kind.name());
                if index >= key_columns && random.one_in(6) {
                    text += &format!(" default {}", column.kind.literal(random));
                } else if index >= key_columns && random.one_in(8) {
                    text += " not null";
                }
                text
            })
            .collect();
        if key_columns > 0 {
            let keys: Vec<&str> = columns[..key_columns].iter().map(|column| &*column.name).collect();
            parts.push(format!("primary key ({}){}", keys.join(", "), deferral));
        }
        if let Some(column) = unique {
            parts.push(format!("unique ({}){}", columns[column].name, deferral));
        }
        let mut columns = columns;
        if let Some(generated) = generated(&columns, random) {
            parts.push(generated.1);
            columns.push(generated.0);
        }
        let mut statements = vec![format!("create table {name} ({})", parts.join(", "))];
        if random.one_in(2) {
            let column = random.below(count);
            if columns[column].kind.is_key() {
                let order = random.pick(&["", " desc", " nulls first", " desc nulls last"]);
                statements.push(format!("create index on {name} ({}{order})", columns[column].name));
            }
        }
        let is_deferrable = !deferral.is_empty() && (key_columns > 0 || unique.is_some());
        (Table { name, columns, key_columns, unique, is_deferrable }, statements)
    }

    /// One row of values, NULL now and then where the key allows it.
    pub fn row(&self, random: &mut Random) -> String {
        let value = |(index, column): (usize, &Column)| {
            let is_null = index >= self.key_columns && random.one_in(5);
            if column.is_generated {
                return "default".to_owned();
            }
            if is_null { "NULL".to_owned() } else { column.kind.literal(random) }
        };
        let values: Vec<String> = self.columns.iter().enumerate().map(value).collect();
        format!("({})", values.join(", "))
    }
}

/// Now and then a column that is computed from another one, with what makes it.
fn generated(columns: &[Column], random: &mut Random) -> Option<(Column, String)> {
    if !random.one_in(4) {
        return None;
    }
    let column = random.pick(columns);
    let (kind, expression) = match column.kind {
        Type::Text | Type::Varchar => (Type::Int4, format!("length({})", column.name)),
        Type::Int4 | Type::Int2 => (Type::Numeric, format!("{} / 2.0", column.name)),
        Type::Bool => (Type::Text, format!("case when {} then 'yes' else 'no' end", column.name)),
        Type::Jsonb => (Type::Text, format!("{} ->> 'a'", column.name)),
        _ => (Type::Bool, format!("{} is null", column.name)),
    };
    let text = format!("g {} generated always as ({expression}) stored", kind.name());
    Some((Column { is_generated: true, ..Column::new("g", kind) }, text))
}
