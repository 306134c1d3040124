//! What is to be written, asked of a person.

use super::{Args, checked, selected, text, write};
use crate::artifacts::unified_diff;
use crate::cli::add::lesson;
use crate::cli::ahead::Ahead;
use crate::cli::context::Context;
use crate::cli::ending::{Ending, finish};
use crate::cli::project::{Project, load};
use crate::cli::wizard::{self, Drafted, Fact, InitFlow};
use crate::config::model::ServiceEntry;
use crate::detect::{Detection, Finding};
use crate::diag::Result;

/// Asks what to write, and writes it. Then it renders, as `kilter add` does; before `kilter up`, that does.
pub(super) fn ask(
    args: &Args,
    ctx: &Context,
    project: Project,
    found: &Detection,
    news: &[&Finding],
    before_up: bool,
) -> Result<()> {
    let old = project.text.clone();
    let facts = if old.is_none() { facts(args, &project, found) } else { Vec::new() };
    // Of two that give the same variable one is marked.
    let taken = selected(news, |_| {});
    let news: Vec<Finding> =
        news.iter().map(|finding| Finding { selected: taken.contains(finding), ..(*finding).clone() }).collect();
    let news: Vec<&Finding> = news.iter().collect();
    let same = |drafted: &Drafted| {
        let plain = taken.iter().map(|finding| &finding.name).eq(&drafted.services);
        command(args, drafted, plain, old.is_some(), before_up)
    };
    let ahead = Ahead::start(ctx);
    let page = |drafted: &Drafted| {
        ahead.render(drafted.services.iter().cloned().map(ServiceEntry::Name).collect());
        let text = text(&project, &merged(args, drafted))?;
        load(&text, project.lock.as_ref())?;
        let diff = unified_diff("kilter.yaml", old.as_deref().unwrap_or_default().as_bytes(), text.as_bytes());
        if diff.is_empty() {
            return Ok(Vec::new());
        }
        let mut lines: Vec<String> = diff.lines().map(str::to_owned).collect();
        lines.extend([String::new(), "The same without questions:".into(), format!("  {}", same(drafted))]);
        Ok(lines)
    };
    let flow = InitFlow { news: &news, facts: &facts, page: &page };
    let answers = wizard::run(&ctx.ui, &flow)?;
    let drafted = flow.drafted(&answers);
    let text = text(&project, &merged(args, &drafted))?;
    if old.as_ref() == Some(&text) {
        ctx.ui.talk("kilter.yaml has all of that already; nothing to write.");
        return Ok(());
    }
    ctx.ui.talk(&format!("The same without questions: `{}`", same(&drafted)));
    if before_up || ctx.ui.json {
        let diff = unified_diff("kilter.yaml", old.as_deref().unwrap_or_default().as_bytes(), text.as_bytes());
        ctx.ui.talk(&diff);
        return write(ctx, &checked(ctx, project, text.clone())?, &text, "");
    }
    let work = ctx.ui.work("rendering");
    ahead.finish();
    drop(work);
    let _lock = project.take_lock(ctx)?;
    let mut lesson = lesson(found, drafted.services.iter().map(String::as_str));
    if drafted.services.is_empty() {
        lesson.push("Wrote kilter.yaml. Next: `kilter up`.".to_owned());
    }
    let ending = Ending {
        old: old.clone(),
        services: drafted.services.clone(),
        verb: "Wrote kilter.yaml with",
        guide: true,
        advice: "Next: `kilter up`.",
        lesson,
        ..Ending::default()
    };
    finish(ctx, project, text, &ending)
}

/// What was decided, by options first.
fn merged(args: &Args, drafted: &Drafted) -> Drafted {
    let by_options = args.drafted();
    Drafted {
        services: drafted.services.clone(),
        name: by_options.name.or_else(|| drafted.name.clone()),
        port: by_options.port.or_else(|| drafted.port.clone()),
        dev: by_options.dev.or_else(|| drafted.dev.clone()),
        image: by_options.image.or_else(|| drafted.image.clone()),
    }
}

/// The command that does the same. `plain`: the services are those that are taken without a word.
fn command(args: &Args, drafted: &Drafted, plain: bool, there: bool, before_up: bool) -> String {
    let drafted = merged(args, drafted);
    match (before_up, plain && drafted == Drafted { services: drafted.services.clone(), ..Drafted::default() }) {
        (true, true) => "kilter up --yes".to_owned(),
        (true, false) => format!("{} && kilter up", drafted.command(plain)),
        (false, _) if there && drafted.services.is_empty() => drafted.command(plain),
        (false, _) => format!("{} && kilter render", drafted.command(plain)),
    }
}

/// What can be asked about a project without a kilter.yaml, with the defaults; what an option says is not asked.
fn facts(args: &Args, project: &Project, found: &Detection) -> Vec<(Fact, String)> {
    let mut facts = Vec::new();
    let mut ask = |fact, given: bool, default: Option<String>| {
        facts.extend(default.filter(|_| !given).map(|default| (fact, default)));
    };
    ask(Fact::Name, args.name.is_some(), Some(project.name.to_string()));
    let app = found.dev.is_some();
    let none = |value: Option<String>| value.or_else(|| app.then(String::new));
    ask(Fact::Dev, args.dev.is_some(), found.dev.as_ref().map(|fact| fact.value.clone()));
    ask(Fact::Port, args.port.is_some(), none(found.port.as_ref().map(|fact| fact.value.to_string())));
    ask(Fact::Image, args.image.is_some(), none(found.image.as_ref().map(|fact| fact.value.clone())));
    facts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_decided_can_be_written_by_a_command() {
        let args = Args::default();
        let drafted = |services: &[&str], port: Option<&str>| Drafted {
            services: services.iter().map(|name| (*name).to_owned()).collect(),
            port: port.map(str::to_owned),
            ..Drafted::default()
        };
        let of = |drafted: &Drafted, plain, there, up| command(&args, drafted, plain, there, up);
        let (redis, port) = (drafted(&["redis"], None), drafted(&["redis"], Some("80")));
        assert_eq!(of(&redis, true, false, false), "kilter init --yes && kilter render");
        assert_eq!(of(&redis, false, true, false), "kilter init --yes --services redis && kilter render");
        assert_eq!(of(&redis, true, false, true), "kilter up --yes");
        assert_eq!(of(&port, true, false, true), "kilter init --yes --port 80 && kilter up");
    }
}
