use crate::detect::Detection;
use crate::detect::testing::{found, selected, tree};

fn one(text: &str) -> Detection {
    tree(&[("deno.jsonc", text)]).detect_by_catalog()
}

#[test]
fn imports_of_npm_jsr_and_deno_land() {
    for (target, expected) in [
        ("npm:pg@^8.11", vec!["postgres"]),
        ("npm:ioredis", vec!["redis"]),
        ("npm:/redis@4/client", vec!["redis"]),
        ("jsr:@db/postgres@^0.19", vec!["postgres"]),
        ("jsr:/@db/redis@0.38/mod.ts", vec!["redis"]),
        ("jsr:@db/mongo", vec!["mongodb"]),
        ("https://deno.land/x/postgres@v0.19.3/mod.ts", vec!["postgres"]),
        ("https://esm.sh/pg@8.11.3?target=deno", vec!["postgres"]),
        ("jsr:@db/sqlite@0.12", vec![]),
        ("jsr:@std/path", vec![]),
        ("./pg.ts", vec![]),
        ("npm:", vec![]),
        ("jsr:@db", vec![]),
    ] {
        let detection = one(&format!("{{\n  // what we use\n  \"imports\": {{\n    \"x\": \"{target}\",\n  }},\n}}\n"));
        assert_eq!((found(&detection), selected(&detection)), (expected.clone(), expected), "{target}");
        assert!(detection.warnings.is_empty());
        assert!(detection.findings.iter().all(|finding| finding.evidence[0].line == 4));
    }
}

#[test]
fn import_maps_and_members_are_read() {
    let map = r#"{"imports": {"a": "./a.ts"}, "scopes": {"https://x/": {"redis": "jsr:@db/redis"}}}"#;
    let detection = tree(&[
        ("deno.json", r#"{"importMap": "./import_map.json", "workspace": ["./api"]}"#),
        ("import_map.json", map),
        ("api/deno.json", r#"{"imports": {"pg": "npm:pg"}}"#),
        ("examples/x/deno.json", r#"{"imports": {"m": "npm:mongodb"}}"#),
    ])
    .detect_by_catalog();
    assert_eq!(selected(&detection), ["postgres", "redis"]);
    assert_eq!(found(&detection).len(), 2);
}

#[test]
fn a_malformed_file_is_a_warning_with_its_place() {
    let detection = one("{\n  \"imports\": {x}\n}\n");
    assert_eq!(detection.warnings[0].place.as_ref().map(|place| (place.line, place.column)), Some((2, 15)));
    assert_eq!(one("[]").warnings[0].what, "`deno.jsonc` is malformed: it is not a JSON object");
}

#[test]
fn a_task_starts_the_app() {
    let facts = |text: &str| {
        let detection = one(text);
        let stack = detection.stack.map(|stack| (stack.install, stack.reloads));
        (detection.dev.map(|dev| dev.value), detection.port.map(|port| port.value), stack)
    };
    let (dev, port, stack) =
        facts(r#"{"name": "@acme/shop", "tasks": {"dev": "deno run --watch --allow-net main.ts"}}"#);
    assert_eq!((dev.as_deref(), port), (Some("deno task dev"), Some(8000)));
    assert_eq!(stack, Some(("deno install".into(), true)));
    let (dev, port, stack) =
        facts(r#"{"tasks": {"start": {"command": "deno task serve"}, "serve": "deno serve --port 8081 main.ts"}}"#);
    assert_eq!((dev.as_deref(), port), (Some("deno task start"), Some(8081)));
    assert_eq!(stack.map(|(_, reloads)| reloads), Some(false));
    assert_eq!(facts(r#"{"imports": {}}"#).0, None);
    let detection = tree(&[("deno.json", r#"{"tasks": {"dev": "vite"}}"#), ("deno.lock", "")]).detect();
    // What Fresh 2 begins with.
    assert_eq!(detection.dev.unwrap().value, "deno task dev --host 0.0.0.0");
    assert_eq!(detection.port.unwrap().value, 5173);
    assert_eq!(facts(r#"{"tasks": {"dev": "vite --host --port 80"}}"#).0.as_deref(), Some("deno task dev"));
    assert_eq!(detection.image.unwrap().value, "denoland/deno:2.6.1");
    assert_eq!(detection.stack.unwrap().install, "deno install --frozen");
    assert!(detection.production.is_none());
}
