//! Golden bytes as PostgreSQL 15's `…send` functions give them, and round trips.

use super::*;
use crate::env::EvalEnv;

/// Type, text form, bytes in hexadecimal: `select encode(int4send(1), 'hex')` and the like of PostgreSQL 15.
const GOLDEN: &[(&str, &str, &str)] = &[
    ("boolean", "t", "01"),
    ("\"char\"", "x", "78"),
    ("smallint", "-2", "fffe"),
    ("integer", "100000", "000186a0"),
    ("bigint", "-1", "ffffffffffffffff"),
    ("real", "1.5", "3fc00000"),
    ("double precision", "-2.5", "c004000000000000"),
    ("numeric", "0", "0000000000000000"),
    ("numeric", "12345.67", "0003000100000002000109291a2c"),
    ("numeric", "-0.0001", "0001ffff400000040001"),
    ("numeric", "NaN", "00000000c0000000"),
    ("numeric", "Infinity", "00000000d0000020"),
    ("numeric", "-Infinity", "00000000f0000020"),
    ("numeric", "10000", "00010001000000000001"),
    ("numeric", "1.00", "00010000000000020001"),
    ("text", "h\u{e9}", "68c3a9"),
    ("name", "abc", "616263"),
    ("bytea", "\\x00ff", "00ff"),
    ("date", "2020-01-01", "00001c89"),
    ("timestamp", "2020-01-01 00:00:00.000001", "00023e0786c26001"),
    ("time", "10:11:12.5", "0000000889d9f120"),
    ("timetz", "10:11:12.5-03:30", "0000000889d9f12000003138"),
    ("json", "{\"a\" : 1}", "7b226122203a20317d"),
    ("jsonb", "{\"a\": 1}", "017b2261223a20317d"),
    ("jsonpath", "$.\"a\"", "01242e226122"),
    ("interval", "1 mon 2 days 00:00:03", "00000000002dc6c00000000200000001"),
    ("oid", "16384", "00004000"),
    ("uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "a0eebc999c0b4ef8bb6d6bb9bd380a11"),
    ("int4[]", "{1,NULL}", "00000001000000010000001700000002000000010000000400000001ffffffff"),
    ("int2vector", "1 2", "0000000100000000000000150000000200000000000000020001000000020002"),
    ("text[]", "{}", "000000000000000000000019"),
];

fn hex(text: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect(text);
    (0..text.len()).step_by(2).map(digit).collect()
}

#[test]
fn golden_bytes() {
    let env = EvalEnv::without_session();
    for &(name, text, expected) in GOLDEN {
        let id = crate::types::type_from_name(name).expect(name);
        let value = crate::text::input(&env, id, Typmod::NONE, text).expect(text);
        let mut out = Vec::new();
        send(&EvalEnv::without_session(), id, &value, &mut out).expect(text);
        assert_eq!(out, hex(expected), "{name} {text}");
        let back = receive(&EvalEnv::without_session(), id, Typmod::NONE, &out).expect(text);
        assert_eq!(crate::text::output_string(&env, id, &back), text, "{name}");
        for length in 0..out.len() {
            // Must not panic; a short value of a type with a fixed form is an error.
            let _ = receive(&EvalEnv::without_session(), id, Typmod::NONE, &out[..length]);
        }
    }
}

#[test]
fn errors() {
    for (id, bytes, expected) in [
        (TypeId::INT4, "00", "ERROR 08P01: insufficient data left in message"),
        (TypeId::INT4, "0000000000", "ERROR 22P03: incorrect binary data format"),
        (TypeId::TEXT, "61ff", "ERROR 22021: invalid byte sequence for encoding \"UTF8\": 0xff"),
        (TypeId::TEXT, "00", "ERROR 22021: invalid byte sequence for encoding \"UTF8\": 0x00"),
        (TypeId::TEXT, "c328", "ERROR 22021: invalid byte sequence for encoding \"UTF8\": 0xc3 0x28"),
        (TypeId::NUMERIC, "0001000012340000", "ERROR 22P03: invalid sign in external \"numeric\" value"),
        (TypeId::NUMERIC, "00010000000000002710", "ERROR 22P03: invalid digit in external \"numeric\" value"),
        (TypeId::TIMESTAMP, "7ffffffffffffffe", "ERROR 22008: timestamp out of range"),
        (
            TypeId::INT4_ARRAY,
            "000000010000000000000019",
            "ERROR 42804: binary data has array element type 25 (text) instead of expected 23 (integer)",
        ),
        // Fuzzing found vectors with NULL in them, which nothing could print.
        (
            TypeId::INT2VECTOR,
            "0000000100000001000000150000000100000000ffffffff",
            "ERROR 22P03: invalid int2vector data",
        ),
        (
            TypeId::OIDVECTOR,
            "00000001000000000000001a0000000000000001",
            "ERROR 22P03: invalid oidvector data",
        ),
    ] {
        let error = receive(&EvalEnv::without_session(), id, Typmod::NONE, &hex(bytes)).expect_err(bytes);
        assert_eq!(error.to_string(), expected);
    }
}
