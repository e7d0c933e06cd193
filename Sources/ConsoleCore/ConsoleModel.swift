public import CellGrid
public import StreamModel

/// What the surroundings decide once for a console.
public struct ConsoleOptions: Sendable {
    /// Seconds that local time is ahead of UTC.
    public var utcOffsetSeconds: Int
    /// The best that the terminal can draw.
    public var glyphs: GlyphProfile
    public var theme: Theme
    /// The names that the theme picker offers, in order.
    public var themeNames: [String]
    /// Refuse every action in every context.
    public var isReadOnly: Bool
    /// The size of the terminal; a `.resize` changes it.
    public var size: Size

    public init(
        utcOffsetSeconds: Int = 0, glyphs: GlyphProfile = .braille, theme: Theme = .base, themeNames: [String] = Theme.builtinNames,
        isReadOnly: Bool = false, size: Size = Size(columns: 80, rows: 24)
    ) {
        self.utcOffsetSeconds = utcOffsetSeconds
        self.glyphs = glyphs
        self.theme = theme
        self.themeNames = themeNames
        self.isReadOnly = isReadOnly
        self.size = size
    }
}

/// All that the console knows and shows. A value: changed by `update` alone, drawn by `render`, owned by the console's one loop.
/// It reads no clock: every change brings its time along.
public struct ConsoleModel: Sendable {
    public private(set) var options: ConsoleOptions
    public private(set) var now: WallTime

    /// `seed` feeds the operation ids; `operatorName` ("user@host") goes on record with every action.
    public init(contexts: [ContextDescription], start: WallTime, seed: UInt64, operatorName: String, options: ConsoleOptions = ConsoleOptions()) {
        self.options = options
        now = start
    }

    /// When the surroundings must send `.tick` for the screen to stay true; nil = nothing on it ages.
    public var nextDueTick: WallTime? { nil }

    /// The theme in use; applied where cells become terminal output: `model.theme.styleSheet(depth:)`.
    public var theme: Theme { options.theme }

    /// The glyphs to draw with: what the theme wants, as far as the terminal can. Give it to the `Canvas`.
    public var glyphs: GlyphProfile { options.glyphs }
}

/// Takes one event in. Pure: the same model, event and time give the same model and effects.
public func update(_ model: inout ConsoleModel, _ event: ConsoleEvent, at now: WallTime) -> [ConsoleEffect] {
    if case .key(.character("q")) = event { return [.quit] }
    if case .terminate = event { return [.quit] }
    return []
}

/// Draws the whole screen. The canvas is blank and has the size of the terminal. Roles only: the theme is applied at the edge.
public func render(_ model: ConsoleModel, into canvas: inout Canvas) {
    canvas.put("weir", column: 0, row: 0, role: .title)
}
