//! The one error type of the SQL layer: PostgreSQL's SQLSTATE, wording and optional fields.
//!
//! Owns [`SqlError`] and [`SqlState`]. Never decides how an error travels (the server encodes it) and never logs.
//! States and their names come from PostgreSQL 15, appendix A ("PostgreSQL Error Codes").
//! Read next: `resolve` for the errors of name and type resolution, `text` for those of input.

use std::fmt;

/// A result whose error is an [`SqlError`].
pub type Result<T, E = SqlError> = std::result::Result<T, E>;

/// A five character SQLSTATE.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SqlState([u8; 5]);

impl SqlState {
    /// Makes a state from its five characters. Panics (at compile time for constants) unless each is a digit or
    /// an upper-case letter.
    pub const fn new(code: &[u8; 5]) -> Self {
        let mut at = 0;
        while at < 5 {
            assert!(code[at].is_ascii_digit() || code[at].is_ascii_uppercase());
            at += 1;
        }
        Self(*code)
    }

    /// The five characters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("a state holds only ASCII, asserted by its constructor")
    }

    /// The class: the first two characters.
    pub fn class(&self) -> &str {
        &self.as_str()[..2]
    }
}

impl fmt::Debug for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

macro_rules! states {
    ($($name:ident = $code:literal;)*) => {
        impl SqlState {
            $(
                #[doc = concat!("`", $code, "`, PostgreSQL's condition of the same name.")]
                pub const $name: SqlState = SqlState::new(const {
                    match $code.as_bytes().first_chunk::<5>() {
                        Some(bytes) => bytes,
                        None => panic!("a state has five characters"),
                    }
                });
            )*
        }
    };
}

