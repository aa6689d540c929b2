//! Every journal that some schedule writes, each with a number.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

use zkplan::apply::journal::{Entry, Header, Record, Run, Runs as Read, Stamp};
use zkplan::plan::StepId;

use crate::quick::QuickMap;

/// The content of the ensemble below `/zkplan/runs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Journal(u32);

/// An entry of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct EntryId(u32);

/// Journals and entries by number; equal ones have one.
#[derive(Debug)]
pub(crate) struct Journals {
    tables: Mutex<Tables>,
}

/// The runs, each with its entries; the first is run 1.
type Runs = Vec<Vec<EntryId>>;

#[derive(Debug, Default)]
struct Tables {
    journals: Pool<Runs>,
    entries: Pool<Entry>,
    longer: QuickMap<(Journal, u64, EntryId), Journal>,
}

#[derive(Debug)]
struct Pool<T> {
    known: Vec<T>,
    numbers: HashMap<T, u32>,
}

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self { known: Vec::new(), numbers: HashMap::new() }
    }
}

impl<T: Clone + Eq + Hash> Pool<T> {
    fn number(&mut self, wanted: &T) -> u32 {
        if let Some(number) = self.numbers.get(wanted) {
            return *number;
        }
        let number = u32::try_from(self.known.len()).expect("few of them");
        self.known.push(wanted.clone());
        self.numbers.insert(wanted.clone(), number);
        number
    }

    fn get(&self, number: u32) -> &T {
        &self.known[number as usize]
    }
}

impl Journals {
    pub(crate) fn new() -> Self {
        Self { tables: Mutex::default() }
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The journal of an ensemble that no apply has seen.
    pub(crate) fn empty(&self) -> Journal {
        Journal(self.tables().journals.number(&Runs::new()))
    }

    /// The number of an entry.
    pub(crate) fn entry(&self, entry: &Entry) -> EntryId {
        EntryId(self.tables().entries.number(entry))
    }

    /// The content of an entry.
    pub(crate) fn said(&self, entry: EntryId) -> Entry {
        self.tables().entries.get(entry.0).clone()
    }

    /// The journal with that run; it may be there already.
    pub(crate) fn opened(&self, journal: Journal, run: u64) -> Journal {
        let mut tables = self.tables();
        let mut runs = tables.journals.get(journal.0).clone();
        let wanted = usize::try_from(run).expect("few runs");
        runs.resize(runs.len().max(wanted), Vec::new());
        Journal(tables.journals.number(&runs))
    }

    /// The journal with an entry more.
    pub(crate) fn longer(&self, journal: Journal, run: u64, entry: EntryId) -> Journal {
        let mut tables = self.tables();
        if let Some(known) = tables.longer.get(&(journal, run, entry)) {
            return *known;
        }
        let mut runs = tables.journals.get(journal.0).clone();
        runs[usize::try_from(run).expect("few runs") - 1].push(entry);
        let longer = Journal(tables.journals.number(&runs));
        tables.longer.insert((journal, run, entry), longer);
        longer
    }

    /// Whether some entry of the journal is like that.
    pub(crate) fn any(&self, journal: Journal, is_like: impl Fn(&Entry) -> bool) -> bool {
        let tables = self.tables();
        let mut entries = tables.journals.get(journal.0).iter().flatten();
        entries.any(|entry| is_like(tables.entries.get(entry.0)))
    }

    /// Whether that step has an entry that says that it committed.
    pub(crate) fn tells_committed(&self, journal: Journal, step: &StepId) -> bool {
        self.any(journal, |entry| matches!(entry, Entry::Committed { step: s, .. } if s == step))
    }

    /// Whether there is a run that is neither complete nor abandoned.
    pub(crate) fn is_open(&self, journal: Journal) -> bool {
        self.runs(journal, "").latest.iter().any(Run::is_open)
    }

    /// The runs as an executor reads them.
    pub(crate) fn runs(&self, journal: Journal, plan_id: &str) -> Read {
        let tables = self.tables();
        let stamp = || Stamp {
            nonce: String::new(),
            who: String::new(),
            host: String::new(),
            pid: 1,
            at: String::new(),
        };
        let runs = tables.journals.get(journal.0).iter().zip(1..);
        let runs = runs.map(|(entries, number)| {
            let records = entries.iter().map(|entry| {
                Record::new(tables.entries.get(entry.0).clone(), String::new(), String::new())
            });
            let records: Vec<Record> = records.collect();
            let (id, label) = (plan_id.to_owned(), "model".to_owned());
            let header = Header::new(id, label, 1, BTreeMap::new(), stamp());
            let last = records.len() as u64;
            Run { number, header: Ok(header), illegible: BTreeMap::new(), last, records }
        });
        let latest: Vec<Run> = runs.collect();
        let highest = latest.last().map_or(0, |run| run.number);
        Read { count: latest.len(), latest, highest, ..Read::default() }
    }
}
