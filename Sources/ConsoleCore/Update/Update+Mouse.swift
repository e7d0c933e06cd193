import CellGrid
import StreamModel

extension ConsoleModel {
    /// Rows that one step of the wheel moves.
    private static let wheelRows = 3

    /// The wheel moves as the arrow keys do, a press selects a row. Nothing that acts can be pressed, and a box with a text field or an action in it
    /// takes no notice of a mouse.
    mutating func take(_ mouse: MousePress, _ effects: inout [ConsoleEffect]) {
        guard options.usesMouse else { return }
        switch (modals.last, mouse.kind) {
        case (nil, .press): select(at: mouse.point)
        case (nil, .wheelUp): move(by: -Self.wheelRows)
        case (nil, .wheelDown): move(by: Self.wheelRows)
        case (.help(var page), .wheelUp), (.help(var page), .wheelDown):
            page.top = HelpScreen(self, search: page.search).clamped(page.top + (mouse.kind == .wheelUp ? -Self.wheelRows : Self.wheelRows))
            modals[modals.count - 1] = .help(page)
        case (.themes(let index, let before), .wheelUp): pressInThemes(.named(.up), index, before, &effects)
        case (.themes(let index, let before), .wheelDown): pressInThemes(.named(.down), index, before, &effects)
        case (.chooser(let chooser), .wheelUp) where chooser.step == .choose: pressInChooser(.named(.up), chooser, &effects)
        case (.chooser(let chooser), .wheelDown) where chooser.step == .choose: pressInChooser(.named(.down), chooser, &effects)
        default: break
        }
        requestWhatIsShown(&effects)
    }

    private mutating func select(at point: CellPoint) {
        guard !isSmall else { return }
        // Only drawing knows which row stands where.
        var canvas = Canvas(size: size, glyphs: glyphs)
        render(self, into: &canvas)
        guard let index = canvas.listIndex(at: point) else { return }
        chosenPane = .list
        select(index)
    }

    mutating func toggleMouse(_ effects: inout [ConsoleEffect]) {
        options.usesMouse.toggle()
        effects.append(.watchMouse(options.usesMouse))
        say(
            options.usesMouse ? "mouse on: wheel scrolls, click selects; hold Shift to select text" : "mouse off: the terminal selects text")
    }
}
