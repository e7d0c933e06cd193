internal import CellGrid
internal import ConsoleCore
internal import ControlProtocol

extension ConsoleModel {
    /// The screen in a format.
    func dumped(_ format: DumpFormat, _ styles: StyleSheet) throws(ControlCodecError) -> String {
        var canvas = Canvas(size: options.size, glyphs: glyphs)
        render(self, into: &canvas)
        switch format {
        case .text: return FrameText.plain(canvas.buffer)
        case .ansi: return FrameText.ansi(canvas.buffer, styles)
        case .svg: return FrameText.svg(canvas.buffer, styles, ground: theme.variant == .light ? .light : .dark, title: "weir")
        case .json: return try ControlCodec.json(record) + "\n"
        case .csv: return csv
        }
    }
}
