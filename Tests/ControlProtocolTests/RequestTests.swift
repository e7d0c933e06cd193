// Goal: each verb survives the wire, its frame is the one that is written down, and a bad field is named with its verb.
// Method: golden frames for every verb (one line a request, in Goldens/requests.jsonl), read back to the same value; a table of
// bad requests; mutations of every golden frame. WEIR_RECORD_GOLDENS=1 writes the goldens anew.

import ControlProtocol
import StreamModel
import Testing

@Suite struct RequestTests {
    static let job = JobReference("0123456789abcdef0123456789abcdef")
    static let operation = OperationID("op-1")!

    private static func command(_ kind: OperationRequest.Kind, expected: JobState? = .running) -> ControlRequest {
        .operate(JobCommand(operation: operation, job: job, action: kind, expectedState: expected, reason: "drill", by: "ann@host"))
    }

    private static var restart: RestartOptions {
        var options = RestartOptions(path: "/ckpt/chk-7")
        options.claim = .claim
        options.allowsUnmatchedState = true
        options.parallelism = 4
        options.cancelsFirst = true
        return options
    }

    /// At least one request of every verb, with all fields and with none of the optional ones.
    static let all: [ControlRequest] = [
        .hello(versions: [1, 2], client: "console"), .subscribe(interval: nil), .subscribe(interval: 250), .jobs, .job(job),
        .checkpoints(job, limit: nil), .checkpoints(job, limit: 20), .checkpoint(job, CheckpointID(7)), .exceptions(job), .operations(limit: nil),
        .operations(limit: 5), .operation(operation), .audit(limit: nil), .audit(limit: 100), .log(nil, after: nil, limit: nil),
        .log(job, after: 41, limit: 200), .inspect(path: "/ckpt/chk-7"), .programs,
        .submit(SubmitRequest(operation: operation, program: "orders")),
        .submit(
            SubmitRequest(
                operation: operation, program: "wordcount", arguments: ["input": "/a\n/b", "output": "/out"], parallelism: 2, name: "words",
                from: {
                    var options = RestartOptions(path: "/ckpt/chk-7")
                    options.allowsUnmatchedState = true
                    return options
                }(), reason: "drill", by: "ann@host")),
        command(.savepoint(directory: nil)), command(.savepoint(directory: "/save")), command(.checkpoint, expected: nil),
        command(.stop(drain: true, directory: nil)), command(.cancel(.keep)), command(.restart(RestartOptions())), command(.restart(restart)),
        command(.fault("slow 5s")), command(.dispose(path: "/save/savepoint-1")),
    ]

    @Test func everyVerbIsCovered() {
        #expect(Set(Self.all.map(\.verb)) == Set(ControlVerb.allCases))
    }

    @Test func goldenFrames() throws {
        var text = ""
        for (index, request) in Self.all.enumerated() {
            let frame = try ControlCodec.encode(request, id: .number(Int64(index + 1)))
            text += String(decoding: frame, as: UTF8.self)
        }
        try expectGolden("requests.jsonl", text)
    }

    @Test func everyRequestRoundTrips() throws {
        for request in Self.all {
            var frame = try ControlCodec.encode(request, id: .string("x"))
            #expect(frame.removeLast() == 10)
            #expect(!frame.contains(10))
            #expect(RequestDecoder.decode(frame) == DecodedRequest(id: .string("x"), request: .success(request)))
        }
    }

