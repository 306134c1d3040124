//! Elixir: the dependencies in mix.exs (<https://hexdocs.pm/mix/Mix.Tasks.Deps.html>), of umbrella projects in each of `apps/*`.

use super::app::Candidate;
use super::command;
use super::confidence::Scope;
use super::files::Files;
use super::lex::{Kind, NO_END, NO_PARTNER, Token, tokens, unbalanced};
use super::model::{Found, Stack};
use super::places::{join, split};
use super::rules::Declared;
use crate::catalog::Ecosystem;

/// The version of Elixir when the project says nothing.
const ELIXIR: &str = "1.18";

/// Port of Phoenix in development: <https://hexdocs.pm/phoenix/up_and_running.html>.
const PORT: u16 = 4000;

/// Options of a dependency.
const OPTIONS: [&str; 14] = [
    "app",
    "branch",
    "git",
    "github",
    "hex",
    "in_umbrella",
    "only",
    "optional",
    "organization",
    "override",
    "path",
    "repo",
    "runtime",
    "targets",
];

/// One mix.exs.
pub(super) struct MixProject {
    /// Its directory, empty for the root.
    pub dir: String,
    pub file: String,
    /// `app: :shop`.
    pub app: Option<(String, usize)>,
    /// Whether it is the root of an umbrella.
    pub is_umbrella: bool,
    pub packages: Vec<(String, Scope, usize)>,
    /// Whether it reads other files of the project, which then have to be there before the installation.
    pub needs_sources: bool,
}

/// Tells whether a path is a manifest of Elixir, or says something by being there.
pub(super) fn is_manifest(path: &str) -> bool {
    matches!(split(path).1, "mix.exs" | "mix.lock")
}

/// Reads every mix.exs, sorted by path; what Mix fetched into `deps` is other people's.
pub(super) fn read(files: &Files<'_>) -> Vec<MixProject> {
    let fetched = |path: &&str| path.split('/').any(|directory| directory == "deps");
    let paths = files.named("mix.exs").filter(|path| !fetched(path));
    paths.filter_map(|path| files.read(path).map(|text| parse(files, path, &text))).collect()
}

/// Returns what the projects depend on, without one another.
pub(super) fn declared(projects: &[MixProject]) -> Vec<Declared> {
    let one = |project: &MixProject, (name, scope, line): &(String, Scope, usize)| Declared {
        ecosystem: Ecosystem::Elixir,
        name: name.clone(),
        extras: Vec::new(),
        scope: scope.clone(),
        file: project.file.clone(),
        line: *line,
    };
    projects.iter().flat_map(|project| project.packages.iter().map(move |package| one(project, package))).collect()
}

fn parse(files: &Files<'_>, path: &str, text: &str) -> MixProject {
    let (tokens, unclosed) = tokens(text);
    let string = unclosed.map(|line| (line, NO_END));
    let bracket = || unbalanced(&tokens).map(|line| (line, NO_PARTNER));
    if let Some((line, message)) = string.or_else(bracket).or_else(|| unended(&tokens)) {
        files.malformed(path, text, line, 1, message);
    }
    let tokens: Vec<Token> = tokens.into_iter().filter(|token| token.kind != Kind::Newline).collect();
    let symbol = |label: &str| {
        let at = tokens.iter().position(|token| token.label() == Some(label))?;
        let token = tokens.get(at + 1)?;
        if let Kind::Symbol(name) = &token.kind { Some((name.clone(), token.line)) } else { None }
    };
    MixProject {
        dir: split(path).0.into(),
        file: path.into(),
        app: symbol("app"),
        is_umbrella: tokens.iter().any(|token| token.label() == Some("apps_path")),
        needs_sources: tokens
            .iter()
            .filter_map(Token::word)
            .any(|word| word.starts_with("File.") || word.starts_with("Code.") || word.starts_with("System.cmd")),
        packages: (0..tokens.len()).filter_map(|at| dependency(&tokens[at..])).collect(),
    }
}

