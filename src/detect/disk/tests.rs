use super::*;

fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in files {
        fsx::write(&dir.path().join(path), text.as_bytes()).unwrap();
    }
    dir
}

fn pipe(path: &Path) {
    crate::exec::Invocation::new("/usr/bin/mkfifo").arg(path.to_str().unwrap()).capture().unwrap();
}

/// What detection warns of.
fn told(root: &Path) -> Vec<String> {
    let tree = DiskTree::open(root).unwrap();
    crate::detect::detect(&tree, &[]).warnings.into_iter().map(|warning| warning.what).collect()
}

#[test]
fn only_manifests_are_noted_and_ignored_places_not_entered() {
    let dir = project(&[
        ("package.json", "{}"),
        ("src/index.ts", ""),
        ("apps/web/package.json", "{}"),
        ("node_modules/pg/package.json", "{}"),
        ("apps/web/node_modules/pg/package.json", "{}"),
        ("vendor/a/go.mod", ""),
        (".cache/package.json", "{}"),
        (".nvmrc", "22"),
        ("db/schema.prisma", ""),
        ("requirements/base.txt", ""),
        ("robots.txt", ""),
        (".gitignore", "generated/\n/ignored.prisma\n"),
        ("generated/package.json", "{}"),
        ("ignored.prisma", ""),
        ("pkg/.gitignore", "package.json\n"),
        ("pkg/package.json", "{}"),
    ]);
    let tree = DiskTree::open(dir.path()).unwrap();
    assert_eq!(
        tree.paths(),
        [".nvmrc", "apps/web/package.json", "db/schema.prisma", "package.json", "requirements/base.txt"]
    );
    assert_eq!(tree.read(".nvmrc").as_deref(), Ok("22"));
}

#[test]
fn an_example_that_the_rule_about_environments_means_too_is_noted() {
    let dir = project(&[
        (".gitignore", ".env*\ndocs/\n"),
        (".env", "SECRET=1"),
        (".env.example", "A=1"),
        (".env.local", ""),
        ("api/package.json", "{}"),
        ("api/.env.sample", "B=1"),
        ("notes/.env.example", "C=1"),
        ("docs/package.json", "{}"),
        ("docs/.env.example", "D=1"),
    ]);
    let tree = DiskTree::open(dir.path()).unwrap();
    assert_eq!(tree.paths(), [".env.example", "api/.env.sample", "api/package.json"]);
    // A rule with its name means it.
    let dir = project(&[(".gitignore", ".env*\n.env.sample\n!.env.dist\n"), (".env.sample", ""), (".env.dist", "")]);
    assert_eq!(DiskTree::open(dir.path()).unwrap().paths(), [".env.dist"]);
    let dir = project(&[(".gitignore", ".env*.local\n*.env\n"), (".env.example", ""), (".env.example.local", "")]);
    assert_eq!(DiskTree::open(dir.path()).unwrap().paths(), [".env.example"]);
}

#[test]
fn manifests_of_every_ecosystem_are_noted_and_real_environments_are_not() {
    let noted = [
        ".ddev/config.yaml",
        ".devcontainer/devcontainer.json",
        ".do/app.yaml",
        ".env.example",
        ".lando.yml",
        "Gemfile",
        "app.json",
        "apps/web/mix.exs",
        "bin/rails",
        "composer.json",
        "config/database.yml",
        "docker-compose.dev.yml",
        "docker/Dockerfile.postgres",
        "render.yaml",
        "shop.gemspec",
    ];
    let others =
        [".env", ".env.local", ".github/compose.yml", "config/secrets.yml", "lib/gem.rb", "vendor/composer.json"];
    let files: Vec<(&str, &str)> = noted.iter().chain(&others).map(|path| (*path, "")).collect();
    let dir = project(&files);
    let tree = DiskTree::open(dir.path()).unwrap();
    assert_eq!(tree.paths(), noted);
    assert!(tree.can_be_named(".env") && !tree.can_be_named(".env.local"));
    fsx::write(&dir.path().join(".gitignore"), b".env\n").unwrap();
    assert!(!DiskTree::open(dir.path()).unwrap().can_be_named(".env"), "what git ignores");
}

