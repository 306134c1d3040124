//! Go: go.mod, direct requirements only.

use super::app::Candidate;
use super::command;
use super::confidence::Scope;
use super::files::Files;
use super::model::{Found, Stack};
use super::places::{join, split};
use super::rules::Declared;
use super::versions;
use crate::catalog::Ecosystem;

/// One go.mod.
pub(super) struct GoModule {
    /// Its directory, empty for the root.
    pub dir: String,
    pub file: String,
    /// Path of the module and the line of the directive.
    pub module: Option<(String, usize)>,
    /// The `go` line: version and line.
    pub go: Option<(String, usize)>,
    /// Direct requirements and their lines.
    pub requires: Vec<(String, usize)>,
}

/// Reads every go.mod (<https://go.dev/ref/mod#go-mod-file>).
pub(super) fn read(files: &Files<'_>) -> Vec<GoModule> {
    files.named("go.mod").filter_map(|path| files.read(path).map(|text| parse(files, path, &text))).collect()
}

/// Returns the direct requirements. `// indirect` ones are what others brought along; they say nothing about the project.
pub(super) fn declared(modules: &[GoModule]) -> Vec<Declared> {
    let one = |module: &GoModule, (name, line): &(String, usize)| Declared {
        ecosystem: Ecosystem::Go,
        name: name.clone(),
        extras: Vec::new(),
        scope: Scope::Runtime,
        file: module.file.clone(),
        line: *line,
    };
    modules.iter().flat_map(|module| module.requires.iter().map(move |require| one(module, require))).collect()
}

fn parse(files: &Files<'_>, path: &str, text: &str) -> GoModule {
    let mut module =
        GoModule { dir: split(path).0.into(), file: path.into(), module: None, go: None, requires: Vec::new() };
    let mut block: Option<(String, usize)> = None;
    for (number, line) in text.lines().enumerate().map(|(i, line)| (i + 1, line)) {
        let (code, comment) = line.split_once("//").unwrap_or((line, ""));
        let mut words = code.split_whitespace().map(|word| word.trim_matches(['"', '`']));
        let Some(first) = words.next() else { continue };
        let directive = match (&block, first) {
            (Some(_), ")") => {
                block = None;
                continue;
            }
            (Some((directive, _)), _) => directive.clone(),
            (None, directive) => directive.trim_end_matches('(').to_owned(),
        };
        let argument = if block.is_some() { Some(first) } else { words.next() };
        if block.is_none() && (argument == Some("(") || first.ends_with('(')) {
            block = Some((directive, number));
            continue;
        }
        let Some(argument) = argument else {
            files.malformed(path, text, number, 1, &format!("`{first}` says nothing"));
            continue;
        };
        match directive.as_str() {
            "module" => module.module = Some((argument.into(), number)),
            "go" => module.go = Some((argument.into(), number)),
            "require" if words.next().is_none() => {
                files.malformed(path, text, number, 1, "a requirement has no version")
            }
            "require" if !comment.trim_start().starts_with("indirect") => {
                module.requires.push((argument.into(), number))
            }
            _ => {}
        }
    }
    if let Some((_, line)) = block {
        files.malformed(path, text, line, 1, "the block that begins here has no `)`");
    }
    module
}

/// The port that the examples of gin, echo and fiber and most Go servers listen on; the code decides.
const PORT: u16 = 8080;

/// Web frameworks: their presence shows that the module serves.
const FRAMEWORKS: [&str; 6] = [
    "github.com/gin-gonic/gin",
    "github.com/labstack/echo",
    "github.com/gofiber/fiber",
    "github.com/go-chi/chi",
    "github.com/gorilla/mux",
    "github.com/julienschmidt/httprouter",
];

/// Describes the app of every module.
pub(super) fn candidates(files: &Files<'_>, modules: &[GoModule]) -> Vec<Candidate> {
    modules.iter().map(|module| candidate(files, module)).collect()
}

fn candidate(files: &Files<'_>, module: &GoModule) -> Candidate {
    let base = module.module.as_ref().map(|(path, line)| {
        let path = super::rules::canonical(Ecosystem::Go, path);
        (path.rsplit('/').next().unwrap_or_default().to_owned(), *line)
    });
    let dev = main_package(files, module, base.as_ref().map_or("", |(base, _)| base)).map(|(package, file)| {
        let note = format!("the main package in {}", split(&file).1);
        Found::new(format!("go run {}", command::quote(&package)), file, 1, note)
    });
    let framework = module
        .requires
        .iter()
        .find(|(name, _)| FRAMEWORKS.contains(&super::rules::canonical(Ecosystem::Go, name).as_str()));
    let port = dev.as_ref().map(|_| match framework {
        Some((name, line)) => Found::new(PORT, &module.file, *line, format!("usual with {name}")),
        None => Found::new(PORT, &module.file, 1, "usual for a Go server"),
    });
    Candidate {
        dir: module.dir.clone(),
        ecosystem: Ecosystem::Go,
        name: base.map(|(base, line)| Found::new(base, &module.file, line, "the module in go.mod")),
        serves: framework.is_some(),
        fixed_port: false,
        dev,
        port,
        image: Some(image(module)),
        reloads: false,
    }
}