/// Returns line and message of the first block that does not fit: what `do` or `fn` begins has an `end`.
fn unended(tokens: &[Token]) -> Option<(usize, &'static str)> {
    let mut open = Vec::new();
    for token in tokens {
        match token.word() {
            Some("do" | "fn") => open.push(token.line),
            Some("end") if open.pop().is_none() => return Some((token.line, "an `end` too many")),
            _ => {}
        }
    }
    open.first().map(|line| (*line, "the block that begins here has no `end`"))
}

/// Reads `{:postgrex, ">= 0.0.0", only: :test}` at the start of these tokens. A tuple of an atom and anything but a version or
/// the options of a dependency is something else.
fn dependency(tokens: &[Token]) -> Option<(String, Scope, usize)> {
    let [open, name, comma, rest @ ..] = tokens else { return None };
    let Kind::Symbol(key) = &name.kind else { return None };
    if !open.is('{') || !comma.is(',') {
        return None;
    }
    let mut depth = 0_usize;
    let end = rest.iter().position(|token| {
        match token.kind {
            Kind::Punct('(' | '[' | '{') => depth += 1,
            Kind::Punct(')' | ']' | '}') if depth == 0 => return true,
            Kind::Punct(')' | ']' | '}') => depth -= 1,
            _ => {}
        }
        // Another tuple begins on another line: this one was never closed.
        token.is('{') && depth > 1
    });
    let rest = &rest[..end.unwrap_or(rest.len().min(2))];
    let label = |token: &Token| token.label().is_some_and(|label| OPTIONS.contains(&label));
    let first = rest.iter().find(|token| !token.is('['))?;
    if first.text().is_none() && !label(first) {
        return None;
    }
    let option = |name: &str| rest.iter().position(|token| token.label() == Some(name)).map(|at| &rest[at + 1..]);
    let is_true = |name: &str| option(name).and_then(|rest| rest.first()).and_then(Token::word) == Some("true");
    if option("path").is_some() || is_true("in_umbrella") {
        return None;
    }
    // The package has another name than the application: `{:pg, "~> 1.0", hex: :postgrex}`.
    let name_in_hex = option("hex").and_then(|rest| rest.first()).and_then(|token| token.names().first().copied());
    let scope = if is_true("optional") { Scope::Optional } else { only(option("only").unwrap_or_default()) };
    Some((name_in_hex.unwrap_or(key).to_owned(), scope, name.line))
}

/// Tells the scope by the environments of `only`: none of them is every environment.
fn only(value: &[Token]) -> Scope {
    let mut names: Vec<&str> = Vec::new();
    let is_list = value.first().is_some_and(|token| token.is('['));
    for token in value.iter().skip(usize::from(is_list)) {
        match token.kind {
            Kind::Punct(',') if is_list => {}
            Kind::Symbol(_) | Kind::List(_) => names.extend(token.names()),
            _ => break,
        }
        if !is_list {
            break;
        }
    }
    let production = names.iter().any(|name| Scope::of_group(name) == Scope::Production);
    let development = names.contains(&"dev");
    match (names.is_empty(), production, development) {
        (true, ..) | (_, true, true) => Scope::Runtime,
        (_, true, false) => Scope::Production,
        (_, false, _) => Scope::Dev,
    }
}

/// Describes the app of every project that has Phoenix; in an umbrella it is the root that is started.
pub(super) fn candidates(files: &Files<'_>, projects: &[MixProject]) -> Vec<Candidate> {
    let phoenix =
        |project: &MixProject| project.packages.iter().find(|(name, ..)| name == "phoenix").map(|(.., line)| *line);
    let umbrella = projects.iter().find(|project| project.is_umbrella);
    let in_umbrella =
        |project: &MixProject| umbrella.is_some_and(|root| project.dir.starts_with(&join(&root.dir, "apps/")));
    let apps = projects.iter().filter_map(|project| Some((project, phoenix(project)?)));
    apps.map(|(project, line)| {
        let root = umbrella.filter(|_| in_umbrella(project)).unwrap_or(project);
        candidate(files, project, root, line)
    })
    .collect()
}

