internal import CellGrid
internal import ConsoleCore
internal import HostEnvironment

/// Who drives the console beside its operator.
enum ConsoleDirector {
    case nobody
    case playback(Playback)
    case script(DemoScript)
}

extension ConsoleLoop {
    /// The keys of a playback are its own; any key of a presenter ends the script's turn, and Esc does nothing else.
    mutating func directorTakes(_ key: KeyPress) -> Bool {
        switch director {
        case .nobody: return false
        case .playback(let playback):
            guard !model.isTakingText, playback.take(key) else { return false }
            planTick()
            return true
        case .script(var script):
            guard !script.isTakenOver, !script.isOver else { return false }
            script.takeOver()
            director = .script(script)
            return key == .named(.escape)
        }
    }

    mutating func goOnWithDemo() {
        guard case .script(var script) = director, !script.isOver else { return apply(.answer("there is no scripted demo here")) }
        script.goOn()
        director = .script(script)
    }

    /// Lets the director press its next key, and keeps its caption on the screen.
    mutating func direct() {
        let caption: Caption
        switch director {
        case .nobody: return
        case .playback(let playback): caption = playback.caption
        case .script(var script):
            let key = script.step(model, at: clock.now())
            director = .script(script)
            if let key {
                isUrgent = true
                apply(.key(key))
            }
            caption = script.caption(model.options.keyMap)
        }
        if caption != model.caption { apply(.caption(caption)) }
    }
}
