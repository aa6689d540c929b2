//! The page of every code that zkplan prints, and pages of topics.

/// Every code and topic with its page, in the order of a list. The page of a safety rule stands beside
/// the rule, that of the checks of an area beside the area.
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
    ("ZKQ15", include_str!("check/rules/restarts.md")),
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
    ("ZKF26", include_str!("explain/ZKF26.md")),
    ("ZKF27", include_str!("explain/ZKF27.md")),
    ("ZKF28", include_str!("explain/ZKF28.md")),
    ("ZKP1", include_str!("preflight/ports.md")),
    ("ZKP2", include_str!("preflight/ports.md")),
    ("ZKP3", include_str!("preflight/ports.md")),
    ("ZKP4", include_str!("preflight/ports.md")),
    ("ZKP5", include_str!("preflight/members.md")),
    ("ZKP6", include_str!("preflight/members.md")),
    ("ZKP7", include_str!("preflight/members.md")),
    ("ZKP8", include_str!("preflight/members.md")),
    ("ZKP9", include_str!("preflight/members.md")),
    ("ZKP10", include_str!("preflight/members.md")),
    ("ZKP11", include_str!("preflight/members.md")),
    ("ZKP12", include_str!("preflight/members.md")),
    ("ZKP13", include_str!("preflight/release.md")),
    ("ZKP14", include_str!("preflight/release.md")),
    ("ZKP15", include_str!("preflight/release.md")),
    ("ZKP16", include_str!("preflight/authority.md")),
    ("ZKP17", include_str!("preflight/authority.md")),
    ("ZKP18", include_str!("preflight/authority.md")),
    ("ZKP19", include_str!("preflight/authority.md")),
    ("ZKP20", include_str!("preflight/authority.md")),
    ("ZKP21", include_str!("preflight/limits.md")),
    ("ZKP22", include_str!("preflight/limits.md")),
    ("ZKP23", include_str!("preflight/limits.md")),
    ("ZKP24", include_str!("preflight/timing.md")),
    ("ZKP25", include_str!("preflight/timing.md")),
    ("ZKP26", include_str!("preflight/leaks.md")),
    ("ZKP27", include_str!("preflight/leaks.md")),
    ("ZKP28", include_str!("preflight/leaks.md")),
    ("ZKP29", include_str!("preflight/wanted.md")),
    ("words", include_str!("explain/words.md")),
    ("spec", include_str!("explain/spec.md")),
    ("recipes", include_str!("explain/recipes.md")),
    ("first-quorum", include_str!("explain/first-quorum.md")),
    ("joiner", include_str!("explain/joiner.md")),
    ("snapshots", include_str!("explain/snapshots.md")),
    ("archives", include_str!("explain/archives.md")),
    ("backup", include_str!("explain/backup.md")),
    ("recover", include_str!("explain/recover.md")),
    ("settings", include_str!("explain/settings.md")),
    ("packagings", include_str!("explain/packagings.md")),
    ("super-user", include_str!("explain/super-user.md")),
    ("auth", include_str!("explain/auth.md")),
    ("tls", include_str!("explain/tls.md")),
    ("preflight", include_str!("explain/preflight.md")),
    ("status", include_str!("explain/status.md")),
    ("drift", include_str!("explain/drift.md")),
    ("plan", include_str!("explain/plan.md")),
    ("predictions", include_str!("explain/predictions.md")),
    ("probe", include_str!("explain/probe.md")),
    ("rehearse", include_str!("explain/rehearse.md")),
    ("apply", include_str!("explain/apply.md")),
    ("journal", include_str!("explain/journal.md")),
    ("approval", include_str!("explain/approval.md")),
    ("signatures", include_str!("explain/signatures.md")),
    ("clients", include_str!("explain/clients.md")),
    ("gate", include_str!("explain/gate.md")),
    ("rollback", include_str!("explain/rollback.md")),
    ("stale", include_str!("explain/stale.md")),
    ("fleets", include_str!("explain/fleets.md")),
    ("gitops", include_str!("explain/gitops.md")),
    ("docker", include_str!("explain/docker.md")),
    ("versions", include_str!("explain/versions.md")),
    ("limits", include_str!("explain/limits.md")),
    ("exit-codes", include_str!("explain/exit-codes.md")),
    ("errors", include_str!("explain/errors.md")),
    ("documents", include_str!("explain/documents.md")),
];

/// Rows of a migration, as `status` names them: M1 to this one.
const LAST_ROW: u8 = 15;

/// The page of a code, of codes as [`titles`] writes them, of a row of a migration, or of a topic;
/// without regard to case.
pub fn page(code: &str) -> Option<&'static str> {
    let row = code.strip_prefix(['M', 'm']).and_then(|row| row.parse::<u8>().ok());
    let code = if row.is_some_and(|row| (1..=LAST_ROW).contains(&row)) { "status" } else { code };
    let first = code.split_once('-').filter(|(_, last)| PAGES.iter().any(|(of, _)| of == last));
    let code = first.map_or(code, |(first, _)| first);
    PAGES.iter().find(|(known, _)| known.eq_ignore_ascii_case(code)).map(|(_, page)| *page)
}

