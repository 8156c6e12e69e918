//! Settings (`SET`, `SHOW`, `RESET`): their names, defaults, checks, and values of one session.
//!
//! Owns [`Settings`]: what differs from the defaults, what the current transaction has changed, and the few values that
//! are asked for so often that they are kept in their own types. `table.rs` lists the settings, `definition.rs` reads
//! and shows values, `special.rs` those with a grammar. The modes of the current transaction look like settings; the
//! session sets them here when they change.

mod definition;
mod special;
mod table;

pub(crate) use table::SERVER_VERSION;

/// The plain name of an encoding that PostgreSQL knows, `utf8` and `sqlascii` among them.
pub(crate) fn encoding_name(value: &str) -> Option<&'static str> {
    special::encoding_name(value)
}

use crate::catalog::Catalog;
use definition::{Context, Definition, Kind};
use hexalog_sql_types::datetime::{IntervalStyle, TimeZone};
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{SqlError, SqlState};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, OnceLock};
use table::SECTIONS;

/// A row of `pg_settings`.
#[derive(Clone, Debug)]
pub(crate) struct SettingRow {
    pub name: String,
    pub setting: String,
    pub unit: Option<&'static str>,
    pub category: &'static str,
    pub short_desc: &'static str,
    pub context: &'static str,
    pub vartype: &'static str,
    /// `default`, `command line`, `database`, `client` (start-up packet) or `session`.
    pub source: &'static str,
    pub min_val: Option<String>,
    pub max_val: Option<String>,
    pub enumvals: Option<Vec<&'static str>>,
    pub boot_val: &'static str,
    pub reset_val: String,
}

/// What the current transaction has done to a setting. `None` inside stands for the reset value.
#[derive(Clone, Debug)]
struct Undo {
    /// Restored at abort.
    before: Option<String>,
    /// Set at commit, if SET without LOCAL was among it; else `before` comes back.
    kept: Option<Option<String>>,
}

/// The settings at a savepoint.
#[derive(Clone, Debug)]
pub(crate) struct SettingsMark {
    current: BTreeMap<String, String>,
    undo: BTreeMap<String, Undo>,
}

/// The modes of a transaction, which SHOW knows as settings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TransactionShown {
    pub isolation: &'static str,
    pub read_only: bool,
    pub deferrable: bool,
}

/// The current values of a session's settings.
#[derive(Debug)]
pub(crate) struct Settings {
    user: String,
    /// Values that differ from the reset value, by canonical name.
    current: BTreeMap<String, String>,
    /// Reset values that differ from the default: those of the database and of the start-up packet.
    reset: ResetValues,
    /// Which of them the database has.
    from_database: BTreeSet<String>,
    undo: BTreeMap<String, Undo>,
    transaction: TransactionShown,
    /// What transactions begin with.
    initial_modes: TransactionShown,
    /// Hashes of what the client was told last, for each setting that is reported in their order; empty before the first
    /// report. The values themselves would be a third of an idle session.
    reported: Vec<u64>,
    is_report_due: bool,
    version: u64,
    time_zone: Arc<TimeZone>,
    interval_style: IntervalStyle,
    search_path: Arc<[String]>,
    statement_timeout_ms: u64,
    lock_timeout_ms: u64,
    idle_in_transaction_timeout_ms: u64,
    direct_routes: bool,
    work_mem_bytes: usize,
    hash_mem_multiplier: f64,
    temp_file_limit_kb: Option<u64>,
    /// What `temp_buffers` has to stay, for there are temporary tables.
    temp_buffers_in_use: Option<u32>,
    tracked: Tracked,
    tracks_activities: bool,
    application_name: Arc<str>,
}

/// Values by name, in its order. A few; the first node of a map has room for eleven, in every session.
#[derive(Debug, Default)]
struct ResetValues(Vec<(Box<str>, String)>);

