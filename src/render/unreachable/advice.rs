//! What the screens of an ensemble that was not found share.

use super::super::text::{Line, Style, Text};
use crate::model::{Auth, Connect, Endpoint};

/// What says how the ensemble is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// A spec.
    BySpec,
    /// A spec that names a user of SASL.
    BySpecWithSasl,
    /// Flags, where there is no spec yet.
    ByFlags,
}

impl Reached {
    /// By a spec that says this.
    pub const fn by(connect: &Connect) -> Self {
        match connect.auth {
            Some(Auth::Sasl { .. }) => Self::BySpecWithSasl,
            Some(Auth::Digest { .. } | Auth::X509) | None => Self::BySpec,
        }
    }
}

/// What to do, one point a line.
pub(super) fn todo(steps: &[&str], width: usize) -> Text {
    let mut text = Text::new();
    text.line(Line::new(Style::Bold, "What to do"));
    for step in steps {
        text.paragraph("  - ", *step, width);
    }
    text
}

/// An address as the screens show it.
pub(super) fn shown(endpoint: &Endpoint) -> String {
    format!("{endpoint}{}", if endpoint.tls { " (TLS)" } else { "" })
}
