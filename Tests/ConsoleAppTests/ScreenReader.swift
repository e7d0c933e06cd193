// A small terminal: understands what ncurses sends for xterm-256color and keeps the characters, so that tests can read the screen.
// A sequence that it does not know is kept in `unknown`, which tests hold empty.

struct ScreenReader {
    private(set) var columns: Int, rows: Int
    private(set) var unknown: [String] = []
    /// The alternate screen, the cursor, bracketed paste and the mouse, as last set.
    private(set) var isAlternate = false, isCursorVisible = true, isPasteBracketed = false, tellsMouse = false
    /// A sequence has set a colour (30-37, 38, 40-47, 48, 90-97, 100-107).
    private(set) var hasColor = false
    private var cells: [[Character]]
    private var row = 0, column = 0
    /// The rows that scroll.
    private var region: ClosedRange<Int>
    /// Bytes that came; those before `position` are taken.
    private var pending: [UInt8] = []
    private var position = 0
    private var lastCharacter: Character = " "

    init(columns: Int, rows: Int) {
        // A terminal that tells no size is taken for one of 80x24.
        let (columns, rows) = columns > 0 && rows > 0 ? (columns, rows) : (80, 24)
        (self.columns, self.rows) = (columns, rows)
        cells = Array(repeating: Array(repeating: " ", count: columns), count: rows)
        region = 0...rows - 1
    }

    /// The rows, without blanks at their ends. A wide character takes two cells, the second one empty.
    var lines: [String] {
        cells.map { line in
            var text = line.map { $0 == "\0" ? "" : String($0) }.joined()
            while text.last == " " { text.removeLast() }
            return text
        }
    }

    /// The rows by column; the second half of a wide character is "\0".
    var cellRows: [[Character]] { cells }

    var text: String { lines.joined(separator: "\n") }

    mutating func feed(_ bytes: ArraySlice<UInt8>) {
        pending.removeFirst(position)
        position = 0
        pending += bytes
        while let (count, token) = nextToken() {
            position += count
            take(token)
        }
    }

    private enum Token {
        case text(Character)
        case control(UInt8)
        case sequence(private: Bool, parameters: [Int], final: UInt8, text: String)
        case other(String)
    }

    /// The first whole token and its length; nil when more bytes are needed.
    private func nextToken() -> (Int, Token)? {
        let rest = pending[position...]
        guard let first = rest.first else { return nil }
        if first == 0x1b { return escape(rest) }
        if first < 0x20 || first == 0x7f { return (1, .control(first)) }
        let length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4
        guard rest.count >= length else { return nil }
        return (length, .text(String(decoding: rest.prefix(length), as: UTF8.self).first ?? "?"))
    }

