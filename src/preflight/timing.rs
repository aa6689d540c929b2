//! Whether the ticks and limits of the servers fit together, and fit the data.

use super::check::Check;
use super::codes::CheckKind;
use super::evidence::{CheckRemedy, Evidence};
use super::given_files::GivenFile;
use super::limits::data_bytes;
use super::view::View;
use crate::ensemble::four_letter::{Conf, Mntr};
use crate::model::ServerId;
use crate::observe::ServerObservation;

/// How fast a server loads a snapshot, in bytes a millisecond: the slowest that was seen (35 MB/s,
/// 208 MB on two busy cores).
const LOADED_PER_MS: u64 = 35_000;

/// How fast it writes one (84 MB/s, on the same machine).
const WRITTEN_PER_MS: u64 = 84_000;

pub(super) fn checks(view: View<'_>) -> Vec<Check> {
    let of_servers = view.servers().flat_map(|observed| {
        if view.is_to_start(observed) && view.file(observed.id).is_none() {
            let of = |kind| {
                let remedy = CheckRemedy::StartJoiner;
                Check::unknown(kind, Some(observed.id), Evidence::NotRunning, remedy)
            };
            return [of(CheckKind::TickSync), of(CheckKind::InitLimit)];
        }
        [tick_sync(view, observed), init_limit(view, observed)]
    });
    of_servers.collect()
}

fn conf(view: View<'_>, id: ServerId) -> Option<&Conf> {
    view.answers(id)?.conf.as_ref()
}

/// The tick of a server and one of its limits, and whether the file that was given says so, and not
/// the server.
fn ticks(
    view: View<'_>,
    id: ServerId,
    of_conf: fn(&Conf) -> Option<u64>,
    of_file: fn(&GivenFile) -> Option<u64>,
) -> Option<(u64, u64, bool)> {
    let shown = conf(view, id).and_then(|conf| Some((conf.tick_ms?, of_conf(conf)?, false)));
    let by_file = || view.file(id).and_then(|file| Some((file.tick_ms()?, of_file(file)?, true)));
    shown.or_else(by_file)
}

/// A leader pings every half tick of its own, and a learner gives up after its own
/// `tickTime * syncLimit` (`Leader.lead`, `Learner.setSoTimeout`): at half a tick it flaps for ever,
/// below two ticks one late ping is enough.
fn tick_sync(view: View<'_>, observed: &ServerObservation) -> Check {
    const KIND: CheckKind = CheckKind::TickSync;
    let id = Some(observed.id);
    let own = ticks(view, observed.id, |conf| conf.sync_limit, GivenFile::sync_limit);
    let others = view.servers().filter(|other| other.id != observed.id);
    let ticks = others.filter_map(|other| {
        let shown = conf(view, other.id).and_then(|conf| conf.tick_ms).or(other.tick_ms);
        let by_file = || view.file(other.id).and_then(GivenFile::tick_ms);
        Some((shown.or_else(by_file)?, other.id))
    });
    let (Some((tick_ms, sync_limit, is_by_file)), Some((other_tick_ms, other))) =
        (own, ticks.max())
    else {
        return Check::unknown(KIND, id, Evidence::TicksUnknown, CheckRemedy::AllowConf);
    };
    let patience = tick_ms.saturating_mul(sync_limit);
    let evidence = Evidence::Ticks { tick_ms, sync_limit, other, other_tick_ms };
    let evidence = if is_by_file { evidence.by_file() } else { evidence };
    if patience.saturating_mul(2) <= other_tick_ms {
        Check::fail(KIND, id, evidence, CheckRemedy::RaiseSyncLimit)
    } else if patience <= other_tick_ms.saturating_mul(2) {
        Check::advise(KIND, id, evidence, CheckRemedy::RaiseSyncLimit)
    } else {
        Check::pass(KIND, id, evidence)
    }
}

/// A new leader loads its data and writes a snapshot before it serves, and a learner that gets a
/// snapshot does the same: `initLimit` has to last for that twice over, on every server.
fn init_limit(view: View<'_>, observed: &ServerObservation) -> Check {
    const KIND: CheckKind = CheckKind::InitLimit;
    let id = Some(observed.id);
    let given = ticks(view, observed.id, |conf| conf.init_limit, GivenFile::init_limit);
    let given = given.map(|(tick_ms, limit, by_file)| (tick_ms.saturating_mul(limit), by_file));
    let (Some((given_ms, is_by_file)), Some(data)) = (given, data_bytes(view)) else {
        return Check::unknown(KIND, id, Evidence::TicksUnknown, CheckRemedy::AllowConf);
    };
    let measured = |of: fn(&Mntr) -> Option<u64>| {
        let all = view.answers.servers.values().filter_map(|answers| answers.mntr.as_ref());
        all.filter_map(of).max().unwrap_or(0)
    };
    let (load, write) = (data / LOADED_PER_MS, data / WRITTEN_PER_MS);
    let seen_load = measured(|mntr| mntr.load_ms);
    let seen_write = measured(|mntr| mntr.snapshot_ms);
    let needed_ms = 2 * (load.max(seen_load) + write.max(seen_write));
    let measured = seen_load > load || seen_write > write;
    let evidence = Evidence::InitTime { given_ms, needed_ms, data, measured };
    let evidence = if is_by_file { evidence.by_file() } else { evidence };
    // With less than one load and write an election fails again and again.
    if given_ms < needed_ms / 2 {
        Check::fail(KIND, id, evidence, CheckRemedy::RaiseInitLimit)
    } else if given_ms < needed_ms {
        Check::advise(KIND, id, evidence, CheckRemedy::RaiseInitLimit)
    } else {
        Check::pass(KIND, id, evidence)
    }
}