impl ResetValues {
    fn find(&self, name: &str) -> std::result::Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| (**known).cmp(name))
    }

    fn get(&self, name: &str) -> Option<&String> {
        self.find(name).ok().map(|at| &self.0[at].1)
    }

    fn insert(&mut self, name: &str, mut value: String) {
        value.shrink_to_fit();
        match self.find(name) {
            Ok(at) => self.0[at].1 = value,
            Err(at) => {
                self.0.reserve_exact(1);
                self.0.insert(at, (name.into(), value));
            }
        }
    }

    fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| &**name)
    }
}

/// What of a session's statements is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tracked {
    pub statements: bool,
    /// Those without a plan.
    pub utility: bool,
    pub planning: bool,
    /// Whether statements have numbers at all.
    pub numbers: bool,
}

/// The first of the settings of `pg_stat_statements`.
const TRACK: &str = "pg_stat_statements.track";

/// Settings that plans hang on.
const PLANNED: &[&str] = &["search_path", "IntervalStyle", "TimeZone", "hexalog.direct_routes"];

/// What sessions with the default of a setting have in common.
struct Shared {
    time_zone: Arc<TimeZone>,
    search_path: Arc<[String]>,
}

impl Shared {
    fn defaults() -> &'static Shared {
        static DEFAULTS: OnceLock<Shared> = OnceLock::new();
        DEFAULTS.get_or_init(|| Shared {
            time_zone: Arc::new(zone_of(boot("TimeZone"))),
            search_path: names_of(boot("search_path")),
        })
    }
}

fn zone_of(name: &str) -> TimeZone {
    TimeZone::from_shown(name).expect("checked before it was kept")
}

fn names_of(list: &str) -> Arc<[String]> {
    special::split_names(list).expect("checked before it was kept").into()
}

/// The default of a setting that there is.
fn boot(name: &str) -> &'static str {
    definition(name).expect("it stands in the table").boot
}

/// Found by name in any case.
fn definition(name: &str) -> Option<&'static Definition> {
    let settings = SECTIONS.iter().flat_map(|section| section.settings);
    settings.into_iter().find(|setting| setting.name.eq_ignore_ascii_case(name))
}

/// The names that belong to the session and its transaction and stand in no table.
const OWN: &[&str] = &[
    "is_superuser",
    "role",
    "session_authorization",
    "transaction_isolation",
    "transaction_read_only",
    "transaction_deferrable",
];

/// A setting that anyone may make up: two or more identifiers with dots between them.
fn is_custom(name: &str) -> bool {
    let is_part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && part.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '$'))
    };
    name.contains('.') && name.split('.').all(is_part)
}

fn on_off(value: bool) -> &'static str {
    if value { "on" } else { "off" }
}

impl Settings {
    /// The defaults. `direct_routes`: the process's choice, the default of `hexalog.direct_routes`.
    pub(crate) fn new(user: &str, direct_routes: bool) -> Settings {
        let modes = TransactionShown { isolation: "read committed", read_only: false, deferrable: false };
        let mut settings = Settings {
            user: user.to_owned(),
            current: BTreeMap::new(),
            reset: ResetValues::default(),
            from_database: BTreeSet::new(),
            undo: BTreeMap::new(),
            transaction: modes,
            initial_modes: modes,
            reported: Vec::new(),
            is_report_due: true,
            version: 0,
            time_zone: Shared::defaults().time_zone.clone(),
            interval_style: IntervalStyle::Postgres,
            search_path: Arc::default(),
            statement_timeout_ms: 0,
            lock_timeout_ms: 0,
            idle_in_transaction_timeout_ms: 0,
            direct_routes: true,
            work_mem_bytes: 0,
            hash_mem_multiplier: 1.0,
            temp_file_limit_kb: None,
            temp_buffers_in_use: None,
            tracked: Tracked::default(),
            tracks_activities: true,
            application_name: "".into(),
        };
        if !direct_routes {
            settings.reset.insert("hexalog.direct_routes", "off".to_owned());
        }
        for name in
            ["search_path", "TimeZone", "hexalog.direct_routes", "work_mem", "hash_mem_multiplier", TRACK]
        {
            settings.derive(name);
        }
        settings
    }