/// Returns the package to run and its file: the module's root, else `cmd` itself, else the command named like the module, else one named
/// like a server, else the first.
fn main_package(files: &Files<'_>, module: &GoModule, base: &str) -> Option<(String, String)> {
    let root = join(&module.dir, "main.go");
    if files.has(&root) {
        return Some((".".into(), root));
    }
    let only = join(&module.dir, "cmd/main.go");
    if files.has(&only) {
        return Some(("./cmd".into(), only));
    }
    let prefix = join(&module.dir, "cmd/");
    let commands: Vec<&str> = files
        .named("main.go")
        .filter_map(|path| path.strip_prefix(prefix.as_str())?.strip_suffix("/main.go"))
        .filter(|name| !name.contains('/'))
        .collect();
    let name = [base, "server", "api", "web", "app"].into_iter().find(|name| commands.contains(name));
    let name = name.or_else(|| commands.first().copied())?;
    Some((format!("./cmd/{name}"), format!("{prefix}{name}/main.go")))
}

fn image(module: &GoModule) -> Found<String> {
    let (minor, line, note) = match &module.go {
        Some((version, line)) => (versions::go_minor(version), *line, "fits the go line"),
        None => (versions::GO, 1, "kilter's default for Go"),
    };
    Found::new(format!("golang:1.{minor}-alpine"), &module.file, line, note)
}

/// Returns how the module in `dir` is installed.
pub(super) fn stack(files: &Files<'_>, dir: &str) -> Option<Stack> {
    // With a go.work the go command reads every module of the workspace.
    let workspace = files.has("go.work");
    let names = ["go.mod", "go.sum", "go.work", "go.work.sum"];
    let manifests = files
        .all()
        .filter(|path| names.contains(&split(path).1) && (workspace || split(path).0 == dir))
        .map(str::to_owned)
        .collect();
    Some(Stack {
        ecosystem: Ecosystem::Go,
        manager: "go".into(),
        manifests,
        rebuild_on: Vec::new(),
        install: command::in_dir(dir, "go mod download"),
        extensions: Vec::new(),
        keeps: Vec::new(),
        reloads: false,
    })
}

#[cfg(test)]
mod tests {
    use crate::detect::testing::{found, selected, tree};

    const MOD: &str = "module github.com/acme/shop/v2\n\ngo 1.25.1\n\nrequire github.com/lib/pq v1.10.9 // indirect\n\nrequire (\n\tgithub.com/jackc/pgx/v5 v5.7.1\n\tgithub.com/redis/go-redis/v9 v9.7.0 // indirect\n\tgo.opentelemetry.io/otel/exporters/otlp/otlptrace v1.2.0\n)\nreplace github.com/go-sql-driver/mysql => ./x\n";

    #[test]
    fn direct_requirements_count_and_indirect_ones_do_not() {
        let detection = tree(&[("go.mod", MOD)]).detect();
        assert_eq!(found(&detection), ["otel", "postgres"]);
        assert_eq!(selected(&detection), ["postgres"]);
        let evidence = &detection.findings[0].evidence[0];
        assert_eq!((evidence.package.as_str(), evidence.line), ("github.com/jackc/pgx/v5", 8));
        assert!(detection.warnings.is_empty());
    }

    #[test]
    fn sdks_and_tools_below_the_root_are_not_the_app() {
        assert!(found(&tree(&[("sdks/go/go.mod", MOD), ("tools/go.mod", MOD)]).detect()).is_empty());
        assert_eq!(selected(&tree(&[("services/api/go.mod", MOD)]).detect()), ["postgres"]);
    }

    #[test]
    fn two_databases_in_one_module_are_alternatives() {
        let text = "module a\nrequire (\n github.com/lib/pq v1.0.0\n github.com/go-sql-driver/mysql v1.0.0\n)\n";
        let detection = tree(&[("go.mod", text)]).detect();
        assert_eq!(found(&detection), ["mysql", "postgres"]);
        assert_eq!(selected(&detection), ["postgres"]);
        assert!(detection.findings[1].evidence[0].note.contains("an alternative to postgres"));
    }

    #[test]
    fn two_databases_in_two_modules_are_both_needed() {
        let (a, b) =
            ("module a\nrequire github.com/lib/pq v1\n", "module b\nrequire github.com/go-sql-driver/mysql v1\n");
        assert_eq!(selected(&tree(&[("a/go.mod", a), ("b/go.mod", b)]).detect()), ["mysql", "postgres"]);
    }

    #[test]
    fn a_malformed_line_is_a_warning_and_the_rest_counts() {
        let detection =
            tree(&[("go.mod", "module a\nrequire github.com/lib/pq\nrequire github.com/jackc/pgx/v5 v5.0.0\n")])
                .detect();
        assert_eq!(selected(&detection), ["postgres"]);
        assert_eq!(detection.warnings[0].what, "`go.mod` is malformed: a requirement has no version");
        assert_eq!(detection.warnings[0].place.as_ref().unwrap().line, 2);
    }
}
