/// Outside text as it may stand in a message or on a terminal: what is no plain character (control, format, separator and unassigned
/// ones) becomes U+FFFD, and what is longer than `limit` scalars is cut off.
public func printable(_ text: String, limit: Int = 200) -> String {
    let isPlain: (Unicode.Scalar) -> Bool = { scalar in
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: false
        default: true
        }
    }
    var shown = String.UnicodeScalarView()
    for (index, scalar) in text.unicodeScalars.enumerated() {
        guard index < limit else { return String(shown) + "..." }
        shown.append(isPlain(scalar) ? scalar : "\u{FFFD}")
    }
    return String(shown)
}
