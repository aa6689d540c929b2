//! `zkplan recover`: what surviving data directories mean, and a new ensemble that begins with one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};

use super::data_directory::{VERSION, small, unreadable};
use super::error::CommandError;
use super::exit::Exit;
use super::formats::TextOrJson;
use super::output::Output;
use super::recover_args::{DataArg, RecoverArgs};
use super::recover_files::{Begun, lay_down, may_write};
use super::server_files::Directory;
use super::{import, joiner, live, local, specs};
use crate::document::Document as _;
use crate::joiner::{FileWishes, JoinerFiles};
use crate::model::{EnsembleConfig, Membership, ServerId, latin_1, properties};
use crate::recovery::{
    Assessment, ConfigSource, CopiedFile, FirstVoter, KnownConfig, RecoveryPlan, RecoveryRefusal,
    Standing, Survivor,
};
use crate::render::recovery::{RecoveryScreen, screen};
use crate::render::{words_for_servers, words_for_shell};
use crate::report::error::CommandFailure;
use crate::report::recovery::RecoverDocument;
use crate::spec::{self, Spec, WantedServer};

/// Where an answer suggests to write to.
const FOLDER: &str = "recovered/";

pub(super) fn run(args: &RecoverArgs, output: &Output) -> Result<Exit, CommandError> {
    let old = specs::parse(&args.spec, &specs::read_text(&args.spec)?)?;
    let model = args.zoo_cfg.as_deref().map(Model::read).transpose()?;
    let directories = directories(args)?;
    let survivors = survivors(args, &directories)?;
    let given = model.iter().filter_map(|model| model.config.clone()).collect();
    let assessment = Assessment::of(survivors, given, &old.membership(), args.take);
    are_members(&assessment, &old)?;
    let found = Found { args, old: &old, model: model.as_ref(), assessment: &assessment };
    match (&assessment.refusal, &assessment.standing) {
        (Some(refusal), _) => {
            let next = found.next_of(refusal, &directories);
            Ok(found.show((None, false), &next, exit_of(refusal), output))
        }
        (None, Standing::Lost { chosen: Some(chosen), .. }) => {
            found.recover((*chosen, &directories), output)
        }
        (None, _) => {
            let next = format!("zkplan status {}", word(&args.spec));
            Ok(found.show((None, false), &next, Exit::Done, output))
        }
    }
}

const fn exit_of(refusal: &RecoveryRefusal) -> Exit {
    match refusal {
        RecoveryRefusal::NothingUsable | RecoveryRefusal::TakenDamaged(_) => Exit::Data,
        RecoveryRefusal::Running(_)
        | RecoveryRefusal::TwoEnsembles(_)
        | RecoveryRefusal::HighestDamaged { .. }
        | RecoveryRefusal::TakenIsLower { .. } => Exit::Unsafe,
    }
}

fn word(path: &Path) -> String {
    words_for_shell(&path.display().to_string())
}

fn usage(what: String, hint: &str) -> CommandError {
    CommandError::new(CommandFailure::Usage, what).hint(hint)
}

/// The directories, by server: each once.
fn directories(args: &RecoverArgs) -> Result<BTreeMap<ServerId, Directory>, CommandError> {
    let mut all = BTreeMap::new();
    let mut places = BTreeSet::new();
    for DataArg { id, data, logs, typed: _ } in &args.data {
        let place = fs::canonicalize(data).map_err(|error| unreadable(data, &error))?;
        if !places.insert(place) {
            let what = format!("{} is given for two servers", data.display());
            return Err(usage(what, "give the directory of each server"));
        }
        if all.insert(*id, Directory::of(data, logs.as_deref())).is_some() {
            return Err(usage(
                format!("--data gives two directories for server {id}"),
                "give one; a dataLogDir stands behind it: --data ID=DIR:LOGDIR",
            ));
        }
    }
    if let Some(id) = args.take.filter(|id| !all.contains_key(id)) {
        let what = format!("--take {id} has no directory");
        return Err(usage(what, "give it: --data ID=DIR"));
    }
    Ok(all)
}

