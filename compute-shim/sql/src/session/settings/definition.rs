//! One setting: its kind, and how a value is read, checked and shown.
//!
//! Owns [`Definition`]. A value is kept in the form of `pg_settings.setting`: booleans as `on` and `off`, numbers in
//! the setting's own unit. SHOW turns numbers into the largest unit that holds them whole, as PostgreSQL does.

use hexalog_sql_types::error::Result;
use hexalog_sql_types::{SqlError, SqlState};

/// Settings of one of PostgreSQL's categories.
pub(super) struct Section {
    pub category: &'static str,
    pub settings: &'static [Definition],
}

/// Who may change a setting and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Context {
    Internal,
    Postmaster,
    Sighup,
    Superuser,
    User,
}

impl Context {
    pub(super) fn word(self) -> &'static str {
        match self {
            Context::Internal => "internal",
            Context::Postmaster => "postmaster",
            Context::Sighup => "sighup",
            Context::Superuser => "superuser",
            Context::User => "user",
        }
    }
}

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    None,
    Bytes,
    Kilobytes,
    /// 8 KiB each.
    Blocks,
    Milliseconds,
}

/// Sizes of memory units in bytes, of time units in microseconds; largest first.
const MEMORY: &[(&str, i64)] =
    &[("TB", 1 << 40), ("GB", 1 << 30), ("MB", 1 << 20), ("kB", 1 << 10), ("B", 1)];
const TIME: &[(&str, i64)] = &[
    ("d", 86_400_000_000),
    ("h", 3_600_000_000),
    ("min", 60_000_000),
    ("s", 1_000_000),
    ("ms", 1_000),
    ("us", 1),
];

impl Unit {
    /// As in `pg_settings.unit`.
    pub(super) fn name(self) -> Option<&'static str> {
        match self {
            Unit::None => None,
            Unit::Bytes => Some("B"),
            Unit::Kilobytes => Some("kB"),
            Unit::Blocks => Some("8kB"),
            Unit::Milliseconds => Some("ms"),
        }
    }

    /// The units that may be written, and this unit's own size among them.
    fn family(self) -> Option<(&'static [(&'static str, i64)], i64)> {
        match self {
            Unit::None => None,
            Unit::Bytes => Some((MEMORY, 1)),
            Unit::Kilobytes => Some((MEMORY, 1 << 10)),
            Unit::Blocks => Some((MEMORY, 8 << 10)),
            Unit::Milliseconds => Some((TIME, 1_000)),
        }
    }

    fn hint(self) -> &'static str {
        match self {
            Unit::Bytes | Unit::Kilobytes | Unit::Blocks => {
                "Valid units for this parameter are \"B\", \"kB\", \"MB\", \"GB\", and \"TB\"."
            }
            _ => "Valid units for this parameter are \"us\", \"ms\", \"s\", \"min\", \"h\", and \"d\".",
        }
    }
}

/// What values a setting takes.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Bool,
    Integer(i64, i64, Unit),
    Real(f64, f64, Unit),
    /// The values, and other spellings of them.
    Enum(&'static [&'static str], &'static [(&'static str, &'static str)]),
    /// Checks a value and brings it into its normal form.
    Text(fn(&str, &str) -> Result<String>),
}

/// A setting.
pub(super) struct Definition {
    pub name: &'static str,
    pub boot: &'static str,
    pub kind: Kind,
    pub context: Context,
    pub description: &'static str,
    /// Changes are told to the client.
    pub is_reported: bool,
    /// The values that are implemented; none listed means all.
    implemented: &'static [&'static str],
}

/// A setting of which every value is implemented and none is reported.
pub(super) const fn define(
    name: &'static str,
    boot: &'static str,
    kind: Kind,
    context: Context,
    description: &'static str,
) -> Definition {
    Definition { name, boot, kind, context, description, is_reported: false, implemented: &[] }
}

/// 22023 as PostgreSQL words it.
pub(super) fn invalid_value(name: &str, value: &str) -> SqlError {
    SqlError::invalid_parameter(format!("invalid value for parameter \"{name}\": \"{value}\""))
}

impl Definition {
    pub(super) const fn reported(self) -> Definition {
        Definition { is_reported: true, ..self }
    }

