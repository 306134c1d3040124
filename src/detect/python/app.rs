//! How a Python app runs in dev.

use std::collections::BTreeSet;

use super::{Kind, PythonManifest};
use crate::catalog::Ecosystem;
use crate::detect::app::Candidate;
use crate::detect::command;
use crate::detect::files::Files;
use crate::detect::model::{Found, Stack};
use crate::detect::places::join;
use crate::detect::rules::canonical;
use crate::detect::toml::Toml;
use crate::detect::versions;

/// A web framework: package, port of its own dev server.
struct Framework {
    package: &'static str,
    port: u16,
}

/// Frameworks, those that stand on others first. Ports as documented: docs.djangoproject.com/en/stable/ref/django-admin/#runserver,
/// fastapi.tiangolo.com/fastapi-cli, flask.palletsprojects.com/en/stable/cli, docs.litestar.dev, www.uvicorn.org/settings,
/// docs.streamlit.io, sanic.dev/en/guide/running, docs.aiohttp.org.
const FRAMEWORKS: [Framework; 9] = [
    Framework { package: "django", port: 8000 },
    Framework { package: "fastapi", port: 8000 },
    Framework { package: "litestar", port: 8000 },
    Framework { package: "flask", port: 5000 },
    Framework { package: "quart", port: 5000 },
    Framework { package: "streamlit", port: 8501 },
    Framework { package: "sanic", port: 8000 },
    Framework { package: "starlette", port: 8000 },
    Framework { package: "aiohttp", port: 8080 },
];

/// Those of them whose app is their own: the others are libraries that an app of Django may use, too.
const SERVERS: [&str; 6] = ["fastapi", "flask", "litestar", "quart", "sanic", "streamlit"];

/// Files in which the app object of FastAPI and the like usually is, the likeliest first, with the name to import.
const ENTRIES: [(&str, &str); 8] = [
    ("main.py", "main"),
    ("app.py", "app"),
    ("app/main.py", "app.main"),
    ("src/main.py", "src.main"),
    ("api/main.py", "api.main"),
    ("server.py", "server"),
    ("app/app.py", "app.app"),
    ("app/__init__.py", "app"),
];

/// Describes the app of every directory that has Python manifests.
pub(in crate::detect) fn candidates(files: &Files<'_>, manifests: &[PythonManifest]) -> Vec<Candidate> {
    let manifests: Vec<&PythonManifest> = manifests.iter().filter(|manifest| manifest.installs()).collect();
    let dirs: BTreeSet<&str> = manifests.iter().map(|manifest| manifest.dir.as_str()).collect();
    dirs.into_iter()
        .map(|dir| {
            let project =
                Project { files, dir, manifests: manifests.iter().copied().filter(|m| m.dir == dir).collect() };
            project.candidate()
        })
        .collect()
}

/// Returns how the app in `dir` is installed; whether it reloads is for the caller to fill in.
pub(in crate::detect) fn stack(files: &Files<'_>, manifests: &[PythonManifest], dir: &str) -> Option<Stack> {
    let manifests: Vec<_> = manifests.iter().filter(|manifest| manifest.dir == dir && manifest.installs()).collect();
    (!manifests.is_empty()).then(|| Project { files, dir, manifests }.stack())
}

/// One directory with its manifests; there is at least one.
struct Project<'a> {
    files: &'a Files<'a>,
    dir: &'a str,
    manifests: Vec<&'a PythonManifest>,
}

