//! The metadata store in etcd, by its API of version 3.
//!
//! Owns the keys below its prefix. A revision is etcd's `mod_revision`, which never comes again; a compare-and-swap is a
//! transaction with one comparison; reads are linearizable. One client for each member: which of them answers, and whether a
//! request was sent at all, decide what may be tried again. A write that may have arrived is never sent again
//! here, see [`crate::settle`].

mod watch;

use crate::location::{EtcdLocation, EtcdTls};
use crate::metadata::{CALL_MAX, Entry, Metadata, MetadataError, Page, Revision, Watch, check_size};
use crate::remote::{NoAnswer, Remote};
use etcd_client::{
    Certificate, Client, Compare, CompareOp, ConnectOptions, Error, GetOptions, Identity, KeyValue,
    TlsOptions, Txn, TxnOp, TxnResponse,
};
use std::future::Future;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tonic::{Code, ConnectError};

/// How long one member may take for a read before the next is asked.
const ATTEMPT_MAX: Duration = Duration::from_millis(1500);
/// How long a connection may take to be made.
const CONNECT_MAX: Duration = Duration::from_secs(1);
/// Between two rounds over the members, while there is no leader, say.
const ROUND_PAUSE: Duration = Duration::from_millis(50);
/// Quiet connections are asked for a sign of life so often: etcd refuses clients that ask more than every five seconds.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// How long that sign may take.
const KEEP_ALIVE_MAX: Duration = Duration::from_secs(5);
/// Entries of one page of a list: the largest of them are 2.5 MiB, and gRPC takes 4 MiB at once.
const PAGE_ENTRIES: i64 = 10;

/// A metadata store in etcd.
pub struct EtcdMetadata {
    remote: Arc<Remote>,
    members: Arc<Members>,
}

/// What calls and watches need.
struct Members {
    /// As users know it, for errors.
    name: String,
    /// Begins all keys; ends with a slash.
    prefix: String,
    /// One for each endpoint, with its URL.
    clients: Vec<(String, Mutex<Client>)>,
    options: ConnectOptions,
    /// Who answered last.
    preferred: AtomicUsize,
}

/// What became of one request to one member.
enum Attempt<T> {
    /// It was answered.
    Answered(T),
    /// It was not done: it was not sent, or refused before it was looked at. Another may be asked.
    NotDone(String),
    /// It may have been done.
    Unknown(String),
    /// Nobody else will do it either.
    Refused(MetadataError),
}

impl EtcdMetadata {
    /// Makes the clients. No member need be there yet: it is found out by the first call.
    pub fn open(location: &EtcdLocation) -> Result<EtcdMetadata, MetadataError> {
        let name = format!("etcd at {}", location.endpoints.join(","));
        let options = connect_options(location)?;
        let scheme = if location.tls.is_some() { "https" } else { "http" };
        let urls: Vec<String> =
            location.endpoints.iter().map(|endpoint| format!("{scheme}://{endpoint}")).collect();
        let remote = Remote::start()?;
        let options_of_clients = options.clone();
        let connect = async move {
            let mut clients = Vec::new();
            for url in urls {
                let client = Client::connect([&url], Some(options_of_clients.clone())).await?;
                clients.push((url, Mutex::new(client)));
            }
            Ok(clients)
        };
        let connected: Result<_, Error> = remote.call(CALL_MAX, connect).map_err(|_| {
            MetadataError::Unavailable(format!("{name}: making a client took more than {CALL_MAX:?}"))
        })?;
        let clients = connected.map_err(|error| MetadataError::Unavailable(format!("{name}: {error}")))?;
        let prefix = format!("{}/", location.prefix);
        let members = Members { name, prefix, clients, options, preferred: AtomicUsize::new(0) };
        Ok(EtcdMetadata { remote: Arc::new(remote), members: Arc::new(members) })
    }

