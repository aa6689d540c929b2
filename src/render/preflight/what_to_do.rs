//! What to do about a check that does not pass, or what would make it known.

use crate::check::ENABLE_RECONFIG;
use crate::preflight::CheckRemedy;

const REACH_CLIENT_PORT: &str =
    "start the server, or open its client port for this machine: echo srvr | nc HOST PORT";
const START_JOINER: &str = "start it as \"zkplan joiner\" says, then run preflight again";
const NAME_CLIENT_ADDRESS: &str = "add its client address to connect.servers";
const OPEN_PORT: &str = "from another server: nc -vz HOST PORT. If that works, only this machine \
     cannot reach the port, and the ensemble is not affected. If not, open the port between the \
     servers, or correct the host and port in its line";
const KNOWN_WHEN_IT_LEADS: &str = "from another server: nc -vz HOST PORT. \"Connection refused\" is \
     right for a server that does not lead. A timeout means that a firewall drops packets";
const LISTEN_ON_ALL_IPS: &str =
    "set quorumListenOnAllIPs=true in its zoo.cfg and restart it, or correct the host";
const CORRECT_ID: &str = "correct the address in the spec, or myid on that server";
const ALLOW_CONF: &str = "add conf and mntr to 4lw.commands.whitelist of that server";
const BRING_BACK: &str = "bring it back first, or take it out of the spec";
const ONE_ENSEMBLE: &str =
    "stop the server that belongs to another ensemble, or take its address out of the spec";
const CORRECT_HOSTS: &str = "correct the hosts, or the name service of this machine";
const EMPTY_DATA_DIRECTORY: &str = "if it stays so, its data may be of another ensemble. Check that. \
     Then stop it, move version-2 out of dataDir and dataLogDir (keep it), and start it with the files \
     of \"zkplan joiner\"";
const STANDALONE_DATA: &str = "its data may be needed: first find out whose they are. If they are not \
     needed, stop it, move version-2 out of dataDir and dataLogDir (keep it), and start it with the \
     files of \"zkplan joiner\"";
const NO_CLIENT_PORT: &str = "write \"clientPort: none\" for this server into the spec";
const SEE_FINDING: &str = "zkplan plan shows it with what to do";
const READ_JOURNAL: &str = "zkplan history shows whether the journal can be read";
const UPGRADE: &str = "zkplan plan names the release that fixes each bug";
const ONE_RELEASE_LINE: &str =
    "upgrade the older servers first; a plan with both wants --accept ZKF2";
const SET_SUPER_USER: &str = "first check the password. If it is right, put the line that \"zkplan \
     digest\" prints into zoo.cfg of these servers and restart them, one at a time, the leader last: \
     zkplan explain super-user";
const GIVE_USER: &str = "add connect.auth to the spec, or give --user USER";
const GIVE_PASSWORD: &str = "set ZKPLAN_PASSWORD, or give --password-file FILE";
const ALLOW_CLEAR: &str = "use secure client ports (connect.tls), or add --allow-cleartext-auth if \
     the network is trusted";
const NAME_ADDRESS: &str = "name it in the spec, or give --connect HOSTS";
const ASKED_BEFORE_JOIN: &str =
    "asked when it follows with data that are proven equal; apply asks before its join";
const ASK_AGAIN: &str = "run preflight again";
const CHECK_PERMISSIONS: &str = "remove skipACL from zoo.cfg, and look at getAcl /zookeeper/config";
const USE_ENFORCED_SCHEME: &str =
    "give a user of the scheme that it enforces in connect.auth: zkplan explain auth";
const UPGRADE_SESSIONS: &str =
    "localSessionsUpgradingEnabled=true has to be in zoo.cfg of every server";
const RAISE_CONNECTIONS: &str = "set maxClientCnxns=3 or more there and restart it";
const ALLOW_WORDS: &str = "with the next restart, set \
     4lw.commands.whitelist=srvr,conf,mntr,cons,dump,hash in its zoo.cfg";
const MORE_HEAP: &str = "give its Java a larger heap (-Xmx) before it joins";
const LOOK_AT_DISK: &str = "on that server: df -h DATADIR. The disk must hold three snapshots and \
     the transaction logs";
const RAISE_SYNC_LIMIT: &str = "first raise syncLimit on every server, so that its own tickTime x \
     syncLimit is more than 2 x the largest tickTime of any server. Only then change tickTime";