    /// What the process was started with.
    pub(crate) fn set_by_process(&mut self, name: &str, value: u32) {
        let value = value.to_string();
        if definition(name).is_some_and(|definition| definition.boot != value) {
            self.reset.insert(name, value);
        }
    }

    /// The values that a database's sessions begin with. One that no longer is one is passed over.
    pub(crate) fn set_by_database(&mut self, catalog: &Catalog) {
        let Some(database) = catalog.database(catalog.database) else { return };
        for (name, value) in &database.settings {
            if self.set_at_start(name, value).is_ok() {
                self.from_database.insert(name.clone());
            }
        }
    }

    /// A value of the start-up packet, which becomes the reset value.
    pub(crate) fn set_at_start(&mut self, name: &str, value: &str) -> Result<()> {
        let (name, value) = self.checked(name, value)?;
        self.from_database.remove(&name);
        self.reset.insert(&name, value);
        self.derive(&name);
        Ok(())
    }

    /// SET; `None` is DEFAULT. Takes part in the current transaction.
    pub(crate) fn set(&mut self, name: &str, value: Option<&str>, local: bool) -> Result<()> {
        if name.eq_ignore_ascii_case("session_authorization") && value.is_none_or(|value| value == self.user)
        {
            // Becoming whom one is already: nothing happens.
            return Ok(());
        }
        let (name, value) = match value {
            Some(value) => {
                let (name, value) = self.checked(name, value)?;
                (name, Some(value))
            }
            None => (self.changeable(name)?, None),
        };
        self.check_temp_buffers(&name, value.as_deref())?;
        let before = self.current.get(&name).cloned();
        let undo = self.undo.entry(name.clone()).or_insert(Undo { before, kept: None });
        if !local {
            undo.kept = Some(value.clone());
        }
        self.apply(&name, value);
        Ok(())
    }

    /// What stands behind SET as one text; 22023 for several values where there may be one. In a list of names each value is
    /// one name, whatever it looks like.
    pub(crate) fn written(name: &str, values: &[String]) -> Result<String> {
        if Settings::is_name_list(name) {
            return Ok(special::join_names(values));
        }
        if values.len() > 1 && !name.eq_ignore_ascii_case("DateStyle") {
            return Err(SqlError::invalid_parameter(format!("SET {name} takes only one argument")));
        }
        Ok(values.join(", "))
    }

    /// A Boolean as settings take it.
    pub(crate) fn boolean(name: &str, value: &str) -> Result<bool> {
        definition::parse_bool(value).ok_or_else(|| {
            SqlError::invalid_parameter(format!("parameter \"{name}\" requires a Boolean value"))
        })
    }

    /// Whether a setting's value is a list of names.
    pub(crate) fn is_name_list(name: &str) -> bool {
        ["search_path", "temp_tablespaces"].iter().any(|list| list.eq_ignore_ascii_case(name))
    }

    /// RESET ALL: everything that a session may set, but the transaction's modes.
    pub(crate) fn reset_all(&mut self) {
        let names: Vec<String> = self.current.keys().cloned().collect();
        for name in names {
            let before = self.current.get(&name).cloned();
            self.undo.entry(name.clone()).or_insert(Undo { before, kept: None }).kept = Some(None);
            self.apply(&name, None);
        }
    }

    /// The value that SET would keep, as SHOW would print it: what `set_config` answers.
    pub(crate) fn check(&self, name: &str, value: &str) -> Result<String> {
        let (name, value) = self.checked(name, value)?;
        Ok(definition(&name).map_or_else(|| value.clone(), |definition| definition.show(&value)))
    }

