//! Which version of a language a project allows, and the base image's version for it.

use semver::{Version, VersionReq};

/// The major version of Node when the project says nothing: the one of `node:22-alpine`.
pub(super) const NODE: u32 = 22;
/// The minor version of Python 3 when the project says nothing.
pub(super) const PYTHON: u32 = 13;
/// The version of PHP when the project says nothing.
pub(super) const PHP: (u32, u32) = (8, 4);
/// The minor version of Go 1 when the project asks for no newer one.
pub(super) const GO: u32 = 26;

/// Reads `.nvmrc` or `.node-version`: `v22.11.0`, `22`, `lts/jod` (<https://nodejs.org/en/about/previous-releases>).
pub(super) fn nvm_major(text: &str) -> Option<u32> {
    let word =
        text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'))?.to_ascii_lowercase();
    match word.as_str() {
        "lts/hydrogen" => Some(18),
        "lts/iron" => Some(20),
        "lts/jod" => Some(22),
        "lts/krypton" => Some(24),
        word if word.starts_with("lts") || word == "node" || word == "stable" => Some(NODE),
        word => leading(word.trim_start_matches('v')).filter(|major| (4..100).contains(major)),
    }
}

/// Returns the major version of Node for a range as npm writes it: the default if the range allows it, else the nearest
/// newer one, else the nearest older one; `None` when the range cannot be read.
pub(super) fn node_major(range: &str) -> Option<u32> {
    let alternatives: Vec<VersionReq> = range.split("||").filter_map(npm_requirement).collect();
    if alternatives.is_empty() {
        return None;
    }
    let allows = |major: u32| {
        (0..=40).any(|minor| {
            [0, 99].iter().any(|patch| {
                let version = Version::new(major.into(), minor, *patch);
                alternatives.iter().any(|requirement| requirement.matches(&version))
            })
        })
    };
    nearest(NODE, 4, 60, |major| *major >= NODE && major % 2 == 0 && allows(*major))
        .or_else(|| nearest(NODE, 4, 60, |major| allows(*major)))
}

/// Turns one comparator set of npm into one of the `semver` crate: blanks become commas.
fn npm_requirement(text: &str) -> Option<VersionReq> {
    let text = text.trim().replace(" - ", " <=");
    let mut parts: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match parts.last_mut() {
            // `>= 22` is one comparator.
            Some(last) if last.chars().all(|c| "<>=^~".contains(c)) => last.push_str(word),
            _ => parts.push(word.replace(['v', 'V'], "")),
        }
    }
    if let [first, second] = parts.as_mut_slice()
        && second.starts_with("<=")
        && first.starts_with(|c: char| c.is_ascii_digit())
    {
        first.insert_str(0, ">=");
    }
    VersionReq::parse(&parts.join(", ")).ok()
}

/// Returns the first number from `start` upwards, then downwards, that is allowed.
fn nearest(start: u32, lowest: u32, highest: u32, allowed: impl Fn(&u32) -> bool) -> Option<u32> {
    (start..=highest).find(&allowed).or_else(|| (lowest..start).rev().find(&allowed))
}

/// Returns the minor version of Python 3 for a specifier (`>=3.11,<4`, `~=3.12`, `^3.10`, `3.12.*`): the default if it is
/// allowed, else the nearest one (<https://packaging.python.org/en/latest/specifications/version-specifiers>).
pub(super) fn python_minor(specifier: &str) -> Option<u32> {
    let clauses: Vec<(&str, Option<u32>)> =
        specifier.split([',', ' ']).map(str::trim).filter(|clause| !clause.is_empty()).filter_map(clause).collect();
    let allows = |minor: &u32| clauses.iter().all(|(operator, bound)| allows_minor(operator, *bound, *minor));
    if clauses.is_empty() { None } else { nearest(PYTHON, 7, 30, allows) }
}

/// Splits a clause into operator and minor version of Python 3; no minor version means all of Python 3 or beyond it.
fn clause(text: &str) -> Option<(&str, Option<u32>)> {
    let version_at = text.find(|c: char| c.is_ascii_digit())?;
    let (operator, version) = (text[..version_at].trim(), &text[version_at..]);
    let mut parts = version.split('.');
    match leading(parts.next()?)? {
        3 => Some((operator, parts.next().and_then(leading))),
        _ => Some((operator, None)),
    }
}

fn allows_minor(operator: &str, bound: Option<u32>, minor: u32) -> bool {
    let Some(bound) = bound else { return true };
    match operator {
        ">=" | ">" | "^" => minor >= bound,
        // `<3.13` leaves 3.13 out, `<=3.13` has it.
        "<" => minor < bound,
        "<=" => minor <= bound,
        // `~=3.11` of pip is any later 3.x; `~3.11` of Poetry is that minor version.
        "~=" => minor >= bound,
        // A patch release that is left out leaves the minor version in.
        "!=" => true,
        _ => minor == bound,
    }
}

