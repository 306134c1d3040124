//! Prisma: the `provider` of the `datasource` block, in any `*.prisma` file.

use super::confidence::Scope;
use super::files::Files;
use super::rules::Declared;
use crate::catalog::Ecosystem;

/// Returns the providers of all datasources. A generator's provider names a code generator, so only datasource blocks count
/// (<https://www.prisma.io/docs/orm/reference/prisma-schema-reference#datasource>).
pub(super) fn declared(files: &Files<'_>) -> Vec<Declared> {
    let schemas = files.all().filter(|path| path.ends_with(".prisma"));
    schemas.filter_map(|path| files.read(path).map(|text| (path, text))).flat_map(|(p, t)| providers(p, &t)).collect()
}

fn providers(path: &str, text: &str) -> Vec<Declared> {
    let mut found = Vec::new();
    let mut in_datasource = false;
    for (number, line) in text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default().trim();
        if code.starts_with("datasource ") {
            in_datasource = true;
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
        if code.ends_with('}') {
            in_datasource = false;
        }
    }
    found
}

/// Reads `provider = "postgresql"`, also behind the opening brace.
fn provider(code: &str) -> Option<&str> {
    let code = code.rsplit_once('{').map_or(code, |(_, rest)| rest).trim();
    let value = code.strip_prefix("provider")?.trim_start().strip_prefix('=')?.trim_start();
    value.strip_prefix('"')?.split('"').next()
}

#[cfg(test)]
mod tests {
    use crate::detect::testing::{found, tree};

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
    fn one_line_blocks_are_read() {
        let schema = "datasource db { provider = \"mysql\" }";
        assert_eq!(found(&tree(&[("a.prisma", schema)]).detect()), ["mysql"]);
    }
}
