internal import ConsoleCore
internal import CursesTerminal
internal import Dispatch
internal import EngineClients
internal import HostEnvironment

// What `update` asks for. Disk work goes to the queue of the files, and its result comes by the mailbox.
extension ConsoleLoop {
    mutating func perform(_ effect: ConsoleEffect) {
        switch effect {
        case .send(let context, let request): gate.send(request, to: context)
        case .flushInput: terminal.flushInput()
        case .bell: terminal.bell()
        case .notify(let text): terminal.notify(text)
        case .suspend: suspend()
        case .quit: end(.quit)
        case .repaint:
            terminal.invalidate()
            isDirty = true
        case .copy(let text): copy(text)
        case .connect(let name, let address, let word): connect(name, address, word)
        case .watchMouse(let isOn): if !terminal.watchMouse(isOn) { apply(.mouseIsMissing) }
        case .loadTheme(let name): loadTheme(name)
        case .retryNow(let context): gate.retryNow(context)
        case .loadAudit: gate.loadAudit()
        case .recordVerdict(let id, let verdict): gate.recordVerdict(verdict, of: id)
        case .loadRecipe(let context, let job): gate.loadRecipe(of: job, in: context)
        case .loadHistory(let question): gate.loadHistory(question)
        case .save(let name, let text): save(name, text)
        case .look(let context, let focus): gate.look(at: focus, of: context)
        case .dump(let path, let format): dump(format, to: path)
        case .goOnWithDemo: goOnWithDemo()
        }
    }

    private mutating func connect(_ name: String, _ address: String, _ word: String?) {
        if case .playback = director { return apply(.answer("this is a recording: there is nobody to connect to")) }
        do throws(ConfigurationError) {
            var context = try ConfigurationFile.context(named: name, at: address, class: word, beside: contexts)
            context.isReadOnly = model.options.isReadOnly
            contexts.append(context)
            var description = context.description
            description.isAdded = true
            // The model first: what the engine says is for a context that it knows.
            apply(.contextAdded(description))
            gate.add(context)
        } catch {
            apply(.answer("\(error.problem)"))
        }
    }

    mutating func suspend() {
        terminal.suspend()
        resumed()
    }

    mutating func resumed() {
        if terminal.size != model.options.size { resized() }
        isUrgent = true
        apply(.resumedFromSuspend)
    }

    mutating func resized() {
        apply(.resize(terminal.size))
    }

    private mutating func copy(_ text: String) {
        switch terminal.copy(text) {
        case .sent: tellAboutTmux()
        case .tooLong: apply(.answer("too long for the clipboard: \(text.utf8.count) bytes, it takes about 55000"))
        case .unsupported: apply(.answer("this terminal has no clipboard"))
        }
    }

    /// Once: that text was copied cannot be known, and tmux drops it unless it is told not to.
    private mutating func tellAboutTmux() {
        guard terminal.isTmux, !hasToldAboutTmux else { return }
        hasToldAboutTmux = true
        apply(.notice("tmux lets copies through only with `set -s set-clipboard on`"))
    }

    private func save(_ name: String, _ text: String) {
        files.async { [mailbox] in
            do throws(ReportFile.Failure) {
                mailbox.post(.answer("written: \(try ReportFile.write(text, name: name, into: BaseDirectories().reportsPath))"))
            } catch {
                mailbox.post(.answer("\(error)"))
            }
        }
    }

    /// `isReload`: its file was written, so a theme that came out the same is no news.
    func loadTheme(_ name: String, isReload: Bool = false) {
        let shown = model.options.theme
        files.async { [themes, mailbox] in
            do throws(ThemeError) {
                let theme = try themes.load(name)
                if isReload, theme == shown { return }
                mailbox.post(.themeLoaded(theme, warnings: theme.warnings))
            } catch {
                mailbox.post(.themeFailed(error.description))
            }
        }
    }

    /// Renders now, encodes and writes on the queue of the files.
    private func dump(_ format: DumpFormat, to path: String) {
        let shown = model, sheet = styles.sheet
        files.async { [mailbox] in
            do {
                let file = try EvidenceFile(creating: path)
                try file.write(try shown.dumped(format, sheet))
                mailbox.post(.answer("wrote \(file.path)"))
            } catch {
                mailbox.post(.answer("nothing was written: \(error)"))
            }
        }
    }
}
