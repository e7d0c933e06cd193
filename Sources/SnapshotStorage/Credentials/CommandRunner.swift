internal import Glibc
internal import HostEnvironment
internal import StreamModel

/// Runs a program that writes credentials to its standard output. What it writes is shown to nobody.
enum CommandRunner {
    static let outputMax = 64 << 10

    static func output(of words: [String], by deadline: EngineInstant) throws(CredentialProblem) -> [UInt8] {
        do throws(ProgramOutput.Failure) { return try ProgramOutput.of(words, by: deadline, limit: outputMax) } catch {
            throw CredentialProblem("the command \(words.first ?? "") \(error)", remedy: "run it by hand to see why")
        }
    }
}

extension SecretReference {
    /// The secret itself: of a file or a command its first line.
    func reveal(_ environment: CredentialEnvironment, by deadline: EngineInstant) throws(CredentialProblem) -> Secret {
        let text: String
        switch self {
        case .environment(let name):
            guard let value = environment.variable(name) else {
                throw CredentialProblem("the variable \(name) is not set", remedy: "set it, or name another one")
            }
            text = value
        case .file(let path):
            switch environment.file(environment.expanded(path)) {
            case .text(let content): text = content
            case .missing: throw CredentialProblem("there is no file \(path)", remedy: "correct the path")
            case .unreadable(let reason): throw CredentialProblem("\(path) \(reason)", remedy: "make it readable for this user")
            }
        case .command(let words): text = String(decoding: try CommandRunner.output(of: words, by: deadline), as: UTF8.self)
        }
        let line = text.drop(while: \.isWhitespace).prefix { !$0.isNewline }
        let value = String(line.reversed().drop(while: \.isWhitespace).reversed())
        guard !value.isEmpty, value.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
            throw CredentialProblem("\(self) has no secret in its first line, or one with spaces", remedy: "correct it")
        }
        return Secret(value)
    }
}

extension CredentialEnvironment {
    /// Of this process and this machine.
    public static let process = CredentialEnvironment(
        variable: { ProcessEnvironment.variable($0) },
        file: { path in
            // Kubernetes' tokens are links, and so are many people's dot files.
            guard let real = realpath(path, nil) else { return errno == ENOENT || errno == ENOTDIR ? .missing : .unreadable(String(cString: strerror(errno))) }
            defer { free(real) }
            do throws(SmallFile.Failure) {
                let bytes = try SmallFile.read(String(cString: real), limit: 1 << 20)
                guard let text = String(validating: bytes, as: UTF8.self) else { return .unreadable("is not UTF-8") }
                return .text(text)
            } catch .missing { return .missing } catch { return .unreadable(error.reason) }
        })
}
