//! How an app of the JVM runs in dev.

use super::{Build, JvmProject, Plugin, config};
use crate::catalog::Ecosystem;
use crate::detect::app::{Candidate, Ready};
use crate::detect::command;
use crate::detect::files::Files;
use crate::detect::model::{Found, Stack};
use crate::detect::places::{join, split};

/// The port of Spring Boot, Quarkus, Micronaut and Ktor alike, unless their settings say another.
const PORT: u16 = 8080;

/// The version of Java when the project says none, and those there are images of that are kept for years
/// (<https://adoptium.net/support>).
const JAVA: u32 = 21;
const JAVA_RELEASES: [u32; 5] = [8, 11, 17, 21, 25];

/// What starts an app: a plugin of the build (of Maven, of Gradle) and the tasks that run it.
struct Runner {
    name: &'static str,
    maven: Option<(&'static str, &'static str)>,
    gradle: Option<(&'static [&'static str], &'static str)>,
    /// Whether it is for servers only.
    serves: bool,
    /// Whether it loads changed files by itself.
    reloads: bool,
}

/// docs.spring.io/spring-boot/maven-plugin/run.html, docs.spring.io/spring-boot/gradle-plugin/running.html,
/// quarkus.io/guides/dev-mode-differences (which listens on localhost only unless it is told), docs.micronaut.io,
/// docs.gradle.org/current/userguide/application_plugin.html.
const RUNNERS: [Runner; 4] = [
    Runner {
        name: "Spring Boot",
        maven: Some(("spring-boot-maven-plugin", "spring-boot:run")),
        gradle: Some((&["org.springframework.boot"], "bootRun")),
        serves: false,
        reloads: false,
    },
    Runner {
        name: "Quarkus",
        maven: Some(("quarkus-maven-plugin", "quarkus:dev -Dquarkus.http.host=0.0.0.0")),
        gradle: Some((&["io.quarkus"], "quarkusDev -Dquarkus.http.host=0.0.0.0")),
        serves: true,
        reloads: true,
    },
    Runner {
        name: "Micronaut",
        maven: Some(("micronaut-maven-plugin", "mn:run")),
        gradle: Some((&["io.micronaut.application", "io.micronaut.minimal.application"], "run")),
        serves: true,
        reloads: false,
    },
    Runner {
        name: "the plugin application",
        maven: None,
        gradle: Some((&["io.ktor.plugin", "application"], "run")),
        serves: false,
        reloads: false,
    },
];

/// Packages that show that the module serves.
const SERVERS: [&str; 19] = [
    "org.springframework.boot:spring-boot-starter-web",
    "org.springframework.boot:spring-boot-starter-webmvc",
    "org.springframework.boot:spring-boot-starter-webflux",
    "org.springframework.boot:spring-boot-starter-jersey",
    "org.springframework.boot:spring-boot-starter-graphql",
    "org.springframework.boot:spring-boot-starter-data-rest",
    "org.springframework.cloud:spring-cloud-starter-gateway",
    "org.springframework.cloud:spring-cloud-starter-gateway-server-webflux",
    "org.springframework.cloud:spring-cloud-starter-gateway-server-webmvc",
    "io.ktor:ktor-server-netty",
    "io.ktor:ktor-server-netty-jvm",
    "io.ktor:ktor-server-cio",
    "io.ktor:ktor-server-core",
    "io.ktor:ktor-server-core-jvm",
    "io.javalin:javalin",
    "io.vertx:vertx-web",
    "io.micronaut:micronaut-http-server-netty",
    "io.dropwizard:dropwizard-core",
    "org.http4k:http4k-server-undertow",
];

/// Describes the app of every module that can be started.
pub(in crate::detect) fn candidates(files: &Files<'_>, projects: &[JvmProject]) -> Vec<Ready> {
    projects.iter().filter(|project| project.build != Build::Script).map(|project| ready(files, project)).collect()
}

