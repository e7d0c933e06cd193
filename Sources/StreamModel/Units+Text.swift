extension Milliseconds {
    /// Parses a span: `200ms`, `3s`, `5m`, `2h`, or a plain number of seconds. Anything else is nil.
    public init?(text: String) {
        let units: [(suffix: String, milliseconds: Int64)] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("", 1000)]
        for (suffix, factor) in units where text.hasSuffix(suffix) {
            guard let number = Int64(text.dropLast(suffix.count)), number >= 0 else { return nil }
            let (product, overflow) = number.multipliedReportingOverflow(by: factor)
            guard !overflow else { return nil }
            self.init(product)
            return
        }
        return nil
    }
}
