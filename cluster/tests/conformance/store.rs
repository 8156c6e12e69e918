//! One client: values, revisions, lists, limits.

use crate::backends::each_backend;
use hexalog_cluster::metadata::{KEY_BYTES_MAX, MetadataError, VALUE_BYTES_MAX};
use hexalog_cluster::{Metadata, Revision};
use std::collections::BTreeSet;

fn keys(store: &dyn Metadata, prefix: &str) -> Vec<String> {
    store.list(prefix).expect("list").into_iter().map(|entry| entry.key).collect()
}

#[test]
fn create_get_swap_and_remove() {
    each_backend(|backend| {
        let store = backend.open();
        assert_eq!(store.get("a").expect("get"), None);
        assert_eq!(store.compare_and_swap("a", Revision(1), b"x").expect("cas"), None);
        let first = store.create("a", b"1").expect("create").expect("absent");
        assert_eq!(store.create("a", b"2").expect("create"), None);
        let entry = store.get("a").expect("get").expect("present");
        assert_eq!((entry.value.as_slice(), entry.revision), (&b"1"[..], first));
        let second = store.compare_and_swap("a", first, b"3").expect("cas").expect("unchanged");
        assert!(second > first);
        assert_eq!(store.compare_and_swap("a", first, b"4").expect("cas"), None);
        // Back to the first value: still another revision.
        let third = store.compare_and_swap("a", second, b"1").expect("cas").expect("unchanged");
        assert!(third > second);
        assert_eq!(store.compare_and_swap("a", first, b"5").expect("cas"), None);
        assert_eq!(store.get("a").expect("get").expect("present").value, b"1");
        assert!(!store.remove("a", second).expect("remove"), "an old revision removes nothing");
        assert!(store.remove("a", third).expect("remove"));
        assert!(!store.remove("a", third).expect("remove"), "once");
        assert_eq!(store.get("a").expect("get"), None);
        assert_eq!(store.compare_and_swap("a", third, b"6").expect("cas"), None, "gone is gone");
    });
}

/// Who remembers a revision of a key that was removed and made anew must not replace what is there now.
#[test]
fn no_revision_comes_again() {
    each_backend(|backend| {
        let store = backend.open();
        let mut seen = BTreeSet::new();
        for _ in 0..20 {
            let first = store.create("a", b"").expect("create").expect("absent");
            let second = store.compare_and_swap("a", first, b"v").expect("cas").expect("unchanged");
            assert!(seen.insert(first) && seen.insert(second), "{first:?} {second:?} in {seen:?}");
            assert!(store.remove("a", second).expect("remove"));
        }
        store.create("a", b"").expect("create").expect("absent");
        for old in seen {
            assert_eq!(store.compare_and_swap("a", old, b"x").expect("cas"), None);
        }
    });
}

#[test]
fn lists_go_by_prefix_in_order_of_bytes() {
    each_backend(|backend| {
        let store = backend.open();
        for key in ["p/2", "p/1", "p", "q/1", "p%/x", "p/10"] {
            store.create(key, key.as_bytes()).expect("create").expect("absent");
        }
        assert_eq!(keys(&*store, "p/"), ["p/1", "p/10", "p/2"]);
        assert_eq!(keys(&*store, "p%"), ["p%/x"]);
        assert_eq!(keys(&*store, "zz"), Vec::<String>::new());
        assert_eq!(keys(&*store, "").len(), 6);
        let page = store.list_page("p/", Some("p/1")).expect("page");
        assert_eq!(page.entries.iter().map(|entry| entry.key.as_str()).collect::<Vec<_>>(), ["p/10", "p/2"]);
        assert!(page.entries.iter().all(|entry| entry.value == entry.key.as_bytes()));
        let page = store.list_page("p/", Some("o")).expect("page");
        assert_eq!(page.entries.len(), 3, "after what comes before the prefix");
        assert_eq!(store.list_page("p/", Some("z")).expect("page").entries, []);
    });
}

