import ArgumentParser
import Dataflow
import FoundationEssentials
import StreamModel

/// lines of files -> words -> shuffle by word -> count.
struct WordCountJob: StreamJob {
    let input: [String]
    let interval: Milliseconds?
    let directory: String

    var name: String { "wordcount" }

    func build(_ environment: StreamEnvironment) throws {
        environment.checkpoints.interval = interval
        environment.checkpoints.storageDirectory = directory
        environment.read(TextFileSource(paths: input)).uid("lines")
            .flatMap(to: String.self) { line, out in
                for word in line.utf8.split(whereSeparator: { !($0 >= 0x61 && $0 <= 0x7a || $0 >= 0x41 && $0 <= 0x5a || $0 >= 0x80) }) {
                    out.emit(String(Substring(word)))
                }
            }.uid("words")
            .key(by: { $0 })
            .aggregate(Count(), emit: .endOfInput).uid("count")
            .discard().uid("sink")
    }
}

struct WordCount: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wordcount", abstract: "Counts the words of real text, repeated to a size.",
        discussion: "Example: weir-bench wordcount --text /usr/share/common-licenses/GPL-3 --mebibytes 256")

    @Option(help: "A text file.") var text = "/usr/share/common-licenses/GPL-3"
    @Option(help: "MiB of text to read, over all subtasks.") var mebibytes = 256
    @Option(help: "Subtasks of each operator.") var parallelism = 2
    @Option(help: "Time between checkpoints, such as 3s or 500ms; off = none.") var interval = Interval(argument: "3s")!

    func run() throws {
        guard let text = FileManager.default.contents(atPath: text), !text.isEmpty else {
            throw ValidationError("cannot read \(self.text), or it is empty: name a text file with --text")
        }
        try BenchDirectory.with(nil) { root in
            let repeats = max(1, (mebibytes << 20) / parallelism / text.count)
            let files = try (0..<parallelism).map { index in
                let path = "\(root)/text-\(index)"
                guard FileManager.default.createFile(atPath: path, contents: nil), let file = FileWriter(path) else {
                    throw ValidationError("cannot write \(path)")
                }
                for _ in 0..<repeats { try file.append(text) }
                return path
            }
            let bytes = repeats * parallelism * text.count
            let lines = UInt64(text.count { $0 == 10 }) * UInt64(repeats * parallelism)
            let measurement = try BenchJob(
                WordCountJob(input: files, interval: interval.span, directory: root), parallelism: parallelism, root: root
            ).finish(records: lines)
            print(
                "wordcount parallelism \(parallelism) interval \(interval) mib_per_s \(rounded(Double(bytes) / 1048576 / measurement.seconds)) "
                    + measurement.line)
        }
    }
}
