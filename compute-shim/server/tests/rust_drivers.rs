//! Rust's drivers against this server: tokio-postgres, which speaks binary alone, and sqlx.
#![allow(clippy::disallowed_methods)] // Tasks and waits are what a test of drivers is made of.

mod fixture;

use fixture::TestServer;
use futures_util::{SinkExt, TryStreamExt, pin_mut};
use sqlx_core::connection::Connection;
use sqlx_core::query::query;
use sqlx_core::query_as::query_as;
use sqlx_core::query_scalar::query_scalar;
use sqlx_core::row::Row;
use sqlx_core::types::Json;
use sqlx_postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use std::future::Future;
use std::time::{Duration, SystemTime};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

/// A test that takes longer hangs.
const TEST_MAX: Duration = Duration::from_secs(60);

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    runtime.block_on(async { tokio::time::timeout(TEST_MAX, test).await.expect("it does not hang") });
}

async fn connect(server: &TestServer) -> Client {
    let address = server.address;
    let options = format!("host={} port={} user=postgres dbname=postgres", address.ip(), address.port());
    let (client, connection) = tokio_postgres::connect(&options, NoTls).await.expect("connects");
    tokio::spawn(connection);
    client
}

/// A value of any type, as it goes over the wire.
#[derive(Debug, PartialEq)]
struct Raw(Vec<u8>);

impl<'a> FromSql<'a> for Raw {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Raw, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Raw(raw.to_vec()))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

impl ToSql for Raw {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut bytes::BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        out.extend_from_slice(&self.0);
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    tokio_postgres::types::to_sql_checked!();
}

