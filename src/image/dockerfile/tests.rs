use super::*;

fn stack(ecosystem: Ecosystem, manager: &str, manifests: &[&str], install: &str) -> Stack {
    let manifests = manifests.iter().map(|path| (*path).to_owned()).collect();
    Stack {
        ecosystem,
        manager: manager.into(),
        manifests,
        install: install.into(),
        extensions: Vec::new(),
        keeps: Vec::new(),
        reloads: true,
        rebuild_on: Vec::new(),
    }
}

#[test]
fn a_node_workspace_with_pnpm() {
    let manifests = ["apps/web/package.json", "package.json", "pnpm-lock.yaml", "pnpm-workspace.yaml"];
    let stack = stack(Ecosystem::Node, "pnpm", &manifests, "pnpm install --frozen-lockfile");
    insta::assert_snapshot!(dockerfile_dev(Some(&stack), "node:22-alpine", Some("pnpm dev"), Some(3000)));
}

#[test]
fn a_python_project_with_uv() {
    let stack =
        stack(Ecosystem::Python, "uv", &["pyproject.toml", "uv.lock"], "uv sync --frozen --no-install-workspace");
    let dev = "uvicorn app.main:app --host 0.0.0.0 --port 8000 --reload";
    insta::assert_snapshot!(dockerfile_dev(Some(&stack), "python:3.13-slim", Some(dev), Some(8000)));
}

#[test]
fn a_go_module() {
    let stack = stack(Ecosystem::Go, "go", &["go.mod", "go.sum"], "go mod download");
    insta::assert_snapshot!(dockerfile_dev(Some(&stack), "golang:1.26-alpine", Some("go run ."), Some(8080)));
}

#[test]
fn rails_and_phoenix_run_on_the_images_of_their_languages() {
    let ruby = stack(Ecosystem::Ruby, "bundler", &["Gemfile", "Gemfile.lock"], "bundle install");
    let rails = "bin/rails server -b 0.0.0.0 -p 3000 --pid=/tmp/rails.pid";
    let text = dockerfile_dev(Some(&ruby), "ruby:3.4", Some(rails), Some(3000));
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let expected = [
        "FROM ruby:3.4",
        "WORKDIR /app",
        "COPY Gemfile Gemfile.lock ./",
        "RUN bundle install",
        "COPY . ./",
        "ENV PORT=3000",
        "EXPOSE 3000",
        "CMD [\"bin/rails\", \"server\", \"-b\", \"0.0.0.0\", \"-p\", \"3000\", \"--pid=/tmp/rails.pid\"]",
    ];
    assert_eq!(lines, expected);
    let install = "mix local.hex --force && mix local.rebar --force && mix deps.get";
    let elixir = stack(Ecosystem::Elixir, "mix", &["mix.exs", "mix.lock"], install);
    let text = dockerfile_dev(Some(&elixir), "elixir:1.18", Some("mix phx.server"), Some(4000));
    assert!(
        text.contains("ENV MIX_BUILD_ROOT=/opt/_build\nWORKDIR /app\nCOPY mix.exs mix.lock ./\nRUN mix local.hex"),
        "{text}"
    );
    assert!(text.ends_with("CMD [\"mix\", \"phx.server\"]\n"), "{text}");
}

#[test]
fn languages_that_build_into_the_project() {
    for (ecosystem, manager, install, dev, base) in [
        (
            Ecosystem::Jvm,
            "maven",
            "./mvnw -B -q -DskipTests compile",
            "./mvnw spring-boot:run",
            "eclipse-temurin:21-jdk",
        ),
        (Ecosystem::Jvm, "gradle", "./gradlew --no-daemon classes", "./gradlew bootRun", "eclipse-temurin:21-jdk"),
        (Ecosystem::Rust, "cargo", "cargo build", "ROCKET_ADDRESS=0.0.0.0 cargo run", "rust:1"),
        (
            Ecosystem::Dotnet,
            "dotnet",
            "dotnet restore A.csproj",
            "dotnet watch run",
            "mcr.microsoft.com/dotnet/sdk:10.0",
        ),
        (Ecosystem::Node, "deno", "deno install", "deno task dev", "denoland/deno:2.6.1"),
    ] {
        let stack = stack(ecosystem, manager, &[], install);
        let text = dockerfile_dev(Some(&stack), base, Some(dev), Some(8080));
        let lines: Vec<&str> = text.lines().collect();
        let at = |line: &str| lines.iter().position(|known| *known == line).unwrap_or_else(|| panic!("{line}\n{text}"));
        assert!(at(&format!("FROM {base}")) < at("WORKDIR /app"), "{text}");
        assert!(at("COPY . ./") < at(&format!("RUN {install}")), "{text}");
        assert!(text.contains(&dev.split_whitespace().last().unwrap().to_owned()) && text.contains("CMD ["), "{text}");
        assert!(!text.contains("corepack") && !text.contains("pip install"), "{text}");
    }
    let rust = stack(Ecosystem::Rust, "cargo", &[], "cargo build");
    let text = dockerfile_dev(Some(&rust), "rust:1", Some("cargo run"), None);
    assert!(text.contains("ENV CARGO_TARGET_DIR=/opt/target\n"), "{text}");
    assert!(built_here(Some(&rust)).contains(&"target") && built_here(None).is_empty());
    let node = stack(Ecosystem::Node, "npm", &["package.json"], "npm ci");
    assert!(built_here(Some(&node)).is_empty());
}

