//! What a PostgreSQL client sends: the start-up packet, every message, and COPY's text.

use super::nothing;
use crate::target::{TAKEN, Target};
use hexalog_server::wire::frontend::{self, Bind, HEADER_BYTES, MESSAGE_BYTES_MAX, Parse};
use hexalog_server::wire::startup::{self, StartupPacket};
use hexalog_sql::session::copy::fields::Fields;
use hexalog_sql::session::copy::lines::{Lines, Quoting};
use hexalog_sql::session::copy::tuples::Tuples;
use hexalog_sql::session::copy::{csv, text};

/// The packet that comes before messages.
pub const STARTUP: Target = Target {
    name: "startup",
    seeds: startup_seeds,
    mend: mend_startup,
    check: check_startup,
    // An empty name ends the list, so a parameter takes at least three bytes here and two strings in memory.
    allocated_bytes_max: |bytes| 64 * bytes + 4096,
};

/// A message with its header, of every type that is decoded.
pub const FRONTEND: Target = Target {
    name: "frontend",
    seeds: frontend_seeds,
    mend: mend_frontend,
    check: check_frontend,
    // Decoding borrows; the check encodes the message again.
    allocated_bytes_max: |bytes| 8 * bytes + 4096,
};

/// COPY's data; its first byte says in what format it is and into what pieces it is cut.
pub const COPY: Target = Target {
    name: "copy",
    seeds: copy_seeds,
    mend: nothing,
    check: check_copy,
    // Lines found in pieces and in one, each with its fields and their values.
    allocated_bytes_max: |bytes| 512 * bytes + 4096,
};

fn startup_packet(code: i32, rest: &[u8]) -> Vec<u8> {
    let mut bytes = (8 + rest.len() as i32).to_be_bytes().to_vec();
    bytes.extend(code.to_be_bytes());
    bytes.extend(rest);
    bytes
}

fn startup_seeds() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("startup", startup_packet(3 << 16, b"user\0u\0database\0d\0application_name\0psql\0\0")),
        ("newer-minor", startup_packet(3 << 16 | 2, b"_pq_.x\0on\0user\0u\0\0")),
        ("tls", startup_packet(80_877_103, b"")),
        ("gssapi", startup_packet(80_877_104, b"")),
        ("cancel", startup_packet(80_877_102, &[0, 0, 0, 7, 0, 0, 1, 0])),
        ("status", startup_packet(startup::STATUS_REQUEST, b"")),
    ]
}

fn mend_startup(input: &mut [u8]) {
    let length = (input.len() as i32).to_be_bytes();
    if let Some(place) = input.get_mut(..4) {
        place.copy_from_slice(&length);
    }
}

fn check_startup(input: &[u8]) -> &'static str {
    let length = match startup::packet_length(input) {
        Ok(Some(length)) => length,
        Ok(None) => return "incomplete",
        Err(violation) => return violation.0,
    };
    assert!((8..=startup::STARTUP_BYTES_MAX).contains(&length));
    let Some(packet) = input.get(..length) else { return "incomplete" };
    match startup::decode(packet) {
        Ok(StartupPacket::Startup { minor_version, parameters }) => {
            let mut rest = Vec::new();
            for text in parameters.iter().flat_map(|(name, value)| [name, value]) {
                rest.extend_from_slice(text.as_bytes());
                rest.push(0);
            }
            rest.push(0);
            let code = startup::PROTOCOL_3_0 | i32::from(minor_version);
            assert!(startup_packet(code, &rest) == packet, "one packet has one encoding");
            TAKEN
        }
        Ok(_) => TAKEN,
        Err(violation) => violation.0,
    }
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.extend((4 + body.len() as i32).to_be_bytes());
    bytes.extend(body);
    bytes
}

fn frontend_seeds() -> Vec<(&'static str, Vec<u8>)> {
    let mut bind = b"portal\0statement\0".to_vec();
    bind.extend([0, 2, 0, 0, 0, 1, 0, 2]);
    bind.extend([0, 0, 0, 2, b'4', b'2', 0xff, 0xff, 0xff, 0xff]);
    bind.extend([0, 1, 0, 1]);
    vec![
        ("query", message(b'Q', b"SELECT 1\0")),
        ("parse", message(b'P', b"n\0SELECT $1, $2\0\0\x02\0\0\0\x17\0\0\0\x19")),
        ("bind", message(b'B', &bind)),
        ("describe", message(b'D', b"Sn\0")),
        ("close", message(b'C', b"Pp\0")),
        ("execute", message(b'E', b"p\0\0\0\0\x05")),
        ("copy-data", message(b'd', b"1\tone\n")),
        ("copy-fail", message(b'f', b"enough\0")),
        ("sync", message(b'S', b"")),
    ]
}

