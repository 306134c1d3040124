//! How a Ruby app runs in dev.

use super::{Gem, RubyManifest};
use crate::catalog::Ecosystem;
use crate::detect::app::Candidate;
use crate::detect::command;
use crate::detect::files::Files;
use crate::detect::model::{Found, Stack};
use crate::detect::places::join;

/// The version of Ruby when the project says nothing.
const RUBY: &str = "3.4";

/// Ports of the servers' own: <https://guides.rubyonrails.org/command_line.html#bin-rails-server>,
/// <https://guides.hanamirb.org/v2.2/commands/>, <https://github.com/puma/puma#readme>, <https://sinatrarb.com/intro.html>.
const RAILS_PORT: u16 = 3000;
const HANAMI_PORT: u16 = 2300;
const RACK_PORT: u16 = 9292;

/// Starts Rails reachable from outside its container; the file with the process's id lies where no copy of the sources and
/// no restart of the container leaves an old one, which Rails would take for a server that runs.
const RAILS: &str = "bin/rails server -b 0.0.0.0 -p 3000 --pid=/tmp/rails.pid";

/// Describes the app of every Gemfile.
pub(in crate::detect) fn candidates(files: &Files<'_>, manifests: &[RubyManifest]) -> Vec<Candidate> {
    manifests.iter().filter(|manifest| manifest.is_gemfile).filter_map(|manifest| candidate(files, manifest)).collect()
}

/// `None` for a Gemfile that is none of an app: of a library, of CocoaPods, of a site of documentation.
fn candidate(files: &Files<'_>, manifest: &RubyManifest) -> Option<Candidate> {
    let gem = |name: &str| manifest.gems.iter().find(|gem| gem.name == name);
    let has = |name: &str| files.has(&join(&manifest.dir, name));
    let found = |value: &str, at: &Gem, note: &str| Found::new(value.to_owned(), &manifest.file, at.line, note);
    let (framework, dev, port, reloads) = if let Some(rails) = gem("rails").or_else(|| gem("railties")) {
        // Without bin/rails it is an engine: a library.
        let dev = has("bin/rails")
            .then_some(RAILS)
            .or_else(|| has("config.ru").then_some("bundle exec rails server -b 0.0.0.0 -p 3000 --pid=/tmp/rails.pid"));
        (rails, dev.map(|dev| found(dev, rails, "the server of Rails")), RAILS_PORT, true)
    } else if let Some(hanami) = gem("hanami") {
        let dev = "bundle exec hanami server --host 0.0.0.0 --port 2300";
        (hanami, Some(found(dev, hanami, "the server of Hanami")), HANAMI_PORT, true)
    } else {
        let rack = ["sinatra", "roda", "grape", "rack"].into_iter().find_map(gem)?;
        let puma = gem("puma").filter(|_| has("config.ru"));
        let dev = puma.map(|puma| found("bundle exec puma -b tcp://0.0.0.0:9292", puma, "puma with config.ru"));
        (rack, dev, RACK_PORT, false)
    };
    let by_file = |port| Found::new(port, &manifest.file, framework.line, format!("the default of {}", framework.name));
    Some(Candidate {
        dir: manifest.dir.clone(),
        ecosystem: Ecosystem::Ruby,
        name: None,
        serves: true,
        fixed_port: dev.is_some(),
        port: Some(by_file(port)),
        dev,
        image: Some(image(files, manifest)),
        reloads,
    })
}

/// Makes the command of a Procfile reachable: the server of Rails listens on localhost only in development.
pub(in crate::detect) fn reachable(command: &str) -> String {
    let words: Vec<&str> = command::words(command).collect();
    let serves =
        words.windows(2).any(|pair| pair[0].rsplit('/').next() == Some("rails") && ["s", "server"].contains(&pair[1]));
    let last = command.rsplit(['&', ';', '|']).next().unwrap_or_default();
    let bound = words.iter().any(|word| *word == "-b" || word.starts_with("--binding") || word.starts_with("-b0"));
    if serves && !bound && last.contains("rails") && !command.trim_end().ends_with(['"', '\'']) {
        return format!("{} -b 0.0.0.0", command.trim_end());
    }
    command.to_owned()
}

/// Returns the base image: the version that the project asks for. The whole image brings a compiler and the headers of the
/// databases' libraries, which gems such as pg are built with (<https://hub.docker.com/_/ruby>).
fn image(files: &Files<'_>, manifest: &RubyManifest) -> Found<String> {
    let image = |version: &str| format!("ruby:{version}");
    let file = join(&manifest.dir, ".ruby-version");
    let text = files.read_if_there(&file).unwrap_or_default();
    if let Some(version) = text.lines().next().and_then(version) {
        return Found::new(image(&version), file, 1, "the version in .ruby-version");
    }
    if let Some((asked, line)) = &manifest.ruby
        && let Some(version) = version(asked)
    {
        return Found::new(image(&version), &manifest.file, *line, "fits the version in the Gemfile");
    }
    let file = join(&manifest.dir, ".tool-versions");
    let text = files.read_if_there(&file).unwrap_or_default();
    let asked = text.lines().enumerate().find_map(|(n, line)| Some((n + 1, version(line.strip_prefix("ruby ")?)?)));
    if let Some((line, version)) = asked {
        return Found::new(image(&version), file, line, "the version in .tool-versions");
    }
    Found::new(image(RUBY), &manifest.file, 1, "kilter's default for Ruby")
}

/// Reads `3.3.6`, `ruby-3.4`, `~> 3.3.0`: the minor version for a range, the whole one where it is exact. Other Rubies
/// (`jruby-…`) and bounds that name no version to take (`>= 2.7`) say nothing.
fn version(text: &str) -> Option<String> {
    let text = text.trim();
    let text = text.strip_prefix("ruby-").unwrap_or(text);
    let (range, text) = match text.strip_prefix("~>") {
        Some(rest) => (true, rest.trim_start()),
        None => (false, text),
    };
    let parts: Vec<&str> = text.split('.').collect();
    let numbers =
        parts.iter().all(|part| !part.is_empty() && part.len() < 3 && part.chars().all(|c| c.is_ascii_digit()));
    let shown = match parts.len() {
        2 => 2,
        3 if range => 2,
        3 => 3,
        _ => return None,
    };
    // `~> 3.3` allows every later 3.x; there is an image of 3.3.
    numbers.then(|| parts[..shown].join("."))
}

/// Returns how the app in `dir` is installed.
pub(in crate::detect) fn stack(files: &Files<'_>, manifests: &[RubyManifest], dir: &str) -> Option<Stack> {
    let manifest = manifests.iter().find(|manifest| manifest.dir == dir && manifest.is_gemfile)?;
    let names = ["Gemfile", "Gemfile.lock", "gems.rb", "gems.locked", ".ruby-version", ".tool-versions"];
    let there: Vec<String> = names.map(|name| join(dir, name)).into_iter().filter(|file| files.has(file)).collect();
    let (manifests, rebuild_on) = if manifest.needs_sources { (Vec::new(), there) } else { (there, Vec::new()) };
    Some(Stack {
        ecosystem: Ecosystem::Ruby,
        manager: "bundler".into(),
        manifests,
        rebuild_on,
        install: command::in_dir(dir, "bundle install"),
        extensions: Vec::new(),
        keeps: Vec::new(),
        reloads: false,
    })
}
