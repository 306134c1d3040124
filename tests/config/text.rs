//! The exact words about what is not YAML, or not text.

use std::fmt::Write as _;

use insta::assert_snapshot;
use kilter::config;

use super::wrong;

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
