//! What `--help` says.

use super::*;

/// Every command and subcommand, as the words to type.
fn commands(project: &Project) -> Vec<Vec<String>> {
    let mut all = vec![vec![]];
    let mut next = 0;
    while let Some(words) = all.get(next).cloned() {
        next += 1;
        let help = help(project, &words);
        let list = help.split("\nCommands:\n").nth(1).unwrap_or_default();
        for line in list.lines().take_while(|line| !line.is_empty()) {
            let name = line.split_whitespace().next().unwrap_or_default();
            if line.starts_with("  ") && !line.starts_with("   ") && (name != "help" || words.is_empty()) {
                all.push(words.iter().cloned().chain([name.to_owned()]).collect());
            }
        }
    }
    all
}

/// What `kilter help` says of these words.
fn explained(words: &[&str]) -> String {
    Project::new("shop").kilter(&[&["help"], words].concat()).succeeds().stdout
}

#[test]
fn help_shows_the_way_and_explains() {
    let start = explained(&[]);
    for said in
        ["kilter init", "kilter up", "What do I do after a change?", "kilter doctor", "kilter deploy", "Topics:"]
    {
        assert!(start.contains(said), "{said}:\n{start}");
    }
    let topics = start.split("kilter help TOPIC\n").last().unwrap();
    let topics: Vec<&str> = topics.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(topics.len() > 6, "{topics:?}");
    for topic in &topics {
        assert!(explained(&[topic]).lines().count() > 8, "{topic}");
    }
    let project = Project::new("shop");
    assert_eq!(explained(&["add"]), help(&project, &["add".to_owned()]));
    assert_eq!(explained(&["apps", "logs"]), help(&project, &["apps".to_owned(), "logs".to_owned()]));
    insta::assert_snapshot!(project.kilter(&["help", "servces"]).fails(2), @r"
    error: there is no topic and no command `servces`.
      = Did you mean `services`?
    ");
    insta::assert_snapshot!(project.kilter(&["help", "apps", "nonsense"]).fails(2), @r"
    error: there is no topic and no command `apps nonsense`.
      = `kilter help` lists the topics, `kilter --help` the commands.
    ");
    assert!(!start.contains('\u{1b}'), "no colour in a pipe");
}

fn help(project: &Project, words: &[String]) -> String {
    let args: Vec<&str> = words.iter().map(String::as_str).chain(["--help"]).collect();
    let output = project.kilter(&args).succeeds();
    assert_eq!(output.stderr, "");
    output.stdout
}

#[test]
fn every_help_fits_a_hundred_columns_and_shows_how() {
    let project = Project::new("shop");
    let all = commands(&project);
    assert!(all.len() > 16, "{all:?}");
    for words in &all {
        let text = help(&project, words);
        for line in text.lines() {
            assert!(line.chars().count() <= 100, "{words:?}: {line}");
        }
        if !words.is_empty() {
            assert!(text.contains("\nExample"), "{words:?} shows no example:\n{text}");
        }
    }
}

#[test]
fn the_first_page() {
    insta::assert_snapshot!(help(&Project::new("shop"), &[]), @r"
    Real backing services in development and a one-command deploy, from one small kilter.yaml.

    Usage: kilter [OPTIONS] <COMMAND>

    Commands:
      init         Looks at the project, proposes a kilter.yaml with the evidence, and writes it after
                   consent
      add          Adds services to kilter.yaml, keeping its comments and layout, and renders them
      remove       Takes services out of kilter.yaml, keeping its comments and layout, and removes their
                   artifacts
      catalog      Lists the services kilter knows, or shows one of them
      why          Says why a service is in the project, or why kilter would propose it
      render       Renders the services of the project through helm
      verify       Proves that the stored manifests are exactly what helm prints, anywhere
      upgrade      Moves what kilter.lock holds to the defaults of this kilter, after showing what
                   changes in the rendered objects
      eject        Hands one artifact to you for good: a copy under `kilter/` that kilter uses and never
                   overwrites
      up           Brings the project up: cluster, services, app, live update
      status       Shows what runs of the project: cluster, Tilt, app and services
      logs         Shows what the app and the services say
      exec         Runs a command inside the app, or inside a service
      restart      Restarts pods, so that they read their environment again; the images stay the same
      down         Ends Tilt: edits no longer reach the app. Cluster and pods go on serving
      stop         Ends Tilt and stops the cluster; its data is kept, and `kilter up` resumes it
      destroy      Deletes the cluster with its data, and everything that kilter keeps of the project on
                   this machine
      env          Prints every connection string of the project: for pods, and for this machine
      doctor       Checks everything that commonly breaks. Each finding comes with its fix
      login        Logs in to a kilter-server, so that this user can deploy to it
      logout       Forgets the token of a kilter-server
      deploy       Deploys the project: builds its image, pushes it, and has the cluster run it
      rollback     Deploys an earlier revision again: image, variables and secrets as they were then
      apps         Lists the apps on a kilter-server, or shows one of them
      tools        Gets, lists and finds the pinned tools that kilter runs
      schema       Prints the JSON Schema of kilter.yaml, for editors
      completions  Prints the script that completes kilter's commands in a shell
      man          Prints the man page of kilter, or writes those of all commands
      version      Prints the version of kilter and of the tools it pins
      help         Shows the way through kilter, explains a topic, or shows the help of a command

    Options:
      -h, --help     Print help
      -V, --version  Print version

    Options of every command:
      -C, --directory <DIR>  Work on the project in this directory
          --instance <NAME>  Work on this instance of the project (a second working copy) [env:
                             KILTER_INSTANCE]
          --json             Print the result as JSON
          --no-input         Never ask; a missing answer is an error that names its flag
          --offline          Open no network connection
      -q, --quiet            Print results and errors only
      -v, --verbose          Print every command that kilter runs

    Start in a project with `kilter init`, then `kilter up`. `kilter help` shows the way, and explains.
    Exit codes: 0 done, 1 the project is wrong or a check failed, 2 usage, 3 something is missing, 4 a
    tool failed, 5 refused or not confirmed, 70 a bug in kilter, 130 interrupted.
    ");
}

#[test]
fn a_wrong_word_is_usage() {
    let project = Project::new("shop");
    insta::assert_snapshot!(project.kilter(&["rendr"]).fails(2), @r"
    error: unrecognized subcommand 'rendr'

      tip: a similar subcommand exists: 'render'

    Usage: kilter [OPTIONS] <COMMAND>

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(project.kilter(&["render", "--chekc"]).fails(2), @r"
    error: unexpected argument '--chekc' found

      tip: a similar argument exists: '--check'

    Usage: kilter render --check [SERVICE]...

    For more information, try '--help'.
    ");
}
