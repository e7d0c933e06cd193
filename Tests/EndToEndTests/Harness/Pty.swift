// A program on a pseudo-terminal: the test holds the other end, counts bytes and takes the time of each.

import Glibc

final class Pty {
    let id: pid_t
    /// When the program was started, just before.
    let startedAt: Double
    /// Everything that came, in order.
    private(set) var output: [UInt8] = []
    private let master: Int32
    /// Held open so that the line does not hang up with the program.
    private let slave: Int32
    private var isEnded = false

    init(_ executable: String, _ arguments: [String], environment: [String: String], columns: Int = 80, rows: Int = 24) {
        var ends: (master: Int32, slave: Int32) = (-1, -1)
        var window = winsize(ws_row: UInt16(rows), ws_col: UInt16(columns), ws_xpixel: 0, ws_ypixel: 0)
        var name = [CChar](repeating: 0, count: 128)
        guard openpty(&ends.master, &ends.slave, &name, nil, &window) == 0 else { fatalError("no pseudo-terminal: \(String(cString: strerror(errno)))") }
        (master, slave) = ends
        _ = fcntl(master, F_SETFD, FD_CLOEXEC)
        _ = fcntl(slave, F_SETFD, FD_CLOEXEC)
        let path = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        // The first terminal that the leader of a session opens becomes its controlling one.
        posix_spawn_file_actions_addopen(&actions, 0, path, O_RDWR, 0)
        posix_spawn_file_actions_adddup2(&actions, 0, 1)
        posix_spawn_file_actions_adddup2(&actions, 0, 2)
        startedAt = monotonicSeconds()
        id = spawn(executable, arguments, environment, &actions, inNewSession: true)
    }

    deinit {
        if !isEnded {
            kill(id, SIGKILL)
            var status: Int32 = 0
            waitpid(id, &status, 0)
        }
        close(master)
        close(slave)
    }

    func type(_ text: String) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(master, $0.baseAddress, $0.count) }
            guard count > 0 else { fatalError("the pseudo-terminal takes no input") }
            rest = rest.dropFirst(count)
        }
    }

    /// Reads what there is; waits for it so long. The count of bytes: 0 = nothing came.
    @discardableResult
    func read(within seconds: Double) -> Int {
        var descriptor = pollfd(fd: master, events: Int16(POLLIN), revents: 0)
        guard poll(&descriptor, 1, Int32((seconds * 1000).rounded(.up))) == 1, descriptor.revents & Int16(POLLIN) != 0 else { return 0 }
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = Glibc.read(master, &bytes, bytes.count)
        guard count > 0 else { return 0 }
        output += bytes.prefix(count)
        return count
    }

    /// Reads until `text` has come after the byte `start`; when that was.
    func time(of text: String, after start: Int = 0, within seconds: Double = 10) throws -> Double {
        let end = monotonicSeconds() + seconds
        while true {
            if contains(text, after: start) { return monotonicSeconds() }
            guard monotonicSeconds() < end else {
                throw DeadlinePassed(what: "\"\(text)\" on the line", seconds: seconds, evidence: String(decoding: output, as: UTF8.self).debugDescription)
            }
            read(within: 0.05)
        }
    }

    private func contains(_ text: String, after start: Int) -> Bool {
        String(decoding: output[min(start, output.count)...], as: UTF8.self).contains(text)
    }

    /// What came until nothing did for `quiet`.
    @discardableResult
    func burst(quiet: Double) -> Int {
        var total = 0
        while true {
            let count = read(within: quiet)
            guard count > 0 else { return total }
            total += count
        }
    }

    /// The bytes that come until then: one entry a read, with its time.
    func collect(for seconds: Double) -> [(at: Double, count: Int)] {
        let end = monotonicSeconds() + seconds
        var reads: [(at: Double, count: Int)] = []
        while monotonicSeconds() < end {
            let count = read(within: max(0.001, end - monotonicSeconds()))
            if count > 0 { reads.append((monotonicSeconds(), count)) }
        }
        return reads
    }

    /// Reads until the program has ended; its exit code, or 128 and its signal.
    func waitForEnd(_ seconds: Double = 10) throws -> Int32 {
        let deadline = monotonicSeconds() + seconds
        var status: Int32 = 0
        while waitpid(id, &status, WNOHANG) != id {
            guard monotonicSeconds() < deadline else { throw DeadlinePassed(what: "the end of the program", seconds: seconds, evidence: text) }
            read(within: 0.005)
        }
        isEnded = true
        burst(quiet: 0.01)
        return status & 0x7f == 0 ? status >> 8 & 0xff : 128 + status & 0x7f
    }

    /// Everything that came, as text.
    var text: String { String(decoding: output, as: UTF8.self) }

    /// Ends the program and waits for it.
    func end() {
        kill(id, SIGTERM)
        let deadline = monotonicSeconds() + 10
        var status: Int32 = 0
        while waitpid(id, &status, WNOHANG) != id {
            if monotonicSeconds() > deadline { kill(id, SIGKILL) }
            read(within: 0.005)
        }
        isEnded = true
    }
}
