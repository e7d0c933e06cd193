// Saturating arithmetic. Figures come from files, from the wire and from foreign connectors: an impossible value is clamped to the nearest
// possible one, and never ends the process that reads it.

extension FixedWidthInteger {
    /// The integral part of `value`, clamped to the range; 0 for NaN.
    @inlinable
    public init(clamping value: Double) {
        if let whole = Self(exactly: value.rounded(.towardZero)) { self = whole } else { self = value > 0 ? .max : value < 0 ? .min : 0 }
    }

    /// The sum, clamped to the range.
    @inlinable
    public func addingClamped(_ other: Self) -> Self {
        let (sum, overflows) = addingReportingOverflow(other)
        return overflows ? (other > 0 ? .max : .min) : sum
    }

    /// The difference, clamped to the range: 0 for unsigned numbers.
    @inlinable
    public func subtractingClamped(_ other: Self) -> Self {
        let (difference, overflows) = subtractingReportingOverflow(other)
        return overflows ? (other > 0 ? .min : .max) : difference
    }

    /// The product, clamped to the range.
    @inlinable
    public func multipliedClamped(by other: Self) -> Self {
        let (product, overflows) = multipliedReportingOverflow(by: other)
        return overflows ? ((self < 0) == (other < 0) ? .max : .min) : product
    }
}

extension Sequence where Element: FixedWidthInteger {
    /// The sum, clamped to the range.
    @inlinable
    public func sumClamped() -> Element { reduce(0) { $0.addingClamped($1) } }
}
