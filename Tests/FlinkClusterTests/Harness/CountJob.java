// The job of the tests on real clusters: a sequence, throttled, counted by key. Compiles against Flink 1.14.3, 1.20.5 and 2.3.0.
//
// Arguments, in pairs, all optional:
//   --name NAME            of the job ("count")
//   --records N            how many records there are; the job finishes after them (without end)
//   --rate N               records a second of each source subtask (500); 0 = as fast as it goes
//   --keys N               (100)
//   --parallelism N
//   --stages N             vertices that pass records on, between source and count (0): a wide job
//   --interval MS          between checkpoints (1000); 0 = no checkpointing
//   --timeout MS           of a checkpoint (60000)
//   --tolerable N          failures of checkpoints in a row (3)
//   --dir URI              where checkpoints go
//   --retention WORD       RETAIN_ON_CANCELLATION (default), DELETE_ON_CANCELLATION, NO_EXTERNALIZED_CHECKPOINTS
//   --backend WORD         hashmap (default), or rocksdb: with incremental checkpoints
//   --unaligned true
//   --restarts N           attempts after a failure, one second apart (1000); 0 = none
//   --switches FOLDER      where the files are that make the job misbehave while they exist:
//       async-fail         writing a snapshot fails
//       sync-fail          taking a snapshot fails, and with it the task
//       slow               taking a snapshot is delayed by as many milliseconds as the file says
//       crash              the next record fails the task
//   --total FILE           gets the number of records that the counting operator has counted, over all restores, when it ends in good order
//   --throw true           main() throws instead of starting a job
// Another version of the program, as an upgrade brings it:
//   --uids false           no operator has a uid
//   --count-uid NAME       of the counting operator ("count")
//   --text true            the counts are text, not numbers
//   --max-parallelism N    of the job
//   --extra true           one operator more, with a uid
//   --fail-after MS        the first record this long after its beginning fails the task, every time
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.HashMap;
import java.util.Map;
import org.apache.flink.api.common.functions.RichMapFunction;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.base.TypeSerializerSingleton;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;
import org.apache.flink.runtime.state.FunctionInitializationContext;
import org.apache.flink.runtime.state.FunctionSnapshotContext;
import org.apache.flink.streaming.api.checkpoint.CheckpointedFunction;
import org.apache.flink.streaming.api.environment.CheckpointConfig;
import org.apache.flink.streaming.api.datastream.DataStreamSink;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;

public class CountJob {
  /** The files that make the job misbehave. */
  static final class Switches implements java.io.Serializable {
    final String folder;

    Switches(String folder) { this.folder = folder; }

    boolean isOn(String name) { return folder != null && Files.exists(Paths.get(folder, name)); }

    void delay() throws Exception {
      if (!isOn("slow")) return;
      String text = new String(Files.readAllBytes(Paths.get(folder, "slow")), StandardCharsets.UTF_8).trim();
      Thread.sleep(Long.parseLong(text));
    }
  }

  /** Lets records pass at a rate, and has the state whose snapshots can be made to fail. */
  static final class Throttle extends RichMapFunction<Long, Long> implements CheckpointedFunction {
    private final long rate;
    private final Switches switches;
    private final long failAfter;
    private transient ListState<Fuse> fuses;
    private transient long began, passed;

    Throttle(long rate, Switches switches, long failAfter) {
      this.rate = rate;
      this.switches = switches;
      this.failAfter = failAfter;
    }

    @Override public Long map(Long value) throws Exception {
      if (began == 0) began = System.nanoTime();
      if (failAfter > 0 && System.nanoTime() - began > failAfter * 1_000_000L) throw new IllegalStateException("fail-after: the new version does not hold");
      if (rate > 0) {
        long due = began + ++passed * 1_000_000_000L / rate;
        long wait = (due - System.nanoTime()) / 1_000_000L;
        // In steps that a checkpoint does not notice.
        if (wait > 5) Thread.sleep(Math.min(wait, 50));
      }
      if (switches.isOn("crash")) throw new IllegalStateException("crash on request: the record " + value + " is indigestible");
      return value;
    }

