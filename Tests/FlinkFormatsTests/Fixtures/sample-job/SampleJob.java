// Writes the samples of this folder: runs one small job on a Flink inside this process, in the given variant, until it has what was
// asked for, and leaves the checkpoint or savepoint in the given directory. How to run it stands in README.md.

import java.io.*;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.util.*;
import java.util.concurrent.*;
import org.apache.flink.api.common.functions.RichMapFunction;
import org.apache.flink.api.common.state.*;
import org.apache.flink.api.common.typeinfo.*;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.connector.source.*;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.core.io.*;
import org.apache.flink.runtime.checkpoint.MasterTriggerRestoreHook;
import org.apache.flink.runtime.state.*;
import org.apache.flink.streaming.api.checkpoint.*;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.streaming.connectors.kafka.internals.KafkaTopicPartition;
import org.apache.flink.util.Collector;

public class SampleJob {
    /** A source whose splits are written as the Kafka connector writes its own: topic, partition, next offset, end. */
    static class Split implements SourceSplit, Serializable {
        final String topic; final int partition; long offset;
        Split(String topic, int partition, long offset) { this.topic = topic; this.partition = partition; this.offset = offset; }
        @Override public String splitId() { return topic + "-" + partition; }
    }

    static class SplitSerializer implements SimpleVersionedSerializer<Split> {
        @Override public int getVersion() { return 0; }
        @Override public byte[] serialize(Split s) throws IOException {
            ByteArrayOutputStream bytes = new ByteArrayOutputStream();
            DataOutputStream out = new DataOutputStream(bytes);
            out.writeUTF(s.topic); out.writeInt(s.partition); out.writeLong(s.offset); out.writeLong(Long.MIN_VALUE);
            return bytes.toByteArray();
        }
        @Override public Split deserialize(int version, byte[] bytes) throws IOException {
            DataInputStream in = new DataInputStream(new ByteArrayInputStream(bytes));
            return new Split(in.readUTF(), in.readInt(), in.readLong());
        }
    }

    static class NoState implements SimpleVersionedSerializer<Integer> {
        @Override public int getVersion() { return 1; }
        @Override public byte[] serialize(Integer i) { return new byte[] {0, 0, 0, 0}; }
        @Override public Integer deserialize(int version, byte[] bytes) { return 0; }
    }

    static class Offsets implements Source<Long, Split, Integer> {
        final boolean endsSoon;
        Offsets(boolean endsSoon) { this.endsSoon = endsSoon; }
        @Override public Boundedness getBoundedness() { return endsSoon ? Boundedness.BOUNDED : Boundedness.CONTINUOUS_UNBOUNDED; }
        @Override public SourceReader<Long, Split> createReader(SourceReaderContext context) { return new Reader(context.getIndexOfSubtask(), endsSoon); }
        @Override public SplitEnumerator<Split, Integer> createEnumerator(SplitEnumeratorContext<Split> context) { return new Enumerator(); }
        @Override public SplitEnumerator<Split, Integer> restoreEnumerator(SplitEnumeratorContext<Split> context, Integer state) { return new Enumerator(); }
        @Override public SimpleVersionedSerializer<Split> getSplitSerializer() { return new SplitSerializer(); }
        @Override public SimpleVersionedSerializer<Integer> getEnumeratorCheckpointSerializer() { return new NoState(); }
    }

    static class Enumerator implements SplitEnumerator<Split, Integer> {
        @Override public void start() {}
        @Override public void handleSplitRequest(int subtask, String host) {}
        @Override public void addSplitsBack(List<Split> splits, int subtask) {}
        @Override public void addReader(int subtask) {}
        @Override public Integer snapshotState(long checkpoint) { return 0; }
        @Override public void close() {}
    }

