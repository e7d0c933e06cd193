/// A regular expression that takes time in proportion to the text, whatever is typed into it: no expression can stop the console.
///
/// It knows literals, ".", classes ("[a-z]", "[^0-9]", "\d \w \s"), "*", "+", "?", "|", groups, "^" and "$". Matching is by letters
/// without regard to case. States are followed side by side; there are no captures and no back references.
struct LinearPattern: Sendable {
    /// The reason that an expression cannot be used: one line.
    struct Problem: Error, Equatable {
        let text: String
    }

    /// Longest expression in characters.
    static let lengthMax = 200

    private enum Step: Sendable {
        case take(ScalarSet)
        case start, end
        case split(Int, Int)
        case jump(Int)
        case accept
    }

    private let steps: [Step]

    init(_ expression: String) throws(Problem) {
        let scalars = Array(expression.lowercased().unicodeScalars)
        guard scalars.count <= Self.lengthMax else { throw Problem(text: "the expression is longer than \(Self.lengthMax) characters") }
        var compiler = Compiler(scalars)
        steps = try compiler.compile()
    }

    /// Whether it matches anywhere in the text.
    func matches(_ text: String) -> Bool {
        var current = [Int](), next = [Int](), seen = [Bool](repeating: false, count: steps.count)
        let scalars = Array(text.lowercased().unicodeScalars)
        for position in 0...scalars.count {
            // A match may begin at every place.
            add(0, position, scalars.count, &current, &seen)
            if current.contains(where: { if case .accept = steps[$0] { true } else { false } }) { return true }
            guard position < scalars.count else { return false }
            for index in seen.indices { seen[index] = false }
            for index in current {
                if case .take(let set) = steps[index], set.contains(scalars[position]) { add(index + 1, position + 1, scalars.count, &next, &seen) }
            }
            (current, next) = (next, [])
        }
        return false
    }

    /// Follows the steps that take nothing.
    private func add(_ index: Int, _ position: Int, _ count: Int, _ list: inout [Int], _ seen: inout [Bool]) {
        var open = [index]
        while let step = open.popLast() {
            guard !seen[step] else { continue }
            seen[step] = true
            switch steps[step] {
            case .jump(let to): open.append(to)
            case .split(let first, let second):
                open.append(second)
                open.append(first)
            case .start: if position == 0 { open.append(step + 1) }
            case .end: if position == count { open.append(step + 1) }
            case .take, .accept: list.append(step)
            }
        }
    }

    /// A set of scalars: ranges, perhaps turned round.
    struct ScalarSet: Sendable {
        var ranges: [ClosedRange<UInt32>]
        var isInverse = false

        func contains(_ scalar: Unicode.Scalar) -> Bool { ranges.contains { $0.contains(scalar.value) } != isInverse }

        static func one(_ scalar: Unicode.Scalar) -> ScalarSet { ScalarSet(ranges: [scalar.value...scalar.value]) }
        static let any = ScalarSet(ranges: [], isInverse: true)
        static let digits: [ClosedRange<UInt32>] = [0x30...0x39]
        static let words: [ClosedRange<UInt32>] = [0x30...0x39, 0x5f...0x5f, 0x61...0x7a]
        static let spaces: [ClosedRange<UInt32>] = [0x09...0x0d, 0x20...0x20]
    }

    /// By recursive descent: alternatives of sequences of repeated atoms. Depth is bounded by the length of the expression.
    private struct Compiler {
        private let scalars: [Unicode.Scalar]
        private var position = 0

        init(_ scalars: [Unicode.Scalar]) { self.scalars = scalars }

        mutating func compile() throws(Problem) -> [Step] {
            let body = try alternatives()
            guard position == scalars.count else { throw Problem(text: "an unmatched )") }
            return body + [.accept]
        }

        private var peek: Unicode.Scalar? { position < scalars.count ? scalars[position] : nil }

        private mutating func alternatives() throws(Problem) -> [Step] {
            var code = try sequence()
            while peek == "|" {
                position += 1
                let other = try sequence()
                // split over the first, which jumps over the second.
                code = [.split(1, code.count + 2)] + shifted(code, by: 1) + [.jump(code.count + other.count + 2)] + shifted(other, by: code.count + 2)
            }
            return code
        }

        private mutating func sequence() throws(Problem) -> [Step] {
            var code: [Step] = []
            while let next = peek, next != "|", next != ")" {
                code += shifted(try repeated(), by: code.count)
            }
            return code
        }

        private mutating func repeated() throws(Problem) -> [Step] {
            var atom = try self.atom()
            while let sign = peek, sign == "*" || sign == "+" || sign == "?" {
                position += 1
                let count = atom.count
                switch sign {
                case "*": atom = [.split(1, count + 2)] + shifted(atom, by: 1) + [.jump(0)]
                case "+": atom += [.split(0, count + 1)]
                default: atom = [.split(1, count + 1)] + shifted(atom, by: 1)
                }
            }
            return atom
        }

        private mutating func atom() throws(Problem) -> [Step] {
            guard let scalar = peek else { throw Problem(text: "the expression ends too early") }
            position += 1
            switch scalar {
            case "(":
                let inner = try alternatives()
                guard peek == ")" else { throw Problem(text: "an unmatched (") }
                position += 1
                return inner
            case "*", "+", "?": throw Problem(text: "nothing before \(scalar) to repeat")
            case ".": return [.take(.any)]
            case "^": return [.start]
            case "$": return [.end]
            case "[": return [.take(try set())]
            case "\\": return [.take(try escape())]
            default: return [.take(.one(scalar))]
            }
        }

        private mutating func escape() throws(Problem) -> ScalarSet {
            guard let scalar = peek else { throw Problem(text: "nothing after \\") }
            position += 1
            switch scalar {
            case "d": return ScalarSet(ranges: ScalarSet.digits)
            case "w": return ScalarSet(ranges: ScalarSet.words)
            case "s": return ScalarSet(ranges: ScalarSet.spaces)
            default: return .one(scalar)
            }
        }

        private mutating func set() throws(Problem) -> ScalarSet {
            var set = ScalarSet(ranges: [])
            if peek == "^" {
                set.isInverse = true
                position += 1
            }
            var isFirst = true
            while let scalar = peek, scalar != "]" || isFirst {
                isFirst = false
                position += 1
                if scalar == "\\" {
                    set.ranges += try escape().ranges
                } else if peek == "-", position + 1 < scalars.count, scalars[position + 1] != "]" {
                    let last = scalars[position + 1]
                    guard scalar.value <= last.value else { throw Problem(text: "the range \(scalar)-\(last) is upside down") }
                    set.ranges.append(scalar.value...last.value)
                    position += 2
                } else {
                    set.ranges.append(scalar.value...scalar.value)
                }
            }
            guard peek == "]" else { throw Problem(text: "an unmatched [") }
            position += 1
            return set
        }

        /// Code moved to another place: its targets move along.
        private func shifted(_ code: [Step], by offset: Int) -> [Step] {
            code.map { step in
                switch step {
                case .split(let first, let second): .split(first + offset, second + offset)
                case .jump(let to): .jump(to + offset)
                default: step
                }
            }
        }
    }
}
