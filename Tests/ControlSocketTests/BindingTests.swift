// Goal: a server takes its path only when that is safe, says what stands in the way, and never removes what is not its own.
// Method: real sockets in a private directory, one situation each.

import ControlProtocol
import ControlSocket
import Glibc
import Synchronization
import TestKit
import Testing

private func mode(_ path: String) -> UInt32 {
    var facts = stat()
    return lstat(path, &facts) == 0 ? facts.st_mode & 0o7777 : 0
}

private func exists(_ path: String) -> Bool {
    var facts = stat()
    return lstat(path, &facts) == 0
}

/// Leaves a socket that nobody listens at.
private func leaveStaleSocket(at path: String) {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    _ = withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
    }
    close(descriptor)
}

@Suite struct BindingTests {
    private let sandbox = Sandbox()

    private func start(_ path: String, viewer: String? = nil) throws(ControlServerError) -> ControlServer {
        try ControlServer.start(path: path, viewerPath: viewer, handler: RecordingHandler())
    }

    @Test func modesAndRemoval() throws {
        let path = sandbox["a/b/engine.sock"], viewer = sandbox["a/b/viewer.sock"]
        let old = umask(0)
        defer { umask(old) }
        let server = try start(path, viewer: viewer)
        #expect(mode(path) == 0o600)
        #expect(mode(viewer) == 0o660)
        #expect(mode(sandbox["a"]) == 0o700)
        #expect(mode(sandbox["a/b"]) == 0o700)
        server.stop()
        #expect(!exists(path) && !exists(viewer))
        server.stop()
        try start(path).stop()
    }

    @Test func aStaleSocketIsReplaced() throws {
        let path = sandbox["engine.sock"]
        leaveStaleSocket(at: path)
        #expect(throws: ControlClientError.notListening(path: path)) { try ControlClient.connectAndWait(path: path, client: "test") }
        let server = try start(path)
        #expect(RawClient(path) != nil)
        server.stop()
    }

    @Test func aLiveSocketIsRefusedWithItsProcess() throws {
        let path = sandbox["engine.sock"]
        let server = try start(path)
        let second = #expect(throws: ControlServerError.self) { try start(path) }
        #expect(second == .live(path: path, processID: getpid()))
        #expect(second?.description.contains("pid \(getpid())") == true)
        // Also when the lock file is gone and only the socket tells.
        unlink(path + ".lock")
        #expect(throws: ControlServerError.live(path: path, processID: getpid())) { try start(path) }
        #expect(RawClient(path) != nil, "the first still serves")
        server.stop()
    }

    @Test(arguments: ["file", "directory", "link", "dangling link", "fifo"]) func otherEntriesAreLeftAlone(kind: String) throws {
        let path = sandbox["engine.sock"]
        switch kind {
        case "file": close(open(path, O_CREAT | O_WRONLY, 0o600))
        case "directory": mkdir(path, 0o700)
        case "fifo": mkfifo(path, 0o600)
        default:
            if kind == "link" { leaveStaleSocket(at: sandbox["other.sock"]) }
            symlink(sandbox["other.sock"], path)
        }
        let error = #expect(throws: ControlServerError.self) { try start(path) }
        guard case .notASocket(path, _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(exists(path))
        if kind == "file" {
            #expect(throws: ControlClientError.notASocket(path: path)) { try ControlClient.connectAndWait(path: path, client: "test") }
        }
    }

    @Test func lengthOfThePath() throws {
        let room = 107 - sandbox.path.utf8.count - 1
        let longest = sandbox[String(repeating: "s", count: room)]
        #expect(longest.utf8.count == 107)
        let server = try start(longest)
        #expect(try ControlClient.connectAndWait(path: longest, client: "test").hello.version == 1)
        server.stop()
        for extra in 1...2 {
            let path = longest + String(repeating: "s", count: extra)
            #expect(throws: ControlServerError.pathTooLong(path: path, length: 107 + extra)) { try start(path) }
            #expect(throws: ControlClientError.pathTooLong(path: path, length: 107 + extra)) {
                try ControlClient.connectAndWait(path: path, client: "test")
            }
            #expect(!exists(path + ".lock"))
        }
    }

    @Test func aDirectoryWritableByOthersIsRefused() throws {
        let directory = sandbox["shared"]
        mkdir(directory, 0o700)
        chmod(directory, 0o777)
        #expect(throws: ControlServerError.sharedDirectory(path: directory, mode: 0o777)) { try start(directory + "/engine.sock") }
        chmod(directory, 0o755)
        try start(directory + "/engine.sock").stop()
    }

    @Test(.enabled(if: geteuid() != 0)) func anotherUsersDirectoryIsRefused() {
        #expect(throws: ControlServerError.foreignDirectory(path: "/run", owner: 0)) { try start("/run/engine.sock") }
    }

    @Test func noSocketAtAll() {
        let path = sandbox["none.sock"]
        #expect(throws: ControlClientError.noSocket(path: path)) { try ControlClient.connectAndWait(path: path, client: "test") }
    }

    @Test func oneOfManySimultaneousServersWins() throws {
        let path = sandbox["engine.sock"]
        leaveStaleSocket(at: path)
        for _ in 0..<20 {
            let outcome = Mutex<(servers: [ControlServer], refusals: Int)>(([], 0))
            withThreads(4) {
                do throws(ControlServerError) {
                    let server = try start(path)
                    outcome.withLock { $0.servers.append(server) }
                } catch {
                    if case .live = error { outcome.withLock { $0.refusals += 1 } }
                }
            }
            let (servers, refusals) = outcome.withLock { $0 }
            #expect(servers.count == 1)
            #expect(refusals == 3)
            #expect(RawClient(path) != nil)
            for server in servers { server.stop() }
            #expect(!exists(path))
        }
    }

    @Test func aReplacementSocketIsNotRemoved() throws {
        let path = sandbox["engine.sock"]
        let server = try start(path)
        unlink(path)
        leaveStaleSocket(at: path)
        server.stop()
        #expect(exists(path))
    }

    @Test func theStandardPath() {
        #expect(SocketPath.standard { $0 == "XDG_RUNTIME_DIR" ? "/run/user/7" : nil } == "/run/user/7/weir/engine.sock")
        let without = SocketPath.standard { _ in nil }
        #expect(["/run/user/\(geteuid())/weir/engine.sock", "/tmp/weir-\(geteuid())/engine.sock"].contains(without))
    }
}

/// Runs `body` on several threads at once and waits for all.
private func withThreads(_ count: Int, _ body: @escaping @Sendable () -> Void) {
    final class Work: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    var threads: [pthread_t] = []
    for _ in 0..<count {
        var thread = pthread_t()
        let work = Unmanaged.passRetained(Work(body))
        pthread_create(
            &thread, nil,
            {
                Unmanaged<Work>.fromOpaque($0!).takeRetainedValue().body(); return nil
            }, work.toOpaque())
        threads.append(thread)
    }
    for thread in threads { pthread_join(thread, nil) }
}
