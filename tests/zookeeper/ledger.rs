//! What an ensemble's own logs say about an apply: which requests were committed, and how often.

use crate::harness::{Ensemble, Logged, PATIENCE, wait_until};

/// Begun before an apply, read after it.
pub(crate) struct Ledger<'a> {
    ensemble: &'a Ensemble,
    /// The members when it was begun, and the version of that.
    members: Vec<String>,
    version: u64,
    epoch: u64,
}

impl<'a> Ledger<'a> {
    pub(crate) fn begin(ensemble: &'a Ensemble) -> Self {
        let config = ensemble.administrator().config();
        let epoch = ensemble.epoch();
        Self { ensemble, members: config.members, version: config.version, epoch }
    }

    /// Every reconfig since, with whether it changed anything.
    fn all(&self) -> Vec<(Logged, bool)> {
        let mut before = self.members.clone();
        let since = self.ensemble.reconfigs().into_iter().filter(|one| one.version > self.version);
        since
            .map(|logged| {
                let changes = logged.members != before;
                before.clone_from(&logged.members);
                (logged, changes)
            })
            .collect()
    }

    /// The reconfigs that changed the membership.
    pub(crate) fn steps(&self) -> Vec<Logged> {
        self.all().into_iter().filter(|(_, changes)| *changes).map(|(logged, _)| logged).collect()
    }

    /// How many changed nothing: fences, and requests that had been committed before.
    pub(crate) fn fences(&self) -> usize {
        self.all().iter().filter(|(_, changes)| !changes).count()
    }

    /// Panics if anything at all was sent and committed.
    pub(crate) fn is_untouched(&self) {
        assert_eq!(self.all(), [], "a reconfig was committed");
        let config = self.ensemble.administrator().config();
        assert_eq!((&config.members, config.version), (&self.members, self.version));
    }

    /// Panics if a server has another role or address than before, whatever was fenced.
    pub(crate) fn membership_is_unchanged(&self) {
        assert_eq!(self.steps(), [], "the membership was changed");
        assert_eq!(self.ensemble.administrator().config().members, self.members);
    }

    /// Panics unless the configuration changed as often as there are steps: a request that is lost
    /// and sent again, or committed twice, makes it more, a step left out makes it less.
    pub(crate) fn has_steps(&self, count: usize) {
        assert_eq!(self.steps().len(), count, "{:#?}", self.all());
    }

    /// How many times the lead went to another server since.
    pub(crate) fn hand_overs(&self) -> u64 {
        self.ensemble.epoch() - self.epoch
    }
}

/// Panics unless exactly these are members, each as participant at its own address, and no lock of
/// ours stays.
pub(crate) fn is_at(ensemble: &Ensemble, ids: &[u8]) {
    let config = ensemble.administrator().config();
    assert_eq!(config.ids(), ids, "{config:#?}");
    for id in ids {
        let ports =
            format!(":{}:{}:participant", ensemble.quorum_port(*id), ensemble.election_port(*id));
        assert!(config.line(*id).is_some_and(|line| line.contains(&ports)), "{config:#?}");
    }
    // Where nothing was left to do, the ghost of a killed apply may outlast its successor.
    wait_until("the lock to be gone", PATIENCE, || {
        ensemble.administrator().znode("/zkplan/lock").is_none().then_some(())
    });
}
