mod harness;
use harness::{Cluster, World};
use hexalog_engine::memory_volume::MemoryVolume;
use hexalog_engine::{Engine, Options};
use hexalog_protocol::geometry::Geometry;
use hexalog_sql::{Database, DatabaseOptions};
use std::sync::Arc;

#[test]
fn big() {
    let n: usize = std::env::var("N").unwrap_or("200000".into()).parse().unwrap();
    let volume = MemoryVolume::new(Geometry { pages_per_group: 16_384, groups: 8 });
    let engine = Arc::new(Engine::new(volume.clone(), Options { frames: 65_536, ..Options::default() }));
    volume.run(&engine, || engine.create()).expect("creates");
    let database = Database::new(engine.clone(), DatabaseOptions::default());
    let cluster = Cluster { volume, engine, database, world: Arc::new(World::default()) };
    cluster.run(|| cluster.database.bootstrap()).expect("bootstraps");
    cluster.run(|| cluster.database.load()).expect("loads");
    let mut c = cluster.connect();
    c.query("create table pgbench_accounts(aid int not null,bid int,abalance int,filler char(84)) with (fillfactor=100)");
    for q in [
        format!("insert into pgbench_accounts select g, (g-1)/100000+1, 0, '' from generate_series(1,{n}) g"),
        "alter table pgbench_accounts add primary key (aid)".into(),
        "create index on pgbench_accounts(bid)".into(),
        "create unique index on pgbench_accounts(abalance, aid desc)".into(),
        "alter table pgbench_accounts add check (aid > 0)".into(),
        "alter table pgbench_accounts alter filler set not null".into(),
        "select count(*) from pgbench_accounts".into(),
        "alter table pgbench_accounts drop constraint pgbench_accounts_pkey".into(),
        "truncate pgbench_accounts".into(),
    ] {
        let t = std::time::Instant::now();
        let s0 = cluster.engine.stats();
        c.query(&q);
        let s1 = cluster.engine.stats();
        eprintln!("{:>8.2?} {:>9} MTRs {:>6} MB redo  {q}", t.elapsed(), s1.mini_transactions - s0.mini_transactions, (s1.redo_bytes - s0.redo_bytes) >> 20);
    }
}
