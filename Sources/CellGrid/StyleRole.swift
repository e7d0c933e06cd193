/// Meaning of a cell. Drawing code names meanings; a theme maps each to colours and attributes. The names are those of theme files.
public enum StyleRole: UInt8, Sendable, CaseIterable {
    case text
    case textDim
    case textStrong
    case textStale
    case linkOK
    case linkSlow
    case linkStale
    case linkDown
    case title
    case titleJob
    case titleLock
    case envProd
    case envStage
    case envLab
    case envDemo
    case border
    case borderFocus
    case header
    case headerSort
    case select
    case selectUnfocused
    case mark
    case match
    case hintKey
    case hintText
    case hintLocked
    case input
    case inputCursor
    case severityOK
    case severityRun
    case severityWarn
    case severityCrit
    case severityUnknown
    case checkpointOK
    case checkpointRun
    case checkpointFailed
    case checkpointSavepoint
    case checkpointGone
    case phaseDelay
    case phaseAlign
    case phaseSync
    case phaseAsync
    case graphLine
    case graphFill
    case dialog
    case dialogBorder
    case dialogDanger
    case toast
    /// Steps of a graph, lowest first.
    case graphScale0, graphScale1, graphScale2, graphScale3, graphScale4, graphScale5, graphScale6, graphScale7, graphScale8, graphScale9

    /// The step for a fraction of a graph's height, from 0 to 1.
    public static func graphScale(_ fraction: Double) -> StyleRole {
        let step = fraction.isFinite ? Int(min(max(fraction, 0), 1) * 10) : 0
        return StyleRole(rawValue: graphScale0.rawValue + UInt8(min(step, 9))) ?? .graphLine
    }

    /// Its step of a graph; nil for other roles.
    public var graphStep: Int? { (Self.graphScale0.rawValue...Self.graphScale9.rawValue).contains(rawValue) ? Int(rawValue - Self.graphScale0.rawValue) : nil }

    /// Position in `allCases`: the index in a `StyleSheet`.
    public var index: Int { Int(rawValue) }

    /// The role with this name, or nil.
    public init?(name: String) {
        guard let role = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = role
    }

    /// Name in theme files.
    public var name: String {
        switch self {
        case .text: "text"
        case .textDim: "text.dim"
        case .textStrong: "text.strong"
        case .textStale: "text.stale"
        case .linkOK: "link.ok"
        case .linkSlow: "link.slow"
        case .linkStale: "link.stale"
        case .linkDown: "link.down"
        case .title: "title"
        case .titleJob: "title.job"
        case .titleLock: "title.lock"
        case .envProd: "env.prod"
        case .envStage: "env.stage"
        case .envLab: "env.lab"
        case .envDemo: "env.demo"
        case .border: "border"
        case .borderFocus: "border.focus"
        case .header: "header"
        case .headerSort: "header.sort"
        case .select: "select"
        case .selectUnfocused: "select.unfocused"
        case .mark: "mark"
        case .match: "match"
        case .hintKey: "hint.key"
        case .hintText: "hint.text"
        case .hintLocked: "hint.locked"
        case .input: "input"
        case .inputCursor: "input.cursor"
        case .severityOK: "severity.ok"
        case .severityRun: "severity.run"
        case .severityWarn: "severity.warn"
        case .severityCrit: "severity.crit"
        case .severityUnknown: "severity.unknown"
        case .checkpointOK: "ckpt.ok"
        case .checkpointRun: "ckpt.run"
        case .checkpointFailed: "ckpt.failed"
        case .checkpointSavepoint: "ckpt.savepoint"
        case .checkpointGone: "ckpt.gone"
        case .phaseDelay: "phase.delay"
        case .phaseAlign: "phase.align"
        case .phaseSync: "phase.sync"
        case .phaseAsync: "phase.async"
        case .graphLine: "graph.line"
        case .graphFill: "graph.fill"
        case .dialog: "dialog"
        case .dialogBorder: "dialog.border"
        case .dialogDanger: "dialog.danger"
        case .toast: "toast"
        case .graphScale0: "graph.scale.0"
        case .graphScale1: "graph.scale.1"
        case .graphScale2: "graph.scale.2"
        case .graphScale3: "graph.scale.3"
        case .graphScale4: "graph.scale.4"
        case .graphScale5: "graph.scale.5"
        case .graphScale6: "graph.scale.6"
        case .graphScale7: "graph.scale.7"
        case .graphScale8: "graph.scale.8"
        case .graphScale9: "graph.scale.9"
        }
    }
}

/// Style of a cell as a small number: a role, and a second role laid over it (the selected row keeps its severities).
public struct StyleID: Hashable, Sendable {
    /// Low byte: index of the role. High byte: 0, or 1 + index of the overlaid role.
    public let rawValue: UInt16

    public init(_ role: StyleRole, under overlay: StyleRole? = nil) {
        let high = overlay.map { UInt16($0.index + 1) } ?? 0
        rawValue = UInt16(role.index) | high << 8
    }

    /// Ordinary text.
    public static let plain = StyleID(.text)

    public var role: StyleRole { StyleRole.allCases[Int(rawValue & 0xff)] }
    public var overlay: StyleRole? { rawValue >> 8 == 0 ? nil : StyleRole.allCases[Int(rawValue >> 8) - 1] }
}
