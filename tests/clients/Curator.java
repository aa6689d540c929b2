import java.nio.charset.StandardCharsets;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.curator.ensemble.fixed.FixedEnsembleProvider;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.curator.retry.RetryOneTime;

/**
 * Applications with Curator: each holds a lock below /locks/KIND and writes to /written/KIND.
 *
 * <p>Arguments: the connect string, and one or more kinds. {@code curator} is as by default;
 * {@code curator-alone} does not read the configuration; {@code curator-fixed} reads it and keeps the
 * list that it was given.
 */
public class Curator {
    private static final int TIMEOUT_MS = 15_000;

    public static void main(String[] arguments) throws Exception {
        for (int at = 1; at < arguments.length; at++) {
            String kind = arguments[at];
            new Thread(() -> work(arguments[0], kind)).start();
        }
    }

    private static CuratorFramework client(String servers, String kind) {
        CuratorFrameworkFactory.Builder builder = CuratorFrameworkFactory.builder()
                .sessionTimeoutMs(TIMEOUT_MS)
                .connectionTimeoutMs(TIMEOUT_MS)
                .retryPolicy(new RetryOneTime(100));
        switch (kind) {
            case "curator":
                return builder.connectString(servers).build();
            case "curator-alone":
                return builder.connectString(servers).ensembleTracker(false).build();
            case "curator-fixed":
                return builder.ensembleProvider(new FixedEnsembleProvider(servers, false)).build();
            default:
                throw new IllegalArgumentException(kind);
        }
    }

    private static void work(String servers, String kind) {
        AtomicLong writes = new AtomicLong();
        CuratorFramework client = client(servers, kind);
        client.getConnectionStateListenable().addListener((own, state) -> {
            if (state == ConnectionState.LOST) {
                System.out.println(kind + " lost");
            }
        });
        client.start();
        InterProcessMutex lock = new InterProcessMutex(client, "/locks/" + kind);
        String path = "/written/" + kind;
        try {
            lock.acquire();
            client.create().orSetData().creatingParentsIfNeeded().forPath(path);
        } catch (Exception why) {
            throw new IllegalStateException(kind, why);
        }
        Thread teller = new Thread(() -> tell(client, kind, writes));
        teller.setDaemon(true);
        teller.start();
        while (true) {
            try {
                String number = Long.toString(writes.get() + 1);
                client.setData().forPath(path, number.getBytes(StandardCharsets.UTF_8));
                writes.incrementAndGet();
                Thread.sleep(50);
            } catch (Exception why) {
                // Without a connection: the next one may work.
            }
        }
    }

    private static void tell(CuratorFramework client, String kind, AtomicLong writes) {
        while (true) {
            try {
                long session = client.getZookeeperClient().getZooKeeper().getSessionId();
                System.out.printf("%s session 0x%x writes %d%n", kind, session, writes.get());
            } catch (Exception why) {
                System.out.printf("%s session - writes %d%n", kind, writes.get());
            }
            try {
                Thread.sleep(1000);
            } catch (InterruptedException why) {
                return;
            }
        }
    }
}
