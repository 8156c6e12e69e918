// PostgreSQL's JDBC driver: connecting, all types as text and binary, prepared statements, batches, errors, cancel, COPY, fetch
// sizes, metadata, and threads under load. Run as `java -cp postgresql.jar Jdbc.java PORT`.

import java.io.StringReader;
import java.io.StringWriter;
import java.math.BigDecimal;
import java.sql.*;
import java.time.*;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.AtomicInteger;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyManager;
import org.postgresql.util.PSQLException;

public class Jdbc {
    static String url;

    interface Work {
        void run() throws Exception;
    }

    static void check(boolean holds, Object what) {
        if (!holds) throw new AssertionError(String.valueOf(what));
    }

    static void same(Object expected, Object got, Object what) {
        check(Objects.deepEquals(expected, got), what + ": expected " + expected + ", got " + got);
    }

    static PSQLException fails(String state, Work work) throws Exception {
        try {
            work.run();
        } catch (PSQLException error) {
            same(state, error.getSQLState(), error);
            return error;
        }
        throw new AssertionError("no error " + state);
    }

    static Connection connect(String options) throws SQLException {
        return DriverManager.getConnection(url + options, "postgres", "");
    }

    // Type, literal, and what the driver makes of it.
    static final Object[][] VALUES = {
        {"boolean", "true", true},
        {"smallint", "-32768", -32768},
        {"integer", "2147483647", 2147483647},
        {"bigint", "-9223372036854775808", Long.MIN_VALUE},
        {"numeric", "12345678901234567890.0123456789", new BigDecimal("12345678901234567890.0123456789")},
        {"numeric", "0.00", new BigDecimal("0.00")},
        {"real", "1.5", 1.5f},
        {"double precision", "-2.25e-300", -2.25e-300},
        {"text", "ünï\n'quoted' \\", "ünï\n'quoted' \\"},
        {"varchar(5)", "abc", "abc"},
        {"char(5)", "ab", "ab   "},
        {"bytea", "\\x00ff10", new byte[] {0, (byte) 255, 16}},
        {"date", "2024-02-29", LocalDate.of(2024, 2, 29)},
        {"time", "12:34:56.789012", LocalTime.of(12, 34, 56, 789012000)},
        {"timestamp", "2024-05-06 07:08:09.123", LocalDateTime.of(2024, 5, 6, 7, 8, 9, 123000000)},
        {"timestamptz", "2024-05-06 07:08:09.123+00", OffsetDateTime.of(2024, 5, 6, 7, 8, 9, 123000000, ZoneOffset.UTC)},
        {"uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", UUID.fromString("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")},
        {"oid", "4294967295", 4294967295L},
    };

    static Object read(ResultSet row, int column, Object like) throws SQLException {
        return like instanceof Integer ? row.getInt(column) : row.getObject(column, like.getClass());
    }

