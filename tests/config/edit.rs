//! Edits of kilter.yaml in place.

use kilter::config::edit::{Edit, add_service, remove_service};
use kilter::config::model::{ServiceEntry, ServiceSpec};
use kilter::diag::Kind;
use proptest::prelude::*;

const CATALOG: [&str; 4] = ["postgres", "redis", "mailpit", "temporal"];

fn name(name: &str) -> ServiceEntry {
    ServiceEntry::Name(name.into())
}

fn inline() -> ServiceEntry {
    let spec = ServiceSpec {
        name: "imgproxy".into(),
        image: Some("darthsim/imgproxy:v3.30".into()),
        port: Some(8080),
        provides: [("IMGPROXY_URL".to_owned(), Some("http://imgproxy.{{ .Namespace }}.svc:8080".to_owned()))].into(),
        values: serde_json::json!({"enabled": true, "mode": "on", "args": ["a: b", 1.5]}).as_object().cloned(),
        ..ServiceSpec::default()
    };
    ServiceEntry::Detailed(Box::new(spec))
}

fn added(text: &str, entry: &ServiceEntry) -> String {
    match add_service(Some(text), entry).unwrap_or_else(|error| panic!("{error}\n{text}")) {
        Edit::Changed(new) => new,
        Edit::Unchanged => panic!("unchanged: {text}"),
    }
}

