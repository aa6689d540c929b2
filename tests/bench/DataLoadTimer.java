import java.io.File;
import java.util.HashMap;
import org.apache.zookeeper.server.DataTree;
import org.apache.zookeeper.server.persistence.FileTxnSnapLog;

/**
 * How long ZooKeeper's own classes take to load a data directory: snapshot and logs, the digest of each
 * transaction compared. Loads it that often in one Java, and prints the shortest time in milliseconds and the
 * number of znodes.
 */
public class DataLoadTimer {
    public static void main(String[] args) throws Exception {
        File folder = new File(args[0]);
        long best = Long.MAX_VALUE;
        int znodes = 0;
        for (int run = 0; run < Integer.parseInt(args[1]); run++) {
            FileTxnSnapLog files = new FileTxnSnapLog(folder, folder);
            DataTree tree = new DataTree();
            long began = System.nanoTime();
            files.restore(tree, new HashMap<>(), (header, transaction, digest) -> { });
            best = Math.min(best, System.nanoTime() - began);
            znodes = tree.getNodeCount();
            files.close();
        }
        System.out.println(best / 1e6 + " " + znodes);
        System.exit(0);
    }
}
