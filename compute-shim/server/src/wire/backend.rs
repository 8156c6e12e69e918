//! A server's messages, appended to a byte vector.

use hexalog_sql::answer::format_of;
use hexalog_sql::{ColumnDescription, CommandTag};
use hexalog_sql_types::{Datum, EvalEnv, SqlError, TypeId, binary, text};
use std::io::Write;

/// Appends a message whose body `encode` writes; the length is filled in afterwards.
pub fn message(out: &mut Vec<u8>, kind: u8, encode: impl FnOnce(&mut Vec<u8>)) {
    out.push(kind);
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    encode(out);
    end_message(out, start);
}

/// Fills in the length of the message whose length field stands at `start`.
fn end_message(out: &mut [u8], start: usize) {
    let length = i32::try_from(out.len() - start).expect("output is flushed long before 2 GiB");
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
    out.push(0);
}

fn put_int16(out: &mut Vec<u8>, value: usize) {
    let value = u16::try_from(value).expect("counts of columns and parameters are bounded below 65,536");
    out.extend_from_slice(&value.to_be_bytes());
}

/// AuthenticationOk.
pub fn authentication_ok(out: &mut Vec<u8>) {
    message(out, b'R', |out| out.extend_from_slice(&0_i32.to_be_bytes()));
}

/// BackendKeyData.
pub fn backend_key_data(out: &mut Vec<u8>, process_id: i32, secret: i32) {
    message(out, b'K', |out| {
        out.extend_from_slice(&process_id.to_be_bytes());
        out.extend_from_slice(&secret.to_be_bytes());
    });
}

/// NegotiateProtocolVersion: the client asked for a newer minor version, or for protocol options (`_pq_.*`)
/// that this server does not know.
pub fn negotiate_protocol_version(out: &mut Vec<u8>, unknown_options: &[&str]) {
    message(out, b'v', |out| {
        out.extend_from_slice(&0_i32.to_be_bytes());
        let count = i32::try_from(unknown_options.len()).expect("bounded by the start-up packet's length");
        out.extend_from_slice(&count.to_be_bytes());
        unknown_options.iter().for_each(|option| put_text(out, option));
    });
}

/// ParameterStatus.
pub fn parameter_status(out: &mut Vec<u8>, name: &str, value: &str) {
    message(out, b'S', |out| {
        put_text(out, name);
        put_text(out, value);
    });
}

/// ReadyForQuery.
pub fn ready_for_query(out: &mut Vec<u8>, transaction_status: u8) {
    out.extend_from_slice(&[b'Z', 0, 0, 0, 5, transaction_status]);
}

/// ParseComplete.
pub fn parse_complete(out: &mut Vec<u8>) {
    out.extend_from_slice(b"1\0\0\0\x04");
}

/// BindComplete.
pub fn bind_complete(out: &mut Vec<u8>) {
    out.extend_from_slice(b"2\0\0\0\x04");
}

/// CloseComplete.
pub fn close_complete(out: &mut Vec<u8>) {
    out.extend_from_slice(b"3\0\0\0\x04");
}

/// NoData.
pub fn no_data(out: &mut Vec<u8>) {
    out.extend_from_slice(b"n\0\0\0\x04");
}

/// PortalSuspended.
pub fn portal_suspended(out: &mut Vec<u8>) {
    out.extend_from_slice(b"s\0\0\0\x04");
}

/// EmptyQueryResponse.
pub fn empty_query(out: &mut Vec<u8>) {
    out.extend_from_slice(b"I\0\0\0\x04");
}

/// CommandComplete.
pub fn command_complete(out: &mut Vec<u8>, tag: &CommandTag) {
    message(out, b'C', |out| {
        write!(out, "{tag}").expect("writing to a vector cannot fail");
        out.push(0);
    });
}

/// ParameterDescription.
pub fn parameter_description(out: &mut Vec<u8>, types: &[TypeId]) {
    message(out, b't', |out| {
        put_int16(out, types.len());
        types.iter().for_each(|id| out.extend_from_slice(&id.0.to_be_bytes()));
    });
}

/// RowDescription; `formats` by Bind's rule.
pub fn row_description(out: &mut Vec<u8>, columns: &[ColumnDescription], formats: &[i16]) {
    message(out, b'T', |out| {
        put_int16(out, columns.len());
        for (index, column) in columns.iter().enumerate() {
            put_text(out, &column.name);
            out.extend_from_slice(&column.table_oid.to_be_bytes());
            out.extend_from_slice(&column.column_number.to_be_bytes());
            out.extend_from_slice(&column.type_id.0.to_be_bytes());
            out.extend_from_slice(&column.type_size.to_be_bytes());
            out.extend_from_slice(&column.typmod.0.to_be_bytes());
            out.extend_from_slice(&format_of(formats, index).to_be_bytes());
        }
    });
}