/// Type and text of a value.
const VALUES: [(&str, &str); 28] = [
    ("bool", "t"),
    ("int2", "-32768"),
    ("int4", "2147483647"),
    ("int8", "-9223372036854775808"),
    ("numeric", "12345678901234567890.0123456789"),
    ("numeric", "-0.000100"),
    ("numeric", "NaN"),
    ("float4", "1.5"),
    ("float8", "-2.25e-300"),
    ("text", "ünï\n'quoted' \\"),
    ("varchar", "abc"),
    ("bpchar", "ab   "),
    ("bytea", "\\x00ff10"),
    ("date", "2024-02-29"),
    ("date", "-infinity"),
    ("time", "12:34:56.789012"),
    ("timetz", "12:34:56.5-03:30"),
    ("timestamp", "1999-12-31 23:59:59.999999"),
    ("timestamptz", "2024-05-06 07:08:09.123+00"),
    ("interval", "1 year 2 mons -3 days 04:05:06.007"),
    ("uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    ("json", "{\"a\":  [1, null]}"),
    ("jsonb", "{\"a\": [1, null]}"),
    ("int4[]", "{1,NULL,3}"),
    ("text[]", "[2:3]={a,\"b c\"}"),
    ("numeric[]", "{{1.5,2},{NULL,-7}}"),
    ("oid", "4294967295"),
    ("mood", "happy"),
];

/// Every type goes out in binary and comes back in binary as the same text, and the driver learns what an enum is.
#[test]
fn tokio_postgres_types() {
    let server = TestServer::start();
    run(async {
        let client = connect(&server).await;
        client
            .batch_execute("SET TIME ZONE 'UTC'; CREATE TYPE mood AS ENUM ('sad', 'happy')")
            .await
            .expect("made");
        for (name, text) in VALUES {
            let query = format!("SELECT $1::text::{name}, NULL::{name}, $1::text::{name}::text");
            let row = client.query_one(&query, &[&text]).await.expect(name);
            assert_eq!(row.get::<_, Option<Raw>>(1), None, "{name}");
            let shown: String = row.get(2);
            let back = client.prepare(&format!("SELECT $1::{name}::text, $1::{name}")).await.expect(name);
            let again = client.query_one(&back, &[&row.get::<_, Raw>(0)]).await.expect(name);
            assert_eq!(again.get::<_, String>(0), shown, "{name}");
            assert_eq!(again.get::<_, Raw>(1), row.get::<_, Raw>(0), "{name}");
            let none = client.query_one(&back, &[&None::<Raw>]).await.expect(name);
            assert_eq!(none.get::<_, Option<Raw>>(1), None, "{name}");
            // As text, by the simple protocol.
            let quoted = text.replace('\'', "''");
            let simple = client.simple_query(&format!("SELECT '{quoted}'::{name}")).await.expect(name);
            let SimpleQueryMessage::Row(row) = &simple[1] else { panic!("{simple:?}") };
            if name != "bpchar" {
                assert_eq!(row.get(0), Some(if name == "bool" { "t" } else { shown.as_str() }), "{name}");
            }
        }
        let row = client
            .query_one(
                "SELECT $1::int2, $2::int8, $3::float8, $4::bytea, $5::timestamptz, $6::text[], $7::json",
                &[
                    &7i16,
                    &(1i64 << 40),
                    &0.1f64,
                    &&b"\0\xff"[..],
                    &SystemTime::UNIX_EPOCH,
                    &vec![Some("a"), None],
                    &serde_json::json!({"k": [1, null]}),
                ],
            )
            .await
            .expect("all at once");
        assert_eq!((row.get::<_, i16>(0), row.get::<_, i64>(1), row.get::<_, f64>(2)), (7, 1 << 40, 0.1));
        assert_eq!(row.get::<_, &[u8]>(3), b"\0\xff");
        assert_eq!(row.get::<_, SystemTime>(4), SystemTime::UNIX_EPOCH);
        assert_eq!(row.get::<_, Vec<Option<String>>>(5), [Some("a".to_owned()), None]);
        assert_eq!(row.get::<_, serde_json::Value>(6), serde_json::json!({"k": [1, null]}));
        let mood = client.prepare("SELECT 'sad'::mood").await.expect("prepared");
        let kind = mood.columns()[0].type_().kind();
        assert_eq!(*kind, tokio_postgres::types::Kind::Enum(vec!["sad".into(), "happy".into()]));
    });
}

/// Statements that are prepared, fail, are cancelled, copied and pipelined.
#[test]
fn tokio_postgres_statements() {
    let server = TestServer::start();
    run(async {
        let mut client = connect(&server).await;
        client.batch_execute("CREATE TABLE t (id int PRIMARY KEY, s text NOT NULL)").await.expect("made");
        let insert = client.prepare("INSERT INTO t VALUES ($1, $2)").await.expect("prepared");
        // Sent one behind the other, without a wait.
        let texts: Vec<String> = (0..100).map(|id| format!("row {id}")).collect();
        let ids: Vec<i32> = (0..100).collect();
        let all = ids.iter().zip(&texts).map(|(id, text)| {
            let (client, insert) = (&client, &insert);
            async move { client.execute(insert, &[id, text]).await }
        });
        let counts = futures_util::future::try_join_all(all).await.expect("all are there");
        assert_eq!(counts, vec![1; 100]);
        let error = client.execute(&insert, &[&7, &"twice"]).await.expect_err("a duplicate");
        let told = error.as_db_error().expect("the server's");
        assert_eq!(*told.code(), SqlState::UNIQUE_VIOLATION);
        assert_eq!((told.table(), told.constraint()), (Some("t"), Some("t_pkey")));
        assert_eq!(told.detail(), Some("Key (id)=(7) already exists."));
        let error = client.execute(&insert, &[&200, &None::<&str>]).await.expect_err("a null");
        assert_eq!(error.code(), Some(&SqlState::NOT_NULL_VIOLATION));
        assert_eq!(
            client.prepare("SELECT x FROM t").await.expect_err("no column").code(),
            Some(&SqlState::UNDEFINED_COLUMN)
        );

        let transaction = client.transaction().await.expect("begins");
        transaction.execute("DELETE FROM t WHERE id < 50", &[]).await.expect("deleted");
        let statement = transaction.prepare("SELECT id FROM t ORDER BY id").await.expect("prepared");
        let portal = transaction.bind(&statement, &[]).await.expect("bound");
        let mut seen = Vec::new();
        loop {
            let rows = transaction.query_portal(&portal, 7).await.expect("rows");
            seen.extend(rows.iter().map(|row| row.get::<_, i32>(0)));
            if rows.len() < 7 {
                break;
            }
        }
        assert_eq!(seen, (50..100).collect::<Vec<i32>>());
        drop(portal);
        transaction.rollback().await.expect("rolled back");

        let token = client.cancel_token();
        let sleeping = client.batch_execute("SELECT pg_sleep(60)");
        pin_mut!(sleeping);
        assert!(tokio::time::timeout(Duration::from_millis(200), &mut sleeping).await.is_err());
        token.cancel_query(NoTls).await.expect("sent");
        assert_eq!(sleeping.await.expect_err("cancelled").code(), Some(&SqlState::QUERY_CANCELED));

        let sink = client.copy_in::<_, bytes::Bytes>("COPY t FROM STDIN").await.expect("begins");
        pin_mut!(sink);
        for id in 1000..2000 {
            sink.send(bytes::Bytes::from(format!("{id}\tcopied {id}\n"))).await.expect("taken");
        }
        assert_eq!(sink.finish().await.expect("copied"), 1000);
        let out = client.copy_out("COPY (SELECT id, s FROM t WHERE id >= 1000 ORDER BY id) TO STDOUT").await;
        let chunks: Vec<bytes::Bytes> = out.expect("begins").try_collect().await.expect("copied");
        let expected: String = (1000..2000).map(|id| format!("{id}\tcopied {id}\n")).collect();
        assert_eq!(chunks.concat(), expected.into_bytes());
        let sink = client.copy_in::<_, bytes::Bytes>("COPY t FROM STDIN").await.expect("begins");
        pin_mut!(sink);
        sink.send(bytes::Bytes::from("x\ty\n")).await.expect("taken");
        let error = sink.finish().await.expect_err("no number");
        assert_eq!(error.code(), Some(&SqlState::INVALID_TEXT_REPRESENTATION));
        let count = client.query_one("SELECT count(*) FROM t", &[]).await.expect("it goes on");
        assert_eq!(count.get::<_, i64>(0), 1100);
    });
}

/// sqlx: its cache of statements, its transactions, and a pool whose workers move money.
#[test]
fn sqlx_pool() {
    let server = TestServer::start();
    run(async {
        let options = PgConnectOptions::new_without_pgpass().host("127.0.0.1").port(server.address.port());
        let options = options.username("postgres").database("postgres").ssl_mode(PgSslMode::Disable);
        let pool = PgPoolOptions::new().max_connections(10).connect_with(options).await.expect("connects");
        query("CREATE TABLE account (id int PRIMARY KEY, amount bigint NOT NULL, note jsonb, tags text[])")
            .execute(&pool)
            .await
            .expect("made");
        for id in 0..20 {
            let done = query("INSERT INTO account VALUES ($1, 100, $2, $3)")
                .bind(id)
                .bind(Json(serde_json::json!({"owner": id})))
                .bind(vec![format!("tag {id}")])
                .execute(&pool)
                .await
                .expect("inserted");
            assert_eq!(done.rows_affected(), 1);
        }
        let row =
            query("SELECT note, tags, amount FROM account WHERE id = $1").bind(7).fetch_one(&pool).await;
        let row = row.expect("there");
        assert_eq!(row.get::<serde_json::Value, _>("note"), serde_json::json!({"owner": 7}));
        assert_eq!(row.get::<Vec<String>, _>("tags"), ["tag 7"]);
        let twice = query("INSERT INTO account VALUES (7, 0)").execute(&pool).await.expect_err("a duplicate");
        let twice = twice.as_database_error().expect("the server's");
        assert!(twice.is_unique_violation());
        assert_eq!(twice.constraint(), Some("account_pkey"));

        let workers = (0..30).map(|worker| {
            let pool = pool.clone();
            tokio::spawn(async move {
                let mut moved = 0;
                for step in 0..15 {
                    let (from, to) = ((worker * 7 + step) % 20, (worker * 3 + step * 5 + 1) % 20);
                    let mut transaction = pool.begin().await.expect("begins");
                    let change = "UPDATE account SET amount = amount + $1 WHERE id = $2";
                    let taken = query(change).bind(-1i64).bind(from).execute(&mut *transaction).await;
                    let outcome = match taken {
                        Ok(_) => query(change).bind(1i64).bind(to).execute(&mut *transaction).await,
                        Err(error) => Err(error),
                    };
                    match outcome {
                        Ok(_) => {
                            transaction.commit().await.expect("commits");
                            moved += 1;
                        }
                        Err(error) => {
                            let code = error
                                .as_database_error()
                                .and_then(|error| error.code())
                                .map(|it| it.into_owned());
                            assert!(matches!(code.as_deref(), Some("40001" | "40P01")), "{error}");
                        }
                    }
                }
                moved
            })
        });
        let moved: usize =
            futures_util::future::join_all(workers).await.into_iter().map(|it| it.expect("it ends")).sum();
        assert!(moved > 200, "{moved} moved");
        let sum: (i64, i64) = query_as("SELECT sum(amount)::int8, count(*) FROM account")
            .fetch_one(&pool)
            .await
            .expect("a row");
        assert_eq!(sum, (2000, 20));
        // What fails within a transaction ends at its savepoint.
        let mut connection = pool.acquire().await.expect("a connection");
        let mut outer = connection.begin().await.expect("begins");
        let mut inner = outer.begin().await.expect("a savepoint");
        assert!(query("SELECT 1 / 0").execute(&mut *inner).await.is_err());
        inner.rollback().await.expect("back");
        let one: i32 = query_scalar("SELECT 1").fetch_one(&mut *outer).await.expect("it goes on");
        assert_eq!(one, 1);
        outer.commit().await.expect("commits");
    });
}
