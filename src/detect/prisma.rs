//! Prisma: the `provider` of the `datasource` block, in any `*.prisma` file.

use super::confidence::Scope;
use super::decide::is_within;
use super::files::Files;
use super::places::split;
use super::rules::{Declared, is_relational};
use crate::catalog::Ecosystem;

/// Returns the providers of all datasources. A generator's provider names a code generator, so only datasource blocks count
/// (<https://www.prisma.io/docs/orm/reference/prisma-schema-reference#datasource>).
pub(super) fn declared(files: &Files<'_>) -> Vec<Declared> {
    let schemas = files.all().filter(|path| path.ends_with(".prisma"));
    let mut found: Vec<Declared> = schemas
        .filter_map(|path| files.read(path).map(|text| (path, text)))
        .flat_map(|(path, text)| {
            if let Some(line) = unclosed(&text) {
                files.malformed(path, &text, line, 1, "the block that begins here has no `}`");
            }
            providers(path, &text)
        })
        .collect();
    // A schema in a place named after a database is one of several that the unnamed one above it can be swapped for.
    let plain: Vec<String> =
        found.iter().filter(|one| named_after(&one.file).is_none()).map(|one| split(&one.file).0.to_owned()).collect();
    for one in &mut found {
        let Some(database) = named_after(&one.file) else { continue };
        if plain.iter().any(|above| is_within(&one.file, above)) {
            one.scope = Scope::Aside(format!("in a schema for {database}"));
        }
    }
    found
}

/// Returns the relational database that a schema's file or its directory is named after: `prisma/mysql/schema.prisma`,
/// `schema.sqlite.prisma`.
fn named_after(path: &str) -> Option<&str> {
    let (directory, name) = split(path);
    let words = name.split(['.', '-', '_']).chain(split(directory).1.split(['-', '_']));
    words.into_iter().find(|word| is_relational(word))
}

fn providers(path: &str, text: &str) -> Vec<Declared> {
    let mut found = Vec::new();
    let mut in_datasource = false;
    let (mut addresses, mut has_address) = (Vec::new(), false);
    for (number, line) in text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default().trim();
        if begins_block(code) {
            in_datasource = code.starts_with("datasource ");
        }
        if !in_datasource {
            continue;
        }
        if let Some(name) = provider(code) {
            found.push(Declared {
                ecosystem: Ecosystem::Prisma,
                name: name.into(),
                extras: Vec::new(),
                scope: Scope::Runtime,
                file: path.into(),
                line: number + 1,
            });
        }
        addresses.extend(address(code).map(str::to_owned));
        has_address |= has_key(code, "url");
        if code.ends_with('}') {
            in_datasource = false;
            let mut read = std::mem::take(&mut addresses);
            if !std::mem::take(&mut has_address) {
                read.push(USUAL.to_owned());
            }
            if let Some(of_block) = found.last_mut().filter(|one: &&mut Declared| one.extras.is_empty()) {
                of_block.extras = read;
            }
        }
    }
    found
}

/// Tells whether a line begins a block (<https://www.prisma.io/docs/orm/reference/prisma-schema-reference>).
fn begins_block(code: &str) -> bool {
    const KINDS: [&str; 6] = ["datasource", "enum", "generator", "model", "type", "view"];
    let mut words = code.split([' ', '\t', '{']).filter(|word| !word.is_empty());
    words.next().is_some_and(|word| KINDS.contains(&word)) && words.next().is_some() && code.contains('{')
}

/// Returns the line of the first block without an end: another one begins before it, or the text ends.
fn unclosed(text: &str) -> Option<usize> {
    let mut open = None;
    for (number, line) in text.lines().enumerate() {
        let code = plain(line);
        if begins_block(code.trim()) {
            if open.is_some() {
                return open;
            }
            open = Some(number + 1);
        }
        if code.contains('}') {
            open = None;
        }
    }
    open
}

/// Returns a line without its strings and its comment.
fn plain(line: &str) -> String {
    let mut out = String::new();
    let (mut quoted, mut escaped) = (false, false);
    for c in line.chars() {
        match c {
            '"' if !escaped => quoted = !quoted,
            c if !quoted => out.push(c),
            _ => {}
        }
        escaped = c == '\\' && !escaped;
    }
    out.truncate(out.find("//").unwrap_or(out.len()));
    out
}

