//! The page of every code that zkplan prints, and pages of topics.

/// Every code and topic with its page, in the order of a list. The page of a safety rule stands beside
/// the rule.
const PAGES: &[(&str, &str)] = &[
    ("ZKQ1", include_str!("check/rules/live_quorum.md")),
    ("ZKQ2", include_str!("check/rules/next_quorum.md")),
    ("ZKQ3", include_str!("check/rules/spare.md")),
    ("ZKQ4", include_str!("check/rules/zones.md")),
    ("ZKQ5", include_str!("check/rules/joiners.md")),
    ("ZKQ6", include_str!("check/rules/leader_last.md")),
    ("ZKQ7", include_str!("check/rules/join_order.md")),
    ("ZKQ8", include_str!("check/rules/overlap.md")),
    ("ZKQ9", include_str!("check/rules/participants.md")),
    ("ZKQ10", include_str!("check/rules/addresses.md")),
    ("ZKQ11", include_str!("check/rules/identity.md")),
    ("ZKQ12", include_str!("check/rules/way_back.md")),
    ("ZKQ13", include_str!("check/rules/stop_last.md")),
    ("ZKQ14", include_str!("check/rules/shrink.md")),
    ("ZKU1", include_str!("check/rules/unsupported.md")),
    ("ZKU2", include_str!("check/rules/form.md")),
    ("ZKF1", include_str!("explain/ZKF1.md")),
    ("ZKF2", include_str!("explain/ZKF2.md")),
    ("ZKF3", include_str!("explain/ZKF3.md")),
    ("ZKF4", include_str!("explain/ZKF4.md")),
    ("ZKF5", include_str!("explain/ZKF5.md")),
    ("ZKF6", include_str!("explain/ZKF6.md")),
    ("ZKF7", include_str!("explain/ZKF7.md")),
    ("ZKF8", include_str!("explain/ZKF8.md")),
    ("ZKF9", include_str!("explain/ZKF9.md")),
    ("ZKF10", include_str!("explain/ZKF10.md")),
    ("ZKF11", include_str!("explain/ZKF11.md")),
    ("ZKF12", include_str!("explain/ZKF12.md")),
    ("ZKF13", include_str!("explain/ZKF13.md")),
    ("ZKF14", include_str!("explain/ZKF14.md")),
    ("ZKF15", include_str!("explain/ZKF15.md")),
    ("ZKF16", include_str!("explain/ZKF16.md")),
    ("ZKF17", include_str!("explain/ZKF17.md")),
    ("ZKF18", include_str!("explain/ZKF18.md")),
    ("ZKF19", include_str!("explain/ZKF19.md")),
    ("ZKF20", include_str!("explain/ZKF20.md")),
    ("ZKF21", include_str!("explain/ZKF21.md")),
    ("ZKF22", include_str!("explain/ZKF22.md")),
    ("ZKF23", include_str!("explain/ZKF23.md")),
    ("ZKF24", include_str!("explain/ZKF24.md")),
    ("ZKF25", include_str!("explain/ZKF25.md")),
    ("words", include_str!("explain/words.md")),
    ("spec", include_str!("explain/spec.md")),
    ("settings", include_str!("explain/settings.md")),
    ("super-user", include_str!("explain/super-user.md")),
    ("auth", include_str!("explain/auth.md")),
    ("tls", include_str!("explain/tls.md")),
    ("plan", include_str!("explain/plan.md")),
    ("probe", include_str!("explain/probe.md")),
    ("rehearse", include_str!("explain/rehearse.md")),
    ("apply", include_str!("explain/apply.md")),
    ("gate", include_str!("explain/gate.md")),
    ("stale", include_str!("explain/stale.md")),
    ("gitops", include_str!("explain/gitops.md")),
    ("docker", include_str!("explain/docker.md")),
    ("versions", include_str!("explain/versions.md")),
    ("limits", include_str!("explain/limits.md")),
    ("exit-codes", include_str!("explain/exit-codes.md")),
    ("errors", include_str!("explain/errors.md")),
    ("documents", include_str!("explain/documents.md")),
];

/// The page of a code or topic, without regard to case.
pub fn page(code: &str) -> Option<&'static str> {
    PAGES.iter().find(|(known, _)| known.eq_ignore_ascii_case(code)).map(|(_, page)| *page)
}

/// What a code or topic is, in a few words: the first line of its page without the code.
pub fn title(code: &str) -> Option<&'static str> {
    titles().find(|(known, _)| *known == code).map(|(_, title)| title)
}

/// Every code with the first line of its page.
pub fn titles() -> impl Iterator<Item = (&'static str, &'static str)> {
    PAGES.iter().map(|(code, page)| {
        let title = page.lines().next().unwrap_or_default().trim_start_matches("# ");
        (*code, title.split_once(": ").map_or(title, |(_, name)| name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Law;

    #[test]
    fn every_law_has_a_page() {
        for law in Law::ALL {
            assert!(page(law.code()).is_some(), "{}", law.code());
        }
    }

    #[test]
    fn pages_fit_a_terminal() {
        for (code, page) in PAGES {
            assert!(page.lines().count() <= 45, "{code} is long");
            assert!(page.lines().all(|line| line.len() <= 90 && line.is_ascii()), "{code}");
            assert!(page.starts_with("# "), "{code}");
        }
    }
}