    // Asked for often enough, the driver prepares a statement at the server and takes its values in binary.
    static void types(String options) throws Exception {
        try (Connection connection = connect(options)) {
            for (Object[] value : VALUES) {
                String sql = "SELECT CAST(? AS " + value[0] + "), CAST(NULL AS " + value[0] + ")";
                try (PreparedStatement statement = connection.prepareStatement(sql)) {
                    for (int time = 0; time < 7; time++) {
                        statement.setString(1, (String) value[1]);
                        try (ResultSet row = statement.executeQuery()) {
                            check(row.next(), "a row");
                            if (value[2] instanceof byte[]) same(value[2], row.getBytes(1), value[0]);
                            else same(value[2], read(row, 1, value[2]), value[0]);
                            check(row.getObject(2) == null && row.wasNull(), value[0]);
                        }
                    }
                }
            }
            if (options.contains("simple")) return;
            // What goes in by its Java type comes out again.
            try (PreparedStatement statement = connection.prepareStatement(
                    "SELECT ?::int8 + 1, ?::float8, ?::numeric, ?::date, ?::timestamptz, ?::bytea, ?::bool, ?::int[], ?::uuid")) {
                OffsetDateTime noon = OffsetDateTime.of(2024, 5, 6, 12, 0, 0, 0, ZoneOffset.UTC);
                UUID uuid = UUID.randomUUID();
                for (int time = 0; time < 7; time++) {
                    statement.setLong(1, 41);
                    statement.setDouble(2, 0.1);
                    statement.setBigDecimal(3, new BigDecimal("-0.001"));
                    statement.setObject(4, LocalDate.of(1999, 12, 31));
                    statement.setObject(5, noon);
                    statement.setBytes(6, new byte[] {1, 2, (byte) 200});
                    statement.setBoolean(7, true);
                    statement.setArray(8, connection.createArrayOf("int4", new Integer[] {1, null, 3}));
                    statement.setObject(9, uuid);
                    try (ResultSet row = statement.executeQuery()) {
                        check(row.next(), "a row");
                        same(42L, row.getLong(1), "long");
                        same(0.1, row.getDouble(2), "double");
                        same(new BigDecimal("-0.001"), row.getBigDecimal(3), "numeric");
                        same(LocalDate.of(1999, 12, 31), row.getObject(4, LocalDate.class), "date");
                        same(noon, row.getObject(5, OffsetDateTime.class), "timestamptz");
                        same(new byte[] {1, 2, (byte) 200}, row.getBytes(6), "bytea");
                        same(true, row.getBoolean(7), "bool");
                        same(new Integer[] {1, null, 3}, row.getArray(8).getArray(), "array");
                        same(uuid, row.getObject(9, UUID.class), "uuid");
                    }
                }
            }
        }
    }

    static void statements(Connection connection) throws Exception {
        try (Statement statement = connection.createStatement()) {
            statement.execute("CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, s text UNIQUE, n numeric(10, 2))");
        }
        connection.setAutoCommit(false);
        try (PreparedStatement insert = connection.prepareStatement(
                "INSERT INTO t (s, n) VALUES (?, ?)", Statement.RETURN_GENERATED_KEYS)) {
            for (int i = 1; i <= 100; i++) {
                insert.setString(1, "row " + i);
                insert.setBigDecimal(2, BigDecimal.valueOf(i, 1));
                insert.addBatch();
            }
            int[] counts = insert.executeBatch();
            check(counts.length == 100 && Arrays.stream(counts).allMatch(count -> count == 1), "counts");
            ResultSet keys = insert.getGeneratedKeys();
            for (int i = 1; i <= 100; i++) {
                check(keys.next(), "a key");
                same(i, keys.getInt("id"), "key");
            }
        }
        connection.commit();
        // In pieces, through a portal.
        try (PreparedStatement select = connection.prepareStatement("SELECT id, n FROM t ORDER BY id")) {
            select.setFetchSize(7);
            ResultSet rows = select.executeQuery();
            int seen = 0;
            while (rows.next()) {
                same(++seen, rows.getInt(1), "id");
                same(BigDecimal.valueOf(seen, 1).setScale(2), rows.getBigDecimal(2), "n");
            }
            same(100, seen, "rows");
        }
        // A savepoint around what fails.
        Savepoint before = connection.setSavepoint();
        PSQLException twice = fails("23505", () -> {
            try (Statement statement = connection.createStatement()) {
                statement.execute("INSERT INTO t (s) VALUES ('row 1')");
            }
        });
        same("t_s_key", twice.getServerErrorMessage().getConstraint(), twice);
        same("Key (s)=(row 1) already exists.", twice.getServerErrorMessage().getDetail(), twice);
        connection.rollback(before);
        try (Statement statement = connection.createStatement()) {
            same(1, statement.executeUpdate("DELETE FROM t WHERE id = 100"), "deleted");
        }
        connection.rollback();
        connection.setAutoCommit(true);
        fails("42601", () -> connection.createStatement().execute("SELEC 1"));
        fails("42P01", () -> connection.createStatement().executeQuery("SELECT * FROM nowhere"));
        fails("22012", () -> connection.createStatement().executeQuery("SELECT 1 / 0"));
        for (int level : new int[] {Connection.TRANSACTION_READ_COMMITTED, Connection.TRANSACTION_REPEATABLE_READ}) {
            connection.setTransactionIsolation(level);
            same(level, connection.getTransactionIsolation(), "isolation");
        }
        connection.setTransactionIsolation(Connection.TRANSACTION_READ_COMMITTED);
        connection.setReadOnly(true);
        connection.setAutoCommit(false);
        fails("25006", () -> connection.createStatement().execute("DELETE FROM t"));
        connection.rollback();
        connection.setReadOnly(false);
        connection.setAutoCommit(true);
    }

