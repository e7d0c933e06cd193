import CellGrid

/// One line of text being typed. The cursor is always at its end.
struct TextField: Sendable, Equatable {
    private(set) var text = ""
    /// Characters that it takes.
    static let countMax = 512

    init(_ text: String = "") { insert(text) }

    var safe: SafeText { SafeText(text) }

    /// Takes typed or pasted text: its first line, without what a terminal would obey.
    mutating func insert(_ pasted: String) {
        let line = pasted.unicodeScalars.prefix { $0 != "\n" && $0 != "\r" }
        let clean = SafeText(String(String.UnicodeScalarView(line)), limit: Self.countMax).string
        text.append(contentsOf: clean.prefix(Self.countMax - text.count))
    }

    /// Whether a key is one for editing.
    static func edits(_ key: KeyPress) -> Bool {
        var field = TextField()
        return field.take(key)
    }

    /// Whether the key was one for editing.
    mutating func take(_ key: KeyPress) -> Bool {
        switch key {
        case .character(let scalar): insert(String(Character(scalar)))
        case .named(.backspace), .control("h"): _ = text.popLast()
        case .control("u"): text = ""
        case .control("w"):
            while text.last == " " { text.removeLast() }
            while let last = text.last, last != " " { text.removeLast() }
        default: return false
        }
        return true
    }
}