states! {
    SUCCESSFUL_COMPLETION = "00000";
    WARNING = "01000";
    CONNECTION_FAILURE = "08006";
    PROTOCOL_VIOLATION = "08P01";
    FEATURE_NOT_SUPPORTED = "0A000";
    CARDINALITY_VIOLATION = "21000";
    DATA_EXCEPTION = "22000";
    STRING_DATA_RIGHT_TRUNCATION = "22001";
    NUMERIC_VALUE_OUT_OF_RANGE = "22003";
    NULL_VALUE_NOT_ALLOWED = "22004";
    INVALID_DATETIME_FORMAT = "22007";
    DATETIME_FIELD_OVERFLOW = "22008";
    INVALID_TIME_ZONE_DISPLACEMENT = "22009";
    SUBSTRING_ERROR = "22011";
    DIVISION_BY_ZERO = "22012";
    INVALID_PRECEDING_OR_FOLLOWING_SIZE = "22013";
    INTERVAL_FIELD_OVERFLOW = "22015";
    INVALID_ESCAPE_CHARACTER = "22019";
    INVALID_REGULAR_EXPRESSION = "2201B";
    INVALID_ARGUMENT_FOR_LOGARITHM = "2201E";
    INVALID_ARGUMENT_FOR_POWER_FUNCTION = "2201F";
    INVALID_ARGUMENT_FOR_WIDTH_BUCKET_FUNCTION = "2201G";
    INVALID_ROW_COUNT_IN_LIMIT_CLAUSE = "2201W";
    INVALID_ROW_COUNT_IN_RESULT_OFFSET_CLAUSE = "2201X";
    CHARACTER_NOT_IN_REPERTOIRE = "22021";
    INVALID_PARAMETER_VALUE = "22023";
    INVALID_ESCAPE_SEQUENCE = "22025";
    INVALID_USE_OF_ESCAPE_CHARACTER = "2200C";
    ARRAY_SUBSCRIPT_ERROR = "2202E";
    INVALID_ARGUMENT_FOR_SQL_JSON_DATETIME_FUNCTION = "22031";
    INVALID_SQL_JSON_SUBSCRIPT = "22033";
    NON_NUMERIC_SQL_JSON_ITEM = "22036";
    SINGLETON_SQL_JSON_ITEM_REQUIRED = "22038";
    SQL_JSON_ARRAY_NOT_FOUND = "22039";
    SQL_JSON_MEMBER_NOT_FOUND = "2203A";
    SQL_JSON_NUMBER_NOT_FOUND = "2203B";
    SQL_JSON_OBJECT_NOT_FOUND = "2203C";
    INVALID_TEXT_REPRESENTATION = "22P02";
    INVALID_BINARY_REPRESENTATION = "22P03";
    BAD_COPY_FILE_FORMAT = "22P04";
    UNTRANSLATABLE_CHARACTER = "22P05";
    INTEGRITY_CONSTRAINT_VIOLATION = "23000";
    NOT_NULL_VIOLATION = "23502";
    FOREIGN_KEY_VIOLATION = "23503";
    UNIQUE_VIOLATION = "23505";
    CHECK_VIOLATION = "23514";
    INVALID_CURSOR_STATE = "24000";
    INVALID_TRANSACTION_STATE = "25000";
    ACTIVE_SQL_TRANSACTION = "25001";
    READ_ONLY_SQL_TRANSACTION = "25006";
    NO_ACTIVE_SQL_TRANSACTION = "25P01";
    IN_FAILED_SQL_TRANSACTION = "25P02";
    INVALID_SQL_STATEMENT_NAME = "26000";
    INVALID_AUTHORIZATION_SPECIFICATION = "28000";
    DEPENDENT_OBJECTS_STILL_EXIST = "2BP01";
    INVALID_TRANSACTION_TERMINATION = "2D000";
    INVALID_CURSOR_NAME = "34000";
    INVALID_SAVEPOINT_SPECIFICATION = "3B001";
    INVALID_CATALOG_NAME = "3D000";
    INVALID_SCHEMA_NAME = "3F000";
    SERIALIZATION_FAILURE = "40001";
    STATEMENT_COMPLETION_UNKNOWN = "40003";
    DEADLOCK_DETECTED = "40P01";
    INSUFFICIENT_PRIVILEGE = "42501";
    WITH_CHECK_OPTION_VIOLATION = "44000";
    SYNTAX_ERROR = "42601";
    INVALID_NAME = "42602";
    INVALID_COLUMN_DEFINITION = "42611";
    NAME_TOO_LONG = "42622";
    DUPLICATE_COLUMN = "42701";
    AMBIGUOUS_COLUMN = "42702";
    UNDEFINED_COLUMN = "42703";
    UNDEFINED_OBJECT = "42704";
    DUPLICATE_OBJECT = "42710";
    DUPLICATE_ALIAS = "42712";
    AMBIGUOUS_FUNCTION = "42725";
    GROUPING_ERROR = "42803";
    DATATYPE_MISMATCH = "42804";
    WRONG_OBJECT_TYPE = "42809";
    INVALID_FOREIGN_KEY = "42830";
    CANNOT_COERCE = "42846";
    UNDEFINED_FUNCTION = "42883";
    GENERATED_ALWAYS = "428C9";
    RESERVED_NAME = "42939";
    UNDEFINED_TABLE = "42P01";
    UNDEFINED_PARAMETER = "42P02";
    DUPLICATE_CURSOR = "42P03";
    INVALID_CURSOR_DEFINITION = "42P11";
    DUPLICATE_DATABASE = "42P04";
    DUPLICATE_PREPARED_STATEMENT = "42P05";
    DUPLICATE_SCHEMA = "42P06";
    DUPLICATE_TABLE = "42P07";
    AMBIGUOUS_PARAMETER = "42P08";
    INVALID_COLUMN_REFERENCE = "42P10";
    COLLATION_MISMATCH = "42P21";
    INDETERMINATE_COLLATION = "42P22";
    INVALID_TABLE_DEFINITION = "42P16";
    INVALID_OBJECT_DEFINITION = "42P17";
    INDETERMINATE_DATATYPE = "42P18";
    INVALID_RECURSION = "42P19";
    WINDOWING_ERROR = "42P20";
    INSUFFICIENT_RESOURCES = "53000";
    DISK_FULL = "53100";
    OUT_OF_MEMORY = "53200";
    TOO_MANY_CONNECTIONS = "53300";
    CONFIGURATION_LIMIT_EXCEEDED = "53400";
    PROGRAM_LIMIT_EXCEEDED = "54000";
    STATEMENT_TOO_COMPLEX = "54001";
    TOO_MANY_COLUMNS = "54011";
    TOO_MANY_ARGUMENTS = "54023";
    OBJECT_NOT_IN_PREREQUISITE_STATE = "55000";
    OBJECT_IN_USE = "55006";
    CANT_CHANGE_RUNTIME_PARAM = "55P02";
    LOCK_NOT_AVAILABLE = "55P03";
    UNSAFE_NEW_ENUM_VALUE_USAGE = "55P04";
    QUERY_CANCELED = "57014";
    ADMIN_SHUTDOWN = "57P01";
    SNAPSHOT_TOO_OLD = "72000";
    CANNOT_CONNECT_NOW = "57P03";
    SYSTEM_ERROR = "58000";
    IO_ERROR = "58030";
    INTERNAL_ERROR = "XX000";
    DATA_CORRUPTED = "XX001";
}

/// An error as a client sees it. One pointer wide, so that `Result<Datum>` stays small.
#[derive(Clone, PartialEq, Eq)]
pub struct SqlError(Box<SqlErrorFields>);

