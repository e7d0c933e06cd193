public import CellGrid
public import StreamModel

/// Turns frames into a recording in the format asciicast, version 2: a header, then one line an event. Only differences are written, so
/// an unchanged frame is no event. Pure: the recorder writes the lines.
public struct CastScript: Sendable {
    private var shown: CellBuffer?
    private var styles: StyleSheet?

    public init() {}

    /// The first line. `title` and `term` come from outside.
    public static func header(size: Size, startedAt: WallTime, title: SafeText, term: SafeText) -> String {
        "{\"version\":2,\"width\":\(size.columns),\"height\":\(size.rows),\"timestamp\":\(startedAt.milliseconds / 1000),\"title\":\(quoted(title.string)),\"env\":{\"TERM\":\(quoted(term.string))}}\n"
    }

    /// The lines that lead to this frame; empty when nothing changed. `time` is counted from the start.
    public mutating func frame(_ frame: CellBuffer, _ styles: StyleSheet, at time: Milliseconds) -> String {
        var lines = ""
        if let shown, shown.size != frame.size { lines += event(time, "r", "\(frame.size.columns)x\(frame.size.rows)") }
        let isWhole = shown?.size != frame.size || self.styles != styles
        var text = isWhole ? "\u{1b}[?25l\u{1b}[0m\u{1b}[2J" : ""
        var painter = SequencePainter()
        let runs = CellDiff.runs(from: isWhole ? CellBuffer(size: .zero) : shown ?? frame, to: frame)
        for run in runs {
            text += "\u{1b}[\(run.row + 1);\(run.columns.lowerBound + 1)H" + painter.line(frame, row: run.row, columns: run.columns, styles)
        }
        text += painter.end()
        (shown, self.styles) = (frame, styles)
        return text.isEmpty ? lines : lines + event(time, "o", text)
    }

    /// A mark that players show on their time line.
    public func marker(_ text: SafeText, at time: Milliseconds) -> String { event(time, "m", text.string) }

    private func event(_ time: Milliseconds, _ kind: String, _ data: String) -> String {
        let count = max(0, time.count)
        let thousandths = String(count % 1000)
        return "[\(count / 1000).\(String(repeating: "0", count: 3 - thousandths.count))\(thousandths),\"\(kind)\",\(Self.quoted(data))]\n"
    }

    /// A JSON string.
    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            default:
                if scalar.value < 0x20 {
                    result += "\\u00\(scalar.value < 0x10 ? "0" : "")\(String(scalar.value, radix: 16))"
                } else {
                    result.unicodeScalars.append(scalar)
                }
            }
        }
        return result + "\""
    }
}