#[test]
fn manifests_of_every_language_are_noted_and_their_sources_are_not() {
    let manifests = [
        "Directory.Build.props",
        "Shop.fsproj",
        "app/src/main/resources/application.yml",
        "build.sbt",
        "buildSrc/src/main/kotlin/Libs.kt",
        "deno.jsonc",
        "gradle/libs.versions.toml",
        "mvnw",
        "pom.xml",
        "project/Dependencies.scala",
        "settings.gradle.kts",
        "src/bin/tool.rs",
        "src/main.rs",
        "web/Cargo.toml",
        "web/Properties/launchSettings.json",
        "web/appsettings.Development.json",
        "web/appsettings.json",
        "web/packages.config",
    ];
    let others = [
        "app/src/main/resources/messages.properties",
        "app/src/main/kotlin/Libs.kt",
        "application.yml",
        "appsettings.Production.json",
        "build/main.rs",
        "project/plugins.sbt",
        "src/Dependencies.scala",
        "src/lib.rs",
        "launchSettings.json",
        "src/Program.cs",
        "target/Cargo.toml",
    ];
    let files: Vec<(&str, &str)> = manifests.iter().chain(&others).map(|path| (*path, "")).collect();
    let dir = project(&files);
    assert_eq!(DiskTree::open(dir.path()).unwrap().paths(), manifests);
}

#[test]
fn what_lies_above_the_root_does_not_matter() {
    let dir = project(&[
        (".gitignore", "*\n"),
        (".ignore", "*\n"),
        ("a/package.json", "{}"),
        ("a/.ignore", "package.json\n"),
    ]);
    assert_eq!(DiskTree::open(&dir.path().join("a")).unwrap().paths(), ["package.json"]);
    assert!(DiskTree::open(dir.path()).unwrap().paths().is_empty());
}

#[test]
fn a_directory_with_a_project_of_its_own_is_not_entered() {
    let files =
        ["a/kilter.yaml", "a/package.json", "a/b/package.json", "b/package.json", "kilter.yaml", "package.json"];
    let dir = project(&files.map(|path| (path, "{}")));
    assert_eq!(DiskTree::open(dir.path()).unwrap().paths(), ["b/package.json", "package.json"]);
    assert_eq!(DiskTree::open(&dir.path().join("a")).unwrap().paths(), ["b/package.json", "package.json"]);
}

#[test]
fn links_are_not_followed() {
    let outside = project(&[("package.json", "{}")]);
    let dir = project(&[("a/package.json", "{}")]);
    std::os::unix::fs::symlink(dir.path(), dir.path().join("a/loop")).unwrap();
    std::os::unix::fs::symlink(outside.path(), dir.path().join("out")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("package.json"), dir.path().join("package.json")).unwrap();
    let tree = DiskTree::open(dir.path()).unwrap();
    assert_eq!(tree.paths(), ["a/package.json", "package.json"]);
    assert_eq!(tree.read("package.json"), Err(Unreadable::Access("it is a link out of the project".into())));
}

#[test]
fn a_name_of_a_manifest_that_is_no_file_is_told_of() {
    let dir = project(&[("b/package.json", "{}"), ("compose.yml/x", ""), ("env-example/x", ""), ("Pipfile.d/x", "")]);
    let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, dir.path().join(name)).unwrap();
    link("gone", "go.mod");
    link("Gemfile", "Gemfile");
    link("b/package.json", "package.json");
    pipe(&dir.path().join("setup.py"));
    let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("Cargo.toml")).unwrap();
    assert_eq!(
        told(dir.path()),
        [
            "cannot read `setup.py`: it is no ordinary file",
            "cannot read `go.mod`: it is a link to nothing",
            "cannot read `Cargo.toml`: it is no ordinary file",
            "cannot read `Gemfile`: too many levels of symbolic links",
            "cannot read `compose.yml`: it is a directory",
        ]
    );
}

#[test]
fn rules_that_never_end_stop_no_walk() {
    let dir = project(&[("package.json", "{}"), ("a/package.json", "{}"), ("b/package.json", "{}")]);
    pipe(&dir.path().join("a/.gitignore"));
    let tree = DiskTree::open(dir.path()).unwrap();
    assert_eq!(tree.paths(), ["b/package.json", "package.json"]);
    assert_eq!(told(dir.path()), ["cannot read `a/.gitignore`: it is no ordinary file"]);
    pipe(&dir.path().join(".gitignore"));
    assert_eq!(DiskTree::open(dir.path()).unwrap().paths().len(), 3);
    assert_eq!(told(dir.path()), ["cannot read `.gitignore`: it is no ordinary file"]);
}

