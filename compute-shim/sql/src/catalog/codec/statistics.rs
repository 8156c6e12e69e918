//! The stored form of statistics. Values are as a row of their type holds them.

use super::{Reader, Writer, damaged};
use crate::catalog::object::Oid;
use crate::catalog::statistics::{ColumnStatistics, Statistics};
use hexalog_sql_types::error::Result;
use hexalog_sql_types::row::RowLayout;
use hexalog_sql_types::{Datum, TypeId};

impl Writer {
    fn f32(&mut self, value: f32) {
        self.u32(value.to_bits());
    }

    pub(super) fn statistics(&mut self, statistics: &Statistics) {
        let Statistics { table: _, rows, bytes, columns } = statistics;
        self.bool(rows.is_some());
        if let Some(rows) = rows {
            self.u64(*rows);
        }
        self.u64(*bytes);
        self.count(columns.len());
        for statistics in columns {
            self.column_statistics(statistics);
        }
    }

    fn column_statistics(&mut self, statistics: &ColumnStatistics) {
        let ColumnStatistics { column, type_id, null_fraction, width, distinct, common, bounds, correlation } =
            statistics;
        let layout = RowLayout::new(vec![*type_id]);
        let value = |out: &mut Writer, value: &Datum| {
            let mut bytes = Vec::new();
            layout.encode_value(0, value, &mut bytes);
            out.blob(&bytes);
        };
        self.count(*column);
        self.u32(type_id.0);
        self.f32(*null_fraction);
        self.u32(*width);
        self.f32(*distinct);
        self.count(common.len());
        for (common, fraction) in common {
            value(self, common);
            self.f32(*fraction);
        }
        self.count(bounds.len());
        for bound in bounds {
            value(self, bound);
        }
        self.bool(correlation.is_some());
        if let Some(correlation) = correlation {
            self.f32(*correlation);
        }
    }
}

impl Reader<'_> {
    fn f32(&mut self) -> Result<f32> {
        Ok(f32::from_bits(self.u32()?))
    }

    pub(super) fn statistics(&mut self, table: Oid) -> Result<Statistics> {
        let rows = if self.bool()? { Some(self.u64()?) } else { None };
        let bytes = self.u64()?;
        let columns = self.list(Reader::column_statistics)?;
        match columns.is_sorted_by(|one, next| one.column < next.column) {
            true => Ok(Statistics { table, rows, bytes, columns }),
            false => Err(damaged()),
        }
    }

    fn column_statistics(&mut self) -> Result<ColumnStatistics> {
        let (column, type_id) = (self.number()?, TypeId(self.u32()?));
        let layout = RowLayout::new(vec![type_id]);
        let (null_fraction, width, distinct) = (self.f32()?, self.u32()?, self.f32()?);
        let common = self.list(|reader| Ok((layout.decode_value(0, reader.blob()?)?, reader.f32()?)))?;
        let bounds = self.list(|reader| layout.decode_value(0, reader.blob()?))?;
        let correlation = if self.bool()? { Some(self.f32()?) } else { None };
        Ok(ColumnStatistics { column, type_id, null_fraction, width, distinct, common, bounds, correlation })
    }
}
