/// Colour vision: normal, and the deficiencies of one kind of cone.
public enum ColorVision: String, Sendable, CaseIterable {
    case normal
    /// Without the cones for long waves: red is dark, and like green.
    case protanopia
    /// Without the cones for middle waves: red is like green. The most common of the three.
    case deuteranopia
    /// Without the cones for short waves: blue is like green, yellow like pink.
    case tritanopia

    /// The colour as these eyes see it (Machado, Oliveira and Fernandes 2009, severity 1).
    func seen(_ color: LinearColor) -> LinearColor {
        guard let matrix else { return color }
        func row(_ index: Int) -> Double {
            let sum = matrix[index].0 * color.red + matrix[index].1 * color.green + matrix[index].2 * color.blue
            return min(1, max(0, sum))
        }
        return LinearColor(red: row(0), green: row(1), blue: row(2))
    }

    private var matrix: [(Double, Double, Double)]? {
        switch self {
        case .normal: nil
        case .protanopia: [(0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)]
        case .deuteranopia: [(0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)]
        case .tritanopia: [(1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)]
        }
    }
}

/// An sRGB colour as amounts of light, 0...1 each.
struct LinearColor {
    var red, green, blue: Double

    init(red: Double, green: Double, blue: Double) { (self.red, self.green, self.blue) = (red, green, blue) }

    init(_ color: ThemeColor.RGB) {
        self.init(red: Self.light(color.red), green: Self.light(color.green), blue: Self.light(color.blue))
    }

    private static func light(_ value: UInt8) -> Double {
        let part = Double(value) / 255
        if part <= 0.04045 { return part / 12.92 }
        // x to the power of 2.4.
        let base = (part + 0.055) / 1.055
        return base * base * root(base * base, 5)
    }

    /// Relative luminance, 0...1.
    var luminance: Double { 0.2126 * red + 0.7152 * green + 0.0722 * blue }

    /// The contrast ratio of WCAG 2: 1 (none) to 21.
    func contrast(to other: LinearColor) -> Double {
        (max(luminance, other.luminance) + 0.05) / (min(luminance, other.luminance) + 0.05)
    }

    /// The perceived difference of two colours: the distance in CIELAB. Below 2 they look the same, above 10 they differ at a glance.
    func distance(to other: LinearColor) -> Double {
        let (left, right) = (lab, other.lab)
        let (l, a, b) = (left.l - right.l, left.a - right.a, left.b - right.b)
        return (l * l + a * a + b * b).squareRoot()
    }

    /// CIELAB under daylight (D65).
    private var lab: (l: Double, a: Double, b: Double) {
        func bent(_ part: Double) -> Double { part > 0.008856 ? root(part, 3) : 7.787 * part + 16.0 / 116 }
        let x = bent((0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.9505)
        let y = bent(luminance)
        let z = bent((0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.089)
        return (116 * y - 16, 500 * (x - y), 200 * (y - z))
    }
}

/// The root of this degree of a number from 0 to 1, by Newton's method: the pure layers have no C library.
private func root(_ value: Double, _ degree: Int) -> Double {
    guard value > 0 else { return 0 }
    var guess = 1.0
    for _ in 0..<64 {
        var power = 1.0
        for _ in 1..<degree { power *= guess }
        let next = guess - (guess - value / power) / Double(degree)
        if abs(next - guess) < 1e-12 { return next }
        guess = next
    }
    return guess
}