#[test]
fn keys_may_hold_any_characters() {
    each_backend(|backend| {
        let store = backend.open();
        let longest = "k".repeat(KEY_BYTES_MAX);
        let mut odd = vec![
            " ", "%", "_", "'", "\"", "\\", "\n", "\t", "\u{7f}", "a\u{0}b", "a\u{0}c", "a", "ä/ö", "ä/",
            "🦀", "\u{ffff}", "../..", "//", "{}", "a?b=c&d", "A", "é", "e\u{301}", &longest,
        ];
        for key in &odd {
            store.create(key, key.as_bytes()).expect("create").unwrap_or_else(|| panic!("{key:?} is absent"));
        }
        odd.sort_unstable();
        assert_eq!(keys(&*store, ""), odd);
        for key in &odd {
            let entry = store.get(key).expect("get").unwrap_or_else(|| panic!("{key:?} is there"));
            assert_eq!(entry.value, key.as_bytes());
            let below: Vec<_> = odd.iter().filter(|other| other.starts_with(key)).collect();
            assert_eq!(keys(&*store, key).iter().collect::<Vec<_>>(), below, "{key:?}");
        }
    });
}

#[test]
fn large_lists_come_in_pages() {
    each_backend(|backend| {
        let store = backend.open();
        // 9 MB: more than any server sends at once.
        let value = vec![b'x'; 30_000];
        let expected: Vec<String> = (0..300).map(|index| format!("members/{index:04}")).collect();
        for key in &expected {
            store.create(key, &value).expect("create").expect("absent");
        }
        store.create("membert", b"after them").expect("create").expect("absent");
        let listed = store.list("members/").expect("list");
        assert!(listed.iter().all(|entry| entry.value == value));
        assert_eq!(listed.into_iter().map(|entry| entry.key).collect::<Vec<_>>(), expected);
        let first = store.list_page("members/", None).expect("page");
        assert!(!first.entries.is_empty() && first.entries.len() < 300, "{}", first.entries.len());
        assert_eq!(first.next_after.as_deref(), first.entries.last().map(|entry| entry.key.as_str()));
    });
}

#[test]
fn too_large_is_refused_and_the_largest_is_kept() {
    each_backend(|backend| {
        let store = backend.open();
        let large: Vec<u8> = (0..=VALUE_BYTES_MAX).map(|index| index as u8).collect();
        let is_refused = |outcome| matches!(outcome, Err(MetadataError::TooLarge(_)));
        assert!(is_refused(store.create("k", &large)));
        assert!(is_refused(store.create("", b"")));
        assert!(is_refused(store.create(&"k".repeat(KEY_BYTES_MAX + 1), b"")));
        let most = &large[..VALUE_BYTES_MAX];
        let revision = store.create("k", most).expect("create").expect("absent");
        assert_eq!(store.get("k").expect("get").expect("present").value, most);
        assert!(is_refused(store.compare_and_swap("k", revision, &large)));
        let revision = store.compare_and_swap("k", revision, most).expect("cas").expect("unchanged");
        store.compare_and_swap("k", revision, b"").expect("cas").expect("unchanged");
        assert_eq!(store.get("k").expect("get").expect("present").value, b"");
        // Several of the largest in one list.
        for index in 0..24 {
            store.create(&format!("l/{index}"), most).expect("create").expect("absent");
        }
        assert_eq!(store.list("l/").expect("list").len(), 24);
    });
}

#[test]
fn values_are_there_after_a_restart() {
    each_backend(|backend| {
        let revision = backend.open().create("k", b"v").expect("create").expect("absent");
        if let Some(server) = &mut backend.server {
            server.kill();
            server.start();
        }
        let entry = backend.open().get("k").expect("get").expect("present");
        assert_eq!((entry.value.as_slice(), entry.revision), (&b"v"[..], revision));
    });
}
