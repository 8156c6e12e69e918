//! Where a cluster's metadata is, as users write it, and the opening of the backend that this names.
//!
//! | text | backend |
//! |---|---|
//! | `/path`, `path`, `sqlite:///path` | a SQLite file |
//! | `etcd://host:port,host:port/prefix` | etcd; `?tls=system`, or `?ca=FILE`, with `&cert=FILE&key=FILE`: by TLS |
//! | `dynamodb://table` | the DynamoDB API; `?region=…&endpoint=…&prefix=…`; `&credentials=none` for servers that check none |
//!
//! Values of a query are taken as written, without percent-encoding.

use crate::metadata::{Metadata, MetadataError};
use crate::sqlite::SqliteMetadata;
use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What begins all keys of a cluster in a shared store, unless told otherwise.
const PREFIX: &str = "hexalog";

/// Where metadata is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Location {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// An etcd cluster.
    Etcd(EtcdLocation),
    /// A table of the DynamoDB API.
    DynamoDb(DynamoDbLocation),
}

/// An etcd cluster.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EtcdLocation {
    /// `host:port` of its members, one at least.
    pub endpoints: Vec<String>,
    /// What begins the keys; a slash follows.
    pub prefix: String,
    /// How connections are secured; `None`: not at all.
    pub tls: Option<EtcdTls>,
}

/// Files for TLS, in PEM.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct EtcdTls {
    /// Who signs the servers' certificates; `None`: whom the system trusts.
    pub ca: Option<PathBuf>,
    /// Certificate and key by which the servers know this client.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// A table of the DynamoDB API.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DynamoDbLocation {
    /// The table's name.
    pub table: String,
    /// `None`: as the environment says.
    pub region: Option<String>,
    /// URL of another server than the region's own; `None`: that one.
    pub endpoint: Option<String>,
    /// The partition key of all items.
    pub prefix: String,
    /// The server checks no credentials, as those for tests do, and none are looked for.
    pub is_unchecked: bool,
}

/// Whether a store that is not there is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Opening {
    /// It must be there.
    Existing,
    /// It is made: the file, or the table.
    OrCreate,
}

impl Location {
    /// Reads an operand of `--metadata`. The error is a sentence for people.
    pub fn parse(text: &OsStr) -> Result<Location, String> {
        let Some((scheme, rest)) = text.to_str().and_then(split_scheme) else {
            return match text.is_empty() {
                true => Err("an empty path names no metadata".to_owned()),
                false => Ok(Location::Sqlite(PathBuf::from(text))),
            };
        };
        match scheme {
            "sqlite" if rest.starts_with('/') && rest.len() > 1 => Ok(Location::Sqlite(PathBuf::from(rest))),
            "sqlite" => {
                Err("sqlite:// is followed by an absolute path, as in sqlite:///var/lib/m.sqlite".to_owned())
            }
            "etcd" => parse_etcd(rest).map(Location::Etcd),
            "dynamodb" => parse_dynamodb(rest).map(Location::DynamoDb),
            other => Err(format!(
                "{other}:// is no kind of metadata; there are a path, sqlite:///path, etcd://host:port,…/prefix, \
                 and dynamodb://table?region=…"
            )),
        }
    }

    /// The file, if it is one.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Location::Sqlite(path) => Some(path),
            _ => None,
        }
    }

    /// Opens the store.
    pub fn open(&self, opening: Opening) -> Result<Arc<dyn Metadata>, MetadataError> {
        match self {
            Location::Sqlite(path) => {
                let store = match opening {
                    Opening::Existing => SqliteMetadata::open(path),
                    Opening::OrCreate => SqliteMetadata::open_or_create(path),
                };
                Ok(Arc::new(store?))
            }
            Location::Etcd(etcd) => open_etcd(etcd),
            Location::DynamoDb(table) => open_dynamodb(table, opening),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::Sqlite(path) => path.display().fmt(f),
            Location::Etcd(etcd) => write!(f, "etcd://{}/{}", etcd.endpoints.join(","), etcd.prefix),
            Location::DynamoDb(table) => write!(f, "dynamodb://{}", table.table),
        }
    }
}

#[cfg(feature = "etcd")]
fn open_etcd(location: &EtcdLocation) -> Result<Arc<dyn Metadata>, MetadataError> {
    Ok(Arc::new(crate::etcd::EtcdMetadata::open(location)?))
}

#[cfg(not(feature = "etcd"))]
fn open_etcd(location: &EtcdLocation) -> Result<Arc<dyn Metadata>, MetadataError> {
    Err(not_built(&Location::Etcd(location.clone()), "etcd"))
}

#[cfg(feature = "dynamodb")]
fn open_dynamodb(location: &DynamoDbLocation, opening: Opening) -> Result<Arc<dyn Metadata>, MetadataError> {
    Ok(Arc::new(crate::dynamodb::DynamoDbMetadata::open(location, opening)?))
}

