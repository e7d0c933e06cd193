// Goal: the theme in use follows its file, and a bad file changes nothing. Method: the real console on a pseudo-terminal; the test writes the
// file as editors do, and looks at the bytes that paint.

import Glibc
import TestKit
import Testing

@testable import EngineClients

@Suite(.enabled(if: weirBinary != nil, "no weir binary beside the tests"))
struct ThemeReloadTests {
    let home = ConsoleHome()

    private var file: String { home.path + "/config/weir/themes/mine.toml" }

    private func theme(_ color: Int) -> String {
        "schema = 1\nname = \"mine\"\ninherits = \"parent\"\n[palette]\nhot = { x256 = \(color), x16 = \"red\" }\n[roles]\ntext = { fg = \"hot\" }\n"
    }

    /// Bytes since `start`, as text.
    private func painted(_ console: PtyProcess, since start: Int) -> String { String(decoding: console.output[start...], as: UTF8.self) }

    @Test func `the file of the theme in use is followed, also renamed into place and over errors`() throws {
        writeFile(home.path + "/config/weir/themes/parent.toml", "schema = 1\ninherits = \"base16\"\n")
        writeFile(file, theme(201))
        home.configure("theme = \"mine\"\n[contexts.lab]\nsocket = \"\(home.socket)\"\nclass = \"lab\"\n")
        let console = home.console(columns: 160)
        try #require(console.wait { _ in painted(console, since: 0).contains("38;5;201m") }, "\(console.screen.text)")

        // Some editors write the file in place.
        var start = console.output.count
        writeFile(file, theme(46))
        try #require(console.wait { _ in painted(console, since: start).contains("38;5;46m") }, "\(console.screen.text)")

        // A bad file: one line that names file and line; the colours stay.
        writeFile(file, theme(46).replacing("fg = \"hot\"", with: "fg = \"cold\""))
        try #require(console.waitForText("mine.toml:7: fg of \"text\" must be a colour"), "\(console.screen.text)")
        start = console.output.count
        console.type([0x0c])
        try #require(console.wait { _ in painted(console, since: start).contains("38;5;46m") }, "\(painted(console, since: start).debugDescription)")

        // Others write a new file and rename it; the bad one did not end the watching.
        writeFile(file + ".new", theme(51))
        start = console.output.count
        rename(file + ".new", file)
        try #require(console.wait { _ in painted(console, since: start).contains("38;5;51m") }, "\(console.screen.text)")

        // What it inherits is followed too: without its parent's roles it would stay.
        start = console.output.count
        writeFile(home.path + "/config/weir/themes/parent.toml", "schema = 1\ninherits = \"base16\"\n[roles]\n\"header\" = { fg = \"#ffaf00\" }\n")
        try #require(console.wait { _ in painted(console, since: start).contains("38;5;214m") }, "\(console.screen.text)")

        console.signal(SIGTERM)
        #expect(console.waitForEnd() == .exited(0))
    }

    /// The picker shows each theme on the live screen; Esc goes back, and the file that counts is again that of the old theme.
    @Test func `the picker previews, Esc restores`() throws {
        writeFile(home.path + "/config/weir/themes/parent.toml", "schema = 1\ninherits = \"base16\"\n")
        writeFile(file, theme(201))
        home.configure("theme = \"mine\"\n[contexts.lab]\nsocket = \"\(home.socket)\"\nclass = \"lab\"\n")
        let console = home.console(columns: 160, rows: 40)
        try #require(console.wait { _ in painted(console, since: 0).contains("38;5;201m") }, "\(console.screen.text)")
        console.type("T")
        try #require(console.waitForText("Enter keeps"))
        // Below `mine` in the list stands `paper`, whose text is ink.
        var start = console.output.count
        console.type("j")
        try #require(console.wait { _ in painted(console, since: start).contains("38;5;234m") }, "\(console.screen.text)")
        start = console.output.count
        console.type("q")
        try #require(console.wait { _ in painted(console, since: start).contains("38;5;201m") }, "\(console.screen.text)")
        start = console.output.count
        writeFile(file, theme(46))
        try #require(console.wait { _ in painted(console, since: start).contains("38;5;46m") }, "\(console.screen.text)")
    }
}
