//! Bad input, each with the exact message.

use crate::support::project::Project;

#[test]
fn an_unknown_key() {
    let project = Project::new("shop").file("kilter.yaml", "servces: [postgres]\n");
    insta::assert_snapshot!(project.kilter(&["render"]).fails(1), @r"
    error: unknown key `servces`.
      --> kilter.yaml:1:1
       |
    1  | servces: [postgres]
       | ^^^^^^^
      = Did you mean `services`?
    ");
}
