//! Who reaches an app: two environments, and one that is not public.

use super::{Platform, Source, app};

#[test]
fn slow_an_internal_app_is_reached_from_its_own_namespace_alone() {
    let Some(platform) = Platform::start("internal apps") else { return };
    let source = Source::new("vault");
    source.yaml("public: false\nenvironments: {staging: {env: {GREETING: staging}}}\n");
    let url = source.deploy(&platform, "vault", &[]);
    assert_eq!(url.trim(), "http://vault.vault-prod.svc:3000");
    assert_eq!(platform.answer("vault"), None, "it has no route");
    let image = platform.live("vault-prod")["spec"]["template"]["image"].as_str().unwrap().to_owned();
    let asks = |namespace: &str| {
        let program = "fetch('http://vault.vault-prod.svc:3000', {signal: AbortSignal.timeout(4000)}).then(r => r.text()).then(t => console.log(t), e => console.log('cut'))";
        let name = format!("asks-{namespace}");
        let _ = app::kubectl(&platform.bed, namespace, &["delete", "pod", &name, "--ignore-not-found", "--now"]);
        let image = format!("--image={image}");
        app::kubectl(
            &platform.bed,
            namespace,
            &["run", &name, &image, "--restart=Never", "--quiet", "--attach", "--rm", "--", "node", "-e", program],
        )
        .unwrap()
    };
    assert!(asks("vault-prod").contains("version 1"));
    assert!(asks("default").contains("cut"));

    // Another environment has another namespace, host name and environment.
    source.yaml("environments: {staging: {env: {GREETING: staging}}}\n");
    let url = source.deploy(&platform, "vault", &["--env", "staging"]);
    assert!(url.starts_with(&format!("http://vault-staging.{}", platform.suffix)), "{url}");
    super::answers(&platform, "vault-staging", "version 1 staging\n");
    // And the first is public from its next deploy on.
    source.deploy(&platform, "vault", &[]);
    super::answers(&platform, "vault", "version 1 \n");
    let claim = |host: &str| {
        let name = format!("{host}.{}", platform.suffix);
        let columns = "--output=custom-columns=APP:.spec.app,OWNER:.metadata.ownerReferences[0].name";
        platform.try_kubectl(&["get", "kilterhost", &name, "--no-headers", columns])
    };
    let words = |text: String| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(claim("vault").map(words), Some(vec!["vault".to_owned(), "vault-prod".to_owned()]));
    // Internal again, it gives its host name back at once; deleted, with all that it had.
    source.yaml("public: false\nenvironments: {staging: {env: {GREETING: staging}}}\n");
    source.deploy(&platform, "vault", &[]);
    assert_eq!(claim("vault"), None);
    assert!(claim("vault-staging").is_some());
    platform.delete("vault-prod");
    platform.delete("vault-staging");
    super::until("its claim is gone", || claim("vault-staging").is_none().then_some(()));
}