fn ready(files: &Files<'_>, project: &JvmProject) -> Ready {
    let server = project.packages.iter().find(|package| SERVERS.contains(&package.name.as_str()));
    // Without a server among its packages, `run` of Gradle runs anything.
    let runner = runner(project).filter(|(runner, _)| runner.maven.is_some() || server.is_some());
    let (program, wrapped) = program(files, project);
    let dev = runner.map(|(runner, plugin)| {
        let task = match project.build {
            Build::Maven => runner.maven.map(|(_, task)| task),
            _ => runner.gradle.map(|(_, task)| task),
        };
        let command = format!("{program} {}", task.unwrap_or_default());
        Found::new(command, &project.file, plugin.line, format!("from {}", runner.name))
    });
    let serves = server.is_some() || runner.is_some_and(|(runner, _)| runner.serves);
    let default = runner.filter(|_| serves).map(|(runner, plugin)| {
        Found::new(PORT, &project.file, plugin.line, format!("the default of {}", runner.name))
    });
    let candidate = Candidate {
        dir: project.dir.clone(),
        ecosystem: Ecosystem::Jvm,
        name: project.name.as_ref().map(|(name, line)| {
            let note = if project.build == Build::Maven { "the artifact in pom.xml" } else { "the name of the build" };
            Found::new(name.clone(), &project.file, *line, note)
        }),
        port: dev.as_ref().and_then(|_| config::port(files, &project.dir)).or(default),
        fixed_port: true,
        reloads: runner.is_some_and(|(runner, _)| runner.reloads),
        image: dev.as_ref().map(|_| image(project, wrapped)),
        dev,
        serves,
    };
    let stack = stack(files, project, &program);
    Ready { candidate, stack }
}

/// Returns what starts the module, with the plugin that shows it.
fn runner(project: &JvmProject) -> Option<(&'static Runner, &Plugin)> {
    RUNNERS.iter().find_map(|runner| {
        let ids: &[&str] = match project.build {
            Build::Maven => &runner.maven.map(|(id, _)| id).map_or([""; 1], |id| [id]),
            _ => runner.gradle.map_or(&[], |(ids, _)| ids),
        };
        let plugin = project.plugins.iter().find(|plugin| ids.contains(&plugin.id.as_str()))?;
        Some((runner, plugin))
    })
}

/// Returns the program that builds the module, and whether the project brings it along.
fn program(files: &Files<'_>, project: &JvmProject) -> (String, bool) {
    let (name, bare) = if project.build == Build::Maven { ("mvnw", "mvn") } else { ("gradlew", "gradle") };
    match wrapper(files, &project.dir, name) {
        Some(path) => (path, true),
        None => (bare.to_owned(), false),
    }
}

/// Returns the path of the wrapper from a directory: `./gradlew`, `../../gradlew`.
fn wrapper(files: &Files<'_>, dir: &str, name: &str) -> Option<String> {
    let mut above = dir;
    let mut climb = String::new();
    loop {
        if files.has(&join(above, name)) {
            let here = if climb.is_empty() { "./" } else { climb.as_str() };
            return Some(format!("{here}{name}"));
        }
        if above.is_empty() {
            return None;
        }
        above = split(above).0;
        climb.push_str("../");
    }
}

/// Returns the base image: a JDK for a project with a wrapper, else the image of the program that builds it. A build
/// for an older Java than any that is kept gets the next one.
fn image(project: &JvmProject, wrapped: bool) -> Found<String> {
    let asked = project.java.and_then(|(asked, line)| {
        let release = JAVA_RELEASES.into_iter().find(|release| *release >= asked)?;
        Some((release, line, "fits the version of Java asked for"))
    });
    let (java, line, note) = asked.unwrap_or((JAVA, 1, "kilter's default for Java"));
    let image = match project.build {
        _ if wrapped => format!("eclipse-temurin:{java}-jdk"),
        Build::Maven => format!("maven:3-eclipse-temurin-{java}"),
        _ => format!("gradle:jdk{java}"),
    };
    Found::new(image, &project.file, line, note)
}

/// Tells how the module is installed: everything is copied first, as a build reads sources, and is built once, so that its
/// packages are in the image. A module of a larger build needs the others.
fn stack(files: &Files<'_>, project: &JvmProject, program: &str) -> Stack {
    let (manager, install) = match project.build {
        Build::Maven => {
            let root = files.has("pom.xml") && !project.dir.is_empty();
            let dir = if root { "" } else { project.dir.as_str() };
            let program = if root && program != "mvn" { root_wrapper(files).unwrap_or(program) } else { program };
            let goal = if root { "install" } else { "compile" };
            ("maven", command::in_dir(dir, &format!("{program} -B -q -DskipTests {goal}")))
        }
        _ => ("gradle", command::in_dir(&project.dir, &format!("{program} --no-daemon classes"))),
    };
    let rebuild_on = match project.build {
        Build::Maven => files.named("pom.xml").map(str::to_owned).collect(),
        _ => super::gradle::scripts(files),
    };
    Stack {
        ecosystem: Ecosystem::Jvm,
        manager: manager.into(),
        manifests: Vec::new(),
        rebuild_on,
        install,
        extensions: Vec::new(),
        keeps: Vec::new(),
        reloads: false,
    }
}

fn root_wrapper(files: &Files<'_>) -> Option<&'static str> {
    files.has("mvnw").then_some("./mvnw")
}
