import CellGrid
import StreamModel

/// One line of what was checked before an action.
struct Preflight: Sendable, Equatable {
    enum Verdict: Sendable { case ok, warn, stop, pending }
    var verdict: Verdict
    var text: SafeText

    static func ok(_ text: SafeText) -> Preflight { Preflight(verdict: .ok, text: text) }
    static func warn(_ text: SafeText) -> Preflight { Preflight(verdict: .warn, text: text) }
    static func stop(_ text: SafeText) -> Preflight { Preflight(verdict: .stop, text: text) }
    static func pending(_ text: SafeText) -> Preflight { Preflight(verdict: .pending, text: text) }

    var badge: SafeText {
        switch verdict {
        case .ok: "[ok]"
        case .warn: "[!!]"
        case .stop: "[XX]"
        case .pending: "[..]"
        }
    }

    var role: StyleRole {
        switch verdict {
        case .ok: .severityOK
        case .warn: .severityWarn
        case .stop: .severityCrit
        case .pending: .severityRun
        }
    }
}