    private func escape(_ rest: ArraySlice<UInt8>) -> (Int, Token)? {
        guard rest.count >= 2 else { return nil }
        let body = rest.dropFirst(2)
        func length(to end: Int) -> Int { end + 1 - rest.startIndex }
        switch rest[rest.startIndex + 1] {
        case 0x5b:
            guard let end = body.firstIndex(where: { (0x40...0x7e).contains($0) }) else { return nil }
            let text = String(decoding: body[..<end], as: UTF8.self)
            let parameters = text.drop { $0 == "?" }.split(separator: ";", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
            return (length(to: end), .sequence(private: text.hasPrefix("?"), parameters: parameters, final: pending[end], text: text))
        case 0x5d, 0x50:
            guard let end = body.indices.first(where: { pending[$0] == 0x07 || pending[$0] == 0x5c && pending[$0 - 1] == 0x1b }) else { return nil }
            return (length(to: end), .other("string"))
        case 0x28, 0x29:
            return rest.count >= 3 ? (3, .other("charset")) : nil
        case let code: return (2, .other(String(decoding: [code], as: UTF8.self)))
        }
    }

    private mutating func take(_ token: Token) {
        switch token {
        case .text(let character): put(character)
        case .control(0x0d): column = 0
        case .control(0x0a): lineFeed()
        case .control(0x08): column = max(0, column - 1)
        case .control(0x07): break
        case .control(let code): unknown.append("control \(code)")
        case .sequence(true, let parameters, let final, _): setMode(parameters, isOn: final == 0x68)
        case .sequence(_, let parameters, let final, let text): act(parameters, final, text)
        case .other("M"): if row == region.lowerBound { scroll(region, by: -1) } else { row = max(0, row - 1) }
        case .other("string"), .other("charset"), .other("="), .other(">"): break
        case .other(let text): unknown.append("escape \(text)")
        }
    }

    private mutating func put(_ character: Character) {
        if let scalar = character.unicodeScalars.first, (0x300...0x36f).contains(scalar.value) {
            // A combining mark joins the character before it.
            let before = max(0, column - 1)
            cells[row][before] = Character(String(cells[row][before]) + String(character))
            return
        }
        let isWide =
            character.unicodeScalars.first.map {
                (0x1100...0x115f).contains($0.value) || (0x2e80...0xffdc).contains($0.value) && !(0xfb00...0xfe2f).contains($0.value)
            } ?? false
        if column >= columns {
            column = 0
            lineFeed()
        }
        cells[row][column] = character
        if isWide, column + 1 < columns { cells[row][column + 1] = "\0" }
        column += isWide ? 2 : 1
        lastCharacter = character
    }

    private mutating func lineFeed() {
        if row == region.upperBound { scroll(region, by: 1) } else { row = min(rows - 1, row + 1) }
    }

    /// Moves rows up, or down where `count` is negative; blank rows come in.
    private mutating func scroll(_ part: ClosedRange<Int>, by count: Int) {
        for _ in 0..<min(abs(count), part.count) {
            cells.remove(at: count > 0 ? part.lowerBound : part.upperBound)
            cells.insert(Array(repeating: " ", count: columns), at: count > 0 ? part.upperBound : part.lowerBound)
        }
    }

    private mutating func setRegion(_ parameters: [Int]) {
        let first = max(1, parameters.first ?? 1), last = parameters.count > 1 && parameters[1] > 0 ? min(rows, parameters[1]) : rows
        region = first < last ? first - 1...last - 1 : 0...rows - 1
        (row, column) = (0, 0)
    }

    private mutating func setMode(_ parameters: [Int], isOn: Bool) {
        for parameter in parameters {
            switch parameter {
            case 1049: isAlternate = isOn
            case 25: isCursorVisible = isOn
            case 2004: isPasteBracketed = isOn
            case 1000: tellsMouse = isOn
            default: break
            }
        }
    }

    private mutating func act(_ parameters: [Int], _ final: UInt8, _ text: String) {
        let count = max(1, parameters.first ?? 1)
        switch Character(Unicode.Scalar(final)) {
        case "H":
            row = min(rows, max(1, parameters.first ?? 1)) - 1
            column = min(columns, max(1, parameters.count > 1 ? parameters[1] : 1)) - 1
        case "d": row = min(rows, count) - 1
        case "G": column = min(columns, count) - 1
        case "A": row = max(0, row - count)
        case "B": row = min(rows - 1, row + count)
        case "C": column = min(columns - 1, column + count)
        case "D": column = max(0, column - count)
        case "J": erase(parameters.first ?? 0)
        case "K":
            let range = (parameters.first ?? 0) == 1 ? 0..<min(columns, column + 1) : min(column, columns)..<columns
            for place in range { cells[row][place] = " " }
        case "X": for place in column..<min(columns, column + count) { cells[row][place] = " " }
        case "b": for _ in 0..<count { put(lastCharacter) }
        case "@":
            cells[row].insert(contentsOf: Array(repeating: " ", count: count), at: min(column, columns))
            cells[row] = Array(cells[row].prefix(columns))
        case "P":
            cells[row].removeSubrange(column..<min(columns, column + count))
            cells[row] += Array(repeating: " ", count: columns - cells[row].count)
        case "L": if region.contains(row) { scroll(row...region.upperBound, by: -count) }
        case "M": if region.contains(row) { scroll(row...region.upperBound, by: count) }
        case "S": scroll(region, by: count)
        case "T": scroll(region, by: -count)
        case "r": setRegion(parameters)
        case "m": noteColors(parameters)
        case "h", "l", "t": break
        default: unknown.append("sequence \(text)\(Character(Unicode.Scalar(final)))")
        }
    }

    private mutating func erase(_ part: Int) {
        if part == 2 || part == 3 {
            cells = Array(repeating: Array(repeating: " ", count: columns), count: rows)
        } else if part == 0 {
            for place in min(column, columns)..<columns { cells[row][place] = " " }
            for line in min(row + 1, rows)..<rows { cells[line] = Array(repeating: " ", count: columns) }
        } else {
            unknown.append("erase \(part)")
        }
    }

    private mutating func noteColors(_ parameters: [Int]) {
        for parameter in parameters {
            if (30...38).contains(parameter) || (40...48).contains(parameter) || (90...97).contains(parameter) || (100...107).contains(parameter) {
                hasColor = true
            }
        }
    }
}
