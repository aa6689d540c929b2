//! Keys in the forms in which people have them. zkplan reads PEM without a password; of every other
//! form it prints the command that writes such a file, and the command is run here as it is printed.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::harness::{Authority, Builder, Certificate};
use crate::tls::{by_files, wanting_by_tls};
use crate::zkplan::{Desk, Outcome};

/// The password of every store and key here. `keytool` wants six characters.
const PASSWORD: &str = "of-a-store";

/// How a certificate and its key come into another form, and the files that the spec then has.
const FORMS: [(&str, [&str; 2]); 4] = [
    (
        "openssl pkcs8 -topk8 -in client-key.pem -out encrypted.pem -passout pass:of-a-store",
        ["client.pem", "encrypted.pem"],
    ),
    (
        "openssl pkcs12 -export -in client.pem -inkey client-key.pem -out store.p12 \
         -passout pass:of-a-store",
        ["store.p12", "store.p12"],
    ),
    (
        "openssl pkcs12 -export -in client.pem -inkey client-key.pem -out in.p12 \
         -passout pass:of-a-store && keytool -importkeystore -srckeystore in.p12 -srcstoretype \
         PKCS12 -srcstorepass of-a-store -destkeystore java.jks -deststoretype JKS \
         -deststorepass of-a-store -noprompt",
        ["java.jks", "java.jks"],
    ),
    (
        "openssl x509 -in client.pem -outform DER -out client.der && \
         openssl pkey -in client-key.pem -outform DER -out key.der",
        ["client.der", "key.der"],
    ),
];

/// Runs a command as a person types it who is asked for a password again and again.
fn types(desk: &Desk, command: &str) {
    // Without a terminal of its own `openssl` asks on stdin.
    let mut process = Command::new("setsid");
    process.args(["--wait", "sh", "-c", command]).current_dir(desk.path("."));
    process.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = process.spawn().expect("setsid is there");
    let typed = format!("{PASSWORD}\n").repeat(5);
    let mut stdin = process.stdin.take().expect("a pipe");
    // A command that asks for none may have ended.
    drop(stdin.write_all(typed.as_bytes()));
    drop(stdin);
    let output = process.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{command}\n{}", String::from_utf8_lossy(&output.stderr));
}

/// The commands of a refusal, and the file that the last one writes. Where there is one for a
/// certificate and one for a key, that of the file in question.
fn advised(refusal: &Outcome, is_key: bool) -> (Vec<String>, String) {
    let help = refusal.stderr.split("help: ").nth(1).expect("help");
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let of_key = " for a certificate, ";
    let (certificate, rest) = help.split_once(of_key).unwrap_or((&help, &help));
    let last = if is_key { rest } else { certificate };
    let end = last.rfind(')').map_or(last.len(), |at| at + 1);
    let commands = &last[..end];
    let written = commands.rsplit("-out ").next().expect("a file").trim_end_matches(')');
    (commands.split("; then ").map(str::to_owned).collect(), written.to_owned())
}

#[test]
fn each_form_of_a_key_is_read_after_the_command_that_is_printed_for_it() {
    let authority = Authority::new();
    let ensemble = Builder::rich().tls(&authority).setting("ssl.clientAuth", "need").start();
    for (make, mut files) in FORMS.map(|(make, files)| (make, files.map(str::to_owned))) {
        let desk = Desk::new();
        let Certificate { certificate, key } = authority.client("operator");
        desk.write("ca.pem", authority.pem());
        desk.write("client.pem", &certificate);
        desk.write("client-key.pem", &key);
        types(&desk, make);
        let plan = |files: &[String; 2]| {
            let files = files.each_ref().map(String::as_str);
            desk.plan(&by_files(wanting_by_tls(&ensemble, 1..=3), files), &[])
        };
        for _ in 0..files.len() {
            let seen = plan(&files);
            if seen.has_exited(0) {
                break;
            }
            let refused = seen.exits(65);
            let wrong = files.iter().position(|file| refused.has_said(&[format!("{file} ")]));
            let wrong = wrong.unwrap_or_else(|| panic!("it names no file\n{refused}"));
            let (commands, written) = advised(&refused, wrong == 1);
            // Each asks anew, and one may have read what was typed ahead for the next.
            for command in &commands {
                types(&desk, command);
            }
            let old = files[wrong].clone();
            for file in files.iter_mut().filter(|file| **file == old) {
                file.clone_from(&written);
            }
        }
        plan(&files).exits(0).says(["No changes"]);
    }
}
