//! Hiding logins in what is said and stored.

/// Replaces the login in every address of a text: `://me:secret@host` by `://…@host`, and in a proxy variable without a
/// scheme, `HTTPS_PROXY=me:secret@host`, too.
pub fn redact(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((start, length)) = next_login(rest) {
        out.push_str(&rest[..start]);
        out.push('…');
        rest = &rest[start + length..];
    }
    out + rest
}

/// Returns where the first login begins and how long it is, without its `@`.
fn next_login(text: &str) -> Option<(usize, usize)> {
    let addresses = text.match_indices("://").map(|(at, _)| (at + 3, true));
    let assigned = text.match_indices('=').filter(|(at, _)| is_proxy(&text[..*at])).map(|(at, _)| (at + 1, false));
    let mut starts: Vec<(usize, bool)> = addresses.chain(assigned).collect();
    starts.sort_unstable();
    starts.into_iter().find_map(|(start, scheme)| {
        // In a shell line, the value may be quoted.
        let start = start + text[start..].chars().take_while(|c| !scheme && matches!(c, '\'' | '"')).count();
        let length = login(&text[start..], scheme)?;
        Some((start, length))
    })
}

/// Tells whether a text ends in the name of a variable that holds a proxy.
fn is_proxy(text: &str) -> bool {
    let name = text.rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default();
    name.to_ascii_lowercase().ends_with("_proxy")
}

/// Returns the length of the login that a text begins with.
fn login(text: &str, scheme: bool) -> Option<usize> {
    let word = text.split(|c: char| c.is_whitespace() || "\"`<>".contains(c)).next()?;
    // GOPROXY is a list of addresses.
    let word = [",http", "|http"].iter().fold(word, |word, next| word.split(next).next().unwrap_or(word));
    if !scheme && word.contains("://") {
        return None; // found by its scheme
    }
    let authority = word.split(['/', '?', '#', '\\']).next()?;
    let length = authority.rfind('@').or_else(|| {
        // A password with a character that should have been encoded; what follows a host's colon is a number.
        let password = authority.split_once(':')?.1;
        let is_port = !password.is_empty() && password.chars().all(|c| c.is_ascii_digit());
        (!is_port && !authority.starts_with('[')).then(|| word.rfind('@')).flatten()
    })?;
    (&text[..length] != "…" && length > 0).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_are_hidden_and_nothing_else() {
        for (text, shown) in [
            ("http://me:secret@host/x", "http://…@host/x"),
            ("https://token@host", "https://…@host"),
            ("get http://me:a@b@host:80/x?y@z, https://you:2@h2", "get http://…@host:80/x?y@z, https://…@h2"),
            ("`http://me:s/ec?r#et@host/x`", "`http://…@host/x`"),
            ("env -i HTTPS_PROXY=me:secret@host:3128 go env", "env -i HTTPS_PROXY=…@host:3128 go env"),
            (r"http_proxy='http://me:s'\''e,cret@host' go", "http_proxy='http://…@host' go"),
            ("http_proxy='me:s$cret@host' go", "http_proxy='…@host' go"),
            ("GOPROXY=https://a,https://me:x@b|https://c:y@d go", "GOPROXY=https://a,https://…@b|https://…@d go"),
            ("https://proxy.golang.org/k8s.io/api/@v/v0.1.0.mod", "https://proxy.golang.org/k8s.io/api/@v/v0.1.0.mod"),
            ("http://host:8080/a@b http://[::1]:80/@", "http://host:8080/a@b http://[::1]:80/@"),
            ("NO_PROXY=a,b oci://registry/chart@sha256:12", "NO_PROXY=a,b oci://registry/chart@sha256:12"),
            ("write to me@host: x=1", "write to me@host: x=1"),
            ("http://…@host", "http://…@host"),
        ] {
            assert_eq!(redact(text), shown);
            assert_eq!(redact(&redact(text)), redact(text));
        }
    }
}
