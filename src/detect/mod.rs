//! What a project's own manifests say: which services it needs and how its app runs in dev.
//!
//! Pure: it reads a [`Tree`], never the disk, so that tests need none ([`DiskTree`] is the one on disk). Manifests only:
//! source files are never read, and nothing of the project is ever executed.
//!
//! ```text
//! Tree → one reader per ecosystem → Declared packages → rules of the catalog → Findings
//!                                 → the app: name, dev command, port, image, stack
//! ```

mod app;
mod brokers;
mod command;
mod compose;
mod confidence;
mod covered;
mod decide;
mod deno;
mod disk;
mod dockerfile;
mod dotnet;
mod elixir;
mod embedded;
mod env_files;
mod files;
mod findings;
mod forms;
mod go;
mod groups;
mod hosting;
mod json;
mod jsonc;
mod jvm;
mod lex;
mod many;
mod model;
mod moved;
mod node;
mod php;
mod places;
mod prisma;
mod production;
mod python;
mod ruby;
mod rules;
mod rust;
mod switches;
mod toml;
mod undeveloped;
mod unnamed;
mod versions;
mod xml;

#[cfg(test)]
mod malformed_tests;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub(crate) use command::is_plain as is_plain_command;
pub(crate) use command::port as port_of_command;
pub(crate) use command::reloads_as;
pub use confidence::SELECT;
pub use disk::DiskTree;
pub use forms::Form;
pub use model::{Detection, Evidence, Finding, Found, Production, Stack, Tree, Unreadable};
pub use moved::moved;
pub use production::GO_PROGRAM;
pub use rules::{ServiceRules, catalog_rules};

use crate::catalog::Ecosystem;
use confidence::Scope;
use files::Files;

/// Reads the manifests of a project and says what they say.
///
/// `rules` name the packages that reveal each service (see [`catalog_rules`]). Whatever cannot be read becomes a
/// warning of the result; detection itself never fails.
pub fn detect(tree: &dyn Tree, rules: &[ServiceRules<'_>]) -> Detection {
    let files = Files::new(tree);
    let node = node::read(&files);
    let python = python::read(&files);
    let go = go::read(&files);
    let mut declared = node::declared(&node);
    declared.extend(python::declared(&python));
    declared.extend(go::declared(&go));
    declared.extend(prisma::declared(&files));
    let (jvm, dotnet, rust, deno) = (jvm::read(&files), dotnet::read(&files), rust::read(&files), deno::read(&files));
    let other = app::Other { ruby: ruby::read(&files), php: php::read(&files), elixir: elixir::read(&files) };
    declared.extend(jvm::declared(&files, &jvm));
    declared.extend(dotnet::declared(&dotnet));
    declared.extend(rust::declared(&rust));
    declared.extend(deno::declared(&deno));
    declared.extend(ruby::declared(&files, &other.ruby));
    declared.extend(php::declared(&other.php));
    declared.extend(elixir::declared(&other.elixir));
    declared.extend(env_files::declared(&files, php::with_committed_env(&other.php)));
    let mut ready = jvm::candidates(&files, &jvm);
    ready.extend(dotnet::candidates(&files, &dotnet));
    ready.extend(rust::candidates(&files, &rust));
    ready.extend(deno::candidates(&files, &deno));
    declared.extend(hosting::declared(&files));
    let mut detection = app::describe(&files, &node, &python, &go, &other, ready);
    declared.extend(compose::declared(&files, &app::own_names(&detection)));
    take_back_what_is_beside(&files, &mut declared);
    take_back_what_is_added(&mut declared);
    groups::take_one(&mut declared, rules);
    detection.findings = findings::find(&declared, rules);
    detection.forms = forms::find(&declared, &dotnet::connection_strings(&files), &detection.findings, rules);
    detection.named = forms::named(&declared);
    detection.warnings = tree.problems().to_vec();
    detection.warnings.extend(files.into_warnings());
    detection
}

/// Takes what stands in a module of tests or examples for what development needs. Such a module is the app itself where nothing
/// else says what the app needs.
fn take_back_what_is_beside(files: &Files<'_>, declared: &mut [rules::Declared]) {
    let beside = places::Beside::new(files.all());
    let says = |one: &rules::Declared| {
        !matches!(one.ecosystem, Ecosystem::Env | Ecosystem::Compose)
            && matches!(one.scope, Scope::Runtime | Scope::Production)
            && !beside.is_in_one(&one.file)
    };
    let has_others = declared.iter().any(says);
    for one in declared.iter_mut().filter(|one| beside.has(&one.file, has_others)) {
        one.for_tests();
    }
}

/// Makes an option of what stands in a directory of what a user adds (`plugins`), also of what its tests start, where something else
/// says what the app needs.
fn take_back_what_is_added(declared: &mut [rules::Declared]) {
    let says = |one: &rules::Declared| {
        !matches!(one.ecosystem, Ecosystem::Env | Ecosystem::Compose)
            && matches!(one.scope, Scope::Runtime | Scope::Production)
    };
    if !declared.iter().any(|one| says(one) && !places::is_added(&one.file)) {
        return;
    }
    let says = |one: &rules::Declared| says(one) || one.scope == Scope::Dev;
    declared.iter_mut().filter(|one| says(one) && places::is_added(&one.file)).for_each(|one| {
        one.scope = Scope::Aside("in what a user adds to the product".into());
    });
}
