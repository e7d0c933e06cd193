// Goal: what an operator reads before an action is what its engine receives: the one line of the sheet, the page of the whole request and the
// bytes on the wire say the same, for every verb and both engines. Method: the engines' clients against servers that keep what they get.

import CellGrid
import ConsoleCore
import ControlProtocol
import FlinkFake
import FlinkREST
import Glibc
import HostEnvironment
import JSON
import StreamModel
import Synchronization
import TestKit
import Testing

@testable import EngineClients

@Suite struct RequestTextTests {
    private static var restart: RestartOptions {
        var options = RestartOptions(path: "s3://cp/jobs/chk-4")
        (options.cancelsFirst, options.claim, options.parallelism, options.allowsUnmatchedState) = (true, .claim, 3, true)
        options.recipe = JarRecipe(jar: .uploaded("x_count.jar"), entryClass: "Count", arguments: ["--a", "b c"], parallelism: 2)
        return options
    }
    private static var plain: RestartOptions {
        var options = restart
        (options.claim, options.path, options.allowsUnmatchedState) = (.noClaim, nil, false)
        return options
    }
    private static let common: [OperationRequest.Kind] = [
        .savepoint(directory: "/sp"), .savepoint(directory: nil), .checkpoint, .stop(drain: true, directory: nil), .stop(drain: false, directory: "/sp"),
        .cancel(.byPolicy), .restart(restart), .restart(plain), .dispose(path: "/some/where/else/sp-9"),
    ]

    private func operation(_ kind: OperationRequest.Kind, _ job: JobID = StubEngine.job().id) -> OperationRequest {
        OperationRequest(id: OperationID(random: 7), kind: kind, job: job, expectedState: .running, reason: "INC-7 \"quoted\" \u{1b}[31m", by: "ana@ops")
    }

    // MARK: One message: line, page, wire

    /// Fields that an operator is not asked about, and that the line leaves to the page.
    private static let bookkeeping: Set = ["triggerId", "jobId", "operation", "expectedState", "reason", "by"]

    /// Whether the text is the sent one but for its placeholders, <...>.
    private func isShown(_ text: String, as sent: String) -> Bool {
        var rest = sent[...]
        let parts = text.split(separator: /<[^>]+>/, omittingEmptySubsequences: false)
        for (index, part) in parts.enumerated() {
            guard let found = part.isEmpty ? rest.startIndex..<rest.startIndex : rest.firstRange(of: part), index > 0 || found.lowerBound == rest.startIndex
            else { return false }
            rest = rest[found.upperBound...]
        }
        return rest.isEmpty || parts.last == ""
    }

    /// The part of a line that is about one message names its method, and all that decides in its body, with the values that were sent.
    private func check(_ line: Substring, head: String, body: JSONValue?) {
        var words = String(line).replacing(/, unless .*/, with: "").replacing("<its id>", with: "<its-id>").replacing("<the newest>", with: "<the-newest>")
        let method = words.split(separator: " ").prefix(head.contains(" ") ? 2 : 1).joined(separator: " ")
        #expect(isShown(method, as: head), "\(line): \(head)")
        words = String(words.dropFirst(method.count + 1))
        guard case .object(let members)? = body else { return }
        var left = members.filter { !Self.bookkeeping.contains($0.key) }
        for field in words.isEmpty ? [] : words.split(separator: ", ") {
            let name = String(field.prefix { $0 != " " }), value = String(field.dropFirst(name.count + 1))
            if name == "without" {
                #expect(members[value] == nil, "\(line)")
                continue
            }
            // What the engine is left to choose is not sent.
            guard let sent = left.removeValue(forKey: name) else {
                #expect(value == "<the-newest>", "\(line): \(name) was not sent")
                continue
            }
            let text = if case .string(let text) = sent { text } else { sent.json }
            #expect(isShown(value, as: text) || value.hasPrefix("...") && text.hasSuffix(value.dropFirst(3)), "\(line): \(name) was \(text)")
        }
        #expect(left.isEmpty, "\(line) does not tell of \(left.keys)")
    }

    // MARK: Engines of ours

    @Test(arguments: common + [.cancel(.keep), .cancel(.discard), .fault("slow 5s")])
    func `what is shown for an engine of ours is the frame that it gets`(kind: OperationRequest.Kind) throws {
        let home = Sandbox(), server = FrameServer(path: home["e.sock"]), engine = SocketEngine(path: home["e.sock"]), log = EngineLog()
        defer { engine.stop() }
        engine.start { log.take($0) }
        try #require(eventually { log.isUp })
        let operation = operation(kind)
        let preview = RequestText.preview(.controlSocket, version: nil, operation)
        engine.operate(operation)
        let sent = try wait(for: "the frame") { server.frames.first { $0.contains(operation.id.description) } }
        let shown = try #require(preview.lines.first).string
        #expect(!shown.unicodeScalars.contains { $0.value < 0x20 })
        // The id on the connection comes first, and is another one.
        #expect(shown.drop { $0 != "," } == sent.drop { $0 != "," } && sent.hasPrefix(#"{"id":"#))
        guard case .object(let members) = try JSONValue.parse(Array(sent.utf8), maximumDepth: 16), case .string(let method)? = members["method"] else {
            throw Broken(sent)
        }
        check(preview.line.string[...], head: method, body: members["params"])
    }

