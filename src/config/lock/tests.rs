use proptest::prelude::*;

use super::*;

fn service(origin: Origin, values: Option<&str>) -> LockedService {
    LockedService {
        origin,
        chart: "postgres".into(),
        chart_version: "1.0.0".into(),
        chart_digest: Digest::of(b"chart"),
        source: None,
        image: Some("postgres:17.6".into()),
        values: values.map(|text| Digest::of(text.as_bytes())),
        manifest: None,
    }
}

fn lock() -> Lock {
    let name = |text: &str| Name::new(text).unwrap();
    Lock {
        project: LockedProject {
            name: name("shop"),
            port: Some(3000),
            dev: Some("npm run dev".into()),
            image: Some("node:22-alpine".into()),
            health: None,
            stack: None,
        },
        helm: LockedTool { version: "4.3.0".into(), commit: Some("abc".into()) },
        kubernetes: "v1.37.0".into(),
        services: [
            (name("postgres"), service(Origin::Catalog, Some("v"))),
            (name("on"), service(Origin::Inline, None)),
        ]
        .into(),
        slots: [("postgres/sql".into(), 0), ("postgres/web".into(), 1), ("on/http".into(), 2)].into(),
    }
}

#[test]
fn one_sorted_line_per_service_and_slot() {
    insta::assert_snapshot!(lock().to_text(), @r#"
    # Written by kilter; commit it, do not edit it. It holds the versions that everyone renders with:
    # `kilter upgrade` moves them, `kilter render` mends this file after a merge.
    version: 1
    project:
      name: "shop"
      port: 3000
      dev: "npm run dev"
      image: "node:22-alpine"
    helm: {"version": "4.3.0", "commit": "abc"}
    kubernetes: "v1.37.0"
    services:
      "on": {"origin": "inline", "chart": "postgres", "chartVersion": "1.0.0", "chartDigest": "sha256:cc57fc1903e444cf6a726490b43b27ee9f87facc037f86872201847c565b45fb", "image": "postgres:17.6"}
      "postgres": {"origin": "catalog", "chart": "postgres", "chartVersion": "1.0.0", "chartDigest": "sha256:cc57fc1903e444cf6a726490b43b27ee9f87facc037f86872201847c565b45fb", "image": "postgres:17.6", "values": "sha256:4c94485e0c21ae6c41ce1dfe7b6bfaceea5ab68e40a2476f50208e526f506080"}
    slots:
      "on/http": 2
      "postgres/sql": 0
      "postgres/web": 1
    "#);
}

#[test]
fn text_and_lock_are_the_same() {
    let parsed = parse("kilter.lock", &lock().to_text()).unwrap();
    assert_eq!(parsed, Parsed { lock: lock(), conflicts: false, warnings: vec![] });
    let mut empty = lock();
    empty.services.clear();
    empty.slots.clear();
    assert_eq!(parse("kilter.lock", &empty.to_text()).unwrap().lock, empty);
}

#[test]
fn a_lock_of_the_future_or_a_damaged_one_is_refused() {
    let message = |text: &str| parse("kilter.lock", text).unwrap_err().to_string();
    let future = lock().to_text().replace("version: 1\n", "version: 2\n");
    insta::assert_snapshot!(message(&future), @r#"
    `kilter.lock` was written by a newer kilter (format 2).
      = Install the kilter that the project uses, or a newer one; `kilter version` shows yours.
    "#);
    insta::assert_snapshot!(message(""), @r#"
    `kilter.lock` is not what kilter writes: it is empty.
      = Restore it from version control; or delete it, and `kilter render` writes a new one with this kilter's versions.
    "#);
    insta::assert_snapshot!(message("version: 1\nproject: 3\n"), @r#"
    `kilter.lock` is not what kilter writes: invalid type: integer `3`, expected the map `project`.
      = Restore it from version control; or delete it, and `kilter render` writes a new one with this kilter's versions.
    "#);
    insta::assert_snapshot!(message("a: [\n"), @r#"
    `kilter.lock` is not what kilter writes: line 1: `[` is opened and never closed.
      = Restore it from version control; or delete it, and `kilter render` writes a new one with this kilter's versions.
    "#);
}

#[test]
fn both_sides_of_a_conflict_are_kept_and_the_later_name_moves() {
    let text = lock().to_text();
    let side = |name: &str| format!("  \"{name}/http\": 3\n");
    let merged = text.replace(
        "  \"on/http\": 2\n",
        &format!(
            "<<<<<<< HEAD\n{}  \"on/http\": 2\n||||||| base\n  \"on/http\": 7\n=======\n  \"on/http\": 2\n{}>>>>>>> other\n",
            side("mailpit"),
            side("redis"),
        ),
    );
    let parsed = parse("kilter.lock", &merged).unwrap();
    assert!(parsed.conflicts);
    assert_eq!(
        parsed.lock.slots.keys().collect::<Vec<_>>(),
        ["mailpit/http", "on/http", "postgres/sql", "postgres/web", "redis/http"]
    );
    assert_eq!((parsed.lock.slots["mailpit/http"], parsed.lock.slots["redis/http"]), (3, 4));
    assert_eq!(parsed.lock.slots["on/http"], 2);
    insta::assert_snapshot!(parsed.warnings.join("\n"), @"`redis/http` and `mailpit/http` both had port slot 3: `redis/http` moves to slot 4");
}

#[test]
fn a_clean_merge_with_one_slot_twice_is_mended() {
    let text = lock().to_text().replace("\"on/http\": 2", "\"on/http\": 0");
    let parsed = parse("kilter.lock", &text).unwrap();
    assert!(!parsed.conflicts);
    assert_eq!((parsed.lock.slots["on/http"], parsed.lock.slots["postgres/sql"]), (0, 2));
    assert_eq!(parsed.warnings.len(), 1);
}

#[test]
fn a_slot_beyond_all_ports_is_mended() {
    for wild in [480, 9983, u16::MAX] {
        let text = lock().to_text().replace("\"on/http\": 2", &format!("\"on/http\": {wild}"));
        let parsed = parse("kilter.lock", &text).unwrap();
        assert_eq!(parsed.lock.slots["on/http"], 2);
        let said = format!("`on/http` had port slot {wild}, which no project needs: `on/http` moves to slot 2");
        assert_eq!(parsed.warnings, [said]);
    }
    let mut many = lock();
    many.slots = (0..500).map(|slot| (format!("s{slot}/main"), slot)).collect();
    let parsed = parse("kilter.lock", &many.to_text()).unwrap();
    assert_eq!((parsed.lock, parsed.warnings), (many, vec![]));
}

#[test]
fn sides_that_differ_keep_ours_and_say_so() {
    let text = lock().to_text();
    let line = text.lines().find(|line| line.contains("\"on\":")).unwrap();
    let theirs = line.replace("postgres:17.6", "postgres:18.0");
    let merged = text.replace(line, &format!("<<<<<<< HEAD\n{line}\n=======\n{theirs}\n>>>>>>> other"));
    let parsed = parse("kilter.lock", &merged.replace('\n', "\r\n")).unwrap();
    assert_eq!(parsed.lock, lock());
    assert_eq!(parsed.warnings, ["both sides of the merge changed `services.on`: the first side is kept"]);
}

proptest! {
    #[test]
    fn any_text_survives(dev in any::<String>(), image in "\\PC{0,20}", key in "[a-z]{1,5}/[a-z]{1,5}", slot in 0..480u16) {
        let mut lock = lock();
        lock.project.dev = Some(dev);
        lock.project.stack = Some(serde_json::json!({"manifests": ["package.json"]}));
        lock.services.get_mut("on").unwrap().image = Some(image);
        lock.slots = [(key, slot)].into();
        let text = lock.to_text();
        let parsed = parse("kilter.lock", &text).unwrap();
        prop_assert_eq!(&parsed.lock, &lock);
        prop_assert_eq!(parsed.lock.to_text(), text);
    }

    #[test]
    fn adding_never_moves_another(first in prop::collection::vec("[a-d]{1,2}", 0..8), gone in "[a-d]", second in prop::collection::vec("[a-d]{1,2}", 0..8)) {
        let keys = |names: &[String]| names.iter().map(|name| (format!("{name}/p"), 0)).collect::<Vec<_>>();
        let before = assign_slots(&BTreeMap::new(), &keys(&first));
        let stay: Vec<String> = first.iter().filter(|name| **name != gone).chain(&second).cloned().collect();
        let after = assign_slots(&before, &keys(&stay));
        for (key, _) in keys(&stay) {
            prop_assert!(after.contains_key(&key));
            prop_assert!(before.get(&key).is_none_or(|slot| after[&key] == *slot));
        }
        let used: BTreeSet<u16> = after.values().copied().collect();
        prop_assert_eq!(used.len(), after.len());
        if before.is_empty() {
            prop_assert!(used.iter().copied().eq(0..u16::try_from(used.len()).unwrap()));
        }
    }
}
