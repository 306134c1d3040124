//! The kubeconfig of a cluster that kind made: one context, `kind-NAME`.

use serde_json::Value;

/// Returns the address of the API server (`https://127.0.0.1:41234`) in a kubeconfig that has this context and no other;
/// `None` when it is anything else.
pub(super) fn server(text: &str, context: &str) -> Option<String> {
    let config: Value = serde_yaml::from_str(text).ok()?;
    let one = |key: &str| config[key].as_array().and_then(|list| (list.len() == 1).then(|| list[0].clone()));
    let (clusters, contexts, users) = (one("clusters")?, one("contexts")?, one("users")?);
    let named = contexts["name"] == context && config["current-context"] == context;
    let whole = contexts["context"]["cluster"] == clusters["name"] && contexts["context"]["user"] == users["name"];
    let server = clusters["cluster"]["server"].as_str()?;
    (named && whole).then(|| server.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kubeconfig_has_the_one_context() {
        let of = |context: &str, current: &str, more: &str| {
            format!(
                "clusters: [{{name: c, cluster: {{server: 'https://127.0.0.1:4'}}}}]\nusers: [{{name: u, user: {{}}}}]\n\
                 contexts: [{{name: {context}, context: {{cluster: c, user: u}}}}{more}]\ncurrent-context: {current}\n"
            )
        };
        assert_eq!(server(&of("kind-a", "kind-a", ""), "kind-a").as_deref(), Some("https://127.0.0.1:4"));
        assert_eq!(server(&of("kind-b", "kind-b", ""), "kind-a"), None, "another cluster's");
        assert_eq!(server(&of("kind-a", "other", ""), "kind-a"), None, "another one is current");
        assert_eq!(server(&of("kind-a", "kind-a", ", {name: other}"), "kind-a"), None, "two contexts");
        assert_eq!(server("", "kind-a"), None);
        assert_eq!(server(": : :", "kind-a"), None);
    }
}
