//! The metadata store in one table of the DynamoDB API, by conditional writes of single items.
//!
//! Owns the items of its partition: `p` the prefix (partition key), `k` the key (sort key), `r` the revision, `v` the value. All
//! reads are consistent ones. The SDK's own retries are off: it would send a conditional write again whose answer was
//! lost, and hand on the "no" that its own success has caused. A write that may have arrived is never sent again
//! here, see [`crate::settle`].

use crate::location::{DynamoDbLocation, Opening};
use crate::metadata::{
    CALL_MAX, Entry, Metadata, MetadataError, Page, Revision, Watch, check_size, first_revision,
};
use crate::polling::PollingWatch;
use crate::remote::{NoAnswer, Remote};
use aws_config::{BehaviorVersion, Region, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Credentials;
use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
    TableStatus,
};
use aws_smithy_http_client::{Builder as HttpBuilder, tls};
use std::collections::HashMap;
use std::error::Error;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long one request of a read may take before it is sent again.
const ATTEMPT_MAX: Duration = Duration::from_millis(1500);
/// How long a connection may take to be made.
const CONNECT_MAX: Duration = Duration::from_secs(1);
/// Before a request is sent again that was throttled or not answered.
const RETRY_PAUSE: Duration = Duration::from_millis(100);
/// How long a new table may take until it can be used; the service's own takes ten seconds or so.
const TABLE_MAX: Duration = Duration::from_secs(60);
/// How often a watch looks: 300 KiB of daemons, the records of a thousand, are 40 read units a look.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);

type Item = HashMap<String, AttributeValue>;

/// A metadata store in a DynamoDB table.
#[derive(Clone)]
pub struct DynamoDbMetadata {
    inner: Arc<Inner>,
}

struct Inner {
    remote: Remote,
    client: Client,
    /// As users know it, for errors.
    name: String,
    table: String,
    prefix: String,
}

/// What became of one request.
enum Attempt<T> {
    /// It was answered.
    Answered(T),
    /// Its condition did not hold.
    ConditionFailed,
    /// It was not done, and may be sent again.
    NotDone(String),
    /// It may have been done.
    Unknown(String),
    /// Sending it again is of no use.
    Refused(MetadataError),
}

/// What a call ended with.
enum Outcome<T> {
    Answered(T),
    ConditionFailed,
}

impl DynamoDbMetadata {
    /// Makes the client, and the table if that is asked for. Else no server need be there yet: it is found out by the
    /// first call.
    pub fn open(location: &DynamoDbLocation, opening: Opening) -> Result<DynamoDbMetadata, MetadataError> {
        let place = location
            .endpoint
            .as_deref()
            .or(location.region.as_deref())
            .unwrap_or("the region of the environment");
        let name = format!("table {} at {place}", location.table);
        let remote = Remote::start()?;
        let client = remote.call(CALL_MAX, connect(location.clone())).map_err(|_| {
            MetadataError::Unavailable(format!("{name}: making a client took more than {CALL_MAX:?}"))
        })?;
        let (table, prefix) = (location.table.clone(), location.prefix.clone());
        let store = DynamoDbMetadata { inner: Arc::new(Inner { remote, client, name, table, prefix }) };
        if opening == Opening::OrCreate {
            store.create_table()?;
        }
        Ok(store)
    }

    /// Makes the table if it is absent and waits until it can be used. Several may do it at once.
    fn create_table(&self) -> Result<(), MetadataError> {
        let (client, table) = (self.inner.client.clone(), self.inner.table.clone());
        let deadline = std::time::Instant::now() + TABLE_MAX;
        let mut is_asked_for = false;
        loop {
            let (client, table) = (client.clone(), table.clone());
            let describe = move || {
                let request = client.describe_table().table_name(&table);
                async move { request.send().await }
            };
            match self.read(describe) {
                Ok(answer) => {
                    let status = answer.table.and_then(|table| table.table_status);
                    if matches!(status, Some(TableStatus::Active | TableStatus::Updating)) {
                        return Ok(());
                    }
                }
                Err(MetadataError::Unavailable(why)) if why.contains(NO_TABLE) => {
                    if !is_asked_for {
                        self.ask_for_table()?;
                        is_asked_for = true;
                    }
                }
                Err(error) => return Err(error),
            }
            if std::time::Instant::now() >= deadline {
                let why = format!("{}: not usable after {TABLE_MAX:?}", self.inner.name);
                return Err(MetadataError::Unavailable(why));
            }
            std::thread::sleep(RETRY_PAUSE);
        }
    }

