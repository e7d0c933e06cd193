internal import ControlProtocol
internal import Dataflow
internal import StreamModel

/// Counts the words of text files. A word is a maximal run of ASCII letters, lower-cased. Every word is written as one line at the end of the
/// input: word, tab, count.
struct WordCount: StreamJob {
    var name = "wordcount"
    var input: [String]
    var output: String
    var rate: Double?
    var interval: Milliseconds

    static let program = Program(
        description: ProgramDescription(
            name: "wordcount", help: "Counts the words of text files, exactly once.",
            arguments: [
                .init(name: "input", help: "Absolute paths of text files, or of their directories, one per line. Files may be gzipped.", isRequired: true),
                .init(name: "output", help: "Absolute path of the directory for the counts.", isRequired: true),
                .init(name: "rate", help: "Lines per second; unlimited if omitted."),
                .init(name: "interval", help: "Time between checkpoints.", defaultValue: "3s"),
            ]),
        parallelism: 2
    ) { arguments throws(ProgramError) in
        WordCount(
            input: try arguments.paths("input"), output: try arguments.path("output") ?? "/", rate: try arguments.rate("rate"),
            interval: try arguments.duration("interval", in: 10...86_400_000) ?? .seconds(3))
    }

    func build(_ environment: StreamEnvironment) throws {
        environment.enableCheckpointing(every: interval)
        environment.checkpoints.timeout = .seconds(60)
        environment.checkpoints.tolerableFailures = 3
        environment.checkpoints.retention = .retainOnCancellation
        environment.checkpoints.retainedCheckpoints = 5
        environment.restartStrategy = .fixedDelay(attempts: 3, delay: .seconds(1))
        // One reader for all files: a subtask whose files end before the others' would end the checkpoints too.
        environment
            .read(TextFileSource.lines(.files(orDirectories: input), rate: rate), name: "lines").uid("lines").parallelism(1)
            .flatMap(to: String.self) { line, out in Words.forEach(in: line) { out.emit($0) } }.uid("words").name("words").parallelism(1)
            .key { $0 }
            .aggregate(Count(), emit: .endOfInput).uid("count").name("count")
            .write(to: .lines(directory: output) { "\($0.key)\t\($0.value)" }).uid("sink").name("sink")
    }
}

/// Splits a line into words.
enum Words {
    static func forEach(in line: String, _ body: (String) -> Void) {
        var line = line
        line.withUTF8 { bytes in
            var index = 0
            while index < bytes.count {
                guard isLetter(bytes[index]) else {
                    index += 1
                    continue
                }
                let start = index
                while index < bytes.count, isLetter(bytes[index]) { index += 1 }
                body(
                    String(unsafeUninitializedCapacity: index - start) { target in
                        // Lower case is one bit in ASCII.
                        for offset in 0..<(index - start) { target[offset] = bytes[start + offset] | 0x20 }
                        return index - start
                    })
            }
        }
    }

    private static func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte | 0x20) }
}
