//! Gradle's configurations: which of them the app runs with.

use crate::detect::confidence::Scope;

/// Tells the scope of a configuration by its name; `None` when what it holds never runs with the app
/// (<https://docs.gradle.org/current/userguide/java_library_plugin.html#sec:java_library_configurations_graph>).
pub(super) fn configuration(name: &str) -> Option<Scope> {
    const NEVER: [&str; 16] = [
        "annotationProcessor",
        "kapt",
        "ksp",
        "classpath",
        "detektPlugins",
        "checkstyle",
        "pmd",
        "spotbugsPlugins",
        "errorprone",
        "ktlint",
        "ktlintRuleset",
        "javaAgent",
        "agent",
        "jacocoAgent",
        "lintChecks",
        "coreLibraryDesugaring",
    ];
    let parts = camel(name);
    let has = |words: &[&str]| parts.iter().any(|part| words.contains(&part.as_str()));
    if NEVER.contains(&name)
        || name.ends_with("AnnotationProcessor")
        || name.starts_with("kapt")
        || name.starts_with("ksp")
    {
        return None;
    }
    if has(&["test", "tests", "it", "e2e", "development", "dev", "debug", "benchmark", "jmh", "gatling"]) {
        return Some(Scope::Dev);
    }
    if has(&["optional"]) || name.starts_with("provided") || name.contains("ompileOnly") {
        return Some(Scope::Optional);
    }
    let ordinary = ["implementation", "api", "compile", "runtime", "runtimeOnly"];
    let of_source_set = ["Implementation", "Api", "RuntimeOnly"].iter().any(|ending| name.ends_with(ending));
    Some(if ordinary.contains(&name) || of_source_set { Scope::Runtime } else { Scope::Extra(name.to_owned()) })
}

/// Splits `testFixturesApi` into its words, in lower case.
pub(super) fn camel(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for c in name.chars() {
        match words.last_mut() {
            Some(word) if !c.is_ascii_uppercase() => word.push(c),
            _ => words.push(c.to_ascii_lowercase().to_string()),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_configurations_tell_what_they_are_for() {
        for name in
            ["implementation", "api", "runtimeOnly", "compile", "runtime", "jvmMainImplementation", "serverRuntimeOnly"]
        {
            assert_eq!(configuration(name), Some(Scope::Runtime), "{name}");
        }
        for name in [
            "testImplementation",
            "integrationTestRuntimeOnly",
            "testFixturesApi",
            "developmentOnly",
            "testAndDevelopmentOnly",
            "debugImplementation",
        ] {
            assert_eq!(configuration(name), Some(Scope::Dev), "{name}");
        }
        for name in ["compileOnly", "compileOnlyApi", "providedRuntime", "providedCompile", "optional"] {
            assert_eq!(configuration(name), Some(Scope::Optional), "{name}");
        }
        for name in ["annotationProcessor", "kapt", "kspTest", "testAnnotationProcessor", "classpath"] {
            assert_eq!(configuration(name), None, "{name}");
        }
        assert_eq!(configuration("jooqGenerator"), Some(Scope::Extra("jooqGenerator".into())));
    }
}
