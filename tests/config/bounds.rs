//! The exact words about values, and all problems together.

use insta::assert_snapshot;

use super::wrong;

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
