import ArgumentParser
import CellGrid
import CursesTerminal
import Glibc

struct HostileStrings: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hostile", abstract: "Paints strings that try to drive the terminal, and reads every byte that reaches it.",
        discussion: """
            The painter of the console runs on a pseudo-terminal of 80x24; whoever stands at the other end takes nothing but text and the few \
            kinds of sequences that painting needs. Ends with 1 at the first byte of another kind, and says which.
            Example: weir-bench hostile --count 1000000
            """)

    @Option(help: "Strings to paint.") var count = 100_000
    @Option(help: "Seed of the strings.") var seed: UInt64 = 1
    @Flag(help: .hidden) var paints = false

    func validate() throws {
        guard (1...100_000_000).contains(count) else { throw ValidationError("--count must be 1 to 100000000") }
    }

    func run() throws {
        guard !paints else { return try paint() }
        var buffer = [CChar](repeating: 0, count: 4096)
        let length = readlink("/proc/self/exe", &buffer, buffer.count)
        let own = String(decoding: buffer.prefix(max(0, length)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        try checkReader()
        let start = monotonicSeconds()
        let painter = try PtyRecorder(
            [own, "hostile", "--paints", "--count", "\(count)", "--seed", "\(seed)"],
            environment: ["TERM": "xterm-256color", "LANG": "C.UTF-8", "PATH": "/usr/bin:/bin"])
        var grammar = TerminalGrammar()
        var tail: [UInt8] = []
        while let bytes = painter.next(within: 30) {
            tail = Array((tail + bytes).suffix(200))
            if let problem = grammar.take(bytes) {
                print("hostile seed \(seed) byte \(grammar.offset): \(problem)")
                throw ExitCode(1)
            }
        }
        guard String(decoding: tail, as: UTF8.self).contains(Self.end) else {
            print("hostile seed \(seed): the painter ended early, after \(grammar.offset) bytes")
            throw ExitCode(1)
        }
        let took = monotonicSeconds() - start
        print("hostile strings \(count) seed \(seed) bytes \(grammar.offset) sequences \(grammar.sequences) seconds \(rounded(took)) other_bytes 0")
    }

    /// Checks that the reader refuses each of these: one that accepts everything proves nothing.
    private func checkReader() throws {
        let refused = [
            "\u{1b}]52;c;x\u{7}", "\u{1b}]0;x\u{7}", "\u{1b}P$qm\u{1b}\\", "\u{1b}_x\u{1b}\\", "\u{1b}[6n", "\u{1b}[21t", "\u{1b}[5i", "\u{1b}[c",
            "\u{1b}[?1000h", "\u{1b}c",
            "\u{1b}#8", "\u{9b}31m", "\u{7}", "\u{e}", "\u{7f}", "\u{202e}", "\u{200b}", "\u{feff}", "\u{e0041}", "\u{e000}",
        ]
        for text in refused {
            var grammar = TerminalGrammar()
            guard grammar.take(Array(text.utf8)) != nil else { throw ValidationError("the reader takes \(text.debugDescription)") }
        }
    }

    private static let end = "the painter has painted all"

    /// Paints one frame of strings after the other, each string on its own row.
    private func paint() throws {
        let terminal: CursesTerminal
        do throws(TerminalError) { terminal = try CursesTerminal() } catch { throw ValidationError("\(error)") }
        var random = HostileGenerator(state: seed)
        var left = count
        while left > 0 {
            var canvas = Canvas(size: terminal.size, glyphs: terminal.glyphs)
            for row in 0..<min(left, canvas.size.rows) { canvas.put(random.text(), column: Int(random.next() % 4), row: row) }
            left -= min(left, canvas.size.rows)
            show(canvas.buffer, on: terminal)
        }
        terminal.close()
        print(Self.end)
    }

    private func show(_ frame: CellBuffer, on terminal: CursesTerminal) {
        while !terminal.paint(frame, .plain) {
            var line = pollfd(fd: STDOUT_FILENO, events: Int16(POLLOUT), revents: 0)
            poll(&line, 1, 1000)
        }
    }
}

/// Strings that an attacker might use as job names.
private struct HostileGenerator {
    var state: UInt64

    /// SplitMix64.
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    private static let pieces: [String] = [
        "\u{1b}]52;c;cm0gLXJmIC8=\u{7}", "\u{1b}]0;owned\u{7}", "\u{1b}]8;;http://x\u{1b}\\link\u{1b}]8;;\u{1b}\\", "\u{1b}[2J", "\u{1b}[1;1H", "\u{1b}c",
        "\u{1b}[6n", "\u{1b}[21t", "\u{1b}P$qm\u{1b}\\", "\u{1b}_x\u{1b}\\", "\u{1b}^x\u{1b}\\", "\u{1b}X", "\u{1b}(0", "\u{1b}#8", "\u{1b}[?1049l",
        "\u{1b}[5i",
        "\u{1b}[31", "\u{1b}", "\u{9b}31m", "\u{9d}0;x\u{9c}", "\u{90}x\u{9c}", "\u{85}", "\u{8d}", "\u{0}", "\u{7}", "\u{8}\u{8}\u{8}", "\r\n", "\t", "\u{b}",
        "\u{c}",
        "\u{e}", "\u{f}", "\u{18}", "\u{1a}", "\u{7f}", "\u{202e}", "\u{2066}", "\u{200b}", "\u{200d}", "\u{feff}", "\u{fe0f}", "\u{e0041}", "\u{2028}",
        "\u{ad}",
        "\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}", "\u{53d7}\u{6ce8}", "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}", "\u{1f1e9}\u{1f1ea}",
        "\u{fdfd}",
        "\u{1160}", "\u{3164}", "\u{e000}", "\u{10ffff}", "job", "orders ", "%s%n", "../../etc/passwd", "\u{fffd}",
    ]

    mutating func text() -> SafeText {
        var bytes: [UInt8] = []
        for _ in 0..<(1 + next() % 8) {
            switch next() % 8 {
            case 0...4: bytes += Array(Self.pieces[Int(next() % UInt64(Self.pieces.count))].utf8)
            // Any scalar.
            case 5...6: if let scalar = Unicode.Scalar(UInt32(next() % 0x11_0000)) { bytes += Array(String(scalar).utf8) }
            // Invalid UTF-8.
            default: for _ in 0..<(1 + next() % 4) { bytes.append(UInt8(truncatingIfNeeded: next())) }
            }
        }
        return SafeText(bytes: bytes)
    }
}

/// Output allowed from the painter to an xterm-256color: text in UTF-8 without controls, and the sequences of its terminfo entry that place, erase,
/// colour and repeat. Nothing that sets a title, writes a clipboard, queries the terminal, or changes its modes beyond those of full-screen
/// drawing.
struct TerminalGrammar {
    private(set) var offset = 0
    private(set) var sequences = 0
    private var state = State.text
    private var parameters: [UInt8] = []
    /// Outstanding bytes of a character, and its value so far.
    private var continuation = 0
    private var scalar: UInt32 = 0

    private enum State { case text, escape, charset, control }

    /// Final bytes of control sequences: moves, erasing, inserting and deleting, repeating, attributes, the scrolling region.
    private static let finals = Set("ABCDGHJKLMPSTXbdfmr@`".utf8)
    /// Modes that full-screen drawing sets and resets.
    private static let modes: Set<String> = ["?1", "?7", "?12", "?25", "?12;25", "?1049", "?2004", "4", "?1h", "22;0;0", "23;0;0"]

    /// Takes bytes in order; returns a sentence about the first forbidden one.
    mutating func take(_ bytes: [UInt8]) -> String? {
        for byte in bytes {
            offset += 1
            if let problem = take(byte) { return problem }
        }
        return nil
    }

    private mutating func take(_ byte: UInt8) -> String? {
        switch state {
        case .text: return text(byte)
        case .escape:
            state = .text
            switch byte {
            case UInt8(ascii: "["): (state, parameters) = (.control, [])
            case UInt8(ascii: "("), UInt8(ascii: ")"): state = .charset
            // Keypad modes, saving and restoring the cursor, one row up.
            case UInt8(ascii: "="), UInt8(ascii: ">"), UInt8(ascii: "7"), UInt8(ascii: "8"), UInt8(ascii: "M"): sequences += 1
            default: return "ESC \(hex(byte))"
            }
        case .charset:
            state = .text
            sequences += 1
            guard byte == UInt8(ascii: "B") || byte == UInt8(ascii: "0") else { return "ESC ( \(hex(byte))" }
        case .control:
            if (0x30...0x3f).contains(byte) {
                parameters.append(byte)
                return parameters.count > 32 ? "a control sequence of more than 32 parameters' bytes" : nil
            }
            state = .text
            sequences += 1
            let words = String(decoding: parameters, as: UTF8.self)
            if byte == UInt8(ascii: "h") || byte == UInt8(ascii: "l") || byte == UInt8(ascii: "t") {
                return Self.modes.contains(words) ? nil : "CSI \(words) \(hex(byte))"
            }
            let isPlain = parameters.allSatisfy { (0x30...0x3b).contains($0) }
            return Self.finals.contains(byte) && isPlain ? nil : "CSI \(words) \(hex(byte))"
        }
        return nil
    }

    private mutating func text(_ byte: UInt8) -> String? {
        if continuation > 0 {
            guard byte & 0xc0 == 0x80 else { return "a character that is cut off by \(hex(byte))" }
            continuation -= 1
            scalar = scalar << 6 | UInt32(byte & 0x3f)
            return continuation == 0 ? character() : nil
        }
        switch byte {
        case 0x1b: state = .escape
        case 0x08, 0x09, 0x0a, 0x0d: break
        case 0x20...0x7e: break
        case 0xc2...0xdf: (continuation, scalar) = (1, UInt32(byte & 0x1f))
        case 0xe0...0xef: (continuation, scalar) = (2, UInt32(byte & 0x0f))
        case 0xf0...0xf4: (continuation, scalar) = (3, UInt32(byte & 0x07))
        default: return "the byte \(hex(byte))"
        }
        return nil
    }

    private func character() -> String? {
        switch scalar {
        case 0x80...0x9f, 0xad, 0x61c, 0x200b...0x200f, 0x2028...0x202e, 0x2060...0x206f, 0xfe00...0xfe0f, 0xfeff, 0xe0000...0xe0fff, 0xe000...0xf8ff,
            0xf0000...0x10ffff:
            "the character U+\(String(scalar, radix: 16, uppercase: true))"
        default: nil
        }
    }

    private func hex(_ byte: UInt8) -> String { "0x" + String(byte, radix: 16) }
}
