//! The guide for coding agents that `kilter init` and `kilter add` begin.

use super::*;

const GUIDE: &str = ".agents/skills/kilter/SKILL.md";

#[test]
fn init_begins_it_and_every_render_keeps_it_current() {
    let Some(_) = helm() else { return };
    let project = shop();
    let done = project.kilter(&["init", "--dry-run"]).succeeds();
    assert!(!project.root().join(GUIDE).exists() && !done.stderr.contains("Wrote"), "{}", done.stderr);
    assert!(done.stderr.contains(GUIDE), "what would be written is said: {}", done.stderr);
    let done = project.kilter(&["init", "--yes"]).succeeds();
    assert!(done.stderr.contains(GUIDE) && done.stderr.contains("skills: false"), "{}", done.stderr);
    let guide = project.read(GUIDE);
    assert!(guide.starts_with("---\nname: kilter\ndescription: ") && guide.lines().count() <= 40, "{guide}");
    for words in
        ["`npm run dev`", "port 3000", "postgres: `DATABASE_URL`", "redis: `REDIS_URL`", "app: `PORT`", "kilter env"]
    {
        assert!(guide.contains(words), "{words}: {guide}");
    }
    project.kilter(&["render"]).succeeds();
    assert_eq!(project.read(GUIDE), guide, "the same before and after the first lock");
    let said = project.kilter(&["add", "mailpit"]).succeeds().stderr;
    assert!(!said.contains(GUIDE), "it was there: {said}");
    assert!(project.read(GUIDE).contains("mailpit: `SMTP_HOST`, `SMTP_PORT`"));
    project.kilter(&["remove", "mailpit"]).succeeds();
    assert_eq!(project.read(GUIDE), guide);
    let env = parsed(&project, &["env", "--json"]);
    let password = env["services"][0]["credentials"]["password"].as_str().unwrap();
    assert!(password.len() > 8 && !guide.contains(password), "no value of a variable: {guide}");

    // The user's decision counts.
    fs::remove_file(project.root().join(GUIDE)).unwrap();
    project.kilter(&["render"]).succeeds();
    assert!(!project.root().join(GUIDE).exists(), "who deleted it does not want it");
}

#[test]
fn what_others_wrote_stays_and_without_leave_nothing_is_written() {
    let Some(_) = helm() else { return };
    let project = shop().file(GUIDE, "---\nname: kilter\n---\nOurs.\n");
    project.kilter(&["init", "--yes"]).succeeds();
    project.kilter(&["add", "mailpit"]).succeeds();
    assert_eq!(project.read(GUIDE), "---\nname: kilter\n---\nOurs.\n");

    let project = shop().file("kilter.yaml", "skills: false\nservices: []\n");
    project.kilter(&["add", "redis"]).succeeds();
    assert!(!project.root().join(".agents").exists());

    // One that is there is left as it is.
    let project = shop();
    project.kilter(&["add", "redis"]).succeeds();
    let guide = project.read(GUIDE);
    project.write("kilter.yaml", "skills: false\nservices: [redis, postgres]\n");
    project.kilter(&["render"]).succeeds();
    assert_eq!(project.read(GUIDE), guide);
}

#[test]
fn a_link_out_of_the_project_is_not_followed() {
    let Some(_) = helm() else { return };
    let elsewhere = tempfile::tempdir().unwrap();
    for target in [elsewhere.path().to_owned(), elsewhere.path().join("not-there")] {
        let project = shop();
        std::os::unix::fs::symlink(&target, project.root().join(".agents")).unwrap();
        let said = project.kilter(&["add", "redis"]).succeeds().stderr;
        assert!(!said.contains(GUIDE), "{said}");
        assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
    }
    let project = shop();
    fs::create_dir(project.root().join("agents")).unwrap();
    std::os::unix::fs::symlink("agents", project.root().join(".agents")).unwrap();
    project.kilter(&["add", "redis"]).succeeds();
    assert!(
        project.root().join("agents/skills/kilter/SKILL.md").is_file(),
        "a link inside the project is the user's way"
    );
}

#[test]
fn one_that_cannot_be_written_stops_nothing() {
    let Some(_) = helm() else { return };
    let project = shop().file(".agents", "a file\n");
    let said = project.kilter(&["add", "redis"]).succeeds().stderr;
    assert!(said.contains("warning: ") && said.contains(GUIDE) && said.contains("Added redis."), "{said}");
    assert_eq!(project.read("kilter.yaml"), "services:\n  - redis\n");
}
