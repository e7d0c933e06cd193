// The jobs of `weir-bench keyed-count` (KIND long) and `weir-bench string-count` (KIND string) on Apache Flink: sequence, mix, shuffle by key,
// running count.
//
//     KeyedCountOnFlink KIND RECORDS KEYS PARALLELISM INTERVAL_MS(0 = no checkpoints) CHECKPOINT_URI
//
// Runs in one JVM, as the other one runs in one process. Prints one line; the time includes the start of the job, about a second.

import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;

public final class KeyedCountOnFlink {
    /** Emits every 1,024th count of a key. */
    private static final class RunningCount<K> extends KeyedProcessFunction<K, K, Long> {
        private transient ValueState<Long> count;

        @Override
        public void processElement(K record, Context context, Collector<Long> out) throws Exception {
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

    private static <K> void count(DataStream<K> records, TypeInformation<K> type) {
        records.keyBy(record -> record, type)
            .process(new RunningCount<K>()).returns(Types.LONG).uid("count")
            .filter(count -> false).print();
    }

    /** "customer-" and twelve digits. */
    private static String customer(long number) {
        char[] text = "customer-000000000000".toCharArray();
        for (int index = 20; index > 8; index--, number /= 10) {
            text[index] = (char) ('0' + number % 10);
        }
        return new String(text);
    }

    public static void main(String[] arguments) throws Exception {
        long records = Long.parseLong(arguments[1]);
        long keys = Long.parseLong(arguments[2]);
        int parallelism = Integer.parseInt(arguments[3]);
        long interval = Long.parseLong(arguments[4]);

        Configuration configuration = new Configuration();
        // The first name is Flink 1's, the second Flink 2's.
        configuration.setString("state.checkpoints.dir", arguments[5]);
        configuration.setString("execution.checkpointing.dir", arguments[5]);
        StreamExecutionEnvironment environment = StreamExecutionEnvironment.createLocalEnvironment(parallelism, configuration);
        environment.getConfig().enableObjectReuse();
        if (interval > 0) {
            environment.enableCheckpointing(interval);
        }
        DataStream<Long> numbers = environment.fromSequence(0, records - 1)
            .map(sequence -> ((sequence * 0x9E3779B97F4A7C15L) >>> 1) % keys).returns(Types.LONG).uid("gen");
        if (arguments[0].equals("string")) {
            count(numbers.map(KeyedCountOnFlink::customer).returns(Types.STRING), Types.STRING);
        } else {
            count(numbers, Types.LONG);
        }

        long start = System.nanoTime();
        environment.execute("keyed-count");
        double seconds = (System.nanoTime() - start) / 1e9;
        System.out.printf("records %d keys %d parallelism %d interval_ms %d elapsed_s %.2f records_per_s %d%n",
            records, keys, parallelism, interval, seconds, (long) (records / seconds));
    }
}