#[test]
fn a_php_app_with_its_extensions() {
    let names = ["gd", "intl", "mbstring", "pdo_pgsql", "redis", "unheard_of"];
    let extensions = names.map(str::to_owned).to_vec();
    let stack = Stack { extensions, ..stack(Ecosystem::Php, "composer", &[], "composer install") };
    let dev = "php -S 0.0.0.0:8000 -t public";
    insta::assert_snapshot!(dockerfile_dev(Some(&stack), "php:8.4-cli", Some(dev), Some(8000)));
    // An image of somebody's own has what it needs.
    let own = dockerfile_dev(Some(&stack), "registry.example.com/acme/php-shop:8", Some(dev), Some(8000));
    assert!(!own.contains("docker-php-ext-install") && !own.contains("--from"), "{own}");
    assert!(built_here(Some(&stack)).contains(&"vendor"));
}

#[test]
fn nothing_known() {
    insta::assert_snapshot!(dockerfile_dev(None, "debian:13", Some("./serve \"$PORT\" && echo 'done'"), None));
    assert!(!dockerfile_dev(None, "debian:13", None, None).contains("CMD"));
}

#[test]
fn every_manager_is_brought_along() {
    for (ecosystem, manager, line) in [
        (Ecosystem::Node, "yarn", "corepack enable"),
        (Ecosystem::Node, "bun", "npm install --global bun"),
        (Ecosystem::Python, "uv", "pip install --no-cache-dir uv"),
        (Ecosystem::Python, "poetry", "pip install --no-cache-dir poetry"),
        (Ecosystem::Python, "pipenv", "pip install --no-cache-dir pipenv"),
    ] {
        let text = dockerfile_dev(Some(&stack(ecosystem, manager, &["a"], "true")), "x", None, None);
        assert!(text.contains(line), "{text}");
    }
    for (ecosystem, manager) in [(Ecosystem::Node, "npm"), (Ecosystem::Python, "pip"), (Ecosystem::Go, "go")] {
        let text = dockerfile_dev(Some(&stack(ecosystem, manager, &["a"], "true")), "x", None, None);
        assert!(!text.contains("global") && !text.contains("pip install"), "{text}");
    }
}

#[test]
fn sources_come_first_when_the_installation_needs_them() {
    let text =
        dockerfile_dev(Some(&stack(Ecosystem::Node, "npm", &[], "npm ci")), "node:22-alpine", Some("npm start"), None);
    let (copy, install) = (text.find("COPY --chown=node:node . ./").unwrap(), text.find("RUN npm ci").unwrap());
    assert!(copy < install, "{text}");
}

/// The instructions of a Dockerfile, as a builder splits it: one per line, since none of ours is continued.
fn instructions(text: &str) -> Vec<&str> {
    let code = text.lines().filter(|line| !line.starts_with('#'));
    code.map(|line| line.split(' ').next().unwrap_or_default()).collect()
}

#[test]
fn hostile_names_stay_data() {
    let evil = "x\nRUN rm -rf /\n\"],'$(id)`id`\\";
    for manifests in [vec![evil], vec!["a/$HOME"], vec!["*"], vec!["--from=x"], vec!["a\\"]] {
        let stack = stack(Ecosystem::Node, "npm", &manifests, evil);
        let text = dockerfile_dev(Some(&stack), "node:22\nRUN x $(id)", Some(evil), Some(1));
        assert_eq!(
            instructions(&text),
            ["FROM", "RUN", "WORKDIR", "USER", "COPY", "RUN", "ENV", "EXPOSE", "CMD"],
            "{text}"
        );
        assert!(text.contains("FROM node:22RUNxid\n"), "{text}");
        let command = text.lines().find_map(|line| line.strip_prefix("CMD ")).unwrap();
        let words: Vec<String> = serde_json::from_str(command).unwrap();
        assert_eq!(words, ["/bin/sh", "-c", evil]);
        let install = text.lines().rev().find_map(|line| line.strip_prefix("RUN ")).unwrap();
        assert_eq!(serde_json::from_str::<Vec<String>>(install).unwrap(), ["/bin/sh", "-c", evil]);
    }
}

#[test]
fn blanks_in_names_are_quoted() {
    let stack = stack(Ecosystem::Go, "go", &["my app/go.mod", "my app/go.sum"], "cd './my app' && go mod download");
    let text = dockerfile_dev(Some(&stack), "golang:1.26", None, None);
    assert!(text.contains("COPY --chown=app:app [\"my app/go.mod\", \"my app/go.sum\", \"my app/\"]\n"), "{text}");
    assert!(text.contains("\nRUN cd './my app' && go mod download\n"), "{text}");
}

#[test]
fn users_follow_the_base_image() {
    let name = |base: &str| user(base).map(|user| user.name);
    assert_eq!(name("node:22-alpine"), Some("node"));
    assert_eq!(name("registry.example:5000/library/node@sha256:00"), Some("node"));
    assert_eq!(name("python:3.13-slim"), Some("app"));
    assert_eq!(name("company/node-tools:1"), None);
    assert_eq!(name("debian"), None);
}

#[test]
fn the_lines_that_start_a_command_again_stand_there_as_they_are() {
    let joined = json_lines(&["a \"b\"", "c"]).replace(" \\\n    ", " ");
    let words: Vec<String> = serde_json::from_str(&joined).unwrap();
    assert_eq!(words, crate::plan::supervised(&["a \"b\"", "c"]));
}
