// Goal: what the help shows can be typed. Method: each example of the table is split as a shell does it and parsed; nothing is run.

import ArgumentParser
import Testing

@testable import weir

@Suite struct ExampleTests {
    /// Commands with their words: "jars run".
    private static func commands(_ parent: any ParsableCommand.Type, _ words: [String] = []) -> [(words: String, type: any ParsableCommand.Type)] {
        parent.configuration.subcommands.flatMap { command -> [(words: String, type: any ParsableCommand.Type)] in
            let path = words + [command.configuration.commandName ?? ""]
            return [(path.joined(separator: " "), command)] + commands(command, path)
        }
    }

    /// Words as a shell makes them, up to a pipe or a comment; without files that a pattern would match.
    private static func words(_ line: String) -> [String] {
        var words: [String] = [], word = "", quote: Character?, isOpen = false
        for character in line {
            switch (quote, character) {
            case (let mark?, character) where character == mark: quote = nil
            case (.some, _): word.append(character)
            case (nil, "\""), (nil, "'"): (quote, isOpen) = (character, true)
            case (nil, " "):
                if !word.isEmpty || isOpen { words.append(word) }
                (word, isOpen) = ("", false)
            default: word.append(character)
            }
        }
        if !word.isEmpty || isOpen { words.append(word) }
        return Array(words.prefix { $0 != "|" && $0 != "#" })
    }

    @Test func `each command has two examples, and none is of a command that there is not`() {
        let known = Self.commands(WeirCommand.self)
        #expect(Set(known.map(\.words)) == Set(Examples.all.keys))
        for (words, type) in known {
            #expect((Examples.all[words] ?? []).count >= 2, "\(words)")
            #expect(type.helpMessage(columns: 200).contains(Examples.all[words]?.first ?? "?"), "\(words) --help shows no example")
        }
    }

    @Test func `the tour fits a terminal of 80 columns`() {
        for line in Examples.tour { #expect(line.count <= 77, "\(line)") }
    }

    @Test(arguments: (Examples.all.values.flatMap { $0 } + Examples.tour).sorted()) func `each example parses`(line: String) throws {
        let words = CommandLineOrder.afterCommand(Array(Self.words(line).dropFirst()))
        do { _ = try WeirCommand.parseAsRoot(words) } catch {
            // The context of an example is in nobody's configuration.
            let message = WeirCommand.message(for: error)
            #expect(line.contains("--context prod-eu") && message.contains("no context \"prod-eu\""), "\(line): \(message)")
        }
    }
}
