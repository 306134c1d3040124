use crate::detect::Detection;
use crate::detect::testing::{found, selected, tree};

fn pom(inside: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<project xmlns=\"http://maven.apache.org/POM/4.0.0\">\n<artifactId>shop</artifactId>\n{inside}\n</project>\n"
    )
}

fn dependency(name: &str, rest: &str) -> String {
    let (group, artifact) = name.split_once(':').unwrap();
    format!("<dependency>\n<groupId>{group}</groupId>\n<artifactId>{artifact}</artifactId>{rest}\n</dependency>")
}

fn maven(inside: &str) -> Detection {
    tree(&[("pom.xml", &pom(inside))]).detect_by_catalog()
}

fn gradle(text: &str) -> Detection {
    tree(&[("build.gradle", text)]).detect_by_catalog()
}

const PG: &str = "org.postgresql:postgresql";

#[test]
fn a_dependency_of_maven_is_selected_with_its_line() {
    let amqp = dependency("org.springframework.boot:spring-boot-starter-amqp", "");
    let detection = maven(&format!(
        "<dependencies>\n<!-- {} -->\n{}\n{amqp}</dependencies>",
        dependency("com.mysql:mysql-connector-j", ""),
        dependency(PG, "<scope>runtime</scope>")
    ));
    assert_eq!(selected(&detection), ["postgres", "rabbitmq"]);
    assert_eq!(found(&detection).len(), 2, "a comment declares nothing");
    let evidence = &detection.findings[0].evidence[0];
    assert_eq!((evidence.package.as_str(), evidence.line), (PG, 9));
}

#[test]
fn scopes_of_maven() {
    for (rest, confidence) in [
        ("<scope>compile</scope>", Some(0.95)),
        ("<scope> test </scope>", Some(0.62)),
        ("<scope>provided</scope>", Some(0.62)),
        ("<optional>true</optional>", Some(0.62)),
    ] {
        let detection = maven(&format!("<dependencies>{}</dependencies>", dependency(PG, rest)));
        assert_eq!(detection.findings.first().map(|finding| finding.confidence), confidence, "{rest}");
    }
    let managed =
        format!("<dependencyManagement><dependencies>{}</dependencies></dependencyManagement>", dependency(PG, ""));
    assert!(found(&maven(&managed)).is_empty(), "a managed version declares nothing");
    let plugin = format!(
        "<build><plugins><plugin><dependencies>{}</dependencies></plugin></plugins></build>",
        dependency(PG, "")
    );
    assert!(selected(&maven(&plugin)).is_empty());
    assert_eq!(found(&maven(&plugin)), ["postgres"]);
}

#[test]
fn a_profile_is_optional_unless_it_is_for_production_or_the_usual_one() {
    let profile = |id: &str, active: &str| {
        let activation = format!("<activation><activeByDefault>{active}</activeByDefault></activation>");
        maven(&format!(
            "<profiles><profile><id>{id}</id>{activation}<dependencies>{}</dependencies></profile></profiles>",
            dependency(PG, "")
        ))
    };
    assert_eq!(profile("postgres", "false").findings[0].confidence, 0.57);
    assert_eq!(selected(&profile("prod", "false")), ["postgres"]);
    assert!(selected(&profile("dev", "false")).is_empty());
    assert_eq!(selected(&profile("dev", "true")), ["postgres"]);
}

#[test]
fn parents_say_properties_and_managed_scopes() {
    let parent = pom(&format!(
        "<groupId>com.acme</groupId><packaging>pom</packaging><properties><pg.group>org.postgresql</pg.group><a>${{b}}</a><b>${{a}}</b></properties><dependencyManagement><dependencies>{}{}</dependencies></dependencyManagement>",
        dependency("redis.clients:jedis", "<scope>test</scope>"),
        dependency(PG, "<version>42</version>")
    ));
    let module = pom(&format!(
        "<parent><groupId>com.acme</groupId><artifactId>shop</artifactId></parent><dependencies>{}{}{}</dependencies>",
        dependency("${pg.group}:postgresql", ""),
        dependency("redis.clients:jedis", ""),
        dependency("${a}:endless", "")
    ));
    let detection = tree(&[("pom.xml", &parent), ("api/pom.xml", &module)]).detect_by_catalog();
    assert_eq!(selected(&detection), ["postgres"]);
    assert_eq!(found(&detection), ["postgres", "redis"]);
    // Two poms that are one another's parents are no endless loop.
    let loops = pom("<parent><relativePath>../b</relativePath></parent>");
    let back = pom("<parent><relativePath>../a/pom.xml</relativePath></parent>");
    assert!(tree(&[("a/pom.xml", &loops), ("b/pom.xml", &back)]).detect().warnings.is_empty());
}

