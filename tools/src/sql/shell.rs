//! Reading commands, scripts and lines, and printing what comes back.

use super::split::Splitter;
use super::table;
use crate::cli::SqlArgs;
use crate::cluster::{metadata_failure, open_volume};
use crate::exit::{Code, Failure};
use crate::local::{METADATA, VOLUME};
use crate::output::print;
use hexalog_cluster::Location;
use hexalog_sql_client::{ClientError, Column, Connection, Event};
use std::io::{BufRead, IsTerminal};
use std::net::SocketAddr;
use std::path::Path;

/// Rows of a result that are gathered for one aligned table; a longer result is printed in several tables' worth of
/// rows under the widths of the first.
const ROWS_ALIGNED_MAX: usize = 100_000;

const HELP: &str = "Type SQL, ended by a semicolon.  \\q quits.  \\? shows this.";

/// Runs `hexalog sql`.
pub fn run(arguments: &SqlArgs) -> Result<Code, Failure> {
    let address = match &arguments.data_dir {
        Some(data_dir) => address_of_compute(data_dir)?,
        None => arguments.connect,
    };
    let connection = Connection::connect(address, &arguments.user, &arguments.database, "hexalog sql", None);
    let connection = connection.map_err(|error| {
        let message = format!("cannot connect to {address}: {error}; `hexalog status` says what is running");
        Failure::new(Code::Unreachable, message)
    })?;
    let mut shell = Shell { connection, is_plain: arguments.plain };
    let outcome = if !arguments.commands.is_empty() {
        shell.run_commands(&arguments.commands)
    } else if std::io::stdin().is_terminal() {
        shell.run_lines(&arguments.database)
    } else {
        shell.run_script()
    };
    match outcome {
        Ok(true) => Ok(Code::Ok),
        Ok(false) => Ok(Code::StatementFailed),
        Err(error) => Err(Failure::new(Code::Unreachable, error.to_string())),
    }
}

/// Where the compute listens that opened the volume of a local cluster last.
fn address_of_compute(data_dir: &Path) -> Result<SocketAddr, Failure> {
    let (catalog, id) = open_volume(&Location::Sqlite(data_dir.join(METADATA)), VOLUME)?;
    let compute = catalog.compute(id).map_err(metadata_failure)?;
    compute.map(|compute| compute.listen).ok_or_else(|| {
        let message = format!("no compute has opened the cluster in {} yet", data_dir.display());
        Failure::new(Code::Unreachable, message)
    })
}

struct Shell {
    connection: Connection,
    is_plain: bool,
}

