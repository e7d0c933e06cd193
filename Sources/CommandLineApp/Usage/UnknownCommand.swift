internal import CellGrid

/// An unknown command, and the command that was probably meant.
public struct UnknownCommand: Error, CustomStringConvertible {
    public var description: String

    /// nil = the word may stand there: a command, a flag or nothing.
    public init?(_ word: String?, commands: [String]) {
        guard let word, !word.hasPrefix("-"), word != "help", !commands.contains(word) else { return nil }
        let name = SafeText(word, limit: 40)
        let nearest = commands.map { (command: $0, distance: Self.distance(word, $0)) }.min { $0.distance < $1.distance }
        if let nearest, nearest.distance <= max(1, min(3, word.count / 2)) {
            description = "no command '\(name)'; did you mean '\(nearest.command)'?"
        } else {
            description = "no command '\(name)'; `weir help` lists them"
        }
    }

    /// Insertions, deletions, replacements and swaps of neighbours that turn one word into the other; words are cut at 40 characters.
    static func distance(_ one: String, _ other: String) -> Int {
        let one = Array(one.prefix(40)), other = Array(other.prefix(40))
        var rows = [Array(0...other.count)]
        for (i, left) in one.enumerated() {
            var row = [i + 1]
            for (j, right) in other.enumerated() {
                var best = min(rows[i][j + 1] + 1, row[j] + 1, rows[i][j] + (left == right ? 0 : 1))
                if i > 0, j > 0, left == other[j - 1], one[i - 1] == right { best = min(best, rows[i - 1][j - 1] + 1) }
                row.append(best)
            }
            rows.append(row)
        }
        return rows[one.count][other.count]
    }
}
