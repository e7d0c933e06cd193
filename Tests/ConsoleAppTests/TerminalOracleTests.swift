import CVterm
import ControlSocket
import StreamModel
import TestKit
import Testing

// Goal: the tests read the screen that a terminal would show. Method: libvterm, an emulator of somebody else's, takes the same bytes as
// ScreenReader, and both screens are compared: for the console's own output, and for what ncurses may send, drawn at random.

/// A terminal by libvterm.
private final class Emulator {
    private let terminal: OpaquePointer
    private let screen: OpaquePointer
    private let columns: Int
    private let rows: Int

    init(columns: Int, rows: Int) throws {
        (self.columns, self.rows) = (columns, rows)
        terminal = try #require(vterm_new(Int32(rows), Int32(columns)))
        vterm_set_utf8(terminal, 1)
        screen = try #require(vterm_obtain_screen(terminal))
        vterm_screen_enable_altscreen(screen, 1)
        vterm_screen_reset(screen, 1)
    }

    deinit { vterm_free(terminal) }

    func feed(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { _ = vterm_input_write(terminal, $0.bindMemory(to: CChar.self).baseAddress, $0.count) }
    }

    /// The rows, without blanks at their ends.
    var lines: [String] {
        (0..<rows).map { row in
            var text = (0..<columns).map { cell(row, $0) }.joined()
            while text.last == " " { text.removeLast() }
            return text
        }
    }

    /// The text of a cell; empty for the second half of a wide character.
    private func cell(_ row: Int, _ column: Int) -> String {
        var cell = VTermScreenCell()
        guard vterm_screen_get_cell(screen, VTermPos(row: Int32(row), col: Int32(column)), &cell) == 1 else { return "?" }
        guard cell.chars.0 != 0 else { return " " }
        guard cell.chars.0 != .max else { return "" }
        let all = withUnsafeBytes(of: cell.chars) { Array($0.bindMemory(to: UInt32.self)) }
        var text = ""
        text.unicodeScalars += all.prefix { $0 != 0 }.compactMap(Unicode.Scalar.init)
        return text
    }
}

@Suite struct TerminalOracleTests {
    private func expectSame(_ bytes: [UInt8], columns: Int, rows: Int, location: SourceLocation = #_sourceLocation) throws {
        var reader = ScreenReader(columns: columns, rows: rows)
        reader.feed(bytes[...])
        let emulator = try Emulator(columns: columns, rows: rows)
        emulator.feed(bytes)
        #expect(reader.lines == emulator.lines, sourceLocation: location)
        #expect(reader.unknown == [], sourceLocation: location)
    }

    @Test func `the emulator tells two screens apart`() throws {
        let emulator = try Emulator(columns: 10, rows: 2)
        emulator.feed(Array("ab\u{1b}[2;3H\u{6f22}z".utf8))
        #expect(emulator.lines == ["ab", "  \u{6f22}z"])
    }

    /// Each step begins at a place of its own and ends before the margin, as a step of ncurses does.
    @Test(arguments: 1...40 as ClosedRange<UInt64>) func `what ncurses may send is read as libvterm reads it`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed), bytes: [UInt8] = Array("\u{1b}[?1049h\u{1b}[H\u{1b}[2J".utf8)
        let columns = 40, rows = 12
        for _ in 0..<300 {
            let row = Int.random(in: 1...rows, using: &random), column = Int.random(in: 1...columns - 12, using: &random)
            let count = Int.random(in: 1...6, using: &random)
            let word = String((0..<count).map { _ in Character(Unicode.Scalar(UInt8.random(in: 0x21...0x7e, using: &random))) })
            let steps = [
                word, word + "\u{1b}[\(count)b", "\u{1b}[K", "\u{1b}[1K", "\u{1b}[\(count)X", "\u{1b}[\(count)@", "\u{1b}[\(count)P",
                "\u{1b}[31;1m\(word)\u{1b}[m", "\(word)\u{08}x", "\(word)\ry", "\u{1b}[\(count)C\(word)", "\u{1b}[\(count)d\(word)",
                "\u{1b}[\(count)G\(word)", "\u{1b}[L", "\u{1b}[M", "\u{1b}[J", "\(word)\nz", "e\u{301}\(word)",
                "\u{1b}[3;9r\u{1b}[\(row);1H\u{1b}[\(count)S\u{1b}[r", "\u{1b}[2;8r\u{1b}[8;1H\n\(word)\u{1b}[r",
                "\u{1b}[2;8r\u{1b}[2;1H\u{1b}M\(word)\u{1b}[r", "\u{1b}[4;10r\u{1b}[\(row);1H\u{1b}[\(count)L\u{1b}[r",
                "\u{1b}[4;10r\u{1b}[\(row);1H\u{1b}[\(count)M\u{1b}[r", "\u{1b}[5;7r\u{1b}[\(count)T\u{1b}[r",
            ]
            bytes += Array(("\u{1b}[\(row);\(column)H" + steps[Int.random(in: 0..<steps.count, using: &random)]).utf8)
        }
        try expectSame(bytes, columns: columns, rows: rows)
    }

    @Test(.enabled(if: weirBinary != nil, "no weir binary beside the tests"), arguments: [(80, 24), (132, 43), (50, 12)])
    func `the console's screens are read as libvterm reads them`(columns: Int, rows: Int) throws {
        let home = ConsoleHome(), stub = StubEngine()
        stub.host([StubEngine.job(), StubEngine.job("\u{53d7}\u{6ce8}\u{6570}\u{636e}", id: 2), StubEngine.job("e\u{301}te\u{301}", id: 3)])
        let server = try ControlServer.start(path: home.socket, handler: stub)
        defer { server.stop() }
        let console = home.console(columns: columns, rows: rows)
        try #require(console.waitForText("orders"), "\(console.screen.text)")
        for keys in ["", "\r", "?", "q", "2", "3", "T", "\u{1b}", "1", "j", ":"] {
            console.type(keys)
            console.settle()
            try expectSame(console.output, columns: columns, rows: rows)
        }
    }
}