    fn ask_for_table(&self) -> Result<(), MetadataError> {
        let attribute = |name: &str| {
            let text = ScalarAttributeType::S;
            AttributeDefinition::builder().attribute_name(name).attribute_type(text).build()
        };
        let key = |name: &str, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build();
        let request = self
            .inner
            .client
            .create_table()
            .table_name(&self.inner.table)
            .billing_mode(BillingMode::PayPerRequest)
            .attribute_definitions(attribute("p").map_err(|error| self.bug(&error))?)
            .attribute_definitions(attribute("k").map_err(|error| self.bug(&error))?)
            .key_schema(key("p", KeyType::Hash).map_err(|error| self.bug(&error))?)
            .key_schema(key("k", KeyType::Range).map_err(|error| self.bug(&error))?);
        match self.write(move || request.clone().send()) {
            // Another was first, or an answer was lost: whether it is there is looked at next.
            Err(MetadataError::Unavailable(why)) if why.contains("ResourceInUseException") => Ok(()),
            Err(MetadataError::OutcomeUnknown(_)) => Ok(()),
            outcome => outcome.map(drop),
        }
    }

    /// Sends a request that changes nothing until it is answered.
    fn read<T, E, F>(&self, request: impl Fn() -> F + Send + 'static) -> Result<T, MetadataError>
    where
        T: Send + 'static,
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
        F: Future<Output = Result<T, SdkError<E>>> + Send,
    {
        let name = self.inner.name.clone();
        let ask = async move {
            let deadline = Instant::now() + CALL_MAX;
            loop {
                let until = deadline.min(Instant::now() + ATTEMPT_MAX);
                let why = match tokio::time::timeout_at(until, request())
                    .await
                    .map(|answer| classify(&name, answer))
                {
                    Ok(Attempt::Answered(answer)) => return Ok(answer),
                    Ok(Attempt::Refused(error)) => return Err(error),
                    Ok(Attempt::NotDone(why) | Attempt::Unknown(why)) => why,
                    Ok(Attempt::ConditionFailed) => "a condition that was not asked for".to_owned(),
                    Err(_) => "no answer".to_owned(),
                };
                if Instant::now() + RETRY_PAUSE >= deadline {
                    return Err(MetadataError::Unavailable(format!("{name} within {CALL_MAX:?}: {why}")));
                }
                tokio::time::sleep(RETRY_PAUSE).await;
            }
        };
        self.inner
            .remote
            .call(CALL_MAX, ask)
            .unwrap_or_else(|no_answer| Err(MetadataError::Unavailable(self.tell(no_answer))))
    }

    /// Sends a write, again only as long as nothing can have been done.
    fn write<T, E, F>(&self, request: impl Fn() -> F + Send + 'static) -> Result<Outcome<T>, MetadataError>
    where
        T: Send + 'static,
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
        F: Future<Output = Result<T, SdkError<E>>> + Send,
    {
        let name = self.inner.name.clone();
        let ask = async move {
            let deadline = Instant::now() + CALL_MAX;
            loop {
                let answer = tokio::time::timeout_at(deadline, request()).await;
                let why = match answer.map(|answer| classify(&name, answer)) {
                    Ok(Attempt::Answered(answer)) => return Ok(Outcome::Answered(answer)),
                    Ok(Attempt::ConditionFailed) => return Ok(Outcome::ConditionFailed),
                    Ok(Attempt::Refused(error)) => return Err(error),
                    Ok(Attempt::NotDone(why)) => why,
                    Ok(Attempt::Unknown(why)) => {
                        return Err(MetadataError::OutcomeUnknown(format!("{name}: {why}")));
                    }
                    Err(_) => {
                        let why = format!("{name} within {CALL_MAX:?}: no answer");
                        return Err(MetadataError::OutcomeUnknown(why));
                    }
                };
                if Instant::now() + RETRY_PAUSE >= deadline {
                    return Err(MetadataError::Unavailable(format!("{name} within {CALL_MAX:?}: {why}")));
                }
                tokio::time::sleep(RETRY_PAUSE).await;
            }
        };
        self.inner.remote.call(CALL_MAX, ask).unwrap_or_else(|no_answer| match no_answer {
            NoAnswer::NotBegun => Err(MetadataError::Unavailable(self.tell(no_answer))),
            NoAnswer::Late => Err(MetadataError::OutcomeUnknown(self.tell(no_answer))),
        })
    }

    /// Puts an item whole; `None`: `condition` did not hold, where `:r` is `replaced`.
    fn put(
        &self,
        key: &str,
        value: &[u8],
        revision: Revision,
        replaced: Option<Revision>,
    ) -> Result<Option<Revision>, MetadataError> {
        check_size(key, value)?;
        let mut request = self.inner.client.put_item().table_name(&self.inner.table);
        request =
            request.item("p", text(&self.inner.prefix)).item("k", text(key)).item("r", number(revision));
        if !value.is_empty() {
            request = request.item("v", AttributeValue::B(Blob::new(value)));
        }
        request = match replaced {
            None => request.condition_expression("attribute_not_exists(k)"),
            Some(replaced) => {
                request.condition_expression("r = :r").expression_attribute_values(":r", number(replaced))
            }
        };
        match self.write(move || request.clone().send())? {
            Outcome::Answered(_) => Ok(Some(revision)),
            Outcome::ConditionFailed => Ok(None),
        }
    }

    fn entry(&self, item: &Item) -> Result<Entry, MetadataError> {
        let corrupt =
            |what: &str| MetadataError::Corrupt(format!("{}: an item without {what}", self.inner.name));
        let key = item.get("k").and_then(|k| k.as_s().ok()).ok_or_else(|| corrupt("k"))?;
        let revision = item.get("r").and_then(|r| r.as_n().ok()).and_then(|r| r.parse().ok());
        let revision = Revision(revision.ok_or_else(|| corrupt("r"))?);
        let value = item.get("v").and_then(|v| v.as_b().ok()).map(|v| v.clone().into_inner());
        Ok(Entry { key: key.clone(), revision, value: value.unwrap_or_default() })
    }

    fn tell(&self, no_answer: NoAnswer) -> String {
        match no_answer {
            NoAnswer::NotBegun => format!("{}: too many calls at once", self.inner.name),
            NoAnswer::Late => format!("{}: no answer within {CALL_MAX:?}", self.inner.name),
        }
    }

    fn bug(&self, error: &dyn Error) -> MetadataError {
        MetadataError::Corrupt(format!("{}: {error}", self.inner.name))
    }
}

impl Metadata for DynamoDbMetadata {
    fn get(&self, key: &str) -> Result<Option<Entry>, MetadataError> {
        if key.is_empty() {
            return Ok(None);
        }
        let request = self.inner.client.get_item().table_name(&self.inner.table).consistent_read(true);
        let request = request.key("p", text(&self.inner.prefix)).key("k", text(key));
        let answer = self.read(move || request.clone().send())?;
        answer.item.map(|item| self.entry(&item)).transpose()
    }

    fn list_page(&self, prefix: &str, after: Option<&str>) -> Result<Page, MetadataError> {
        let after = after.filter(|after| *after >= prefix && !after.is_empty());
        if after.is_some_and(|after| !after.starts_with(prefix)) {
            return Ok(Page { entries: Vec::new(), next_after: None });
        }
        let request = self.inner.client.query().table_name(&self.inner.table).consistent_read(true);
        let request = request.expression_attribute_values(":p", text(&self.inner.prefix));
        // No key begins with nothing, as DynamoDB sees it.
        let mut request = match prefix.is_empty() {
            true => request.key_condition_expression("p = :p"),
            false => request
                .key_condition_expression("p = :p AND begins_with(k, :k)")
                .expression_attribute_values(":k", text(prefix)),
        };
        if let Some(after) = after {
            request = request.exclusive_start_key("p", text(&self.inner.prefix));
            request = request.exclusive_start_key("k", text(after));
        }
        let answer = self.read(move || request.clone().send())?;
        let entries = answer.items().iter().map(|item| self.entry(item)).collect::<Result<_, _>>()?;
        let next_after = answer.last_evaluated_key.and_then(|key| Some(key.get("k")?.as_s().ok()?.clone()));
        Ok(Page { entries, next_after })
    }

    fn create(&self, key: &str, value: &[u8]) -> Result<Option<Revision>, MetadataError> {
        self.put(key, value, first_revision()?, None)
    }

    fn compare_and_swap(
        &self,
        key: &str,
        revision: Revision,
        value: &[u8],
    ) -> Result<Option<Revision>, MetadataError> {
        self.put(key, value, Revision(revision.0 + 1), Some(revision))
    }

    fn remove(&self, key: &str, revision: Revision) -> Result<bool, MetadataError> {
        let request = self.inner.client.delete_item().table_name(&self.inner.table);
        let request = request.key("p", text(&self.inner.prefix)).key("k", text(key));
        let request =
            request.condition_expression("r = :r").expression_attribute_values(":r", number(revision));
        Ok(matches!(self.write(move || request.clone().send())?, Outcome::Answered(_)))
    }

    fn watch(&self, prefix: &str) -> Result<Box<dyn Watch>, MetadataError> {
        let (store, prefix) = (self.clone(), prefix.to_owned());
        let look = move || store.list(&prefix).map(Some);
        Ok(Box::new(PollingWatch::begin(Box::new(look), WATCH_INTERVAL)?))
    }
}

async fn connect(location: DynamoDbLocation) -> Client {
    let tls = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring);
    let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT_MAX).build();
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(HttpBuilder::new().tls_provider(tls).build_https())
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts);
    if let Some(region) = location.region {
        loader = loader.region(Region::new(region));
    }
    if let Some(endpoint) = location.endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    if location.is_unchecked {
        loader =
            loader.credentials_provider(Credentials::new("unchecked", "unchecked", None, None, "location"));
    }
    Client::new(&loader.load().await)
}

