import CellGrid

/// A string as one word of a POSIX shell, without control characters.
struct ShellWord: CustomStringConvertible {
    let description: String

    init(_ text: String) {
        let safe = SafeText(text).string
        let isPlain =
            !safe.isEmpty
            && safe.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte) || "-_./:@%+=,".utf8.contains(byte)
            }
        description = isPlain ? safe : "'" + safe.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }
}
