//! The exact words about keys and types.

use insta::assert_snapshot;

use super::wrong;

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