fn mend_frontend(input: &mut [u8]) {
    let length = (input.len().saturating_sub(1) as i32).to_be_bytes();
    if let Some(place) = input.get_mut(1..HEADER_BYTES) {
        place.copy_from_slice(&length);
    }
}

fn check_frontend(input: &[u8]) -> &'static str {
    let (kind, length) = match frontend::header(input) {
        Ok(Some(header)) => header,
        Ok(None) => return "incomplete",
        Err(violation) => return violation.0,
    };
    assert!(length <= MESSAGE_BYTES_MAX);
    let Some(body) = input.get(HEADER_BYTES..HEADER_BYTES + length) else { return "incomplete" };
    let decoded = match kind {
        b'Q' | b'f' => frontend::single_text(body).map(|text| [text.as_bytes(), &[0]].concat()),
        b'P' => Parse::decode(body).map(|parse| encode_parse(&parse)),
        b'B' => Bind::decode(body).map(|bind| encode_bind(&bind)),
        b'D' | b'C' => frontend::Target::decode(body).map(|target| match target {
            frontend::Target::Statement(name) => [b"S", name.as_bytes(), &[0]].concat(),
            frontend::Target::Portal(name) => [b"P", name.as_bytes(), &[0]].concat(),
        }),
        b'E' => frontend::execute(body).map(|(portal, limit)| {
            // A limit below zero is none.
            let is_none = body[body.len() - 4] & 0x80 != 0;
            let limit = if is_none { &body[body.len() - 4..] } else { &limit.to_be_bytes()[..] };
            [portal.as_bytes(), &[0], limit].concat()
        }),
        // Data as it is, or nothing.
        b'd' | b'c' | b'S' | b'H' | b'X' => return TAKEN,
        _ => return "no such message",
    };
    match decoded {
        Ok(again) => {
            assert!(again == body, "one message has one encoding");
            TAKEN
        }
        Err(violation) => violation.0,
    }
}

fn encode_parse(parse: &Parse<'_>) -> Vec<u8> {
    let mut out = [parse.name.as_bytes(), &[0], parse.text.as_bytes(), &[0]].concat();
    out.extend((parse.type_oids().count() as u16).to_be_bytes());
    parse.type_oids().for_each(|oid| out.extend(oid.to_be_bytes()));
    out
}

fn encode_bind(bind: &Bind<'_>) -> Vec<u8> {
    let mut out = [bind.portal.as_bytes(), &[0], bind.statement.as_bytes(), &[0]].concat();
    let put_formats = |out: &mut Vec<u8>, formats: &mut dyn ExactSizeIterator<Item = i16>| {
        out.extend((formats.len() as u16).to_be_bytes());
        formats.for_each(|format| out.extend(format.to_be_bytes()));
    };
    put_formats(&mut out, &mut bind.parameter_formats());
    out.extend((bind.parameter_count as u16).to_be_bytes());
    for value in bind.parameters() {
        out.extend(value.map_or(-1, |value| value.len() as i32).to_be_bytes());
        out.extend(value.unwrap_or_default());
    }
    put_formats(&mut out, &mut bind.result_formats());
    out
}

fn copy_seeds() -> Vec<(&'static str, Vec<u8>)> {
    [
        ("lines", &b"\x031\tone\n2\t\\N\n\\x41\\101\\t\\\\\tb\n"[..]),
        ("crlf", b"\x02a\tb\r\n\\.\r\nrest"),
        ("cr", b"\x01a\rb\r\\.\r"),
        ("escaped-newline", b"\x05a\\\nb\nc"),
        ("csv", b"\x43a,\"b\nc\"\n\"d\"\"e\",\n\\.\nrest"),
        ("csv-escape", b"\x85'a^'\n',b\r\nc,^\r\n"),
        ("tuples", b"\xC7PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0\0\x02\0\0\0\x01x\xff\xff\xff\xff\xff\xff"),
    ]
    .map(|(name, text)| (name, text.to_vec()))
    .to_vec()
}