    /// Canonical name and value as SHOW prints it; 42704 if there is no such setting.
    pub(crate) fn show(&self, name: &str) -> Result<(String, String)> {
        if let Some(definition) = definition(name) {
            return Ok((definition.name.to_owned(), definition.show(self.value(definition))));
        }
        let lower = name.to_ascii_lowercase();
        let value = match lower.as_str() {
            "is_superuser" => "on",
            "role" => "none",
            "session_authorization" => &self.user,
            "transaction_isolation" => self.transaction.isolation,
            "transaction_read_only" => on_off(self.transaction.read_only),
            "transaction_deferrable" => on_off(self.transaction.deferrable),
            _ => {
                let custom = self.current.get(&lower).or_else(|| self.reset.get(&lower));
                custom.ok_or_else(|| special::unrecognized(name))?
            }
        };
        Ok((lower.clone(), value.to_owned()))
    }

    /// SHOW ALL: name, value, description.
    pub(crate) fn show_all(&self) -> Vec<(String, String, &'static str)> {
        let shown = |definition: &Definition, setting: &str| definition.show(setting);
        let mut rows: Vec<_> = self
            .rows()
            .into_iter()
            .map(|row| {
                let value =
                    definition(&row.name).map_or(row.setting.clone(), |found| shown(found, &row.setting));
                (row.name, value, row.short_desc)
            })
            .collect();
        rows.sort_by_key(|(name, ..)| name.to_ascii_lowercase());
        rows
    }

    /// The rows of `pg_settings`.
    pub(crate) fn rows(&self) -> Vec<SettingRow> {
        let mut rows = Vec::new();
        for section in SECTIONS {
            rows.extend(section.settings.iter().map(|definition| self.row(section.category, definition)));
        }
        for name in ["transaction_isolation", "transaction_read_only", "transaction_deferrable"] {
            rows.push(self.transaction_row(name));
        }
        let custom = |name: &&str| definition(name).is_none();
        let current = self.current.keys().map(String::as_str);
        let mut names: Vec<&str> = current.chain(self.reset.keys()).filter(custom).collect();
        names.sort_unstable();
        names.dedup();
        rows.extend(names.into_iter().map(|name| self.custom_row(name)));
        rows.sort_by_key(|row| row.name.to_ascii_lowercase());
        rows
    }

    fn row(&self, category: &'static str, definition: &'static Definition) -> SettingRow {
        let (unit, min_val, max_val, enumvals) = match definition.kind {
            Kind::Integer(min, max, unit) => {
                (unit.name(), Some(min.to_string()), Some(max.to_string()), None)
            }
            Kind::Real(min, max, unit) => (unit.name(), Some(min.to_string()), Some(format!("{max}")), None),
            Kind::Enum(values, _) => (None, None, None, Some(values.to_vec())),
            Kind::Bool | Kind::Text(_) => (None, None, None, None),
        };
        SettingRow {
            name: definition.name.to_owned(),
            setting: self.value(definition).to_owned(),
            unit,
            category,
            short_desc: definition.description,
            context: definition.context.word(),
            vartype: definition.type_word(),
            source: self.source(definition.name),
            min_val,
            max_val,
            enumvals,
            boot_val: definition.boot,
            reset_val: self.reset.get(definition.name).map_or(definition.boot, String::as_str).to_owned(),
        }
    }

