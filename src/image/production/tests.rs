use super::*;

fn stack(ecosystem: Ecosystem, manager: &str, manifests: &[&str], install: &str) -> Stack {
    Stack {
        ecosystem,
        manager: manager.into(),
        manifests: manifests.iter().map(|path| (*path).to_owned()).collect(),
        install: install.into(),
        extensions: Vec::new(),
        keeps: Vec::new(),
        reloads: false,
        rebuild_on: Vec::new(),
    }
}

fn production(dir: &str, install: &str, build: Option<&str>, prune: Option<&str>, start: &str) -> Production {
    Production {
        dir: dir.into(),
        install: install.into(),
        build: build.map(str::to_owned),
        prune: prune.map(str::to_owned),
        start: Some(start.to_owned()).filter(|start| !start.is_empty()),
    }
}

#[test]
fn a_node_app() {
    let stack = stack(Ecosystem::Node, "npm", &["package-lock.json", "package.json"], "npm ci");
    let made = production("", "npm ci", Some("npm run build"), Some("npm prune --omit=dev"), "node dist/server.js");
    let secrets = ["secrets/prod env".to_owned()];
    insta::assert_snapshot!(dockerfile_production(&stack, &made, "node:22-alpine", 3000, &secrets).unwrap());
}

#[test]
fn a_member_of_a_pnpm_workspace_that_needs_its_manager() {
    let stack = stack(Ecosystem::Node, "pnpm", &["apps/web/package.json", "package.json", "pnpm-lock.yaml"], "x");
    let made = production("apps/web", "pnpm install --frozen-lockfile", None, Some("pnpm prune --prod"), "pnpm start");
    insta::assert_snapshot!(dockerfile_production(&stack, &made, "node:22-alpine", 3000, &[]).unwrap());
}

#[test]
fn a_python_app() {
    let stack = stack(Ecosystem::Python, "pip", &["requirements.txt"], "pip install -r requirements.txt");
    let start = "gunicorn shop.wsgi --bind 0.0.0.0:$PORT";
    let made = production("", "pip install -r requirements.txt", None, None, start);
    insta::assert_snapshot!(dockerfile_production(&stack, &made, "python:3.13-slim", 8000, &[]).unwrap());
}

#[test]
fn a_go_app() {
    let stack = stack(Ecosystem::Go, "go", &["go.mod", "go.sum"], "go mod download");
    let build = format!("go build -trimpath -ldflags=-s -o {GO_PROGRAM} .");
    let made = production("", "go mod download", Some(&build), None, GO_PROGRAM);
    insta::assert_snapshot!(dockerfile_production(&stack, &made, "golang:1.26-alpine", 8080, &[]).unwrap());
}

#[test]
fn without_a_start_the_way_out_is_named() {
    let stack = stack(Ecosystem::Node, "npm", &[], "npm ci");
    let error = dockerfile_production(&stack, &production("", "", None, None, ""), "node:22", 1, &[]).unwrap_err();
    assert!(error.to_string().contains("script `start`"), "{error}");
}

#[test]
fn hostile_names_stay_data() {
    let evil = "x\nRUN rm -rf /\n\"],'$(id)`id`\\";
    let stack = stack(Ecosystem::Node, "npm", &[evil], evil);
    let made = production(evil, evil, Some(evil), None, evil);
    let text = dockerfile_production(&stack, &made, "node:22\nRUN x", 1, &[evil.to_owned()]).unwrap();
    let code = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let first: Vec<&str> = code.map(|line| line.split(' ').next().unwrap()).collect();
    let stages = ["FROM", "WORKDIR", "COPY", "RUN", "FROM", "WORKDIR", "COPY", "RUN", "RUN", "FROM"];
    assert_eq!(first[..10], stages, "{text}");
    assert_eq!(first[10..], ["ENV", "ENV", "COPY", "WORKDIR", "ENV", "EXPOSE", "USER", "CMD"], "{text}");
}

#[test]
fn a_shell_steps_aside_where_it_can() {
    assert_eq!(command("node server.js"), r#"["node", "server.js"]"#);
    assert_eq!(command("next start -p $PORT"), r#"["/bin/sh", "-c", "exec next start -p $PORT"]"#);
    assert_eq!(command("a && b"), r#"["/bin/sh", "-c", "a && b"]"#);
    assert_eq!(command("X=1 b $Y"), r#"["/bin/sh", "-c", "X=1 b $Y"]"#);
}

#[test]
fn secret_files_are_patterns_of_nothing_else() {
    let text = production_ignore(&["secrets/*.env".to_owned()]);
    assert!(text.ends_with("secrets/\\*.env\n"), "{text}");
}