fn removed(text: &str, name: &str) -> String {
    remove_service(text, name).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

#[test]
fn a_service_is_added_where_the_file_has_room_for_it() {
    for (before, after) in [
        ("", "services:\n  - redis\n"),
        ("# mine\n", "# mine\nservices:\n  - redis\n"),
        ("---\n", "---\nservices:\n  - redis\n"),
        ("# head\n---\nname: shop\n...\n", "# head\n---\nname: shop\nservices:\n  - redis\n...\n"),
        ("name: shop", "name: shop\nservices:\n  - redis"),
        ("name: shop\r\n", "name: shop\r\nservices:\r\n  - redis\r\n"),
        ("{}", "{services: [redis]}"),
        ("{name: shop}\n", "{name: shop, services: [redis]}\n"),
        ("{name: shop, services: }\n", "{name: shop, services: [redis] }\n"),
        ("{services: [postgres]}", "{services: [postgres, redis]}"),
        ("  name: shop\n  port: 3\n", "  name: shop\n  port: 3\n  services:\n    - redis\n"),
        ("services:\nport: 3\n", "services:\n  - redis\nport: 3\n"),
        ("services:", "services:\n  - redis"),
        ("services: # mine\n  # - postgres\n", "services: # mine\n  - redis\n  # - postgres\n"),
        ("services: ~ # mine\nport: 3\n", "services: # mine\n  - redis\nport: 3\n"),
        ("services: []\nport: 3\n", "services:\n  - redis\nport: 3\n"),
        ("services: [\n  # none yet\n]\n", "services: [redis\n  # none yet\n]\n"),
        ("services: [postgres] # db\n", "services: [postgres, redis] # db\n"),
        ("services: [ postgres, ]\n", "services: [ postgres, redis, ]\n"),
        ("services: [\n  postgres # db\n]\n", "services: [\n  postgres, # db\n  redis\n]\n"),
        ("services: [\n  postgres, # db\n]\n", "services: [\n  postgres, # db\n  redis,\n]\n"),
        (
            "services:\n- postgres\n# port of the app\nport: 3\n",
            "services:\n- postgres\n- redis\n# port of the app\nport: 3\n",
        ),
        (
            "services:\n  - postgres # db\n  # - mailpit\n\nport: 3\n",
            "services:\n  - postgres # db\n  # - mailpit\n  - redis\n\nport: 3\n",
        ),
        ("services:\n    - postgres", "services:\n    - postgres\n    - redis"),
        ("services:\n  - name: postgres\n    values: {a: |-\n      x\n", ""),
        ("services: &s\n  - &p postgres\nx: *s\n", ""),
        ("dev: |\n  run", "dev: |\n  run\nservices:\n  - redis"),
        ("dev: |+\n  run\n\n", "dev: |+\n  run\n\nservices:\n  - redis\n"),
        ("\u{feff}name: shöp\n", "\u{feff}name: shöp\nservices:\n  - redis\n"),
    ] {
        if after.is_empty() {
            assert!(add_service(Some(before), &name("redis")).is_err(), "{before}");
            continue;
        }
        assert_eq!(added(before, &name("redis")), after);
    }
    assert_eq!(add_service(None, &name("redis")).unwrap(), Edit::Changed("services:\n  - redis\n".into()));
}

#[test]
fn details_are_written_for_every_reader() {
    insta::assert_snapshot!(added("services:\n- postgres\n", &inline()), @r#"
    services:
    - postgres
    - name: imgproxy
      image: darthsim/imgproxy:v3.30
      port: 8080
      values:
        enabled: true
        mode: "on"
        args:
        - "a: b"
        - 1.5
      provides:
        IMGPROXY_URL: http://imgproxy.{{ .Namespace }}.svc:8080
    "#);
    insta::assert_snapshot!(added("services: [postgres]\n", &inline()), @r#"services: [postgres, {name: imgproxy, image: "darthsim/imgproxy:v3.30", port: 8080, values: {enabled: true, mode: "on", args: ["a: b", 1.5]}, provides: {IMGPROXY_URL: "http://imgproxy.{{ .Namespace }}.svc:8080"}}]"#);
    insta::assert_snapshot!(added("name: shop\n", &name("1e3")), @r#"
    name: shop
    services:
      - "1e3"
    "#);
}

#[test]
fn a_service_that_is_there_stays() {
    let text = "services: [{name: postgres, image: x}, redis]\n";
    assert_eq!(add_service(Some(text), &name("postgres")).unwrap(), Edit::Unchanged);
    assert_eq!(add_service(Some(text), &name("redis")).unwrap(), Edit::Unchanged);
    let spec =
        |image: &str| ServiceSpec { name: "postgres".into(), image: Some(image.into()), ..ServiceSpec::default() };
    let entry = |image: &str| ServiceEntry::Detailed(Box::new(spec(image)));
    assert_eq!(add_service(Some(text), &entry("x")).unwrap(), Edit::Unchanged);
    let error = add_service(Some(text), &entry("y")).unwrap_err();
    assert_eq!(error.kind(), Kind::Refused);
    insta::assert_snapshot!(error, @r#"
    `postgres` is in kilter.yaml already, with other details.
      --> kilter.yaml:1:12
       |
    1  | services: [{name: postgres, image: x}, redis]
       |            ^^^^^^^^^^^^^^^^^^^^^^^^^^
      = Edit that entry, or take it out first with `kilter remove postgres`.
    "#);
}

#[test]
fn what_cannot_be_proven_is_not_done() {
    let aliased = "x: &s [postgres]\nservices: *s\n";
    let error = add_service(Some(aliased), &name("redis")).unwrap_err();
    assert_eq!(error.kind(), Kind::Refused);
    insta::assert_snapshot!(error, @r#"
    cannot add `redis` to kilter.yaml without touching the rest of it.
      | services:
      |   - redis
      = Nothing was written. Add these lines to the file by hand.
    "#);
    let error = remove_service(aliased, "postgres").unwrap_err();
    assert_eq!(error.kind(), Kind::Refused);
    insta::assert_snapshot!(error, @r#"
    cannot remove `postgres` from kilter.yaml without touching the rest of it.
      --> kilter.yaml:1:8
       |
    1  | x: &s [postgres]
       |        ^^^^^^^^
      = Nothing was written. Delete the entry by hand.
    "#);
    // The entry holds an anchor that is used elsewhere.
    let anchored = "services:\n  - name: postgres\n    env: &e {A: b}\n  - redis\nenv: *e\n";
    assert_eq!(remove_service(anchored, "postgres").unwrap_err().kind(), Kind::Refused);
    assert_eq!(remove_service("services: [&p postgres, redis]\n", "postgres").unwrap_err().kind(), Kind::Refused);
}

#[test]
fn a_service_is_removed_with_what_is_inside_of_its_entry() {
    for (before, after) in [
        ("services:\n  - redis\n", "services: []\n"),
        ("services: # mine\n  # cache\n  - redis # c\nport: 3\n", "services: [] # mine\n  # cache\nport: 3\n"),
        ("services:\n- postgres\n- redis", "services:\n- postgres"),
        ("services:\n  - redis\n  - postgres\n", "services:\n  - postgres\n"),
        ("services:\n  # a\n  - redis # r\n  # b\n  - postgres # p\n", "services:\n  # a\n  # b\n  - postgres # p\n"),
        (
            "services:\n  - name: redis\n    # big\n    image: x\n    # end\n  # next\n  - postgres\n",
            "services:\n  # next\n  - postgres\n",
        ),
        ("services:\n  - postgres\n\n  - redis\n\n  - mailpit\n", "services:\n  - postgres\n\n  - mailpit\n"),
        ("services:\r\n  - postgres\r\n  - redis\r\nport: 3\r\n", "services:\r\n  - postgres\r\nport: 3\r\n"),
        ("services:\n  -\n    name: redis\n  - postgres\n", "services:\n  - postgres\n"),
        ("services: [redis]\n", "services: []\n"),
        ("services: [redis, postgres] # s\n", "services: [postgres] # s\n"),
        ("services: [postgres, redis]\n", "services: [postgres]\n"),
        ("services: [ postgres, redis, ]\n", "services: [ postgres, ]\n"),
        ("services: [postgres, {name: redis, image: x}, mailpit]\n", "services: [postgres, mailpit]\n"),
        ("services: [\n  postgres, # p\n  redis # r\n]\n", "services: [\n  postgres # p\n]\n"),
        ("services: [\n  redis, # r\n  # note\n  postgres\n]\n", "services: [\n  # note\n  postgres\n]\n"),
        ("{services: [redis]}", "{services: []}"),
    ] {
        assert_eq!(removed(before, "redis"), after);
    }
}

#[test]
fn removing_what_is_not_there_says_what_is() {
    insta::assert_snapshot!(remove_service("services: [postgres, redis]\n", "postgre").unwrap_err(), @r#"
    there is no service `postgre` in kilter.yaml.
      = Did you mean `postgres`?
    "#);
    insta::assert_snapshot!(remove_service("services: [postgres, redis]\n", "kafka").unwrap_err(), @r#"
    there is no service `kafka` in kilter.yaml.
      = Its services are `postgres` and `redis`.
    "#);
    insta::assert_snapshot!(remove_service("name: shop\n", "kafka").unwrap_err(), @r#"
    there is no service `kafka` in kilter.yaml.
      = There are no services in it.
    "#);
}

/// A file with services and their names in order.
#[derive(Debug, Clone)]
struct File {
    text: String,
    names: Vec<String>,
}

fn comment() -> BoxedStrategy<String> {
    prop_oneof![Just(""), Just(" # note"), Just("  #x: [y"), Just(" # - redis \"ü\"")].prop_map(str::to_owned).boxed()
}

/// An own-line comment, a blank line, or nothing.
fn between(indent: usize) -> BoxedStrategy<String> {
    let pad = " ".repeat(indent);
    prop_oneof![
        4 => Just(String::new()),
        1 => Just("\n".to_owned()),
        1 => Just(format!("{pad}# about what follows\n")),
        1 => Just(format!("\n{pad}# a: b\n{pad}# - c\n")),
        1 => Just(format!("{pad}  # deeper\n")),
        1 => Just("# at the margin\n".to_owned()),
    ]
    .boxed()
}

/// One entry of a block list; `{p}` stands for the indentation of the list.
fn block_entry(name: &'static str) -> BoxedStrategy<String> {
    prop_oneof![
        4 => Just("- {n}{c}\n"),
        1 => Just("- \"{n}\"{c}\n"),
        1 => Just("-   name: {n}{c}\n{p}    image: 'it''s:1'\n"),
        1 => Just("- image: \"x:1\"\n{p}  # inside\n{p}  name: {n}{c}\n"),
        1 => Just("- {name: {n}, image: \"x:1\"}{c}\n"),
        1 => Just("- {name: {n},\n{p}   image: x}{c}\n"),
        1 => Just("- name: {n}\n{p}  values:\n{p}    list:\n{p}    - a{c}\n{p}    - b: |\n{p}        - text\n{p}        # no comment\n"),
        1 => Just("-{c}\n{p}  name: {n}\n{p}  env: &e{n} {A: \"1\"}\n{p}  provides: {B: b}\n"),
    ]
    .prop_map(move |text| text.replace("{n}", name)).boxed()
}

fn block_list(indent: usize) -> BoxedStrategy<File> {
    let entries = CATALOG.map(|name| (block_entry(name), comment(), between(indent)));
    (entries, 1..=3_usize, between(indent), comment())
        .prop_map(move |(entries, count, first, on_key)| {
            let pad = " ".repeat(indent);
            let mut text = format!("services:{on_key}\n{first}");
            for (i, (entry, comment, after)) in entries.iter().take(count).enumerate() {
                text += &format!("{pad}{}", entry.replace("{c}", comment).replace("{p}", &pad));
                if i + 1 < count {
                    text += after;
                }
            }
            File { text, names: CATALOG[..count].iter().map(|name| (*name).to_owned()).collect() }
        })
        .boxed()
}

fn flow_list() -> BoxedStrategy<File> {
    let entry = |name: &'static str| {
        prop_oneof![Just("{n}"), Just("'{n}'"), Just("{name: {n}, image: \"a,b\"}")]
            .prop_map(move |text| text.replace("{n}", name))
    };
    (CATALOG.map(|name| (entry(name), comment())), 1..=3_usize, 0..4_usize, comment())
        .prop_map(|(entries, count, layout, after)| {
            let mut text = String::new();
            for (i, (entry, comment)) in entries.iter().take(count).enumerate() {
                let comma = if i + 1 < count || layout % 2 == 1 { "," } else { "" };
                text += &if layout < 2 { format!("{entry}{comma} ") } else { format!("  {entry}{comma}{comment}\n") };
            }
            let text = if layout < 2 {
                format!("services: [{}]{after}\n", text.trim_end())
            } else {
                format!("services: [\n{text}]{after}\n")
            };
            File { text, names: CATALOG[..count].iter().map(|name| (*name).to_owned()).collect() }
        })
        .boxed()
}

fn no_services() -> BoxedStrategy<File> {
    let none =
        |text: &'static str| comment().prop_map(move |c| File { text: text.replace("{c}", &c), names: Vec::new() });
    prop_oneof![
        1 => none(""),
        1 => none("services:{c}\n"),
        1 => none("services: null{c}\n"),
        1 => none("services: []{c}\n"),
        1 => none("services:{c}\n  # - kafka\n"),
    ]
    .boxed()
}

fn some_services() -> BoxedStrategy<File> {
    prop_oneof![
        2 => block_list(0),
        3 => block_list(2),
        1 => block_list(4),
        3 => flow_list(),
    ]
    .boxed()
}

/// A key of the file that is not `services`.
fn other() -> BoxedStrategy<String> {
    prop_oneof![
        Just("name: shop"),
        Just("# the port\nport: 3000   # web"),
        Just("dev: |\n  npm run\n  # not a comment\n\n"),
        Just("dev: >-\n  npm\n  run"),
        Just("image: \"node: # 22\""),
        Just("env: &env\n  A: 'x'\n\n  # why\n  B: 2\nenvironments:\n  prod:\n    env:\n      <<: *env\n      C: &c d\n      D: *c"),
        Just("env: {A: a, B: \"}\"}\n# free"),
        Just("manifest:\n    tags:\n    - a\n    - b\n    links: {repo: 'x'}"),
    ]
    .prop_map(|text| format!("{text}\n")).boxed()
}

prop_compose! {
    fn file(services: BoxedStrategy<File>)(
        services in services,
        before in prop::option::of(other()),
        after in prop::option::of(other()),
        head in prop_oneof![4 => Just(""), 1 => Just("# head\n"), 1 => Just("# head\n---\n"), 1 => Just("%YAML 1.2\n---\n")],
        tail in prop_oneof![4 => Just(""), 1 => Just("# tail\n"), 1 => Just("\n\n"), 1 => Just("...\n")],
        gap in prop_oneof![Just(""), Just("\n")],
        crlf: bool,
        cut in prop::bool::weighted(0.2),
    ) -> File {
        let key = |text: &String| text.lines().find(|l| !l.starts_with('#')).unwrap_or_default().split(':').next().unwrap_or_default().to_owned();
        let before = before.unwrap_or_default();
        let after = after.filter(|after| key(after) != key(&before)).unwrap_or_default();
        // An end marker needs a document before it.
        let tail = if tail == "...\n" && before.is_empty() && after.is_empty() && services.text.is_empty() { "" } else { tail };
        let head = if head.starts_with('%') && before.is_empty() && after.is_empty() && services.text.is_empty() { "" } else { head };
        let mut text = format!("{head}{before}{gap}{}{gap}{after}{tail}", services.text);
        if cut {
            text.truncate(text.trim_end_matches('\n').len());
        }
        if crlf {
            text = text.replace('\n', "\r\n");
        }
        File { text, names: services.names }
    }
}

/// What another reader of YAML makes of a text.
fn tree(text: &str) -> serde_yaml::Value {
    serde_yaml::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn names_of(text: &str) -> Vec<String> {
    let tree = tree(text);
    let list = tree.get("services").and_then(|list| list.as_sequence().cloned()).unwrap_or_default();
    let name = |entry: &serde_yaml::Value| entry.get("name").unwrap_or(entry).as_str().unwrap_or_default().to_owned();
    list.iter().map(name).collect()
}

fn without_services(text: &str) -> serde_yaml::Value {
    // Readers disagree about block text that ends with the file, without a line end.
    let mut tree = tree(&format!("{text}\n"));
    if let Some(map) = tree.as_mapping_mut() {
        map.remove("services");
    }
    if tree.is_null() { serde_yaml::Value::Mapping(serde_yaml::Mapping::new()) } else { tree }
}

/// The lines with a `#`, which the generator only writes in comments, texts and values that no edit touches.
fn hashes(text: &str) -> Vec<String> {
    let mut lines: Vec<String> =
        text.lines().filter_map(|line| line.find('#').map(|at| line[at..].trim_end().to_owned())).collect();
    lines.sort();
    lines
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn adding_adds_and_nothing_else(file in file(prop_oneof![1 => no_services(), 2 => some_services()].boxed()), detailed: bool) {
        let entry = if detailed { inline() } else { name("meilisearch") };
        let new = added(&file.text, &entry);
        let mut names = file.names.clone();
        names.push(entry.name().to_owned());
        prop_assert_eq!(names_of(&new), names, "{}", new);
        prop_assert_eq!(without_services(&new), without_services(&file.text));
        prop_assert_eq!(hashes(&new), hashes(&file.text), "{}", new);
        prop_assert_eq!(new.contains("\r\n"), file.text.contains("\r\n") );
        prop_assert_eq!(new.matches('\n').count() - new.matches("\r\n").count() > 0, file.text.contains('\n') && !file.text.contains("\r\n") || !file.text.contains('\n') && new.contains('\n'));
        if !file.text.is_empty() {
            prop_assert_eq!(new.ends_with('\n'), file.text.ends_with('\n'), "{:?}", new);
        }
        // And back: the very bytes, where there was a list with something in it.
        if !file.names.is_empty() {
            prop_assert_eq!(removed(&new, entry.name()), file.text);
        }
    }

    #[test]
    fn removing_removes_and_nothing_else(file in file(some_services()), pick: prop::sample::Index) {
        let mut names = file.names.clone();
        let gone = names.remove(pick.index(names.len()));
        let new = removed(&file.text, &gone);
        prop_assert_eq!(names_of(&new), names, "{}", new);
        prop_assert_eq!(without_services(&new), without_services(&file.text));
        let (before, after) = (hashes(&file.text), hashes(&new));
        prop_assert!(after.iter().all(|line| before.contains(line)), "{}", new);
        // Comments outside of entries all stay; only those of the entry can go.
        prop_assert!(after.len() + 3 >= before.len(), "{}", new);
        for kept in ["# about what follows", "# the port", "# head", "# tail", "# at the margin", "# why", "# free"] {
            let count = |lines: &[String]| lines.iter().filter(|line| *line == kept).count();
            prop_assert_eq!(count(&before), count(&after), "{}", new);
        }
    }
}
