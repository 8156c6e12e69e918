//! Messages of the PostgreSQL protocol as drivers of many sessions need them: written into one buffer, so that what belongs
//! together is one send, and read in place. Text formats only.
//!
//! [`hexalog_sql_client`] waits for one answer after the other; what is built on this decides itself when it waits.

/// Longest message that is taken from a server.
const MESSAGE_BYTES_MAX: usize = 1 << 30;
/// Type and length.
const HEADER_BYTES: usize = 5;

/// Why a server's bytes make no sense.
const BROKEN: &str = "the server's bytes make no sense";

/// StartupMessage.
pub fn startup(out: &mut Vec<u8>, user: &str, database: &str, application: &str) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&196_608_i32.to_be_bytes());
    let parameters = [("user", user), ("database", database), ("application_name", application)];
    for text in parameters.iter().flat_map(|(name, value)| [name, value]) {
        put_text(out, text);
    }
    out.push(0);
    put_length(out, start);
}

/// Parse, of a statement with this name; types are the server's to find.
pub fn parse(out: &mut Vec<u8>, name: &str, text: &str) {
    let start = begin(out, b'P');
    put_text(out, name);
    put_text(out, text);
    out.extend_from_slice(&[0, 0]);
    put_length(out, start);
}

/// Bind of the unnamed portal to the statement `name`, and Execute of all its rows.
pub fn bind_execute(out: &mut Vec<u8>, name: &str, parameters: &[Option<&str>]) {
    let start = begin(out, b'B');
    out.push(0);
    put_text(out, name);
    out.extend_from_slice(&[0, 0]);
    let count = i16::try_from(parameters.len()).expect("our statements have few parameters");
    out.extend_from_slice(&count.to_be_bytes());
    for parameter in parameters {
        match parameter {
            None => out.extend_from_slice(&(-1_i32).to_be_bytes()),
            Some(text) => {
                let length = i32::try_from(text.len()).expect("our parameters are short");
                out.extend_from_slice(&length.to_be_bytes());
                out.extend_from_slice(text.as_bytes());
            }
        }
    }
    out.extend_from_slice(&[0, 0]);
    put_length(out, start);
    let start = begin(out, b'E');
    out.extend_from_slice(&[0; 5]);
    put_length(out, start);
}

/// Sync: the server answers what came before, and says that it is ready.
pub fn sync(out: &mut Vec<u8>) {
    let start = begin(out, b'S');
    put_length(out, start);
}

/// Terminate.
pub fn terminate(out: &mut Vec<u8>) {
    let start = begin(out, b'X');
    put_length(out, start);
}

fn begin(out: &mut Vec<u8>, kind: u8) -> usize {
    out.push(kind);
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    start
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
    out.push(0);
}

/// Lengths count themselves.
fn put_length(out: &mut [u8], start: usize) {
    let length = i32::try_from(out.len() - start).expect("our messages are short");
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

/// A message of the server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Message<'a> {
    /// Its type.
    pub kind: u8,
    /// What comes after its length.
    pub body: &'a [u8],
}

/// The message that `bytes` begin with and how many of them are its own; `None`: more must come.
pub fn message(bytes: &[u8]) -> Result<Option<(Message<'_>, usize)>, String> {
    let Some((header, rest)) = bytes.split_at_checked(HEADER_BYTES) else { return Ok(None) };
    let length = i32::from_be_bytes([header[1], header[2], header[3], header[4]]);
    let length = usize::try_from(length).ok().filter(|length| (4..=MESSAGE_BYTES_MAX).contains(length));
    let body_bytes = length.ok_or_else(|| BROKEN.to_owned())? - 4;
    let body = rest.get(..body_bytes);
    Ok(body.map(|body| (Message { kind: header[0], body }, HEADER_BYTES + body_bytes)))
}

/// An ErrorResponse.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Refusal {
    /// SQLSTATE.
    pub code: String,
    /// What happened.
    pub message: String,
    /// FATAL or PANIC: the session is over.
    pub is_fatal: bool,
}

impl Refusal {
    /// From the body of the message.
    pub fn of(body: &[u8]) -> Refusal {
        let field = |wanted: u8| {
            let mut fields = body.split(|byte| *byte == 0).filter_map(<[u8]>::split_first);
            let found = fields.find(|(kind, _)| **kind == wanted);
            found.map_or_else(String::new, |(_, value)| String::from_utf8_lossy(value).into_owned())
        };
        let severity = field(b'V');
        Refusal {
            code: field(b'C'),
            message: field(b'M'),
            is_fatal: severity == "FATAL" || severity == "PANIC",
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

/// The values of a DataRow.
pub fn row(body: &[u8]) -> Result<Vec<Option<String>>, String> {
    let broken = || BROKEN.to_owned();
    let (count, mut rest) = body.split_first_chunk::<2>().ok_or_else(broken)?;
    let mut values = Vec::with_capacity(usize::from(u16::from_be_bytes(*count)));
    for _ in 0..u16::from_be_bytes(*count) {
        let (length, after) = rest.split_first_chunk::<4>().ok_or_else(broken)?;
        rest = after;
        let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) else {
            values.push(None);
            continue;
        };
        let (value, after) = rest.split_at_checked(length).ok_or_else(broken)?;
        rest = after;
        values.push(Some(String::from_utf8(value.to_vec()).map_err(|_| broken())?));
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_as_the_protocol_has_them() {
        let mut out = Vec::new();
        startup(&mut out, "u", "d", "a");
        assert_eq!(out, b"\0\0\0\x2e\0\x03\0\0user\0u\0database\0d\0application_name\0a\0\0");
        out.clear();
        parse(&mut out, "s", "select 1");
        assert_eq!(out, b"P\0\0\0\x11s\0select 1\0\0\0");
        out.clear();
        bind_execute(&mut out, "s", &[Some("7"), None]);
        let bind = b"B\0\0\0\x16\0s\0\0\0\0\x02\0\0\0\x017\xff\xff\xff\xff\0\0";
        assert_eq!(out, [&bind[..], b"E\0\0\0\x09\0\0\0\0\0"].concat());
        out.clear();
        sync(&mut out);
        terminate(&mut out);
        assert_eq!(out, b"S\0\0\0\x04X\0\0\0\x04");
    }

    #[test]
    fn a_message_is_whole_or_waits() {
        let ready = b"Z\0\0\0\x05IZ\0";
        let (found, bytes) = message(ready).expect("sound").expect("whole");
        assert_eq!((found, bytes), (Message { kind: b'Z', body: b"I" }, 6));
        for cut in 0..6 {
            assert_eq!(message(&ready[..cut]), Ok(None), "{cut} bytes");
        }
        assert!(message(b"Z\0\0\0\x03I").is_err(), "shorter than its own length field");
        assert!(message(b"Z\xff\0\0\0I").is_err(), "negative");
    }

    #[test]
    fn rows_and_errors_are_read() {
        assert_eq!(row(b"\0\x02\0\0\0\x02ab\xff\xff\xff\xff"), Ok(vec![Some("ab".to_owned()), None]));
        assert!(row(b"\0\x02\0\0\0\x02ab").is_err());
        assert!(row(b"\0\x01\0\0\0\x02a").is_err());
        let refusal = Refusal::of(b"SFATAL\0VFATAL\0C53300\0Msorry\0\0");
        assert_eq!(refusal.to_string(), "53300: sorry");
        assert!(refusal.is_fatal);
        assert!(!Refusal::of(b"VERROR\0C40001\0Mx\0\0").is_fatal);
    }
}