/// DataRow. After an error (a type without a binary form) nothing of the row is left in `out`.
pub fn data_row(
    out: &mut Vec<u8>,
    env: &EvalEnv<'_>,
    values: &[Datum],
    columns: &[ColumnDescription],
    formats: &[i16],
) -> Result<(), SqlError> {
    assert_eq!(values.len(), columns.len(), "a value for each column");
    let start = out.len();
    out.push(b'D');
    out.extend_from_slice(&[0; 4]);
    put_int16(out, values.len());
    for (index, (value, column)) in values.iter().zip(columns).enumerate() {
        if matches!(value, Datum::Null) {
            out.extend_from_slice(&(-1_i32).to_be_bytes());
            continue;
        }
        let length_at = out.len();
        out.extend_from_slice(&[0; 4]);
        if format_of(formats, index) == 1 {
            if let Err(error) = binary::send(env, column.type_id, value, out) {
                out.truncate(start);
                return Err(error);
            }
        } else {
            text::output(env, column.type_id, value, out);
        }
        let length = i32::try_from(out.len() - length_at - 4).expect("a value is far below 2 GiB");
        out[length_at..length_at + 4].copy_from_slice(&length.to_be_bytes());
    }
    end_message(out, start + 1);
    Ok(())
}

/// CopyInResponse; all columns are in the same format.
pub fn copy_in_response(out: &mut Vec<u8>, columns: u16, is_binary: bool) {
    copy_response(out, b'G', columns, is_binary);
}

/// CopyOutResponse; all columns are in the same format.
pub fn copy_out_response(out: &mut Vec<u8>, columns: u16, is_binary: bool) {
    copy_response(out, b'H', columns, is_binary);
}

fn copy_response(out: &mut Vec<u8>, kind: u8, columns: u16, is_binary: bool) {
    message(out, kind, |out| {
        out.push(u8::from(is_binary));
        put_int16(out, usize::from(columns));
        (0..columns).for_each(|_| put_int16(out, usize::from(is_binary)));
    });
}

/// CopyData.
pub fn copy_data(out: &mut Vec<u8>, data: &[u8]) {
    message(out, b'd', |out| out.extend_from_slice(data));
}

/// CopyDone.
pub fn copy_done(out: &mut Vec<u8>) {
    out.extend_from_slice(b"c\0\0\0\x04");
}

/// ErrorResponse; `severity` is ERROR, FATAL or PANIC.
pub fn error_response(out: &mut Vec<u8>, severity: &str, error: &SqlError) {
    message(out, b'E', |out| put_error_fields(out, severity, error));
}

/// NoticeResponse; `severity` is WARNING, NOTICE, INFO, LOG or DEBUG.
pub fn notice_response(out: &mut Vec<u8>, severity: &str, notice: &SqlError) {
    message(out, b'N', |out| put_error_fields(out, severity, notice));
}

/// Fields in the order in which PostgreSQL sends them. File, line and routine, which name places in its source
/// code, have no counterpart here.
fn put_error_fields(out: &mut Vec<u8>, severity: &str, error: &SqlError) {
    let fields = error.fields();
    let position = fields.position.map(|position| position.to_string());
    let all = [
        (b'S', Some(severity)),
        (b'V', Some(severity)),
        (b'C', Some(fields.sqlstate.as_str())),
        (b'M', Some(fields.message.as_str())),
        (b'D', fields.detail.as_deref()),
        (b'H', fields.hint.as_deref()),
        (b'W', fields.context.as_deref()),
        (b's', fields.schema.as_deref()),
        (b't', fields.table.as_deref()),
        (b'c', fields.column.as_deref()),
        (b'd', fields.data_type.as_deref()),
        (b'n', fields.constraint.as_deref()),
        (b'P', position.as_deref()),
    ];
    for (kind, value) in all {
        if let Some(value) = value {
            out.push(kind);
            // A zero byte inside would end the field early.
            out.extend(value.bytes().filter(|byte| *byte != 0));
            out.push(0);
        }
    }
    out.push(0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use hexalog_sql_types::SqlState;

    #[test]
    fn lengths_are_right() {
        let mut out = Vec::new();
        authentication_ok(&mut out);
        backend_key_data(&mut out, 1, 2);
        parameter_status(&mut out, "a", "b");
        ready_for_query(&mut out, b'I');
        parse_complete(&mut out);
        bind_complete(&mut out);
        close_complete(&mut out);
        no_data(&mut out);
        portal_suspended(&mut out);
        empty_query(&mut out);
        command_complete(&mut out, &CommandTag::counted("INSERT 0", 3));
        copy_in_response(&mut out, 3, true);
        copy_data(&mut out, b"x\n");
        copy_done(&mut out);
        negotiate_protocol_version(&mut out, &["_pq_.x"]);
        error_response(&mut out, "ERROR", &SqlError::syntax("no\0pe").with_position(3).with_hint("h"));
        let mut kinds = Vec::new();
        let mut rest = out.as_slice();
        while let Some((&kind, tail)) = rest.split_first() {
            let length = i32::from_be_bytes(*tail.first_chunk().expect("length")) as usize;
            kinds.push(kind);
            rest = &tail[length..];
        }
        assert_eq!(kinds, b"RKSZ123nsICGdcvE");
    }

    #[test]
    fn error_fields_golden() {
        let mut out = Vec::new();
        let error =
            SqlError::new(SqlState::UNIQUE_VIOLATION, "dup").with_constraint("pk").with_table("s", "t");
        error_response(&mut out, "ERROR", &error);
        assert_eq!(&out[5..], b"SERROR\0VERROR\0C23505\0Mdup\0ss\0tt\0npk\0\0");
    }
}
