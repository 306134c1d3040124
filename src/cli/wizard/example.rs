//! How the project's own code gets at a variable.

use crate::catalog::Ecosystem;

/// Two lines of code that read a variable, in the language of an ecosystem; `None` for those that are no language.
pub(crate) fn example(language: Ecosystem, variable: &str) -> Option<[String; 2]> {
    let snake = variable.to_lowercase();
    let camel = camel(variable);
    let lines = match language {
        Ecosystem::Node | Ecosystem::Prisma => [
            format!("const {camel} = process.env.{variable};"),
            format!("if (!{camel}) throw new Error(\"{variable} is not set\");"),
        ],
        Ecosystem::Python => ["import os".to_owned(), format!("{snake} = os.environ[\"{variable}\"]")],
        Ecosystem::Go => [
            format!("{camel} := os.Getenv(\"{variable}\")"),
            format!("if {camel} == \"\" {{ log.Fatal(\"{variable} is not set\") }}"),
        ],
        Ecosystem::Rust => [
            "use std::env;".to_owned(),
            format!("let {snake} = env::var(\"{variable}\").expect(\"{variable} is not set\");"),
        ],
        Ecosystem::Ruby => ["# KeyError when it is not set".to_owned(), format!("{snake} = ENV.fetch(\"{variable}\")")],
        Ecosystem::Php => [
            format!("${camel} = getenv('{variable}');"),
            format!("if (${camel} === false) throw new RuntimeException('{variable} is not set');"),
        ],
        Ecosystem::Jvm => [
            format!("String {camel} = System.getenv(\"{variable}\");"),
            format!("if ({camel} == null) throw new IllegalStateException(\"{variable} is not set\");"),
        ],
        Ecosystem::Dotnet => [
            format!("var {camel} = Environment.GetEnvironmentVariable(\"{variable}\")"),
            format!("    ?? throw new InvalidOperationException(\"{variable} is not set\");"),
        ],
        Ecosystem::Elixir => {
            ["# in config/runtime.exs".to_owned(), format!("{snake} = System.fetch_env!(\"{variable}\")")]
        }
        Ecosystem::Compose | Ecosystem::Env | Ecosystem::Hosting => return None,
    };
    Some(lines)
}

/// `REDIS_URL` as `redisUrl`.
fn camel(variable: &str) -> String {
    let mut words = variable.split('_').filter(|word| !word.is_empty()).map(str::to_lowercase);
    let first = words.next().unwrap_or_default();
    words.fold(first, |mut name, word| {
        let (head, tail) = word.split_at(word.chars().next().map_or(0, char::len_utf8));
        name.push_str(&head.to_uppercase());
        name.push_str(tail);
        name
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_reads_it_in_its_own_way() {
        let of = |language| example(language, "CACHE_URL").map(|lines| lines.join("\n")).unwrap_or_default();
        assert!(of(Ecosystem::Node).starts_with("const cacheUrl = process.env.CACHE_URL;\n"));
        assert_eq!(of(Ecosystem::Python), "import os\ncache_url = os.environ[\"CACHE_URL\"]");
        assert!(of(Ecosystem::Go).starts_with("cacheUrl := os.Getenv(\"CACHE_URL\")\n"));
        assert_eq!(of(Ecosystem::Env), "");
    }
}
