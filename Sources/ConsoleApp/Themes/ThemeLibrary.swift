public import ConsoleCore
internal import Glibc
public import HostEnvironment

/// Finds themes by name or path: the user's folders, the system's, those beside the sources of a checkout, and the compiled-in
/// ones. Reads files anew each time; used on any thread.
public struct ThemeLibrary: Sendable {
    /// Folders to look in, the first that has the name wins.
    public let folders: [String]
    private static let suffix = ".toml"

    public init(directories: BaseDirectories = BaseDirectories(), executablePath: String? = ProcessEnvironment.executablePath()) {
        folders =
            ([directories.configuration] + directories.data).map { $0 + "/weir/themes" }
            + (executablePath.flatMap(Self.checkoutFolder).map { [$0] } ?? [])
    }

    /// `themes` beside the Package.swift of the checkout that the executable was built in.
    private static func checkoutFolder(_ executable: String) -> String? {
        var directory = executable[...]
        while let slash = directory.lastIndex(of: "/") {
            directory = directory[..<slash]
            if access(directory + "/Package.swift", F_OK) == 0, access(directory + "/themes", F_OK) == 0 { return directory + "/themes" }
        }
        return nil
    }

    /// The theme of a name, or of a path (anything with "/" or ending in ".toml"). It knows where it comes from.
    public func load(_ nameOrPath: String) throws(ThemeError) -> Theme {
        var theme: Theme
        if let path = file(of: nameOrPath) {
            // Which files were read is known only when they have been.
            var files = [path]
            theme = try Theme.parse(bytes: try read(path), name: path) { name in
                guard let (path, text) = source(name) else { return nil }
                files.append(path)
                return text
            }
            theme.files = files
        } else if let builtin = Theme.builtin(nameOrPath) {
            theme = builtin
        } else {
            throw ThemeError(file: nameOrPath, line: nil, problem: "no such theme; there are \(names().joined(separator: ", "))")
        }
        theme.origin = nameOrPath
        return theme
    }

    /// A theme looked over: what is wrong with it.
    public func check(_ nameOrPath: String) throws(ThemeError) -> ThemeReport {
        let theme = try load(nameOrPath)
        guard let path = theme.files.first else { return theme.check(source: Theme.builtinSource(nameOrPath) ?? "", file: nameOrPath) }
        return theme.check(source: String(decoding: try read(path), as: UTF8.self), file: path)
    }

    /// The file of a name or a path; nil where only a compiled-in theme can have the name.
    private func file(of nameOrPath: String) -> String? {
        nameOrPath.contains("/") || nameOrPath.hasSuffix(Self.suffix) ? nameOrPath : path(of: nameOrPath)
    }

    /// All names, sorted; compiled-in ones included.
    public func names() -> [String] { Set(Theme.builtinNames + folders.flatMap(list)).sorted() }

    public func path(of name: String) -> String? {
        // A name is one file name: nothing that climbs out of the folder.
        guard !name.isEmpty, !name.hasPrefix(".") else { return nil }
        return folders.lazy.map { "\($0)/\(name)\(Self.suffix)" }.first { access($0, F_OK) == 0 }
    }

    /// Path and text of a theme that another inherits from; nil leaves it to the compiled-in ones.
    private func source(_ name: String) -> (path: String, text: String)? {
        guard !name.contains("/"), let path = path(of: name) else { return nil }
        // SmallFile.Failure: the parser reports an ancestor that cannot be read as unknown.
        return (try? SmallFile.read(path, limit: Theme.bytesMax)).flatMap { String(validating: $0, as: UTF8.self) }.map { (path, $0) }
    }

    private func read(_ path: String) throws(ThemeError) -> [UInt8] {
        do {
            return try SmallFile.read(path, limit: Theme.bytesMax)
        } catch {
            throw ThemeError(file: path, line: nil, problem: error.reason)
        }
    }

    private func list(_ folder: String) -> [String] {
        guard let directory = opendir(folder) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            if name.hasSuffix(Self.suffix), !name.hasPrefix(".") { names.append(String(name.dropLast(Self.suffix.count))) }
        }
        return names
    }
}