fn candidate(files: &Files<'_>, project: &MixProject, root: &MixProject, line: usize) -> Candidate {
    let found = |value: &str, note: &str| Found::new(value.to_owned(), &project.file, line, note);
    let name = project
        .app
        .as_ref()
        .map(|(name, line)| Found::new(name.clone(), &project.file, *line, "the application in mix.exs"));
    let note = "the server of Phoenix; it is reachable in its container once config/dev.exs says `ip: {0, 0, 0, 0}`";
    Candidate {
        dir: root.dir.clone(),
        ecosystem: Ecosystem::Elixir,
        name,
        dev: Some(found("mix phx.server", note)),
        port: Some(Found::new(PORT, &project.file, line, "the default of phoenix")),
        fixed_port: false,
        image: Some(image(files, root)),
        reloads: true,
        serves: true,
    }
}

/// Returns the base image: the version in .tool-versions, else one that is new enough for most.
fn image(files: &Files<'_>, root: &MixProject) -> Found<String> {
    let file = join(&root.dir, ".tool-versions");
    let text = files.read_if_there(&file).unwrap_or_default();
    let minor = |line: &str| {
        let mut parts = line.strip_prefix("elixir ")?.trim().split(['.', '-']);
        let (major, minor) = (parts.next()?.parse::<u8>().ok()?, parts.next()?.parse::<u8>().ok()?);
        Some(format!("elixir:{major}.{minor}"))
    };
    let asked = text.lines().enumerate().find_map(|(number, line)| Some((number + 1, minor(line)?)));
    match asked {
        Some((line, image)) => Found::new(image, file, line, "the version in .tool-versions"),
        None => Found::new(format!("elixir:{ELIXIR}"), &root.file, 1, "kilter's default for Elixir"),
    }
}

/// Returns how the project in `dir` is installed.
pub(super) fn stack(files: &Files<'_>, projects: &[MixProject], dir: &str) -> Option<Stack> {
    let root = projects.iter().find(|project| project.dir == dir)?;
    let below = join(dir, "apps/");
    let all = || projects.iter().filter(|p| p.dir == dir || (root.is_umbrella && p.dir.starts_with(&below)));
    let mut manifests: Vec<String> = all().map(|project| project.file.clone()).collect();
    manifests.extend(Some(join(dir, "mix.lock")).filter(|file| files.has(file)));
    manifests.sort();
    let mut rebuild_on = Vec::new();
    if all().any(|project| project.needs_sources) {
        rebuild_on.append(&mut manifests);
    }
    Some(Stack {
        ecosystem: Ecosystem::Elixir,
        manager: "mix".into(),
        manifests,
        rebuild_on,
        install: command::in_dir(dir, "mix local.hex --force && mix local.rebar --force && mix deps.get"),
        extensions: Vec::new(),
        keeps: Vec::new(),
        reloads: false,
    })
}

#[cfg(test)]
mod tests {
    use crate::detect::testing::{found, selected, tree};

    const MIX: &str = r##"defmodule Shop.MixProject do
  use Mix.Project

  def project do
    [
      app: :shop,
      version: "0.1.0",
      elixir: "~> 1.15",
      deps: deps(),
      aliases: [setup: ["deps.get", "ecto.setup"]],
      docs: [extras: [{:"README.md", [title: "Overview"]}]]
    ]
  end

  def application, do: [mod: {Shop.Application, []}, extra_applications: [:logger, :redix]]

  # {:amqp, "~> 3.0"},
  defp deps do
    [
      {:phoenix, "~> 1.8"},
      {:ecto_sql, "~> 3.10"},
      {:postgrex, ">= 0.0.0"},
      {:redix, "~> 1.1", only: [:dev, :test], runtime: false},
      {:mongodb_driver, "~> 1.0", optional: true},
      {:gnat, path: "../gnat"},
      {:quote, "~> 1.0 \" {:myxql, "},
      {
        :rabbit,
        "~> 3.0",
        hex: :amqp
      }
    ]
  end
end
"##;