    @Test func onlyMutatingVerbsNeedTheOperator() {
        let looking: Set<ControlVerb> = [
            .hello, .subscribe, .jobs, .job, .checkpoints, .checkpoint, .exceptions, .operations, .operation, .audit, .log, .inspect, .programs,
        ]
        for verb in ControlVerb.allCases { #expect((verb.level == .viewer) == looking.contains(verb)) }
    }

    static let bad: [(String, ControlFailure.Kind, String)] = [
        (#"{"jsonrpc":"2.0","id":1,"method":"jobs""#, .parse, "ends too early at byte 39"),
        ("hello", .parse, "unexpected byte at byte 0"),
        ("[]", .invalidRequest, "an array, not an object"),
        (#"{"jsonrpc":"2.0","method":"jobs"}"#, .invalidRequest, "id"),
        (#"{"jsonrpc":"2.0","id":null,"method":"jobs"}"#, .invalidRequest, "id"),
        (#"{"jsonrpc":"1.0","id":1,"method":"jobs"}"#, .invalidRequest, "jsonrpc"),
        (#"{"jsonrpc":"2.0","id":1}"#, .invalidRequest, "method"),
        (#"{"jsonrpc":"2.0","id":1,"method":"explode"}"#, .unknownVerb, "unknown verb 'explode'"),
        (#"{"jsonrpc":"2.0","id":1,"method":"jobs","params":[]}"#, .badField, "jobs: params must be an object"),
        (#"{"jsonrpc":"2.0","id":1,"method":"job"}"#, .badField, "job: job is missing"),
        (#"{"jsonrpc":"2.0","id":1,"method":"job","params":{"job":7}}"#, .badField, "job: job must be a string, not a number"),
        (#"{"jsonrpc":"2.0","id":1,"method":"job","params":{"job":""}}"#, .badField, "job: job is empty"),
        (
            #"{"jsonrpc":"2.0","id":1,"method":"checkpoint","params":{"job":"abcd","checkpoint":0}}"#, .badField,
            "checkpoint: checkpoint must be at least 1, not 0"
        ),
        (#"{"jsonrpc":"2.0","id":1,"method":"operations","params":{"limit":0}}"#, .badField, "limit must be 1 to 10000, not 0"),
        (#"{"jsonrpc":"2.0","id":1,"method":"log","params":{"after":-1}}"#, .badField, "log: after must be at least 0, not -1"),
        (#"{"jsonrpc":"2.0","id":1,"method":"log","params":{"job":7}}"#, .badField, "log: job must be a string, not a number"),
        (#"{"jsonrpc":"2.0","id":1,"method":"operations","params":{"limit":1.5}}"#, .badField, "limit must be a whole number"),
        (#"{"jsonrpc":"2.0","id":1,"method":"subscribe","params":{"intervalMilliseconds":5}}"#, .badField, "100 to 60000"),
        (#"{"jsonrpc":"2.0","id":1,"method":"inspect","params":{"path":"chk-7"}}"#, .badField, "path must be an absolute path"),
        (#"{"jsonrpc":"2.0","id":1,"method":"operation","params":{"operation":"a b"}}"#, .badField, "operation must be 1 to 64 characters"),
        (#"{"jsonrpc":"2.0","id":1,"method":"hello","params":{"versions":1,"client":"x"}}"#, .badField, "versions must be an array"),
        (#"{"jsonrpc":"2.0","id":1,"method":"hello","params":{"versions":[],"client":"x"}}"#, .badField, "versions must be an array"),
        (
            #"{"jsonrpc":"2.0","id":1,"method":"cancel","params":{"operation":"a","job":"abcd"}}"#, .badField,
            "cancel: retention is missing"
        ),
        (
            #"{"jsonrpc":"2.0","id":1,"method":"cancel","params":{"operation":"a","job":"abcd","retention":"maybe"}}"#, .badField,
            "cancel: retention must be one of byPolicy, keep, discard"
        ),
        (
            #"{"jsonrpc":"2.0","id":1,"method":"stop","params":{"operation":"a","job":"abcd","drain":"yes"}}"#, .badField,
            "stop: drain must be true or false, not a string"
        ),
        (
            #"{"jsonrpc":"2.0","id":1,"method":"savepoint","params":{"operation":"a","job":"abcd","expectedState":"running"}}"#, .badField,
            "savepoint: expectedState must be one of INITIALIZING, RUNNING"
        ),
        (
            #"{"jsonrpc":"2.0","id":1,"method":"restart","params":{"operation":"a","job":"abcd","parallelism":0}}"#, .badField,
            "restart: parallelism must be 1 to 32768, not 0"
        ),
        (
            #"{"jsonrpc":"2.0","id":1,"method":"submit","params":{"operation":"a","program":"p","arguments":{"n":1}}}"#, .badField,
            "submit: arguments.n must be a string, not a number"
        ),
        (
            #"{"jsonrpc":"2.0","id":1,"method":"submit","params":{"operation":"a","program":"p","from":{"path":"rel"}}}"#, .badField,
            "submit: from.path must be an absolute path"
        ),
    ]

    @Test(arguments: bad) func badRequestsAreExplained(frame: String, kind: ControlFailure.Kind, words: String) {
        let decoded = RequestDecoder.decode(Array(frame.utf8))
        guard case .failure(let failure) = decoded.request else {
            Issue.record("taken: \(frame)")
            return
        }
        #expect(failure.kind == kind)
        #expect(failure.message.contains(words), "\(failure.message)")
    }

    @Test func unknownFieldsAreIgnored() {
        let frame = #"{"jsonrpc":"2.0","id":1,"method":"jobs","params":{"later":true},"more":[]}"#
        #expect(RequestDecoder.decode(Array(frame.utf8)) == DecodedRequest(id: .number(1), request: .success(.jobs)))
    }

    @Test func hostileTextIsNotEchoedRaw() {
        let frame = #"{"jsonrpc":"2.0","id":1,"method":"\u001b]0;x\u0007\u202e"}"#
        guard case .failure(let failure) = RequestDecoder.decode(Array(frame.utf8)).request else {
            Issue.record("taken")
            return
        }
        #expect(failure.message.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0 != "\u{202E}" })
    }

    @Test func everyPrefixAndFlippedByteOfEveryGoldenFrameIsAnswered() throws {
        for request in Self.all {
            let frame = try ControlCodec.encode(request, id: .number(1)).dropLast()
            for end in 0..<frame.count {
                let decoded = RequestDecoder.decode(Array(frame[..<end]))
                guard case .failure(let failure) = decoded.request else {
                    Issue.record("a prefix of \(end) bytes of \(request) was taken")
                    continue
                }
                #expect(failure.kind == .parse)
            }
            for index in frame.indices {
                var flipped = Array(frame)
                flipped[index] ^= 0x11
                // Whatever it is now, it is an answer and no trap.
                _ = RequestDecoder.decode(flipped)
            }
        }
    }
}

@Suite struct JobReferenceTests {
    private func candidate(_ id: String, _ name: String, lineage: UInt64 = 1, isLive: Bool = true, at: Int64 = 0) -> JobReference.Candidate {
        .init(id: JobID(id)!, name: name, lineage: JobID(high: 0, low: lineage), isLive: isLive, submittedAt: WallTime(milliseconds: at))
    }
    private let a = "aaaa0000000000000000000000000001", b = "aaaa1000000000000000000000000002", c = "cccc0000000000000000000000000003"

    private func resolve(_ text: String, _ candidates: [JobReference.Candidate]) -> Result<JobID, ControlFailure> {
        Result { () throws(ControlFailure) in try JobReference(text).resolve(among: candidates) }
    }

    @Test func idsPrefixesAndNames() {
        let jobs = [candidate(a, "orders"), candidate(b, "shaky", lineage: 2), candidate(c, "cafe", lineage: 3)]
        #expect(resolve(a, jobs) == .success(JobID(a)!))
        #expect(resolve("AAAA1", jobs) == .success(JobID(b)!))
        #expect(resolve("orders", jobs) == .success(JobID(a)!))
        #expect(resolve("cafe", jobs) == .success(JobID(c)!))
        #expect(resolve("aaaa", jobs) == .failure(.ambiguousJob("aaaa", candidates: [JobID(a)!, JobID(b)!])))
        #expect(resolve("aaa", jobs) == .failure(.unknownJob("aaa")))
        #expect(resolve("dddd", jobs) == .failure(.unknownJob("dddd")))
        #expect(resolve("ffffffffffffffffffffffffffffffff", jobs) == .failure(.unknownJob("ffffffffffffffffffffffffffffffff")))
    }

    @Test func aNameMeansTheLiveJobOrTheNewestOfItsLineage() {
        let ended = candidate(a, "orders", isLive: false, at: 1)
        #expect(resolve("orders", [ended, candidate(b, "orders", at: 2)]) == .success(JobID(b)!))
        #expect(resolve("orders", [ended, candidate(b, "orders", isLive: false, at: 2)]) == .success(JobID(b)!))
        let strangers = [ended, candidate(b, "orders", lineage: 2, isLive: false, at: 2)]
        #expect(resolve("orders", strangers) == .failure(.ambiguousJob("orders", candidates: strangers.map(\.id))))
        let twins = [candidate(a, "orders"), candidate(b, "orders", lineage: 2)]
        #expect(resolve("orders", twins) == .failure(.ambiguousJob("orders", candidates: twins.map(\.id))))
    }
}