/// Reads `provider = "postgresql"`, also behind the opening brace.
fn provider(code: &str) -> Option<&str> {
    let code = code.rsplit_once('{').map_or(code, |(_, rest)| rest).trim();
    let value = code.strip_prefix("provider")?.trim_start().strip_prefix('=')?.trim_start();
    value.strip_prefix('"')?.split('"').next()
}

/// The variable that a project reads whose schema has no address: since Prisma 7 that stands in the configuration, which is code
/// (<https://www.prisma.io/docs/orm/reference/prisma-config-reference>).
const USUAL: &str = "DATABASE_URL";

/// Tells whether a line gives a key of its block a value.
fn has_key(code: &str, key: &str) -> bool {
    let code = code.rsplit_once('{').map_or(code, |(_, rest)| rest).trim();
    code.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with('='))
}

/// Reads the variable of `url = env("DATABASE_URL")` and of `directUrl`: what migrations and the client connect to.
fn address(code: &str) -> Option<&str> {
    let code = code.rsplit_once('{').map_or(code, |(_, rest)| rest).trim();
    let value = ["url", "directUrl"].iter().find_map(|key| code.strip_prefix(key)?.trim_start().strip_prefix('='))?;
    value.trim_start().strip_prefix("env(\"")?.split('"').next()
}

#[cfg(test)]
mod tests {
    use crate::detect::testing::{found, selected, tree};

    #[test]
    fn the_datasource_counts_wherever_the_schema_is() {
        let schema = "generator client {\n  provider = \"mysql\"\n}\n// datasource old { provider = \"mysql\" }\ndatasource db {\n  provider = \"postgresql\" // main\n}\n";
        let detection = tree(&[("packages/db/prisma/schema/base.prisma", schema)]).detect();
        assert_eq!(found(&detection), ["postgres"]);
        let evidence = &detection.findings[0].evidence[0];
        assert_eq!((evidence.line, evidence.package.as_str()), (6, "postgresql"));
        assert_eq!(evidence.note, "the datasource's provider is postgres");
    }

    #[test]
    fn a_provider_from_the_environment_or_sqlite_says_nothing() {
        let schema = "datasource db {\n  provider = env(\"DB\")\n}\ndatasource two { provider = \"sqlite\" }\n";
        assert!(tree(&[("prisma/schema.prisma", schema)]).detect().findings.is_empty());
    }

    #[test]
    fn a_schema_for_another_database_is_an_option_beside_the_plain_one() {
        let schema = |provider: &str| format!("datasource db {{ provider = \"{provider}\" }}");
        let (pg, mysql) = (schema("postgresql"), schema("mysql"));
        for named in ["prisma/mysql/schema.prisma", "prisma/schema.mysql.prisma"] {
            let detection = tree(&[("prisma/schema.prisma", &pg), (named, &mysql)]).detect();
            assert_eq!(
                (found(&detection), selected(&detection)),
                (vec!["mysql", "postgres"], vec!["postgres"]),
                "{named}"
            );
            let note = &detection.findings[1].evidence[0].note;
            assert_eq!(note, "the datasource's provider is mysql, in a schema for mysql");
            assert_eq!(selected(&tree(&[(named, &mysql)]).detect()), ["mysql"], "{named}");
        }
        let elsewhere = [("a/prisma/schema.prisma", pg.as_str()), ("b/mysql/schema.prisma", &mysql)];
        assert_eq!(selected(&tree(&elsewhere).detect()), ["mysql", "postgres"]);
        let sqlite = schema("sqlite");
        let files = [("prisma/schema.prisma", sqlite.as_str()), ("prisma/postgres/schema.prisma", &pg)];
        assert!(selected(&tree(&files).detect()).is_empty());
    }

    #[test]
    fn one_line_blocks_are_read() {
        let schema = "datasource db { provider = \"mysql\" }";
        assert_eq!(found(&tree(&[("a.prisma", schema)]).detect()), ["mysql"]);
    }
}