/// What the service calls a table that is not there.
const NO_TABLE: &str = "ResourceNotFoundException";

fn classify<T, E>(name: &str, answer: Result<T, SdkError<E>>) -> Attempt<T>
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let error = match answer {
        Ok(answer) => return Attempt::Answered(answer),
        Err(error) => error,
    };
    match &error {
        SdkError::ConstructionFailure(_) => {
            Attempt::Refused(MetadataError::Unavailable(format!("{name}: {}", DisplayErrorContext(&error))))
        }
        SdkError::ServiceError(context) => {
            let refusal = context.err();
            let code = refusal.code().unwrap_or("an error without a code");
            let why = format!("{code}: {}", refusal.message().unwrap_or_default());
            let told = format!("{name}: {why}");
            match code {
                "ConditionalCheckFailedException" => Attempt::ConditionFailed,
                "ThrottlingException"
                | "ProvisionedThroughputExceededException"
                | "RequestLimitExceeded"
                | "TransactionConflictException" => Attempt::NotDone(why),
                "AccessDeniedException"
                | "UnrecognizedClientException"
                | "InvalidSignatureException"
                | "MissingAuthenticationTokenException"
                | "IncompleteSignatureException"
                | "ExpiredTokenException" => Attempt::Refused(MetadataError::PermissionDenied(told)),
                _ if context.raw().status().as_u16() < 500 => {
                    Attempt::Refused(MetadataError::Unavailable(told))
                }
                _ => Attempt::Unknown(why),
            }
        }
        _ if was_not_connected(&error) => Attempt::NotDone(DisplayErrorContext(&error).to_string()),
        _ => Attempt::Unknown(DisplayErrorContext(&error).to_string()),
    }
}

/// Whether a request was never sent, since nobody listens.
fn was_not_connected(error: &(dyn Error + 'static)) -> bool {
    let mut source = Some(error);
    while let Some(error) = source {
        let kind = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        if kind == Some(std::io::ErrorKind::ConnectionRefused) {
            return true;
        }
        source = error.source();
    }
    false
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn number(revision: Revision) -> AttributeValue {
    AttributeValue::N(revision.0.to_string())
}
