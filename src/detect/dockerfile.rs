//! What an existing Dockerfile says about the app: `EXPOSE` and `HEALTHCHECK`.

use super::files::Files;
use super::model::Found;
use super::places::join;

/// Returns the Dockerfiles that may describe the app of a directory, the likeliest first.
pub(super) fn of_app<'a>(files: &'a Files<'_>, dir: &str) -> impl Iterator<Item = (String, String)> + 'a {
    let mut paths: Vec<String> = Vec::new();
    for place in [dir, ""] {
        for name in ["Dockerfile.dev", "Dockerfile"] {
            let path = join(place, name);
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
    }
    paths.into_iter().filter_map(|path| files.read_if_there(&path).map(|text| (path, text)))
}

/// Returns the first port that the last stage exposes (<https://docs.docker.com/reference/dockerfile/#expose>).
pub(super) fn port(path: &str, text: &str) -> Option<Found<u16>> {
    let mut found = None;
    for (line, instruction) in instructions(text) {
        let mut words = instruction.split_whitespace();
        match words.next().map(str::to_ascii_uppercase).as_deref() {
            Some("FROM") => found = None,
            Some("EXPOSE") if found.is_none() => {
                let port =
                    words.next().and_then(|word| word.trim_end_matches("/tcp").parse().ok()).filter(|port| *port > 0);
                found = port.map(|port| Found::new(port, path, line, "EXPOSE of the Dockerfile"));
            }
            _ => {}
        }
    }
    found
}

/// Returns the path that HEALTHCHECK asks for on the container's own address
/// (<https://docs.docker.com/reference/dockerfile/#healthcheck>).
pub(super) fn health(path: &str, text: &str) -> Option<Found<String>> {
    let check = |instruction: &str| instruction.trim_start().to_ascii_uppercase().starts_with("HEALTHCHECK ");
    instructions(text).filter(|(_, instruction)| check(instruction)).find_map(|(line, instruction)| {
        let value =
            ["localhost", "127.0.0.1", "0.0.0.0", "[::1]"].iter().find_map(|host| url_path(&instruction, host))?;
        Some(Found::new(value, path, line, "HEALTHCHECK of the Dockerfile"))
    })
}

/// Returns the path of `http://<host>[:port]/path` in a text; what is not a plain path (a variable) is none.
fn url_path(text: &str, host: &str) -> Option<String> {
    let start = text.find(&format!("://{host}"))? + "://".len() + host.len();
    let rest = match text[start..].strip_prefix(':') {
        Some(port) => port.trim_start_matches(|c: char| c.is_ascii_digit()),
        None => &text[start..],
    };
    let end = rest.find(|c: char| c.is_whitespace() || "\"'|);&,]".contains(c)).unwrap_or(rest.len());
    let path = &rest[..end];
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.~%?=".contains(c);
    (path.len() > 1 && path.starts_with('/') && path.chars().all(plain)).then(|| path.to_owned())
}

/// Returns the image that the last stage begins with, through the stages before it; `None` for one that is given from outside.
pub(super) fn base(text: &str) -> Option<String> {
    let mut stages: Vec<(Option<String>, String)> = Vec::new();
    for (_, instruction) in instructions(text) {
        let mut words = instruction.split_whitespace();
        if !words.next().is_some_and(|word| word.eq_ignore_ascii_case("FROM")) {
            continue;
        }
        let mut words = words.skip_while(|word| word.starts_with("--"));
        let Some(image) = words.next() else { continue };
        let name = words.nth(1).map(str::to_ascii_lowercase);
        let stage = stages.iter().find(|(name, _)| name.as_deref() == Some(&image.to_ascii_lowercase()));
        let image = stage.map_or(image, |(_, image)| image).to_owned();
        stages.push((name, image));
    }
    stages.pop().map(|(_, image)| image).filter(|image| !image.starts_with('$'))
}

/// Returns the instructions with their first lines; continued lines are joined.
fn instructions(text: &str) -> impl Iterator<Item = (usize, String)> {
    let mut out: Vec<(usize, String)> = Vec::new();
    let mut open = false;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('#') || line.is_empty() {
            continue;
        }
        let (code, more) = line.strip_suffix('\\').map_or((line, false), |code| (code, true));
        match out.last_mut() {
            Some((_, last)) if open => {
                last.push(' ');
                last.push_str(code);
            }
            _ => out.push((number + 1, code.to_owned())),
        }
        open = more;
    }
    out.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_is_that_of_the_last_stage() {
        let text = "FROM --platform=linux/amd64 golang:1 AS build\nRUN x\nFROM postgres:17 as DB\nFROM db\n";
        assert_eq!(base(text).as_deref(), Some("postgres:17"));
        assert_eq!((base("RUN x\nFROM\n"), base("ARG A\nFROM $A\n")), (None, None));
    }

    #[test]
    fn the_last_stage_is_the_app() {
        let text = "FROM a AS build\nEXPOSE 1\nFROM b\n# EXPOSE 2\nexpose 8081/tcp 9090\nHEALTHCHECK --interval=5s \\\n  CMD curl -f \"http://localhost:8081/healthz\" || exit 1\n";
        assert_eq!(port("Dockerfile", text).map(|found| (found.value, found.line)), Some((8081, 5)));
        assert_eq!(health("Dockerfile", text).map(|found| (found.value, found.line)), Some(("/healthz".into(), 6)));
        assert_eq!(port("Dockerfile", "FROM a\nEXPOSE $PORT\n"), None);
        assert_eq!(health("Dockerfile", "HEALTHCHECK NONE\n"), None);
        assert_eq!(health("Dockerfile", "HEALTHCHECK CMD curl http://localhost:1/$X\n"), None);
        assert_eq!(health("Dockerfile", "HEALTHCHECK CMD [\"wget\", \"http://127.0.0.1/up\"]\n").unwrap().value, "/up");
    }
}
