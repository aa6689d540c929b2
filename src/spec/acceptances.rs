//! The risks that a spec accepts, each with its reason and its last day.

use super::place::Place;
use super::read::Reader;
use super::shown::quoted;
use super::tree::Node;
use crate::model::{AcceptedRisk, Day, acceptable_codes, risk_of};

/// The longest reason, in characters: it is shown on one line or two.
const LONGEST_REASON: usize = 300;

/// What an entry looks like.
const FORM: &str = r#"write { rule: ZKF1, reason: "until the upgrade", until: 2026-12-31 }"#;

impl Reader {
    /// Reads the list of accepted risks.
    pub(super) fn acceptances(&mut self, node: &Node) -> Vec<AcceptedRisk> {
        let items = self.list(node, "`accept`", "a list of accepted risks").unwrap_or_default();
        let mut read: Vec<(Place, AcceptedRisk)> = Vec::new();
        for item in items {
            let Some((place, risk)) = self.accepted(item) else { continue };
            let same = |(_, one): &&(Place, AcceptedRisk)| {
                (&one.code, &one.step) == (&risk.code, &risk.step)
            };
            if let Some((first, _)) = read.iter().find(same) {
                let first = *first;
                self.twice(place, &format!("rule `{}`", quoted(&risk.code)), first);
            } else {
                read.push((place, risk));
            }
        }
        read.into_iter().map(|(_, risk)| risk).collect()
    }

    fn accepted(&mut self, node: &Node) -> Option<(Place, AcceptedRisk)> {
        let of = "an accepted risk";
        let map = self.fields(node, of, &["rule", "reason", "until"])?;
        let rule = self.needed(&map, "rule", of, FORM).and_then(|node| self.rule(node));
        let reason = self.needed(&map, "reason", of, FORM).and_then(|node| self.reason(node));
        let until = self.needed(&map, "until", of, FORM).and_then(|node| self.day(node));
        let (code, step) = rule?;
        let risk = AcceptedRisk { code, step, reason: reason?, until: until? };
        Some((map.place_of("rule"), risk))
    }

    fn rule(&mut self, node: &Node) -> Option<(String, Option<String>)> {
        let text = self.text(node, "`rule`")?;
        match risk_of(text) {
            Ok(risk) => Some(risk),
            Err(why) => {
                let codes: Vec<&str> = acceptable_codes().collect();
                let remedy = format!("{why}. What can be accepted: {}", codes.join(", "));
                let what = format!("`rule` is `{}`", quoted(text));
                self.complain(node.place, what, "cannot be accepted", remedy);
                None
            }
        }
    }

    fn reason(&mut self, node: &Node) -> Option<String> {
        let text = self.text(node, "`reason`")?;
        if text.chars().count() > LONGEST_REASON {
            let remedy =
                format!("give at most {LONGEST_REASON} characters, and a link to the rest");
            self.complain(node.place, "`reason` is too long", "too long", remedy);
            return None;
        }
        Some(text.to_owned())
    }

    fn day(&mut self, node: &Node) -> Option<Day> {
        let text = self.text(node, "`until`")?;
        match text.parse() {
            Ok(day) => Some(day),
            Err(why) => {
                let remedy = "give the last day on which the risk is accepted, like 2026-12-31";
                self.complain(node.place, format!("`until` is `{}`", quoted(text)), why, remedy);
                None
            }
        }
    }
}
