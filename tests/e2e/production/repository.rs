//! What is in the repository: helm's bytes, linear history, and what others do to it.

use serde_json::{Value, json};

use super::{Platform, image};
use crate::support;
use crate::support::project::command;

#[test]
fn slow_the_repository_holds_helms_bytes_and_heals() {
    let Some(mut platform) = Platform::start("the flux repository") else { return };
    let image = image(&platform);
    let template = json!({"image": image, "port": 3000, "variables": {"GREETING": "{{ .Values }} $(HOME) on"}, "migration": ["true"]});
    let (status, _) = platform.post("bytes", "bytes-0001", &template).unwrap();
    assert_eq!(status, 202);
    platform.live("bytes-prod");
    let receipt: Value = serde_json::from_str(&platform.git(&["show", "main:apps/bytes-prod/receipt.json"])).unwrap();
    for phase in ["jobs", "app"] {
        let stored = platform.git(&["show", &format!("main:apps/bytes-prod/{phase}/{phase}.yaml")]);
        let values = platform.dir.path().join("values.yaml");
        super::write(&values, &platform.git(&["show", &format!("main:apps/bytes-prod/{phase}/values.yaml")]));
        let chart = support::root().join("vendor-charts/kilter-app");
        let arguments = receipt["renders"][phase]["arguments"].as_array().unwrap();
        let words = arguments.iter().map(|word| match word.as_str().unwrap() {
            "{chart}" => chart.to_string_lossy().into_owned(),
            "{values}" => values.to_string_lossy().into_owned(),
            word => word.to_owned(),
        });
        let by_hand = command(&platform.helm).args(words).output().unwrap();
        assert!(by_hand.status.success());
        assert_eq!(String::from_utf8(by_hand.stdout).unwrap(), stored, "{phase}");
    }
    assert_eq!(platform.git(&["rev-list", "--merges", "--count", "main"]).trim(), "0");

    // A KilterApp that nobody can decode or deploy, beside good ones.
    platform.apply_text(&json!({"apiVersion": "kilter.netshire.com/v1alpha1", "kind": "KilterApp",
        "metadata": {"name": "bad-prod", "namespace": "kilter-system"}, "spec": {"org": "acme", "app": "bad", "env": "prod", "revision": 1,
        "deploy": "d1", "template": {"image": "no digest", "port": 3000, "components": [{"name": "../x"}]}}}).to_string());
    platform.post("bytes", "bytes-0002", &json!({"image": image, "port": 3000})).unwrap();
    platform.live("bytes-prod");
    let bad = super::until("the bad one is told so", || {
        platform.app("bad-prod").filter(|app| app["status"]["conditions"][0]["status"] == "False")
    });
    assert_eq!(bad["status"]["conditions"][0]["reason"], "Invalid");
    assert!(!platform.git(&["ls-tree", "-r", "--name-only", "main"]).contains("bad-prod"));
    platform.kubectl(&["delete", "kilterapp", "bad-prod"]);

    // Somebody sets the branch back: at the next start at the latest it is written again.
    let before = platform.git(&["rev-parse", "main~1"]).trim().to_owned();
    platform.git(&["update-ref", "refs/heads/main", &before]);
    super::end(platform.operator.take().unwrap());
    platform.start_operator(&[]);
    super::until("what was lost is there again", || {
        let receipt = platform.git(&["show", "main:apps/bytes-prod/receipt.json"]);
        (serde_json::from_str::<Value>(&receipt).unwrap()["revision"] == 2).then_some(())
    });
    platform.live("bytes-prod");
    platform.delete("bytes-prod");
    platform.delete("image-prod");
    assert!(!platform.said().contains("forbidden"), "the chart gives all the rights that are used");
}
