import ArgumentParser
import CellGrid
import ConsoleApp
import ControlSocket
import CommandLineApp
import HostEnvironment

struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Check the terminal for problems, and whether engines can be reached.",
        discussion: Examples.text(
            "doctor",
            after: "A line for each check: ok, warn or fail, what was found, and what to do. Ends with 0 unless something failed (5). Changes nothing."))

    @Option(help: ArgumentHelp("Check this control socket too.", valueName: "path"), completion: .file())
    var socket: String?

    @Option(help: .trustOwner)
    var trustOwner: EngineTrust?

    @Option(help: ArgumentHelp("Check the REST API of this Flink cluster too.", valueName: "url"))
    var flink: String?

    @Flag(help: "Print the records as one line of JSON.")
    var json = false

    func run() throws {
        let findings = Doctor.examine(socket: socket, trust: trustOwner ?? .own, flink: flink)
        if json {
            Output.standard.data(try Doctor.json(findings))
        } else {
            for finding in findings { Output.standard.data(finding.text.string) }
        }
        try end(findings.contains { $0.verdict == .fail } ? ExitStatus.failed.rawValue : 0)
    }
}
