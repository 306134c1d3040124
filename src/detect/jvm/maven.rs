//! Maven: every pom.xml (<https://maven.apache.org/pom.html>).

use std::collections::HashMap;

use roxmltree::Node;

use super::{Build, JvmProject, Plugin};
use crate::catalog::Ecosystem;
use crate::detect::confidence::Scope;
use crate::detect::files::Files;
use crate::detect::places::{join, split};
use crate::detect::rules::Declared;
use crate::detect::xml::{Xml, at, children, text, text_at};

/// How many parents above a pom are asked, and how often a property may name another one.
const MAX_DEPTH: usize = 8;

/// What one pom.xml says by itself.
struct Pom {
    file: String,
    parent: Option<String>,
    artifact: Option<(String, usize)>,
    packaging: Option<String>,
    properties: HashMap<String, String>,
    /// `dependencyManagement`: scope and optionality of `group:artifact`.
    managed: HashMap<String, (Option<String>, bool)>,
    dependencies: Vec<Dependency>,
    plugins: Vec<Plugin>,
    java: Option<(u32, usize)>,
}

/// A dependency as it is written, with the scope of the place it stands in.
struct Dependency {
    group: String,
    artifact: String,
    scope: Option<String>,
    optional: bool,
    place: Scope,
    line: usize,
}

/// Reads every pom.xml.
pub(super) fn read(files: &Files<'_>) -> Vec<JvmProject> {
    let poms: Vec<Pom> = files.named("pom.xml").filter_map(|path| one(files, path)).collect();
    let by_file: HashMap<&str, &Pom> = poms.iter().map(|pom| (pom.file.as_str(), pom)).collect();
    poms.iter().map(|pom| project(pom, &by_file)).collect()
}

fn one(files: &Files<'_>, path: &str) -> Option<Pom> {
    let text = files.read(path)?;
    let xml = Xml::parse(files, path, &text)?;
    let root = xml.root();
    let mut pom = Pom {
        file: path.into(),
        parent: parent(path, root),
        artifact: at(root, &["artifactId"]).and_then(|node| Some((self::text(node)?.to_owned(), xml.line(node)))),
        packaging: text_at(root, &["packaging"]).map(str::to_owned),
        properties: properties(root),
        managed: HashMap::new(),
        dependencies: Vec::new(),
        plugins: Vec::new(),
        java: java(&xml, root),
    };
    for dependency in list(root, &["dependencyManagement", "dependencies"], "dependency") {
        if let Some(name) = coordinate(dependency) {
            let scope = text_at(dependency, &["scope"]).map(str::to_owned);
            pom.managed.insert(name, (scope, is_optional(dependency)));
        }
    }
    pom.add(&xml, root, &Scope::Runtime);
    for profile in list(root, &["profiles"], "profile") {
        let scope = profile_scope(profile);
        pom.add(&xml, profile, &scope);
    }
    Some(pom)
}

/// Tells the scope of a profile: one that is active unless it is switched off is the project itself; others by their name.
fn profile_scope(profile: Node<'_, '_>) -> Scope {
    if text_at(profile, &["activation", "activeByDefault"]) == Some("true") {
        return Scope::Runtime;
    }
    Scope::of_group(text_at(profile, &["id"]).unwrap_or("default"))
}

impl Pom {
    /// Takes up the dependencies and plugins of the project or of a profile.
    fn add(&mut self, xml: &Xml<'_>, node: Node<'_, '_>, place: &Scope) {
        self.add_dependencies(xml, node, place);
        for plugin in list(node, &["build", "plugins"], "plugin") {
            let artifact = text_at(plugin, &["artifactId"]).unwrap_or_default();
            self.plugins.push(Plugin { id: artifact.to_owned(), line: xml.line(plugin) });
            // What a plugin uses while it builds: a driver for the schema that code is made from, and the like.
            self.add_dependencies(xml, plugin, &Scope::Dev);
        }
    }

    fn add_dependencies(&mut self, xml: &Xml<'_>, node: Node<'_, '_>, place: &Scope) {
        for dependency in list(node, &["dependencies"], "dependency") {
            let (Some(group), Some(artifact)) =
                (text_at(dependency, &["groupId"]), text_at(dependency, &["artifactId"]))
            else {
                continue;
            };
            self.dependencies.push(Dependency {
                group: group.into(),
                artifact: artifact.into(),
                scope: text_at(dependency, &["scope"]).map(str::to_owned),
                optional: is_optional(dependency),
                place: place.clone(),
                line: xml.line(dependency),
            });
        }
    }
}

fn list<'a, 't: 'a>(
    node: Node<'a, 't>,
    path: &[&'static str],
    name: &'static str,
) -> impl Iterator<Item = Node<'a, 't>> + use<'a, 't> {
    at(node, path).into_iter().flat_map(move |node| children(node, name))
}

fn coordinate(dependency: Node<'_, '_>) -> Option<String> {
    Some(format!("{}:{}", text_at(dependency, &["groupId"])?, text_at(dependency, &["artifactId"])?))
}

