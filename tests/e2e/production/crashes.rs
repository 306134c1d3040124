//! An operator that dies after any of its effects: the next one finishes what it began, and does nothing twice.

use std::process::ExitStatus;

use serde_json::json;

use super::{Platform, image, until};

/// The effects of the operator, in the order of a life: the last two are of a deletion. The one that is not here has a test of its own.
const EFFECTS: [&str; 9] =
    ["AddFinalizer", "CreateNamespace", "Render", "Record", "Commit", "Tell", "Nudge", "Remove", "DropFinalizer"];

#[test]
fn slow_an_operator_that_dies_after_any_effect_leaves_what_the_next_one_finishes() {
    let Some(mut platform) = Platform::start("crashes of the operator") else { return };
    let image = image(&platform);
    super::end(platform.operator.take().unwrap());
    for effect in EFFECTS {
        let name = format!("dies-{}", effect.to_lowercase());
        let namespace = format!("{name}-prod");
        let deleting = ["Remove", "DropFinalizer"].contains(&effect);
        let template = json!({"image": image, "port": 3000});
        if deleting {
            platform.start_operator(&[]);
            platform.post(&name, "crash-0001", &template).unwrap();
            platform.live(&namespace);
            super::end(platform.operator.take().unwrap());
        }
        platform.start_operator(&["--die-after", effect]);
        if deleting {
            platform.kubectl(&["delete", "kilterapp", &namespace, "--wait=false"]);
        } else {
            let (status, _) = platform.post(&name, "crash-0001", &template).unwrap();
            assert_eq!(status, 202);
        }
        let died = dies(&mut platform);
        assert!(!died.success(), "{effect}: {died}");
        // The next one need not wait for the lease of the dead.
        platform.kubectl(&["delete", "lease", "kilter-operator", "--ignore-not-found"]);
        platform.start_operator(&[]);
        if !deleting {
            platform.live(&namespace);
            assert_eq!(platform.commits_of(&name), 1, "{effect}");
            platform.kubectl(&["delete", "kilterapp", &namespace, "--wait=false"]);
        }
        until(&format!("{effect}: {namespace} is gone"), || {
            (platform.app(&namespace).is_none() && !platform.has_namespace(&namespace)).then_some(())
        });
        assert_eq!(platform.commits_of(&name), 2, "{effect}: one for the deploy, one for the deletion");
        super::end(platform.operator.take().unwrap());
    }
    platform.start_operator(&[]);
    platform.delete("image-prod");
}

#[test]
fn slow_a_namespace_that_flux_never_saw_goes_with_its_app_whenever_the_operator_dies() {
    let Some(mut platform) = Platform::start("crashes before the first commit") else { return };
    super::end(platform.operator.take().unwrap());
    let image = format!("registry.example/acme/early@sha256:{}", "0".repeat(64));
    for effect in ["DeleteNamespace", "DropFinalizer"] {
        let name = format!("early-{}", effect.to_lowercase());
        let namespace = format!("{name}-prod");
        platform.start_operator(&["--die-after", "CreateNamespace"]);
        platform.post(&name, "early-0001", &json!({"image": image, "port": 3000, "replicas": 0})).unwrap();
        dies(&mut platform);
        assert!(platform.has_namespace(&namespace));
        platform.kubectl(&["delete", "kilterapp", &namespace, "--wait=false"]);
        for arguments in [&["--die-after", effect][..], &[]] {
            platform.kubectl(&["delete", "lease", "kilter-operator", "--ignore-not-found"]);
            platform.start_operator(arguments);
            if !arguments.is_empty() {
                dies(&mut platform);
            }
        }
        until(&format!("{effect}: {namespace} is gone"), || {
            (platform.app(&namespace).is_none() && !platform.has_namespace(&namespace)).then_some(())
        });
        assert_eq!(platform.commits_of(&name), 0, "{effect}");
        super::end(platform.operator.take().unwrap());
    }
}

/// Waits until the operator is dead.
fn dies(platform: &mut Platform) -> ExitStatus {
    let mut child = platform.operator.take().unwrap();
    until("the operator dies where it was told to", || child.try_wait().unwrap())
}
