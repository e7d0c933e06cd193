// Goal: programs take what they describe and name what they do not, and their records are what the jobs count on.

import Dataflow
import Glibc
import StreamModel
import TestKit
import Testing

@testable import EngineHost

@Suite struct ProgramTests {
    private func refusal(_ program: String, _ arguments: [String: String]) -> ProgramError? {
        do throws(ProgramError) {
            _ = try ProgramRegistry.standard.job(of: JobRecipe(program: program, arguments: arguments, parallelism: 1))
            return nil
        } catch { return error }
    }

    @Test func argumentsAreChecked() {
        #expect(refusal("orders", [:]) == nil)
        #expect(refusal("orders", ["rate": "12.5", "interval": "200ms", "count": "7", "output": "/tmp/x"]) == nil)
        #expect(refusal("order", [:]) == .unknownProgram("order", known: ["orders", "shaky", "wordcount"]))
        let known = ["rate", "interval", "timeout", "hot", "cost", "kill-at"]
        #expect(refusal("shaky", ["speed": "1"]) == .unknownArgument(program: "shaky", "speed", known: known))
        #expect(refusal("orders", ["rate": "0"]) == .badArgument(program: "orders", "rate", value: "0", expected: "a number above 0"))
        #expect(refusal("orders", ["rate": "fast"]) != nil)
        #expect(refusal("orders", ["interval": "5ms"]) != nil)
        #expect(refusal("orders", ["interval": "3 s"]) != nil)
        #expect(refusal("orders", ["count": "-1"]) != nil)
        #expect(refusal("orders", ["output": "relative"]) != nil)
        #expect(refusal("wordcount", ["output": "/out"]) == .missingArgument(program: "wordcount", "input"))
        #expect(refusal("wordcount", ["input": "a.txt", "output": "/out"]) != nil)
        #expect(refusal("wordcount", ["input": "/a.txt\n/b.txt", "output": "/out"]) == nil)
    }

    @Test(arguments: [
        ("", []), ("a", ["a"]), ("The quick, BROWN fox", ["the", "quick", "brown", "fox"]), ("don't", ["don", "t"]), ("x1y2", ["x", "y"]),
        ("[@`{z}", ["z"]), ("na\u{ef}ve caf\u{e9}", ["na", "ve", "caf"]), ("  tab\tend\r", ["tab", "end"]),
    ]) func wordsAreRunsOfASCIILetters(line: String, expected: [String]) {
        var words: [String] = []
        Words.forEach(in: line) { words.append($0) }
        #expect(words == expected)
    }

    @Test func spansOfTime() {
        #expect(Milliseconds(text: "200ms") == 200)
        #expect(Milliseconds(text: "3s") == 3000)
        #expect(Milliseconds(text: "5m") == 300_000)
        #expect(Milliseconds(text: "2h") == 7_200_000)
        #expect(Milliseconds(text: "7") == 7000)
        for bad in ["", "s", "-1s", "1.5s", "1 s", "1d", "99999999999999999999s", "9223372036854775807h"] { #expect(Milliseconds(text: bad) == nil, "\(bad)") }
    }
}
