//! `pg_stats`: what ANALYZE has found of columns. (`pg_class` has what it has found of tables.)

use super::value::{FALSE, NULL, text};
use crate::catalog::statistics::ColumnStatistics;
use crate::execute::Row;
use crate::session::SessionView;
use hexalog_sql_types::{Array, Datum, TypeId};

fn float4_array(values: impl Iterator<Item = f32>) -> Datum {
    Array::from_values(TypeId::FLOAT4, values.map(Datum::Float4).collect()).into()
}

/// NULL for none.
fn values_of(type_id: TypeId, values: Vec<Datum>) -> Datum {
    if values.is_empty() { NULL } else { Array::from_values(type_id, values).into() }
}

pub(super) fn pg_stats(view: &SessionView) -> Vec<Row> {
    let catalog = view.catalog();
    let mut rows = Vec::new();
    for table in catalog.tables() {
        let Some(statistics) = catalog.statistics(table.oid) else { continue };
        // PostgreSQL has none of a table without rows.
        for of in statistics.columns.iter().filter(|_| statistics.rows != Some(0)) {
            let place = [
                text(catalog.schema_name(table.schema)),
                text(&table.name),
                text(&table.columns[of.column].name),
                FALSE,
            ];
            rows.push(place.into_iter().chain(found(of)).collect());
        }
    }
    rows
}

fn found(of: &ColumnStatistics) -> [Datum; 10] {
    let common: Vec<Datum> = of.common.iter().map(|(value, _)| value.clone()).collect();
    let frequencies = match of.common.is_empty() {
        true => NULL,
        false => float4_array(of.common.iter().map(|(_, fraction)| *fraction)),
    };
    [
        Datum::Float4(of.null_fraction),
        Datum::Int4(i32::try_from(of.width).unwrap_or(i32::MAX)),
        Datum::Float4(of.distinct),
        values_of(of.type_id, common),
        frequencies,
        values_of(of.type_id, of.bounds.clone()),
        of.correlation.map_or(NULL, Datum::Float4),
        // Elements of arrays are not looked at.
        NULL,
        NULL,
        NULL,
    ]
}