fn is_optional(dependency: Node<'_, '_>) -> bool {
    text_at(dependency, &["optional"]) == Some("true")
}

/// Returns the path of the parent's pom.xml as far as it is in the project: `../pom.xml` unless it is said to be elsewhere.
fn parent(path: &str, root: Node<'_, '_>) -> Option<String> {
    let parent = at(root, &["parent"])?;
    let relative = match at(parent, &["relativePath"]) {
        // An empty one says that the parent comes from a repository.
        Some(node) => text(node)?,
        None => "../pom.xml",
    };
    let relative = if relative.ends_with(".xml") { relative.to_owned() } else { join(relative, "pom.xml") };
    super::relative(split(path).0, &relative)
}

fn properties(root: Node<'_, '_>) -> HashMap<String, String> {
    let mut properties: HashMap<String, String> = at(root, &["properties"])
        .into_iter()
        .flat_map(|node| node.children().filter(Node::is_element))
        .filter_map(|node| Some((node.tag_name().name().to_owned(), text(node)?.to_owned())))
        .collect();
    let group = text_at(root, &["groupId"]).or_else(|| text_at(root, &["parent", "groupId"]));
    let own = [
        ("groupId", group),
        ("artifactId", text_at(root, &["artifactId"])),
        ("parent.groupId", text_at(root, &["parent", "groupId"])),
    ];
    for (name, value) in own {
        let Some(value) = value else { continue };
        for prefix in ["project.", "pom."] {
            properties.insert(format!("{prefix}{name}"), value.to_owned());
        }
    }
    properties
}

fn java(xml: &Xml<'_>, root: Node<'_, '_>) -> Option<(u32, usize)> {
    let names = ["java.version", "maven.compiler.release", "maven.compiler.source", "maven.compiler.target"];
    names.iter().find_map(|name| {
        let node = at(root, &["properties"]).and_then(|node| children(node, name).next())?;
        Some((super::java_major(text(node)?)?, xml.line(node)))
    })
}

/// Settles what depends on the parents: properties, managed scopes, plugins.
fn project(pom: &Pom, poms: &HashMap<&str, &Pom>) -> JvmProject {
    let mut lineage = vec![pom];
    while let Some(parent) = lineage.last().and_then(|pom| poms.get(pom.parent.as_deref()?)) {
        if lineage.len() == MAX_DEPTH {
            break;
        }
        lineage.push(parent);
    }
    let packages = pom.dependencies.iter().map(|dependency| {
        let group = filled(&dependency.group, &lineage);
        let name = format!("{group}:{}", filled(&dependency.artifact, &lineage));
        Declared {
            ecosystem: Ecosystem::Jvm,
            scope: scope(dependency, &name, &lineage),
            name,
            extras: Vec::new(),
            file: pom.file.clone(),
            line: dependency.line,
        }
    });
    let inherited = lineage.iter().skip(1).flat_map(|parent| parent.plugins.iter());
    let plugins = pom.plugins.iter().cloned().chain(inherited.map(|plugin| Plugin { line: 1, ..plugin.clone() }));
    let is_app = pom.packaging.as_deref() != Some("pom");
    JvmProject {
        dir: split(&pom.file).0.into(),
        file: pom.file.clone(),
        build: Build::Maven,
        name: pom.artifact.clone(),
        packages: packages.collect(),
        plugins: if is_app { plugins.collect() } else { Vec::new() },
        java: lineage.iter().find_map(|pom| pom.java),
    }
}

/// Tells the scope: what the dependency says, else what is managed for it
/// (<https://maven.apache.org/guides/introduction/introduction-to-dependency-mechanism.html>).
fn scope(dependency: &Dependency, name: &str, lineage: &[&Pom]) -> Scope {
    let managed = lineage.iter().find_map(|pom| pom.managed.get(name));
    let said = dependency.scope.as_deref().or_else(|| managed.and_then(|(scope, _)| scope.as_deref()));
    let optional = dependency.optional || managed.is_some_and(|(_, optional)| *optional);
    match said.map(|said| filled(said, lineage)).as_deref() {
        Some("test") => Scope::Dev,
        // What runs the app brings it along.
        Some("provided" | "system") => Scope::Optional,
        _ if optional => Scope::Optional,
        _ => dependency.place.clone(),
    }
}

/// Fills in `${property}`, from the pom or its parents; what nobody says stays as it is.
fn filled(text: &str, lineage: &[&Pom]) -> String {
    let mut out = text.to_owned();
    for _ in 0..MAX_DEPTH {
        let Some(start) = out.find("${") else { break };
        let Some(length) = out[start..].find('}') else { break };
        let name = &out[start + 2..start + length];
        let Some(value) = lineage.iter().find_map(|pom| pom.properties.get(name)) else { break };
        if value.len() > 256 {
            break;
        }
        out = format!("{}{value}{}", &out[..start], &out[start + length + 1..]);
    }
    out
}
