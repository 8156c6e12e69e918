//! Types as written in a statement.
//!
//! Owns the way from the parser crate's enum of every dialect's types to a name that `type_from_name` knows, with
//! its modifiers and array brackets. Never decides whether the type exists.

use super::keyword::is_reserved;
use super::tree::TypeName;
use super::{Lower, at, fold, refuse};
use hexalog_sql_types::SqlError;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::types::interval_fields;
use sqlparser::ast::{
    ArrayElemTypeDef, CharacterLength, DataType, ExactNumberInfo, ObjectNamePart, TimezoneInfo,
};

fn with(name: &str, modifiers: impl IntoIterator<Item = u64>) -> Result<TypeName> {
    let mut type_name = TypeName::single(name);
    for modifier in modifiers {
        type_name.modifiers.push(i64::try_from(modifier).map_err(|_| too_large())?);
    }
    Ok(type_name)
}

fn too_large() -> SqlError {
    SqlError::invalid_parameter("invalid type modifier")
}

fn char_length(length: Option<CharacterLength>) -> Result<Option<u64>> {
    match length {
        None => Ok(None),
        Some(CharacterLength::IntegerLength { length, unit: None }) => Ok(Some(length)),
        Some(CharacterLength::IntegerLength { unit: Some(unit), .. }) => {
            Err(refuse(format!("a character length in {unit}")))
        }
        Some(CharacterLength::Max) => Err(SqlError::syntax("syntax error at or near \"max\"")),
    }
}

fn exact(name: &str, info: ExactNumberInfo) -> Result<TypeName> {
    let mut type_name = TypeName::single(name);
    match info {
        ExactNumberInfo::None => {}
        ExactNumberInfo::Precision(precision) => {
            type_name.modifiers.push(i64::try_from(precision).map_err(|_| too_large())?);
        }
        ExactNumberInfo::PrecisionAndScale(precision, scale) => {
            type_name.modifiers.push(i64::try_from(precision).map_err(|_| too_large())?);
            type_name.modifiers.push(scale);
        }
    }
    Ok(type_name)
}

/// `float(n)` chooses a width by its bits.
fn float(info: ExactNumberInfo) -> Result<TypeName> {
    match info {
        ExactNumberInfo::None => Ok(TypeName::single("float8")),
        ExactNumberInfo::Precision(0) => {
            Err(SqlError::invalid_parameter("precision for type float must be at least 1 bit"))
        }
        ExactNumberInfo::Precision(1..=24) => Ok(TypeName::single("float4")),
        ExactNumberInfo::Precision(25..=53) => Ok(TypeName::single("float8")),
        ExactNumberInfo::Precision(_) => {
            Err(SqlError::invalid_parameter("precision for type float must be less than 54 bits"))
        }
        ExactNumberInfo::PrecisionAndScale(..) => Err(SqlError::syntax("syntax error at or near \",\"")),
    }
}

/// `interval day to second(3)`: its fields, all if none are named, and the precision.
pub(super) fn interval(fields: Option<&str>, precision: Option<u64>) -> Result<TypeName> {
    let mask = match fields {
        None if precision.is_none() => return Ok(TypeName::single("interval")),
        None => interval_fields::FULL_RANGE,
        Some(name) => interval_fields::interval_fields(name)
            .ok_or_else(|| SqlError::syntax(format!("syntax error at or near \"{name}\"")))?,
    };
    with("interval", std::iter::once(u64::from(mask.cast_unsigned())).chain(precision))
}

/// A width behind an integer type is another dialect's.
fn no_width(name: &str, width: Option<u64>) -> Result<TypeName> {
    match width {
        None => Ok(TypeName::single(name)),
        Some(_) => Err(SqlError::syntax("syntax error at or near \"(\"")),
    }
}

fn zoned(base: &str, precision: Option<u64>, zone: &TimezoneInfo) -> Result<TypeName> {
    let name = match zone {
        TimezoneInfo::None | TimezoneInfo::WithoutTimeZone => base.to_owned(),
        TimezoneInfo::WithTimeZone | TimezoneInfo::Tz => format!("{base}tz"),
    };
    with(&name, precision)
}