    static void cancels(Connection connection) throws Exception {
        try (Statement statement = connection.createStatement()) {
            ScheduledExecutorService later = Executors.newSingleThreadScheduledExecutor();
            later.schedule(() -> {
                statement.cancel();
                return null;
            }, 200, TimeUnit.MILLISECONDS);
            fails("57014", () -> statement.executeQuery("SELECT pg_sleep(60)"));
            later.shutdown();
            statement.setQueryTimeout(1);
            fails("57014", () -> statement.executeQuery("SELECT pg_sleep(60)"));
            statement.setQueryTimeout(0);
            check(statement.executeQuery("SELECT 1").next(), "it goes on");
        }
    }

    static void copies(Connection connection) throws Exception {
        connection.createStatement().execute("CREATE TABLE c (i int, s text)");
        CopyManager copy = connection.unwrap(PGConnection.class).getCopyAPI();
        StringBuilder lines = new StringBuilder();
        for (int i = 0; i < 10000; i++) lines.append(i).append(",\"line, ").append(i).append("\"\n");
        same(10000L, copy.copyIn("COPY c FROM STDIN (FORMAT csv)", new StringReader(lines.toString())), "copied");
        StringWriter out = new StringWriter();
        same(10000L, copy.copyOut("COPY (SELECT * FROM c ORDER BY i) TO STDOUT (FORMAT csv)", out), "copied");
        same(lines.toString(), out.toString(), "as it was");
        fails("22P02", () -> copy.copyIn("COPY c FROM STDIN", new StringReader("x\ty\n")));
    }

    static void metadata(Connection connection) throws Exception {
        DatabaseMetaData data = connection.getMetaData();
        same("PostgreSQL", data.getDatabaseProductName(), "product");
        same(15, data.getDatabaseMajorVersion(), "version");
        List<String> columns = new ArrayList<>();
        ResultSet rows = data.getColumns(null, "public", "t", null);
        while (rows.next()) columns.add(rows.getString("COLUMN_NAME") + " " + rows.getString("TYPE_NAME") + " " + rows.getString("IS_AUTOINCREMENT"));
        same(List.of("id int4 YES", "s text NO", "n numeric NO"), columns, "columns");
        ResultSet tables = data.getTables(null, "public", "%", new String[] {"TABLE"});
        Set<String> names = new TreeSet<>();
        while (tables.next()) names.add(tables.getString("TABLE_NAME"));
        same(Set.of("c", "t"), names, "tables");
        keys(connection, data);
        ResultSetMetaData result = connection.createStatement().executeQuery("SELECT id, s, n FROM t").getMetaData();
        same(10, result.getPrecision(3), "precision");
        same(2, result.getScale(3), "scale");
        same(ResultSetMetaData.columnNoNulls, result.isNullable(1), "nullable");
    }

