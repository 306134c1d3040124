//! A kilter.yaml that is wrong, each time with the exact message, and nothing written.

use std::os::unix::fs::symlink;

use super::{names, quick, refused};
use crate::support::project::Project;

/// The words of `kilter render` for this kilter.yaml.
fn words(text: impl AsRef<[u8]>) -> String {
    refused(&quick("shop").file("kilter.yaml", text), &["render"], 1)
}

#[test]
fn an_unknown_key() {
    insta::assert_snapshot!(words("servces: [postgres]\n"), @r"
    error: unknown key `servces`.
      --> kilter.yaml:1:1
       |
    1  | servces: [postgres]
       | ^^^^^^^
      = Did you mean `services`?
    ");
}

#[test]
fn a_wrong_type() {
    insta::assert_snapshot!(words("services: postgres\nport: [1]\nname: {a: 1}\n"), @r"
    error: `services` must be a list, not the text `postgres`.
      --> kilter.yaml:1:11
       |
    1  | services: postgres
       |           ^^^^^^^^
      = Write a list, for example `services: [postgres]`.

    error: `port` must be a whole number, not a list.
      --> kilter.yaml:2:7
       |
    2  | port: [1]
       |       ^^^
      = Write a whole number.

    error: `name` must be text, not a map.
      --> kilter.yaml:3:7
       |
    3  | name: {a: 1}
       |       ^^^^^^
      = Write text.
    ");
}

#[test]
fn a_service_twice() {
    insta::assert_snapshot!(words("services:\n  - postgres\n  - redis\n  - postgres\n"), @r"
    error: there are two services `postgres`.
      --> kilter.yaml:4:5
       |
    4  |   - postgres
       |     ^^^^^^^^
      = Delete one, or give it another name with `from: postgres`: the first is on line 2.
    ");
}

#[test]
fn an_unknown_service() {
    insta::assert_snapshot!(words("services: [postgrse]\n"), @r"
    error: unknown service `postgrse`.
      --> kilter.yaml:1:12
       |
    1  | services: [postgrse]
       |            ^^^^^^^^
      = Did you mean `postgres`? For a service that kilter does not know, write its image and port: `{name: NAME, image: IMAGE:TAG, port: PORT}`.
    ");
}

#[test]
fn a_service_that_is_none_any_more() {
    insta::assert_snapshot!(words("services: [minio]\n"), @r"
    error: unknown service `minio`.
      --> kilter.yaml:1:12
       |
    1  | services: [minio]
       |            ^^^^^
      = MinIO is no longer published as an image that one can pull. Take `garage` or `rustfs`. For a service that kilter does not know, write its image and port: `{name: NAME, image: IMAGE:TAG, port: PORT}`.
    ");
    insta::assert_snapshot!(words("services: [{name: files, from: minio}]\n"), @r"
    error: unknown service `minio`.
      --> kilter.yaml:1:32
       |
    1  | services: [{name: files, from: minio}]
       |                                ^^^^^
      = MinIO is no longer published as an image that one can pull. Take `garage` or `rustfs`.
    ");
}

#[test]
fn a_bad_name() {
    insta::assert_snapshot!(words("name: My Shop!\n"), @r"
    error: `My Shop!` is not a name: use lower-case letters, digits and `-`, with a letter or digit at both ends.
      --> kilter.yaml:1:7
       |
    1  | name: My Shop!
       |       ^^^^^^^^
      = The name becomes part of names in Kubernetes.
    ");
}

#[test]
fn a_port_out_of_range() {
    insta::assert_snapshot!(words("port: 70000\n"), @r"
    error: `port` must be between 1 and 65535, not 70000.
      --> kilter.yaml:1:7
       |
    1  | port: 70000
       |       ^^^^^
      = Write a number in that range.
    ");
}

#[test]
fn tabs() {
    insta::assert_snapshot!(words("services:\n\t- postgres\n"), @r"
    error: a tab is used for indentation.
      --> kilter.yaml:2:1
       |
    2  | 	- postgres
       | ^
      = YAML wants spaces there: replace every such tab with two spaces.
    ");
}

#[test]
fn an_alias_bomb() {
    let mut text = "env:\n  a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..9 {
        let aliases = vec![format!("*a{}", n - 1); 9].join(", ");
        text.push_str(&format!("  a{n}: &a{n} [{aliases}]\n"));
    }
    insta::assert_snapshot!(words(text), @r"
    error: `kilter.yaml` unfolds to more than 50000 values or nests deeper than 64.
      --> kilter.yaml:6:37
       |
    6  |   a4: &a4 [*a3, *a3, *a3, *a3, *a3, *a3, *a3, *a3, *a3]
       |                                     ^^^
      = Write less, or use fewer aliases (`*name`) of aliases.
    ");
}

#[test]
fn a_file_that_is_no_text() {
    insta::assert_snapshot!(words([0x7f, b'E', b'L', b'F', 0, 0xff, 0xfe, 0x80, b'\n']), @r"
    error: `kilter.yaml` is not UTF-8 text (line 1).
      = Save the file as UTF-8; if it is a binary file, put the right one in its place.
    ");
    insta::assert_snapshot!(words(b"services:\0 []\n"), @r"
    error: `kilter.yaml` holds the control character U+0000.
      --> kilter.yaml:1:10
       |
    1  | services:� []
       |          ^
      = Delete the character; if it is a binary file, put the right one in its place.
    ");
}

#[test]
fn five_megabytes() {
    insta::assert_snapshot!(words("# a line that says nothing\n".repeat(5 * 1024 * 1024 / 27 + 1)), @r"
    error: `kilter.yaml` is too large: 5121 KiB, at most 1024.
      = A file of this kind is written by hand and small: check that it is the right file.
    ");
}

#[test]
fn a_link_that_leads_to_itself() {
    let project = quick("shop");
    kilter::fsx::remove(&project.root().join("kilter.yaml")).unwrap();
    symlink("kilter.yaml", project.root().join("kilter.yaml")).unwrap();
    insta::assert_snapshot!(refused(&project, &["render"], 3), @r"
    error: cannot read `[PROJECT]/kilter.yaml`: too many levels of symbolic links.
      = Check the path, then run the same command again.
    ");
}

#[test]
fn a_link_to_nothing_is_not_passed_over() {
    let project = quick("shop");
    kilter::fsx::remove(&project.root().join("kilter.yaml")).unwrap();
    symlink("elsewhere.yaml", project.root().join("kilter.yaml")).unwrap();
    for args in [&["render"][..], &["init", "--yes"]] {
        let said = refused(&project, args, 1);
        assert!(said.contains("is a link to nothing"), "{said}");
    }
}

#[test]
fn a_directory_in_its_place() {
    let project = Project::new("shop").file("kilter.yaml/x", "");
    insta::assert_snapshot!(refused(&project, &["render"], 1), @r"
    error: `[PROJECT]/kilter.yaml` is a directory.
      = A file of this name says what the project needs: move what is there elsewhere.
    ");
}

#[test]
fn a_pipe_in_its_place_is_not_waited_for() {
    for name in ["kilter.yaml", "kilter.lock"] {
        let project = quick("shop");
        let pipe = project.root().join(name);
        kilter::fsx::remove(&pipe).unwrap();
        kilter::exec::Invocation::new("/usr/bin/mkfifo").arg(pipe.to_str().unwrap()).capture().unwrap();
        let said = project.kilter(&["render"]).fails(1);
        assert!(said.starts_with(&format!("error: `[PROJECT]/{name}` is no ordinary file.\n")), "{said}");
        assert!(said.ends_with(": move what is there elsewhere.\n"), "{said}");
    }
}

#[test]
fn above_a_project_only_a_file_counts() {
    let project = Project::new("shop").file("kilter.yaml/x", "").file("web/go.mod", "module shop\n");
    let found = project.kilter(&["init", "--dry-run"]).cwd(&project.root().join("web")).succeeds();
    assert!(found.stdout.starts_with("name    web\n"), "{}", found.stdout);
}

#[test]
fn a_file_of_the_other_ending_is_not_passed_over() {
    let project = Project::new("shop").file("kilter.yml", "services: [redis]\n").file("deep/x", "");
    for args in [&["render"][..], &["init", "--yes"], &["add", "mailpit"], &["env"]] {
        for dir in [project.root(), project.root().join("deep")] {
            let said = project.kilter(args).cwd(&dir).fails(1);
            let said = said.trim_start_matches("looking at the project\n");
            insta::allow_duplicates! { insta::assert_snapshot!(said, @r"
            error: the file is named `kilter.yml`, and kilter reads `kilter.yaml`.
              = Rename it to kilter.yaml: `mv kilter.yml kilter.yaml`.
            "); }
        }
    }
    assert_eq!(names(&project.root()), ["deep/x", "kilter.yml"]);
}

#[test]
fn a_directory_without_a_name_to_take() {
    insta::assert_snapshot!(refused(&quick("+++"), &["render"], 1), @r"
    error: the directory name `+++` has nothing to make a project name of.
      = Write `name: my-project` into kilter.yaml.
    ");
    let project = quick("Ünser Laden (neu)");
    project.kilter(&["render"]).succeeds();
    assert!(project.cache().join("nser-laden-neu/manifests/postgres.yaml").is_file());
}

#[test]
fn several_problems_at_once() {
    insta::assert_snapshot!(words("port: 0\nservices: [postgres, {image: x}]\nenvironment: {}\n"), @r"
    error: `port` must be between 1 and 65535, not 0.
      --> kilter.yaml:1:7
       |
    1  | port: 0
       |       ^
      = Write a number in that range.

    error: entry 2 of `services` has no `name`.
      --> kilter.yaml:2:23
       |
    2  | services: [postgres, {image: x}]
       |                       ^^^^^
      = Add `name:` to it.

    error: unknown key `environment`.
      --> kilter.yaml:3:1
       |
    3  | environment: {}
       | ^^^^^^^^^^^
      = Did you mean `environments`?
    ");
}

#[test]
fn a_lock_that_is_damaged() {
    let project = quick("shop").file("kilter.lock", "helm: [\n");
    insta::assert_snapshot!(refused(&project, &["render"], 1), @r"
    error: `kilter.lock` is not what kilter writes: line 1: `[` is opened and never closed.
      = Restore it from version control; or delete it, and `kilter render` writes a new one with this kilter's versions.
    ");
    let project = quick("shop").file("kilter.lock", [0xff, 0xfe]);
    insta::assert_snapshot!(refused(&project, &["render"], 1), @r"
    error: `[PROJECT]/kilter.lock` is not a text file: byte 0 is not UTF-8.
      = Save the file as UTF-8 text.
    ");
}

#[test]
fn an_empty_file_is_fine() {
    for text in ["", "\n", "# only a comment\n", "---\n", "\u{feff}"] {
        let project = quick("shop").file("kilter.yaml", text);
        let output = project.kilter(&["render"]).succeeds();
        assert_eq!(output.stdout, "", "{text:?}");
        assert_eq!(names(&project.root()), ["kilter.lock", "kilter.yaml"], "{text:?}");
    }
    let project = Project::new("shop").helm_script(&super::quick_helm());
    assert_eq!(project.kilter(&["render"]).succeeds().stdout, "");
}

#[test]
fn a_file_without_end_of_line_and_with_crlf_is_fine() {
    let project = quick("shop").file("kilter.yaml", "services:\r\n  - postgres\r\n  - redis");
    project.kilter(&["render"]).succeeds();
    assert!(project.cache().join("shop/manifests/redis.yaml").is_file());
}
