//! Where the files lie that a spec or a saved plan names: they count from the folder of the file
//! that names them, whatever folder the command runs in.

use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::check::CheckedPlan;
use crate::model::Connect;

/// The folder in which a file lies; of stdin, the one that the command runs in.
pub(super) fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A plan that was read from a file, with its paths as this process can open them.
pub(super) fn opened(checked: CheckedPlan, file: &Path) -> CheckedPlan {
    let dir = file.parent().unwrap_or(Path::new(""));
    let spec = checked.plan().spec.as_ref().map(|spec| dir.join(spec));
    with_files(checked, |path| dir.join(path)).made_from(spec)
}

/// A file as it is typed in the folder that the command runs in.
pub(super) fn typed(file: &Path) -> PathBuf {
    if file.is_absolute() {
        file.to_owned()
    } else {
        relative(&real(Path::new(".")), &real_file(file))
    }
}

/// A plan that was made from the spec in `spec`, with its paths as a plan file in that folder names
/// them: what the spec names by a relative path counts from there, what it names by an absolute one
/// stays. Without a folder, as on stdout, every path is absolute but that of the spec itself.
pub(super) fn saved(checked: CheckedPlan, spec: &Path, dir: Option<&Path>) -> CheckedPlan {
    let from = spec.parent().unwrap_or(Path::new(""));
    // That path only names a command. On stdout it is as it was typed, so that equal specs have equal
    // plans wherever they lie.
    let made_from = match dir.filter(|_| spec.is_relative()) {
        Some(dir) => relative(&real(dir), &real_file(spec)),
        None => spec.to_owned(),
    };
    let checked = checked.made_from((spec != Path::new("-")).then_some(made_from));
    with_files(checked, |path| {
        let is_relative = path.strip_prefix(from).is_ok_and(Path::is_relative);
        match dir {
            Some(dir) if is_relative => relative(&real(dir), &real_file(path)),
            Some(_) => path.to_owned(),
            None => real_file(path),
        }
    })
}

fn with_files(checked: CheckedPlan, map: impl Fn(&Path) -> PathBuf) -> CheckedPlan {
    let mut connect: Connect = checked.plan().connect.clone();
    for path in connect.files_mut() {
        *path = map(path);
    }
    let reach = checked.plan().reach.clone();
    checked.reached_by(&connect, &reach)
}

/// The real path of a file that need not exist; a link in the place of the file itself is kept, for
/// what it leads to may change.
fn real_file(path: &Path) -> PathBuf {
    match path.file_name() {
        Some(name) => real(folder_of(path)).join(name),
        None => real(path),
    }
}

/// The absolute path of a folder, as far as it exists without links.
fn real(path: &Path) -> PathBuf {
    let mut real = PathBuf::new();
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    for part in absolute.components() {
        match part {
            // What is there so far has no links, so that this is the folder above.
            Component::ParentDir => {
                real.pop();
            }
            Component::CurDir => {}
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => {
                real.push(part);
                real = fs::canonicalize(&real).unwrap_or(real);
            }
        }
    }
    real
}

/// The way from one real folder to a file.
fn relative(from: &Path, to: &Path) -> PathBuf {
    let common = from.components().zip(to.components()).take_while(|(one, other)| one == other);
    let common = common.count();
    let up = from.components().skip(common).map(|_| Component::ParentDir);
    up.chain(to.components().skip(common)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_leads_up_and_down_again() {
        let way = |from: &str, to: &str| relative(Path::new(from), Path::new(to));
        assert_eq!(way("/a/out", "/a/secrets/pw"), Path::new("../secrets/pw"));
        assert_eq!(way("/a", "/a/pw"), Path::new("pw"));
        assert_eq!(way("/a/b/c", "/d/pw"), Path::new("../../../d/pw"));
    }

    #[test]
    fn links_do_not_lead_astray() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir_all(at("deep/specs")).unwrap();
        std::os::unix::fs::symlink(at("deep/specs"), at("specs")).unwrap();
        let here = real(dir.path());
        // Above a linked folder is the folder above what it leads to.
        assert_eq!(real_file(&at("specs/../pw")), here.join("deep/pw"));
        // Kubernetes swaps what such a link leads to.
        std::os::unix::fs::symlink(at("deep"), at("deep/specs/pw")).unwrap();
        assert_eq!(real_file(&at("specs/pw")), here.join("deep/specs/pw"));
    }
}