fn survivors(
    args: &RecoverArgs,
    directories: &BTreeMap<ServerId, Directory>,
) -> Result<Vec<Survivor>, CommandError> {
    let mut all = Vec::new();
    for arg in &args.data {
        let directory = &directories[&arg.id];
        let my_id = my_id(&arg.data)?;
        if let Some(other) = my_id.filter(|other| *other != arg.id) {
            let what =
                format!("{} has myid {other}, and --data says {}", arg.data.display(), arg.id);
            return Err(usage(what, "give each directory with the id of its server"));
        }
        let listing = directory.listing()?;
        all.push(Survivor::read((arg.id, my_id), directory.paths(), &listing, directory));
    }
    Ok(all)
}

/// The id in `myid`, beside `version-2`.
fn my_id(data: &Path) -> Result<Option<ServerId>, CommandError> {
    let is_inside = data.file_name().is_some_and(|name| name == VERSION);
    let path = if is_inside { data.with_file_name("myid") } else { data.join("myid") };
    let text = small(&path).map_err(|error| unreadable(&path, &error))?;
    Ok(text.and_then(|text| text.trim().parse().ok()).map(ServerId::new))
}

/// Files of a server that no configuration knows may be those of another ensemble.
fn are_members(assessment: &Assessment, old: &Spec) -> Result<(), CommandError> {
    let members = &assessment.config.members;
    let strangers = assessment.survivors.iter().map(|survivor| survivor.id);
    let strangers = strangers.filter(|id| !members.contains(*id) && !old.servers.contains_key(id));
    let strangers: Vec<ServerId> = strangers.collect();
    if strangers.is_empty() {
        return Ok(());
    }
    let is = if strangers.len() == 1 { "is no member" } else { "are no members" };
    let what = format!("{} {is} of {}", words_for_servers(&strangers), old.ensemble);
    Err(usage(what, "check the ids and the paths: those may be the files of another ensemble"))
}

/// A `zoo.cfg` of an old server.
struct Model {
    name: String,
    text: String,
    config: Option<KnownConfig>,
}

impl Model {
    fn read(path: &Path) -> Result<Self, CommandError> {
        let name = path.display().to_string();
        let bytes = specs::read_bytes(path)?;
        let text = latin_1(&bytes);
        let invalid = |error: &dyn std::fmt::Display| {
            CommandError::new(CommandFailure::ConfigInvalid, format!("{name}: {error}"))
        };
        let all = properties(&text).map_err(|error| invalid(&error))?;
        let dynamic = crate::import::dynamic_file_name(&bytes);
        let (version, members) = if let Some(dynamic) = dynamic {
            let path = import::dynamic_file(path, &dynamic, true);
            let text = latin_1(&specs::read_bytes(&path)?);
            let named = path.display().to_string();
            match EnsembleConfig::parse_file(&named, &text) {
                Ok(config) => (Some(config.version), Some(config.membership)),
                Err(_) => (None, Some(Membership::parse(&text).map_err(|error| invalid(&error))?)),
            }
        } else {
            let of_members = |key: &str| {
                ["server.", "group.", "weight."].iter().any(|kind| key.starts_with(kind))
            };
            let lines = all.iter().filter(|property| of_members(property.key.trim()));
            let lines = lines.map(|line| format!("{}={}\n", line.key.trim(), line.value));
            (None, Membership::parse(&lines.collect::<Vec<_>>().concat()).ok())
        };
        let source = ConfigSource::ZooCfg(name.clone());
        let config = members.map(|members| KnownConfig { source, version, members });
        Ok(Self { name, text, config })
    }
}

/// What was found.
#[derive(Clone, Copy)]
struct Found<'a> {
    args: &'a RecoverArgs,
    old: &'a Spec,
    model: Option<&'a Model>,
    assessment: &'a Assessment,
}