#[test]
fn what_says_nothing_about_a_database() {
    for name in [
        "org.springframework.boot:spring-boot-starter-data-jpa",
        "org.springframework.boot:spring-boot-starter-jdbc",
        "com.h2database:h2",
        "org.hsqldb:hsqldb",
        "org.xerial:sqlite-jdbc",
        "org.flywaydb:flyway-core",
        "org.liquibase:liquibase-core",
        "org.testcontainers:testcontainers",
        "org.testcontainers:jdbc",
        "io.opentelemetry.instrumentation:opentelemetry-lettuce-5.1",
        "com.acme:postgresql",
    ] {
        let detection = maven(&format!("<dependencies>{}</dependencies>", dependency(name, "")));
        assert!(found(&detection).is_empty(), "{name}");
    }
}

#[test]
fn two_drivers_in_one_module_are_alternatives_and_containers_of_tests_are_needed() {
    let two =
        format!("<dependencies>{}{}</dependencies>", dependency("com.mysql:mysql-connector-j", ""), dependency(PG, ""));
    let detection = maven(&two);
    assert_eq!((selected(&detection), found(&detection)), (vec!["postgres"], vec!["mysql", "postgres"]));
    let tests = dependency("org.testcontainers:testcontainers-mongodb", "<scope>test</scope>");
    assert_eq!(selected(&maven(&format!("<dependencies>{tests}</dependencies>"))), ["mongodb"]);
}

#[test]
fn a_malformed_pom_is_a_warning_with_its_place() {
    let detection = tree(&[("a/pom.xml", "<project>\n  <dependencies>\n</project>\n"), ("pom.xml", &pom(""))]).detect();
    let warning = &detection.warnings[0];
    assert!(warning.what.starts_with("`a/pom.xml` is malformed: "), "{}", warning.what);
    assert_eq!(warning.place.as_ref().map(|place| (place.file.as_str(), place.line)), Some(("a/pom.xml", 3)));
    assert_eq!(detection.warnings.len(), 1);
}

#[test]
fn dependencies_of_gradle_in_all_their_forms() {
    for line in [
        "implementation 'org.postgresql:postgresql:42.7.1'",
        "implementation \"org.postgresql:postgresql:$pgVersion\"",
        "runtimeOnly(\"org.postgresql:postgresql\") { exclude(group = \"a\", module = \"b\") }",
        "api group: 'org.postgresql', name: 'postgresql', version: '42'",
        "implementation(group = \"org.postgresql\", name = \"postgresql\", version = \"42\")",
        "implementation([group: 'a', name: 'b'], [group: 'org.postgresql', name: 'postgresql'])",
        "implementation 'a:b:1',\n        'org.postgresql:postgresql:42'",
        "\"implementation\"(\"org.postgresql:postgresql\")",
        "add(\"implementation\", \"org.postgresql:postgresql\")",
        "implementation('org.postgresql:postgresql:42:jdk8@jar')",
    ] {
        let detection = gradle(&format!("plugins {{ id 'java' }}\n/* ' */ dependencies {{\n    {line} // it's\n}}\n"));
        assert_eq!(selected(&detection), ["postgres"], "{line}");
        assert!((3..5).contains(&detection.findings[0].evidence[0].line));
    }
}

#[test]
fn what_gradle_does_not_run_with_the_app() {
    for (text, expected) in [
        ("// implementation 'org.postgresql:postgresql'", vec![]),
        ("annotationProcessor 'org.postgresql:postgresql'", vec![]),
        ("implementation platform('org.postgresql:postgresql')", vec![]),
        ("implementation project(':org.postgresql:postgresql')", vec![]),
        ("constraints { implementation 'org.postgresql:postgresql:42' }", vec![]),
        ("implementation('a:b') { exclude group: 'org.postgresql', module: 'postgresql' }", vec![]),
        ("testImplementation 'org.postgresql:postgresql'", vec!["postgres"]),
        ("developmentOnly 'org.postgresql:postgresql'", vec!["postgres"]),
        ("compileOnly 'org.postgresql:postgresql'", vec!["postgres"]),
        ("jooqGenerator 'org.postgresql:postgresql'", vec!["postgres"]),
        ("if (project.hasProperty('pg')) { implementation 'org.postgresql:postgresql' }", vec!["postgres"]),
    ] {
        let detection = gradle(&format!("dependencies {{\n{text}\n}}\n"));
        assert_eq!((found(&detection), selected(&detection)), (expected, vec![]), "{text}");
    }
    for text in [
        "buildscript { dependencies { classpath 'org.postgresql:postgresql:42' } }",
        "dependencyManagement { dependencies { dependency 'org.postgresql:postgresql:42' } }",
        "configurations.all { resolutionStrategy { force 'org.postgresql:postgresql:42' } }",
    ] {
        assert!(found(&gradle(text)).is_empty(), "{text}");
    }
    let build = "dependencies { implementation 'org.postgresql:postgresql:42' }";
    assert!(found(&tree(&[("buildSrc/build.gradle", build)]).detect_by_catalog()).is_empty());
    let convention = ("buildSrc/src/main/groovy/shop.db.gradle", build);
    assert_eq!(selected(&tree(&[convention]).detect_by_catalog()), ["postgres"]);
}