    // What the driver's queries take rows apart for: keys, what refers to them, indexes.
    static void keys(Connection connection, DatabaseMetaData data) throws Exception {
        try (Statement statement = connection.createStatement()) {
            statement.execute("CREATE TABLE book (isbn text, edition int, title varchar(40) NOT NULL DEFAULT 'untitled', PRIMARY KEY (edition, isbn))");
            statement.execute("CREATE TABLE loan (id bigint PRIMARY KEY, isbn text, edition int, day date, CONSTRAINT loan_book FOREIGN KEY (edition, isbn) REFERENCES book ON DELETE CASCADE ON UPDATE SET NULL DEFERRABLE)");
            statement.execute("CREATE UNIQUE INDEX loan_day ON loan (day DESC, id) WHERE day IS NOT NULL");
            statement.execute("CREATE INDEX loan_upper ON loan (upper(isbn))");
            statement.execute("CREATE VIEW long_titles AS SELECT title FROM book WHERE length(title) > 20");
            statement.execute("COMMENT ON TABLE book IS 'what is lent'");
            statement.execute("COMMENT ON COLUMN book.title IS 'as printed'");
        }
        String[] primary = {"TABLE_SCHEM", "TABLE_NAME", "COLUMN_NAME", "KEY_SEQ", "PK_NAME"};
        same(List.of("public book edition 1 book_pkey", "public book isbn 2 book_pkey"), rows(data.getPrimaryKeys(null, "public", "book"), primary), "primary keys");
        same(List.of(), rows(data.getPrimaryKeys(null, null, "long_titles"), primary), "a view's primary keys");
        String[] foreign = {"PKTABLE_NAME", "PKCOLUMN_NAME", "FKTABLE_NAME", "FKCOLUMN_NAME", "KEY_SEQ", "UPDATE_RULE", "DELETE_RULE", "FK_NAME", "PK_NAME", "DEFERRABILITY"};
        List<String> reference = List.of(
            "book edition loan edition 1 2 0 loan_book book_pkey 6",
            "book isbn loan isbn 2 2 0 loan_book book_pkey 6");
        same(reference, rows(data.getImportedKeys(null, "public", "loan"), foreign), "imported keys");
        same(reference, rows(data.getExportedKeys(null, null, "book"), foreign), "exported keys");
        same(reference, rows(data.getCrossReference(null, null, "book", null, null, "loan"), foreign), "cross reference");
        same(List.of(), rows(data.getExportedKeys(null, null, "loan"), foreign), "what nothing refers to");
        String[] index = {"TABLE_NAME", "NON_UNIQUE", "INDEX_NAME", "TYPE", "ORDINAL_POSITION", "COLUMN_NAME", "ASC_OR_DESC", "FILTER_CONDITION"};
        List<String> unique = List.of(
            "loan f loan_day 3 1 day D (day IS NOT NULL)",
            "loan f loan_day 3 2 id A (day IS NOT NULL)",
            "loan f loan_pkey 3 1 id A null");
        List<String> indexes = new ArrayList<>(unique);
        indexes.add("loan t loan_upper 3 1 upper(isbn) A null");
        same(indexes, rows(data.getIndexInfo(null, "public", "loan", false, false), index), "indexes");
        same(unique, rows(data.getIndexInfo(null, null, "loan", true, true), index), "unique indexes");
        String[] best = {"COLUMN_NAME", "TYPE_NAME", "PSEUDO_COLUMN"};
        same(List.of("isbn text 1", "edition int4 1"), rows(data.getBestRowIdentifier(null, null, "book", DatabaseMetaData.bestRowSession, false), best), "best row");
        String[] column = {"TABLE_NAME", "COLUMN_NAME", "DATA_TYPE", "TYPE_NAME", "COLUMN_SIZE", "NULLABLE", "REMARKS", "COLUMN_DEF", "ORDINAL_POSITION", "IS_NULLABLE"};
        List<String> columns = List.of(
            "book isbn 12 text 2147483647 0 null null 1 NO",
            "book edition 4 int4 10 0 null null 2 NO",
            "book title 12 varchar 40 0 as printed 'untitled'::character varying 3 NO");
        same(columns, rows(data.getColumns(null, "public", "book", "%"), column), "columns");
        String[] table = {"TABLE_SCHEM", "TABLE_NAME", "TABLE_TYPE", "REMARKS"};
        same(List.of("public book TABLE what is lent", "public loan TABLE null", "public long_titles VIEW null"), rows(data.getTables(null, "public", "%o%", new String[] {"TABLE", "VIEW"}), table), "tables");
        same(List.of("public loan_day INDEX null", "public loan_pkey INDEX null", "public loan_upper INDEX null"), rows(data.getTables(null, "public", "loan%", new String[] {"INDEX"}), table), "indexes as tables");
        try (Statement statement = connection.createStatement()) {
            statement.execute("DROP TABLE book, loan CASCADE");
        }
    }

