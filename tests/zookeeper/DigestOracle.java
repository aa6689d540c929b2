import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.zookeeper.server.auth.DigestAuthenticationProvider;

/** What ZooKeeper makes of each line of a file, which is a user, a colon and a password. */
public class DigestOracle {
    public static void main(String[] args) throws Exception {
        for (String line : Files.readAllLines(Path.of(args[0]))) {
            System.out.println(DigestAuthenticationProvider.generateDigest(line));
        }
    }
}
