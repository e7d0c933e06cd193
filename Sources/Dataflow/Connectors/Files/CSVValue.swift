/// A type that can be read from a CSV field.
public protocol CSVValue {
    /// Parses a field, without quotes; nil = not of this type.
    init?(csv bytes: UnsafeRawBufferPointer)
    /// Expectation for messages: "a whole number".
    static var csvExpectation: String { get }
}

extension String: CSVValue {
    @inlinable
    public init?(csv bytes: UnsafeRawBufferPointer) {
        guard let text = String(validating: bytes, as: UTF8.self) else { return nil }
        self = text
    }
    public static var csvExpectation: String { "text in UTF-8" }
}

extension FixedWidthInteger where Self: CSVValue {
    @inlinable
    public init?(csv bytes: UnsafeRawBufferPointer) {
        var index = 0
        let isNegative = bytes.first == UInt8(ascii: "-")
        if isNegative || bytes.first == UInt8(ascii: "+") { index = 1 }
        guard index < bytes.count, Self.isSigned || !isNegative else { return nil }
        var value: Self = 0
        while index < bytes.count {
            let digit = bytes[index] &- UInt8(ascii: "0")
            guard digit < 10 else { return nil }
            let (product, overflows) = value.multipliedReportingOverflow(by: 10)
            let (sum, overflowsToo) = isNegative ? product.subtractingReportingOverflow(Self(digit)) : product.addingReportingOverflow(Self(digit))
            guard !overflows, !overflowsToo else { return nil }
            value = sum
            index += 1
        }
        self = value
    }

    public static var csvExpectation: String { "a whole number of \(Self.min) to \(Self.max)" }
}

extension Int: CSVValue {}
extension Int64: CSVValue {}
extension Int32: CSVValue {}
extension UInt64: CSVValue {}
extension UInt32: CSVValue {}

extension Double: CSVValue {
    public init?(csv bytes: UnsafeRawBufferPointer) {
        if let value = Double.short(bytes) {
            self = value
            return
        }
        // Only digits, sign, point and exponent: no "nan", no "0x1p3", no spaces.
        let allowed = bytes.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || "+-.eE".utf8.contains($0) }
        guard allowed, let value = Double(String(decoding: bytes, as: UTF8.self)), value.isFinite else { return nil }
        self = value
    }

    public static var csvExpectation: String { "a number" }

    /// Parses `-123.45` exactly if the digits fit 53 bits and the power of ten is exact. nil = not of this shape.
    private static func short(_ bytes: UnsafeRawBufferPointer) -> Double? {
        var index = 0, digits: UInt64 = 0, count = 0, decimals = 0, hasPoint = false
        let isNegative = bytes.first == UInt8(ascii: "-")
        if isNegative || bytes.first == UInt8(ascii: "+") { index = 1 }
        while index < bytes.count {
            let byte = bytes[index]
            if byte == UInt8(ascii: "."), !hasPoint {
                hasPoint = true
            } else {
                let digit = byte &- UInt8(ascii: "0")
                guard digit < 10, count < 18 else { return nil }
                digits = digits &* 10 &+ UInt64(digit)
                count += 1
                if hasPoint { decimals += 1 }
            }
            index += 1
        }
        guard count > 0, digits <= 1 << 53 else { return nil }
        let value = Double(digits) / powers[decimals]
        return isNegative ? -value : value
    }

    private static let powers: [Double] = [1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18]
}

extension Bool: CSVValue {
    public init?(csv bytes: UnsafeRawBufferPointer) {
        if bytes.elementsEqual("true".utf8) || bytes.elementsEqual("1".utf8) {
            self = true
        } else if bytes.elementsEqual("false".utf8) || bytes.elementsEqual("0".utf8) {
            self = false
        } else {
            return nil
        }
    }
    public static var csvExpectation: String { "true, false, 1 or 0" }
}

/// An optional value, nil for an empty field.
extension Optional: CSVValue where Wrapped: CSVValue {
    @inlinable
    public init?(csv bytes: UnsafeRawBufferPointer) {
        if bytes.isEmpty {
            self = nil
            return
        }
        guard let value = Wrapped(csv: bytes) else { return nil }
        self = value
    }
    public static var csvExpectation: String { "\(Wrapped.csvExpectation), or nothing" }
}