impl Found<'_> {
    fn show(
        &self,
        (plan, is_written): (Option<&RecoveryPlan>, bool),
        next: &str,
        exit: Exit,
        output: &Output,
    ) -> Exit {
        let of = self.screen((plan, is_written), next, output.width);
        match self.args.format {
            TextOrJson::Text => output.screen(&screen(&of), exit),
            TextOrJson::Json => output.raw(&RecoverDocument::of(&of, exit.code()).to_text(), exit),
        }
    }

    fn screen<'a>(
        &'a self,
        (plan, is_written): (Option<&'a RecoveryPlan>, bool),
        next: &'a str,
        width: usize,
    ) -> RecoveryScreen<'a> {
        let (ensemble, assessment) = (&*self.old.ensemble, self.assessment);
        RecoveryScreen { ensemble, assessment, plan, is_written, next, width }
    }

    /// Shows what would be written, and writes it where that is wished and approved.
    fn recover(
        &self,
        (chosen, directories): (ServerId, &BTreeMap<ServerId, Directory>),
        output: &Output,
    ) -> Result<Exit, CommandError> {
        let survivor = self.assessment.survivor(chosen).expect("it is chosen among them");
        let (plan, new) = self.plan(survivor)?;
        let Some(out) = &self.args.out else {
            let next = format!("{} -o {FOLDER}", self.typed(true));
            return Ok(self.show((Some(&plan), false), &next, Exit::Differences, output));
        };
        let begun = Begun { plan: &plan, spec: &new, from: &directories[&chosen], survivor };
        may_write(out, directories.values())?;
        let next = self.typed(true) + " -o " + &word(out);
        let shown = screen(&self.screen((Some(&plan), false), &next, output.width));
        match self.args.format {
            TextOrJson::Text => drop(output.screen(&shown, Exit::Done)),
            TextOrJson::Json => output.aside(&shown),
        }
        self.approve(&next, output)?;
        lay_down(out, &begun)?;
        let next = format!("zkplan status {}", word(&out.join(&plan.spec)));
        Ok(self.show((Some(&plan), true), &next, Exit::Done, output))
    }

    fn approve(&self, again: &str, output: &Output) -> Result<(), CommandError> {
        if self.args.auto_approve {
            return Ok(());
        }
        if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
            let what = "approval is required, and there is no terminal. Nothing was written";
            let hint = format!("on a terminal: {again}; without one, add --auto-approve");
            return Err(CommandError::new(CommandFailure::ApprovalMissing, what).hint(hint));
        }
        let question = "Have all ways back been tried? Type \"yes\" to write the files of a new \
                        ensemble. Anything else cancels:";
        if live::block_on(local::answer(question, output.width))? == "yes" {
            return Ok(());
        }
        let what = "cancelled; nothing was written";
        let hint = "run the same command to be asked again";
        Err(CommandError::new(CommandFailure::ApprovalRefused, what).hint(hint))
    }

    /// What is written, and the spec of the new ensemble.
    fn plan(&self, survivor: &Survivor) -> Result<(RecoveryPlan, Spec), CommandError> {
        let args = self.args;
        let spec_members = self.old.membership();
        let of_data = self
            .assessment
            .survivors
            .iter()
            .filter_map(|survivor| survivor.config.as_ref().map(|config| &config.membership));
        let of_file =
            self.model.and_then(|model| model.config.as_ref()).map(|known| &known.members);
        let former: Vec<&Membership> = [&self.assessment.config.members, &spec_members]
            .into_iter()
            .chain(of_data)
            .chain(of_file)
            .collect();
        let voter = FirstVoter::of(self.assessment, survivor, &former, args.server.clone());
        let voter = voter.map_err(|error| {
            usage(error.to_string(), "give the line: --server server.ID=HOST:PORT:PORT;CLIENTPORT")
        })?;
        let new = self.new_spec(&voter, survivor.id)?;
        let target = new.to_target();
        let token = args.token.as_deref().map(|path| joiner::token(path, &target)).transpose()?;
        let wishes = FileWishes {
            model: self.model.map(|model| (&*model.name, &*model.text)),
            token: token.as_deref(),
            conf_dir: args.conf_dir.as_deref(),
            data_dir: args.data_dir.as_deref(),
        };
        let files = JoinerFiles::of_first_voter(&target, &voter.server, wishes);
        let model = args.zoo_cfg.as_deref();
        let files = files.map_err(|error| joiner::not_made(model, &error))?;
        let copied = survivor.parts.iter().map(|part| {
            let (name, bytes) = (part.file.name.clone(), part.length());
            CopiedFile { name, bytes }
        });
        let (copied, folder) = (copied.collect(), args.out.as_ref());
        let folder = folder.map(|folder| folder.display().to_string());
        let spec = format!("{}.yaml", self.old.ensemble);
        Ok((RecoveryPlan { voter, files, copied, folder, spec }, new))
    }

    /// The spec of the new ensemble: what the old one says, with the new server alone.
    fn new_spec(&self, voter: &FirstVoter, from: ServerId) -> Result<Spec, CommandError> {
        let mut new = self.old.clone();
        let server = voter.server.clone();
        let same_host = |old: &&WantedServer| old.server.peer().host == server.peer().host;
        let old = self.old.servers.get(&from).filter(same_host);
        let wanted = WantedServer {
            secure_client_port: old.and_then(|old| old.secure_client_port),
            zone: old.and_then(|old| old.zone.clone()),
            admin: old.and_then(|old| old.admin.clone()),
            line: 0,
            server,
        };
        let tls = new.connect.tls.is_some();
        new.connect.servers = wanted.endpoint(tls).iter().map(ToString::to_string).collect();
        for path in new.connect.files_mut() {
            if let Ok(whole) = std::path::absolute(&*path) {
                *path = whole;
            }
        }
        new.servers = BTreeMap::from([(voter.server.id, wanted)]);
        (new.leaving_zones, new.accept) = (BTreeMap::new(), Vec::new());
        // What is written is taken again.
        let text = spec::write(&new, &[]);
        spec::parse("the spec of the new ensemble", &text).map_err(|errors| {
            let hint = "give another line: --server server.ID=HOST:PORT:PORT;CLIENTPORT";
            usage(errors.to_string(), hint)
        })
    }

    /// The command as it was typed, without where to write to; `with_take` says whether the choice of a
    /// directory stays.
    fn typed(&self, with_take: bool) -> String {
        let args = self.args;
        let mut words = vec![format!("zkplan recover {}", word(&args.spec))];
        words.extend(args.data.iter().map(|arg| format!("--data {}", words_for_shell(&arg.typed))));
        let path = |flag: &str, path: &Option<PathBuf>| {
            path.as_ref().map(|path| format!("{flag} {}", word(path)))
        };
        let text = |flag: &str, text: &Option<String>| {
            text.as_ref().map(|text| format!("{flag} {}", words_for_shell(text)))
        };
        words.extend(path("--zoo-cfg", &args.zoo_cfg));
        words.extend(args.take.filter(|_| with_take).map(|id| format!("--take {id}")));
        let server = args.server.as_ref().map(ToString::to_string);
        words.extend(text("--server", &server));
        words.extend(path("--token", &args.token));
        words.extend(text("--conf-dir", &args.conf_dir));
        words.extend(text("--data-dir", &args.data_dir));
        words.join(" ")
    }

    /// The command that comes next where nothing can be written.
    fn next_of(
        &self,
        refusal: &RecoveryRefusal,
        directories: &BTreeMap<ServerId, Directory>,
    ) -> String {
        let verify = |id: &ServerId| format!("zkplan snapshot verify {}", directories[id].typed());
        match refusal {
            RecoveryRefusal::Running(_) => self.typed(true),
            RecoveryRefusal::TwoEnsembles([_, id]) => {
                format!("zkplan snapshot inspect {}", directories[id].typed())
            }
            RecoveryRefusal::NothingUsable => {
                directories.keys().next().map(verify).unwrap_or_default()
            }
            RecoveryRefusal::HighestDamaged { damaged: id, .. }
            | RecoveryRefusal::TakenDamaged(id) => verify(id),
            RecoveryRefusal::TakenIsLower { .. } => self.typed(false),
        }
    }
}
