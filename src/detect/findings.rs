//! From declared packages to findings.

use std::collections::BTreeMap;

use super::confidence::{ALTERNATIVE, SELECT};
use super::model::{Evidence, Finding};
use super::rules::{Declared, Index, ServiceRules};

/// Asks the rules about every declared package; returns the services, the surest first.
pub(super) fn find(declared: &[Declared], rules: &[ServiceRules<'_>]) -> Vec<Finding> {
    let index = Index::new(rules);
    let mut evidence: BTreeMap<usize, Vec<Evidence>> = BTreeMap::new();
    for package in declared {
        for (service, piece) in index.evidence(package) {
            evidence.entry(service).or_default().push(piece);
        }
    }
    for pieces in evidence.values_mut() {
        tidy(pieces);
    }
    let mut findings: Vec<Finding> = evidence
        .iter()
        .map(|(service, pieces)| {
            let surest = pieces[0].confidence;
            let (confidence, pieces) = match chosen_instead(*service, &evidence, rules) {
                Some(chosen) => (surest.min(ALTERNATIVE), as_alternative(pieces, chosen)),
                None => (surest, pieces.clone()),
            };
            Finding::new(rules[*service].name, confidence, pieces)
        })
        .collect();
    findings.sort_by(|a, b| b.confidence.total_cmp(&a.confidence).then_with(|| a.name.cmp(&b.name)));
    findings
}

/// Sorts evidence, the strongest first, and keeps one piece per package and file.
fn tidy(pieces: &mut Vec<Evidence>) {
    pieces.sort_by(|a, b| {
        let key = |e: &Evidence| (e.file.matches('/').count(), e.file.clone(), e.line, e.package.clone());
        b.confidence.total_cmp(&a.confidence).then_with(|| key(a).cmp(&key(b)))
    });
    let mut seen = std::collections::HashSet::new();
    pieces.retain(|piece| seen.insert((piece.file.clone(), piece.package.clone())));
}

/// Returns the service that is selected in place of this one: of the same kind, of a lower rank, in every manifest that
/// makes this one sure. A service that some manifest names alone has a use of its own.
fn chosen_instead<'a>(
    service: usize,
    evidence: &BTreeMap<usize, Vec<Evidence>>,
    rules: &[ServiceRules<'a>],
) -> Option<&'a str> {
    let one_of = rules[service].one_of?;
    let sure = |service: usize, pieces: &[Evidence]| -> Vec<String> {
        let pieces = pieces.iter().filter(|piece| piece.confidence >= SELECT);
        pieces.map(|piece| manifest(piece, rules[service].name)).collect()
    };
    let mine = sure(service, evidence.get(&service)?);
    if mine.is_empty() {
        return None;
    }
    let mut better: Vec<_> = evidence
        .iter()
        .filter_map(|(other, pieces)| rules[*other].one_of.map(|their| (their, *other, sure(*other, pieces))))
        .filter(|(their, _, _)| their.kind == one_of.kind && their.rank < one_of.rank)
        .collect();
    better.sort_by_key(|(their, _, _)| their.rank);
    mine.iter().all(|file| better.iter().any(|(_, _, files)| files.contains(file))).then_some(())?;
    better
        .iter()
        .find(|(_, _, files)| mine.iter().any(|file| files.contains(file)))
        .map(|(_, other, _)| rules[*other].name)
}

/// Names the manifest that a piece of evidence stands in. Modules that are named after the service they speak to
/// (`Shop.Migrations.Postgres` beside `Shop.Migrations.MySql`) are the providers of one app, which takes one of them: they
/// are like one manifest.
fn manifest(piece: &Evidence, service: &str) -> String {
    let plain = |text: &str| text.to_ascii_lowercase().replace(['-', '_'], "");
    let module = plain(&piece.file.rsplit('/').take(2).collect::<Vec<_>>().join("/"));
    let last = plain(piece.package.rsplit(['.', ':', '/']).next().unwrap_or_default());
    let is_named = module.contains(service) || (last.len() >= 5 && module.contains(&last));
    if is_named { "the providers".to_owned() } else { piece.file.clone() }
}

fn as_alternative(pieces: &[Evidence], chosen: &str) -> Vec<Evidence> {
    let note = |piece: &Evidence| format!("{}; an alternative to {chosen}", piece.note);
    pieces.iter().map(|piece| Evidence { note: note(piece), ..piece.clone() }).collect()
}
