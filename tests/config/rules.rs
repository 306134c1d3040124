//! The exact words about rules over several keys.

use insta::assert_snapshot;

use super::{load, wrong};

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

    `1` is not an exact version of a chart.
      --> kilter.yaml:1:82
       |
    1  | services: [{name: x, chart: 'oci://h/x'}, {name: y, chart: 'https://h', version: '1'}]
       |                                                                                  ^^^
      = Write all three numbers, for example `version: 1.2.3`.
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
fn an_address_of_a_chart_holds_no_login() {
    for address in ["https://u:p@h/x", "oci://u@h/a/x", "http://u:p@localhost/x"] {
        let said = wrong(&format!("services: [{{name: x, chart: '{address}', version: 1.0.0}}]\n"));
        assert!(said.starts_with("the address of the chart has a user or password in it.\n"), "{said}");
        assert!(said.contains("registry login HOST") && said.matches("  = ").count() == 1, "{said}");
    }
    load("services: [{name: x, chart: 'https://h/a@b/x', version: 1.0.0}]\n");
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
    "#);
    load("cluster: {provider: context, context: dev}\n");
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
    assert_snapshot!(wrong("environments: {1st: {}, an-environment-for-all: {}}\n"), @r#"
    `1st` begins with a digit; begin with a letter.
      --> kilter.yaml:1:16
       |
    1  | environments: {1st: {}, an-environment-for-all: {}}
       |                ^^^
      = The name of an environment becomes part of names in Kubernetes.

    `an-environment-for-all` has 22 characters; an environment has at most 20.
      --> kilter.yaml:1:25
       |
    1  | environments: {1st: {}, an-environment-for-all: {}}
       |                         ^^^^^^^^^^^^^^^^^^^^^^
      = The name of an environment becomes part of names in Kubernetes.
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
    assert_snapshot!(wrong("components:\n  - {name: a, port: 80, route: /api}\n  - {name: b, port: 80, route: /api/}\n  - {name: c, port: 80, route: /}\n  - {name: d, route: x.example.org}\n"), @r#"
    two components have the route `/api`.
      --> kilter.yaml:3:32
       |
    3  |   - {name: b, port: 80, route: /api/}
       |                                ^^^^^
      = Give it another path or host name: the first is on line 2.

    the route `/` is the app's own.
      --> kilter.yaml:4:32
       |
    4  |   - {name: c, port: 80, route: /}
       |                                ^
      = Write a path below it, for example `/api`, or a host name.

    a component with a `route` has no `port`.
      --> kilter.yaml:5:15
       |
    5  |   - {name: d, route: x.example.org}
       |               ^^^^^
      = Add `port:` with the port that the component listens on, or delete the line.
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
