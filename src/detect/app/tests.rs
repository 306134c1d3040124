use crate::detect::Detection;
use crate::detect::testing::tree;

fn facts(detection: &Detection) -> (Option<&str>, Option<u16>, Option<&str>) {
    (
        detection.dev.as_ref().map(|found| found.value.as_str()),
        detection.port.as_ref().map(|found| found.value),
        detection.image.as_ref().map(|found| found.value.as_str()),
    )
}

fn package(json: &str) -> Detection {
    tree(&[("package.json", json)]).detect()
}

#[test]
fn vite_with_a_port() {
    let detection = package(
        "{\n\"name\": \"@acme/shop\",\n\"scripts\": {\"build\": \"vite build\",\n\"dev\": \"vite --port 3001\"},\n\"devDependencies\": {\"vite\": \"7\"}}",
    );
    assert_eq!(facts(&detection), (Some("npm run dev -- --host 0.0.0.0"), Some(3001), Some("node:22-alpine")));
    assert_eq!(detection.name.as_ref().unwrap().value, "@acme/shop");
    assert_eq!(detection.dev.as_ref().unwrap().line, 4);
    assert_eq!(detection.port.as_ref().unwrap().note, "from the script dev");
    assert!(detection.stack.unwrap().reloads);
}

#[test]
fn scripts_are_tried_in_order_by_the_right_manager() {
    for (json, dev) in [
        (r#"{"scripts": {"start": "node .", "start:dev": "nest start --watch"}}"#, Some("npm run start:dev")),
        (r#"{"scripts": {"start": "node ."}}"#, Some("npm start")),
        (r#"{"packageManager": "pnpm@9.1.0", "scripts": {"dev": "next dev"}}"#, Some("pnpm dev")),
        (
            r#"{"packageManager": "yarn@4.1.0", "scripts": {"develop": "gatsby develop"}}"#,
            Some("yarn develop --host 0.0.0.0"),
        ),
        (r#"{"packageManager": "bun@1.2", "scripts": {"dev": "vite --host"}}"#, Some("bun run dev")),
        (r#"{"packageManager": "rm -rf@1", "scripts": {"dev": "x && vite"}}"#, Some("npm run dev")),
        (r#"{"scripts": {"build": "tsc", "dev": " "}}"#, None),
    ] {
        assert_eq!(facts(&package(json)).0, dev, "{json}");
    }
}

#[test]
fn ports_of_frameworks() {
    for (json, port) in [
        (r#"{"scripts": {"dev": "next dev"}, "dependencies": {"next": "15"}}"#, Some(3000)),
        (r#"{"scripts": {"dev": "astro dev"}, "dependencies": {"astro": "5"}}"#, Some(4321)),
        (r#"{"scripts": {"dev": "vite dev"}, "devDependencies": {"@sveltejs/kit": "2", "vite": "7"}}"#, Some(5173)),
        (r#"{"scripts": {"start": "ng serve"}, "devDependencies": {"@angular/cli": "20"}}"#, Some(4200)),
        (
            r#"{"scripts": {"dev": "tsx watch src/server.ts"}, "dependencies": {"express": "5"}, "devDependencies": {"vite": "7"}}"#,
            Some(3000),
        ),
        (r#"{"scripts": {"dev": "npm run serve:web", "serve:web": "next dev -p 4001"}}"#, Some(4001)),
        (r#"{"scripts": {"dev": "npm run dev"}}"#, None),
        (r#"{"scripts": {"dev": "npm run a", "a": "npm run b", "b": "npm run a"}}"#, None),
    ] {
        assert_eq!(facts(&package(json)).1, port, "{json}");
    }
}

#[test]
fn the_environment_file_and_the_dockerfile_speak_for_apps_that_listen() {
    let express = r#"{"scripts": {"dev": "nodemon index.js"}, "dependencies": {"express": "5"}}"#;
    let vite = r#"{"scripts": {"dev": "vite"}}"#;
    let (env, docker) =
        ("# a\nPORT=4000 # app\n", "FROM node\nEXPOSE 9000\nHEALTHCHECK CMD curl http://localhost:9000/healthz\n");
    assert_eq!(
        facts(&tree(&[("package.json", express), (".env.example", env), ("Dockerfile", docker)]).detect()).1,
        Some(4000)
    );
    let detection = tree(&[("package.json", express), ("Dockerfile", docker)]).detect();
    assert_eq!(facts(&detection).1, Some(9000));
    assert_eq!(detection.health.unwrap().value, "/healthz");
    assert_eq!(
        facts(&tree(&[("package.json", vite), (".env.example", env), ("Dockerfile", docker)]).detect()).1,
        Some(5173)
    );
}

#[test]
fn versions_choose_the_image() {
    let image = |files: &[(&str, &str)]| tree(files).detect().image.map(|found| (found.value, found.file));
    let some = |image: &str, file: &str| Some((image.to_owned(), file.to_owned()));
    assert_eq!(image(&[("package.json", "{}"), (".nvmrc", "v20.1.0\n")]), some("node:20-alpine", ".nvmrc"));
    assert_eq!(image(&[("package.json", r#"{"engines": {"node": ">=24"}}"#)]), some("node:24-alpine", "package.json"));
    assert_eq!(
        image(&[("pyproject.toml", "[project]\nrequires-python = \">=3.14\"\n")]),
        some("python:3.14-slim", "pyproject.toml")
    );
    assert_eq!(
        image(&[("requirements.txt", "flask\n"), (".python-version", "3.11.4\n")]),
        some("python:3.11-slim", ".python-version")
    );
    let whole = image(&[("requirements.txt", "django\npsycopg2==2.9.10\n"), (".python-version", "3.12\n")]);
    assert_eq!(whole, some("python:3.12", ".python-version"));
    let dev = "[project]\n[dependency-groups]\ndev = [\"psycopg[c,pool]\"]\n";
    assert_eq!(image(&[("pyproject.toml", dev)]), some("python:3.13", "pyproject.toml"));
    let wheels = "psycopg2-binary\npsycopg[binary]\n";
    assert_eq!(image(&[("requirements.txt", wheels)]), some("python:3.13-slim", "requirements.txt"));
    assert_eq!(image(&[("go.mod", "module a\n\ngo 1.27\n")]), some("golang:1.27-alpine", "go.mod"));
    assert_eq!(image(&[("go.mod", "module a\n\ngo 1.21\n")]), some("golang:1.26-alpine", "go.mod"));
    assert_eq!(image(&[("README.txt", "")]), None);
}

#[test]
fn python_apps() {
    let django = tree(&[("requirements.txt", "Django>=5\n"), ("manage.py", "")]).detect();
    assert_eq!(facts(&django), (Some("python manage.py runserver 0.0.0.0:8000"), Some(8000), Some("python:3.13-slim")));
    assert!(django.stack.unwrap().reloads);
    let fastapi = tree(&[
        ("backend/pyproject.toml", "[project]\nname = \"api\"\ndependencies = [\"fastapi[standard]\"]\n"),
        ("backend/app/main.py", ""),
        ("backend/uv.lock", ""),
    ])
    .detect();
    assert_eq!(facts(&fastapi).0, Some("cd ./backend && uvicorn app.main:app --host 0.0.0.0 --port 8000 --reload"));
    let stack = fastapi.stack.unwrap();
    assert_eq!(stack.install, "cd ./backend && uv sync --frozen --no-install-workspace");
    assert_eq!(stack.manifests, ["backend/pyproject.toml", "backend/uv.lock"]);
    let flask = tree(&[("Pipfile", "[packages]\nflask = \"*\"\n"), ("app.py", "")]).detect();
    assert_eq!(
        facts(&flask),
        (Some("flask --app app run --host 0.0.0.0 --port 5000 --debug"), Some(5000), Some("python:3.13-slim"))
    );
    assert_eq!(flask.stack.unwrap().manager, "pipenv");
    let flask = |files: &[(&str, &str)]| {
        let project = ("pyproject.toml", "[project]\nname = \"the-shop\"\ndependencies = [\"flask\"]\n");
        let all: Vec<_> = files.iter().copied().chain([project]).collect();
        let dev = tree(&all).detect().dev?;
        dev.value
            .strip_prefix("flask --app ")?
            .strip_suffix(" run --host 0.0.0.0 --port 5000 --debug")
            .map(str::to_owned)
    };
    assert_eq!(flask(&[("the_shop/__init__.py", "")]).as_deref(), Some("the_shop"));
    assert_eq!(flask(&[("src/the_shop/__init__.py", "")]).as_deref(), Some("src/the_shop"));
    assert_eq!(flask(&[("other/__init__.py", "")]), None);
    let set = |line| flask(&[(".flaskenv", line), ("the_shop/__init__.py", "")]);
    assert_eq!(
        set("# for development\nexport FLASK_APP='shop.web:create_app'\n").as_deref(),
        Some("shop.web:create_app")
    );
    assert_eq!(set("FLASK_APP=x; rm -rf /\n").as_deref(), Some("the_shop"));
    let below = tree(&[("requirements.txt", "django\n"), ("shop/manage.py", ""), ("shop/a/b/manage.py", "")]).detect();
    assert_eq!(facts(&below).0, Some("python shop/manage.py runserver 0.0.0.0:8000"));
    let below = tree(&[("requirements.txt", "fastapi\n"), ("shop/main.py", "")]).detect();
    assert_eq!(facts(&below).0, Some("uvicorn shop.main:app --host 0.0.0.0 --port 8000 --reload"));
    let several = tree(&[("requirements.txt", "fastapi\n"), ("a/main.py", ""), ("b/main.py", "")]).detect();
    assert_eq!(facts(&several).0, None);
    let unknown = tree(&[("requirements.txt", "fastapi\n")]).detect();
    assert_eq!(facts(&unknown), (None, Some(8000), Some("python:3.13-slim")));
}

#[test]
fn go_apps() {
    let files = [
        ("go.mod", "module github.com/acme/shop/v2\nrequire github.com/gin-gonic/gin v1.10.0\n"),
        ("cmd/migrate/main.go", ""),
        ("cmd/shop/main.go", ""),
    ];
    let detection = tree(&files).detect();
    assert_eq!(facts(&detection), (Some("go run ./cmd/shop"), Some(8080), Some("golang:1.26-alpine")));
    assert_eq!(detection.name.as_ref().unwrap().value, "shop");
    assert_eq!(facts(&tree(&[("go.mod", "module a\n"), ("main.go", "")]).detect()).0, Some("go run ."));
    assert_eq!(facts(&tree(&[("go.mod", "module a\n"), ("cmd/main.go", "")]).detect()).0, Some("go run ./cmd"));
    assert_eq!(facts(&tree(&[("go.mod", "module a\n")]).detect()), (None, None, Some("golang:1.26-alpine")));
}

#[test]
fn a_procfile_for_dev_comes_first_and_the_other_last() {
    let node = ("package.json", r#"{"scripts": {"dev": "next dev"}}"#);
    let detection = tree(&[node, ("Procfile.dev", "css: x\nweb: next dev -p 4000\n")]).detect();
    assert_eq!(facts(&detection).0, Some("next dev -p 4000"));
    assert_eq!((facts(&detection).1, detection.dev.unwrap().line), (Some(4000), 2));
    assert_eq!(facts(&tree(&[node, ("Procfile", "web: next start\n")]).detect()).0, Some("npm run dev"));
    let only = tree(&[("Procfile", "web: bin/serve --port 7000\n")]).detect();
    assert_eq!(facts(&only), (Some("bin/serve --port 7000"), Some(7000), None));
}

#[test]
fn in_a_monorepo_the_root_starts_the_apps_or_the_first_app_is_it() {
    let web = (
        "apps/web/package.json",
        r#"{"name": "web", "scripts": {"dev": "next dev -p 3100"}, "dependencies": {"next": "15"}}"#,
    );
    let docs = ("apps/zeta/package.json", r#"{"scripts": {"dev": "vite"}}"#);
    let lock = ("pnpm-lock.yaml", "");
    let workspace = ("pnpm-workspace.yaml", "packages: ['apps/*']\n");
    let rooted = tree(&[
        ("package.json", r#"{"name": "acme", "scripts": {"dev": "turbo run dev"}}"#),
        web,
        docs,
        lock,
        workspace,
    ])
    .detect();
    assert_eq!(facts(&rooted), (Some("pnpm dev --env-mode=loose"), Some(3100), Some("node:22-alpine")));
    for (script, version, flag) in [
        ("turbo dev", "^1.13.0", ""),
        ("turbo run dev --env-mode=strict", "^2", ""),
        ("turbo dev -- --port 1", "^2", ""),
        ("dotenv -- turbo dev", "^2", ""),
        ("turbo dev --parallel", "latest", " -- --env-mode=loose"),
    ] {
        let root = format!(r#"{{"scripts": {{"dev": "{script}"}}, "devDependencies": {{"turbo": "{version}"}}}}"#);
        let dev = tree(&[("package.json", &root), ("package-lock.json", "{}")]).detect().dev.unwrap();
        assert_eq!(dev.value, format!("npm run dev{flag}"), "{script}");
    }
    assert!(rooted.stack.as_ref().unwrap().reloads);
    assert_eq!(
        rooted.stack.unwrap().manifests,
        ["apps/web/package.json", "apps/zeta/package.json", "package.json", "pnpm-lock.yaml", "pnpm-workspace.yaml"]
    );
    let unrooted = tree(&[("package.json", r#"{"name": "acme"}"#), web, docs, lock, workspace]).detect();
    assert_eq!(facts(&unrooted).0, Some("cd ./apps/web && pnpm dev"));
    assert_eq!(unrooted.dev.unwrap().note, "from the script dev; the app in apps/web");
    assert_eq!(unrooted.name.unwrap().value, "acme");
    assert_eq!(unrooted.stack.unwrap().install, "pnpm install --frozen-lockfile");
}

#[test]
fn the_member_that_the_root_names_says_how_it_runs() {
    let api = ("apps/api/package.json", r#"{"name": "@acme/api", "scripts": {"dev": "node server.js --port 3200"}}"#);
    let web = ("apps/web/package.json", r#"{"name": "@acme/web", "scripts": {"dev": "node --watch server.js"}}"#);
    let workspace = ("pnpm-workspace.yaml", "packages: ['apps/*']\n");
    for (dev, reloads, port) in [
        ("pnpm --filter @acme/web dev", true, None),
        ("pnpm --filter web dev", true, None),
        ("pnpm --filter ./apps/web dev", true, None),
        ("turbo run dev --filter=web...", true, None),
        ("npm run dev -w apps/web", true, None),
        ("yarn workspace @acme/api dev", false, Some(3200)),
        ("pnpm -r dev", false, Some(3200)),
        ("pnpm --filter elsewhere dev", false, Some(3200)),
    ] {
        let root = format!(r#"{{"scripts": {{"dev": "{dev}"}}}}"#);
        let detection = tree(&[("package.json", &root), api, web, workspace]).detect();
        assert_eq!((detection.port.map(|port| port.value), detection.stack.unwrap().reloads), (port, reloads), "{dev}");
    }
}

#[test]
fn a_member_that_is_a_workspace_itself_is_no_endless_loop() {
    let member = r#"{"workspaces": ["x/*"], "scripts": {"dev": "serve --port 4"}}"#;
    let detection = tree(&[
        ("package.json", r#"{"workspaces": ["apps/*"], "scripts": {"dev": "x"}}"#),
        ("apps/a/package.json", member),
    ])
    .detect();
    assert_eq!(facts(&detection).1, Some(4));
}

#[test]
fn assets_beside_a_server_are_not_the_app() {
    let assets = ("package.json", r#"{"scripts": {"start": "webpack --watch"}, "devDependencies": {"webpack": "5"}}"#);
    let detection =
        tree(&[assets, ("pyproject.toml", "[project]\ndependencies = [\"django\"]\n"), ("manage.py", "")]).detect();
    assert_eq!(facts(&detection).0, Some("python manage.py runserver 0.0.0.0:8000"));
}

#[test]
fn scripts_that_run_at_install_need_the_sources_first() {
    let manifests = |json: &str| package(json).stack.unwrap().manifests;
    assert_eq!(manifests(r#"{"scripts": {"dev": "vite"}}"#), ["package.json"]);
    assert!(manifests(r#"{"scripts": {"postinstall": "node tools.js"}}"#).is_empty());
    let needs = tree(&[("requirements.txt", "-c constraints.txt\nflask\n")]).detect().stack.unwrap();
    assert!(needs.manifests.is_empty());
}

#[test]
fn hostile_directories_are_quoted() {
    let detection = tree(&[("apps/$(touch x)'/package.json", r#"{"scripts": {"dev": "vite"}}"#)]).detect();
    assert_eq!(facts(&detection).0, Some(r"cd './apps/$(touch x)'\''' && npm run dev -- --host 0.0.0.0"));
}

#[test]
fn an_empty_project_is_unknown() {
    assert_eq!(tree(&[]).detect(), Detection::default());
}
