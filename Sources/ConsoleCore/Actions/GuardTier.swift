import StreamModel

/// The harm that an action can do: T1, T2 and T3.
enum GuardTier: Sendable {
    case reversible
    case ending
    case replacing

    /// The rule for accepting an action in a context of this class.
    func rule(in contextClass: ContextClass) -> AcceptRule {
        switch (self, contextClass) {
        case (.reversible, .lab), (.reversible, .demo): .immediate
        case (.reversible, .staging): .key
        case (.reversible, .prod): .keyWhenClean
        case (_, .lab), (_, .demo): .key
        case (_, .staging): .typedName
        case (_, .prod): .unlockedNameReasonWindow
        }
    }
}

enum AcceptRule: Sendable, Equatable {
    /// Sent at once, without a sheet.
    case immediate
    /// `y`.
    case key
    /// `y`, and nothing in the preflight to warn of.
    case keyWhenClean
    /// The job's name, then Enter.
    case typedName
    /// An unlocked context, the job's name, a reason, Enter, and 5 s in which Esc takes it back.
    case unlockedNameReasonWindow

    var needsName: Bool { self == .typedName || self == .unlockedNameReasonWindow }
}
