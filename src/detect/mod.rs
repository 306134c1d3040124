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
mod command;
mod confidence;
mod deno;
mod disk;
mod dockerfile;
mod dotnet;
mod files;
mod findings;
mod go;
mod json;
mod jvm;
mod model;
mod moved;
mod node;
mod places;
mod prisma;
mod production;
mod python;
mod rules;
mod rust;
mod toml;
mod versions;
mod xml;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub(crate) use command::is_plain as is_plain_command;
pub(crate) use command::port as port_of_command;
pub(crate) use command::reloads_as;
pub use confidence::SELECT;
pub use disk::DiskTree;
pub use model::{Detection, Evidence, Finding, Found, Production, Stack, Tree};
pub use moved::moved;
pub use production::GO_PROGRAM;
pub use rules::{ServiceRules, catalog_rules};

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
    let jvm = jvm::read(&files);
    let dotnet = dotnet::read(&files);
    let rust = rust::read(&files);
    let deno = deno::read(&files);
    declared.extend(jvm::declared(&jvm));
    declared.extend(dotnet::declared(&dotnet));
    declared.extend(rust::declared(&rust));
    declared.extend(deno::declared(&deno));
    let mut others = jvm::candidates(&files, &jvm);
    others.extend(dotnet::candidates(&files, &dotnet));
    others.extend(rust::candidates(&files, &rust));
    others.extend(deno::candidates(&files, &deno));
    let mut detection = app::describe(&files, &node, &python, &go, others);
    detection.findings = findings::find(&declared, rules);
    detection.warnings = files.into_warnings();
    detection
}