    // MARK: Clusters

    @Test(
        arguments: ["1.14.3", "1.20.5", "2.3.0"],
        common + [.launch(plain), .deleteJar(id: "x_count.jar"), .uploadJar(file: "count.jar"), .launch(RestartOptions(path: "s3://cp/jobs/sp-1"))])
    func `what is shown for a cluster is what it gets`(version: String, kind: OperationRequest.Kind) throws {
        let home = Sandbox(), standIn = try FlinkStandIn(version: version) { $0.root = "s3://cp" }
        defer { standIn.stop() }
        var kind = kind
        let jar = try home.write("count.jar", "PK\u{3}\u{4}")
        switch kind {
        case .uploadJar: kind = .uploadJar(file: jar)
        case .launch(var options) where options.recipe == nil:
            options.recipe = JarRecipe(jar: .file(jar))
            kind = .launch(options)
        default: break
        }
        let engine = FlinkEngine(FlinkConnection(try FlinkAddress(standIn.server.url))), log = EngineLog()
        defer { engine.stop() }
        engine.start { log.take($0) }
        let operation = operation(kind, try #require(JobID(FlinkStandIn.job)))
        let preview = RequestText.preview(.flinkREST, version: "Flink \(version)", operation)
        engine.operate(operation)
        func sent() -> [FakeServer.Request] { standIn.requests.filter { $0.method != "GET" } }
        try wait(60, for: "the requests", evidence: { "\(log.refusals) \(sent())" }) { sent().count == preview.messages.count || !log.refusals.isEmpty }
        if !log.refusals.isEmpty {
            // What this version cannot do is not sent.
            let isUnknown = if case .checkpoint = kind { true } else { kind.launch?.claim == .claim }
            #expect(sent().isEmpty && version == "1.14.3" && isUnknown, "\(log.refusals)")
            return
        }
        let lines = preview.line.string.split(separator: ", then ")
        #expect(lines.count == sent().count, "\(preview.line)")
        for ((line, message), request) in zip(zip(lines, preview.messages), sent()) {
            let head = "\(request.method) \(request.target)"
            #expect(isShown(String(message.text[0].string.prefix { $0 != "," }), as: head))
            if head == "POST /jars/upload" {
                #expect(message.text[1].string == "the file \(jar)" && request.text.contains("count.jar") && line.contains("count.jar"))
                continue
            }
            let body = request.text.isEmpty ? nil : try JSONValue.parse(request.body, maximumDepth: 16)
            #expect(isShown(message.text.dropFirst().first?.string ?? "", as: request.text), "\(message.text): \(request.text)")
            check(line, head: head, body: body)
        }
    }
}

/// A control socket that keeps every frame as it came, and answers as little as a client needs to go on.
private final class FrameServer: Sendable {
    private let received = Mutex<[String]>([])
    var frames: [String] { received.withLock { $0 } }

    init(path: String) {
        let listener = HungEngine.listen(path)
        startThread { self.serve(listener) }
    }

    private func serve(_ listener: Int32) {
        let peer = accept(listener, nil, nil)
        defer {
            close(peer)
            close(listener)
        }
        var buffer: [UInt8] = [], chunk = [UInt8](repeating: 0, count: 1 << 16)
        while case let count = read(peer, &chunk, chunk.count), count > 0 {
            buffer += chunk.prefix(count)
            while let end = buffer.firstIndex(of: 10) {
                let frame = Array(buffer[..<end])
                buffer.removeSubrange(...end)
                received.withLock { $0.append(String(decoding: frame, as: UTF8.self)) }
                guard let reply = Self.reply(frame) else { continue }
                _ = write(peer, reply, reply.count)
            }
        }
    }

    private static func reply(_ frame: [UInt8]) -> [UInt8]? {
        // JSONSyntaxError: what is no frame gets no answer.
        guard case .object(let members)? = try? JSONValue.parse(frame, maximumDepth: 16), case .integer(let id)? = members["id"] else { return nil }
        let reply: ControlReply
        switch members["method"] {
        case .string("hello"):
            reply = .hello(
                HelloReply(version: 1, engine: StubEngine().currentReport().engine, level: .operator, maximumFrameLength: FrameLimits.request.maximumLength))
        case .string("subscribe"): reply = .subscribed(SubscribedReply(sequence: 0))
        default: return nil
        }
        // ControlCodecError: without a reply the test's deadline passes.
        return try? ControlCodec.encode(.success(reply), id: .number(id))
    }
}
