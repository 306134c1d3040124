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

/// Arguments of a build, with their values.
pub(super) type Args = Vec<(String, String)>;

/// Returns the image that a stage begins with, through the stages before it: that of this name or number, else the last one.
/// `given` are the arguments of the build; what neither they nor a default before the first stage say
/// (<https://docs.docker.com/reference/dockerfile/#understand-how-arg-and-from-interact>) is left out, as a registry often is.
/// `None` where nothing of the image is left.
pub(super) fn base(text: &str, target: Option<&str>, given: &Args) -> Option<String> {
    let mut args = given.clone();
    let mut stages: Vec<(Option<String>, String)> = Vec::new();
    for (_, instruction) in instructions(text) {
        let mut words = instruction.split_whitespace();
        let first = words.next().map(str::to_ascii_uppercase);
        match first.as_deref() {
            Some("ARG") if stages.is_empty() => args.extend(words.filter_map(|word| {
                let (name, value) = word.split_once('=')?;
                Some((name.to_owned(), value.trim_matches(['"', '\'']).to_owned()))
            })),
            Some("FROM") => {
                let mut words = words.skip_while(|word| word.starts_with("--"));
                let Some(image) = words.next() else { continue };
                let name = words.nth(1).map(str::to_ascii_lowercase);
                let image = filled(image, &args);
                let stage = stages.iter().find(|(name, _)| name.as_deref() == Some(&image.to_ascii_lowercase()));
                let image = stage.map(|(_, image)| image.clone()).unwrap_or(image);
                stages.push((name, image));
            }
            _ => {}
        }
    }
    let wanted = target.map(str::to_ascii_lowercase);
    let named = stages.iter().enumerate().find(|(number, (name, _))| {
        wanted.as_ref().is_some_and(|wanted| name.as_ref() == Some(wanted) || number.to_string() == *wanted)
    });
    let (_, image) = named.map(|(_, stage)| stage).or(stages.last())?;
    let image = image.trim_start_matches('/');
    (!image.is_empty() && !image.starts_with(':')).then(|| image.to_owned())
}

/// Puts values in place of `$NAME`, `${NAME}` and `${NAME:-default}`; nothing in place of what has none.
fn filled(text: &str, args: &Args) -> String {
    let value = |name: &str| args.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some((inside, after)) = rest.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
            let (name, default) = inside.split_once(":-").unwrap_or((inside, ""));
            out.push_str(value(name).unwrap_or(default));
            rest = after;
        } else {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            out.push_str(value(&rest[..end]).unwrap_or_default());
            rest = &rest[end..];
        }
    }
    out + rest
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
        let base = |text: &str| base(text, None, &Args::new());
        assert_eq!(base(text).as_deref(), Some("postgres:17"));
        assert_eq!((base("RUN x\nFROM\n"), base("ARG A\nFROM $A\n")), (None, None));
    }

    #[test]
    fn arguments_and_the_target_say_which_image_it_is() {
        let given = vec![("TAG".to_owned(), "17".to_owned())];
        let base = |text: &str, target| base(text, target, &given);
        let some = |image: &str| Some(image.to_owned());
        assert_eq!(base("ARG IMAGE=\"postgres:16\"\nFROM ${IMAGE} AS a\n", None), some("postgres:16"));
        assert_eq!(base("ARG TAG=1\nFROM postgres:$TAG-alpine\n", None), some("postgres:17-alpine"));
        assert_eq!(base("FROM ${REGISTRY}/library/postgres:16\n", None), some("library/postgres:16"));
        assert_eq!(base("FROM ${REGISTRY:-quay.io}/a/redis\nARG X=1\n", None), some("quay.io/a/redis"));
        let text = "FROM postgres AS db\nFROM redis AS Cache\nFROM node\n";
        assert_eq!(base(text, Some("db")), some("postgres"));
        assert_eq!(base(text, Some("cache")), some("redis"));
        assert_eq!((base(text, Some("1")), base(text, Some("gone"))), (some("redis"), some("node")));
        assert_eq!((base("FROM $A:$B\n", None), base("FROM ${A\n", None)), (None, some("{A")));
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
