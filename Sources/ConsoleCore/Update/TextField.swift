import CellGrid

/// One line of text being typed. The cursor is always at its end.
struct TextField: Sendable, Equatable {
    private(set) var text = ""
    /// Characters that it takes.
    static let countMax = 512

    init(_ text: String = "") { insert(text) }

    var safe: SafeText { SafeText(text) }

    /// Scalars that are looked at: each character may carry marks.
    private static let scalarsMax = countMax * (1 + SafeText.marksMax)

    /// Takes typed or pasted text: its first line, without what a terminal would obey. A mark that comes as a key of its own joins the
    /// character before it.
    mutating func insert(_ pasted: String) {
        let line = pasted.unicodeScalars.prefix { $0 != "\n" && $0 != "\r" }.prefix(Self.scalarsMax)
        var whole = text.unicodeScalars
        whole.append(contentsOf: line)
        text = String(SafeText(String(whole), limit: .max).string.prefix(Self.countMax))
    }

    /// Whether a key is one for editing.
    static func edits(_ key: KeyPress) -> Bool {
        var field = TextField()
        return field.take(key)
    }

    /// Whether the key was one for editing.
    mutating func take(_ key: KeyPress) -> Bool {
        switch key {
        case .character(let scalar): insert(String(scalar))
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
