// Goal: a client sends nothing to an engine of somebody else, nor through a directory in which others can put one, unless it was told to; and a
// server does not listen there. Method: sockets and directories of another user, which takes root; what the other side is sent is counted.

import ControlProtocol
import ControlSocket
import Glibc
import StreamModel
import TestKit
import Testing

private let isRoot = geteuid() == 0
private let stranger: UInt32 = 54_321

@Suite struct TrustTests {
    private let sandbox = Sandbox()

    private func failure(_ path: String, trust: EngineTrust = .own) -> ControlClientError? {
        do throws(ControlClientError) {
            _ = try ControlClient.connectAndWait(path: path, client: "test", trust: trust, timeout: 2000)
            return nil
        } catch {
            return error
        }
    }

    @Test func ownersByNumberAndName() {
        #expect(EngineTrust(owner: "1234") == EngineTrust(owners: [1234]))
        #expect(EngineTrust(owner: "root") == EngineTrust(owners: [0]))
        for text in ["", "no-such-user-here", "-1", "4294967295", "99999999999", "root\u{0}x"] { #expect(EngineTrust(owner: text) == nil, "\(text)") }
    }

    @Test(arguments: [0o777, 0o775, 0o757] as [UInt32]) func theClientRefusesADirectoryWritableByOthers(mode: UInt32) throws {
        let server = try ControlServer.start(path: sandbox["d/e.sock"], handler: RecordingHandler())
        defer { server.stop() }
        chmod(sandbox["d"], mode)
        let problem = failure(server.path)
        #expect(problem == .sharedDirectory(path: server.path, directory: sandbox["d"], mode: mode))
        #expect(problem?.description.contains("chmod go-w \(sandbox["d"])") == true)
        #expect(failure(server.path, trust: EngineTrust(owners: [stranger])) == problem, "naming an owner does not make it safe")
        #expect(server.clientCount == 0)
        chmod(sandbox["d"], 0o1777)
        #expect(failure(server.path) == nil, "in a sticky one nobody can replace the socket")
        chmod(sandbox["d"], 0o755)
        #expect(failure(server.path) == nil)
    }

    @Test(.enabled(if: isRoot, "SKIPPED: changing owners needs root")) func theClientRefusesAnotherUsersDirectory() throws {
        let server = try ControlServer.start(path: sandbox["d/e.sock"], handler: RecordingHandler())
        defer { server.stop() }
        chown(sandbox["d"], stranger, stranger)
        let problem = failure(server.path)
        #expect(problem == .foreignDirectory(path: server.path, directory: sandbox["d"], owner: stranger))
        #expect(problem?.description.contains("--trust-owner \(stranger)") == true)
        #expect(server.clientCount == 0)
        #expect(failure(server.path, trust: EngineTrust(owners: [1])) == problem)
        #expect(failure(server.path, trust: EngineTrust(owners: [stranger])) == nil)
    }

    @Test(.enabled(if: isRoot, "SKIPPED: changing owners needs root")) func anEngineOfAnotherUserIsSentNothing() throws {
        let fake = try FakeEngine(sandbox["e.sock"], notes: sandbox["notes"], as: stranger)
        let problem = failure(sandbox["e.sock"])
        #expect(problem == .foreignEngine(path: sandbox["e.sock"], owner: stranger))
        for word in [sandbox["e.sock"], "uid \(stranger)", "nothing was sent", "--trust-owner \(stranger)"] {
            #expect(problem?.description.contains(word) == true, "\(String(describing: problem))")
        }
        #expect(fake.received.isEmpty, "not even hello")
        // Named, it is talked to; a fake does not answer.
        #expect(failure(sandbox["e.sock"], trust: EngineTrust(owners: [stranger])) == .connectTimedOut(path: sandbox["e.sock"], 2000))
        #expect(eventually { fake.received.contains("\"hello\"") })
    }

    @Test(.enabled(if: isRoot, "SKIPPED: changing owners needs root")) func aServerRefusesAnotherUsersDirectory() throws {
        mkdir(sandbox["d"], 0o700)
        chown(sandbox["d"], stranger, stranger)
        #expect(throws: ControlServerError.foreignDirectory(path: sandbox["d"], owner: stranger)) {
            try ControlServer.start(path: sandbox["d/e.sock"], handler: RecordingHandler())
        }
        #expect(access(sandbox["d/e.sock.lock"], F_OK) != 0)
    }
}

/// A socket that another user listens at, who notes what he is sent. SO_PEERCRED tells who the listener was when it began to listen, so that
/// takes a process of its own.
private final class FakeEngine {
    private let process: pid_t
    private let notes: String

    private static let program = """
        import os, socket, sys
        path, user, notes = sys.argv[1], int(sys.argv[2]), open(sys.argv[3], "wb", buffering=0)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        os.setgid(user)
        os.setuid(user)
        listener.listen(8)
        notes.write(b"ready\\n")
        while True:
            client, _ = listener.accept()
            while bytes := client.recv(4096): notes.write(bytes)
        """

    init(_ path: String, notes: String, as user: UInt32) throws {
        self.notes = notes
        let arguments: [String] = ["python3", "-c", Self.program, path, String(user), notes]
        let words = arguments.map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        var process = pid_t()
        try #require(posix_spawnp(&process, "python3", nil, nil, words, environ) == 0)
        self.process = process
        #expect(eventually { text.hasPrefix("ready\n") })
    }

    deinit {
        kill(process, SIGKILL)
        var status: Int32 = 0
        waitpid(process, &status, 0)
    }

    private var text: String {
        let descriptor = open(notes, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = read(descriptor, &bytes, bytes.count)
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }

    /// All that clients have sent so far.
    var received: String { String(text.dropFirst("ready\n".count)) }
}
