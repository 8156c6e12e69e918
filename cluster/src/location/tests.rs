//! What users write, and what they are told.

use super::*;

fn parse(text: &str) -> Result<Location, String> {
    Location::parse(OsStr::new(text))
}

#[test]
fn places_are_read() {
    let sqlite = |path: &str| Location::Sqlite(PathBuf::from(path));
    let etcd = |endpoints: &[&str], prefix: &str, tls| {
        let endpoints = endpoints.iter().map(|endpoint| (*endpoint).to_owned()).collect();
        Location::Etcd(EtcdLocation { endpoints, prefix: prefix.to_owned(), tls })
    };
    let table = |region: Option<&str>, endpoint: Option<&str>, prefix: &str| {
        Location::DynamoDb(DynamoDbLocation {
            table: "cluster-1".to_owned(),
            region: region.map(str::to_owned),
            endpoint: endpoint.map(str::to_owned),
            prefix: prefix.to_owned(),
            is_unchecked: false,
        })
    };
    let ca = EtcdTls { ca: Some("/ca.pem".into()), identity: None };
    let both = EtcdTls { identity: Some(("/c".into(), "/k".into())), ..ca.clone() };
    for (text, expected) in [
        ("./hexalog-data/metadata.sqlite", sqlite("./hexalog-data/metadata.sqlite")),
        ("sqlite:///var/m.sqlite", sqlite("/var/m.sqlite")),
        // A path with such a name in the midst of it is one.
        ("/tmp/etcd://x", sqlite("/tmp/etcd://x")),
        ("etcd://h:2379", etcd(&["h:2379"], "hexalog", None)),
        ("etcd://a:1,b:2,[::1]:3/x/y", etcd(&["a:1", "b:2", "[::1]:3"], "x/y", None)),
        ("etcd://a:1/?tls=system", etcd(&["a:1"], "hexalog", Some(EtcdTls::default()))),
        ("etcd://a:1/p?ca=/ca.pem", etcd(&["a:1"], "p", Some(ca))),
        ("etcd://a:1/p?cert=/c&key=/k&ca=/ca.pem", etcd(&["a:1"], "p", Some(both))),
        ("dynamodb://cluster-1", table(None, None, "hexalog")),
        (
            "dynamodb://cluster-1?region=eu-1&endpoint=http://127.0.0.1:8000&prefix=a/b",
            table(Some("eu-1"), Some("http://127.0.0.1:8000"), "a/b"),
        ),
    ] {
        assert_eq!(parse(text), Ok(expected), "{text}");
    }
}

#[test]
fn what_is_wrong_is_named() {
    for (text, expected) in [
        ("", "empty path"),
        ("sqlite://m.sqlite", "absolute path"),
        ("sqlite:///", "absolute path"),
        ("postgres://h/x", "postgres:// is no kind of metadata"),
        ("etcd://", "\"\" is no host:port"),
        ("etcd://a", "\"a\" is no host:port"),
        ("etcd://a:1,b", "\"b\" is no host:port"),
        ("etcd://a:0", "\"a:0\" is no host:port"),
        ("etcd://a:1?region=x", "knows no region="),
        ("etcd://a:1?tls=yes", "only tls=system"),
        ("etcd://a:1?cert=/c&ca=/d", "go together"),
        ("etcd://a:1?cert=/c&key=/k", "need ca=FILE"),
        ("etcd://a:1?ca", "lacks its value"),
        ("dynamodb://", "no name of a table"),
        ("dynamodb://a b c", "no name of a table"),
        ("dynamodb://table?region=", "lacks its value"),
        ("dynamodb://table?endpoint=localhost:8000", "is no URL"),
        ("dynamodb://table?ca=x", "knows no ca="),
        ("dynamodb://table?credentials=mine", "none or left out"),
    ] {
        let told = parse(text).expect_err(text);
        assert!(told.contains(expected), "{text}: {told}");
    }
}

#[cfg(not(all(feature = "etcd", feature = "dynamodb")))]
#[test]
fn a_backend_that_was_not_built_says_which_build_has_it() {
    for (text, feature) in [("etcd://h:1", "etcd"), ("dynamodb://table", "dynamodb")] {
        let is_built = [cfg!(feature = "etcd"), cfg!(feature = "dynamodb")];
        if is_built[usize::from(feature == "dynamodb")] {
            continue;
        }
        let error = parse(text).expect("a place").open(Opening::Existing).err().expect("not built");
        assert!(error.to_string().contains(&format!("--features {feature}")), "{error}");
    }
}