#[cfg(not(feature = "dynamodb"))]
fn open_dynamodb(location: &DynamoDbLocation, _: Opening) -> Result<Arc<dyn Metadata>, MetadataError> {
    Err(not_built(&Location::DynamoDb(location.clone()), "dynamodb"))
}

#[cfg(not(all(feature = "etcd", feature = "dynamodb")))]
fn not_built(location: &Location, feature: &str) -> MetadataError {
    MetadataError::NotBuilt(format!(
        "{location}: this program was built without {feature}; build it with `cargo build --release --features {feature}`"
    ))
}

/// The scheme, if there is one: letters before `://`. Anything else is a path.
fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    let is_scheme = !scheme.is_empty() && scheme.chars().all(|c| c.is_ascii_alphanumeric());
    is_scheme.then_some((scheme, rest))
}

/// Names and values in the order written.
type Query<'a> = Vec<(&'a str, &'a str)>;

/// What stands before the question mark, and the names and values after it.
fn split_query(rest: &str) -> Result<(&str, Query<'_>), String> {
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let split =
        |pair| str::split_once(pair, '=').ok_or(format!("\"{pair}\" lacks its value, as in {pair}=…"));
    Ok((path, pairs.map(split).collect::<Result<_, _>>()?))
}

fn parse_etcd(rest: &str) -> Result<EtcdLocation, String> {
    let (path, query) = split_query(rest)?;
    let (hosts, prefix) = path.split_once('/').unwrap_or((path, ""));
    let endpoints: Vec<String> = hosts.split(',').map(str::to_owned).collect();
    for endpoint in &endpoints {
        let port = endpoint.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port);
        if port.and_then(|port| port.parse::<u16>().ok()).is_none_or(|port| port == 0) {
            return Err(format!(
                "\"{endpoint}\" is no host:port; etcd://host:port,host:port/prefix names etcd"
            ));
        }
    }
    let (mut tls, mut cert, mut key) = (None, None, None);
    for (name, value) in query {
        match name {
            "tls" if value == "system" => drop(tls.get_or_insert_with(EtcdTls::default)),
            "tls" => {
                return Err(format!(
                    "tls={value}: only tls=system is known; a private CA is named by ca=FILE"
                ));
            }
            "ca" => tls.get_or_insert_with(EtcdTls::default).ca = Some(PathBuf::from(value)),
            "cert" => cert = Some(PathBuf::from(value)),
            "key" => key = Some(PathBuf::from(value)),
            other => return Err(format!("etcd:// knows no {other}=; it knows tls, ca, cert and key")),
        }
    }
    match (cert, key, &mut tls) {
        (None, None, _) => {}
        (Some(cert), Some(key), Some(tls)) => tls.identity = Some((cert, key)),
        (Some(_), Some(_), None) => {
            return Err("cert= and key= need ca=FILE or tls=system besides".to_owned());
        }
        _ => return Err("cert= and key= go together".to_owned()),
    }
    let prefix = prefix.trim_matches('/');
    let prefix = if prefix.is_empty() { PREFIX } else { prefix };
    Ok(EtcdLocation { endpoints, prefix: prefix.to_owned(), tls })
}

fn parse_dynamodb(rest: &str) -> Result<DynamoDbLocation, String> {
    let (table, query) = split_query(rest)?;
    // DynamoDB's own rule for names of tables.
    let is_name = (3..=255).contains(&table.len())
        && table.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
    if !is_name {
        return Err(format!(
            "\"{table}\" is no name of a table (3 to 255 letters, digits, _, - and .); \
             dynamodb://table?region=…&endpoint=… names one"
        ));
    }
    let mut location = DynamoDbLocation {
        table: table.to_owned(),
        region: None,
        endpoint: None,
        prefix: PREFIX.to_owned(),
        is_unchecked: false,
    };
    for (name, value) in query {
        if value.is_empty() {
            return Err(format!("{name}= lacks its value"));
        }
        match name {
            "region" => location.region = Some(value.to_owned()),
            "endpoint" if value.starts_with("http://") || value.starts_with("https://") => {
                location.endpoint = Some(value.to_owned());
            }
            "endpoint" => {
                return Err(format!("endpoint={value} is no URL, as in endpoint=http://127.0.0.1:8000"));
            }
            "prefix" => location.prefix = value.to_owned(),
            "credentials" if value == "none" => location.is_unchecked = true,
            "credentials" => {
                return Err("credentials= is none or left out: they come from the environment".to_owned());
            }
            other => {
                return Err(format!(
                    "dynamodb:// knows no {other}=; it knows region, endpoint, prefix and credentials"
                ));
            }
        }
    }
    Ok(location)
}

#[cfg(test)]
mod tests;