const RAISE_INIT_LIMIT: &str =
    "raise initLimit on every server, old and new: a change of the leader needs it too";
const CLOSE_ADMIN_SERVER: &str = "set admin.enableServer=false or admin.serverAddress=127.0.0.1 in \
     zoo.cfg and restart it. In both cases also change the secret that it shows";
const NAME_ADMIN: &str =
    "give \"admin: http://HOST:8080\" for this server, if its AdminServer is on";
const KEEP_REWRITTEN_FILE: &str = "let no tool write zoo.cfg or server lines after the first \
     start; correct the file before the next restart";
const LOOK_AT_FILE: &str = "give preflight a copy of its zoo.cfg: --zoo-cfg ID=FILE";
const PROTECT_SECRET: &str = "use a long random password, or keep it in the Java properties of the \
     service, in a file that only its user may read (zkplan explain super-user)";
const RESTART_WITH_SETTING: &str = "set it in its zoo.cfg (--zoo-cfg ID=FILE shows the edit) and \
     restart one server at a time, the leader last: --watch leads through it";

/// The sentence.
pub(super) const fn remedy(remedy: CheckRemedy) -> &'static str {
    match remedy {
        CheckRemedy::ReachClientPort => REACH_CLIENT_PORT,
        CheckRemedy::StartJoiner => START_JOINER,
        CheckRemedy::NameClientAddress => NAME_CLIENT_ADDRESS,
        CheckRemedy::OpenPort => OPEN_PORT,
        CheckRemedy::KnownWhenItLeads => KNOWN_WHEN_IT_LEADS,
        CheckRemedy::ListenOnAllIps => LISTEN_ON_ALL_IPS,
        CheckRemedy::CorrectId => CORRECT_ID,
        CheckRemedy::AllowConf => ALLOW_CONF,
        CheckRemedy::BringBack => BRING_BACK,
        CheckRemedy::OneEnsemble => ONE_ENSEMBLE,
        CheckRemedy::CorrectHosts => CORRECT_HOSTS,
        CheckRemedy::EmptyDataDirectory => EMPTY_DATA_DIRECTORY,
        CheckRemedy::StandaloneData => STANDALONE_DATA,
        CheckRemedy::NoClientPort => NO_CLIENT_PORT,
        CheckRemedy::SeeFinding => SEE_FINDING,
        CheckRemedy::ReadJournal => READ_JOURNAL,
        CheckRemedy::Upgrade => UPGRADE,
        CheckRemedy::OneReleaseLine => ONE_RELEASE_LINE,
        CheckRemedy::EnableReconfig => ENABLE_RECONFIG,
        CheckRemedy::SetSuperUser => SET_SUPER_USER,
        CheckRemedy::GiveUser => GIVE_USER,
        CheckRemedy::GivePassword => GIVE_PASSWORD,
        CheckRemedy::AllowClear => ALLOW_CLEAR,
        CheckRemedy::NameAddress => NAME_ADDRESS,
        CheckRemedy::AskedBeforeJoin => ASKED_BEFORE_JOIN,
        CheckRemedy::AskAgain => ASK_AGAIN,
        CheckRemedy::CheckPermissions => CHECK_PERMISSIONS,
        CheckRemedy::UseEnforcedScheme => USE_ENFORCED_SCHEME,
        CheckRemedy::UpgradeSessions => UPGRADE_SESSIONS,
        CheckRemedy::RaiseConnections => RAISE_CONNECTIONS,
        CheckRemedy::AllowWords => ALLOW_WORDS,
        CheckRemedy::MoreHeap => MORE_HEAP,
        CheckRemedy::LookAtDisk => LOOK_AT_DISK,
        CheckRemedy::RaiseSyncLimit => RAISE_SYNC_LIMIT,
        CheckRemedy::RaiseInitLimit => RAISE_INIT_LIMIT,
        CheckRemedy::CloseAdminServer => CLOSE_ADMIN_SERVER,
        CheckRemedy::NameAdmin => NAME_ADMIN,
        CheckRemedy::KeepRewrittenFile => KEEP_REWRITTEN_FILE,
        CheckRemedy::LookAtFile => LOOK_AT_FILE,
        CheckRemedy::ProtectSecret => PROTECT_SECRET,
        CheckRemedy::RestartWithSetting => RESTART_WITH_SETTING,
    }
}
