/// The examples that `--help` shows, in one table: a test parses each of them as the shell would hand it over.
enum Examples {
    /// By the words of the command.
    static let all: [String: [String]] = [
        "demo": ["weir demo", "weir demo --script --record demo.cast", "weir demo --incident slow-storage", "weir demo | tee proof.txt"],
        "engine": ["weir engine", "weir engine --socket /run/user/1000/weir/engine.sock --state /var/lib/weir"],
        "run": [
            "weir run wordcount --input *.txt --output counts", "weir run wordcount --input big.txt --output counts --rate 5000",
            "weir run wordcount --input big.txt --output counts --from /path/to/chk-7",
        ],
        "submit": ["weir submit orders --set rate=500 --parallelism 2", "weir submit orders --name orders-eu --from /path/to/savepoint"],
        "console": [
            "weir console", "weir console --context prod-eu --read-only", "weir console --socket /run/user/1000/weir/engine.sock --theme slate",
        ],
        "dump": [
            "weir dump", "weir dump job --job orders --size 80x24", "weir dump checkpoints --job orders --format csv",
            "weir --flink http://host:8081 dump overview --format json | jq .jobs[0].state",
        ],
        "status": ["weir status", "weir status --json | jq .jobs[0].state"],
        "jobs": ["weir jobs", "weir jobs --json | jq -r '.[] | select(.state == \"RUNNING\") | .name'"],
        "checkpoints": [
            "weir checkpoints orders --limit 10", "weir checkpoints orders --json | jq -r '.[] | select(.problem == null) | .path'",
            "weir checkpoints orders --history --json | jq -r '.[] | select(.fate == \"unlisted\") | .report.path'",
        ],
        "savepoint": [
            "weir savepoint orders --wait", "weir savepoint orders --directory /backup/savepoints --reason \"before the upgrade\" --wait --json",
            "weir --flink http://host:8081 savepoint orders --every 6h --keep 8",
        ],
        "checkpoint": ["weir checkpoint orders --wait", "weir checkpoint orders --wait --timeout 30s --json | jq -r .path"],
        "stop": ["weir stop orders --wait", "weir stop orders --drain --directory /backup/savepoints --wait"],
        "cancel": ["weir cancel orders --keep --wait", "weir cancel orders --discard --reason \"test run\" --wait"],
        "restart": [
            "weir restart orders --wait", "weir restart orders --from savepoint --cancel-first --wait", "weir restart orders --from 12 --parallelism 4 --wait",
            "weir --flink http://host:8081 restart orders --recipe \"orders.jar --class com.example.Orders -- --topic orders\" --wait",
        ],
        "resume": [
            "weir resume 90c2a41f00000001 --flink http://host:8081 --wait", "weir resume 90c2a41f00000001 --flink http://host:8081 --timeout 2m --json",
        ],
        "upgrade": [
            "weir --flink http://host:8081 upgrade orders --jar orders-2.jar --check-only",
            "weir --flink http://host:8081 upgrade orders --jar orders-2.jar --watch 10m --reason \"release 2\"",
            "weir --flink http://host:8081 upgrade orders --abort",
        ],
        "upgrades": ["weir upgrades --flink http://host:8081", "weir upgrades --flink http://host:8081 --json | jq -r .[0].stage"],
        "versions": ["weir versions orders --flink http://host:8081", "weir versions orders --flink http://host:8081 --json | jq -r .[0].sha256"],
        "jars": ["weir jars --flink http://host:8081", "weir jars run orders.jar --flink http://host:8081 --wait -- --topic orders"],
        "jars list": ["weir jars list --flink http://host:8081", "weir jars list --flink http://host:8081 --json | jq -r .[].id"],
        "jars upload": [
            "weir jars upload orders.jar --flink http://host:8081", "weir jars upload orders.jar --flink http://host:8081 --reason \"release 7\" --json",
        ],
        "jars delete": [
            "weir jars delete 0f3c_orders.jar --flink http://host:8081",
            "weir jars delete 0f3c_orders.jar --flink http://host:8081 --reason \"release 7 is out\"",
        ],
        "jars run": [
            "weir jars run orders.jar --flink http://host:8081 --wait -- --topic orders",
            "weir jars run orders.jar --class com.example.Orders --flink http://host:8081 --from s3://sp/savepoint-1 --wait -- --topic orders",
        ],
        "dispose": [
            "weir dispose file:/sp/savepoint-a41f --flink http://host:8081",
            "weir dispose s3://sp/savepoint-1 --flink http://host:8081 --reason \"older than 90 days\"",
        ],
        "operations": ["weir operations --limit 5", "weir operations --utc", "weir operations --json | jq -r '.[] | select(.state == \"failed\") | .error'"],
        "audit": ["weir audit --limit 20", "weir audit --utc", "weir audit --json | jq -r '.[] | .by'"],
        "log": ["weir log", "weir log orders --limit 100", "weir log --follow --json | jq -r 'select(.level == \"error\") | .message'"],
        "watch": ["weir watch orders", "weir --flink http://host:8081 watch --json | jq .jobs[0].throughput"],
        "fault": ["weir fault shaky fail 3", "weir fault shaky slow 5s", "weir fault shaky off"],
        "inspect": [
            "weir inspect /var/lib/weir/checkpoints/JOB/chk-12", "weir inspect file:/var/lib/flink/checkpoints/JOB/chk-12 --uids lines,words,count",
        ],
        "contexts": ["weir contexts", "weir contexts --json | jq -r .[].name"],
        "themes": ["weir themes", "weir themes check ~/.config/weir/themes/mine.toml"],
        "themes list": ["weir themes list", "weir themes list | cut -f 1"],
        "themes check": ["weir themes check", "weir themes check slate ./mine.toml --json"],
        "replay": ["weir replay incident.events", "weir replay incident.events --speed 8 --record incident.cast"],
        "doctor": ["weir doctor", "weir doctor --flink http://localhost:8081 --json"],
    ]

    /// Of the command without a name.
    static let tour = [
        "weir demo                                   # two jobs and a console",
        "weir run wordcount --input a.txt --output out # count words, exactly once",
        "weir --context prod-eu                      # the console on one engine",
        "weir engine                                 # host jobs until SIGTERM",
        "weir status                                 # how its jobs are doing",
        "weir savepoint orders --wait                # take a savepoint, wait for it",
        "weir cancel orders --keep --wait            # cancel, keep the checkpoints",
        "weir restart orders --from savepoint --wait # start again, and prove it",
        "weir --flink http://host:8081               # the console on a cluster",
        "weir --flink http://host:8081 status --json",
        "weir --flink http://host:8081 savepoint orders --wait",
    ]

    /// What the help of a command says below its abstract.
    static func text(_ command: String, after words: String? = nil) -> String { (words.map { $0 + "\n\n" } ?? "") + block(all[command] ?? []) }

    static func block(_ examples: [String]) -> String { (["EXAMPLES"] + examples.map { "  " + $0 }).joined(separator: "\n") }
}