#[test]
fn test_suites_and_source_sets_are_for_tests() {
    let text =
        "testing { suites { integrationTest { dependencies { implementation('org.postgresql:postgresql') } } } }";
    assert_eq!(gradle(text).findings[0].confidence, 0.62);
    let multiplatform = "kotlin { sourceSets { jvmMain.dependencies { implementation(\"org.postgresql:postgresql\") }\n val jvmTest by getting { dependencies { implementation(\"redis.clients:jedis\") } } } }";
    let detection = tree(&[("build.gradle.kts", multiplatform)]).detect_by_catalog();
    assert_eq!((selected(&detection), found(&detection)), (vec!["postgres"], vec!["postgres", "redis"]));
}

#[test]
fn a_version_catalog_declares_nothing_until_a_build_file_uses_it() {
    let catalog = "[versions]\npg = \"42\"\n[libraries]\npostgresql = { module = \"org.postgresql:postgresql\", version.ref = \"pg\" }\nspring-redis = \"org.springframework.boot:spring-boot-starter-data-redis:3\"\njdbc_mysql = { group = \"com.mysql\", name = \"mysql-connector-j\" }\n[bundles]\ndata-base = [\"postgresql\", \"spring-redis\"]\n[plugins]\nspring-boot = { id = \"org.springframework.boot\", version = \"3\" }\n";
    let with = |build: &str| {
        tree(&[("gradle/libs.versions.toml", catalog), ("app/build.gradle.kts", build)]).detect_by_catalog()
    };
    assert!(found(&with("dependencies { implementation(\"a:b:1\") }")).is_empty());
    assert_eq!(selected(&with("dependencies { implementation(libs.postgresql) }")), ["postgres"]);
    assert_eq!(selected(&with("dependencies { implementation(libs.jdbc.mysql.get()) }")), ["mysql"]);
    assert_eq!(selected(&with("dependencies {\n implementation(libs.bundles.data.base)\n}")), ["postgres", "redis"]);
    assert_eq!(
        selected(&with("dependencies { add(\"implementation\", libs.findLibrary(\"spring-redis\").get()) }")),
        ["redis"]
    );
    let detection = with("plugins {\n  alias(libs.plugins.spring.boot)\n}\n");
    assert_eq!(detection.dev.unwrap().value, "cd ./app && gradle bootRun");
}