/// Returns major and minor version of PHP for a constraint of Composer (`^8.2`, `>=8.1 <8.4`, `~8.3.0`, `8.2.*`, `^7.4 || ^8.0`): the
/// default if it is allowed, else the nearest (<https://getcomposer.org/doc/articles/versions.md#writing-version-constraints>).
pub(super) fn php_minor(constraint: &str) -> Option<(u32, u32)> {
    let alternatives: Vec<VersionReq> = constraint.split('|').filter_map(composer_requirement).collect();
    let allows = |(major, minor): (u32, u32)| {
        let versions = [0, 99].map(|patch| Version::new(major.into(), minor.into(), patch));
        versions.iter().any(|version| alternatives.iter().any(|requirement| requirement.matches(version)))
    };
    let (major, minor) = PHP;
    let newer = (minor..=9).map(|minor| (major, minor)).chain((0..=9).map(|minor| (major + 1, minor)));
    let older = (0..minor).rev().map(|minor| (major, minor)).chain([(7, 4), (7, 3), (7, 2), (7, 1), (7, 0)]);
    newer.chain(older).find(|version| allows(*version))
}

/// Turns one alternative of Composer's into one of the `semver` crate: blanks become commas, and `~8.2` is any later 8.x.
fn composer_requirement(text: &str) -> Option<VersionReq> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    // `>= 8.2` is one comparator.
    let text =
        [">=", "<=", ">", "<"].iter().fold(text.to_owned(), |text, sign| text.replace(&format!("{sign} "), sign));
    let words = text.split([',', ' ']).filter(|word| !word.is_empty());
    let comparators = words.map(|word| match word.strip_prefix('~') {
        Some(version) if version.matches('.').count() < 2 => format!("^{version}"),
        // Whatever the patch release, the image has its minor version.
        _ if word.starts_with(|c: char| c.is_ascii_digit()) && !word.contains('*') => {
            format!("={}", word.splitn(3, '.').take(2).collect::<Vec<_>>().join("."))
        }
        _ => word.to_owned(),
    });
    VersionReq::parse(&comparators.collect::<Vec<_>>().join(",")).ok()
}

/// Returns the minor version of Go 1 that fits a `go` line: never an older one than it asks for.
pub(super) fn go_minor(version: &str) -> u32 {
    version.strip_prefix("1.").and_then(leading).map_or(GO, |minor| minor.clamp(GO, 99))
}

/// Reads the number that a text starts with.
fn leading(text: &str) -> Option<u32> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_ranges() {
        for (range, expected) in [
            (">=18", Some(22)),
            ("24", Some(24)),
            ("^24.1.0", Some(24)),
            (">=24", Some(24)),
            ("18.x", Some(18)),
            ("18.x || 20.x", Some(20)),
            (">=20 <23", Some(22)),
            (">= 22.12", Some(22)),
            ("~22.3.0", Some(22)),
            ("20 - 22", Some(22)),
            ("v20", Some(20)),
            ("*", Some(22)),
            ("lts", None),
            (">=23", Some(24)),
            ("23", Some(23)),
        ] {
            assert_eq!(node_major(range), expected, "{range}");
        }
    }

    #[test]
    fn nvm_files() {
        for (text, expected) in [
            ("v20.11.0\n", Some(20)),
            ("22", Some(22)),
            ("lts/krypton", Some(24)),
            ("lts/*", Some(22)),
            ("# a\n18", Some(18)),
            ("", None),
            ("x", None),
        ] {
            assert_eq!(nvm_major(text), expected, "{text:?}");
        }
    }

    #[test]
    fn python_specifiers() {
        for (specifier, expected) in [
            (">=3.11", Some(13)),
            (">=3.14,<4.0", Some(14)),
            ("^3.10", Some(13)),
            ("~=3.12", Some(13)),
            ("==3.12.*", Some(12)),
            ("3.12.4", Some(12)),
            ("~3.11", Some(11)),
            ("<3.13", Some(12)),
            (">=3.8, <3.12", Some(11)),
            (">=3", Some(13)),
            ("python-3.11.9", Some(11)),
            ("", None),
            ("x", None),
        ] {
            assert_eq!(python_minor(specifier), expected, "{specifier}");
        }
    }

    #[test]
    fn versions_of_php_are_the_default_or_the_nearest_that_is_allowed() {
        for (constraint, version) in [
            ("^8.1", Some((8, 4))),
            (">=8.1 <8.4", Some((8, 3))),
            (">=8.1,<8.3", Some((8, 2))),
            ("~8.2.0", Some((8, 2))),
            ("~8.2", Some((8, 4))),
            ("8.2.*", Some((8, 2))),
            ("8.3.7", Some((8, 3))),
            ("^7.4 || ^8.0", Some((8, 4))),
            ("^7.4|^8.0", Some((8, 4))),
            ("^7.2", Some((7, 4))),
            ("^8.5", Some((8, 5))),
            (">= 8.2", Some((8, 4))),
            ("self.version", None),
        ] {
            assert_eq!(php_minor(constraint), version, "{constraint}");
        }
    }

    #[test]
    fn go_lines() {
        assert_eq!([go_minor("1.21"), go_minor("1.26.1"), go_minor("1.27rc1"), go_minor("x")], [26, 26, 27, 26]);
    }
}
