//! kilter.yaml: what it says, and what is wrong with it in the exact words.

use std::fmt::Write as _;

use insta::assert_snapshot;
use kilter::config::model::{Config, EnvValue, Hooks, Provider, ServiceEntry, ToolPin};
use kilter::config::{self, Loaded, PathItem};
use kilter::diag::Kind;

const CATALOG: [&str; 4] = ["mailpit", "postgres", "redis", "temporal"];

fn load(text: &str) -> Loaded {
    config::load("kilter.yaml", text, &CATALOG).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// The message about a file that is wrong.
fn wrong(text: &str) -> String {
    let error = config::load("kilter.yaml", text, &CATALOG).expect_err(text);
    assert_eq!(error.kind(), Kind::Project);
    error.to_string()
}

fn env(text: &str) -> EnvValue {
    EnvValue(text.into())
}

#[test]
fn an_empty_file_is_a_project() {
    for text in ["", "\n", "# nothing yet\n", "---\n", "{}", "\u{feff}", "services:\nenv:\n", "name: null\n"] {
        assert_eq!(load(text).config.services, None);
        assert_eq!(Config { services: None, ..load(text).config }, Config::default(), "{text}");
    }
}

#[test]
fn every_field_is_read() {
    let loaded = load(include_str!("fixtures/config/full.yaml"));
    let config = &loaded.config;
    assert_eq!(config.port, Some(3000));
    assert_eq!(config.public, Some(false));
    let services = config.services.as_deref().unwrap();
    let names: Vec<&str> = services.iter().map(ServiceEntry::name).collect();
    assert_eq!(names, ["postgres", "redis", "reports-db", "imgproxy", "search", "queue"]);
    let spec = |index: usize| services[index].spec();
    assert_eq!(spec(1).image.as_deref(), Some("redis:8.2"));
    assert_eq!(spec(2).from.as_deref(), Some("postgres"));
    assert_eq!(spec(3).provides["NOTHING"], None);
    assert_eq!(spec(4).hooks, Some(Hooks::Drop));
    assert_eq!(spec(5).version.as_deref(), Some("1.10"));
    assert_eq!(spec(1).values, serde_json::json!({"enabled": true, "size": 1.5, "no": "on"}).as_object().cloned());
    let prod = &config.environments["prod"];
    assert_eq!(prod.env["DEBUG"], None);
    assert_eq!(prod.secrets["shop-secrets"], ".env.prod");
    assert_eq!(config.cluster.as_ref().unwrap().provider, Provider::Context);
    assert_eq!(config.tools["helm"], ToolPin::Version("4.3.0".into()));
    assert!(matches!(&config.tools["kind"], ToolPin::Checked(pin) if pin.version == "0.99.0"));
    assert_eq!(config.deploy.as_ref().unwrap().resources.as_ref().unwrap().limits["cpu"], env("2"));
}

#[test]
fn an_environment_variable_is_taken_as_it_is_written() {
    let config =
        load("env: {A: 1.10, B: on, C: 0x10, D: true, E: \"\", F: 007, G: .5, H: ~x, I: 1_0, J: 'a\n  b'}").config;
    let values: Vec<&str> = config.env.values().map(|value| value.0.as_str()).collect();
    assert_eq!(values, ["1.10", "on", "0x10", "true", "", "007", ".5", "~x", "1_0", "a b"]);
}

#[test]
fn anchors_and_merge_keys_work() {
    let text = "\
env: &env {A: a, B: b}
environments:
  prod: {env: {<<: *env, B: c}}
  test: {env: *env}
  both: {env: {<<: [{A: x}, *env]}}
";
    let config = load(text).config;
    let env_of = |name: &str| -> Vec<(&str, &str)> {
        let env = &config.environments[name].env;
        env.iter().map(|(key, value)| (key.as_str(), value.as_ref().unwrap().0.as_str())).collect()
    };
    assert_eq!(env_of("prod"), [("B", "c"), ("A", "a")]);
    assert_eq!(env_of("test"), [("A", "a"), ("B", "b")]);
    assert_eq!(env_of("both"), [("A", "x"), ("B", "b")]);
}

#[test]
fn later_stages_can_point_at_a_value() {
    let loaded = load("name: shop\nservices:\n  - postgres\n  - {name: redis, image: \"ü:1\"} # x\nenv:\n");
    let place = |path: &[PathItem]| loaded.place_of(path).map(|place| (place.line, place.column, place.width));
    assert_eq!(place(&["services".into(), 1.into(), "image".into()]), Some((4, 26, 5)));
    assert_eq!(place(&["services".into(), 0.into()]), Some((3, 5, 8)));
    assert_eq!(place(&["env".into()]), Some((5, 1, 3)));
    assert_eq!(place(&["services".into(), 2.into()]), None);
    assert_eq!(place(&["port".into()]), None);
    assert_eq!(loaded.place_of_key(&["name".into()]).map(|place| place.width), Some(4));
}

#[test]
fn keys() {
    assert_snapshot!(wrong("prot: 3000\n"), @r#"
    unknown key `prot`.
      --> kilter.yaml:1:1
       |
    1  | prot: 3000
       | ^^^^
      = Did you mean `port`?
    "#);
    assert_snapshot!(wrong("deploy: {replica: 3}\n"), @r#"
    unknown key `replica` in `deploy`.
      --> kilter.yaml:1:10
       |
    1  | deploy: {replica: 3}
       |          ^^^^^^^
      = Did you mean `replicas`?
    "#);
    assert_snapshot!(wrong("deploy: {nodes: 3}\n"), @r#"
    unknown key `nodes` in `deploy`.
      --> kilter.yaml:1:10
       |
    1  | deploy: {nodes: 3}
       |          ^^^^^
      = Known keys here are `replicas`, `resources`, `domains` and `dockerfile`.
    "#);
    assert_snapshot!(wrong("port: 3000\nname: shop\nport: 3001\n"), @r#"
    `port` is given twice.
      --> kilter.yaml:3:1
       |
    3  | port: 3001
       | ^^^^
      = Keep one: the first is on line 1.
    "#);
    assert_snapshot!(wrong("? [a, b]\n: c\n"), @r#"
    a list or map cannot be a key.
      --> kilter.yaml:1:3
       |
    1  | ? [a, b]
       |   ^^^^^^
      = Write a plain word before the `:`; put text with `{{ }}` in quotes.
    "#);
}

#[test]
fn types() {
    assert_snapshot!(wrong("port: eighty\n"), @r#"
    `port` must be a whole number, not the text `eighty`.
      --> kilter.yaml:1:7
       |
    1  | port: eighty
       |       ^^^^^^
      = Write a whole number.
    "#);
    assert_snapshot!(wrong("port: \"3000\"\n"), @r#"
    `port` must be a whole number, not the text `3000`.
      --> kilter.yaml:1:7
       |
    1  | port: "3000"
       |       ^^^^^^
      = Write it without quotes: `port: 3000`.
    "#);
    assert_snapshot!(wrong("image: 16\n"), @r#"
    `image` must be text, not the number `16`.
      --> kilter.yaml:1:8
       |
    1  | image: 16
       |        ^^
      = Put it in quotes: `image: "16"`.
    "#);
    assert_snapshot!(wrong("public: yes\n"), @r#"
    `public` must be `true` or `false`, not the text `yes`.
      --> kilter.yaml:1:9
       |
    1  | public: yes
       |         ^^^
      = Write `public: true`.
    "#);
    assert_snapshot!(wrong("services: postgres\n"), @r#"
    `services` must be a list, not the text `postgres`.
      --> kilter.yaml:1:11
       |
    1  | services: postgres
       |           ^^^^^^^^
      = Write a list, for example `services: [postgres]`.
    "#);
    assert_snapshot!(wrong("services: {postgres: {image: x}}\n"), @r#"
    `services` must be a list, not a map.
      --> kilter.yaml:1:11
       |
    1  | services: {postgres: {image: x}}
       |           ^^^^^^^^^^^^^^^^^^^^^^
      = Write a list: lines that start with `- `, for example `- name: postgres`.
    "#);
    assert_snapshot!(wrong("services:\n  - postgres: {image: x}\n  - [redis]\n  -\n"), @r#"
    entry 1 of `services` has no `name`.
      --> kilter.yaml:2:5
       |
    2  |   - postgres: {image: x}
       |     ^^^^^^^^
      = Write `- name: postgres` and put the details below it, indented alike.

    entry 2 of `services` must be text or a map, not a list.
      --> kilter.yaml:3:5
       |
    3  |   - [redis]
       |     ^^^^^^^
      = Write `- name: NAME`, and details below it, indented alike.

    entry 3 of `services` has no value.
      --> kilter.yaml:4:4
       |
    4  |   -
       |    ^
      = Write a value, or delete the line.
    "#);
    assert_snapshot!(wrong("components: [web]\n"), @r#"
    entry 1 of `components` must be a map, not the text `web`.
      --> kilter.yaml:1:14
       |
    1  | components: [web]
       |              ^^^
      = Write `- name: web`, and details below it, indented alike.
    "#);
    assert_snapshot!(wrong("env:\n  - A=b\n"), @r#"
    `env` must be a map, not a list.
      --> kilter.yaml:2:3
       |
    2  |   - A=b
       |   ^^^^^
      = Write `NAME: value` lines below `env:`, without `- `.
    "#);
    assert_snapshot!(wrong("env: {A: [b], B: }\n"), @r#"
    `A` must be a single value, not a list.
      --> kilter.yaml:1:10
       |
    1  | env: {A: [b], B: }
       |          ^^^
      = Write a single value.

    `B` has no value.
      --> kilter.yaml:1:15
       |
    1  | env: {A: [b], B: }
       |               ^
      = Write `B: ""` for empty text, or delete the line.
    "#);
    assert_snapshot!(wrong("deploy: 3\n"), @r#"
    `deploy` must be a map, not the number `3`.
      --> kilter.yaml:1:9
       |
    1  | deploy: 3
       |         ^
      = Write `key: value` lines below `deploy:`, indented.
    "#);
    assert_snapshot!(wrong("- postgres\n"), @r#"
    the file must be a map, not a list.
      --> kilter.yaml:1:1
       |
    1  | - postgres
       | ^^^^^^^^^^
      = Write keys with values, for example `name: shop`.
    "#);
    assert_snapshot!(wrong("environments: {prod: }\n"), @r#"
    `prod` has no value.
      --> kilter.yaml:1:16
       |
    1  | environments: {prod: }
       |                ^^^^
      = Write a value, or delete the line.
    "#);
    assert_snapshot!(wrong("components: [{command: x}, {name: }]\n"), @r#"
    entry 1 of `components` has no `name`.
      --> kilter.yaml:1:15
       |
    1  | components: [{command: x}, {name: }]
       |               ^^^^^^^
      = Add `name:` to it.

    `name` has no value.
      --> kilter.yaml:1:29
       |
    1  | components: [{command: x}, {name: }]
       |                             ^^^^
      = Write a value, or delete the line.
    "#);
    assert_snapshot!(wrong("name: !Ref shop\n"), @r#"
    the tag `!Ref` means nothing here.
      --> kilter.yaml:1:7
       |
    1  | name: !Ref shop
       |       ^^^^
      = Delete the tag; put the value in quotes where text is meant.
    "#);
}

#[test]
fn values_out_of_bounds() {
    assert_snapshot!(wrong("port: 70000\n"), @r#"
    `port` must be between 1 and 65535, not 70000.
      --> kilter.yaml:1:7
       |
    1  | port: 70000
       |       ^^^^^
      = Write a number in that range.
    "#);
    assert_snapshot!(wrong("port: 0\n"), @r#"
    `port` must be between 1 and 65535, not 0.
      --> kilter.yaml:1:7
       |
    1  | port: 0
       |       ^
      = Write a number in that range.
    "#);
    assert_snapshot!(wrong("port: 99999999999999999999999999999999999999999999\n"), @r#"
    `port` must be between 1 and 65535, not 99999999999999999999999999999999999999999999.
      --> kilter.yaml:1:7
       |
    1  | port: 99999999999999999999999999999999999999999999
       |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      = Write a number in that range.
    "#);
    assert_snapshot!(wrong("name: My_App\n"), @r#"
    `My_App` is not a name: use lower-case letters, digits and `-`, with a letter or digit at both ends.
      --> kilter.yaml:1:7
       |
    1  | name: My_App
       |       ^^^^^^
      = The name becomes part of names in Kubernetes.
    "#);
    assert_snapshot!(wrong("name: a-name-that-is-longer-than-forty-characters\n"), @r#"
    `a-name-that-is-longer-than-forty-characters` has 43 characters; a name has at most 40.
      --> kilter.yaml:1:7
       |
    1  | name: a-name-that-is-longer-than-forty-characters
       |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      = The name becomes part of names in Kubernetes.
    "#);
    assert_snapshot!(wrong("health: healthz\n"), @r#"
    `health` must start with `/`, not be `healthz`.
      --> kilter.yaml:1:9
       |
    1  | health: healthz
       |         ^^^^^^^
      = Write the path alone, for example `/healthz`.
    "#);
    assert_snapshot!(wrong("image: ''\n"), @r#"
    `image` is empty.
      --> kilter.yaml:1:8
       |
    1  | image: ''
       |        ^^
      = Write a value, or delete the line.
    "#);
    assert_snapshot!(wrong("sopsRecipient: AGE-SECRET-KEY-1\n"), @r#"
    `AGE-SECRET-KEY-1` is not an age recipient.
      --> kilter.yaml:1:16
       |
    1  | sopsRecipient: AGE-SECRET-KEY-1
       |                ^^^^^^^^^^^^^^^^
      = Write the public key, `age1` and at least 58 letters and digits; never the secret key.
    "#);
    assert_snapshot!(wrong("cluster: {provider: minikube, kubernetes: 1.37, hostAccess: forwards}\n"), @r#"
    `provider` must be `kind` or `context`, not the text `minikube`.
      --> kilter.yaml:1:21
       |
    1  | cluster: {provider: minikube, kubernetes: 1.37, hostAccess: forwards}
       |                     ^^^^^^^^
      = Write `kind`.

    `kubernetes` must be text, not the number `1.37`.
      --> kilter.yaml:1:43
       |
    1  | cluster: {provider: minikube, kubernetes: 1.37, hostAccess: forwards}
       |                                           ^^^^
      = Put it in quotes: `kubernetes: "1.37"`.

    `hostAccess` must be `nodeport` or `forward`, not the text `forwards`.
      --> kilter.yaml:1:61
       |
    1  | cluster: {provider: minikube, kubernetes: 1.37, hostAccess: forwards}
       |                                                             ^^^^^^^^
      = Write `forward`.
    "#);
    assert_snapshot!(wrong("cluster: {kubernetes: v1.37}\n"), @r#"
    `v1.37` is not a Kubernetes version.
      --> kilter.yaml:1:23
       |
    1  | cluster: {kubernetes: v1.37}
       |                       ^^^^^
      = Write all three numbers, for example `v1.37.0`.
    "#);
    assert_snapshot!(wrong("services: [{name: redis, values: {a: yes, b: 0644, c: .inf}}]\n"), @r#"
    `yes` means `true` to helm and something else to newer YAML readers.
      --> kilter.yaml:1:38
       |
    1  | services: [{name: redis, values: {a: yes, b: 0644, c: .inf}}]
       |                                      ^^^
      = Write `true`, or `"yes"` where text is meant.

    `0644` means `420` to helm and something else to newer YAML readers.
      --> kilter.yaml:1:46
       |
    1  | services: [{name: redis, values: {a: yes, b: 0644, c: .inf}}]
       |                                              ^^^^
      = Write `420`, or `"0644"` where text is meant.

    `.inf` is no number that a chart can take.
      --> kilter.yaml:1:55
       |
    1  | services: [{name: redis, values: {a: yes, b: 0644, c: .inf}}]
       |                                                       ^^^^
      = Write `".inf"` where text is meant.
    "#);
}

#[test]
fn services() {
    assert_snapshot!(wrong("services: [postgres, redis, postgres]\n"), @r#"
    there are two services `postgres`.
      --> kilter.yaml:1:29
       |
    1  | services: [postgres, redis, postgres]
       |                             ^^^^^^^^
      = Delete one, or give it another name with `from: postgres`: the first is on line 1.
    "#);
    assert_snapshot!(wrong("services: [potsgres, kafka]\n"), @r#"
    unknown service `potsgres`.
      --> kilter.yaml:1:12
       |
    1  | services: [potsgres, kafka]
       |            ^^^^^^^^
      = Did you mean `postgres`? For a service that kilter does not know, write its image and port: `{name: NAME, image: IMAGE:TAG, port: PORT}`.

    unknown service `kafka`.
      --> kilter.yaml:1:22
       |
    1  | services: [potsgres, kafka]
       |                      ^^^^^
      = `kilter catalog` lists the services. For a service that kilter does not know, write its image and port: `{name: NAME, image: IMAGE:TAG, port: PORT}`.
    "#);
    assert_snapshot!(wrong("services: ['postgres:16']\n"), @r#"
    unknown service `postgres:16`.
      --> kilter.yaml:1:12
       |
    1  | services: ['postgres:16']
       |            ^^^^^^^^^^^^^
      = Write `{name: postgres, image: postgres:16}` for an image of your choice.
    "#);
    assert_snapshot!(wrong("services: [app, {name: app, from: redis}]\n"), @r#"
    the name `app` is the app's own.
      --> kilter.yaml:1:12
       |
    1  | services: [app, {name: app, from: redis}]
       |            ^^^
      = Give the service another name.

    the name `app` is the app's own.
      --> kilter.yaml:1:24
       |
    1  | services: [app, {name: app, from: redis}]
       |                        ^^^
      = Give the service another name.

    there are two services `app`.
      --> kilter.yaml:1:24
       |
    1  | services: [app, {name: app, from: redis}]
       |                        ^^^
      = Delete one, or give it another name with `from: app`: the first is on line 1.
    "#);
    assert_snapshot!(wrong("services: [{name: x, image: a}, {name: y, port: 1}, {name: z}]\n"), @r#"
    the inline service `x` has no `port`.
      --> kilter.yaml:1:19
       |
    1  | services: [{name: x, image: a}, {name: y, port: 1}, {name: z}]
       |                   ^
      = Add `port:` with the port that it listens on.

    the inline service `y` has no `image`.
      --> kilter.yaml:1:40
       |
    1  | services: [{name: x, image: a}, {name: y, port: 1}, {name: z}]
       |                                        ^
      = Add `image:` with the image to run, or `from:` with a service of the catalog.

    unknown service `z`.
      --> kilter.yaml:1:60
       |
    1  | services: [{name: x, image: a}, {name: y, port: 1}, {name: z}]
       |                                                            ^
      = `kilter catalog` lists the services. For a service that kilter does not know, write its image and port: `{name: NAME, image: IMAGE:TAG, port: PORT}`.
    "#);
    assert_snapshot!(wrong("services: [{name: x, from: rediss}, {name: y, from: redis, chart: ./y}]\n"), @r#"
    unknown service `rediss`.
      --> kilter.yaml:1:28
       |
    1  | services: [{name: x, from: rediss}, {name: y, from: redis, chart: ./y}]
       |                            ^^^^^^
      = Did you mean `redis`?

    `from` and `chart` exclude each other.
      --> kilter.yaml:1:47
       |
    1  | services: [{name: x, from: rediss}, {name: y, from: redis, chart: ./y}]
       |                                               ^^^^
      = Keep `from` for a service of the catalog, or `chart` for a chart.
    "#);
    assert_snapshot!(wrong("services: [{name: x, chart: ../x}, {name: y, chart: /y, version: '1'}, {name: z, chart: 's3://b/z'}]\n"), @r#"
    `chart` leaves the project: `../x`.
      --> kilter.yaml:1:29
       |
    1  | services: [{name: x, chart: ../x}, {name: y, chart: /y, version: '1'}, {name: z, chart: 's3://b/z'}]
       |                             ^^^^
      = Write a path inside the project, relative to kilter.yaml, without `..`.

    `chart` is not relative to the project: `/y`.
      --> kilter.yaml:1:53
       |
    1  | services: [{name: x, chart: ../x}, {name: y, chart: /y, version: '1'}, {name: z, chart: 's3://b/z'}]
       |                                                     ^^
      = Write a path inside the project, relative to kilter.yaml, without `..`.

    `version` means nothing to a chart of the project.
      --> kilter.yaml:1:57
       |
    1  | services: [{name: x, chart: ../x}, {name: y, chart: /y, version: '1'}, {name: z, chart: 's3://b/z'}]
       |                                                         ^^^^^^^
      = Delete the line: the version of a chart in the project is in its Chart.yaml.

    `s3://` is not a way to get a chart.
      --> kilter.yaml:1:89
       |
    1  | services: [{name: x, chart: ../x}, {name: y, chart: /y, version: '1'}, {name: z, chart: 's3://b/z'}]
       |                                                                                         ^^^^^^^^^^
      = Write a path (`./charts/x`), `oci://HOST/…/NAME` or `https://REPOSITORY/NAME`.
    "#);
    assert_snapshot!(wrong("services: [{name: x, chart: 'oci://h/x'}, {name: y, chart: 'https://h', version: '1'}]\n"), @r#"
    the remote chart `oci://h/x` has no `version`.
      --> kilter.yaml:1:29
       |
    1  | services: [{name: x, chart: 'oci://h/x'}, {name: y, chart: 'https://h', version: '1'}]
       |                             ^^^^^^^^^^^
      = Add `version:` with the exact version, so that everyone renders the same chart.

    `https://h` does not name a chart.
      --> kilter.yaml:1:60
       |
    1  | services: [{name: x, chart: 'oci://h/x'}, {name: y, chart: 'https://h', version: '1'}]
       |                                                            ^^^^^^^^^^^
      = Write the whole address, for example `https://charts.example.com/redis`.
    "#);
    assert_snapshot!(wrong("services: [{name: redis, version: '8'}]\n"), @r#"
    `version` is the version of a remote chart, and there is no `chart`.
      --> kilter.yaml:1:26
       |
    1  | services: [{name: redis, version: '8'}]
       |                          ^^^^^^^
      = Write the version of the product as the tag of `image`.
    "#);
    assert_snapshot!(wrong("services: [{name: redis, env: {A-B: x}, provides: {1A: x}}]\n"), @r#"
    `A-B` is not a name of an environment variable.
      --> kilter.yaml:1:32
       |
    1  | services: [{name: redis, env: {A-B: x}, provides: {1A: x}}]
       |                                ^^^
      = Use letters, digits and `_`, with no digit first.

    `1A` is not a name of an environment variable.
      --> kilter.yaml:1:52
       |
    1  | services: [{name: redis, env: {A-B: x}, provides: {1A: x}}]
       |                                                    ^^
      = Use letters, digits and `_`, with no digit first.
    "#);
}

#[test]
fn rules_over_several_keys() {
    assert_snapshot!(wrong("cluster: {provider: context}\n"), @r#"
    `provider: context` needs `context`.
      --> kilter.yaml:1:11
       |
    1  | cluster: {provider: context}
       |           ^^^^^^^^
      = Add `context:` with the name of a context of your kubeconfig (`kubectl config get-contexts` lists them).

    `provider: context` needs `registry`.
      --> kilter.yaml:1:11
       |
    1  | cluster: {provider: context}
       |           ^^^^^^^^
      = Add `registry:` with the host that the cluster pulls images from, for example `registry.example.com/dev`.
    "#);
    assert_snapshot!(wrong("cluster: {context: dev, registry: r}\n"), @r#"
    `context` means nothing to a cluster that kilter makes with kind.
      --> kilter.yaml:1:11
       |
    1  | cluster: {context: dev, registry: r}
       |           ^^^^^^^
      = Add `provider: context` for a cluster that exists, or delete the line.

    `registry` means nothing to a cluster that kilter makes with kind.
      --> kilter.yaml:1:25
       |
    1  | cluster: {context: dev, registry: r}
       |                         ^^^^^^^^
      = Add `provider: context` for a cluster that exists, or delete the line.
    "#);
    assert_snapshot!(wrong("tools: {hlem: '1', kind: {version: '1', sha256: {linux-amd65: abc}}}\n"), @r#"
    unknown tool `hlem`.
      --> kilter.yaml:1:9
       |
    1  | tools: {hlem: '1', kind: {version: '1', sha256: {linux-amd65: abc}}}
       |         ^^^^
      = Did you mean `helm`?

    unknown platform `linux-amd65`.
      --> kilter.yaml:1:50
       |
    1  | tools: {hlem: '1', kind: {version: '1', sha256: {linux-amd65: abc}}}
       |                                                  ^^^^^^^^^^^
      = Did you mean `linux-amd64`?

    `abc` is not a SHA-256 checksum.
      --> kilter.yaml:1:63
       |
    1  | tools: {hlem: '1', kind: {version: '1', sha256: {linux-amd65: abc}}}
       |                                                               ^^^
      = Write its 64 digits, 0 to 9 and a to f, as the release page shows them.
    "#);
    assert_snapshot!(wrong("tools: {kind: {sha256: {}}}\n"), @r#"
    `kind` has no `version`.
      --> kilter.yaml:1:16
       |
    1  | tools: {kind: {sha256: {}}}
       |                ^^^^^^
      = Add `version:` to it.
    "#);
    assert_snapshot!(wrong("environments: {Prod: {secrets: {My_Secret: ../x}}}\n"), @r#"
    `Prod` is not a name: use lower-case letters, digits and `-`, with a letter or digit at both ends.
      --> kilter.yaml:1:16
       |
    1  | environments: {Prod: {secrets: {My_Secret: ../x}}}
       |                ^^^^
      = The name of an environment becomes part of names in Kubernetes.

    `My_Secret` is not a name of a Secret.
      --> kilter.yaml:1:33
       |
    1  | environments: {Prod: {secrets: {My_Secret: ../x}}}
       |                                 ^^^^^^^^^
      = Use lower-case letters, digits, `-` and `.`, with a letter or digit at both ends.

    `My_Secret` leaves the project: `../x`.
      --> kilter.yaml:1:44
       |
    1  | environments: {Prod: {secrets: {My_Secret: ../x}}}
       |                                            ^^^^
      = Write a path inside the project, relative to kilter.yaml, without `..`.
    "#);
    assert_snapshot!(wrong("appSecrets: [good.name, Bad]\n"), @r#"
    `Bad` is not a name of a Secret.
      --> kilter.yaml:1:25
       |
    1  | appSecrets: [good.name, Bad]
       |                         ^^^
      = Use lower-case letters, digits, `-` and `.`, with a letter or digit at both ends.
    "#);
    assert_snapshot!(wrong("components: [{name: app}, {name: web}, {name: web}]\n"), @r#"
    the name `app` is the app's own.
      --> kilter.yaml:1:21
       |
    1  | components: [{name: app}, {name: web}, {name: web}]
       |                     ^^^
      = Give the component another name.

    there are two components `web`.
      --> kilter.yaml:1:47
       |
    1  | components: [{name: app}, {name: web}, {name: web}]
       |                                               ^^^
      = Give it another name: the first is on line 1.
    "#);
    assert_snapshot!(wrong("deploy: {dockerfile: /Dockerfile}\n"), @r#"
    `dockerfile` is not relative to the project: `/Dockerfile`.
      --> kilter.yaml:1:22
       |
    1  | deploy: {dockerfile: /Dockerfile}
       |                      ^^^^^^^^^^^
      = Write a path inside the project, relative to kilter.yaml, without `..`.
    "#);
}

#[test]
fn what_is_not_yaml() {
    assert_snapshot!(wrong("services:\n\t- postgres\n"), @r#"
    a tab is used for indentation.
      --> kilter.yaml:2:1
       |
    2  | 	- postgres
       | ^
      = YAML wants spaces there: replace every such tab with two spaces.
    "#);
    assert_snapshot!(wrong("env:\n  A: a\n\tB: b\n"), @r#"
    a tab is used for indentation.
      --> kilter.yaml:3:1
       |
    3  | 	B: b
       | ^
      = YAML wants spaces there: replace every such tab with two spaces.
    "#);
    assert_snapshot!(wrong("name: \"shop\nport: 3\n"), @r#"
    a text in quotes goes on in a line that is not indented.
      --> kilter.yaml:2:1
       |
    2  | port: 3
       | ^
      = Close the quote on the line before, or indent the line.
    "#);
    assert_snapshot!(wrong("services: [postgres\nname: shop\n"), @r#"
    a `:` stands where no key can be.
      --> kilter.yaml:2:5
       |
    2  | name: shop
       |     ^
      = Put text that contains `: ` in quotes, add the `:` that the line before may lack, or correct the indentation.
    "#);
    assert_snapshot!(wrong("services: [postgres}\n"), @r#"
    `[` is closed by `}`.
      --> kilter.yaml:1:11
       |
    1  | services: [postgres}
       |           ^
      = Close each bracket with its own kind.
    "#);
    assert_snapshot!(wrong("dev: npm run a: b\n"), @r#"
    a `:` stands where no key can be.
      --> kilter.yaml:1:15
       |
    1  | dev: npm run a: b
       |               ^
      = Put text that contains `: ` in quotes, add the `:` that the line before may lack, or correct the indentation.
    "#);
    assert_snapshot!(wrong("name: shop\n  port: 3\n"), @r#"
    a `:` stands where no key can be.
      --> kilter.yaml:2:7
       |
    2  |   port: 3
       |       ^
      = Put text that contains `: ` in quotes, add the `:` that the line before may lack, or correct the indentation.
    "#);
    assert_snapshot!(wrong("env:\n  A: a\n B: b\n"), @r#"
    a key with a `:` is expected here.
      --> kilter.yaml:3:2
       |
    3  |  B: b
       |  ^
      = Write `key: value`, indented like the keys beside it.
    "#);
    assert_snapshot!(wrong("name shop\nport: 3\n"), @r#"
    a `:` stands where no key can be.
      --> kilter.yaml:2:5
       |
    2  | port: 3
       |     ^
      = Put text that contains `: ` in quotes, add the `:` that the line before may lack, or correct the indentation.
    "#);
    assert_snapshot!(wrong("image: @node\n"), @r#"
    nothing in YAML starts with `@`.
      --> kilter.yaml:1:8
       |
    1  | image: @node
       |        ^
      = Put the text in quotes.
    "#);
    assert_snapshot!(wrong("image: *node\n"), @r#"
    an alias names an anchor that is not there.
      --> kilter.yaml:1:8
       |
    1  | image: *node
       |        ^
      = Write `&name` at the value first, or put text with `*` in quotes.
    "#);
    assert_snapshot!(wrong("dev: {{ .Command }}\n"), @r#"
    a list or map cannot be a key.
      --> kilter.yaml:1:7
       |
    1  | dev: {{ .Command }}
       |       ^^^^^^^^^^^^
      = Write a plain word before the `:`; put text with `{{ }}` in quotes.
    "#);
    assert_snapshot!(wrong("name: a\n---\nname: b\n"), @r#"
    `kilter.yaml` has more than one document.
      --> kilter.yaml:2:1
       |
    2  | ---
       | ^^^
      = Delete the line `---` and everything that belongs to another file.
    "#);
    assert_snapshot!(wrong("env: &e {A: *e}\n"), @r#"
    an alias stands inside the value that it names.
      --> kilter.yaml:1:13
       |
    1  | env: &e {A: *e}
       |             ^^
      = Write the value out, or move the anchor.
    "#);
    assert_snapshot!(wrong("services:\n- postgres\n  - redis\nx"), @r#"
    a key with a `:` is expected here.
      --> kilter.yaml:4:1
       |
    4  | x
       | ^
      = Write `key: value`, indented like the keys beside it.
    "#);
}

#[test]
fn files_that_are_no_text() {
    let bytes = |bytes: &[u8]| config::text_of("kilter.yaml", bytes).unwrap_err().to_string();
    assert_snapshot!(bytes(b"\x7fELF\x02\x01\x01\0\0\0\xff\xfe"), @r#"
    `kilter.yaml` is not UTF-8 text (line 1).
      = Save the file as UTF-8; if it is a binary file, put the right one in its place.
    "#);
    assert_snapshot!(bytes(b"name: a\0b\n"), @r#"
    `kilter.yaml` holds the control character U+0000.
      --> kilter.yaml:1:8
       |
    1  | name: a�b
       |        ^
      = Delete the character; if it is a binary file, put the right one in its place.
    "#);
    assert_snapshot!(bytes(b"\xff\xfen\0a\0"), @r#"
    `kilter.yaml` is UTF-16.
      = Save the file as UTF-8.
    "#);
    assert_snapshot!(bytes(&vec![b'a'; 5 * 1024 * 1024]), @r#"
    `kilter.yaml` is too large: 5120 KiB, at most 1024.
      = A file of this kind is written by hand and small: check that it is the right file.
    "#);
    assert_snapshot!(wrong(&"# x\n".repeat(5 * 256 * 1024)), @r#"
    `kilter.yaml` is too large: 5120 KiB, at most 1024.
      = A file of this kind is written by hand and small: check that it is the right file.
    "#);
    assert_snapshot!(wrong("name: a\u{1b}[31m\n"), @r#"
    `kilter.yaml` holds the control character U+001B.
      --> kilter.yaml:1:8
       |
    1  | name: a�[31m
       |        ^
      = Delete the character; if it is a binary file, put the right one in its place.
    "#);
}

#[test]
fn bombs() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for i in 1..9 {
        let aliases = vec![format!("*a{}", i - 1); 9].join(", ");
        _ = writeln!(text, "a{i}: &a{i} [{aliases}]");
    }
    assert_snapshot!(wrong(&text), @r#"
    `kilter.yaml` unfolds to more than 50000 values or nests deeper than 64.
      --> kilter.yaml:5:35
       |
    5  | a4: &a4 [*a3, *a3, *a3, *a3, *a3, *a3, *a3, *a3, *a3]
       |                                   ^^^
      = Write less, or use fewer aliases (`*name`) of aliases.
    "#);
    // Long text instead of many values, and depth by way of aliases.
    let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(500_000), vec!["*a"; 100].join(", "));
    assert!(wrong(&long).contains("unfolds to more than"));
    let mut deep = String::from("a0: &a0 [x]\n");
    for i in 1..30_000 {
        _ = writeln!(deep, "a{i}: &a{i} [*a{}]", i - 1);
    }
    assert!(wrong(&deep).contains("nests deeper than 64"));
    assert_snapshot!(wrong(&"[".repeat(1000)), @r#"
    lists and maps are nested too deeply.
      --> kilter.yaml:1:65
       |
    1  | [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[
       |                                                            ^
      = Nest at most 64 deep.
    "#);
}

#[test]
fn every_problem_at_once_in_the_order_of_the_file() {
    let text = "nam: shop\nport: 70000\nservices: [potsgres, redis, redis]\nenv: [A]\nport: 1\ncluster: {context: x}\n";
    assert_snapshot!(wrong(text), @r#"
    unknown key `nam`.
      --> kilter.yaml:1:1
       |
    1  | nam: shop
       | ^^^
      = Did you mean `name`?

    `port` must be between 1 and 65535, not 70000.
      --> kilter.yaml:2:7
       |
    2  | port: 70000
       |       ^^^^^
      = Write a number in that range.

    unknown service `potsgres`.
      --> kilter.yaml:3:12
       |
    3  | services: [potsgres, redis, redis]
       |            ^^^^^^^^
      = Did you mean `postgres`? For a service that kilter does not know, write its image and port: `{name: NAME, image: IMAGE:TAG, port: PORT}`.

    there are two services `redis`.
      --> kilter.yaml:3:29
       |
    3  | services: [potsgres, redis, redis]
       |                             ^^^^^
      = Delete one, or give it another name with `from: redis`: the first is on line 3.

    `env` must be a map, not a list.
      --> kilter.yaml:4:6
       |
    4  | env: [A]
       |      ^^^
      = Write `NAME: value` lines below `env:`, without `- `.

    `port` is given twice.
      --> kilter.yaml:5:1
       |
    5  | port: 1
       | ^^^^
      = Keep one: the first is on line 2.

    `context` means nothing to a cluster that kilter makes with kind.
      --> kilter.yaml:6:11
       |
    6  | cluster: {context: x}
       |           ^^^^^^^
      = Add `provider: context` for a cluster that exists, or delete the line.
    "#);
}

#[test]
fn columns_count_characters_and_line_ends_of_every_kind() {
    assert_snapshot!(wrong("# ü\r\nenv: {\"日本\": x, B: [1]}\r\nprot: 1\r\n"), @r#"
    `日本` is not a name of an environment variable.
      --> kilter.yaml:2:7
       |
    2  | env: {"日本": x, B: [1]}
       |       ^^^^
      = Use letters, digits and `_`, with no digit first.

    `B` must be a single value, not a list.
      --> kilter.yaml:2:19
       |
    2  | env: {"日本": x, B: [1]}
       |                   ^^^
      = Write a single value.

    unknown key `prot`.
      --> kilter.yaml:3:1
       |
    3  | prot: 1
       | ^^^^
      = Did you mean `port`?
    "#);
    assert_snapshot!(wrong("\u{feff}prot: 1\n"), @r#"
    unknown key `prot`.
      --> kilter.yaml:1:1
       |
    1  | prot: 1
       | ^^^^
      = Did you mean `port`?
    "#);
    assert_snapshot!(wrong("name: shop\rprot: 1\r"), @r#"
    unknown key `prot`.
      --> kilter.yaml:2:1
       |
    2  | prot: 1
       | ^^^^
      = Did you mean `port`?
    "#);
}

fn schema() -> serde_json::Value {
    serde_json::from_str(&config::schema_json()).unwrap()
}

/// What an editor's YAML reader hands to a schema.
fn json(text: &str) -> serde_json::Value {
    serde_yaml::from_str(text).unwrap()
}

#[test]
fn the_schema_is_sound_and_takes_good_files_alone() {
    assert!(jsonschema::draft202012::meta::is_valid(&schema()));
    let validator = jsonschema::draft202012::new(&schema()).unwrap();
    assert!(validator.is_valid(&json(include_str!("fixtures/config/full.yaml"))));
    for good in ["{}", "services: null", "env: {A: 1, B: true, C: x}", "cluster: {provider: null}"] {
        assert!(validator.is_valid(&json(good)), "{good}");
    }
    for bad in [
        "nam: x",
        "port: 0",
        "port: '1'",
        "name: My_App",
        "services: postgres",
        "services: [{image: x}]",
        "services: [{name: x, hooks: keep}]",
        "env: {A: null}",
        "environments: {prod: {envs: {}}}",
        "tools: {helm: 4}",
        "[]",
    ] {
        assert!(!validator.is_valid(&json(bad)), "{bad}");
    }
}

#[test]
fn the_schema_is_the_same_each_time_and_describes_every_key() {
    assert_eq!(config::schema_json(), config::schema_json());
    let schema = schema();
    let objects = schema["$defs"].as_object().unwrap().values().chain([&schema]);
    for (key, property) in objects.filter_map(|object| object["properties"].as_object()).flatten() {
        assert!(property["description"].is_string(), "{key} has no description");
    }
}