    #[test]
    fn dependencies_count_by_their_environment() {
        let detection = tree(&[("mix.exs", MIX)]).detect();
        assert_eq!(found(&detection), ["mongodb", "postgres", "rabbitmq", "redis"]);
        assert_eq!(selected(&detection), ["postgres", "rabbitmq"]);
        let postgres = detection.findings.iter().find(|finding| finding.name == "postgres").unwrap();
        assert_eq!((postgres.evidence[0].package.as_str(), postgres.evidence[0].line), ("postgrex", 22));
        assert!(detection.warnings.is_empty(), "{:?}", detection.warnings);
    }

    #[test]
    fn environments_of_only() {
        for (only, chosen) in [
            ("only: :prod", true),
            ("only: [:dev, :prod]", true),
            ("only: :test", false),
            ("only: ~w(dev test)a", false),
            ("override: true", true),
            ("[only: :test]", false),
        ] {
            let detection = tree(&[("mix.exs", &format!("[{{:postgrex, \"~> 1\", {only}}}]"))]).detect();
            assert_eq!(!selected(&detection).is_empty(), chosen, "{only}");
            assert_eq!(found(&detection), ["postgres"], "{only}");
        }
    }

    #[test]
    fn every_app_of_an_umbrella_counts_and_the_root_is_started() {
        let web = "defmodule W do\n def project, do: [app: :web, deps: [{:phoenix, \"~> 1.8\"}, {:store, in_umbrella: true}]]\nend\n";
        let store = "defmodule S do\n def project, do: [app: :store, deps: [{:postgrex, \"~> 1\"}]]\nend\n";
        let root = "defmodule R do\n def project, do: [apps_path: \"apps\", deps: []]\nend\n";
        let project = tree(&[
            ("mix.exs", root),
            ("apps/web/mix.exs", web),
            ("apps/store/mix.exs", store),
            ("deps/x/mix.exs", "[{:redix, \"1.0\"}]"),
            ("mix.lock", ""),
            (".tool-versions", "erlang 27.2\nelixir 1.17.3-otp-27\n"),
        ]);
        let detection = project.detect();
        assert_eq!(selected(&detection), ["postgres"]);
        assert_eq!(found(&detection), ["postgres"]);
        assert_eq!(detection.dev.unwrap().value, "mix phx.server");
        assert_eq!((detection.port.unwrap().value, detection.image.unwrap().value), (4000, "elixir:1.17".to_owned()));
        let stack = detection.stack.unwrap();
        assert_eq!(stack.manifests, ["apps/store/mix.exs", "apps/web/mix.exs", "mix.exs", "mix.lock"]);
        assert!(stack.reloads);
    }

    #[test]
    fn malformed_projects_are_warnings_with_a_line_and_the_rest_counts() {
        for (text, line) in [
            ("[\n {:x, \"~> 1\n {:postgrex, \"~> 1\"}\n]\n", 2),
            ("[\n {:redix, [\n {:postgrex, \"~> 1\"}\n}]\n", 2),
            ("[\n {:postgrex, \"~> 1\"}\n)\n", 1),
            ("\n {:postgrex, \"~> 1\"}\n]\n", 3),
        ] {
            let detection = tree(&[("mix.exs", text)]).detect();
            assert_eq!(found(&detection), ["postgres"], "{text}");
            assert_eq!(detection.warnings.len(), 1, "{text}");
            assert!(detection.warnings[0].what.starts_with("`mix.exs` is malformed"), "{text}");
            assert_eq!(detection.warnings[0].place.as_ref().unwrap().line, line, "{text}");
        }
    }

    #[test]
    fn the_application_gives_the_name() {
        let detection = tree(&[("mix.exs", MIX)]).detect();
        assert_eq!(detection.name.unwrap().value, "shop");
        assert_eq!(detection.image.unwrap().value, "elixir:1.18");
    }
}