impl Project<'_> {
    fn candidate(&self) -> Candidate {
        let framework = FRAMEWORKS.iter().find_map(|known| self.package(known.package).map(|at| (known, at)));
        let dev = self.dev(framework.as_ref().map(|(known, _)| known.package));
        let port = dev
            .as_ref()
            .and_then(|dev| command::port(&dev.value).map(|port| Found { value: port, ..with_note(dev) }))
            .or_else(|| {
                framework.as_ref().map(|(known, (file, line))| {
                    Found::new(known.port, file, *line, format!("the default of {}", known.package))
                })
            });
        let reloads = dev.as_ref().is_some_and(|dev| command::reloads(&dev.value));
        Candidate {
            dir: self.dir.into(),
            ecosystem: Ecosystem::Python,
            name: self.name(),
            serves: framework.is_some(),
            fixed_port: dev.is_some(),
            dev,
            port,
            image: self.image(),
            reloads,
        }
    }

    /// Returns file and line of a package that is declared in any scope.
    fn package(&self, name: &str) -> Option<(String, usize)> {
        self.manifests.iter().find_map(|manifest| {
            let found =
                manifest.packages.iter().find(|(package, _)| canonical(Ecosystem::Python, &package.name) == name)?;
            Some((manifest.file.clone(), found.0.line))
        })
    }

    /// Tells whether Django is among the packages, or something that is made for it and brings it.
    fn is_of_django(&self) -> bool {
        let packages = self.manifests.iter().flat_map(|manifest| &manifest.packages);
        let mut names = packages.map(|(package, _)| canonical(Ecosystem::Python, &package.name));
        names.any(|name| ["django", "wagtail"].iter().any(|start| name.starts_with(start)))
    }

    fn pyproject(&self) -> Option<(&PythonManifest, &Toml)> {
        self.manifests.iter().find_map(|manifest| match &manifest.kind {
            Kind::Pyproject(toml) => Some((*manifest, toml)),
            _ => None,
        })
    }

    fn dev(&self, framework: Option<&str>) -> Option<Found<String>> {
        let has = |path: &str| self.files.has(&join(self.dir, path));
        let manage = if has("manage.py") {
            // Apps of other frameworks have a script of this name for their own commands.
            let is_theirs = framework.is_some_and(|name| SERVERS.contains(&name)) && !self.is_of_django();
            (!is_theirs).then(|| "manage.py".to_owned())
        } else {
            // One directory down it is this project's only if Django is.
            framework.filter(|name| *name == "django").and_then(|_| self.one_below("manage.py"))
        };
        if let Some(manage) = manage {
            let command = format!("python {} runserver 0.0.0.0:8000", command::quote(&manage));
            return Some(Found::new(command, join(self.dir, &manage), 1, "Django's own dev server"));
        }
        let usual = ENTRIES.iter().find(|(file, _)| has(file));
        let entry = usual.map(|(file, module)| ((*file).to_owned(), (*module).to_owned())).or_else(|| {
            let file = self.one_below("main.py")?;
            let module = file.strip_suffix(".py")?.replace('/', ".");
            is_module(&module).then_some((file, module))
        });
        let declared = self.pyproject().and_then(|(manifest, toml)| {
            let entry = toml.get(&["tool", "fastapi", "entrypoint"])?.text()?;
            Some((manifest.file.clone(), entry.split(':').next()?.to_owned())).filter(|(_, module)| is_module(module))
        });
        match framework? {
            name @ ("fastapi" | "starlette" | "litestar" | "quart") => {
                let (file, module) =
                    declared.or_else(|| entry.map(|(file, module)| (join(self.dir, &file), module)))?;
                let port = if name == "quart" { 5000 } else { 8000 };
                let command = format!("uvicorn {module}:app --host 0.0.0.0 --port {port} --reload");
                Some(Found::new(command, file, 1, format!("the usual entry of {name}")))
            }
            "flask" => {
                let (file, app) = self.flask_app(entry)?;
                let command = format!("flask --app {app} run --host 0.0.0.0 --port 5000 --debug");
                Some(Found::new(command, join(self.dir, &file), 1, "the usual entry of flask"))
            }
            "streamlit" => {
                let (file, _) = entry?;
                let command =
                    format!("streamlit run {} --server.address 0.0.0.0 --server.port 8501", command::quote(&file));
                Some(Found::new(command, join(self.dir, &file), 1, "the usual entry of streamlit"))
            }
            _ => None,
        }
    }

    /// Returns where Flask's app is, as `flask --app` takes it, and the file that says so: `FLASK_APP` in `.flaskenv`, a usual entry,
    /// `wsgi.py`, or a package with the project's name (<https://flask.palletsprojects.com/en/stable/tutorial/layout/>).
    fn flask_app(&self, entry: Option<(String, String)>) -> Option<(String, String)> {
        let has = |path: &str| self.files.has(&join(self.dir, path));
        let text = self.files.read_if_there(&join(self.dir, ".flaskenv")).unwrap_or_default();
        let set = text.lines().find_map(|line| {
            let value = line.trim().trim_start_matches("export ").strip_prefix("FLASK_APP=")?;
            Some(value.trim().trim_matches(['"', '\'']).to_owned())
        });
        let is_plain = |app: &String| is_module(&app.replace(['/', ':'], "."));
        if let Some(app) = set.filter(is_plain) {
            return Some((".flaskenv".into(), app));
        }
        let package = || {
            let name = self.name()?.value.replace('-', "_");
            let dirs = [name.clone(), format!("src/{name}")];
            let dir = dirs.into_iter().find(|dir| is_plain(dir) && has(&format!("{dir}/__init__.py")))?;
            Some((format!("{dir}/__init__.py"), dir))
        };
        let wsgi = || has("wsgi.py").then(|| ("wsgi.py".to_owned(), "wsgi".to_owned()));
        entry.or_else(wsgi).or_else(package)
    }

    /// Returns the only file of this name one directory down, relative to the project; nothing when there are several.
    fn one_below(&self, name: &str) -> Option<String> {
        let prefix = join(self.dir, "");
        let relative = self.files.named(name).filter_map(|path| path.strip_prefix(prefix.as_str()));
        let mut found = relative.filter(|path| path.matches('/').count() == 1);
        let only = found.next()?;
        found.next().is_none().then(|| only.to_owned())
    }

    fn name(&self) -> Option<Found<String>> {
        let (manifest, toml) = self.pyproject()?;
        let name = toml.get(&["project", "name"]).or_else(|| toml.get(&["tool", "poetry", "name"]))?;
        Some(Found::new(name.text()?.to_owned(), &manifest.file, name.line, "the name in pyproject.toml"))
    }

    /// Returns the small image of the version that is asked for, or the whole one where a package is compiled as it is installed.
    fn image(&self) -> Option<Found<String>> {
        let mut image = self.image_of("-slim")?;
        let all = || self.manifests.iter().flat_map(|manifest| &manifest.packages);
        let is_compiled = |(name, extra): &&(&str, Option<&str>)| {
            all().any(|(package, _)| {
                let has = |wanted: &str| package.extras.iter().any(|extra| extra == wanted);
                canonical(Ecosystem::Python, &package.name) == *name && extra.is_none_or(has)
            })
        };
        if let Some((package, _)) = COMPILED.iter().find(is_compiled) {
            image = self.image_of("")?;
            image.note = format!("{}, with the compiler that {package} needs", image.note);
        }
        Some(image)
    }

    fn image_of(&self, variant: &str) -> Option<Found<String>> {
        let image = |minor: u32| format!("python:3.{minor}{variant}");
        for name in [".python-version", "runtime.txt"] {
            let file = join(self.dir, name);
            let text = self.files.read_if_there(&file).unwrap_or_default();
            let version = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
            if let Some(minor) = version.and_then(versions::python_minor) {
                return Some(Found::new(image(minor), file, 1, format!("the version in {name}")));
            }
        }
        for manifest in &self.manifests {
            let (paths, toml): (&[&[&str]], &Toml) = match &manifest.kind {
                Kind::Pyproject(toml) => {
                    (&[&["project", "requires-python"], &["tool", "poetry", "dependencies", "python"]], toml)
                }
                Kind::Pipfile(toml) => (&[&["requires", "python_version"], &["requires", "python_full_version"]], toml),
                _ => continue,
            };
            let Some(value) = paths.iter().find_map(|path| toml.get(path)) else { continue };
            if let Some(minor) = value.text().and_then(versions::python_minor) {
                return Some(Found::new(image(minor), &manifest.file, value.line, "fits the Python version asked for"));
            }
        }
        let file = self.manifests.first().map(|manifest| manifest.file.clone())?;
        Some(Found::new(image(versions::PYTHON), file, 1, "kilter's default for Python"))
    }

    /// Tells who installs: a lockfile, the sections of pyproject.toml, a Pipfile, else pip.
    fn stack(&self) -> Stack {
        let has = |name: &str| self.files.has(&join(self.dir, name));
        let section = |name: &str| self.pyproject().is_some_and(|(_, toml)| toml.get(&["tool", name]).is_some());
        let (manager, install) = if has("uv.lock") {
            ("uv", "uv sync --frozen --no-install-workspace".to_owned())
        } else if has("poetry.lock") || section("poetry") {
            ("poetry", "poetry install --no-root --no-interaction".to_owned())
        } else if has("Pipfile") {
            ("pipenv", format!("pipenv install --dev{}", if has("Pipfile.lock") { " --deploy" } else { "" }))
        } else if section("uv") {
            ("uv", "uv sync --no-install-workspace".to_owned())
        } else {
            ("pip", self.pip())
        };
        let manifests = self.inputs(manager, &install);
        Stack {
            ecosystem: Ecosystem::Python,
            manager: manager.into(),
            rebuild_on: if manifests.is_empty() { self.declaring() } else { Vec::new() },
            manifests,
            install: command::in_dir(self.dir, &install),
            extensions: Vec::new(),
            keeps: Vec::new(),
            reloads: false,
        }
    }

    /// Returns the pip command: the requirements file for development if there is one, else the plain one, else the
    /// project itself.
    fn pip(&self) -> String {
        let preferred = [
            "requirements.txt",
            "requirements/dev.txt",
            "requirements/development.txt",
            "requirements/local.txt",
            "requirements/base.txt",
            "requirements/main.txt",
            "requirements-dev.txt",
        ];
        let file = preferred.into_iter().find(|file| self.files.has(&join(self.dir, file))).map(str::to_owned);
        let file = file.or_else(|| {
            let mut files =
                self.manifests.iter().filter(|m| matches!(m.kind, Kind::Requirements { .. })).map(|m| m.file.as_str());
            files.next().map(|file| file.strip_prefix(&format!("{}/", self.dir)).unwrap_or(file).to_owned())
        });
        match file {
            Some(file) => format!("pip install -r {}", command::quote(&file)),
            None => "pip install .".into(),
        }
    }

    /// Returns the manifests of the project itself.
    fn declaring(&self) -> Vec<String> {
        let files: BTreeSet<&str> = self.manifests.iter().map(|manifest| manifest.file.as_str()).collect();
        files.into_iter().map(str::to_owned).collect()
    }

    /// Returns what the installation reads; installing the project itself reads its sources.
    fn inputs(&self, manager: &str, install: &str) -> Vec<String> {
        let needs_sources = |m: &&PythonManifest| matches!(m.kind, Kind::Requirements { needs_sources: true });
        if install.ends_with(" .") || (manager == "pip" && self.manifests.iter().any(needs_sources)) {
            return Vec::new();
        }
        let wanted = |path: &&str| match manager {
            "pip" => crate::detect::python::requirements::is_requirements(path),
            "uv" => path.ends_with("pyproject.toml") || *path == join(self.dir, "uv.lock"),
            "poetry" => {
                [join(self.dir, "pyproject.toml"), join(self.dir, "poetry.lock")].iter().any(|file| file == path)
            }
            _ => [join(self.dir, "Pipfile"), join(self.dir, "Pipfile.lock")].iter().any(|file| file == path),
        };
        let below =
            |path: &&str| self.dir.is_empty() || path.strip_prefix(self.dir).is_some_and(|rest| rest.starts_with('/'));
        self.files.all().filter(wanted).filter(below).map(str::to_owned).collect()
    }
}

/// Packages, and extras of packages, that publish their source alone for Linux, and need a compiler and headers that the slim images leave out and the others
/// have (<https://hub.docker.com/_/python>, <https://hub.docker.com/_/buildpack-deps>).
const COMPILED: [(&str, Option<&str>); 5] =
    [("psycopg2", None), ("psycopg", Some("c")), ("psycopg-c", None), ("mysqlclient", None), ("uwsgi", None)];

fn is_module(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.')
}

/// The same place and note for another fact.
fn with_note(dev: &Found<String>) -> Found<u16> {
    Found::new(0, &dev.file, dev.line, "from the dev command")
}