impl Shell {
    /// Each command is one query, as with psql -c; the first that fails ends the run.
    fn run_commands(&mut self, commands: &[String]) -> Result<bool, ClientError> {
        for command in commands {
            if !self.run_query(command, &mut no_copy_data)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// A script from standard input; the first statement that fails ends it.
    fn run_script(&mut self) -> Result<bool, ClientError> {
        let mut input = std::io::stdin().lock();
        let mut splitter = Splitter::default();
        let mut line = String::new();
        loop {
            while let Some(statement) = splitter.next_statement() {
                let mut rest = splitter.take_rest();
                let is_good =
                    self.run_query(&statement, &mut |out| copy_lines(&mut input, &mut rest, out))?;
                splitter.push(&rest);
                if !is_good {
                    return Ok(false);
                }
            }
            line.clear();
            if input.read_line(&mut line)? == 0 {
                break;
            }
            if !splitter.is_inside() && line.trim() == "\\q" {
                return Ok(true);
            }
            splitter.push(&line);
        }
        match splitter.finish() {
            Some(statement) => self.run_query(&statement, &mut no_copy_data),
            None => Ok(true),
        }
    }

    /// A person types. Errors are printed and the session goes on.
    fn run_lines(&mut self, database: &str) -> Result<bool, ClientError> {
        print(format!("{HELP}\n"));
        let mut input = std::io::stdin().lock();
        let mut splitter = Splitter::default();
        loop {
            self.print_prompt(database, splitter.is_inside());
            let mut line = String::new();
            if input.read_line(&mut line)? == 0 {
                print("\n");
                return Ok(true);
            }
            match line.trim() {
                "\\q" => return Ok(true),
                "\\?" | "help" if !splitter.is_inside() => print(format!("{HELP}\n")),
                command if command.starts_with('\\') && !splitter.is_inside() => {
                    print(format!("{command} is not a command of this client. {HELP}\n"));
                }
                _ => {
                    splitter.push(&line);
                    while let Some(statement) = splitter.next_statement() {
                        let mut rest = splitter.take_rest();
                        self.run_query(&statement, &mut |out| copy_lines(&mut input, &mut rest, out))?;
                        splitter.push(&rest);
                    }
                }
            }
        }
    }

    fn print_prompt(&self, database: &str, is_inside: bool) {
        let state = match self.connection.transaction_status() {
            b'T' => "*",
            b'E' => "!",
            _ => "",
        };
        let sign = if is_inside { '-' } else { '=' };
        print(format!("{database}{sign}{state}> "));
    }

    /// Runs one query and prints what it brings. False: it failed.
    fn run_query(
        &mut self,
        text: &str,
        copy_source: &mut dyn FnMut(&mut Vec<u8>) -> std::io::Result<()>,
    ) -> Result<bool, ClientError> {
        self.connection.send_query(text)?;
        let mut columns: Vec<Column> = Vec::new();
        let mut rows = Vec::new();
        let mut is_good = true;
        loop {
            match self.connection.next_event()? {
                Event::Columns(new) => columns = new,
                Event::Row(row) => {
                    rows.push(row);
                    if rows.len() == ROWS_ALIGNED_MAX {
                        self.print_rows(&columns, &rows);
                        rows.clear();
                    }
                }
                Event::Complete(tag) => {
                    if columns.is_empty() && rows.is_empty() {
                        print(format!("{tag}\n"));
                    } else {
                        self.print_rows(&columns, &rows);
                    }
                    columns.clear();
                    rows.clear();
                }
                Event::Empty => {}
                Event::Notice(message) => eprintln!("{message}"),
                Event::Error(message) => {
                    is_good = false;
                    eprintln!("{message}");
                }
                Event::CopyIn => {
                    let mut data = Vec::new();
                    copy_source(&mut data)?;
                    for chunk in data.chunks(64 << 10) {
                        self.connection.copy_data(chunk)?;
                    }
                    self.connection.copy_done()?;
                }
                Event::CopyOut(line) => print(line),
                Event::Ready => return Ok(is_good),
            }
        }
    }

    fn print_rows(&self, columns: &[Column], rows: &[Vec<Option<String>>]) {
        if self.is_plain {
            print(table::plain(rows));
        } else {
            print(table::aligned(columns, rows) + "\n");
        }
    }
}

fn no_copy_data(_: &mut Vec<u8>) -> std::io::Result<()> {
    Ok(())
}

/// Inline COPY data: the lines after the statement, up to `\.` alone on a line or the input's end.
fn copy_lines(input: &mut impl BufRead, rest: &mut String, out: &mut Vec<u8>) -> std::io::Result<()> {
    // What stands behind the semicolon on its line is not data.
    let first_line_end = rest.find('\n').map_or(rest.len(), |end| end + 1);
    let mut pending = rest.split_off(first_line_end);
    rest.clear();
    loop {
        while let Some(end) = pending.find('\n') {
            let line: String = pending.drain(..=end).collect();
            if line.trim_end() == "\\." {
                *rest = pending;
                return Ok(());
            }
            out.extend_from_slice(line.as_bytes());
        }
        if input.read_line(&mut pending)? == 0 {
            out.extend_from_slice(pending.as_bytes());
            return Ok(());
        }
    }
}
