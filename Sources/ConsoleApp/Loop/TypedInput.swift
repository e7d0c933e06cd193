internal import CellGrid
internal import ConsoleCore
internal import CursesTerminal

/// What the terminal reads at once, as events of the console.
enum TypedInput {
    /// Keys that come at once in this number were not typed: a terminal without bracketed paste was pasted into.
    private static let burst = 64
    /// Of more than this at once the rest is dropped, as of a long paste, and nothing of it is a command: memory does not grow with a flood.
    static let flood = 4096

    /// What the input means to the model; nil = the terminal is gone. A burst of characters counts as pasted text, unless it
    /// begins by opening a text field (a script that drives the console).
    static func events(_ inputs: [TerminalInput]) -> [ConsoleEvent?] {
        var characters = String.UnicodeScalarView()
        for case .key(.character(let scalar)) in inputs { characters.append(scalar) }
        let isScript = characters.first == ":" || characters.first == "/"
        if characters.count >= burst, !isScript || inputs.count >= flood {
            return [.paste(String(characters))] + (inputs.contains(.closed) ? [nil] : [])
        }
        return inputs.map { input in
            switch input {
            case .key(let key): .key(key)
            case .mouse(let mouse): .mouse(mouse)
            case .paste(let text): .paste(text)
            case .closed: nil
            }
        }
    }
}