    fn source(&self, name: &str) -> &'static str {
        let is_of_process = definition(name).is_some_and(|it| matches!(it.context, Context::Postmaster));
        match () {
            () if self.current.contains_key(name) => "session",
            () if self.from_database.contains(name) => "database",
            () if self.reset.get(name).is_some() && is_of_process => "command line",
            () if self.reset.get(name).is_some() => "client",
            () => "default",
        }
    }

    fn transaction_row(&self, name: &str) -> SettingRow {
        let (boot_val, vartype, short_desc) = match name {
            "transaction_isolation" => {
                ("read committed", "enum", "Sets the current transaction's isolation level.")
            }
            "transaction_read_only" => ("off", "bool", "Sets the current transaction's read-only status."),
            _ => {
                let text = "Whether to defer a read-only serializable transaction until it can be executed with no \
                            possible serialization failures.";
                ("off", "bool", text)
            }
        };
        let setting = self.show(name).map_or_else(|_| String::new(), |(_, value)| value);
        let levels = vec!["serializable", "repeatable read", "read committed", "read uncommitted"];
        SettingRow {
            name: name.to_owned(),
            reset_val: boot_val.to_owned(),
            setting,
            unit: None,
            category: "Client Connection Defaults / Statement Behavior",
            short_desc,
            context: Context::User.word(),
            vartype,
            source: "override",
            min_val: None,
            max_val: None,
            enumvals: (vartype == "enum").then_some(levels),
            boot_val,
        }
    }

    fn custom_row(&self, name: &str) -> SettingRow {
        let reset = self.reset.get(name).cloned();
        let setting = self.current.get(name).or(reset.as_ref()).cloned().unwrap_or_default();
        SettingRow {
            name: name.to_owned(),
            setting,
            unit: None,
            category: "Customized Options",
            short_desc: "",
            context: Context::User.word(),
            vartype: "string",
            source: self.source(name),
            min_val: None,
            max_val: None,
            enumvals: None,
            boot_val: "",
            reset_val: reset.unwrap_or_default(),
        }
    }

    /// The transaction has committed: values of SET LOCAL go back.
    pub(crate) fn commit(&mut self) {
        for (name, undo) in std::mem::take(&mut self.undo) {
            self.apply(&name, undo.kept.unwrap_or(undo.before));
        }
    }

    /// The transaction has been rolled back: all its changes go back.
    pub(crate) fn abort(&mut self) {
        for (name, undo) in std::mem::take(&mut self.undo) {
            self.apply(&name, undo.before);
        }
    }

    /// The settings as they are, for a savepoint.
    pub(crate) fn mark(&self) -> SettingsMark {
        SettingsMark { current: self.current.clone(), undo: self.undo.clone() }
    }

    /// The settings are what they were at the savepoint.
    pub(crate) fn roll_back_to(&mut self, mark: &SettingsMark) {
        let changed = |name: &&String| self.current.get(*name) != mark.current.get(*name);
        let names: Vec<String> =
            self.current.keys().chain(mark.current.keys()).filter(changed).cloned().collect();
        for name in names {
            self.apply(&name, mark.current.get(&name).cloned());
        }
        self.undo.clone_from(&mark.undo);
    }

    /// What SHOW says of the current transaction.
    pub(crate) fn set_transaction(&mut self, shown: TransactionShown) {
        self.transaction = shown;
    }

    /// The modes that a transaction begins with.
    pub(crate) fn initial_modes(&self) -> TransactionShown {
        self.initial_modes
    }

    /// Reported settings that the client does not know yet.
    pub(crate) fn take_changed(&mut self) -> Vec<(String, String)> {
        if !std::mem::take(&mut self.is_report_due) {
            return Vec::new();
        }
        let mut changed = Vec::new();
        let report = self.report();
        let mut reported = Vec::with_capacity(report.len());
        for (at, (name, value)) in report.into_iter().enumerate() {
            let mut hasher = DefaultHasher::new();
            value.hash(&mut hasher);
            reported.push(hasher.finish());
            if self.reported.get(at) != reported.last() {
                changed.push((name.to_owned(), value));
            }
        }
        self.reported = reported;
        changed
    }

    fn report(&self) -> Vec<(&'static str, String)> {
        let settings =
            SECTIONS.iter().flat_map(|section| section.settings).filter(|setting| setting.is_reported);
        let mut report: Vec<_> =
            settings.map(|setting| (setting.name, setting.show(self.value(setting)))).collect();
        report.push(("is_superuser", "on".to_owned()));
        report.push(("session_authorization", self.user.clone()));
        report.sort_by_key(|(name, _)| name.to_ascii_lowercase());
        report
    }

    /// Counts the changes that plans hang on.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// The session's `IntervalStyle`.
    pub(crate) fn interval_style(&self) -> IntervalStyle {
        self.interval_style
    }

    /// The session's `TimeZone`.
    pub(crate) fn time_zone(&self) -> &TimeZone {
        &self.time_zone
    }

    /// The names of `search_path` as written, `$user` among them.
    pub(crate) fn search_path(&self) -> &[String] {
        &self.search_path
    }

    pub(crate) fn statement_timeout_ms(&self) -> u64 {
        self.statement_timeout_ms
    }

    pub(crate) fn lock_timeout_ms(&self) -> u64 {
        self.lock_timeout_ms
    }

    pub(crate) fn idle_in_transaction_timeout_ms(&self) -> u64 {
        self.idle_in_transaction_timeout_ms
    }

    /// As it is shown.
    pub(crate) fn time_zone_name(&self) -> &str {
        self.get("TimeZone")
    }

    /// Whether plans may use indexes.
    pub(crate) fn direct_routes(&self) -> bool {
        self.direct_routes
    }

    /// Memory that a sort may take before it goes to disk.
    pub(crate) fn work_mem_bytes(&self) -> usize {
        self.work_mem_bytes
    }

    /// The same for a hash table.
    pub(crate) fn hash_mem_bytes(&self) -> usize {
        #[expect(clippy::cast_precision_loss, reason = "a bound need not be exact")]
        let bytes = self.work_mem_bytes as f64 * self.hash_mem_multiplier;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "both are positive")]
        let bytes = bytes as usize;
        bytes
    }

    /// 22023, as in PostgreSQL.
    fn check_temp_buffers(&self, name: &str, value: Option<&str>) -> Result<()> {
        let Some(in_use) = self.temp_buffers_in_use.filter(|_| name == "temp_buffers") else { return Ok(()) };
        let reset = self.reset.get(name).map_or(boot(name), String::as_str);
        let value = value.unwrap_or(reset);
        if value == in_use.to_string() {
            return Ok(());
        }
        let message = format!("invalid value for parameter \"temp_buffers\": {value}");
        let detail = "\"temp_buffers\" cannot be changed after any temporary tables have been accessed in the session.";
        Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message).with_detail(detail))
    }

    /// The session has temporary tables from now on, or none any more.
    pub(crate) fn use_temp_buffers(&mut self, in_use: bool) {
        self.temp_buffers_in_use = in_use.then(|| self.temp_buffers());
    }

    /// Pages of temporary tables that are kept in memory.
    pub(crate) fn temp_buffers(&self) -> u32 {
        self.get("temp_buffers").parse().expect("checked before it was kept")
    }

    /// What all temporary files of the session may come to; `None`: as much as there is.
    pub(crate) fn temp_file_limit_kb(&self) -> Option<u64> {
        self.temp_file_limit_kb
    }

    /// Whether other sessions may see what this one does.
    pub(crate) fn tracks_activities(&self) -> bool {
        self.tracks_activities
    }

    pub(crate) fn application_name(&self) -> &Arc<str> {
        &self.application_name
    }

    /// What of the session's statements is counted.
    pub(crate) fn tracked(&self) -> Tracked {
        self.tracked
    }

    /// The kept value of a setting of the table; the name as the table writes it.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.value(definition(name).expect("a setting of the table"))
    }

    /// Whether the transaction is READ ONLY.
    pub(crate) fn is_read_only(&self) -> bool {
        self.transaction.read_only
    }

    pub(crate) fn is_on(&self, name: &str) -> bool {
        self.get(name) == "on"
    }

    fn value<'a>(&'a self, definition: &'static Definition) -> &'a str {
        let found = self.current.get(definition.name).or_else(|| self.reset.get(definition.name));
        found.map_or(definition.boot, String::as_str)
    }

    /// The canonical name of a setting that a session may change.
    pub(crate) fn changeable(&self, name: &str) -> Result<String> {
        if let Some(definition) = definition(name) {
            definition.check_changeable()?;
            return Ok(definition.name.to_owned());
        }
        let lower = name.to_ascii_lowercase();
        if OWN.contains(&lower.as_str()) {
            let message = format!("parameter \"{lower}\" cannot be changed");
            return Err(SqlError::new(SqlState::CANT_CHANGE_RUNTIME_PARAM, message));
        }
        if is_custom(&lower) && !lower.starts_with("hexalog.") {
            return Ok(lower);
        }
        Err(special::unrecognized(name))
    }

    /// The canonical name of a setting that a session may change, and a value for it in the form that it is kept in.
    pub(crate) fn checked(&self, name: &str, value: &str) -> Result<(String, String)> {
        let name = self.changeable(name)?;
        let value = match definition(&name) {
            Some(definition) => definition.normalise(value)?,
            None => value.to_owned(),
        };
        Ok((name, value))
    }

    /// Gives a setting a value; `None` is the reset value.
    fn apply(&mut self, name: &str, value: Option<String>) {
        match value {
            Some(value) => drop(self.current.insert(name.to_owned(), value)),
            None => {
                self.current.remove(name);
                if definition(name).is_none() {
                    // As in PostgreSQL a made-up setting is known for good once it was set.
                    if self.reset.get(name).is_none() {
                        self.reset.insert(name, String::new());
                    }
                }
            }
        }
        self.derive(name);
    }

    /// A value has changed: what is made of it follows.
    fn derive(&mut self, name: &str) {
        self.is_report_due = true;
        if PLANNED.contains(&name) {
            self.version += 1;
        }
        let number = |settings: &Settings| settings.get(name).parse().unwrap_or(0);
        match name {
            "TimeZone" => {
                self.time_zone = match self.get(name) == boot(name) {
                    true => Shared::defaults().time_zone.clone(),
                    false => Arc::new(zone_of(self.get(name))),
                };
            }
            "IntervalStyle" => self.interval_style = IntervalStyle::from_name(self.get(name)),
            "search_path" => {
                self.search_path = match self.get(name) == boot(name) {
                    true => Shared::defaults().search_path.clone(),
                    false => names_of(self.get(name)),
                };
            }
            "track_activities" => self.tracks_activities = self.is_on(name),
            "application_name" => self.application_name = self.get(name).into(),
            "default_transaction_isolation" => {
                self.initial_modes.isolation = match self.get(name) {
                    "serializable" => "serializable",
                    "repeatable read" => "repeatable read",
                    "read uncommitted" => "read uncommitted",
                    _ => "read committed",
                };
            }
            "default_transaction_read_only" => self.initial_modes.read_only = self.is_on(name),
            "default_transaction_deferrable" => self.initial_modes.deferrable = self.is_on(name),
            "statement_timeout" => self.statement_timeout_ms = number(self),
            "lock_timeout" => self.lock_timeout_ms = number(self),
            "idle_in_transaction_session_timeout" => self.idle_in_transaction_timeout_ms = number(self),
            "hexalog.direct_routes" => self.direct_routes = self.is_on(name),
            "work_mem" => {
                let kilobytes: usize = self.get(name).parse().expect("checked before it was kept");
                self.work_mem_bytes = kilobytes << 10;
            }
            "hash_mem_multiplier" => {
                self.hash_mem_multiplier = self.get(name).parse().expect("checked before it was kept");
            }
            _ if name.starts_with("pg_stat_statements.") || name == "compute_query_id" => {
                let numbers = self.get("compute_query_id") != "off";
                let statements = numbers && self.get(TRACK) != "none";
                self.tracked = Tracked {
                    statements,
                    utility: statements && self.is_on("pg_stat_statements.track_utility"),
                    planning: statements && self.is_on("pg_stat_statements.track_planning"),
                    numbers,
                };
            }
            // -1 stands for no limit.
            "temp_file_limit" => self.temp_file_limit_kb = self.get(name).parse().ok(),
            _ => {}
        }
    }
}
