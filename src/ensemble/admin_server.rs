//! Questions to an `AdminServer`, over HTTP.

use tokio::task::spawn_blocking;

use super::NoAnswer;
use super::pace::Limits;

/// The answer to one command.
pub(super) async fn ask(
    base: &str,
    command: &str,
    limits: Limits,
) -> Result<serde_json::Value, NoAnswer> {
    let url = format!("{}/commands/{command}", base.trim_end_matches('/'));
    // Joining fails only where the blocking task panicked.
    spawn_blocking(move || get(&url, limits)).await.unwrap_or(Err(NoAnswer::Unreadable))
}

/// One HTTP request: no redirect is followed, no proxy is used.
fn get(url: &str, limits: Limits) -> Result<serde_json::Value, NoAnswer> {
    let agent = ureq::Agent::config_builder()
        .timeout_connect(Some(limits.connect))
        .timeout_global(Some(limits.connect + limits.answer))
        .max_redirects(0)
        .proxy(None)
        .build()
        .new_agent();
    let response = agent.get(url).call().map_err(|cause| why(&cause))?;
    let body = response.into_body().into_with_config().limit(u64::from(limits.answer_bytes));
    let body = body.read_to_vec().map_err(|cause| why(&cause))?;
    serde_json::from_slice(&body).map_err(|_| NoAnswer::Unreadable)
}

fn why(cause: &ureq::Error) -> NoAnswer {
    match cause {
        ureq::Error::HostNotFound | ureq::Error::Timeout(ureq::Timeout::Resolve) => {
            NoAnswer::Unresolved
        }
        ureq::Error::Timeout(ureq::Timeout::Connect) => NoAnswer::ConnectTimedOut,
        ureq::Error::Timeout(_) => NoAnswer::AnswerTimedOut,
        ureq::Error::ConnectionFailed => NoAnswer::NoRoute,
        ureq::Error::Io(cause) => match cause.kind() {
            std::io::ErrorKind::ConnectionRefused => NoAnswer::Refused,
            std::io::ErrorKind::TimedOut => NoAnswer::ConnectTimedOut,
            std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::UnexpectedEof => {
                NoAnswer::Closed
            }
            _ => NoAnswer::NoRoute,
        },
        _ => NoAnswer::Unreadable,
    }
}