/// Lines with whether they have an escape, or PostgreSQL's words, and their number.
fn lines(quoting: Option<Quoting>, input: &[u8], piece_bytes: usize) -> (Vec<(Vec<u8>, bool)>, String, u64) {
    let mut lines = Lines::new(quoting);
    let mut found = Vec::new();
    let mut result = Ok(());
    for piece in input.chunks(piece_bytes.max(1)) {
        let mut at = 0;
        loop {
            match lines.next(piece, &mut at) {
                Ok(Some(line)) => {
                    // In csv it says nothing.
                    let has_escape = quoting.is_none() && line.has_escape;
                    found.push((lines.bytes(&line, piece).to_vec(), has_escape));
                }
                Ok(None) => break,
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
        }
        if result.is_err() {
            break;
        }
        assert_eq!(at, piece.len(), "a piece is used up");
    }
    if result.is_ok() {
        match lines.last() {
            Ok(Some(line)) => {
                let has_escape = quoting.is_none() && line.has_escape;
                found.push((lines.bytes(&line, &[]).to_vec(), has_escape));
            }
            Ok(None) => {}
            Err(error) => result = Err(error),
        }
    }
    let words = result.err().map_or_else(String::new, |error| error.message().to_owned());
    (found, words, lines.number())
}

/// The quotes of the two kinds of csv that are tried.
const QUOTINGS: [Quoting; 2] =
    [Quoting { quote: b'"', escape: b'"' }, Quoting { quote: b'\'', escape: b'^' }];

fn check_copy(input: &[u8]) -> &'static str {
    let Some((&kind, input)) = input.split_first() else { return "empty" };
    let piece_bytes = usize::from(kind & 0x3F);
    match kind >> 6 {
        0 => check_text(input, piece_bytes),
        3 => check_tuples(input, piece_bytes),
        csv => check_csv(QUOTINGS[usize::from(csv) - 1], input, piece_bytes),
    }
}

fn check_text(input: &[u8], piece_bytes: usize) -> &'static str {
    let whole = lines(None, input, input.len());
    assert_eq!(lines(None, input, piece_bytes), whole, "pieces do not matter");
    let (mut fields, mut back, mut again) = (Fields::default(), Fields::default(), Vec::new());
    for (line, has_escape) in &whole.0 {
        text::split(line, b'\t', *has_escape, b"\\N", &mut fields);
        for field in 0..fields.count() {
            let Some(value) = fields.value(field, line) else { continue };
            again.clear();
            text::escape(value, b'\t', &mut again);
            text::split(&again, b'\t', true, b"\\N", &mut back);
            assert_eq!(back.count(), 1, "one value is one field");
            assert!(back.value(0, &again) == Some(value), "what is copied out comes back in");
        }
    }
    if whole.1.is_empty() { TAKEN } else { "refused" }
}

fn check_csv(quoting: Quoting, input: &[u8], piece_bytes: usize) -> &'static str {
    let whole = lines(Some(quoting), input, input.len());
    assert_eq!(lines(Some(quoting), input, piece_bytes), whole, "pieces do not matter");
    let (mut fields, mut back, mut again) = (Fields::default(), Fields::default(), Vec::new());
    let style = csv::Style { delimiter: b',', quoting, null: b"", is_alone: true };
    for (line, _) in &whole.0 {
        if csv::split(line, b',', quoting, b"", &mut fields).is_err() {
            return "refused";
        }
        for field in 0..fields.count() {
            let Some(value) = fields.value(field, line) else { continue };
            again.clear();
            csv::write(value, style, false, &mut again);
            csv::split(&again, b',', quoting, b"", &mut back).expect("quotes are closed");
            assert_eq!(back.count(), 1, "one value is one field");
            assert!(back.value(0, &again) == Some(value), "what is copied out comes back in");
        }
    }
    if whole.1.is_empty() { TAKEN } else { "refused" }
}

/// Tuples of two fields, and how the input ended.
fn tuples(input: &[u8], piece_bytes: usize) -> (Vec<[Option<Vec<u8>>; 2]>, String) {
    let mut tuples = Tuples::new(2);
    let mut found = Vec::new();
    for piece in input.chunks(piece_bytes.max(1)) {
        let mut at = 0;
        loop {
            match tuples.next(piece, &mut at) {
                Ok(true) => found.push([0, 1].map(|field| tuples.value(field).map(<[u8]>::to_vec))),
                Ok(false) => break,
                Err(refused) => return (found, refused.error.message().to_owned()),
            }
        }
    }
    let words = tuples.end().err().map_or_else(String::new, |refused| refused.error.message().to_owned());
    (found, words)
}

fn check_tuples(input: &[u8], piece_bytes: usize) -> &'static str {
    let whole = tuples(input, input.len());
    assert_eq!(tuples(input, piece_bytes), whole, "pieces do not matter");
    if whole.1.is_empty() { TAKEN } else { "refused" }
}