#[test]
fn catalogs_of_settings_scripts_and_names_for_coordinates() {
    let settings = "dependencyResolutionManagement {\n versionCatalogs {\n  libs {\n   library('redissonStarter', \"org.redisson:redisson-spring-boot-starter:4\")\n   library(\"pg\", \"org.postgresql\", \"postgresql\").version('42')\n   bundle('all', ['pg', 'redissonStarter'])\n  }\n  create(\"extra\") { from(files(\"gradle/more.versions.toml\")) }\n } }\nrootProject.name = 'acme'\n";
    let more = "[libraries]\nmongo = \"org.mongodb:mongodb-driver-sync:5\"\n";
    let with = |build: &str| {
        tree(&[("settings.gradle", settings), ("gradle/more.versions.toml", more), ("build.gradle", build)])
            .detect_by_catalog()
    };
    let detection = with("dependencies {\n implementation libs.redissonStarter\n}");
    assert_eq!(selected(&detection), ["redis"]);
    assert_eq!(detection.findings[0].evidence[0].package, "org.redisson:redisson-spring-boot-starter");
    assert_eq!(detection.name.unwrap().value, "acme");
    assert_eq!(selected(&with("dependencies { implementation libs.bundles.all }")), ["postgres", "redis"]);
    assert_eq!(selected(&with("dependencies { implementation extra.mongo }")), ["mongodb"]);
    assert!(found(&with("")).is_empty());
    let scripts = [
        (
            "gradle/dependencies.gradle",
            "ext.deps = [\n  postgres: 'org.postgresql:postgresql:42',\n  two: 'a:b:1'\n]\n",
        ),
        ("build.gradle", "dependencies { implementation deps.postgres\n implementation deps['postgres'] }"),
    ];
    assert_eq!(selected(&tree(&scripts).detect_by_catalog()), ["postgres"]);
    let constants = [
        (
            "buildSrc/src/main/kotlin/Libs.kt",
            "object Libs {\n  const val pg = \"org.postgresql:postgresql:${Versions.pg}\"\n}",
        ),
        ("build.gradle.kts", "dependencies {\n implementation(Libs.pg)\n}"),
    ];
    let detection = tree(&constants).detect_by_catalog();
    assert_eq!(selected(&detection), ["postgres"]);
    assert_eq!(detection.findings[0].evidence[0].file, "build.gradle.kts");
}

#[test]
fn modules_of_tests_are_for_development() {
    let text = "dependencies { api 'org.postgresql:postgresql' }";
    let detection = tree(&[("shop-test-support/build.gradle", text)]).detect_by_catalog();
    assert_eq!((selected(&detection), found(&detection)), (vec![], vec!["postgres"]));
}

#[test]
fn a_malformed_script_is_a_warning_and_the_rest_counts() {
    let detection = gradle("dependencies {\n  implementation 'a:b\n  implementation 'org.postgresql:postgresql'\n}\n");
    assert_eq!(selected(&detection), ["postgres"]);
    assert_eq!(detection.warnings[0].what, "`build.gradle` is malformed: a string does not end");
    assert_eq!(detection.warnings[0].place.as_ref().map(|place| place.line), Some(2));
    let catalog = tree(&[("gradle/libs.versions.toml", "[libraries]\npg = \n")]).detect();
    assert_eq!(catalog.warnings[0].place.as_ref().map(|place| place.line), Some(2));
}

fn facts(detection: &Detection) -> (Option<&str>, Option<u16>, Option<&str>) {
    (
        detection.dev.as_ref().map(|found| found.value.as_str()),
        detection.port.as_ref().map(|found| found.value),
        detection.image.as_ref().map(|found| found.value.as_str()),
    )
}

#[test]
fn spring_boot_with_maven() {
    let plugin = "<properties><java.version>17</java.version></properties><build><plugins><plugin><artifactId>spring-boot-maven-plugin</artifactId></plugin></plugins></build>";
    let web = dependency("org.springframework.boot:spring-boot-starter-web", "");
    let text = pom(&format!("{plugin}<dependencies>{web}</dependencies>"));
    let detection = tree(&[
        ("pom.xml", &text),
        ("mvnw", "#!/bin/sh\n"),
        ("src/main/resources/application.yml", "server:\n  port: 8083\n"),
    ])
    .detect();
    assert_eq!(facts(&detection), (Some("./mvnw spring-boot:run"), Some(8083), Some("eclipse-temurin:17-jdk")));
    assert_eq!(detection.name.unwrap().value, "shop");
    let stack = detection.stack.unwrap();
    assert_eq!((stack.install.as_str(), stack.reloads), ("./mvnw -B -q -DskipTests compile", false));
    assert_eq!(stack.rebuild_on, ["pom.xml"]);
    assert!(detection.production.is_none());
    let bare = tree(&[("pom.xml", &text)]).detect();
    assert_eq!(facts(&bare), (Some("mvn spring-boot:run"), Some(8080), Some("maven:3-eclipse-temurin-17")));
}

#[test]
fn a_module_of_maven_is_installed_with_its_siblings() {
    let plugin = "<build><plugins><plugin><artifactId>spring-boot-maven-plugin</artifactId></plugin></plugins></build>";
    let web = dependency("org.springframework.boot:spring-boot-starter-web", "");
    let root = pom("<packaging>pom</packaging><modules><module>api</module></modules>");
    let api = pom(&format!("{plugin}<dependencies>{web}</dependencies>"));
    let detection =
        tree(&[("pom.xml", &root), ("api/pom.xml", &api), ("core/pom.xml", &pom("")), ("mvnw", "")]).detect();
    assert_eq!(facts(&detection).0, Some("cd ./api && ../mvnw spring-boot:run"));
    assert_eq!(detection.stack.unwrap().install, "./mvnw -B -q -DskipTests install");
}