    fn read<T, F>(&self, request: impl Fn(Client) -> F + Send + 'static) -> Result<T, MetadataError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send,
    {
        let members = Arc::clone(&self.members);
        match self.remote.call(CALL_MAX, async move { members.read(CALL_MAX, request).await }) {
            Ok(answer) => answer,
            Err(no_answer) => Err(MetadataError::Unavailable(self.members.tell(no_answer))),
        }
    }

    /// A transaction; `None`: its comparison failed.
    fn write(&self, compare: Compare, operation: TxnOp) -> Result<Option<Revision>, MetadataError> {
        let members = Arc::clone(&self.members);
        let transaction = Txn::new().when([compare]).and_then([operation]);
        let response = match self.remote.call(CALL_MAX, async move { members.write(transaction).await }) {
            Ok(answer) => answer?,
            Err(NoAnswer::Late) => {
                return Err(MetadataError::OutcomeUnknown(self.members.tell(NoAnswer::Late)));
            }
            Err(no_answer) => return Err(MetadataError::Unavailable(self.members.tell(no_answer))),
        };
        if !response.succeeded() {
            return Ok(None);
        }
        let header = response.header().ok_or_else(|| self.members.corrupt("an answer without a header"))?;
        Ok(Some(self.members.revision(header.revision())?))
    }
}

impl Metadata for EtcdMetadata {
    fn get(&self, key: &str) -> Result<Option<Entry>, MetadataError> {
        let full = self.members.key(key);
        let response = self.read(move |mut client| {
            let full = full.clone();
            async move { client.get(full, None).await }
        })?;
        response.kvs().first().map(|found| self.members.entry(found)).transpose()
    }

    fn list_page(&self, prefix: &str, after: Option<&str>) -> Result<Page, MetadataError> {
        let below = self.members.key(prefix);
        let end = end_of_prefix(&below);
        let from = match after.filter(|after| *after >= prefix) {
            Some(after) => [self.members.key(after), vec![0]].concat(),
            None => below,
        };
        if from >= end {
            return Ok(Page { entries: Vec::new(), next_after: None });
        }
        let response = self.read(move |mut client| {
            let options = GetOptions::new().with_range(end.clone()).with_limit(PAGE_ENTRIES);
            let from = from.clone();
            async move { client.get(from, Some(options)).await }
        })?;
        let entries = response.kvs().iter().map(|found| self.members.entry(found));
        let entries = entries.collect::<Result<Vec<Entry>, MetadataError>>()?;
        let next_after = entries.last().filter(|_| response.more()).map(|entry| entry.key.clone());
        Ok(Page { entries, next_after })
    }

    fn create(&self, key: &str, value: &[u8]) -> Result<Option<Revision>, MetadataError> {
        check_size(key, value)?;
        let full = self.members.key(key);
        let compare = Compare::create_revision(full.clone(), CompareOp::Equal, 0);
        self.write(compare, TxnOp::put(full, value, None))
    }

    fn compare_and_swap(
        &self,
        key: &str,
        revision: Revision,
        value: &[u8],
    ) -> Result<Option<Revision>, MetadataError> {
        check_size(key, value)?;
        let full = self.members.key(key);
        let compare = compare_revision(&full, revision)?;
        self.write(compare, TxnOp::put(full, value, None))
    }

    fn remove(&self, key: &str, revision: Revision) -> Result<bool, MetadataError> {
        let full = self.members.key(key);
        let compare = compare_revision(&full, revision)?;
        Ok(self.write(compare, TxnOp::delete(full, None))?.is_some())
    }