#[test]
fn what_is_no_text_or_too_large_or_closed_is_a_warning_with_the_reason() {
    let dir = project(&[("go.mod", &"// x\n".repeat(4_000_000)), ("Gemfile", "gem 'x'\n\0\n"), ("composer.json", "")]);
    fsx::write(&dir.path().join("a/package.json"), &[b'{', b'\n', 0x80, 0xfe]).unwrap();
    fsx::write(&dir.path().join("setup.py"), &[0xff, 0xfe, 0]).unwrap();
    let closed = dir.path().join("composer.json");
    std::fs::set_permissions(&closed, std::os::unix::fs::PermissionsExt::from_mode(0o000)).unwrap();
    let mut told = told(dir.path());
    if File::open(&closed).is_err() {
        // The system's own user may read everything.
        assert_eq!(told.pop().unwrap(), "cannot read `composer.json`: permission denied");
    } else {
        told.pop();
    }
    assert_eq!(
        told,
        [
            "cannot read `a/package.json`: line 2 is not UTF-8",
            "cannot read `setup.py`: it is not UTF-16, though its first bytes say so",
            "cannot read `go.mod`: it is larger than 1 MiB",
            "cannot read `Gemfile`: line 2 holds the control character U+0000",
        ]
    );
}

#[test]
fn a_mark_in_front_is_no_part_of_the_text_and_an_empty_file_says_nothing() {
    let dir = project(&[("go.mod", "\u{feff}module shop\nrequire github.com/lib/pq v1.0.0\n")]);
    let names =
        ["requirements.txt", "setup.py", "setup.cfg", "pyproject.toml", "Pipfile", "Cargo.toml", "Gemfile", "mix.exs"];
    let more = ["compose.yml", "build.gradle", "a.prisma", ".env.example", "environment.yml", "config/database.yml"];
    names.iter().chain(&more).for_each(|name| fsx::write(&dir.path().join(name), b"").unwrap());
    let tree = DiskTree::open(dir.path()).unwrap();
    let detection = crate::detect::detect(&tree, &crate::detect::catalog_rules());
    assert_eq!((detection.findings[0].name.as_str(), detection.warnings), ("postgres", Vec::new()));
    assert_eq!(detection.name.unwrap().value, "shop");
}

#[test]
fn a_root_that_is_not_there_is_an_error() {
    let dir = project(&[]);
    let error = DiskTree::open(&dir.path().join("missing")).unwrap_err();
    assert!(error.to_string().starts_with("cannot read the directory `"), "{error}");
}

#[test]
fn what_a_manifest_can_name_is_read_and_no_manifest_itself() {
    let dir = project(&[
        ("compose.yml", ""),
        ("infra/db.yml", "a"),
        ("infra/db.Dockerfile", ""),
        ("infra/Dockerfile-postgres", ""),
        ("ignored.yml", ""),
        (".gitignore", "ignored.yml\n"),
        ("notes.md", ""),
    ]);
    std::os::unix::fs::symlink("/etc/hostname", dir.path().join("link.yml")).unwrap();
    let tree = DiskTree::open(dir.path()).unwrap();
    assert_eq!(tree.paths(), ["compose.yml"]);
    for (path, expected) in [
        ("compose.yml", true),
        ("infra/db.yml", true),
        ("infra/db.Dockerfile", true),
        ("infra/Dockerfile-postgres", true),
        ("ignored.yml", false),
        ("notes.md", false),
        ("link.yml", false),
        ("gone.yml", false),
    ] {
        assert_eq!(tree.can_be_named(path), expected, "{path}");
    }
}

#[test]
fn texts_in_utf16_are_read_by_their_mark() {
    let encoded = |mark: [u8; 2], bytes: fn(u16) -> [u8; 2]| {
        mark.into_iter().chain("é=1".encode_utf16().flat_map(bytes)).collect::<Vec<u8>>()
    };
    assert_eq!(text(encoded([0xff, 0xfe], u16::to_le_bytes)).as_deref(), Ok("é=1"));
    assert_eq!(text(encoded([0xfe, 0xff], u16::to_be_bytes)).as_deref(), Ok("é=1"));
    assert_eq!(text("é=1".into()).as_deref(), Ok("é=1"));
    assert!(text(vec![0xff, 0xfe, 0x00, 0xd8]).is_err() && text(vec![0xff]).is_err());
}

#[test]
fn a_directory_that_may_not_be_read_is_told_of_and_one_that_went_is_not() {
    // Tests may run as a user who may read everything.
    let met = |kind: io::ErrorKind| {
        let err = Box::new(ignore::Error::Io(kind.into()));
        let error = ignore::Error::WithPath { path: "/shop/apps/api".into(), err };
        unread(Path::new("/shop"), &ignore::Error::WithDepth { depth: 2, err: Box::new(error) })
    };
    assert!(met(io::ErrorKind::NotFound).is_none());
    let Some(Met::Problem(problem)) = met(io::ErrorKind::PermissionDenied) else { panic!("nothing is told") };
    assert_eq!(problem.what, "cannot read `apps/api`: permission denied");
}
