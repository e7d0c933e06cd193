package org.apache.flink.streaming.connectors.kafka.internals;

/** A stand-in with the name and the fields of the Kafka connector's class: what Kryo writes of it is what it writes of the real one. */
public final class KafkaTopicPartition implements java.io.Serializable {
    private final String topic;
    private final int partition;
    private final int cachedHash;

    public KafkaTopicPartition(String topic, int partition) {
        this.topic = topic;
        this.partition = partition;
        this.cachedHash = 31 * topic.hashCode() + partition;
    }
}