/// The fields of an [`SqlError`], named as in the protocol's ErrorResponse.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SqlErrorFields {
    /// What kind of error; drivers decide by it.
    pub sqlstate: SqlState,
    /// The primary message.
    pub message: String,
    /// More about what happened.
    pub detail: Option<String>,
    /// What the user could do.
    pub hint: Option<String>,
    /// 1-based character index into the statement.
    pub position: Option<u32>,
    /// Where in the work the error arose (`CONTEXT` in psql), e.g. a COPY line.
    pub context: Option<String>,
    /// Name of the violated constraint.
    pub constraint: Option<String>,
    /// Table the error is about.
    pub table: Option<String>,
    /// Column the error is about.
    pub column: Option<String>,
    /// Schema of `table`.
    pub schema: Option<String>,
    /// Name of the data type the error is about.
    pub data_type: Option<String>,
}

impl SqlError {
    /// An error of the given state and primary message.
    pub fn new(sqlstate: SqlState, message: impl Into<String>) -> Self {
        Self(Box::new(SqlErrorFields {
            sqlstate,
            message: message.into(),
            detail: None,
            hint: None,
            position: None,
            context: None,
            constraint: None,
            table: None,
            column: None,
            schema: None,
            data_type: None,
        }))
    }

    /// 0A000 `"<feature> is not supported"`.
    pub fn unsupported(feature: impl fmt::Display) -> Self {
        Self::new(SqlState::FEATURE_NOT_SUPPORTED, format!("{feature} is not supported"))
    }

    /// 22003 `"<type> out of range"`, for results of arithmetic.
    pub fn out_of_range(type_name: impl fmt::Display) -> Self {
        Self::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, format!("{type_name} out of range"))
    }

    /// 22012 `"division by zero"`.
    pub fn division_by_zero() -> Self {
        Self::new(SqlState::DIVISION_BY_ZERO, "division by zero")
    }

    /// 22P02 `invalid input syntax for type <type>: "<input>"`.
    pub fn invalid_input(type_name: impl fmt::Display, input: &str) -> Self {
        Self::new(
            SqlState::INVALID_TEXT_REPRESENTATION,
            format!("invalid input syntax for type {type_name}: \"{input}\""),
        )
    }

    /// 22023, for an argument whose value has no meaning.
    pub fn invalid_parameter(message: impl Into<String>) -> Self {
        Self::new(SqlState::INVALID_PARAMETER_VALUE, message)
    }

    /// 42601.
    pub fn syntax(message: impl Into<String>) -> Self {
        Self::new(SqlState::SYNTAX_ERROR, message)
    }

    /// 42704 `"<kind> "<name>" does not exist"`.
    pub fn undefined_object(kind: &str, name: &str) -> Self {
        Self::new(SqlState::UNDEFINED_OBJECT, format!("{kind} \"{name}\" does not exist"))
    }

    /// XX000, for a state that should be impossible but must not take the process down.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(SqlState::INTERNAL_ERROR, message)
    }

    /// Adds the detail.
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Adds the hint.
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds the context line.
    pub fn with_context(mut self, context: impl Into<String>) -> Self {
        self.0.context = Some(context.into());
        self
    }

    /// Adds the 1-based character position, unless an inner one is known already.
    pub fn with_position(mut self, position: u32) -> Self {
        assert!(position > 0, "positions count from 1");
        self.0.position.get_or_insert(position);
        self
    }

    /// Adds schema and table.
    pub fn with_table(mut self, schema: impl Into<String>, table: impl Into<String>) -> Self {
        self.0.schema = Some(schema.into());
        self.0.table = Some(table.into());
        self
    }

    /// Adds the column.
    pub fn with_column(mut self, column: impl Into<String>) -> Self {
        self.0.column = Some(column.into());
        self
    }

    /// Adds the constraint.
    pub fn with_constraint(mut self, constraint: impl Into<String>) -> Self {
        self.0.constraint = Some(constraint.into());
        self
    }

    /// The state.
    pub fn sqlstate(&self) -> SqlState {
        self.0.sqlstate
    }

    /// The primary message.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// All fields, to encode them.
    pub fn fields(&self) -> &SqlErrorFields {
        &self.0
    }

    /// All fields, to change them.
    pub fn fields_mut(&mut self) -> &mut SqlErrorFields {
        &mut self.0
    }
}

impl fmt::Debug for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ERROR {}: {}", self.0.sqlstate, self.0.message)
    }
}

impl std::error::Error for SqlError {}

const _: () = assert!(size_of::<SqlError>() == size_of::<usize>());
