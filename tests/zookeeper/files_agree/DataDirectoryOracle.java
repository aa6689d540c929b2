import java.io.File;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.data.Stat;
import org.apache.zookeeper.data.StatPersisted;
import org.apache.zookeeper.server.DataNode;
import org.apache.zookeeper.server.DataTree;
import org.apache.zookeeper.server.ZKDatabase;
import org.apache.zookeeper.server.persistence.FileTxnSnapLog;
import org.apache.zookeeper.server.quorum.QuorumPeer;

/**
 * What ZooKeeper's own server does with data directories when a member of an ensemble starts on them
 * (QuorumPeer.loadDataBase). In each folder below the argument stands a version-2.
 *
 * Prints `NAME loaded ZXID ZNODES DATA ALL`, where DATA is a hash of what the tree digest covers, and ALL one
 * of everything, access control lists and sessions included; or `NAME refused REASON`.
 */
public class DataDirectoryOracle {
    public static void main(String[] args) throws Exception {
        PrintStream out = new PrintStream(System.out, false, "UTF-8");
        File[] folders = new File(args[0]).listFiles();
        java.util.Arrays.sort(folders);
        for (File folder : folders) {
            String word;
            try {
                word = loaded(folder);
            } catch (Throwable thrown) {
                Throwable cause = thrown;
                while (cause instanceof InvocationTargetException || cause instanceof RuntimeException && cause.getCause() != null) {
                    cause = cause.getCause();
                }
                String reason = cause.getClass().getSimpleName() + ": " + cause.getMessage();
                word = "refused " + reason.replaceAll("[^ -~]", " ");
            }
            out.println(folder.getName() + " " + word);
        }
        out.flush();
        // Threads that a release has started for a database are no reason to stay.
        System.exit(0);
    }

    private static String loaded(File folder) throws Exception {
        FileTxnSnapLog files = new FileTxnSnapLog(folder, folder);
        ZKDatabase database = new ZKDatabase(files);
        QuorumPeer peer = new QuorumPeer();
        peer.setTxnFactory(files);
        peer.setZKDatabase(database);
        Method load = QuorumPeer.class.getDeclaredMethod("loadDataBase");
        load.setAccessible(true);
        load.invoke(peer);
        DataTree tree = database.getDataTree();
        MessageDigest data = MessageDigest.getInstance("SHA-256");
        MessageDigest all = MessageDigest.getInstance("SHA-256");
        int znodes = sum(tree, "", data, all);
        for (Map.Entry<Long, Integer> session : new TreeMap<>(database.getSessionWithTimeOuts()).entrySet()) {
            all.update(("session " + session.getKey() + " " + session.getValue() + "\n").getBytes(StandardCharsets.UTF_8));
        }
        String zxid = Long.toHexString(database.getDataTreeLastProcessedZxid());
        files.close();
        return "loaded " + zxid + " " + znodes + " " + hex(data) + " " + hex(all);
    }

    private static int sum(DataTree tree, String path, MessageDigest data, MessageDigest all) throws Exception {
        DataNode node = tree.getNode(path);
        StatPersisted stat = node.stat;
        byte[] own = path.getBytes(StandardCharsets.UTF_8);
        byte[] content = tree.getData(path, new Stat(), null);
        content = content == null ? new byte[0] : content;
        ByteBuffer bytes = ByteBuffer.allocate(own.length + content.length + 68);
        bytes.putInt(own.length).put(own).putInt(content.length).put(content);
        bytes.putLong(stat.getCzxid()).putLong(stat.getMzxid()).putLong(stat.getPzxid());
        bytes.putLong(stat.getCtime()).putLong(stat.getMtime());
        bytes.putInt(stat.getVersion()).putInt(stat.getCversion()).putInt(stat.getAversion());
        bytes.putLong(stat.getEphemeralOwner());
        if (!path.startsWith("/zookeeper/")) {
            data.update(bytes.array());
        }
        all.update(bytes.array());
        for (ACL acl : tree.getACL(node)) {
            all.update(acl.toString().getBytes(StandardCharsets.UTF_8));
        }
        int count = 1;
        for (String child : new TreeSet<>(node.getChildren())) {
            count += sum(tree, path + "/" + child, data, all);
        }
        return count;
    }

    private static String hex(MessageDigest digest) {
        return String.format("%016x", ByteBuffer.wrap(digest.digest()).getLong());
    }
}
