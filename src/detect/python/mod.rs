//! Python: requirements files, pyproject.toml (PEP 621, PEP 735 groups, Poetry, uv, PDM, Hatch, Rye, Pixi), pixi.toml, Pipfile,
//! setup.cfg, setup.py, conda's environments.

mod app;
mod brackets;
mod requirements;
mod setup_py;

pub(super) use app::{candidates, stack};
pub(super) use requirements::is_requirements;

use super::confidence::Scope;
use super::files::Files;
use super::places::{join, split};
use super::rules::Declared;
use super::toml::Toml;
use crate::catalog::Ecosystem;
use requirements::{Fault, Requirement, requirement};

/// What one Python manifest declares.
pub(super) struct PythonManifest {
    /// Directory of the project it belongs to, empty for the root: a folder `requirements` belongs to the one above it.
    pub dir: String,
    pub file: String,
    pub kind: Kind,
    pub packages: Vec<(Requirement, Scope)>,
}

/// Which manifest it is, with its contents where the app's facts need them.
pub(super) enum Kind {
    /// Whether pip needs more of the project than requirements files to install it.
    Requirements {
        needs_sources: bool,
    },
    Pyproject(Toml),
    Pipfile(Toml),
    SetupCfg,
    /// A form that only says what is needed: setup.py, an environment of conda or Pixi.
    Said,
}

/// What pyproject.toml and a Pipfile have as tables.
const TABLES: [&str; 9] = [
    "project",
    "project.optional-dependencies",
    "dependency-groups",
    "tool.poetry.dependencies",
    "tool.poetry.dev-dependencies",
    "tool.poetry.group",
    "tool.poetry.group.*.dependencies",
    "packages",
    "dev-packages",
];

/// What they have as lists.
const LISTS: [&str; 3] = ["project.dependencies", "project.optional-dependencies.*", "dependency-groups.*"];

impl PythonManifest {
    /// Tells whether kilter installs the app by this manifest.
    fn installs(&self) -> bool {
        !matches!(self.kind, Kind::Said)
    }
}

/// Reads every Python manifest of the project, sorted by path.
pub(super) fn read(files: &Files<'_>) -> Vec<PythonManifest> {
    let mut manifests = Vec::new();
    for path in files.all() {
        let (dir, name) = split(path);
        let manifest = match name {
            "pyproject.toml" => read_toml(files, path).map(|toml| {
                let asked = own_extras(files, dir);
                (pyproject(files, dir, &toml, &asked), Kind::Pyproject(toml))
            }),
            "setup.py" => files.read(path).map(|text| {
                told(files, path, &text, brackets::fault(&text));
                (setup_py::setup_py(&text), Kind::Said)
            }),
            "environment.yml" | "environment.yaml" => files.read(path).map(|text| {
                if let Some((line, column, message)) = setup_py::fault_of_environment(&text) {
                    files.malformed(path, &text, line, column, &message);
                }
                (setup_py::environment(&text), Kind::Said)
            }),
            "pixi.toml" => read_toml(files, path).map(|toml| {
                let mut found = Vec::new();
                pixi(&toml, &mut found);
                (found, Kind::Said)
            }),
            "Pipfile" => read_toml(files, path).map(|toml| (pipfile(&toml), Kind::Pipfile(toml))),
            "setup.cfg" => files.read(path).map(|text| {
                let (packages, fault) = requirements::setup_cfg(&text);
                told(files, path, &text, fault);
                (packages, Kind::SetupCfg)
            }),
            _ if requirements::is_requirements(path) && !requirements::is_compiled(files, path) => {
                requirements::read(files, path)
                    .map(|(packages, needs_sources)| (packages, Kind::Requirements { needs_sources }))
            }
            _ => None,
        };
        let Some((packages, kind)) = manifest else { continue };
        let dir = match dir.strip_suffix("requirements") {
            Some(above) if matches!(kind, Kind::Requirements { .. }) => above.trim_end_matches('/'),
            _ => dir,
        };
        manifests.push(PythonManifest { dir: dir.into(), file: path.into(), kind, packages });
    }
    manifests
}

