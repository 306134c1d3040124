//! Services that cover the same need: they give the app the same variable (an S3 store and an emulator of AWS), so that
//! kilter.yaml has room for one of them.

use std::cmp::Reverse;

use super::confidence::{ALTERNATIVE, SELECT};
use super::decide::decision;
use super::model::{Evidence, Finding};
use super::rules::ServiceRules;

/// Of the selected findings that give a variable in common leaves one selected, and says so in the evidence of the others.
///
/// Taken first is the surest; of those the one that the project starts, or else names, to run with; then the one with more
/// that makes it sure; then the lower rank of its kind in the catalog, a service without a kind last; then the name.
pub(super) fn take_one(findings: Vec<Finding>, rules: &[ServiceRules<'_>]) -> Vec<Finding> {
    let about = |name: &str| rules.iter().find(|rules| rules.name == name);
    let mut order: Vec<&Finding> = findings.iter().filter(|finding| finding.selected).collect();
    order.sort_by(|a, b| {
        let key = |finding: &Finding| {
            let rank = about(&finding.name).and_then(|rules| rules.one_of).map_or(u32::MAX, |one_of| one_of.rank);
            (Reverse(weight(finding)), Reverse(sure(finding).count()), rank, finding.name.clone())
        };
        b.confidence.total_cmp(&a.confidence).then_with(|| key(a).cmp(&key(b)))
    });
    let variables = |name: &str| about(name).into_iter().flat_map(|rules| rules.provides.keys());
    let mut taken: Vec<&str> = Vec::new();
    let mut covered: Vec<(String, String)> = Vec::new();
    for finding in order {
        let both = |other: &str| variables(&finding.name).find(|variable| variables(other).any(|v| v == *variable));
        match taken.iter().find_map(|other| Some((*other, both(other)?))) {
            Some((other, variable)) => {
                covered.push((finding.name.clone(), format!("covered by {other}, which gives {variable} as well")));
            }
            None => taken.push(&finding.name),
        }
    }
    let why = |name: &str| covered.iter().find(|(covered, _)| covered == name).map(|(_, why)| why.clone());
    findings
        .into_iter()
        .map(|finding| match why(&finding.name) {
            Some(why) => finding.into_option(&why),
            None => finding,
        })
        .collect()
}

/// How much the project itself decides for a service.
fn weight(finding: &Finding) -> u8 {
    finding.evidence.iter().filter_map(decision).map(|decision| decision.weight).max().unwrap_or(0)
}

fn sure(finding: &Finding) -> impl Iterator<Item = &Evidence> {
    finding.evidence.iter().filter(|piece| piece.confidence >= SELECT)
}

impl Finding {
    /// Makes an option of it, with the reason in every piece of its evidence.
    fn into_option(mut self, why: &str) -> Self {
        self.confidence = self.confidence.min(ALTERNATIVE);
        self.selected = false;
        self.evidence.iter_mut().for_each(|piece| piece.note += &format!("; {why}"));
        self
    }
}

#[cfg(test)]
mod tests {
    use crate::detect::testing::{found, selected, tree};

    const MINIO: &str = "services:\n  s3: {image: minio/minio}\n";
    const FLOCI: &str = "services:\n  aws: {image: floci/floci}\n";

    #[test]
    fn of_two_that_give_the_same_variable_one_is_selected() {
        let both = format!("{MINIO}  aws: {{image: floci/floci}}\n");
        let detection = tree(&[("compose.yml", both.as_str())]).detect_by_catalog();
        assert_eq!((found(&detection), selected(&detection)), (vec!["floci", "garage"], vec!["floci"]));
        let garage = detection.findings.iter().find(|finding| finding.name == "garage").unwrap();
        let note = &garage.evidence[0].note;
        assert_eq!(note, "minio/minio runs garage; covered by floci, which gives AWS_ACCESS_KEY_ID as well");
        assert!(garage.confidence < 0.7, "{}", garage.confidence);
    }

    #[test]
    fn the_one_with_more_evidence_is_taken() {
        let both = format!("{MINIO}  aws: {{image: floci/floci}}\n");
        let client = ("package.json", r#"{"dependencies": {"minio": "8"}}"#);
        let more = [("compose.yml", both.as_str()), client];
        assert_eq!(selected(&tree(&more).detect_by_catalog()), ["garage"]);
        // What is started stands before what has a client only.
        assert_eq!(selected(&tree(&[("compose.yml", FLOCI), client]).detect_by_catalog()), ["floci"]);
        // Another variable is another need.
        let others = [("compose.yml", FLOCI), ("package.json", r#"{"dependencies": {"pg": "8"}}"#)];
        let detection = tree(&others).detect_by_catalog();
        assert!(selected(&detection).contains(&"floci"), "{detection:?}");
    }

    #[test]
    fn of_the_same_kind_the_catalog_ranks_them() {
        let started = "services:\n  a: {image: valkey/valkey}\n  b: {image: redis}\n";
        assert_eq!(selected(&tree(&[("compose.yml", started)]).detect_by_catalog()), ["redis"]);
    }
}
