import CellGrid
import CursesTerminal
import Testing

@testable import ConsoleApp
@testable import CommandLineApp

/// What the doctor says of a terminal, from facts alone.
@Suite struct DoctorTests {
    private static let xterm = TerminfoFacts(
        colors: 256, hasDirectColor: false, canPlaceCursor: true, hasAlternateScreen: true, erasesWithBackground: true)
    private static let screen = TerminfoFacts(
        colors: 8, hasDirectColor: false, canPlaceCursor: true, hasAlternateScreen: true, erasesWithBackground: false)

    private func examine(
        _ environment: [String: String], isTerminal: Bool = true, size: (columns: Int, rows: Int)? = (80, 24), isUTF8: Bool = true,
        tmux: [String: String] = [:]
    ) -> [String: DoctorFinding] {
        let examination = TerminalExamination(
            variable: { environment[$0] }, isTerminal: isTerminal, size: size,
            terminfo: { ["xterm-256color": Self.xterm, "screen": Self.screen][$0] }, isUTF8: isUTF8, tmux: { tmux[$0.last ?? ""] })
        return Dictionary(examination.findings.map { ($0.subject, $0) }, uniquingKeysWith: { $1 })
    }

    @Test func aGoodTerminalHasNothingToDo() {
        let findings = examine(["TERM": "xterm-256color", "LANG": "C.UTF-8"])
        #expect(findings.values.allSatisfy { $0.verdict == .ok && $0.advice == nil })
        #expect(findings["colours"]?.found == "256" && findings["locale"]?.found == "C.UTF-8")
    }

    @Test(arguments: [nil, "dumb"] as [String?]) func aTerminalThatCannotDrawFails(_ term: String?) {
        let findings = examine(term.map { ["TERM": $0] } ?? [:])
        #expect(findings["term"]?.verdict == .fail && findings["term"]?.advice?.contains("TERM=xterm-256color") == true)
    }

    @Test func whatIsMissingIsAWarningWithAdvice() {
        let unknown = examine(["TERM": "alacritty"])
        #expect(unknown["term"]?.verdict == .warn && unknown["term"]?.advice?.contains("infocmp") == true)
        let plain = examine(["TERM": "xterm-256color", "LANG": "C"], isTerminal: false, size: (60, 10), isUTF8: false)
        #expect(plain["terminal"]?.verdict == .warn && plain["size"]?.verdict == .warn)
        #expect(examine(["TERM": "xterm-256color", "LANG": "C.UTF-8"], size: (60, 15))["size"]?.verdict == .ok)
        #expect(plain["locale"]?.found == "C is not UTF-8: ASCII only" && plain["locale"]?.advice == "export LANG=C.UTF-8")
        #expect(examine(["TERM": "xterm-256color", "NO_COLOR": "1"])["colours"]?.found == "none: NO_COLOR is set")
        #expect(examine(["TERM": "xterm-256color", "SSH_TTY": "/dev/pts/1"])["ssh"]?.verdict == .ok)
        #expect(examine(["TERM": "xterm-256color", "STY": "1.x"])["screen"]?.verdict == .warn)
    }

    @Test func tmuxSettingsAreToldWithTheLineToWrite() {
        let environment = ["TERM": "screen", "TMUX": "/tmp/x,1,0"]
        let bad = examine(environment, tmux: ["-V": "tmux 3.3a", "escape-time": "500", "default-terminal": "screen", "set-clipboard": "external"])
        #expect(bad["tmux"]?.found == "tmux 3.3a")
        #expect(bad["tmux escape-time"]?.advice == "set -s escape-time 10 in tmux.conf")
        #expect(bad["tmux terminal"]?.advice == "set -g default-terminal tmux-256color in tmux.conf")
        #expect(bad["copying"]?.verdict == .warn && bad["copying"]?.advice == "set -s set-clipboard on in tmux.conf")
        #expect(bad["colours"]?.verdict == .warn && bad["colours"]?.advice?.contains("default-terminal") == true)
        let good = examine(environment, tmux: ["-V": "tmux 3.5", "escape-time": "10", "default-terminal": "tmux-256color", "set-clipboard": "on"])
        #expect(good["tmux escape-time"]?.verdict == .ok && good["tmux terminal"]?.verdict == .ok && good["copying"]?.verdict == .ok)
        let passing = examine(environment, tmux: ["set-clipboard": "external", "allow-passthrough": "on"])
        #expect(passing["copying"]?.verdict == .ok)
    }

    /// Text of the environment is shown, and drives no terminal.
    @Test func whatIsPrintedIsSafe() {
        let finding = examine(["TERM": "x\u{1b}]0;y\u{7}"])["term"]
        #expect(finding?.text.string.unicodeScalars.allSatisfy { $0.value >= 0x20 } == true)
    }

    @Test func otherProgramsAreHeardOrGivenUp() {
        #expect(Doctor.firstLine(of: ["printf", "a\\nb"]) == "a")
        #expect(Doctor.firstLine(of: ["false"]) == nil)
        #expect(Doctor.firstLine(of: ["/no/such/program"]) == nil)
    }
}