    @Override public void snapshotState(FunctionSnapshotContext context) throws Exception {
      switches.delay();
      if (switches.isOn("sync-fail")) throw new IOException("sync-fail on request: the state cannot be copied");
      fuses.clear();
      fuses.add(new Fuse(switches));
    }

    @Override public void initializeState(FunctionInitializationContext context) throws Exception {
      fuses = context.getOperatorStateStore().getListState(new ListStateDescriptor<>("fuses", new FuseSerializer(switches)));
    }
  }

  /** A state element that may refuse to be written. */
  public static final class Fuse {
    final Switches switches;

    Fuse(Switches switches) { this.switches = switches; }
  }

  /** Called by the asynchronous part of a snapshot, after the operator has gone on with its records. */
  public static final class FuseSerializer extends TypeSerializerSingleton<Fuse> {
    private final Switches switches;

    FuseSerializer(Switches switches) { this.switches = switches; }

    @Override public void serialize(Fuse fuse, DataOutputView out) throws IOException {
      if (fuse.switches.isOn("async-fail")) throw new IOException("async-fail on request: the disk is full");
      out.writeByte(1);
    }

    @Override public Fuse deserialize(DataInputView in) throws IOException {
      in.readByte();
      return new Fuse(switches);
    }

    @Override public Fuse deserialize(Fuse reuse, DataInputView in) throws IOException { return deserialize(in); }
    @Override public void copy(DataInputView in, DataOutputView out) throws IOException { out.writeByte(in.readByte()); }
    @Override public Fuse copy(Fuse fuse) { return fuse; }
    @Override public Fuse copy(Fuse fuse, Fuse reuse) { return fuse; }
    @Override public Fuse createInstance() { return new Fuse(switches); }
    @Override public boolean isImmutableType() { return true; }
    @Override public int getLength() { return 1; }
    @Override public TypeSerializerSnapshot<Fuse> snapshotConfiguration() { return new FuseSnapshot(); }
  }

  public static final class FuseSnapshot extends SimpleTypeSerializerSnapshot<Fuse> {
    public FuseSnapshot() { super(() -> new FuseSerializer(new Switches(null))); }
  }

  /** Counts by key, and counts all records in operator state as well: what the sum of the counts must be. */
  static final class Count extends KeyedProcessFunction<Long, Long, Long> implements CheckpointedFunction {
    private final String file;
    private final boolean isText;
    private transient ValueState<Long> count;
    private transient ValueState<String> text;
    private transient ListState<Long> totals;
    private transient long total;

    Count(String file, boolean isText) {
      this.file = file;
      this.isText = isText;
    }

    @Override public void processElement(Long value, Context context, Collector<Long> out) throws Exception {
      Long before = isText ? (text.value() == null ? null : Long.valueOf(text.value())) : count.value();
      long now = before == null ? 1 : before + 1;
      if (isText) text.update(Long.toString(now)); else count.update(now);
      total++;
      out.collect(now);
    }

    @Override public void snapshotState(FunctionSnapshotContext context) throws Exception {
      totals.clear();
      totals.add(total);
    }

    @Override public void initializeState(FunctionInitializationContext context) throws Exception {
      if (isText) text = context.getKeyedStateStore().getState(new ValueStateDescriptor<>("count", Types.STRING));
      else count = context.getKeyedStateStore().getState(new ValueStateDescriptor<>("count", Types.LONG));
      totals = context.getOperatorStateStore().getListState(new ListStateDescriptor<>("total", Types.LONG));
      for (Long part : totals.get()) total += part;
    }

    @Override public void close() throws Exception {
      if (file == null) return;
      Path target = Paths.get(file + "." + getRuntimeContextIndex());
      Files.write(target, (total + "\n").getBytes(StandardCharsets.UTF_8));
    }

    private String getRuntimeContextIndex() {
      // The accessor has moved between the versions; the name has the number: "count (1/2)#0".
      String name = Thread.currentThread().getName();
      int open = name.lastIndexOf('('), slash = name.indexOf('/', Math.max(open, 0));
      return open < 0 || slash < 0 ? "0" : name.substring(open + 1, slash);
    }
  }