/// Warns of a fault, if there is one.
fn told(files: &Files<'_>, path: &str, text: &str, fault: Option<Fault>) {
    if let Some((line, message)) = fault {
        files.malformed(path, text, line, 1, message);
    }
}

/// Returns what the manifests declare.
pub(super) fn declared(manifests: &[PythonManifest]) -> Vec<Declared> {
    let one = |file: &str, (package, scope): &(Requirement, Scope)| Declared {
        ecosystem: Ecosystem::Python,
        name: package.name.clone(),
        extras: package.extras.clone(),
        scope: scope.clone(),
        file: file.into(),
        line: package.line,
    };
    manifests
        .iter()
        .flat_map(|manifest| manifest.packages.iter().map(move |package| one(&manifest.file, package)))
        .collect()
}

fn read_toml(files: &Files<'_>, path: &str) -> Option<Toml> {
    let text = files.read(path)?;
    let toml = Toml::parse(files, path, &text)?;
    toml.expect(files, path, &text, &TABLES, &LISTS);
    Some(toml)
}

/// Returns the extras of the project itself that the requirements files for its app ask for.
fn own_extras(files: &Files<'_>, dir: &str) -> Vec<String> {
    let names = ["requirements.txt", "requirements.in", "requirements/base.txt", "requirements/production.txt"];
    let texts = names.into_iter().filter_map(|name| files.read_if_there(&join(dir, name)));
    texts.flat_map(|text| requirements::own_extras(&text)).collect()
}

/// Reads the files that `[tool.setuptools.dynamic]` takes the dependencies from
/// (<https://setuptools.pypa.io/en/latest/userguide/pyproject_config.html#dynamic-metadata>). Requirements files are manifests
/// themselves.
fn dynamic(files: &Files<'_>, dir: &str, toml: &Toml, found: &mut Vec<(Requirement, Scope)>) {
    let Some(said) = toml.get(&["tool", "setuptools", "dynamic", "dependencies", "file"]) else { return };
    let names = said.text().into_iter().chain(said.list().iter().filter_map(Toml::text));
    for path in names.map(|name| join(dir, name)).filter(|path| !is_requirements(path)) {
        let packages = files.read_named(&path).map(|text| requirements::parse(&text)).unwrap_or_default();
        // The place is that of the table, as the manifest is this file.
        found.extend(packages.into_iter().map(|one| (Requirement { line: said.line, ..one }, Scope::Runtime)));
    }
}

/// Reads every place where pyproject.toml declares packages. Build requirements are not among them. `asked` are the extras
/// that are installed with the app.
fn pyproject(files: &Files<'_>, dir: &str, toml: &Toml, asked: &[String]) -> Vec<(Requirement, Scope)> {
    let mut found = Vec::new();
    dynamic(files, dir, toml, &mut found);
    strings(toml.get(&["project", "dependencies"]), &Scope::Runtime, &mut found);
    for extras in [toml.get(&["project", "optional-dependencies"]), toml.get(&["tool", "pdm", "dev-dependencies"])] {
        for (name, _, list) in extras.map(Toml::entries).unwrap_or_default() {
            let scope = if asked.contains(name) { Scope::Runtime } else { Scope::of_group(name) };
            strings(Some(list), &scope, &mut found);
        }
    }
    // PEP 735: groups are for those who develop the project; `{include-group = …}` repeats another one.
    let default = toml.get(&["tool", "uv", "default-groups"]);
    for (name, _, list) in toml.get(&["dependency-groups"]).map(Toml::entries).unwrap_or_default() {
        let scope = match Scope::of_group(name) {
            // https://docs.astral.sh/uv/concepts/projects/dependencies/#default-groups
            Scope::Extra(_) if default.is_some_and(|groups| names_group(groups, name)) => Scope::Runtime,
            scope => scope,
        };
        strings(Some(list), &scope, &mut found);
    }
    // https://rye.astral.sh/guide/pyproject/#toolryedev-dependencies
    for tool in ["uv", "rye"] {
        strings(toml.get(&["tool", tool, "dev-dependencies"]), &Scope::Dev, &mut found);
    }
    if let Some(toml) = toml.get(&["tool", "pixi"]) {
        pixi(toml, &mut found);
    }
    for (name, _, environment) in toml.get(&["tool", "hatch", "envs"]).map(Toml::entries).unwrap_or_default() {
        let scope = if name == "default" { Scope::Dev } else { Scope::of_group(name) };
        strings(environment.get(&["dependencies"]), &scope, &mut found);
    }
    // https://python-poetry.org/docs/pyproject
    table(toml.get(&["tool", "poetry", "dependencies"]), &Scope::Runtime, &mut found);
    table(toml.get(&["tool", "poetry", "dev-dependencies"]), &Scope::Dev, &mut found);
    for (name, _, group) in toml.get(&["tool", "poetry", "group"]).map(Toml::entries).unwrap_or_default() {
        let optional = is_true(group.get(&["optional"]));
        let scope = match Scope::of_group(name) {
            // A group of Poetry is installed unless it is said to be optional.
            Scope::Extra(_) if !optional => Scope::Runtime,
            scope => scope,
        };
        table(group.get(&["dependencies"]), &scope, &mut found);
    }
    found
}

