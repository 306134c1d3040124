//! What a project has its host run: add-ons of Heroku in app.json (<https://devcenter.heroku.com/articles/app-json-schema>),
//! databases and key-value stores in Render's blueprint (<https://render.com/docs/blueprint-spec>), databases of DigitalOcean's App
//! Platform (<https://docs.digitalocean.com/products/app-platform/reference/app-spec/>).
//!
//! Like a compose file for production: the finished product needs it, development perhaps.

use std::collections::BTreeSet;

use serde_yaml::Value;

use super::confidence::Scope;
use super::files::Files;
use super::json::{Json, Objects};
use super::rules::Declared;
use crate::catalog::Ecosystem;

const HEROKU: &str = "app.json";
const RENDER: [&str; 2] = ["render.yaml", "render.yml"];
const DIGITALOCEAN: [&str; 2] = [".do/app.yaml", ".do/deploy.template.yaml"];

/// Tells whether a path is a file that is read here. Hosts read them at the root.
pub(super) fn is_manifest(path: &str) -> bool {
    path == HEROKU || RENDER.contains(&path) || DIGITALOCEAN.contains(&path)
}

/// Tells whether the walk goes into this hidden directory.
pub(super) fn is_entered(directory: &str) -> bool {
    directory == ".do"
}

/// Returns what the hosts run, each once a file, by the names that the catalog has for it: the slug of an add-on,
/// `databases` and `type: keyvalue` of a blueprint, `engine: PG` of an app.
pub(super) fn declared(files: &Files<'_>) -> Vec<Declared> {
    let mut found = Vec::new();
    for path in files.all().filter(|path| is_manifest(path)) {
        let Some(text) = files.read(path) else { continue };
        let (host, said) = match path {
            HEROKU => ("Heroku", heroku(files, path, &text)),
            _ => {
                let Some(value) = files.yaml(path, &text) else { continue };
                if RENDER.contains(&path) { ("Render", render(&value)) } else { ("DigitalOcean", digitalocean(&value)) }
            }
        };
        let mut known = BTreeSet::new();
        found.extend(said.into_iter().filter(|name| known.insert(name.clone())).map(|name| Declared {
            ecosystem: Ecosystem::Hosting,
            line: line(&text, &name),
            name,
            extras: Vec::new(),
            scope: Scope::Aside(format!("for production at {host}")),
            file: path.to_owned(),
        }));
    }
    found
}

/// Reads `"addons": ["heroku-postgresql:mini", {"plan": "heroku-redis"}]`, without the plans. An app.json without any is another
/// tool's: Expo has one, too.
fn heroku(files: &Files<'_>, path: &str, text: &str) -> Vec<String> {
    if !text.contains("\"addons\"") {
        return Vec::new();
    }
    let any = Objects { names: &[], or_empty_list: false };
    let Some(json) = Json::object(files, path, str::to_owned, &any) else { return Vec::new() };
    let addons = json.value["addons"].as_array().into_iter().flatten();
    let plans = addons.filter_map(|addon| addon.as_str().or_else(|| addon["plan"].as_str()));
    plans.filter_map(|plan| plan.split(':').next()).map(str::to_owned).collect()
}

/// Reads what stands at the top, in `ungrouped` and in the environments of `projects`.
fn render(value: &Value) -> Vec<String> {
    let list = |value: &Value, key: &str| value.get(key).and_then(Value::as_sequence).cloned().unwrap_or_default();
    let mut groups = vec![value.clone()];
    groups.extend(value.get("ungrouped").cloned());
    groups.extend(list(value, "projects").iter().flat_map(|project| list(project, "environments")));
    let mut found = Vec::new();
    for group in &groups {
        if !list(group, "databases").is_empty() {
            found.push("databases".to_owned());
        }
        let services = list(group, "services");
        let kinds = services.iter().filter_map(|service| service.get("type")?.as_str());
        found.extend(kinds.map(|kind| format!("type: {kind}")));
    }
    found
}