  public static void main(String[] words) throws Exception {
    Map<String, String> given = new HashMap<>();
    for (int index = 0; index + 1 < words.length; index += 2) given.put(words[index].replaceFirst("^--", ""), words[index + 1]);
    if (given.containsKey("throw")) throw new IllegalArgumentException("this program was told to throw");

    Switches switches = new Switches(given.get("switches"));
    StreamExecutionEnvironment environment = StreamExecutionEnvironment.getExecutionEnvironment();
    environment.configure(settings(given), CountJob.class.getClassLoader());
    if (given.containsKey("parallelism")) environment.setParallelism(Integer.parseInt(given.get("parallelism")));
    long interval = Long.parseLong(given.getOrDefault("interval", "1000"));
    if (interval > 0) {
      environment.enableCheckpointing(interval);
      CheckpointConfig checkpoints = environment.getCheckpointConfig();
      checkpoints.setCheckpointTimeout(Long.parseLong(given.getOrDefault("timeout", "60000")));
      checkpoints.setTolerableCheckpointFailureNumber(Integer.parseInt(given.getOrDefault("tolerable", "3")));
      if (given.containsKey("unaligned")) checkpoints.enableUnalignedCheckpoints();
    }
    long records = Long.parseLong(given.getOrDefault("records", "0"));
    long keys = Long.parseLong(given.getOrDefault("keys", "100"));
    if (given.containsKey("max-parallelism")) environment.setMaxParallelism(Integer.parseInt(given.get("max-parallelism")));
    long failAfter = Long.parseLong(given.getOrDefault("fail-after", "0"));
    boolean hasUids = !given.getOrDefault("uids", "true").equals("false");
    SingleOutputStreamOperator<Long> numbers = named(
        environment.fromSequence(0, records > 0 ? records - 1 : Long.MAX_VALUE - 1), "numbers", hasUids);
    numbers = named(
        numbers.map(new Throttle(Long.parseLong(given.getOrDefault("rate", "500")), switches, failAfter)).returns(Types.LONG), "throttle", hasUids);
    for (int stage = 0; stage < Integer.parseInt(given.getOrDefault("stages", "0")); stage++) {
      numbers = named(numbers.map(value -> value).returns(Types.LONG).disableChaining(), "stage-" + stage, hasUids);
    }
    if (given.containsKey("extra")) numbers = named(numbers.map(value -> value).returns(Types.LONG), "extra", hasUids);
    SingleOutputStreamOperator<Long> counts =
        numbers.keyBy(value -> value % keys, Types.LONG).process(new Count(given.get("total"), given.containsKey("text"))).returns(Types.LONG).name("count");
    if (hasUids) counts = counts.uid(given.getOrDefault("count-uid", "count"));
    DataStreamSink<Long> sink = named(counts.filter(value -> false), "none", hasUids).print().name("sink");
    if (hasUids) sink.uid("sink");
    environment.execute(given.getOrDefault("name", "count"));
  }

  private static SingleOutputStreamOperator<Long> named(SingleOutputStreamOperator<Long> stream, String name, boolean hasUid) {
    return hasUid ? stream.uid(name).name(name) : stream.name(name);
  }

  /** Keys of all versions: each reads those it knows. */
  private static Configuration settings(Map<String, String> given) {
    Configuration settings = new Configuration();
    settings.setString("execution.checkpointing.externalized-checkpoint-retention", given.getOrDefault("retention", "RETAIN_ON_CANCELLATION"));
    if (given.containsKey("dir")) {
      settings.setString("state.checkpoints.dir", given.get("dir"));
      settings.setString("execution.checkpointing.dir", given.get("dir"));
    }
    String backend = given.getOrDefault("backend", "hashmap");
    settings.setString("state.backend", backend);
    settings.setString("state.backend.type", backend);
    if (backend.equals("rocksdb")) {
      settings.setString("state.backend.incremental", "true");
      settings.setString("execution.checkpointing.incremental", "true");
    }
    String restarts = given.getOrDefault("restarts", "1000");
    settings.setString("restart-strategy", restarts.equals("0") ? "none" : "fixed-delay");
    settings.setString("restart-strategy.type", restarts.equals("0") ? "none" : "fixed-delay");
    if (!restarts.equals("0")) {
      settings.setString("restart-strategy.fixed-delay.attempts", restarts);
      settings.setString("restart-strategy.fixed-delay.delay", "1 s");
    }
    return settings;
  }
}