/// Reads the dependencies of Pixi, those of conda and those of PyPI, with those of platforms and features
/// (<https://pixi.prefix.dev/latest/reference/pixi_manifest/>). A feature that the default environment has is always installed.
fn pixi(toml: &Toml, found: &mut Vec<(Requirement, Scope)>) {
    let default = toml.get(&["environments", "default"]);
    let default = default.map(|listed| listed.get(&["features"]).unwrap_or(listed));
    let features = toml.get(&["feature"]).map(Toml::entries).unwrap_or_default().iter().map(|(name, _, feature)| {
        let is_default = default.is_some_and(|groups| names_group(groups, name));
        (feature, if is_default { Scope::Runtime } else { Scope::of_group(name) })
    });
    for (part, scope) in std::iter::once((toml, Scope::Runtime)).chain(features) {
        let targets = part.get(&["target"]).map(Toml::entries).unwrap_or_default().iter().map(|(_, _, target)| target);
        for place in std::iter::once(part).chain(targets) {
            table(place.get(&["dependencies"]), &scope, found);
            table(place.get(&["pypi-dependencies"]), &scope, found);
        }
    }
}

/// Reads a Pipfile (<https://pipenv.pypa.io/en/latest/pipfile.html>).
fn pipfile(toml: &Toml) -> Vec<(Requirement, Scope)> {
    let mut found = Vec::new();
    for (name, _, section) in toml.entries() {
        let scope = match name.as_str() {
            "packages" => Scope::Runtime,
            "dev-packages" => Scope::Dev,
            "source" | "requires" | "scripts" | "pipenv" => continue,
            category => Scope::of_group(category),
        };
        table(Some(section), &scope, &mut found);
    }
    found
}

/// Tells whether a list of groups has this one: `all` is every one.
fn names_group(groups: &Toml, name: &str) -> bool {
    groups.text() == Some("all") || groups.list().iter().any(|group| group.text() == Some(name))
}

/// Tells whether a value is `true`.
fn is_true(value: Option<&Toml>) -> bool {
    value.is_some_and(|value| value.kind == super::toml::Kind::True)
}

/// Reads a list of requirement strings.
fn strings(list: Option<&Toml>, scope: &Scope, found: &mut Vec<(Requirement, Scope)>) {
    for entry in list.map(Toml::list).unwrap_or_default() {
        if let Some(package) = entry.text().and_then(|text| requirement(text, entry.line)) {
            found.push((package, scope.clone()));
        }
    }
}

/// Reads a table of `name = "version"` or `name = {version = …, extras = […], optional = true}`.
fn table(entries: Option<&Toml>, scope: &Scope, found: &mut Vec<(Requirement, Scope)>) {
    for (name, line, value) in entries.map(Toml::entries).unwrap_or_default() {
        let extras = value.get(&["extras"]).map(Toml::list).unwrap_or_default();
        let extras = extras.iter().filter_map(Toml::text).map(str::to_owned).collect();
        // Whatever is said to be optional is installed through an extra only.
        let optional = is_true(value.get(&["optional"]));
        let scope = if optional && *scope == Scope::Runtime { Scope::Optional } else { scope.clone() };
        found.push((Requirement { name: name.clone(), extras, line: *line }, scope));
    }
}

#[cfg(test)]
mod tests;
