/// An element of the small XML that storages answer with. Pure, and bounded: no document type, no entities of its own, so many elements, so deep.
struct XMLElement: Equatable, Sendable {
    /// Without a prefix of a namespace.
    let name: String
    /// Empty where there are elements inside.
    fileprivate(set) var text = ""
    fileprivate(set) var children: [XMLElement] = []

    init(_ name: String) { self.name = name }

    subscript(_ name: String) -> XMLElement? { children.first { $0.name == name } }

    /// The text of an element inside; nil = there is none, or it is empty.
    func text(_ name: String) -> String? { self[name].flatMap { $0.text.isEmpty ? nil : $0.text } }

    func all(_ name: String) -> [XMLElement] { children.filter { $0.name == name } }

    static func parse(_ bytes: [UInt8], elementsMax: Int = 200_000, depthMax: Int = 16) throws(XMLError) -> XMLElement {
        var parser = XMLParser(bytes: bytes, elementsMax: elementsMax, depthMax: depthMax)
        return try parser.document()
    }
}

struct XMLError: Error, Equatable {
    enum What: String {
        case cut = "ends in the middle"
        case badTag = "has a tag that is none"
        case mismatch = "closes an element that is not open"
        case documentType = "declares a document type, which is refused"
        case entity = "uses an entity that is not one of the five"
        case tooDeep = "is nested too deep"
        case tooMany = "has too many elements"
        case notText = "is not UTF-8"
        case noElement = "has no element"
        case trailing = "goes on after its end"
    }
    var what: What
    var offset: Int
}

private struct XMLParser {
    private let bytes: [UInt8]
    private let elementsMax: Int
    private let depthMax: Int
    private var at = 0
    private var elements = 0
    private var open: [XMLElement] = []
    private var texts: [[UInt8]] = []
    private var root: XMLElement?

    init(bytes: [UInt8], elementsMax: Int, depthMax: Int) { (self.bytes, self.elementsMax, self.depthMax) = (bytes, elementsMax, depthMax) }

    mutating func document() throws(XMLError) -> XMLElement {
        if bytes.starts(with: [0xef, 0xbb, 0xbf]) { at = 3 }
        while at < bytes.count {
            if bytes[at] == 0x3c { try markup() } else { try text() }
        }
        guard open.isEmpty else { throw problem(.cut) }
        guard let root else { throw problem(.noElement) }
        return root
    }

    private func problem(_ what: XMLError.What) -> XMLError { XMLError(what: what, offset: min(at, bytes.count)) }

    private func sees(_ text: StaticString) -> Bool {
        let count = text.utf8CodeUnitCount
        guard bytes.count - at >= count else { return false }
        return (0..<count).allSatisfy { bytes[at + $0] == text.utf8Start[$0] }
    }

    private mutating func skip(past end: StaticString) throws(XMLError) -> Range<Int> {
        let begin = at
        while at < bytes.count {
            if sees(end) {
                defer { at += end.utf8CodeUnitCount }
                return begin..<at
            }
            at += 1
        }
        throw problem(.cut)
    }

    private mutating func markup() throws(XMLError) {
        if sees("<!--") {
            at += 4
            _ = try skip(past: "-->")
        } else if sees("<![CDATA[") {
            at += 9
            let content = try skip(past: "]]>")
            guard !texts.isEmpty else { throw problem(.trailing) }
            texts[texts.count - 1] += bytes[content]
        } else if sees("<!") {
            throw problem(.documentType)
        } else if sees("<?") {
            _ = try skip(past: "?>")
        } else if sees("</") {
            at += 2
            try close(named: try tagName())
        } else {
            at += 1
            try begin()
        }
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        (0x61...0x7a).contains(byte | 0x20) || (0x30...0x39).contains(byte) || [0x2d, 0x2e, 0x5f, 0x3a].contains(byte) || byte >= 0x80
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 }

    private mutating func tagName() throws(XMLError) -> String {
        let begin = at
        while at < bytes.count, Self.isNameByte(bytes[at]) { at += 1 }
        guard at > begin, at - begin <= 256 else { throw problem(at == bytes.count ? .cut : .badTag) }
        let name = String(decoding: bytes[begin..<at], as: UTF8.self)
        return name.lastIndex(of: ":").map { String(name[name.index(after: $0)...]) } ?? name
    }

    private mutating func begin() throws(XMLError) {
        guard root == nil else { throw problem(.trailing) }
        let name = try tagName()
        elements += 1
        guard elements <= elementsMax else { throw problem(.tooMany) }
        guard open.count < depthMax else { throw problem(.tooDeep) }
        open.append(XMLElement(name))
        texts.append([])
        // Attributes are passed over; a quoted `>` ends nothing.
        var quote: UInt8?
        while at < bytes.count {
            let byte = bytes[at]
            at += 1
            if let mark = quote {
                if byte == mark { quote = nil }
            } else if byte == 0x22 || byte == 0x27 {
                quote = byte
            } else if byte == 0x3c {
                throw problem(.badTag)
            } else if byte == 0x3e {
                if bytes[at - 2] == 0x2f { try close(named: name, skipsMark: false) }
                return
            }
        }
        throw problem(.cut)
    }

    private mutating func close(named name: String, skipsMark: Bool = true) throws(XMLError) {
        if skipsMark {
            while at < bytes.count, Self.isSpace(bytes[at]) { at += 1 }
            guard at < bytes.count else { throw problem(.cut) }
            guard bytes[at] == 0x3e else { throw problem(.badTag) }
            at += 1
        }
        guard var element = open.popLast(), let content = texts.popLast(), element.name == name else { throw problem(.mismatch) }
        if element.children.isEmpty {
            guard let text = String(validating: content, as: UTF8.self) else { throw problem(.notText) }
            element.text = text
        }
        if open.isEmpty { root = element } else { open[open.count - 1].children.append(element) }
    }

    private mutating func text() throws(XMLError) {
        let byte = bytes[at]
        guard !texts.isEmpty else {
            guard Self.isSpace(byte) else { throw problem(root == nil ? .noElement : .trailing) }
            at += 1
            return
        }
        if byte == 0x26 {
            try entity()
        } else {
            let begin = at
            while at < bytes.count, bytes[at] != 0x3c, bytes[at] != 0x26 { at += 1 }
            texts[texts.count - 1] += bytes[begin..<at]
        }
    }

    private mutating func entity() throws(XMLError) {
        at += 1
        let begin = at
        while at < bytes.count, bytes[at] != 0x3b, at - begin < 10 { at += 1 }
        guard at < bytes.count else { throw problem(.cut) }
        guard bytes[at] == 0x3b else { throw problem(.entity) }
        let name = String(decoding: bytes[begin..<at], as: UTF8.self)
        at += 1
        guard let character = Self.character(name) else { throw problem(.entity) }
        texts[texts.count - 1] += Array(String(character).utf8)
    }

    private static func character(_ name: String) -> Unicode.Scalar? {
        switch name {
        case "lt": return "<"
        case "gt": return ">"
        case "amp": return "&"
        case "quot": return "\""
        case "apos": return "'"
        default: break
        }
        guard name.hasPrefix("#") else { return nil }
        let isHexadecimal = name.hasPrefix("#x")
        let digits = name.dropFirst(isHexadecimal ? 2 : 1)
        guard digits.allSatisfy(\.isHexDigit), let value = UInt32(digits, radix: isHexadecimal ? 16 : 10) else { return nil }
        return Unicode.Scalar(value)
    }
}