    fn watch(&self, prefix: &str) -> Result<Box<dyn Watch>, MetadataError> {
        let full = self.members.key(prefix);
        // All that comes after this is told: etcd keeps the changes for whoever asks from a revision on.
        let response = self.read(move |mut client| {
            let options = GetOptions::new().with_prefix().with_limit(1).with_keys_only();
            let full = full.clone();
            async move { client.get(full, Some(options)).await }
        })?;
        let header = response.header().ok_or_else(|| self.members.corrupt("an answer without a header"))?;
        let (remote, members) = (Arc::clone(&self.remote), Arc::clone(&self.members));
        Ok(Box::new(watch::EtcdWatch::begin(remote, members, prefix, header.revision() + 1)))
    }
}

impl Members {
    /// Asks one member after the other until one answers.
    async fn read<T, F>(&self, limit: Duration, request: impl Fn(Client) -> F) -> Result<T, MetadataError>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let deadline = tokio::time::Instant::now() + limit;
        let mut why = "no member was asked".to_owned();
        loop {
            for index in self.order() {
                let until = deadline.min(tokio::time::Instant::now() + ATTEMPT_MAX);
                let answer = tokio::time::timeout_at(until, request(self.client(index))).await;
                why = match answer.map(|answer| self.classify(answer)) {
                    Ok(Attempt::Answered(answer)) => {
                        self.preferred.store(index, Ordering::Relaxed);
                        return Ok(answer);
                    }
                    Ok(Attempt::Refused(error)) => return Err(error),
                    Ok(Attempt::NotDone(why) | Attempt::Unknown(why)) => why,
                    Err(_) => {
                        self.connect_anew(index).await;
                        "no answer".to_owned()
                    }
                };
                if tokio::time::Instant::now() >= deadline {
                    return Err(MetadataError::Unavailable(format!("{} within {limit:?}: {why}", self.name)));
                }
            }
            tokio::time::sleep_until(deadline.min(tokio::time::Instant::now() + ROUND_PAUSE)).await;
            if tokio::time::Instant::now() >= deadline {
                return Err(MetadataError::Unavailable(format!("{} within {limit:?}: {why}", self.name)));
            }
        }
    }

    /// Asks one member after the other as long as nothing can have been done.
    async fn write(&self, transaction: Txn) -> Result<TxnResponse, MetadataError> {
        let deadline = tokio::time::Instant::now() + CALL_MAX;
        let told = |why: &str| format!("{} within {CALL_MAX:?}: {why}", self.name);
        loop {
            let mut why = String::new();
            for index in self.order() {
                let mut client = self.client(index);
                let answer = tokio::time::timeout_at(deadline, client.txn(transaction.clone())).await;
                why = match answer.map(|answer| self.classify(answer)) {
                    Ok(Attempt::Answered(answer)) => {
                        self.preferred.store(index, Ordering::Relaxed);
                        return Ok(answer);
                    }
                    Ok(Attempt::Refused(error)) => return Err(error),
                    Ok(Attempt::NotDone(why)) => why,
                    Ok(Attempt::Unknown(why)) => {
                        self.avoid(index);
                        return Err(MetadataError::OutcomeUnknown(format!("{}: {why}", self.name)));
                    }
                    Err(_) => {
                        self.connect_anew(index).await;
                        self.avoid(index);
                        return Err(MetadataError::OutcomeUnknown(told("no answer")));
                    }
                };
            }
            tokio::time::sleep_until(deadline.min(tokio::time::Instant::now() + ROUND_PAUSE)).await;
            if tokio::time::Instant::now() >= deadline {
                return Err(MetadataError::Unavailable(told(&why)));
            }
        }
    }

