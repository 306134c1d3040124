//! `kilter help`.

mod topics;

use clap::CommandFactory as _;
use clap_complete::CompletionCandidate;

use super::Cli;
use super::context::Context;
use crate::diag::{Error, Result};
use crate::ids::did_you_mean;
use topics::{START, TOPICS, Topic};

/// Shows the way through kilter, explains a topic, or shows the help of a command.
///
/// Topics are services, ports, wizard, scripts, lock, ejecting, production and agents.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  kilter help\n  kilter help services\n  kilter help add")]
pub(crate) struct Args {
    /// A topic, or the words of a command.
    #[arg(value_name = "TOPIC", add = clap_complete::ArgValueCandidates::new(candidates))]
    words: Vec<String>,
}

pub(crate) fn run(args: &Args, ctx: &Context) -> Result<()> {
    let text = match args.words.as_slice() {
        [] => start(ctx),
        [word] if topic(word).is_some() => page(ctx, topic(word)),
        words => of_command(ctx, words)?,
    };
    ctx.ui.result(&text);
    Ok(())
}

fn topic(word: &str) -> Option<&'static Topic> {
    TOPICS.iter().find(|topic| topic.name == word)
}

/// The way through kilter, and the topics.
fn start(ctx: &Context) -> String {
    let width = TOPICS.iter().map(|topic| topic.name.len()).max().unwrap_or_default();
    let row = |topic: &Topic| format!("  {:width$}  {}", topic.name, topic.title);
    let rows: Vec<String> = TOPICS.iter().map(row).collect();
    format!("{}\n{}\n{}", marked(ctx, START), ctx.ui.strong("Topics: kilter help TOPIC"), rows.join("\n"))
}

fn page(ctx: &Context, topic: Option<&Topic>) -> String {
    topic.map(|topic| format!("{}\n\n{}", ctx.ui.strong(topic.title), marked(ctx, topic.text))).unwrap_or_default()
}

/// Headings, which are lines that begin at the left and end with a colon, stand out.
fn marked(ctx: &Context, text: &str) -> String {
    let line = |line: &str| match line.ends_with(':') && !line.starts_with(' ') {
        true => format!("{}\n", ctx.ui.strong(line)),
        false => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

/// What `--help` of a command says.
fn of_command(ctx: &Context, words: &[String]) -> Result<String> {
    let mut command = Cli::command();
    command.build();
    let mut at = &command;
    for word in words {
        let known = at.get_subcommands().find(|sub| sub.get_name() == word);
        at = known.ok_or_else(|| unknown(words, word, at))?;
    }
    let asked = std::iter::once("kilter").chain(words.iter().map(String::as_str)).chain(["--help"]);
    let help = match Cli::command().try_get_matches_from(asked) {
        Err(help) if help.kind() == clap::error::ErrorKind::DisplayHelp => help.render(),
        _ => return Err(Error::bug(format!("`{}` has no help", words.join(" ")))),
    };
    Ok(if ctx.ui.color_out { help.ansi().to_string() } else { help.to_string() })
}

fn unknown(words: &[String], word: &str, at: &clap::Command) -> Error {
    let topics = TOPICS.iter().map(|topic| topic.name).filter(|_| words.len() == 1);
    let near = did_you_mean(word, at.get_subcommands().map(clap::Command::get_name).chain(topics));
    let error = Error::usage(format!("there is no topic and no command `{}`", words.join(" ")));
    match near {
        Some(near) => error.help(format!("Did you mean `{near}`?")),
        None => error.help("`kilter help` lists the topics, `kilter --help` the commands."),
    }
}

/// What a shell offers: topics and commands.
fn candidates() -> Vec<CompletionCandidate> {
    let topics = TOPICS.iter().map(|topic| CompletionCandidate::new(topic.name).help(Some(topic.title.into())));
    let mut all: Vec<CompletionCandidate> = topics.collect();
    all.extend(Cli::command().get_subcommands().map(|sub| CompletionCandidate::new(sub.get_name().to_owned())));
    all
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    /// The words of a line as a shell has them, up to what is no longer of the command: a comment, another program, a file.
    fn words(line: &str) -> Vec<String> {
        let (mut words, mut quote) = (vec![String::new()], None);
        for c in line.chars() {
            let last = words.len() - 1;
            match (c, quote) {
                (c, Some(open)) if c == open => quote = None,
                ('\'' | '"', None) => quote = Some(c),
                ('#' | '|' | '>' | ')', None) if words[last].is_empty() => break,
                (' ', None) => words.push(String::new()),
                (c, _) => words[last].push(c),
            }
        }
        words.retain(|word| !word.is_empty());
        words
    }

    /// Tells what is wrong with a command of kilter that a text shows.
    fn wrong(line: &str) -> Option<String> {
        let error = Cli::try_parse_from(words(line)).err()?;
        (error.kind() != clap::error::ErrorKind::DisplayHelp).then(|| format!("{line}: {error}"))
    }

    #[test]
    fn every_command_that_help_shows_is_one() {
        let texts: Vec<&str> = TOPICS.iter().map(|topic| topic.text).chain([START]).collect();
        let quoted = texts.iter().flat_map(|text| text.split('`').skip(1).step_by(2));
        let quoted = quoted.filter(|words| words.starts_with("kilter ") && !words.contains("TOPIC"));
        let quoted = quoted.filter(|words| !words.contains("COMMAND"));
        // What it does stands behind two blanks.
        let shown = texts.iter().flat_map(|text| text.lines()).filter(|line| line.starts_with("  kilter "));
        let shown = shown.map(|line| line.trim_start().split("  ").next().unwrap_or_default());
        let all: Vec<&str> = quoted.chain(shown).collect();
        assert!(all.len() > 40, "{}", all.len());
        assert_eq!(all.into_iter().filter_map(wrong).collect::<Vec<_>>(), Vec::<String>::new());
    }

    #[test]
    fn every_example_of_a_command_is_one() {
        let mut command = Cli::command();
        command.build();
        let mut open: Vec<clap::Command> = vec![command];
        let mut examples = Vec::new();
        while let Some(command) = open.pop() {
            open.extend(command.get_subcommands().cloned());
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            examples.extend(
                help.lines().map(str::trim_start).filter(|line| line.starts_with("kilter ")).map(str::to_owned),
            );
        }
        assert!(examples.len() > 60, "{}", examples.len());
        assert_eq!(examples.iter().filter_map(|line| wrong(line)).collect::<Vec<_>>(), Vec::<String>::new());
    }

    #[test]
    fn help_fits_eighty_columns_and_no_topic_is_a_command() {
        for topic in TOPICS {
            assert!(Cli::command().get_subcommands().all(|sub| sub.get_name() != topic.name), "{}", topic.name);
            let lines = topic.text.lines().chain([topic.title]).count();
            assert!((8..60).contains(&lines), "{}: {lines} lines", topic.name);
        }
        for line in TOPICS.iter().flat_map(|topic| topic.text.lines()).chain(START.lines()) {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}