impl Lower<'_> {
    /// Brings one type into the tree.
    pub(super) fn type_name(&self, data_type: DataType) -> Result<TypeName> {
        let mut inner = &data_type;
        while let DataType::Array(
            ArrayElemTypeDef::SquareBracket(element, _) | ArrayElemTypeDef::Qualified(element, _),
        ) = inner
        {
            inner = element;
        }
        let first = match inner {
            DataType::Custom(name, _) => name.0.first(),
            _ => None,
        };
        let position = match first {
            Some(ObjectNamePart::Identifier(ident)) => {
                let position = self.lines.position(ident.span.start);
                if ident.quote_style.is_none() && is_reserved(&ident.value.to_lowercase()) {
                    let message = format!("syntax error at or near \"{}\"", ident.value);
                    return Err(at(SqlError::syntax(message), position));
                }
                position
            }
            _ => 0,
        };
        Ok(TypeName { position, ..lower(data_type)? })
    }
}

fn lower(data_type: DataType) -> Result<TypeName> {
    match data_type {
        DataType::Character(length) | DataType::Char(length) => {
            with("bpchar", [char_length(length)?.unwrap_or(1)])
        }
        DataType::CharacterVarying(length) | DataType::CharVarying(length) | DataType::Varchar(length) => {
            with("varchar", char_length(length)?)
        }
        DataType::Uuid => Ok(TypeName::single("uuid")),
        DataType::Numeric(info) | DataType::Decimal(info) | DataType::Dec(info) => exact("numeric", info),
        DataType::Float(info) => float(info),
        DataType::Int2(width) | DataType::SmallInt(width) => no_width("int2", width),
        DataType::Int(width) | DataType::Int4(width) | DataType::Integer(width) => no_width("int4", width),
        DataType::Int8(width) | DataType::BigInt(width) => no_width("int8", width),
        DataType::Float4 | DataType::Real => Ok(TypeName::single("float4")),
        DataType::Float8 | DataType::DoublePrecision => Ok(TypeName::single("float8")),
        DataType::Bool | DataType::Boolean => Ok(TypeName::single("bool")),
        DataType::Date => Ok(TypeName::single("date")),
        DataType::Time(precision, zone) => zoned("time", precision, &zone),
        DataType::Timestamp(precision, zone) => zoned("timestamp", precision, &zone),
        DataType::Interval { fields, precision } => {
            let name = fields.map(|fields| fields.to_string().to_lowercase());
            interval(name.as_deref(), precision)
        }
        DataType::JSON => Ok(TypeName::single("json")),
        DataType::JSONB => Ok(TypeName::single("jsonb")),
        DataType::Regclass => Ok(TypeName::single("regclass")),
        DataType::Text => Ok(TypeName::single("text")),
        DataType::Bytea => Ok(TypeName::single("bytea")),
        DataType::Bit(length) => with("bit", length),
        DataType::BitVarying(length) | DataType::VarBit(length) => with("varbit", length),
        DataType::TsVector => Ok(TypeName::single("tsvector")),
        DataType::TsQuery => Ok(TypeName::single("tsquery")),
        DataType::Trigger => Ok(TypeName::single("trigger")),
        DataType::Array(
            ArrayElemTypeDef::SquareBracket(element, _) | ArrayElemTypeDef::Qualified(element, _),
        ) => Ok(TypeName { array: true, ..lower(*element)? }),
        DataType::Custom(name, modifiers) => custom(name, &modifiers),
        other => Err(SqlError::undefined_object("type", &other.to_string().to_lowercase())),
    }
}

fn custom(name: sqlparser::ast::ObjectName, modifiers: &[String]) -> Result<TypeName> {
    let mut parts = Vec::new();
    for part in name.0 {
        match part {
            ObjectNamePart::Identifier(ident) => {
                let quoted = ident.quote_style.is_some();
                let folded = fold(&ident.value, quoted);
                // Only the parser knows whether "char" was quoted, and the two are different types.
                parts.push(if quoted && folded == "char" { "\"char\"".to_owned() } else { folded });
            }
            ObjectNamePart::Function(_) => return Err(refuse("a function as a type")),
        }
    }
    let mut type_name = TypeName::single(&parts.pop().expect("a name has a part"));
    type_name.schema = parts.pop();
    if type_name.schema.is_some() && type_name.name == "char" {
        type_name.name = "\"char\"".to_owned();
    }
    for modifier in modifiers {
        let value = modifier.parse().map_err(|_| SqlError::invalid_parameter("invalid type modifier"))?;
        type_name.modifiers.push(value);
    }
    match type_name.name.as_str() {
        "char" if type_name.modifiers.is_empty() => type_name.modifiers.push(1),
        "decimal" | "dec" => type_name.name = "numeric".to_owned(),
        _ => {}
    }
    Ok(type_name)
}
