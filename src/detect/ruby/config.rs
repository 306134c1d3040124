//! The adapters that a Rails app names: config/database.yml and config/cable.yml. They are YAML after ERB has run, so they
//! are read line by line: nothing is evaluated, and no line of ERB can break the rest.

use crate::catalog::Ecosystem;
use crate::detect::confidence::Scope;
use crate::detect::files::{Fault, Files, document};
use crate::detect::places::split;
use crate::detect::rules::Declared;

/// What stands before the name of an adapter in the rules, so that it is no name of a gem.
pub(in crate::detect) const ADAPTER: &str = "adapter: ";

/// Which of the files it is.
#[derive(Clone, Copy, PartialEq)]
enum File {
    Database,
    Cable,
}

/// Tells which file a path is, if any: database.yml itself or an example of it, as it often is not committed.
fn kind(path: &str) -> Option<File> {
    let (directory, name) = split(path);
    if split(directory).1 != "config" {
        return None;
    }
    let rest = |start: &str| {
        let rest = name.strip_prefix(start)?;
        let mut words = rest.split(['.', '-', '_']).filter(|word| !word.is_empty()).peekable();
        words.peek()?;
        words
            .all(|word| ["yml", "yaml", "example", "sample", "dist", "template", "default", "erb"].contains(&word))
            .then_some(())
    };
    rest("database").map(|()| File::Database).or_else(|| rest("cable").map(|()| File::Cable))
}

/// Tells whether a path is one of the files that are read here.
pub(super) fn is_config(path: &str) -> bool {
    kind(path).is_some()
}

/// Returns the adapters that a file names.
pub(super) fn declared(files: &Files<'_>, path: &str) -> Vec<Declared> {
    let Some((kind, text)) = kind(path).and_then(|kind| Some((kind, files.read(path)?))) else { return Vec::new() };
    // An example may be a template of whatever kind.
    let is_example = !matches!(split(path).1.split_once('.'), Some((_, "yml" | "yaml")));
    if let Some((line, column, message)) = fault(&text).filter(|_| !is_example) {
        files.malformed(path, &text, line, column, &message);
    }
    let mut section = String::new();
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let code = line.trim_end();
        if code.trim_start().starts_with('#') || code.trim_start().starts_with("<%") {
            continue;
        }
        if let Some(name) =
            code.split(':').next().filter(|name| !name.is_empty() && !name.starts_with([' ', '\t', '-']))
        {
            section = name.trim_matches(['"', '\'']).to_owned();
        }
        let Some(adapter) = adapter(code) else { continue };
        found.push(Declared {
            ecosystem: Ecosystem::Ruby,
            name: format!("{ADAPTER}{adapter}"),
            extras: Vec::new(),
            scope: scope(kind, &section),
            file: path.into(),
            line: number + 1,
        });
    }
    found
}

/// Says why the file is no YAML, whatever ERB makes of it. Ruby's reader takes what others do not: a key twice, of several documents
/// the first.
fn fault(text: &str) -> Option<Fault> {
    let taken = |message: &str| message.contains("duplicate entry") || message.contains("more than one document");
    match document(&without_erb(text)?) {
        Ok(value) if value.is_mapping() || value.is_null() => None,
        Ok(_) => Some((1, 1, "it is not a mapping".into())),
        Err(fault) => Some(fault).filter(|(_, _, message)| !taken(message)),
    }
}

/// Puts a word of the same length in place of every `<%= … %>`, and blanks in place of one that is a line. `None` where ERB can
/// make anything of the text: with conditions and loops, or with code over several lines.
fn without_erb(text: &str) -> Option<String> {
    if text.contains("{{") {
        return None;
    }
    let mut out = String::with_capacity(text.len());
    for (number, line) in text.lines().enumerate() {
        let code = line.trim();
        let is_whole = code.starts_with("<%") && code.find("%>").is_some_and(|end| end + 2 == code.len());
        let mut rest = line;
        while let Some((before, tag)) = rest.split_once("<%") {
            let (code, after) = tag.split_once("%>")?;
            let length = code.chars().count() + "<%%>".len();
            out += before;
            out += &match code.chars().next() {
                Some('#') => " ".repeat(length),
                Some('=') if is_whole => " ".repeat(length),
                // No two are the same: they may be keys.
                Some('=') => format!("{:e<length$}", format!("e{number}e{}", out.len())),
                _ => return None,
            };
            rest = after;
        }
        out += rest;
        out.push('\n');
    }
    Some(out)
}

/// What a section of the file is worth. Rails itself writes `adapter: redis` into the production of every cable.yml.
fn scope(kind: File, section: &str) -> Scope {
    match (kind, Scope::of_group(section)) {
        (_, Scope::Dev) if section.starts_with("test") || section == "ci" => Scope::Aside("for tests only".into()),
        (File::Cable, Scope::Production) => Scope::Aside("for production only".into()),
        (File::Database, Scope::Production) => Scope::Production,
        // `development`, and what others are made from: `default: &default`.
        _ => Scope::Runtime,
    }
}

/// Reads `adapter: postgresql`, `adapter: <%= ENV.fetch("DB", "mysql2") %>` (the default is what is used in development) and
/// the scheme of `url: postgres://…`.
fn adapter(code: &str) -> Option<&str> {
    let code = code.trim_start();
    let value = |key: &str| code.strip_prefix(key).and_then(|rest| rest.trim_start().strip_prefix(':')).map(str::trim);
    let name = if let Some(value) = value("adapter") {
        match value.strip_prefix("<%") {
            Some(erb) => last_quoted(erb.split("%>").next()?)?,
            None => value.split([' ', '#']).next()?.trim_matches(['"', '\'']),
        }
    } else {
        let (scheme, _) = value("url")?.trim_matches(['"', '\'']).split_once("://")?;
        scheme
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    (!name.is_empty() && name.chars().all(plain)).then_some(name)
}

/// Returns the last quoted text.
fn last_quoted(code: &str) -> Option<&str> {
    let end = code.rfind(['"', '\''])?;
    let quote = code[end..].chars().next()?;
    let start = code[..end].rfind(quote)?;
    // `ENV["ADAPTER"]` names a variable, not an adapter.
    if code[..start].trim_end().ends_with('[') {
        return None;
    }
    // So does a call with one argument: `ENV.fetch("ADAPTER")`.
    let alone = code[..start].trim_end().ends_with('(') && !code[..start].contains(',');
    (!alone).then(|| &code[start + 1..end])
}
