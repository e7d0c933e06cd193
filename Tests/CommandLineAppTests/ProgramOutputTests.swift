// Goal: another program is run within its limits, and its end is told apart. Method: the tools of every machine.

import HostEnvironment
import StreamModel
import Testing

@Suite struct ProgramOutputTests {
    private func run(_ words: [String], seconds: Int64 = 10, limit: Int = 1 << 16) throws(ProgramOutput.Failure) -> String {
        String(decoding: try ProgramOutput.of(words, by: EngineInstant.now() + .seconds(seconds), limit: limit), as: UTF8.self)
    }

    @Test func `its output is what it printed`() throws { #expect(try run(["printf", "a\\nb"]) == "a\nb") }

    @Test(
        arguments: [
            (["false"], .exited(1)), (["sh", "-c", "kill -KILL $$"], .killed(signal: 9)), (["yes"], .tooLong(1 << 16)),
            (["/no/such/program"], .notStarted("No such file or directory")), ([], .notStarted("it has no name")),
        ] as [([String], ProgramOutput.Failure)])
    func `a failure says which`(words: [String], failure: ProgramOutput.Failure) { #expect(throws: failure) { try run(words) } }

    @Test func `what takes too long is ended`() { #expect(throws: ProgramOutput.Failure.overdue) { try run(["sleep", "60"], seconds: 0) } }

    @Test func `what closes its output and goes on is ended, too`() {
        let start = EngineInstant.now()
        #expect(throws: ProgramOutput.Failure.overdue) { try run(["sh", "-c", "echo t; exec >&-; exec sleep 30"], seconds: 1) }
        #expect(EngineInstant.now() - start < .seconds(20))
    }

    @Test func `it has no input`() throws { #expect(try run(["cat"]) == "") }
}
