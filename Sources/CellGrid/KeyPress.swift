/// One key as reported by the terminal, independent of its effect.
public enum KeyPress: Hashable, Sendable {
    public enum Named: String, Sendable, CaseIterable {
        case up, down, left, right, home, end, enter, backspace, tab, delete, insert
        case pageUp = "pgup"
        case pageDown = "pgdn"
        case escape = "esc"
        case backTab = "backtab"
    }
    /// A printable character, Space included; never a control character.
    case character(Unicode.Scalar)
    case named(Named)
    /// F1 is 1.
    case function(Int)
    /// Control and a letter, lower case: Ctrl-L is `control("l")`. Tab, Enter and Escape arrive as `named`.
    case control(Unicode.Scalar)

    /// Parses the output of `description`: "S", "space", "ctrl-l", "f5", "pgup". nil for anything else.
    public init?(_ text: String) {
        let scalars = Array(text.unicodeScalars)
        if scalars.count == 1, let only = scalars.first {
            guard only.value > 32, only.value != 127, !(0x80...0x9f).contains(only.value) else { return nil }
            self = .character(only)
            return
        }
        if text == "space" {
            self = .character(" ")
        } else if let named = Named(rawValue: text) {
            self = .named(named)
        } else if text.hasPrefix("ctrl-"), scalars.count == 6, let letter = scalars.last, ("a"..."z").contains(letter) {
            self = .control(letter)
        } else if text.hasPrefix("f"), let number = Int(text.dropFirst()), (1...63).contains(number), text == "f\(number)" {
            self = .function(number)
        } else {
            return nil
        }
    }
}

extension KeyPress: CustomStringConvertible {
    public var description: String {
        switch self {
        case .character(" "): "space"
        case .character(let scalar): String(Character(scalar))
        case .named(let name): name.rawValue
        case .function(let number): "f\(number)"
        case .control(let letter): "ctrl-\(letter)"
        }
    }
}
