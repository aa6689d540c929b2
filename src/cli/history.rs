//! `zkplan history`: the runs of an ensemble, or one in full.

use serde_json::{Value, json};

use super::args::{HistoryArgs, TextOrJson};
use super::exit::Exit;
use super::journal::sessions_at;
use super::live::{self, nobody_answers};
use super::output::Output;
use super::secret;
use super::source::Source;
use crate::apply::archive::{latest_runs, read_run};
use crate::apply::journal::Run;
use crate::ensemble::{Failure, Session};
use crate::render::{history, words_for_shell};
use crate::saved;

/// So many of the latest runs are listed.
const LISTED: usize = 100;

pub(super) fn run(args: &HistoryArgs, output: &Output) -> Exit {
    let source = match Source::read(&args.file, output) {
        Ok(source) => source,
        Err(exit) => return exit,
    };
    match live::block_on(output, runs(args, &source, output)) {
        Ok(Ok(runs)) => show(args, &runs, output),
        Ok(Err(exit)) | Err(exit) => exit,
    }
}

fn show(args: &HistoryArgs, runs: &[Run], output: &Output) -> Exit {
    if let (Some(number), []) = (args.run, runs) {
        output.error(
            &format!("there is no run {number}"),
            &format!(
                "zkplan history {} lists the runs",
                words_for_shell(&args.file.display().to_string())
            ),
        );
        return Exit::Error;
    }
    match (args.format, args.run, runs) {
        (TextOrJson::Json, _, _) => {
            let document: Vec<Value> = runs.iter().map(document).collect();
            output.raw(&(saved::canonical(&Value::Array(document), true) + "\n"), Exit::Done)
        }
        (TextOrJson::Text, Some(_), [run, ..]) => {
            output.screen(&history::run(run, output.width), Exit::Done)
        }
        (TextOrJson::Text, _, runs) => {
            output.screen(&history::runs(runs, output.width), Exit::Done)
        }
    }
}

fn document(run: &Run) -> Value {
    json!({
        "run": run.number,
        "open": run.is_open(),
        "header": run.header,
        "records": run.records,
    })
}

async fn runs(args: &HistoryArgs, source: &Source, output: &Output) -> Result<Vec<Run>, Exit> {
    let spec = &source.spec();
    let port = live::servers(spec.connect.tls.as_ref(), output)?;
    let seen = live::look(&port, spec, output).await?;
    let servers = sessions_at(&seen, spec);
    let session = secret::open_as_nobody(&port, &servers, &spec.connect).await;
    let session = session.map_err(|_| nobody_answers(&source.plans(&args.file), output))?;
    let read = async {
        match args.run {
            Some(number) => {
                Ok::<_, Failure>(read_run(&session, number).await?.into_iter().collect())
            }
            None => latest_runs(&session, LISTED).await,
        }
    };
    let read = read.await;
    session.close().await;
    read.map_err(|_| {
        output.error("the journal cannot be read: the connection was lost", "try again");
        Exit::Unreachable
    })
}
