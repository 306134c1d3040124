use super::*;
use crate::config::load;

const CONFIG: &str = "
env: {LOG_LEVEL: debug, REGION: eu, WORKERS: 2}
environments:
  prod:
    env: {LOG_LEVEL: info, REGION: null}
    secrets: {shop-env: secrets/prod.env}
appSecrets: [shared, shop-env]
public: false
components:
  - {name: worker, command: npm run worker, env: {QUEUE: all}}
  - {name: cron, command: 'while true; do sleep 1; done', image: 'busybox:1.37'}
deploy: {replicas: 3, resources: {limits: {memory: 512Mi}}, domains: [www.example.org]}
manifest: {owner: shop team, tags: [web], links: {wiki: 'https://wiki.example.org'}}
";

fn made(text: &str, env: &str, asked: &Asked) -> Result<Template> {
    let loaded = load("kilter.yaml", text, &["postgres", "redis"]).unwrap();
    let id = AppId::new("acme", "shop", env).unwrap();
    request(&id, &App { config: &loaded.config, port: 3000, health: Some("/healthz") }, asked)
}

#[test]
fn a_template_says_what_kilter_yaml_says() {
    let asked = Asked {
        migration: Some("npm run migrate".into()),
        seed: Some("test -e x || npm run seed".into()),
        external: vec!["tls".into()],
        repo: Some("https://github.com/acme/shop".into()),
    };
    let template = made(CONFIG, "prod", &asked).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&template).unwrap());
}

#[test]
fn an_environment_that_nothing_is_said_of_has_what_all_have() {
    let template = made(CONFIG, "staging", &Asked::default()).unwrap();
    assert_eq!(template.variables["REGION"], "eu");
    let names: Vec<&str> = template.secrets.iter().map(|secret| secret.name.as_str()).collect();
    assert_eq!(names, ["shared", "shop-env"]);
}

#[test]
fn a_link_of_ones_own_stays() {
    let asked = Asked { repo: Some("https://github.com/acme/shop".into()), ..Asked::default() };
    let template = made("manifest: {links: {repo: 'https://example.org'}}", "prod", &asked).unwrap();
    assert_eq!(template.about.links["repo"], "https://example.org");
}

#[test]
fn what_the_server_would_refuse_is_refused_before_anything_is_built() {
    let error = made("deploy: {domains: ['a b']}\nappSecrets: [a.b]", "prod", &Asked::default()).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("domains: `a b`") && text.contains("secrets: `a.b`"), "{text}");
    let asked = Asked { external: vec!["shop-env".into()], ..Asked::default() };
    let error = made(CONFIG, "prod", &asked).unwrap_err();
    assert_eq!(error.kind(), crate::diag::Kind::Usage);
}
