internal import CellGrid
internal import SnapshotStorage

/// `[storage."s3://bucket/prefix"]`: how the snapshots below a place are reached. Secrets are named there, not written there.
enum StorageConfiguration {
    private static let keys = [
        "endpoint", "region", "profile", "ca", "path_style", "access_key", "secret_env", "secret_file", "secret_command", "token_env", "token_file",
        "token_command", "account_key_env", "account_key_file", "sas_env", "sas_file", "user", "anonymous", "entropy",
    ]

    static func settings(_ section: ConfigurationSection) throws(ConfigurationError) -> StorageSettings {
        var rules: [StorageRule] = []
        for name in section.keys {
            let rule = try rule(name, section)
            if let other = rules.first(where: { $0.prefix.canonical == rule.prefix.canonical }) {
                throw section.failure(name, "\(SafeText(other.prefix.text)) and \(SafeText(name)) are the same place; take one of them out")
            }
            rules.append(rule)
        }
        return StorageSettings(rules)
    }

    private static func rule(_ name: String, _ storage: ConfigurationSection) throws(ConfigurationError) -> StorageRule {
        var trimmed = name
        while trimmed.hasSuffix("/"), !trimmed.hasSuffix("://") { trimmed.removeLast() }
        let prefix: StorageLocation
        do throws(StorageFailure) { prefix = try StorageLocation(trimmed) } catch {
            throw storage.failure(name, "\(SafeText(name, limit: 100)): \(SafeText(error.problem)); write [storage.\"s3://bucket/prefix\"]")
        }
        guard prefix.store != .local else { throw storage.failure(name, "\(SafeText(name, limit: 100)): local files need no settings") }
        guard let section = try storage.section(name) else { throw storage.failure(name, "must be a table: [storage.\"s3://bucket/prefix\"]") }
        try section.checkKeys(keys)
        var rule = StorageRule(prefix)
        rule.endpoints = try endpoints(section)
        rule.region = try section.text("region")
        rule.profile = try section.text("profile")
        rule.authorityFile = try section.absolutePath("ca")
        rule.usesPathStyle = try section.truth("path_style")
        rule.accessKey = try section.text("access_key")
        rule.secret = try reference("secret", section)
        rule.token = try reference("token", section)
        rule.accountKey = try reference("account_key", section)
        rule.sharedAccessSignature = try reference("sas", section)
        rule.user = try section.text("user")
        rule.isAnonymous = try section.truth("anonymous") ?? false
        rule.entropy = try section.text("entropy").map { EntropyMarker($0) }
        guard (rule.accessKey == nil) == (rule.secret == nil) else {
            throw section.failure(
                rule.accessKey == nil ? "secret" : "access_key", "access_key and its secret (secret_env, secret_file, secret_command) go together")
        }
        if rule.accessKey != nil, rule.profile != nil { throw section.failure("profile", "access_key and profile exclude each other") }
        return rule
    }

    /// A URL, or several of NameNodes.
    private static func endpoints(_ section: ConfigurationSection) throws(ConfigurationError) -> [StorageEndpoint] {
        var endpoints: [StorageEndpoint] = []
        for text in try section.texts("endpoint") ?? [] {
            guard let endpoint = StorageEndpoint(text) else {
                throw section.failure("endpoint", "endpoint: \(SafeText(text, limit: 100)) is not a URL like https://host:port, without user and query")
            }
            endpoints.append(endpoint)
        }
        return endpoints
    }

    /// NAME_env, NAME_file or NAME_command.
    private static func reference(_ name: String, _ section: ConfigurationSection) throws(ConfigurationError) -> SecretReference? {
        let variable = try section.text(name + "_env"), file = try section.absolutePath(name + "_file"), command = try section.texts(name + "_command")
        guard [variable != nil, file != nil, command != nil].filter({ $0 }).count <= 1 else {
            throw section.failure(name, "\(name)_env, \(name)_file and \(name)_command exclude each other")
        }
        if let variable, !variable.utf8.allSatisfy({ (0x61...0x7a).contains($0 | 0x20) || (0x30...0x39).contains($0) || $0 == 0x5f }) {
            throw section.failure(name + "_env", "\(name)_env names an environment variable; the secret itself does not belong here")
        }
        if let command {
            guard let program = command.first, !program.isEmpty else {
                throw section.failure(name + "_command", "\(name)_command names a program and its arguments: [\"gcloud\", ...]")
            }
            return .command(command)
        }
        return variable.map { .environment($0) } ?? file.map { .file($0) }
    }
}