    fn client(&self, index: usize) -> Client {
        self.clients[index].1.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Gives up a connection that does not answer: the machine at its other end may be gone, and TCP would take a quarter of an
    /// hour to say so.
    async fn connect_anew(&self, index: usize) {
        let (url, client) = &self.clients[index];
        // Without users nothing is sent here. One that cannot be made leaves the old one.
        if let Ok(new) = Client::connect([url], Some(self.options.clone())).await {
            *client.lock().unwrap_or_else(PoisonError::into_inner) = new;
        }
    }

    /// All members, the one that answered last first.
    fn order(&self) -> impl Iterator<Item = usize> + use<> {
        let (first, count) = (self.preferred.load(Ordering::Relaxed), self.clients.len());
        (0..count).map(move |step| (first + step) % count)
    }

    /// Begins with another member the next time.
    fn avoid(&self, index: usize) {
        self.preferred.store((index + 1) % self.clients.len(), Ordering::Relaxed);
    }

    fn classify<T>(&self, answer: Result<T, Error>) -> Attempt<T> {
        let error = match answer {
            Ok(answer) => return Attempt::Answered(answer),
            Err(error) => error,
        };
        let Error::GRpcStatus(status) = &error else { return Attempt::Unknown(error.to_string()) };
        let why = format!("{} ({:?})", status.message(), status.code());
        if was_not_connected(status) {
            return Attempt::NotDone(why);
        }
        let told = format!("{}: {why}", self.name);
        match status.code() {
            Code::PermissionDenied | Code::Unauthenticated => {
                Attempt::Refused(MetadataError::PermissionDenied(told))
            }
            // Looked at and refused: too large, no space, compacted.
            Code::InvalidArgument | Code::ResourceExhausted | Code::OutOfRange | Code::FailedPrecondition => {
                Attempt::Refused(MetadataError::Unavailable(told))
            }
            // Before the request is looked at, since every request asks for a leader.
            Code::Unavailable if status.message() == "etcdserver: no leader" => Attempt::NotDone(why),
            _ => Attempt::Unknown(why),
        }
    }

    fn tell(&self, no_answer: NoAnswer) -> String {
        match no_answer {
            NoAnswer::NotBegun => format!("{}: too many calls at once", self.name),
            NoAnswer::Late => format!("{}: no answer within {CALL_MAX:?}", self.name),
        }
    }

    fn corrupt(&self, what: &str) -> MetadataError {
        MetadataError::Corrupt(format!("{}: {what}", self.name))
    }

    fn key(&self, key: &str) -> Vec<u8> {
        [self.prefix.as_bytes(), key.as_bytes()].concat()
    }

    /// The key without the prefix.
    fn own_key(&self, found: &KeyValue) -> Result<String, MetadataError> {
        let own = found.key().strip_prefix(self.prefix.as_bytes());
        let own = own.and_then(|own| String::from_utf8(own.to_vec()).ok());
        own.ok_or_else(|| self.corrupt("a key that is not ours"))
    }

    fn entry(&self, found: &KeyValue) -> Result<Entry, MetadataError> {
        let revision = self.revision(found.mod_revision())?;
        Ok(Entry { key: self.own_key(found)?, revision, value: found.value().to_vec() })
    }

    fn revision(&self, revision: i64) -> Result<Revision, MetadataError> {
        u64::try_from(revision).map(Revision).map_err(|_| self.corrupt("a negative revision"))
    }
}

/// Whether a request was never sent, since there was no connection.
fn was_not_connected(status: &tonic::Status) -> bool {
    let mut source = std::error::Error::source(status);
    while let Some(error) = source {
        if error.is::<ConnectError>() {
            return true;
        }
        source = error.source();
    }
    false
}

fn compare_revision(key: &[u8], revision: Revision) -> Result<Compare, MetadataError> {
    let revision = i64::try_from(revision.0)
        .map_err(|_| MetadataError::Corrupt(format!("revision {} is out of range", revision.0)))?;
    // No key has revision 0 or below: an absent one would compare equal to 0.
    let revision = if revision == 0 { -1 } else { revision };
    Ok(Compare::mod_revision(key, CompareOp::Equal, revision))
}

/// The first key that does not begin with `prefix` and comes after all that do.
fn end_of_prefix(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return end;
        }
    }
    unreachable!("text in UTF-8 has no byte 255, and a prefix ends with a slash at least")
}

fn connect_options(location: &EtcdLocation) -> Result<ConnectOptions, MetadataError> {
    let options = ConnectOptions::new()
        .with_connect_timeout(CONNECT_MAX)
        .with_keep_alive(KEEP_ALIVE, KEEP_ALIVE_MAX)
        .with_require_leader(true);
    match &location.tls {
        Some(tls) => Ok(options.with_tls(tls_options(tls)?)),
        None => Ok(options),
    }
}

fn tls_options(tls: &EtcdTls) -> Result<TlsOptions, MetadataError> {
    let mut options = TlsOptions::new();
    options = match &tls.ca {
        Some(ca) => options.ca_certificate(Certificate::from_pem(read_file(ca)?)),
        None => options.with_native_roots(),
    };
    if let Some((certificate, key)) = &tls.identity {
        options = options.identity(Identity::from_pem(read_file(certificate)?, read_file(key)?));
    }
    Ok(options)
}

fn read_file(path: &Path) -> Result<Vec<u8>, MetadataError> {
    std::fs::read(path).map_err(|error| {
        let why = format!("cannot read {}: {error}", path.display());
        match error.kind() {
            std::io::ErrorKind::PermissionDenied => MetadataError::PermissionDenied(why),
            _ => MetadataError::Unavailable(why),
        }
    })
}
