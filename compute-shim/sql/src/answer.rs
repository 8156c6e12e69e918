//! What a session answers with: columns, rows, tags, and where they go.
//!
//! Owns the types that cross to the server, which encodes them for the wire. Never encodes itself.

use hexalog_sql_types::{Datum, EvalEnv, SqlError, TypeId, Typmod};
use std::fmt;
use std::sync::Arc;

/// One column of a result, as RowDescription has it (the format apart, which belongs to the portal).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnDescription {
    /// The column's name.
    pub name: Arc<str>,
    /// The table it comes from unchanged, 0 if from none.
    pub table_oid: u32,
    /// Its number in that table, 0 if from none.
    pub column_number: i16,
    /// The type.
    pub type_id: TypeId,
    /// `typlen` of the type.
    pub type_size: i16,
    /// The type's modifier.
    pub typmod: Typmod,
    /// The collation of its values, if its type has one and they have come to one.
    pub(crate) collation: Option<u32>,
}

/// What Describe of a statement answers.
#[derive(Clone, Debug)]
pub struct StatementDescription {
    /// Types of `$1`, `$2`, …
    pub parameters: Vec<TypeId>,
    /// The result's columns, `None` for a statement that returns no rows (NoData).
    pub columns: Option<Arc<[ColumnDescription]>>,
}

/// The columns of a portal and the format that each is sent in.
#[derive(Clone, Debug)]
pub struct PortalColumns {
    /// The columns.
    pub columns: Arc<[ColumnDescription]>,
    /// 0 text, 1 binary: one per column, or a single one for all, or none (all text), as Bind gave them.
    pub formats: Arc<[i16]>,
}

impl PortalColumns {
    /// The format of one column.
    pub fn format(&self, column: usize) -> i16 {
        format_of(&self.formats, column)
    }
}

/// The format of a column by Bind's rule: none given means text, one given means that one for all.
pub fn format_of(formats: &[i16], column: usize) -> i16 {
    match formats {
        [] => 0,
        [all] => *all,
        each => each[column],
    }
}

/// Whether a producer of rows may go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flow {
    /// More rows are welcome.
    Continue,
    /// The output buffer is full: return [`Completion::Paused`] and go on when called again.
    Pause,
}

/// How loud a notice is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Severity {
    /// INFO.
    Info,
    /// NOTICE.
    Notice,
    /// WARNING.
    Warning,
}

impl Severity {
    /// The word of the protocol's S and V fields.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Info => "INFO",
            Severity::Notice => "NOTICE",
            Severity::Warning => "WARNING",
        }
    }
}

/// Where a session puts what it has to say while a statement runs.
pub trait Sink {
    /// A result begins. The simple protocol sends it as RowDescription; the extended one has sent it in Describe and
    /// ignores it here. `formats` as in [`format_of`].
    fn row_description(&mut self, columns: &Arc<[ColumnDescription]>, formats: &[i16]);

    /// One row. `env` serves the text form of values that depend on the session.
    fn row(
        &mut self,
        env: &EvalEnv<'_>,
        values: &[Datum],
        columns: &[ColumnDescription],
        formats: &[i16],
    ) -> Result<Flow, SqlError>;

    /// A notice or warning.
    fn notice(&mut self, severity: Severity, notice: &SqlError);

    /// COPY TO STDOUT begins: CopyOutResponse with this many columns, all as text or all in binary form.
    fn copy_out_start(&mut self, columns: u16, is_binary: bool);

    /// A line of COPY TO STDOUT, its newline included, or a tuple: CopyData.
    fn copy_out_data(&mut self, data: &[u8]) -> Flow;

    /// COPY TO STDOUT ends: CopyDone.
    fn copy_out_end(&mut self);
}

/// How a statement ended, or why its answer stops here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Completion {
    /// Done: CommandComplete with this tag.
    Tag(CommandTag),
    /// The row limit of Execute was reached: PortalSuspended.
    Suspended,
    /// The sink asked for a pause: flush, then call again with the same arguments.
    Paused,
    /// COPY FROM STDIN awaits data: CopyInResponse, then `copy_data` and `copy_done` or `copy_fail`.
    CopyIn(CopyInFormat),
    /// The statement was empty: EmptyQueryResponse.
    EmptyQuery,
}

/// Progress of a simple Query message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum QueryProgress {
    /// One statement of it is through (or awaits COPY data); call again for the next.
    Statement(Completion),
    /// All is done, the implicit transaction is ended: ReadyForQuery.
    Finished,
}

/// What COPY FROM STDIN expects.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CopyInFormat {
    /// Number of columns.
    pub columns: u16,
    /// Tuples, and no text.
    pub is_binary: bool,
}

/// The tag of CommandComplete; its `Display` is the wire's text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CommandTag {
    /// The command, e.g. `INSERT 0`, `CREATE TABLE`.
    pub verb: &'static str,
    /// The number of rows, where the tag has one.
    pub rows: Option<u64>,
}

impl CommandTag {
    /// A tag without a count.
    pub const fn plain(verb: &'static str) -> CommandTag {
        CommandTag { verb, rows: None }
    }

    /// A tag with a count. `INSERT` has the old oid in it: pass `"INSERT 0"`.
    pub const fn counted(verb: &'static str, rows: u64) -> CommandTag {
        CommandTag { verb, rows: Some(rows) }
    }

    /// Whether it tells of the data more than what its own transaction has done to them, as rows do: that there was nothing to do,
    /// how many rows were read, that references have their rows, or that nobody else holds a table.
    pub fn tells_of_data(&self) -> bool {
        match self.rows {
            Some(rows) => rows == 0 || matches!(self.verb, "SELECT" | "FETCH" | "MOVE"),
            None => matches!(self.verb, "SET CONSTRAINTS" | "LOCK TABLE"),
        }
    }
}

impl fmt::Display for CommandTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.verb)?;
        match self.rows {
            Some(rows) => write!(f, " {rows}"),
            None => Ok(()),
        }
    }
}
