// Goal: `weir themes` finds what the console finds, and `weir themes check` says what is wrong, where, and by its exit code.

import TestKit
import Testing

private struct CheckRecord: Decodable {
    struct Theme: Decodable {
        struct Finding: Decodable {
            var rule: String
            var line: Int?
            var text: String
            var isError: Bool
        }
        var name: String
        var file: String
        var isGood: Bool
        var leastContrast: Double?
        var findings: [Finding]
    }
    var schema: Int
    var themes: [Theme]
}

extension EndToEnd {
    @Suite struct ThemeCommands {
        let home = TestHome()

        @Test func `the twelve are listed and pass`() throws {
            let names = Set(try home.succeed("themes").output.split(separator: "\n").compactMap { $0.split(separator: "\t").first })
            let twelve: Set<Substring> = [
                "base", "base16", "slate", "slate-light", "high-contrast-dark", "high-contrast-light", "deuteranopia-dark", "deuteranopia-light",
                "tritanopia-dark", "solarized-16", "paper", "console",
            ]
            #expect(names == twelve)
            let record = try home.succeed("themes", "check", "--json").record(CheckRecord.self)
            #expect(record.schema == 1 && record.themes.count == 12 && record.themes.allSatisfy(\.isGood))
        }

        @Test func `a bad theme is named with its line, and the command fails`() throws {
            home.write(home.path + "/config/weir/themes/faint.toml", "schema = 1\nvariant = \"dark\"\n[roles]\ntext = { fg = \"#444444\" }\n")
            let faint = try home.weir("themes", "check", "faint", "slate")
            #expect(faint.exitCode == ExitCode.failed)
            #expect(faint.output.contains("faint.toml:4: text: #444444 on #282c34 has a contrast of 1.4"), "\(faint.transcript)")
            #expect(faint.output.split(separator: "\n").contains { $0.hasPrefix("slate ") && $0.contains(" ok ") })
            home.write(home.path + "/config/weir/themes/broken.toml", "schema = 1\n[roles]\ntext = 3\n")
            let broken = try home.weir("themes", "check", "broken", "--json")
            #expect(broken.exitCode == ExitCode.failed)
            let finding = try #require(try broken.record(CheckRecord.self).themes.first?.findings.first)
            #expect(finding.rule == "unreadable" && finding.line == 3 && finding.isError)
            #expect(try home.weir("themes", "check", "no-such").exitCode == ExitCode.failed)
        }
    }
}
