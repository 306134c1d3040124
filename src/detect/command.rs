//! Reading a shell command: the port it names, the programs it runs, whether it reloads.

/// Splits a command into words: at blanks and shell operators, quotes taken off.
pub(super) fn words(command: &str) -> impl Iterator<Item = &str> {
    let separators = |c: char| c.is_whitespace() || "\"'`;&|()<>".contains(c);
    command.split(separators).filter(|word| !word.is_empty())
}

/// Returns the port that a command makes its server listen on: `--port 3001`, `-p 3001`, `PORT=3001`, `--bind :8000`,
/// `0.0.0.0:8000`, `runserver 8001`. The first one counts.
pub(crate) fn port(command: &str) -> Option<u16> {
    const FLAGS: [&str; 10] =
        ["--port", "-p", "--bind", "-b", "--listen", "-l", "--server.port", "--http-port", "--addr", "--address"];
    let command = default_values(command);
    let mut words = words(&command).peekable();
    while let Some(word) = words.next() {
        // The debugger's port is not the app's.
        if word.starts_with("--inspect") || word.starts_with("--debug-port") {
            continue;
        }
        let (flag, attached) = word.split_once('=').map_or((word, None), |(flag, value)| (flag, Some(value)));
        let named = if FLAGS.contains(&flag) {
            attached.or_else(|| words.peek().copied()).and_then(number_or_address)
        } else if flag == "PORT" {
            attached.and_then(number)
        } else if word == "runserver" {
            words.peek().copied().and_then(number_or_address)
        } else {
            word.strip_prefix("-p").and_then(number).or_else(|| address(word))
        };
        if named.is_some() {
            return named;
        }
    }
    None
}

/// Puts the default in place of `${PORT:-3000}`.
fn default_values(command: &str) -> String {
    let mut out = String::new();
    let mut rest = command;
    while let Some(start) = rest.find("${") {
        let Some(length) = rest[start..].find('}') else { break };
        let inside = &rest[start + 2..start + length];
        out.push_str(&rest[..start]);
        out.push_str(inside.split_once(":-").or_else(|| inside.split_once('-')).map_or("$", |(_, default)| default));
        rest = &rest[start + length + 1..];
    }
    out + rest
}

fn number(text: &str) -> Option<u16> {
    text.parse().ok().filter(|port| *port > 0)
}

fn number_or_address(text: &str) -> Option<u16> {
    number(text).or_else(|| address(text))
}

/// Reads `:8000`, `0.0.0.0:8000`, `localhost:8000`, `[::]:8000`; an address with a scheme is somebody else's.
fn address(text: &str) -> Option<u16> {
    let (host, port) = text.rsplit_once(':')?;
    ["", "*", "0.0.0.0", "127.0.0.1", "localhost", "[::]", "::"].contains(&host).then(|| number(port)).flatten()
}

/// Tells whether the command runs a program of this name.
pub(super) fn runs(command: &str, program: &str) -> bool {
    words(command).any(|word| word.rsplit('/').next() == Some(program))
}

/// Words that begin a command only a shell can run: its builtins and keywords.
const SHELL_WORDS: [&str; 20] = [
    ".", ":", "alias", "case", "cd", "command", "eval", "exec", "export", "for", "if", "set", "source", "time", "trap",
    "ulimit", "umask", "until", "wait", "while",
];

/// Tells whether the command is one program with its arguments: no shell operator, no expansion, no assignment before it,
/// nothing that is the shell's own.
pub(crate) fn is_plain(command: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || " -_./:@=+,%".contains(c);
    let program = command.split_whitespace().next().unwrap_or_default();
    !program.is_empty() && !program.contains('=') && !SHELL_WORDS.contains(&program) && command.chars().all(plain)
}

/// Tells whether the server that a command starts loads changed files by itself.
pub(super) fn reloads(command: &str) -> bool {
    // Streamlit (docs.streamlit.io/develop/concepts/architecture/run-your-app) and the rest watch what they run.
    const WATCHERS: [&str; 16] = [
        "nodemon",
        "ts-node-dev",
        "tsnd",
        "node-dev",
        "air",
        "gow",
        "wgo",
        "CompileDaemon",
        "watchexec",
        "reflex",
        "wrangler",
        "watchmedo",
        "watchfiles",
        "streamlit",
        "entr",
        "modd",
    ];
    const FLAGS: [&str; 5] = ["--watch", "--reload", "--hot", "--hmr", "--auto-reload"];
    const ONE_OF_SEVERAL: [&str; 2] = ["--watch=", "--watch-path"];
    WATCHERS.iter().any(|watcher| runs(command, watcher))
        || words(command).any(|word| FLAGS.contains(&word) || ONE_OF_SEVERAL.iter().any(|flag| word.starts_with(flag)))
        // Elsewhere `-w` is the workspace of npm or the workers of gunicorn, and `--debug` says more in the log.
        || (runs(command, "nest") && words(command).any(|word| word == "-w"))
        || (["flask", "quart", "sanic", "litestar"].iter().any(|server| runs(command, server))
            && words(command).any(|word| ["--debug", "--dev", "FLASK_DEBUG=1"].contains(&word)))
        || (runs(command, "tsx") && runs(command, "watch"))
        || (runs(command, "runserver") && !command.contains("--noreload"))
        || (runs(command, "fastapi") && runs(command, "dev"))
        || (runs(command, "dotnet") && runs(command, "watch"))
        // https://quarkus.io/guides/dev-mode-differences
        || words(command).any(|word| word == "quarkus:dev" || word == "quarkusDev")
}

