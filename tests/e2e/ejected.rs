//! What is the user's is used and kept, whatever is run; without it the defaults are back.

use super::Bed;
use super::app::App;

#[test]
fn slow_ejected_artifacts_are_used_and_kept() {
    let Some(bed) = Bed::find("ejected artifacts on a cluster") else { return };
    let app = App::new(&bed, "e2e-own", "shop", "services: [postgres, redis]\n");
    app.kilter(&["render"]).succeeds();
    for thing in ["tiltfile", "dockerfile", "manifest/redis"] {
        app.kilter(&["eject", thing]).succeeds();
    }
    let own = |file: &str, from: &str, to: &str| {
        let text = app.project.read(file);
        assert!(text.contains(from), "{file} has no {from:?}:\n{text}");
        app.project.write(file, text.replacen(from, to, 1));
    };
    let tiltfile = app.project.read("kilter/Tiltfile");
    app.project.write("kilter/Tiltfile", format!("{tiltfile}\nlocal_resource('own-check', 'echo mine')\n"));
    let dockerfile = app.project.read("kilter/Dockerfile.dev");
    app.project.write("kilter/Dockerfile.dev", format!("{dockerfile}\nENV OWN_IMAGE=yes\n"));
    own(
        "kilter/manifests/redis.yaml",
        "kind: StatefulSet\nmetadata:\n",
        "kind: StatefulSet\nmetadata:\n  annotations:\n    own: mine\n",
    );
    let copies = ["kilter/Tiltfile", "kilter/Dockerfile.dev", "kilter/manifests/redis.yaml"];
    let kept: Vec<String> = copies.iter().map(|file| app.project.read(file)).collect();

    let up = app.up();
    let names: Vec<&str> =
        up["services"].as_array().unwrap().iter().filter_map(|service| service["name"].as_str()).collect();
    assert!(names.contains(&"own-check"), "the Tiltfile is the user's: {names:?}");
    let exec = || app.kilter(&["exec", "--", "printenv", "OWN_IMAGE"]).run().stdout;
    let annotation =
        || app.kubectl(&["get", "statefulset/redis", "--output", "jsonpath={.metadata.annotations.own}"]).unwrap();
    assert_eq!((exec().as_str(), annotation().as_str()), ("yes\n", "mine"));
    for command in [["render"].as_slice(), &["down"], &["up", "--ci"]] {
        app.kilter(command).succeeds();
        let now: Vec<String> = copies.iter().map(|file| app.project.read(file)).collect();
        assert_eq!(now, kept, "after {command:?}");
    }
    assert_eq!((exec().as_str(), annotation().as_str()), ("yes\n", "mine"));

    for copy in copies {
        std::fs::remove_file(app.project.root().join(copy)).unwrap();
    }
    let up = app.up();
    assert!(!up["services"].to_string().contains("own-check"), "{up}");
    assert_eq!((exec().as_str(), annotation().as_str()), ("", ""));
    app.answers("/", "visits: ");
}
