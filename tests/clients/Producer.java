import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;

/**
 * An application that writes to Kafka, to a topic with a copy on each of two brokers; a write counts when
 * both have it.
 *
 * <p>Argument: the addresses of the brokers.
 */
public class Producer {
    public static void main(String[] arguments) throws Exception {
        Properties settings = new Properties();
        settings.putAll(Map.of(
                "bootstrap.servers", arguments[0],
                "acks", "all",
                "key.serializer", "org.apache.kafka.common.serialization.StringSerializer",
                "value.serializer", "org.apache.kafka.common.serialization.StringSerializer"));
        try (Admin admin = Admin.create(settings)) {
            admin.createTopics(List.of(new NewTopic("story", 2, (short) 2))).all().get();
        }
        AtomicLong written = new AtomicLong();
        AtomicLong failed = new AtomicLong();
        KafkaProducer<String, String> producer = new KafkaProducer<>(settings);
        for (long number = 0; ; number++) {
            String text = Long.toString(number);
            producer.send(new ProducerRecord<>("story", text, text), (done, why) -> {
                (why == null ? written : failed).incrementAndGet();
            });
            if (number % 20 == 0) {
                System.out.printf("producer writes %d failed %d%n", written.get(), failed.get());
            }
            Thread.sleep(50);
        }
    }
}