    static class Reader implements SourceReader<Long, Split> {
        final List<Split> splits = new ArrayList<>(); final boolean endsSoon; long next;
        Reader(int subtask, boolean endsSoon) {
            splits.add(new Split("orders", 2 * subtask, 1000)); splits.add(new Split("orders", 2 * subtask + 1, 5000000000L));
            if (subtask == 0) splits.add(new Split("payments", 0, -2));
            this.endsSoon = endsSoon;
        }
        @Override public void start() {}
        @Override public org.apache.flink.core.io.InputStatus pollNext(ReaderOutput<Long> output) throws Exception {
            if (endsSoon && next >= 50) return org.apache.flink.core.io.InputStatus.END_OF_INPUT;
            for (int i = 0; i < 2; i++) { output.collect(next++); splits.get(i).offset++; }
            Thread.sleep(1);
            return org.apache.flink.core.io.InputStatus.MORE_AVAILABLE;
        }
        @Override public List<Split> snapshotState(long checkpoint) { return new ArrayList<>(splits); }
        @Override public CompletableFuture<Void> isAvailable() { return CompletableFuture.completedFuture(null); }
        @Override public void addSplits(List<Split> splits) {}
        @Override public void notifyNoMoreSplits() {}
        @Override public void close() {}
    }

    /** Keeps its offsets as the consumer that the Kafka connector had before. */
    static class Legacy extends RichMapFunction<Long, Long> implements CheckpointedFunction, WithMasterCheckpointHook<String> {
        transient ListState<Tuple2<KafkaTopicPartition, Long>> offsets; transient long seen;
        @Override public Long map(Long value) { seen++; return value; }
        @Override public void snapshotState(FunctionSnapshotContext context) throws Exception {
            offsets.clear();
            offsets.add(Tuple2.of(new KafkaTopicPartition("clicks", 3), 123456789L));
            offsets.add(Tuple2.of(new KafkaTopicPartition("t", 200), -915623761774L));
        }
        @Override public void initializeState(FunctionInitializationContext context) throws Exception {
            offsets = context.getOperatorStateStore().getUnionListState(new ListStateDescriptor<>(
                "topic-partition-offset-states", TypeInformation.of(new TypeHint<Tuple2<KafkaTopicPartition, Long>>() {})));
        }
        @Override public MasterTriggerRestoreHook<String> createMasterTriggerRestoreHook() { return new Hook(); }
    }

    static class Hook implements MasterTriggerRestoreHook<String> {
        @Override public String getIdentifier() { return "sample-hook"; }
        @Override public CompletableFuture<String> triggerCheckpoint(long id, long time, Executor executor) { return CompletableFuture.completedFuture("m" + id); }
        @Override public void restoreCheckpoint(long id, String data) {}
        @Override public SimpleVersionedSerializer<String> createCheckpointDataSerializer() {
            return new SimpleVersionedSerializer<String>() {
                @Override public int getVersion() { return 7; }
                @Override public byte[] serialize(String s) { return s.getBytes(StandardCharsets.UTF_8); }
                @Override public String deserialize(int version, byte[] bytes) { return new String(bytes, StandardCharsets.UTF_8); }
            };
        }
    }

    static class Count extends KeyedProcessFunction<Long, Long, Long> {
        final long pause; transient ValueState<Long> count;
        Count(long pause) { this.pause = pause; }
        @Override public void processElement(Long value, Context context, Collector<Long> out) throws Exception {
            if (count == null) count = getRuntimeContext().getState(new ValueStateDescriptor<>("count", Types.LONG));
            Long n = count.value();
            count.update(n == null ? 1L : n + 1);
            if (pause > 0) Thread.sleep(pause);
            out.collect(value);
        }
    }

