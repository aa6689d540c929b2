//! `zkplan digest`: what servers are given instead of their super user's password.

use super::digest_args::DigestArgs;
use super::error::CommandError;
use super::exit::Exit;
use super::output::Output;
use super::{live, secret};
use crate::ensemble::digest_id_by;
use crate::render::super_digest::{self, SuperDigest};

pub(super) fn run(args: &DigestArgs, output: &Output) -> Result<Exit, CommandError> {
    let password = secret::chosen(&args.user, args.password_file.as_deref(), output);
    let password = live::block_on(password)??;
    let algorithm = args.algorithm.into();
    let id = digest_id_by(algorithm, &args.user, &password);
    // Beside what was asked for, which a script may take.
    output.aside(&super_digest::screen(&SuperDigest {
        id: &id,
        algorithm,
        is_ascii: password.is_ascii(),
        width: output.width,
    }));
    Ok(output.raw(&(id + "\n"), Exit::Done))
}
