// Goal: the example in the article on the protocol works as it stands there.
// Method: the article's first shell block is cut out; its requests are sent as socat would send them (all, then end of input), and
// where socat is installed the block itself is run by the shell.

import ControlProtocol
import ControlSocket
import FoundationEssentials
import Glibc
import TestKit
import Testing

private func firstShellBlock() throws -> String {
    let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    let path = "/\(root)/Sources/ControlSocket/ControlSocket.docc/ControlProtocol.md"
    let article = String(decoding: try Data(contentsOf: URL(filePath: path)), as: UTF8.self)
    let fenced = article.split(separator: "```", omittingEmptySubsequences: false)
    let block = try #require(fenced.first { $0.hasPrefix("sh\n") })
    return String(block.dropFirst(3))
}

private let hasSocat = ["/usr/bin", "/usr/local/bin", "/bin"].contains { (folder: String) in access(folder + "/socat", X_OK) == 0 }

@Suite struct ArticleTests {
    private let sandbox = Sandbox()

    @Test func theRequestsOfTheExampleAreAnswered() throws {
        let server = try ControlServer.start(path: sandbox["e.sock"], handler: RecordingHandler())
        defer { server.stop() }
        let requests = try firstShellBlock().split(separator: "'").filter { $0.hasPrefix("{") }
        #expect(requests.count == 2)
        let client = try #require(RawClient(sandbox["e.sock"]))
        client.send(requests.joined(separator: "\n") + "\n")
        client.endInput()
        #expect(client.line()?.contains("\"hello\"") == true)
        #expect(client.line() == #"{"id":2,"jsonrpc":"2.0","result":{"jobs":[]}}"#)
        #expect(client.line() == nil)
    }

    @Test(.enabled(if: hasSocat, "socat is not installed")) func theExampleRunsWhenPasted() throws {
        let server = try ControlServer.start(path: sandbox["weir/engine.sock"], handler: RecordingHandler())
        defer { server.stop() }
        let script = "XDG_RUNTIME_DIR='\(sandbox.path)'\n" + (try firstShellBlock())
        let pipe = try #require(popen(script, "r"))
        var output = ""
        var line = [CChar](repeating: 0, count: 65_536)
        while fgets(&line, Int32(line.count), pipe) != nil {
            output += String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
        #expect(pclose(pipe) == 0)
        let lines = output.split(separator: "\n")
        #expect(lines.count == 2)
        #expect(lines.last == #"{"id":2,"jsonrpc":"2.0","result":{"jobs":[]}}"#)
    }
}
