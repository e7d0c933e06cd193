/// The files of the AWS tools, `~/.aws/config` and `~/.aws/credentials`: sections of settings. Pure, lenient as those tools are.
struct ProfileFile: Equatable {
    /// By section as it is written ("default", "profile lab"), then by setting in lower case. A setting of a block is "s3.addressing_style".
    private(set) var sections: [String: [String: String]] = [:]

    init(_ text: String) {
        var section: String?
        var block: String?
        for line in text.split(whereSeparator: \.isNewline) {
            let bare = Self.trimmed(line)
            guard !bare.isEmpty, !bare.hasPrefix("#"), !bare.hasPrefix(";") else { continue }
            if bare.hasPrefix("[") {
                let name = bare.dropFirst().prefix { $0 != "]" }
                section = name.split(whereSeparator: { $0 == " " || $0 == "\t" }).joined(separator: " ")
                section.map { sections[$0, default: [:]].merge([:]) { first, _ in first } }
                block = nil
                continue
            }
            guard let section, let equals = bare.firstIndex(of: "=") else { continue }
            let name = Self.trimmed(bare[..<equals]).lowercased()
            let value = Self.withoutComment(Self.trimmed(bare[bare.index(after: equals)...]))
            let isIndented = line.first == " " || line.first == "\t"
            if isIndented, let block {
                sections[section]?["\(block).\(name)"] = value
            } else {
                block = value.isEmpty ? name : nil
                if !value.isEmpty { sections[section]?[name] = value }
            }
        }
    }

    private static func trimmed(_ text: some StringProtocol) -> String {
        var rest = Substring(text)
        while let first = rest.first, first.isWhitespace { rest.removeFirst() }
        while let last = rest.last, last.isWhitespace { rest.removeLast() }
        return String(rest)
    }

    private static func withoutComment(_ value: String) -> String {
        for mark in [" #", " ;"] {
            if let range = value.firstRange(of: mark) { return trimmed(value[..<range.lowerBound]) }
        }
        return value
    }
}

/// One profile, from both files.
struct AWSProfile: Equatable {
    var name: String
    /// Of `~/.aws/credentials`, which go before those of `~/.aws/config`.
    var credentials: [String: String]
    var config: [String: String]
    var exists: Bool

    subscript(_ setting: String) -> String? { credentials[setting] ?? config[setting] }
}

/// Both files of the AWS tools.
struct AWSProfiles: Equatable {
    private var config = ProfileFile("")
    private var credentials = ProfileFile("")
    let configPath: String
    let credentialsPath: String

    init(_ environment: CredentialEnvironment) throws(CredentialProblem) {
        configPath = environment.expanded(environment.variable("AWS_CONFIG_FILE") ?? "~/.aws/config")
        credentialsPath = environment.expanded(environment.variable("AWS_SHARED_CREDENTIALS_FILE") ?? "~/.aws/credentials")
        config = try Self.read(configPath, environment)
        credentials = try Self.read(credentialsPath, environment)
    }

    private static func read(_ path: String, _ environment: CredentialEnvironment) throws(CredentialProblem) -> ProfileFile {
        switch environment.file(path) {
        case .text(let text): return ProfileFile(text)
        case .missing: return ProfileFile("")
        case .unreadable(let reason): throw CredentialProblem("\(path) \(reason)", remedy: "make it readable for this user")
        }
    }

    func profile(_ name: String) -> AWSProfile {
        let fromConfig = config.sections["profile \(name)"] ?? (name == "default" ? config.sections["default"] : nil)
        let fromCredentials = credentials.sections[name]
        return AWSProfile(name: name, credentials: fromCredentials ?? [:], config: fromConfig ?? [:], exists: fromConfig != nil || fromCredentials != nil)
    }
}
