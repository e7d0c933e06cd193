import CellGrid

/// The keys that an operator's configuration gives to a command, in place of those that it has by default.
public struct KeyRemapping: Sendable, Equatable {
    /// As written: "next_job".
    public var command: String
    /// As written: "ctrl-l", "f5", "]". None takes the command its keys.
    public var keys: [String]

    public init(command: String, keys: [String]) {
        self.command = command
        self.keys = keys
    }
}

/// Why a configuration's keys cannot be used.
public struct KeyRemappingError: Error, Equatable, Sendable {
    /// The entry to blame, by its command as written.
    public var command: String
    public var problem: String
}

extension KeyMap {
    /// The standard map with the keys of some commands replaced. All entries hold, or none.
    public init(remapping entries: [KeyRemapping]) throws(KeyRemappingError) {
        var replaced: [Command: [KeyPress]] = [:]
        for entry in entries {
            guard let command = Command(name: entry.command) else {
                throw KeyRemappingError(
                    command: entry.command, problem: "there is no command \"\(SafeText(entry.command, limit: 40))\"; `:keys` in the console lists all")
            }
            var keys: [KeyPress] = []
            for text in entry.keys { keys.append(try Self.key(text, for: command)) }
            if keys.isEmpty, command == .commandLine {
                throw KeyRemappingError(command: entry.command, problem: "\(command.name) needs a key: commands without one are reached through it")
            }
            replaced[command] = keys
        }
        let given = Set(replaced.values.joined())
        var bindings = Self.standardBindings.filter { binding in
            if Self.yielding.contains(binding.command), given.contains(binding.key) { return false }
            return replaced[binding.command] == nil || Self.fixedBindings.contains(binding)
        }
        for entry in entries {
            guard let command = Command(name: entry.command), let keys = replaced[command] else { continue }
            for key in keys {
                if let other = bindings.first(where: { $0.key == key && $0.command != command }) {
                    let owner = replaced[other.command] == nil ? "which has it by default" : "also by the configuration"
                    throw KeyRemappingError(
                        command: entry.command,
                        problem: "the key \(key) is bound to \(command.name) and to \(other.command.name), \(owner); give one of them another key")
                }
            }
            // The keys of the operator come first: they are the ones to show.
            bindings.insert(contentsOf: keys.map { Binding($0, command) }, at: 0)
        }
        do throws(Conflict) { try self.init(bindings) } catch {
            throw KeyRemappingError(command: error.commands[0].name, problem: "\(error)")
        }
    }

    /// They came when there were configurations that give their keys to others: those hold, and what was taken can be typed.
    private static let yielding: Set<Command> = [.scrollLeft, .scrollRight, .messages, .log, .columns]

    /// The key of this name, if a command may have it.
    private static func key(_ text: String, for command: Command) throws(KeyRemappingError) -> KeyPress {
        func refused(_ problem: String) -> KeyRemappingError { KeyRemappingError(command: command.name, problem: problem) }
        guard let key = KeyPress(text.count > 1 ? text.lowercased() : text) else {
            throw refused(
                "\"\(SafeText(text, limit: 20))\" is not a key: use one character, space, ctrl-a to ctrl-z, f1 to f63, \(KeyPress.Named.allCases.map(\.rawValue).joined(separator: ", "))"
            )
        }
        if let fixed = fixedBindings.first(where: { $0.key == key }), fixed.command != command {
            throw refused("\(key) is always \(fixed.command.name) and cannot be bound to \(command.name)")
        }
        if let problem = unreachable[key] { throw refused("\(key) cannot be used: \(problem)") }
        if command.isActing { try checkActing(key, command) }
        return key
    }

    /// Keys that terminals never deliver under this name.
    private static let unreachable: [KeyPress: String] = [
        .control("i"): "terminals send it as tab", .control("j"): "terminals send it as enter", .control("m"): "terminals send it as enter",
        .control("h"): "terminals send it as backspace", .control("s"): "it stops the output of many terminals",
        .control("q"): "it resumes stopped terminals",
    ]

    /// A key that acts must be pressed on purpose: chords and function keys are hit by habit and sent by multiplexers, the keys of dialogs
    /// would open a sheet and accept it.
    private static func checkActing(_ key: KeyPress, _ command: Command) throws(KeyRemappingError) {
        guard case .character(let scalar) = key, scalar != " " else {
            throw KeyRemappingError(command: command.name, problem: "\(command.name) acts on a job, so its key must be a plain character, not \(key)")
        }
        guard scalar != "y" else {
            throw KeyRemappingError(command: command.name, problem: "\(command.name) acts on a job, so its key cannot be y, which sends from its sheet")
        }
    }
}
