// A server for secure shells on the loopback, for the user of the tests: its keys, its port and its configuration are its own, and it ends
// with the object.

import Glibc
import TestKit

final class SshServer {
    private let home: TestHome
    private let folder: String
    private let port: UInt16
    let process: ChildProcess

    /// Why none can be had here; nil = one was started, and ran a command.
    static let gap: String? = {
        for tool in ["sshd", "ssh", "ssh-keygen"] where Binaries.tool(tool) == nil { return "\(tool) is not installed (openssh-server, openssh-client)" }
        let home = TestHome()
        do {
            let server = try SshServer(home)
            let words = server.command("true")
            let child = ChildProcess(words[0], Array(words.dropFirst()), environment: home.environment())
            defer { withExtendedLifetime(server) {} }
            guard child.end(within: 20) == .exited(0) else { return "a server of one's own lets nobody in here: \(child.errors) \(server.process.errors)" }
            return nil
        } catch { return "\(error)" }
    }()

    init(_ home: TestHome) throws {
        guard let sshd = Binaries.tool("sshd"), let keygen = Binaries.tool("ssh-keygen") else { throw Broken("there is no sshd") }
        // A server of the superuser wants an empty directory here, which the service would make at boot.
        if geteuid() == 0, access("/run/sshd", F_OK) != 0 { mkdir("/run/sshd", 0o755) }
        self.home = home
        folder = home.folder("ssh")
        port = try Self.freePort()
        for name in ["host", "user"] {
            let child = ChildProcess(keygen, ["-q", "-t", "ed25519", "-N", "", "-f", "\(folder)/\(name)"], environment: home.environment())
            guard try child.finish(within: 20) == .exited(0) else { throw Broken(child.transcript) }
        }
        home.write("ssh/authorized", readFile(folder + "/user.pub"))
        let settings = home.write(
            "ssh/config",
            """
            ListenAddress 127.0.0.1
            Port \(port)
            HostKey \(folder)/host
            PidFile none
            AuthorizedKeysFile \(folder)/authorized
            StrictModes no
            UsePAM no
            UseDNS no
            PasswordAuthentication no
            KbdInteractiveAuthentication no
            PermitRootLogin prohibit-password
            PrintMotd no
            PrintLastLog no

            """)
        process = ChildProcess(sshd, ["-D", "-e", "-f", settings], environment: home.environment())
        try process.waitForErrors("Server listening on 127.0.0.1")
    }

    deinit {
        process.signal(SIGTERM)
        if process.end(within: 10) == nil { process.signal(SIGKILL) }
    }

    /// The processes of the server that serve a connection each; a server that shows its state as its name has no environment to know it by.
    var sessions: [pid_t] {
        /// "id (name) state parent ...": the name may hold blanks.
        func parent(_ id: pid_t) -> pid_t? {
            let facts = String(decoding: readFile("/proc/\(id)/stat"), as: UTF8.self)
            let words = facts.split(separator: ")").last?.split(separator: " ") ?? []
            return words.count > 1 && words[0] != "Z" ? pid_t(words[1]) : nil
        }
        let parents = listDirectory("/proc").compactMap { pid_t($0) }.reduce(into: [:]) { $0[$1] = parent($1) }
        let direct = parents.keys.filter { parents[$0] == process.id }
        let second = parents.keys.filter { id in parents[id].map { direct.contains($0) } ?? false && isServer(id) }
        return (direct + second).sorted()
    }

    private func isServer(_ id: pid_t) -> Bool { readFile("/proc/\(id)/comm").starts(with: Array("sshd".utf8)) }

    /// The client's command line that runs `remote` on a terminal at the other end.
    func command(_ remote: String) -> [String] {
        let user = getpwuid(geteuid()).map { String(cString: $0.pointee.pw_name) } ?? "root"
        return [
            Binaries.tool("ssh") ?? "ssh", "-tt", "-F", "none", "-p", "\(port)", "-i", "\(folder)/user", "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
            "-o",
            "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-e", "none", "\(user)@127.0.0.1", remote,
        ]
    }

    /// The same for a program that is to live in the home of the test.
    func command(_ program: [String]) -> [String] {
        var variables = home.environment()
        variables["TERM"] = nil
        let set = variables.map { "\($0.key)='\($0.value)'" }.sorted().joined(separator: " ")
        let script = home.write(
            "ssh/session",
            "exec env -i \(set) TERM=\"$TERM\" SSH_CONNECTION=\"$SSH_CONNECTION\" SSH_TTY=\"$SSH_TTY\" \(program.map { "'\($0)'" }.joined(separator: " "))\n")
        return command("exec sh \(script)")
    }

    private static func freePort() throws -> UInt16 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) == 0 ? getsockname(descriptor, $0, &length) : -1 }
        }
        guard result == 0 else { throw Broken("no free port: \(String(cString: strerror(errno)))") }
        return UInt16(bigEndian: address.sin_port)
    }
}
