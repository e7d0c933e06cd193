// The job of `weir-bench keyed-count` on Apache Flink: sequence, mix, shuffle by key, running count.
//
//     KeyedCountOnFlink RECORDS KEYS PARALLELISM INTERVAL_MS(0 = no checkpoints) CHECKPOINT_URI
//
// Runs in one JVM, as the other one runs in one process. Prints one line; the time includes the start of the job, about a second.

import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;

public final class KeyedCountOnFlink {
    /** Emits every 1,024th count of a key. */
    private static final class RunningCount extends KeyedProcessFunction<Long, Long, Long> {
        private transient ValueState<Long> count;

        @Override
        public void processElement(Long record, Context context, Collector<Long> out) throws Exception {
            if (count == null) {
                count = getRuntimeContext().getState(new ValueStateDescriptor<>("count", Types.LONG));
            }
            Long old = count.value();
            long updated = old == null ? 1 : old + 1;
            count.update(updated);
            if ((updated & 1023) == 0) {
                out.collect(updated);
            }
        }
    }

    public static void main(String[] arguments) throws Exception {
        long records = Long.parseLong(arguments[0]);
        long keys = Long.parseLong(arguments[1]);
        int parallelism = Integer.parseInt(arguments[2]);
        long interval = Long.parseLong(arguments[3]);

        Configuration configuration = new Configuration();
        // The first name is Flink 1's, the second Flink 2's.
        configuration.setString("state.checkpoints.dir", arguments[4]);
        configuration.setString("execution.checkpointing.dir", arguments[4]);
        StreamExecutionEnvironment environment = StreamExecutionEnvironment.createLocalEnvironment(parallelism, configuration);
        environment.getConfig().enableObjectReuse();
        if (interval > 0) {
            environment.enableCheckpointing(interval);
        }
        environment.fromSequence(0, records - 1)
            .map(sequence -> ((sequence * 0x9E3779B97F4A7C15L) >>> 1) % keys).returns(Types.LONG).uid("gen")
            .keyBy(record -> record, Types.LONG)
            .process(new RunningCount()).returns(Types.LONG).uid("count")
            .filter(count -> false).print();

        long start = System.nanoTime();
        environment.execute("keyed-count");
        double seconds = (System.nanoTime() - start) / 1e9;
        System.out.printf("records %d keys %d parallelism %d interval_ms %d elapsed_s %.2f records_per_s %d%n",
            records, keys, parallelism, interval, seconds, (long) (records / seconds));
    }
}
