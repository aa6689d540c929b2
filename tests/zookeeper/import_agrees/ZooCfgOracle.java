import java.io.File;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.Properties;
import org.apache.zookeeper.server.quorum.QuorumPeerConfig;
import org.apache.zookeeper.server.quorum.flexible.QuorumVerifier;

/**
 * What ZooKeeper's own parser makes of zoo.cfg files. In each folder below the first argument stand a
 * zoo.cfg and `ids`, the server ids that it is tried for; the second argument is the data directory
 * that the files name.
 *
 * Prints `case NAME`, then for each id `took ID` with the membership below it, or
 * `refused ID REASON` on one line.
 */
public class ZooCfgOracle {
    public static void main(String[] args) throws Exception {
        PrintStream out = new PrintStream(System.out, true, "UTF-8");
        Properties before = (Properties) System.getProperties().clone();
        Path data = Paths.get(args[1]);
        File[] folders = new File(args[0]).listFiles();
        java.util.Arrays.sort(folders);
        for (File folder : folders) {
            out.println("\ncase " + folder.getName());
            for (String id : Files.readAllLines(folder.toPath().resolve("ids"))) {
                Path myid = data.resolve("myid");
                Files.deleteIfExists(myid);
                if (!id.equals("none")) {
                    Files.write(myid, id.getBytes(StandardCharsets.US_ASCII));
                }
                // What one file sets must not reach the next.
                System.setProperties((Properties) before.clone());
                QuorumPeerConfig.setStandaloneEnabled(true);
                QuorumPeerConfig.setReconfigEnabled(false);
                try {
                    QuorumPeerConfig config = new QuorumPeerConfig();
                    config.parse(folder.toPath().resolve("zoo.cfg").toString());
                    QuorumVerifier verifier = config.getQuorumVerifier();
                    out.println("took " + id);
                    out.println(verifier.toString());
                } catch (Throwable thrown) {
                    Throwable cause = thrown.getCause() == null ? thrown : thrown.getCause();
                    String kind = cause.getClass().getSimpleName();
                    String reason = String.valueOf(cause.getMessage()).replaceAll("[\r\n]", " ");
                    out.println("refused " + id + " " + kind + ": " + reason);
                }
            }
        }
    }
}