/// Reads `databases: [{engine: PG}]`, in a template below `spec`. PostgreSQL is the default.
fn digitalocean(value: &Value) -> Vec<String> {
    let spec = value.get("spec").unwrap_or(value);
    let databases = spec.get("databases").and_then(Value::as_sequence).into_iter().flatten();
    let engine = |database: &Value| database.get("engine").and_then(Value::as_str).unwrap_or("PG").to_ascii_uppercase();
    databases.map(|database| format!("engine: {}", engine(database))).collect()
}

/// Returns the first line that holds a name, whatever quotes are in it, or 1.
fn line(text: &str, name: &str) -> usize {
    let mut lines = text.lines().map(|line| line.replace(['"', '\''], ""));
    lines.position(|line| line.contains(name)).map_or(1, |at| at + 1)
}

#[cfg(test)]
mod tests {
    use crate::detect::testing::{found, selected, tree};

    #[test]
    fn addons_of_heroku_are_proposed() {
        let app = "{\n  \"name\": \"shop\",\n  \"addons\": [\n    \"heroku-postgresql:mini\",\n    {\"plan\": \"heroku-redis:mini\", \"as\": \"CACHE\"},\n    \"papertrail\"\n  ]\n}\n";
        let detection = tree(&[("app.json", app)]).detect_by_catalog();
        assert_eq!((found(&detection), selected(&detection).len()), (vec!["postgres", "redis"], 0));
        let redis = &detection.findings[1].evidence[0];
        assert_eq!((redis.file.as_str(), redis.line, redis.package.as_str()), ("app.json", 5, "heroku-redis"));
        assert_eq!(redis.note, "heroku-redis runs redis, for production at Heroku");
        for other in [r#"{"expo": {"name": "heroku-redis"}}"#, "{\"expo\": {},}", r#"{"addons": {"a": 1}}"#, "{}"] {
            let detection = tree(&[("app.json", other)]).detect_by_catalog();
            assert!(detection.findings.is_empty() && detection.warnings.is_empty(), "{other}");
        }
        assert!(found(&tree(&[("mobile/app.json", app)]).detect_by_catalog()).is_empty());
        assert_eq!(tree(&[("app.json", "{\"addons\": [")]).detect_by_catalog().warnings.len(), 1);
    }

    #[test]
    fn databases_of_render_and_digitalocean_are_proposed() {
        let flat = "databases:\n  - name: db\nservices:\n  - type: web\n    name: api\n  - type: \"keyvalue\"\n    name: cache\n";
        let nested = "projects:\n  - name: shop\n    environments:\n      - name: production\n        databases: [{name: db}]\n        services: [{type: redis, name: cache}]\n";
        let ungrouped = "ungrouped: {databases: [{name: db}], services: [{type: redis}]}\n";
        for text in [flat, nested, ungrouped] {
            let detection = tree(&[("render.yaml", text)]).detect_by_catalog();
            assert_eq!((found(&detection), selected(&detection).len()), (vec!["postgres", "redis"], 0), "{text}");
        }
        let lines = |text: &str| -> Vec<usize> {
            let detection = tree(&[("render.yaml", text)]).detect_by_catalog();
            detection.findings.iter().map(|finding| finding.evidence[0].line).collect()
        };
        assert_eq!(lines(flat), [1, 6]);
        let app = "name: shop\ndatabases:\n- engine: MYSQL\n  name: db\n- engine: VALKEY\n  name: cache\n";
        let template = "spec:\n  databases:\n  - name: db\n";
        assert_eq!(found(&tree(&[(".do/app.yaml", app)]).detect_by_catalog()), ["mysql", "valkey"]);
        assert_eq!(found(&tree(&[(".do/deploy.template.yaml", template)]).detect_by_catalog()), ["postgres"]);
    }

    #[test]
    fn what_a_host_runs_is_no_client_of_development() {
        let base = ("requirements/base.txt", "django\n");
        let production = ("requirements/production.txt", "elasticsearch\n");
        let app = ("app.json", r#"{"addons": ["bonsai:sandbox"]}"#);
        assert!(selected(&tree(&[base, production, app]).detect_by_catalog()).is_empty());
    }
}