    static List<String> rows(ResultSet rows, String... columns) throws Exception {
        List<String> all = new ArrayList<>();
        while (rows.next()) {
            StringJoiner row = new StringJoiner(" ");
            for (String column : columns) row.add(String.valueOf(rows.getString(column)));
            all.add(row.toString());
        }
        return all;
    }

    // Threads over a pool of ten connections move money; nothing is lost, and what must be said again is said again.
    static void pool() throws Exception {
        BlockingQueue<Connection> idle = new LinkedBlockingQueue<>();
        for (int i = 0; i < 10; i++) {
            Connection connection = connect("");
            connection.setAutoCommit(false);
            idle.add(connection);
        }
        Connection first = idle.take();
        first.createStatement().execute("CREATE TABLE account (id int PRIMARY KEY, amount int NOT NULL)");
        first.createStatement().execute("INSERT INTO account SELECT g, 100 FROM generate_series(0, 19) g");
        first.commit();
        idle.add(first);
        AtomicInteger moved = new AtomicInteger();
        ExecutorService workers = Executors.newFixedThreadPool(20);
        List<Future<?>> all = new ArrayList<>();
        for (int worker = 0; worker < 20; worker++) {
            int number = worker;
            all.add(workers.submit(() -> {
                for (int step = 0; step < 30; step++) {
                    int from = (number * 7 + step) % 20, to = (number * 3 + step * 5 + 1) % 20;
                    if (from == to) continue;
                    Connection connection = idle.take();
                    try (PreparedStatement move = connection.prepareStatement("UPDATE account SET amount = amount + ? WHERE id = ?")) {
                        move.setInt(1, -1);
                        move.setInt(2, from);
                        move.executeUpdate();
                        move.setInt(1, 1);
                        move.setInt(2, to);
                        move.executeUpdate();
                        connection.commit();
                        moved.incrementAndGet();
                    } catch (SQLException error) {
                        check(List.of("40001", "40P01").contains(error.getSQLState()), error);
                        connection.rollback();
                    } finally {
                        idle.add(connection);
                    }
                }
                return null;
            }));
        }
        for (Future<?> worker : all) worker.get(60, TimeUnit.SECONDS);
        workers.shutdown();
        check(moved.get() > 300, moved + " moved");
        ResultSet sum = first.createStatement().executeQuery("SELECT sum(amount), count(*) FROM account");
        check(sum.next(), "a row");
        same(2000, sum.getInt(1), "sum");
        same(20, sum.getInt(2), "accounts");
        first.rollback();
        for (Connection connection : idle) connection.close();
    }

    public static void main(String[] arguments) throws Exception {
        url = "jdbc:postgresql://127.0.0.1:" + arguments[0] + "/postgres";
        TimeZone.setDefault(TimeZone.getTimeZone("UTC"));
        types("");
        types("?prepareThreshold=-1");
        types("?preferQueryMode=simple");
        try (Connection connection = connect("?ApplicationName=jdbc")) {
            statements(connection);
            cancels(connection);
            copies(connection);
            metadata(connection);
        }
        pool();
    }
}
