//! Who signs in where, and which server refused: the phrases of that, in one place.

use super::phrases::list;
use crate::apply::access::{Asked, Permission, Recipient, Signer};

/// The line of zoo.cfg that makes a server know the super user. A key that zoo.cfg does not know
/// becomes the system property with `zookeeper.` before it (`QuorumPeerConfig.parseProperties`).
pub(super) const SUPER_DIGEST: &str = "DigestAuthenticationProvider.superDigest=USER:HASH";

/// The line of zoo.cfg that makes a server take a certificate's subject for the super user; the
/// value is the whole subject, in one spelling (`X509AuthenticationProvider`).
const X509_SUPER_USER: &str = "X509AuthenticationProvider.superUser=SUBJECT";

/// The line of zoo.cfg that makes a server take a SASL user for the super user
/// (`SASLAuthenticationProvider`); the user stands in its JAAS file.
const SASL_SUPER_USER: &str = "superUser=USER";

/// A server that does not let a user change the configuration.
pub(super) fn refused(by: &Recipient, signer: &Signer) -> String {
    let Recipient { server, at } = by;
    format!("server {server} ({at}) refused {}", who_and_why(signer))
}

pub(super) fn who_and_why(signer: &Signer) -> String {
    match signer {
        Signer::User(user) => {
            format!("user \"{user}\": wrong password, or this server has no superDigest")
        }
        Signer::Sasl(user) => format!(
            "user \"{user}\" (SASL): wrong password, or the user is not in its JAAS file, or is \
             not its super user"
        ),
        Signer::Certificate => {
            "the client certificate (connect.tls.cert): its subject is not the x509 super user of \
             this server and has no right to write /zookeeper/config"
                .to_owned()
        }
        Signer::Anonymous => "zkplan: the file has no user (connect.auth)".to_owned(),
    }
}

/// What to do about servers that refused.
pub(super) fn remedy(signer: &Signer, again: &str) -> String {
    match signer {
        Signer::User(_) => format!(
            "(1) check the password of connect.auth. (2) Or set {SUPER_DIGEST} in zoo.cfg of that server \
             (zkplan digest prints the line) and restart it. (3) Or give the user WRITE on \
             /zookeeper/config. Then {again}"
        ),
        Signer::Sasl(_) => format!(
            "(1) check the password of connect.auth. (2) Or put the user into the JAAS file of that \
             server, set {SASL_SUPER_USER} in its zoo.cfg, and restart it. (3) Or give its sasl id WRITE \
             on /zookeeper/config. Then {again}"
        ),
        Signer::Certificate => format!(
            "(1) set {X509_SUPER_USER} in zoo.cfg of that server and restart it. (2) Or give its x509 id \
             WRITE on /zookeeper/config. Then {again}. (3) Or give a password: {again} --user super"
        ),
        Signer::Anonymous => format!(
            "{again} --user super (the password comes from ZKPLAN_PASSWORD, --password-file or a prompt)"
        ),
    }
}

/// Why a joiner is not known to let the user change the configuration.
pub(super) fn joiner(asked: Option<&Asked>) -> String {
    let Some(Asked { at, signer, permission }) = asked else {
        return "follows with the leader's data; it is not known yet whether it accepts the user"
            .to_owned();
    };
    let setting = match signer {
        Signer::Certificate => X509_SUPER_USER,
        Signer::Sasl(_) => SASL_SUPER_USER,
        Signer::User(_) | Signer::Anonymous => SUPER_DIGEST,
    };
    match permission {
        Permission::Granted => "follows, and accepts the user".to_owned(),
        Permission::Refused => format!(
            "({at}) refused {}. Its join is not sent. Set {setting} in its zoo.cfg as on the other \
             servers and restart it",
            who_and_why(signer),
        ),
        Permission::InClear => format!(
            "({at}) is not on this machine and has no TLS. zkplan does not send the password to \
             it. Use --allow-cleartext-auth on a trusted network"
        ),
        Permission::Unknown => format!("({at}) has not answered yet whether it accepts the user"),
    }
}

/// Which servers are sent the password: members now, joiners once their data are proven.
pub fn announced(signer: &Signer, members: &[Recipient], joiners: &[Recipient]) -> String {
    let at = if signer.sends_password() { "to" } else { "on" };
    let later = if joiners.is_empty() {
        String::new()
    } else {
        format!("; once its data are proven also {at} {}", recipients(joiners))
    };
    match signer {
        Signer::Sasl(user) => format!(
            "zkplan signs in as \"{user}\" by SASL DIGEST-MD5, which does not send the password, \
             to {}{later}",
            recipients(members)
        ),
        Signer::User(user) => {
            format!("zkplan sends the password of \"{user}\" to {}{later}", recipients(members))
        }
        Signer::Certificate | Signer::Anonymous => {
            format!("zkplan sends no password to {}{later}", recipients(members))
        }
    }
}

/// Servers with their addresses.
pub(super) fn recipients(of: &[Recipient]) -> String {
    list(of.iter().map(|Recipient { server, at }| format!("server {server} ({at})")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Endpoint, Host, ServerId};

    fn server(id: i64) -> Recipient {
        let at = Endpoint::plain(Host::new(&format!("zk{id}")), 2181);
        Recipient { server: ServerId::new(id), at }
    }

    #[test]
    fn a_refusal_names_server_address_and_user() {
        assert_eq!(
            refused(&server(4), &Signer::User("super".to_owned())),
            "server 4 (zk4:2181) refused user \"super\": wrong password, or this server has no \
             superDigest"
        );
        let said = remedy(&Signer::Anonymous, "zkplan apply plan.json");
        assert!(said.starts_with("zkplan apply plan.json --user super"), "{said}");
    }

    #[test]
    fn those_who_are_sent_the_password_are_named() {
        assert_eq!(
            announced(&Signer::User("super".to_owned()), &[server(1), server(2)], &[server(4)]),
            "zkplan sends the password of \"super\" to server 1 (zk1:2181) and server 2 (zk2:2181); once \
             its data are proven also to server 4 (zk4:2181)"
        );
    }
}