#[test]
fn a_library_is_no_app() {
    assert_eq!(facts(&maven("")), (None, None, None));
    assert_eq!(
        facts(&gradle("plugins {\n id 'java-library'\n id 'org.springframework.boot' version '3' apply false\n}")).0,
        None
    );
    assert_eq!(facts(&gradle("plugins { id 'application' }")).0, None);
}

#[test]
fn apps_of_gradle() {
    let web = "dependencies { implementation 'org.springframework.boot:spring-boot-starter-web' }";
    for (plugins, dev, reloads) in [
        ("plugins { id 'org.springframework.boot' version '3.5' }", "./gradlew bootRun", false),
        ("apply plugin: 'org.springframework.boot'", "./gradlew bootRun", false),
        ("plugins { id(\"io.quarkus\") }", "./gradlew quarkusDev -Dquarkus.http.host=0.0.0.0", true),
        ("plugins { application }", "./gradlew run", false),
    ] {
        let text =
            format!("{plugins}\njava {{ toolchain {{ languageVersion = JavaLanguageVersion.of(25) }} }}\n{web}\n");
        let detection = tree(&[("build.gradle", &text), ("gradlew", "")]).detect();
        assert_eq!(facts(&detection), (Some(dev), Some(8080), Some("eclipse-temurin:25-jdk")), "{plugins}");
        assert_eq!(detection.stack.unwrap().reloads, reloads, "{plugins}");
    }
}

#[test]
fn a_server_comes_before_its_page_in_the_same_directory() {
    let text = "plugins { id 'org.springframework.boot' }\ndependencies { implementation 'org.springframework.boot:spring-boot-starter-web' }";
    let page = r#"{"scripts": {"start": "ng serve"}, "devDependencies": {"@angular/cli": "20"}}"#;
    let detection = tree(&[("build.gradle", text), ("package.json", page)]).detect();
    assert_eq!(facts(&detection).0, Some("gradle bootRun"));
}

#[test]
fn the_database_of_the_settings_decides_between_the_drivers() {
    let dependency = |coordinate: &str| {
        let (group, artifact) = coordinate.split_once(':').unwrap();
        format!("<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId></dependency>")
    };
    let drivers = dependency("org.postgresql:postgresql") + &dependency("com.mysql:mysql-connector-j");
    let pom = format!("<project><artifactId>shop</artifactId><dependencies>{drivers}</dependencies></project>");
    let with = |file: &str, text: &str| tree(&[("shop/pom.xml", pom.as_str()), (file, text)]).detect_by_catalog();
    let url = "spring.datasource.url=${DB:jdbc:mysql://root:secret@localhost/shop}\n";
    let detection = with("shop/src/main/resources/application.properties", url);
    assert_eq!((found(&detection), selected(&detection)), (vec!["mysql", "postgres"], vec!["mysql"]), "{detection:?}");
    assert!(!format!("{detection:?}").contains("secret"));
    let yml =
        "spring:\n  datasource:\n    url: jdbc:h2:mem:shop\n---\nspring:\n  datasource:\n    url: jdbc:mysql://a/b\n";
    let detection = with("shop/src/main/resources/application.yml", yml);
    assert_eq!((found(&detection), selected(&detection).len()), (vec!["mysql", "postgres"], 0), "{detection:?}");
    for (file, text) in [
        ("shop/src/test/resources/application.properties", url),
        ("shop/src/main/resources/application-prod.properties", url),
        ("shop/src/main/resources/application.properties", "#---\nspring.datasource.url=jdbc:mysql://a/b\n"),
        ("other/src/main/resources/application.properties", "spring.datasource.url=jdbc:h2:mem:a\n"),
    ] {
        assert_eq!(selected(&with(file, text)), ["postgres"], "{file}");
    }
}

#[test]
fn a_kind_of_database_is_no_address() {
    let settings = "src/main/resources/application.properties";
    let note = |text: &str| {
        let detection = tree(&[("pom.xml", "<project/>"), (settings, text)]).detect();
        detection.findings[0].evidence[0].note.clone()
    };
    assert_eq!(note("quarkus.datasource.db-kind=postgresql\n"), "quarkus.datasource.db-kind names postgres");
    let url = note("spring.datasource.url=jdbc:postgresql://localhost/a\n");
    assert_eq!(url, "spring.datasource.url holds an address of postgres");
}
