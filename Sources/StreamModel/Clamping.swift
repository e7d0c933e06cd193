// Arithmetic that always has an answer. Figures come from files, from the wire and from connectors of others: a value that cannot be is shown
// as the nearest one that can, it never ends the process that looks at it.

extension FixedWidthInteger {
    /// The whole part of `value`, or the nearest end of the range; 0 for what is no number.
    @inlinable
    public init(clamping value: Double) {
        if let whole = Self(exactly: value.rounded(.towardZero)) { self = whole } else { self = value > 0 ? .max : value < 0 ? .min : 0 }
    }

    /// The sum, or the end of the range that it lies beyond.
    @inlinable
    public func addingClamped(_ other: Self) -> Self {
        let (sum, overflows) = addingReportingOverflow(other)
        return overflows ? (other > 0 ? .max : .min) : sum
    }

    /// The difference, or the end of the range that it lies beyond: 0 for unsigned numbers.
    @inlinable
    public func subtractingClamped(_ other: Self) -> Self {
        let (difference, overflows) = subtractingReportingOverflow(other)
        return overflows ? (other > 0 ? .min : .max) : difference
    }

    /// The product, or the end of the range that it lies beyond.
    @inlinable
    public func multipliedClamped(by other: Self) -> Self {
        let (product, overflows) = multipliedReportingOverflow(by: other)
        return overflows ? ((self < 0) == (other < 0) ? .max : .min) : product
    }
}

extension Sequence where Element: FixedWidthInteger {
    /// The sum, or the end of the range that it lies beyond.
    @inlinable
    public func sumClamped() -> Element { reduce(0) { $0.addingClamped($1) } }
}
