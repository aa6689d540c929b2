//! What zkplan does inside, line by line on stderr: `-v`, `-vv`, `--log-format`, `ZKPLAN_LOG`.
//!
//! Only zkplan's own lines are written: what the client library logs of a connection is not known to be
//! free of secrets. `tracing-subscriber` escapes control characters from 0.3.20 on, so that the name of a
//! server cannot take over a terminal.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use super::args::LogFormat;
use super::error::CommandError;
use crate::report::error::CommandFailure;

/// The level where no flag gives one: off, error, warn, info, debug or trace.
const VARIABLE: &str = "ZKPLAN_LOG";

/// Writes lines from now on, where a flag or `ZKPLAN_LOG` asks for them: from `debug` on with one `-v`
/// (what zkplan decides, each session and each reconfig), from `trace` on with two (each question and
/// its answer). A flag counts more than the variable.
///
/// # Errors
///
/// The variable is wrong.
pub(super) fn begin(verbose: u8, format: LogFormat) -> Result<(), CommandError> {
    let level = match verbose {
        0 => of_variable()?,
        1 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    if level == LevelFilter::OFF {
        return Ok(());
    }
    let lines = fmt::layer().with_writer(std::io::stderr).with_target(false).with_ansi(false);
    let lines = match format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).boxed(),
    };
    let own = Targets::new().with_target("zkplan", level);
    // It fails only where a subscriber is there already: another command line of this process.
    tracing_subscriber::registry().with(lines.with_filter(own)).try_init().ok();
    Ok(())
}

/// Whether lines are written.
pub(super) fn are_written() -> bool {
    LevelFilter::current() > LevelFilter::OFF
}

fn of_variable() -> Result<LevelFilter, CommandError> {
    let Ok(level) = std::env::var(VARIABLE) else { return Ok(LevelFilter::OFF) };
    if level.is_empty() {
        return Ok(LevelFilter::OFF);
    }
    level.parse().map_err(|_| {
        let what = format!("{VARIABLE} is {level:?}, which is no log level");
        CommandError::new(CommandFailure::Usage, what)
            .hint("levels are off, error, warn, info, debug and trace")
    })
}
