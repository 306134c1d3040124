//! What is to be written, asked of a person.

use super::{Args, End, entries, proposed, selected, text};
use crate::cli::ahead::Ahead;
use crate::cli::context::Context;
use crate::cli::project::Project;
use crate::cli::proposal::in_a_line;
use crate::cli::wizard::{self, Drafted, Fact, InitFlow};
use crate::detect::{Detection, Finding};
use crate::diag::Result;

/// Asks what to write, and writes it.
pub(super) fn ask(args: &Args, ctx: &Context, project: Project, end: &End<'_>, news: &[&Finding]) -> Result<()> {
    let facts = if project.text.is_none() { facts(args, &project, end.found) } else { Vec::new() };
    let same = |drafted: &Drafted| {
        let plain = selected(news).map(|finding| &finding.name).eq(&drafted.services);
        ctx.pasteable(&commands(args, drafted, plain, end.before_up))
    };
    let proposal = |drafted: &Drafted| {
        proposed(ctx, &project, text(&project, &merged(args, drafted), end.found)?, end.found)?.require_place()
    };
    let ahead = Ahead::start(ctx);
    let page = |drafted: &Drafted| {
        if end.is_nothing(&project, &text(&project, &merged(args, drafted), end.found)?) {
            return Ok(Vec::new());
        }
        let mut lines = proposal(drafted)?.lines(ctx, &drafted.services)?;
        lines.extend([String::new(), "The same without questions:".into(), format!("  {}", same(drafted))]);
        Ok(lines)
    };
    let flow = InitFlow {
        news,
        facts: &facts,
        stand_in: (args.name.is_none() && project.text.is_none() && project.is_nameless())
            .then_some(project.name.as_str()),
        page: &page,
        clash: &|drafted| proposal(drafted).err().map(|error| in_a_line(&error)),
        watch: &|drafted| ahead.render(entries(&drafted.services, &project, end.found)),
    };
    let answers = wizard::run(&ctx.ui, &flow)?;
    let drafted = flow.drafted(&answers);
    let text = text(&project, &merged(args, &drafted), end.found)?;
    if !end.is_nothing(&project, &text) {
        ctx.ui.talk(&format!("The same without questions: `{}`", same(&drafted)));
        let work = ctx.ui.work("rendering");
        ahead.finish();
        drop(work);
    }
    end.write(ctx, project, text, drafted.services)
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

/// The commands that do the same. `plain`: the services are those that are taken without a word.
fn commands(args: &Args, drafted: &Drafted, plain: bool, before_up: bool) -> Vec<Vec<String>> {
    let drafted = merged(args, drafted);
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    match (before_up, plain && drafted == Drafted { services: drafted.services.clone(), ..Drafted::default() }) {
        (true, true) => vec![words(&["kilter", "up", "--yes"])],
        (true, false) => vec![drafted.command(plain), words(&["kilter", "up"])],
        (false, _) => vec![drafted.command(plain)],
    }
}

/// What can be asked about a project without a kilter.yaml, with the defaults; what an option says is not asked.
fn facts(args: &Args, project: &Project, found: &Detection) -> Vec<(Fact, String)> {
    let mut facts = Vec::new();
    let mut ask = |fact, given: bool, default: Option<String>| {
        facts.extend((!given).then(|| (fact, default.unwrap_or_default())));
    };
    ask(Fact::Name, args.name.is_some(), Some(project.name.to_string()));
    ask(Fact::Dev, args.dev.is_some(), found.dev.as_ref().map(|fact| fact.value.clone()));
    ask(Fact::Port, args.port.is_some(), found.port.as_ref().map(|fact| fact.value.to_string()));
    ask(Fact::Image, args.image.is_some(), found.image.as_ref().map(|fact| fact.value.clone()));
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
        let of = |drafted: &Drafted, plain, up| {
            let commands = commands(&args, drafted, plain, up);
            commands.iter().map(|words| words.join(" ")).collect::<Vec<_>>().join(" && ")
        };
        let (redis, port) = (drafted(&["redis"], None), drafted(&["redis"], Some("80")));
        assert_eq!(of(&redis, true, false), "kilter init --yes");
        assert_eq!(of(&redis, false, false), "kilter init --yes --services redis");
        assert_eq!(of(&redis, true, true), "kilter up --yes");
        assert_eq!(of(&port, true, true), "kilter init --yes --port 80 && kilter up");
    }
}