    public static void main(String[] arguments) throws Exception {
        String variant = arguments[0], root = arguments[1] + "/" + variant;
        boolean unaligned = variant.equals("unaligned"), savepoint = variant.startsWith("savepoint");
        Configuration conf = new Configuration();
        conf.setString("state.checkpoints.dir", "file://" + root); conf.setString("execution.checkpointing.dir", "file://" + root);
        conf.setString("execution.checkpointing.externalized-checkpoint-retention", "RETAIN_ON_CANCELLATION");
        conf.setString("state.storage.fs.memory-threshold", "1kb"); conf.setString("execution.checkpointing.data-inline-threshold", "1kb");
        conf.setString("taskmanager.numberOfTaskSlots", "4"); conf.setString("rest.bind-port", "0");
        if (variant.equals("incremental")) {
            conf.setString("state.backend", "rocksdb"); conf.setString("state.backend.type", "rocksdb");
            conf.setString("state.backend.incremental", "true"); conf.setString("execution.checkpointing.incremental", "true");
        }
        if (variant.equals("changelog")) {
            for (String key : new String[] {"state.backend.changelog.enabled", "state.changelog.enabled"}) conf.setString(key, "true");
            for (String key : new String[] {"state.backend.changelog.storage", "state.changelog.storage"}) conf.setString(key, "filesystem");
            conf.setString("dstl.dfs.base-path", "file://" + root + "/changelog"); conf.setString("state.changelog.dstl.dfs.base-path", "file://" + root + "/changelog");
            conf.setString("state.changelog.periodic-materialize.interval", "1500ms"); conf.setString("state.backend.changelog.periodic-materialize.interval", "1500ms");
            conf.setString("dstl.dfs.preemptive-persist-threshold", "1kb");
        }
        if (variant.equals("merged")) {
            conf.setString("execution.checkpointing.file-merging.enabled", "true");
            conf.setString("execution.checkpointing.file-merging.across-checkpoint-boundary", "true");
        }
        if (unaligned) {
            conf.setString("execution.checkpointing.unaligned", "true"); conf.setString("execution.checkpointing.unaligned.enabled", "true");
            conf.setString("taskmanager.memory.segment-size", "4kb");
        }
        if (variant.equals("finished")) conf.setString("execution.checkpointing.checkpoints-after-tasks-finish.enabled", "true");
        StreamExecutionEnvironment env = StreamExecutionEnvironment.createLocalEnvironment(2, conf);
        env.configure(conf, SampleJob.class.getClassLoader());
        env.setMaxParallelism(128);
        env.enableCheckpointing(variant.equals("finished") ? 700 : 1000);
        var counted = env.fromSource(new Offsets(false), WatermarkStrategy.noWatermarks(), "orders", Types.LONG).uid("orders")
            .map(new Legacy()).uid("legacy").name("legacy")
            .keyBy(v -> v % 300, Types.LONG).process(new Count(unaligned ? 5 : 0)).returns(Types.LONG).uid("count").name("count \u00e4\uD83D\uDE00");
        if (variant.equals("finished")) env.fromSource(new Offsets(true), WatermarkStrategy.noWatermarks(), "ends", Types.LONG).uid("ends").map(v -> v).uid("pass").returns(Types.LONG).filter(v -> false).print().uid("pass-sink");
        counted.filter(v -> false).print().uid("sink").name("sink");
        JobClient job = env.executeAsync("sample " + variant);
        Path found = null;
        int wanted = variant.equals("changelog") ? 3 : 4;
        for (int i = 0; i < 600 && found == null; i++) { Thread.sleep(100); found = newest(Paths.get(root, job.getJobID().toString()), wanted); }
        if (savepoint) System.out.println("savepoint " + savepoint(job, "file://" + root, variant));
        else job.cancel().get();
        System.out.println("checkpoint " + found);
        System.exit(found == null ? 1 : 0);
    }

    /** Since 1.15 a savepoint has a format; before, there was one. */
    static Object savepoint(JobClient job, String directory, String variant) throws Exception {
        Object result;
        try {
            Class<?> format = Class.forName("org.apache.flink.core.execution.SavepointFormatType");
            Object type = format.getField(variant.endsWith("native") ? "NATIVE" : "CANONICAL").get(null);
            result = JobClient.class.getMethod("stopWithSavepoint", boolean.class, String.class, format).invoke(job, false, directory, type);
        } catch (ClassNotFoundException e) {
            result = JobClient.class.getMethod("stopWithSavepoint", boolean.class, String.class).invoke(job, false, directory);
        }
        return ((CompletableFuture<?>) result).get();
    }

    static Path newest(Path job, int atLeast) throws IOException {
        if (!Files.isDirectory(job)) return null;
        try (DirectoryStream<Path> all = Files.newDirectoryStream(job, "chk-*")) {
            for (Path path : all)
                if (Integer.parseInt(path.getFileName().toString().substring(4)) >= atLeast && Files.exists(path.resolve("_metadata"))) return path;
        }
        return null;
    }
}