    pub(super) const fn only(self, implemented: &'static [&'static str]) -> Definition {
        Definition { implemented, ..self }
    }

    pub(super) fn type_word(&self) -> &'static str {
        match self.kind {
            Kind::Bool => "bool",
            Kind::Integer(..) => "integer",
            Kind::Real(..) => "real",
            Kind::Enum(..) => "enum",
            Kind::Text(_) => "string",
        }
    }

    /// 55P02 if a session may not change it.
    pub(super) fn check_changeable(&self) -> Result<()> {
        let when = match self.context {
            Context::User | Context::Superuser => return Ok(()),
            Context::Internal => "",
            Context::Postmaster => " without restarting the server",
            Context::Sighup => " now",
        };
        let message = format!("parameter \"{}\" cannot be changed{when}", self.name);
        Err(SqlError::new(SqlState::CANT_CHANGE_RUNTIME_PARAM, message))
    }

    /// The value in the form that it is kept in.
    pub(super) fn normalise(&self, text: &str) -> Result<String> {
        let value = match self.kind {
            Kind::Bool => self.boolean(text)?.to_owned(),
            Kind::Integer(min, max, unit) => self.integer(text, min, max, unit)?,
            Kind::Real(min, max, unit) => self.real(text, min, max, unit)?,
            Kind::Enum(values, others) => self.choice(text, values, others)?.to_owned(),
            Kind::Text(check) => check(self.name, text)?,
        };
        if !self.implemented.is_empty() && !self.implemented.contains(&value.as_str()) {
            return Err(SqlError::unsupported(format!("setting {} to \"{value}\"", self.name)));
        }
        Ok(value)
    }

    /// A kept value as SHOW prints it.
    pub(super) fn show(&self, value: &str) -> String {
        let unit = match self.kind {
            Kind::Integer(_, _, unit) | Kind::Real(_, _, unit) => unit,
            _ => return value.to_owned(),
        };
        let Some((family, size)) = unit.family() else { return value.to_owned() };
        let Ok(number) = value.parse::<f64>() else { return value.to_owned() };
        if number <= 0.0 {
            return value.to_owned();
        }
        #[expect(clippy::cast_precision_loss, reason = "units are far below 2^53")]
        let whole = |per: i64| {
            let count = number * size as f64 / per as f64;
            (count.fract() == 0.0).then_some(count)
        };
        // Time in milliseconds comes down to microseconds, memory never below the unit itself.
        let found = family.iter().find_map(|&(name, per)| whole(per).map(|count| (count, name)));
        match found {
            Some((count, name)) => format!("{count}{name}"),
            None => value.to_owned(),
        }
    }

    fn boolean(&self, text: &str) -> Result<&'static str> {
        parse_bool(text).map(|value| if value { "on" } else { "off" }).ok_or_else(|| {
            SqlError::invalid_parameter(format!("parameter \"{}\" requires a Boolean value", self.name))
        })
    }

    fn choice(
        &self,
        text: &str,
        values: &'static [&'static str],
        others: &'static [(&'static str, &'static str)],
    ) -> Result<&'static str> {
        let known = values.iter().find(|value| value.eq_ignore_ascii_case(text)).copied();
        let other =
            || others.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|&(_, value)| value);
        known.or_else(other).ok_or_else(|| {
            let hint = format!("Available values: {}.", values.join(", "));
            invalid_value(self.name, text).with_hint(hint)
        })
    }

    fn integer(&self, text: &str, min: i64, max: i64, unit: Unit) -> Result<String> {
        let number = self.number(text, unit)?.round_ties_even();
        if number.abs() > f64::from(i32::MAX) {
            return Err(invalid_value(self.name, text).with_hint("Value exceeds integer range."));
        }
        #[expect(clippy::cast_possible_truncation, reason = "within 32 bits, checked above")]
        let number = number as i64;
        if !(min..=max).contains(&number) {
            return Err(self.outside(&number.to_string(), unit, &min.to_string(), &max.to_string()));
        }
        Ok(number.to_string())
    }

    fn real(&self, text: &str, min: f64, max: f64, unit: Unit) -> Result<String> {
        let number = self.number(text, unit)?;
        if !(min..=max).contains(&number) {
            return Err(self.outside(&number.to_string(), unit, &short(min), &short(max)));
        }
        Ok(number.to_string())
    }

    fn outside(&self, number: &str, unit: Unit, min: &str, max: &str) -> SqlError {
        let unit = unit.name().map_or_else(String::new, |unit| format!(" {unit}"));
        let name = self.name;
        let message =
            format!("{number}{unit} is outside the valid range for parameter \"{name}\" ({min} .. {max})");
        SqlError::invalid_parameter(message)
    }

    /// A number with or without a unit, in the setting's own.
    fn number(&self, text: &str, unit: Unit) -> Result<f64> {
        let trimmed = text.trim();
        if let Some(number) = hexadecimal(trimmed) {
            return Ok(number);
        }
        let is_number = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '+');
        let end = trimmed.find(|c| !is_number(c)).unwrap_or(trimmed.len());
        // An exponent belongs to the number if digits follow it.
        let end = match trimmed[end..].strip_prefix(['e', 'E']) {
            Some(rest) if rest.starts_with(is_number) => {
                trimmed.len() - rest.len() + rest.find(|c| !is_number(c)).unwrap_or(rest.len())
            }
            _ => end,
        };
        let (digits, suffix) = trimmed.split_at(end);
        let number: f64 = digits.parse().map_err(|_| invalid_value(self.name, text))?;
        let suffix = suffix.trim_start();
        if suffix.is_empty() {
            return Ok(number);
        }
        let Some((family, size)) = unit.family() else { return Err(invalid_value(self.name, text)) };
        match family.iter().find(|(name, _)| *name == suffix) {
            #[expect(clippy::cast_precision_loss, reason = "units are far below 2^53")]
            Some(&(_, per)) => Ok(number * per as f64 / size as f64),
            None => Err(invalid_value(self.name, text).with_hint(unit.hint())),
        }
    }
}

/// `0x1F`, as C reads it.
fn hexadecimal(text: &str) -> Option<f64> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))?;
    u32::from_str_radix(digits, 16).ok().map(f64::from)
}

/// A bound of a range in six digits, as `%g` prints it.
fn short(bound: f64) -> String {
    if bound == f64::MAX { "1.79769e+308".to_owned() } else { bound.to_string() }
}

/// A Boolean as PostgreSQL reads it: any beginning of a word that leaves no doubt.
pub(super) fn parse_bool(text: &str) -> Option<bool> {
    let text = text.to_ascii_lowercase();
    let begins = |word: &str, at_least: usize| text.len() >= at_least && word.starts_with(&text);
    if text == "1" || begins("true", 1) || begins("yes", 1) || text == "on" {
        return Some(true);
    }
    let is_off = text == "0" || begins("false", 1) || begins("no", 1) || begins("off", 2);
    is_off.then_some(false)
}