/// What a code or topic is, in a few words: the first line of its page without the code.
pub fn title(code: &str) -> Option<&'static str> {
    page(code).map(title_of)
}

/// What zkplan means by one of its own words: its entry on the page `words`.
pub fn word(word: &str) -> Option<String> {
    let wanted = word.to_ascii_lowercase();
    let is_it = |names: &str| {
        names.split(", ").any(|name| {
            let first = name.split(' ').next().unwrap_or(name);
            [name, first].iter().any(|known| *known == wanted || format!("{known}s") == wanted)
        })
    };
    let entries = page("words")?.split("\n- **").skip(1);
    let entry = entries.map(|entry| entry.split("\n\n").next().unwrap_or(entry));
    let entry = entry.filter(|entry| entry.split_once("**").is_some_and(|(names, _)| is_it(names)));
    let entry = entry.map(|entry| format!("- **{}", entry.trim_end())).next()?;
    Some(format!("# words: {wanted}\n\n{entry}\n\nAll words: zkplan explain words\n"))
}

/// The pages that may be meant where there is none of that name: those with a like name, and those
/// whose title has the word.
pub fn like(word: &str) -> Vec<&'static str> {
    let wanted = word.to_ascii_lowercase();
    let stem = wanted.strip_suffix('s').unwrap_or(&wanted);
    let has = |title: &str| {
        stem.len() > 2 && title.to_ascii_lowercase().split(' ').any(|part| part.starts_with(stem))
    };
    let is_like = |code: &str| {
        let code = code.to_ascii_lowercase();
        !code.starts_with("zk") && strsim::damerau_levenshtein(&code, &wanted) <= 2
    };
    let all = PAGES.iter().filter(|(code, page)| is_like(code) || has(title_of(page)));
    all.map(|(code, _)| *code).collect()
}

/// Every page with its title: the codes that share it as `ZKP1-ZKP4`, or its one code or topic.
pub fn titles() -> impl Iterator<Item = (String, &'static str)> {
    let same = |one: &(&str, &str), other: &(&str, &str)| one.1 == other.1;
    PAGES.chunk_by(same).filter_map(|codes| {
        let ((first, page), (last, _)) = (codes.first()?, codes.last()?);
        let codes = if first == last { (*first).to_owned() } else { format!("{first}-{last}") };
        Some((codes, title_of(page)))
    })
}

fn title_of(page: &'static str) -> &'static str {
    let title = page.lines().next().unwrap_or_default().trim_start_matches("# ");
    title.split_once(": ").map_or(title, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Law;
    use crate::preflight::CheckKind;

    #[test]
    fn every_law_has_a_page() {
        for law in Law::ALL {
            assert!(page(law.code()).is_some(), "{}", law.code());
        }
    }

    #[test]
    fn a_word_of_a_screen_is_found() {
        for name in
            ["joiner", "Joiners", "window", "fence", "lock", "identity", "zone", "tolerates"]
        {
            let found = word(name).expect(name);
            assert!(found.lines().nth(2).is_some_and(|line| line.starts_with("- **")), "{found}");
            assert_eq!(found.matches("- **").count(), 1, "{found}");
        }
        assert_eq!(word("nonsense"), None);
    }

    #[test]
    fn what_may_be_meant_is_found_by_name_and_by_title() {
        assert_eq!(like("aply"), ["apply"]);
        assert!(like("election").contains(&"ZKF7"));
        assert!(like("nonsense").is_empty() && like("").is_empty());
    }

    #[test]
    fn every_check_has_a_page_that_names_it() {
        for kind in CheckKind::ALL {
            let page = page(kind.code()).expect("a page");
            let line = format!("- {} {}", kind.code(), kind.name());
            assert!(page.contains(&line), "{line}");
        }
    }

    #[test]
    fn a_row_of_a_migration_is_on_the_page_of_status() {
        for row in ["M1", "m7", "M15"] {
            assert_eq!(page(row), page("status"), "{row}");
        }
        assert_eq!((page("M0"), page("M16"), page("M")), (None, None, None));
    }

    #[test]
    fn each_spec_of_a_recipe_is_there() {
        let page = page("recipes").expect("a page");
        let rows = page.lines().filter(|line| line.starts_with('|'));
        let named = rows.filter_map(|row| row.split('|').nth(2)).map(str::trim);
        let named: Vec<&str> = named.filter(|name| name.contains(".yaml")).collect();
        assert!(named.len() >= 9, "{named:?}");
        let plans = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("plans");
        for name in named {
            assert!(plans.join(name).is_file(), "{name}");
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