/// Tells whether a command loads changed files by itself. It may be another than the one that was detected, of which
/// `detected` says it: a package manager or a task runner starts the same scripts, but a program that is started plainly
/// does what its own words say.
pub(crate) fn reloads_as(command: &str, detected: bool) -> bool {
    const PLAIN: [&str; 12] = [
        "node",
        "python",
        "python3",
        "go",
        "deno",
        "tsx",
        "ts-node",
        "gunicorn",
        "uvicorn",
        "hypercorn",
        "flask",
        "java",
    ];
    // `deno task` is a task runner.
    let plain = PLAIN.iter().any(|program| runs(command, program)) && !command.starts_with("deno task ");
    reloads(command) || ((detected || super::node::starts_dev_server(command)) && !plain)
}

/// Quotes a word for `/bin/sh` where it needs it.
pub(super) fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./@+".contains(c);
    if !word.is_empty() && !word.starts_with('-') && word.chars().all(plain) {
        return word.into();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Runs a command in a directory below the root.
pub(super) fn in_dir(directory: &str, command: &str) -> String {
    if directory.is_empty() { command.into() } else { format!("cd {} && {command}", quote(&format!("./{directory}"))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_a_shell_can_run_is_not_plain() {
        for command in
            ["exec vite --port 3001", ". ./env.sh", "cd web", "A=1 node x", "npm run a && npm run b", "node $X"]
        {
            assert!(!is_plain(command), "{command}");
        }
        assert!(is_plain("npm run dev"));
    }

    #[test]
    fn ports_are_read_from_what_people_write() {
        for (command, expected) in [
            ("vite --port 3001", Some(3001)),
            ("vite --port=3001 --host", Some(3001)),
            ("next dev -p 4000", Some(4000)),
            ("next dev -p4000", Some(4000)),
            ("PORT=5000 node server.js", Some(5000)),
            ("cross-env PORT=5000 NODE_ENV=dev nodemon", Some(5000)),
            ("set PORT=5001&& react-scripts start", Some(5001)),
            ("gunicorn app:app --bind :8000", Some(8000)),
            ("gunicorn -b 0.0.0.0:8001 app:app", Some(8001)),
            ("python manage.py runserver 0.0.0.0:8002", Some(8002)),
            ("python manage.py runserver 8003", Some(8003)),
            ("uvicorn main:app --port ${PORT:-8004}", Some(8004)),
            ("concurrently \"vite --port 3002\" \"node api.js -p 4\"", Some(3002)),
            ("hypercorn app --bind '[::]:8005'", Some(8005)),
            ("next dev -p $PORT", None),
            ("node --inspect=0.0.0.0:9229 server.js", None),
            ("wait-on http://localhost:3000 && electron .", None),
            ("docker run -p 5432:5432 postgres", None),
            ("tsc -p tsconfig.json", None),
            ("vite --port 99999", None),
            ("vite --port 0", None),
            ("REPORT=1 PORTAL=2 vite", None),
            ("echo ${unclosed", None),
        ] {
            assert_eq!(port(command), expected, "{command}");
        }
    }

    #[test]
    fn who_loads_changed_files_is_told_from_the_words() {
        for command in [
            "nodemon server.js",
            "node --watch server.js",
            "node --watch-path=src server.js",
            "tsx watch src/index.ts",
            "nest start -w",
            "bun --hot index.ts",
            "uvicorn main:app --reload",
            "flask --app main run --debug",
            "python manage.py runserver 0.0.0.0:8000",
            "fastapi dev",
            "streamlit run app.py",
            "air -c .air.toml",
            "dotnet watch --non-interactive run -- --urls http://0.0.0.0:5000",
            "./mvnw quarkus:dev -Dquarkus.http.host=0.0.0.0",
        ] {
            assert!(reloads(command) && reloads_as(command, false), "{command}");
        }
        for command in [
            "node server.js",
            "gunicorn -w 4 app:app",
            "npm run -w web start",
            "go run . --debug",
            "uvicorn main:app",
            "python manage.py runserver --noreload",
            "tsx src/index.ts",
            "flask --app main run",
        ] {
            assert!(!reloads(command) && !reloads_as(command, false), "{command}");
        }
    }

    #[test]
    fn another_command_than_the_detected_one_may_load_files_in_another_way() {
        assert!(reloads_as("pnpm --filter web dev", true) && reloads_as("make dev", true));
        assert!(reloads_as("deno task dev", true) && !reloads_as("deno run main.ts", true));
        assert!(reloads_as("yarn vite --port 3001", false) && reloads_as("npx next dev", false));
        assert!(!reloads_as("node server.js", true) && !reloads_as("cd web && python3 -m x", true));
        assert!(!reloads_as("npm start", false) && !reloads_as("./serve", false));
    }

    #[test]
    fn plain_commands_need_no_shell() {
        assert!(is_plain("npm run dev -- --host 0.0.0.0"));
        for shell in ["a && b", "PORT=1 a", "a $B", "a 'b'", "a\nb", "", "a \"b\"", "a\\b"] {
            assert!(!is_plain(shell), "{shell:?}");
        }
    }

    #[test]
    fn directories_are_quoted() {
        assert_eq!(in_dir("apps/web", "npm start"), "cd ./apps/web && npm start");
        assert_eq!(in_dir("a'$(b)", "npm start"), r"cd './a'\''$(b)' && npm start");
        assert_eq!(in_dir("", "npm start"), "npm start");
    }
}
